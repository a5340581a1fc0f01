// A schedule that Talweg does not have: up in a straight line, then down with the inverse root of
// the time, as transformers are trained (Vaswani et al., 2017). A schedule is a function of
// symbols; its numbers are inputs of the compiled training, so that others need no new compilation.
#include <algorithm>
#include <cmath>
#include <iostream>

#include "talweg.h"

using namespace talweg;

struct InverseRootOptions {
  Hyper peak = 0.05;
  Hyper warm_up = 10;  // epochs
};

// With n = 1, 2, ...: peak min(n / warm_up, sqrt(warm_up / n))
Schedule InverseRoot(const InverseRootOptions& o = {}) {
  return Schedule([o](ScheduleScope& s) {
    Value peak = s.Hyper("peak", o.peak), warm_up = s.Hyper("warm_up", o.warm_up);
    Value n = s.epoch() + 1;
    return peak * Min(n / warm_up, Sqrt(warm_up / n));
  });
}

absl::Status TrainWithIt() {
  absl::StatusOr<Dataset> blobs = Blobs({.samples = 1000, .cluster_std = 2, .seed = 2});
  if (!blobs.ok()) return blobs.status();
  absl::StatusOr<Dataset> one_hot = OneHotTargets(*blobs, 3);
  if (!one_hot.ok()) return one_hot.status();
  absl::StatusOr<TrainTest> data = Split(*one_hot, 500);
  if (!data.ok()) return data.status();

  Training training{.model =
                        [](Scope& s, Value x) {
                          Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
                          return Dense(s, "output", h, 3);
                        },
                    .loss = SoftmaxCrossEntropy,
                    .rule = Sgd({.momentum = 0.9}),
                    .rate = InverseRoot({.peak = 0.02}),
                    .metrics = {Accuracy},
                    .epochs = 60,
                    .seed = 1};
  absl::StatusOr<Fitted> fitted = Fit(training, data->train, data->test);
  if (!fitted.ok()) return fitted.status();

  const absl::Span<const double> rates = fitted->history["lr"];
  for (size_t epoch = 0; epoch < rates.size(); epoch++) {
    const double n = static_cast<double>(epoch + 1);
    const double wanted = 0.02 * std::min(n / 10, std::sqrt(10 / n));
    if (std::abs(rates[epoch] - wanted) > 1e-12) return absl::InternalError("another rate");
    if (epoch % 10 == 9) std::cout << "epoch " << n << ": rate " << rates[epoch] << "\n";
  }
  std::cout << "accuracy on the test set: " << fitted->history.last("val_accuracy") << "\n";
  return absl::OkStatus();
}

int main() {
  if (absl::Status status = TrainWithIt(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
