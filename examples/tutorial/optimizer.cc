// Adaptive optimizers: a rate for each weight, found on the way. They divide a gradient by a
// measure of how large that weight's gradients have been: RMSprop by a mean over the recent past,
// Adagrad by the sum over all of it, Adam as RMSprop does, with momentum besides. All run with
// their defaults, and by the names that Keras knows them by.
//
// Look for: RMSprop and Adam are there within 50 epochs and stay calm, though their rate of 0.001
// is a tenth of sgd's. Adagrad, whose steps can only become smaller, is the calmest and takes a
// little longer. The plain sgd of the first panel, the same run as lrate=0.01 and momentum=0.0,
// gets nearly as far and takes much longer to calm down.

#include <string>
#include <vector>

#include "examples/tutorial/experiments.h"
#include "examples/tutorial/problem.h"

namespace talweg::tutorial {

absl::Status Optimizer(Lab& lab) {
  std::vector<size_t> runs;
  for (const std::string name : {"sgd", "rmsprop", "adagrad", "adam"}) {
    Training training = Baseline();
    training.rule = name;
    training.rate = std::nullopt;  // each one's own default
    runs.push_back(lab.Repeat("optimizer", "opt=" + name, training));
  }
  lab.Draw("9_optimizer", [=](const Lab& lab) { return AccuracyFigure(lab.Curves(runs)); });
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
