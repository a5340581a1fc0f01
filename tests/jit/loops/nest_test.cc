// Register tiles along two axes and several vectors, of a run-time extent: what is computed past
// its end must not be written over what comes behind.

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jit/loops/lower.h"
#include "jit/loops/print.h"
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

// Results of a few classes for each trip's rows, of so many units.
Graph Classes(int64_t units, int64_t classes, int64_t limit) {
  Tape t;
  const Value data = t.Input("data", kFloat32, {limit, 2});
  const Value w = t.Input("w", kFloat32, {2, units}), v = t.Input("v", kFloat32, {units, classes});
  const LoopResult loop =
      Loop(t,
           {.trips = 1,
            .carried = {t.Constant(Array(0.0f))},
            .rows = t.Input("rows", kInt32, {1}),
            .rows_limit = limit},
           [&](LoopBody& body) -> LoopStep {
             const Value hidden = Relu(MatMul(Gather(data, body.tape.Iota(kRows)), w));
             return {.carried = {body.carried[0] + Sum(MatMul(hidden, v), {0, 1})}};
           });
  return *t.Finish({loop.carried[0]});
}

// Several vectors of rows at a time, of which the last ones may have no row.
TEST(Vectors, OfRowsStayInside) {
  for (const int64_t limit : {16, 32, 40, 64}) {
    for (const int64_t classes : {1, 2, 3, 5}) {
      const Graph graph = Classes(20, classes, limit);
      for (const int64_t rows : {int64_t{0}, int64_t{1}, int64_t{16}, int64_t{17}, limit}) {
        if (rows > limit) continue;
        SCOPED_TRACE(absl::StrCat(classes, " classes of ", rows, " of ", limit, " rows"));
        NamedArrays inputs = RandomInputs(graph, 7, 1);
        inputs.insert_or_assign("rows", Array::Vector<int32_t>({static_cast<int32_t>(rows)}));
        const auto ran = RunOnEngines(EnginesOfEachProcessor(), graph, inputs);
        EXPECT_TRUE(ran.ok()) << ran.status();
      }
    }
  }
}

// What only sums of a few classes read lies so that they find rows side by side; and where there
// are fewer sums than additions that one waits for, more vectors come in between.
TEST(Vectors, OfRowsLieSideBySide) {
  const auto text = [](int64_t limit) {
    const auto program =
        loops::Lower(Classes(20, 3, limit), {.vector_bytes = 64, .vector_registers = 32});
    return program.ok() ? loops::ToString(*program) : program.status().ToString();
  };
  for (const int64_t limit : {32, 48}) {
    const std::string loops = text(limit);
    const size_t at = loops.rfind("section \"contract");
    ASSERT_NE(at, loops.npos) << loops;
    const std::string products = loops.substr(at, loops.find("section", at + 1) - at);
    EXPECT_FALSE(absl::StrContains(products, "] step ")) << products;
    EXPECT_TRUE(absl::StrContains(products, limit == 32 ? " step 32\n" : " step 16\n")) << products;
  }
}

}  // namespace
}  // namespace talweg
