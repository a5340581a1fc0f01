#include "talweg.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace talweg {

absl::StatusOr<Engine> EngineByName(std::string_view name) {
  if (name == "interpreter") return Engine(Interpret);
  if (name == "jit") return DefaultEngine();
  return absl::InvalidArgumentError(
      absl::StrCat("there is no engine '", AbslView(name), "'; there are jit and interpreter"));
}

const Engine& DefaultEngine() {
  static const Engine* const engine = [] {
    // It is never destroyed, so that other static objects may use it as long as they live.
    if (EnvironmentTrace().table) {
      std::atexit([] { Tracer({}).Show(&Trace::table, *ReportOf(DefaultEngine())); });
    }
    return new Engine(JitEngine());
  }();
  return *engine;
}

absl::StatusOr<Executable> Compile(const Tape& tape, absl::Span<const Value> outputs) {
  const absl::StatusOr<Graph> graph = tape.Finish(outputs);
  if (!graph.ok()) return graph.status();
  return Compile(*graph);
}

absl::StatusOr<Executable> Compile(const Graph& graph) { return DefaultEngine()(graph); }

absl::StatusOr<Step> CompileStep(const Tape& tape, absl::Span<const Carry> carried,
                                 absl::Span<const Value> outputs) {
  absl::StatusOr<StepGraph> step = MakeStepGraph(tape, carried, outputs);
  if (!step.ok()) return step.status();
  absl::StatusOr<Executable> executable = DefaultEngine()(step->graph);
  if (!executable.ok()) return executable.status();
  return Step::Make(*std::move(executable), step->state);
}

absl::StatusOr<Fitted> Fit(const Training& training, const Dataset& train,
                           const Dataset& validation, const FitOptions& options) {
  return Fit(DefaultEngine(), training, train, validation, options);
}

absl::StatusOr<Scores> Evaluate(const Training& training, const NamedArrays& parameters,
                                const Dataset& data, int threads) {
  return Evaluate(DefaultEngine(), training, parameters, data, threads);
}

absl::StatusOr<Array> Predict(const Training& training, const NamedArrays& parameters,
                              const Array& inputs, int threads) {
  return Predict(DefaultEngine(), training, parameters, inputs, threads);
}

absl::StatusOr<Predictor> MakePredictor(const Training& training, const NamedArrays& parameters,
                                        const Type& sample) {
  return Predictor::Make(DefaultEngine(), training, parameters, sample);
}

absl::StatusOr<Hypergradient> MakeHypergradient(const Training& training, const Dataset& train,
                                                const Dataset& validation,
                                                const std::vector<std::string>& by,
                                                const HypergradientOptions& options) {
  return Hypergradient::Make(DefaultEngine(), training, train, validation, by, options);
}

absl::Status CheckGradients(
    const std::function<Value(Tape& tape, const std::vector<Value>& inputs)>& function,
    const std::vector<Array>& point, const GradientCheckOptions& options) {
  return CheckGradients(DefaultEngine(), function, point, options);
}

absl::StatusOr<NamedArrays> InitialParameters(const Training& training, const Dataset& data) {
  return InitialParameters(DefaultEngine(), training, data);
}

absl::StatusOr<SweepResult> Sweep(const Training& training, const std::vector<SweepAxis>& axes,
                                  const Dataset& train, const Dataset& validation,
                                  const SweepOptions& options) {
  return Sweep(DefaultEngine(), training, axes, train, validation, options);
}

absl::StatusOr<SweepResult> Sweep(const std::vector<Training>& trainings,
                                  const std::vector<SweepAxis>& axes, const Dataset& train,
                                  const Dataset& validation, const SweepOptions& options) {
  return Sweep(DefaultEngine(), trainings, axes, train, validation, options);
}

}  // namespace talweg
