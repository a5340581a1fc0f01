#include "ops/loss.h"

#include <numbers>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/nn.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {
namespace {

// A loss that is a mean over the last axis of something elementwise.
template <typename Formula>
Value MeanLoss(std::string_view name, const Arg& targets, const Arg& outputs,
               const Formula& formula) {
  const UserLine line(outputs);
  if (auto failure = RefusePair(name, targets, outputs)) return *failure;
  return Mean(formula(targets.value(), outputs.value()), -1);
}

std::vector<int64_t> LastAxis(const Value& v) { return {v.rank() - 1}; }

Value ClipProbability(const Value& p, double epsilon = kProbabilityEpsilon) {
  return Clip(p, epsilon, 1 - epsilon);
}

// z - max(z) without a gradient through the maximum, which cancels: what makes exp(z) harmless.
Value Shifted(const Value& z) {
  return z - Spread(Detach(ReduceMax(z, -1)), z.shape(), LastAxis(z));
}

}  // namespace

std::optional<Value> RefusePair(std::string_view name, const Arg& targets, const Arg& outputs) {
  const Value t = targets.value(), y = outputs.value();
  const auto fail = [&](std::string_view detail) {
    return Fail(name, {t, y}, detail, outputs.line());
  };
  if (t.tape() == nullptr || y.tape() == nullptr) return fail("a value of no tape");
  if (!t.ok()) return t;
  if (!y.ok()) return y;
  if (!IsFloat(y.dtype())) return fail("only for floats; use Cast");
  if (t.dtype() != y.dtype()) {
    return fail(absl::StrCat("element types ", Name(t.dtype()), " and ", Name(y.dtype()),
                             " of targets and outputs differ; ",
                             IsFloat(t.dtype())
                                 ? "use Cast"
                                 : "classes are for the sparse losses, or become one-hot targets "
                                   "(OneHotTargets); for other numbers use Cast"));
  }
  if (t.shape() != y.shape()) {
    return fail(absl::StrCat("shapes of targets and outputs differ",
                             t.rank() + 1 == y.rank() && y.dim(-1) == Dim(1)
                                 ? "; ExpandDims(targets, -1) adds the last axis"
                                 : ""));
  }
  if (y.rank() == 0 || !y.dim(-1).is_static()) {
    return fail("the last axis is to hold the numbers of one sample; ExpandDims(x, -1) makes one");
  }
  return std::nullopt;
}

std::optional<Value> RefuseLabels(std::string_view name, const Arg& outputs, Value& labels) {
  const Value y = outputs.value();
  const auto fail = [&](std::string_view detail) {
    return Fail(name, {labels, y}, detail, outputs.line());
  };
  if (labels.tape() == nullptr || y.tape() == nullptr) return fail("a value of no tape");
  if (!labels.ok()) return labels;
  if (!y.ok()) return y;
  if (!IsFloat(y.dtype())) return fail("the outputs are not floats; use Cast");
  if (!IsInteger(labels.dtype())) return fail("labels are integers; use Cast");
  if (y.rank() == 0 || !y.dim(-1).is_static()) {
    return fail("the outputs have no last axis of classes");
  }
  Shape shape(y.shape().begin(), y.shape().end() - 1);
  if (labels.shape() == shape) return std::nullopt;
  Shape column = shape;
  column.push_back(1);
  if (labels.shape() != column) {
    return fail(absl::StrCat("the labels are not ", ToString(shape), ", one for each sample"));
  }
  labels = Reshape(labels, std::move(shape));
  return std::nullopt;
}

Value CategoricalCrossEntropyFromLogits(Arg targets, Arg logits) {
  const UserLine line(logits);
  if (auto failure = RefusePair("categorical_crossentropy_from_logits", targets, logits)) {
    return *failure;
  }
  const Value t = targets.value();
  // With z' = z - max(z):
  //     loss = sum(t) log(sum of exp(z')) - sum of t z'
  // whose reverse sweep is, on whole rows, two products and a sum: exp(z') times a number a row,
  // minus t times a number a row.
  const Value z = Shifted(logits.value());
  const Value total = Sum(t, -1);
  const Value log_sum = total * Log(Sum(Exp(z), -1));
  return log_sum - Sum(t * z, -1);
}

Value CategoricalCrossEntropy(Arg targets, Arg probabilities, double epsilon) {
  const UserLine line(probabilities);
  if (auto failure = RefusePair("categorical_crossentropy", targets, probabilities)) {
    return *failure;
  }
  const Value p = probabilities.value();
  // p' = clip(p / sum(p))
  const Value normal = ClipProbability(p / Spread(Sum(p, -1), p.shape(), LastAxis(p)), epsilon);
  // loss = -sum of t log p'
  return -Sum(targets.value() * Log(normal), -1);
}

Value SparseCategoricalCrossEntropyFromLogits(Arg labels, Arg logits) {
  const UserLine line(logits);
  Value label = labels.value();
  if (auto failure = RefuseLabels("sparse_categorical_crossentropy_from_logits", logits, label)) {
    return *failure;
  }
  const Value z = Shifted(logits.value());
  // loss = log(sum of exp(z')) - z'[label]
  return Log(Sum(Exp(z), -1)) - Gather(z, label, -1, label.rank());
}

Value SparseCategoricalCrossEntropy(Arg labels, Arg probabilities) {
  const UserLine line(probabilities);
  Value label = labels.value();
  if (auto failure = RefuseLabels("sparse_categorical_crossentropy", probabilities, label)) {
    return *failure;
  }
  // z = log(clip(p))
  return SparseCategoricalCrossEntropyFromLogits(label,
                                                 Log(ClipProbability(probabilities.value())));
}

Value BinaryCrossEntropyFromLogits(Arg targets, Arg logits) {
  return MeanLoss("binary_crossentropy_from_logits", targets, logits,
                  // log(1 + exp(z)) - t z
                  [](const Value& t, const Value& z) { return Softplus(z) - t * z; });
}

Value BinaryCrossEntropy(Arg targets, Arg probabilities) {
  return MeanLoss("binary_crossentropy", targets, probabilities,
                  [](const Value& t, const Value& y) {
                    const Value p = ClipProbability(y);
                    // -(t log p + (1 - t) log(1 - p))
                    return -(t * Log(p) + (1 - t) * Log(1 - p));
                  });
}

Value MeanSquaredError(Arg targets, Arg outputs) {
  // (y - t)^2
  return MeanLoss("mean_squared_error", targets, outputs,
                  [](const Value& t, const Value& y) { return Square(y - t); });
}

Value MeanAbsoluteError(Arg targets, Arg outputs) {
  // |y - t|
  return MeanLoss("mean_absolute_error", targets, outputs,
                  [](const Value& t, const Value& y) { return Abs(y - t); });
}

Value MeanAbsolutePercentageError(Arg targets, Arg outputs) {
  // 100 |(y - t) / max(|t|, epsilon)|
  return MeanLoss("mean_absolute_percentage_error", targets, outputs,
                  [](const Value& t, const Value& y) {
                    return 100 * Abs((y - t) / Max(Abs(t), kProbabilityEpsilon));
                  });
}

Value MeanSquaredLogarithmicError(Arg targets, Arg outputs) {
  // (log(1 + max(y, epsilon)) - log(1 + max(t, epsilon)))^2
  return MeanLoss(
      "mean_squared_logarithmic_error", targets, outputs, [](const Value& t, const Value& y) {
        return Square(Log1p(Max(y, kProbabilityEpsilon)) - Log1p(Max(t, kProbabilityEpsilon)));
      });
}

Value Huber(Arg targets, Arg outputs, double delta) {
  if (!(delta > 0)) {
    return Fail("huber", {targets.value(), outputs.value()},
                absl::StrCat("delta is ", delta, " and not positive"), outputs.line());
  }
  return MeanLoss("huber", targets, outputs, [delta](const Value& t, const Value& y) {
    const Value e = y - t;
    const Value q = Clip(e, -delta, delta);
    // q (e - q / 2), which is e^2 / 2 where q = e
    return q * (e - 0.5 * q);
  });
}

Value LogCosh(Arg targets, Arg outputs) {
  return MeanLoss("logcosh", targets, outputs, [](const Value& t, const Value& y) {
    const Value e = y - t;
    // log cosh e = e + log(1 + exp(-2 e)) - log 2
    return e + Softplus(-2 * e) - std::numbers::ln2;
  });
}

Value PoissonLoss(Arg targets, Arg outputs) {
  // y - t log(y + epsilon)
  return MeanLoss("poisson", targets, outputs, [](const Value& t, const Value& y) {
    return y - t * Log(y + kProbabilityEpsilon);
  });
}

namespace {

// max(1 - t y, 0). Keras turns labels 0 and 1 into -1 and 1 where a batch has no others; taking
// each 0 as -1 is the same for labels of either kind, and does not depend on the batch.
// At the kink the derivative is that of the first argument, as TensorFlow's maximum has it.
Value Margin(const Value& t, const Value& y) {
  const Value margin = 1 - Select(Equal(t, 0), -1, t) * y;
  return Select(Less(margin, 0), 0, margin);
}

}  // namespace

Value Hinge(Arg targets, Arg outputs) { return MeanLoss("hinge", targets, outputs, Margin); }

Value SquaredHinge(Arg targets, Arg outputs) {
  return MeanLoss("squared_hinge", targets, outputs,
                  [](const Value& t, const Value& y) { return Square(Margin(t, y)); });
}

Value CategoricalHinge(Arg targets, Arg outputs) {
  const UserLine line(outputs);
  if (auto failure = RefusePair("categorical_hinge", targets, outputs)) return *failure;
  const Value t = targets.value(), y = outputs.value();
  // max(0, 1 + max((1 - t) y) - sum(t y))
  return Relu(1 + (ReduceMax((1 - t) * y, -1) - Sum(t * y, -1)));
}

Value KullbackLeibler(Arg targets, Arg outputs) {
  const UserLine line(outputs);
  if (auto failure = RefusePair("kullback_leibler_divergence", targets, outputs)) return *failure;
  const Value t = Clip(targets, kProbabilityEpsilon, 1);
  const Value p = Clip(outputs, kProbabilityEpsilon, 1);
  // sum of t log(t / p)
  return Sum(t * Log(t / p), -1);
}

Value CosineProximity(Arg targets, Arg outputs) {
  const UserLine line(outputs);
  if (auto failure = RefusePair("cosine_proximity", targets, outputs)) return *failure;
  const Value t = targets.value(), y = outputs.value();
  // 1 / |x|, at most 1e6: Keras's guard against the zero vector.
  const auto scale = [](const Value& x) { return Rsqrt(Max(Sum(Square(x), -1), 1e-12)); };
  // -(t y) / (|t| |y|)
  return -(Sum(t * y, -1) * (scale(t) * scale(y)));
}

namespace {

using LossFunction = Value (*)(const Value& targets, const Value& outputs);

struct NamedLoss {
  const char* name;
  LossFunction function;
};

constexpr LossFunction kCategorical = [](const Value& t, const Value& y) {
  const std::optional<Value> logits = LogitsOfSoftmax(y);
  return logits ? CategoricalCrossEntropyFromLogits(t, *logits) : CategoricalCrossEntropy(t, y);
};
constexpr LossFunction kSparse = [](const Value& t, const Value& y) {
  const std::optional<Value> logits = LogitsOfSoftmax(y);
  return logits ? SparseCategoricalCrossEntropyFromLogits(t, *logits)
                : SparseCategoricalCrossEntropy(t, y);
};
constexpr LossFunction kBinary = [](const Value& t, const Value& y) {
  const std::optional<Value> logits = LogitsOfSigmoid(y);
  return logits ? BinaryCrossEntropyFromLogits(t, *logits) : BinaryCrossEntropy(t, y);
};
// Of logits. Probabilities that are taken for logits train, too, and badly; `name` is that of the
// loss for these.
Value OfLogits(absl::string_view name, bool are_probabilities, Value (*loss)(Arg, Arg),
               const Value& t, const Value& y) {
  if (!are_probabilities) return loss(t, y);
  return Fail(absl::StrCat(name, "_from_logits"), {t, y},
              absl::StrCat("the outputs are probabilities already; return what goes into their "
                           "activation, or name the loss \"",
                           name, "\""),
              {});
}
constexpr LossFunction kCategoricalLogits = [](const Value& t, const Value& y) {
  return OfLogits("categorical_crossentropy", LogitsOfSoftmax(y).has_value(),
                  CategoricalCrossEntropyFromLogits, t, y);
};
constexpr LossFunction kSparseLogits = [](const Value& t, const Value& y) {
  return OfLogits("sparse_categorical_crossentropy", LogitsOfSoftmax(y).has_value(),
                  SparseCategoricalCrossEntropyFromLogits, t, y);
};
constexpr LossFunction kBinaryLogits = [](const Value& t, const Value& y) {
  return OfLogits("binary_crossentropy", LogitsOfSigmoid(y).has_value(),
                  BinaryCrossEntropyFromLogits, t, y);
};
// From the public function, whose arguments are Args.
template <auto kFunction>
constexpr LossFunction kPlain = [](const Value& t, const Value& y) { return kFunction(t, y); };
constexpr LossFunction kHuber = [](const Value& t, const Value& y) { return Huber(t, y); };

constexpr NamedLoss kLosses[] = {
    {"categorical_crossentropy", kCategorical},
    {"sparse_categorical_crossentropy", kSparse},
    {"binary_crossentropy", kBinary},
    {"categorical_crossentropy_from_logits", kCategoricalLogits},
    {"sparse_categorical_crossentropy_from_logits", kSparseLogits},
    {"binary_crossentropy_from_logits", kBinaryLogits},
    {"mean_squared_error", kPlain<MeanSquaredError>},
    {"mse", kPlain<MeanSquaredError>},
    {"MSE", kPlain<MeanSquaredError>},
    {"mean_absolute_error", kPlain<MeanAbsoluteError>},
    {"mae", kPlain<MeanAbsoluteError>},
    {"MAE", kPlain<MeanAbsoluteError>},
    {"mean_absolute_percentage_error", kPlain<MeanAbsolutePercentageError>},
    {"mape", kPlain<MeanAbsolutePercentageError>},
    {"MAPE", kPlain<MeanAbsolutePercentageError>},
    {"mean_squared_logarithmic_error", kPlain<MeanSquaredLogarithmicError>},
    {"msle", kPlain<MeanSquaredLogarithmicError>},
    {"MSLE", kPlain<MeanSquaredLogarithmicError>},
    {"huber_loss", kHuber},
    {"logcosh", kPlain<LogCosh>},
    {"poisson", kPlain<PoissonLoss>},
    {"hinge", kPlain<Hinge>},
    {"squared_hinge", kPlain<SquaredHinge>},
    {"categorical_hinge", kPlain<CategoricalHinge>},
    {"kullback_leibler_divergence", kPlain<KullbackLeibler>},
    {"kld", kPlain<KullbackLeibler>},
    {"KLD", kPlain<KullbackLeibler>},
    {"cosine_proximity", kPlain<CosineProximity>},
    {"cosine_similarity", kPlain<CosineProximity>},
    {"cosine", kPlain<CosineProximity>},
};

// Whose errors name this line, unless a caller has opened another.
template <typename Function>
Loss AtLine(const char* name, Function function, const std::source_location& where) {
  return {name, [function, line = LineOf(where)](Value targets, Value outputs) {
            const UserLine user(outputs, line);
            return function(std::move(targets), std::move(outputs));
          }};
}

}  // namespace

std::vector<std::string> LossNames() {
  std::vector<std::string> names;
  for (const NamedLoss& loss : kLosses) names.push_back(loss.name);
  return names;
}

absl::StatusOr<Loss> LossByName(std::string_view name, std::source_location where) {
  for (const NamedLoss& loss : kLosses) {
    if (name == loss.name) return AtLine(loss.name, loss.function, where);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown loss '", AbslView(name), "'; known are ",
                                                 absl::StrJoin(LossNames(), ", ")));
}

Loss LossOf(Value (*function)(Arg, Arg), std::source_location where) {
  if (function == nullptr) return Loss{"loss", nullptr};
  constexpr std::pair<Value (*)(Arg, Arg), NamedLoss> kNamed[] = {
      {CategoricalCrossEntropyFromLogits,
       {"categorical_crossentropy_from_logits", kCategoricalLogits}},
      {SparseCategoricalCrossEntropyFromLogits,
       {"sparse_categorical_crossentropy_from_logits", kSparseLogits}},
      {SparseCategoricalCrossEntropy,
       {"sparse_categorical_crossentropy", kPlain<SparseCategoricalCrossEntropy>}},
      {BinaryCrossEntropyFromLogits, {"binary_crossentropy_from_logits", kBinaryLogits}},
      {BinaryCrossEntropy, {"binary_crossentropy", kPlain<BinaryCrossEntropy>}}};
  for (const auto& [known, loss] : kNamed) {
    if (function == known) return AtLine(loss.name, loss.function, where);
  }
  return AtLine("loss", function, where);
}

}  // namespace talweg
