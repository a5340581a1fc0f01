#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "train/fit_builder.h"
#include "train/fit_graph.h"

namespace talweg {
namespace {

// What the training names or brings along.
absl::Status LookUp(const Training& training, Dim width, TrainingPlan& plan) {
  if (const Loss* loss = training.loss.thing()) {
    plan.loss = *loss;
  } else {
    absl::StatusOr<Loss> named = LossByName(training.loss.name());
    if (!named.ok()) return named.status();
    plan.loss = *std::move(named);
  }
  if (!plan.loss.per_sample) return absl::InvalidArgumentError("training: the loss is empty");
  if (const Rule* rule = training.rule.thing()) {
    plan.rule = *rule;
  } else {
    absl::StatusOr<Rule> named = RuleByName(training.rule.name());
    if (!named.ok()) return named.status();
    plan.rule = *std::move(named);
  }
  for (const Choice<Metric>& choice : training.metrics) {
    if (const Metric* metric = choice.thing()) {
      plan.metrics.push_back(*metric);
      continue;
    }
    absl::StatusOr<Metric> named = MetricByName(choice.name(), plan.loss.name, width);
    if (!named.ok()) return named.status();
    plan.metrics.push_back(*std::move(named));
  }
  std::vector<std::string> names = MeasuredNames(plan);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    return absl::InvalidArgumentError(absl::StrCat("training: two metrics named '", *twice, "'"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrainingPlan> PlanTraining(const Training& training, const DataTypes& data,
                                          bool validates) {
  const auto invalid = [](std::string_view text) {
    return absl::InvalidArgumentError(absl::StrCat("training: ", AbslView(text)));
  };
  if (!training.model) return invalid("there is no model");
  if (training.batch < 1) return invalid(absl::StrCat("a batch of ", training.batch, " samples"));
  if (training.epochs < 1) return invalid(absl::StrCat(training.epochs, " epochs"));
  if (training.evaluate_batch < 1) return invalid("an evaluate_batch below 1");
  if (!IsFloat(training.dtype)) return invalid("the element type is not a float");

  TrainingPlan plan;
  plan.validates = validates;
  Tape scratch;
  const Value inputs =
      scratch.Input("inputs", data.input.dtype, WithLeading(kRows, data.input.shape));
  const Value targets =
      scratch.Input("targets", data.target.dtype, WithLeading(kRows, data.target.shape));
  // The model is called once to see its parameters.
  ScopeRoot root(scratch, training.dtype, Mode::kTrain);
  Scope scope = root.scope();
  const Value outputs = training.model(scope, inputs);
  if (!scratch.status().ok()) return scratch.status();
  if (!outputs.ok()) return invalid("the model returns a value of no tape");
  if (absl::Status s = LookUp(training, outputs.dim(-1), plan); !s.ok()) return s;
  plan.parameters = root.parameters();
  plan.layers = root.layers();
  Carried carried;
  for (const ParameterSpec& spec : plan.parameters) {
    plan.state.specs.push_back({absl::StrCat("parameter/", spec.name), spec.type, 0});
    carried.parameters.push_back(
        scratch.Input(absl::StrCat("parameter/", spec.name), spec.type.dtype, spec.type.shape));
  }
  plan.state.parameters = plan.parameters.size();
  carried.rate = scratch.Input("rate", kFloat64, {});
  carried.epoch = scratch.Input("epoch", kInt64, {});
  carried.update = scratch.Input("update", kInt64, {});

  // All builders run once, in the order of an epoch, on scopes that note what they ask for.
  FitBuilder builder(training, plan, scratch, 1);
  const StateScope slots = StateScope(scratch).Within("rule");
  const StateScope adjust = StateScope(scratch).Within("adjust");
  const Value seed = scratch.Input("seed", kInt64, {});
  carried = builder.Begin(carried, adjust);
  FitBuilder::Batch batch = builder.Update(scratch, carried, builder.NoSums(scratch), inputs,
                                           targets, seed, slots, adjust);
  plan.stops_in_batch = Acts(AdjustEvent::kBatchEnd, training.adjust);
  const Sums validation =
      validates ? builder.Evaluate(scratch, batch.next.parameters, inputs, targets) : Sums();
  const FitBuilder::Epoch epoch = builder.End(batch.next, batch.sums, validation, adjust);
  plan.stops = epoch.stop.tape() != nullptr || plan.stops_in_batch;
  for (const absl::Status& status :
       {builder.status(), scratch.status(), slots.status(), adjust.status(), slots.Next().status(),
        adjust.Next().status(), builder.hypers().Check()}) {
    if (!status.ok()) return status;
  }
  const auto declare = [&](const StateScope& state) {
    plan.state.specs.insert(plan.state.specs.end(), state.specs().begin(), state.specs().end());
    return state.specs().size();
  };
  plan.state.slots = declare(slots);
  plan.state.adjust = declare(adjust);
  bool scaled = false;
  double rate = plan.rule.default_rate;
  if (training.rate) {
    const auto& constant = training.rate->constant();
    scaled = !constant;
    if (constant && !constant->is_number()) {
      return invalid("a rate that is a Value belongs to another tape; use a number or a schedule");
    }
    rate = constant ? constant->number() : 1;
  }
  plan.state.specs.push_back({scaled ? "rate_scale" : "rate", {kFloat64, {}}, rate});
  plan.state.specs.push_back({"epoch", {kInt64, {}}, 0});
  plan.state.specs.push_back({"update", {kInt64, {}}, 0});
  plan.hypers = builder.hypers().specs();
  plan.columns = MeasuredNames(plan);
  if (validates) {
    for (const std::string& name : MeasuredNames(plan)) plan.columns.push_back("val_" + name);
  }
  plan.columns.push_back("lr");
  return plan;
}

absl::StatusOr<std::vector<ParameterSpec>> ParametersOf(const Training& training,
                                                        const Type& input) {
  if (!training.model) return absl::InvalidArgumentError("training: there is no model");
  Tape scratch;
  ScopeRoot root(scratch, training.dtype, Mode::kEvaluate);
  Scope scope = root.scope();
  training.model(scope, scratch.Input("inputs", input.dtype, WithLeading(kRows, input.shape)));
  if (!scratch.status().ok()) return scratch.status();
  return root.parameters();
}

}  // namespace talweg
