// Elementwise operations: alone, and several that the compiler makes one loop of. op/s: elements.

#include "absl/strings/str_cat.h"
#include "benchmarks/micro/micro.h"

int main(int argc, char** argv) {
  using namespace talweg;  // NOLINT: a program, not a library
  benchmark::Initialize(&argc, argv);
  struct Case {
    const char* name;
    Value (*of)(Value x, Value y);
  };
  constexpr Case kCases[] = {
      {"add", [](Value x, Value y) { return x + y; }},
      {"divide", [](Value x, Value y) { return x / y; }},
      {"relu", [](Value x, Value) { return Relu(x); }},
      {"sqrt", [](Value x, Value) { return Sqrt(x); }},
      {"exp", [](Value x, Value) { return Exp(x); }},
      {"log", [](Value x, Value) { return Log(x); }},
      {"tanh", [](Value x, Value) { return Tanh(x); }},
      {"sigmoid", [](Value x, Value) { return Sigmoid(x); }},
      {"erf", [](Value x, Value) { return Erf(x); }},
      {"pow", [](Value x, Value y) { return Pow(x, y); }},
      {"gelu", [](Value x, Value) { return Gelu(x); }},
      {"adam", [](Value x, Value y) { return x - 0.01 * y / (Sqrt(Square(y) + x) + 1e-7); }},
  };
  // In the first-level cache, and in memory.
  for (const int64_t n : {int64_t{4} << 10, int64_t{4} << 20}) {
    for (const Case& c : kCases) {
      for (const DType dtype : {kFloat32, kFloat64}) {
        bench::RegisterOnEngines(
            absl::StrCat(c.name, "/", Name(dtype), "/", n),
            [=](Tape& t) { return c.of(t.Input("x", dtype, {n}), t.Input("y", dtype, {n})); },
            static_cast<double>(n));
      }
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
