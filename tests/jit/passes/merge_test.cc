#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Merge, OneLoopStacksWhatTheOtherCarries) {
  // As reverse mode makes it: the same loop, with what is carried in as more stacked values.
  ExpectBecomes(MergeLoops, R"(
graph(%0, %1, %2) -> (%4, %6, %7, %8) {
  %0  int64[]                          = input "n"
  %1  float32[]                        = input "x"
  %2  float32[4]                       = input "y"
  %3  (float32[], int64[])             = loop(%0, %1, %2) length=4 carried=1 scanned=1 body=graph(%0, %1, %2) -> (%4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = input "scanned0"
    %3  float32[] = mul(%1, %2)
    %4  float32[] = tanh(%3)
  }
  %4  float32[]                        = part(%3) index=0
  %5  (float32[], float32[4], int64[]) = loop(%0, %1, %2) length=4 carried=1 scanned=1 stacked=1 body=graph(%0, %1, %2) -> (%4, %1) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = input "scanned0"
    %3  float32[] = mul(%1, %2)
    %4  float32[] = tanh(%3)
  }
  %6  float32[]                        = part(%5) index=0
  %7  float32[4]                       = part(%5) index=1
  %8  int64[]                          = part(%5) index=2
})",
                R"(
graph(%0, %1, %2) -> (%4, %4, %5, %6) {
  %0  int64[]                          = input "n"
  %1  float32[]                        = input "x"
  %2  float32[4]                       = input "y"
  %3  (float32[], float32[4], int64[]) = loop(%0, %1, %2) length=4 carried=1 scanned=1 stacked=1 body=graph(%0, %1, %2) -> (%4, %1) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = input "scanned0"
    %3  float32[] = mul(%1, %2)
    %4  float32[] = tanh(%3)
  }
  %4  float32[]                        = part(%3) index=0
  %5  float32[4]                       = part(%3) index=1
  %6  int64[]                          = part(%3) index=2
})");
}

TEST(Merge, WhatOneHasMoreIsAdded) {
  // Another carried value and another capture, in another order; the second loop carries by the
  // same start something else.
  ExpectBecomes(MergeLoops, R"(
graph(%0, %1, %2) -> (%5, %6, %8, %9, %10) {
  %0   float32[]                        = input "x"
  %1   float32[]                        = input "y"
  %2   float32[]                        = input "z"
  %3   int64[]                          = constant 4
  %4   (float32[], float32[4], int64[]) = loop(%3, %1, %0) length=4 captures=1 carried=1 stacked=1 body=graph(%0, %1, %2) -> (%4, %3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "capture0"
    %2  float32[] = input "carried0"
    %3  float32[] = mul(%2, %1)
    %4  float32[] = tanh(%3)
  }
  %5   float32[]                        = part(%4) index=0
  %6   float32[4]                       = part(%4) index=1
  %7   (float32[], float32[], float32[], int64[]) = loop(%3, %2, %1, %0, %0, %2) length=4 captures=2 carried=3 body=graph(%0, %1, %2, %3, %4, %5) -> (%7, %8, %9) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "capture0"
    %2  float32[] = input "capture1"
    %3  float32[] = input "carried0"
    %4  float32[] = input "carried1"
    %5  float32[] = input "carried2"
    %6  float32[] = mul(%3, %2)
    %7  float32[] = tanh(%6)
    %8  float32[] = sub(%4, %1)
    %9  float32[] = mul(%5, %7)
  }
  %8   float32[]                        = part(%7) index=0
  %9   float32[]                        = part(%7) index=1
  %10  float32[]                        = part(%7) index=2
})",
                R"(
graph(%0, %1, %2) -> (%5, %6, %5, %7, %8) {
  %0  float32[]  = input "x"
  %1  float32[]  = input "y"
  %2  float32[]  = input "z"
  %3  int64[]    = constant 4
  %4  (float32[], float32[], float32[], float32[4], int64[]) = loop(%3, %1, %2, %0, %0, %2) length=4 captures=2 carried=3 stacked=1 body=graph(%0, %1, %5, %2, %6, %7) -> (%4, %8, %9, %3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "capture0"
    %2  float32[] = input "carried0"
    %3  float32[] = mul(%2, %1)
    %4  float32[] = tanh(%3)
    %5  float32[] = input "capture1"
    %6  float32[] = input "carried1"
    %7  float32[] = input "carried2"
    %8  float32[] = sub(%6, %5)
    %9  float32[] = mul(%7, %4)
  }
  %5  float32[]  = part(%4) index=0
  %6  float32[4] = part(%4) index=3
  %7  float32[]  = part(%4) index=1
  %8  float32[]  = part(%4) index=2
})");
}

TEST(Merge, LoopsStayApartWhereOneNeedsTheOther) {
  // Or has something in front of it that does.
  ExpectStays(MergeLoops, R"(
graph(%0, %1) -> (%5, %8) {
  %0  float32[]            = input "x"
  %1  float32[]            = input "y"
  %2  int64[]              = constant 4
  %3  (float32[], int64[]) = loop(%2, %0) length=4 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %4  float32[]            = part(%3) index=0
  %5  float32[]            = mul(%4, %1)
  %6  (float32[], int64[]) = loop(%2, %5) length=4 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %7  float32[]            = part(%6) index=0
  %8  float32[]            = sub(%7, %1)
})");
}

TEST(Merge, LoopsStayApartWhereTheyDiffer) {
  // In what they start from, in direction, in the number of trips, in when they stop, in rows.
  ExpectStays(MergeLoops, R"(
graph(%0, %1, %2) -> (%5, %7, %9, %11, %13, %15, %18, %20) {
  %0   float32[]            = input "x"
  %1   float32[]            = input "y"
  %2   int64[]              = input "n"
  %3   int64[]              = constant 4
  %4   (float32[], int64[]) = loop(%3, %0) length=4 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %5   float32[]            = part(%4) index=0
  %6   (float32[], int64[]) = loop(%3, %1) length=4 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %7   float32[]            = part(%6) index=0
  %8   (float32[], int64[]) = loop(%3, %0) length=4 carried=1 reversed body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %9   float32[]            = part(%8) index=0
  %10  (float32[], int64[]) = loop(%2, %0) length=4 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %11  float32[]            = part(%10) index=0
  %12  (float32[], int64[]) = loop(%3, %0) length=4 carried=1 stops body=graph(%0, %1) -> (%2, %4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
    %3  float32[] = constant 0
    %4  bool[]    = less(%2, %3)
  }
  %13  float32[]            = part(%12) index=0
  %14  (float32[], int64[]) = loop(%3, %0) length=4 carried=1 stops body=graph(%0, %1) -> (%2, %4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
    %3  float32[] = constant 0
    %4  bool[]    = greater(%2, %3)
  }
  %15  float32[]            = part(%14) index=0
  %16  int64[4]             = constant {1, 2, 1, 2}
  %17  (float32[], int64[]) = loop(%3, %16, %0) length=4 carried=1 binds_rows=2 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %18  float32[]            = part(%17) index=0
  %19  (float32[], int64[]) = loop(%3, %16, %0) length=4 carried=1 binds_rows=3 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %20  float32[]            = part(%19) index=0
})");
}

TEST(Merge, LoopsThatNobodyNeedsStayApart) {
  // They might fail, where the other does not.
  ExpectBecomes(MergeLoops, R"(
graph(%0, %1) -> (%4) {
  %0  float32[]                        = input "x"
  %1  int64[]                          = input "n"
  %2  (float32[], float32[4], int64[]) = loop(%1, %0) length=4 carried=1 stacked=1 body=graph(%0, %1) -> (%2, %1) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %3  (float32[], int64[])             = loop(%1, %0) length=4 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %4  float32[]                        = part(%3) index=0
})",
                R"(
graph(%0, %1) -> (%3) {
  %0  float32[]            = input "x"
  %1  int64[]              = input "n"
  %2  (float32[], int64[]) = loop(%1, %0) length=4 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
  }
  %3  float32[]            = part(%2) index=0
})");
}

TEST(Merge, LoopsThatStopByTheSameAreOne) {
  ExpectBecomes(MergeLoops, R"(
graph(%0) -> (%3, %5) {
  %0  float32[]                        = input "x"
  %1  int64[]                          = constant 4
  %2  (float32[], int64[])             = loop(%1, %0) length=4 carried=1 stops body=graph(%0, %1) -> (%2, %4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
    %3  float32[] = constant 0
    %4  bool[]    = less(%2, %3)
  }
  %3  int64[]                          = part(%2) index=1
  %4  (float32[], float32[4], int64[]) = loop(%1, %0) length=4 carried=1 stacked=1 stops body=graph(%0, %1) -> (%2, %1, %4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
    %3  float32[] = constant 0
    %4  bool[]    = less(%2, %3)
  }
  %5  float32[4]                       = part(%4) index=1
})",
                R"(
graph(%0) -> (%3, %4) {
  %0  float32[]                        = input "x"
  %1  int64[]                          = constant 4
  %2  (float32[], float32[4], int64[]) = loop(%1, %0) length=4 carried=1 stacked=1 stops body=graph(%0, %1) -> (%2, %1, %4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = tanh(%1)
    %3  float32[] = constant 0
    %4  bool[]    = less(%2, %3)
  }
  %3  int64[]                          = part(%2) index=2
  %4  float32[4]                       = part(%2) index=1
})");
}

}  // namespace
}  // namespace talweg::passes
