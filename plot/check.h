#ifndef TALWEG_PLOT_CHECK_H_
#define TALWEG_PLOT_CHECK_H_

#include "absl/status/status.h"
#include "plot/figure.h"

namespace talweg::plot {

// Whether a figure can be drawn as asked. The error, InvalidArgument, says which panel (counted
// from 1, with its title), which axis or series, and what is wrong with it.
absl::Status CheckFigure(const Figure& figure, const DrawOptions& options);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_CHECK_H_
