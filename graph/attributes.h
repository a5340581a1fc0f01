#ifndef TALWEG_GRAPH_ATTRIBUTES_H_
#define TALWEG_GRAPH_ATTRIBUTES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/array.h"
#include "base/shape.h"
#include "graph/order.h"

namespace talweg {

class Graph;

// What a node says beyond its op and its operands: one struct for each kind that needs any. They
// are plain values with equality and a hash, so that equal nodes are found when they are made;
// print.h writes them and parse.h reads them back.

struct InputAttributes {
  std::string name;
  friend bool operator==(const InputAttributes&, const InputAttributes&) = default;
};

struct ConstantAttributes {
  Array value;
  friend bool operator==(const ConstantAttributes& a, const ConstantAttributes& b);
};

// Which run-time symbol a `size` node reads.
struct SizeAttributes {
  Dim dim = kRows;
  friend bool operator==(const SizeAttributes&, const SizeAttributes&) = default;
};

// The shape that a reshape gives.
struct ShapeAttributes {
  Shape shape;
  friend bool operator==(const ShapeAttributes&, const ShapeAttributes&) = default;
};

struct CastAttributes {
  DType dtype = kFloat32;
  friend bool operator==(const CastAttributes&, const CastAttributes&) = default;
};

// How one axis of a view's operand is read. With o[k] the index along axis k of the result, the
// operand's index along this axis is
//
//     i = (offset + sum over terms of step * o[axis]) / dilation
//
// where it divides without a rest and lies in the operand; elsewhere the result is the fill value.
// A slice has offset and step, a reversal a step of -1, a padding a negative offset, a dilation
// puts fill between the elements, a window (im2col) has two terms, a selected index has none. An
// axis of the result that no term names is a broadcast.
struct AxisMap {
  struct Term {
    int64_t axis = 0;
    int64_t step = 1;
    friend bool operator==(const Term&, const Term&) = default;
  };
  int64_t offset = 0;
  int64_t dilation = 1;
  std::vector<Term> terms;
  friend bool operator==(const AxisMap&, const AxisMap&) = default;
};

struct ViewAttributes {
  std::vector<AxisMap> axes;  // one for each axis of the operand
  double fill = 0;
  Shape shape;  // of the result
  friend bool operator==(const ViewAttributes& a, const ViewAttributes& b);
};

struct ConcatAttributes {
  int64_t axis = 0;
  friend bool operator==(const ConcatAttributes&, const ConcatAttributes&) = default;
};

// The reduced axes, ascending; they do not appear in the result.
struct ReduceAttributes {
  std::vector<int64_t> axes;
  Order order;
  friend bool operator==(const ReduceAttributes&, const ReduceAttributes&) = default;
};

// gather(x, indices): along `axis` of x, the elements that the indices name. The first `batch` axes
// of x and of the indices are common to both (batch <= axis). The result has the shape
//     x.shape[:axis] + indices.shape[batch:] + x.shape[axis+1:].
struct GatherAttributes {
  int64_t axis = 0;
  int64_t batch = 0;
  friend bool operator==(const GatherAttributes&, const GatherAttributes&) = default;
};

// scatter_add(updates, indices): zeros of which axis `axis` has the extent `size`, to which the
// updates (shaped as the result of the gather) are added in the row-major order of the indices.
struct ScatterAddAttributes {
  int64_t axis = 0;
  int64_t batch = 0;
  Dim size = 0;
  friend bool operator==(const ScatterAddAttributes&, const ScatterAddAttributes&) = default;
};

// contract(lhs, rhs): products of elements that agree on the batch axes, summed over the sum axes;
// the k-th batch (sum) axis of lhs is paired with the k-th of rhs. The result has the batch axes,
// then the remaining axes of lhs, then those of rhs, each in their order.
struct ContractAttributes {
  std::vector<int64_t> lhs_batch, rhs_batch, lhs_sum, rhs_sum;
  Order order;
  friend bool operator==(const ContractAttributes&, const ContractAttributes&) = default;
};

// Element type and shape of a node that has no operand to take them from: random numbers, iota.
struct TypeAttributes {
  DType dtype = kFloat32;
  Shape shape;
  friend bool operator==(const TypeAttributes&, const TypeAttributes&) = default;
};

// A loop's closed body and how the loop's operands and outputs map to the body's. Operands of the
// loop, in order:
//
//     trips         int64 scalar, the number of trips (at most the extent of what is scanned)
//     rows          only with `binds_rows`: integers [trips], the value of `rows` in each trip
//     captures ...  outer values, the same in each trip
//     carried ...   start values
//     scanned ...   [trips, ...], one slice a trip
//
// Inputs of the body, in order: the trip's index (int64 scalar), captures, carried, scanned slices.
// Outputs of the body: the next carried values, then the stacked slices, then with `stops` a bool
// scalar that is true when this trip was the last.
// Parts of the loop node, in order: the carried values after the last trip, the stacked values
// [length, ...], and the number of trips run (int64 scalar). Slices of trips that did not run are
// zero. A reversed loop visits trips - 1, ..., 0; trip indices and slices keep their numbers.
struct LoopAttributes {
  std::shared_ptr<const Graph> body;
  int32_t captures = 0, carried = 0, scanned = 0, stacked = 0;
  bool reversed = false, stops = false, binds_rows = false;
  Dim length = 0;          // the extent of scanned and stacked values: a number or `trips`
  int64_t rows_limit = 0;  // with binds_rows: the greatest value that rows may take
  // Nobody ends it from outside (RunOptions::stop) or counts its trips: it is the way back of a
  // gradient, or an op that is made of a loop.
  bool whole = false;
  friend bool operator==(const LoopAttributes& a, const LoopAttributes& b);
};

// Which output of a loop.
struct PartAttributes {
  int32_t index = 0;
  friend bool operator==(const PartAttributes&, const PartAttributes&) = default;
};

// custom(output, inputs...) is its first operand, whose gradient is the closed graph
// (inputs..., output, dy) -> dx for each input, in place of the gradient of what computed it.
struct CustomAttributes {
  std::shared_ptr<const Graph> gradient;
  friend bool operator==(const CustomAttributes& a, const CustomAttributes& b);
};

using Attributes =
    std::variant<std::monostate, InputAttributes, ConstantAttributes, SizeAttributes,
                 ShapeAttributes, CastAttributes, ViewAttributes, ConcatAttributes,
                 ReduceAttributes, GatherAttributes, ScatterAddAttributes, ContractAttributes,
                 TypeAttributes, LoopAttributes, PartAttributes, CustomAttributes>;

// Equal attributes have equal hashes.
size_t HashOf(const Attributes& attributes);

}  // namespace talweg

#endif  // TALWEG_GRAPH_ATTRIBUTES_H_
