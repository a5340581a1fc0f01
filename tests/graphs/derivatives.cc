#include "tests/graphs/derivatives.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "autodiff/gradient.h"
#include "autodiff/jet_evaluate.h"
#include "graph/parse.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

constexpr size_t kOrders = 2;

bool HasFloat32(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) {
    return std::any_of(node.types.begin(), node.types.end(),
                       [](const Type& type) { return type.dtype == kFloat32; });
  });
}

// The derivative of y along the directions, one for each x.
Value Along(const Value& y, const std::vector<Value>& xs, const std::vector<Value>& directions) {
  Value sum = Scalar(y, y.dtype(), 0);
  const std::vector<Value> dxs = Gradient(y, xs);
  for (size_t i = 0; i < xs.size(); i++) sum = sum + Sum(dxs[i] * directions[i]);
  return sum;
}

// f, df along the directions "d_x" of the float inputs x, and df's derivative along them again. f
// adds up what the tanh of the outputs is, so that it stays small.
absl::StatusOr<Graph> WithDerivatives(const Graph& graph, DType dtype) {
  Tape t;
  const Value anchor(t.state(), -1);
  std::vector<Value> inputs, xs, directions;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const Type& type = graph.input_type(i);
    inputs.push_back(t.Input(graph.input_name(i), type.dtype, type.shape));
    if (!IsFloat(type.dtype)) continue;
    xs.push_back(inputs.back());
    directions.push_back(t.Input(absl::StrCat("d_", graph.input_name(i)), type.dtype, type.shape));
  }
  Value sum = Scalar(anchor, dtype, 0);
  for (const Value& output : Inline(graph, inputs, anchor)) {
    if (IsFloat(output.dtype())) sum = sum + Sum(Tanh(output));
  }
  std::vector<Value> outputs = {sum};
  for (size_t k = 0; k < kOrders; k++) outputs.push_back(Along(outputs.back(), xs, directions));
  return t.Finish(outputs);
}

// Float64 inputs, with short directions however many elements there are.
NamedArrays InputsOf(const Graph& graph, uint64_t seed, int64_t rows) {
  NamedArrays at = RandomInputs(graph, seed, rows);
  double size = 0;
  for (const auto& [name, array] : at) {
    if (name.starts_with("d_")) size += static_cast<double>(array.size());
  }
  for (auto& [name, array] : at) {
    if (IsFloat(array.dtype())) array = array.Cast(kFloat64).value();
    if (!name.starts_with("d_")) continue;
    for (double& x : array.mutable_data<double>()) x /= std::sqrt(std::max(1.0, size));
  }
  return at;
}

// The outputs as numbers; NaNs where the run fails.
std::vector<double> NumbersOf(const Executable& executable, const NamedArrays& at) {
  const absl::StatusOr<std::vector<Array>> outputs = executable.Run(at);
  std::vector<double> numbers(kOrders + 1, std::nan(""));
  for (size_t k = 0; k < numbers.size() && outputs.ok(); k++) numbers[k] = (*outputs)[k].At(0);
  return numbers;
}

bool Agree(double got, double wanted, double tolerance) {
  if (!std::isfinite(got) && !std::isfinite(wanted)) return true;
  return std::fabs(got - wanted) <= tolerance * std::max(1.0, std::fabs(wanted));
}

// By differences of four points, f' = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h^4): a step
// that is too long or too short errs; a wrong derivative is wrong for all.
std::string CompareWithDifferences(const Executable& executable, const NamedArrays& at,
                                   size_t order, double got) {
  const auto run = [&](double by) {
    NamedArrays inputs = at;
    for (auto& [name, array] : inputs) {
      const auto direction = at.find(absl::StrCat("d_", name));
      if (direction == at.end()) continue;
      const absl::Span<const double> d = direction->second.data<double>();
      const absl::Span<double> x = array.mutable_data<double>();
      for (size_t i = 0; i < x.size(); i++) x[i] += by * d[i];
    }
    return NumbersOf(executable, inputs)[order - 1];
  };
  std::string text = absl::StrCat("reverse mode says ", got, ", differences");
  for (const double h : {1e-3, 1e-4, 1e-5, 1e-2, 1e-6}) {
    const double wanted = (8 * (run(h) - run(-h)) - (run(2 * h) - run(-2 * h))) / (12 * h);
    if (Agree(got, wanted, 1e-5)) return "";
    absl::StrAppend(&text, " ", wanted);
  }
  return text;
}

// f, df and ddf of the graph itself, by numbers that carry their derivatives along.
absl::StatusOr<std::vector<double>> Jets(const Graph& derived, const NamedArrays& at) {
  Graph f(derived.nodes(), derived.inputs(), {derived.outputs()[0]});
  std::vector<JetArray> inputs;
  for (size_t i = 0; i < derived.inputs().size(); i++) {
    const Array& value = at.at(derived.input_name(i));
    const Array zeros = Array::Zeros(kFloat64, value.dims()).value();
    const auto direction = at.find(absl::StrCat("d_", derived.input_name(i)));
    const Array& along = direction == at.end() ? zeros : direction->second;
    inputs.push_back({value, along, along, zeros});
  }
  const absl::StatusOr<std::vector<JetArray>> y = JetEvaluate(f, inputs);
  if (!y.ok()) return y.status();
  const JetArray& jet = y->front();
  return std::vector<double>{jet.value.At(0), jet.along_u.At(0), jet.along_uv.At(0)};
}

}  // namespace

DerivativeCheck CheckDerivatives(const Graph& graph, uint64_t seed, int64_t rows) {
  const auto failed = [](const char* what, const absl::Status& status) {
    return DerivativeCheck{absl::StrCat(what, ": ", status.message())};
  };
  const bool narrow = HasFloat32(graph);
  const absl::StatusOr<Graph> derived = WithDerivatives(graph, narrow ? kFloat32 : kFloat64);
  if (!derived.ok()) return failed("gradient", derived.status());
  const absl::StatusOr<Executable> executable = AllEngines()[0].make(*derived);
  if (!executable.ok()) return failed("compile", executable.status());
  NamedArrays at = InputsOf(*derived, seed, rows);

  NamedArrays exact = at;
  absl::StatusOr<Graph> wide = *derived;
  if (narrow) {
    for (auto& [name, array] : at) {
      if (!IsFloat(array.dtype())) continue;
      array = array.Cast(kFloat32).value();
      exact[name] = array.Cast(kFloat64).value();
    }
    // Nothing but their names tells element types apart in a text.
    wide = ParseGraph(
        absl::StrReplaceAll(Print(*derived, {.lines = false}), {{"float32", "float64"}}), AllOps());
    if (!wide.ok()) return failed("widened", wide.status());
  }
  const std::vector<double> got = NumbersOf(*executable, at);
  const absl::StatusOr<std::vector<double>> wanted = Jets(*wide, exact);
  if (!wanted.ok()) return failed("jets", wanted.status());
  DerivativeCheck check{.fault = "", .finite = std::isfinite(got[1])};
  for (size_t order = 1; order <= kOrders && check.fault.empty(); order++) {
    std::string fault;
    if (!Agree(got[order], (*wanted)[order], narrow ? 2e-3 : 1e-9)) {
      fault = absl::StrCat("reverse mode says ", got[order], ", jets ", (*wanted)[order]);
    } else if (!narrow) {
      fault = CompareWithDifferences(*executable, at, order, got[order]);
    }
    if (!fault.empty()) check.fault = absl::StrCat("derivative ", order, ": ", fault);
  }
  return check;
}

}  // namespace talweg
