// Rules of reductions and contractions.

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/axes.h"
#include "jit/passes/affine.h"
#include "jit/passes/rules.h"
#include "ops/view.h"

namespace talweg::passes {
namespace {

using Axes = std::vector<int64_t>;

// The number of terms of each result; -1 where it is known at run time only.
int64_t TermsOf(const Shape& shape, const Axes& axes) {
  int64_t terms = 1;
  bool known = true;
  for (int64_t axis : axes) {
    const Dim dim = shape[static_cast<size_t>(axis)];
    if (dim == Dim(0)) return 0;
    if (dim.is_static()) terms *= dim.value();
    known = known && dim.is_static();
  }
  return known ? terms : -1;
}

// ---- Reductions ---------------------------------------------------------------------------------

// All chains are at the identity, and joining them changes nothing. Of no elements, the place is 0.
NodeId ReduceOfNothing(Simplifier& s, const Node& node) {
  const Type& x = s.type(node.operands[0]);
  if (TermsOf(x.shape, node.As<ReduceAttributes>().axes) != 0) return kNone;
  const ReduceRule& rule = *node.op->reduce;
  const double value = rule.place ? 0 : rule.identity(x.dtype);
  return MakeUniform(s.rewrite, node.type().dtype, value, node.type().shape, node.line);
}

// A chain starts at the identity: 0 + x, which is 0 for an x of -0. So the reduction's identity
// must be one to the bit, from the left, and from the right where other chains are joined to it.
NodeId ReduceOfOne(Simplifier& s, const Node& node) {
  const NodeId operand = node.operands[0];
  const Type& x = s.type(operand);
  const auto& attributes = node.As<ReduceAttributes>();
  const ReduceRule& rule = *node.op->reduce;
  if (TermsOf(x.shape, attributes.axes) != 1) return kNone;
  if (rule.place) return MakeUniform(s.rewrite, kInt64, 0, node.type().shape, node.line);
  const MapRule& combine = *rule.combine->map;
  const auto is_exact = [&](std::optional<double> identity) {
    if (!identity || (x.dtype == kBool && combine.types != MapTypes::kBools)) return false;
    return BitsOf(x.dtype, *identity) == BitsOf(x.dtype, rule.identity(x.dtype));
  };
  if (!is_exact(combine.facts.left_identity)) return kNone;
  if (attributes.order.chains > 1 && !is_exact(combine.facts.right_identity)) return kNone;
  return s.rewrite.Make(kReshapeOp, {operand}, ShapeAttributes{node.type().shape}, node.type(),
                        node.line);
}

// A view that moves axes about need not be made: the reduction finds its terms and results in the
// same order as long as neither the summed nor the kept axes change theirs.
NodeId ReduceOfPermuted(Simplifier& s, const Node& node) {
  const Node& view = s.node(node.operands[0]);
  if (view.kind() != Kind::kView) return kNone;
  const NodeId x = view.operands[0];
  const std::optional<Axes> from = Permutation(view.As<ViewAttributes>(), s.type(x).shape);
  if (!from) return kNone;
  const auto& attributes = node.As<ReduceAttributes>();
  Axes summed, kept;
  size_t next = 0;
  for (size_t axis = 0; axis < from->size(); axis++) {
    const bool is_summed =
        next < attributes.axes.size() && attributes.axes[next] == static_cast<int64_t>(axis);
    next += is_summed;
    // An added axis of extent 1 has no term of its own, but it may be one of the result.
    if ((*from)[axis] < 0 && !is_summed) return kNone;
    if ((*from)[axis] >= 0) (is_summed ? summed : kept).push_back((*from)[axis]);
  }
  // So must a dropped one, which would become one of the result.
  if (summed.size() + kept.size() != s.type(x).shape.size()) return kNone;
  if (!absl::c_is_sorted(summed) || !absl::c_is_sorted(kept)) return kNone;
  Node reduce = node;
  reduce.operands = {x};
  std::get<ReduceAttributes>(reduce.attributes).axes = std::move(summed);
  return s.rewrite.Make(std::move(reduce));
}

constexpr Rule kReduceRules[] = {
    {"reduce() = e, of no terms", ReduceOfNothing},
    {"reduce(x) = reshape(x), of one term, where f(e, x) = x", ReduceOfOne},
    {"reduce(view(x)) = reduce(x), where the view moves axes about", ReduceOfPermuted},
};

// ---- Contractions -------------------------------------------------------------------------------

// The axes of one side by those of what is permuted. False where they are not as they must be.
bool Permute(const Axes& from, Axes& batch, Axes& sum) {
  if (absl::c_any_of(from, [](int64_t axis) { return axis < 0; })) return false;
  Axes kept = KeptAxes(from.size(), batch, sum);
  for (Axes* axes : {&batch, &sum, &kept}) {
    for (int64_t& axis : *axes) axis = from[static_cast<size_t>(axis)];
  }
  return absl::c_is_sorted(kept);
}

// The terms of a contraction are numbered by its list of summed axes, whatever the operands' order.
NodeId ContractOfPermuted(Simplifier& s, const Node& node) {
  for (size_t side : {0, 1}) {
    const Node& view = s.node(node.operands[side]);
    if (view.kind() != Kind::kView) continue;
    const NodeId x = view.operands[0];
    const std::optional<Axes> from = Permutation(view.As<ViewAttributes>(), s.type(x).shape);
    if (!from || from->size() != s.type(x).shape.size()) continue;
    Node contract = node;
    auto& a = std::get<ContractAttributes>(contract.attributes);
    contract.operands[side] = x;
    if (!Permute(*from, side == 0 ? a.lhs_batch : a.rhs_batch, side == 0 ? a.lhs_sum : a.rhs_sum)) {
      continue;
    }
    return s.rewrite.Make(std::move(contract));
  }
  return kNone;
}

constexpr Rule kContractRules[] = {
    {"contract(view(x), y) = contract(x, y), where the view moves axes about", ContractOfPermuted},
};

}  // namespace

absl::Span<const Rule> ReduceRules() { return kReduceRules; }
absl::Span<const Rule> ContractRules() { return kContractRules; }

}  // namespace talweg::passes
