#include "graph/order.h"

#include <algorithm>

#include "graph/axes.h"

namespace talweg {
namespace {

constexpr int64_t kUnbounded = int64_t{1} << 40;

// A run-time extent counts as unboundedly long.
int64_t Extent(Dim dim) { return dim.is_static() ? dim.value() : kUnbounded; }

int64_t Times(int64_t a, int64_t b) {
  return (a != 0 && b > kUnbounded / a) ? kUnbounded : std::min(a * b, kUnbounded);
}

}  // namespace

Order ReduceOrder(absl::Span<const Dim> shape, absl::Span<const int64_t> axes) {
  int64_t terms = 1;
  for (int64_t axis : axes) terms = Times(terms, Extent(shape[axis]));
  Order order;
  if (terms > kReduceBlock) order.block = kReduceBlock;
  const auto last = static_cast<int64_t>(shape.size()) - 1;
  const bool wide =
      last >= 0 && !absl::c_linear_search(axes, last) && Extent(shape[last]) >= kManyChains;
  if (!wide && terms >= kLongSum) order.chains = kManyChains;
  return order;
}

Order ContractOrder(absl::Span<const Dim> lhs, absl::Span<const Dim> rhs,
                    absl::Span<const int64_t> lhs_batch, absl::Span<const int64_t> rhs_batch,
                    absl::Span<const int64_t> lhs_sum, absl::Span<const int64_t> rhs_sum) {
  int64_t terms = 1;
  for (int64_t axis : lhs_sum) {
    if (!lhs[axis].is_static()) return Order{};
    terms = Times(terms, Extent(lhs[axis]));
  }
  if (terms < kLongSum) return Order{};
  // The width of one side of the result; a last axis that lies ready for the lanes counts apart.
  bool lanes_ready = false;
  const auto width = [&](absl::Span<const Dim> shape, absl::Span<const int64_t> batch,
                         absl::Span<const int64_t> sum) {
    int64_t product = 1;
    for (int64_t axis : KeptAxes(shape.size(), batch, sum)) {
      const Dim dim = shape[static_cast<size_t>(axis)];
      product = Times(product, Extent(dim));
      const bool last = axis + 1 == static_cast<int64_t>(shape.size());
      if (last && Extent(dim) >= kManyChains) lanes_ready = true;
    }
    return product;
  };
  const int64_t thinner = std::min(width(lhs, lhs_batch, lhs_sum), width(rhs, rhs_batch, rhs_sum));
  if (lanes_ready || thinner >= kManyChains) return Order{};
  return Order{.chains = kManyChains};
}

}  // namespace talweg
