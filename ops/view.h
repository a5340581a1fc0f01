#ifndef TALWEG_OPS_VIEW_H_
#define TALWEG_OPS_VIEW_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "graph/value.h"

namespace talweg {

class Tape;

// Ops that move elements and compute nothing. All but Reshape and Concat are one op, `view`: an
// affine map from the indices of the result to those of the operand (AxisMap in
// graph/attributes.h), for which engines, derivatives and passes have one rule. Axes may be
// negative: -1 is the last. Errors go to the tape; one of them is an axis with an extent that is
// known at run time only (`rows`, `trips`) where part of it is taken or more is added: Gather and
// loops can do that.

extern const Op kViewOp;
extern const Op kReshapeOp;
extern const Op kConcatOp;

// The same elements in row-major order. One extent may be -1: it is what is left. Run-time extents
// stay what they are: [rows,4,5] can become [rows,20].
Value Reshape(Arg x, Shape shape);

// result[i, j, k] = x[axes of i, j, k]: axis a of the result is axis permutation[a] of x. Without a
// permutation the axes are reversed.
Value Transpose(Arg x, std::vector<int64_t> permutation = {});

// NumPy's broadcasting: axes of extent 1 and missing leading axes are repeated.
Value BroadcastTo(Arg x, const Shape& shape);

// One number everywhere, such as what a loop carries first; extents may be known at run time only:
//   Value start = Full(tape, kFloat32, {kRows, 64}, 0);
// Error: a number that the type can not hold.
Value Full(const Tape& tape, DType dtype, const Shape& shape, Arg number);
// Zeros of a value's type.
Value ZerosLike(Arg x);

// x[start:stop:step] along an axis, as NumPy slices: negative bounds count from the end, bounds
// outside are cut, a negative step runs backwards from start down to before stop.
// Slice(x, 0, 2, 10, 3) has the elements 2, 5 and 8.
Value Slice(Arg x, int64_t axis, int64_t start, int64_t stop, int64_t step = 1);

// x with `axis` fixed to one index; the axis disappears. Index -1 is the last.
Value At(Arg x, int64_t axis, int64_t index);

// x with `before` and `after` elements of `fill` added at the two ends of each axis. Negative
// numbers cut.
Value Pad(Arg x, const std::vector<std::pair<int64_t, int64_t>>& before_after, double fill = 0);

// x with the elements of the axes in reverse; an axis that is named twice is an error. A run-time
// axis can not be reversed here; a loop can visit it in reverse.
Value Reverse(Arg x, std::vector<int64_t> axes);

// The sliding windows along an axis, what convolutions and pooling are made of (im2col). The axis
// gets the extent (n - (size - 1) * dilation - 1) / stride + 1; one of extent `size` follows it:
//
//   result[.., i, w, ..] = x[.., i * stride + w * dilation, ..]
//
Value Window(Arg x, int64_t axis, int64_t size, int64_t stride = 1, int64_t dilation = 1);

// x with a new axis of extent 1 before `axis`; ExpandDims(x, -1) appends one.
Value ExpandDims(Arg x, int64_t axis);
// x without an axis of extent 1.
Value Squeeze(Arg x, int64_t axis);

// The operands one after another along an axis; other extents and the types are equal. Of no
// operands, a value of no tape.
Value Concat(const std::vector<Value>& operands, int64_t axis,
             std::source_location where = std::source_location::current());
// The operands as slices along a new axis.
Value Stack(const std::vector<Value>& operands, int64_t axis,
            std::source_location where = std::source_location::current());

// ---- For those who write ops and derivatives. ----

// The general view.
Value View(const Value& x, ViewAttributes attributes, const SourceLine& line);
// An AxisMap for each axis of x that reads the same index.
std::vector<AxisMap> IdentityMaps(int64_t rank);
// Brings an axis into [0, rank); -1 if it is outside.
int64_t NormalAxis(int64_t axis, int64_t rank);
// NumPy's common shape; an error says which extents differ.
absl::StatusOr<Shape> BroadcastShapes(absl::Span<const Dim> a, absl::Span<const Dim> b);

}  // namespace talweg

#endif  // TALWEG_OPS_VIEW_H_
