#ifndef TALWEG_TRAIN_SESSION_H_
#define TALWEG_TRAIN_SESSION_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "data/dataset.h"
#include "graph/engine.h"
#include "train/callback.h"
#include "train/fit.h"
#include "train/fit_graph.h"
#include "train/history.h"
#include "train/numpy_orders.h"
#include "train/training.h"

namespace talweg {

// What Fit, Evaluate and Predict share (private to train/).

// The types of a sample.
DataTypes TypesOf(const Dataset& data);
// Checked, with floats in the training's element type; integers stay what they are: classes,
// tokens.
absl::StatusOr<Dataset> Prepare(const Dataset& data, DType dtype, std::string_view what);
// What the initializers make.
absl::StatusOr<NamedArrays> MakeInitialParameters(const Engine& engine, const Training& training,
                                                  const TrainingPlan& plan);
// The same by the executable of their graph.
absl::StatusOr<NamedArrays> RunInitialParameters(const Executable& executable, int64_t seed,
                                                 const TrainingPlan& plan);
// Parameters in the element types of the specs; complains of one that is missing, has another
// shape, or is not asked for.
absl::StatusOr<NamedArrays> Matching(const NamedArrays& given,
                                     const std::vector<ParameterSpec>& specs);

// Training and validation data have samples of one kind.
absl::Status CheckAlike(const DataTypes& train, const DataTypes& validation);

// The pieces of a fit, compiled, for callbacks that watch batches.
struct CompiledPieces {
  Executable begin, batch, end;
  // The permutation that the graph of the whole fit draws for an epoch, by "seed" and "epoch".
  std::optional<Executable> order;
};
absl::StatusOr<CompiledPieces> CompilePieces(const Engine& engine, const Training& training,
                                             const TrainingPlan& plan, const DataTypes& data,
                                             int64_t n, int64_t m);

// "fit: the engine is empty", where it is.
absl::Status CheckEngine(const Engine& engine, std::string_view what);
// "fit: one of the callbacks is null", where it is.
absl::Status CheckCallbacks(absl::Span<Callback* const> callbacks, std::string_view what);
bool WantBatches(absl::Span<Callback* const> callbacks);

// What all fits have in common that differ in run-time inputs only: a seed, the number of epochs,
// the first rate, hyper-parameters. Does not change while they run.
struct FitKit {
  Dataset train, validation;
  DataTypes types;
  TrainingPlan plan;
  // Of FitGraph and of the graph of the first parameters; a session makes what is not there.
  std::optional<Executable> fit, initial;
  std::shared_ptr<const CompiledPieces> pieces = nullptr;
  // Of RateGraph; made by the first callback that asks for a rate.
  struct SharedExecutable {
    std::mutex making;
    std::optional<Executable> made;
  };
  std::shared_ptr<SharedExecutable> scheduled_rate = std::make_shared<SharedExecutable>();
};
// Errors: those of Fit. The executables are left to others, but for those that are made when they
// are asked for.
absl::StatusOr<FitKit> MakeKit(const Training& training, const Dataset& train,
                               const Dataset& validation);

// One training under way: plan, data, state, and what its callbacks see.
class Session final : public Run {
 public:
  // All three outlive the session.
  Session(const Engine& engine, const Training& training, const FitOptions& options)
      : engine_(engine), training_(training), options_(options) {}

  absl::Status Start(const Dataset& train, const Dataset& validation);
  // With what is there already. `numbers` are taken in place of the training's own: float64 scalars
  // by the names of hyper-parameters and of states ("rate").
  absl::Status Start(const FitKit& kit, const NamedArrays& numbers);
  // What FitGraph's graph takes to go on for so many epochs.
  absl::StatusOr<NamedArrays> FitInputs(const Graph& graph, int64_t epochs);
  const TrainingPlan& plan() const { return plan_; }
  const DataTypes& types() const { return types_; }
  absl::Status Train();
  absl::StatusOr<Fitted> Finish() &&;

  int64_t epoch() const override { return epoch_; }
  int64_t batch() const override { return batch_; }
  int64_t batch_samples() const override { return batch_samples_; }
  int64_t seed() const override { return training_.seed; }
  bool goes_on() const override { return !options_.state.empty(); }
  int64_t epochs() const override { return training_.epochs; }
  int64_t batches() const override { return BatchesOf(train_.size(), training_.batch); }
  int64_t samples() const override { return train_.size(); }
  int64_t validation_samples() const override { return validation_.size(); }
  double rate() const override;
  const std::vector<Measured>& logs() const override { return logs_; }
  const History& history() const override { return history_; }
  absl::StatusOr<NamedArrays> Parameters() const override {
    return measured_.empty() ? ParametersOf(state_) : measured_;
  }
  absl::StatusOr<NamedArrays> State() const override;
  void Stop() const override { stop_asked_ = true; }
  void Fail(absl::Status status) const override {
    if (failure_.ok()) failure_ = std::move(status);
    stop_asked_ = true;
  }

 private:
  // One call of the engine for all epochs; where callbacks watch, one for each.
  absl::Status TrainByEpochs();
  // One call for each batch, for callbacks that want them. The same bits.
  absl::Status TrainByBatches();
  absl::Status StartFrom(const NamedArrays& state);
  absl::StatusOr<double> ScheduledRate() const;
  NamedArrays StateInputs(const Graph& graph) const;
  // Takes states from the front of outputs, and returns how many there were.
  size_t TakeState(const std::vector<Array>& outputs);
  void TakeRow(const std::vector<double>& row);
  // Now the training could go on from here.
  void EndEpoch();
  // Callbacks look back at an update of the present epoch.
  void LookBack() {
    updated_ = true;
    updated_in_ = epoch_;
  }
  int64_t Counter(const char* name) const { return state_.at(name).data<int64_t>()[0]; }
  // The order of samples of the present epoch, whoever makes it.
  absl::StatusOr<std::vector<int64_t>> PresentOrder();
  bool StopAsked() const {
    return stop_asked_ || (options_.stop != nullptr && options_.stop->load());
  }
  void Each(void (Callback::*event)(const Run&)) {
    for (Callback* callback : options_.callbacks) (callback->*event)(*this);
  }

  const Engine& engine_;
  const Training& training_;
  const FitOptions& options_;
  Dataset train_, validation_;
  TrainingPlan plan_;
  DataTypes types_;
  std::optional<Executable> fit_, initial_;
  NamedArrays state_;          // by the names of the plan's states
  std::vector<Array> before_;  // the states before, whose memory the next update may take
  NamedArrays measured_;       // in OnEpochEnd, where adjustments may have replaced parameters
  NamedArrays last_epoch_;     // the same at the end of the last whole epoch,
  size_t whole_epochs_ = 0;    // and how many rows of the history there were
  NamedArrays hypers_;
  std::optional<NumPyOrders> orders_;  // where the host makes them
  History history_;
  std::vector<Measured> logs_;
  std::shared_ptr<const CompiledPieces> pieces_;
  std::shared_ptr<FitKit::SharedExecutable> scheduled_rate_;
  int64_t epoch_ = 0, batch_ = 0, batch_samples_ = 0;
  // Whether callbacks look at the last update, not at the next; and the epoch in which it was.
  bool updated_ = false;
  int64_t updated_in_ = 0;
  bool begun_ = false, stopped_ = false, adjusted_ = false;
  mutable bool stop_asked_ = false;
  mutable absl::Status failure_;
};

}  // namespace talweg

#endif  // TALWEG_TRAIN_SESSION_H_
