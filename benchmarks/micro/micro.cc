#include "benchmarks/micro/micro.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace talweg::bench {
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
