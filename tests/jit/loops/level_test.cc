// Values whose rows would lie a multiple of 2 KiB apart, and so in few sets of the caches: between
// them lies a line that nobody reads (Level::NewTensor).

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jit/loops/lower.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

// A loop carries a matrix, which is read along its rows, across them, turned, backwards, and as an
// operand of a product.
Graph ReadInAllWays(DType dtype, int64_t columns) {
  Tape t;
  const Value x = t.Input("x", dtype, {5, columns}), w = t.Input("w", dtype, {columns, 3});
  const LoopResult loop = Loop(t, {.trips = 3, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
    const Value y = body.carried[0];
    const Value next = Tanh(y - Mean(y, {1}, Keep::kYes) + 0.5 * Reverse(y, {1}));
    return {.carried = {next}, .stacked = {Sum(y, {0}), ArgMax(y, 1), Less(y, next)}};
  });
  const Value y = loop.carried[0];
  return *t.Finish({y, Transpose(y), MatMul(Sqrt(y * y + 1), w), Sum(y), Slice(y, 1, 3, columns, 7),
                    loop.stacked[0], loop.stacked[1], loop.stacked[2]});
}

TEST(Rows, ThatLieFarApartAreParted) {
  const loops::Machine machine{.vector_bytes = 32};
  const auto elements = [&](const Graph& g) {
    const absl::StatusOr<loops::Program> program = loops::Lower(g, machine);
    EXPECT_TRUE(program.ok()) << program.status();
    int64_t most = 0;
    for (const loops::Buffer& buffer : program->buffers) {
      if (buffer.home == loops::Buffer::Home::kArena) most = std::max(most, buffer.elements);
    }
    return most;
  };
  EXPECT_EQ(elements(ReadInAllWays(kFloat32, 1024)) - elements(ReadInAllWays(kFloat32, 1016)),
            5 * (8 + 16));
}

TEST(Rows, GiveTheSameBits) {
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const int64_t columns : {256, 512, 1024, 1008}) {
      SCOPED_TRACE(absl::StrCat(Name(dtype), " ", columns));
      const Graph graph = ReadInAllWays(dtype, columns);
      const auto ran = RunOnEngines(AllEngines(), graph, RandomInputs(graph, 7, 1));
      EXPECT_TRUE(ran.ok()) << ran.status();
    }
  }
}

// Planes that are parted have rows that lie side by side: no vector may be written past a row's
// end.
TEST(Rows, OfPartedPlanesAreNotOverrun) {
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const Shape& shape :
         {Shape{7, 16, 11}, Shape{3, 128, 12}, Shape{3, 64, 8}, Shape{2, 3, 512}}) {
      Tape t;
      const Value x = t.Input("x", dtype, shape);
      const LoopResult loop = Loop(t, {.trips = 3, .carried = {x}}, [](LoopBody& body) -> LoopStep {
        return {.carried = {Cos(body.carried[0])}};
      });
      const Graph graph = *t.Finish({loop.carried[0], Sum(loop.carried[0], {1})});
      const auto ran = RunOnEngines(AllEngines(), graph, RandomInputs(graph, 7, 1));
      EXPECT_TRUE(ran.ok()) << ran.status();
    }
  }
}

// A view that pads one axis and takes the first rows of more that there are, as it is or after
// passes have made it of two: the rows behind those are not read, where there may be nothing.
TEST(Rows, OfAPaddedViewOfFewerRowsAreNotOverrun) {
  for (const bool merged : {true, false}) {
    for (const int64_t columns : {64, 1 << 18}) {
      Tape t;
      const Value counts = t.Constant(Array::Vector<int64_t>({3, 5}));
      const Value x = t.Input("x", kFloat32, {2, 5, columns});
      const Value w = t.Input("w", kFloat32, {columns + 2, 16});
      const LoopResult loop =
          Loop(t, {.trips = 2, .scanned = {x}, .rows = counts, .rows_limit = 5},
               [&](LoopBody& body) -> LoopStep {
                 ViewAttributes view{.axes = IdentityMaps(2), .fill = 0, .shape = {kRows, columns}};
                 if (merged) {
                   view.axes[1].offset = -1;
                   view.shape[1] = columns + 2;
                 }
                 Value padded = View(body.scanned[0], view, SourceLine());
                 if (!merged) padded = Pad(padded, {{0, 0}, {1, 1}});
                 return {.carried = {}, .stacked = {Sum(MatMul(padded, w))}};
               });
      const Graph graph = *t.Finish(loop.stacked);
      const auto ran = RunOnEngines(EnginesOfEachProcessor(), graph, RandomInputs(graph, 7, 1));
      EXPECT_TRUE(ran.ok()) << ran.status();
    }
  }
}

// Memory that is found when the program runs, for rows that lie close: whole vectors of rows are
// read, up to the limit.
TEST(Rows, OfDynamicMemoryHaveRoomUpToTheirLimit) {
  for (const bool reshaped : {false, true}) {
    Tape t;
    const Value counts = t.Constant(Array::Vector<int64_t>({5, 20, 1}));
    const Value n = t.Input("n", kInt64, {}), x = t.Input("x", kFloat32, {20, 3});
    const LoopResult loop =
        Loop(t, {.trips = 3, .rows = counts, .rows_limit = 20}, [&](LoopBody& body) -> LoopStep {
          const Value here = Gather(x, body.tape.Iota(kRows));
          const LoopResult inner =
              Loop(body.tape, {.trips = n, .carried = {here}}, [](LoopBody& in) -> LoopStep {
                return {.carried = {Tanh(in.carried[0] + 0.1)}, .stacked = {in.carried[0]}};
              });
          Value all = inner.stacked[0];
          if (reshaped) all = Tanh(all);
          LoopStep step{.carried = {}, .stacked = {Sum(Sum(all, {0, 2})), Sum(all, {0, 1})}};
          if (reshaped) step.stacked.push_back(Sum(Sum(all, {0})));
          return step;
        });
    const Graph graph = *t.Finish(loop.stacked);
    NamedArrays inputs = RandomInputs(graph, 7, 1);
    for (const int64_t trips : {0, 1, 7}) {
      inputs["n"] = Array(trips);
      const auto ran = RunOnEngines(EnginesOfEachProcessor(), graph, inputs);
      EXPECT_TRUE(ran.ok()) << ran.status();
    }
  }
}

}  // namespace
}  // namespace talweg
