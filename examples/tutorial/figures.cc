#include "examples/tutorial/figures.h"

#include <algorithm>
#include <cstddef>

namespace talweg::tutorial {
namespace {

constexpr Color kTrain = kBlue;
constexpr Color kTest = kOrange;
constexpr Color kClasses[] = {kBlue, kOrange, kGreen};

Series Line(std::string name, const Curve& curve, Color color) {
  return {.name = std::move(name),
          .y = curve.mean,
          .low = curve.low,
          .high = curve.high,
          .color = color};
}

// Panels over the epochs, two in a row, which share both scales. `lines` makes those of a run.
template <typename Lines>
Figure EpochFigure(const std::vector<RunCurves>& runs, const Axis& y, Lines lines) {
  double epochs = 1;
  for (const RunCurves& run : runs) {
    for (const Curve* curve : {&run.accuracy, &run.loss, &run.rate}) {
      epochs = std::max(epochs, static_cast<double>(curve->mean.size()));
    }
  }
  Figure figure{.columns = 2, .share_x = true, .share_y = true};
  for (const RunCurves& run : runs) {
    figure.panels.push_back({.title = run.title,
                             .x = {.label = "epoch", .low = 0, .high = epochs},
                             .y = y,
                             .series = lines(run)});
  }
  return figure;
}

}  // namespace

Figure BlobsFigure(const std::vector<double>& x, const std::vector<double>& y,
                   const std::vector<int>& labels) {
  Panel panel{
      .x = {.label = "first feature"}, .y = {.label = "second feature"}, .equal_aspect = true};
  for (int label = 0; label < 3; label++) {
    Series series{.name = "class " + std::to_string(label),
                  .mark = Series::Mark::kPoints,
                  .color = kClasses[label]};
    for (size_t i = 0; i < labels.size(); i++) {
      if (labels[i] != label) continue;
      series.x.push_back(x[i]);
      series.y.push_back(y[i]);
    }
    panel.series.push_back(std::move(series));
  }
  return {.panels = {panel}, .panel_aspect = 0.8};
}

Figure AccuracyFigure(const std::vector<RunCurves>& runs) {
  return EpochFigure(runs, {.label = "accuracy"}, [](const RunCurves& run) {
    return std::vector<Series>{Line("train", run.accuracy, kTrain),
                               Line("test", run.val_accuracy, kTest)};
  });
}

Figure DecayFigure(const std::vector<DecayCurve>& curves) {
  double iterations = 1;
  for (const DecayCurve& curve : curves) {
    iterations = std::max(iterations, static_cast<double>(curve.rate.size()));
  }
  Panel panel{.x = {.label = "iteration", .low = 0, .high = iterations},
              .y = {.label = "learning rate", .low = 0}};
  for (const DecayCurve& curve : curves) {
    Series series{.name = curve.title, .y = curve.rate};
    for (size_t i = 0; i < curve.rate.size(); i++) series.x.push_back(static_cast<double>(i));
    panel.series.push_back(std::move(series));
  }
  return {.panels = {panel}, .legend_title = "decay"};
}

Figure RateFigure(const std::vector<RunCurves>& runs) {
  const bool is_median = std::any_of(runs.begin(), runs.end(),
                                     [](const RunCurves& run) { return !run.rate.low.empty(); });
  const Axis y{
      .label = is_median ? "learning rate, median" : "learning rate", .low = 3e-9, .log = true};
  return EpochFigure(runs, y, [](const RunCurves& run) {
    return std::vector<Series>{Line("", run.rate, kTrain)};
  });
}

Figure LossFigure(const std::vector<RunCurves>& runs) {
  return EpochFigure(runs, {.label = "training loss"}, [](const RunCurves& run) {
    return std::vector<Series>{Line("", run.loss, kTrain)};
  });
}

Figure TrainAccuracyFigure(const std::vector<RunCurves>& runs) {
  return EpochFigure(runs, {.label = "training accuracy"}, [](const RunCurves& run) {
    return std::vector<Series>{Line("", run.accuracy, kTrain)};
  });
}

}  // namespace talweg::tutorial
