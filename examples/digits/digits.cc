// Handwritten digits: 1,797 images of 8 by 8 pixels, read from a CSV file. Two networks learn to
// read them, one with a hidden layer of 64 units, and 64-512-512-10. Usage:
//
//   digits [examples/data/digits.csv]
//
// The file is the test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
// C. Kaynak, UCI Machine Learning Repository, CC BY 4.0, as scikit-learn ships it.
#include <iostream>
#include <string>

#include "talweg.h"

using namespace talweg;

absl::StatusOr<TrainTest> ReadDigits(const std::string& path) {
  absl::StatusOr<Dataset> digits = ReadDataset(path, {.label = "label"});
  if (!digits.ok()) return digits.status();
  absl::StatusOr<Dataset> one_hot = OneHotTargets(*digits, 10);
  if (!one_hot.ok()) return one_hot.status();
  // The file has one writer's digits after another's.
  absl::StatusOr<Dataset> mixed = Take(*one_hot, NumPyRandom(0).Permutation(one_hot->size()));
  if (!mixed.ok()) return mixed.status();
  return Split(*mixed, 1400);
}

Value Small(Scope& s, Value x) {
  Value pixels = x / 16;  // from 0 to 16
  Value h = Relu(Dense(s, "hidden", pixels, 64, HeUniform()));
  h = Dropout(s, "dropout", h, 0.2);
  return Dense(s, "output", h, 10);
}

Value Deep(Scope& s, Value x) {
  Value h = x / 16;
  for (const char* name : {"first", "second"}) {
    Scope layer = s.Sub(name);
    h = Relu(Dense(layer, "dense", h, 512, HeUniform()));
    h = Dropout(layer, "dropout", h, 0.3);
  }
  return Dense(s, "output", h, 10);
}

// Trains the network and prints its layers and how it reads the digits that were held back; an
// error if that is worse than `least`.
absl::Status Train(const Training& training, const TrainTest& data, double least) {
  absl::StatusOr<std::string> summary = Summary(training, data.train);
  if (!summary.ok()) return summary.status();
  std::cout << *summary;
  absl::StatusOr<Fitted> fitted = Fit(training, data.train, data.test);
  if (!fitted.ok()) return fitted.status();
  const double accuracy = fitted->history.last("val_accuracy");
  std::cout << "accuracy on " << data.test.size() << " digits that were held back: " << accuracy
            << "\n\n";
  if (accuracy < least) return absl::InternalError("the network reads worse than it should");
  return absl::OkStatus();
}

absl::Status TrainBoth(const std::string& path) {
  absl::StatusOr<TrainTest> data = ReadDigits(path);
  if (!data.ok()) return data.status();
  Training small{.model = Small,
                 .loss = SoftmaxCrossEntropy,
                 .rule = Adam(),
                 .rate = Cosine({.initial = 0.005, .length = 40}),
                 .metrics = {Accuracy},
                 .epochs = 40,
                 .seed = 1};
  if (absl::Status status = Train(small, *data, 0.95); !status.ok()) return status;
  // A larger network wants a smaller rate, and half the epochs.
  Training deep = small;
  deep.model = Deep;
  deep.rate = Cosine({.initial = 0.001, .length = 20});
  deep.epochs = 20;
  return Train(deep, *data, 0.97);
}

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? UserPath(argv[1]) : "examples/data/digits.csv";
  if (absl::Status status = TrainBoth(path); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
