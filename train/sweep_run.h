#ifndef TALWEG_TRAIN_SWEEP_RUN_H_
#define TALWEG_TRAIN_SWEEP_RUN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/engine.h"
#include "train/session.h"
#include "train/sweep.h"

namespace talweg {

// What a sweep is made of (private to train/).

// What one run has of its own.
struct SweepSetting {
  int64_t seed = 0, epochs = 0;
  // Float64 scalars by the names of hyper-parameters and of the state "rate".
  NamedArrays numbers;
};

// The settings of a training at all points of the grid, and each point's values in the order of the
// axes' inputs. Errors: see Sweep.
struct SweepGrid {
  std::vector<SweepSetting> settings;
  std::vector<std::vector<double>> values;
};
absl::StatusOr<SweepGrid> MakeGrid(const std::vector<SweepAxis>& axes, const Training& training,
                                   const TrainingPlan& plan);

// A graph that is compiled once.
struct SweepFunction {
  Graph graph;
  size_t hash = 0;
  std::optional<Executable> executable;
};

// Runs that share the graph of their fit.
struct SweepGroup {
  SweepFunction* fit = nullptr;      // of one model
  SweepFunction* initial = nullptr;  // its first parameters, from a seed
  std::vector<size_t> runs;
  // What is different in one run and another: inputs of the graph.
  std::set<std::string> varied;
  int64_t epochs = 0;  // at most
  // With more than one lane, the same for so many models, and which outputs have an axis of them.
  int64_t lanes = 1;
  std::shared_ptr<SweepFunction> many_fit, many_initial;
  std::vector<bool> fit_outputs, initial_outputs;
};

// Makes the graphs of `lanes` models. `initialized`: by their seeds; else from given parameters.
absl::Status BatchGroup(SweepGroup& group, const TrainingPlan& plan, bool initialized);

// A call for several models: their kits (which differ in the names and numbers of their plans), and
// their settings, at most as many as there are lanes. What is left over is filled with repetitions
// of the last. Sets all of the runs but their seconds.
absl::Status RunLanes(const SweepGroup& group, absl::Span<const FitKit* const> kits,
                      absl::Span<const SweepSetting* const> settings, const SweepOptions& options,
                      absl::Span<SweepRun* const> runs);

// At most so many bytes does one model take while it is fitted.
int64_t WorkingBytes(const Graph& fit, int64_t epochs);

// How many models should go through one call of a group's fit: several where an update is so little
// work that they stay in the caches, and there are many, and no fewer calls than threads.
// `own_samples`: each of them takes the samples in an order of its own.
int64_t ChooseLanes(const SweepGroup& group, bool own_samples, int threads);

}  // namespace talweg

#endif  // TALWEG_TRAIN_SWEEP_RUN_H_
