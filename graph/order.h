#ifndef TALWEG_GRAPH_ORDER_H_
#define TALWEG_GRAPH_ORDER_H_

#include <cstdint>

#include "absl/types/span.h"
#include "base/shape.h"

namespace talweg {

// In which order the terms of a sum (or of another reduction) are combined. Floating point addition
// is not associative, so the order is part of what a node means: every engine, instruction set,
// tile and number of threads keeps it, and their results are equal to the bit.
//
// The terms are numbered in row-major order of the summed axes. Term i goes to chain i mod
// `chains`; each chain starts at the identity (0 of a sum) and takes its terms in order, by fma in
// a contraction. The chains are then joined by a halving tree: of 16 chains, chain c takes chain c
// + 8 for c < 8, then c + 4 for c < 4, and so on. Where `block` is not 0, the terms are cut into
// blocks of that many; each block is summed on its own as above, and the results of the blocks are
// added in order to the result of the first.
//
// One chain suits a sum whose result is wide: the results lie in the vector lanes. Sixteen suit a
// long sum with a thin result: the terms lie in the lanes, in one AVX-512 or two AVX2 registers.
struct Order {
  int32_t chains = 1;
  int32_t block = 0;
  friend bool operator==(const Order&, const Order&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Order& o) {
    return H::combine(std::move(h), o.chains, o.block);
  }
};

inline constexpr int32_t kManyChains = 16;
inline constexpr int32_t kLongSum = 32;  // at least this many terms for 16 chains
inline constexpr int32_t kReduceBlock = 4096;

// The order of a reduction of `shape` over `axes` (ascending): a pure function of the static shape.
// Sixteen chains where the last axis is summed, or where the last kept axis is thinner than 16, and
// the sum is long; blocks where it may be longer than one block. A run-time axis counts as long.
Order ReduceOrder(absl::Span<const Dim> shape, absl::Span<const int64_t> axes);

// The order of a contraction of `lhs` and `rhs` over the given axes: one chain, as matrix kernels
// do it, unless the sum is long (at least 32 terms, none of them a run-time axis), no operand has a
// last axis of 16 or more that is kept, and the result is thinner than 16 on one side.
Order ContractOrder(absl::Span<const Dim> lhs, absl::Span<const Dim> rhs,
                    absl::Span<const int64_t> lhs_batch, absl::Span<const int64_t> rhs_batch,
                    absl::Span<const int64_t> lhs_sum, absl::Span<const int64_t> rhs_sum);

}  // namespace talweg

#endif  // TALWEG_GRAPH_ORDER_H_
