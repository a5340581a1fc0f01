#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Inline, OfOneTripIsItsBody) {
  // Inside of another loop; the trip is 0, what is scanned has one slice, what is stacked gets an
  // axis.
  ExpectBecomes(InlineLoops, R"(
graph(%0, %1) -> (%4, %5) {
  %0  float32[]    = input "x"
  %1  float32[1]   = input "y"
  %2  int64[]      = constant 3
  %3  (float32[], float32[3,1], int64[]) = loop(%2, %1, %0) length=3 captures=1 carried=1 stacked=1 body=graph(%0, %1, %2) -> (%9, %6) {
    %0  int64[]                          = input "trip"
    %1  float32[1]                       = input "capture0"
    %2  float32[]                        = input "carried0"
    %3  int64[]                          = constant 1
    %4  (float32[], float32[1], int64[]) = loop(%3, %2, %2, %1) length=1 captures=1 carried=1 scanned=1 stacked=1 reversed body=graph(%0, %1, %2, %3) -> (%6, %4) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "capture0"
      %2  float32[] = input "carried0"
      %3  float32[] = input "scanned0"
      %4  float32[] = mul(%2, %3)
      %5  float32[] = cast(%0)
      %6  float32[] = add(%4, %5)
    }
    %5  float32[]                        = part(%4) index=0
    %6  float32[1]                       = part(%4) index=1
    %7  int64[]                          = part(%4) index=2
    %8  float32[]                        = cast(%7)
    %9  float32[]                        = mul(%5, %8)
  }
  %4  float32[]    = part(%3) index=0
  %5  float32[3,1] = part(%3) index=1
})",
                R"(
graph(%0, %1) -> (%4, %5) {
  %0  float32[]    = input "x"
  %1  float32[1]   = input "y"
  %2  int64[]      = constant 3
  %3  (float32[], float32[3,1], int64[]) = loop(%2, %1, %0) length=3 captures=1 carried=1 stacked=1 body=graph(%0, %1, %2) -> (%11, %9) {
    %0   int64[]    = input "trip"
    %1   float32[1] = input "capture0"
    %2   float32[]  = input "carried0"
    %3   int64[]    = constant 1
    %4   int64[]    = constant 0
    %5   float32[]  = view(%1) [0]
    %6   float32[]  = mul(%2, %5)
    %7   float32[]  = cast(%4)
    %8   float32[]  = add(%6, %7)
    %9   float32[1] = view(%6) []
    %10  float32[]  = cast(%3)
    %11  float32[]  = mul(%8, %10)
  }
  %4  float32[]    = part(%3) index=0
  %5  float32[3,1] = part(%3) index=1
})");
}

TEST(Inline, OfNoTripIsWhatItStartsFrom) {
  ExpectBecomes(InlineLoops, R"(
graph(%0, %1) -> (%4, %5, %6) {
  %0  float32[]    = input "x"
  %1  int64[]      = input "n"
  %2  int64[]      = constant 3
  %3  (float32[], float32[3,2], int64[3], int64[]) = loop(%2, %0) length=3 carried=1 stacked=2 body=graph(%0, %1) -> (%4, %5, %6) {
    %0  int64[]                          = input "trip"
    %1  float32[]                        = input "carried0"
    %2  int64[]                          = constant -1
    %3  (float32[], float32[2], int64[]) = loop(%2, %1) length=2 carried=1 stacked=1 body=graph(%0, %1) -> (%2, %2) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "carried0"
      %2  float32[] = exp(%1)
    }
    %4  float32[]                        = part(%3) index=0
    %5  float32[2]                       = part(%3) index=1
    %6  int64[]                          = part(%3) index=2
  }
  %4  float32[]    = part(%3) index=0
  %5  float32[3,2] = part(%3) index=1
  %6  int64[3]     = part(%3) index=2
})",
                R"(
graph(%0, %1) -> (%4, %5, %6) {
  %0  float32[]    = input "x"
  %1  int64[]      = input "n"
  %2  int64[]      = constant 3
  %3  (float32[], float32[3,2], int64[3], int64[]) = loop(%2, %0) length=3 carried=1 stacked=2 body=graph(%0, %1) -> (%1, %3, %4) {
    %0  int64[]    = input "trip"
    %1  float32[]  = input "carried0"
    %2  float32[]  = constant 0
    %3  float32[2] = view(%2) []
    %4  int64[]    = constant 0
  }
  %4  float32[]    = part(%3) index=0
  %5  float32[3,2] = part(%3) index=1
  %6  int64[3]     = part(%3) index=2
})");
}

TEST(Inline, OutermostLoopsStay) {
  // Who runs the graph counts their trips. So do others stay: of two trips; of one trip, but two
  // slices; of a run-time number of trips.
  ExpectStays(InlineLoops, R"(
graph(%0, %1, %2) -> (%5, %7) {
  %0  float32[]            = input "x"
  %1  float32[2]           = input "y"
  %2  int64[]              = input "n"
  %3  int64[]              = constant 1
  %4  (float32[], int64[]) = loop(%3, %0) length=1 carried=1 body=graph(%0, %1) -> (%2) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  float32[] = exp(%1)
  }
  %5  float32[]            = part(%4) index=0
  %6  (float32[], int64[]) = loop(%3, %1, %2, %0) length=1 captures=2 carried=1 body=graph(%0, %1, %2, %3) -> (%13) {
    %0   int64[]               = input "trip"
    %1   float32[2]            = input "capture0"
    %2   int64[]               = input "capture1"
    %3   float32[]             = input "carried0"
    %4   int64[]               = constant 2
    %5   (float32[], int64[])  = loop(%4, %3) length=2 carried=1 body=graph(%0, %1) -> (%2) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "carried0"
      %2  float32[] = exp(%1)
    }
    %6   float32[]             = part(%5) index=0
    %7   int64[]               = constant 1
    %8   (float32[2], int64[]) = loop(%7, %1) length=2 scanned=1 stacked=1 body=graph(%0, %1) -> (%2) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "scanned0"
      %2  float32[] = exp(%1)
    }
    %9   float32[2]            = part(%8) index=0
    %10  float32[]             = sum(%9) axes=[0] order=1
    %11  (float32[], int64[])  = loop(%2, %10) length=2 carried=1 body=graph(%0, %1) -> (%2) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "carried0"
      %2  float32[] = exp(%1)
    }
    %12  float32[]             = part(%11) index=0
    %13  float32[]             = add(%12, %6)
  }
  %7  float32[]            = part(%6) index=0
})");
}

TEST(Inline, StaysWhereItHasTripsOfItsOwn) {
  ExpectStays(InlineLoops, R"(
graph(%0, %1) -> (%4) {
  %0  float32[]            = input "x"
  %1  int64[]              = input "n"
  %2  int64[]              = constant 2
  %3  (float32[], int64[]) = loop(%2, %1, %0) length=2 captures=1 carried=1 body=graph(%0, %1, %2) -> (%5) {
    %0  int64[]              = input "trip"
    %1  int64[]              = input "capture0"
    %2  float32[]            = input "carried0"
    %3  int64[]              = constant 1
    %4  (float32[], int64[]) = loop(%3, %1, %2) length=1 captures=1 carried=1 body=graph(%0, %1, %2) -> (%5) {
      %0  int64[]                   = input "trip"
      %1  int64[]                   = input "capture0"
      %2  float32[]                 = input "carried0"
      %3  (float32[trips], int64[]) = loop(%1, %2) length=trips captures=1 stacked=1 body=graph(%0, %1) -> (%2) {
        %0  int64[]   = input "trip"
        %1  float32[] = input "capture0"
        %2  float32[] = exp(%1)
      }
      %4  float32[trips]            = part(%3) index=0
      %5  float32[]                 = sum(%4) axes=[0] order=16/4096
    }
    %5  float32[]            = part(%4) index=0
  }
  %4  float32[]            = part(%3) index=0
})");
}

TEST(Inline, RowsOfOneNumberAreThatNumber) {
  // In types, in the size of a scatter, in loops within that do not bind them, in the value of
  // rows; the order of the sum stays that of rows.
  ExpectBecomes(InlineLoops, R"(
graph(%0, %1) -> (%5) {
  %0  float32[]            = input "x"
  %1  float32[2,2]         = input "y"
  %2  int64[]              = constant 2
  %3  int64[2]             = constant all 3
  %4  (float32[], int64[]) = loop(%2, %3, %0, %1) length=2 carried=1 scanned=1 binds_rows=4 body=graph(%0, %1, %2) -> (%18) {
    %0   int64[]              = input "trip"
    %1   float32[]            = input "carried0"
    %2   float32[2]           = input "scanned0"
    %3   float32[rows,2]      = view(%2) [i1]
    %4   int32[rows]          = iota
    %5   float32[rows,2]      = gather(%3, %4) axis=0
    %6   float32[rows,2]      = scatter_add(%5, %4) axis=0
    %7   float32[2,rows]      = reshape(%6)
    %8   float32[]            = sum(%7) axes=[0,1] order=16/4096
    %9   int64[]              = constant 4
    %10  (float32[], int64[]) = loop(%9, %5, %8) length=4 captures=1 carried=1 body=graph(%0, %1, %2) -> (%6) {
      %0  int64[]         = input "trip"
      %1  float32[rows,2] = input "capture0"
      %2  float32[]       = input "carried0"
      %3  int64[]         = size rows
      %4  float32[]       = cast(%3)
      %5  float32[]       = sum(%1) axes=[0,1] order=16/4096
      %6  float32[]       = mul(%4, %5)
    }
    %11  float32[]            = part(%10) index=0
    %12  int64[]              = constant 1
    %13  int32[1]             = constant {2}
    %14  (float32[], int64[]) = loop(%12, %13, %11) length=1 carried=1 binds_rows=9 body=graph(%0, %1) -> (%4) {
      %0  int64[]   = input "trip"
      %1  float32[] = input "carried0"
      %2  int64[]   = size rows
      %3  float32[] = cast(%2)
      %4  float32[] = mul(%3, %1)
    }
    %15  float32[]            = part(%14) index=0
    %16  int64[]              = size rows
    %17  float32[]            = cast(%16)
    %18  float32[]            = mul(%15, %17)
  }
  %5  float32[]            = part(%4) index=0
})",
                R"(
graph(%0, %1) -> (%4) {
  %0  float32[]            = input "x"
  %1  float32[2,2]         = input "y"
  %2  int64[]              = constant 2
  %3  (float32[], int64[]) = loop(%2, %0, %1) length=2 carried=1 scanned=1 body=graph(%0, %1, %2) -> (%17) {
    %0   int64[]              = input "trip"
    %1   float32[]            = input "carried0"
    %2   float32[2]           = input "scanned0"
    %3   float32[3,2]         = view(%2) [i1]
    %4   int32[3]             = iota
    %5   float32[3,2]         = gather(%3, %4) axis=0
    %6   float32[3,2]         = scatter_add(%5, %4) axis=0
    %7   float32[2,3]         = reshape(%6)
    %8   float32[]            = sum(%7) axes=[0,1] order=16/4096
    %9   int64[]              = constant 4
    %10  (float32[], int64[]) = loop(%9, %5, %8) length=4 captures=1 carried=1 body=graph(%0, %1, %2) -> (%6) {
      %0  int64[]      = input "trip"
      %1  float32[3,2] = input "capture0"
      %2  float32[]    = input "carried0"
      %3  int64[]      = constant 3
      %4  float32[]    = cast(%3)
      %5  float32[]    = sum(%1) axes=[0,1] order=16/4096
      %6  float32[]    = mul(%4, %5)
    }
    %11  float32[]            = part(%10) index=0
    %12  int64[]              = constant 2
    %13  float32[]            = cast(%12)
    %14  float32[]            = mul(%13, %11)
    %15  int64[]              = constant 3
    %16  float32[]            = cast(%15)
    %17  float32[]            = mul(%14, %16)
  }
  %4  float32[]            = part(%3) index=0
})");
}

TEST(Inline, RowsStayWhereTheyVaryOrAreTooMany) {
  // 3 and 2; 5 where 4 is the most; and a number that is known, but nothing else limits the trips.
  ExpectStays(InlineLoops, R"(
graph(%0, %1) -> (%5, %8, %11) {
  %0   int64[]              = input "n"
  %1   float32[]            = input "x"
  %2   int64[]              = constant 2
  %3   int64[2]             = constant {3, 2}
  %4   (float32[], int64[]) = loop(%2, %3, %1) length=2 carried=1 binds_rows=4 body=graph(%0, %1) -> (%4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  int64[]   = size rows
    %3  float32[] = cast(%2)
    %4  float32[] = mul(%3, %1)
  }
  %5   float32[]            = part(%4) index=0
  %6   int32[2]             = constant all 5
  %7   (float32[], int64[]) = loop(%2, %6, %1) length=2 carried=1 binds_rows=4 body=graph(%0, %1) -> (%4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  int64[]   = size rows
    %3  float32[] = cast(%2)
    %4  float32[] = mul(%3, %1)
  }
  %8   float32[]            = part(%7) index=0
  %9   int32[2]             = constant all 3
  %10  (float32[], int64[]) = loop(%0, %9, %1) length=2 carried=1 binds_rows=4 body=graph(%0, %1) -> (%4) {
    %0  int64[]   = input "trip"
    %1  float32[] = input "carried0"
    %2  int64[]   = size rows
    %3  float32[] = cast(%2)
    %4  float32[] = mul(%3, %1)
  }
  %11  float32[]            = part(%10) index=0
})");
}

}  // namespace
}  // namespace talweg::passes
