#ifndef TALWEG_PLOT_SCALE_H_
#define TALWEG_PLOT_SCALE_H_

#include <limits>
#include <string>
#include <vector>

#include "plot/figure.h"

namespace talweg::plot {

// The finite values that an axis has to show.
struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  // Takes `value` in, unless it is NaN or infinite.
  void Cover(double value);
  bool empty() const { return low > high; }
};

struct Tick {
  double at;
  std::string label;  // empty for a minor tick
};

// What an axis shows: its two ends and its ticks. low < high, both finite, positive where log.
struct Scale {
  double low;
  double high;
  bool log;
  std::vector<Tick> ticks;
};

// Whether an axis can show `low` to `high`: in order, not too near for double precision, not beyond
// 1e150, positive where log.
bool IsDrawable(double low, double high, bool log);

// The range of an axis: the ends that the axis gives, the data's with a little room elsewhere.
// Without data 0 to 1, or 1 to 10 where log. `data` of a logarithmic axis holds positive values.
Scale MakeScale(const Axis& axis, Extent data);

// Adds room above, so that the old range fills the lower `fraction` (0 to 1) of the new one.
void AddHeadroom(Scale& scale, double fraction);

// Makes `x` and `y` show the same number of units for each pixel, by widening one about its middle.
void EqualizeAspect(Scale& x, Scale& y, double width, double height);

// Sets round ticks from low to `last` (high, or less where there is headroom), about `count` of
// them. On a logarithmic scale they are powers of ten, written 10^{k} for gnuplot, if at least two
// of these lie in the range; else numbers as on a linear one, which then tell more.
void SetTicks(Scale& scale, double last, int count);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_SCALE_H_
