#include "train/fit.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "train/fit_builder.h"
#include "train/progress_bar.h"
#include "train/session.h"

namespace talweg {
namespace {

// The training as an evaluation sees it: adjustments may want metrics that only a fit has.
absl::StatusOr<TrainingPlan> PlanEvaluation(Training training, const DataTypes& types) {
  training.adjust.clear();
  return PlanTraining(training, types, false);
}

// Parameters that do not fit may be right for other inputs.
absl::StatusOr<NamedArrays> ForInputs(const Type& input, const NamedArrays& parameters,
                                      const std::vector<ParameterSpec>& specs) {
  absl::StatusOr<NamedArrays> matched = Matching(parameters, specs);
  if (matched.ok()) return matched;
  return absl::Status(matched.status().code(), absl::StrCat("for inputs of ", ToString(input),
                                                            " each: ", matched.status().message()));
}

}  // namespace

std::string_view Name(TrainEnd end) {
  switch (end) {
    case TrainEnd::kEpochs:
      return "epochs";
    case TrainEnd::kAdjustment:
      return "adjustment";
    case TrainEnd::kRequest:
      return "request";
  }
  return "";
}

absl::StatusOr<Fitted> Fit(const Engine& engine, const Training& training, const Dataset& train,
                           const Dataset& validation, const FitOptions& options) {
  if (options.verbose < 0 || options.verbose > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("fit: verbose is ", options.verbose, "; it can be 0, 1 or 2"));
  }
  if (absl::Status s = CheckCallbacks(options.callbacks, "fit"); !s.ok()) return s;
  if (absl::Status s = CheckEngine(engine, "fit"); !s.ok()) return s;
  // The bar comes first, as Keras's does.
  ProgressBar bar({.verbose = options.verbose});
  FitOptions shown = options;
  if (options.verbose > 0) shown.callbacks.insert(shown.callbacks.begin(), &bar);
  Session session(engine, training, shown);
  if (absl::Status s = session.Start(train, validation); !s.ok()) return s;
  if (absl::Status s = session.Train(); !s.ok()) return s;
  return std::move(session).Finish();
}

absl::StatusOr<Scores> Evaluate(const Engine& engine, const Training& training,
                                const NamedArrays& parameters, const Dataset& data, int threads) {
  if (absl::Status s = CheckEngine(engine, "evaluate"); !s.ok()) return s;
  const absl::StatusOr<Dataset> prepared = Prepare(data, training.dtype, "data");
  if (!prepared.ok()) return prepared.status();
  const DataTypes types = TypesOf(*prepared);
  const absl::StatusOr<TrainingPlan> plan = PlanEvaluation(training, types);
  if (!plan.ok()) return plan.status();
  const absl::StatusOr<NamedArrays> matched = ForInputs(types.input, parameters, plan->parameters);
  if (!matched.ok()) return matched.status();
  const absl::StatusOr<Graph> graph = EvaluateGraph(training, *plan, types);
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();

  const std::vector<std::string> names = MeasuredNames(*plan);
  std::vector<double> sums(names.size(), 0);
  NamedArrays inputs;
  for (const auto& [name, array] : *matched) inputs[ParameterInput(name)] = array;
  for (int64_t first = 0; first < prepared->size(); first += training.evaluate_batch) {
    const int64_t count = std::min(training.evaluate_batch, prepared->size() - first);
    const absl::StatusOr<Dataset> chunk = Rows(*prepared, first, count);
    if (!chunk.ok()) return chunk.status();
    inputs["inputs"] = chunk->inputs;
    inputs["targets"] = chunk->targets;
    const absl::StatusOr<std::vector<Array>> outputs =
        executable->Run(inputs, {.threads = threads});
    if (!outputs.ok()) return outputs.status();
    for (size_t i = 0; i < sums.size(); i++) sums[i] += (*outputs)[i].At(0);
  }
  Scores scores;
  for (size_t i = 0; i < names.size(); i++) {
    scores[names[i]] = sums[i] / static_cast<double>(prepared->size());
  }
  return scores;
}

NamedArrays ParametersOf(const NamedArrays& state) {
  const std::string prefix = ParameterInput("");
  NamedArrays parameters;
  for (const auto& [name, array] : state) {
    if (name.starts_with(prefix)) parameters[name.substr(prefix.size())] = array;
  }
  return parameters;
}

absl::StatusOr<Predictor> Predictor::Make(const Engine& engine, const Training& training,
                                          const NamedArrays& parameters, const Type& sample) {
  if (absl::Status s = CheckEngine(engine, "predict"); !s.ok()) return s;
  if (training.evaluate_batch < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "predict: evaluate_batch is ", training.evaluate_batch, "; it must be at least 1"));
  }
  if (!IsFloat(training.dtype)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "predict: dtype is ", AbslView(Name(training.dtype)), "; it must be float32 or float64"));
  }
  const Type input{IsFloat(sample.dtype) ? training.dtype : sample.dtype, sample.shape};
  const absl::StatusOr<ModelPlan> model = PlanModel(training.model, training.dtype, input);
  if (!model.ok()) return model.status();
  const absl::StatusOr<NamedArrays> matched = ForInputs(input, parameters, model->parameters);
  if (!matched.ok()) return matched.status();
  const absl::StatusOr<Graph> graph =
      PredictGraph(training.model, training.dtype, model->parameters, input);
  if (!graph.ok()) return graph.status();
  absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();

  NamedArrays named = {{"inputs", Array()}};
  for (const auto& [name, array] : *matched) named[ParameterInput(name)] = array;
  Predictor predictor(*std::move(executable), training.dtype, training.evaluate_batch);
  for (size_t i = 0; i < graph->inputs().size(); i++) {
    const auto argument = named.find(graph->input_name(i));
    if (argument == named.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("predict: the model makes an input of its own, '", graph->input_name(i),
                       "', which nobody gives"));
    }
    if (argument->first == "inputs") predictor.place_ = i;
    predictor.arguments_.push_back(argument->second);
  }
  return predictor;
}

absl::StatusOr<Array> Predictor::Run(const Array& inputs, const RunOptions& options) const {
  const absl::StatusOr<Array> cast = IsFloat(inputs.dtype()) ? inputs.Cast(dtype_) : inputs;
  if (!cast.ok()) return cast.status();
  std::vector<Array> arguments = arguments_;
  const auto run = [&](Array rows) -> absl::StatusOr<Array> {
    arguments[place_] = std::move(rows);
    absl::StatusOr<std::vector<Array>> outputs = executable_.Call(arguments, options);
    if (!outputs.ok()) return outputs.status();
    return std::move(outputs->front());
  };
  const Shape& shape = executable_.graph().output_type(0).shape;
  const int64_t rows = cast->rank() == 0 ? 0 : cast->dims()[0];
  if (rows <= at_once_ || shape.empty() || shape[0] != kRows) return run(*cast);

  // Part by part: the values of the model's layers need not be there for all rows at once.
  absl::StatusOr<Array> all = Array();
  for (int64_t first = 0; first < rows; first += at_once_) {
    const int64_t count = std::min(at_once_, rows - first);
    absl::StatusOr<Array> part = cast->Rows(first, count);
    if (!part.ok()) return part;
    const absl::StatusOr<Array> outputs = run(*std::move(part));
    if (!outputs.ok()) return outputs;
    if (first == 0) {
      Dims dims = outputs->dims();
      dims[0] = rows;
      all = Array::Unwritten(outputs->dtype(), dims);
      if (!all.ok()) return all;
    }
    std::memcpy(all->mutable_bytes() + outputs->bytes() / count * first, outputs->raw(),
                static_cast<size_t>(outputs->bytes()));
  }
  return all;
}

absl::StatusOr<Array> Predict(const Engine& engine, const Training& training,
                              const NamedArrays& parameters, const Array& inputs, int threads) {
  if (inputs.rank() == 0) return absl::InvalidArgumentError("inputs: a scalar has no rows");
  const Type sample{inputs.dtype(), Shape(inputs.dims().begin() + 1, inputs.dims().end())};
  const absl::StatusOr<Predictor> predictor = Predictor::Make(engine, training, parameters, sample);
  if (!predictor.ok()) return predictor.status();
  return predictor->Run(inputs, {.threads = threads});
}

absl::StatusOr<NamedArrays> InitialParameters(const Engine& engine, const Training& training,
                                              const Dataset& data) {
  if (absl::Status s = CheckEngine(engine, "initial parameters"); !s.ok()) return s;
  const absl::StatusOr<Dataset> prepared = Prepare(data, training.dtype, "data");
  if (!prepared.ok()) return prepared.status();
  const absl::StatusOr<TrainingPlan> plan = PlanEvaluation(training, TypesOf(*prepared));
  if (!plan.ok()) return plan.status();
  return MakeInitialParameters(engine, training, *plan);
}

absl::StatusOr<std::string> Summary(const Training& training, const Dataset& data) {
  const absl::StatusOr<Dataset> prepared = Prepare(data, training.dtype, "data");
  if (!prepared.ok()) return prepared.status();
  const absl::StatusOr<TrainingPlan> plan = PlanEvaluation(training, TypesOf(*prepared));
  if (!plan.ok()) return plan.status();
  return Summary(plan->layers, plan->parameters);
}

absl::StatusOr<std::string> Summary(const Model& model, const Type& sample) {
  const DType dtype = IsFloat(sample.dtype) ? sample.dtype : kFloat32;
  const absl::StatusOr<ModelPlan> plan = PlanModel(model, dtype, sample);
  if (!plan.ok()) return plan.status();
  return Summary(plan->layers, plan->parameters);
}

}  // namespace talweg
