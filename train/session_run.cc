#include <algorithm>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "train/fit_builder.h"
#include "train/session.h"

namespace talweg {

absl::StatusOr<NamedArrays> Session::FitInputs(const Graph& graph, int64_t epochs) {
  NamedArrays inputs = StateInputs(graph);
  inputs["train/inputs"] = train_.inputs;
  inputs["train/targets"] = train_.targets;
  if (plan_.validates) {
    inputs["validation/inputs"] = validation_.inputs;
    inputs["validation/targets"] = validation_.targets;
  }
  if (!orders_) {
    inputs["epochs"] = Array(epochs);
    return inputs;
  }
  absl::StatusOr<Array> orders = orders_->Next(epochs);
  if (!orders.ok()) return orders.status();
  inputs["order"] = *std::move(orders);
  return inputs;
}

absl::Status Session::Train() {
  const absl::Status status = WantBatches(options_.callbacks) ? TrainByBatches() : TrainByEpochs();
  stopped_ = stopped_ || epoch_ < training_.epochs;
  // Whatever has ended it: callbacks hold files and the like.
  if (begun_) Each(&Callback::OnTrainEnd);
  return status.ok() ? failure_ : status;
}

absl::Status Session::TrainByEpochs() {
  const bool watched = !options_.callbacks.empty();
  if (!fit_) {
    const absl::StatusOr<Graph> graph =
        FitGraph(training_, plan_, types_, train_.size(), validation_.size(),
                 watched && plan_.replaces_parameters);
    if (!graph.ok()) return graph.status();
    absl::StatusOr<Executable> made = engine_(*graph);
    if (!made.ok()) return made.status();
    fit_ = *std::move(made);
  }
  const Executable& executable = *fit_;
  const FitOutputs at = OutputsOf(plan_, executable.graph());
  begun_ = true;
  Each(&Callback::OnTrainBegin);
  // Where nobody watches, all epochs are one call; else one at a time.
  while (epoch_ < training_.epochs && !stopped_ && !StopAsked()) {
    int64_t count = watched ? 1 : training_.epochs - epoch_;
    if (orders_) count = NumPyOrders::EpochsAtATime(train_.size(), count);
    const absl::StatusOr<NamedArrays> inputs = FitInputs(executable.graph(), count);
    if (!inputs.ok()) return inputs.status();
    updated_ = false;
    Each(&Callback::OnEpochBegin);
    if (StopAsked()) break;
    const absl::StatusOr<std::vector<Array>> outputs = executable.Run(
        *inputs, {.stop = options_.stop, .threads = options_.threads, .reuse = &before_});
    if (!outputs.ok()) return outputs.status();
    TakeState(*outputs);
    NamedArrays measured;
    for (size_t i = at.measured; i < at.columns; i++) {
      measured[plan_.parameters[i - at.measured].name] = (*outputs)[i];
    }
    const auto trips = static_cast<size_t>((*outputs)[at.trips].data<int64_t>()[0]);
    for (size_t trip = 0; trip < trips; trip++) {
      std::vector<double> row;
      for (size_t i = at.columns; i < at.stops; i++) {
        row.push_back((*outputs)[i].data<double>()[trip]);
      }
      TakeRow(row);
    }
    if (trips > 0) {
      epoch_ = Counter("epoch") - 1;
      adjusted_ = (*outputs)[at.stops].data<bool>()[trips - 1];
      EndEpoch();
      LookBack();
      measured_ = std::move(measured);
      Each(&Callback::OnEpochEnd);
      measured_.clear();
      epoch_++;
    }
    stopped_ = static_cast<int64_t>(trips) < count || adjusted_;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> Session::PresentOrder() {
  std::vector<int64_t> order(static_cast<size_t>(train_.size()));
  if (orders_) {
    const absl::Span<const int32_t> next = orders_->Next();
    order.assign(next.begin(), next.end());
    return order;
  }
  if (training_.shuffle == Shuffle::kNone) {
    std::iota(order.begin(), order.end(), 0);
    return order;
  }
  const absl::StatusOr<std::vector<Array>> drawn =
      pieces_->order->Run({{"seed", Array(training_.seed)}, {"epoch", Array(epoch_)}});
  if (!drawn.ok()) return drawn.status();
  const absl::Span<const int32_t> elements = (*drawn)[0].data<int32_t>();
  order.assign(elements.begin(), elements.end());
  return order;
}

absl::StatusOr<CompiledPieces> CompilePieces(const Engine& engine, const Training& training,
                                             const TrainingPlan& plan, const DataTypes& data,
                                             int64_t n, int64_t m) {
  const absl::StatusOr<FitPieces> pieces = FitInPieces(training, plan, data, n, m);
  if (!pieces.ok()) return pieces.status();
  absl::StatusOr<Executable> begin = engine(pieces->begin);
  if (!begin.ok()) return begin.status();
  absl::StatusOr<Executable> batch = engine(pieces->batch);
  if (!batch.ok()) return batch.status();
  absl::StatusOr<Executable> end = engine(pieces->end);
  if (!end.ok()) return end.status();
  CompiledPieces made{*std::move(begin), *std::move(batch), *std::move(end), std::nullopt};
  if (training.shuffle == Shuffle::kSeed) {
    Tape tape;
    const Value seed = tape.Input("seed", kInt64, {}), epoch = tape.Input("epoch", kInt64, {});
    const absl::StatusOr<Graph> graph = tape.Finish({EpochOrder(seed, epoch, n)});
    if (!graph.ok()) return graph.status();
    absl::StatusOr<Executable> order = engine(*graph);
    if (!order.ok()) return order.status();
    made.order = *std::move(order);
  }
  return made;
}

absl::Status Session::TrainByBatches() {
  if (pieces_ == nullptr) {
    absl::StatusOr<CompiledPieces> made =
        CompilePieces(engine_, training_, plan_, types_, train_.size(), validation_.size());
    if (!made.ok()) return made.status();
    pieces_ = std::make_shared<const CompiledPieces>(*std::move(made));
  }
  const auto& [begin, update, end, _] = *pieces_;
  const std::vector<std::string> names = MeasuredNames(plan_);
  const RunOptions how{.threads = options_.threads, .reuse = &before_};

  begun_ = true;
  Each(&Callback::OnTrainBegin);
  while (epoch_ < training_.epochs && !stopped_ && !StopAsked()) {
    updated_ = false;
    Each(&Callback::OnEpochBegin);
    if (StopAsked()) break;
    NamedArrays inputs = StateInputs(begin.graph());
    absl::StatusOr<std::vector<Array>> outputs = begin.Run(inputs, how);
    if (!outputs.ok()) return outputs.status();
    TakeState(*outputs);
    const absl::StatusOr<std::vector<int64_t>> order = PresentOrder();
    if (!order.ok()) return order.status();
    std::vector<Array> sums(names.size() + 1, Array(0.0));
    // An epoch that has begun has a first batch: without one, it would have nothing to tell.
    for (batch_ = 0; batch_ < batches() && !stopped_ && (batch_ == 0 || !StopAsked()); batch_++) {
      const int64_t first = batch_ * training_.batch;
      batch_samples_ = std::min(training_.batch, train_.size() - first);
      logs_.clear();
      updated_ = false;
      Each(&Callback::OnBatchBegin);
      const absl::StatusOr<Dataset> rows =
          Take(train_, absl::MakeConstSpan(*order).subspan(static_cast<size_t>(first),
                                                           static_cast<size_t>(batch_samples_)));
      if (!rows.ok()) return rows.status();
      inputs = StateInputs(update.graph());
      inputs["inputs"] = rows->inputs;
      inputs["targets"] = rows->targets;
      for (size_t i = 0; i < sums.size(); i++) {
        inputs[absl::StrCat("sum/", i < names.size() ? names[i] : "samples")] = sums[i];
      }
      outputs = update.Run(inputs, how);
      if (!outputs.ok()) return outputs.status();
      size_t next = TakeState(*outputs);
      for (Array& sum : sums) sum = (*outputs)[next++];
      for (const std::string& name : names) logs_.push_back({name, (*outputs)[next++].At(0)});
      stopped_ = (*outputs)[next].data<bool>()[0];
      LookBack();
      Each(&Callback::OnBatchEnd);
    }
    const bool cut_short = batch_ < batches();
    const bool asked = !stopped_ && cut_short;  // nothing else ends the loop before
    inputs = StateInputs(end.graph());
    for (size_t i = 0; i < sums.size(); i++) {
      inputs[absl::StrCat("sum/", i < names.size() ? names[i] : "samples")] = sums[i];
    }
    inputs["cut_short"] = Array(cut_short);
    if (plan_.validates) {
      inputs["validation/inputs"] = validation_.inputs;
      inputs["validation/targets"] = validation_.targets;
    }
    if (plan_.replaces_parameters) measured_ = ParametersOf(state_);
    outputs = end.Run(inputs, how);
    if (!outputs.ok()) return outputs.status();
    const size_t columns = TakeState(*outputs);
    std::vector<double> row;
    for (size_t i = 0; i < plan_.columns.size(); i++) row.push_back((*outputs)[columns + i].At(0));
    TakeRow(row);
    stopped_ = stopped_ || outputs->back().data<bool>()[0];
    adjusted_ = stopped_ && !asked;
    if (!asked) EndEpoch();
    Each(&Callback::OnEpochEnd);
    measured_.clear();
    epoch_++;
  }
  return absl::OkStatus();
}

}  // namespace talweg
