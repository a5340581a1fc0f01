#ifndef TALWEG_TRAIN_FIT_BUILDER_H_
#define TALWEG_TRAIN_FIT_BUILDER_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "graph/tape.h"
#include "optim/adjust.h"
#include "optim/hyper.h"
#include "optim/state.h"
#include "train/fit_graph.h"
#include "train/scope.h"
#include "train/training.h"

namespace talweg {

// The parts from which the graphs of a training are put together (private to train/). Each part is
// a function from symbols to symbols that knows nothing of loops, so that the whole fit and its
// pieces are made of the same nodes and compute the same bits.

// What is carried, as Values.
struct Carried {
  std::vector<Value> parameters, slots, adjust;
  // The undecayed rate; with a schedule the factor on it.
  Value rate;
  Value epoch, update;  // int64 scalars
};

// Sums over the samples seen in an epoch, float64: loss, metrics, and last the number of samples.
using Sums = std::vector<Value>;

class FitBuilder {
 public:
  // `tape` is the outermost one, on which hyper-parameters become inputs. `samples`: of training,
  // for schedules that count epochs; any number where nothing is updated.
  FitBuilder(const Training& training, const TrainingPlan& plan, const Tape& tape, int64_t samples);

  // Before an epoch.
  Carried Begin(const Carried& carried, const StateScope& adjust);

  // One update on a batch.
  struct Batch {
    Carried next;
    Sums sums;
    std::vector<Value> measured;  // float64 scalars: loss and metrics of this batch
    Value stop;                   // bool scalar, or of no tape where no adjustment acts here
  };
  Batch Update(const Tape& tape, const Carried& carried, const Sums& sums, const Value& inputs,
               const Value& targets, const Value& seed, const StateScope& slots,
               const StateScope& adjust);

  // The sums of loss and metrics over these samples.
  Sums Evaluate(const Tape& tape, const std::vector<Value>& parameters, const Value& inputs,
                const Value& targets);

  // After an epoch; `validation` is empty where there is none. `cut_short`: a bool scalar, whether
  // the epoch ended before its last batch, and nothing was validated; of no tape where it never
  // does.
  struct Epoch {
    Carried next;
    std::vector<Value> row;  // float64 scalars in the order of the plan's columns
    Value stop;              // or of no tape
  };
  Epoch End(const Carried& carried, const Sums& train, const Sums& validation,
            const Value& cut_short, const StateScope& adjust);

  // The undecayed rate of an update.
  Value Rate(const Carried& carried, const Value& update);

  // Zeros to start sums from.
  Sums NoSums(const Tape& tape) const;

  const HyperScope& hypers() const { return hypers_; }
  absl::Status status() const { return status_; }

 private:
  Value Scheduled(const Carried& carried, const Value& update);
  // The loss or a metric of a batch, if it has one number or more for each of the inputs' samples;
  // else that is the error.
  Value OfEachSample(std::string_view kind, std::string_view name, const Value& per_sample,
                     const Value& inputs);
  static Value SumOf(const Value& per_sample);
  std::vector<Value> MetricSums(const Value& targets, const Value& outputs, const Value& inputs);
  // The moment has the metrics, if there are any.
  Carried Adjusted(AdjustEvent event, const Carried& carried, Moment moment, const Value& update,
                   const StateScope& state, Value* stop);
  std::vector<NamedValue> Named(const std::vector<Value>& parameters) const;

  const Training& training_;
  const TrainingPlan& plan_;
  Tape outermost_;
  HyperScope hypers_;
  int64_t updates_per_epoch_;
  absl::Status status_;
};

// Names of the measured quantities: "loss" and the metrics'.
std::vector<std::string> MeasuredNames(const TrainingPlan& plan);

// The order of samples in an epoch with Shuffle::kSeed, int32 [samples].
Value EpochOrder(const Value& seed, const Value& epoch, int64_t samples);

}  // namespace talweg

#endif  // TALWEG_TRAIN_FIT_BUILDER_H_
