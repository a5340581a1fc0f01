#include "benchmarks/micro/micro.h"

#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace talweg::bench {
namespace {

absl::StatusOr<Array> RandomArray(const Type& type) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> number(0.1, 1);
  absl::StatusOr<Array> array = Array::Zeros(kFloat64, Resolve(type.shape, {}));
  if (!array.ok()) return array;
  for (double& element : array->mutable_data<double>()) element = number(random);
  return array->Cast(type.dtype);
}

}  // namespace

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

void Register(const std::string& name, std::function<absl::StatusOr<Call>()> make,
              double operations) {
  const auto run = [make = std::move(make), operations](benchmark::State& state) {
    const absl::StatusOr<Call> call = make();
    absl::Status status = call.status();
    while (status.ok() && state.KeepRunning()) status = call->Run().status();
    if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
    state.counters["op/s"] =
        benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMicrosecond);
}

void RegisterOnEngines(const std::string& name, const std::function<Value(Tape&)>& value,
                       double operations) {
  for (const NamedEngine& engine : kEngines) {
    Register(
        absl::StrCat(name, "/", engine.name),
        [&engine, value] { return CallOf(engine.engine, value); }, operations);
  }
}

}  // namespace talweg::bench
