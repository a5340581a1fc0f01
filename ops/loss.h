#ifndef TALWEG_OPS_LOSS_H_
#define TALWEG_OPS_LOSS_H_

#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/value.h"

namespace talweg {

// Losses, sample by sample. Each takes the targets first and the model's outputs second, as Keras
// does, and reduces the last axis only:
//
//     targets [rows, width], outputs [rows, width] -> [rows]
//
// so that a mean over the batch, weights of samples or a mean over a smaller last batch are the
// caller's choice. More leading axes ([rows, time, width]) stay too.
//
//   Value loss = Mean(CategoricalCrossEntropyFromLogits(one_hot, logits));
//
// Targets and outputs have the same shape and type; nothing broadcasts here, because [rows] against
// [rows, 1] is a mistake that would train. Errors go to the tape with both shapes and the line of
// the call. Formulas are those of Keras 2.3.1; where it uses a small number it is 1e-7 (under
// the root of CosineProximity 1e-12).
//
// The gradient by the outputs is the point of a loss: each formula below is written such that
// reverse mode makes few and harmless nodes of it.

inline constexpr double kProbabilityEpsilon = 1e-7;

// ---- Classes. Targets are distributions: one-hot, or any weights. ----

// -sum of t * log_softmax(z) for logits z. The gradient by z is softmax(z) * sum(t) - t. A logit of
// -inf is allowed where the labels are integers (below), not here: 0 * inf is NaN.
Value CategoricalCrossEntropyFromLogits(Arg targets, Arg logits);
// -sum of t * log(p') with p' = p / sum(p), clipped into [epsilon, 1 - epsilon]; no gradient where
// it is clipped. This is what Keras computes when the model does not end in a softmax, and with
// other backends than TensorFlow's always.
Value CategoricalCrossEntropy(Arg targets, Arg probabilities, double epsilon = kProbabilityEpsilon);
// log(sum of exp(z)) - z[label], for integer labels [rows] or [rows, 1] in [0, classes). A label
// outside is an error of the run.
Value SparseCategoricalCrossEntropyFromLogits(Arg labels, Arg logits);
// The same of z = log(p clipped into [1e-7, 1 - 1e-7]).
Value SparseCategoricalCrossEntropy(Arg labels, Arg probabilities);

// ---- Yes or no. Targets in [0, 1]; means over the last axis. ----

// softplus(z) - t z = -t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)). Its gradient is
// sigmoid(z) - t.
Value BinaryCrossEntropyFromLogits(Arg targets, Arg logits);
// -t log(p) - (1 - t) log(1 - p) with p clipped as above.
Value BinaryCrossEntropy(Arg targets, Arg probabilities);

// ---- Numbers; means over the last axis. ----

Value MeanSquaredError(Arg targets, Arg outputs);
Value MeanAbsoluteError(Arg targets, Arg outputs);
// 100 |y - t| / max(|t|, 1e-7)
Value MeanAbsolutePercentageError(Arg targets, Arg outputs);
// (log(1 + max(y, 1e-7)) - log(1 + max(t, 1e-7)))^2
Value MeanSquaredLogarithmicError(Arg targets, Arg outputs);
// Of e = |y - t|: e^2 / 2 up to delta, then delta * (e - delta / 2).
Value Huber(Arg targets, Arg outputs, double delta = 1);
// log(cosh(y - t)), without overflow.
Value LogCosh(Arg targets, Arg outputs);
// y - t log(y + 1e-7)
Value PoissonLoss(Arg targets, Arg outputs);

// ---- Margins. ----

// The mean of max(1 - t y, 0), of its square; t is -1 or 1, and 0 counts as -1.
Value Hinge(Arg targets, Arg outputs);
Value SquaredHinge(Arg targets, Arg outputs);
// max(0, 1 + the greatest of (1 - t) y - sum of t y), for one-hot targets.
Value CategoricalHinge(Arg targets, Arg outputs);

// ---- Distributions and directions. ----

// sum of t log(t / p), both clipped into [1e-7, 1].
Value KullbackLeibler(Arg targets, Arg outputs);
// Minus the cosine of the angle between targets and outputs.
Value CosineProximity(Arg targets, Arg outputs);

// ---- By name. ----

// A loss as a training takes it.
struct Loss {
  std::string name;
  std::function<Value(Value targets, Value outputs)> per_sample;
};

// Keras's names: "categorical_crossentropy", "sparse_categorical_crossentropy",
// "binary_crossentropy", "mean_squared_error" or "mse", and so on; LossNames lists them. Besides,
// the three cross-entropies are there with the suffix "_from_logits".
//
// As in Keras on TensorFlow, a cross-entropy of outputs that come directly from a Softmax along the
// last axis (a Sigmoid, for the binary one) is computed from its logits, without clipping; of any
// other outputs from the clipped probabilities. With "_from_logits" such outputs are refused:
// probabilities that are taken for logits train, too, and badly.
//
// An unknown name is an error that lists the known ones. What the loss itself reports later names
// the line of this call, unless its caller has opened another.
absl::StatusOr<Loss> LossByName(std::string_view name,
                                std::source_location where = std::source_location::current());
std::vector<std::string> LossNames();
// A function of one's own, under the name "loss"; one of those above that are cross-entropies under
// its name here, by which "accuracy" knows what labels and outputs are.
Loss LossOf(Value (*function)(Arg targets, Arg outputs),
            std::source_location where = std::source_location::current());

// ---- For those who write losses and metrics. ----

// The failure, if targets and outputs are not floats of one type with a last axis.
std::optional<Value> RefusePair(std::string_view name, const Arg& targets, const Arg& outputs);
// The failure, if labels are not integers with the shape of the outputs less the last axis; a last
// axis of extent 1 may stay and is taken off here.
std::optional<Value> RefuseLabels(std::string_view name, const Arg& outputs, Value& labels);

}  // namespace talweg

#endif  // TALWEG_OPS_LOSS_H_
