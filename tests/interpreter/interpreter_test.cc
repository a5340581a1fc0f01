#include "interpreter/interpreter.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/base/allocation.h"
#include "tests/base/seeds.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/interpreter/run.h"

namespace talweg {
namespace {

TEST(Interpret, IsAnEngine) {
  const Engine engine = Interpret;
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2});
  const absl::StatusOr<Executable> f = engine(*t.Finish({x * 2 + 1, Sum(x)}));
  ASSERT_TRUE(f.ok());
  for (const int rows : {1, 3, 0, 40}) {
    Array in = *Array::Zeros(kFloat32, {rows, 2});
    for (float& v : in.mutable_data<float>()) v = 3;
    const absl::StatusOr<std::vector<Array>> out = f->Run({{"x", in}});
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_EQ((*out)[0].dims(), (Dims{rows, 2}));
    for (int64_t i = 0; i < (*out)[0].size(); i++) EXPECT_EQ((*out)[0].At(i), 7);
    EXPECT_EQ((*out)[1].At(0), 6 * rows);
  }
}

TEST(Interpret, ReturnsInputsConstantsAndTheSameValueTwice) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const Value c = t.Constant(Array::Vector<float>({5, 6}));
  const Value y = x + c;
  const Array in = Array::Vector<float>({1, 2});
  const std::vector<Array> out =
      MustRun(t, {x, c, y, y, Reverse(y, {0}), Reshape(y, {1, 2})}, {{"x", in}});
  ASSERT_EQ(out.size(), 6u);
  EXPECT_TRUE(SameBits(out[0], in));
  EXPECT_TRUE(SameBits(out[1], Array::Vector<float>({5, 6})));
  EXPECT_TRUE(SameBits(out[2], Array::Vector<float>({6, 8})));
  EXPECT_TRUE(SameBits(out[3], out[2]));
  EXPECT_TRUE(SameBits(out[4], Array::Vector<float>({8, 6})));
  EXPECT_TRUE(SameBits(out[5], Array::Matrix<float>({{6, 8}})));
}

TEST(EveryEngine, LeavesInputsAndEarlierOutputsAlone) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3});
  for (const NamedEngine& engine : MainEngines()) {
    SCOPED_TRACE(engine.name);
    const absl::StatusOr<Executable> f = engine.make(*t.Finish({x * x, x}));
    const Array in = Array::Vector<float>({1, 2, 3});
    const std::vector<Array> first = *f->Run({{"x", in}});
    const std::vector<Array> second = *f->Run({{"x", Array::Vector<float>({4, 5, 6})}});
    EXPECT_TRUE(SameBits(in, Array::Vector<float>({1, 2, 3})));
    EXPECT_TRUE(SameBits(first[0], Array::Vector<float>({1, 4, 9})));
    EXPECT_TRUE(SameBits(second[0], Array::Vector<float>({16, 25, 36})));
  }
}

TEST(Interpret, RunsLeaves) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, kTrips});
  const std::vector<Array> out =
      MustRun(t, {t.Iota(kRows), t.Iota(3, kInt64), t.Size(kTrips), t.Size(kRows), t.Iota(0)},
              {{"x", *Array::Zeros(kFloat32, {2, 5})}});
  ASSERT_EQ(out.size(), 5u);
  EXPECT_TRUE(SameBits(out[0], Array::Vector<int32_t>({0, 1})));
  EXPECT_TRUE(SameBits(out[1], Array::Vector<int64_t>({0, 1, 2})));
  EXPECT_TRUE(SameBits(out[2], Array(int64_t{5})));
  EXPECT_TRUE(SameBits(out[3], Array(int64_t{2})));
  EXPECT_EQ(out[4].size(), 0);
}

TEST(Interpret, BroadcastsThroughMaps) {
  for (uint64_t seed : Seeds(100, 20)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Shape shape;
    for (int64_t i = random.Between(1, 4); i > 0; i--)
      shape.push_back(random.Pick<int64_t>({1, 2, 3, 9}));
    Shape left = shape, right = shape;
    for (size_t i = 0; i < shape.size(); i++) {
      if (random.Chance(0.3)) left[i] = 1;
      if (random.Chance(0.3)) right[i] = 1;
    }
    const Dims a_dims = Resolve(left, {}), b_dims = Resolve(right, {});
    const Array a = random.Fill(kInt64, a_dims), b = random.Fill(kInt64, b_dims);
    Tape t;
    const Value y = t.Input("a", kInt64, left) * t.Input("b", kInt64, right);
    const std::vector<Array> out = MustRun(t, {y}, {{"a", a}, {"b", b}});
    ASSERT_EQ(out.size(), 1u);
    const Dims strides = RowMajorStrides(out[0].dims());
    const Dims a_strides = RowMajorStrides(a_dims), b_strides = RowMajorStrides(b_dims);
    for (int64_t at = 0; at < out[0].size(); at++) {
      int64_t i = 0, k = 0;
      for (size_t d = 0; d < shape.size(); d++) {
        const int64_t o = at / strides[d] % out[0].dims()[d];
        if (a_dims[d] != 1) i += o * a_strides[d];
        if (b_dims[d] != 1) k += o * b_strides[d];
      }
      ASSERT_EQ(out[0].At(at), a.At(i) * b.At(k));
    }
  }
}

TEST(EveryEngine, DrawsRandomNumbersThatAreAFunctionOfTheKey) {
  Tape t;
  const Value key = t.Input("key", kInt64, {});
  const Value uniform = RandomUniform(key, kFloat64, {1000}), order = Permutation(key, 50);
  for (const NamedEngine& engine : MainEngines()) {
    SCOPED_TRACE(engine.name);
    const absl::StatusOr<Executable> f = engine.make(*t.Finish({uniform, order}));
    const std::vector<Array> a = *f->Run({{"key", Array(int64_t{1})}});
    const std::vector<Array> b = *f->Run({{"key", Array(int64_t{1})}});
    const std::vector<Array> c = *f->Run({{"key", Array(int64_t{2})}});
    EXPECT_TRUE(SameBits(a[0], b[0]) && SameBits(a[1], b[1]));
    EXPECT_FALSE(SameBits(a[0], c[0]) || SameBits(a[1], c[1]));
    double mean = 0;
    for (int64_t i = 0; i < 1000; i++) mean += a[0].At(i) / 1000;
    EXPECT_NEAR(mean, 0.5, 0.05);
  }
}

// Numbers that one double stands for.
TEST(EveryEngine, TellsLargeIntegersApart) {
  constexpr int64_t kLarge = int64_t{1} << 53;
  Tape t;
  const Value key = t.Input("key", kInt64, {}), n = t.Input("n", kInt64, {2});
  const std::vector<Array> out =
      MustRun(t, {FoldIn(key, kLarge), FoldIn(key, kLarge + 1), Equal(n, kLarge + 1)},
              {{"key", Array(int64_t{5})}, {"n", Array::Vector<int64_t>({kLarge, kLarge + 1})}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_FALSE(SameBits(out[0], out[1]));
  EXPECT_TRUE(SameBits(out[2], Array::Vector<bool>({false, true})));
}

TEST(Interpret, CustomGradientIsItsFunction) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const Value y = CustomGradient(
      {x}, [](absl::Span<const Value> v) { return Sign(v[0]); },
      [](absl::Span<const Value>, Value, Value dy) { return std::vector<Value>{dy}; });
  const std::vector<Array> out = MustRun(t, {y}, {{"x", Array::Vector<float>({-3, 2})}});
  EXPECT_TRUE(SameBits(out[0], Array::Vector<float>({-1, 1})));
}

TEST(EveryEngine, IgnoresErrorsOfWhatIsNotNeeded) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2}), i = t.Input("i", kInt32, {});
  const Value wrong = Gather(x, i);
  const absl::StatusOr<Graph> both = t.Finish({wrong, x + 1});
  const Graph one(both->nodes(), both->inputs(), {both->outputs()[1]});
  const absl::StatusOr<std::vector<Array>> out =
      RunOnAllEngines(one, {{"x", Array::Vector<float>({1, 2})}, {"i", Array(int32_t{9})}});
  EXPECT_TRUE(out.ok()) << out.status();
}

// Graphs need not come from a Tape.
TEST(Interpret, RefusesAGraphThatIsNotSound) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const LoopResult r = Loop(t, {.trips = 2, .carried = {x}}, [](LoopBody& body) -> LoopStep {
    return {.carried = {body.carried[0] + 1}};
  });
  const absl::StatusOr<Graph> graph = t.Finish({r.carried[0]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  std::vector<Node> nodes = graph->nodes();
  for (Node& node : nodes) {
    if (node.kind() == Kind::kLoop) std::get<LoopAttributes>(node.attributes).captures = 3;
  }
  const Graph broken(nodes, graph->inputs(), graph->outputs());
  for (const Engine& engine : {Engine(Interpret), Engine(InterpretPortably)}) {
    const absl::Status status = engine(broken).status();
    EXPECT_NE(std::string(status.message()).find("loop: "), std::string::npos) << status;
  }
  EXPECT_FALSE(DumpPlan(broken, {}).ok());
}

TEST(Interpret, SymbolsThatNothingBindsAreAnError) {
  Tape t;
  const absl::Status status = TryInterpret(t, {t.Iota(kRows)}, {}).status();
  EXPECT_NE(std::string(status.message()).find("nothing says how many there are of [rows]"),
            std::string::npos)
      << status;
}

TEST(Interpret, RunsAChainOfAHundredThousandNodesInLittleMemory) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {1000});
  Value y = x;
  const int64_t nodes = QuarterIfSlow(100000);
  for (int64_t i = 0; i < nodes; i++) y = y + x;
  const absl::StatusOr<Executable> f = Interpret(*t.Finish({y}));
  ASSERT_TRUE(f.ok());
  Array ones = *Array::Zeros(kFloat32, {1000});
  for (float& v : ones.mutable_data<float>()) v = 1;
  const absl::StatusOr<std::vector<Array>> out = f->Run({{"x", ones}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].At(999), static_cast<double>(nodes + 1));
}

TEST(Interpret, TakesTenThousandInputs) {
  Tape t;
  NamedArrays inputs;
  std::vector<Value> values;
  const int64_t count = QuarterIfSlow(10000);
  for (int64_t i = 0; i < count; i++) {
    const std::string name = "x" + std::to_string(i);
    values.push_back(t.Input(name, kInt64, {1}));
    inputs.insert({name, Array::Vector<int64_t>({i})});
  }
  const std::vector<Array> out = MustRun(t, {Sum(Concat(values, 0))}, inputs);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].At(0), static_cast<double>(count * (count - 1) / 2));
}

TEST(Interpret, RefusesTooDeeplyNestedLoops) {
  Tape t;
  std::function<Value(Tape&, Value, int)> nest = [&](Tape& tape, Value x, int depth) -> Value {
    if (depth == 0) return x + 1;
    return Loop(tape, {.trips = 1, .carried = {x}},
                [&](LoopBody& body) -> LoopStep {
                  return {.carried = {nest(body.tape, body.carried[0], depth - 1)}};
                })
        .carried[0];
  };
  const Value x = t.Input("x", kFloat32, {});
  EXPECT_EQ(MustRun(t, {nest(t, x, 20)}, {{"x", Array(1.0f)}})[0].At(0), 2);
  const absl::Status status = TryInterpret(t, {nest(t, x, 60)}, {{"x", Array(1.0f)}}).status();
  EXPECT_NE(std::string(status.message()).find("more than 32 deep"), std::string::npos) << status;
}

TEST(Interpret, RefusesAShapeThatCanNotExist) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 0});
  const Value y = Sum(BroadcastTo(Sum(x), {kRows, kRows}));
  const absl::Status status =
      TryRun(t, {y}, {{"x", *Array::Zeros(kFloat32, {int64_t{1} << 40, 0})}}).status();
  EXPECT_FALSE(status.ok());
}

TEST(Interpret, SaysHowMuchMemoryIsMissingForWhat) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 0});
  const Value y = Sum(Exp(BroadcastTo(Sum(x), {kRows})));
  const absl::Status status =
      TryInterpret(t, {y}, {{"x", *Array::Zeros(kFloat32, {int64_t{1} << 48, 0})}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(status.message()).find("exp: "), std::string::npos) << status;
  EXPECT_NE(std::string(status.message()).find("no memory for 11258999"), std::string::npos)
      << status;
}

TEST(EveryEngine, EveryFailedAllocationIsAStatus) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows});
  const LoopResult r = Loop(t, {.trips = 2, .carried = {Exp(x)}}, [&](LoopBody& body) -> LoopStep {
    const Value y = Exp(body.carried[0] * 2);
    return {.carried = {y + Cast(body.tape.Iota(kRows), kFloat32)}, .stacked = {Sum(y)}};
  });
  const Graph graph = *t.Finish({r.carried[0] * 2, r.stacked[0]});
  const Array in = Array::Vector<float>({1, 2, 3});
  for (const NamedEngine& engine : MainEngines()) {
    SCOPED_TRACE(engine.name);
    int failures = 0;
    for (int64_t k = 1;; k++) {
      const Executable f = *engine.make(graph);
      const FailingAllocation failing(k);
      const absl::StatusOr<std::vector<Array>> out = f.Run({{"x", in}});
      if (!failing.Happened()) {
        EXPECT_TRUE(out.ok());
        break;
      }
      EXPECT_EQ(out.status().code(), absl::StatusCode::kResourceExhausted) << k;
      failures++;
    }
    // An output each, and what is in between: a compiler may need none of the last.
    EXPECT_GE(failures, 2);
  }
}

TEST(EveryEngine, RunsInManyThreadsAtOnce) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 8}), w = t.Input("w", kFloat32, {8, 8});
  const LoopResult r = Loop(t, {.trips = 20, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
    return {.carried = {Tanh(MatMul(body.carried[0], w))}, .stacked = {Sum(body.carried[0])}};
  });
  for (const NamedEngine& engine : MainEngines()) {
    SCOPED_TRACE(engine.name);
    const absl::StatusOr<Executable> f = engine.make(*t.Finish({r.carried[0], r.stacked[0]}));
    ASSERT_TRUE(f.ok());
    Random random(1);
    const Array weights = random.Fill(kFloat32, {8, 8});
    std::vector<Array> inputs;
    std::vector<std::vector<Array>> expected;
    for (int64_t rows = 1; rows <= 20; rows++) {
      inputs.push_back(random.Fill(kFloat32, {rows, 8}));
      expected.push_back(*f->Run({{"x", inputs.back()}, {"w", weights}}));
    }
    std::vector<std::thread> threads;
    std::atomic<int> differences = 0;
    for (int k = 0; k < 4; k++) {
      threads.emplace_back([&, k] {
        for (size_t i = 0; i < 60; i++) {
          const size_t which = (i * 7 + static_cast<size_t>(k)) % inputs.size();
          const absl::StatusOr<std::vector<Array>> out =
              f->Run({{"x", inputs[which]}, {"w", weights}});
          if (!out.ok() || !SameBits((*out)[0], expected[which][0]) ||
              !SameBits((*out)[1], expected[which][1])) {
            differences++;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(differences.load(), 0);
  }
}

TEST(DumpPlan, SaysAViewCostsNothing) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 3});
  const absl::StatusOr<std::string> text =
      DumpPlan(*t.Finish({Exp(Transpose(x)) + 1}), {.rows = 2, .trips = -1});
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->find("view"), std::string::npos);
  EXPECT_NE(text->find("exp"), std::string::npos) << *text;
  EXPECT_NE(text->find("%0[1,3]"), std::string::npos) << *text;
  EXPECT_NE(text->find("float32[3,2]"), std::string::npos) << *text;
}

TEST(DumpPlan, ShowsBodiesOfLoops) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {4});
  const LoopResult r = Loop(t,
                            {.trips = 3,
                             .carried = {x},
                             .rows = t.Constant(Array::Vector<int32_t>({1, 2, 3})),
                             .rows_limit = 3},
                            [](LoopBody& body) -> LoopStep {
                              return {.carried = {Tanh(body.carried[0])},
                                      .stacked = {Sum(Square(body.tape.Iota(kRows)))}};
                            });
  const absl::StatusOr<std::string> text = DumpPlan(*t.Finish({r.carried[0], r.stacked[0]}), {});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_NE(text->find("    |    0  tanh"), std::string::npos) << *text;
  EXPECT_NE(text->find("int32[3]"), std::string::npos) << *text;
}

}  // namespace
}  // namespace talweg
