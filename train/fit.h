#ifndef TALWEG_TRAIN_FIT_H_
#define TALWEG_TRAIN_FIT_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "data/dataset.h"
#include "graph/engine.h"
#include "train/callback.h"
#include "train/history.h"
#include "train/training.h"

namespace talweg {

struct FitOptions {
  // Where to start: the parameters by name ("hidden/kernel"), in place of the initializers'; all of
  // them or none. Or everything that a training carries, as Fitted::state, Run::State or a file of
  // ModelCheckpoint has it: then the training goes on from that epoch, to the same bits as if it
  // had not been interrupted, and its history begins with the epochs before. Not both.
  //
  // A state says how far a training has come and what it has learnt; what it does from there is the
  // Training's: hyper-parameters, schedule, batches, seed. Its `epochs` counts from the first one:
  // a state after 10 of 30 epochs has 20 to go, and one after all of them is returned as it is; one
  // that is further is an error. Only a rate that is a number is the state's, since adjustments
  // change it: for another one, set state["rate"] = Array(0.001), which must be a number from 0 on.
  // Where a schedule makes the rate, the state has "rate_scale", a factor on it.
  NamedArrays parameters = {};
  NamedArrays state = {};
  // Watchers, in the order in which they are called.
  std::vector<Callback*> callbacks = {};
  // What to show on standard output, as Keras's: nothing (0), a progress bar (1), a line an epoch
  // (2). See train/progress_bar.h.
  int verbose = 0;
  // How many threads may share an update, where it is large enough for that to pay; the result is
  // the same to the bit. 0: as many as the machine lends; 1: only the caller's.
  int threads = 0;
  // Another thread may set it; the training then ends after the present epoch (batch, where a
  // callback wants batches) and returns what it has reached. A training that ended within an epoch
  // goes on from that epoch's beginning: it has a row of the epoch's part, which Fitted::state has
  // not.
  const std::atomic<bool>* stop = nullptr;
};

// Why a training ended.
enum class TrainEnd : uint8_t {
  kEpochs,      // all epochs were run
  kAdjustment,  // EarlyStopping, TerminateOnNaN, ... ended it, before its last epoch or with it
  kRequest,     // a callback or FitOptions::stop did, before all was done
};
// "epochs", "adjustment", "request".
std::string_view Name(TrainEnd end);

// What a training leaves.
struct Fitted {
  History history;
  NamedArrays parameters;  // by name
  // All that is carried at the end of the last whole epoch, parameters and "history/loss", ...
  // (float64 [epochs]) included; see FitOptions::state. Where an adjustment ended the training,
  // also "stopped", true: it stays ended, unless that is taken out.
  NamedArrays state;
  TrainEnd end = TrainEnd::kEpochs;
};

// The parameters in a state (Fitted::state, Run::State, a file of a ModelCheckpoint with
// save_weights_only = false), by their own names, as Predict and FitOptions::parameters take them.
NamedArrays ParametersOf(const NamedArrays& state);

// Loss and metrics by name, means over the samples.
using Scores = std::map<std::string, double>;

// Trains on `train` and evaluates `validation` (which may be empty) after each epoch. Inputs and
// targets that are floats are cast to the training's element type.
//
// Several fits, evaluations and predictions may run in threads of their own at once, also on one
// engine; the training's functions (model, loss, ...) are then called from all of these.
//
// Errors: an empty engine, data that does not fit (no samples, unequal numbers of samples and
// targets, other shapes in the validation data), and whatever model, loss, rule, adjustments and
// the engine report.
absl::StatusOr<Fitted> Fit(const Engine& engine, const Training& training, const Dataset& train,
                           const Dataset& validation = {}, const FitOptions& options = {});

// The loss and the metrics of these parameters on a data set; `threads` as FitOptions has it.
//
// Errors: an empty engine, data as Fit refuses it, parameters that are missing, unknown to the
// model or of another shape, and whatever model, loss, metrics and the engine report.
absl::StatusOr<Scores> Evaluate(const Engine& engine, const Training& training,
                                const NamedArrays& parameters, const Dataset& data,
                                int threads = 0);

// The model's outputs [n, ...] for inputs [n, ...], n from 0 up, training.evaluate_batch of them at
// a time. Errors as those of Evaluate; inputs that are a scalar.
absl::StatusOr<Array> Predict(const Engine& engine, const Training& training,
                              const NamedArrays& parameters, const Array& inputs, int threads = 0);

// A model with its parameters, compiled once, for a program that asks again and again (Predict
// makes one at each call):
//
//   absl::StatusOr<Predictor> predictor =
//       Predictor::Make(engine, training, fitted->parameters, {kFloat32, {784}});
//   absl::StatusOr<Array> outputs = predictor->Run(inputs);  // [n, 784] -> [n, 10]
//
// Copies share what was compiled. Run may be called from many threads at once.
class Predictor {
 public:
  // For samples of this type; floats of any type are cast to the training's. Errors: an empty
  // engine, parameters that are missing, unknown to the model or of another shape, and whatever
  // model and engine report.
  static absl::StatusOr<Predictor> Make(const Engine& engine, const Training& training,
                                        const NamedArrays& parameters, const Type& sample);
  // The outputs [n, ...] for inputs [n, ...], n from 0 up, training.evaluate_batch of them at a
  // time: each row's are the same with any. Errors: inputs that are no such samples, or memory that
  // can not be had.
  absl::StatusOr<Array> Run(const Array& inputs, const RunOptions& options = {}) const;

 private:
  Predictor(Executable executable, DType dtype, int64_t at_once)
      : executable_(std::move(executable)), dtype_(dtype), at_once_(at_once) {}

  Executable executable_;
  DType dtype_;                   // of inputs that are floats
  int64_t at_once_;               // rows
  std::vector<Array> arguments_;  // the parameters, and a place for the inputs
  size_t place_ = 0;
};

// The parameters that Fit would start from. Errors as those of Fit, adjustments' aside.
absl::StatusOr<NamedArrays> InitialParameters(const Engine& engine, const Training& training,
                                              const Dataset& data);

// A table of the model's layers, output shapes and numbers of parameters, for such inputs. Errors:
// those of InitialParameters but for an engine's.
absl::StatusOr<std::string> Summary(const Training& training, const Dataset& data);
// The same of a model alone, for samples of this type: Summary(model, {kFloat32, {784}}).
absl::StatusOr<std::string> Summary(const Model& model, const Type& sample);

}  // namespace talweg

#endif  // TALWEG_TRAIN_FIT_H_
