// Momentum: an update remembers the one before,
//
//   v = momentum * v - rate * gradient
//   w = w + v
//
// so that steps which agree add up, and steps which contradict one another cancel out. With 0.9 a
// direction that never changes is followed ten times as fast in the end, with 0.99 a hundred times.
//
// Look for: without momentum test accuracy climbs for all of the 200 epochs and trembles. With 0.5
// it does so less; with 0.9 and 0.99 it is at its best within some 50 epochs, and then stays there.

#include <vector>

#include "examples/tutorial/experiments.h"
#include "examples/tutorial/problem.h"

namespace talweg::tutorial {

absl::Status Momentum(Lab& lab) {
  std::vector<RunCurves> runs;
  for (const double momentum : {0.0, 0.5, 0.9, 0.99}) {
    Training training = Baseline();
    training.rate = 0.01;
    training.rule = Sgd({.momentum = momentum});
    absl::StatusOr<RunCurves> run = lab.Repeat("momentum", Titled("momentum", momentum), training);
    if (!run.ok()) return run.status();
    runs.push_back(*std::move(run));
  }
  lab.Draw("3_momentum", AccuracyFigure(runs));
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
