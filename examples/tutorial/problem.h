#ifndef TALWEG_EXAMPLES_TUTORIAL_PROBLEM_H_
#define TALWEG_EXAMPLES_TUTORIAL_PROBLEM_H_

#include "absl/status/statusor.h"
#include "talweg.h"

namespace talweg::tutorial {

// What all experiments have in common: the data, the network, and how it is trained if nothing is
// said. Each experiment changes one thing of it.

// 1,000 points about three centers, in the plane: inputs float64 [1000, 2], targets int32 [1000].
absl::StatusOr<Dataset> Points();

// The first 500 of them to learn from, and 500 to see what has been learnt; classes one-hot. The
// test samples are also the validation data of every epoch.
absl::StatusOr<TrainTest> Samples();

// 50 hidden units and three outputs: 2 * 50 + 50 + 50 * 3 + 3 = 303 parameters.
Value Network(Scope& s, Value x);

// The network, trained by plain gradient descent at a rate of 0.01: 200 epochs of 16 updates, on
// batches of 32 samples (the last of each epoch has 20).
Training Baseline();

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_PROBLEM_H_
