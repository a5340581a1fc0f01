#ifndef TALWEG_PLOT_LAYOUT_H_
#define TALWEG_PLOT_LAYOUT_H_

#include <optional>
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

// The radius of a point in the legend, and the width of its sample of a line.
inline constexpr double kLegendRadius = 4.5;
inline constexpr double kLegendLine = 34;

// An entry of the legend: a sample of the mark and the name to its right. The legend's title is one
// without a sample.
struct LegendEntry {
  std::string name;
  std::optional<Color> color = std::nullopt;  // none for the title
  Series::Mark mark = Series::Mark::kLine;
  double sample_x = 0;  // left end of the sample
  double text_x = 0;    // left end of the name
  double y = 0;         // middle of both
};

struct Layout {
  double height;
  std::vector<PanelLayout> panels;
  std::vector<LegendEntry> legend;
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
