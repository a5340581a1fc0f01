#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "data/safetensors.h"
#include "train/fit_builder.h"
#include "train/fit_graph.h"

namespace talweg {
namespace {

absl::Status Invalid(std::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("training: ", AbslView(text)));
}

// What the training names or brings along.
absl::Status LookUp(const Training& training, Dim width, TrainingPlan& plan) {
  if (const Loss* loss = training.loss.thing()) {
    plan.loss = *loss;
  } else if (training.loss.name().empty()) {
    return Invalid("there is no loss");
  } else {
    absl::StatusOr<Loss> named = LossByName(training.loss.name(), training.loss.where());
    if (!named.ok()) return named.status();
    plan.loss = *std::move(named);
  }
  if (!plan.loss.per_sample) return Invalid("the loss is empty");
  if (const Rule* rule = training.rule.thing()) {
    plan.rule = *rule;
  } else {
    absl::StatusOr<Rule> named = RuleByName(training.rule.name());
    if (!named.ok()) return named.status();
    plan.rule = *std::move(named);
  }
  if (!plan.rule.update) return Invalid("the rule is empty");
  for (const Choice<Metric>& choice : training.metrics) {
    if (const Metric* metric = choice.thing()) {
      if (!metric->per_sample)
        return Invalid(absl::StrCat("metric ", Quoted(metric->name), " is empty"));
      plan.metrics.push_back(*metric);
      continue;
    }
    absl::StatusOr<Metric> named =
        MetricByName(choice.name(), plan.loss.name, width, choice.where());
    if (!named.ok()) return named.status();
    plan.metrics.push_back(*std::move(named));
  }
  // Each is a column of the history, and so is what is added to them; files add "epoch", and those
  // of sweeps the last ones here.
  std::set<std::string> names = {"loss", "val_loss", "lr",     "epoch",      "samples",
                                 "run",  "training", "epochs", "epochs_run", "end"};
  for (const Metric& metric : plan.metrics) {
    if (!names.insert(metric.name).second || !names.insert("val_" + metric.name).second) {
      return Invalid(absl::StrCat("a metric can not be named ", Quoted(metric.name),
                                  ", which is the name of something else"));
    }
  }
  return absl::OkStatus();
}

// The number of a constant rate; 1 where a schedule makes it, which is the factor on it.
absl::StatusOr<double> FirstRate(const Training& training, const Rule& rule) {
  if (!training.rate) return rule.default_rate;
  const std::optional<Hyper>& constant = training.rate->constant();
  if (!constant) return 1;
  if (!constant->is_number()) {
    return Invalid("a rate that is a Value belongs to another tape; use a number or a schedule");
  }
  if (kRates.Contains(constant->number())) return constant->number();
  return Invalid(absl::StrCat("the rate is ", FormatNumber(constant->number()), "; it must be ",
                              kRates.ToString()));
}

// What is carried must fit a file (ModelCheckpoint), which nobody wants to learn after an epoch.
absl::Status CheckNames(const TrainingPlan& plan) {
  const auto check = [](std::string_view what, const std::string& name, const std::string& saved) {
    const absl::Status status = CheckTensorName(saved);
    if (status.ok()) return status;
    return Invalid(
        absl::StrCat(AbslView(what), " ", Quoted(name), " can not be saved: ", status.message()));
  };
  for (const ParameterSpec& spec : plan.parameters) {
    if (absl::Status s = check("parameter", spec.name, spec.name); !s.ok()) return s;
  }
  for (const StateSpec& spec : plan.state.specs) {
    if (absl::Status s = check("state", spec.name, spec.name); !s.ok()) return s;
  }
  for (const std::string& column : plan.columns) {
    absl::Status s = check("column", column, absl::StrCat(AbslView(kHistoryPrefix), column));
    if (!s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrainingPlan> PlanTraining(const Training& training, const DataTypes& data,
                                          bool validates) {
  if (!training.model) return Invalid("there is no model");
  const auto below_one = [](std::string_view name, int64_t number) {
    return Invalid(absl::StrCat(AbslView(name), " is ", number, "; it must be at least 1"));
  };
  if (training.batch < 1) return below_one("batch", training.batch);
  if (training.epochs < 1) return below_one("epochs", training.epochs);
  if (training.evaluate_batch < 1) return below_one("evaluate_batch", training.evaluate_batch);
  if (!IsFloat(training.dtype)) {
    return Invalid(absl::StrCat("dtype is ", AbslView(Name(training.dtype)),
                                "; it must be float32 or float64"));
  }

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
  if (!outputs.ok()) return Invalid("the model returns a value of no tape");
  if (absl::Status s = LookUp(training, outputs.dim(-1), plan); !s.ok()) return s;
  plan.parameters = root.parameters();
  plan.layers = root.layers();
  Carried carried;
  for (const ParameterSpec& spec : plan.parameters) {
    plan.state.specs.push_back({ParameterInput(spec.name), spec.type, 0});
    carried.parameters.push_back(
        scratch.Input(ParameterInput(spec.name), spec.type.dtype, spec.type.shape));
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
  plan.acts_in_batch = Acts(AdjustEvent::kBatchEnd, training.adjust);
  plan.stops_in_batch = batch.stop.tape() != nullptr;
  const Sums validation =
      validates ? builder.Evaluate(scratch, batch.next.parameters, inputs, targets) : Sums();
  const FitBuilder::Epoch epoch =
      builder.End(batch.next, batch.sums, validation, batch.stop, adjust);
  plan.stops = epoch.stop.tape() != nullptr || plan.stops_in_batch;
  plan.replaces_parameters = epoch.next.parameters != batch.next.parameters;
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
  const absl::StatusOr<double> rate = FirstRate(training, plan.rule);
  if (!rate.ok()) return rate.status();
  const bool scaled = training.rate && !training.rate->constant();
  plan.state.specs.push_back({scaled ? "rate_scale" : "rate", {kFloat64, {}}, *rate});
  plan.state.specs.push_back({"epoch", {kInt64, {}}, 0});
  plan.state.specs.push_back({"update", {kInt64, {}}, 0});
  plan.hypers = builder.hypers().specs();
  plan.columns = MeasuredNames(plan);
  if (validates) {
    for (const std::string& name : MeasuredNames(plan)) plan.columns.push_back("val_" + name);
  }
  plan.columns.push_back("lr");
  if (absl::Status s = CheckNames(plan); !s.ok()) return s;
  return plan;
}

absl::StatusOr<ModelPlan> PlanModel(const Model& model, DType dtype, const Type& input) {
  if (!model) return Invalid("there is no model");
  Tape scratch;
  // As PlanTraining does: some of a model may be there in training only.
  ScopeRoot root(scratch, dtype, Mode::kTrain);
  Scope scope = root.scope();
  const Value outputs =
      model(scope, scratch.Input("inputs", input.dtype, WithLeading(kRows, input.shape)));
  if (!scratch.status().ok()) return scratch.status();
  if (!outputs.ok()) return Invalid("the model returns a value of no tape");
  return ModelPlan{root.parameters(), root.layers()};
}

}  // namespace talweg
