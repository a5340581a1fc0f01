#include "examples/tutorial/problem.h"

namespace talweg::tutorial {

absl::StatusOr<Dataset> Points() {
  return Blobs({.samples = 1000, .centers = 3, .features = 2, .cluster_std = 2, .seed = 2});
}

absl::StatusOr<TrainTest> Samples() {
  const absl::StatusOr<Dataset> points = Points();
  if (!points.ok()) return points.status();
  const absl::StatusOr<Dataset> one_hot = OneHotTargets(*points, 3);
  if (!one_hot.ok()) return one_hot.status();
  return Split(*one_hot, 500);
}

Value Network(Scope& s, Value x) {
  const Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
  // Logits. The loss puts softmax and cross-entropy into one formula, which can not overflow.
  return Dense(s, "output", h, 3);
}

Training Baseline() {
  return {.model = Network,
          .loss = SoftmaxCrossEntropy,
          .rule = Sgd(),
          .rate = 0.01,
          .metrics = {Accuracy},
          .batch = 32,
          .epochs = 200};
}

}  // namespace talweg::tutorial
