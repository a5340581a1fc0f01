#include "train/hypergradient.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "autodiff/gradient.h"
#include "base/text.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "train/fit_builder.h"
#include "train/fit_graph.h"
#include "train/session.h"

namespace talweg {
namespace {

absl::Status Invalid(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("hypergradient: ", what));
}

// More bytes than this are not told apart.
constexpr double kMost = static_cast<double>(int64_t{1} << 62);

double BytesOf(const Type& type, const SymbolValues& symbols) {
  double bytes = static_cast<double>(SizeOf(type.dtype));
  for (const Dim dim : type.shape) {
    bytes *= static_cast<double>(std::max<int64_t>(symbols.Of(dim), 0));
  }
  return bytes;
}

// What the loops of a graph stack, those of bodies once: a body's values are gone after its trip. A
// number of trips that is only known at run time counts as one, where it is not that of the epochs.
double StackedBytes(const Graph& graph, const SymbolValues& symbols) {
  double bytes = 0;
  for (const Node& node : graph.nodes()) {
    if (node.kind() == Kind::kPart) {
      const auto& a = graph.node(node.operands[0]).As<LoopAttributes>();
      const int32_t index = node.As<PartAttributes>().index;
      if (index >= a.carried && index < a.carried + a.stacked) {
        bytes += BytesOf(node.type(), symbols);
      }
    }
    if (node.kind() != Kind::kLoop) continue;
    const auto& a = node.As<LoopAttributes>();
    SymbolValues inner{.rows = symbols.rows, .trips = 1};
    if (a.binds_rows) inner.rows = a.rows_limit;
    bytes += StackedBytes(*a.body, inner);
  }
  return bytes;
}

// The fit, the loss after it, and its gradients on one tape. Inputs are those of the fit, and
// final/inputs, final/targets [rows, ..]; outputs the loss, the gradients and the parameters.
absl::StatusOr<Graph> Differentiate(const Graph& fit, const Graph& evaluate, const DataTypes& types,
                                    const std::vector<std::string>& by) {
  Tape tape;
  std::map<std::string, Value> inputs;
  std::vector<Value> arguments;
  for (size_t i = 0; i < fit.inputs().size(); i++) {
    const Type& type = fit.input_type(i);
    arguments.push_back(tape.Input(fit.input_name(i), type.dtype, type.shape));
    inputs[fit.input_name(i)] = arguments.back();
  }
  const Value anchor(tape.state(), -1);
  const std::vector<Value> states = Inline(fit, arguments, anchor);
  // EvaluateGraph takes inputs, targets and the parameters, which come first among the states.
  arguments = {
      tape.Input("final/inputs", types.input.dtype, WithLeading(kRows, types.input.shape)),
      tape.Input("final/targets", types.target.dtype, WithLeading(kRows, types.target.shape))};
  const size_t parameters = evaluate.inputs().size() - 2;
  arguments.insert(arguments.end(), states.begin(),
                   states.begin() + static_cast<std::ptrdiff_t>(parameters));
  // In a body of its own: loops of the model have lengths of their own there.
  LoopOptions options{.trips = 1, .carried = {tape.Constant(Array(0.0))}};
  options.whole = true;
  const LoopResult evaluated = Loop(tape, options, [&](LoopBody& body) -> LoopStep {
    return {.carried = {Inline(evaluate, arguments, Value(body.tape.state(), -1))[0]}};
  });
  const Value sum = evaluated.carried[0];
  const Value loss = sum / Cast(tape.Size(kRows), kFloat64);
  std::vector<Value> xs;
  for (const std::string& name : by) xs.push_back(inputs.at(name));
  std::vector<Value> outputs = {loss};
  const std::vector<Value> gradients = Gradient(loss, xs);
  outputs.insert(outputs.end(), gradients.begin(), gradients.end());
  outputs.insert(outputs.end(), states.begin(),
                 states.begin() + static_cast<std::ptrdiff_t>(parameters));
  return tape.Finish(outputs);
}

// The graph's input of a name that users know: states come in as "state/...".
std::string InputOf(const std::string& name, const std::vector<StateSpec>& states) {
  const bool state = std::any_of(states.begin(), states.end(),
                                 [&](const StateSpec& spec) { return spec.name == name; });
  return state ? absl::StrCat("state/", name) : name;
}

// What can be differentiated: the graph's inputs by the users' names.
std::map<std::string, std::string> Known(const Graph& fit, const TrainingPlan& plan) {
  std::map<std::string, std::string> known;
  const auto know = [&](const std::string& name) {
    const std::string input = InputOf(name, plan.state.specs);
    for (size_t i = 0; i < fit.inputs().size(); i++) {
      if (fit.input_name(i) == input && IsFloat(fit.input_type(i).dtype)) known[name] = input;
    }
  };
  for (const HyperSpec& spec : plan.hypers) know(spec.name);
  for (const StateSpec& spec : plan.state.specs) know(spec.name);
  know("train/inputs");
  know("train/targets");
  return known;
}

// The inputs of those that are named.
absl::StatusOr<std::vector<std::string>> Chosen(const std::vector<std::string>& by,
                                                const std::map<std::string, std::string>& known) {
  if (by.empty()) return Invalid("by nothing; name a hyper-parameter");
  std::vector<std::string> inputs;
  for (const std::string& name : by) {
    const auto found = known.find(name);
    if (found == known.end()) {
      const auto first = [](std::string* out, const auto& entry) { out->append(entry.first); };
      return Invalid(absl::StrCat("there is no float '", name, "'; there are ",
                                  absl::StrJoin(known, ", ", first)));
    }
    if (std::count(by.begin(), by.end(), name) > 1) {
      return Invalid(absl::StrCat("'", name, "' is named twice"));
    }
    inputs.push_back(found->second);
  }
  return inputs;
}

}  // namespace

absl::StatusOr<Hypergradient> Hypergradient::Make(const Engine& engine, const Training& training,
                                                  const Dataset& train, const Dataset& validation,
                                                  const std::vector<std::string>& by,
                                                  const HypergradientOptions& options) {
  if (absl::Status s = CheckEngine(engine, "hypergradient"); !s.ok()) return s;
  absl::StatusOr<Dataset> final = Prepare(validation, training.dtype, "validation data");
  if (!final.ok()) return final.status();
  // Adjustments may watch metrics and the loss on the validation data; nobody else does.
  Training measured = training;
  if (training.adjust.empty()) measured.metrics.clear();
  const FitOptions fit_options{.parameters = options.parameters};
  Session session(engine, measured, fit_options);
  const bool watched = !training.adjust.empty();
  if (absl::Status s = session.Start(train, watched ? validation : Dataset()); !s.ok()) return s;
  const TrainingPlan& plan = session.plan();
  const DataTypes types = TypesOf(*final);
  if (absl::Status s = CheckAlike(session.types(), types); !s.ok()) return s;
  const absl::StatusOr<Graph> fit =
      FitGraph(measured, plan, types, train.size(), watched ? validation.size() : 0);
  if (!fit.ok()) return fit.status();
  const absl::StatusOr<Graph> evaluate = EvaluateGraph(measured, plan, types);
  if (!evaluate.ok()) return evaluate.status();
  for (const HyperSpec& spec : plan.hypers) {
    if (InputOf(spec.name, plan.state.specs) == spec.name) continue;
    return Invalid(absl::StrCat("'", spec.name,
                                "' is a hyper-parameter and a state; give one of "
                                "them another name"));
  }
  const std::map<std::string, std::string> known = Known(*fit, plan);
  const absl::StatusOr<std::vector<std::string>> differentiated = Chosen(by, known);
  if (!differentiated.ok()) return differentiated.status();
  absl::StatusOr<Graph> graph = Differentiate(*fit, *evaluate, types, *differentiated);
  if (!graph.ok()) return graph.status();
  const SymbolValues symbols{.rows = validation.size(), .trips = training.epochs};
  double bytes = StackedBytes(*graph, symbols);
  for (size_t i = 0; i < fit->inputs().size(); i++) {
    if (fit->input_name(i) == "order") bytes += BytesOf(fit->input_type(i), symbols);
  }
  const auto kept = static_cast<int64_t>(std::min(bytes, kMost));
  if (kept > options.memory_limit) {
    return absl::ResourceExhaustedError(
        absl::StrCat("hypergradient: the backward pass of ", training.epochs, " epochs would keep ",
                     kept, " bytes; memory_limit is ", options.memory_limit));
  }
  absl::StatusOr<NamedArrays> inputs = session.FitInputs(*fit, training.epochs);
  if (!inputs.ok()) return inputs.status();
  const absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();

  Hypergradient made(*executable);
  made.by_ = by;
  for (const ParameterSpec& spec : plan.parameters) made.parameters_.push_back(spec.name);
  for (const auto& [name, input] : known) made.values_[name] = inputs->at(input);
  made.inputs_ = *std::move(inputs);
  made.inputs_["final/inputs"] = final->inputs;
  made.inputs_["final/targets"] = final->targets;
  made.hypers_ = plan.hypers;
  made.states_ = plan.state.specs;
  made.bytes_ = kept;
  return made;
}

absl::StatusOr<Hypergradient::Result> Hypergradient::Run(const NamedArrays& at,
                                                         const RunOptions& options) const {
  NamedArrays inputs = inputs_;
  for (const auto& [name, array] : at) {
    const auto value = values_.find(name);
    if (value == values_.end()) {
      return Invalid(absl::StrCat("the training has no '", name, "' to set"));
    }
    if (array.dtype() != value->second.dtype() || array.dims() != value->second.dims()) {
      return absl::InvalidArgumentError(
          absl::StrCat("hypergradient: '", name, "' is ", Name(value->second.dtype()),
                       ToString(value->second.dims()), "; the one given is ", Name(array.dtype()),
                       ToString(array.dims())));
    }
    for (const HyperSpec& spec : hypers_) {
      if (spec.name != name) continue;
      if (absl::Status s = CheckValue(spec, array); !s.ok()) return s;
    }
    if ((name == "rate" || name == "rate_scale") && !kRates.Contains(array.At(0))) {
      return Invalid(absl::StrCat("'", name, "' is ", FormatNumber(array.At(0)), "; it must be ",
                                  kRates.ToString()));
    }
    inputs[InputOf(name, states_)] = array;
  }
  const absl::StatusOr<std::vector<Array>> outputs = executable_.Run(inputs, options);
  if (!outputs.ok()) return outputs.status();
  if (options.stop != nullptr && options.stop->load()) {
    return absl::CancelledError("hypergradient: the run was told to stop");
  }
  Result result{.loss = (*outputs)[0].At(0), .gradients = {}, .parameters = {}};
  size_t next = 1;
  for (const std::string& name : by_) result.gradients[name] = (*outputs)[next++];
  for (const std::string& name : parameters_) result.parameters[name] = (*outputs)[next++];
  return result;
}

}  // namespace talweg
