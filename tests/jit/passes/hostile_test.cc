// Graphs that nobody would write: passes take time in proportion to their size.

#include <cstdlib>
#include <ctime>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "jit/passes/pipeline.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/base/seeds.h"

namespace talweg::passes {
namespace {

int64_t NodesOf(const Graph& graph) {
  auto count = static_cast<int64_t>(graph.nodes().size());
  for (const Node& node : graph.nodes()) {
    if (node.kind() == Kind::kLoop) count += NodesOf(*node.As<LoopAttributes>().body);
  }
  return count;
}

// Runs all passes on the outputs of a tape; returns what they make.
Graph TimePasses(const std::string& name, const Tape& t, const std::vector<Value>& outputs) {
  const absl::StatusOr<Graph> graph = t.Finish(outputs);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return Graph();
  int runs = 0;
  // The processor's time: others may use it too.
  const std::clock_t start = std::clock();
  const absl::StatusOr<Graph> after = RunPasses(*graph, {.log = [&](const PassRun&) { runs++; }});
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_TRUE(after.ok()) << after.status();
  if (!after.ok()) return Graph();
  EXPECT_EQ(Verify(*after), absl::OkStatus());
  std::cout << name << ": " << NodesOf(*graph) << " -> " << NodesOf(*after) << " nodes, " << runs
            << " runs of passes, " << seconds << " s" << std::endl;
  // A few microseconds a node and run; far more under sanitizers.
  const double slowness = std::getenv("TALWEG_FUZZ_QUARTER") == nullptr ? 1 : 10;
  EXPECT_LT(seconds, slowness * (1 + 100e-6 * static_cast<double>(NodesOf(*graph)))) << name;
  return *after;
}

const auto kLong = static_cast<size_t>(QuarterIfSlow(100'000));

TEST(Passes, TakeLongChains) {
  struct Link {
    const char* name;
    std::function<Value(const Value& x, int i)> make;
    size_t most;  // nodes that may be left
  };
  const std::vector<Link> links = {
      {"additions", [](const Value& x, int) { return x + x; }, kLong + 1},
      {"negations", [](const Value& x, int) { return -x; }, 2},
      {"identities", [](const Value& x, int i) { return i % 2 == 0 ? x * 1 : x - 0; }, 1},
      {"reversals", [](const Value& x, int) { return Reverse(x, {0}); }, 1},
      {"paddings", [](const Value& x, int) { return Slice(Pad(x, {{1, 1}}), 0, 1, 9); }, 1},
      {"broadcasts", [](const Value& x, int) { return At(BroadcastTo(Exp(x), {2, 8}), 0, 1); },
       kLong + 1},
      {"reshapes",
       [](const Value& x, int i) { return Reshape(x, i % 2 == 0 ? Shape{2, 4} : Shape{8}); }, 2},
      {"casts", [](const Value& x, int i) { return Cast(x, i % 2 == 0 ? kFloat64 : kFloat32); }, 2},
      {"concatenations", [](const Value& x, int) { return Slice(Concat({x, x}, 0), 0, 8, 16); }, 1},
  };
  for (const Link& link : links) {
    Tape t;
    Value x = t.Input("x", kFloat32, {8});
    for (size_t i = 0; i < kLong; i++) x = link.make(x, static_cast<int>(i));
    EXPECT_LE(TimePasses(link.name, t, {x}).nodes().size(), link.most) << link.name;
  }
}

// Each slice lies within the first operand, all the way down.
TEST(Passes, TakeSlicesOfLongChainsOfConcatenations) {
  for (const bool reversed : {false, true}) {
    const auto kParts = static_cast<int>(QuarterIfSlow(10'000));
    Tape t;
    const Value start = t.Input("x", kFloat32, {8}), c = t.Input("c", kFloat32, {1});
    Value x = start;
    std::vector<Value> slices;
    for (int i = 0; i < kParts; i++) {
      // Turned round, what is in front comes to lie behind.
      x = reversed ? Concat({c, Reverse(x, {0})}, 0) : Concat({x, c}, 0);
      slices.push_back(reversed ? Slice(x, 0, i / 2 + 1, i / 2 + 9) : Slice(x, 0, 0, 8));
    }
    const Graph after = TimePasses("one slice of concatenations", t, {slices.back()});
    if (!reversed) {
      EXPECT_EQ(after.outputs(), std::vector<NodeId>{after.inputs()[0]});
    }
    TimePasses("slices of concatenations", t, slices);
  }
}

TEST(Passes, FoldLongChainsWithinLimits) {
  Tape t;
  Value x = t.Constant(*Array::Zeros(kFloat32, {1000}));
  Value y = t.Constant(Array(0.5f));
  const Value table = t.Constant(*Array::From<float>({2}, {1, 2}));
  for (size_t i = 0; i < kLong; i++) {
    x = Exp(-x) + BroadcastTo(Sum(table), {1000});
    y = Sin(y) * 2;
  }
  EXPECT_EQ(TimePasses("constants", t, {y}).nodes().size(), 1u);
  TimePasses("tables of constants", t, {x});
}

TEST(Passes, TakeManyInputsAndOperands) {
  Tape t;
  std::vector<Value> inputs;
  const auto kInputs = static_cast<int>(QuarterIfSlow(10'000));
  for (int i = 0; i < kInputs; i++) inputs.push_back(t.Input(absl::StrCat("x", i), kFloat32, {2}));
  const Value all = Concat(inputs, 0);
  std::vector<Value> slices = {Sum(all)};
  for (int i = 0; i < kInputs; i++) slices.push_back(Slice(all, 0, 2 * i, 2 * i + 2));
  TimePasses("inputs", t, slices);
}

TEST(Passes, TakeLoopsOfManyValues) {
  Tape t;
  LoopOptions options{.trips = 3};
  const Value x = t.Input("x", kFloat32, {3});
  for (int i = 0; i < 2000; i++) {
    options.carried.push_back(x * i);
    options.scanned.push_back(x + i);
  }
  const LoopResult loop = Loop(t, options, [&](LoopBody& body) -> LoopStep {
    LoopStep step;
    for (size_t i = 0; i < body.carried.size(); i++) {
      step.carried.push_back(i % 3 == 0 ? body.carried[i] : body.carried[i] + x);
      step.stacked.push_back(body.scanned[i / 2]);
    }
    return step;
  });
  std::vector<Value> outputs = loop.carried;
  outputs.insert(outputs.end(), loop.stacked.begin(), loop.stacked.end());
  TimePasses("carried values", t, outputs);
}

TEST(Passes, TakeManyLoops) {
  // All run in step, but only every other two are the same.
  Tape t;
  const Value x = t.Input("x", kFloat32, {});
  std::vector<Value> outputs;
  for (int i = 0; i < 4000; i++) {
    const LoopResult loop = Loop(t, {.trips = 3, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
      Value y = body.carried[0];
      for (int k = 0; k < 5; k++) y = Tanh(y * (i / 2));
      return {.carried = {y}, .stacked = {y + i}};
    });
    outputs.push_back(loop.carried[0]);
  }
  TimePasses("loops", t, outputs);
}

// x -> loop of loop of ... of x * 2, with a constant and an invariant from the outside.
Value Nest(const Tape& t, const Value& x, const Value& c, int depth) {
  if (depth == 0) return x * Exp(c) * 2;
  return Loop(t, {.trips = 2, .carried = {x}},
              [&](LoopBody& body) -> LoopStep {
                return {.carried = {Nest(body.tape, body.carried[0], c, depth - 1)}};
              })
      .carried[0];
}

TEST(Passes, TakeDeepNests) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {});
  const Value c = t.Constant(Array(3.0f)) + 1;
  const Graph after = TimePasses("nest", t, {Nest(t, x, c, kMaxNesting)});
  // The constant is where it is read.
  const Graph* graph = &after;
  for (int depth = 0; depth < kMaxNesting; depth++) {
    ASSERT_EQ(graph->inputs().size(), depth == 0 ? 1u : 2u);
    const Node* loop = nullptr;
    for (const Node& node : graph->nodes()) loop = node.kind() == Kind::kLoop ? &node : loop;
    ASSERT_NE(loop, nullptr);
    graph = loop->As<LoopAttributes>().body.get();
  }
}

}  // namespace
}  // namespace talweg::passes
