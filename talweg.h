#ifndef TALWEG_TALWEG_H_
#define TALWEG_TALWEG_H_

// All of Talweg: symbolic tensors and their derivatives, training as one graph, figures.
//
//   #include "talweg.h"
//   using namespace talweg;
//
//   Model mlp = [](Scope& s, Value x) {
//     Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
//     return Dense(s, "output", h, 3);
//   };
//   absl::StatusOr<Fitted> fitted = Fit({.model = mlp, .loss = SoftmaxCrossEntropy}, train, test);

#include "autodiff/batch.h"
#include "autodiff/check.h"
#include "autodiff/gradient.h"
#include "autodiff/jacobian.h"
#include "autodiff/tangent.h"
#include "base/array.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/shape.h"
#include "base/text.h"
#include "data/blobs.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "data/keras_trace.h"
#include "data/safetensors.h"
#include "data/user_path.h"
#include "graph/engine.h"
#include "graph/parse.h"
#include "graph/print.h"
#include "graph/step.h"
#include "graph/tape.h"
#include "graph/value.h"
#include "graph/verify.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "jit/trace.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/initializer.h"
#include "ops/loop.h"
#include "ops/loss.h"
#include "ops/map.h"
#include "ops/metric.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "ops/view.h"
#include "optim/adjustments.h"
#include "optim/rule_step.h"
#include "optim/rules.h"
#include "optim/schedule.h"
#include "plot/figure.h"
#include "train/callback.h"
#include "train/callbacks.h"
#include "train/fit.h"
#include "train/history.h"
#include "train/hypergradient.h"
#include "train/layers.h"
#include "train/progress_bar.h"
#include "train/scope.h"
#include "train/sweep.h"
#include "train/training.h"

namespace talweg {

// An engine by its name: "jit" or "interpreter". An unknown name is an error that lists the known
// ones.
absl::StatusOr<Engine> EngineByName(std::string_view name);

// What runs a graph where no engine is named: the fastest one there is.
const Engine& DefaultEngine();

// The graph of these outputs, ready to run. Errors: whatever went wrong while the graph was built.
absl::StatusOr<Executable> Compile(const Tape& tape, absl::Span<const Value> outputs);
// A graph that is there already: from a text, or of many instances (autodiff/batch.h).
absl::StatusOr<Executable> Compile(const Graph& graph);

// The graph of these outputs as a step that goes from state to state (graph/step.h), for a training
// loop of one's own.
absl::StatusOr<Step> CompileStep(const Tape& tape, absl::Span<const Carry> carried,
                                 absl::Span<const Value> outputs);

// Fit, Evaluate, Predict and InitialParameters of train/fit.h on the default engine.
absl::StatusOr<Fitted> Fit(const Training& training, const Dataset& train,
                           const Dataset& validation = {}, const FitOptions& options = {});
absl::StatusOr<Scores> Evaluate(const Training& training, const NamedArrays& parameters,
                                const Dataset& data, int threads = 0);
absl::StatusOr<Array> Predict(const Training& training, const NamedArrays& parameters,
                              const Array& inputs, int threads = 0);
absl::StatusOr<NamedArrays> InitialParameters(const Training& training, const Dataset& data);

// Predictor::Make, Hypergradient::Make (train/hypergradient.h) and CheckGradients
// (autodiff/check.h) on the default engine.
absl::StatusOr<Predictor> MakePredictor(const Training& training, const NamedArrays& parameters,
                                        const Type& sample);
absl::StatusOr<Hypergradient> MakeHypergradient(const Training& training, const Dataset& train,
                                                const Dataset& validation,
                                                const std::vector<std::string>& by,
                                                const HypergradientOptions& options = {});
absl::Status CheckGradients(
    const std::function<Value(Tape& tape, const std::vector<Value>& inputs)>& function,
    const std::vector<Array>& point, const GradientCheckOptions& options = {});

// Sweep of train/sweep.h on the default engine.
absl::StatusOr<SweepResult> Sweep(const Training& training, const std::vector<SweepAxis>& axes,
                                  const Dataset& train, const Dataset& validation = {},
                                  const SweepOptions& options = {});
absl::StatusOr<SweepResult> Sweep(const std::vector<Training>& trainings,
                                  const std::vector<SweepAxis>& axes, const Dataset& train,
                                  const Dataset& validation = {}, const SweepOptions& options = {});

}  // namespace talweg

#endif  // TALWEG_TALWEG_H_
