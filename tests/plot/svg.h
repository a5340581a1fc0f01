#ifndef TALWEG_TESTS_PLOT_SVG_H_
#define TALWEG_TESTS_PLOT_SVG_H_

#include <string>
#include <string_view>
#include <vector>

namespace talweg {

// What tests ask of an SVG, read by a small XML scanner of their own.
struct Svg {
  std::string error;                // empty where the document is well-formed
  std::vector<std::string> texts;   // the contents of <text> elements, entities resolved
  std::vector<std::string> paths;   // the tags of <path> elements, as written
  std::vector<std::string> points;  // the tags of <use> elements outside <defs>
};

Svg ReadSvg(std::string_view document);

// How many of the texts are exactly `text`.
int CountTexts(const Svg& svg, std::string_view text);

}  // namespace talweg

#endif  // TALWEG_TESTS_PLOT_SVG_H_
