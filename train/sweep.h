#ifndef TALWEG_TRAIN_SWEEP_H_
#define TALWEG_TRAIN_SWEEP_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "data/dataset.h"
#include "graph/engine.h"
#include "train/callback.h"
#include "train/fit.h"
#include "train/history.h"
#include "train/training.h"

namespace talweg {

// Values to try of one input of a fit, or of several that change together, by lists of one length:
//
//   SweepAxis("rate", {0.1, 0.01})
//   SweepAxis({{"rate", {0.1, 0.01}}, {"momentum", {0.5, 0.9}}})      two settings, not four
//
// Inputs are "rate" (the first one, where the training has a number for it), "seed", "epochs", and
// each hyper-parameter that is a number, by its name, "rule/momentum", or by the end of it,
// "momentum", where that is one's only. Numbers are float64; seeds and epochs must be whole.
struct SweepAxis {
  using Values = std::pair<std::string, std::vector<double>>;
  SweepAxis(std::string input, std::vector<double> values)
      : inputs{{std::move(input), std::move(values)}} {}
  SweepAxis(std::initializer_list<Values> together) : inputs(together) {}
  explicit SweepAxis(std::vector<Values> together) : inputs(std::move(together)) {}

  std::vector<Values> inputs;
};

// `count` seeds from `first` on.
SweepAxis Seeds(int64_t count, int64_t first = 1);

// Of all epochs of a run, which one counts.
enum class SweepValue : uint8_t { kLast, kBest };

// One fit of a sweep.
struct SweepRun {
  size_t index = 0;     // its row
  size_t training = 0;  // which of the trainings
  // The values of SweepResult::inputs.
  std::vector<double> values = {};
  int64_t epochs = 0;  // that were run
  TrainEnd end = TrainEnd::kEpochs;
  History history = {};
  // With SweepOptions::keep_parameters.
  NamedArrays parameters = {};
  // Of wall-clock time; of runs that went together each has its share.
  double seconds = 0;
};

// A table with a row for each run: training by training, and of each the grid, in which the last
// axis changes first.
struct SweepResult {
  std::vector<std::string> inputs = {};  // as the axes name them
  std::vector<std::string> titles = {};  // SweepOptions::titles
  std::vector<SweepRun> runs = {};

  // The row of the run with the best value of a column of the history. kLast compares the last
  // epochs. kBest compares each run's best epoch: the one to use where EarlyStopping restores the
  // best weights, since the last epoch's value is then not that of SweepRun::parameters. (The best
  // one is, if EarlyStopping has the same column as monitor, and no min_delta.)
  // The mode is "min", "max" or "auto": max where the column's name contains "acc" (as in Keras;
  // min for a cosine similarity, too). NaN is never best; of equal runs it is the first. Errors: no
  // such column, an unknown mode, nothing but NaN.
  absl::StatusOr<size_t> best(std::string_view column, std::string_view mode = "auto",
                              SweepValue value = SweepValue::kLast) const;

  // A line a run: its number, its training (a title or a number) where there are several, inputs
  // (as input/loss where loss is a column, too), epochs, why it ended, and the last values of the
  // history. Shortest decimals that read back to the same number. What a run has not measured is
  // nan.
  //
  //   run,rate,seed,epochs,end,loss,accuracy,val_loss,val_accuracy,lr
  //
  // An axis `rate` is the first rate, `lr` the last epoch's. Where `epochs` is an axis, the number
  // of those that ran is `epochs_run`.
  std::string ToCsv() const;
};

// Of one sweep.
inline constexpr size_t kMostRuns = 1000000;

struct SweepOptions {
  // 0: as many as the machine runs at a time. Where there are fewer runs, several threads share a
  // run's updates, if these are large enough.
  int threads = 0;
  // How many models go through one call of the engine side by side (autodiff/batch.h). They share
  // what an update costs besides its arithmetic, and fill the vectors that a thin network leaves
  // empty; wider ones leave the cache and are slower. 0: chosen by the multiply-adds of an update
  // and the number of updates, which have to be worth a function of many models; 1 where runs may
  // end early, since each waits for the last of them. Whatever stands here, runs that callbacks may
  // watch go on their own, and so do those of unequal epochs whose orders NumPy makes.
  int64_t lanes = 0;
  // The bytes that the sweep may take. 0: half of the memory of the machine, or of its container.
  // Where threads and lanes are not given, there will be fewer of them rather than more memory.
  int64_t memory_limit = 0;
  // Whether runs keep their last parameters.
  bool keep_parameters = false;
  // Where all runs start, in place of the initializers'.
  NamedArrays parameters = {};
  // Watchers of a run, asked for when it starts, by one thread at a time; they are the caller's and
  // outlive the sweep. Runs that have any go on their own, and are seen from whichever thread they
  // run on.
  std::function<std::vector<Callback*>(const SweepRun& run)> callbacks = nullptr;
  // Called after each run, in the order in which they end, by one thread at a time.
  std::function<void(const SweepRun& run)> finished = nullptr;
  // What several trainings are called in errors and tables; empty, or one for each.
  std::vector<std::string> titles = {};
  // Another thread may set it: runs end after their present epochs, others do not begin.
  const std::atomic<bool>* stop = nullptr;
};

// Fits a training once for each combination of the axes' values, and each fit gives what Fit gives
// with these settings, to the bit, whatever the numbers of threads and lanes:
//
//   absl::StatusOr<SweepResult> sweep =
//       Sweep(engine, training, {{"rate", {1, 0.1, 0.01}}, Seeds(30)}, train, test);
//   absl::StatusOr<size_t> best = sweep->best("val_loss");
//   std::cout << sweep->ToCsv();
//
// All of them are one compiled function: the inputs of an axis are inputs of the graph of a fit.
// Without axes there is one run. Runs that are stopped before their first epoch have no epochs.
//
// Errors: an axis without inputs or values, or with lists of unequal length; an input that does not
// exist, is named twice, or may not have such a value; more than kMostRuns runs; lanes that were
// asked for, of models that do not run in step (autodiff/batch.h); a limit
// of memory that is too low, with what it would take; and whatever Fit reports, with the run and
// its inputs. Then nothing is returned; what had ended before was seen by SweepOptions::finished.
absl::StatusOr<SweepResult> Sweep(const Engine& engine, const Training& training,
                                  const std::vector<SweepAxis>& axes, const Dataset& train,
                                  const Dataset& validation = {}, const SweepOptions& options = {});

// The same of several trainings, each with all combinations. Trainings whose graphs are equal, so
// that they differ in numbers only, share one function; it is compiled while others run.
absl::StatusOr<SweepResult> Sweep(const Engine& engine, const std::vector<Training>& trainings,
                                  const std::vector<SweepAxis>& axes, const Dataset& train,
                                  const Dataset& validation = {}, const SweepOptions& options = {});

}  // namespace talweg

#endif  // TALWEG_TRAIN_SWEEP_H_
