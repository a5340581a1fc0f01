#include "plot/check.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "plot/layout.h"
#include "plot/scale.h"

namespace talweg::plot {
namespace {

// A grid of more columns has no room left for frames.
constexpr int kMaxColumns = 12;
constexpr size_t kMaxPanels = 400;
constexpr double kMostEnd = 1e149;
// What draws the PNG takes no more.
constexpr int kMostPixels = 32767;

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("figure", where.empty() ? "" : ", ", where, ": ", what));
}

absl::Status CheckAxis(const Axis& axis, absl::string_view where) {
  for (const std::optional<double>& end : {axis.low, axis.high}) {
    if (!end) continue;
    if (axis.log && !(*end > 0)) {
      return Wrong(where, absl::StrCat("a logarithmic axis can not reach ", *end));
    }
    if (!std::isfinite(*end)) return Wrong(where, "an end of the axis is not finite");
    // The other end, which follows it, must be drawable, too.
    const bool is_beyond = std::abs(*end) > kMostEnd || (axis.log && *end < 1 / kMostEnd);
    if (is_beyond) return Wrong(where, absl::StrCat("an axis can not reach ", *end));
  }
  if (axis.low && axis.high && !IsDrawable(*axis.low, *axis.high, axis.log)) {
    return Wrong(where,
                 absl::StrCat("can not show the range from ", *axis.low, " to ", *axis.high));
  }
  return absl::OkStatus();
}

absl::Status CheckSeries(const Series& series, absl::string_view where) {
  if (!series.x.empty() && series.x.size() != series.y.size()) {
    return Wrong(where, absl::StrCat(series.x.size(), " x and ", series.y.size(), " y"));
  }
  for (const auto* band : {&series.low, &series.high}) {
    if (series.low.size() != series.high.size() ||
        (!band->empty() && band->size() != series.y.size())) {
      return Wrong(where, absl::StrCat("a band of ", series.low.size(), " low and ",
                                       series.high.size(), " high about ", series.y.size(), " y"));
    }
  }
  return absl::OkStatus();
}

bool SameAxis(const Axis& a, const Axis& b) {
  return a.label == b.label && a.low == b.low && a.high == b.high && a.log == b.log;
}

}  // namespace

absl::Status CheckFigure(const Figure& figure, const DrawOptions& options) {
  if (figure.panels.empty()) return Wrong("", "no panels");
  if (figure.panels.size() > kMaxPanels) {
    return Wrong("", absl::StrCat(figure.panels.size(), " panels, more than ", kMaxPanels));
  }
  if (figure.columns < 1 || figure.columns > kMaxColumns) {
    return Wrong("", absl::StrCat(figure.columns, " columns, not 1 to ", kMaxColumns));
  }
  if (!(figure.panel_aspect >= 0.1 && figure.panel_aspect <= 10)) {
    return Wrong("", absl::StrCat("panel_aspect ", figure.panel_aspect, ", not 0.1 to 10"));
  }
  if (options.png_scale < 1 || options.png_scale > 8) {
    return Wrong("", absl::StrCat("png_scale ", options.png_scale, ", not 1 to 8"));
  }
  for (size_t i = 0; i < figure.panels.size(); i++) {
    const Panel& panel = figure.panels[i];
    const std::string where = absl::StrCat("panel ", i + 1, " ", Quoted(panel.title));
    const std::string x = absl::StrCat(where, ", x axis"), y = absl::StrCat(where, ", y axis");
    if (absl::Status status = CheckAxis(panel.x, x); !status.ok()) return status;
    if (absl::Status status = CheckAxis(panel.y, y); !status.ok()) return status;
    if (panel.equal_aspect && (panel.x.log || panel.y.log)) {
      return Wrong(where, "equal_aspect with a logarithmic axis");
    }
    if (panel.equal_aspect && (figure.share_x || figure.share_y)) {
      return Wrong(where, "equal_aspect in a figure whose panels share an axis");
    }
    if (figure.share_x && !SameAxis(panel.x, figure.panels[0].x)) {
      return Wrong(x, "shared, but not the same as that of the first panel");
    }
    if (figure.share_y && !SameAxis(panel.y, figure.panels[0].y)) {
      return Wrong(y, "shared, but not the same as that of the first panel");
    }
    for (size_t s = 0; s < panel.series.size(); s++) {
      const std::string name =
          absl::StrCat(where, ", series ", s + 1, " ", Quoted(panel.series[s].name));
      if (absl::Status status = CheckSeries(panel.series[s], name); !status.ok()) return status;
    }
  }
  const double height = MakeLayout(figure).height * options.png_scale;
  if (height > kMostPixels) {
    return Wrong(
        "", absl::StrCat("a picture ", std::ceil(height), " pixels high, more than ", kMostPixels,
                         "; more columns or a lower png_scale make it lower"));
  }
  return absl::OkStatus();
}

}  // namespace talweg::plot
