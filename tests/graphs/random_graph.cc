#include "tests/graphs/random_graph.h"

#include <cmath>
#include <limits>
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

// The nodes of a graph and of the graphs inside of it.
size_t NodesIn(const std::vector<Node>& nodes) {
  size_t count = nodes.size();
  for (const Node& node : nodes) {
    if (node.kind() == Kind::kLoop) count += NodesIn(node.As<LoopAttributes>().body->nodes());
    if (node.kind() == Kind::kCustom) {
      count += NodesIn(node.As<CustomAttributes>().gradient->nodes());
    }
  }
  return count;
}

void AddGradients(Tape& t, std::vector<Value>& outputs) {
  Value sum = t.Constant(Array(0.0f));
  for (const Value& output : outputs) {
    if (IsFloat(output.dtype())) sum = sum + Cast(Sum(Tanh(output)), kFloat32);
  }
  outputs.push_back(sum);
  std::vector<Value> inputs;
  for (NodeId id : t.state()->inputs()) {
    const Value input(t.state(), id);
    if (IsFloat(input.dtype())) inputs.push_back(input);
  }
  for (const Value& dx : Gradient(sum, inputs)) outputs.push_back(dx);
}

}  // namespace

absl::StatusOr<RandomGraph> MakeRandomGraph(uint64_t seed, const RandomGraphOptions& options) {
  Numbers random(seed * 2 + options.smooth.has_value());
  RandomGraph result;
  const bool has_rows = Chance(random, 0.5);
  result.rows = has_rows ? Pick<int64_t>(random, {1, 2, 7, 20, 33}) : 0;
  Tape t;
  Generator generator(t, random, options, result.rows, 0);
  // Something must say how many rows there are.
  if (has_rows) {
    const DType dtype = options.smooth.value_or(Chance(random, 0.3) ? kFloat64 : kFloat32);
    generator.Add({t.Input("rows", dtype, {kRows, Between(random, 1, 3)}), -2, 2});
  }
  generator.Grow(static_cast<size_t>(Chance(random, 0.05) ? 150 : Between(random, 2, 11)));
  if (!t.status().ok()) return t.status();
  std::vector<Value> outputs = Sinks(t, generator.pool());
  if (outputs.empty()) outputs.push_back(t.Constant(Array(1.0f)));
  result.drawn = NodesIn(t.state()->nodes());
  if (options.gradients) AddGradients(t, outputs);
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

NamedArrays SpecialInputs(const Graph& graph, uint64_t seed, int64_t rows, int64_t trips) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double kNan = std::nan("");
  const std::vector<double> floats = {0.0, -0.0, 1.0, -1.0, kNan, kInf, -kInf, 1e-310, -1e-40, 2.5};
  // A great int64 might be a number of trips.
  const std::vector<double> narrow = {0, 1, -1, 2, 3, -2147483648.0, 2147483647.0};
  const std::vector<double> wide = {0, 1, -1, 2, 3, -1e18};
  std::mt19937_64 random(seed);
  NamedArrays inputs;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const Type& type = graph.input_type(i);
    const std::vector<double>& values = IsFloat(type.dtype)    ? floats
                                        : type.dtype == kInt64 ? wide
                                                               : narrow;
    Array doubles =
        Array::Zeros(kFloat64, Resolve(type.shape, {.rows = rows, .trips = trips})).value();
    for (double& x : doubles.mutable_data<double>()) x = values[random() % values.size()];
    inputs[graph.input_name(i)] = doubles.Cast(type.dtype).value();
  }
  return inputs;
}

}  // namespace talweg
