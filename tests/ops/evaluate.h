#ifndef TALWEG_TESTS_OPS_EVALUATE_H_
#define TALWEG_TESTS_OPS_EVALUATE_H_

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/graphs/engines.h"

namespace talweg {

// An array of floats from double literals.
inline Array Floats(DType dtype, const Dims& dims, const std::vector<double>& elements) {
  return *Array::From<double>(dims, elements)->Cast(dtype);
}

// Numbers without a pattern in [-1.5, 1.5], the same in each run.
inline std::vector<double> Wave(int64_t n, double phase) {
  std::vector<double> out;
  for (int64_t i = 0; i < n; i++) {
    out.push_back(1.5 * std::sin(12.9898 * static_cast<double>(i) + phase));
  }
  return out;
}

// Runs all engines; a failure fails the test and gives no arrays.
inline std::vector<Array> RunAll(const std::vector<Value>& outputs, const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = Tape(outputs[0].tape()).Finish(outputs);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  const absl::StatusOr<Executable> executable = EveryEngine(*graph);
  EXPECT_TRUE(executable.ok()) << executable.status();
  if (!executable.ok()) return {};
  absl::StatusOr<std::vector<Array>> results = executable->Run(inputs);
  EXPECT_TRUE(results.ok()) << results.status();
  if (!results.ok()) return {};
  return *std::move(results);
}

inline std::vector<double> Elements(const Array& array) {
  std::vector<double> out;
  for (int64_t i = 0; i < array.size(); i++) out.push_back(array.At(i));
  return out;
}

// The elements of one value.
inline std::vector<double> Evaluate(const Value& value, const NamedArrays& inputs = {}) {
  const std::vector<Array> results = RunAll({value}, inputs);
  return results.empty() ? std::vector<double>() : Elements(results[0]);
}

// Equal to `tolerance` (absolute, and relative above 1); infinities and NaNs at the same places.
inline void ExpectNear(const std::vector<double>& got, const std::vector<double>& wanted,
                       double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); i++) {
    if (std::isnan(wanted[i])) {
      EXPECT_TRUE(std::isnan(got[i])) << "element " << i << " is " << got[i];
    } else if (std::isinf(wanted[i])) {
      EXPECT_EQ(got[i], wanted[i]) << "element " << i;
    } else {
      EXPECT_NEAR(got[i], wanted[i], tolerance * std::max(1.0, std::fabs(wanted[i])))
          << "element " << i;
    }
  }
}

// Compares the gradient of the scalar `y` by inputs with central differences.
inline void ExpectGradientOf(const Value& y, const std::vector<std::string>& names,
                             const std::vector<Value>& xs, const NamedArrays& at,
                             double tolerance) {
  std::vector<Value> outputs = Gradient(y, xs);
  outputs.push_back(y);
  const absl::StatusOr<Graph> graph = Tape(y.tape()).Finish(outputs);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Executable> executable = EveryEngine(*graph);
  ASSERT_TRUE(executable.ok()) << executable.status();
  const auto run = [&](const NamedArrays& inputs) { return executable->Run(inputs); };
  const absl::StatusOr<std::vector<Array>> middle = run(at);
  ASSERT_TRUE(middle.ok()) << middle.status();
  for (size_t k = 0; k < xs.size(); k++) {
    const Array& x = at.at(names[k]);
    for (int64_t i = 0; i < x.size(); i++) {
      const double h = 1e-5;
      const auto shifted = [&](double by) {
        NamedArrays inputs = at;
        inputs[names[k]].mutable_data<double>()[static_cast<size_t>(i)] += by;
        const absl::StatusOr<std::vector<Array>> r = run(inputs);
        return r.ok() ? r->back().At(0) : std::nan("");
      };
      const double numeric = (shifted(h) - shifted(-h)) / (2 * h);
      EXPECT_NEAR((*middle)[k].At(i), numeric, tolerance * std::max(1.0, std::fabs(numeric)))
          << "element " << i << " of " << names[k];
    }
  }
}

// Checks first and second derivatives of a function of float64 inputs at a point: those of a sum of
// its results with fixed weights, then those of a sum of these derivatives with other weights.
inline void ExpectGradients(const std::function<Value(const std::vector<Value>&)>& function,
                            const NamedArrays& at, double tolerance = 1e-7) {
  Tape tape;
  std::vector<std::string> names;
  std::vector<Value> xs;
  for (const auto& [name, array] : at) {
    names.push_back(name);
    xs.push_back(tape.Input(name, kFloat64, ToShape(array.dims())));
  }
  double phase = 0.3;
  const auto weighted = [&](const Value& v) {
    Dims dims;
    for (Dim dim : v.shape()) dims.push_back(dim.value());
    phase += 0.7;
    return Sum(v * tape.Constant(Floats(kFloat64, dims, Wave(SizeOf(dims), phase))));
  };
  const Value first = weighted(function(xs));
  {
    SCOPED_TRACE("first derivative");
    ExpectGradientOf(first, names, xs, at, tolerance);
  }
  Value second = Scalar(first, kFloat64, 0);
  for (const Value& dx : Gradient(first, xs)) second = second + weighted(dx);
  SCOPED_TRACE("second derivative");
  ExpectGradientOf(second, names, xs, at, tolerance);
}

}  // namespace talweg

#endif  // TALWEG_TESTS_OPS_EVALUATE_H_
