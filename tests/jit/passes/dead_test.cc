#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Dead, LeavesOutWhatNoOutputNeeds) {
  ExpectBecomes(RemoveDead, R"(
graph(%0, %1) -> (%3) {
  %0  float32[2] = input "x"
  %1  float32[2] = input "y"
  %2  float32[2] = add(%0, %1)
  %3  float32[2] = neg(%0)
  %4  float32[2] = mul(%2, %3)
})",
                R"(
graph(%0, %1) -> (%2) {
  %0  float32[2] = input "x"
  %1  float32[2] = input "y"
  %2  float32[2] = neg(%0)
})");
}

TEST(Dead, KeepsInputsInTheirOrder) {
  ExpectStays(RemoveDead, R"(
graph(%2, %0) -> (%1) {
  %0  float32[] = input "x"
  %1  float32[] = neg(%0)
  %2  float32[] = input "never read"
})");
}

TEST(Dead, OfACustomLeavesItsFirstOperand) {
  ExpectBecomes(RemoveDead, R"(
graph(%0) -> (%4) {
  %0  float32[] = input "x"
  %1  float32[] = sign(%0)
  %2  float32[] = exp(%0)
  %3  float32[] = custom(%1, %2) gradient=graph(%0, %1, %2) -> (%2) {
    %0  float32[] = input "x0"
    %1  float32[] = input "y"
    %2  float32[] = input "dy"
  }
  %4  float32[] = neg(%3)
})",
                R"(
graph(%0) -> (%2) {
  %0  float32[] = input "x"
  %1  float32[] = sign(%0)
  %2  float32[] = neg(%1)
})");
}

TEST(Dead, LeavesOutPartsOfALoopAndWhatOnlyTheyNeed) {
  // Of three carried values, two stacked ones, two captures and two scanned values, the second of
  // each is not needed; the third carried value is, by the first.
  ExpectBecomes(RemoveDead, R"(
graph(%0, %1, %2, %3) -> (%7, %8, %9) {
  %0  float32[]    = input "a"
  %1  float32[]    = input "b"
  %2  float32[4,2] = input "x"
  %3  float32[4]   = input "y"
  %4  int64[]      = constant 4
  %5  float32[4,2] = neg(%2)
  %6  (float32[], float32[], float32[], float32[4,2], float32[4], int64[]) = loop(%4, %0, %1, %0, %1, %1, %5, %3) length=4 captures=2 carried=3 scanned=2 stacked=2 body=graph(%0, %1, %2, %3, %4, %5, %6, %7) -> (%8, %9, %11, %10, %7) {
    %0   int64[]    = input "trip"
    %1   float32[]  = input "c"
    %2   float32[]  = input "d"
    %3   float32[]  = input "p"
    %4   float32[]  = input "q"
    %5   float32[]  = input "r"
    %6   float32[2] = input "s"
    %7   float32[]  = input "t"
    %8   float32[]  = mul(%3, %5)
    %9   float32[]  = add(%4, %2)
    %10  float32[2] = neg(%6)
    %11  float32[]  = mul(%1, %5)
  }
  %7  float32[]    = part(%6) index=0
  %8  float32[4,2] = part(%6) index=3
  %9  int64[]      = part(%6) index=5
})",
                R"(
graph(%0, %1, %2, %3) -> (%7, %8, %9) {
  %0  float32[]    = input "a"
  %1  float32[]    = input "b"
  %2  float32[4,2] = input "x"
  %3  float32[4]   = input "y"
  %4  int64[]      = constant 4
  %5  float32[4,2] = neg(%2)
  %6  (float32[], float32[], float32[4,2], int64[]) = loop(%4, %0, %0, %1, %5) length=4 captures=1 carried=2 scanned=1 stacked=1 body=graph(%0, %1, %2, %3, %4) -> (%5, %7, %6) {
    %0  int64[]    = input "trip"
    %1  float32[]  = input "capture0"
    %2  float32[]  = input "carried0"
    %3  float32[]  = input "carried1"
    %4  float32[2] = input "scanned0"
    %5  float32[]  = mul(%2, %3)
    %6  float32[2] = neg(%4)
    %7  float32[]  = mul(%1, %3)
  }
  %7  float32[]    = part(%6) index=0
  %8  float32[4,2] = part(%6) index=2
  %9  int64[]      = part(%6) index=3
})");
}

TEST(Dead, KeepsWhatLimitsTheTripsOfALoop) {
  // One of the two scanned values stays: a run with five trips must fail.
  ExpectBecomes(RemoveDead, R"(
graph(%0, %1, %2) -> (%4) {
  %0  int64[]                          = input "n"
  %1  float32[]                        = input "a"
  %2  float32[4]                       = input "x"
  %3  (float32[], float32[4], int64[]) = loop(%0, %1, %2, %2) length=4 carried=1 scanned=2 stacked=1 body=graph(%0, %1, %2, %3) -> (%4, %5) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "p"
    %2  float32[] = input "s"
    %3  float32[] = input "t"
    %4  float32[] = neg(%1)
    %5  float32[] = add(%2, %3)
  }
  %4  float32[]                        = part(%3) index=0
})",
                R"(
graph(%0, %1, %2) -> (%4) {
  %0  int64[]              = input "n"
  %1  float32[]            = input "a"
  %2  float32[4]           = input "x"
  %3  (float32[], int64[]) = loop(%0, %1, %2) length=4 carried=1 scanned=1 body=graph(%0, %1, %2) -> (%3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = input "scanned0"
    %3  float32[] = neg(%1)
  }
  %4  float32[]            = part(%3) index=0
})");
}

TEST(Dead, KeepsWhatGivesTripsItsValue) {
  ExpectBecomes(RemoveDead, R"(
graph(%0, %1) -> (%4, %5) {
  %0  int64[]        = input "n"
  %1  float32[]      = input "a"
  %2  (float32[], float32[trips], float32[trips], int64[]) = loop(%0, %1) length=trips carried=1 stacked=2 body=graph(%0, %1) -> (%2, %3, %4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "p"
    %2  float32[] = neg(%1)
    %3  float32[] = sqrt(%1)
    %4  float32[] = exp(%1)
  }
  %3  float32[trips] = part(%2) index=1
  %4  float32[]      = part(%2) index=0
  %5  int64[]        = size trips
})",
                R"(
graph(%0, %1) -> (%3, %4) {
  %0  int64[]   = input "n"
  %1  float32[] = input "a"
  %2  (float32[], float32[trips], int64[]) = loop(%0, %1) length=trips carried=1 stacked=1 body=graph(%0, %1) -> (%2, %3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = neg(%1)
    %3  float32[] = sqrt(%1)
  }
  %3  float32[] = part(%2) index=0
  %4  int64[]   = size trips
})");
}

TEST(Dead, LooksIntoLoopsWithinLoops) {
  // Of the outer loop only the number of trips is an output; by its stop predicate it needs the
  // second values of both loops.
  ExpectBecomes(RemoveDead, R"(
graph(%0, %1) -> (%5, %6) {
  %0  float32[]                       = input "a"
  %1  float32[]                       = input "b"
  %2  int64[]                         = constant 3
  %3  (float32[], int64[])            = loop(%2, %0) length=3 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "p"
    %2  float32[] = neg(%1)
  }
  %4  (float32[], float32[], int64[]) = loop(%2, %0, %1, %0) length=3 captures=1 carried=2 stops body=graph(%0, %1, %2, %3) -> (%6, %8, %10) {
    %0   int64[]                         = input "trip"
    %1   float32[]                       = input "c"
    %2   float32[]                       = input "p"
    %3   float32[]                       = input "q"
    %4   int64[]                         = constant 2
    %5   (float32[], float32[], int64[]) = loop(%4, %1, %2, %3) length=2 captures=1 carried=2 body=graph(%0, %1, %2, %3) -> (%4, %5) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "c"
      %2  float32[] = input "p"
      %3  float32[] = input "q"
      %4  float32[] = add(%2, %1)
      %5  float32[] = exp(%3)
    }
    %6   float32[]                       = part(%5) index=0
    %7   float32[]                       = part(%5) index=1
    %8   float32[]                       = mul(%7, %3)
    %9   float32[]                       = constant 100
    %10  bool[]                          = greater(%7, %9)
  }
  %5  int64[]                         = part(%4) index=2
  %6  float32[]                       = add(%0, %0)
  %7  float32[]                       = part(%3) index=0
})",
                R"(
graph(%0, %1) -> (%4, %5) {
  %0  float32[]            = input "a"
  %1  float32[]            = input "b"
  %2  int64[]              = constant 3
  %3  (float32[], int64[]) = loop(%2, %0) length=3 carried=1 stops body=graph(%0, %1) -> (%5, %7) {
    %0  int64[]              = input "trip"
    %1  float32[]            = input "carried0"
    %2  int64[]              = constant 2
    %3  (float32[], int64[]) = loop(%2, %1) length=2 carried=1 body=graph(%0, %1) -> (%2) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "carried0"
      %2  float32[] = exp(%1)
    }
    %4  float32[]            = part(%3) index=0
    %5  float32[]            = mul(%4, %1)
    %6  float32[]            = constant 100
    %7  bool[]               = greater(%4, %6)
  }
  %4  int64[]              = part(%3) index=1
  %5  float32[]            = add(%0, %0)
})");
}

}  // namespace
}  // namespace talweg::passes
