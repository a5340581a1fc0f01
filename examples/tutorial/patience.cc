// A rate that falls when it has to: ReduceLROnPlateau watches the loss on the validation data, and
// when that has not become better for some epochs, the patience, it divides the rate by ten.
//
// Look for: this loss trembles so much that a patience of 2 or 5 mistakes trembling for a plateau.
// With 2 the rate is next to nothing within some 25 epochs, and the training is over before it has
// arrived. 10 and 15 wait long enough to tell the two apart: the rate falls late, with 15 often not
// at all, and accuracy ends where it should.

#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/tutorial/experiments.h"
#include "examples/tutorial/problem.h"

namespace talweg::tutorial {
namespace {

// A callback as anybody writes one for a training of theirs: it notes the rate that the optimizer
// has after each epoch. Adjustments act before callbacks look, so it sees the reduced rates; in the
// history an epoch has the rate with which it was trained.
struct LearningRateMonitor : Callback {
  std::vector<double> rates;
  void OnTrainBegin(const Run&) override { rates.clear(); }
  void OnEpochEnd(const Run& run) override { rates.push_back(run.rate()); }
};

}  // namespace

absl::Status Patience(Lab& lab) {
  using Monitors = std::map<size_t, LearningRateMonitor>;  // of a run's fits, by their seeds
  std::vector<size_t> runs;
  std::vector<std::shared_ptr<Monitors>> monitors;
  for (const int patience : {2, 5, 10, 15}) {
    Training training = Baseline();
    training.rate = 0.01;
    training.rule = Sgd();
    training.adjust = {ReduceLROnPlateau(
        {.monitor = "val_loss", .factor = 0.1, .patience = patience, .min_delta = 1e-7})};

    const auto own = std::make_shared<Monitors>();
    runs.push_back(lab.Repeat("patience", absl::StrCat("patience=", patience), training,
                              [own](size_t i) { return &(*own)[i]; }));
    monitors.push_back(own);
  }
  lab.Draw("6_patience_rate", [=](const Lab& lab) {
    std::vector<RunCurves> curves = lab.Curves(runs);
    for (size_t i = 0; i < curves.size(); i++) {
      std::vector<std::vector<double>> rates;
      for (const auto& [seed, monitor] : *monitors[i]) rates.push_back(monitor.rates);
      curves[i].rate = CurveOf(rates, Middle::kMedian);
    }
    return RateFigure(curves);
  });
  lab.Draw("7_patience_loss", [=](const Lab& lab) { return LossFigure(lab.Curves(runs)); });
  lab.Draw("8_patience_accuracy",
           [=](const Lab& lab) { return TrainAccuracyFigure(lab.Curves(runs)); });
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
