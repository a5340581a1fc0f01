// Rules of what only moves elements: views, reshapes, concatenations.

#include <utility>
#include <vector>

#include "jit/passes/affine.h"
#include "jit/passes/rules.h"

namespace talweg::passes {
namespace {

// ---- Views --------------------------------------------------------------------------------------

NodeId NormalView(Simplifier& s, const Node& node) {
  const auto& view = node.As<ViewAttributes>();
  ViewAttributes normal = Normalized(view, s.type(node.operands[0]).shape);
  if (normal == view) return kNone;
  return MakeView(s.rewrite, node.operands[0], std::move(normal), node.line);
}

NodeId IdentityView(Simplifier& s, const Node& node) {
  const NodeId x = node.operands[0];
  return IsIdentity(node.As<ViewAttributes>(), s.type(x).shape) ? x : kNone;
}

NodeId ViewOfView(Simplifier& s, const Node& node) {
  const Node& inner = s.node(node.operands[0]);
  if (inner.kind() != Kind::kView) return kNone;
  const NodeId x = inner.operands[0];
  std::optional<ViewAttributes> composed =
      Composed(node.As<ViewAttributes>(), inner.As<ViewAttributes>(), s.type(x).shape);
  if (!composed) return kNone;
  return MakeView(s.rewrite, x, *std::move(composed), node.line);
}

// A constant of one element that has axes.
NodeId ViewOfOneElement(Simplifier& s, const Node& node) {
  const NodeId x = node.operands[0];
  const Shape& shape = s.type(x).shape;
  if (s.node(x).kind() != Kind::kConstant || shape.empty() || CountOf(shape).elements != 1 ||
      MayFill(node.As<ViewAttributes>(), shape)) {
    return kNone;
  }
  Array scalar = *s.node(x).As<ConstantAttributes>().value.Reshaped({});
  return MakeSplat(s.rewrite, MakeConstant(s.rewrite, std::move(scalar), s.node(x).line),
                   node.type().shape, node.line);
}

// A slice that lies inside of one operand of a concatenation. Of long ones, each slice would look
// through all operands.
NodeId ViewOfConcat(Simplifier& s, const Node& node) {
  const Node& concat = s.node(node.operands[0]);
  constexpr size_t kMost = 64;
  if (concat.kind() != Kind::kConcat || concat.operands.size() > kMost) return kNone;
  const auto axis = static_cast<size_t>(concat.As<ConcatAttributes>().axis);
  int64_t start = 0;
  for (NodeId operand : concat.operands) {
    const Shape& shape = s.type(operand).shape;
    ViewAttributes view = node.As<ViewAttributes>();
    view.axes[axis].offset -= start;
    if (view.axes[axis].dilation == 1 && !MayLeave(view.axes[axis], shape[axis], view.shape)) {
      return MakeView(s.rewrite, operand, std::move(view), node.line);
    }
    start += shape[axis].value();
  }
  return kNone;
}

constexpr Rule kViewRules[] = {
    {"view(x) in its normal form", NormalView},
    {"view(x) = x, where each element stays in its place", IdentityView},
    {"view(view(x)) = view(x)", ViewOfView},
    {"view(c) = view(the scalar c), of a constant of one element", ViewOfOneElement},
    {"view(concat(x, y)) = view(x), of a slice within x", ViewOfConcat},
};

// ---- Reshapes -----------------------------------------------------------------------------------

NodeId SameShape(Simplifier& s, const Node& node) {
  const NodeId x = node.operands[0];
  return s.type(x).shape == node.type().shape ? x : kNone;
}

NodeId ReshapeOfReshape(Simplifier& s, const Node& node) {
  const Node& inner = s.node(node.operands[0]);
  if (inner.kind() != Kind::kReshape) return kNone;
  Node reshape = node;
  reshape.operands = inner.operands;
  return s.rewrite.Make(std::move(reshape));
}

NodeId ReshapeOfOnes(Simplifier& s, const Node& node) {
  const NodeId x = node.operands[0];
  std::optional<ViewAttributes> view = ReshapeAsView(s.type(x).shape, node.type().shape);
  if (!view) return kNone;
  return MakeView(s.rewrite, x, *std::move(view), node.line);
}

NodeId ReshapeOfScalar(Simplifier& s, const Node& node) {
  const std::optional<NodeId> scalar = SpreadScalar(s.graph(), node.operands[0]);
  return scalar ? MakeSplat(s.rewrite, *scalar, node.type().shape, node.line) : kNone;
}

// The view under the reshape only adds and drops axes of extent 1.
NodeId ReshapeOfOnesView(Simplifier& s, const Node& node) {
  const Node& inner = s.node(node.operands[0]);
  if (inner.kind() != Kind::kView) return kNone;
  const auto& view = inner.As<ViewAttributes>();
  const Shape& shape = s.type(inner.operands[0]).shape;
  const std::optional<ViewAttributes> plain = ReshapeAsView(shape, view.shape);
  if (!plain || !(Normalized(*plain, shape) == view)) return kNone;
  Node reshape = node;
  reshape.operands = inner.operands;
  return s.rewrite.Make(std::move(reshape));
}

constexpr Rule kReshapeRules[] = {
    {"reshape(x) = x, to the same shape", SameShape},
    {"reshape(reshape(x)) = reshape(x)", ReshapeOfReshape},
    {"reshape(x) = view(x), where only axes of extent 1 come and go", ReshapeOfOnes},
    {"reshape(spread(s)) = spread(s), of a scalar", ReshapeOfScalar},
    {"reshape(view(x)) = reshape(x), where only axes of extent 1 come and go", ReshapeOfOnesView},
};

// ---- Concatenations -----------------------------------------------------------------------------

NodeId ConcatOfOne(Simplifier&, const Node& node) {
  return node.operands.size() == 1 ? node.operands[0] : kNone;
}

NodeId ConcatOfNothing(Simplifier& s, const Node& node) {
  const auto axis = static_cast<size_t>(node.As<ConcatAttributes>().axis);
  Node concat = node;
  std::vector<NodeId> operands;
  for (NodeId operand : node.operands) {
    if (s.type(operand).shape[axis] != Dim(0)) operands.push_back(operand);
  }
  if (operands.empty() || operands.size() == node.operands.size()) return kNone;
  concat.operands = std::move(operands);
  return s.rewrite.Make(std::move(concat));
}

constexpr Rule kConcatRules[] = {
    {"concat(x) = x", ConcatOfOne},
    {"concat(x, y) = x, where y has no elements", ConcatOfNothing},
};

}  // namespace

absl::Span<const Rule> ViewRules() { return kViewRules; }
absl::Span<const Rule> ReshapeRules() { return kReshapeRules; }
absl::Span<const Rule> ConcatRules() { return kConcatRules; }

}  // namespace talweg::passes
