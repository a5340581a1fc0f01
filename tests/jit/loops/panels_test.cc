// Weights that a loop carries lie in panels, as the kernels of large products read them
// (loops::PanelsOf). Whoever else reads them must find the same elements.

#include <cstdint>
#include <tuple>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jit/loops/lower.h"
#include "jit/passes/pipeline.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

// Weights [terms, columns], or turned, which a loop reads in a product, updates, and reads in every
// other way that there is.
Graph ReadInAllWays(DType dtype, int64_t rows, int64_t terms, int64_t columns, bool turned) {
  Tape t;
  const Value x = t.Input("x", dtype, {rows, terms});
  const Value start = t.Input("w", dtype, turned ? Shape{columns, terms} : Shape{terms, columns});
  const Value at = t.Input("at", kInt32, {4});
  const LoopResult loop =
      Loop(t, {.trips = 3, .carried = {start, 0 * start}}, [&](LoopBody& body) -> LoopStep {
        const Value w = body.carried[0], velocity = body.carried[1];
        const Value forward = turned ? Transpose(w) : w;
        const Value y = Tanh(MatMul(x, forward) + Mean(forward, {0}));
        const Value back = MatMul(y, Transpose(forward));
        const Value gradient = turned ? MatMul(Transpose(y), x) : MatMul(Transpose(x), y);
        const Value next = 0.5 * velocity - 0.01 * gradient;
        // Rows of the weights one by one, by an inner loop, and by their numbers.
        const LoopResult inner =
            Loop(body.tape, {.carried = {Mean(w)}, .scanned = {w}}, [&](LoopBody& b) -> LoopStep {
              return {.carried = {b.carried[0] + Sum(b.scanned[0]) * Sum(At(w, 1, 2))}};
            });
        return {.carried = {w + next, next},
                .stacked = {Mean(back), Sum(w, {0}), Sum(w, {1}), ArgMax(w, 1),
                            Slice(Reverse(w, {1}), 1, 1, w.shape()[1].value(), 3), Gather(w, at, 0),
                            ReduceMax(w, {0}), inner.carried[0], Slice(w, 1, 3, 20)}};
      });
  std::vector<Value> outputs = loop.stacked;
  outputs.push_back(loop.carried[0]);
  outputs.push_back(Transpose(loop.carried[1]));
  return *t.Finish(outputs);
}

NamedArrays InputsOf(const Graph& graph) {
  NamedArrays inputs = RandomInputs(graph, 7, 1);
  inputs.insert_or_assign("at", Array::Vector<int32_t>({0, 5, 3, 5}));
  return inputs;
}

// How many operands are packed.
int64_t Packed(const Graph& graph, const loops::Machine& machine) {
  const absl::StatusOr<loops::Program> program = loops::Lower(*passes::RunPasses(graph), machine);
  EXPECT_TRUE(program.ok()) << program.status();
  return absl::c_count_if(program->buffers, [](const loops::Buffer& buffer) {
    return absl::StartsWith(buffer.name, "packed");
  });
}

TEST(Panels, AreReadByTheProductAsTheyLie) {
  const loops::Machine machine{.vector_bytes = 32};
  // Rows whose terms lie side by side are no more packed than these weights: of the product of
  // their transpose only that is, of the gradient both operands are.
  EXPECT_EQ(Packed(ReadInAllWays(kFloat32, 64, 300, 500, false), machine), 3);
  EXPECT_EQ(Packed(ReadInAllWays(kFloat32, 64, 300, 500, true), machine), 3);
}

TEST(Panels, GiveTheSameBits) {
  const auto compare = [](absl::Span<const NamedEngine> engines, const Graph& graph) {
    const auto ran = RunOnEngines(engines, graph, InputsOf(graph));
    EXPECT_TRUE(ran.ok()) << ran.status();
  };
  for (const bool turned : {false, true}) {
    // In blocks of a few elements, panels are as wide as a vector or two.
    compare(AllEngines(), ReadInAllWays(kFloat32, 9, 40, 33, turned));
    for (const DType dtype : {kFloat32, kFloat64}) {
      for (const auto& [rows, terms, columns] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
               {12, 33, 64}, {17, 20, 31}, {9, 21, 49}}) {
        const Graph graph = ReadInAllWays(dtype, rows, terms, columns, turned);
        compare(EnginesFor(graph), graph);
      }
    }
    compare(EnginesOfEachProcessor(), ReadInAllWays(kFloat32, 33, 300, 445, turned));
  }
}

}  // namespace
}  // namespace talweg
