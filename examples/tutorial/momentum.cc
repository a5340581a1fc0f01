// Momentum: an update remembers the one before,
//
//   v = momentum * v - rate * gradient
//   w = w + v
//
// so that steps which agree add up, and steps which contradict one another cancel out. With 0.9 a
// direction that never changes is followed ten times as fast in the end, with 0.99 a hundred times.
//
// Look for: without momentum training accuracy climbs for all of the 200 epochs, and test accuracy
// leaps about. With 0.5 both arrive sooner. With 0.9 and 0.99 they have arrived within 50 epochs,
// and 0.9 is the calmest of the four: with 0.99 so much speed adds up that it overshoots now and
// then.

#include <vector>

#include "examples/tutorial/experiments.h"
#include "examples/tutorial/problem.h"

namespace talweg::tutorial {

absl::Status Momentum(Lab& lab) {
  std::vector<size_t> runs;
  for (const double momentum : {0.0, 0.5, 0.9, 0.99}) {
    Training training = Baseline();
    training.rate = 0.01;
    training.rule = Sgd({.momentum = momentum});
    runs.push_back(lab.Repeat("momentum", Titled("momentum", momentum), training));
  }
  lab.Draw("3_momentum", [=](const Lab& lab) { return AccuracyFigure(lab.Curves(runs)); });
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
