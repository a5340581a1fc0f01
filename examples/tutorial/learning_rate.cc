// The learning rate: how far a weight goes against its gradient in one update,
//
//   w = w - rate * gradient
//
// If one number of a training can be tuned only, it should be this one. Eight trainings differ in
// nothing else; the rates are powers of ten, from 1 to a ten-millionth.
//
// Look for: at 1.0 the steps are so large that they jump over the valley, and accuracy leaps about
// from one epoch to the next. 0.1, 0.01 and 0.001 learn the problem, each more slowly than the one
// before. From 0.0001 on 200 epochs are not enough, and at 1e-06 and 1e-07 the network ends about
// where it began.

#include <vector>

#include "examples/tutorial/experiments.h"
#include "examples/tutorial/problem.h"

namespace talweg::tutorial {

absl::Status LearningRate(Lab& lab) {
  std::vector<size_t> runs;
  for (const double lrate : {1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7}) {
    Training training = Baseline();
    training.rate = lrate;
    runs.push_back(lab.Repeat("learning_rate", Titled("lrate", lrate), training));
  }
  lab.Draw("2_learning_rate", [=](const Lab& lab) { return AccuracyFigure(lab.Curves(runs)); });
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
