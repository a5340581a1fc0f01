// The simplifier: rows of equations (rules.h), tried at each node in turn.

#include <cstring>
#include <type_traits>
#include <utility>

#include "base/convert.h"
#include "graph/expr.h"
#include "jit/passes/affine.h"
#include "jit/passes/passes.h"
#include "jit/passes/rewrite.h"
#include "jit/passes/rules.h"

namespace talweg::passes {
namespace {

absl::Span<const Rule> RulesOf(Kind kind) {
  switch (kind) {
    case Kind::kConstant:
      return ConstantRules();
    case Kind::kIota:
      return IotaRules();
    case Kind::kMap:
      return MapRules();
    case Kind::kView:
      return ViewRules();
    case Kind::kReshape:
      return ReshapeRules();
    case Kind::kConcat:
      return ConcatRules();
    case Kind::kReduce:
      return ReduceRules();
    case Kind::kContract:
      return ContractRules();
    case Kind::kGather:
      return GatherRules();
    default:
      return {};
  }
}

}  // namespace

Graph Simplify(const Graph& graph) {
  Forms forms;
  int64_t steps = 1000;
  return Rewrite::Run(graph, [&](Rewrite& rewrite, Node node) -> NodeId {
    constexpr int64_t kStepsPerNode = 2;
    steps += kStepsPerNode;
    Simplifier simplifier{rewrite, forms, steps};
    for (const Rule& rule : RulesOf(node.kind())) {
      const NodeId id = rule.apply(simplifier, node);
      if (id != kNone) return id;
    }
    return rewrite.out().Add(std::move(node));
  });
}

// ---- What rules ask -----------------------------------------------------------------------------

uint64_t BitsOf(DType dtype, double number) {
  switch (dtype) {
    case DType::kFloat32:
      return ToBits(ConvertElement<float>(number));
    case DType::kFloat64:
      return ToBits(number);
    case DType::kInt32:
      return ToBits(ConvertElement<int32_t>(number));
    case DType::kInt64:
      return ToBits(ConvertElement<int64_t>(number));
    case DType::kBool:
      break;
  }
  return ToBits(ConvertElement<bool>(number));
}

uint64_t BitsOf(const Array& array, int64_t element) {
  const auto size = static_cast<size_t>(SizeOf(array.dtype()));
  uint64_t bits = 0;
  std::memcpy(&bits, array.raw() + static_cast<size_t>(element) * size, size);
  return bits;
}

std::optional<uint64_t> UniformBits(const GraphBuilder& graph, NodeId id) {
  const Node* node = &graph.node(id);
  if (node->kind() == Kind::kView) {
    const Node& operand = graph.node(node->operands[0]);
    if (MayFill(node->As<ViewAttributes>(), operand.type().shape)) return std::nullopt;
    node = &operand;
  }
  if (node->kind() != Kind::kConstant) return std::nullopt;
  const Array& value = node->As<ConstantAttributes>().value;
  if (value.size() != 1) return std::nullopt;
  return BitsOf(value, 0);
}

std::optional<NodeId> SpreadScalar(const GraphBuilder& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.kind() != Kind::kView || !graph.type(node.operands[0]).shape.empty()) {
    return std::nullopt;
  }
  return node.operands[0];
}

NodeId MakeUniform(Rewrite& rewrite, DType dtype, double number, const Shape& shape,
                   const SourceLine& line) {
  Array scalar = *Array(number).Cast(dtype);
  return MakeSplat(rewrite, MakeConstant(rewrite, std::move(scalar), line), shape, line);
}

}  // namespace talweg::passes
