#include "tests/graphs/random_graph.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/graphs/generator.h"

namespace talweg {
namespace {

// The values that nothing uses.
std::vector<Value> Sinks(const Tape& t, const std::vector<Item>& pool) {
  std::vector<bool> used(t.state()->nodes().size(), false);
  for (const Node& node : t.state()->nodes()) {
    for (NodeId id : node.operands) used[static_cast<size_t>(id)] = true;
  }
  std::vector<Value> sinks;
  for (const Item& item : pool) {
    if (!used[static_cast<size_t>(item.value.id())]) sinks.push_back(item.value);
  }
  return sinks;
}

// The derivative of y along the directions, one for each x.
Value Along(const Value& y, const std::vector<Value>& xs, const std::vector<Value>& directions) {
  Value sum = Scalar(y, y.dtype(), 0);
  const std::vector<Value> dxs = Gradient(y, xs);
  for (size_t i = 0; i < xs.size(); i++) sum = sum + Sum(dxs[i] * directions[i]);
  return sum;
}

void AddGradients(Tape& t, const RandomGraphOptions& options, std::vector<Value>& outputs,
                  RandomGraph& result) {
  const DType dtype = options.smooth ? kFloat64 : kFloat32;
  Value sum = t.Constant(*Array(0.0).Cast(dtype));
  for (const Value& output : outputs) {
    if (IsFloat(output.dtype())) sum = sum + Cast(Sum(Tanh(output)), dtype);
  }
  result.sum = outputs.size();
  outputs.push_back(sum);
  std::vector<Value> inputs, directions;
  for (NodeId id : std::vector<NodeId>(t.state()->inputs())) {
    const Value input(t.state(), id);
    if (!IsFloat(input.dtype())) continue;
    inputs.push_back(input);
    const std::string name = input.node().As<InputAttributes>().name;
    if (options.smooth) {
      directions.push_back(t.Input(absl::StrCat("d_", name), input.dtype(), input.shape()));
    }
  }
  if (options.smooth) {
    outputs.push_back(Along(sum, inputs, directions));
    outputs.push_back(Along(outputs.back(), inputs, directions));
  } else {
    for (const Value& dx : Gradient(sum, inputs)) outputs.push_back(dx);
  }
}

}  // namespace

absl::StatusOr<RandomGraph> MakeRandomGraph(uint64_t seed, const RandomGraphOptions& options) {
  Numbers random(seed * 2 + options.smooth);
  RandomGraph result;
  const bool has_rows = Chance(random, 0.5);
  result.rows = has_rows ? Pick<int64_t>(random, {1, 2, 7, 20, 33}) : 0;
  Tape t;
  Generator generator(t, random, options, result.rows, 0);
  // Something must say how many rows there are.
  if (has_rows) {
    const DType dtype = options.smooth || Chance(random, 0.3) ? kFloat64 : kFloat32;
    generator.Add({t.Input("rows", dtype, {kRows, Between(random, 1, 3)}), -2, 2});
  }
  generator.Grow(static_cast<size_t>(Chance(random, 0.05) ? 200 : Between(random, 4, 18)));
  if (!t.status().ok()) return t.status();
  std::vector<Value> outputs = Sinks(t, generator.pool());
  if (outputs.empty()) outputs.push_back(t.Constant(Array(1.0f)));
  if (options.gradients || options.smooth) AddGradients(t, options, outputs, result);
  absl::StatusOr<Graph> graph = t.Finish(outputs);
  if (!graph.ok()) return graph.status();
  result.graph = *std::move(graph);
  return result;
}

NamedArrays RandomInputs(const Graph& graph, uint64_t seed, int64_t rows, int64_t trips) {
  NamedArrays inputs;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const std::string& name = graph.input_name(i);
    const Type& type = graph.input_type(i);
    uint64_t hash = seed;
    for (const char c : absl::StrCat(name, ToString(type))) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    Numbers random(hash);
    const Dims dims = Resolve(type.shape, {.rows = rows, .trips = trips});
    Array doubles = Array::Zeros(kFloat64, dims).value();
    for (double& x : doubles.mutable_data<double>()) {
      if (IsFloat(type.dtype))
        x = std::uniform_real_distribution<>(-2, 2)(random);
      else
        x = static_cast<double>(
            Between(random, type.dtype == kBool ? 0 : -9, type.dtype == kBool ? 1 : 9));
    }
    inputs[name] = doubles.Cast(type.dtype).value();
  }
  return inputs;
}

}  // namespace talweg
