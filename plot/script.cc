#include "plot/script.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "plot/layout.h"
#include "plot/text.h"

namespace talweg::plot {
namespace {

constexpr Color kInk = 0x262626;
constexpr Color kFrame = 0xb0b0b0;
constexpr Color kGrid = 0xe9e9e9;
constexpr double kLineWidth = 1.6;
constexpr double kPointRadius = 3;
// Transparency of points and bands, as the first byte of gnuplot's 0xAARRGGBB: 0 is opaque.
constexpr int kPointTransparency = 0x59;
constexpr int kBandTransparency = 0xC8;

std::string Rgb(Color color) { return absl::StrFormat("rgb '#%06x'", color & 0xFFFFFF); }

std::string Rgb(Color color, int transparency) {
  return absl::StrFormat("rgb '#%02x%06x'", transparency, color & 0xFFFFFF);
}

// Rows in which a blank line is a gap, and once more those that have no neighbour, of which a line
// alone would show nothing.
struct Rows {
  std::string all;
  std::string lone;
};

// The rows of one series. Apart, since a band may have gaps where its line has none.
struct Blocks {
  Rows line;  // x y
  Rows band;  // x low high
};

std::string LineName(size_t panel, size_t series) { return absl::StrCat("$p", panel, "s", series); }
std::string LoneName(size_t panel, size_t series) { return absl::StrCat("$p", panel, "a", series); }
std::string BandName(size_t panel, size_t series) { return absl::StrCat("$p", panel, "b", series); }

// Rows of a series' x and of what stands there in each of the columns.
Rows MakeRows(const Panel& panel, const Series& series,
              const std::vector<const std::vector<double>*>& columns) {
  Rows rows;
  std::string run, first;
  int length = 0;
  const auto end_run = [&] {
    if (length == 1) rows.lone += first;
    if (length > 0) absl::StrAppend(&rows.all, rows.all.empty() ? "" : "\n", run);
    run.clear();
    length = 0;
  };
  for (size_t i = 0; i < columns[0]->size(); i++) {
    const double x = XOf(series, i);
    bool is_drawn = IsDrawn(x, panel.x.log);
    std::string row = absl::StrFormat("%.15g", x);
    for (const std::vector<double>* column : columns) {
      is_drawn = is_drawn && IsDrawn((*column)[i], panel.y.log);
      absl::StrAppendFormat(&row, " %.15g", (*column)[i]);
    }
    if (!is_drawn) {
      end_run();
      continue;
    }
    row += "\n";
    if (length++ == 0) first = row;
    run += row;
  }
  end_run();
  return rows;
}

// By panel and series.
using BlockTable = std::vector<std::vector<Blocks>>;

BlockTable MakeTable(const Figure& figure) {
  BlockTable table;
  for (const Panel& panel : figure.panels) {
    table.emplace_back();
    for (const Series& series : panel.series) {
      table.back().push_back({.line = MakeRows(panel, series, {&series.y}),
                              .band = MakeRows(panel, series, {&series.low, &series.high})});
    }
  }
  return table;
}

// Commands that define the data, once for both terminals.
std::string DataScript(const BlockTable& table) {
  std::string script;
  const auto define = [&](const std::string& name, const std::string& rows) {
    if (!rows.empty()) absl::StrAppend(&script, name, " << EOD\n", rows, "EOD\n");
  };
  for (size_t panel = 0; panel < table.size(); panel++) {
    for (size_t series = 0; series < table[panel].size(); series++) {
      define(LineName(panel, series), table[panel][series].line.all);
      define(LoneName(panel, series), table[panel][series].line.lone);
      define(BandName(panel, series), table[panel][series].band.all);
    }
  }
  return script;
}

// What gnuplot's two terminals measure differently, for one pixel of the figure.
struct Units {
  double font;      // font size for letters of one pixel
  double point;     // point size for discs of one pixel radius
  double tick_gap;  // letters by which labels below a frame move up
};

// cairo takes points of 1/72 inch, of 96 pixels an inch; SVG takes pixels. The others are measured.
constexpr Units kPngUnits{.font = 0.75, .point = 0.33, .tick_gap = 0};
constexpr Units kSvgUnits{.font = 1, .point = 0.153, .tick_gap = 0.4};

// Commands that draw a figure; the same for both terminals but for their units.
class Body {
 public:
  Body(const Layout& layout, const Units& units) : layout_(layout), units_(units) {}

  std::string Take() { return std::move(text_); }

  template <typename... Args>
  void Line(const Args&... args) {
    absl::StrAppend(&text_, args..., "\n");
  }

  // A place on the paper; gnuplot counts from the lower left corner, in fractions.
  std::string At(double x, double y) const {
    return absl::StrFormat("screen %.6f, screen %.6f", x / kWidth, 1 - y / layout_.height);
  }

  std::string Font(double pixels) const {
    return absl::StrFormat("font '%s,%g'", kFont, pixels * units_.font);
  }

  std::string Points(double radius) const {
    return absl::StrFormat("pt 7 ps %g", radius * units_.point);
  }

  void Text(const std::string& text, double x, double y, double font, std::string_view how) {
    if (text.empty()) return;
    Line("set label ", GnuplotString(text), " at ", At(x, y), " ", AbslView(how),
         " noenhanced front ", Font(font), " textcolor ", Rgb(kInk));
  }

  void Margins(double left, double right, double top, double bottom) {
    Line(absl::StrFormat("set lmargin at screen %.6f\nset rmargin at screen %.6f", left / kWidth,
                         right / kWidth));
    Line(absl::StrFormat("set tmargin at screen %.6f\nset bmargin at screen %.6f",
                         1 - top / layout_.height, 1 - bottom / layout_.height));
  }

  void Axis(char name, const Scale& scale, bool texts) {
    const std::string axis(1, name);
    Line(scale.log ? "set" : "unset", " logscale ", axis);
    Line(absl::StrFormat("set %srange [%.15g:%.15g]", axis, scale.low, scale.high));
    std::string list;
    for (const Tick& tick : scale.ticks) {
      absl::StrAppend(&list, list.empty() ? "" : ", ", "'", texts ? tick.label : "", "' ",
                      absl::StrFormat("%.15g", tick.at), tick.label.empty() ? " 1" : "");
    }
    Line("set ", axis, "tics out nomirror scale 0.5,0.3 enhanced ", Font(kTickFont), " textcolor ",
         Rgb(kInk), " offset 0,", name == 'x' ? units_.tick_gap : 0, " (", list, ")");
  }

  void Panel(const talweg::Panel& panel, const std::vector<Blocks>& blocks, size_t index) {
    const PanelLayout& place = layout_.panels[index];
    Line("unset label");
    Margins(place.left, place.right, place.top, place.bottom);
    Axis('x', place.x, place.x_texts);
    Axis('y', place.y, place.y_texts);
    Text(panel.title, place.left + 10, place.top + 0.85 * kTitleFont + 2, place.title_font, "left");
    if (place.x_texts) {
      Text(panel.x.label, (place.left + place.right) / 2, place.x_label_y, kLabelFont, "center");
    }
    if (place.y_texts) {
      Text(panel.y.label, place.y_label_x, (place.top + place.bottom) / 2, kLabelFont,
           "center rotate by 90");
    }
    // The first element draws nothing: it lets a panel without data be drawn at all.
    std::string elements = "NaN notitle";
    for (size_t i = 0; i < panel.series.size(); i++) {
      const Series& series = panel.series[i];
      const std::string rows = LineName(index, i);
      const Color color = ColorOf(series, i);
      if (!blocks[i].band.all.empty()) {
        absl::StrAppend(&elements, ", ", BandName(index, i), " using 1:2:3 with filledcurves lc ",
                        Rgb(color, kBandTransparency), " fillstyle solid noborder notitle");
      }
      if (blocks[i].line.all.empty()) continue;
      if (series.mark == Series::Mark::kPoints) {
        absl::StrAppend(&elements, ", ", rows, " using 1:2 with points ", Points(kPointRadius),
                        " lc ", Rgb(color, kPointTransparency), " notitle");
        continue;
      }
      absl::StrAppend(&elements, ", ", rows, " using 1:2 with lines lw ", kLineWidth, " lc ",
                      Rgb(color), " notitle");
      if (!blocks[i].line.lone.empty()) {
        absl::StrAppend(&elements, ", ", LoneName(index, i), " using 1:2 with points ",
                        Points(kLineWidth), " lc ", Rgb(color), " notitle");
      }
    }
    Line("plot ", elements);
  }

  // An empty plot over the whole paper. gnuplot's own key would drop entries when there are many.
  void Legend() {
    if (layout_.legend.empty()) return;
    Line("unset label\nunset border\nunset tics\nunset grid\nunset logscale");
    Line("set xrange [0:1]\nset yrange [0:1]");
    Margins(0, kWidth, 0, layout_.height);
    for (const LegendEntry& entry : layout_.legend) {
      Text(entry.name, entry.text_x, entry.y, kLabelFont, "left");
      if (!entry.color) continue;
      const std::string color = absl::StrCat(" lc ", Rgb(*entry.color));
      if (entry.mark == Series::Mark::kPoints) {
        Line("set label \"\" at ", At(entry.sample_x + kLegendRadius, entry.y), " point ",
             Points(kLegendRadius), color);
      } else {
        Line("set arrow from ", At(entry.sample_x, entry.y), " to ",
             At(entry.sample_x + kLegendLine, entry.y), " nohead lw ", 1.5 * kLineWidth, color);
      }
    }
    Line("plot NaN notitle");
  }

 private:
  const Layout& layout_;
  const Units& units_;
  std::string text_;
};

std::string BodyScript(const Figure& figure, const BlockTable& table, const Layout& layout,
                       const Units& units) {
  Body body(layout, units);
  body.Line("set multiplot");
  body.Line("set border 15 lw 1 lc ", Rgb(kFrame));
  body.Line("set grid xtics ytics back lt 1 lw 1 lc ", Rgb(kGrid));
  // Lines that cross the frame with both ends outside are drawn too.
  body.Line("set clip two\nunset key\nunset title");
  for (size_t i = 0; i < figure.panels.size(); i++) body.Panel(figure.panels[i], table[i], i);
  body.Legend();
  body.Line("unset multiplot");
  return body.Take();
}

}  // namespace

std::string GnuplotString(std::string_view text) {
  constexpr std::string_view kPlain = " =.,_-";
  std::string quoted = "\"";
  bool escaped = false;  // gnuplot takes digits after an escape for more of it
  for (const char c : CleanUtf8(text)) {
    const bool plain = absl::ascii_isalpha(static_cast<unsigned char>(c)) ||
                       (absl::ascii_isdigit(static_cast<unsigned char>(c)) && !escaped) ||
                       static_cast<unsigned char>(c) >= 0x80 || kPlain.find(c) != kPlain.npos;
    if (plain) {
      quoted += c;
    } else {
      absl::StrAppendFormat(&quoted, "\\%03o", static_cast<unsigned char>(c));
    }
    escaped = !plain;
  }
  return quoted + "\"";
}

std::string GnuplotScript(const Figure& figure, int png_scale) {
  const Layout layout = MakeLayout(figure);
  const BlockTable table = MakeTable(figure);
  const auto terminal = [&](const char* name, int scale, const Units& units) {
    return absl::StrFormat("set terminal %s size %.0f,%.0f font '%s,%g' rounded ", name,
                           kWidth * scale, layout.height * scale, kFont, kLabelFont * units.font);
  };
  return absl::StrCat("set encoding utf8\n", DataScript(table),
                      terminal("pngcairo", png_scale, kPngUnits),
                      absl::StrFormat("fontscale %1$d linewidth %1$d pointscale %1$d\n", png_scale),
                      BodyScript(figure, table, layout, kPngUnits), "set output\nreset\n",
                      terminal("svg", 1, kSvgUnits), "fixed background rgb 'white'\n",
                      BodyScript(figure, table, layout, kSvgUnits), "set output\n");
}

}  // namespace talweg::plot
