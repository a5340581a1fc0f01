// A small network learns to tell three clouds of points apart.
#include <iostream>

#include "talweg.h"

using namespace talweg;

absl::Status TellBlobsApart() {
  // 1,000 points around three centers: 500 to train on, 500 to test.
  absl::StatusOr<Dataset> blobs = Blobs({.samples = 1000, .cluster_std = 2, .seed = 2});
  if (!blobs.ok()) return blobs.status();
  absl::StatusOr<Dataset> one_hot = OneHotTargets(*blobs, 3);
  if (!one_hot.ok()) return one_hot.status();
  absl::StatusOr<TrainTest> data = Split(*one_hot, 500);
  if (!data.ok()) return data.status();

  Model network = [](Scope& s, Value x) {
    Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
    return Dense(s, "output", h, 3);  // logits
  };
  Training training{.model = network,
                    .loss = SoftmaxCrossEntropy,
                    .rule = Sgd({.momentum = 0.9}),
                    .rate = 0.01,
                    .adjust = {ReduceLROnPlateau({.monitor = "val_loss", .patience = 10})},
                    .metrics = {Accuracy},
                    .epochs = 50,
                    .seed = 1};

  absl::StatusOr<Fitted> fitted = Fit(training, data->train, data->test);
  if (!fitted.ok()) return fitted.status();
  std::cout << "accuracy on the test set: " << fitted->history.last("val_accuracy") << "\n";
  return SaveArrays(UserPath("blobs.safetensors"), fitted->parameters);
}

int main() {
  if (absl::Status status = TellBlobsApart(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
