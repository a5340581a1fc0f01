#ifndef TALWEG_OPTIM_ADJUST_H_
#define TALWEG_OPTIM_ADJUST_H_

#include <functional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/tape.h"
#include "graph/value.h"
#include "optim/hyper.h"
#include "optim/state.h"

namespace talweg {

// What an adjustment acts on, and what all adjustments of one moment leave behind.
struct Adjustable {
  Value rate;  // float64 scalar, before decay
  std::vector<NamedValue> parameters;
  Value stop = {};  // bool scalar; no value where nobody can stop
};

// What the training knows at a moment.
struct Moment {
  // Int64 scalars: the present epoch's number, from 0, until after its end; and the updates made so
  // far, with the one just made.
  Value epoch, update;
  std::vector<NamedValue> metrics;  // float64 scalars: "loss", "val_accuracy", ...
  Value updates_per_epoch = {};     // int64 scalar; for schedules
  // By metric a bool scalar, whether it was measured; where there is none, it always is.
  std::vector<NamedValue> measured = {};
};

// What an adjustment sees and may do.
class AdjustScope {
 public:
  AdjustScope(const Moment& moment, Adjustable* adjustable, HyperScope hypers, StateScope state);

  // Int64 scalars, as in Moment.
  const Value& epoch() const { return moment_.epoch; }
  const Value& update() const { return moment_.update; }
  const Moment& moment() const { return moment_; }

  // A float64 scalar. An unknown name is an error that lists the names.
  Value Metric(std::string_view name) const;
  // Whether it was measured at this moment, a bool scalar: false for those of validation
  // ("val_...") after an epoch that ended before its last batch. Metric is NaN then.
  Value Measured(std::string_view name) const;

  // The undecayed rate, float64: adjustments that ran before have acted on it.
  const Value& rate() const { return adjustable_->rate; }
  void SetRate(Arg rate) const;

  Value Hyper(std::string_view name, const talweg::Hyper& hyper, const Range& range = {}) const;
  const HyperScope& hypers() const { return hypers_; }

  // Float64 scalars of this adjustment's own that stay from one moment to the next.
  Value State(std::string_view name, double start = 0,
              std::source_location where = std::source_location::current()) const;
  void Set(std::string_view name, Arg next,
           std::source_location where = std::source_location::current()) const;

  // Ends the training where the bool scalar is true: after this epoch, or after this batch's
  // update. Nothing can be ended before an epoch.
  void Stop(const Value& when) const;

  // The parameters, which may be replaced, and a state of the type of parameter i for each that is
  // asked for; it starts as zeros.
  const std::vector<NamedValue>& parameters() const { return adjustable_->parameters; }
  void SetParameter(size_t i, const Value& next) const;
  Value Snapshot(size_t i) const;
  void SetSnapshot(size_t i, const Value& next) const;

  // Reports a wrong option: "ReduceLROnPlateau: <what>", in a training
  // "adjust/ReduceLROnPlateau: <what>".
  void Fail(std::string_view what) const;

 private:
  // Reports an index that is none.
  bool HasParameter(size_t i) const;

  const Moment& moment_;
  Adjustable* adjustable_;
  HyperScope hypers_;
  StateScope state_;
};

// A piece of a training's graph that changes the rate, stops, or puts parameters back: what Keras
// does by callbacks that act. Each part may be empty.
//
//   Adjustment halve_every_ten{.name = "halve", .begin = [](AdjustScope& s) {
//     Value tens = Cast(s.epoch(), kFloat64) / 10;
//     Value now = And(Greater(tens, 0), Equal(tens, Floor(tens)));
//     s.SetRate(Select(now, s.rate() / 2, s.rate()));
//   }};
//
// Ready-made ones are in optim/adjustments.h.
struct Adjustment {
  using Function = std::function<void(AdjustScope&)>;

  std::string name;
  Function begin = nullptr;  // before each epoch; there are no metrics yet
  // After each update; the metrics are the batch's, "loss" among them.
  Function batch_end = nullptr;
  Function end = nullptr;  // after each epoch
};

enum class AdjustEvent { kEpochBegin, kBatchEnd, kEpochEnd };

// Whether any of them acts at this moment; where none does, Adjust changes nothing.
bool Acts(AdjustEvent event, absl::Span<const Adjustment> adjustments);

// Runs the adjustments in their order. Each has its state and hyper-parameters under its own name,
// "ReduceLROnPlateau/wait"; a second one of the same name under "ReduceLROnPlateau_1/wait". Stops
// are combined by or. Errors: those of the adjustments, a rate or metric that is no float64 scalar.
absl::StatusOr<Adjustable> Adjust(AdjustEvent event, absl::Span<const Adjustment> adjustments,
                                  const Moment& moment, const Adjustable& before,
                                  const HyperScope& hypers, const StateScope& state);

}  // namespace talweg

#endif  // TALWEG_OPTIM_ADJUST_H_
