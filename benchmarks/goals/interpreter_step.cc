// What an update of the tutorial's network costs on the reference interpreter: a whole fit without
// validation, divided by its updates. Usage: interpreter_step blobs.csv

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

#include "talweg.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

constexpr int64_t kTrain = 500, kBatch = 32, kEpochs = 100;

absl::StatusOr<double> MicrosecondsAnUpdate(const char* path) {
  const absl::StatusOr<Dataset> table = ReadDataset(path, {.label = "y"});
  if (!table.ok()) return table.status();
  const absl::StatusOr<Dataset> one_hot = OneHotTargets(*table, 3);
  if (!one_hot.ok()) return one_hot.status();
  const absl::StatusOr<TrainTest> data = Split(*one_hot, kTrain);
  if (!data.ok()) return data.status();
  const Training training{.model =
                              [](Scope& s, Value x) {
                                const Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
                                return Dense(s, "output", h, 3);
                              },
                          .loss = SoftmaxCrossEntropy,
                          .rule = Sgd(),
                          .rate = 0.01,
                          .metrics = {Accuracy},
                          .batch = kBatch,
                          .epochs = kEpochs,
                          .seed = 1};
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<Fitted> fitted = Fit(Interpret, training, data->train);
  if (!fitted.ok()) return fitted.status();
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
  return time.count() / static_cast<double>(fitted->state.at("update").At(0));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "error: usage: interpreter_step blobs.csv\n";
    return 1;
  }
  double best = 1e300;
  for (int repeat = 0; repeat < 3; repeat++) {
    const absl::StatusOr<double> time = MicrosecondsAnUpdate(argv[1]);
    if (!time.ok()) {
      std::cerr << "error: " << time.status().message() << "\n";
      return 1;
    }
    best = std::min(best, *time);
  }
  std::printf("update_us %.3f\n", best);
}
