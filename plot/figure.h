#ifndef TALWEG_PLOT_FIGURE_H_
#define TALWEG_PLOT_FIGURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace talweg {

// Figures: a grid of panels with lines or points, drawn by gnuplot as PNG and SVG.
//
//   Figure figure;
//   figure.columns = 2;
//   figure.share_y = true;
//   for (const Curve& c : curves) {
//     figure.panels.push_back({.title = c.title,
//                              .x = {.label = "epoch"},
//                              .y = {.label = "accuracy"},
//                              .series = {{.name = "train", .y = c.accuracy},
//                                         {.name = "test", .y = c.val_accuracy}}});
//   }
//   absl::Status status = Draw(figure, "figures/momentum");   // momentum.png and momentum.svg
//
// All texts appear letter by letter, as UTF-8; a newline breaks the line. No text can reach
// gnuplot as a command. Lengths are in the pixels of a figure that is 1200 of them wide.

// A colour as 0xRRGGBB.
using Color = uint32_t;

// Colours that stay apart for colour-blind readers (after Okabe and Ito, "Color Universal Design",
// 2008) and on white paper. A series without a colour takes them in this order.
inline constexpr Color kBlue = 0x1f72b8;
inline constexpr Color kOrange = 0xf07d0a;
inline constexpr Color kGreen = 0x009e73;
inline constexpr Color kPurple = 0xb4579e;
inline constexpr Color kSky = 0x56b4e9;
inline constexpr Color kGrey = 0x6b6b6b;
inline constexpr Color kPalette[] = {kBlue, kOrange, kGreen, kPurple, kSky, kGrey};

// Curves in one panel.
struct Series {
  enum class Mark : uint8_t { kLine, kPoints };

  // Its entry in the legend; none where empty.
  std::string name = {};
  // One x for each y; empty means 1, 2, 3, ..., as epochs are counted. NaN and infinite values are
  // gaps, so are values that are not positive on a logarithmic axis.
  std::vector<double> x = {};
  std::vector<double> y = {};
  // A shaded band about the line, from low[i] to high[i]: the 10th to 90th percentile over seeds,
  // say. Both empty, or one of each for each y. Line and band have their own gaps: the band where
  // low[i] or high[i] can not be drawn.
  std::vector<double> low = {};
  std::vector<double> high = {};
  Mark mark = Mark::kLine;
  std::optional<Color> color = std::nullopt;
};

// One axis of a panel. An end that is not given is taken from the data.
struct Axis {
  std::string label = {};
  std::optional<double> low = std::nullopt;
  std::optional<double> high = std::nullopt;
  bool log = false;  // base 10
};

struct Panel {
  std::string title = {};  // drawn inside the frame, in a strip that no data reaches
  Axis x = {};
  Axis y = {};
  std::vector<Series> series = {};
  bool equal_aspect = false;  // a unit of x is as long as a unit of y; linear axes only
};

struct Figure {
  std::vector<Panel> panels = {};  // row-major
  int columns = 1;
  // All panels show the same range; ticks and labels stand at the outer panels only. The panels'
  // own ends, labels and log must then be the same.
  bool share_x = false;
  bool share_y = false;
  // One legend for all panels, above them: each pair of name and colour once.
  bool legend = true;
  std::string legend_title = {};
  // Height over width of a panel's frame.
  double panel_aspect = 0.62;
};

struct DrawOptions {
  // The program: a path, or a name that is looked up in PATH.
  std::string gnuplot = "gnuplot";
  // Pixels of the PNG for each of the figure's 1200; 1 to 8.
  int png_scale = 2;
};

// The bytes of two files. The same figure gives the same bytes with the same gnuplot and fonts.
struct Pictures {
  std::string png;
  std::string svg;
};

// Draws in memory. Errors: a figure that contradicts itself (InvalidArgument, names panel and
// series), gnuplot missing (NotFound, names the package) or not to be run (NotFound), gnuplot
// failing (Internal, with what it said).
absl::StatusOr<Pictures> Render(const Figure& figure, const DrawOptions& options = {});

// Render, then writes `path`.png and `path`.svg; the folder must exist. An error names the path;
// each of the two files is then whole, the new one or that of before.
absl::Status Draw(const Figure& figure, std::string_view path, const DrawOptions& options = {});

}  // namespace talweg

#endif  // TALWEG_PLOT_FIGURE_H_
