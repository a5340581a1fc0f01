#include "train/fit_builder.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "base/text.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "ops/reduce.h"

namespace talweg {

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

// What the schedule says; of no tape where there is none.
Value FitBuilder::Scheduled(const Carried& carried, const Value& update) {
  if (!training_.rate || training_.rate->constant()) return Value();
  const Value per_epoch = Tape(carried.epoch.tape()).Constant(Array(updates_per_epoch_));
  ScheduleScope scope(hypers_.Within("schedule"), carried.epoch, update, per_epoch);
  return training_.rate->Rate(scope);
}

// rate, or schedule(epoch, update) * rate_scale.
Value FitBuilder::Rate(const Carried& carried, const Value& update) {
  const Value scheduled = Scheduled(carried, update);
  return scheduled.tape() == nullptr ? carried.rate : scheduled * carried.rate;
}

std::vector<NamedValue> FitBuilder::Named(const std::vector<Value>& parameters) const {
  std::vector<NamedValue> named;
  for (size_t i = 0; i < parameters.size(); i++) {
    named.push_back({plan_.parameters[i].name, parameters[i]});
  }
  return named;
}

Carried FitBuilder::Adjusted(AdjustEvent event, const Carried& carried, Moment moment,
                             const Value& update, const StateScope& state, Value* stop) {
  if (!Acts(event, training_.adjust)) return carried;
  moment.epoch = carried.epoch;
  moment.update = carried.update;
  moment.updates_per_epoch = Tape(carried.epoch.tape()).Constant(Array(updates_per_epoch_));
  const Value rate = Rate(carried, update);
  const absl::StatusOr<Adjustable> after = Adjust(
      event, training_.adjust, moment, {.rate = rate, .parameters = Named(carried.parameters)},
      hypers_.Within("adjust"), state);
  if (!after.ok()) {
    status_.Update(after.status());
    return carried;
  }
  state.Commit();
  Carried next = carried;
  if (!(after->rate == rate)) {
    // With a schedule, what was asked for is kept as a factor on it. Where there is none, as at 0
    // or at a rate so small that the factor is beyond all numbers, the factor stays what it was.
    const Value scheduled = Scheduled(carried, update);
    next.rate = after->rate;
    if (scheduled.tape() != nullptr) {
      const Value is_zero = Equal(scheduled, 0);
      const Value factor = after->rate / Select(is_zero, 1, scheduled);
      const Value is_infinite =
          And(Equal(Abs(factor), std::numeric_limits<double>::infinity()),
              Less(Abs(after->rate), std::numeric_limits<double>::infinity()));
      const Value stays = Or(Or(Equal(after->rate, rate), is_zero), is_infinite);
      next.rate = Select(stays, carried.rate, factor);
    }
  }
  for (size_t i = 0; i < next.parameters.size(); i++) {
    next.parameters[i] = after->parameters[i].value;
  }
  if (stop != nullptr) *stop = after->stop;
  return next;
}

Carried FitBuilder::Begin(const Carried& carried, const StateScope& adjust) {
  return Adjusted(AdjustEvent::kEpochBegin, carried, {}, carried.update, adjust, nullptr);
}

Value FitBuilder::OfEachSample(std::string_view kind, std::string_view name,
                               const Value& per_sample, const Value& inputs) {
  if (per_sample.tape() == nullptr) {
    status_.Update(absl::InvalidArgumentError(
        absl::StrCat("training: ", AbslView(kind), " ", Quoted(name),
                     " returned a value of no tape; it must have one number a sample")));
    return per_sample;
  }
  if (!per_sample.ok() || !inputs.ok()) return per_sample;
  if (per_sample.rank() > 0 && per_sample.dim(0) == inputs.dim(0)) return per_sample;
  status_.Update(absl::InvalidArgumentError(absl::StrCat(
      "training: ", AbslView(kind), " ", Quoted(name), " is ", ToString(per_sample.type()),
      "; it must have a leading axis of the samples, ", ToString(WithLeading(inputs.dim(0), {})),
      ": the mean over them is taken later")));
  return per_sample;
}

// The sum over the samples of their means, float64.
Value FitBuilder::SumOf(const Value& per_sample) {
  const size_t rank = per_sample.ok() ? per_sample.rank() : 0;
  std::vector<int64_t> rest(rank > 0 ? rank - 1 : 0);
  std::iota(rest.begin(), rest.end(), 1);
  return talweg::Cast(Sum(rest.empty() ? per_sample : Mean(per_sample, rest)), kFloat64);
}

std::vector<Value> FitBuilder::MetricSums(const Value& targets, const Value& outputs,
                                          const Value& inputs) {
  std::vector<Value> sums;
  for (const Metric& metric : plan_.metrics) {
    sums.push_back(
        SumOf(OfEachSample("metric", metric.name, metric.per_sample(targets, outputs), inputs)));
  }
  return sums;
}

FitBuilder::Batch FitBuilder::Update(const Tape& tape, const Carried& carried, const Sums& sums,
                                     const Value& inputs, const Value& targets, const Value& seed,
                                     const StateScope& slots, const StateScope& adjust) {
  const Value key = FoldIn(FoldIn(seed, "model"), carried.update);
  ScopeRoot root(tape, training_.dtype, Mode::kTrain, plan_.parameters, carried.parameters, key);
  Scope scope = root.scope();
  const Value outputs = training_.model(scope, inputs);
  Value loss =
      Mean(OfEachSample("loss", plan_.loss.name, plan_.loss.per_sample(targets, outputs), inputs));
  if (const Value added = root.added_loss(); added.tape() != nullptr) loss = loss + added;

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
  const std::vector<Value> metric_sums = MetricSums(targets, outputs, inputs);
  for (size_t i = 0; i < metric_sums.size(); i++) {
    batch.measured.push_back(metric_sums[i] / rows);
    batch.sums[1 + i] = sums[1 + i] + metric_sums[i];
  }
  batch.sums.back() = sums.back() + rows;

  if (Acts(AdjustEvent::kBatchEnd, training_.adjust)) {
    Moment moment;
    const std::vector<std::string> names = MeasuredNames(plan_);
    for (size_t i = 0; i < names.size(); i++) {
      moment.metrics.push_back({names[i], batch.measured[i]});
    }
    batch.next = Adjusted(AdjustEvent::kBatchEnd, batch.next, std::move(moment), carried.update,
                          adjust, &batch.stop);
  }
  return batch;
}

Sums FitBuilder::Evaluate(const Tape& tape, const std::vector<Value>& parameters,
                          const Value& inputs, const Value& targets) {
  ScopeRoot root(tape, training_.dtype, Mode::kEvaluate, plan_.parameters, parameters, Value());
  Scope scope = root.scope();
  const Value outputs = training_.model(scope, inputs);
  const Value added_loss = root.added_loss();
  const Value rows = Count(inputs, 0, kFloat64);
  Value loss =
      SumOf(OfEachSample("loss", plan_.loss.name, plan_.loss.per_sample(targets, outputs), inputs));
  if (added_loss.tape() != nullptr) loss = loss + talweg::Cast(added_loss, kFloat64) * rows;
  Sums sums = {loss};
  for (const Value& sum : MetricSums(targets, outputs, inputs)) sums.push_back(sum);
  sums.push_back(rows);
  return sums;
}

FitBuilder::Epoch FitBuilder::End(const Carried& carried, const Sums& train, const Sums& validation,
                                  const Value& cut_short, const StateScope& adjust) {
  Epoch epoch;
  Moment moment;
  const std::vector<std::string> names = MeasuredNames(plan_);
  for (const Sums* sums : {&train, &validation}) {
    if (sums->empty()) continue;
    for (size_t i = 0; i < names.size(); i++) {
      epoch.row.push_back((*sums)[i] / sums->back());
      const bool of_validation = sums == &validation;
      const std::string name = absl::StrCat(of_validation ? "val_" : "", names[i]);
      moment.metrics.push_back({name, epoch.row.back()});
      if (of_validation && cut_short.tape() != nullptr) {
        moment.measured.push_back({name, Not(cut_short)});
      }
    }
  }
  const Value last = carried.update - 1;
  epoch.row.push_back(Rate(carried, last));
  epoch.next =
      Adjusted(AdjustEvent::kEpochEnd, carried, std::move(moment), last, adjust, &epoch.stop);
  epoch.next.epoch = carried.epoch + 1;
  return epoch;
}

Sums FitBuilder::NoSums(const Tape& tape) const {
  return Sums(plan_.metrics.size() + 2, tape.Constant(Array(0.0)));
}

}  // namespace talweg
