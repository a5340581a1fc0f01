// A rate that falls when it has to: ReduceLROnPlateau watches the loss on the validation data, and
// when that has not become better for some epochs, the patience, it divides the rate by ten.
//
// Look for: this loss trembles so much that a patience of 2 or 5 mistakes trembling for a plateau.
// With 2 the rate is next to nothing within some 25 epochs, and the training is over before it has
// arrived. 10 and 15 wait long enough to tell the two apart: the rate falls late, with 15 often not
// at all, and accuracy ends where it should.

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
  std::vector<RunCurves> runs;
  for (const int patience : {2, 5, 10, 15}) {
    Training training = Baseline();
    training.rate = 0.01;
    training.rule = Sgd();
    training.adjust = {ReduceLROnPlateau(
        {.monitor = "val_loss", .factor = 0.1, .patience = patience, .min_delta = 1e-7})};

    LearningRateMonitor monitor;
    std::vector<std::vector<double>> rates;  // of each fit
    absl::StatusOr<RunCurves> run =
        lab.Repeat("patience", absl::StrCat("patience=", patience), training,
                   {.callbacks = {&monitor}, .after = [&] { rates.push_back(monitor.rates); }});
    if (!run.ok()) return run.status();
    run->rate = CurveOf(rates, Middle::kMedian);
    runs.push_back(*std::move(run));
  }
  lab.Draw("6_patience_rate", RateFigure(runs));
  lab.Draw("7_patience_loss", LossFigure(runs));
  lab.Draw("8_patience_accuracy", TrainAccuracyFigure(runs));
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
