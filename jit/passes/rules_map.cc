// Rules of elementwise ops, from the facts in their records.

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/axes.h"
#include "graph/expr.h"
#include "jit/passes/affine.h"
#include "jit/passes/rules.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace talweg::passes {
namespace {

const MapFacts& FactsOf(const Node& node) { return node.op->map->facts; }

bool IsConstant(const Simplifier& s, NodeId id) { return UniformBits(s.graph(), id).has_value(); }

// Constants last, the others as they were made.
NodeId InOrder(Simplifier& s, const Node& node) {
  if (!FactsOf(node).commutative || node.operands.size() != 2) return kNone;
  const auto key = [&](NodeId id) { return std::make_pair(IsConstant(s, id), id); };
  if (key(node.operands[0]) <= key(node.operands[1])) return kNone;
  Node swapped = node;
  std::swap(swapped.operands[0], swapped.operands[1]);
  return s.rewrite.Make(std::move(swapped));
}

// An identity does not hold for the bools of an op that takes numbers too.
bool IsIdentityOf(const Simplifier& s, const Node& node, std::optional<double> identity,
                  NodeId operand) {
  const DType dtype = s.type(operand).dtype;
  if (!identity || (dtype == kBool && node.op->map->types != MapTypes::kBools)) return false;
  return UniformBits(s.graph(), operand) == BitsOf(dtype, *identity);
}

NodeId RightIdentity(Simplifier& s, const Node& node) {
  if (node.operands.size() != 2) return kNone;
  const bool found = IsIdentityOf(s, node, FactsOf(node).right_identity, node.operands[1]);
  return found ? node.operands[0] : kNone;
}

NodeId LeftIdentity(Simplifier& s, const Node& node) {
  if (node.operands.size() != 2) return kNone;
  const bool found = IsIdentityOf(s, node, FactsOf(node).left_identity, node.operands[0]);
  return found ? node.operands[1] : kNone;
}

bool IsOfSameOp(const Simplifier& s, const Node& node) {
  return node.operands.size() == 1 && s.node(node.operands[0]).op == node.op;
}

NodeId Involution(Simplifier& s, const Node& node) {
  if (!FactsOf(node).involution || !IsOfSameOp(s, node)) return kNone;
  return s.node(node.operands[0]).operands[0];
}

NodeId IdempotentOfItself(Simplifier& s, const Node& node) {
  return FactsOf(node).idempotent && IsOfSameOp(s, node) ? node.operands[0] : kNone;
}

NodeId IdempotentOfEquals(Simplifier&, const Node& node) {
  const bool equal = node.operands.size() == 2 && node.operands[0] == node.operands[1];
  return FactsOf(node).idempotent && equal ? node.operands[0] : kNone;
}

NodeId Nothing(Simplifier& s, const Node& node) {
  return s.form(node) == Form::kOperand ? node.operands[0] : kNone;
}

// Whether every value of one type is exactly a value of the other.
bool LosesNothing(DType from, DType to) {
  switch (from) {
    case DType::kBool:
      return true;
    case DType::kInt32:
      return to == kInt32 || to == kInt64 || to == kFloat64;
    case DType::kInt64:
      return to == kInt64;
    case DType::kFloat32:
      return to == kFloat32 || to == kFloat64;
    case DType::kFloat64:
      return to == kFloat64;
  }
  return false;
}

NodeId CastOfCast(Simplifier& s, const Node& node) {
  if (s.form(node) != Form::kConvert || s.form(node.operands[0]) != Form::kConvert) return kNone;
  // A user's op may convert, too, but takes what it takes.
  if (node.op->map->types != MapTypes::kCast) return kNone;
  const Node& inner = s.node(node.operands[0]);
  const NodeId x = inner.operands[0];
  if (!LosesNothing(s.type(x).dtype, inner.type().dtype)) return kNone;
  Node cast = node;
  cast.operands = {x};
  return s.rewrite.Make(std::move(cast));
}

NodeId SelectByConstant(Simplifier& s, const Node& node) {
  if (s.form(node) != Form::kSelect) return kNone;
  const std::optional<uint64_t> mask = UniformBits(s.graph(), node.operands[0]);
  if (!mask) return kNone;
  return node.operands[*mask != 0 ? 1 : 2];
}

NodeId SelectOfEquals(Simplifier& s, const Node& node) {
  const bool equal = s.form(node) == Form::kSelect && node.operands[1] == node.operands[2];
  return equal ? node.operands[1] : kNone;
}

NodeId SelectByNot(Simplifier& s, const Node& node) {
  if (s.form(node) != Form::kSelect || s.form(node.operands[0]) != Form::kNot) return kNone;
  Node select = node;
  select.operands = {s.node(node.operands[0]).operands[0], node.operands[2], node.operands[1]};
  return s.rewrite.Make(std::move(select));
}

NodeId SelectOfSelect(Simplifier& s, const Node& node) {
  if (s.form(node) != Form::kSelect) return kNone;
  for (size_t branch : {1, 2}) {
    const NodeId inner = node.operands[branch];
    if (s.form(inner) != Form::kSelect || s.node(inner).operands[0] != node.operands[0]) continue;
    Node select = node;
    select.operands[branch] = s.node(inner).operands[branch];
    return s.rewrite.Make(std::move(select));
  }
  return kNone;
}

// x - max x, or x - max(max x, c), with the maximum over some axes, spread back over them: no
// element is positive.
struct LessMaximum {
  const std::vector<int64_t>* axes = nullptr;
  // Whether -0x1.fffffep127 was put for a maximum of -infinity.
  bool is_clamped = false;
};

std::optional<LessMaximum> LessMaximumOf(const Simplifier& s, NodeId id) {
  const Node& less = s.node(id);
  if (less.op != &kSubOp || less.type().dtype != kFloat32) return std::nullopt;
  const Node& spread = s.node(less.operands[1]);
  if (spread.kind() != Kind::kView) return std::nullopt;
  const Node* max = &s.node(spread.operands[0]);
  LessMaximum result;
  if (max->op == &kMaxOp) {
    const uint64_t lowest = BitsOf(kFloat32, std::numeric_limits<float>::lowest());
    result.is_clamped = UniformBits(s.graph(), max->operands[1]) == lowest;
    if (!result.is_clamped) return std::nullopt;
    max = &s.node(max->operands[0]);
  }
  if (max->op != &kReduceMaxOp || max->operands[0] != less.operands[0]) return std::nullopt;
  result.axes = &max->As<ReduceAttributes>().axes;
  const std::vector<int64_t> kept = KeptAxes(less.type().shape.size(), {}, *result.axes);
  const std::vector<AxisMap>& maps = spread.As<ViewAttributes>().axes;
  for (size_t i = 0; i < maps.size(); i++) {
    const bool is_one = max->type().shape[i] == Dim(1) && maps[i] == AxisMap{};
    if (!is_one && !(maps[i] == AxisMap{.terms = {{.axis = kept[i]}}})) return std::nullopt;
  }
  return result;
}

NodeId Replaced(Simplifier& s, const Node& node, const Op* op) {
  Node replaced = node;
  replaced.op = op;
  return s.rewrite.Make(std::move(replaced));
}

NodeId ExpOfNotPositive(Simplifier& s, const Node& node) {
  if (node.op != &kExpOp || !LessMaximumOf(s, node.operands[0])) return kNone;
  return Replaced(s, node, &kExpOfNotPositiveOp);
}

// One of the terms is 1, and none is negative; or all are 0, where the maximum is -infinity.
NodeId LogOfAtLeastOne(Simplifier& s, const Node& node) {
  if (node.op != &kLogOp) return kNone;
  const Node* sum = &s.node(node.operands[0]);
  // select(sum = 0, 1, sum)
  bool has_no_zero = false;
  if (s.form(*sum) == Form::kSelect) {
    const NodeId otherwise = sum->operands[2];
    const Node& is_zero = s.node(sum->operands[0]);
    has_no_zero = is_zero.op == &kEqualOp && is_zero.operands[0] == otherwise &&
                  UniformBits(s.graph(), is_zero.operands[1]) == BitsOf(kFloat32, 0) &&
                  UniformBits(s.graph(), sum->operands[1]) == BitsOf(kFloat32, 1);
    if (!has_no_zero) return kNone;
    sum = &s.node(otherwise);
  }
  if (sum->op != &kSumOp) return kNone;
  const Node& exp = s.node(sum->operands[0]);
  if (exp.op != &kExpOp && exp.op != &kExpOfNotPositiveOp) return kNone;
  const std::optional<LessMaximum> less = LessMaximumOf(s, exp.operands[0]);
  if (!less || *less->axes != sum->As<ReduceAttributes>().axes) return kNone;
  // Of no terms, the sum is 0.
  const bool has_terms = absl::c_all_of(*less->axes, [&](int64_t axis) {
    const Dim dim = exp.type().shape[static_cast<size_t>(axis)];
    return dim.is_static() && dim.value() > 0;
  });
  if (!has_no_zero && (less->is_clamped || !has_terms)) return kNone;
  return Replaced(s, node, &kLogOfAtLeastOneOp);
}

// A map commutes with every view that has no fill. The map goes first where it then has less to do:
// where its operands are spread by the same view, or are scalars.
NodeId BeforeView(Simplifier& s, const Node& node) {
  const ViewAttributes* view = nullptr;
  Shape shape;  // of what is spread
  for (NodeId operand : node.operands) {
    if (SpreadScalar(s.graph(), operand)) continue;
    const Node& spread = s.node(operand);
    if (spread.kind() != Kind::kView) return kNone;
    const Shape& from = s.type(spread.operands[0]).shape;
    if (view == nullptr) {
      view = &spread.As<ViewAttributes>();
      shape = from;
      if (MayFill(*view, from)) return kNone;
    } else if (!(*view == spread.As<ViewAttributes>()) || shape != from) {
      return kNone;
    }
  }
  const ExtentCount before = CountOf(shape), spread = CountOf(node.type().shape);
  // Of a scalar it is never more, and then other rules see a scalar.
  const bool of_scalars = view == nullptr && !node.type().shape.empty() && spread.elements > 0;
  if (!of_scalars && !Fewer(before, spread)) return kNone;
  ViewAttributes after =
      view != nullptr ? *view : ViewAttributes{.axes = {}, .fill = 0, .shape = node.type().shape};
  Node map = node;
  map.types = {{node.type().dtype, shape}};
  for (NodeId& operand : map.operands) {
    const std::optional<NodeId> scalar = SpreadScalar(s.graph(), operand);
    operand =
        scalar ? MakeSplat(s.rewrite, *scalar, shape, node.line) : s.node(operand).operands[0];
  }
  return MakeView(s.rewrite, s.rewrite.Make(std::move(map)), std::move(after), node.line);
}

constexpr Rule kRules[] = {
    {"f(x) = x, where that is the formula", Nothing},
    {"f(x, e) = x", RightIdentity},
    {"f(e, x) = x", LeftIdentity},
    {"f(f(x)) = x", Involution},
    {"f(f(x)) = f(x)", IdempotentOfItself},
    {"f(x, x) = x", IdempotentOfEquals},
    {"cast(cast(x)) = cast(x), where the first loses nothing", CastOfCast},
    {"select(true, a, b) = a, select(false, a, b) = b", SelectByConstant},
    {"select(m, a, a) = a", SelectOfEquals},
    {"select(not m, a, b) = select(m, b, a)", SelectByNot},
    {"select(m, select(m, a, b), c) = select(m, a, c)", SelectOfSelect},
    {"exp(x - max x) = exp_of_not_positive(x - max x)", ExpOfNotPositive},
    {"log(sum exp(x - max x)) = log_of_at_least_one(sum exp(x - max x))", LogOfAtLeastOne},
    {"f(view(x), view(y)) = view(f(x, y))", BeforeView},
    {"f(y, x) = f(x, y)", InOrder},
};

Form Record(const Op& op, DType operand, DType result) {
  const MapRule& rule = *op.map;
  ScalarProgram program;
  std::vector<Expr> operands;
  for (int32_t k = 0; k < rule.arity; k++) {
    const bool mask = rule.types == MapTypes::kSelect && k == 0;
    operands.push_back(program.Input(mask ? kBool : operand));
  }
  const Expr formula = rule.expr(operands.data(), result);
  const Instruction& root = program.instruction(formula.id());
  const auto reads = [&](size_t count) {
    for (size_t k = 0; k < count; k++) {
      if (root.operands[k] != operands[k].id()) return false;
    }
    return true;
  };
  if (rule.arity == 1 && root.opcode == Opcode::kInput) return Form::kOperand;
  if (rule.arity == 1 && root.opcode == Opcode::kConvert && reads(1)) return Form::kConvert;
  if (rule.arity == 1 && root.opcode == Opcode::kNot && reads(1) && operand == kBool) {
    return Form::kNot;
  }
  if (rule.arity == 3 && root.opcode == Opcode::kSelect && reads(3)) return Form::kSelect;
  return Form::kOther;
}

}  // namespace

absl::Span<const Rule> MapRules() { return kRules; }

Form Forms::Of(const GraphBuilder& graph, const Node& map) {
  const DType operand = graph.type(map.operands.back()).dtype, result = map.type().dtype;
  const auto [it, is_new] = known_.try_emplace({map.op, {operand, result}}, Form::kOther);
  if (is_new) it->second = Record(*map.op, operand, result);
  return it->second;
}

}  // namespace talweg::passes
