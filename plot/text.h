#ifndef TALWEG_PLOT_TEXT_H_
#define TALWEG_PLOT_TEXT_H_

#include <string>
#include <string_view>

namespace talweg::plot {

// `text` with everything that is not UTF-8, or that XML 1.0 does not allow in a document, replaced
// by U+FFFD: overlong and cut sequences, surrogates, control characters. Newlines stay, a tab
// becomes a space.
std::string CleanUtf8(std::string_view text);

// The width of one line of clean UTF-8 in DejaVu Sans, in units of the font's size. Exact for
// ASCII, a guess for the rest.
double TextWidth(std::string_view line);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_TEXT_H_
