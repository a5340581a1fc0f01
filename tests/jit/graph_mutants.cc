#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "jit/passes/affine.h"
#include "ops/table.h"
#include "tests/jit/mutants.h"

namespace talweg {
namespace {

using NodeSuits = std::function<bool(const std::vector<Node>&, const Node&)>;
using NodeChange = std::function<void(const std::vector<Node>&, Node&)>;

bool ChangeNode(Graph& graph, MutantRandom& random, const NodeSuits& suits,
                const NodeChange& change) {
  std::vector<Node> nodes = graph.nodes();
  std::vector<size_t> suiting;
  for (size_t i = 0; i < nodes.size(); i++) {
    if (suits(nodes, nodes[i])) suiting.push_back(i);
  }
  if (suiting.empty()) return false;
  change(nodes, nodes[suiting[random() % suiting.size()]]);
  graph = Graph(std::move(nodes), graph.inputs(), graph.outputs());
  return true;
}

NodeSuits Is(Kind kind) {
  return [kind](const std::vector<Node>&, const Node& node) { return node.kind() == kind; };
}
const Op* Find(std::string_view name) {
  for (const Op* op : AllOps()) {
    if (op->name == name) return op;
  }
  return nullptr;
}
bool HasTwoLikeOperands(const std::vector<Node>& nodes, const Node& node) {
  return node.operands.size() == 2 && node.operands[0] != node.operands[1] &&
         nodes[static_cast<size_t>(node.operands[0])].types ==
             nodes[static_cast<size_t>(node.operands[1])].types;
}
void SwapOperands(const std::vector<Node>&, Node& node) {
  std::swap(node.operands[0], node.operands[1]);
}

// Ops that are told apart by the operands' order.
bool IsOrdered(const Node& node) {
  return node.kind() == Kind::kMap && node.op->map->arity == 2 && !node.op->map->facts.commutative;
}

template <typename A>
bool ChangeAttributes(Graph& graph, MutantRandom& random,
                      const std::function<bool(const A&)>& suits,
                      const std::function<void(A&)>& change) {
  return ChangeNode(
      graph, random,
      [&](const std::vector<Node>&, const Node& node) {
        const A* attributes = std::get_if<A>(&node.attributes);
        return attributes != nullptr && suits(*attributes);
      },
      [&](const std::vector<Node>&, Node& node) { change(std::get<A>(node.attributes)); });
}

bool ChangeBody(Graph& graph, MutantRandom& random,
                const std::function<bool(const LoopAttributes&)>& suits,
                const std::function<Graph(const LoopAttributes&)>& change) {
  return ChangeAttributes<LoopAttributes>(graph, random, suits, [&](LoopAttributes& loop) {
    loop.body = std::make_shared<const Graph>(change(loop));
  });
}

// Two outputs of the same type.
std::pair<size_t, size_t> TwoOutputs(const Graph& graph, size_t begin, size_t end) {
  for (size_t a = begin; a < end; a++) {
    for (size_t b = a + 1; b < end; b++) {
      if (graph.outputs()[a] != graph.outputs()[b] &&
          graph.output_type(a) == graph.output_type(b)) {
        return {a, b};
      }
    }
  }
  return {0, 0};
}

// An operand becomes an earlier node of the same type.
bool UseAnotherNode(Graph& graph, MutantRandom& random) {
  const auto other = [](const std::vector<Node>& nodes, const Node& node) {
    for (const NodeId operand : node.operands) {
      for (NodeId id = operand; id-- > 0;) {
        if (nodes[static_cast<size_t>(id)].kind() == Kind::kLoop) continue;
        if (nodes[static_cast<size_t>(id)].types == nodes[static_cast<size_t>(operand)].types) {
          return std::pair(operand, id);
        }
      }
    }
    return std::pair(NodeId{-1}, NodeId{-1});
  };
  return ChangeNode(
      graph, random,
      [&](const std::vector<Node>& nodes, const Node& node) {
        // A great number of trips would take its time.
        if (node.kind() == Kind::kLoop || node.kind() == Kind::kPart) return false;
        return other(nodes, node).second >= 0;
      },
      [&](const std::vector<Node>& nodes, Node& node) {
        const auto [from, to] = other(nodes, node);
        for (NodeId& operand : node.operands) operand = operand == from ? to : operand;
      });
}

bool Rename(Graph& graph, MutantRandom& random, std::string_view from, std::string_view to) {
  const Op* op = Find(to);
  if (op == nullptr) return false;
  return ChangeNode(
      graph, random,
      [&](const std::vector<Node>&, const Node& node) { return node.op->name == from; },
      [&](const std::vector<Node>&, Node& node) { node.op = op; });
}

constexpr GraphMutant kMutants[] = {
    {"operands of an elementwise op exchanged",
     [](Graph& g, MutantRandom& r) {
       return ChangeNode(
           g, r,
           [](const std::vector<Node>& nodes, const Node& node) {
             return IsOrdered(node) && HasTwoLikeOperands(nodes, node);
           },
           SwapOperands);
     }},
    {"another operand of the same type", UseAnotherNode},
    {"a multiplication turned into an addition",
     [](Graph& g, MutantRandom& r) { return Rename(g, r, "mul", "add"); }},
    {"a subtraction turned into an addition",
     [](Graph& g, MutantRandom& r) { return Rename(g, r, "sub", "add"); }},
    {"a maximum turned into a minimum",
     [](Graph& g, MutantRandom& r) { return Rename(g, r, "max", "min"); }},
    {"x for x that is cast",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<CastAttributes>(
           g, r, [](const CastAttributes&) { return true; },
           [](CastAttributes& a) { a.dtype = a.dtype == kFloat32 ? kFloat64 : kFloat32; });
     }},
    {"an element of a constant",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<ConstantAttributes>(
           g, r,
           [](const ConstantAttributes& a) {
             return a.value.size() > 0 && a.value.dtype() != kBool && IsFloat(a.value.dtype());
           },
           [](ConstantAttributes& a) {
             Array changed = *a.value.Cast(kFloat64);
             changed.mutable_data<double>()[0] += 0.5;
             a.value = *changed.Cast(a.value.dtype());
           });
     }},
    // Views.
    {"a view one element further",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<ViewAttributes>(
           g, r, [](const ViewAttributes& a) { return !a.axes.empty(); },
           [](ViewAttributes& a) { a.axes[0].offset++; });
     }},
    {"a view of the other direction",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<ViewAttributes>(
           g, r,
           [](const ViewAttributes& a) { return !a.axes.empty() && !a.axes[0].terms.empty(); },
           [](ViewAttributes& a) { a.axes[0].terms[0].step *= -1; });
     }},
    {"a view of other axes",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<ViewAttributes>(
           g, r, [](const ViewAttributes& a) { return a.axes.size() > 1; },
           [](ViewAttributes& a) { std::swap(a.axes[0].terms, a.axes[1].terms); });
     }},
    {"another fill",
     [](Graph& g, MutantRandom& r) {
       return ChangeNode(
           g, r,
           [](const std::vector<Node>& nodes, const Node& node) {
             return node.kind() == Kind::kView &&
                    passes::MayFill(node.As<ViewAttributes>(),
                                    nodes[static_cast<size_t>(node.operands[0])].type().shape);
           },
           [](const std::vector<Node>&, Node& node) {
             double& fill = std::get<ViewAttributes>(node.attributes).fill;
             fill = fill == 0 ? 1 : 0;
           });
     }},
    // Sums.
    {"a reduction over another axis",
     [](Graph& g, MutantRandom& r) {
       return ChangeNode(
           g, r,
           [](const std::vector<Node>& nodes, const Node& node) {
             if (node.kind() != Kind::kReduce) return false;
             const Shape& shape = nodes[static_cast<size_t>(node.operands[0])].type().shape;
             return node.As<ReduceAttributes>().axes.size() == 1 && shape.size() > 1;
           },
           [](const std::vector<Node>& nodes, Node& node) {
             const Shape& shape = nodes[static_cast<size_t>(node.operands[0])].type().shape;
             auto& axes = std::get<ReduceAttributes>(node.attributes).axes;
             axes[0] = (axes[0] + 1) % static_cast<int64_t>(shape.size());
           });
     }},
    {"a reduction in another order",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<ReduceAttributes>(
           g, r, [](const ReduceAttributes&) { return true; },
           [](ReduceAttributes& a) { a.order.chains = a.order.chains == 1 ? kManyChains : 1; });
     }},
    {"a maximum for a sum",
     [](Graph& g, MutantRandom& r) { return Rename(g, r, "sum", "reduce_max"); }},
    {"a contraction in another order",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<ContractAttributes>(
           g, r, [](const ContractAttributes&) { return true; },
           [](ContractAttributes& a) { a.order.chains = a.order.chains == 1 ? kManyChains : 1; });
     }},
    {"a contraction over another axis",
     [](Graph& g, MutantRandom& r) {
       return ChangeNode(
           g, r,
           [](const std::vector<Node>& nodes, const Node& node) {
             if (node.kind() != Kind::kContract) return false;
             return !node.As<ContractAttributes>().lhs_sum.empty() &&
                    nodes[static_cast<size_t>(node.operands[0])].type().shape.size() > 1;
           },
           [](const std::vector<Node>& nodes, Node& node) {
             auto& axes = std::get<ContractAttributes>(node.attributes).lhs_sum;
             const auto rank = static_cast<int64_t>(
                 nodes[static_cast<size_t>(node.operands[0])].type().shape.size());
             axes[0] = (axes[0] + 1) % rank;
           });
     }},
    {"sides of a contraction exchanged",
     [](Graph& g, MutantRandom& r) {
       return ChangeNode(
           g, r,
           [](const std::vector<Node>& nodes, const Node& node) {
             return node.kind() == Kind::kContract && HasTwoLikeOperands(nodes, node);
           },
           SwapOperands);
     }},
    // Gathers and concatenations.
    {"a gather along another axis",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<GatherAttributes>(
           g, r, [](const GatherAttributes&) { return true; },
           [](GatherAttributes& a) { a.axis = a.axis == 0 ? 1 : 0; });
     }},
    {"a scatter of another size",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<ScatterAddAttributes>(
           g, r, [](const ScatterAddAttributes& a) { return a.size.is_static(); },
           [](ScatterAddAttributes& a) { a.size = a.size.value() + 1; });
     }},
    {"parts of a concatenation exchanged",
     [](Graph& g, MutantRandom& r) {
       return ChangeNode(
           g, r,
           [](const std::vector<Node>& nodes, const Node& node) {
             return node.kind() == Kind::kConcat && HasTwoLikeOperands(nodes, node);
           },
           SwapOperands);
     }},
    // Loops.
    {"a loop in the other direction",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<LoopAttributes>(
           g, r, [](const LoopAttributes&) { return true; },
           [](LoopAttributes& a) { a.reversed = !a.reversed; });
     }},
    {"a loop that carries its start",
     [](Graph& g, MutantRandom& r) {
       return ChangeBody(
           g, r, [](const LoopAttributes& a) { return a.carried > 0; },
           [](const LoopAttributes& a) {
             std::vector<NodeId> outputs = a.body->outputs();
             outputs[0] = a.body->inputs()[static_cast<size_t>(1 + a.captures)];
             return Graph(a.body->nodes(), a.body->inputs(), outputs);
           });
     }},
    {"two values of a loop exchanged",
     [](Graph& g, MutantRandom& r) {
       const auto two = [](const LoopAttributes& a) {
         return TwoOutputs(*a.body, 0, static_cast<size_t>(a.carried));
       };
       return ChangeBody(
           g, r, [&](const LoopAttributes& a) { return two(a).second != 0; },
           [&](const LoopAttributes& a) {
             std::vector<NodeId> outputs = a.body->outputs();
             std::swap(outputs[two(a).first], outputs[two(a).second]);
             return Graph(a.body->nodes(), a.body->inputs(), outputs);
           });
     }},
    {"another part of a loop",
     [](Graph& g, MutantRandom& r) {
       return ChangeAttributes<PartAttributes>(
           g, r, [](const PartAttributes&) { return true; },
           [](PartAttributes& a) { a.index = a.index == 0 ? 1 : 0; });
     }},
    {"two outputs exchanged",
     [](Graph& g, MutantRandom&) {
       const auto [a, b] = TwoOutputs(g, 0, g.outputs().size());
       if (b == 0) return false;
       std::vector<NodeId> outputs = g.outputs();
       std::swap(outputs[a], outputs[b]);
       g = Graph(g.nodes(), g.inputs(), outputs);
       return true;
     }},
    {"random numbers of another shape",
     [](Graph& g, MutantRandom& r) {
       return ChangeNode(g, r, Is(Kind::kRandom), [](const std::vector<Node>&, Node& node) {
         std::get<TypeAttributes>(node.attributes).shape.push_back(1);
       });
     }},
};

}  // namespace

absl::Span<const GraphMutant> GraphMutants() { return kMutants; }

}  // namespace talweg
