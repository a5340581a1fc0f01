#include "autodiff/transpose.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/axes.h"
#include "graph/tape.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {
namespace {

Gradients TransposeMap(const NodeView& view, const Value& dy) {
  const MapRule& rule = *view.node.op->map;
  Gradients gradients(view.operands.size());
  for (size_t k = 0; k < gradients.size(); k++) {
    if (!view.wanted[k] || rule.partials[k] == nullptr) continue;
    gradients[k] = rule.partials[k](view.operands.data(), view.self, dy);
  }
  return gradients;
}

Gradients TransposeConcat(const NodeView& view, const Value& dy) {
  const int64_t axis = view.node.As<ConcatAttributes>().axis;
  Gradients gradients(view.operands.size());
  int64_t start = 0;
  for (size_t k = 0; k < gradients.size(); k++) {
    const int64_t stop = start + view.operands[k].dim(axis).value();
    if (view.wanted[k]) gradients[k] = Slice(dy, axis, start, stop);
    start = stop;
  }
  return gradients;
}

// y and dy spread over the reduced axes again, then the rule of the reduction.
Gradients TransposeReduce(const NodeView& view, const Value& dy) {
  const ReduceRule& rule = *view.node.op->reduce;
  const std::vector<int64_t>& axes = view.node.As<ReduceAttributes>().axes;
  if (rule.partial == nullptr) return Gradients(1);
  const Value& x = view.operands[0];
  const Value wide_y = Spread(view.self, x.shape(), axes, view.node.line);
  const Value wide_dy = Spread(dy, x.shape(), axes, view.node.line);
  return {rule.partial(x, wide_y, wide_dy, axes)};
}

Gradients TransposeGather(const NodeView& view, const Value& dy) {
  const auto& [axis, batch] = view.node.As<GatherAttributes>();
  const Value& x = view.operands[0];
  return {ScatterAdd(dy, view.operands[1], x.dim(axis), axis, batch), Value()};
}

Gradients TransposeScatterAdd(const NodeView& view, const Value& dy) {
  const auto& [axis, batch, size] = view.node.As<ScatterAddAttributes>();
  return {Gather(dy, view.operands[1], axis, batch), Value()};
}

// One side of a contraction's gradient. With a the wanted operand and b the other one,
//     da[batch, free_a, sum] =
//         sum over free_b of dy[batch, free_a, free_b] * b[batch, free_b, sum].
// `first` says whether a is the left operand, and with it where its free axes lie in dy.
Value ContractSide(const ContractAttributes& attributes, bool first, const Value& a, const Value& b,
                   const Value& dy) {
  const auto& [lhs_batch, rhs_batch, lhs_sum, rhs_sum, order] = attributes;
  const std::vector<int64_t>& a_batch = first ? lhs_batch : rhs_batch;
  const std::vector<int64_t>& b_batch = first ? rhs_batch : lhs_batch;
  const std::vector<int64_t>& a_sum = first ? lhs_sum : rhs_sum;
  const std::vector<int64_t>& b_sum = first ? rhs_sum : lhs_sum;
  const std::vector<int64_t> a_free = KeptAxes(a.shape().size(), a_batch, a_sum);
  const std::vector<int64_t> b_free = KeptAxes(b.shape().size(), b_batch, b_sum);
  const auto batches = static_cast<int64_t>(a_batch.size());
  std::vector<int64_t> dy_batch, dy_b_free;
  for (int64_t i = 0; i < batches; i++) dy_batch.push_back(i);
  const int64_t start = batches + (first ? static_cast<int64_t>(a_free.size()) : 0);
  for (size_t i = 0; i < b_free.size(); i++) dy_b_free.push_back(start + static_cast<int64_t>(i));

  // dy stands on the side on which `a` is missing, so that the usual products need no transpose:
  // dz W^T for the left operand, x^T dz for the right one.
  const Value product = first ? Contract(dy, b, {dy_batch, b_batch, dy_b_free, b_free})
                              : Contract(b, dy, {b_batch, dy_batch, b_free, dy_b_free});
  // The product's axes: the batch; then a's free axes and b's sum axes in ascending order of b, or
  // the other way round.
  std::vector<int64_t> origin = a_batch;
  std::vector<int64_t> sums = b_sum;
  std::sort(sums.begin(), sums.end());
  for (int64_t& axis : sums) {
    const auto pair = std::find(b_sum.begin(), b_sum.end(), axis) - b_sum.begin();
    axis = a_sum[static_cast<size_t>(pair)];
  }
  const std::vector<int64_t>& near = first ? a_free : sums;
  const std::vector<int64_t>& far = first ? sums : a_free;
  origin.insert(origin.end(), near.begin(), near.end());
  origin.insert(origin.end(), far.begin(), far.end());
  std::vector<int64_t> permutation(origin.size());
  for (size_t i = 0; i < origin.size(); i++) {
    permutation[static_cast<size_t>(origin[i])] = static_cast<int64_t>(i);
  }
  return permutation.empty() ? product : Transpose(product, permutation);
}

Gradients TransposeContract(const NodeView& view, const Value& dy) {
  const auto& attributes = view.node.As<ContractAttributes>();
  const Value &lhs = view.operands[0], &rhs = view.operands[1];
  Gradients gradients(2);
  if (view.wanted[0]) gradients[0] = ContractSide(attributes, true, lhs, rhs, dy);
  if (view.wanted[1]) gradients[1] = ContractSide(attributes, false, rhs, lhs, dy);
  return gradients;
}

Gradients TransposeCustom(const NodeView& view, const Value& dy) {
  std::vector<Value> arguments(view.operands.begin() + 1, view.operands.end());
  arguments.push_back(view.self);
  arguments.push_back(dy);
  Gradients gradients = Inline(*view.node.As<CustomAttributes>().gradient, arguments, view.self);
  gradients.insert(gradients.begin(), Value());
  return gradients;
}

}  // namespace

Gradients TransposeNode(const NodeView& view, const Value& dy) {
  switch (view.node.kind()) {
    case Kind::kMap:
      return TransposeMap(view, dy);
    case Kind::kView:
      return {TransposeView(view.node.As<ViewAttributes>(), view.operands[0].shape(), dy,
                            view.node.line)};
    case Kind::kReshape:
      return {Reshape(dy, view.operands[0].shape())};
    case Kind::kConcat:
      return TransposeConcat(view, dy);
    case Kind::kReduce:
      return TransposeReduce(view, dy);
    case Kind::kGather:
      return TransposeGather(view, dy);
    case Kind::kScatterAdd:
      return TransposeScatterAdd(view, dy);
    case Kind::kContract:
      return TransposeContract(view, dy);
    case Kind::kCustom:
      return TransposeCustom(view, dy);
    case Kind::kInput:
    case Kind::kConstant:
    case Kind::kIota:
    case Kind::kSize:
    case Kind::kRandom:
    case Kind::kLoop:
    case Kind::kPart:
      break;
  }
  return Gradients(view.operands.size());
}

namespace {

// The same view with each axis of the result in one term of a map at most.
ViewAttributes WithTermsTogether(ViewAttributes view) {
  for (AxisMap& map : view.axes) {
    std::vector<AxisMap::Term> terms;
    for (const AxisMap::Term& term : map.terms) {
      const auto same = absl::c_find_if(
          terms, [&](const AxisMap::Term& other) { return other.axis == term.axis; });
      if (same == terms.end()) {
        terms.push_back(term);
      } else {
        same->step += term.step;
      }
    }
    std::erase_if(terms, [](const AxisMap::Term& term) { return term.step == 0; });
    map.terms = std::move(terms);
  }
  return view;
}

// A view reads x at i[a] = (offset + sum of step * o) / dilation for each operand axis a. Its
// transpose has to name, for each element i of x, the results o that came from it. For each axis a,
// one o is solved for,
//     o = (dilation * i[a] - offset - the other terms) / step,
// and o's that no equation is left for (the second term of a window) are summed over.
class ViewTransposer {
 public:
  ViewTransposer(const ViewAttributes& view, const Shape& shape);

  Value Transpose(const Value& dy, const SourceLine& line);

 private:
  // Where the axis of a term stands among the named ones.
  size_t Unknown(const AxisMap::Term& term) const {
    return static_cast<size_t>(place_[static_cast<size_t>(term.axis)]);
  }
  void PlaceConstantIndices();
  // The operand axis whose equation has the fewest unknowns, of those that are not done.
  size_t NextEquation() const;
  // False where its unknowns are all solved: two equations for one.
  bool Solve(size_t axis);
  AxisMap SolutionFor(size_t axis, size_t target);
  int64_t Times(int64_t a, int64_t b) {
    int64_t product = 0;
    too_large_ |= __builtin_mul_overflow(a, b, &product);
    return product;
  }

  const ViewAttributes view_;
  bool too_large_ = false;          // a product
  std::vector<int64_t> broadcast_;  // axes of the result that no term names
  std::vector<int64_t> place_;      // of each axis of the result among the named ones, or -1
  std::vector<bool> done_;          // by operand axis
  std::vector<bool> solved_;        // by named axis
  // The transposed view: its operand's axes are the named ones, then one of extent 1 for each
  // constant index; its result's axes those of x, then the ones to be summed over.
  ViewAttributes transposed_;
  std::vector<int64_t> extra_;  // the ones to be summed over
};

ViewTransposer::ViewTransposer(const ViewAttributes& view, const Shape& shape)
    : view_(WithTermsTogether(view)), place_(view.shape.size(), -1), done_(shape.size(), false) {
  std::vector<bool> named(view.shape.size(), false);
  for (const AxisMap& map : view_.axes) {
    for (const AxisMap::Term& term : map.terms) named[static_cast<size_t>(term.axis)] = true;
  }
  int64_t next = 0;
  for (size_t i = 0; i < named.size(); i++) {
    if (named[i]) {
      place_[i] = next++;
    } else {
      broadcast_.push_back(static_cast<int64_t>(i));
    }
  }
  solved_.resize(static_cast<size_t>(next), false);
  transposed_.axes.resize(static_cast<size_t>(next));
  transposed_.shape = shape;
}

// They read one element, that at i == offset: dy gets an axis of extent 1 for each.
void ViewTransposer::PlaceConstantIndices() {
  for (size_t a = 0; a < done_.size(); a++) {
    const AxisMap& map = view_.axes[a];
    if (!map.terms.empty()) continue;
    transposed_.axes.push_back(
        {.offset = -map.offset, .dilation = 1, .terms = {{static_cast<int64_t>(a), map.dilation}}});
    done_[a] = true;
  }
}

size_t ViewTransposer::NextEquation() const {
  size_t best = done_.size(), fewest = 0;
  for (size_t a = 0; a < done_.size(); a++) {
    if (done_[a]) continue;
    size_t unknowns = 0;
    for (const AxisMap::Term& term : view_.axes[a].terms)
      unknowns += solved_[Unknown(term)] ? 0 : 1;
    if (best == done_.size() || unknowns < fewest) best = a, fewest = unknowns;
  }
  return best;
}

bool ViewTransposer::Solve(size_t axis) {
  const std::vector<AxisMap::Term>& terms = view_.axes[axis].terms;
  size_t target = terms.size();
  for (size_t t = 0; t < terms.size(); t++) {
    const size_t unknown = Unknown(terms[t]);
    if (solved_[unknown]) continue;
    if (target == terms.size()) {
      target = t;
      continue;
    }
    // A second unknown: it becomes an axis of its own, to be summed over.
    const auto at = static_cast<int64_t>(transposed_.shape.size());
    extra_.push_back(at);
    transposed_.shape.push_back(view_.shape[static_cast<size_t>(terms[t].axis)]);
    transposed_.axes[unknown] = {.offset = 0, .dilation = 1, .terms = {{.axis = at}}};
    solved_[unknown] = true;
  }
  if (target == terms.size()) return false;
  const size_t unknown = Unknown(terms[target]);
  transposed_.axes[unknown] = SolutionFor(axis, target);
  solved_[unknown] = true;
  return true;
}

// o = (dilation i - offset - sum of step_t o_t) / step, over a common denominator.
AxisMap ViewTransposer::SolutionFor(size_t axis, size_t target) {
  const AxisMap& map = view_.axes[axis];
  int64_t denominator = 1;
  for (size_t t = 0; t < map.terms.size(); t++) {
    if (t == target) continue;
    denominator = Times(denominator, transposed_.axes[Unknown(map.terms[t])].dilation);
  }
  if (too_large_) return {};
  const int64_t step = map.terms[target].step;
  const int64_t sign = step < 0 ? -1 : 1;
  const int64_t all = Times(denominator, sign);
  AxisMap solution{.offset = Times(-map.offset, all),
                   .dilation = Times(std::abs(step), denominator),
                   .terms = {{static_cast<int64_t>(axis), Times(map.dilation, all)}}};
  for (size_t t = 0; t < map.terms.size(); t++) {
    if (t == target) continue;
    const AxisMap& other = transposed_.axes[Unknown(map.terms[t])];
    const int64_t factor = Times(-map.terms[t].step, Times(denominator / other.dilation, sign));
    too_large_ |=
        __builtin_add_overflow(solution.offset, Times(factor, other.offset), &solution.offset);
    for (const AxisMap::Term& term : other.terms) {
      solution.terms.push_back({term.axis, Times(factor, term.step)});
    }
  }
  return solution;
}

Value ViewTransposer::Transpose(const Value& dy, const SourceLine& line) {
  PlaceConstantIndices();
  for (size_t axis = NextEquation(); axis < done_.size(); axis = NextEquation()) {
    done_[axis] = true;
    if (Solve(axis)) continue;
    return Fail("gradient", {dy}, "of a view that reads a diagonal is not supported", line);
  }
  if (too_large_) {
    return Fail("gradient", {dy}, "of a view with such large steps is not supported", line);
  }
  // What was broadcast adds up.
  const Value summed = broadcast_.empty() ? dy : Reduce(kSumOp, dy, broadcast_, line);
  Shape with_ones = summed.shape();
  with_ones.resize(transposed_.axes.size(), Dim(1));
  const Value spread = View(Reshape(summed, with_ones), std::move(transposed_), line);
  return extra_.empty() ? spread : Reduce(kSumOp, spread, extra_, line);
}

}  // namespace

Value TransposeView(const ViewAttributes& view, const Shape& shape, const Value& dy,
                    const SourceLine& line) {
  return ViewTransposer(view, shape).Transpose(dy, line);
}

}  // namespace talweg
