#include "train/session.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace talweg {
namespace {

// There and true after an adjustment has ended the training.
constexpr std::string_view kStopped = "stopped";

Type WithoutLeading(const Array& array) {
  return {array.dtype(), Shape(array.dims().begin() + 1, array.dims().end())};
}

}  // namespace

absl::Status CheckEngine(const Engine& engine, std::string_view what) {
  if (engine) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(AbslView(what), ": the engine is empty"));
}

absl::Status CheckCallbacks(absl::Span<Callback* const> callbacks, std::string_view what) {
  if (!absl::c_linear_search(callbacks, nullptr)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(AbslView(what), ": one of the callbacks is null"));
}

bool WantBatches(absl::Span<Callback* const> callbacks) {
  return absl::c_any_of(callbacks, [](const Callback* c) { return c->WantsBatches(); });
}

DataTypes TypesOf(const Dataset& data) {
  return {WithoutLeading(data.inputs), WithoutLeading(data.targets)};
}

absl::StatusOr<Dataset> Prepare(const Dataset& data, DType dtype, std::string_view what) {
  if (absl::Status status = Validate(data); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(AbslView(what), ": ", status.message()));
  }
  const auto cast = [&](const Array& array) {
    return IsFloat(array.dtype()) ? array.Cast(dtype) : absl::StatusOr<Array>(array);
  };
  absl::StatusOr<Array> inputs = cast(data.inputs), targets = cast(data.targets);
  if (!inputs.ok()) return inputs.status();
  if (!targets.ok()) return targets.status();
  return Dataset{*std::move(inputs), *std::move(targets)};
}

absl::StatusOr<NamedArrays> MakeInitialParameters(const Engine& engine, const Training& training,
                                                  const TrainingPlan& plan) {
  const absl::StatusOr<Graph> graph = InitialParameters(plan.parameters);
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();
  return RunInitialParameters(*executable, training.seed, plan);
}

absl::StatusOr<NamedArrays> RunInitialParameters(const Executable& executable, int64_t seed,
                                                 const TrainingPlan& plan) {
  // Draws are not shared by threads; and a sweep's fits have one each.
  absl::StatusOr<std::vector<Array>> values =
      executable.Run({{"seed", Array(seed)}}, {.threads = 1});
  if (!values.ok()) return values.status();
  NamedArrays parameters;
  for (size_t i = 0; i < values->size(); i++) {
    parameters[plan.parameters[i].name] = std::move((*values)[i]);
  }
  return parameters;
}

absl::StatusOr<NamedArrays> Matching(const NamedArrays& given,
                                     const std::vector<ParameterSpec>& specs) {
  NamedArrays matched;
  for (const ParameterSpec& spec : specs) {
    const auto it = given.find(spec.name);
    if (it == given.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "parameter '", spec.name, "' ", ToString(spec.type), " is missing",
          given.contains(ParameterInput(spec.name))
              ? "; what is given is the state of a training: ParametersOf takes its parameters, "
                "FitOptions::state goes on from it"
          : given.empty() ? ""
                          : absl::StrCat("; given are '", given.begin()->first, "' and others")));
    }
    absl::StatusOr<Array> array = it->second.Cast(spec.type.dtype);
    if (!array.ok()) return array.status();
    if (ToShape(array->dims()) != spec.type.shape) {
      return absl::InvalidArgumentError(absl::StrCat("parameter '", spec.name, "' ",
                                                     ToString(spec.type), ": the shape given is ",
                                                     ToString(array->dims())));
    }
    matched[spec.name] = *std::move(array);
  }
  for (const auto& [name, array] : given) {
    if (!matched.contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat("the model has no parameter '", name, "'"));
    }
  }
  return matched;
}

absl::Status CheckAlike(const DataTypes& train, const DataTypes& validation) {
  if (train.input == validation.input && train.target == validation.target) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a sample of the training data is ", ToString(train.input), " -> ",
                   ToString(train.target), ", of the validation data ", ToString(validation.input),
                   " -> ", ToString(validation.target)));
}

absl::StatusOr<FitKit> MakeKit(const Training& training, const Dataset& train,
                               const Dataset& validation) {
  FitKit kit;
  absl::StatusOr<Dataset> prepared = Prepare(train, training.dtype, "training data");
  if (!prepared.ok()) return prepared.status();
  kit.train = *std::move(prepared);
  kit.types = TypesOf(kit.train);
  // The rest of a split may be empty; what is given by halves is a mistake.
  const bool validates =
      validation.size() > 0 || (validation.targets.rank() > 0 && validation.targets.dims()[0] > 0);
  if (validates) {
    prepared = Prepare(validation, training.dtype, "validation data");
    if (!prepared.ok()) return prepared.status();
    kit.validation = *std::move(prepared);
    if (absl::Status s = CheckAlike(kit.types, TypesOf(kit.validation)); !s.ok()) return s;
  }
  absl::StatusOr<TrainingPlan> plan = PlanTraining(training, kit.types, validates);
  if (!plan.ok()) return plan.status();
  kit.plan = *std::move(plan);
  return kit;
}

absl::Status Session::Start(const Dataset& train, const Dataset& validation) {
  const absl::StatusOr<FitKit> kit = MakeKit(training_, train, validation);
  return kit.ok() ? Start(*kit, {}) : kit.status();
}

absl::Status Session::Start(const FitKit& kit, const NamedArrays& numbers) {
  train_ = kit.train;
  validation_ = kit.validation;
  types_ = kit.types;
  plan_ = kit.plan;
  fit_ = kit.fit;
  initial_ = kit.initial;
  pieces_ = kit.pieces;
  scheduled_rate_ = kit.scheduled_rate;
  const auto number = [&](const std::string& name, Array own) {
    const auto it = numbers.find(name);
    return it == numbers.end() ? std::move(own) : it->second;
  };
  for (const HyperSpec& spec : plan_.hypers) {
    hypers_[spec.name] = number(spec.name, spec.value());
  }
  history_ = History(plan_.columns);

  // The first state: as given, or parameters and the start values of everything else.
  if (!options_.state.empty()) {
    if (!options_.parameters.empty()) {
      return absl::InvalidArgumentError(
          "fit: parameters and state are given; a state has parameters of its own");
    }
    if (absl::Status s = StartFrom(options_.state); !s.ok()) return s;
  } else {
    absl::StatusOr<NamedArrays> parameters =
        !options_.parameters.empty() ? Matching(options_.parameters, plan_.parameters)
        : initial_                   ? RunInitialParameters(*initial_, training_.seed, plan_)
                                     : MakeInitialParameters(engine_, training_, plan_);
    if (!parameters.ok()) return parameters.status();
    for (auto& [name, array] : *parameters) state_[ParameterInput(name)] = array;
    for (size_t i = plan_.state.parameters; i < plan_.state.specs.size(); i++) {
      absl::StatusOr<Array> start = StartOf(plan_.state.specs[i]);
      if (!start.ok()) return start.status();
      // Of all states only the rate has its start from outside; others may be named as numbers are.
      const std::string& name = plan_.state.specs[i].name;
      state_[name] = name == "rate" ? number(name, *std::move(start)) : *std::move(start);
    }
  }
  epoch_ = Counter("epoch");
  if (epoch_ < 0 || epoch_ > training_.epochs) {
    return absl::InvalidArgumentError(
        absl::StrCat("the state to go on from is at epoch ", epoch_, " of ", training_.epochs));
  }
  if (train_.size() > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError("training: more samples than int32 can number");
  }
  if (training_.shuffle == Shuffle::kNumPy) {
    if (training_.seed < 0 || training_.seed > std::numeric_limits<uint32_t>::max()) {
      return absl::InvalidArgumentError(
          absl::StrCat("training: NumPy takes no seed ", training_.seed));
    }
    orders_.emplace(training_.seed, train_.size());
    for (int64_t i = 0; i < epoch_; i++) orders_->Next();
  }
  stopped_ = adjusted_;
  EndEpoch();
  return absl::OkStatus();
}

absl::Status Session::StartFrom(const NamedArrays& state) {
  const auto refuse = [](std::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("the state to go on from ", AbslView(what),
                                                   "; it is that of another training"));
  };
  for (const auto& [name, array] : state) {
    if (name.starts_with(kHistoryPrefix)) {
      const std::string column = name.substr(kHistoryPrefix.size());
      if (!history_.has(column) || array.dtype() != kFloat64 || array.rank() != 1) {
        return refuse(absl::StrCat("has a ", ToString(array.dims()), " '", name,
                                   "', which is no column of this history"));
      }
      continue;
    }
    if (name == kStopped && array.dtype() == kBool && array.rank() == 0) {
      adjusted_ = array.data<bool>()[0];
      continue;
    }
    if (std::none_of(plan_.state.specs.begin(), plan_.state.specs.end(),
                     [&](const StateSpec& spec) { return spec.name == name; })) {
      if (absl::c_any_of(plan_.parameters,
                         [&](const ParameterSpec& spec) { return spec.name == name; })) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the state to go on from has '", name,
            "', which is the name of a parameter: FitOptions::parameters takes parameters alone"));
      }
      return refuse(absl::StrCat("has '", name, "', which this training has not"));
    }
    state_[name] = array;
  }
  for (const StateSpec& spec : plan_.state.specs) {
    const auto it = state_.find(spec.name);
    if (it == state_.end() || it->second.dtype() != spec.type.dtype ||
        ToShape(it->second.dims()) != spec.type.shape) {
      return refuse(absl::StrCat("has no ", ToString(spec.type), " '", spec.name, "'"));
    }
    // Any rate will do: adjustments may have set one that nobody could begin with.
    if (spec.name == "update" && it->second.At(0) < 0) {
      return refuse(absl::StrCat("has ", FormatNumber(it->second.At(0)), " updates"));
    }
  }
  // The rows of the epochs before; without them the history begins here.
  std::vector<absl::Span<const double>> columns;
  for (const std::string& column : plan_.columns) {
    const auto it = state.find(absl::StrCat(AbslView(kHistoryPrefix), column));
    if (it != state.end()) columns.push_back(it->second.data<double>());
  }
  if (columns.empty()) return absl::OkStatus();
  const size_t rows = columns[0].size();
  if (columns.size() != plan_.columns.size() ||
      rows > static_cast<size_t>(std::max<int64_t>(Counter("epoch"), 0)) ||
      std::any_of(columns.begin(), columns.end(), [&](auto c) { return c.size() != rows; })) {
    return refuse("has a part of a history");
  }
  for (size_t row = 0; row < rows; row++) {
    std::vector<double> values;
    for (const absl::Span<const double> column : columns) values.push_back(column[row]);
    history_.Append(values);
  }
  return absl::OkStatus();
}

absl::StatusOr<NamedArrays> Session::State() const {
  NamedArrays state = last_epoch_;
  if (adjusted_) state[std::string(kStopped)] = Array(true);
  for (const std::string& column : plan_.columns) {
    absl::StatusOr<Array> values =
        Array::From({static_cast<int64_t>(whole_epochs_)}, history_[column].first(whole_epochs_));
    if (!values.ok()) return values.status();
    state[absl::StrCat(AbslView(kHistoryPrefix), column)] = *std::move(values);
  }
  return state;
}

void Session::EndEpoch() {
  last_epoch_ = state_;
  whole_epochs_ = history_.epochs();
}

double Session::rate() const {
  const auto it = state_.find("rate");
  if (it != state_.end()) return it->second.At(0);
  const absl::StatusOr<double> rate = ScheduledRate();
  if (rate.ok()) return *rate;
  Fail(rate.status());
  return std::numeric_limits<double>::quiet_NaN();
}

// What the schedule and the factor on it make of this moment. Whoever does not ask pays nothing.
absl::StatusOr<double> Session::ScheduledRate() const {
  const std::lock_guard lock(scheduled_rate_->making);
  std::optional<Executable>& executable = scheduled_rate_->made;
  if (!executable) {
    const absl::StatusOr<Graph> graph = RateGraph(training_, plan_, train_.size());
    if (!graph.ok()) return graph.status();
    absl::StatusOr<Executable> made = engine_(*graph);
    if (!made.ok()) return made.status();
    executable = *std::move(made);
  }
  NamedArrays inputs = StateInputs(executable->graph());
  inputs["state/epoch"] = Array(updated_ ? updated_in_ : epoch_);
  inputs["state/update"] = Array(Counter("update") - (updated_ ? 1 : 0));
  const absl::StatusOr<std::vector<Array>> rate = executable->Run(inputs, {.threads = 1});
  if (!rate.ok()) return rate.status();
  return rate->front().At(0);
}

// What a graph has among its inputs of seed, hyper-parameters and states.
NamedArrays Session::StateInputs(const Graph& graph) const {
  NamedArrays inputs;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const std::string& name = graph.input_name(i);
    if (name == "seed") {
      inputs[name] = Array(training_.seed);
    } else if (const auto hyper = hypers_.find(name); hyper != hypers_.end()) {
      inputs[name] = hyper->second;
    } else if (absl::StartsWith(name, "state/")) {
      inputs[name] = state_.at(name.substr(6));
    }
  }
  return inputs;
}

size_t Session::TakeState(const std::vector<Array>& outputs) {
  before_.resize(plan_.state.specs.size());
  for (size_t i = 0; i < plan_.state.specs.size(); i++) {
    before_[i] = std::exchange(state_[plan_.state.specs[i].name], outputs[i]);
  }
  return plan_.state.specs.size();
}

void Session::TakeRow(const std::vector<double>& row) {
  history_.Append(row);
  logs_.clear();
  for (size_t i = 0; i < row.size(); i++) logs_.push_back({plan_.columns[i], row[i]});
}

absl::StatusOr<Fitted> Session::Finish() && {
  absl::StatusOr<NamedArrays> state = State();
  if (!state.ok()) return state.status();
  const TrainEnd end = adjusted_  ? TrainEnd::kAdjustment
                       : stopped_ ? TrainEnd::kRequest
                                  : TrainEnd::kEpochs;
  return Fitted{std::move(history_), ParametersOf(state_), *std::move(state), end};
}

}  // namespace talweg
