#include "absl/strings/substitute.h"
#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Simplify, DropsIdentitiesOnEitherSide) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2, %3) -> (%6, %8, %10, %12, %14, %15) {
  %0   float32[2] = input "x"
  %1   int32[2]   = input "i"
  %2   bool[2]    = input "b"
  %3   float64[]  = input "d"
  %4   float32[]  = constant 1
  %5   float32[2] = view(%4) []
  %6   float32[2] = mul(%5, %0)
  %7   float32[2] = constant all -0
  %8   float32[2] = add(%7, %0)
  %9   int32[2]   = constant all 0
  %10  int32[2]   = add(%1, %9)
  %11  bool[2]    = constant all true
  %12  bool[2]    = and(%2, %11)
  %13  float64[]  = constant -inf
  %14  float64[]  = max(%3, %13)
  %15  float32[2] = div(%0, %5)
})",
                R"(
graph(%0, %1, %2, %3) -> (%0, %0, %1, %2, %3, %0) {
  %0  float32[2] = input "x"
  %1  int32[2]   = input "i"
  %2  bool[2]    = input "b"
  %3  float64[]  = input "d"
})");
}

// Softmax and the logarithm of its sum, of rows and of whole arrays.
TEST(Simplify, KnowsThatNothingIsAboveItsMaximum) {
  const auto graph = [](const char* exp, const char* log) {
    return absl::Substitute(R"(
graph(%0, %1) -> (%5, %7, %13) {
  %0   float32[5,3] = input "x"
  %1   float32[7]   = input "y"
  %2   float32[5]   = reduce_max(%0) axes=[1] order=1
  %3   float32[5,3] = view(%2) [i0]
  %4   float32[5,3] = sub(%0, %3)
  %5   float32[5,3] = $0(%4)
  %6   float32[5]   = sum(%5) axes=[1] order=1
  %7   float32[5]   = $1(%6)
  %8   float32[]    = reduce_max(%1) axes=[0] order=16
  %9   float32[7]   = view(%8) []
  %10  float32[7]   = sub(%1, %9)
  %11  float32[7]   = $0(%10)
  %12  float32[]    = sum(%11) axes=[0] order=16
  %13  float32[]    = $1(%12)
})",
                            exp, log);
  };
  ExpectBecomes(Simplify, graph("exp", "log"), graph("exp_of_not_positive", "log_of_at_least_one"));
}

// With care for rows of -infinity, as Softmax and LogSoftmax have it (ops/nn.cc).
TEST(Simplify, KnowsThatNothingIsAboveItsFiniteMaximum) {
  const auto graph = [](const char* exp, const char* log) {
    return absl::Substitute(R"(
graph(%0) -> (%7, %16) {
  %0   float32[rows,3] = input "x"
  %1   float32[rows]   = reduce_max(%0) axes=[1] order=1
  %2   float32[]       = constant -3.4028235e+38
  %3   float32[rows]   = view(%2) []
  %4   float32[rows]   = max(%1, %3)
  %5   float32[rows,3] = view(%4) [i0]
  %6   float32[rows,3] = sub(%0, %5)
  %7   float32[rows,3] = $0(%6)
  %8   float32[rows]   = sum(%7) axes=[1] order=1
  %9   float32[]       = constant 0
  %10  float32[rows]   = view(%9) []
  %11  bool[rows]      = equal(%8, %10)
  %12  float32[]       = constant 1
  %13  float32[rows]   = view(%12) []
  %14  float32[rows]   = select(%11, %13, %8)
  %15  float32[rows]   = $1(%14)
  %16  float32[rows]   = neg(%15)
})",
                            exp, log);
  };
  ExpectBecomes(Simplify, graph("exp", "log"), graph("exp_of_not_positive", "log_of_at_least_one"));
  // Where all are -infinity, the sum is 0; and another bound may lie above the maximum.
  for (const bool lowest : {false, true}) {
    ExpectStays(Simplify, absl::Substitute(R"(
graph(%0) -> (%9) {
  %0  float32[2,3] = input "x"
  %1  float32[2]   = reduce_max(%0) axes=[1] order=1
  %2  float32[]    = constant $0
  %3  float32[2]   = view(%2) []
  %4  float32[2]   = max(%1, %3)
  %5  float32[2,3] = view(%4) [i0]
  %6  float32[2,3] = sub(%0, %5)
  %7  float32[2,3] = $1(%6)
  %8  float32[2]   = sum(%7) axes=[1] order=1
  %9  float32[2]   = log(%8)
})",
                                           lowest ? "-3.4028235e+38" : "-9",
                                           lowest ? "exp_of_not_positive" : "exp"));
  }
}

// The maximum of something else, of other elements, or shifted; sums over other axes, or of what
// may have no elements.
TEST(Simplify, LeavesWhatMayBeAboveAMaximum) {
  ExpectStays(Simplify, R"(
graph(%0, %1) -> (%5, %8, %12, %15, %19) {
  %0   float32[3,3] = input "x"
  %1   float32[3,3] = input "y"
  %2   float32[3]   = reduce_max(%0) axes=[1] order=1
  %3   float32[3,3] = view(%2) [i0]
  %4   float32[3,3] = sub(%1, %3)
  %5   float32[3,3] = exp(%4)
  %6   float32[3,3] = view(%2) [i1]
  %7   float32[3,3] = sub(%0, %6)
  %8   float32[3,3] = exp(%7)
  %9   float32[3]   = reduce_min(%0) axes=[1] order=1
  %10  float32[3,3] = view(%9) [i0]
  %11  float32[3,3] = sub(%0, %10)
  %12  float32[3,3] = exp(%11)
  %13  float32[3,3] = view(%2) [-i0 + 2]
  %14  float32[3,3] = sub(%0, %13)
  %15  float32[3,3] = exp(%14)
  %16  float32[3,3] = sub(%0, %3)
  %17  float32[3,3] = exp_of_not_positive(%16)
  %18  float32[3]   = sum(%17) axes=[0] order=1
  %19  float32[3]   = log(%18)
})");
  ExpectStays(Simplify, R"(
graph(%0) -> (%6) {
  %0  float32[rows] = input "x"
  %1  float32[]     = reduce_max(%0) axes=[0] order=1
  %2  float32[rows] = view(%1) []
  %3  float32[rows] = sub(%0, %2)
  %4  float32[rows] = exp_of_not_positive(%3)
  %5  float32[]     = sum(%4) axes=[0] order=1
  %6  float32[]     = log(%5)
})");
}

TEST(Simplify, KeepsWhatIsNoIdentityToTheBit) {
  // -0 + 0 is 0, x - -0 is not x for x = 0 ... of a float; max of bools is no max of numbers; 1 / x
  // is not x; 0 * NaN is NaN.
  ExpectStays(Simplify, R"(
graph(%0, %1, %2) -> (%4, %6, %8, %9, %10, %12) {
  %0   float32[] = input "x"
  %1   int32[]   = input "i"
  %2   bool[]    = input "b"
  %3   float32[] = constant 0
  %4   float32[] = add(%0, %3)
  %5   float32[] = constant -0
  %6   float32[] = sub(%0, %5)
  %7   bool[]    = constant false
  %8   bool[]    = max(%2, %7)
  %9   float32[] = mul(%0, %3)
  %10  bool[]    = min(%2, %7)
  %11  float32[] = constant 1
  %12  float32[] = div(%11, %0)
})");
}

TEST(Simplify, SubtractsZeroAndRaisesToTheFirstPower) {
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%2, %4) {
  %0  float32[] = input "x"
  %1  float32[] = constant 0
  %2  float32[] = sub(%0, %1)
  %3  float32[] = constant 1
  %4  float32[] = pow(%0, %3)
})",
                R"(
graph(%0) -> (%0, %0) {
  %0  float32[] = input "x"
})");
}

TEST(Simplify, UndoesInvolutions) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%3, %4, %6, %7) {
  %0  float32[] = input "x"
  %1  bool[]    = input "b"
  %2  float32[] = neg(%0)
  %3  float32[] = neg(%2)
  %4  float32[] = neg(%3)
  %5  bool[]    = not(%1)
  %6  bool[]    = not(%5)
  %7  float32[] = reciprocal(%2)
})",
                R"(
graph(%0, %1) -> (%0, %2, %1, %3) {
  %0  float32[] = input "x"
  %1  bool[]    = input "b"
  %2  float32[] = neg(%0)
  %3  float32[] = reciprocal(%2)
})");
}

TEST(Simplify, DoesIdempotentThingsOnce) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%3, %4, %6, %7, %8) {
  %0  float32[] = input "x"
  %1  bool[]    = input "b"
  %2  float32[] = relu(%0)
  %3  float32[] = relu(%2)
  %4  float32[] = max(%0, %0)
  %5  float32[] = abs(%0)
  %6  float32[] = relu(%5)
  %7  bool[]    = or(%1, %1)
  %8  float32[] = add(%0, %0)
})",
                R"(
graph(%0, %1) -> (%2, %0, %4, %1, %5) {
  %0  float32[] = input "x"
  %1  bool[]    = input "b"
  %2  float32[] = relu(%0)
  %3  float32[] = abs(%0)
  %4  float32[] = relu(%3)
  %5  float32[] = add(%0, %0)
})");
}

TEST(Simplify, LooksIntoFormulasForWhatDoesNothing) {
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%1, %2, %3) {
  %0  float32[] = input "x"
  %1  float32[] = detach(%0)
  %2  float32[] = cast(%0)
  %3  float32[] = sign(%0)
})",
                R"(
graph(%0) -> (%0, %0, %1) {
  %0  float32[] = input "x"
  %1  float32[] = sign(%0)
})");
}

TEST(Simplify, CastsOnceWhereTheFirstLosesNothing) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2) -> (%4, %6, %8, %9) {
  %0  float32[] = input "x"
  %1  int32[]   = input "i"
  %2  bool[]    = input "b"
  %3  float64[] = cast(%0)
  %4  int32[]   = cast(%3)
  %5  int64[]   = cast(%1)
  %6  float32[] = cast(%5)
  %7  int32[]   = cast(%2)
  %8  bool[]    = cast(%7)
  %9  float32[] = cast(%3)
})",
                R"(
graph(%0, %1, %2) -> (%3, %4, %2, %0) {
  %0  float32[] = input "x"
  %1  int32[]   = input "i"
  %2  bool[]    = input "b"
  %3  int32[]   = cast(%0)
  %4  float32[] = cast(%1)
})");
}

TEST(Simplify, CastsTwiceWhereTheFirstRounds) {
  // int64 and float64 do not fit in float32, nor int32; nor does a number fit in a bool.
  ExpectStays(Simplify, R"(
graph(%0, %1, %2, %3) -> (%5, %7, %9, %11, %13) {
  %0   float64[] = input "x"
  %1   int32[]   = input "i"
  %2   int64[]   = input "k"
  %3   float32[] = input "y"
  %4   float32[] = cast(%0)
  %5   float64[] = cast(%4)
  %6   float32[] = cast(%1)
  %7   int32[]   = cast(%6)
  %8   float64[] = cast(%2)
  %9   int64[]   = cast(%8)
  %10  bool[]    = cast(%1)
  %11  int32[]   = cast(%10)
  %12  int32[]   = cast(%3)
  %13  float32[] = cast(%12)
})");
}

TEST(Simplify, SelectsWhatIsKnown) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2) -> (%4, %6, %7, %9, %11, %13) {
  %0   float32[2] = input "x"
  %1   float32[2] = input "y"
  %2   bool[2]    = input "m"
  %3   bool[2]    = constant all true
  %4   float32[2] = select(%3, %0, %1)
  %5   bool[2]    = constant all false
  %6   float32[2] = select(%5, %0, %1)
  %7   float32[2] = select(%2, %0, %0)
  %8   bool[2]    = not(%2)
  %9   float32[2] = select(%8, %0, %1)
  %10  float32[2] = neg(%0)
  %11  float32[2] = select(%2, %9, %10)
  %12  float32[2] = select(%2, %0, %1)
  %13  float32[2] = select(%2, %10, %12)
})",
                R"(
graph(%0, %1, %2) -> (%0, %1, %0, %3, %5, %6) {
  %0  float32[2] = input "x"
  %1  float32[2] = input "y"
  %2  bool[2]    = input "m"
  %3  float32[2] = select(%2, %1, %0)
  %4  float32[2] = neg(%0)
  %5  float32[2] = select(%2, %1, %4)
  %6  float32[2] = select(%2, %4, %1)
})");
}

TEST(Simplify, DoesNotSelectWhatVaries) {
  // A mask of both; the same mask, but on the other branch.
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2) -> (%4, %6) {
  %0  float32[2] = input "x"
  %1  float32[2] = input "y"
  %2  bool[2]    = input "m"
  %3  bool[2]    = constant {true, false}
  %4  float32[2] = select(%3, %0, %1)
  %5  float32[2] = select(%2, %0, %1)
  %6  float32[2] = select(%3, %5, %4)
})",
                R"(
graph(%0, %1, %2) -> (%4, %6) {
  %0  float32[2] = input "x"
  %1  float32[2] = input "y"
  %2  bool[2]    = input "m"
  %3  bool[2]    = constant {true, false}
  %4  float32[2] = select(%3, %0, %1)
  %5  float32[2] = select(%2, %0, %1)
  %6  float32[2] = select(%3, %5, %1)
})");
}

TEST(Simplify, OrdersOperandsSoThatEqualNodesAreOne) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%2, %3, %5, %6, %7) {
  %0  float32[] = input "x"
  %1  float32[] = input "y"
  %2  float32[] = add(%1, %0)
  %3  float32[] = add(%0, %1)
  %4  float32[] = constant 2
  %5  float32[] = mul(%4, %2)
  %6  float32[] = sub(%1, %0)
  %7  float32[] = sub(%0, %1)
})",
                R"(
graph(%0, %1) -> (%2, %2, %4, %5, %6) {
  %0  float32[] = input "x"
  %1  float32[] = input "y"
  %2  float32[] = add(%0, %1)
  %3  float32[] = constant 2
  %4  float32[] = mul(%2, %3)
  %5  float32[] = sub(%1, %0)
  %6  float32[] = sub(%0, %1)
})");
}

TEST(Simplify, ComputesBeforeItSpreads) {
  // Of one spread value and scalars; of scalars only.
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2) -> (%7, %8, %11) {
  %0   float32[3]      = input "x"
  %1   float32[3]      = input "y"
  %2   float32[rows,3] = input "r"
  %3   float32[rows,3] = view(%0) [i1]
  %4   float32[rows,3] = view(%1) [i1]
  %5   float32[]       = constant 2
  %6   float32[rows,3] = view(%5) []
  %7   float32[rows,3] = div(%3, %6)
  %8   bool[rows,3]    = less(%4, %3)
  %9   float32[]       = sum(%0) axes=[0] order=1
  %10  float32[rows,3] = view(%9) []
  %11  float32[rows,3] = mul(%10, %6)
})",
                R"(
graph(%0, %1, %2) -> (%6, %8, %11) {
  %0   float32[3]      = input "x"
  %1   float32[3]      = input "y"
  %2   float32[rows,3] = input "r"
  %3   float32[]       = constant 2
  %4   float32[3]      = view(%3) []
  %5   float32[3]      = div(%0, %4)
  %6   float32[rows,3] = view(%5) [i1]
  %7   bool[3]         = less(%1, %0)
  %8   bool[rows,3]    = view(%7) [i1]
  %9   float32[]       = sum(%0) axes=[0] order=1
  %10  float32[]       = mul(%9, %3)
  %11  float32[rows,3] = view(%10) []
})");
}

TEST(Simplify, ComputesAfterWhatDoesNotSpread) {
  // A slice has fewer elements; padding is not what the op makes of padding; two views differ.
  ExpectStays(Simplify, R"(
graph(%0, %1) -> (%3, %5, %8) {
  %0  float32[4]   = input "x"
  %1  float32[1]   = input "y"
  %2  float32[2]   = view(%0) [i0 + 1]
  %3  float32[2]   = exp(%2)
  %4  float32[9]   = view(%0) [i0 - 3]
  %5  float32[9]   = exp(%4)
  %6  float32[4,4] = view(%0) [i0]
  %7  float32[4,4] = view(%0) [i1]
  %8  float32[4,4] = mul(%6, %7)
})");
}

TEST(Simplify, SpreadsConstantsOfEqualElements) {
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%2, %4, %6, %8) {
  %0  float32[2,2] = input "x"
  %1  float32[2,2] = constant all 3
  %2  float32[2,2] = mul(%0, %1)
  %3  float32[2]   = constant {0, -0}
  %4  float32[2]   = neg(%3)
  %5  int32[1]     = iota
  %6  int32[1]     = neg(%5)
  %7  int64[1]     = constant {7}
  %8  int64[3]     = view(%7) [0]
})",
                R"(
graph(%0) -> (%3, %5, %8, %10) {
  %0   float32[2,2] = input "x"
  %1   float32[]    = constant 3
  %2   float32[2,2] = view(%1) []
  %3   float32[2,2] = mul(%0, %2)
  %4   float32[2]   = constant {0, -0}
  %5   float32[2]   = neg(%4)
  %6   int32[]      = constant 0
  %7   int32[]      = neg(%6)
  %8   int32[1]     = view(%7) []
  %9   int64[]      = constant 7
  %10  int64[3]     = view(%9) []
})");
}

}  // namespace
}  // namespace talweg::passes
