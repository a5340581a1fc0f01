#ifndef TALWEG_TRAIN_CALLBACK_H_
#define TALWEG_TRAIN_CALLBACK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/array.h"
#include "train/history.h"

namespace talweg {

// A metric's name and its present value.
struct Measured {
  std::string name;
  double value = 0;
};

// What a callback sees of a running training.
class Run {
 public:
  virtual ~Run() = default;

  // Counted from 0: the epoch and, in batch events, the batch of the epoch and its samples.
  virtual int64_t epoch() const = 0;
  virtual int64_t batch() const = 0;
  virtual int64_t batch_samples() const = 0;
  // Of the training: of its first parameters, shuffles, and random numbers.
  virtual int64_t seed() const = 0;
  // Whether this goes on from where another training was (FitOptions::state).
  virtual bool goes_on() const = 0;
  // How much there will be.
  virtual int64_t epochs() const = 0;
  virtual int64_t batches() const = 0;
  virtual int64_t samples() const = 0;
  virtual int64_t validation_samples() const = 0;

  // The undecayed rate, as schedule and adjustments have it at this moment: before an epoch or
  // batch that of the update to come, after one that of the last update, or what adjustments made
  // of it since. (Adjustments that act before an epoch run after OnEpochBegin.)
  virtual double rate() const = 0;
  // After an epoch its row of the history, and before the next one still that (in a training that
  // goes on, nothing before its first epoch's end); in batch events loss and metrics of the batch.
  virtual const std::vector<Measured>& logs() const = 0;
  // The epochs so far; those before an interruption, too.
  virtual const History& history() const = 0;
  // The present parameters, by name. In OnEpochEnd those that logs() were measured with, even where
  // an adjustment has put others in their place (EarlyStopping the best ones); OnTrainEnd sees
  // these.
  virtual absl::StatusOr<NamedArrays> Parameters() const = 0;
  // All that another training needs to go on from the end of the last epoch, to the same bits
  // (FitOptions::state); the parameters are those after adjustments.
  virtual absl::StatusOr<NamedArrays> State() const = 0;

  // Ends the training after this batch or epoch; everything that was reached is returned.
  virtual void Stop() const = 0;
  // Ends the training with an error, which Fit returns.
  virtual void Fail(absl::Status status) const = 0;
};

// Something of the user's that watches a training on the host. Override what is of interest:
//
//   struct LearningRateMonitor : Callback {
//     std::vector<double> rates;
//     void OnTrainBegin(const Run&) override { rates.clear(); }
//     void OnEpochEnd(const Run& run) override { rates.push_back(run.rate()); }
//   };
//
// Callbacks see and never touch: with or without them the numbers are the same to the bit. What
// acts on a training (rates, early stopping) is an Adjustment and part of the graph.
class Callback {
 public:
  virtual ~Callback() = default;
  // Whether the batch events are wanted. Then the training returns to the host at each batch, which
  // costs time and no bit.
  virtual bool WantsBatches() const { return false; }
  virtual void OnTrainBegin(const Run&) {}
  virtual void OnEpochBegin(const Run&) {}
  virtual void OnBatchBegin(const Run&) {}
  virtual void OnBatchEnd(const Run&) {}
  virtual void OnEpochEnd(const Run&) {}
  virtual void OnTrainEnd(const Run&) {}
};

}  // namespace talweg

#endif  // TALWEG_TRAIN_CALLBACK_H_
