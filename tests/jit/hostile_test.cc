// Graphs that nobody would write: they run, or say why not.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "jit/loops/lower.h"
#include "jit/passes/fuse.h"
#include "talweg.h"
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

// ---- Limits of rows -----------------------------------------------------------------------------

// A loop whose trips have as many rows as an input says, and at most `limit`.
absl::StatusOr<Graph> LoopOverRows(int64_t limit) {
  Tape t;
  const Value rows = t.Input("rows", kInt64, {3});
  const LoopResult loop =
      Loop(t, {.trips = 3, .carried = {t.Constant(Array(0.0))}, .rows = rows, .rows_limit = limit},
           [](LoopBody& body) -> LoopStep {
             const Value y = Exp(Cast(body.tape.Iota(kRows), kFloat64) * 1e-3);
             const Value z = y - Mean(y);
             return {.carried = {body.carried[0] + Sum(z * z)}};
           });
  return t.Finish({loop.carried[0]});
}

// What lies in memory has room for as many rows as there may be, and sizes are counted in int64.
TEST(Hostile, LimitsOfRowsThatNoMemoryHolds) {
  const NamedArrays inputs = {{"rows", Array::Vector<int64_t>({1000, 7, 1000})}};
  for (const int64_t limit :
       {int64_t{1} << 40, (int64_t{1} << 40) + 1, int64_t{1} << 60,
        std::numeric_limits<int64_t>::max() - 15, std::numeric_limits<int64_t>::max()}) {
    SCOPED_TRACE(limit);
    const absl::StatusOr<Graph> graph = LoopOverRows(limit);
    if (!graph.ok()) {
      EXPECT_GT(limit, int64_t{1} << 40) << graph.status();
      continue;
    }
    for (const bool evaluate : {true, false}) {
      const auto made = Jit(*graph, {.cache = "off", .evaluate = evaluate, .verify = true});
      EXPECT_EQ(made.ok(), limit <= int64_t{1} << 40) << made.status();
      if (!made.ok()) {
        EXPECT_TRUE(absl::StrContains(made.status().message(), "rows")) << made.status();
        continue;
      }
      // More than there is, unless the system lends what is never touched.
      const auto ran = made->Run(inputs);
      EXPECT_TRUE(ran.ok() || absl::IsResourceExhausted(ran.status())) << ran.status();
    }
  }
}

// By itself the lowering refuses only what it could not count.
TEST(Hostile, SizesOfRowsAreCountedUpToTheMostThereIs) {
  absl::StatusOr<Graph> graph = LoopOverRows(int64_t{1} << 40);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto lowered = [&](int64_t limit) {
    std::vector<Node> nodes = graph->nodes();
    for (Node& node : nodes) {
      if (node.kind() != Kind::kLoop) continue;
      std::get<LoopAttributes>(node.attributes).rows_limit = limit;
    }
    const Graph wide(std::move(nodes), graph->inputs(), graph->outputs());
    return loops::Lower(wide, loops::Machine());
  };
  const auto program = lowered(int64_t{1} << 52);
  ASSERT_TRUE(program.ok()) << program.status();
  int64_t most = 0;
  for (const loops::Buffer& buffer : program->buffers) most = std::max(most, buffer.elements);
  EXPECT_GE(most, int64_t{1} << 52);
  EXPECT_EQ(lowered(std::numeric_limits<int64_t>::max()).status().code(),
            absl::StatusCode::kResourceExhausted);
}

// ---- Chains of what is read through -------------------------------------------------------------

TEST(Hostile, ChainsThatAreReadThrough) {
  const auto kLong = static_cast<int>(QuarterIfSlow(20'000));
  for (const bool passes : {true, false}) {
    for (const int kind : {0, 1, 2}) {
      SCOPED_TRACE(kind);
      Tape t;
      const Value start = t.Input("x", kFloat32, {2, 4});
      Value x = start;
      for (int i = 0; i < kLong; i++) {
        if (kind == 0) x = Reshape(Transpose(x), {2, 4});
        if (kind == 1) x = Reverse(Pad(Slice(x, 1, 1, 4), {{0, 0}, {1, 0}}, 0.5), {i % 2});
        if (kind == 2) x = Reshape(x, i % 2 == 0 ? Shape{2, 1, 4} : Shape{2, 4});
      }
      const Graph graph = *t.Finish({x, x + start, Sum(x, 0)});
      JitOptions options = {.level = 0, .cache = "off", .evaluate = true};
      if (!passes) options.without = {"all"};
      const NamedEngine engines[] = {
          {"the interpreter", Interpret},
          {"the evaluator", [&](const Graph& g) { return Jit(g, options); }}};
      const auto ran = RunOnEngines(engines, graph, RandomInputs(graph, 7, 1));
      EXPECT_TRUE(ran.ok()) << ran.status();
    }
  }
}

// Parts of such a chain that a loop carries, stacks and stops on; and what is read all along.
TEST(Hostile, ChainsThatAreReadThroughInLoops) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2, 4});
  const LoopResult loop = Loop(t, {.trips = 3, .carried = {x, x}}, [](LoopBody& body) -> LoopStep {
    Value y = body.carried[0];
    LoopStep step;
    for (int i = 0; i < 100; i++) {
      y = Reshape(Transpose(y), {2, 4});
      if (i % 7 == 0) step.stacked.push_back(y);
    }
    step.carried = {Tanh(body.carried[0] + body.carried[1]), y};
    step.stop = Greater(At(At(y, 0, 1), 0, 1), 1e6);
    return step;
  });
  std::vector<Value> outputs = loop.carried;
  outputs.insert(outputs.end(), loop.stacked.begin(), loop.stacked.end());
  const Graph graph = *t.Finish(outputs);
  const auto ran = RunOnEngines(MainEngines(), graph, RandomInputs(graph, 7, 1));
  EXPECT_TRUE(ran.ok()) << ran.status();
}

// ---- Prologues ----------------------------------------------------------------------------------

// A reduction computes what only it reads term by term, in one loop: not any number of nodes.
TEST(Hostile, TreesOfMapsUnderASum) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {40});
  std::vector<Value> row;
  for (int i = 0; i < 2048; i++) row.push_back(x * i);
  while (row.size() > 1) {
    std::vector<Value> next;
    for (size_t i = 0; i < row.size(); i += 2) next.push_back(row[i] + row[i + 1]);
    row = std::move(next);
  }
  const Graph graph = *t.Finish({Sum(row[0])});
  const std::vector<bool> prologue = Fuse(graph).prologue;
  EXPECT_LE(std::count(prologue.begin(), prologue.end(), true), 64);
  const NamedEngine engines[] = {
      {"the interpreter", Interpret},
      {"the evaluator", [](const Graph& g) { return Jit(g, {.cache = "off", .evaluate = true}); }}};
  const auto ran = RunOnEngines(engines, graph, RandomInputs(graph, 7, 1));
  EXPECT_TRUE(ran.ok()) << ran.status();
}

// What is stacked by as many trips as a count says, of rows that have a limit: there is room for
// the rounded limit, which counts, too, where sizes leave what int64 holds.
TEST(Hostile, StackedRowsThatNoMemoryHolds) {
  Tape t;
  const Value rows = t.Input("rows", kInt64, {2}), n = t.Input("n", kInt64, {});
  const LoopResult loop =
      Loop(t, {.trips = 2, .carried = {t.Constant(Array(0.0f))}, .rows = rows, .rows_limit = 1},
           [&](LoopBody& outer) -> LoopStep {
             const LoopResult inner =
                 Loop(outer.tape, {.trips = n, .carried = {outer.carried[0]}},
                      [](LoopBody& body) -> LoopStep {
                        const Value cube = BroadcastTo(Cast(body.tape.Iota(kRows), kFloat32),
                                                       {kRows, kRows, kRows});
                        return {.carried = {body.carried[0] + 1}, .stacked = {cube}};
                      });
             return {.carried = {inner.carried[0] + Sum(inner.stacked[0])}};
           });
  const Graph graph = *t.Finish({loop.carried[0]});
  const int64_t trips = static_cast<int64_t>((uint64_t{1} << 63) / 2056 + 1);
  for (const NamedEngine& engine : MainEngines()) {
    const absl::StatusOr<Executable> run = engine.make(graph);
    ASSERT_TRUE(run.ok()) << engine.name << ": " << run.status();
    const NamedArrays inputs = {{"rows", Array::Vector<int64_t>({1, 1})}, {"n", Array(trips)}};
    EXPECT_EQ(run->Run(inputs).status().code(), absl::StatusCode::kResourceExhausted)
        << engine.name;
  }
}

// ---- What binds a symbol ------------------------------------------------------------------------

// What only the derivative of a custom reads binds nothing and is not run.
TEST(Hostile, CountsOfTripsThatOnlyADerivativeWouldAskFor) {
  Tape t;
  const Value n = t.Input("n", kInt64, {}), m = t.Input("m", kInt64, {});
  const auto loop_of = [&](const Value& trips) {
    return Loop(t, {.trips = trips, .carried = {t.Constant(Array(1.0))}},
                [](LoopBody& body) -> LoopStep {
                  return {.carried = {body.carried[0] * 2}, .stacked = {body.carried[0]}};
                });
  };
  const Value other = Sum(loop_of(m).stacked[0]);
  const Value count = CustomGradient(
      {Cast(n, kFloat64), other}, [](absl::Span<const Value> v) { return v[0] + 1; },
      [](absl::Span<const Value> v, const Value&, const Value& dy) {
        return std::vector<Value>{dy * v[1], dy};
      });
  const Graph graph = *t.Finish({loop_of(Cast(count, kInt64)).stacked[0]});
  const auto ran =
      RunOnEngines(AllEngines(), graph, {{"n", Array(int64_t{2})}, {"m", Array(int64_t{5})}});
  ASSERT_TRUE(ran.ok()) << ran.status();
  EXPECT_EQ((*ran)[0].size(), 3);
}

// The number of trips where nothing lies along them any more, or no such loop is needed: the same
// on all engines, a number or an error.
TEST(Hostile, TheNumberOfTripsThatNothingLiesAlong) {
  for (const int which : {0, 1, 2}) {
    SCOPED_TRACE(which);
    Tape t;
    const Value n = t.Input("n", kInt64, {});
    const LoopResult loop =
        Loop(t, {.trips = n, .carried = {t.Constant(Array(1.0))}}, [&](LoopBody& body) -> LoopStep {
          LoopStep step = {.carried = {body.carried[0] * 2}};
          if (which > 0) step.stacked = {body.carried[0]};
          return step;
        });
    const Value trips = Cast(t.Size(kTrips), kFloat64);
    const absl::StatusOr<Graph> graph = t.Finish({which < 2 ? loop.carried[0] / trips : trips});
    ASSERT_TRUE(graph.ok()) << graph.status();
    for (const NamedEngine& engine : AllEngines()) {
      const absl::StatusOr<Executable> run = engine.make(*graph);
      if (which != 1) {
        EXPECT_THAT(std::string(run.status().message()), HasSubstr("nothing says how many"))
            << engine.name;
        continue;
      }
      ASSERT_TRUE(run.ok()) << engine.name << ": " << run.status();
      const auto ran = run->Run({{"n", Array(int64_t{4})}});
      ASSERT_TRUE(ran.ok()) << engine.name << ": " << ran.status();
      EXPECT_EQ((*ran)[0].ToString(), Array(4.0).ToString()) << engine.name;
    }
  }
}

// ---- Memory -------------------------------------------------------------------------------------

void Visit(const loops::Block& block, std::vector<int>& allocated, std::vector<int>& touched) {
  for (const loops::Statement& statement : block) {
    if (const auto* instruction = std::get_if<loops::Instruction>(&statement.node)) {
      if (instruction->buffer < 0) continue;
      auto& count = instruction->code == loops::Code::kAllocate ? allocated : touched;
      count[static_cast<size_t>(instruction->buffer)]++;
    } else if (const auto* section = std::get_if<loops::Section>(&statement.node)) {
      Visit(section->body, allocated, touched);
    } else if (const auto* branch = std::get_if<loops::If>(&statement.node)) {
      Visit(branch->body, allocated, touched);
    } else {
      Visit(std::get<loops::For>(statement.node).body, allocated, touched);
    }
  }
}

TEST(Hostile, LoopsWithoutABody) {
  Tape t;
  const LoopResult loop =
      Loop(t, {.trips = 3, .carried = {t.Input("x", kFloat32, {})}},
           [](LoopBody& body) { return LoopStep{.carried = {Exp(body.carried[0])}}; });
  const Graph good = *t.Finish({loop.carried[0]});
  std::vector<Node> nodes = good.nodes();
  for (Node& node : nodes) {
    if (node.kind() == Kind::kLoop) std::get<LoopAttributes>(node.attributes).body = nullptr;
  }
  const Graph bad(nodes, good.inputs(), good.outputs());
  EXPECT_EQ(JitEngine()(bad).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Jit(bad).status().code(), absl::StatusCode::kInvalidArgument);
}

// Schedules that were tried and not taken leave nothing behind.
TEST(Hostile, NothingIsAllocatedThatNobodyTouches) {
  for (const int64_t columns : {3, 20, 40}) {
    for (const int32_t bytes : {16, 32, 64}) {
      Tape t;
      const Value x = t.Input("x", kFloat32, {kRows, 64}),
                  w = t.Input("w", kFloat32, {64, columns});
      const Graph graph = *t.Finish({MatMul(x, w), MatMul(Transpose(w), Transpose(x))});
      const auto program = loops::Lower(graph, loops::Machine{.vector_bytes = bytes});
      ASSERT_TRUE(program.ok()) << program.status();
      std::vector<int> allocated(program->buffers.size()), touched(program->buffers.size());
      Visit(program->body, allocated, touched);
      for (size_t i = 0; i < allocated.size(); i++) {
        EXPECT_LE(allocated[i], touched[i]) << program->buffers[i].name << " of " << columns;
      }
    }
  }
}

}  // namespace
}  // namespace talweg
