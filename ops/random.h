#ifndef TALWEG_OPS_RANDOM_H_
#define TALWEG_OPS_RANDOM_H_

#include <cstdint>

#include "graph/value.h"

namespace talweg {

// Random numbers are pure functions of a key, an int64 scalar: the same key and shape give the same
// numbers on every engine, in any order, on any number of threads. Fresh numbers need a fresh key:
//
//   Value key = t.Input("seed", kInt64, {});
//   Value noise = RandomNormal(FoldIn(key, step), kFloat32, {kRows, 50});
//
// One key, one draw: two functions given the same key make their numbers of the same bits, so these
// depend on each other. Keys folded from a key are safe beside it, whatever is drawn with it.
//
// The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011) with the 64-bit key, and with a stream in its counter. Of uniform numbers
// element i takes its bits from block i / 4 (float32) or i / 2 (float64).

extern const Op kRandomUniformOp;
extern const Op kRandomKeysOp;
extern const Op kPermutationOp;

// Evenly spread over [0, 1): multiples of 2^-24 (float32) or 2^-53 (float64).
Value RandomUniform(Arg key, DType dtype, Shape shape);
// The normal distribution with mean 0 and deviation 1, by Box and Muller's transform.
Value RandomNormal(Arg key, DType dtype, Shape shape);
// true with this probability.
Value RandomBernoulli(Arg key, Arg probability, Shape shape);
// The numbers 0, ..., n - 1 in random order, int32.
Value Permutation(Arg key, Dim n);

// Another key, that differs from those folded from other numbers. Key and number are int64 (or
// int32, which is cast).
Value FoldIn(Arg key, Arg number);
// The key of a name, for the parts of a model: a hash of its bytes folded into the key.
Value FoldIn(Arg key, std::string_view name);

}  // namespace talweg

#endif  // TALWEG_OPS_RANDOM_H_
