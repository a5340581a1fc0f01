// Products of matrices in the three forms that a layer needs. op/s: multiplications and additions.

#include "absl/strings/str_cat.h"
#include "benchmarks/micro/micro.h"

int main(int argc, char** argv) {
  using namespace talweg;  // NOLINT: a program, not a library
  benchmark::Initialize(&argc, argv);
  // m x k by k x n. The tutorial's two layers, and what larger networks have.
  constexpr int64_t kSizes[][3] = {{32, 2, 50},     {32, 50, 3},      {32, 100, 100},
                                   {64, 64, 64},    {128, 128, 128},  {256, 256, 256},
                                   {512, 512, 512}, {128, 784, 2048}, {1024, 1024, 1024}};
  for (const auto& [m, k, n] : kSizes) {
    const double operations = 2.0 * static_cast<double>(m) * static_cast<double>(k * n);
    const std::string size = absl::StrCat(m, "x", k, "x", n);
    const auto add = [&](const char* name, Shape lhs, Shape rhs, const ContractAxes& axes) {
      bench::RegisterOnEngines(
          absl::StrCat(name, "/", size),
          [=](Tape& t) {
            return Contract(t.Input("a", kFloat32, lhs), t.Input("b", kFloat32, rhs), axes);
          },
          operations);
    };
    add("forward", {m, k}, {k, n}, {.lhs_sum = {1}, .rhs_sum = {0}});     // x W
    add("of_inputs", {m, k}, {n, k}, {.lhs_sum = {1}, .rhs_sum = {1}});   // dz W^T
    add("of_weights", {k, m}, {k, n}, {.lhs_sum = {0}, .rhs_sum = {0}});  // x^T dz
  }
  benchmark::RunSpecifiedBenchmarks();
}
