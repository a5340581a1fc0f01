#ifndef TALWEG_OPS_REDUCE_H_
#define TALWEG_OPS_REDUCE_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "graph/value.h"

namespace talweg {

// Reductions combine elements along axes, in the order that graph/order.h fixes. An axis of extent
// 0 gives the identity: 0 for a sum, 1 for a product, -infinity (or the least integer) for a
// maximum, infinity (or the greatest) for a minimum, true for All and false for Any.

// Which axes to reduce: all where nothing is said, or {}; none for an empty vector. Negative axes
// count from the end.
//   Sum(x)   Sum(x, 0)   Sum(x, {0, -1})
class Axes {
 public:
  Axes() : all_(true) {}
  // Of integers only: a fraction or a bool (NumPy's keepdims) would become an axis without a word.
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Axes(T axis) : axes_{static_cast<int64_t>(axis)} {}          // NOLINT: Sum(x, 0)
  Axes(std::initializer_list<int64_t> axes) : axes_(axes) {}   // NOLINT: Sum(x, {0, 1})
  Axes(std::vector<int64_t> axes) : axes_(std::move(axes)) {}  // NOLINT
  bool all() const { return all_; }
  const std::vector<int64_t>& axes() const { return axes_; }
  // As numbers from 0, ascending, for an operand of this rank. Nothing where one of them does not
  // exist or is named twice.
  std::optional<std::vector<int64_t>> Ascending(int64_t rank) const;

 private:
  bool all_ = false;
  std::vector<int64_t> axes_;
};

// Whether reduced axes disappear or stay with extent 1, ready to broadcast against the operand.
enum class Keep : bool { kNo, kYes };

Value Sum(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
// Its derivatives are right at zeros, too, and cost 2 log2(n) multiplications of the whole operand;
// along a run-time axis only the first one is, and only where the product is neither infinite nor
// so small that it is 0: there it is divided by the element.
Value Product(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
// Sum / count, for floats. The mean of nothing is NaN.
Value Mean(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
// Mean of the squared distance from the mean (the biased estimate, as NumPy's var).
Value Variance(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
// Greatest and least; a NaN anywhere gives NaN. Of equal ones, each gets an equal part of the
// gradient. Along axes: ReduceMax(x, 0) is the maximum along axis 0 and not max(x, 0); that is Max
// (elementwise.h).
Value ReduceMax(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
Value ReduceMin(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
// The int64 index along `axis` of the greatest (least) element: the first of equal ones, the first
// NaN if there is one, as NumPy does it. Of no elements it is 0, where NumPy fails.
Value ArgMax(Arg x, int64_t axis = -1, Keep keep = Keep::kNo);
Value ArgMin(Arg x, int64_t axis = -1, Keep keep = Keep::kNo);
// Of bools.
Value All(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
Value Any(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);

// The number of elements along the axes as a scalar of type `dtype`: a constant, or computed at run
// time where an axis is.
Value Count(Arg x, const Axes& axes, DType dtype);

// ---- For those who write ops and derivatives. ----

extern const Op kSumOp, kProductOp, kReduceMaxOp, kReduceMinOp, kAllOp, kAnyOp, kArgMaxOp,
    kArgMinOp;

// `op` over ascending axes that exist.
Value Reduce(const Op& op, const Value& x, std::vector<int64_t> axes, const SourceLine& line);
// What a reduction over `axes` of a value of shape `shape` gave, repeated along these axes: the
// transpose of the reduction, in one node (reducing with Keep::kYes and broadcasting takes two, and
// twice as many in the derivative).
Value Spread(const Value& reduced, const Shape& shape, absl::Span<const int64_t> axes,
             const SourceLine& line = {});

}  // namespace talweg

#endif  // TALWEG_OPS_REDUCE_H_
