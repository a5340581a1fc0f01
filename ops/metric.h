#ifndef TALWEG_OPS_METRIC_H_
#define TALWEG_OPS_METRIC_H_

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/shape.h"
#include "graph/value.h"

namespace talweg {

// Metrics, sample by sample: what a training reports besides its loss. Targets come first, outputs
// second; the last axis is reduced, and the result, a float of the outputs' type, has one number
// for each sample, of which the caller takes the mean:
//
//   Value accuracy = Mean(CategoricalAccuracy(one_hot, logits));
//
// Metrics look at the order of the outputs only, so logits serve as well as probabilities, but for
// BinaryAccuracy, whose threshold is 0 for logits. No gradient flows through them. Errors as those
// of losses (loss.h).

// 1 where the greatest output is at the place of the greatest target, else 0. Of equal ones the
// first counts.
Value CategoricalAccuracy(Arg targets, Arg outputs);
// 1 where the greatest output is at the label's place; labels are integers, [rows] or [rows, 1].
Value SparseCategoricalAccuracy(Arg labels, Arg outputs);
// The share of outputs that are on their target's side: t = 1 if y > threshold else t = 0. With the
// threshold 0.5 outputs are rounded, as Keras does it, so that a target may be any whole number.
Value BinaryAccuracy(Arg targets, Arg outputs, double threshold = 0.5);
// 1 where fewer than k outputs are greater than that of the target's class. So all of several equal
// outputs at the border are among the top k. A row with an output that is not finite counts as 0.
// Both as TensorFlow's in_top_k.
Value TopKCategoricalAccuracy(Arg targets, Arg outputs, int64_t k = 5);
Value SparseTopKCategoricalAccuracy(Arg labels, Arg outputs, int64_t k = 5);

// A metric as a training takes it; the name is that of its column in the history.
struct Metric {
  std::string name;
  std::function<Value(Value targets, Value outputs)> per_sample;
};

// The metric of a name that Keras knows: the accuracies above ("categorical_accuracy",
// "sparse_top_k_categorical_accuracy", ...), every loss of LossByName, and two whose meaning
// depends on the model, "accuracy" (or "acc") and "crossentropy" (or "ce"). "cosine_proximity"
// (or "cosine_similarity", "cosine") is the cosine itself, the greater the better, where the loss
// of that name is minus it. The two that depend on the model:
//
//     binary                where the outputs' last axis has the extent 1, or the loss is
//                           binary_crossentropy
//     sparse categorical    else, where the loss is sparse_categorical_crossentropy
//     categorical           else
//
// `loss` is the loss's name, with or without "_from_logits"; `width` the extent of the outputs'
// last axis. After a loss with "_from_logits", "accuracy" has the threshold 0 and "crossentropy" is
// that of the logits. The metric keeps the name by which it was asked for, as Keras's history does.
// An unknown name is an error.
absl::StatusOr<Metric> MetricByName(std::string_view name, std::string_view loss, Dim width,
                                    std::source_location where = std::source_location::current());

}  // namespace talweg

#endif  // TALWEG_OPS_METRIC_H_
