#include "plot/scale.h"

#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace talweg::plot {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Labels(const Scale& scale) {
  std::vector<std::string> labels;
  for (const Tick& tick : scale.ticks) {
    if (!tick.label.empty()) labels.push_back(tick.label);
  }
  return labels;
}

Scale Ticked(double low, double high, bool log, int count) {
  Scale scale{low, high, log, {}};
  SetTicks(scale, high, count);
  return scale;
}

TEST(SetTicks, AreRoundNumbers) {
  EXPECT_THAT(Labels(Ticked(0, 1, false, 5)),
              ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(Labels(Ticked(0, 200, false, 5)), ElementsAre("0", "50", "100", "150", "200"));
  EXPECT_THAT(Labels(Ticked(-7, 7, false, 3)), ElementsAre("−5", "0", "5"));
  EXPECT_THAT(Labels(Ticked(0.39, 0.86, false, 5)), ElementsAre("0.4", "0.5", "0.6", "0.7", "0.8"));
  EXPECT_THAT(Labels(Ticked(0, 0.0104, false, 6)),
              ElementsAre("0.000", "0.002", "0.004", "0.006", "0.008", "0.010"));
}

TEST(SetTicks, ArePowersOfTenWhereLogarithmic) {
  EXPECT_THAT(Labels(Ticked(1e-3, 10, true, 5)),
              ElementsAre("10^{−3}", "10^{−2}", "10^{−1}", "10^{0}", "10^{1}"));
  EXPECT_THAT(Labels(Ticked(1e-97, 1e-2, true, 2)),
              ElementsAre("10^{−80}", "10^{−60}", "10^{−40}", "10^{−20}"));
  EXPECT_THAT(Labels(Ticked(2, 5, true, 3)), ElementsAre("2", "3", "4", "5"));
}

TEST(SetTicks, EndWhereHeadroomBegins) {
  Scale scale{0, 1, false, {}};
  AddHeadroom(scale, 0.8);
  EXPECT_DOUBLE_EQ(scale.high, 1.25);
  SetTicks(scale, 1, 2);
  EXPECT_THAT(Labels(scale), ElementsAre("0.0", "0.5", "1.0"));
  Scale log{1e-8, 1, true, {}};
  AddHeadroom(log, 0.8);
  EXPECT_NEAR(std::log10(log.high), 2, 1e-12);
}

TEST(SetTicks, StandInOrderInsideTheRangeWithDistinctTrueLabels) {
  const unsigned seed = 20260101;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> unit(-1, 1);
  for (int trial = 0; trial < 2000; trial++) {
    const bool log = trial % 2 == 1;
    const double magnitude = std::pow(10, 12 * unit(random));
    double low = log ? magnitude : magnitude * unit(random);
    double high = log ? magnitude * std::pow(10, 0.01 + 50 * std::abs(unit(random)))
                      : low + magnitude * std::pow(10, -9 * std::abs(unit(random)));
    const int count = 2 + trial % 9;
    const Scale scale = Ticked(low, high, log, count);
    SCOPED_TRACE(testing::Message() << low << " to " << high << (log ? " log " : " ") << count);
    const std::vector<std::string> labels = Labels(scale);
    EXPECT_GE(labels.size(), 2u);
    EXPECT_LE(labels.size(), 2u * static_cast<unsigned>(count) + 2);
    EXPECT_EQ(std::set<std::string>(labels.begin(), labels.end()).size(), labels.size());
    for (size_t i = 0; i < scale.ticks.size(); i++) {
      const Tick& tick = scale.ticks[i];
      EXPECT_GE(tick.at, low - 1e-5 * (high - low));
      EXPECT_LE(tick.at, high + 1e-5 * (high - low));
      EXPECT_TRUE(i == 0 || tick.at > scale.ticks[i - 1].at);
      if (tick.label.empty()) continue;
      const std::string plain =
          absl::StrReplaceAll(tick.label, {{"−", "-"}, {"10^{", "1e"}, {"}", ""}});
      EXPECT_NEAR(std::stod(plain), tick.at, 1e-5 * std::max(std::abs(tick.at), high - low));
    }
  }
}

TEST(MakeScale, LeavesRoomAroundTheData) {
  const Scale scale = MakeScale({}, {0, 100});
  EXPECT_DOUBLE_EQ(scale.low, -4);
  EXPECT_DOUBLE_EQ(scale.high, 104);
  const Scale log = MakeScale({.log = true}, {1, 1e25});
  EXPECT_NEAR(std::log10(log.low), -1, 1e-9);
  EXPECT_NEAR(std::log10(log.high), 26, 1e-9);
}

TEST(MakeScale, KeepsGivenEnds) {
  const Scale both = MakeScale({.low = 2, .high = 3}, {0, 100});
  EXPECT_EQ(both.low, 2);
  EXPECT_EQ(both.high, 3);
  EXPECT_EQ(MakeScale({.low = 0}, {1, 100}).low, 0);
}

TEST(MakeScale, CanBeDrawnWhateverTheData) {
  const double values[] = {0,     -0.0,      1,    -1,       1e-320, 5e-324,  1e308, -1e308,
                           1e-97, 1 + 1e-15, 1e16, 1e16 + 2, 1e150,  -1e-160, 1e-2};
  for (const double a : values) {
    for (const double b : values) {
      for (const bool log : {false, true}) {
        Extent seen;
        if (!log || a > 0) seen.Cover(a);
        if (!log || b > 0) seen.Cover(b);
        for (const Axis& axis : {Axis{}, Axis{.low = 1e-3}, Axis{.high = 1e3}, Axis{.low = 1e9}}) {
          Axis given = axis;
          given.log = log;
          Scale scale = MakeScale(given, seen);
          EXPECT_TRUE(IsDrawable(scale.low, scale.high, log))
              << a << " " << b << " log " << log << ": " << scale.low << " to " << scale.high;
          EXPECT_LT(scale.low, scale.high);
          SetTicks(scale, scale.high, 5);
        }
      }
    }
  }
}

TEST(Extent, TakesFiniteValuesOnly) {
  Extent extent;
  EXPECT_TRUE(extent.empty());
  extent.Cover(std::nan(""));
  extent.Cover(-std::numeric_limits<double>::infinity());
  EXPECT_TRUE(extent.empty());
  extent.Cover(3);
  extent.Cover(-2);
  EXPECT_EQ(extent.low, -2);
  EXPECT_EQ(extent.high, 3);
}

TEST(EqualizeAspect, GivesBothAxesTheSameUnit) {
  Scale x{0, 10, false, {}}, y{0, 10, false, {}};
  EqualizeAspect(x, y, 400, 200);
  EXPECT_DOUBLE_EQ((x.high - x.low) / 400, (y.high - y.low) / 200);
  EXPECT_DOUBLE_EQ(x.low + x.high, 10);
  EXPECT_DOUBLE_EQ(y.low, 0);
  EXPECT_DOUBLE_EQ(y.high, 10);
}

}  // namespace
}  // namespace talweg::plot
