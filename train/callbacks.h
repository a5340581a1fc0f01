#ifndef TALWEG_TRAIN_CALLBACKS_H_
#define TALWEG_TRAIN_CALLBACKS_H_

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "train/callback.h"

namespace talweg {

// Callbacks of Keras 2.3.1 that watch: with its names, options and defaults. (Those that act, such
// as EarlyStopping, are adjustments.) A callback is the caller's and outlives the training:
//
//   CsvLogger log("log.csv");
//   ModelCheckpoint best("best.safetensors", {.save_best_only = true});
//   absl::StatusOr<Fitted> fitted = Fit(training, train, test, {.callbacks = {&log, &best}});
//
// What goes wrong in one, a full disk or a monitor that does not exist, ends the training and is
// the Status that Fit returns.

// Functions for the events of interest. Those of batches are paid for only where they are given.
struct LambdaEvents {
  using Event = std::function<void(const Run&)>;
  Event on_train_begin = nullptr;
  Event on_epoch_begin = nullptr;
  Event on_batch_begin = nullptr;
  Event on_batch_end = nullptr;
  Event on_epoch_end = nullptr;
  Event on_train_end = nullptr;
};

//   LambdaCallback print({.on_epoch_end = [](const Run& run) { ... run.logs() ... }});
class LambdaCallback final : public Callback {
 public:
  explicit LambdaCallback(LambdaEvents events) : events_(std::move(events)) {}

  bool WantsBatches() const override {
    return events_.on_batch_begin != nullptr || events_.on_batch_end != nullptr;
  }
  void OnTrainBegin(const Run& run) override { Call(events_.on_train_begin, run); }
  void OnEpochBegin(const Run& run) override { Call(events_.on_epoch_begin, run); }
  void OnBatchBegin(const Run& run) override { Call(events_.on_batch_begin, run); }
  void OnBatchEnd(const Run& run) override { Call(events_.on_batch_end, run); }
  void OnEpochEnd(const Run& run) override { Call(events_.on_epoch_end, run); }
  void OnTrainEnd(const Run& run) override { Call(events_.on_train_end, run); }

 private:
  static void Call(const LambdaEvents::Event& event, const Run& run) {
    if (event) event(run);
  }
  LambdaEvents events_;
};

// One line an epoch, written when the epoch ends, so that a file can be followed while it grows:
//
//   epoch,accuracy,loss,lr,val_accuracy,val_loss
//   0,0.344,1.0989,0.01,0.378,1.0871
//
// As Keras's: the epoch counts from 0 and the columns are sorted. (Keras has "lr" only where a
// callback changes it, and ends its lines with CR LF.) Numbers are the shortest decimals that read
// back to the same float64. For a file that is never half written see History::WriteCsv.
struct CsvLoggerOptions {
  char separator = ',';
  // Whether an existing file is continued, which must then have the same columns. A line that was
  // never finished goes; and where the training goes on from a state, so do lines of epochs that it
  // repeats. A training that begins anew appends to what another one left, so that a program that
  // goes on with what it finds says {.append = saved.ok()}; before the checkpoint in the list of
  // callbacks, a log then misses no epoch.
  bool append = false;
};

class CsvLogger final : public Callback {
 public:
  explicit CsvLogger(std::string path, const CsvLoggerOptions& options = {})
      : path_(std::move(path)), options_(options) {}

  void OnTrainBegin(const Run& run) override;
  void OnEpochEnd(const Run& run) override;
  void OnTrainEnd(const Run& run) override;

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void Write(const Run& run, const std::string& line);

  std::string path_;
  CsvLoggerOptions options_;
  std::unique_ptr<std::FILE, Close> file_;
};

// Saves the parameters at epochs' ends, as safetensors (data/safetensors.h) whose metadata has the
// epoch and everything that it measured. Each file is the old one or the new one, never half.
//
// Or all that the training carries, history included, from which it goes on to the same bits after
// whatever ended it:
//
//   ModelCheckpoint save("run.safetensors", {.save_weights_only = false});
//   absl::StatusOr<SavedArrays> saved = LoadArrays("run.safetensors");
//   if (!saved.ok() && !absl::IsNotFound(saved.status())) return saved.status();
//   CsvLogger log("run.csv", {.append = saved.ok()});
//   FitOptions options{.callbacks = {&log, &save}};
//   if (saved.ok()) options.state = saved->arrays;
//
// The path may name values, with Python's format after a colon: "{epoch:02d}", counted from 1 here
// as in Keras, and any column of the history, "{val_loss:.2f}"; a value without a format is its
// shortest decimals. "{{" and "}}" are braces. All of these, and the training's seed, stand in the
// file's metadata.
struct ModelCheckpointOptions {
  std::string monitor = "val_loss";
  // Only where the monitor is better than at every save before (in this training, whether it was
  // interrupted or not); NaN never is.
  bool save_best_only = false;
  // The parameters that the epoch was measured with; else all of Run::State, whose parameters are
  // those that the training goes on with: the best ones after the epoch that EarlyStopping ends.
  // (Keras's default is false.)
  bool save_weights_only = true;
  // "min", "max", or "auto": max where the monitor's name contains "acc", as in Keras, and min for
  // all others, also those of which more is better (a cosine similarity).
  std::string mode = "auto";
  // Epochs from one save, or look at the monitor, to the next.
  int64_t period = 1;
};

class ModelCheckpoint final : public Callback {
 public:
  explicit ModelCheckpoint(std::string path, ModelCheckpointOptions options = {})
      : path_(std::move(path)), options_(std::move(options)) {}

  // Refuses wrong options before anything is computed.
  void OnTrainBegin(const Run& run) override;
  void OnEpochEnd(const Run& run) override;

 private:
  bool IsBetter(double value) const;

  std::string path_;
  ModelCheckpointOptions options_;
  bool greater_is_better_ = false;
  double best_ = 0;
  int64_t epochs_since_last_save_ = 0;
  int64_t saved_epochs_ = 0;  // of the last state that was saved, or begun with
};

}  // namespace talweg

#endif  // TALWEG_TRAIN_CALLBACKS_H_
