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

// `text` as a gnuplot string that is this text and can be nothing else: in double quotes, with
// everything but letters, digits and a few harmless signs as an octal escape. (Single quotes would
// not do: gnuplot reads ''' as an empty string and the start of another.) What XML
// and UTF-8 do not allow becomes U+FFFD.
std::string GnuplotString(std::string_view text);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_SCRIPT_H_
