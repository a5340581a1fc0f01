// Register tiles along two axes, one of them of a run-time extent: what is computed past its end
// must not be written over what comes behind.

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

// For each trip's rows: planes of products that lie behind each other without gaps, since somebody
// reads them under another shape, and sums of them.
Graph Planes(DType dtype, int64_t planes) {
  Tape t;
  const Value data = t.Input("data", dtype, {64, 16, 16}), w = t.Input("w", dtype, {planes, 16});
  const LoopResult loop =
      Loop(t,
           {.trips = 1,
            .carried = {t.Constant(Array(0.0))},
            .rows = t.Input("rows", kInt32, {1}),
            .rows_limit = 64},
           [&](LoopBody& body) -> LoopStep {
             const Value x = Tanh(Gather(data, body.tape.Iota(kRows)));
             const Value y = Contract(w, x, {.lhs_sum = {1}, .rhs_sum = {1}});
             const Value z = Reshape(y, {planes, kRows, 4, 4});
             const Value sums = Sum(Tanh(z), {2});
             return {.carried = {body.carried[0] + Cast(Sum(z) + Sum(sums * sums), kFloat64)}};
           });
  return *t.Finish({loop.carried[0]});
}

TEST(Tiles, OfTwoAxesStayInside) {
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const int64_t planes : {2, 4, 7}) {
      for (const int32_t rows : {1, 2, 3, 5, 8, 9}) {
        SCOPED_TRACE(absl::StrCat(Name(dtype), " ", planes, " planes of ", rows));
        const Graph graph = Planes(dtype, planes);
        NamedArrays inputs = RandomInputs(graph, 7, 1);
        inputs.insert_or_assign("rows", Array::Vector<int32_t>({rows}));
        const auto ran = RunOnEngines(EnginesOfEachProcessor(), graph, inputs);
        EXPECT_TRUE(ran.ok()) << ran.status();
      }
    }
  }
}

}  // namespace
}  // namespace talweg
