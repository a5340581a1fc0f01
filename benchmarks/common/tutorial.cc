#include "benchmarks/common/tutorial.h"

#include <iostream>

#include "benchmarks/common/calls.h"

namespace talweg::bench {

Training TutorialTraining(Rule rule) {
  return {.model =
              [](Scope& s, Value x) {
                const Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
                return Dense(s, "output", h, 3);
              },
          .loss = SoftmaxCrossEntropy,
          .rule = std::move(rule),
          .rate = 0.01,
          .metrics = {Accuracy},
          .batch = 32,
          .epochs = 200,
          .seed = 1};
}

absl::StatusOr<TrainTest> ReadTutorial(const std::string& path) {
  const absl::StatusOr<Dataset> table = ReadDataset(path, {.label = "y"});
  if (!table.ok()) return table.status();
  const absl::StatusOr<Dataset> one_hot = OneHotTargets(*table, 3);
  if (!one_hot.ok()) return one_hot.status();
  return Split(*one_hot, 500);
}

std::vector<std::pair<std::string, Rule>> TutorialRules() {
  return {{"sgd", Sgd()},
          {"momentum", Sgd({.momentum = 0.9})},
          {"nesterov", Sgd({.momentum = 0.9, .nesterov = true})},
          {"rmsprop", RmsProp()},
          {"adagrad", Adagrad()},
          {"adadelta", Adadelta()},
          {"adam", Adam()},
          {"amsgrad", Adam({.amsgrad = true})},
          {"adamax", Adamax()},
          {"nadam", Nadam()},
          {"adamw", AdamW()},
          {"lion", Lion()}};
}

int Main(int argc, char** argv, absl::Status (*measure)(const TrainTest& data)) {
  if (argc != 2) {
    std::cerr << "error: usage: " << argv[0] << " blobs.csv\n";
    return 1;
  }
  const absl::StatusOr<TrainTest> data = ReadTutorial(argv[1]);
  return ExitCode(data.ok() ? measure(*data) : data.status());
}

}  // namespace talweg::bench
