#ifndef TALWEG_BENCHMARKS_COMMON_TUTORIAL_H_
#define TALWEG_BENCHMARKS_COMMON_TUTORIAL_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "talweg.h"

namespace talweg::bench {

// The problem that baselines/plain_fit.cc solves: 2-50-3, ReLU, softmax and cross-entropy, float32,
// batches of 32 of 500 samples, 200 epochs, shuffled, with accuracies, and 500 samples to validate.
Training TutorialTraining(Rule rule = Sgd());

// Its samples: columns x0, x1 and y, the first 500 rows for training.
absl::StatusOr<TrainTest> ReadTutorial(const std::string& path);

// The rules by their names in goals, "sgd" ... "lion", and what they are.
std::vector<std::pair<std::string, Rule>> TutorialRules();

// The main() of a goal's program, which is called with the path of the samples: 1 and a line on
// stderr that begins "error: " where `measure` fails.
int Main(int argc, char** argv, absl::Status (*measure)(const TrainTest& data));

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_COMMON_TUTORIAL_H_
