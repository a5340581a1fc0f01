#include "benchmarks/common/calls.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "train/fit_graph.h"

namespace talweg::bench {
namespace {

// The inputs of `Updates` besides the state.
struct Samples {
  Value inputs, targets;  // [n, ..]
  Value order;            // int32 [batches * batch]: which samples make the batches
  int64_t batches, batch;
};

// The samples of the batch that a trip of the loop works on, [rows] numbers.
Value Places(LoopBody& body, const Samples& samples) {
  const Value trip = Cast(body.trip, kInt32);
  const Value batch = trip - trip / samples.batches * samples.batches;
  return Gather(samples.order, batch * samples.batch + body.tape.Iota(kRows));
}

// One update: parameters and the rule's slots in the order of the plan, the number of the update,
// and the sums of loss and metrics. Errors go to the tape, or to `error`.
LoopStep Update(LoopBody& body, const Training& training, const TrainingPlan& plan,
                const Samples& samples, const HyperScope& hypers, const Value& rate,
                absl::Status& error) {
  const auto parameters = body.carried.begin();
  const auto slots = parameters + static_cast<std::ptrdiff_t>(plan.state.parameters);
  const auto update = slots + static_cast<std::ptrdiff_t>(plan.state.slots);
  const Value places = Places(body, samples);
  const Value inputs = Gather(samples.inputs, places), targets = Gather(samples.targets, places);

  const std::vector<Value> weights(parameters, slots);
  const ScopeRoot root(body.tape, training.dtype, Mode::kTrain, plan.parameters, weights, Value());
  Scope scope = root.scope();
  const Value outputs = training.model(scope, inputs);
  const Value per_sample = plan.loss.per_sample(targets, outputs);
  std::vector<NamedValue> named;
  for (size_t i = 0; i < weights.size(); i++)
    named.push_back({plan.parameters[i].name, weights[i]});
  const StateScope state(
      body.tape,
      absl::MakeConstSpan(plan.state.specs).subspan(plan.state.parameters, plan.state.slots),
      std::vector<Value>(slots, update));
  const absl::StatusOr<std::vector<Value>> next =
      Apply(plan.rule, named, Gradient(Mean(per_sample), weights), rate, *update, hypers,
            state.Within("rule"));
  const absl::StatusOr<std::vector<Value>> next_slots = state.Next();
  error.Update(next.status());
  error.Update(next_slots.status());
  if (!error.ok()) return {.carried = body.carried};

  LoopStep step{.carried = *next};
  step.carried.insert(step.carried.end(), next_slots->begin(), next_slots->end());
  step.carried.push_back(*update + 1);
  std::vector<Value> sums = {Sum(per_sample)};
  for (const Metric& metric : plan.metrics)
    sums.push_back(Sum(metric.per_sample(targets, outputs)));
  for (size_t i = 0; i < sums.size(); i++) {
    step.carried.push_back(update[static_cast<std::ptrdiff_t>(i) + 1] + Cast(sums[i], kFloat64));
  }
  return step;
}

absl::StatusOr<Array> RandomArray(const Type& type) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> number(0.1, 1);
  absl::StatusOr<Array> array = Array::Zeros(kFloat64, Resolve(type.shape, {}));
  if (!array.ok()) return array;
  for (double& element : array->mutable_data<double>()) element = number(random);
  return array->Cast(type.dtype);
}

// Numbers 0 to n - 1 in an order of their own.
Array SomeOrder(int64_t n) {
  std::vector<int32_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  NumPyRandom(1).Shuffle(absl::MakeSpan(order));
  return Array::Vector(order);
}

// `updates` of them, or any number up to it, which is then an input.
absl::StatusOr<Call> MakeUpdates(const Engine& engine, const Training& training,
                                 const Dataset& samples, int64_t updates, bool any_number) {
  const absl::StatusOr<Dataset> data = Cast(samples, training.dtype);
  if (!data.ok()) return data.status();
  const auto sample = [](const Array& array) {
    return Type{array.dtype(), Shape(array.dims().begin() + 1, array.dims().end())};
  };
  const absl::StatusOr<TrainingPlan> plan =
      PlanTraining(training, {sample(data->inputs), sample(data->targets)}, false);
  if (!plan.ok()) return plan.status();
  const absl::StatusOr<NamedArrays> parameters = InitialParameters(engine, training, samples);
  if (!parameters.ok()) return parameters.status();

  Tape tape;
  NamedArrays arrays;
  const auto input = [&](const std::string& name, const Array& array) {
    arrays[name] = array;
    return tape.Input(name, array.dtype(), ToShape(array.dims()));
  };
  Samples batches{.inputs = input("inputs", data->inputs),
                  .targets = input("targets", data->targets),
                  .order = {},
                  .batches = data->size() / training.batch,
                  .batch = training.batch};
  batches.order = input("order", SomeOrder(batches.batches * training.batch));
  const Value rate = input("rate", Array(0.0));
  const HyperScope hypers(tape);

  LoopOptions options{.trips = updates};
  options.rows = input(
      "rows", Array::Vector(std::vector<int64_t>(static_cast<size_t>(updates), training.batch)));
  options.rows_limit = training.batch;
  if (any_number) options.trips = input("updates", Array(updates));
  const size_t states = plan->state.parameters + plan->state.slots;
  for (size_t i = 0; i < states; i++) {
    const StateSpec& spec = plan->state.specs[i];
    absl::StatusOr<Array> start = Array::Zeros(kFloat64, Resolve(spec.type.shape, {}));
    if (!start.ok()) return start.status();
    for (double& element : start->mutable_data<double>()) element = spec.start;
    if (i < plan->state.parameters) start = parameters->at(plan->parameters[i].name);
    const absl::StatusOr<Array> cast = start->Cast(spec.type.dtype);
    if (!cast.ok()) return cast.status();
    options.carried.push_back(input(absl::StrCat("state/", spec.name), *cast));
  }
  options.carried.push_back(tape.Constant(Array(int64_t{0})));
  for (size_t i = 0; i <= plan->metrics.size(); i++) {
    options.carried.push_back(tape.Constant(Array(0.0)));
  }
  absl::Status error;
  const LoopResult loop = Loop(tape, options, [&](LoopBody& body) {
    return Update(body, training, *plan, batches, hypers.Within("rule"), rate, error);
  });
  if (!error.ok()) return error;
  const absl::StatusOr<Graph> graph = tape.Finish(loop.carried);
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();

  for (const auto& [name, number] : hypers.Bindings()) arrays[name] = number;
  Call call{*executable, {}};
  for (size_t i = 0; i < graph->inputs().size(); i++) {
    call.inputs.push_back(arrays.at(graph->input_name(i)));
  }
  return call;
}

}  // namespace

absl::Status Call::Set(const std::string& name, const Array& array) {
  const Graph& graph = executable.graph();
  for (size_t i = 0; i < inputs.size(); i++) {
    if (graph.input_name(i) != name) continue;
    inputs[i] = array;
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("the graph has no input '", name, "'"));
}

absl::StatusOr<double> BestSeconds(const Call& call, int runs) {
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < runs; run++) {
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<std::vector<Array>> outputs = call.Run();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    if (!outputs.ok()) return outputs.status();
    best = std::min(best, time.count());
  }
  return best;
}

absl::StatusOr<Call> CallOf(const Engine& engine, const std::function<Value(Tape&)>& value) {
  Tape tape;
  const absl::StatusOr<Graph> graph = tape.Finish({value(tape)});
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();
  Call call{*executable, {}};
  for (size_t i = 0; i < graph->inputs().size(); i++) {
    absl::StatusOr<Array> array = RandomArray(graph->input_type(i));
    if (!array.ok()) return array.status();
    call.inputs.push_back(*std::move(array));
  }
  return call;
}

absl::StatusOr<Call> WholeFit(const Engine& engine, const Training& training,
                              const TrainTest& data) {
  // Fit draws the first parameters by one executable and runs all epochs by the next, its last.
  const auto last = std::make_shared<std::optional<Call>>();
  const Engine keeping = [&](const Graph& graph) -> absl::StatusOr<Executable> {
    const absl::StatusOr<Executable> made = engine(graph);
    if (!made.ok()) return made;
    const auto keep = [last, made = *made](absl::Span<const Array> inputs, const SymbolValues&,
                                           const RunOptions& options) {
      last->emplace(Call{made, {inputs.begin(), inputs.end()}});
      return made.Call(inputs, options);
    };
    return Executable(std::make_shared<const Graph>(graph), keep);
  };
  const absl::StatusOr<Fitted> fitted = Fit(keeping, training, data.train, data.test);
  if (!fitted.ok()) return fitted.status();
  return **last;
}

absl::StatusOr<Call> Updates(const Engine& engine, const Training& training, const Dataset& samples,
                             int64_t updates) {
  return MakeUpdates(engine, training, samples, updates, false);
}

absl::StatusOr<Call> UpdatesOfAnyNumber(const Engine& engine, const Training& training,
                                        const Dataset& samples, int64_t most) {
  return MakeUpdates(engine, training, samples, most, true);
}

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << "error: " << status.message() << "\n";
  return 1;
}

}  // namespace talweg::bench
