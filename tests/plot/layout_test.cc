#include "plot/layout.h"

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "plot/text.h"

namespace talweg::plot {
namespace {

// Where a value stands on a panel's y axis, in pixels from the top.
double PixelOf(const PanelLayout& panel, double value) {
  const double from = panel.y.log ? std::log(panel.y.low) : panel.y.low;
  const double to = panel.y.log ? std::log(panel.y.high) : panel.y.high;
  const double at = panel.y.log ? std::log(value) : value;
  return panel.bottom - (at - from) / (to - from) * (panel.bottom - panel.top);
}

Figure Panels(int count, int columns, bool share) {
  Figure figure{.columns = columns, .share_x = share, .share_y = share};
  for (int i = 0; i < count; i++) {
    figure.panels.push_back({.title = "title",
                             .x = {.label = "x"},
                             .y = {.label = "y"},
                             .series = {{.name = "s", .y = {1.0 + i, 2.0, 4.0 + i}}}});
  }
  return figure;
}

TEST(MakeLayout, KeepsFramesApartAndOnThePaper) {
  for (const bool share : {false, true}) {
    for (int columns = 1; columns <= 12; columns++) {
      for (const int count : {1, 2, 5, 8, 24}) {
        SCOPED_TRACE(testing::Message() << count << " in " << columns << " share " << share);
        const Layout layout = MakeLayout(Panels(count, columns, share));
        ASSERT_EQ(layout.panels.size(), static_cast<size_t>(count));
        for (const PanelLayout& a : layout.panels) {
          EXPECT_GT(a.left, 0);
          EXPECT_LT(a.right, kWidth);
          EXPECT_GT(a.top, 0);
          EXPECT_LT(a.bottom, layout.height);
          EXPECT_GE(a.right - a.left, 20);
          for (const PanelLayout& b : layout.panels) {
            const bool apart = a.right < b.left || b.right < a.left || a.bottom < b.top ||
                               b.bottom < a.top || &a == &b;
            EXPECT_TRUE(apart);
          }
        }
      }
    }
  }
}

TEST(MakeLayout, KeepsDataOutOfTheTitlesStrip) {
  for (const bool log : {false, true}) {
    for (const std::string title : {"one", "one\ntwo\nthree"}) {
      Figure figure = Panels(1, 1, false);
      figure.panels[0].title = title;
      figure.panels[0].y.log = log;
      const PanelLayout panel = MakeLayout(figure).panels[0];
      const double lines = title == "one" ? 1 : 3;
      EXPECT_GT(PixelOf(panel, 4), panel.top + lines * kTitleFont);
      EXPECT_LT(PixelOf(panel, 1), panel.bottom);
      for (const Tick& tick : panel.y.ticks) {
        EXPECT_GT(PixelOf(panel, tick.at), panel.top + lines * kTitleFont);
      }
    }
  }
}

TEST(MakeLayout, SetsALongLegendInRowsAboveTheFrames) {
  Figure figure = Panels(1, 1, false);
  figure.legend_title = "title of the legend";
  for (int i = 0; i < 40; i++) {
    figure.panels[0].series.push_back({.name = "a series, number " + std::to_string(i)});
  }
  const Layout layout = MakeLayout(figure);
  ASSERT_EQ(layout.legend.size(), 42u);
  EXPECT_FALSE(layout.legend[0].color.has_value());
  for (size_t i = 0; i < layout.legend.size(); i++) {
    const LegendEntry& entry = layout.legend[i];
    const double right = entry.text_x + kLabelFont * TextWidth(entry.name);
    EXPECT_GT(entry.sample_x, 0);
    EXPECT_LT(right, kWidth);
    EXPECT_LT(entry.y + kLabelFont / 2, layout.panels[0].top);
    if (i + 1 == layout.legend.size()) break;
    const LegendEntry& next = layout.legend[i + 1];
    EXPECT_TRUE(next.y > entry.y + kLabelFont || (next.y == entry.y && next.sample_x > right));
  }
}

TEST(MakeLayout, SharesScalesOfAllPanels) {
  const Layout shared = MakeLayout(Panels(4, 2, true));
  const Layout own = MakeLayout(Panels(4, 2, false));
  for (const PanelLayout& panel : shared.panels) {
    EXPECT_EQ(panel.y.low, shared.panels[0].y.low);
    EXPECT_EQ(panel.y.high, shared.panels[0].y.high);
    EXPECT_GT(PixelOf(panel, 7), panel.top);
  }
  EXPECT_LT(own.panels[0].y.high, own.panels[3].y.high);
}

TEST(MakeLayout, ScalesAxesAlikeBelowATitle) {
  Figure figure = Panels(1, 1, false);
  figure.panels[0].equal_aspect = true;
  const PanelLayout panel = MakeLayout(figure).panels[0];
  EXPECT_NEAR((panel.x.high - panel.x.low) / (panel.right - panel.left),
              (panel.y.high - panel.y.low) / (panel.bottom - panel.top), 1e-12);
}

TEST(MakeLayout, TakesYOnlyWhereXIsShown) {
  Figure figure{.panels = {{.x = {.low = 0, .high = 2}, .series = {{.y = {1, 2, 1000}}}}}};
  EXPECT_LT(MakeLayout(figure).panels[0].y.high, 3);
}

TEST(MakeLayout, ShrinksTitlesWiderThanTheirFrame) {
  Figure figure = Panels(2, 2, true);
  EXPECT_EQ(MakeLayout(figure).panels[0].title_font, kTitleFont);
  figure.panels[1].title = std::string(60, 'w');
  const Layout layout = MakeLayout(figure);
  EXPECT_EQ(layout.panels[0].title_font, kTitleFont);
  EXPECT_LT(layout.panels[1].title_font, kTitleFont);
}

}  // namespace
}  // namespace talweg::plot
