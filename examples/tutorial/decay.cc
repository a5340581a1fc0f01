// Time-based decay, tried: the rate of 0.01 shrinks with every update, as decay_curves.cc shows.
// Decay is an option of the optimizer and needs nothing else; there is no momentum here.
//
// Look for: 0.1 and 0.01 are so eager that the training stands still before it has arrived. They
// look calm, and they end poorly. 0.001 does better; 0.0001 lets nearly all of the rate live, and
// ends where a training without decay ends.

#include <vector>

#include "examples/tutorial/experiments.h"
#include "examples/tutorial/problem.h"

namespace talweg::tutorial {

absl::Status Decay(Lab& lab) {
  std::vector<size_t> runs;
  for (const double decay : {1e-1, 1e-2, 1e-3, 1e-4}) {
    Training training = Baseline();
    training.rate = 0.01;
    training.rule = Sgd({.decay = decay});
    runs.push_back(lab.Repeat("decay", Titled("decay", decay), training));
  }
  lab.Draw("5_decay", [=](const Lab& lab) { return AccuracyFigure(lab.Curves(runs)); });
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
