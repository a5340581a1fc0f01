#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Captures, EnterAsWhatTheyAre) {
  // A constant, an iota, a scalar that is spread, the number of rows.
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0, %1) -> (%8, %9) {
  %0  float32[rows,3] = input "x"
  %1  float32[3]      = input "y"
  %2  int64[]         = constant 4
  %3  float32[]       = constant 2
  %4  float32[rows,3] = view(%3) []
  %5  int32[3]        = iota
  %6  int64[]         = size rows
  %7  (float32[rows,3], float32[4], int64[]) = loop(%2, %4, %5, %6, %3, %0) length=4 captures=4 carried=1 stacked=1 body=graph(%0, %1, %2, %3, %4, %5) -> (%9, %11) {
    %0   int64[]         = input "trip"
    %1   float32[rows,3] = input "capture0"
    %2   int32[3]        = input "capture1"
    %3   int64[]         = input "capture2"
    %4   float32[]       = input "capture3"
    %5   float32[rows,3] = input "carried0"
    %6   float32[3]      = cast(%2)
    %7   float32[rows,3] = view(%6) [i1]
    %8   float32[rows,3] = mul(%5, %1)
    %9   float32[rows,3] = add(%7, %8)
    %10  float32[]       = cast(%3)
    %11  float32[]       = mul(%10, %4)
  }
  %8  float32[rows,3] = part(%7) index=0
  %9  float32[4]      = part(%7) index=1
})",
                R"(
graph(%0, %1) -> (%4, %5) {
  %0  float32[rows,3] = input "x"
  %1  float32[3]      = input "y"
  %2  int64[]         = constant 4
  %3  (float32[rows,3], float32[4], int64[]) = loop(%2, %0) length=4 carried=1 stacked=1 body=graph(%0, %5) -> (%9, %11) {
    %0   int64[]         = input "trip"
    %1   float32[]       = constant 2
    %2   float32[rows,3] = view(%1) []
    %3   int32[3]        = iota
    %4   int64[]         = size rows
    %5   float32[rows,3] = input "carried0"
    %6   float32[3]      = cast(%3)
    %7   float32[rows,3] = view(%6) [i1]
    %8   float32[rows,3] = mul(%5, %2)
    %9   float32[rows,3] = add(%7, %8)
    %10  float32[]       = cast(%4)
    %11  float32[]       = mul(%10, %1)
  }
  %4  float32[rows,3] = part(%3) index=0
  %5  float32[4]      = part(%3) index=1
})");
}

TEST(Captures, EnterBeforeTheyAreSpread) {
  // A view that spreads is made inside; one that pads or takes a part is made once, outside.
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0, %1) -> (%7) {
  %0  float32[3]              = input "x"
  %1  float32[5,3]            = input "y"
  %2  int64[]                 = constant 4
  %3  float32[5,3]            = view(%0) [i1]
  %4  float32[5,3]            = view(%0) [i1 - i0]
  %5  float32[5,3]            = view(%1) [-i0 + 4, i1]
  %6  (float32[5,3], int64[]) = loop(%2, %3, %4, %5, %1) length=4 captures=3 carried=1 body=graph(%0, %1, %2, %3, %4) -> (%7) {
    %0  int64[]      = input "trip"
    %1  float32[5,3] = input "capture0"
    %2  float32[5,3] = input "capture1"
    %3  float32[5,3] = input "capture2"
    %4  float32[5,3] = input "carried0"
    %5  float32[5,3] = mul(%1, %4)
    %6  float32[5,3] = add(%2, %5)
    %7  float32[5,3] = sub(%3, %6)
  }
  %7  float32[5,3]            = part(%6) index=0
})",
                R"(
graph(%0, %1) -> (%6) {
  %0  float32[3]              = input "x"
  %1  float32[5,3]            = input "y"
  %2  int64[]                 = constant 4
  %3  float32[5,3]            = view(%0) [i1 - i0]
  %4  float32[5,3]            = view(%1) [-i0 + 4, i1]
  %5  (float32[5,3], int64[]) = loop(%2, %0, %3, %4, %1) length=4 captures=3 carried=1 body=graph(%0, %1, %3, %4, %5) -> (%8) {
    %0  int64[]      = input "trip"
    %1  float32[3]   = input "capture0"
    %2  float32[5,3] = view(%1) [i1]
    %3  float32[5,3] = input "capture1"
    %4  float32[5,3] = input "capture2"
    %5  float32[5,3] = input "carried0"
    %6  float32[5,3] = mul(%2, %5)
    %7  float32[5,3] = add(%3, %6)
    %8  float32[5,3] = sub(%4, %7)
  }
  %6  float32[5,3]            = part(%5) index=0
})");
}

TEST(Captures, EnterOnce) {
  // The same capture twice, the same scanned value twice, one value stacked twice.
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0, %1) -> (%4, %5, %6) {
  %0  float32[]  = input "x"
  %1  float32[4] = input "y"
  %2  int64[]    = constant 4
  %3  (float32[4], float32[4], float32[4], int64[]) = loop(%2, %0, %0, %1, %1) length=4 captures=2 scanned=2 stacked=3 body=graph(%0, %1, %2, %3, %4) -> (%5, %6, %5) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "capture0"
    %2  float32[] = input "capture1"
    %3  float32[] = input "scanned0"
    %4  float32[] = input "scanned1"
    %5  float32[] = mul(%1, %3)
    %6  float32[] = mul(%2, %4)
  }
  %4  float32[4] = part(%3) index=0
  %5  float32[4] = part(%3) index=1
  %6  float32[4] = part(%3) index=2
})",
                R"(
graph(%0, %1) -> (%4, %4, %4) {
  %0  float32[]             = input "x"
  %1  float32[4]            = input "y"
  %2  int64[]               = constant 4
  %3  (float32[4], int64[]) = loop(%2, %0, %1) length=4 captures=1 scanned=1 stacked=1 body=graph(%0, %1, %2) -> (%3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "capture0"
    %2  float32[] = input "scanned0"
    %3  float32[] = mul(%1, %2)
  }
  %4  float32[4]            = part(%3) index=0
})");
}

TEST(Captures, WhatIsCarriedUnchangedIsCaptured) {
  // Its part is what went in, after any number of trips. Two values that change places are not
  // unchanged.
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0, %1, %2, %3) -> (%5, %6, %7, %8) {
  %0  int64[]   = input "n"
  %1  float32[] = input "x"
  %2  float32[] = input "y"
  %3  float32[] = input "z"
  %4  (float32[], float32[], float32[], float32[], int64[]) = loop(%0, %1, %2, %3, %2) length=trips carried=4 body=graph(%0, %1, %2, %3, %4) -> (%1, %3, %2, %5) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = input "carried1"
    %3  float32[] = input "carried2"
    %4  float32[] = input "carried3"
    %5  float32[] = mul(%4, %1)
  }
  %5  float32[] = part(%4) index=0
  %6  float32[] = part(%4) index=1
  %7  float32[] = part(%4) index=2
  %8  float32[] = part(%4) index=3
})",
                R"(
graph(%0, %1, %2, %3) -> (%1, %5, %6, %7) {
  %0  int64[]   = input "n"
  %1  float32[] = input "x"
  %2  float32[] = input "y"
  %3  float32[] = input "z"
  %4  (float32[], float32[], float32[], int64[]) = loop(%0, %1, %2, %3, %2) length=trips captures=1 carried=3 body=graph(%0, %1, %2, %3, %4) -> (%3, %2, %5) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "capture0"
    %2  float32[] = input "carried0"
    %3  float32[] = input "carried1"
    %4  float32[] = input "carried2"
    %5  float32[] = mul(%4, %1)
  }
  %5  float32[] = part(%4) index=0
  %6  float32[] = part(%4) index=1
  %7  float32[] = part(%4) index=2
})");
}

TEST(Captures, WhatIsScannedWithEqualSlicesIsCaptured) {
  // By a view that does not name the first axis. The last one that says how many trips there may be
  // stays, unless that is known.
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0, %1, %2) -> (%7, %9, %11) {
  %0   int64[]               = input "n"
  %1   float32[3]            = input "x"
  %2   float32[4,3]          = input "y"
  %3   float32[4,3]          = view(%1) [i1]
  %4   float32[4,3]          = view(%1) [i0]
  %5   int64[]               = constant 4
  %6   (float32[3], int64[]) = loop(%0, %1, %3, %2) length=4 carried=1 scanned=2 body=graph(%0, %1, %2, %3) -> (%5) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "carried0"
    %2  float32[3] = input "scanned0"
    %3  float32[3] = input "scanned1"
    %4  float32[3] = mul(%1, %2)
    %5  float32[3] = sub(%4, %3)
  }
  %7   float32[3]            = part(%6) index=0
  %8   (float32[3], int64[]) = loop(%0, %1, %3) length=4 carried=1 scanned=1 body=graph(%0, %1, %2) -> (%3) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "carried0"
    %2  float32[3] = input "scanned0"
    %3  float32[3] = mul(%1, %2)
  }
  %9   float32[3]            = part(%8) index=0
  %10  (float32[3], int64[]) = loop(%5, %1, %3) length=4 carried=1 scanned=1 body=graph(%0, %1, %2) -> (%3) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "carried0"
    %2  float32[3] = input "scanned0"
    %3  float32[3] = mul(%1, %2)
  }
  %11  float32[3]            = part(%10) index=0
})",
                R"(
graph(%0, %1, %2) -> (%6, %8, %10) {
  %0   int64[]               = input "n"
  %1   float32[3]            = input "x"
  %2   float32[4,3]          = input "y"
  %3   float32[4,3]          = view(%1) [i1]
  %4   int64[]               = constant 4
  %5   (float32[3], int64[]) = loop(%0, %1, %1, %2) length=4 captures=1 carried=1 scanned=1 body=graph(%0, %2, %1, %3) -> (%5) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "carried0"
    %2  float32[3] = input "capture0"
    %3  float32[3] = input "scanned0"
    %4  float32[3] = mul(%1, %2)
    %5  float32[3] = sub(%4, %3)
  }
  %6   float32[3]            = part(%5) index=0
  %7   (float32[3], int64[]) = loop(%0, %1, %3) length=4 carried=1 scanned=1 body=graph(%0, %1, %2) -> (%3) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "carried0"
    %2  float32[3] = input "scanned0"
    %3  float32[3] = mul(%1, %2)
  }
  %8   float32[3]            = part(%7) index=0
  %9   (float32[3], int64[]) = loop(%4, %1, %1) length=4 captures=1 carried=1 body=graph(%0, %2, %1) -> (%3) {
    %0  int64[]    = input "trip"
    %1  float32[3] = input "carried0"
    %2  float32[3] = input "capture0"
    %3  float32[3] = mul(%1, %2)
  }
  %10  float32[3]            = part(%9) index=0
})");
}

TEST(Captures, StopOnlyIfTheyMay) {
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0, %1) -> (%3, %4, %6) {
  %0  int64[]              = input "n"
  %1  float32[]            = input "x"
  %2  (float32[], int64[]) = loop(%0, %1) length=trips carried=1 stops body=graph(%0, %1) -> (%2, %3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = exp(%1)
    %3  bool[]    = constant false
  }
  %3  float32[]            = part(%2) index=0
  %4  int64[]              = part(%2) index=1
  %5  (float32[], int64[]) = loop(%0, %1) length=trips carried=1 stops body=graph(%0, %1) -> (%2, %3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = exp(%1)
    %3  bool[]    = constant true
  }
  %6  float32[]            = part(%5) index=0
})",
                R"(
graph(%0, %1) -> (%3, %4, %6) {
  %0  int64[]              = input "n"
  %1  float32[]            = input "x"
  %2  (float32[], int64[]) = loop(%0, %1) length=trips carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = exp(%1)
  }
  %3  float32[]            = part(%2) index=0
  %4  int64[]              = part(%2) index=1
  %5  (float32[], int64[]) = loop(%0, %1) length=trips carried=1 stops body=graph(%0, %1) -> (%2, %3) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = exp(%1)
    %3  bool[]    = constant true
  }
  %6  float32[]            = part(%5) index=0
})");
}

TEST(Captures, DoNotBringRowsIntoBodiesWithRowsOfTheirOwn) {
  // Rows are others inside; 3 is 3.
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0, %1) -> (%7) {
  %0  float32[rows]        = input "x"
  %1  float32[]            = input "y"
  %2  int64[]              = constant 2
  %3  int64[2]             = constant {3, 1}
  %4  int64[]              = size rows
  %5  float32[]            = constant 3
  %6  (float32[], int64[]) = loop(%2, %3, %4, %5, %1) length=2 captures=2 carried=1 binds_rows=3 body=graph(%0, %1, %2, %3) -> (%8) {
    %0  int64[]   = input "trip"
    %1  int64[]   = input "capture0"
    %2  float32[] = input "capture1"
    %3  float32[] = input "carried0"
    %4  int64[]   = size rows
    %5  int64[]   = add(%1, %4)
    %6  float32[] = cast(%5)
    %7  float32[] = mul(%3, %2)
    %8  float32[] = add(%6, %7)
  }
  %7  float32[]            = part(%6) index=0
})",
                R"(
graph(%0, %1) -> (%6) {
  %0  float32[rows]        = input "x"
  %1  float32[]            = input "y"
  %2  int64[]              = constant 2
  %3  int64[2]             = constant {3, 1}
  %4  int64[]              = size rows
  %5  (float32[], int64[]) = loop(%2, %3, %4, %1) length=2 captures=1 carried=1 binds_rows=3 body=graph(%0, %1, %3) -> (%8) {
    %0  int64[]   = input "trip"
    %1  int64[]   = input "capture0"
    %2  float32[] = constant 3
    %3  float32[] = input "carried0"
    %4  int64[]   = size rows
    %5  int64[]   = add(%1, %4)
    %6  float32[] = cast(%5)
    %7  float32[] = mul(%3, %2)
    %8  float32[] = add(%6, %7)
  }
  %6  float32[]            = part(%5) index=0
})");
}

TEST(Captures, EnterLoopsWithinLoops) {
  ExpectBecomes(SimplifyCaptures, R"(
graph(%0) -> (%4) {
  %0  float32[3]            = input "x"
  %1  int64[]               = constant 2
  %2  float32[]             = constant 0.5
  %3  (float32[3], int64[]) = loop(%1, %2, %0) length=2 captures=1 carried=1 body=graph(%0, %1, %2) -> (%5) {
    %0  int64[]               = input "trip"
    %1  float32[]             = input "capture0"
    %2  float32[3]            = input "carried0"
    %3  int64[]               = constant 3
    %4  (float32[3], int64[]) = loop(%3, %1, %2) length=3 captures=1 carried=1 body=graph(%0, %1, %2) -> (%4) {
      %0  int64[]    = input "trip"
      %1  float32[]  = input "capture0"
      %2  float32[3] = input "carried0"
      %3  float32[3] = view(%1) []
      %4  float32[3] = mul(%2, %3)
    }
    %5  float32[3]            = part(%4) index=0
  }
  %4  float32[3]            = part(%3) index=0
})",
                R"(
graph(%0) -> (%3) {
  %0  float32[3]            = input "x"
  %1  int64[]               = constant 2
  %2  (float32[3], int64[]) = loop(%1, %0) length=2 carried=1 body=graph(%0, %1) -> (%4) {
    %0  int64[]               = input "trip"
    %1  float32[3]            = input "carried0"
    %2  int64[]               = constant 3
    %3  (float32[3], int64[]) = loop(%2, %1) length=3 carried=1 body=graph(%0, %2) -> (%4) {
      %0  int64[]    = input "trip"
      %1  float32[]  = constant 0.5
      %2  float32[3] = input "carried0"
      %3  float32[3] = view(%1) []
      %4  float32[3] = mul(%2, %3)
    }
    %4  float32[3]            = part(%3) index=0
  }
  %3  float32[3]            = part(%2) index=0
})");
}

}  // namespace
}  // namespace talweg::passes
