#include "ops/metric.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loss.h"
#include "ops/nn.h"
#include "ops/reduce.h"

namespace talweg {
namespace {

// Labels that have been checked, as what argmax gives.
Value AsIndex(const Value& labels) { return Cast(labels, kInt64); }

Value Matches(const Value& index, const Value& y) {
  return Cast(Equal(index, ArgMax(y, -1)), y.dtype());
}

Value InTopK(const Value& index, const Value& y, int64_t k) {
  const Value own = Gather(y, index, -1, index.rank());
  const Value greater = Greater(y, Spread(own, y.shape(), {y.rank() - 1}));
  const Value few = Less(Sum(Cast(greater, kInt32), -1), k);
  const Value finite = All(Less(Abs(y), std::numeric_limits<double>::infinity()), -1);
  return Cast(And(few, finite), y.dtype());
}

// The failure, if k can not be.
std::optional<Value> RefuseK(std::string_view name, const Arg& outputs, int64_t k) {
  if (k >= 1 && k <= std::numeric_limits<int32_t>::max()) return std::nullopt;
  return Fail(name, {outputs.value()}, absl::StrCat("k is ", k), outputs.line());
}

}  // namespace

Value CategoricalAccuracy(Arg targets, Arg outputs) {
  const UserLine line(outputs);
  if (auto failure = RefusePair("categorical_accuracy", targets, outputs)) return *failure;
  // argmax(t) == argmax(y)
  return Matches(ArgMax(targets, -1), outputs.value());
}

Value SparseCategoricalAccuracy(Arg labels, Arg outputs) {
  const UserLine line(outputs);
  Value label = labels.value();
  if (auto failure = RefuseLabels("sparse_categorical_accuracy", outputs, label)) return *failure;
  // label == argmax(y)
  return Matches(AsIndex(label), outputs.value());
}

Value BinaryAccuracy(Arg targets, Arg outputs, double threshold) {
  const UserLine line(outputs);
  if (auto failure = RefusePair("binary_accuracy", targets, outputs)) return *failure;
  const Value t = targets.value(), y = outputs.value();
  // mean of t == round(y), or of t == (y > threshold)
  const Value side = threshold == 0.5 ? Round(y) : Cast(Greater(y, threshold), y.dtype());
  return Mean(Cast(Equal(t, side), y.dtype()), -1);
}

Value TopKCategoricalAccuracy(Arg targets, Arg outputs, int64_t k) {
  const UserLine line(outputs);
  constexpr std::string_view kName = "top_k_categorical_accuracy";
  if (auto failure = RefusePair(kName, targets, outputs)) return *failure;
  if (auto failure = RefuseK(kName, outputs, k)) return *failure;
  return InTopK(ArgMax(targets, -1), outputs.value(), k);
}

Value SparseTopKCategoricalAccuracy(Arg labels, Arg outputs, int64_t k) {
  const UserLine line(outputs);
  constexpr std::string_view kName = "sparse_top_k_categorical_accuracy";
  Value label = labels.value();
  if (auto failure = RefuseLabels(kName, outputs, label)) return *failure;
  if (auto failure = RefuseK(kName, outputs, k)) return *failure;
  return InTopK(AsIndex(label), outputs.value(), k);
}

namespace {

using MetricFunction = Value (*)(const Value& targets, const Value& outputs);

constexpr MetricFunction kCategorical = [](const Value& t, const Value& y) {
  return CategoricalAccuracy(t, y);
};
constexpr MetricFunction kSparse = [](const Value& t, const Value& y) {
  return SparseCategoricalAccuracy(t, y);
};
constexpr MetricFunction kBinary = [](const Value& t, const Value& y) {
  return BinaryAccuracy(t, y);
};
constexpr MetricFunction kBinaryOfLogits = [](const Value& t, const Value& y) {
  return BinaryAccuracy(t, y, 0);
};

// Of the loss, which is made smaller, Keras's metric of the same names has the other sign.
constexpr MetricFunction kCosine = [](const Value& t, const Value& y) {
  return -CosineProximity(t, y);
};

struct NamedMetric {
  const char* name;
  MetricFunction function;
};

constexpr NamedMetric kMetrics[] = {
    {"categorical_accuracy", kCategorical},
    {"sparse_categorical_accuracy", kSparse},
    {"binary_accuracy", kBinary},
    {"top_k_categorical_accuracy",
     [](const Value& t, const Value& y) { return TopKCategoricalAccuracy(t, y); }},
    {"sparse_top_k_categorical_accuracy",
     [](const Value& t, const Value& y) { return SparseTopKCategoricalAccuracy(t, y); }},
    {"cosine_proximity", kCosine},
    {"cosine_similarity", kCosine},
    {"cosine", kCosine},
};

}  // namespace

absl::StatusOr<Metric> MetricByName(std::string_view name, std::string_view loss, Dim width,
                                    std::source_location where) {
  const SourceLine line = LineOf(where);
  const auto make = [&](MetricFunction function) {
    return Metric{std::string(name), [function, line](Value targets, Value outputs) {
                    const UserLine user(outputs, line);
                    return function(targets, outputs);
                  }};
  };
  const auto from_loss = [&](std::string_view loss_name) -> absl::StatusOr<Metric> {
    absl::StatusOr<Loss> found = LossByName(loss_name, where);
    if (!found.ok()) return found.status();
    return Metric{std::string(name), std::move(found->per_sample)};
  };
  for (const NamedMetric& metric : kMetrics) {
    if (name == metric.name) return make(metric.function);
  }
  constexpr std::string_view kSuffix = "_from_logits";
  const bool logits = loss.ends_with(kSuffix);
  if (logits) loss.remove_suffix(kSuffix.size());
  const bool binary = width == Dim(1) || loss == "binary_crossentropy";
  const bool sparse = !binary && loss == "sparse_categorical_crossentropy";
  if (name == "accuracy" || name == "acc") {
    if (binary) return make(logits ? kBinaryOfLogits : kBinary);
    return make(sparse ? kSparse : kCategorical);
  }
  if (name == "crossentropy" || name == "ce") {
    const std::string_view kind = binary   ? "binary_crossentropy"
                                  : sparse ? "sparse_categorical_crossentropy"
                                           : "categorical_crossentropy";
    return from_loss(absl::StrCat(AbslView(kind), logits ? AbslView(kSuffix) : ""));
  }
  if (absl::StatusOr<Metric> metric = from_loss(name); metric.ok()) return metric;
  const std::string known = absl::StrJoin(
      kMetrics, ", ",
      [](std::string* out, const NamedMetric& metric) { absl::StrAppend(out, metric.name); });
  // Some metrics have the name of a loss, with another sign.
  std::vector<std::string> losses = LossNames();
  std::erase_if(losses, [](const std::string& loss_name) {
    return absl::c_any_of(kMetrics, [&](const NamedMetric& m) { return loss_name == m.name; });
  });
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown metric '", AbslView(name), "'; known are accuracy, acc, crossentropy, ce, ", known,
      " and the losses ", absl::StrJoin(losses, ", ")));
}

}  // namespace talweg
