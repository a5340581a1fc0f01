#include "train/fit_graph.h"

#include <algorithm>
#include <optional>
#include <source_location>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/view.h"
#include "train/fit_builder.h"

namespace talweg {
namespace {

// Takes values from the front of a list.
class Cut {
 public:
  explicit Cut(absl::Span<const Value> values) : left_(values) {}

  std::vector<Value> Next(size_t count) {
    const absl::Span<const Value> taken = left_.first(count);
    left_.remove_prefix(count);
    return std::vector<Value>(taken.begin(), taken.end());
  }
  Value Next() { return Next(1)[0]; }

 private:
  absl::Span<const Value> left_;
};

std::vector<Value> Flat(const Carried& carried) {
  std::vector<Value> values = carried.parameters;
  values.insert(values.end(), carried.slots.begin(), carried.slots.end());
  values.insert(values.end(), carried.adjust.begin(), carried.adjust.end());
  values.insert(values.end(), {carried.rate, carried.epoch, carried.update});
  return values;
}

Carried Unflat(const TrainingState& state, absl::Span<const Value> values) {
  Cut cut(values);
  return {.parameters = cut.Next(state.parameters),
          .slots = cut.Next(state.slots),
          .adjust = cut.Next(state.adjust),
          .rate = cut.Next(),
          .epoch = cut.Next(),
          .update = cut.Next()};
}

// An input for each state of the plan.
Carried StateInputs(Tape& tape, const TrainingState& state) {
  std::vector<Value> values;
  for (const StateSpec& spec : state.specs) {
    values.push_back(
        tape.Input(absl::StrCat("state/", spec.name), spec.type.dtype, spec.type.shape));
  }
  return Unflat(state, values);
}

// An input for each parameter.
std::vector<Value> ParameterInputs(const Tape& tape, const std::vector<ParameterSpec>& specs) {
  std::vector<Value> parameters;
  for (const ParameterSpec& spec : specs) {
    parameters.push_back(tape.Input(ParameterInput(spec.name), spec.type.dtype, spec.type.shape));
  }
  return parameters;
}

// The plan's slot and adjust specs, by the names that their builders know.
absl::Span<const StateSpec> SlotSpecs(const TrainingState& state) {
  return absl::MakeConstSpan(state.specs).subspan(state.parameters, state.slots);
}
absl::Span<const StateSpec> AdjustSpecs(const TrainingState& state) {
  return absl::MakeConstSpan(state.specs).subspan(state.parameters + state.slots, state.adjust);
}

// Scopes to use the carried state in a body.
StateScope SlotScope(const Tape& tape, const TrainingPlan& plan, const Carried& carried) {
  return StateScope(tape, SlotSpecs(plan.state), carried.slots).Within("rule");
}
StateScope AdjustState(const Tape& tape, const TrainingPlan& plan, const Carried& carried) {
  return StateScope(tape, AdjustSpecs(plan.state), carried.adjust).Within("adjust");
}

// Takes what a scope has for the next trip.
absl::Status TakeNext(const StateScope& scope, std::vector<Value>& values) {
  absl::StatusOr<std::vector<Value>> next = scope.Next();
  if (!next.ok()) return next.status();
  values = *std::move(next);
  return absl::OkStatus();
}

// The number of samples in each batch: full ones and what is left.
Array BatchRows(int64_t samples, int64_t batch) {
  std::vector<int64_t> rows;
  for (int64_t first = 0; first < samples; first += batch) {
    rows.push_back(std::min(batch, samples - first));
  }
  return Array::Vector(rows);
}

// The samples of the trip's batch, as many as there are rows: in this order, or as they lie.
Value BatchOf(LoopBody& body, const Value& order, int64_t batch) {
  const Value here = talweg::Cast(body.trip, kInt32) * batch + body.tape.Iota(kRows);
  return order.tape() == nullptr ? here : Gather(order, here);
}

// A data set cut into equal chunks, the last one filled up: done once in a call, so that an
// evaluation in every epoch reads its chunks as they lie.
struct Chunks {
  Value inputs, targets;  // [chunks, chunk, ...]
  Array rows;             // how many samples of each chunk count
  int64_t chunk = 0;
};

Chunks InChunks(const Value& inputs, const Value& targets, int64_t chunk) {
  const int64_t samples = inputs.dim(0).value();
  chunk = std::clamp<int64_t>(chunk, 1, samples);
  Chunks all{.inputs = {}, .targets = {}, .rows = BatchRows(samples, chunk), .chunk = chunk};
  // chunks[i, k, ...] = x[i * chunk + k, ...]
  const auto cut = [&](const Value& x) -> Value {
    if (!x.ok()) return x;
    ViewAttributes view{.axes = IdentityMaps(x.rank()), .fill = 0, .shape = {}};
    for (AxisMap& map : view.axes) map.terms[0].axis++;
    view.axes[0].terms = {{.axis = 0, .step = chunk}, {.axis = 1, .step = 1}};
    const Shape sample(x.shape().begin() + 1, x.shape().end());
    view.shape = WithLeading(all.rows.size(), WithLeading(chunk, sample));
    return View(x, std::move(view), LineOf(std::source_location::current()));
  };
  all.inputs = cut(inputs);
  all.targets = cut(targets);
  return all;
}

// As many of the samples as there are rows.
Value FirstRows(const Value& x) {
  if (!x.ok()) return x;
  ViewAttributes view{.axes = IdentityMaps(x.rank()), .fill = 0, .shape = x.shape()};
  view.shape[0] = kRows;
  return View(x, std::move(view), LineOf(std::source_location::current()));
}

// The sums over a whole data set.
Sums EvaluateAll(FitBuilder& builder, const Tape& tape, const std::vector<Value>& parameters,
                 const Chunks& data, const Value& skip) {
  const Array& rows = data.rows;
  Value trips = tape.Constant(Array(rows.size()));
  if (skip.tape() != nullptr) trips = Select(skip, 0, trips);
  LoopOptions options{.trips = trips, .carried = builder.NoSums(tape)};
  options.rows = tape.Constant(rows);
  options.rows_limit = data.chunk;
  options.scanned = {data.inputs, data.targets};
  const LoopResult loop = Loop(tape, options, [&](LoopBody& body) -> LoopStep {
    const Sums here = builder.Evaluate(body.tape, parameters, FirstRows(body.scanned[0]),
                                       FirstRows(body.scanned[1]));
    LoopStep step;
    for (size_t i = 0; i < here.size(); i++) step.carried.push_back(body.carried[i] + here[i]);
    return step;
  });
  return loop.carried;
}

// The updates of one epoch so far, and what is measured of them.
struct EpochOfBatches {
  Carried carried;
  Sums sums;
  // Of no tape where no adjustment stops in an epoch. `cut_short`: there are batches left.
  Value stop = {}, cut_short = {};
};

// What of it goes from batch to batch: all that an update changes.
std::vector<Value> Flat(const TrainingPlan& plan, const EpochOfBatches& epoch) {
  std::vector<Value> values = epoch.carried.parameters;
  const auto add = [&](const std::vector<Value>& more) {
    values.insert(values.end(), more.begin(), more.end());
  };
  add(epoch.carried.slots);
  add({epoch.carried.update});
  add(epoch.sums);
  if (plan.acts_in_batch) {
    add(epoch.carried.adjust);
    add({epoch.carried.rate});
  }
  if (plan.stops_in_batch) add({epoch.stop});
  return values;
}

// The rest is as it was before the epoch.
EpochOfBatches Unflat(const TrainingPlan& plan, const Carried& before,
                      absl::Span<const Value> values) {
  Cut cut(values);
  EpochOfBatches epoch{.carried = before, .sums = {}, .stop = {}};
  epoch.carried.parameters = cut.Next(before.parameters.size());
  epoch.carried.slots = cut.Next(before.slots.size());
  epoch.carried.update = cut.Next();
  epoch.sums = cut.Next(MeasuredNames(plan).size() + 1);
  if (plan.acts_in_batch) {
    epoch.carried.adjust = cut.Next(before.adjust.size());
    epoch.carried.rate = cut.Next();
  }
  if (plan.stops_in_batch) epoch.stop = cut.Next();
  return epoch;
}

// The updates of one epoch as a loop over its batches.
EpochOfBatches TrainEpoch(FitBuilder& builder, const Training& training, const TrainingPlan& plan,
                          const Tape& tape, const Carried& carried, const Value& inputs,
                          const Value& targets, const Value& order, const Value& seed,
                          absl::Status& error) {
  const int64_t samples = inputs.dim(0).value();
  const int64_t full = std::min(training.batch, samples);
  const Array rows = BatchRows(samples, full);
  const EpochOfBatches first{
      .carried = carried, .sums = builder.NoSums(tape), .stop = tape.Constant(Array(false))};
  LoopOptions options{.trips = rows.size(), .carried = Flat(plan, first)};
  options.rows = tape.Constant(rows);
  options.rows_limit = full;
  const LoopResult loop = Loop(tape, options, [&](LoopBody& body) -> LoopStep {
    const EpochOfBatches here = Unflat(plan, carried, body.carried);
    const StateScope slots = SlotScope(body.tape, plan, here.carried);
    const StateScope adjust = AdjustState(body.tape, plan, here.carried);
    const Value places = BatchOf(body, order, full);
    FitBuilder::Batch batch =
        builder.Update(body.tape, here.carried, here.sums, Gather(inputs, places),
                       Gather(targets, places), seed, slots, adjust);
    error.Update(TakeNext(slots, batch.next.slots));
    if (plan.acts_in_batch) error.Update(TakeNext(adjust, batch.next.adjust));
    LoopStep step{.carried = Flat(plan, {batch.next, batch.sums, batch.stop})};
    if (plan.stops_in_batch) step.stop = batch.stop;
    return step;
  });
  EpochOfBatches epoch = Unflat(plan, carried, loop.carried);
  if (plan.stops_in_batch) epoch.cut_short = And(epoch.stop, Less(loop.trips, rows.size()));
  return epoch;
}

Value Either(const Value& a, const Value& b) {
  if (a.tape() == nullptr) return b;
  return b.tape() == nullptr ? a : Or(a, b);
}

}  // namespace

absl::StatusOr<Graph> FitGraph(const Training& training, const TrainingPlan& plan,
                               const DataTypes& data, int64_t n, int64_t m, bool measured) {
  Tape tape;
  const auto input = [&](std::string_view name, const Type& type, int64_t samples) {
    return tape.Input(name, type.dtype, WithLeading(samples, type.shape));
  };
  const Value inputs = input("train/inputs", data.input, n);
  const Value targets = input("train/targets", data.target, n);
  std::optional<Chunks> validation_data;
  if (m > 0) {
    validation_data =
        InChunks(input("validation/inputs", data.input, m),
                 input("validation/targets", data.target, m), training.evaluate_batch);
  }
  const Value seed = tape.Input("seed", kInt64, {});
  LoopOptions options;
  if (training.shuffle == Shuffle::kNumPy) {
    options.scanned = {tape.Input("order", kInt32, {kTrips, n})};
  } else {
    options.trips = tape.Input("epochs", kInt64, {});
  }
  FitBuilder builder(training, plan, tape, n);
  const Carried first = StateInputs(tape, plan.state);
  options.carried = Flat(first);
  const auto carry_measured = [&](const Carried& carried, std::vector<Value>& values) {
    if (!measured) return;
    values.insert(values.end(), carried.parameters.begin(), carried.parameters.end());
  };
  carry_measured(first, options.carried);
  absl::Status error;
  const LoopResult loop = Loop(tape, options, [&](LoopBody& body) -> LoopStep {
    Carried carried = Unflat(plan.state, body.carried);
    const StateScope adjust = AdjustState(body.tape, plan, carried);
    carried = builder.Begin(carried, adjust);
    error.Update(TakeNext(adjust, carried.adjust));
    Value order;
    if (training.shuffle == Shuffle::kNumPy) order = body.scanned[0];
    if (training.shuffle == Shuffle::kSeed) {
      order = EpochOrder(seed, carried.epoch, n);
    }
    const EpochOfBatches trained = TrainEpoch(builder, training, plan, body.tape, carried, inputs,
                                              targets, order, seed, error);
    const Sums validation = m > 0 ? EvaluateAll(builder, body.tape, trained.carried.parameters,
                                                *validation_data, trained.cut_short)
                                  : Sums();
    const StateScope after = AdjustState(body.tape, plan, trained.carried);
    FitBuilder::Epoch epoch =
        builder.End(trained.carried, trained.sums, validation, trained.cut_short, after);
    error.Update(TakeNext(after, epoch.next.adjust));
    LoopStep step{.carried = Flat(epoch.next), .stacked = epoch.row};
    carry_measured(trained.carried, step.carried);
    step.stop = Either(trained.stop, epoch.stop);
    step.stacked.push_back(step.stop.tape() == nullptr ? body.tape.Constant(Array(false))
                                                       : step.stop);
    return step;
  });
  error.Update(builder.status());
  if (!error.ok()) return error;
  std::vector<Value> outputs = loop.carried;
  outputs.insert(outputs.end(), loop.stacked.begin(), loop.stacked.end());
  outputs.push_back(loop.trips);
  return tape.Finish(outputs);
}

FitOutputs OutputsOf(const TrainingPlan& plan, const Graph& graph) {
  const size_t outputs = graph.outputs().size();
  return {.measured = plan.state.specs.size(),
          .columns = outputs - 2 - plan.columns.size(),
          .stops = outputs - 2,
          .trips = outputs - 1};
}

absl::StatusOr<Graph> EvaluateGraph(const Training& training, const TrainingPlan& plan,
                                    const DataTypes& data) {
  Tape tape;
  const Value inputs = tape.Input("inputs", data.input.dtype, WithLeading(kRows, data.input.shape));
  const Value targets =
      tape.Input("targets", data.target.dtype, WithLeading(kRows, data.target.shape));
  FitBuilder builder(training, plan, tape, 1);
  Sums sums = builder.Evaluate(tape, ParameterInputs(tape, plan.parameters), inputs, targets);
  sums.pop_back();
  return tape.Finish(sums);
}

absl::StatusOr<Graph> PredictGraph(const Model& model, DType dtype,
                                   const std::vector<ParameterSpec>& parameters,
                                   const Type& input) {
  Tape tape;
  const Value inputs = tape.Input("inputs", input.dtype, WithLeading(kRows, input.shape));
  ScopeRoot root(tape, dtype, Mode::kEvaluate, parameters, ParameterInputs(tape, parameters),
                 Value());
  Scope scope = root.scope();
  return tape.Finish({model(scope, inputs)});
}

absl::StatusOr<Graph> RateGraph(const Training& training, const TrainingPlan& plan, int64_t n) {
  Tape tape;
  FitBuilder builder(training, plan, tape, n);
  Carried carried;
  carried.rate = tape.Input("state/rate_scale", kFloat64, {});
  carried.epoch = tape.Input("state/epoch", kInt64, {});
  carried.update = tape.Input("state/update", kInt64, {});
  return tape.Finish({builder.Rate(carried, carried.update)});
}

namespace {

Sums SumInputs(Tape& tape, const TrainingPlan& plan) {
  Sums sums;
  for (const std::string& name : MeasuredNames(plan)) {
    sums.push_back(tape.Input(absl::StrCat("sum/", name), kFloat64, {}));
  }
  sums.push_back(tape.Input("sum/samples", kFloat64, {}));
  return sums;
}

absl::StatusOr<Graph> BeginGraph(const Training& training, const TrainingPlan& plan, int64_t n) {
  Tape tape;
  tape.Input("seed", kInt64, {});
  FitBuilder builder(training, plan, tape, n);
  Carried carried = StateInputs(tape, plan.state);
  const StateScope adjust = AdjustState(tape, plan, carried);
  carried = builder.Begin(carried, adjust);
  absl::Status status = builder.status();
  status.Update(TakeNext(adjust, carried.adjust));
  if (!status.ok()) return status;
  return tape.Finish(Flat(carried));
}

absl::StatusOr<Graph> BatchGraph(const Training& training, const TrainingPlan& plan,
                                 const DataTypes& data, int64_t n) {
  Tape tape;
  const Value inputs = tape.Input("inputs", data.input.dtype, WithLeading(kRows, data.input.shape));
  const Value targets =
      tape.Input("targets", data.target.dtype, WithLeading(kRows, data.target.shape));
  const Value seed = tape.Input("seed", kInt64, {});
  FitBuilder builder(training, plan, tape, n);
  const Carried carried = StateInputs(tape, plan.state);
  const StateScope slots = SlotScope(tape, plan, carried);
  const StateScope adjust = AdjustState(tape, plan, carried);
  FitBuilder::Batch batch =
      builder.Update(tape, carried, SumInputs(tape, plan), inputs, targets, seed, slots, adjust);
  absl::Status status = builder.status();
  status.Update(TakeNext(slots, batch.next.slots));
  status.Update(TakeNext(adjust, batch.next.adjust));
  if (!status.ok()) return status;
  std::vector<Value> outputs = Flat(batch.next);
  outputs.insert(outputs.end(), batch.sums.begin(), batch.sums.end());
  outputs.insert(outputs.end(), batch.measured.begin(), batch.measured.end());
  outputs.push_back(batch.stop.tape() == nullptr ? tape.Constant(Array(false)) : batch.stop);
  return tape.Finish(outputs);
}

absl::StatusOr<Graph> EndGraph(const Training& training, const TrainingPlan& plan,
                               const DataTypes& data, int64_t n, int64_t m) {
  Tape tape;
  Value inputs, targets;
  if (m > 0) {
    inputs = tape.Input("validation/inputs", data.input.dtype, WithLeading(m, data.input.shape));
    targets =
        tape.Input("validation/targets", data.target.dtype, WithLeading(m, data.target.shape));
  }
  const Value cut_short = tape.Input("cut_short", kBool, {});
  FitBuilder builder(training, plan, tape, n);
  const Carried carried = StateInputs(tape, plan.state);
  const Sums train = SumInputs(tape, plan);
  const Sums validation =
      m > 0 ? EvaluateAll(builder, tape, carried.parameters,
                          InChunks(inputs, targets, training.evaluate_batch), cut_short)
            : Sums();
  const StateScope adjust = AdjustState(tape, plan, carried);
  FitBuilder::Epoch epoch = builder.End(carried, train, validation, cut_short, adjust);
  absl::Status status = builder.status();
  status.Update(TakeNext(adjust, epoch.next.adjust));
  if (!status.ok()) return status;
  std::vector<Value> outputs = Flat(epoch.next);
  outputs.insert(outputs.end(), epoch.row.begin(), epoch.row.end());
  outputs.push_back(Either(cut_short, epoch.stop));
  return tape.Finish(outputs);
}

}  // namespace

absl::StatusOr<FitPieces> FitInPieces(const Training& training, const TrainingPlan& plan,
                                      const DataTypes& data, int64_t n, int64_t m) {
  absl::StatusOr<Graph> begin = BeginGraph(training, plan, n);
  if (!begin.ok()) return begin.status();
  absl::StatusOr<Graph> batch = BatchGraph(training, plan, data, n);
  if (!batch.ok()) return batch.status();
  absl::StatusOr<Graph> end = EndGraph(training, plan, data, n, m);
  if (!end.ok()) return end.status();
  return FitPieces{*std::move(begin), *std::move(batch), *std::move(end)};
}

}  // namespace talweg
