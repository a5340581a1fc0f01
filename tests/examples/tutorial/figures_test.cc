// The tutorial's layouts: which panels, lines and axes each figure has, and that all can be drawn.

#include "examples/tutorial/figures.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/plot/svg.h"

namespace talweg::tutorial {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kEpochs = 200;

// A run that learns, with a rate that falls below everything a figure shows.
RunCurves LearningRun(const std::string& title) {
  RunCurves run{.title = title};
  for (int epoch = 1; epoch <= kEpochs; epoch++) {
    run.accuracy.mean.push_back(0.8 - 0.5 / epoch);
    run.val_accuracy.mean.push_back(0.82 - 0.5 / epoch);
    run.loss.mean.push_back(0.4 + 1.5 / epoch);
    run.rate.mean.push_back(std::pow(10, -2 - epoch / 2));
  }
  return run;
}

std::vector<RunCurves> Runs(int count) {
  std::vector<RunCurves> runs;
  for (int i = 0; i < count; i++) runs.push_back(LearningRun("run=" + std::to_string(i)));
  return runs;
}

std::vector<std::string> Names(const Panel& panel) {
  std::vector<std::string> names;
  for (const Series& series : panel.series) names.push_back(series.name);
  return names;
}

// The texts of the drawn figure; an error fails the test.
Svg Drawn(const Figure& figure) {
  const absl::StatusOr<Pictures> pictures = Render(figure, {.png_scale = 1});
  EXPECT_TRUE(pictures.ok()) << pictures.status();
  if (!pictures.ok()) return {};
  Svg svg = ReadSvg(pictures->svg);
  EXPECT_EQ(svg.error, "");
  return svg;
}

TEST(BlobsFigure, ShowsEachSampleOnceInTheColourOfItsClass) {
  const Figure figure = BlobsFigure({1, 2, 3, 4, 5}, {1, 4, 9, 16, 25}, {2, 0, 1, 0, 2});
  ASSERT_EQ(figure.panels.size(), 1u);
  const Panel& panel = figure.panels[0];
  EXPECT_TRUE(panel.equal_aspect);
  EXPECT_THAT(Names(panel), ElementsAre("class 0", "class 1", "class 2"));
  EXPECT_THAT(panel.series[0].x, ElementsAre(2, 4));
  EXPECT_THAT(panel.series[0].y, ElementsAre(4, 16));
  EXPECT_THAT(panel.series[2].x, ElementsAre(1, 5));
  EXPECT_NE(panel.series[0].color, panel.series[1].color);
  EXPECT_NE(panel.series[1].color, panel.series[2].color);
  EXPECT_EQ(Drawn(figure).points.size(), 5u + 3u) << "five samples and the legend";
}

TEST(AccuracyFigure, HasAPanelForEachRunTwoInARow) {
  const Figure figure = AccuracyFigure(Runs(8));
  EXPECT_EQ(figure.columns, 2);
  ASSERT_EQ(figure.panels.size(), 8u);
  for (int i = 0; i < 8; i++) {
    const Panel& panel = figure.panels[static_cast<size_t>(i)];
    EXPECT_EQ(panel.title, "run=" + std::to_string(i));
    EXPECT_THAT(Names(panel), ElementsAre("train", "test"));
    EXPECT_EQ(panel.series[0].color, kBlue);
    EXPECT_EQ(panel.series[1].color, kOrange);
    EXPECT_EQ(panel.series[1].y, LearningRun("").val_accuracy.mean);
  }
  const Svg svg = Drawn(figure);
  EXPECT_EQ(CountTexts(svg, "train"), 1);
  for (const Panel& panel : figure.panels) EXPECT_EQ(CountTexts(svg, panel.title), 1);
}

TEST(AccuracyFigure, ShowsBandsWhereThereAreSome) {
  std::vector<RunCurves> runs = Runs(1);
  runs[0].accuracy.low.assign(kEpochs, 0.2);
  runs[0].accuracy.high.assign(kEpochs, 0.9);
  const Figure figure = AccuracyFigure(runs);
  EXPECT_EQ(figure.panels[0].series[0].low, runs[0].accuracy.low);
  EXPECT_EQ(figure.panels[0].series[0].high, runs[0].accuracy.high);
  EXPECT_THAT(figure.panels[0].series[1].low, IsEmpty());
  EXPECT_THAT(Drawn(figure).texts, testing::Contains("run=0"));
}

TEST(DecayFigure, CountsIterationsFromZeroAndNamesTheDecays) {
  std::vector<DecayCurve> curves;
  for (const char* decay : {"0.1", "0.01", "0.001", "0.0001"}) {
    curves.push_back({.title = decay, .rate = {0.01, 0.009, 0.008}});
  }
  const Figure figure = DecayFigure(curves);
  ASSERT_EQ(figure.panels.size(), 1u);
  EXPECT_THAT(figure.panels[0].series[3].x, ElementsAre(0, 1, 2));
  const Svg svg = Drawn(figure);
  for (const DecayCurve& curve : curves) EXPECT_EQ(CountTexts(svg, curve.title), 1);
  EXPECT_EQ(CountTexts(svg, "decay"), 1);
}

TEST(PatienceFigures, ShowOneLineAPanel) {
  const std::vector<RunCurves> runs = Runs(4);
  const Figure rate = RateFigure(runs), loss = LossFigure(runs),
               accuracy = TrainAccuracyFigure(runs);
  for (const Figure* figure : {&rate, &loss, &accuracy}) {
    EXPECT_EQ(figure->panels.size(), 4u);
    for (const Panel& panel : figure->panels) EXPECT_EQ(panel.series.size(), 1u);
    EXPECT_EQ(CountTexts(Drawn(*figure), "run=3"), 1);
  }
  EXPECT_TRUE(rate.panels[0].y.log);
  EXPECT_EQ(rate.panels[0].series[0].y, runs[0].rate.mean);
  EXPECT_EQ(loss.panels[0].series[0].y, runs[0].loss.mean);
  EXPECT_EQ(accuracy.panels[0].series[0].y, runs[0].accuracy.mean);
}

TEST(RateFigure, SaysThatSeveralSeedsGiveMedians) {
  std::vector<RunCurves> runs = Runs(2);
  EXPECT_EQ(RateFigure(runs).panels[0].y.label, "learning rate");
  runs[1].rate.low = runs[1].rate.high = runs[1].rate.mean;
  const Figure figure = RateFigure(runs);
  for (const Panel& panel : figure.panels) EXPECT_EQ(panel.y.label, "learning rate, median");
  EXPECT_EQ(CountTexts(Drawn(figure), "learning rate, median"), 1);
}

TEST(Figures, CanBeDrawnAfterOneEpochAndOfARunThatFailed) {
  RunCurves one{.title = "one epoch"};
  one.accuracy.mean = one.val_accuracy.mean = one.loss.mean = one.rate.mean = {0.5};
  RunCurves failed{.title = "failed"};
  failed.accuracy.mean = failed.val_accuracy.mean = {NAN};
  failed.loss.mean = failed.rate.mean = {INFINITY};
  for (const std::vector<RunCurves>& runs : {std::vector{one}, {failed}, {one, failed}, {{}}}) {
    for (const auto figure : {AccuracyFigure, RateFigure, LossFigure, TrainAccuracyFigure}) {
      EXPECT_EQ(CountTexts(Drawn(figure(runs)), "epoch") > 0, true);
    }
  }
}

}  // namespace
}  // namespace talweg::tutorial
