// A rate for each epoch of a training, found by gradient descent: the loss on validation data after
// the last epoch is differentiated by all of them, through the 3,200 updates in between.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

#include "talweg.h"

using namespace talweg;

constexpr int kRounds = 15;

absl::StatusOr<TrainTest> Points() {
  absl::StatusOr<Dataset> blobs = Blobs({.samples = 1000, .cluster_std = 2, .seed = 2});
  if (!blobs.ok()) return blobs.status();
  absl::StatusOr<Dataset> one_hot = OneHotTargets(*blobs, 3);
  if (!one_hot.ok()) return one_hot.status();
  return Split(*one_hot, 500);
}

Value Network(Scope& s, Value x) {
  Value h = Tanh(Dense(s, "hidden", x, 50, HeUniform()));
  return Dense(s, "output", h, 3);
}

absl::Status TuneTheRate() {
  absl::StatusOr<TrainTest> data = Points();
  if (!data.ok()) return data.status();

  std::vector<double> rates(200, 0.01);
  Training training{.model = Network,
                    .loss = SoftmaxCrossEntropy,
                    .rate = RateTable({.rates = rates}),
                    .epochs = 200,
                    .seed = 1,
                    .dtype = kFloat64};
  // Compiled once; a run is a training and the way back through it.
  absl::StatusOr<Hypergradient> loss_by_rates =
      MakeHypergradient(training, data->train, data->test, {"schedule/rates"});
  if (!loss_by_rates.ok()) return loss_by_rates.status();

  double first = 0, best = 0;
  std::vector<double> best_rates;
  for (int round = 0; round <= kRounds; round++) {
    absl::StatusOr<Hypergradient::Result> now =
        loss_by_rates->Run({{"schedule/rates", Array::Vector<double>(rates)}});
    if (!now.ok()) return now.status();
    if (round == 0) first = now->loss;
    if (round == 0 || now->loss < best) {
      best = now->loss;
      best_rates = rates;
    }
    std::cout << "round " << round << ": validation loss " << now->loss << "\n";

    // Descent along the logarithms, so that rates stay above zero; the greatest step is a fifth.
    const Array& gradient = now->gradients.at("schedule/rates");
    std::vector<double> slope;
    double steepest = 1e-300;
    for (size_t i = 0; i < rates.size(); i++) {
      slope.push_back(rates[i] * gradient.At(static_cast<int64_t>(i)));
      steepest = std::max(steepest, std::fabs(slope[i]));
    }
    for (size_t i = 0; i < rates.size(); i++) rates[i] *= std::exp(-0.2 * slope[i] / steepest);
  }

  std::cout << "validation loss " << first << " before, " << best << " after; rates of epochs";
  for (size_t epoch = 0; epoch < best_rates.size(); epoch += 40) {
    std::cout << "  " << epoch << ": " << best_rates[epoch];
  }
  std::cout << "\n";
  if (!(best < 0.98 * first)) return absl::InternalError("the tuned rates are no better");
  return absl::OkStatus();
}

int main() {
  if (absl::Status status = TuneTheRate(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
