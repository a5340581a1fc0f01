#include "train/fit_builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "ops/reduce.h"

namespace talweg {

Shape WithLeading(Dim dim, const Shape& shape) {
  Shape out = {dim};
  out.insert(out.end(), shape.begin(), shape.end());
  return out;
}

Value EpochOrder(const Value& seed, const Value& epoch, int64_t samples) {
  return Permutation(FoldIn(FoldIn(seed, "shuffle"), epoch), samples);
}

std::vector<std::string> MeasuredNames(const TrainingPlan& plan) {
  std::vector<std::string> names = {"loss"};
  for (const Metric& metric : plan.metrics) names.push_back(metric.name);
  return names;
}

FitBuilder::FitBuilder(const Training& training, const TrainingPlan& plan, const Tape& tape,
                       int64_t samples)
    : training_(training),
      plan_(plan),
      outermost_(tape),
      hypers_(tape),
      updates_per_epoch_(BatchesOf(samples, std::max<int64_t>(training.batch, 1))) {}

// rate, or schedule(epoch, update) * rate_scale.
Value FitBuilder::Rate(const Carried& carried, const Value& update) {
  if (!training_.rate || training_.rate->constant()) return carried.rate;
  const Value per_epoch = Tape(carried.epoch.tape()).Constant(Array(updates_per_epoch_));
  ScheduleScope scope(hypers_.Within("schedule"), carried.epoch, update, per_epoch);
  return training_.rate->Rate(scope) * carried.rate;
}

std::vector<NamedValue> FitBuilder::Named(const std::vector<Value>& parameters) const {
  std::vector<NamedValue> named;
  for (size_t i = 0; i < parameters.size(); i++) {
    named.push_back({plan_.parameters[i].name, parameters[i]});
  }
  return named;
}

Carried FitBuilder::Adjusted(AdjustEvent event, const Carried& carried,
                             const std::vector<NamedValue>& metrics, const Value& rate,
                             const StateScope& state, Value* stop) {
  if (!Acts(event, training_.adjust)) return carried;
  Moment moment{.epoch = carried.epoch, .update = carried.update, .metrics = metrics};
  moment.updates_per_epoch = Tape(carried.epoch.tape()).Constant(Array(updates_per_epoch_));
  const absl::StatusOr<Adjustable> after = Adjust(
      event, training_.adjust, moment, {.rate = rate, .parameters = Named(carried.parameters)},
      hypers_.Within("adjust"), state);
  if (!after.ok()) {
    status_.Update(after.status());
    return carried;
  }
  state.Commit();
  Carried next = carried;
  // With a schedule, what was asked for is kept as a factor on it.
  const bool scaled = training_.rate && !training_.rate->constant();
  if (!(after->rate == rate))
    next.rate = scaled ? after->rate / (rate / carried.rate) : after->rate;
  for (size_t i = 0; i < next.parameters.size(); i++) {
    next.parameters[i] = after->parameters[i].value;
  }
  if (stop != nullptr) *stop = after->stop;
  return next;
}

Carried FitBuilder::Begin(const Carried& carried, const StateScope& adjust) {
  return Adjusted(AdjustEvent::kEpochBegin, carried, {}, Rate(carried, carried.update), adjust,
                  nullptr);
}

Value FitBuilder::PerSampleToSum(const Value& per_sample) {
  return talweg::Cast(Sum(per_sample), kFloat64);
}

FitBuilder::Batch FitBuilder::Update(const Tape& tape, const Carried& carried, const Sums& sums,
                                     const Value& inputs, const Value& targets, const Value& seed,
                                     const StateScope& slots, const StateScope& adjust) {
  const Value key = FoldIn(FoldIn(seed, "model"), carried.update);
  ScopeRoot root(tape, training_.dtype, Mode::kTrain, plan_.parameters, carried.parameters, key);
  Scope scope = root.scope();
  const Value outputs = training_.model(scope, inputs);
  const Value loss = Mean(plan_.loss.per_sample(targets, outputs));

  // Parameters that the optimizer changes.
  std::vector<NamedValue> trained;
  std::vector<Value> trained_values;
  for (size_t i = 0; i < carried.parameters.size(); i++) {
    if (!plan_.parameters[i].trainable) continue;
    trained.push_back({plan_.parameters[i].name, carried.parameters[i]});
    trained_values.push_back(carried.parameters[i]);
  }
  const std::vector<Value> gradients = Gradient(loss, trained_values);
  const absl::StatusOr<std::vector<Value>> updated =
      Apply(plan_.rule, trained, gradients, Rate(carried, carried.update), carried.update,
            hypers_.Within("rule"), slots);
  Batch batch{.next = carried, .sums = sums, .measured = {}, .stop = {}};
  if (!updated.ok()) {
    status_.Update(updated.status());
    return batch;
  }
  size_t next = 0;
  for (size_t i = 0; i < carried.parameters.size(); i++) {
    if (plan_.parameters[i].trainable) batch.next.parameters[i] = (*updated)[next++];
  }
  batch.next.update = carried.update + 1;

  const Value rows = Count(inputs, 0, kFloat64);
  batch.measured.push_back(talweg::Cast(loss, kFloat64));
  batch.sums[0] = sums[0] + batch.measured[0] * rows;
  for (size_t i = 0; i < plan_.metrics.size(); i++) {
    const Value sum = PerSampleToSum(plan_.metrics[i].per_sample(targets, outputs));
    batch.measured.push_back(sum / rows);
    batch.sums[1 + i] = sums[1 + i] + sum;
  }
  batch.sums.back() = sums.back() + rows;

  if (Acts(AdjustEvent::kBatchEnd, training_.adjust)) {
    std::vector<NamedValue> metrics;
    const std::vector<std::string> names = MeasuredNames(plan_);
    for (size_t i = 0; i < names.size(); i++) metrics.push_back({names[i], batch.measured[i]});
    batch.next = Adjusted(AdjustEvent::kBatchEnd, batch.next, metrics,
                          Rate(batch.next, carried.update), adjust, &batch.stop);
  }
  return batch;
}

Value FitBuilder::Predict(const Tape& tape, const std::vector<Value>& parameters,
                          const Value& inputs) {
  ScopeRoot root(tape, training_.dtype, Mode::kEvaluate, plan_.parameters, parameters, Value());
  Scope scope = root.scope();
  return training_.model(scope, inputs);
}

Sums FitBuilder::Evaluate(const Tape& tape, const std::vector<Value>& parameters,
                          const Value& inputs, const Value& targets) {
  const Value outputs = Predict(tape, parameters, inputs);
  Sums sums = {PerSampleToSum(plan_.loss.per_sample(targets, outputs))};
  for (const Metric& metric : plan_.metrics) {
    sums.push_back(PerSampleToSum(metric.per_sample(targets, outputs)));
  }
  sums.push_back(Count(inputs, 0, kFloat64));
  return sums;
}

FitBuilder::Epoch FitBuilder::End(const Carried& carried, const Sums& train, const Sums& validation,
                                  const StateScope& adjust) {
  Epoch epoch;
  std::vector<NamedValue> metrics;
  const std::vector<std::string> names = MeasuredNames(plan_);
  for (const Sums* sums : {&train, &validation}) {
    if (sums->empty()) continue;
    for (size_t i = 0; i < names.size(); i++) {
      epoch.row.push_back((*sums)[i] / sums->back());
      metrics.push_back(
          {absl::StrCat(sums == &validation ? "val_" : "", names[i]), epoch.row.back()});
    }
  }
  const Value rate = Rate(carried, carried.update - 1);
  epoch.row.push_back(rate);
  epoch.next = Adjusted(AdjustEvent::kEpochEnd, carried, metrics, rate, adjust, &epoch.stop);
  epoch.next.epoch = carried.epoch + 1;
  return epoch;
}

Sums FitBuilder::NoSums(const Tape& tape) const {
  return Sums(plan_.metrics.size() + 2, Tape(tape).Constant(Array(0.0)));
}

}  // namespace talweg
