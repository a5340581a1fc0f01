#include "benchmarks/common/large.h"

#include <vector>

#include "absl/types/span.h"

namespace talweg::bench {
namespace {

constexpr int64_t kInputs = 784, kHidden = 2048, kClasses = 10;

}  // namespace

Training LargeTraining(const Rule& rule, int64_t batch) {
  return {.model =
              [](Scope& s, Value x) {
                const Value first = Relu(Dense(s, "first", x, kHidden, HeUniform()));
                const Value second = Relu(Dense(s, "second", first, kHidden, HeUniform()));
                return Dense(s, "output", second, kClasses);
              },
          .loss = SoftmaxCrossEntropy,
          .rule = rule,
          .rate = 0.001,
          .batch = batch,
          .epochs = 1,
          .seed = 1};
}

absl::StatusOr<Dataset> LargeSamples(int64_t samples) {
  NumPyRandom random(1);
  absl::StatusOr<Array> inputs = Array::Zeros(kFloat32, {samples, kInputs});
  if (!inputs.ok()) return inputs.status();
  for (float& pixel : inputs->mutable_data<float>()) {
    pixel = static_cast<float>(random.Uniform(0, 1));
  }
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < samples; i++) labels.push_back(static_cast<int32_t>(i % kClasses));
  return OneHotTargets({*std::move(inputs), Array::Vector(labels)}, kClasses);
}

double LargeFlop(int64_t batch) {
  constexpr double kForward = kInputs * kHidden + kHidden * kHidden + kHidden * kClasses;
  constexpr double kBackward = 2 * kForward - kInputs * kHidden;
  return 2.0 * static_cast<double>(batch) * (kForward + kBackward);
}

double LargeBytes(int64_t numbers_kept) {
  constexpr double kParameters =
      (kInputs + 1) * kHidden + (kHidden + 1) * kHidden + (kHidden + 1) * kClasses;
  return 2 * sizeof(float) * kParameters * static_cast<double>(1 + numbers_kept);
}

}  // namespace talweg::bench
