#ifndef TALWEG_JIT_LOOPS_TENSOR_H_
#define TALWEG_JIT_LOOPS_TENSOR_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "base/shape.h"
#include "jit/loops/ir.h"

namespace talweg::loops {

// What the lowering computes with (private to jit/loops): places of elements, and where a node's
// elements lie in memory.

// Bounded run-time extents are rounded up to a multiple of this in memory, so that whole vectors
// and tiles may run past the last row.
inline constexpr int64_t kRowMultiple = 16;

// Numbers of elements are counted up to this, far below what would overflow: no such memory can be
// had.
inline constexpr int64_t kMostElements = int64_t{1} << 58;

inline int64_t CeilDiv(int64_t n, int64_t by) { return (n + by - 1) / by; }

inline int64_t RoundUp(int64_t n, int64_t multiple) {
  return (std::min(n, kMostElements) + multiple - 1) / multiple * multiple;
}

inline int64_t Product(int64_t a, int64_t b) {
  return static_cast<int64_t>(std::min<__int128>(static_cast<__int128>(a) * b, kMostElements));
}

// An index along an axis, for all lanes of a vector: at + lane * l, plus `each` where that is not
// affine. `at` is an int64 scalar, `each` has the point's lanes.
struct Index {
  Register at = kNone;
  int64_t lane = 0;
  Register each = kNone;

  bool uniform() const { return lane == 0 && each == kNone; }
};

// Where in a node's value something is computed: an index for each axis, for so many lanes.
struct Point {
  absl::InlinedVector<Index, 4> at;
  int32_t lanes = 1;
  // Which lanes are inside of the domain, a bool of these lanes; kNone: all of them. What the other
  // lanes compute is used by nobody.
  Register active = kNone;
  // How many lanes are active, an int64 scalar, where indices of the others must not be read; else
  // kNone.
  Register count = kNone;
  // Whether this place is read at all, where a view pads: bools, a scalar and of these lanes. Loads
  // must not touch memory otherwise.
  Register guard = kNone, guard_each = kNone;
  // One index, into the elements as they lie in memory: for nests over values of one layout.
  bool flat = false;
};

// How far it is from one element of an axis to the next: factor, times the value of a register
// where there is one.
//
// An axis may be cut into panels of so many elements, each of which has all of the other axes
// before the next one begins `panel_step` further: columns as a kernel for large contractions reads
// them.
struct Stride {
  int64_t factor = 0;
  Register reg = kNone;
  int64_t panel = 0, panel_step = 0;  // 0: none

  // Whether a vector's lanes lie side by side, if they do not lie in two panels.
  bool is_close() const { return factor == 1 && reg == kNone; }
  friend bool operator==(const Stride&, const Stride&) = default;
};

// A value in memory: axes of any strides, in elements, over a buffer.
struct Tensor {
  int32_t buffer = -1;
  DType dtype = kFloat32;
  Shape shape;
  std::vector<Stride> strides;
  Register base = kNone;  // the first element, an int64 scalar; kNone: 0
  int64_t offset = 0;     // is added to it
  bool internal = false;  // in the arena or allocated by the program: it has slack
  // The axis along which whole vectors may be written past the last element; -1: none.
  int32_t padded_axis = -1;
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_TENSOR_H_
