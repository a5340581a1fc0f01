#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Fold, ComputesElementwiseOps) {
  // By the loops of the records: a float32 exponential, a cast that saturates; but no float64 one,
  // which is the C library's.
  ExpectBecomes(FoldConstants, R"(
graph(%0) -> (%2, %4, %5, %7, %9, %10) {
  %0   float32[3] = input "x"
  %1   float32[]  = constant 0.3
  %2   float32[]  = exp(%1)
  %3   float64[]  = constant 0.3
  %4   float64[]  = exp(%3)
  %5   int32[]    = cast(%3)
  %6   float32[2] = constant {10000000000, nan}
  %7   int32[2]   = cast(%6)
  %8   float32[]  = constant -0
  %9   float32[]  = sqrt(%8)
  %10  float32[]  = div(%8, %1)
})",
                R"(
graph(%0) -> (%1, %3, %4, %5, %6, %6) {
  %0  float32[3] = input "x"
  %1  float32[]  = constant 1.3498588
  %2  float64[]  = constant 0.3
  %3  float64[]  = exp(%2)
  %4  int32[]    = constant 0
  %5  int32[2]   = constant {2147483647, 0}
  %6  float32[]  = constant -0
})");
}

TEST(Fold, ComputesWithScalarsThatAreSpread) {
  ExpectBecomes(FoldConstants, R"(
graph() -> (%3, %4) {
  %0  float32[3] = constant {1, 2, -0}
  %1  float32[]  = constant 0
  %2  float32[3] = view(%1) []
  %3  float32[3] = add(%0, %2)
  %4  float32[3] = mul(%2, %2)
})",
                R"(
graph() -> (%2, %3) {
  %0  float32[]  = constant 0
  %1  float32[3] = view(%0) []
  %2  float32[3] = constant {1, 2, 0}
  %3  float32[3] = mul(%1, %1)
})");
}

TEST(Fold, MovesElements) {
  // A slice, a transpose, padding within, a reshape, a concatenation.
  ExpectBecomes(FoldConstants, R"(
graph() -> (%1, %2, %3, %4, %6) {
  %0  int32[2,3] = constant {1, 2, 3, 4, 5, 6}
  %1  int32[2,2] = view(%0) [i0, -i1 + 2]
  %2  int32[3,2] = view(%0) [i1, i0]
  %3  int32[2,3] = view(%0) [i0, (i1 - 1)/2] fill=9
  %4  int32[6]   = reshape(%0)
  %5  int32[2,1] = constant {7, 8}
  %6  int32[2,4] = concat(%5, %0) axis=1
})",
                R"(
graph() -> (%0, %1, %2, %3, %4) {
  %0  int32[2,2] = constant {3, 2, 6, 5}
  %1  int32[3,2] = constant {1, 4, 2, 5, 3, 6}
  %2  int32[2,3] = constant {9, 1, 9, 9, 4, 9}
  %3  int32[6]   = constant {1, 2, 3, 4, 5, 6}
  %4  int32[2,4] = constant {7, 1, 2, 3, 8, 4, 5, 6}
})");
}

TEST(Fold, DoesNotMakeLargerConstants) {
  // A table that is spread or padded; what is scattered over rows; an iota is
  // shorter than its numbers.
  ExpectStays(FoldConstants, R"(
graph(%0) -> (%2, %3, %4, %6) {
  %0  float32[rows]   = input "x"
  %1  float32[2]      = constant {1, 2}
  %2  float32[9,2]    = view(%1) [i1]
  %3  float32[rows,2] = view(%1) [i1]
  %4  float32[5]      = view(%1) [i0 - 1]
  %5  int32[9]        = iota
  %6  float32[9]      = cast(%5)
})");
}

TEST(Fold, ReducesInTheOrderOfTheNode) {
  // Float32 sums of one chain and of sixteen differ; a maximum sees the NaN.
  ExpectBecomes(FoldConstants, R"(
graph() -> (%1, %2, %3, %4, %6) {
  %0  float32[2,20] = constant {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.1, 2.2, 10000000, 0.21, 0.31, 0.41, 0.51, 0.61, 0.71, 0.81, 0.91, 1.11, 1.21, 1.31, 1.41, 1.51, 1.61, 1.71, 1.81, 1.91, 2.11, 2.21}
  %1  float32[2]    = sum(%0) axes=[1] order=1
  %2  float32[2]    = sum(%0) axes=[1] order=16
  %3  float32[20]   = sum(%0) axes=[0] order=1
  %4  float32[]     = product(%0) axes=[0,1] order=16
  %5  float32[3]    = constant {1, nan, 2}
  %6  float32[]     = reduce_max(%5) axes=[0] order=1
})",
                R"(
graph() -> (%0, %1, %2, %3, %4) {
  %0  float32[2]  = constant {22.300001, 10000023}
  %1  float32[2]  = constant {22.3, 10000023}
  %2  float32[20] = constant {10000000, 0.41, 0.61, 0.81, 1.01, 1.21, 1.41, 1.61, 1.81, 2.21, 2.41, 2.61, 2.81, 3.01, 3.21, 3.41, 3.61, 3.81, 4.21, 4.41}
  %3  float32[]   = constant 406041.6
  %4  float32[]   = constant nan
})");
}

TEST(Fold, MakesKeysOfKeysButNoTablesOfRandomNumbers) {
  ExpectBecomes(FoldConstants, R"(
graph() -> (%2, %3, %4) {
  %0  int64[]    = constant 42
  %1  int64[]    = constant 7
  %2  int64[]    = random_keys(%0, %1)
  %3  float64[]  = random_uniform(%0, %1)
  %4  float32[4] = random_uniform(%0, %1)
})",
                R"(
graph() -> (%2, %3, %4) {
  %0  int64[]    = constant 42
  %1  int64[]    = constant 7
  %2  int64[]    = constant -8669900591708639205
  %3  float64[]  = constant 0.8958139895475427
  %4  float32[4] = random_uniform(%0, %1)
})");
}

TEST(Fold, LeavesWhatDependsOnAnInput) {
  ExpectBecomes(FoldConstants, R"(
graph(%0) -> (%2, %5) {
  %0  float32[]            = input "x"
  %1  float32[]            = constant 2
  %2  float32[]            = mul(%0, %1)
  %3  int64[]              = constant 3
  %4  (float32[], int64[]) = loop(%3, %1) length=3 carried=1 body=graph(%0, %1) -> (%4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = constant 2
    %3  float32[] = sqrt(%2)
    %4  float32[] = mul(%1, %3)
  }
  %5  float32[]            = part(%4) index=0
})",
                R"(
graph(%0) -> (%2, %5) {
  %0  float32[]            = input "x"
  %1  float32[]            = constant 2
  %2  float32[]            = mul(%0, %1)
  %3  int64[]              = constant 3
  %4  (float32[], int64[]) = loop(%3, %1) length=3 carried=1 body=graph(%0, %1) -> (%3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = constant 1.4142135
    %3  float32[] = mul(%1, %2)
  }
  %5  float32[]            = part(%4) index=0
})");
}

}  // namespace
}  // namespace talweg::passes
