#ifndef TALWEG_OPTIM_ADJUSTMENTS_H_
#define TALWEG_OPTIM_ADJUSTMENTS_H_

#include <functional>
#include <optional>
#include <string>

#include "optim/adjust.h"
#include "optim/hyper.h"
#include "optim/schedule.h"

namespace talweg {

// The callbacks of Keras 2.3.1 that act on a training, with its options, defaults and semantics, as
// graph state. Where a metric is NaN it never is an improvement; where it was not measured, as
// those of validation after an epoch that ended before its last batch, nothing happens.

// Before each epoch: rate = function(epoch, rate), on symbols; both are float64 scalars, and the
// epoch counts from 0. The rate may have been changed by other adjustments.
//
//   LearningRateScheduler([](Value epoch, Value rate) {
//     return Select(Less(epoch, 10), rate, rate * 0.9);
//   })
using RateFunction = std::function<Value(Value epoch, Value rate)>;
Adjustment LearningRateScheduler(RateFunction function);
// Before each epoch: the rate of the schedule, whatever the rate was.
Adjustment LearningRateScheduler(Schedule schedule);

// Reduces the rate where the monitored metric stops improving. At each epoch's end:
//
//   if cooldown_counter > 0:   cooldown_counter -= 1, wait = 0
//   if current < best - min_delta (mode max: current > best + min_delta):
//     best = current, wait = 0
//   else if cooldown_counter is 0:
//     wait += 1
//     if wait >= patience and rate > min_lr:
//       rate = max(rate factor, min_lr), cooldown_counter = cooldown, wait = 0
//
// PyTorch's reduces one epoch later and compares with a relative threshold. The mode is "min",
// "max" or "auto": max where the monitor's name contains "acc" (as in Keras; min for a cosine
// similarity, too). Errors: an unknown mode or monitor; when numbers are bound, a factor that is
// not in [0, 1), a negative patience, cooldown or min_lr.
struct PlateauOptions {
  std::string monitor = "val_loss";
  Hyper factor = 0.1;
  Hyper patience = 10;
  std::string mode = "auto";
  Hyper min_delta = 1e-4;
  Hyper cooldown = 0;
  Hyper min_lr = 0.0;
};
Adjustment ReduceLROnPlateau(const PlateauOptions& options = {});

// Stops the training where the monitored metric stops improving. At each epoch's end:
//
//   if current + min_delta < best (mode max: current - min_delta > best):
//     best = current, wait = 0
//   else:
//     wait += 1, and if wait >= patience: stop
//
// So a patience of 0 acts as 1 does. `best` starts as the baseline, if there is one, else as the
// worst possible. With restore_best_weights the parameters become those of the best epoch, but only
// where this adjustment stopped the training. Where no epoch ever was better than the baseline they
// stay as they are (Keras fails then).
struct EarlyStoppingOptions {
  std::string monitor = "val_loss";
  Hyper min_delta = 0.0;
  Hyper patience = 0;
  std::string mode = "auto";
  std::optional<Hyper> baseline = std::nullopt;
  bool restore_best_weights = false;
};
Adjustment EarlyStopping(const EarlyStoppingOptions& options = {});

// Ends the training after the first update whose batch had a loss that is NaN or infinite.
Adjustment TerminateOnNaN();

}  // namespace talweg

#endif  // TALWEG_OPTIM_ADJUSTMENTS_H_
