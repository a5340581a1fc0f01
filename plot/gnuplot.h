#ifndef TALWEG_PLOT_GNUPLOT_H_
#define TALWEG_PLOT_GNUPLOT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace talweg::plot {

// Runs the program `gnuplot` (a path, or a name looked up in PATH) on `script` and returns what it
// wrote to its standard output. No shell takes part, no file is left, the user's own gnuplot
// settings are not read, and the locale is C, so the same script gives the same bytes anywhere.
//
// Errors: NotFound where there is no such program, with the name of Debian's package, or none that
// may be run; Internal where it fails, with its last words.
absl::StatusOr<std::string> RunGnuplot(const std::string& gnuplot, std::string_view script);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_GNUPLOT_H_
