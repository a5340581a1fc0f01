#include "tests/optim/epochs.h"
#include "tests/graphs/engines.h"

#include <utility>

namespace talweg {
namespace {

constexpr const char* kMetrics[] = {"loss", "accuracy", "val_loss", "val_accuracy"};

}  // namespace

absl::StatusOr<Epochs> Epochs::Make(const std::vector<Adjustment>& adjustments) {
  Tape t;
  HyperScope hypers(t);
  StateScope state(t);
  Moment moment = {.epoch = t.Input("epoch", kInt64, {}),
                   .update = t.Input("update", kInt64, {}),
                   .metrics = {},
                   .updates_per_epoch = t.Constant(Array(int64_t{16}))};
  const Value never = t.Constant(Array(false));
  const auto stop_of = [&](const Adjustable& a) { return a.stop.ok() ? a.stop : never; };
  const Adjustable before = {.rate = t.Input("rate", kFloat64, {}),
                             .parameters = {{"p", t.Input("p", kFloat64, {2})}}};

  absl::StatusOr<Adjustable> begun =
      Adjust(AdjustEvent::kEpochBegin, adjustments, moment, before, hypers, state);
  if (!begun.ok()) return begun.status();
  state.Commit();
  moment.metrics = {{"loss", t.Input("batch_loss", kFloat64, {})}};
  absl::StatusOr<Adjustable> batch =
      Adjust(AdjustEvent::kBatchEnd, adjustments, moment, *begun, hypers, state);
  if (!batch.ok()) return batch.status();
  state.Commit();
  moment.metrics.clear();
  for (const char* name : kMetrics) moment.metrics.push_back({name, t.Input(name, kFloat64, {})});
  const Adjustable trained = {.rate = batch->rate, .parameters = batch->parameters};
  absl::StatusOr<Adjustable> ended =
      Adjust(AdjustEvent::kEpochEnd, adjustments, moment, trained, hypers, state);
  if (!ended.ok()) return ended.status();
  absl::StatusOr<std::vector<Value>> next = state.Next();
  if (!next.ok()) return next.status();

  std::vector<Value> outputs = {begun->rate, ended->rate, stop_of(*batch), stop_of(*ended),
                                ended->parameters[0].value};
  outputs.insert(outputs.end(), next->begin(), next->end());
  absl::StatusOr<Graph> graph = t.Finish(outputs);
  if (!graph.ok()) return graph.status();
  absl::StatusOr<Executable> executable = EveryEngine(*graph);
  if (!executable.ok()) return executable.status();
  Epochs epochs(*std::move(executable));
  epochs.hypers_ = hypers.specs();
  epochs.specs_ = state.specs();
  epochs.bound_ = hypers.Bindings();
  return epochs;
}

void Epochs::Start(double rate) {
  rate_ = rate;
  epoch_ = 0;
  state_.clear();
  for (const StateSpec& spec : specs_) {
    const Dims dims = Resolve(spec.type.shape, {});
    const std::vector<double> elements(static_cast<size_t>(SizeOf(dims)), spec.start);
    state_.push_back(*Array::From<double>(dims, elements)->Cast(spec.type.dtype));
  }
}

absl::StatusOr<Epochs::Output> Epochs::Run(const Input& input) {
  NamedArrays inputs = bound_;
  inputs.insert_or_assign("epoch", Array(epoch_));
  inputs.insert_or_assign("update", Array(epoch_ * 16));
  inputs.insert_or_assign("rate", Array(rate_));
  inputs.insert_or_assign("p", Array::Vector(input.p));
  inputs.insert_or_assign("batch_loss", Array(input.batch_loss));
  for (const char* name : kMetrics) {
    const auto it = input.metrics.find(name);
    inputs.insert_or_assign(name, Array(it == input.metrics.end() ? 0.0 : it->second));
  }
  for (size_t i = 0; i < specs_.size(); i++) inputs["state/" + specs_[i].name] = state_[i];
  absl::StatusOr<std::vector<Array>> out = executable_.Run(inputs);
  if (!out.ok()) return out.status();
  const std::vector<Array>& values = *out;
  state_.assign(values.begin() + 5, values.end());
  epoch_++;
  rate_ = values[1].At(0);
  return Output{.begin_rate = values[0].At(0),
                .rate = values[1].At(0),
                .batch_stop = values[2].At(0) != 0,
                .stop = values[3].At(0) != 0,
                .p = {values[4].At(0), values[4].At(1)}};
}

absl::Status Epochs::Check() const {
  for (const HyperSpec& spec : hypers_) {
    if (absl::Status status = CheckNumber(spec, spec.number); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace talweg
