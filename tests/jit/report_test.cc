// What is counted of compiled functions.

#include <stdlib.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jit/flop.h"
#include "jit/peak.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

double FlopOf(const Tape& t, const std::vector<Value>& outputs, const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = t.Finish(outputs);
  EXPECT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Graph> counting = CountFlop(*graph);
  EXPECT_TRUE(counting.ok()) << counting.status();
  const absl::StatusOr<std::vector<Array>> out = RunOnAllEngines(*counting, inputs);
  EXPECT_TRUE(out.ok()) << out.status();
  return out.ok() ? out->back().At(0) : -1;
}

Array Floats(const Dims& dims) { return *Array::Zeros(kFloat32, dims); }

// The others wait for the one that came first.
TEST(JitEngine, CompilesAnEqualGraphOnceForCallsAtTheSameTime) {
  std::atomic<int> compiles = 0;
  const JitEngine engine(
      {.cache = "off",
       .trace = {.time = true, .sink = [&](std::string_view, std::string_view) { compiles++; }}});
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows});
  const Graph graph = *t.Finish({Sum(Exp(x))});
  const NamedArrays inputs = RandomInputs(graph, 7, 5);
  std::vector<absl::StatusOr<std::vector<Array>>> results(8, absl::UnknownError("none"));
  std::vector<std::thread> callers;
  for (auto& result : results) {
    callers.emplace_back([&] {
      const absl::StatusOr<Executable> made = engine(graph);
      result = made.ok() ? made->Run(inputs) : made.status();
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(compiles, 1);
  for (const auto& result : results) {
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(SameBits(result->front(), results[0]->front()));
  }
}

// What could not be compiled is not kept.
TEST(JitEngine, SaysAgainWhatIsWrong) {
  const JitEngine engine({.cpu = "none", .cache = "off"});
  Tape t;
  const Graph graph = *t.Finish({Exp(t.Input("x", kFloat32, {kRows}))});
  EXPECT_FALSE(engine(graph).ok());
  EXPECT_FALSE(engine(graph).ok());
}

TEST(Flop, OfEachKind) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), w = t.Input("w", kFloat32, {2, 50});
  const NamedArrays inputs = {{"x", Floats({32, 2})}, {"w", Floats({2, 50})}};
  EXPECT_EQ(FlopOf(t, {MatMul(x, w)}, inputs), 2 * 32 * 2 * 50);
  EXPECT_EQ(FlopOf(t, {x + 1}, inputs), 64);
  EXPECT_EQ(FlopOf(t, {Sum(w)}, inputs), 100);
  EXPECT_EQ(FlopOf(t, {Transpose(x), Less(x, 1), Cast(x, kInt32) + 1}, inputs), 0);
  EXPECT_EQ(FlopOf(t, {Select(Less(x, 1), x, -x)}, inputs), 0);
  const Value indices = t.Input("i", kInt32, {5});
  NamedArrays more = inputs;
  more.insert({"i", *Array::Zeros(kInt32, {5})});
  EXPECT_EQ(FlopOf(t, {Gather(w, indices, 1)}, more), 0);
  // What only a derivative reads is not computed.
  const Value custom = CustomGradient(
      {x, Exp(x)}, [](absl::Span<const Value> v) { return v[0] + 1; },
      [](absl::Span<const Value> v, const Value&, const Value& dy) {
        return std::vector<Value>{dy * v[1], dy};
      });
  EXPECT_EQ(FlopOf(t, {custom * 2}, more), 128);
  // An exp is some ten or twenty.
  const double exp = FlopOf(t, {Exp(x)}, more) / 64;
  EXPECT_GE(exp, 8);
  EXPECT_LE(exp, 40);
}

TEST(Flop, CountsTheTripsThatRan) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {8}), n = t.Input("n", kInt64, {});
  const auto loop = [&](Arg trips, bool stops) {
    return Loop(t, {.trips = trips, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
      LoopStep step{.carried = {body.carried[0] + 1}};
      if (stops) step.stop = GreaterEqual(At(body.carried[0], 0, 0), 3);
      return step;
    });
  };
  const NamedArrays inputs = {{"x", Floats({8})}, {"n", Array(int64_t{7})}};
  EXPECT_EQ(FlopOf(t, {loop(100, false).carried[0]}, inputs), 800);
  EXPECT_EQ(FlopOf(t, {loop(n, false).carried[0]}, inputs), 7 * 8);
  EXPECT_EQ(FlopOf(t, {loop(100, true).carried[0]}, inputs), 4 * 8);
  // A loop in a loop, of as many trips as the outer one has had.
  const LoopResult outer = Loop(t, {.trips = n, .carried = {x}}, [](LoopBody& body) -> LoopStep {
    const LoopResult r =
        Loop(body.tape, {.trips = body.trip, .carried = {body.carried[0]}},
             [](LoopBody& inner) -> LoopStep { return {.carried = {inner.carried[0] * 2}}; });
    return {.carried = r.carried};
  });
  EXPECT_EQ(FlopOf(t, {outer.carried[0]}, inputs), (1 + 2 + 3 + 4 + 5 + 6) * 8);
}

TEST(Flop, CountsTheRowsOfEachTrip) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {10, 2}), w = t.Input("w", kFloat32, {2, 3});
  LoopOptions options{.trips = 3, .carried = {w}};
  options.rows = t.Constant(Array::Vector<int64_t>({4, 4, 2}));
  options.rows_limit = 4;
  const LoopResult r = Loop(t, options, [&](LoopBody& body) -> LoopStep {
    const Value batch = Gather(x, body.tape.Iota(kRows));
    return {.carried = {body.carried[0] + Sum(MatMul(batch, body.carried[0]))}};
  });
  // A trip: 2 * rows * 2 * 3 of the product, rows * 3 of the sum, 6 of what is added.
  EXPECT_EQ(FlopOf(t, {r.carried[0]}, {{"x", Floats({10, 2})}, {"w", Floats({2, 3})}}),
            10 * 12 + 10 * 3 + 3 * 6);
}

TEST(Flop, LeavesTheResultsOfAnyGraphAlone) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed);
    ASSERT_TRUE(random.ok()) << random.status();
    const NamedArrays inputs = RandomInputs(random->graph, seed, random->rows);
    const absl::StatusOr<Graph> counting = CountFlop(random->graph);
    ASSERT_TRUE(counting.ok()) << counting.status();
    const auto plain = Interpret(random->graph)->Run(inputs);
    const auto counted = Interpret(*counting)->Run(inputs);
    ASSERT_EQ(plain.ok(), counted.ok()) << seed << plain.status() << counted.status();
    if (!plain.ok()) continue;
    ASSERT_EQ(counted->size(), plain->size() + 1);
    for (size_t k = 0; k < plain->size(); k++) EXPECT_TRUE(SameBits((*plain)[k], (*counted)[k]));
    const double flop = counted->back().At(0);
    EXPECT_TRUE(flop >= 0 && flop == std::floor(flop) && std::isfinite(flop)) << flop;
  }
}

TEST(Peak, IsThatOfAProcessor) {
  const absl::StatusOr<double> peak = MeasurePeak("native");
  ASSERT_TRUE(peak.ok()) << peak.status();
  EXPECT_GT(*peak, 0.5);
  EXPECT_LT(*peak, 2000);
  EXPECT_TRUE(MeasurePeak("x86-64").ok());
  EXPECT_FALSE(MeasurePeak("z80").ok());
}

Graph Product(int64_t n) {
  Tape t;
  const Value a = t.Input("a", kFloat32, {n, n}), b = t.Input("b", kFloat32, {n, n});
  return *t.Finish({MatMul(a, b)});
}

std::vector<std::string> Row(const std::string& report, size_t line) {
  const std::vector<std::string> lines = absl::StrSplit(report, '\n');
  return absl::StrSplit(lines.at(line), ' ', absl::SkipEmpty());
}

double NumberOf(const std::string& text) {
  double number = -1;
  EXPECT_TRUE(absl::SimpleAtod(absl::StripSuffix(text, "%"), &number)) << text;
  return number;
}

TEST(Report, TellsOfEachFunction) {
  const JitEngine engine({.cache = "off", .profile = true});
  const Executable f = *engine(Product(64)), again = *engine(Product(64));
  const NamedArrays inputs = {{"a", Floats({64, 64})}, {"b", Floats({64, 64})}};
  for (int i = 0; i < 50; i++) {
    const auto out = f.Run(inputs);
    ASSERT_TRUE(out.ok()) << out.status();
    ASSERT_EQ(out->size(), 1u);
    ASSERT_TRUE(again.Run(inputs).ok());
  }
  ASSERT_TRUE(engine(Product(8)).ok());
  const std::string report = engine.Report();
  // Name (three words and a line), passes, lower, llvm, ms, runs, ms, us/run, GFLOP, rate, peak.
  const std::vector<std::string> row = Row(report, 1);
  ASSERT_EQ(row.size(), 14u) << report;
  EXPECT_EQ(row[0], "3");
  EXPECT_THAT(row[3], HasSubstr("report_test.cc:"));
  EXPECT_GT(NumberOf(row[7]), 0);
  EXPECT_EQ(row[8], "100");
  EXPECT_NEAR(NumberOf(row[11]), 100 * 2.0 * 64 * 64 * 64 / 1e9, 1e-3);
  EXPECT_GT(NumberOf(row[12]), 0);
  EXPECT_GT(NumberOf(row[13]), 0);
  EXPECT_EQ(Row(report, 2).size(), 9u) << report;
  EXPECT_THAT(report, HasSubstr("\npeak: "));
}

TEST(Report, CountsRunsUnasked) {
  const JitEngine engine({.cache = "off"});
  const Executable f = *engine(Product(8));
  ASSERT_TRUE(f.Run({{"a", Floats({8, 8})}, {"b", Floats({8, 8})}}).ok());
  const std::string report = engine.Report();
  EXPECT_EQ(Row(report, 1).back(), "1");
  EXPECT_THAT(report, HasSubstr("Runs are timed with JitOptions::profile"));
  EXPECT_THAT(report, Not(HasSubstr("peak:")));
}

TEST(Report, SaysWhatCameFromTheCache) {
  const std::string cache = testing::TempDir() + "/report_cache";
  for (const bool cached : {false, true}) {
    const JitEngine engine({.cache = cache});
    ASSERT_TRUE(engine(Product(9)).ok());
    EXPECT_EQ(Row(engine.Report(), 1)[8] == "yes", cached) << engine.Report();
  }
}

TEST(Report, IsThereForJitEnginesOnly) {
  const Engine engine = JitEngine();
  ASSERT_TRUE(engine(Product(4)).ok());
  ASSERT_TRUE(ReportOf(engine).ok());
  EXPECT_THAT(*ReportOf(engine), HasSubstr("3 nodes at tests/jit/report_test.cc:"));
  EXPECT_TRUE(ReportOf(DefaultEngine()).ok());
  EXPECT_FALSE(ReportOf(Interpret).ok());
  EXPECT_FALSE(ReportOf(Engine()).ok());
}

TEST(Report, IsPrintedAtTheEndOfAnEngine) {
  std::string told;
  {
    JitOptions options;
    options.trace.table = true;
    options.trace.sink = [&told](std::string_view stage, std::string_view text) {
      EXPECT_EQ(stage, "table");
      told += text;
    };
    const Engine engine = JitEngine(options), copy = engine;
    ASSERT_TRUE(copy(Product(4)).ok());
    EXPECT_EQ(told, "");
  }
  EXPECT_THAT(told, HasSubstr("3 nodes at tests/jit/report_test.cc:"));
}

TEST(Report, ATrainingIsMeasuredAsAWhole) {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 200, .cluster_std = 2, .seed = 2});
  const TrainTest data = *Split(*OneHotTargets(*blobs, 3), 100);
  const Training training{
      .model = [](Scope& s,
                  Value x) { return Dense(s, "output", Relu(Dense(s, "hidden", x, 50)), 3); },
      .loss = SoftmaxCrossEntropy,
      .rule = Sgd({.momentum = 0.9}),
      .rate = 0.01,
      .epochs = 5};
  const JitEngine plain, timed({.profile = true});
  const absl::StatusOr<Fitted> a = Fit(plain, training, data.train, data.test);
  const absl::StatusOr<Fitted> b = Fit(timed, training, data.train, data.test);
  ASSERT_TRUE(a.ok()) << a.status();
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_EQ(a->history.ToCsv(), b->history.ToCsv());
  // The products of an epoch alone: forward for all samples, backward for those of the training but
  // for the first layer's inputs.
  const double products = 2 * (200 * (2 * 50 + 50 * 3) + 100 * (2 * 50 + 2 * 50 * 3));
  const std::string report = timed.Report();
  double most = 0;
  for (size_t line = 1; line < 3; line++) {
    const std::vector<std::string> row = Row(report, line);
    if (row.size() == 14u) most = std::max(most, NumberOf(row[11]));
  }
  EXPECT_GE(most * 1e9, 5 * products * 0.99) << report;
  EXPECT_LE(most * 1e9, 5 * products * 3) << report;
}

TEST(ReportDeathTest, TheEnvironmentAsksForIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    ::setenv("TALWEG_TRACE", "table", 1);
    ::unsetenv("TALWEG_TRACE_DIR");
    Tape t;
    const Value x = t.Input("x", kFloat32, {kRows});
    const bool ok = Compile(t, {Exp(x)})->Run({{"x", Floats({1000})}}).ok();
    std::exit(ok ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0),
              "^== talweg: table\ncompiled function .*nodes at tests/jit/report_test.cc:.*peak: ");
}

}  // namespace
}  // namespace talweg
