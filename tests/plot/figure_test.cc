// Figures drawn by the gnuplot of the machine, and what a reader finds in them.

#include "plot/figure.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/plot/svg.h"

namespace talweg {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// How gnuplot writes kBlue, kOrange and kGreen.
constexpr char kBlueStroke[] = "rgb( 31, 114, 184)";

std::string NewFolder(const std::string& name) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder.string();
}

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The number of four bytes at `offset`, as a PNG stores it.
uint32_t BigEndian(const std::string& bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; i++) value = value << 8 | static_cast<uint8_t>(bytes.at(offset + i));
  return value;
}

Figure OnePanel(std::vector<Series> series) {
  return {.panels = {{.title = "panel", .series = std::move(series)}}};
}

Figure Grid() {
  Figure figure{.columns = 2, .share_x = true, .share_y = true};
  for (const char* title : {"lrate=1.0", "lrate=0.1", "lrate=0.01", "lrate=0.001"}) {
    figure.panels.push_back({.title = title,
                             .x = {.label = "epoch", .low = 0, .high = 4},
                             .y = {.label = "accuracy"},
                             .series = {{.name = "train", .y = {0.1, 0.4, 0.6, 0.7}},
                                        {.name = "test", .y = {0.2, 0.3, 0.7, 0.9}}}});
  }
  return figure;
}

// Draws and reads back; an error fails the test and gives an empty document.
Svg Drawn(const Figure& figure) {
  const absl::StatusOr<Pictures> pictures = Render(figure, {.png_scale = 1});
  EXPECT_TRUE(pictures.ok()) << pictures.status();
  if (!pictures.ok()) return {};
  Svg svg = ReadSvg(pictures->svg);
  EXPECT_EQ(svg.error, "");
  return svg;
}

// The lines of a colour in all panels, each as its path tag.
std::vector<std::string> Lines(const Svg& svg, const std::string& stroke) {
  std::vector<std::string> lines;
  for (const std::string& path : svg.paths) {
    if (absl::StrContains(path, stroke)) lines.push_back(path);
  }
  return lines;
}

TEST(Draw, WritesAPngOfAtLeast1200PixelsAndAnSvg) {
  const std::string folder = NewFolder("draw");
  const absl::Status status = Draw(Grid(), folder + "/2_learning_rate");
  ASSERT_TRUE(status.ok()) << status;
  const std::string png = Content(folder + "/2_learning_rate.png");
  ASSERT_GT(png.size(), 1000u);
  EXPECT_EQ(png.substr(1, 3), "PNG");
  EXPECT_EQ(png.substr(12, 4), "IHDR");
  EXPECT_EQ(BigEndian(png, 16), 2400u);
  EXPECT_EQ(png.substr(png.size() - 8, 4), "IEND");
  EXPECT_EQ(ReadSvg(Content(folder + "/2_learning_rate.svg")).error, "");
  const auto files = std::filesystem::directory_iterator(folder);
  EXPECT_EQ(std::distance(begin(files), end(files)), 2) << "something else was left in the folder";
}

TEST(Draw, RefusesAFolderThatIsNotThere) {
  const std::string folder = NewFolder("no_folder");
  const absl::Status status = Draw(Grid(), folder + "/missing/figure", {.png_scale = 1});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("missing/figure.png"));
}

TEST(Draw, RefusesAFileInPlaceOfAFolder) {
  const std::string folder = NewFolder("file_folder");
  std::ofstream(folder + "/file") << "text";
  const absl::Status status = Draw(Grid(), folder + "/file/figure", {.png_scale = 1});
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("file/figure.png"));
}

TEST(Draw, NamesThePathWhateverFails) {
  const absl::Status missing = Draw(Grid(), "here/figure", {.gnuplot = "/nowhere/gnuplot"});
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.message(),
            "can not draw 'here/figure': the program '/nowhere/gnuplot' was not found: install the "
            "package gnuplot-nox");
  EXPECT_EQ(Draw({}, "here/figure").message(), "can not draw 'here/figure': figure: no panels");
}

TEST(Draw, KeepsTheOldFilesWhenItFails) {
  const std::string folder = NewFolder("keeps");
  std::ofstream(folder + "/figure.png") << "old";
  std::ofstream(folder + "/figure.svg") << "old";
  EXPECT_FALSE(Draw(Grid(), folder + "/figure", {.gnuplot = "/nowhere/gnuplot"}).ok());
  EXPECT_EQ(Content(folder + "/figure.png"), "old");
  EXPECT_EQ(Content(folder + "/figure.svg"), "old");
}

TEST(Render, GivesTheSameBytesEachTime) {
  const absl::StatusOr<Pictures> first = Render(Grid(), {.png_scale = 1});
  const absl::StatusOr<Pictures> second = Render(Grid(), {.png_scale = 1});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->svg, second->svg);
  EXPECT_EQ(first->png, second->png);
}

TEST(Render, TakesPngScale) {
  for (const int scale : {1, 2}) {
    const absl::StatusOr<Pictures> pictures = Render(Grid(), {.png_scale = scale});
    ASSERT_TRUE(pictures.ok()) << pictures.status();
    EXPECT_EQ(BigEndian(pictures->png, 16), 1200u * static_cast<uint32_t>(scale));
  }
}

TEST(Render, ShowsEachTitleOnceAndSharedTextsAtTheOuterPanels) {
  const Svg svg = Drawn(Grid());
  for (const Panel& panel : Grid().panels) EXPECT_EQ(CountTexts(svg, panel.title), 1);
  EXPECT_EQ(CountTexts(svg, "epoch"), 2);
  EXPECT_EQ(CountTexts(svg, "accuracy"), 2);
  EXPECT_EQ(CountTexts(svg, "0.5") + CountTexts(svg, "0.6"), 2);
  EXPECT_EQ(CountTexts(svg, "train"), 1);
  EXPECT_EQ(CountTexts(svg, "test"), 1);
  EXPECT_EQ(Lines(svg, kBlueStroke).size(), 4u + 1u) << "four lines and the sample in the legend";
}

TEST(Render, LabelsEachPanelWhereNothingIsShared) {
  Figure figure = Grid();
  figure.share_x = figure.share_y = figure.legend = false;
  const Svg svg = Drawn(figure);
  EXPECT_EQ(CountTexts(svg, "epoch"), 4);
  EXPECT_EQ(CountTexts(svg, "accuracy"), 4);
  EXPECT_EQ(CountTexts(svg, "train"), 0);
}

TEST(Render, LabelsTheLowestPanelOfEachColumnInAShortLastRow) {
  Figure figure = Grid();
  figure.panels.pop_back();
  EXPECT_EQ(CountTexts(Drawn(figure), "epoch"), 2);
}

TEST(Render, NamesTheLegend) {
  Figure figure = Grid();
  figure.legend_title = "samples of";
  EXPECT_EQ(CountTexts(Drawn(figure), "samples of"), 1);
}

TEST(Render, LeavesGapsWhereValuesAreNotFinite) {
  const Svg svg = Drawn(OnePanel({{.y = {1, 2, kNaN, 3, 4, kInfinity, -kInfinity, 5, 4}}}));
  const std::vector<std::string> lines = Lines(svg, kBlueStroke);
  int moves = 0, strokes = 0;
  for (const std::string& line : lines) {
    for (const char c : line.substr(line.find(" d="))) {
      moves += c == 'M' ? 1 : 0;
      strokes += c == 'L' ? 1 : 0;
    }
  }
  EXPECT_EQ(moves, 3);
  EXPECT_EQ(strokes, 3);
}

TEST(Render, ShowsAPointThatHasNoNeighbours) {
  EXPECT_EQ(Drawn(OnePanel({{.y = {0.5}}})).points.size(), 1u);
  EXPECT_EQ(Drawn(OnePanel({{.y = {1, kNaN, 3, kNaN}}})).points.size(), 2u);
  EXPECT_EQ(Drawn(OnePanel({{.y = {1, 2, 3}}})).points.size(), 0u);
}

TEST(Render, DrawsOnePointEach) {
  Series series{.x = {1, 2, 3}, .y = {1, kNaN, 3}, .mark = Series::Mark::kPoints};
  EXPECT_EQ(Drawn(OnePanel({series})).points.size(), 2u);
}

TEST(Render, DrawsABandAboutALine) {
  const Series line{.y = {1, 2, 3}};
  Series band = line;
  band.low = {0.5, 1.5, 2.5};
  band.high = {1.5, 2.5, 3.5};
  const absl::StatusOr<Pictures> without = Render(OnePanel({line})),
                                 with = Render(OnePanel({band}));
  ASSERT_TRUE(without.ok() && with.ok());
  EXPECT_FALSE(absl::StrContains(without->svg, "fill-opacity"));
  EXPECT_TRUE(absl::StrContains(with->svg, "fill-opacity"));
}

// On a logarithmic axis a band may reach to 0 where its line does not.
TEST(Render, DrawsALineWhereItsBandHasAGap) {
  const auto strokes = [](const Series& series) {
    Figure figure = OnePanel({series});
    figure.panels[0].y = {.low = 0.1, .high = 10, .log = true};
    const std::vector<std::string> lines = Lines(Drawn(figure), kBlueStroke);
    int count = 0;
    for (const std::string& line : lines) {
      const std::string path = line.substr(line.find(" d="));
      count += static_cast<int>(std::count(path.begin(), path.end(), 'L'));
    }
    return count;
  };
  EXPECT_EQ(strokes({.y = {1, 2, 3, 4}}), 3);
  EXPECT_EQ(strokes({.y = {1, 2, 3, 4}, .low = {0, 1, -1, 3}, .high = {2, 3, 4, 5}}), 3);
  const Series band{.y = {kNaN, kNaN, kNaN}, .low = {1, 2, 3}, .high = {2, 3, 4}};
  const absl::StatusOr<Pictures> pictures = Render(OnePanel({band}));
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_TRUE(absl::StrContains(pictures->svg, "fill-opacity")) << "a band without a line";
}

TEST(Render, DrawsFramesWithoutData) {
  const std::vector<std::vector<Series>> empty = {
      {},
      {{}},
      {{.name = "train"}},
      {{.name = "train", .y = {kNaN, kInfinity}}},
      {{.y = {kNaN}, .mark = Series::Mark::kPoints}},
  };
  Figure figure{.columns = 2};
  for (const std::vector<Series>& series : empty) {
    for (const bool log : {false, true}) {
      figure.panels.push_back(
          {.title = "panel", .x = {.log = log}, .y = {.log = log}, .series = series});
    }
  }
  EXPECT_EQ(CountTexts(Drawn(figure), "panel"), 10);
}

TEST(Render, DrawsNumbersOfAnySize) {
  const std::vector<std::vector<double>> values = {
      {-1e308, 1e308},     {5e-324, 1e-320},           {1e16, 1e16 + 2}, {0, -0.0},
      {1e-97, 1e-2, 0.01}, {-3, 0, 1e-300, kInfinity}, {1, 1, 1},        {1e300, 1e-300}};
  Figure figure{.columns = 2};
  for (const std::vector<double>& y : values) {
    for (const bool log : {false, true}) {
      figure.panels.push_back({.title = "panel", .y = {.log = log}, .series = {{.y = y}}});
    }
  }
  EXPECT_EQ(CountTexts(Drawn(figure), "panel"), 16);
}

TEST(Render, DrawsBothEndsOutsideTheFrame) {
  Figure figure = OnePanel({{.y = {-10, 10}}});
  figure.panels[0].y = {.low = 0, .high = 1};
  EXPECT_EQ(Lines(Drawn(figure), kBlueStroke).size(), 1u);
}

// Texts that would be commands, markup or formats somewhere on the way.
const char* const kHostile[] = {
    "it's 'quoted' \"twice\"",
    "`touch pwned`",
    "$(touch pwned) $x ${y} $p0s0",
    "a_b^c{d}~e @f &g",
    "{/Times=40 big} {/:Bold b}",
    "back\\slash \\n \\",
    "'; system('touch pwned'); '",
    "\"; system(\"touch pwned\"); \"",
    "<text>&lt;&amp; ]]> <!-- -->",
    "%g %s %d %%",
    "# comment ; exit",
    "@macro !touch pwned",
    "| touch pwned",
    "лр=0.1 学習率 ½",
    "{{{ [[[ ((( unbalanced",
    "EOD",
    "notitle",
    "'1'2`3`\\012\\",
    "''",
};

TEST(Render, ShowsHostileTextsLetterByLetter) {
  const std::string folder = NewFolder("hostile");
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  Figure figure{.columns = 3, .legend_title = absl::StrCat(kHostile[0], "l")};
  for (const std::string text : kHostile) {
    figure.panels.push_back({.title = text,
                             .x = {.label = text + "x"},
                             .y = {.label = text + "y"},
                             .series = {{.name = text + "s", .y = {1, 2}}}});
  }
  const Svg svg = Drawn(figure);
  EXPECT_EQ(CountTexts(svg, figure.legend_title), 1);
  for (const std::string text : kHostile) {
    for (const char* suffix : {"", "x", "y", "s"}) EXPECT_THAT(svg.texts, Contains(text + suffix));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder)) << "a text ran as a command";
  std::filesystem::current_path(before);
}

TEST(Render, BreaksLinesAtNewlines) {
  Figure figure = OnePanel({{.name = "s", .y = {1, 2}}});
  figure.panels[0].title = "first\nsystem('touch pwned')\n";
  const Svg svg = Drawn(figure);
  EXPECT_EQ(CountTexts(svg, "first"), 1);
  EXPECT_EQ(CountTexts(svg, "system('touch pwned')"), 1);
}

TEST(Render, ReplacesWhatIsNotText) {
  Figure figure = OnePanel({});
  figure.panels[0].title = std::string("a\0b\x1b[31m\xff\xc0\xaf\tc", 13);
  EXPECT_THAT(Drawn(figure).texts, Contains("a�b�[31m��� c"));
}

struct Mistake {
  Figure figure;
  const char* message;
};

TEST(Render, RefusesFiguresThatContradictThemselves) {
  const Panel panel{.title = "p", .series = {{.name = "s", .y = {1, 2}}}};
  const auto with = [&](auto change) {
    Figure figure{.panels = {panel, panel}, .columns = 2};
    change(figure);
    return figure;
  };
  const Mistake mistakes[] = {
      {with([](Figure& f) { f.panels.clear(); }), "figure: no panels"},
      {with([](Figure& f) { f.columns = 0; }), "figure: 0 columns, not 1 to 12"},
      {with([](Figure& f) { f.columns = 13; }), "figure: 13 columns, not 1 to 12"},
      {with([](Figure& f) { f.panel_aspect = kNaN; }), "figure: panel_aspect nan, not 0.1 to 10"},
      {with([](Figure& f) { f.panels[1].series[0].x = {1, 2, 3}; }),
       "figure, panel 2 'p', series 1 's': 3 x and 2 y"},
      {with([](Figure& f) { f.panels[1].series[0].low = {1, 2}; }),
       "figure, panel 2 'p', series 1 's': a band of 2 low and 0 high about 2 y"},
      {with([](Figure& f) { f.panels[0].series[0].low = f.panels[0].series[0].high = {1}; }),
       "figure, panel 1 'p', series 1 's': a band of 1 low and 1 high about 2 y"},
      {with([](Figure& f) { f.panels[0].x = {.low = 3, .high = 1}; }),
       "figure, panel 1 'p', x axis: can not show the range from 3 to 1"},
      {with([](Figure& f) { f.panels[0].y = {.low = -1, .log = true}; }),
       "figure, panel 1 'p', y axis: a logarithmic axis can not reach -1"},
      {with([](Figure& f) { f.panels[0].y = {.low = 1e-200, .log = true}; }),
       "figure, panel 1 'p', y axis: an axis can not reach 1e-200"},
      {with([](Figure& f) { f.panels[0].y = {.low = 1e308, .log = true}; }),
       "figure, panel 1 'p', y axis: an axis can not reach 1e+308"},
      {with([](Figure& f) { f.panels[0].x = {.high = -1e200}; }),
       "figure, panel 1 'p', x axis: an axis can not reach -1e+200"},
      {with([](Figure& f) { f.panels[0].y = {.high = kInfinity}; }),
       "figure, panel 1 'p', y axis: an end of the axis is not finite"},
      {with([](Figure& f) {
         f.share_y = true;
         f.panels[1].y.log = true;
       }),
       "figure, panel 2 'p', y axis: shared, but not the same as that of the first panel"},
      {with([](Figure& f) { f.panels[0].equal_aspect = f.panels[0].x.log = true; }),
       "figure, panel 1 'p': equal_aspect with a logarithmic axis"},
      {with([](Figure& f) { f.panels[0].equal_aspect = f.share_x = true; }),
       "figure, panel 1 'p': equal_aspect in a figure whose panels share an axis"},
  };
  for (const Mistake& mistake : mistakes) {
    const absl::Status status = Render(mistake.figure).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), mistake.message);
  }
  EXPECT_EQ(Render(Grid(), {.png_scale = 0}).status().message(), "figure: png_scale 0, not 1 to 8");
  const Figure tower{.panels = std::vector<Panel>(60, panel), .columns = 1};
  EXPECT_THAT(std::string(Render(tower).status().message()),
              AllOf(HasSubstr("pixels high, more than 32767"), HasSubstr("more columns")));
}

TEST(Render, SaysWhenAProgramDrawsNothing) {
  const absl::Status status = Render(Grid(), {.gnuplot = "/bin/true"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "'/bin/true' ran but drew no picture");
}

}  // namespace
}  // namespace talweg
