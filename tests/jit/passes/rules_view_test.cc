#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "jit/passes/passes.h"
#include "ops/view.h"
#include "tests/jit/passes/check.h"

namespace talweg::passes {
namespace {

TEST(Simplify, BringsViewsIntoTheirNormalForm) {
  // Terms in order and one an axis, none of an axis of extent 1; the least dilation; 0 where the
  // operand has one element; no fill where it is not seen.
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%2, %3, %4) {
  %0  float32[8]     = input "x"
  %1  float32[1]     = input "y"
  %2  float32[2,3,1] = view(%0) [i1 + 2*i0 - 5*i2 + i1] fill=7
  %3  float32[5]     = view(%0) [(4*i0 - 2)/6]
  %4  float32[3]     = view(%1) [0] fill=2
})",
                R"(
graph(%0, %1) -> (%2, %3, %4) {
  %0  float32[8]     = input "x"
  %1  float32[1]     = input "y"
  %2  float32[2,3,1] = view(%0) [2*i0 + 2*i1]
  %3  float32[5]     = view(%0) [(2*i0 - 1)/3]
  %4  float32[3]     = view(%1) [0]
})");
}

TEST(Simplify, LeavesOutViewsThatMoveNothing) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%2, %3, %4) {
  %0  float32[rows,3] = input "x"
  %1  float32[1,2]    = input "y"
  %2  float32[rows,3] = view(%0) [i0, i1]
  %3  float32[1,2]    = view(%1) [0, i1]
  %4  float32[1,2]    = view(%1) [i0, i1] fill=3
})",
                R"(
graph(%0, %1) -> (%0, %1, %1) {
  %0  float32[rows,3] = input "x"
  %1  float32[1,2]    = input "y"
})");
}

TEST(Simplify, KeepsViewsThatMoveSomething) {
  ExpectStays(Simplify, R"(
graph(%0, %1) -> (%2, %3, %4, %5) {
  %0  float32[3,3]    = input "x"
  %1  float32[rows,3] = input "y"
  %2  float32[3,3]    = view(%0) [i1, i0]
  %3  float32[3,3]    = view(%0) [2*i0, i1]
  %4  float32[2,3]    = view(%0) [i0, i1]
  %5  float32[4,3]    = view(%1) [i0, i1]
})");
}

TEST(Simplify, ComposesViews) {
  // A slice of a transpose; a reversal of a window; a broadcast of a slice.
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%2, %4, %6) {
  %0  float32[6,4]   = input "x"
  %1  float32[4,6]   = view(%0) [i1, i0]
  %2  float32[2,6]   = view(%1) [i0 + 1, i1]
  %3  float32[4,3,4] = view(%0) [i0 + i1, i2]
  %4  float32[4,3,4] = view(%3) [-i0 + 3, -i1 + 2, i2]
  %5  float32[4]     = view(%0) [2, i0]
  %6  float32[3,4]   = view(%5) [i1]
})",
                R"(
graph(%0) -> (%1, %2, %3) {
  %0  float32[6,4]   = input "x"
  %1  float32[2,6]   = view(%0) [i1, i0 + 1]
  %2  float32[4,3,4] = view(%0) [-i0 - i1 + 5, i2]
  %3  float32[3,4]   = view(%0) [2, i1]
})");
}

TEST(Simplify, ComposesViewsOfFill) {
  // The inner one has fill: the outer one only moves it. The outer one has fill: the inner axes are
  // the operand's own. Both have the same fill.
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%2, %4, %6, %8, %10) {
  %0   float32[4,2]   = input "x"
  %1   float32[7,2]   = view(%0) [i0 - 1, i1] fill=3
  %2   float32[2,7]   = view(%1) [-i1 + 6, i0]
  %3   float32[2,4]   = view(%0) [i1, i0]
  %4   float32[5,9]   = view(%3) [i0 - 1, (i1 - 2)/2] fill=1
  %5   float32[6,2]   = view(%0) [i0 - 1, i1] fill=4
  %6   float32[8,2]   = view(%5) [i0 - 1, i1] fill=4
  %7   float32[7,2]   = view(%0) [(i0)/2, i1]
  %8   float32[3,2]   = view(%7) [2*i0 + 1, i1]
  %9   float32[1,4,2] = view(%0) [i1, i2]
  %10  float32[3,4,2] = view(%9) [i0 - 1, i1, i2]
})",
                R"(
graph(%0) -> (%1, %2, %3, %4, %6) {
  %0  float32[4,2]   = input "x"
  %1  float32[2,7]   = view(%0) [-i1 + 5, i0] fill=3
  %2  float32[5,9]   = view(%0) [(i1 - 2)/2, i0 - 1] fill=1
  %3  float32[8,2]   = view(%0) [i0 - 2, i1] fill=4
  %4  float32[3,2]   = view(%0) [(2*i0 + 1)/2, i1]
  %5  float32[1,4,2] = view(%0) [i1, i2]
  %6  float32[3,4,2] = view(%5) [i0 - 1, i1, i2]
})");
}

TEST(Simplify, DoesNotComposeWhatFillsDifferently) {
  // Two fills; padding of a slice, beside which the operand has elements; padding of a broadcast
  // axis; a dilated index in a window.
  ExpectStays(Simplify, R"(
graph(%0) -> (%2, %4, %6, %8, %10) {
  %0   float32[5]   = input "x"
  %1   float32[7]   = view(%0) [i0 - 1] fill=1
  %2   float32[9]   = view(%1) [i0 - 1]
  %3   float32[3]   = view(%0) [i0 + 1]
  %4   float32[5]   = view(%3) [i0 - 1]
  %5   float32[2,5] = view(%0) [i1]
  %6   float32[4,5] = view(%5) [i0 - 1, i1]
  %7   float32[3,3] = view(%0) [i0 + i1]
  %8   float32[5,3] = view(%7) [(i0)/2, i1]
  %9   float32[5]   = view(%0) [-i0 + 4]
  %10  float32[8]   = view(%9) [i0 - 1] fill=2
})");
}

TEST(Simplify, PadsAnAxisOfExtentOneWhereThereIsOne) {
  ExpectBecomes(Simplify, R"(
graph(%0) -> (%2) {
  %0  float32[1,3] = input "x"
  %1  float32[3,1] = view(%0) [0, i0]
  %2  float32[3,4] = view(%1) [i0, i1 - 2] fill=5
})",
                R"(
graph(%0) -> (%1) {
  %0  float32[1,3] = input "x"
  %1  float32[3,4] = view(%0) [i1 - 2, i0] fill=5
})");
}

TEST(Simplify, TakesASliceOfAConcatenationFromItsOperand) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%3, %4, %5, %6) {
  %0  float32[2,3] = input "x"
  %1  float32[2,4] = input "y"
  %2  float32[2,7] = concat(%0, %1) axis=1
  %3  float32[2,3] = view(%2) [i0, i1]
  %4  float32[2,2] = view(%2) [i0, i1 + 4]
  %5  float32[2,2] = view(%2) [i0, i1 + 2]
  %6  float32[4,3] = view(%2) [i0 - 1, -i1 + 5] fill=1
})",
                R"(
graph(%0, %1) -> (%0, %3, %4, %5) {
  %0  float32[2,3] = input "x"
  %1  float32[2,4] = input "y"
  %2  float32[2,7] = concat(%0, %1) axis=1
  %3  float32[2,2] = view(%1) [i0, i1 + 1]
  %4  float32[2,2] = view(%2) [i0, i1 + 2]
  %5  float32[4,3] = view(%1) [i0 - 1, -i1 + 2] fill=1
})");
}

TEST(Simplify, ReshapesOnceOrByAView) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1) -> (%3, %4, %5, %6, %9, %11) {
  %0   float32[4,6]      = input "x"
  %1   float32[rows,1,3] = input "y"
  %2   float32[24]       = reshape(%0)
  %3   float32[8,3]      = reshape(%2)
  %4   float32[4,6]      = reshape(%2)
  %5   float32[rows,3]   = reshape(%1)
  %6   float32[1,4,1,6]  = reshape(%0)
  %7   float32[]         = sum(%0) axes=[0,1] order=16
  %8   float32[2,3]      = view(%7) []
  %9   float32[6]        = reshape(%8)
  %10  float32[4,6,1]    = reshape(%0)
  %11  float32[3,8]      = reshape(%10)
})",
                R"(
graph(%0, %1) -> (%2, %0, %3, %4, %6, %7) {
  %0  float32[4,6]      = input "x"
  %1  float32[rows,1,3] = input "y"
  %2  float32[8,3]      = reshape(%0)
  %3  float32[rows,3]   = view(%1) [i0, 0, i1]
  %4  float32[1,4,1,6]  = view(%0) [i1, i3]
  %5  float32[]         = sum(%0) axes=[0,1] order=16
  %6  float32[6]        = view(%5) []
  %7  float32[3,8]      = reshape(%0)
})");
}

TEST(Simplify, ReshapesWhatNoViewCan) {
  // The same elements by another transpose; rows in another place.
  ExpectStays(Simplify, R"(
graph(%0) -> (%1, %3) {
  %0  float32[2,3] = input "x"
  %1  float32[3,2] = reshape(%0)
  %2  float32[3,2] = view(%0) [i1, i0]
  %3  float32[6]   = reshape(%2)
})");
}

TEST(Simplify, ConcatenatesWhatHasElements) {
  ExpectBecomes(Simplify, R"(
graph(%0, %1, %2) -> (%3, %4, %5) {
  %0  float32[2] = input "x"
  %1  float32[0] = input "y"
  %2  float32[3] = input "z"
  %3  float32[2] = concat(%0, %1) axis=0
  %4  float32[5] = concat(%1, %0, %2, %1) axis=0
  %5  float32[0] = concat(%1, %1) axis=0
})",
                R"(
graph(%0, %1, %2) -> (%0, %3, %4) {
  %0  float32[2] = input "x"
  %1  float32[0] = input "y"
  %2  float32[3] = input "z"
  %3  float32[5] = concat(%0, %2) axis=0
  %4  float32[0] = concat(%1, %1) axis=0
})");
}

// ---- Views drawn at random ----------------------------------------------------------------------

// Any view that there can be, of few elements: several terms an axis, equal terms, dilations,
// offsets beyond both ends, two kinds of fill.
Value RandomView(const Value& x, std::mt19937_64& random) {
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  ViewAttributes view;
  const int64_t rank = pick(0, 3);
  for (int64_t i = 0; i < rank; i++) view.shape.push_back(pick(0, 9) == 0 ? 0 : pick(1, 4));
  for (int64_t k = 0; k < x.rank(); k++) {
    AxisMap map;
    if (pick(0, 2) == 0) {
      map.offset = pick(-2, 4);
      map.dilation = pick(0, 3) == 0 ? pick(2, 3) : 1;
      for (int64_t terms = pick(0, 2); rank > 0 && terms > 0; terms--) {
        const int64_t step = pick(-2, 2);
        if (step != 0) map.terms.push_back({.axis = pick(0, rank - 1), .step = step});
      }
    } else if (rank > 0) {  // as views mostly are
      map.terms = {{.axis = pick(0, rank - 1), .step = 1}};
      if (pick(0, 2) == 0) map.offset = pick(-1, 1);
    }
    view.axes.push_back(std::move(map));
  }
  view.fill = static_cast<double>(pick(0, 1));
  return View(x, std::move(view), {});
}

TEST(Simplify, KeepsTheElementsOfRandomViews) {
  int composed = 0;
  for (uint64_t seed = 0; seed < 20000; seed++) {
    std::mt19937_64 random(seed);
    Tape t;
    Value y = t.Input("x", kFloat32, {4, 3});
    for (int i = 0; i < 3; i++) y = RandomView(y, random);
    const absl::StatusOr<Graph> graph = t.Finish({y});
    ASSERT_TRUE(graph.ok()) << graph.status();
    const Reference::Sizes sizes[] = {{1, 1}};
    const Graph after = Simplify(*graph);
    const std::string fault = Reference(*graph, sizes, seed).Compare(after);
    ASSERT_EQ(fault, "") << "seed " << seed << "\n" << Print(*graph) << Print(after);
    ASSERT_TRUE(Simplify(after) == after) << "seed " << seed << "\n" << Print(*graph);
    composed += after.nodes().size() < graph->nodes().size();
  }
  EXPECT_GE(composed, 10000);
}

}  // namespace
}  // namespace talweg::passes
