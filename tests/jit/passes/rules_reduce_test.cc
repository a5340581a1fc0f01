#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Simplify, ReducesOneTerm) {
  // A maximum starts from -inf, a product from 1, a sum of integers from 0; and so do their other
  // chains.
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2) -> (%3, %4, %5, %6, %7, %8) {
  %0  float32[rows,1,3] = input "x"
  %1  int32[1,1]        = input "i"
  %2  bool[4,1]         = input "b"
  %3  float32[rows,3]   = reduce_max(%0) axes=[1] order=1
  %4  float32[rows,3]   = product(%0) axes=[1] order=1
  %5  int32[]           = sum(%1) axes=[0,1] order=16
  %6  bool[4]           = all(%2) axes=[1] order=1
  %7  int64[rows,3]     = argmax(%0) axes=[1] order=1
  %8  float32[rows,1,3] = reduce_min(%0) axes=[] order=16
})",
                R"(
graph(%0, %1, %2) -> (%3, %3, %4, %5, %7, %0) {
  %0  float32[rows,1,3] = input "x"
  %1  int32[1,1]        = input "i"
  %2  bool[4,1]         = input "b"
  %3  float32[rows,3]   = view(%0) [i0, 0, i1]
  %4  int32[]           = view(%1) [0, 0]
  %5  bool[4]           = view(%2) [i0, 0]
  %6  int64[]           = constant 0
  %7  int64[rows,3]     = view(%6) []
})");
}

TEST(Simplify, AddsOneTermToZero) {
  // 0 + -0 is 0. And a maximum of bools starts from false, which is no identity of the record.
  ExpectStays(Simplify, R"(
graph(%0, %1) -> (%2, %3) {
  %0  float32[4,1] = input "x"
  %1  bool[4,1]    = input "b"
  %2  float32[4]   = sum(%0) axes=[1] order=1
  %3  bool[4]      = reduce_max(%1) axes=[1] order=1
})");
}

TEST(Simplify, ReducesNothing) {
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%1, %2, %3, %4) {
  %0  float32[3,0] = input "x"
  %1  float32[3]   = sum(%0) axes=[1] order=16/4096
  %2  float32[3]   = reduce_max(%0) axes=[1] order=1
  %3  float32[]    = product(%0) axes=[0,1] order=16
  %4  int64[3]     = argmin(%0) axes=[1] order=1
})",
                R"(
graph(%0) -> (%2, %4, %5, %7) {
  %0  float32[3,0] = input "x"
  %1  float32[]    = constant 0
  %2  float32[3]   = view(%1) []
  %3  float32[]    = constant -inf
  %4  float32[3]   = view(%3) []
  %5  float32[]    = constant 1
  %6  int64[]      = constant 0
  %7  int64[3]     = view(%6) []
})");
}

TEST(Simplify, ReducesBeforeAxesAreMoved) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%3, %4, %6) {
  %0  float32[4,5,6]    = input "x"
  %1  float32[rows,3]   = input "y"
  %2  float32[6,4,5]    = view(%0) [i1, i2, i0]
  %3  float32[4,5]      = sum(%2) axes=[0] order=1
  %4  float32[6]        = sum(%2) axes=[1,2] order=16
  %5  float32[1,3,rows] = view(%1) [i2, i1]
  %6  float32[rows]     = reduce_max(%5) axes=[0,1] order=1
})",
                R"(
graph(%0, %1) -> (%2, %3, %4) {
  %0  float32[4,5,6]  = input "x"
  %1  float32[rows,3] = input "y"
  %2  float32[4,5]    = sum(%0) axes=[2] order=1
  %3  float32[6]      = sum(%0) axes=[0,1] order=16
  %4  float32[rows]   = reduce_max(%1) axes=[1] order=1
})");
}

TEST(Simplify, KeepsTheOrderOfTermsAndResults) {
  // Terms in another order, results in another order, axes that came and went, elements read twice.
  ExpectStays(Simplify, R"(
graph(%0, %1) -> (%3, %5, %7, %9, %11) {
  %0   float32[4,5]   = input "x"
  %1   float32[1,3]   = input "y"
  %2   float32[5,4]   = view(%0) [i1, i0]
  %3   float32[]      = sum(%2) axes=[0,1] order=1
  %4   float32[5,4,1] = view(%0) [i1, i0]
  %5   float32[5,4]   = sum(%4) axes=[2] order=1
  %6   float32[4,1,5] = view(%0) [i0, i2]
  %7   float32[4,1]   = sum(%6) axes=[2] order=1
  %8   float32[3]     = view(%1) [0, i0]
  %9   float32[]      = sum(%8) axes=[0] order=1
  %10  float32[2,3,5] = view(%0) [i0 + i1, i2]
  %11  float32[2,5]   = sum(%10) axes=[1] order=1
})");
}

TEST(Simplify, ContractsBeforeAxesAreMoved) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2, %3) -> (%5, %6, %8) {
  %0  float32[3,rows] = input "x"
  %1  float32[5,3]    = input "y"
  %2  float32[4,2,3]  = input "a"
  %3  float32[3,5,4]  = input "b"
  %4  float32[rows,3] = view(%0) [i1, i0]
  %5  float32[rows,5] = contract(%4, %1) sum=[1]x[1] order=1
  %6  float32[5,rows] = contract(%1, %4) sum=[1]x[1] order=1
  %7  float32[2,3,4]  = view(%2) [i2, i0, i1]
  %8  float32[4,2,5]  = contract(%7, %3) batch=[2]x[2] sum=[1]x[0] order=1
})",
                R"(
graph(%0, %1, %2, %3) -> (%4, %5, %6) {
  %0  float32[3,rows] = input "x"
  %1  float32[5,3]    = input "y"
  %2  float32[4,2,3]  = input "a"
  %3  float32[3,5,4]  = input "b"
  %4  float32[rows,5] = contract(%0, %1) sum=[0]x[1] order=1
  %5  float32[5,rows] = contract(%1, %0) sum=[1]x[0] order=1
  %6  float32[4,2,5]  = contract(%2, %3) batch=[0]x[2] sum=[2]x[0] order=1
})");
}

TEST(Simplify, ContractsAfterKeptAxesAreMoved) {
  ExpectStays(Simplify, R"(
graph(%0, %1) -> (%3, %5) {
  %0  float32[3,4,5]   = input "x"
  %1  float32[3,2]     = input "y"
  %2  float32[5,4,3]   = view(%0) [i2, i1, i0]
  %3  float32[5,4,2]   = contract(%2, %1) sum=[2]x[0] order=1
  %4  float32[3,1,2]   = view(%1) [i0, i2]
  %5  float32[4,5,1,2] = contract(%0, %4) sum=[0]x[0] order=1
})");
}

TEST(Simplify, GathersByAView) {
  // By an iota, by one index, by a progression, along a common axis.
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%3, %5, %7, %9, %11) {
  %0   float32[rows,4] = input "x"
  %1   float32[5,4,2]  = input "y"
  %2   int32[rows]     = iota
  %3   float32[rows,4] = gather(%0, %2) axis=0
  %4   int64[]         = constant 2
  %5   float32[rows]   = gather(%0, %4) axis=1
  %6   int32[2]        = constant {3, 1}
  %7   float32[rows,2] = gather(%0, %6) axis=1
  %8   int32[3]        = iota
  %9   float32[5,3,2]  = gather(%1, %8) axis=1
  %10  int32[5]        = constant all 0
  %11  float32[5,2]    = gather(%1, %10) axis=1 batch=1
})",
                R"(
graph(%0, %1) -> (%0, %2, %3, %4, %5) {
  %0  float32[rows,4] = input "x"
  %1  float32[5,4,2]  = input "y"
  %2  float32[rows]   = view(%0) [i0, 2]
  %3  float32[rows,2] = view(%0) [i0, -2*i1 + 3]
  %4  float32[5,3,2]  = view(%1) [i0, i1, i2]
  %5  float32[5,2]    = view(%1) [i0, 0, i1]
})");
}

TEST(Simplify, GathersByIndicesThatMayBeOutside) {
  ExpectStays(Simplify, R"(
graph(%0, %1) -> (%3, %5, %7, %9) {
  %0  float32[rows,4] = input "x"
  %1  float32[4,4]    = input "y"
  %2  int32[5]        = iota
  %3  float32[5,4]    = gather(%0, %2) axis=0
  %4  int64[]         = constant -1
  %5  float32[rows]   = gather(%0, %4) axis=1
  %6  int32[3]        = constant {1, 3, 2}
  %7  float32[rows,3] = gather(%0, %6) axis=1
  %8  int32[2]        = constant {3, 4}
  %9  float32[2,4]    = gather(%1, %8) axis=0
})");
}

TEST(Simplify, GathersADiagonal) {
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%2, %4) {
  %0  float32[3,5,2] = input "x"
  %1  int32[3]       = iota
  %2  float32[3,2]   = gather(%0, %1) axis=1 batch=1
  %3  int64[3]       = constant {4, 2, 0}
  %4  float32[3,2]   = gather(%0, %3) axis=1 batch=1
})",
                R"(
graph(%0) -> (%1, %2) {
  %0  float32[3,5,2] = input "x"
  %1  float32[3,2]   = view(%0) [i0, i0, i1]
  %2  float32[3,2]   = view(%0) [i0, -2*i0 + 4, i1]
})");
}

}  // namespace
}  // namespace talweg::passes
