#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Hoist, MoveOutOfTheLoop) {
  // What depends on captures and constants only; what the trip or a carried value enters stays.
  ExpectBecomes(HoistInvariants, R"(
graph(%0, %1) -> (%4) {
  %0  float32[3]            = input "x"
  %1  float32[3]            = input "y"
  %2  int64[]               = constant 4
  %3  (float32[3], int64[]) = loop(%2, %0, %1) length=4 captures=1 carried=1 body=graph(%0, %1, %2) -> (%10) {
    %0   int64[]    = input "trip"
    %1   float32[3] = input "capture0"
    %2   float32[3] = input "carried0"
    %3   float32[3] = exp(%1)
    %4   float32[]  = sum(%3) axes=[0] order=1
    %5   float32[3] = view(%4) []
    %6   float32[3] = mul(%2, %5)
    %7   float32[]  = cast(%0)
    %8   float32[3] = view(%7) []
    %9   float32[3] = add(%6, %8)
    %10  float32[3] = sub(%9, %3)
  }
  %4  float32[3]            = part(%3) index=0
})",
                R"(
graph(%0, %1) -> (%6) {
  %0  float32[3]            = input "x"
  %1  float32[3]            = input "y"
  %2  int64[]               = constant 4
  %3  float32[3]            = exp(%0)
  %4  float32[]             = sum(%3) axes=[0] order=1
  %5  (float32[3], int64[]) = loop(%2, %0, %3, %4, %1) length=4 captures=3 carried=1 body=graph(%0, %1, %3, %4, %2) -> (%10) {
    %0   int64[]    = input "trip"
    %1   float32[3] = input "capture0"
    %2   float32[3] = input "carried0"
    %3   float32[3] = input "capture1"
    %4   float32[]  = input "capture2"
    %5   float32[3] = view(%4) []
    %6   float32[3] = mul(%2, %5)
    %7   float32[]  = cast(%0)
    %8   float32[3] = view(%7) []
    %9   float32[3] = add(%6, %8)
    %10  float32[3] = sub(%9, %3)
  }
  %6  float32[3]            = part(%5) index=0
})");
}

TEST(Hoist, MoveOutOfLoopsWithinLoops) {
  // As far as they are the same: exp(x) out of both, exp(p) out of the inner one.
  ExpectBecomes(HoistInvariants, R"(
graph(%0) -> (%3) {
  %0  float32[3]            = input "x"
  %1  int64[]               = constant 4
  %2  (float32[3], int64[]) = loop(%1, %0, %0) length=4 captures=1 carried=1 body=graph(%0, %1, %2) -> (%5) {
    %0  int64[]               = input "trip"
    %1  float32[3]            = input "capture0"
    %2  float32[3]            = input "carried0"
    %3  int64[]               = constant 3
    %4  (float32[3], int64[]) = loop(%3, %1, %2, %2) length=3 captures=2 carried=1 body=graph(%0, %1, %2, %3) -> (%7) {
      %0  int64[]    = input "trip"
      %1  float32[3] = input "capture0"
      %2  float32[3] = input "capture1"
      %3  float32[3] = input "carried0"
      %4  float32[3] = exp(%1)
      %5  float32[3] = exp(%2)
      %6  float32[3] = mul(%3, %4)
      %7  float32[3] = sub(%6, %5)
    }
    %5  float32[3]            = part(%4) index=0
  }
  %3  float32[3]            = part(%2) index=0
})",
                R"(
graph(%0) -> (%4) {
  %0  float32[3]            = input "x"
  %1  int64[]               = constant 4
  %2  float32[3]            = exp(%0)
  %3  (float32[3], int64[]) = loop(%1, %0, %2, %0) length=4 captures=2 carried=1 body=graph(%0, %1, %3, %2) -> (%7) {
    %0  int64[]               = input "trip"
    %1  float32[3]            = input "capture0"
    %2  float32[3]            = input "carried0"
    %3  float32[3]            = input "capture1"
    %4  int64[]               = constant 3
    %5  float32[3]            = exp(%2)
    %6  (float32[3], int64[]) = loop(%4, %1, %2, %3, %5, %2) length=3 captures=4 carried=1 body=graph(%0, %1, %2, %4, %5, %3) -> (%7) {
      %0  int64[]    = input "trip"
      %1  float32[3] = input "capture0"
      %2  float32[3] = input "capture1"
      %3  float32[3] = input "carried0"
      %4  float32[3] = input "capture2"
      %5  float32[3] = input "capture3"
      %6  float32[3] = mul(%3, %4)
      %7  float32[3] = sub(%6, %5)
    }
    %7  float32[3]            = part(%6) index=0
  }
  %4  float32[3]            = part(%3) index=0
})");
}

TEST(Hoist, MoveWhereTheyAreOutputs) {
  // Of a capture: the next carried value, a stacked one.
  ExpectBecomes(HoistInvariants, R"(
graph(%0, %1) -> (%4, %5) {
  %0  float32[3]   = input "x"
  %1  int64[]      = input "n"
  %2  int64[]      = constant 4
  %3  (float32[3], float32[4,3], int64[]) = loop(%2, %0, %0) length=4 captures=1 carried=1 stacked=1 body=graph(%0, %1, %2) -> (%3, %4) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "capture0"
    %2  float32[3] = input "carried0"
    %3  float32[3] = exp(%1)
    %4  float32[3] = sin(%3)
  }
  %4  float32[3]   = part(%3) index=0
  %5  float32[4,3] = part(%3) index=1
})",
                R"(
graph(%0, %1) -> (%6, %7) {
  %0  float32[3]   = input "x"
  %1  int64[]      = input "n"
  %2  int64[]      = constant 4
  %3  float32[3]   = exp(%0)
  %4  float32[3]   = sin(%3)
  %5  (float32[3], float32[4,3], int64[]) = loop(%2, %0, %3, %4, %0) length=4 captures=3 carried=1 stacked=1 body=graph(%0, %1, %3, %4, %2) -> (%3, %4) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "capture0"
    %2  float32[3] = input "carried0"
    %3  float32[3] = input "capture1"
    %4  float32[3] = input "capture2"
  }
  %6  float32[3]   = part(%5) index=0
  %7  float32[4,3] = part(%5) index=1
})");
}

TEST(Hoist, StayWhereTheyMayFail) {
  // An index may be outside; without a trip nobody would look.
  ExpectStays(HoistInvariants, R"(
graph(%0, %1, %2) -> (%4) {
  %0  float32[3]            = input "x"
  %1  int32[3]              = input "i"
  %2  int64[]               = input "n"
  %3  (float32[3], int64[]) = loop(%2, %0, %1, %0) length=trips captures=2 carried=1 body=graph(%0, %1, %2, %3) -> (%6) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "capture0"
    %2  int32[3]   = input "capture1"
    %3  float32[3] = input "carried0"
    %4  float32[3] = gather(%1, %2) axis=0
    %5  float32[3] = sin(%4)
    %6  float32[3] = add(%5, %3)
  }
  %4  float32[3]            = part(%3) index=0
})");
}

TEST(Hoist, StayWhereTheyAreLarge) {
  // Elementwise results of 80 kB, and of any number of rows. A sum of them moves, and takes what it
  // needs along.
  ExpectBecomes(HoistInvariants, R"(
graph(%0, %1) -> (%4, %5) {
  %0  float32[100,200] = input "x"
  %1  float32[rows,3]  = input "y"
  %2  int64[]          = constant 3
  %3  (float32[100,200], float32[rows,3], int64[]) = loop(%2, %0, %1, %0, %1) length=3 captures=2 carried=2 body=graph(%0, %1, %2, %3, %4) -> (%9, %11) {
    %0   int64[]          = input "trip"
    %1   float32[100,200] = input "capture0"
    %2   float32[rows,3]  = input "capture1"
    %3   float32[100,200] = input "carried0"
    %4   float32[rows,3]  = input "carried1"
    %5   float32[100,200] = exp(%1)
    %6   float32[200]     = sum(%5) axes=[0] order=1
    %7   float32[100,200] = view(%6) [i1]
    %8   float32[100,200] = mul(%5, %7)
    %9   float32[100,200] = sub(%8, %3)
    %10  float32[rows,3]  = exp(%2)
    %11  float32[rows,3]  = mul(%10, %4)
  }
  %4  float32[100,200] = part(%3) index=0
  %5  float32[rows,3]  = part(%3) index=1
})",
                R"(
graph(%0, %1) -> (%6, %7) {
  %0  float32[100,200] = input "x"
  %1  float32[rows,3]  = input "y"
  %2  int64[]          = constant 3
  %3  float32[100,200] = exp(%0)
  %4  float32[200]     = sum(%3) axes=[0] order=1
  %5  (float32[100,200], float32[rows,3], int64[]) = loop(%2, %0, %1, %4, %0, %1) length=3 captures=3 carried=2 body=graph(%0, %1, %2, %5, %3, %4) -> (%9, %11) {
    %0   int64[]          = input "trip"
    %1   float32[100,200] = input "capture0"
    %2   float32[rows,3]  = input "capture1"
    %3   float32[100,200] = input "carried0"
    %4   float32[rows,3]  = input "carried1"
    %5   float32[200]     = input "capture2"
    %6   float32[100,200] = exp(%1)
    %7   float32[100,200] = view(%5) [i1]
    %8   float32[100,200] = mul(%6, %7)
    %9   float32[100,200] = sub(%8, %3)
    %10  float32[rows,3]  = exp(%2)
    %11  float32[rows,3]  = mul(%10, %4)
  }
  %6  float32[100,200] = part(%5) index=0
  %7  float32[rows,3]  = part(%5) index=1
})");
}

TEST(Hoist, StayWhereRowsAreOthers) {
  // What has rows, and how many there are. Where the loop does not bind them they are the same
  // outside.
  ExpectBecomes(HoistInvariants, R"(
graph(%0, %1) -> (%5, %7) {
  %0  float32[rows]        = input "x"
  %1  float32[]            = input "y"
  %2  int64[]              = constant 2
  %3  int64[2]             = constant {3, 1}
  %4  (float32[], int64[]) = loop(%2, %3, %1, %1) length=2 captures=1 carried=1 binds_rows=3 body=graph(%0, %1, %2) -> (%10) {
    %0   int64[]       = input "trip"
    %1   float32[]     = input "capture0"
    %2   float32[]     = input "carried0"
    %3   int64[]       = size rows
    %4   float32[]     = cast(%3)
    %5   float32[rows] = view(%1) []
    %6   float32[]     = sum(%5) axes=[0] order=16/4096
    %7   float32[]     = add(%4, %6)
    %8   float32[]     = exp(%1)
    %9   float32[]     = mul(%7, %8)
    %10  float32[]     = add(%2, %9)
  }
  %5  float32[]            = part(%4) index=0
  %6  (float32[], int64[]) = loop(%2, %1) length=2 carried=1 body=graph(%0, %1) -> (%4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  int64[]   = size rows
    %3  float32[] = cast(%2)
    %4  float32[] = add(%1, %3)
  }
  %7  float32[]            = part(%6) index=0
})",
                R"(
graph(%0, %1) -> (%6, %10) {
  %0   float32[rows]        = input "x"
  %1   float32[]            = input "y"
  %2   int64[]              = constant 2
  %3   int64[2]             = constant {3, 1}
  %4   float32[]            = exp(%1)
  %5   (float32[], int64[]) = loop(%2, %3, %1, %4, %1) length=2 captures=2 carried=1 binds_rows=3 body=graph(%0, %1, %3, %2) -> (%10) {
    %0   int64[]       = input "trip"
    %1   float32[]     = input "capture0"
    %2   float32[]     = input "carried0"
    %3   float32[]     = input "capture1"
    %4   int64[]       = size rows
    %5   float32[]     = cast(%4)
    %6   float32[rows] = view(%1) []
    %7   float32[]     = sum(%6) axes=[0] order=16/4096
    %8   float32[]     = add(%5, %7)
    %9   float32[]     = mul(%8, %3)
    %10  float32[]     = add(%2, %9)
  }
  %6   float32[]            = part(%5) index=0
  %7   int64[]              = size rows
  %8   float32[]            = cast(%7)
  %9   (float32[], int64[]) = loop(%2, %8, %1) length=2 captures=1 carried=1 body=graph(%0, %2, %1) -> (%3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = input "capture0"
    %3  float32[] = add(%1, %2)
  }
  %10  float32[]            = part(%9) index=0
})");
}

TEST(Hoist, MoveRandomNumbersAndPadding) {
  ExpectBecomes(HoistInvariants, R"(
graph(%0, %1, %2) -> (%5) {
  %0  float32[3]            = input "x"
  %1  int64[]               = input "key"
  %2  float32[5]            = input "y"
  %3  int64[]               = constant 4
  %4  (float32[5], int64[]) = loop(%3, %0, %1, %2) length=4 captures=2 carried=1 body=graph(%0, %1, %2, %3) -> (%8) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "capture0"
    %2  int64[]    = input "capture1"
    %3  float32[5] = input "carried0"
    %4  int64[]    = constant 0
    %5  float32[5] = random_uniform(%2, %4)
    %6  float32[5] = view(%1) [i0 - 1]
    %7  float32[5] = mul(%3, %5)
    %8  float32[5] = add(%6, %7)
  }
  %5  float32[5]            = part(%4) index=0
})",
                R"(
graph(%0, %1, %2) -> (%8) {
  %0  float32[3]            = input "x"
  %1  int64[]               = input "key"
  %2  float32[5]            = input "y"
  %3  int64[]               = constant 4
  %4  int64[]               = constant 0
  %5  float32[5]            = random_uniform(%1, %4)
  %6  float32[5]            = view(%0) [i0 - 1]
  %7  (float32[5], int64[]) = loop(%3, %0, %1, %5, %6, %2) length=4 captures=4 carried=1 body=graph(%0, %1, %2, %4, %5, %3) -> (%7) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "capture0"
    %2  int64[]    = input "capture1"
    %3  float32[5] = input "carried0"
    %4  float32[5] = input "capture2"
    %5  float32[5] = input "capture3"
    %6  float32[5] = mul(%3, %4)
    %7  float32[5] = add(%5, %6)
  }
  %8  float32[5]            = part(%7) index=0
})");
}

}  // namespace
}  // namespace talweg::passes
