// Sizes that nobody means: long chains, many inputs, shapes whose products overflow. A Status or a
// result, never an abort, and no time out of proportion.

#include <chrono>
#include <functional>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "gmock/gmock.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "jit/jit.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"

namespace talweg {
namespace {

using testing::HasSubstr;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

TEST(Hostile, AChainOfAHundredThousandNodesRunsAndHasAGradient) {
  const auto kNodes = static_cast<int>(QuarterIfSlow(100000));
  Tape t;
  const Value x = t.Input("x", kFloat64, {});
  Value y = x;
  for (int i = 0; i < kNodes; i++) y = y + x;
  const auto got = RunOnAllEngines({y, Gradient(y, x)}, {{"x", Array(0.5)}});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].At(0), 0.5 * (kNodes + 1));
  EXPECT_EQ((*got)[1].At(0), kNodes + 1);
}

TEST(Hostile, AnUnknownInputAmongAHundredThousandIsFoundAtOnce) {
  const int64_t kInputs = QuarterIfSlow(100000);
  Tape t;
  NamedArrays inputs;
  for (int64_t i = 0; i < kInputs; i++) {
    const std::string name = absl::StrCat("x", i);
    t.Input(name, kFloat32, {});
    inputs[name] = Array();
  }
  inputs["y"] = Array();
  const auto started = std::chrono::steady_clock::now();
  const auto got = RunOnAllEngines({t.Constant(Array(1.0))}, inputs);
  EXPECT_THAT(std::string(got.status().message()), HasSubstr("the graph has no input 'y'"));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(10))
      << "a comparison of each name with each takes minutes";
}

TEST(Hostile, TenThousandInputsRunAndHaveGradients) {
  const auto kInputs = static_cast<int>(QuarterIfSlow(10000));
  Tape t;
  NamedArrays inputs;
  std::vector<Value> xs;
  for (int i = 0; i < kInputs; i++) {
    const std::string name = absl::StrCat("x", i);
    xs.push_back(t.Input(name, kFloat64, {}));
    inputs[name] = Array(static_cast<double>(i));
  }
  Value sum = xs[0];
  for (int i = 1; i < kInputs; i++) sum = sum + xs[static_cast<size_t>(i)] * i;
  std::vector<Value> outputs = Gradient(sum, xs);
  outputs.push_back(sum);
  const auto got = RunOnAllEngines(outputs, inputs);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[static_cast<size_t>(kInputs) - 1].At(0), kInputs - 1);
  // sum of i * i for i < n is (n - 1) n (2 n - 1) / 6
  const double n = kInputs;
  EXPECT_EQ((*got)[static_cast<size_t>(kInputs)].At(0), (n - 1) * n * (2 * n - 1) / 6);
}

TEST(Hostile, ShapesThatOverflowOnlyAtRunTimeGiveAStatus) {
  for (const int64_t wide : {int64_t{1} << 40, int64_t{1} << 58}) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {kRows, 1});
    const Value huge = BroadcastTo(x, {kRows, wide});
    ASSERT_TRUE(huge.ok()) << t.status();
    for (const Value& y : {huge, huge + 1, Concat({Reshape(x, {kRows}), Reshape(x, {kRows})}, 0)}) {
      if (!y.ok()) continue;
      const auto got = RunOnAllEngines({y}, {{"x", Array::Zeros(kFloat32, {4096, 1}).value()}});
      EXPECT_FALSE(got.ok());
      EXPECT_NE(got.status().code(), absl::StatusCode::kInternal) << got.status();
    }
  }
}

// Of a result without places none is written, whether its extent is known or comes at run time.
TEST(Hostile, AddingToNoPlacesGivesAStatus) {
  for (const bool known : {true, false}) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {kRows, 1000});
    const Value u = t.Input("u", kFloat32, {3, 1000}), i = t.Input("i", kInt32, {3});
    const Value y = ScatterAdd(u, i, known ? Dim(0) : Dim(kRows));
    const auto run = [&](const std::vector<Value>& outputs) {
      return RunOnAllEngines(outputs, {{"x", Array::Zeros(kFloat32, {0, 1000}).value()},
                                       {"u", Array::Zeros(kFloat32, {3, 1000}).value()},
                                       {"i", Array::Vector<int32_t>({0, 7, -1})}})
          .status();
    };
    EXPECT_EQ(run({y, x + 1, Sum(u)}).code(), absl::StatusCode::kOutOfRange);
    const Value picked = Sum(Gather(x, i));
    EXPECT_EQ(run({picked, Gradient(picked, x), Sum(u)}).code(), absl::StatusCode::kOutOfRange);
    // The sum of nothing is known without it.
    const absl::Status sum = run({Sum(y * 2), x + 1});
    EXPECT_TRUE(sum.ok() || absl::IsOutOfRange(sum)) << sum;
  }
}

// 2^58 trips of 64 elements are 2^64.
TEST(Hostile, StackedValuesThatOverflowOnlyAtRunTimeGiveAStatus) {
  Tape t;
  const Value n = t.Input("n", kInt64, {}), x = t.Input("x", kFloat32, {64});
  const LoopResult loop = Loop(t, {.trips = n, .carried = {x}}, [](LoopBody& body) -> LoopStep {
    const Value next = Tanh(body.carried[0]);
    return {.carried = {next}, .stacked = {next}};
  });
  const Graph graph = *t.Finish({Sum(loop.stacked[0] * loop.stacked[0])});
  for (const int64_t trips : {int64_t{1} << 58, int64_t{1} << 56, kMost}) {
    for (const NamedEngine& engine : MainEngines()) {
      const absl::StatusOr<Executable> f = engine.make(graph);
      ASSERT_TRUE(f.ok()) << f.status();
      const auto got = f->Run({{"n", Array(trips)}, {"x", Array::Zeros(kFloat32, {64}).value()}});
      EXPECT_FALSE(got.ok()) << engine.name;
      EXPECT_FALSE(absl::IsInternal(got.status())) << engine.name << ": " << got.status();
    }
  }
}

TEST(Hostile, NumbersAtTheEndsOfTheirTypesGiveAStatusOrAValue) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {4, 4}), i = t.Input("i", kInt32, {4});
  const std::vector<int64_t> ends = {kLeast, kLeast + 1, -1, 0, 1, kMost - 1, kMost};
  for (int64_t a : ends) {
    for (int64_t b : ends) {
      for (int64_t c : ends) {
        // Whatever they say, they say it.
        Slice(x, 0, a, b, c);
        Window(x, 0, a, b, c);
      }
      Tape(t).Input("y", kFloat32, {a, b});
      Slice(x, a, b, 1);
      At(x, a, b);
      Pad(x, {{a, b}, {b, a}});
      Gather(x, i, a, b);
      ScatterAdd(x, i, a < 0 ? 0 : a, b);
      ScatterAdd(x, i, 4, a, b);
      Reshape(x, {a, b});
      BroadcastTo(x, {a, b, 4, 4});
      Sum(x, {a, b});
      Contract(x, x, {.lhs_sum = {a}, .rhs_sum = {b}});
    }
    Reverse(x, {a});
    Transpose(x, {a, 0});
    ExpandDims(x, a);
    Squeeze(x, a);
    OneHot(i, a);
    t.Iota(a);
    Concat({x, x}, a);
    ArgMax(x, a);
    Loop(t, {.trips = a < 0 ? -2 : a, .carried = {x}}, [](LoopBody& body) {
      return LoopStep{.carried = body.carried, .stacked = {body.carried[0]}};
    });
  }
  EXPECT_FALSE(t.status().ok());
}

TEST(Hostile, ConcatenationsWhoseExtentOverflowsGiveAStatus) {
  Tape t;
  const Value x = t.Input("x", kBool, {int64_t{1} << 58});
  EXPECT_FALSE(Concat(std::vector<Value>(40, x), 0).ok());
  EXPECT_THAT(std::string(t.status().message()), HasSubstr("concat"));
}

// A loop until something holds, with a bound that nobody expects it to reach, runs; its gradient
// would keep a value for each trip.
TEST(Hostile, TheGradientOfMoreTripsThanCanBeKeptGivesAStatus) {
  for (const bool reversed : {false, true}) {
    Tape t;
    const Value x = t.Input("x", kFloat64, {});
    const LoopResult loop =
        Loop(t, {.trips = int64_t{1} << 60, .carried = {x}, .reversed = reversed},
             [](LoopBody& body) -> LoopStep {
               const Value half = body.carried[0] * 0.5;
               return {.carried = {half}, .stop = Less(half, 1e-3)};
             });
    ASSERT_TRUE(t.status().ok()) << t.status();
    EXPECT_FALSE(Gradient(loop.carried[0], x).ok());
    EXPECT_FALSE(t.status().ok());
  }
}

TEST(Hostile, AProbabilityFromOutsideOfABodyThatBindsRowsRuns) {
  Tape t;
  const Value p = t.Input("p", kFloat64, {2});
  const Value rows = t.Constant(Array::Vector<int64_t>({3, 1}));
  const LoopResult loop =
      Loop(t, {.trips = 2, .rows = rows, .rows_limit = 3}, [&](LoopBody& body) -> LoopStep {
        const Value drawn = RandomBernoulli(Cast(body.trip, kInt64), p, {kRows, 2});
        return {.carried = {}, .stacked = {Sum(Cast(drawn, kFloat64))}};
      });
  const auto ran = RunOnAllEngines({loop.stacked[0]}, {{"p", Array::Vector<double>({1.5, -0.5})}});
  ASSERT_TRUE(ran.ok()) << ran.status();
  EXPECT_TRUE(SameBits((*ran)[0], Array::Vector<double>({3, 1}))) << (*ran)[0].ToString();
  EXPECT_FALSE(RandomBernoulli(t.Constant(Array(int64_t{1})), p, {}).ok());
}

TEST(Hostile, LoopsNestedTooDeepGiveAStatus) {
  Tape t;
  std::function<Value(const Tape&, Value, int)> nest = [&](const Tape& tape, Value x, int depth) {
    if (depth == 0) return x * 2;
    const LoopResult loop = Loop(tape, {.trips = 1, .carried = {x}}, [&](LoopBody& body) {
      return LoopStep{.carried = {nest(body.tape, body.carried[0], depth - 1)}};
    });
    return loop.carried[0];
  };
  const Value x = t.Input("x", kFloat64, {});
  const auto shallow = RunOnAllEngines({nest(t, x, 8)}, {{"x", Array(1.5)}});
  ASSERT_TRUE(shallow.ok()) << shallow.status();
  EXPECT_EQ((*shallow)[0].At(0), 3);
  EXPECT_FALSE(RunOnAllEngines({nest(t, x, 60)}, {{"x", Array(1.5)}}).ok());
}

// The trips are known when it runs only, so that no pass may take the loops away.
TEST(Hostile, LoopsNestedAsDeepAsIsAllowedRun) {
  Tape t;
  std::function<Value(const Tape&, Value, Value, int)> nest = [&](const Tape& tape, Value x,
                                                                  Value n, int depth) {
    if (depth == 0) return x * 2;
    const LoopResult loop = Loop(tape, {.trips = n, .carried = {x}}, [&](LoopBody& body) {
      return LoopStep{.carried = {nest(body.tape, body.carried[0], n, depth - 1)}};
    });
    return loop.carried[0];
  };
  const Value x = t.Input("x", kFloat64, {}), n = t.Input("n", kInt64, {});
  for (const int64_t trips : {0, 1}) {
    const auto deep =
        RunOnAllEngines({nest(t, x, n, kMaxNesting)}, {{"x", Array(1.5)}, {"n", Array(trips)}});
    ASSERT_TRUE(deep.ok()) << deep.status();
    EXPECT_EQ((*deep)[0].At(0), trips == 0 ? 1.5 : 3);
  }
  const auto deeper = RunOnAllEngines({nest(t, x, n, kMaxNesting + 1)},
                                      {{"x", Array(1.5)}, {"n", Array(int64_t{1})}});
  EXPECT_THAT(std::string(deeper.status().message()), HasSubstr("more than 32 deep"));
}

TEST(Hostile, ALoopCarriesTenThousandValues) {
  const auto kValues = static_cast<size_t>(QuarterIfSlow(10000));
  Tape t;
  const Value x = t.Input("x", kFloat64, {}), n = t.Input("n", kInt64, {});
  std::vector<Value> starts;
  for (size_t i = 0; i < kValues; i++) starts.push_back(x + static_cast<double>(i));
  // Each takes its neighbour's value, so that all must be there at once.
  const LoopResult loop = Loop(t, {.trips = n, .carried = starts}, [&](LoopBody& body) {
    LoopStep step;
    for (size_t i = 0; i < kValues; i++) step.carried.push_back(body.carried[(i + 1) % kValues]);
    step.carried[0] = step.carried[0] * 2;
    return step;
  });
  ASSERT_TRUE(t.status().ok()) << t.status();
  const auto got = RunOnAllEngines(loop.carried, {{"x", Array(0.0)}, {"n", Array(int64_t{3})}});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].At(0), 2 * 3);
  EXPECT_EQ((*got)[kValues - 1].At(0), 2 * 2);
  EXPECT_EQ((*got)[5].At(0), 8);
}

TEST(Hostile, WhatHasNoElementsRuns) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 0}), w = t.Input("w", kFloat32, {0, 3});
  const Value u = t.Input("u", kFloat32, {kRows, 5}), i = t.Input("i", kInt32, {0});
  const LoopResult none = Loop(t, {.trips = 0, .carried = {u}, .scanned = {}}, [](LoopBody& body) {
    return LoopStep{.carried = {body.carried[0] * 2}, .stacked = {Sum(body.carried[0])}};
  });
  const Value key = t.Input("key", kInt64, {});
  const std::vector<Value> outputs = {MatMul(x, w),
                                      Sum(x),
                                      Sum(x, 1),
                                      Sum(u, 0),
                                      Max(x, 1.0),
                                      Concat({x, u, x}, 1),
                                      Reverse(x, {1}),
                                      Gather(u, i, 1),
                                      ScatterAdd(x, i, 4, 1),
                                      none.carried[0],
                                      none.stacked[0],
                                      none.trips,
                                      RandomUniform(key, kFloat32, {0, 7}),
                                      RandomUniform(key, kFloat64, {kRows}),
                                      Permutation(key, kRows),
                                      Permutation(key, 0),
                                      MatMul(Transpose(u), x),
                                      MatMul(Transpose(u), u),
                                      t.Iota(0)};
  for (const Value& output : outputs) ASSERT_TRUE(output.ok()) << t.status();
  for (const int64_t rows : {0, 1, 9}) {
    const NamedArrays inputs = {{"x", Array::Zeros(kFloat32, {rows, 0}).value()},
                                {"w", Array::Zeros(kFloat32, {0, 3}).value()},
                                {"u", Array::Zeros(kFloat32, {rows, 5}).value()},
                                {"i", Array::Zeros(kInt32, {0}).value()},
                                {"key", Array(int64_t{7})}};
    const auto got = RunOnAllEngines(outputs, inputs);
    ASSERT_TRUE(got.ok()) << got.status();
    for (const Value& output : outputs) {
      const auto alone = RunOnAllEngines({output}, inputs);
      ASSERT_TRUE(alone.ok()) << alone.status();
    }
  }
}

TEST(Hostile, OptionsThatDoNotExistGiveAStatus) {
  Tape t;
  const Graph graph = t.Finish({t.Input("x", kFloat32, {3}) * 2}).value();
  for (const char* cpu : {"", "pentium", "avx3", "native,avx2", "znver9"}) {
    const absl::Status status = Jit(graph, {.cpu = cpu}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << cpu << ": " << status;
  }
  for (const int level : {-1, 4, 1 << 30}) {
    const absl::Status status = Jit(graph, {.level = level}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << level << ": " << status;
  }
  EXPECT_THAT(std::string(Jit(graph, {.without = {"haste"}}).status().message()),
              HasSubstr("no pass is called 'haste'"));
}

// The time to compile grows as the graph does.
TEST(Hostile, CompilesInTimeThatGrowsWithTheGraph) {
  const auto seconds = [](int nodes) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {7});
    Value y = x;
    for (int i = 0; i < nodes; i++) y = i % 3 == 0 ? Tanh(y) : i % 3 == 1 ? y * x : y + 0.5;
    const Graph graph = t.Finish({y}).value();
    const auto started = std::chrono::steady_clock::now();
    const absl::StatusOr<Executable> f = Jit(graph);
    EXPECT_TRUE(f.ok()) << f.status();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    return took.count();
  };
  const double few = seconds(1000), many = seconds(10000);
  std::cout << "1,000 nodes in " << few << " s, 10,000 in " << many << " s" << std::endl;
  EXPECT_LT(many, 40 * few + 1);
}

}  // namespace
}  // namespace talweg
