#ifndef TALWEG_PLOT_LAYOUT_H_
#define TALWEG_PLOT_LAYOUT_H_

#include <string>
#include <vector>

#include "plot/figure.h"
#include "plot/scale.h"

namespace talweg::plot {

// Where everything of a figure stands, in pixels from the top left corner; x to the right, y down.
inline constexpr double kWidth = 1200;

// Sizes of the letters.
inline constexpr double kTickFont = 15;
inline constexpr double kLabelFont = 16;
inline constexpr double kTitleFont = 17;

// One panel: its frame, its two scales with their ticks, and which texts it carries.
struct PanelLayout {
  double left, right, top, bottom;
  Scale x, y;
  bool x_texts;      // tick labels and axis label below the frame
  bool y_texts;      // the same to its left
  double x_label_y;  // where the axis labels' middles stand
  double y_label_x;
  double title_font;
};

// An entry of the legend.
struct LegendEntry {
  std::string name;
  Color color;
  Series::Mark mark;
};

struct Layout {
  double height;
  std::vector<PanelLayout> panels;
  std::vector<LegendEntry> legend;
  double legend_y;  // its middle
};

// Lays out a figure that has passed CheckFigure.
Layout MakeLayout(const Figure& figure);

// The colour of the `index`-th series of a panel.
Color ColorOf(const Series& series, size_t index);
// The x of the i-th value.
double XOf(const Series& series, size_t i);
// Whether a value can be drawn on an axis: finite, and positive where log.
bool IsDrawn(double value, bool log);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_LAYOUT_H_
