#ifndef TALWEG_INTERPRETER_NEST_H_
#define TALWEG_INTERPRETER_NEST_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"

namespace talweg {

// Extents or strides, short enough to stay off the heap.
using Extents = absl::InlinedVector<int64_t, 6>;

// One axis of an index space through which N operands are walked, each with a step of its own.
template <size_t N>
struct NestAxis {
  int64_t extent;
  std::array<int64_t, N> steps;
};

template <size_t N>
using Nest = absl::InlinedVector<NestAxis<N>, 4>;

// Appends an axis inside of the others: one of extent 1 vanishes, one that every operand walks as a
// continuation of the axis before is merged with that. A merged nest visits the same offsets in the
// same order.
template <size_t N>
void Append(Nest<N>& nest, const NestAxis<N>& axis) {
  if (axis.extent == 1) return;
  bool merges = !nest.empty();
  for (size_t i = 0; merges && i < N; i++) {
    merges = nest.back().steps[i] == axis.steps[i] * axis.extent;
  }
  if (merges) {
    nest.back() = {nest.back().extent * axis.extent, axis.steps};
  } else {
    nest.push_back(axis);
  }
}

// The nest over `extents` (row-major) in which operand i has the strides strides[i], each times
// scale[i].
template <size_t N>
Nest<N> MakeNest(absl::Span<const int64_t> extents,
                 const std::array<absl::Span<const int64_t>, N>& strides,
                 const std::array<int64_t, N>& scale) {
  Nest<N> nest;
  for (size_t axis = 0; axis < extents.size(); axis++) {
    NestAxis<N> next{extents[axis], {}};
    for (size_t i = 0; i < N; i++) next.steps[i] = strides[i][axis] * scale[i];
    Append(nest, next);
  }
  return nest;
}

// The innermost axis taken off, for loops that handle one axis themselves; extent 1 if there is
// none.
template <size_t N>
NestAxis<N> TakeInner(Nest<N>& nest) {
  if (nest.empty()) return {1, {}};
  const NestAxis<N> inner = nest.back();
  nest.pop_back();
  return inner;
}

// A nest has no axes of extent 1 and fewer than 2^62 points, so there are never more axes.
inline constexpr size_t kMaxNestAxes = 64;

// Calls f(offsets) for each point in row-major order; none of the extents may be 0.
template <size_t N, typename F>
void ForEach(const Nest<N>& nest, F&& f) {
  std::array<int64_t, N> at{};
  if (nest.empty()) {
    f(at);
    return;
  }
  const NestAxis<N>& inner = nest.back();
  const size_t outer = nest.size() - 1;
  std::array<int64_t, kMaxNestAxes> index;
  for (size_t axis = 0; axis < outer; axis++) index[axis] = 0;
  for (;;) {
    std::array<int64_t, N> point = at;
    for (int64_t i = 0; i < inner.extent; i++) {
      f(point);
      for (size_t k = 0; k < N; k++) point[k] += inner.steps[k];
    }
    size_t axis = outer;
    for (; axis > 0; axis--) {
      const NestAxis<N>& a = nest[axis - 1];
      for (size_t k = 0; k < N; k++) at[k] += a.steps[k];
      if (++index[axis - 1] < a.extent) break;
      for (size_t k = 0; k < N; k++) at[k] -= a.steps[k] * a.extent;
      index[axis - 1] = 0;
    }
    if (axis == 0) return;
  }
}

}  // namespace talweg

#endif  // TALWEG_INTERPRETER_NEST_H_
