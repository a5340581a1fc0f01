#include "plot/layout.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_split.h"
#include "base/text.h"
#include "plot/text.h"

namespace talweg::plot {
namespace {

constexpr double kEdge = 16;         // free paper around the figure
constexpr double kGap = 14;          // between frames that share a scale
constexpr double kTickTexts = 34;    // from a frame to below its tick labels
constexpr double kAxisLabel = 24;    // height of an axis label
constexpr double kTickSpace = 18;    // between a frame and the tick labels to its left
constexpr double kLegendRow = 26;    // height of one row of the legend
constexpr double kLegendGap = 32;    // between its entries
constexpr double kSampleGap = 8;     // between a sample and its name
constexpr double kTitleLine = 1.35;  // height of a line, in units of its letters

// The width of a tick label; the exponent of 10^{k} is drawn a little smaller than reckoned here.
double LabelWidth(const std::string& label) {
  const size_t power = label.find("^{");
  if (power == std::string::npos) return kTickFont * TextWidth(label);
  return kTickFont * (TextWidth("10") + TextWidth(label.substr(power + 2)) - TextWidth("}"));
}

// Whether the label of a tick at the lower (or upper) end of a scale reaches beyond the frame, and
// how far at most.
double Overhang(const Scale& scale, bool upper) {
  if (scale.ticks.empty()) return 0;
  const auto labelled = [](const Tick& tick) { return !tick.label.empty(); };
  const auto first = std::find_if(scale.ticks.begin(), scale.ticks.end(), labelled);
  const auto last = std::find_if(scale.ticks.rbegin(), scale.ticks.rend(), labelled);
  if (last == scale.ticks.rend()) return 0;
  return LabelWidth(upper ? last->label : first->label) / 2;
}

// Titles that are wider than their frame get smaller letters, to a limit.
double TitleFont(const std::string& title, double width) {
  double widest = 1;
  for (const absl::string_view line : absl::StrSplit(title, '\n')) {
    widest = std::max(widest, TextWidth(StdView(line)));
  }
  return std::clamp((width - 2 * kGap) / widest, 0.5 * kTitleFont, kTitleFont);
}

bool Inside(const Axis& axis, double value) {
  return IsDrawn(value, axis.log) && (!axis.low || value >= *axis.low) &&
         (!axis.high || value <= *axis.high);
}

// Takes in what a panel shows. A given range of x also chooses the y that count.
void Cover(const Panel& panel, Extent& x, Extent& y) {
  for (const Series& series : panel.series) {
    for (size_t i = 0; i < series.y.size(); i++) {
      const double at = XOf(series, i);
      if (!Inside(panel.x, at)) continue;
      const auto cover_y = [&](double value) {
        if (Inside(panel.y, value)) y.Cover(value);
      };
      const bool has_band = !series.low.empty() && IsDrawn(series.low[i], panel.y.log) &&
                            IsDrawn(series.high[i], panel.y.log);
      if (has_band || IsDrawn(series.y[i], panel.y.log)) x.Cover(at);
      cover_y(series.y[i]);
      if (!series.low.empty()) cover_y(series.low[i]);
      if (!series.high.empty()) cover_y(series.high[i]);
    }
  }
}

void MakeScales(const Figure& figure, std::vector<PanelLayout>& panels) {
  std::vector<Extent> x(panels.size()), y(panels.size());
  for (size_t i = 0; i < panels.size(); i++) {
    Cover(figure.panels[i], x[figure.share_x ? 0 : i], y[figure.share_y ? 0 : i]);
  }
  for (size_t i = 0; i < panels.size(); i++) {
    panels[i].x = MakeScale(figure.panels[i].x, x[figure.share_x ? 0 : i]);
    panels[i].y = MakeScale(figure.panels[i].y, y[figure.share_y ? 0 : i]);
  }
}

// The title and each pair of name and colour once.
std::vector<LegendEntry> LegendEntries(const Figure& figure) {
  std::vector<LegendEntry> entries;
  if (!figure.legend) return entries;
  for (const Panel& panel : figure.panels) {
    for (size_t i = 0; i < panel.series.size(); i++) {
      const Series& series = panel.series[i];
      const Color color = ColorOf(series, i);
      const bool known = std::any_of(entries.begin(), entries.end(), [&](const LegendEntry& entry) {
        return entry.name == series.name && entry.color == color && entry.mark == series.mark;
      });
      if (series.name.empty() || known) continue;
      entries.push_back({.name = series.name, .color = color, .mark = series.mark});
    }
  }
  if (!entries.empty() && !figure.legend_title.empty()) {
    entries.insert(entries.begin(), {.name = figure.legend_title});
  }
  return entries;
}

// Sets the entries one after the other in rows, each in the middle of the paper; returns the height
// of all rows.
double PlaceLegend(std::vector<LegendEntry>& entries) {
  double y = kEdge / 2 + kLegendRow / 2, x = 0;
  auto row = entries.begin();
  const auto end_row = [&](auto end) {
    const double shift = std::max((kWidth - (x - kLegendGap)) / 2, kEdge);
    for (; row != end; ++row) {
      row->sample_x += shift;
      row->text_x += shift;
    }
  };
  for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
    const bool points = entry->mark == Series::Mark::kPoints;
    const double sample =
        entry->color ? (points ? 2 * kLegendRadius : kLegendLine) + kSampleGap : 0;
    // A name of several lines stands on one.
    std::replace(entry->name.begin(), entry->name.end(), '\n', ' ');
    const double width = sample + kLabelFont * TextWidth(CleanUtf8(entry->name));
    if (entry != row && x + width > kWidth - 2 * kEdge) {
      end_row(entry);
      x = 0;
      y += kLegendRow;
    }
    entry->sample_x = x;
    entry->text_x = x + sample;
    entry->y = y;
    x += width + kLegendGap;
  }
  end_row(entries.end());
  return entries.empty() ? 0 : y + kLegendRow / 2;
}

}  // namespace

Color ColorOf(const Series& series, size_t index) {
  return series.color.value_or(kPalette[index % std::size(kPalette)]);
}

double XOf(const Series& series, size_t i) {
  return series.x.empty() ? static_cast<double>(i + 1) : series.x[i];
}

bool IsDrawn(double value, bool log) { return std::isfinite(value) && (!log || value > 0); }

Layout MakeLayout(const Figure& figure) {
  const size_t count = figure.panels.size();
  const auto columns = static_cast<size_t>(figure.columns);
  const size_t rows = (count + columns - 1) / columns;
  Layout layout{};
  layout.panels.resize(count);
  std::vector<PanelLayout>& panels = layout.panels;
  MakeScales(figure, panels);

  // How many ticks: from about the size of a frame, so that all panels get the same.
  const double rough_width = kWidth / static_cast<double>(columns) - 50;
  const int x_ticks = std::clamp(static_cast<int>(rough_width / 90), 2, 10);
  const int y_ticks = std::clamp(static_cast<int>(rough_width * figure.panel_aspect / 55), 2, 10);
  double title_lines = 0, right_edge = kEdge;
  std::vector<double> left_margins(columns, kGap), bottom_margins(rows, kGap);
  for (size_t i = 0; i < count; i++) {
    PanelLayout& panel = panels[i];
    const Panel& source = figure.panels[i];
    SetTicks(panel.x, panel.x.high, x_ticks);
    SetTicks(panel.y, panel.y.high, y_ticks);
    panel.x_texts = !figure.share_x || i + columns >= count;
    panel.y_texts = !figure.share_y || i % columns == 0;
    if (!source.title.empty()) {
      const auto breaks = std::count(source.title.begin(), source.title.end(), '\n');
      title_lines = std::max(title_lines, 1.0 + static_cast<double>(breaks));
    }
    // For now the distances from the frame; the frame's place follows from the widest of them.
    double widest = 0;
    for (const Tick& tick : panel.y.ticks) widest = std::max(widest, LabelWidth(tick.label));
    panel.y_label_x = kTickSpace + widest + kAxisLabel / 2;
    panel.x_label_y = kTickTexts + kAxisLabel / 2;
    double& left = left_margins[i % columns];
    double& bottom = bottom_margins[i / columns];
    if (panel.y_texts) {
      left = std::max(left, panel.y_label_x + (source.y.label.empty() ? 0 : kAxisLabel / 2));
    }
    if (i % columns > 0) {
      // The last tick label of the panel before and the first of this one stay apart.
      left = std::max(left, Overhang(panels[i - 1].x, true) + Overhang(panel.x, false) + kGap);
    }
    right_edge = std::max(right_edge, Overhang(panel.x, true) + kEdge / 2);
    // In a last row that is not full, the row above carries texts too, over the empty place.
    if (panel.x_texts && (!figure.share_x || i / columns + 1 == rows)) {
      bottom = std::max(bottom, kTickTexts + (source.x.label.empty() ? 0 : kAxisLabel));
    }
  }
  left_margins[0] += kEdge / 2;
  bottom_margins[rows - 1] += kEdge / 2;

  double frame_width = kWidth - right_edge;
  for (const double margin : left_margins) frame_width -= margin;
  // A frame keeps some width, whatever is written beside it.
  frame_width = std::max(frame_width / static_cast<double>(columns), 20.0);
  const double strip = title_lines == 0 ? 0 : kTitleFont * (kTitleLine * title_lines + 0.6);
  const double data_height = std::max(frame_width * figure.panel_aspect - strip, 20.0);
  const double frame_height = data_height + strip;

  layout.legend = LegendEntries(figure);
  double top = kEdge + PlaceLegend(layout.legend);
  for (size_t row = 0; row < rows; row++) {
    double left = 0;
    for (size_t column = 0; column < columns; column++) {
      left += left_margins[column];
      const size_t i = row * columns + column;
      if (i < count) {
        PanelLayout& panel = panels[i];
        panel.left = left;
        panel.right = left + frame_width;
        panel.top = top;
        panel.bottom = top + frame_height;
        panel.y_label_x = panel.left - panel.y_label_x;
        panel.x_label_y = panel.bottom + panel.x_label_y;
        if (figure.panels[i].equal_aspect)
          EqualizeAspect(panel.x, panel.y, frame_width, data_height);
        const double last = panel.y.high;
        panel.title_font = TitleFont(figure.panels[i].title, frame_width);
        AddHeadroom(panel.y, data_height / frame_height);
        SetTicks(panel.x, panel.x.high, x_ticks);
        SetTicks(panel.y, last, y_ticks);
      }
      left += frame_width;
    }
    top += frame_height + bottom_margins[row];
  }
  layout.height = 2 * std::ceil(top / 2);
  return layout;
}

}  // namespace talweg::plot
