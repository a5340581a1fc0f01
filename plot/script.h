#ifndef TALWEG_PLOT_SCRIPT_H_
#define TALWEG_PLOT_SCRIPT_H_

#include <string>
#include <string_view>

#include "plot/figure.h"

namespace talweg::plot {

// The font of all texts; the package of gnuplot brings it.
inline constexpr std::string_view kFont = "DejaVu Sans";

// gnuplot commands that draw `figure` twice on standard output: first the PNG, then the SVG. The
// figure has passed CheckFigure.
std::string GnuplotScript(const Figure& figure, int png_scale);

// `text` as a gnuplot expression that is this string and can be nothing else: single quotes, in
// which only the quote itself is special; newlines joined in from outside. What XML and UTF-8 do
// not allow (control characters, broken sequences) becomes U+FFFD.
std::string GnuplotString(std::string_view text);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_SCRIPT_H_
