// Reductions of matrices over all elements, along rows and along columns. op/s: elements read.

#include "absl/strings/str_cat.h"
#include "benchmarks/micro/micro.h"

int main(int argc, char** argv) {
  using namespace talweg;  // NOLINT: a program, not a library
  benchmark::Initialize(&argc, argv);
  struct Case {
    const char* name;
    Value (*of)(Value x);
  };
  constexpr Case kCases[] = {
      {"sum", [](Value x) { return Sum(x); }},
      {"sum_of_columns", [](Value x) { return Sum(x, 0); }},
      {"sum_of_rows", [](Value x) { return Sum(x, 1); }},
      {"max_of_rows", [](Value x) { return ReduceMax(x, 1); }},
      {"argmax_of_rows", [](Value x) { return ArgMax(x, 1); }},
      {"softmax", [](Value x) { return Softmax(x); }},
      {"variance", [](Value x) { return Variance(x); }},
  };
  // Thin, as the outputs of a classifier; square, in the second-level cache; wide, in memory.
  constexpr int64_t kShapes[][2] = {{500, 3}, {256, 256}, {1024, 4096}};
  for (const auto& [rows, columns] : kShapes) {
    for (const Case& c : kCases) {
      bench::RegisterOnEngines(
          absl::StrCat(c.name, "/", rows, "x", columns),
          [=, rows = rows, columns = columns](Tape& t) {
            return c.of(t.Input("x", kFloat32, {rows, columns}));
          },
          static_cast<double>(rows * columns));
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
