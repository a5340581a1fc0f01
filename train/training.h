#ifndef TALWEG_TRAIN_TRAINING_H_
#define TALWEG_TRAIN_TRAINING_H_

#include <concepts>
#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/shape.h"
#include "ops/loss.h"
#include "ops/metric.h"
#include "optim/adjust.h"
#include "optim/rule.h"
#include "optim/rules.h"
#include "optim/schedule.h"
#include "train/scope.h"

namespace talweg {

// In which order an epoch visits the samples.
enum class Shuffle : uint8_t {
  kSeed,   // a fresh permutation each epoch, made in the graph from the seed
  kNumPy,  // as Keras does it: NumPy's legacy generator, seeded with `seed`, shuffles 0 .. n - 1 in
           // place before each epoch, so that permutations accumulate
  kNone,   // as they stand
};

// A thing, or the name by which Keras knows it. Names are looked up when the training is planned. A
// loss may also be a function of targets and outputs, one number a sample; what "accuracy" means
// then follows from the width of the outputs alone, but for the library's own cross-entropies of
// two parameters, which count as if they were named. (CategoricalCrossEntropy has three; it is
// "categorical_crossentropy".)
//
//   .rule = "adam"      .rule = Adam({.amsgrad = true})      .loss = "mse"
//   .loss = [](Value t, Value y) { return Mean(Abs(t - y), -1); }
//   .metrics = {"accuracy", Metric{"mine", [](Value t, Value y) { ... }}}
template <typename T>
class Choice {
 public:
  // The line is that of errors of what the name stands for.
  Choice(const char* name,  // NOLINT: implicit on purpose
         std::source_location where = std::source_location::current())
      : name_(name == nullptr ? "" : name), where_(where) {}
  Choice(std::string name,  // NOLINT
         std::source_location where = std::source_location::current())
      : name_(std::move(name)), where_(where) {}
  template <typename U>
    requires std::is_convertible_v<U, T>
  Choice(U&& thing) : thing_(std::forward<U>(thing)) {}  // NOLINT
  template <typename F>
    requires(std::same_as<T, Loss> && std::is_invocable_r_v<Value, F&, Value, Value>)
  Choice(F&& loss) : thing_(Loss{"loss", std::forward<F>(loss)}) {}  // NOLINT
  Choice(Value (*loss)(Arg, Arg),                                    // NOLINT
         std::source_location where = std::source_location::current())
    requires std::same_as<T, Loss>
      : thing_(LossOf(loss, where)) {}

  // Null where there is but a name.
  const T* thing() const { return thing_ ? &*thing_ : nullptr; }
  const std::string& name() const { return name_; }
  const std::source_location& where() const { return where_; }

 private:
  std::string name_;
  std::source_location where_;
  std::optional<T> thing_;
};

// Names, as strings. SoftmaxCrossEntropy is for one-hot targets and a model that returns logits (as
// a function it is CategoricalCrossEntropyFromLogits), SparseSoftmaxCrossEntropy the same for
// targets that are labels; Accuracy is the share of samples whose greatest output is at the right
// place.
inline constexpr char SoftmaxCrossEntropy[] = "categorical_crossentropy_from_logits";
inline constexpr char SparseSoftmaxCrossEntropy[] = "sparse_categorical_crossentropy_from_logits";
inline constexpr char Accuracy[] = "accuracy";

// Everything that defines a training but its data.
//
//   Training training{.model = mlp,
//                     .loss = SoftmaxCrossEntropy,
//                     .rule = Sgd({.momentum = 0.9, .decay = 1e-4}),
//                     .rate = 0.01,
//                     .adjust = {ReduceLROnPlateau({.monitor = "val_loss", .patience = 5})},
//                     .metrics = {Accuracy},
//                     .batch = 32,
//                     .epochs = 200,
//                     .seed = 1};
//   absl::StatusOr<Fitted> fitted = Fit(training, train, test);
//
// A fit of it is one graph: the loops over epochs and batches, forward and backward pass, rule,
// schedule, adjustments, metrics and history. Numbers among the hyper-parameters are inputs of that
// graph.
struct Training {
  Model model = nullptr;
  Choice<Loss> loss = "";
  Choice<Rule> rule = "sgd";
  // The rate of each update: a number or a schedule of epochs or updates; without one, the rule's
  // default. Adjustments change it, before an epoch, after it, or after an update; the rule's decay
  // divides it.
  std::optional<Schedule> rate = std::nullopt;
  std::vector<Adjustment> adjust = {};
  std::vector<Choice<Metric>> metrics = {};
  int64_t batch = 32;  // samples an update; the last batch of an epoch may be smaller
  int64_t epochs = 1;  // from the first one on, also where a fit goes on from a state
  int64_t seed = 0;    // of the first parameters, the order of samples, and dropout
  DType dtype = kFloat32;
  Shuffle shuffle = Shuffle::kSeed;
  // Samples evaluated at a time, for validation, Evaluate and Predict; results do not depend on it
  // but for the rounding of sums.
  int64_t evaluate_batch = 128;
};

// How many batches so many samples make, the last one a smaller one perhaps.
inline int64_t BatchesOf(int64_t samples, int64_t batch) {
  return samples / batch + (samples % batch == 0 ? 0 : 1);
}

}  // namespace talweg

#endif  // TALWEG_TRAIN_TRAINING_H_
