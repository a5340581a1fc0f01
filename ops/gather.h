#ifndef TALWEG_OPS_GATHER_H_
#define TALWEG_OPS_GATHER_H_

#include <cstdint>

#include "graph/value.h"

namespace talweg {

extern const Op kGatherOp;
extern const Op kScatterAddOp;

// The elements of x that integer indices name along an axis, as NumPy's take:
//
//     Gather(table, tokens)           table [vocabulary, width], tokens [rows] -> [rows, width]
//     Gather(logits, labels, 1, 1)    logits [rows, classes], labels [rows]   -> [rows]
//
// The first `batch` axes of x and of the indices are common: they are paired, not crossed. The
// result has the shape x.shape[:axis] + indices.shape[batch:] + x.shape[axis+1:].
// An index outside of [0, n) is an error of the run that names this line.
Value Gather(Arg x, Arg indices, int64_t axis = 0, int64_t batch = 0);

// The transpose of Gather: zeros, with extent `size` along the axis, to which updates are added at
// the places that the indices name. Where an index occurs often, in the order of the indices.
Value ScatterAdd(Arg updates, Arg indices, Dim size, int64_t axis = 0, int64_t batch = 0);

// 1 at each index along a new last axis of extent n, else 0. An index outside gives all zeros. (The
// function of that name for arrays, in data/dataset.h, makes float64 where nothing is said, and
// refuses a label outside.)
Value OneHot(Arg indices, int64_t n, DType dtype = kFloat32);

}  // namespace talweg

#endif  // TALWEG_OPS_GATHER_H_
