#include "jit/passes/affine.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "absl/algorithm/container.h"

namespace talweg::passes {
namespace {

using Wide = __int128;

// The index is that of one axis of the result.
bool IsPlain(const AxisMap& map) {
  return map.offset == 0 && map.dilation == 1 && map.terms.size() == 1 && map.terms[0].step == 1;
}

// The index is always 0.
bool IsZero(const AxisMap& map) {
  return map.offset == 0 && map.dilation == 1 && map.terms.empty();
}

// Whether i = m + offset is outside of the operand's axis wherever m is outside of the middle's.
bool LeavesWith(const AxisMap& map, Dim operand, Dim middle) {
  if (map.dilation != 1 || map.terms.size() != 1 || map.terms[0].step != 1) return false;
  if (map.offset == 0 && middle == operand) return true;
  return map.offset <= 0 && middle.is_static() && operand.is_static() &&
         middle.value() + map.offset >= operand.value();
}

// Indices of views fit 62 bits by a bound that counts a run-time extent as 2^40 (graph/verify.h).
bool Fits(const AxisMap& map, absl::Span<const Dim> shape) {
  constexpr Wide kLimit = Wide{1} << 62;
  const auto size = [](int64_t x) { return x < 0 ? -static_cast<Wide>(x) : static_cast<Wide>(x); };
  Wide reach = size(map.offset);
  for (const AxisMap::Term& term : map.terms) {
    const Dim dim = shape[static_cast<size_t>(term.axis)];
    const Wide extent = dim.is_static() ? std::max<int64_t>(dim.value(), 1) : Wide{1} << 40;
    if (size(term.step) > kLimit / extent) return false;
    reach += size(term.step) * extent;
    if (reach > kLimit) return false;
  }
  return true;
}

AxisMap Normalized(AxisMap map, Dim operand, absl::Span<const Dim> shape) {
  absl::c_sort(map.terms, [](const auto& a, const auto& b) { return a.axis < b.axis; });
  std::vector<AxisMap::Term> terms;
  for (const AxisMap::Term& term : map.terms) {
    if (shape[static_cast<size_t>(term.axis)] == Dim(1)) continue;
    if (!terms.empty() && terms.back().axis == term.axis) {
      terms.back().step += term.step;
    } else {
      terms.push_back(term);
    }
    if (terms.back().step == 0) terms.pop_back();
  }
  map.terms = std::move(terms);
  if (map.dilation != 1) {
    int64_t common = std::gcd(map.dilation, map.offset);
    for (const AxisMap::Term& term : map.terms) common = std::gcd(common, term.step);
    map.dilation /= common;
    map.offset /= common;
    for (AxisMap::Term& term : map.terms) term.step /= common;
  }
  // Of an axis of extent 1, an index that stays inside is 0.
  if (operand == Dim(1) && !MayLeave(map, operand, shape)) map = AxisMap{};
  return map;
}

}  // namespace

bool MayLeave(const AxisMap& map, Dim operand, absl::Span<const Dim> shape) {
  if (absl::c_linear_search(shape, Dim(0))) return false;  // nothing is read
  if (map.dilation != 1) return true;
  if (IsPlain(map) && shape[static_cast<size_t>(map.terms[0].axis)] == operand) return false;
  if (!operand.is_static()) return true;
  Wide low = map.offset, high = map.offset;
  for (const AxisMap::Term& term : map.terms) {
    const Dim dim = shape[static_cast<size_t>(term.axis)];
    if (!dim.is_static()) return true;
    (term.step < 0 ? low : high) += static_cast<Wide>(term.step) * (dim.value() - 1);
  }
  return low < 0 || high >= operand.value();
}

bool MayFill(const ViewAttributes& view, absl::Span<const Dim> operand) {
  for (size_t k = 0; k < view.axes.size(); k++) {
    if (MayLeave(view.axes[k], operand[k], view.shape)) return true;
  }
  return false;
}

ViewAttributes Normalized(ViewAttributes view, absl::Span<const Dim> operand) {
  for (size_t k = 0; k < view.axes.size(); k++) {
    view.axes[k] = Normalized(std::move(view.axes[k]), operand[k], view.shape);
  }
  if (!MayFill(view, operand)) view.fill = 0;
  return view;
}

bool IsIdentity(const ViewAttributes& view, absl::Span<const Dim> operand) {
  if (absl::MakeConstSpan(view.shape) != operand) return false;
  for (size_t k = 0; k < view.axes.size(); k++) {
    const AxisMap& map = view.axes[k];
    const bool same = IsPlain(map) && map.terms[0].axis == static_cast<int64_t>(k);
    if (!same && !(operand[k] == Dim(1) && IsZero(map))) return false;
  }
  return true;
}

std::optional<std::vector<int64_t>> Permutation(const ViewAttributes& view,
                                                absl::Span<const Dim> operand) {
  std::vector<int64_t> from(view.shape.size(), -1);
  for (size_t k = 0; k < view.axes.size(); k++) {
    const AxisMap& map = view.axes[k];
    if (operand[k] == Dim(1) && IsZero(map)) continue;
    if (!IsPlain(map)) return std::nullopt;
    const auto axis = static_cast<size_t>(map.terms[0].axis);
    if (from[axis] >= 0 || view.shape[axis] != operand[k]) return std::nullopt;
    from[axis] = static_cast<int64_t>(k);
  }
  for (size_t axis = 0; axis < from.size(); axis++) {
    if (from[axis] < 0 && view.shape[axis] != Dim(1)) return std::nullopt;
  }
  return from;
}

// With m the indices of the middle, x those of the operand:
//     x[k] = (o1[k] + sum over j of s1[k][j] m[j]) / d1[k],
//     m[j] = (o2[j] + sum over i of s2[j][i] o[i]) / d2[j].
// Where m[j] may be outside, or not divide, there must be an x[k] that is then outside, or does not
// divide.
std::optional<ViewAttributes> Composed(const ViewAttributes& outer, const ViewAttributes& inner,
                                       absl::Span<const Dim> operand) {
  const Shape& middle = inner.shape;
  ViewAttributes result{.axes = {}, .fill = outer.fill, .shape = outer.shape};
  std::vector<bool> open(middle.size());  // m[j] may leave, and no x[k] is known to leave with it
  for (size_t j = 0; j < middle.size(); j++) {
    open[j] = MayLeave(outer.axes[j], middle[j], outer.shape);
  }
  const bool outer_fills = absl::c_linear_search(open, true);
  if (MayFill(inner, operand)) {
    if (outer_fills && std::bit_cast<uint64_t>(inner.fill) != std::bit_cast<uint64_t>(outer.fill)) {
      return std::nullopt;
    }
    result.fill = inner.fill;
  }
  for (size_t k = 0; k < inner.axes.size(); k++) {
    const AxisMap& map = inner.axes[k];
    if (map.terms.size() == 1) {
      const auto j = static_cast<size_t>(map.terms[0].axis);
      if (LeavesWith(map, operand[k], middle[j])) open[j] = false;
    }
    if (IsPlain(map)) {
      result.axes.push_back(outer.axes[static_cast<size_t>(map.terms[0].axis)]);
      continue;
    }
    AxisMap composed{.offset = map.offset, .dilation = map.dilation, .terms = {}};
    for (const AxisMap::Term& term : map.terms) {
      const AxisMap& inside = outer.axes[static_cast<size_t>(term.axis)];
      if (inside.dilation != 1) return std::nullopt;
      int64_t by = 0;
      if (__builtin_mul_overflow(term.step, inside.offset, &by) ||
          __builtin_add_overflow(composed.offset, by, &composed.offset)) {
        return std::nullopt;
      }
      for (const AxisMap::Term& step : inside.terms) {
        if (__builtin_mul_overflow(term.step, step.step, &by)) return std::nullopt;
        composed.terms.push_back({.axis = step.axis, .step = by});
      }
    }
    if (!Fits(composed, result.shape)) return std::nullopt;
    result.axes.push_back(std::move(composed));
  }
  // An axis of extent 1 that is read at 0 may as well be read where an axis of extent 1 is.
  for (size_t j = 0; j < middle.size(); j++) {
    if (!open[j] || middle[j] != Dim(1)) continue;
    for (size_t k = 0; k < inner.axes.size() && open[j]; k++) {
      if (operand[k] != Dim(1) || !IsZero(inner.axes[k]) || !IsZero(result.axes[k])) continue;
      result.axes[k] = outer.axes[j];
      open[j] = false;
    }
  }
  if (absl::c_linear_search(open, true)) return std::nullopt;
  return Normalized(std::move(result), operand);
}

std::optional<ViewAttributes> ReshapeAsView(absl::Span<const Dim> operand, const Shape& shape) {
  ViewAttributes view{.axes = {}, .fill = 0, .shape = shape};
  size_t axis = 0;
  const auto skip_ones = [&] {
    while (axis < shape.size() && shape[axis] == Dim(1)) axis++;
  };
  for (Dim dim : operand) {
    view.axes.emplace_back();
    if (dim == Dim(1)) continue;
    skip_ones();
    if (axis == shape.size() || shape[axis] != dim) return std::nullopt;
    view.axes.back().terms = {{.axis = static_cast<int64_t>(axis++)}};
  }
  skip_ones();
  if (axis != shape.size()) return std::nullopt;
  return view;
}

}  // namespace talweg::passes
