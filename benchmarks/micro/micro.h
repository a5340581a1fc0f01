#ifndef TALWEG_BENCHMARKS_MICRO_MICRO_H_
#define TALWEG_BENCHMARKS_MICRO_MICRO_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "benchmark/benchmark.h"
#include "benchmarks/common/calls.h"
#include "talweg.h"

namespace talweg::bench {

// The engines that are compared.
struct NamedEngine {
  const char* name;
  Engine engine;
};
inline const NamedEngine kEngines[] = {{"jit", JitEngine()}, {"interpreter", Interpret}};

// A benchmark that runs a call. The call is made when the benchmark starts, so that a filter costs
// nothing; `operations` a run are shown as a rate.
void Register(const std::string& name, std::function<absl::StatusOr<Call>()> make,
              double operations);

// NAME/jit and NAME/interpreter: a value of random inputs.
void RegisterOnEngines(const std::string& name, const std::function<Value(Tape&)>& value,
                       double operations);

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_MICRO_MICRO_H_
