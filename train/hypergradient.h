#ifndef TALWEG_TRAIN_HYPERGRADIENT_H_
#define TALWEG_TRAIN_HYPERGRADIENT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "data/dataset.h"
#include "graph/engine.h"
#include "optim/hyper.h"
#include "optim/state.h"
#include "train/training.h"

namespace talweg {

// The derivative of what a whole training reaches by how it was done: of the loss on validation
// data after the last epoch, by the rate of each epoch, the momentum, the first weights (Maclaurin,
// Duvenaud and Adams 2015). A fit is one graph, so this is one more backward pass through its
// loops.
//
//   Training training{.model = mlp, ..., .rate = RateTable({.rates = rates}), .epochs = 200};
//   absl::StatusOr<Hypergradient> h =
//       Hypergradient::Make(engine, training, train, validation, {"schedule/rates"});
//   absl::StatusOr<Hypergradient::Result> at = h->Run();           // a training, and back
//   at->loss, at->gradients["schedule/rates"]                      // float64 [200]
//   h->Run({{"schedule/rates", Array::Vector<double>(better)}});   // nothing is compiled again
//
// What can be differentiated goes by the names that the training has for it:
//
//   schedule/rates, rule/momentum, adjust/... the hyper-parameters (HyperScope)
//   rate (or rate_scale)                      the rate; with a schedule the factor on it, 1
//   parameter/hidden/kernel ...               the weights that the training starts from
//   rule/hidden/kernel/velocity ...           the rule's slots, at the start
//   train/inputs, train/targets               the data, where they are floats
//
// The whole data are evaluated at once, by the model in evaluation, and the loss is the mean over
// the samples. Metrics are left out; adjustments act as they do in a fit, and a step that they take
// or leave counts as fixed. Derivatives are those of float arithmetic: use float64, as float32
// loses half of its digits over a few thousand updates. Where a training is chaotic (a rate that is
// too high) they are right and of no use.

struct HypergradientOptions {
  // The parameters to start from, in place of the initializers'; all of them or none.
  NamedArrays parameters = {};
  // The most bytes that may be kept for the backward pass: what is carried from epoch to epoch, for
  // each epoch, and what is carried from update to update, for each update of one epoch (each epoch
  // is run again on the way back); and with Shuffle::kNumPy the order of the samples. A loop of the
  // model's own whose trips are known only when it runs counts as one trip. A training
  // that would take more is refused before it is compiled, and before anything of that size is
  // made.
  int64_t memory_limit = int64_t{1} << 30;
};

class Hypergradient {
 public:
  // Builds and compiles the graph. Errors: those of Fit; no validation data; a name in `by` that
  // the training does not have (the error lists those that it has), or of something that is no
  // float; memory_limit.
  static absl::StatusOr<Hypergradient> Make(const Engine& engine, const Training& training,
                                            const Dataset& train, const Dataset& validation,
                                            const std::vector<std::string>& by,
                                            const HypergradientOptions& options = {});

  struct Result {
    double loss = 0;         // of the validation data, after the last epoch
    NamedArrays gradients;   // the loss by each of `by`, of its type
    NamedArrays parameters;  // where the training ended, by name: "hidden/kernel"
  };
  // One training, and one backward pass. `at` has other values for any of values(): types stay, and
  // hyper-parameters must be in their range. A run that is told to stop is an error (kCancelled):
  // nobody wants the gradient of half a training. Thread-safe.
  absl::StatusOr<Result> Run(const NamedArrays& at = {}, const RunOptions& options = {}) const;

  // The names that can be differentiated and set, with their present values.
  const NamedArrays& values() const { return values_; }
  // The bytes that memory_limit is about.
  int64_t bytes() const { return bytes_; }
  // Inputs, outputs, and all between.
  const Graph& graph() const { return executable_.graph(); }

 private:
  explicit Hypergradient(Executable executable) : executable_(std::move(executable)) {}

  Executable executable_;
  std::vector<std::string> by_, parameters_;
  NamedArrays inputs_;  // by the names of the graph
  NamedArrays values_;
  std::vector<HyperSpec> hypers_;
  std::vector<StateSpec> states_;
  int64_t bytes_ = 0;
};

}  // namespace talweg

#endif  // TALWEG_TRAIN_HYPERGRADIENT_H_
