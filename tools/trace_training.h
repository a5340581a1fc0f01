#ifndef TALWEG_TOOLS_TRACE_TRAINING_H_
#define TALWEG_TOOLS_TRACE_TRAINING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "data/keras_trace.h"
#include "graph/engine.h"
#include "train/training.h"

namespace talweg {

// Repeating a run of Keras from its trace, and saying whether the two agree.
//
//   absl::StatusOr<KerasTrace> trace = ReadKerasTrace(path);
//   absl::StatusOr<KerasTrace> ours = ReplayTrace(Interpret, *trace);
//   for (const std::string& difference : Disagreements(*ours, *trace, agreement)) ...

// What the trace's spec describes, in float64, with NumPy's shuffles of its seed. The model ends in
// a softmax, as Keras's did; LossByName knows when to look at the logits behind it.
struct TraceTraining {
  Training training;
  TrainTest data;
};
// Errors: whatever Blobs, losses and datasets report.
absl::StatusOr<TraceTraining> TrainingOf(const KerasTrace& trace);

// The trace with columns and final weights as this engine computes them from the initial ones.
absl::StatusOr<KerasTrace> ReplayTrace(const Engine& engine, const KerasTrace& trace);

// Where a repetition does not agree with Keras; one sentence a column or parameter, empty if all is
// well. Over the agreement's epochs
//
//   loss, val_loss   |a - b| <= tolerance |b| in each epoch
//   lr               |a - b| <= 1e-12 |b| in each epoch
//   accuracies       sum of |a - b| * samples <= ceil(epochs / 100), for each of the two
//
// and, where it covers the whole run,
//
//   epochs           equally many
//   final weights    max |a - b| / max |b| <= 1000 tolerance for each parameter
//
// NaN agrees with NaN, an infinity with itself.
std::vector<std::string> Disagreements(const KerasTrace& ours, const KerasTrace& keras,
                                       const Agreement& agreement);

// What holds where nobody has said how well a run is defined: all epochs, to 1e-9.
Agreement StrictAgreement(const KerasTrace& trace);

}  // namespace talweg

#endif  // TALWEG_TOOLS_TRACE_TRAINING_H_
