// Rules of what only moves elements: views, reshapes, concatenations.

#include <optional>
#include <tuple>
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

// Where a view of a concatenation lies inside of one operand: that operand, and the view of it.
std::optional<std::pair<NodeId, ViewAttributes>> InOneOperand(const Simplifier& s,
                                                              const Node& concat,
                                                              const ViewAttributes& view) {
  const auto axis = static_cast<size_t>(concat.As<ConcatAttributes>().axis);
  if (view.axes[axis].dilation != 1) return std::nullopt;
  AxisMap map = view.axes[axis];
  for (NodeId operand : concat.operands) {
    const Dim extent = s.type(operand).shape[axis];
    if (!MayLeave(map, extent, view.shape)) {
      ViewAttributes inside = view;
      inside.axes[axis] = std::move(map);
      return std::pair(operand, std::move(inside));
    }
    map.offset -= extent.value();
  }
  return std::nullopt;
}

// A slice that lies inside of one operand of a concatenation, which may be another one, or a view
// of one, and so on down a chain: one view is made at its end. Of long ones, each slice would look
// through all operands; and a slice at each link of a chain would go all the way down.
NodeId ViewOfConcat(Simplifier& s, const Node& node) {
  constexpr size_t kMost = 64;
  NodeId x = node.operands[0];
  ViewAttributes view = node.As<ViewAttributes>();
  while (true) {
    const Node& inner = s.node(x);
    if (s.steps <= 0) break;
    if (inner.kind() == Kind::kConcat && inner.operands.size() <= kMost) {
      s.steps -= static_cast<int64_t>(inner.operands.size());
      auto found = InOneOperand(s, inner, view);
      if (!found) break;
      std::tie(x, view) = *std::move(found);
    } else if (inner.kind() == Kind::kView && x != node.operands[0]) {
      s.steps--;
      const NodeId under = inner.operands[0];
      std::optional<ViewAttributes> composed = Composed(
          Normalized(view, s.type(x).shape), inner.As<ViewAttributes>(), s.type(under).shape);
      if (!composed) break;
      x = under;
      view = *std::move(composed);
    } else {
      break;
    }
  }
  if (x == node.operands[0]) return kNone;
  if (s.steps > 0) return MakeView(s.rewrite, x, std::move(view), node.line);
  // Under the same rules it would go further down; that is for the next run of the pass.
  Type type{s.type(x).dtype, view.shape};
  return s.rewrite.out().Add(*node.op, {x}, std::move(view), std::move(type), node.line);
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
