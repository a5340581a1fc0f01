#include "benchmarks/random/network.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace talweg::bench {

Network Draw(uint64_t seed, int number) {
  std::mt19937_64 random(seed * 1000 + static_cast<uint64_t>(number));
  const auto from_to = [&](int low, int high) {
    return low + static_cast<int>(random() % static_cast<uint64_t>(high - low + 1));
  };
  Network network;
  network.widths = {from_to(2, 60)};
  const int hidden = from_to(1, 3);
  for (int i = 0; i < hidden; i++) network.widths.push_back(from_to(5, 200));
  network.widths.push_back(from_to(2, 12));
  network.tanh = from_to(0, 1) == 1;
  network.batch = 2 * from_to(4, 32) + 1;
  double weights = 0;
  for (size_t i = 1; i < network.widths.size(); i++) {
    weights += static_cast<double>(network.widths[i - 1]) * network.widths[i];
  }
  // Forward, twice as much backward, and forward again for validation; two operations each.
  const double epoch_flop = 8 * weights * kSamples;
  network.epochs = static_cast<int>(std::clamp(4e8 / epoch_flop, 1.0, 200.0));
  return network;
}

std::string Describe(const Network& network) {
  return absl::StrCat(absl::StrJoin(network.widths, "-"), ", ", network.tanh ? "tanh" : "relu",
                      ", batches of ", network.batch, ", ", network.epochs, " epochs");
}

Training TrainingOf(const Network& network) {
  const auto model = [network](Scope& s, Value x) {
    const size_t last = network.widths.size() - 1;
    for (size_t i = 1; i < last; i++) {
      const std::string name = absl::StrCat("hidden_", i);
      const int units = network.widths[i];
      x = network.tanh ? Tanh(Dense(s, name, x, units))
                       : Relu(Dense(s, name, x, units, HeUniform()));
    }
    return Dense(s, "output", x, network.widths[last]);
  };
  return {.model = model,
          .loss = SoftmaxCrossEntropy,
          .rule = Sgd(),
          .rate = 0.01,
          .metrics = {Accuracy},
          .batch = network.batch,
          .epochs = network.epochs,
          .seed = 1};
}

TrainTest SamplesOf(const Network& network) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> number(-1, 1);
  const auto draw = [&] {
    std::vector<std::vector<float>> inputs, targets;
    for (int i = 0; i < kSamples; i++) {
      std::vector<float>& row = inputs.emplace_back(network.widths.front());
      for (float& x : row) x = number(random);
      targets.emplace_back(network.widths.back())[random() % network.widths.back()] = 1;
    }
    return Dataset{Array::Matrix(inputs), Array::Matrix(targets)};
  };
  Dataset train = draw();
  return {std::move(train), draw()};
}

}  // namespace talweg::bench
