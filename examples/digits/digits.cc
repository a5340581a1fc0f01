// Handwritten digits: 1,797 images of 8 by 8 pixels, read from a CSV file. Usage:
//
//   digits [examples/data/digits.csv]
#include <iostream>
#include <string>

#include "talweg.h"

using namespace talweg;

absl::Status ReadDigits(const std::string& path) {
  absl::StatusOr<Dataset> digits = ReadDataset(path, {.label = "label"});
  if (!digits.ok()) return digits.status();
  absl::StatusOr<Dataset> one_hot = OneHotTargets(*digits, 10);
  if (!one_hot.ok()) return one_hot.status();
  // The file has one writer's digits after another's.
  absl::StatusOr<Dataset> mixed = Take(*one_hot, NumPyRandom(0).Permutation(one_hot->size()));
  if (!mixed.ok()) return mixed.status();
  absl::StatusOr<TrainTest> data = Split(*mixed, 1400);
  if (!data.ok()) return data.status();

  Training training{.model =
                        [](Scope& s, Value x) {
                          Value pixels = x / 16;  // from 0 to 16
                          Value h = Relu(Dense(s, "hidden", pixels, 64, HeUniform()));
                          h = Dropout(s, "dropout", h, 0.2);
                          return Dense(s, "output", h, 10);
                        },
                    .loss = SoftmaxCrossEntropy,
                    .rule = Adam(),
                    .rate = Cosine({.initial = 0.005, .length = 40}),
                    .metrics = {Accuracy},
                    .epochs = 40,
                    .seed = 1};
  absl::StatusOr<std::string> summary = Summary(training, data->train);
  if (!summary.ok()) return summary.status();
  std::cout << *summary;

  absl::StatusOr<Fitted> fitted = Fit(training, data->train, data->test);
  if (!fitted.ok()) return fitted.status();
  const double accuracy = fitted->history.last("val_accuracy");
  std::cout << "accuracy on 397 digits that were held back: " << accuracy << "\n";
  if (accuracy < 0.95) return absl::InternalError("the network reads worse than it should");
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  const char* const path = argc > 1 ? argv[1] : "examples/data/digits.csv";
  if (absl::Status status = ReadDigits(path); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
