#ifndef TALWEG_DATA_KERAS_TRACE_H_
#define TALWEG_DATA_KERAS_TRACE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/array.h"
#include "data/blobs.h"

namespace talweg {

// A run of Keras 2.3.1, written down: what was run, from which weights, what each epoch measured,
// and the weights it ended with. The files of tests/data/keras_2_3_1 are such traces:
//
//   {"name": "momentum_0.9",
//    "spec": {"data": {"n_samples": 1000, "centers": 3, "n_features": 2, "cluster_std": 2,
//                      "random_state": 2, "train": 500},
//             "hidden": 50, "batch_size": 32, "epochs": 200, "seed": 1,
//             "loss": "categorical_crossentropy",
//             "optimizer": {"class": "SGD", "lr": 0.01, "momentum": 0.9}, "callbacks": []},
//    "loss": [..], "accuracy": [..], "val_loss": [..], "val_accuracy": [..], "lr": [..],
//    "initial_weights": {"w1": [[..], ..], "b1": [..], "w2": [[..], ..], "b2": [..]},
//    "final_weights": {..}}
//
//   absl::StatusOr<KerasTrace> trace = ReadKerasTrace("tests/data/keras_2_3_1/nadam.json");
//
// The model is a hidden layer of `hidden` units with ReLU and an output layer with a softmax.

// An optimizer's class and those of its options that the trace names; others have Keras's defaults.
// Where nothing is the default, as of clipnorm and a callback's baseline, null says so.
struct KerasOptimizer {
  std::string name;  // SGD, RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam
  std::optional<double> lr, momentum, rho, beta_1, beta_2, epsilon, schedule_decay, decay, clipnorm,
      clipvalue;
  bool nesterov = false, amsgrad = false;
};

// The same of a callback.
struct KerasCallback {
  // ReduceLROnPlateau, EarlyStopping, LearningRateScheduler, TerminateOnNaN; and ModelCheckpoint
  // and CSVLogger, which only watch: a repetition is the same without them.
  std::string name;
  bool OnlyWatches() const { return name == "ModelCheckpoint" || name == "CSVLogger"; }
  std::optional<std::string> monitor = std::nullopt, mode = std::nullopt;
  std::optional<double> factor = std::nullopt, patience = std::nullopt, min_delta = std::nullopt,
                        cooldown = std::nullopt, min_lr = std::nullopt, baseline = std::nullopt;
  bool restore_best_weights = false;
  // Of LearningRateScheduler, which has both: the rate is multiplied by `drop` at each epoch,
  // counted from 0, that is a positive multiple of `every`.
  std::optional<double> drop = std::nullopt, every = std::nullopt;
  std::optional<double> verbose = std::nullopt;  // of any; nobody reads it
  // Of ModelCheckpoint and CSVLogger.
  std::optional<std::string> filepath = std::nullopt, filename = std::nullopt,
                             separator = std::nullopt;
  std::optional<double> period = std::nullopt;
  bool save_best_only = false, save_weights_only = false, append = false;
};

struct KerasTrace {
  std::string name;
  BlobsOptions data;
  int64_t samples = 0;  // in all; the first `train` are trained on, the others validate
  int64_t train = 0;
  int64_t features = 0, hidden = 0, classes = 0;
  int64_t batch = 0, epochs = 0;
  // Of the shuffles alone: NumPy's legacy generator.
  uint32_t seed = 0;
  std::string loss;  // Keras's name
  // Whether, and at which epsilon, cross-entropy was computed from clipped probabilities instead of
  // from the logits.
  std::optional<double> clip_probabilities;
  KerasOptimizer optimizer;
  std::vector<KerasCallback> callbacks;

  // By the names of Keras's history: loss, accuracy, val_loss, val_accuracy, and lr, read before
  // the callbacks of the epoch's end act. One number an epoch, all of them equally many: where
  // TerminateOnNaN ended the last epoch before its validation, what Keras lacks is NaN here.
  std::map<std::string, std::vector<double>, std::less<>> columns;
  // "hidden/kernel" [features, hidden], "hidden/bias" [hidden], "output/kernel" [hidden, classes],
  // "output/bias" [classes]; float64.
  NamedArrays initial_weights, final_weights;

  // The spec as it stands in the file, for writing it back.
  std::string spec;
};

inline constexpr int64_t kMaxTraceBytes = int64_t{16} << 20;

// How closely, and for how many epochs, a repetition must agree with a trace: an entry of
// agreement.json, which stands beside the traces.
struct Agreement {
  int64_t epochs = 0;
  double tolerance = 0;  // relative, of loss and val_loss
};
using Agreements = std::map<std::string, Agreement, std::less<>>;

// Whether what the run measured and where it ended is read, or, for who only wants to repeat the
// run, passed over: then it may be missing, or be anything.
enum class TraceResults : uint8_t { kRead, kIgnore };

// Errors name the place: "spec.optimizer: unknown key 'lrate'". Refused are whatever data/json.h
// refuses, keys and classes that Keras 2.3.1 has not or that this page does not name, missing keys,
// wrong types, numbers that can not be (0 epochs, weights that are not finite at the start), shapes
// of weights and lengths of columns that do not fit, and sizes beyond what a test could mean.
absl::StatusOr<KerasTrace> ParseKerasTrace(std::string_view json,
                                           TraceResults results = TraceResults::kRead);
absl::StatusOr<Agreements> ParseAgreements(std::string_view json);
// The same from files; messages begin with the path.
absl::StatusOr<KerasTrace> ReadKerasTrace(const std::string& path,
                                          TraceResults results = TraceResults::kRead);
absl::StatusOr<Agreements> ReadAgreements(const std::string& path);

// The trace as such a file, on one line. Columns and weights that it lacks are empty lists, which
// ParseKerasTrace refuses where it reads results.
std::string FormatKerasTrace(const KerasTrace& trace);

}  // namespace talweg

#endif  // TALWEG_DATA_KERAS_TRACE_H_
