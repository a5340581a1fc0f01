#ifndef TALWEG_TRAIN_FIT_GRAPH_H_
#define TALWEG_TRAIN_FIT_GRAPH_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "optim/hyper.h"
#include "optim/state.h"
#include "train/scope.h"
#include "train/training.h"

namespace talweg {

// Types of a data set's arrays without the leading axis.
struct DataTypes {
  Type input, target;
};

// What a training carries from epoch to epoch, by name, with its first values where they are plain
// numbers (parameters come from initializers or files):
//
//   parameter/hidden/kernel ...   the model's
//   rule/hidden/kernel/velocity   the rule's slots
//   adjust/ReduceLROnPlateau/wait the adjustments' state
//   rate (or rate_scale)          the undecayed rate, float64; with a schedule, what it is times
//   epoch, update                 counted from 0, int64
struct TrainingState {
  std::vector<StateSpec> specs;
  size_t parameters = 0;  // the first so many are the parameters
  size_t slots = 0;       // then so many of the rule
  size_t adjust = 0;      // then so many of the adjustments; then rate, epoch, update
};

// In a state as Run::State gives it, the columns of the history.
inline constexpr std::string_view kHistoryPrefix = "history/";

// What is known of a training before any data: made by running its builders once on a scratch tape.
struct TrainingPlan {
  // What the training chose, looked up.
  Loss loss;
  std::vector<Metric> metrics;
  Rule rule = Sgd();
  std::vector<ParameterSpec> parameters;
  std::vector<LayerSpec> layers;
  TrainingState state;
  std::vector<HyperSpec> hypers;
  // Columns of the history: loss, metrics, the same with val_, lr.
  std::vector<std::string> columns;
  bool validates = false;
  bool acts_in_batch = false;   // an adjustment acts at batch ends
  bool stops_in_batch = false;  // ... and may end the training there
  bool stops = false;           // an adjustment may end the training, there or at an epoch's end
  // An adjustment may put other parameters in the place of those that an epoch ended with.
  bool replaces_parameters = false;
};

// Errors: whatever model, loss, rule, schedule or adjustments have to say; hyper-parameters out of
// their range; names that a file of the state could not have; batch or epochs below 1.
absl::StatusOr<TrainingPlan> PlanTraining(const Training& training, const DataTypes& data,
                                          bool validates);

// The whole fit. With n training samples and m for validation (none where m is 0), the inputs are
//
//   train/inputs [n, ..], train/targets [n, ..], validation/inputs [m, ..], validation/targets,
//   seed int64; order int32 [trips, n] (with Shuffle::kNumPy) or epochs int64;
//   the hyper-parameters; state/NAME for each of the plan's states
//
// and the outputs the states after the last epoch, the columns of the history, each [trips], for
// each epoch whether an adjustment ended the training with it (bool [trips]), and the number of
// epochs that were run. With `measured` the parameters that the last epoch's metrics were measured
// with follow the states: adjustments may have put others in their place.
absl::StatusOr<Graph> FitGraph(const Training& training, const TrainingPlan& plan,
                               const DataTypes& data, int64_t n, int64_t m, bool measured = false);

// The places among the outputs of such a graph; states come first.
struct FitOutputs {
  size_t measured = 0;  // the first parameter that the last metrics were measured with
  size_t columns = 0;   // the first column of the history; `measured` where those are left out
  size_t stops = 0;
  size_t trips = 0;
};
FitOutputs OutputsOf(const TrainingPlan& plan, const Graph& graph);

// The same cut at batches, for hosts that watch each of them; the pieces compute the same bits.
struct FitPieces {
  // Inputs: seed, hyper-parameters, state/NAME. Outputs: the states after the adjustments that act
  // before an epoch.
  Graph begin;
  // Inputs: inputs [rows, ..], targets [rows, ..], seed, hyper-parameters, state/NAME, sum/NAME
  // (float64 sums over the epoch's samples: loss, metrics, and the number of samples). Outputs:
  // states, sums, then loss and metrics of this batch, and whether to stop (bool).
  Graph batch;
  // Inputs: validation/.., cut_short (bool: the training ended before the last batch, so nothing is
  // validated), hyper-parameters, state/NAME, sum/NAME. Outputs: states, the row of the history,
  // and whether to stop.
  Graph end;
};
absl::StatusOr<FitPieces> FitInPieces(const Training& training, const TrainingPlan& plan,
                                      const DataTypes& data, int64_t n, int64_t m);

// loss and metrics of `inputs` [rows, ..] and `targets`, sums over the samples in float64, with
// parameter/NAME; outputs in the order loss, metrics.
absl::StatusOr<Graph> EvaluateGraph(const Training& training, const TrainingPlan& plan,
                                    const DataTypes& data);
// outputs [rows, ..] of `inputs` [rows, ..].
absl::StatusOr<Graph> PredictGraph(const Model& model, DType dtype,
                                   const std::vector<ParameterSpec>& parameters, const Type& input);

// The undecayed rate, where a schedule makes it. Inputs: hyper-parameters, and state/rate_scale,
// state/epoch, state/update at the beginning of the update in question. Output: float64.
absl::StatusOr<Graph> RateGraph(const Training& training, const TrainingPlan& plan, int64_t n);

// What a model declares for such inputs.
struct ModelPlan {
  std::vector<ParameterSpec> parameters;
  std::vector<LayerSpec> layers;
};
absl::StatusOr<ModelPlan> PlanModel(const Model& model, DType dtype, const Type& input);

}  // namespace talweg

#endif  // TALWEG_TRAIN_FIT_GRAPH_H_
