#include "jit/flop.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/expr.h"
#include "graph/reads.h"
#include "graph/tape.h"
#include "graph/value.h"
#include "jit/widen.h"
#include "ops/elementwise.h"

namespace talweg {
namespace {

// A number of operations: coefficients by the powers of rows and trips.
using Polynomial = std::map<std::pair<int32_t, int32_t>, double>;

// `each` operations for each element of the shape.
void Add(Polynomial& sum, const Shape& shape, double each) {
  int32_t rows = 0, trips = 0;
  for (Dim dim : shape) {
    if (dim.is_static()) {
      each *= static_cast<double>(dim.value());
    } else {
      (dim == kRows ? rows : trips)++;
    }
  }
  if (each != 0) sum[{rows, trips}] += each;
}

double FlopOf(const Instruction& instruction) {
  if (!IsFloat(instruction.dtype)) return 0;
  switch (instruction.opcode) {
    case Opcode::kAdd:
    case Opcode::kSub:
    case Opcode::kMul:
    case Opcode::kDiv:
    case Opcode::kSqrt:
    case Opcode::kMin:
    case Opcode::kMax:
      return 1;
    case Opcode::kFma:
      return 2;
    default:
      return 0;
  }
}

double FormulaFlop(const Graph& graph, const Node& node) {
  ScalarProgram program;
  std::vector<Expr> operands;
  for (NodeId id : node.operands) operands.push_back(program.Input(graph.node(id).type().dtype));
  node.op->map->expr(operands.data(), node.type().dtype);
  double flop = 0;
  for (const Instruction& instruction : program.instructions()) flop += FlopOf(instruction);
  return flop;
}

// What a node does that is no loop.
void AddNode(Polynomial& sum, const Graph& graph, const Node& node) {
  switch (node.kind()) {
    case Kind::kMap:
      return Add(sum, node.type().shape, FormulaFlop(graph, node));
    case Kind::kReduce:
    case Kind::kScatterAdd: {
      const Type& operand = graph.node(node.operands[0]).type();
      return Add(sum, operand.shape, IsFloat(operand.dtype) ? 1 : 0);
    }
    case Kind::kContract: {
      if (!IsFloat(node.type().dtype)) return;
      Shape terms = node.type().shape;
      const Shape& lhs = graph.node(node.operands[0]).type().shape;
      for (int64_t axis : node.As<ContractAttributes>().lhs_sum) {
        terms.push_back(lhs[static_cast<size_t>(axis)]);
      }
      return Add(sum, terms, 2);
    }
    default:
      return;
  }
}

// How many trips a loop runs, where that is known now.
std::optional<double> TripsOf(const Graph& graph, const Node& loop) {
  const Node& trips = graph.node(loop.operands[0]);
  if (loop.As<LoopAttributes>().stops || trips.kind() != Kind::kConstant) return std::nullopt;
  return std::max(trips.As<ConstantAttributes>().value.At(0), 0.0);
}

// The number of operations, where it is the same in each run.
std::optional<double> FixedFlop(const Graph& graph) {
  Polynomial sum;
  const std::vector<bool> needed = NeededFor(graph, graph.outputs());
  for (size_t i = 0; i < needed.size(); i++) {
    const Node& node = graph.nodes()[i];
    if (!needed[i]) continue;
    if (node.kind() != Kind::kLoop) {
      AddNode(sum, graph, node);
      continue;
    }
    const std::optional<double> body = FixedFlop(*node.As<LoopAttributes>().body);
    if (body == 0) continue;
    const std::optional<double> trips = TripsOf(graph, node);
    if (!body.has_value() || !trips.has_value()) return std::nullopt;
    sum[{0, 0}] += *body * *trips;
  }
  for (const auto& [powers, flop] : sum) {
    if (powers != std::pair(0, 0)) return std::nullopt;
  }
  return sum[{0, 0}];
}

// A copy of the graph's nodes on a tape, and how many operations they do.
struct Counted {
  std::vector<Value> values;
  Value flop;  // a float64 scalar
};

absl::StatusOr<Counted> Count(const Tape& tape, const Graph& graph,
                              const std::vector<Value>& inputs) {
  Counted counted;
  counted.values.resize(graph.nodes().size());
  const auto value = [&](NodeId id) -> Value& { return counted.values[static_cast<size_t>(id)]; };
  for (size_t i = 0; i < inputs.size(); i++) value(graph.inputs()[i]) = inputs[i];
  Polynomial sum;
  Value flop = tape.Constant(Array(0.0));
  std::vector<std::vector<Value>> parts(graph.nodes().size());
  const std::vector<bool> needed = NeededFor(graph, graph.outputs());
  for (size_t i = 0; i < needed.size(); i++) {
    const Node& node = graph.nodes()[i];
    if (!needed[i] || node.kind() == Kind::kInput) continue;
    if (node.kind() == Kind::kPart) {
      const auto index = static_cast<size_t>(node.As<PartAttributes>().index);
      counted.values[i] = parts[static_cast<size_t>(node.operands[0])][index];
      continue;
    }
    if (node.kind() == Kind::kCustom) {
      counted.values[i] = value(node.operands[0]);
      continue;
    }
    std::vector<Value> operands;
    for (NodeId id : node.operands) operands.push_back(value(id));
    if (node.kind() != Kind::kLoop) {
      AddNode(sum, graph, node);
      counted.values[i] = CopyNode(tape, node, operands);
      continue;
    }
    // Only where trips differ in what they do, the loop itself has to count.
    const Graph& body = *node.As<LoopAttributes>().body;
    const std::optional<double> each = FixedFlop(body);
    std::vector<Value> start;
    if (!each.has_value()) start.push_back(tape.Constant(Array(0.0)));
    absl::StatusOr<WideLoop> loop =
        Widen(tape, node, operands, {}, start, [&](WideBody& wide) -> absl::StatusOr<WideStep> {
          absl::StatusOr<Counted> inner = Count(wide.tape, body, wide.inputs);
          if (!inner.ok()) return inner.status();
          WideStep step;
          for (NodeId id : body.outputs()) {
            step.outputs.push_back(inner->values[static_cast<size_t>(id)]);
          }
          if (!each.has_value()) step.carried = {wide.carried[0] + inner->flop};
          return step;
        });
    if (!loop.ok()) return loop.status();
    parts[i] = std::move(loop->parts);
    flop = flop + (each.has_value() ? Cast(parts[i].back(), kFloat64) * *each : loop->carried[0]);
  }
  for (const auto& [powers, coefficient] : sum) {
    Value term = tape.Constant(Array(coefficient));
    for (int32_t k = 0; k < powers.first; k++) term = term * Cast(tape.Size(kRows), kFloat64);
    for (int32_t k = 0; k < powers.second; k++) {
      term = term * Cast(tape.Size(kTrips), kFloat64);
    }
    flop = flop + term;
  }
  counted.flop = flop;
  return counted;
}

}  // namespace

absl::StatusOr<Graph> CountFlop(const Graph& graph) {
  Tape tape;
  absl::StatusOr<Counted> counted = Count(tape, graph, CopyInputs(tape, graph));
  if (!counted.ok()) return counted.status();
  std::vector<Value> outputs;
  for (NodeId id : graph.outputs()) outputs.push_back(counted->values[static_cast<size_t>(id)]);
  outputs.push_back(counted->flop);
  return tape.Finish(outputs);
}

}  // namespace talweg
