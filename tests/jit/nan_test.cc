// Where a NaN or an infinity comes from.

#include "jit/nan.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What is told of a run; the interpreter must say the same.
std::string Told(const Graph& graph, const NamedArrays& inputs) {
  std::string told;
  Trace trace = {.nan = true};
  trace.sink = [&told](std::string_view, std::string_view text) { told += text; };
  const absl::StatusOr<Executable> f = Jit(graph, {.verify = true, .trace = trace});
  EXPECT_TRUE(f.ok()) << f.status();
  const absl::StatusOr<std::vector<Array>> out = f->Run(inputs);
  EXPECT_TRUE(out.ok()) << out.status();
  const absl::StatusOr<Graph> tracking = TrackOrigins(graph);
  EXPECT_TRUE(tracking.ok()) << tracking.status();
  const auto origins = Interpret(*tracking)->Run(inputs);
  EXPECT_TRUE(origins.ok()) << origins.status();
  EXPECT_EQ(DescribeOrigins(graph, *origins), told);
  return told;
}

std::string Told(const Tape& t, const std::vector<Value>& outputs, const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = t.Finish(outputs);
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? Told(*graph, inputs) : "";
}

TEST(Nan, NamesTheNode) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3});
  const int line = __LINE__ + 1;
  const Value y = Log(x);
  EXPECT_EQ(Told(t, {y * 2, x, Sum(y)}, {{"x", Array::Vector<float>({1, -1, 2})}}),
            "log: float32[3]: makes a NaN of finite numbers (tests/jit/nan_test.cc:" +
                std::to_string(line) + ")\n  it reaches output 0 and 1 more\n");
  EXPECT_THAT(Told(t, {y}, {{"x", Array::Vector<float>({1, 0, 2})}}),
              HasSubstr("log: float32[3]: makes an infinity of finite numbers"));
}

TEST(Nan, SaysNothingOfFiniteResults) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2});
  EXPECT_EQ(Told(t, {Exp(x), Less(x, 1)}, {{"x", Array::Vector<double>({1, 2})}}), "");
  // What a result does not depend on any more is not blamed.
  const Value masked = Select(Greater(x, 0), Log(x), 0);
  EXPECT_EQ(Told(t, {masked, 1 / Exp(x * 1e6)}, {{"x", Array::Vector<double>({0, 2})}}), "");
}

TEST(Nan, BlamesWhatReachesTheResult) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2}), z = t.Input("z", kFloat64, {});
  const Value masked = Select(Greater(x, 0), Log(x), 0);
  EXPECT_THAT(
      Told(t, {Sum(masked) + Sqrt(z)}, {{"x", Array::Vector<double>({0, 2})}, {"z", Array(-1.0)}}),
      HasSubstr("sqrt: float64[]: makes a NaN of finite numbers"));
}

TEST(Nan, OfSeveralTheFirst) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {});
  const Value a = Log(x), b = Sqrt(x), c = a + b;
  const NamedArrays inputs = {{"x", Array(-1.0)}};
  EXPECT_THAT(Told(t, {c}, inputs), HasSubstr("log: "));
  EXPECT_THAT(Told(t, {b, c}, inputs), HasSubstr("log: "));
  EXPECT_THAT(Told(t, {b}, inputs), HasSubstr("sqrt: "));
}

TEST(Nan, InInputsAndConstantsIfThereIsNothingElse) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2});
  const Array bad = Array::Vector<double>({1, std::nan("")});
  EXPECT_THAT(Told(t, {x + 1}, {{"x", bad}}),
              HasSubstr("input 'x': float64[2]: has a NaN already (tests/jit/nan_test.cc:"));
  EXPECT_THAT(Told(t, {x + 1, Log(Cast(Cast(x, kInt32), kFloat64) - 1)}, {{"x", bad}}),
              HasSubstr("log: "));
  const Value constant = t.Constant(Array(kInfinity));
  EXPECT_THAT(Told(t, {Max(x, constant)}, {{"x", Array::Vector<double>({1, 2})}}),
              HasSubstr("constant: float64[]: has an infinity"));
}

TEST(Nan, NamesTheTrip) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {});
  const int loop_line = __LINE__ + 1;
  const LoopResult r = Loop(t, {.trips = 20, .carried = {x}}, [](LoopBody& body) -> LoopStep {
    return {.carried = {body.carried[0] * 10}, .stacked = {body.carried[0] - 1}};
  });
  const std::string told = Told(t, {r.stacked[0], r.carried[0]}, {{"x", Array(1e30f)}});
  EXPECT_THAT(told, HasSubstr("mul: float32[] x float32[]: makes an infinity of finite numbers"));
  EXPECT_THAT(told, HasSubstr("\n  in trip 8 of the loop at tests/jit/nan_test.cc:" +
                              std::to_string(loop_line) + "\n  it reaches output 0 and 1 more\n"));
}

TEST(Nan, NamesTheTripsOfLoopsInLoops) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {4, 3}), y = t.Input("y", kFloat64, {});
  const LoopResult r =
      Loop(t, {.carried = {y}, .scanned = {x}, .reversed = true}, [](LoopBody& outer) -> LoopStep {
        const LoopResult inner =
            Loop(outer.tape, {.carried = {outer.carried[0]}, .scanned = {outer.scanned[0]}},
                 [](LoopBody& body) -> LoopStep {
                   return {.carried = {body.carried[0] + Sqrt(body.scanned[0])}};
                 });
        return {.carried = inner.carried};
      });
  const Array bad = Array::Matrix<double>({{1, 1, 1}, {1, -1, 1}, {1, 1, -1}, {1, 1, 1}});
  const std::string told = Told(t, {r.carried[0]}, {{"x", bad}, {"y", Array(0.0)}});
  // Backwards: row 2 comes first.
  EXPECT_THAT(told, MatchesRegex("sqrt: float64\\[\\]: makes a NaN of finite numbers [^\n]*\n"
                                 "  in trip 2 of the loop at [^,]*, in trip 2 of the loop at "
                                 "[^,]*\n  it reaches output 0\n"));
}

TEST(Nan, GoesThroughCapturesAndScannedValues) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {3}), zero = t.Input("zero", kFloat64, {});
  const Value logs = Log(x), inverse = 1 / x;
  const LoopResult r =
      Loop(t, {.carried = {zero}, .scanned = {logs}}, [&](LoopBody& body) -> LoopStep {
        return {.carried = {body.carried[0] + body.scanned[0]},
                .stacked = {body.scanned[0], Sum(inverse)}};
      });
  const NamedArrays inputs = {{"x", Array::Vector<double>({1, -1, 0})}, {"zero", Array(0.0)}};
  EXPECT_THAT(Told(t, {r.carried[0]}, inputs), HasSubstr("log: float64[3]: makes a NaN"));
  EXPECT_THAT(Told(t, {r.stacked[0]}, inputs), HasSubstr("log: float64[3]: makes a NaN"));
  EXPECT_THAT(Told(t, {r.stacked[1]}, inputs), HasSubstr("div: float64[3] x float64[3]: makes"));
  EXPECT_THAT(Told(t, {r.stacked[1]}, inputs), Not(HasSubstr("trip")));
}

TEST(Nan, TellsOfEachRun) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {kRows});
  int told = 0;
  Trace trace = {.nan = true};
  trace.sink = [&told](std::string_view stage, std::string_view) {
    EXPECT_EQ(stage, "nan");
    told++;
  };
  const Executable f = *Jit(*t.Finish({Log(x)}), {.trace = trace});
  EXPECT_TRUE(f.Run({{"x", Array::Vector<double>({1})}}).ok());
  EXPECT_EQ(told, 0);
  EXPECT_TRUE(f.Run({{"x", Array::Vector<double>({1, 0})}}).ok());
  EXPECT_TRUE(f.Run({{"x", Array::Vector<double>({-1, 0, 1})}}).ok());
  EXPECT_EQ(told, 2);
}

// The tutorial's network, with a rate at which nothing can go well.
TEST(Nan, OfATrainingIsFoundInItsTrips) {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 1000, .cluster_std = 2, .seed = 2});
  const TrainTest data = *Split(*OneHotTargets(*blobs, 3), 500);
  const Training training{.model =
                              [](Scope& s, Value x) {
                                const Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
                                return Dense(s, "output", h, 3);
                              },
                          .loss = SoftmaxCrossEntropy,
                          .rule = Sgd(),
                          .rate = 1e30,
                          .metrics = {Accuracy},
                          .epochs = 3};
  std::string told;
  Trace trace = {.nan = true};
  trace.sink = [&told](std::string_view, std::string_view text) { told += text; };
  const absl::StatusOr<Fitted> fitted =
      Fit(JitEngine({.trace = trace}), training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_TRUE(std::isnan(fitted->history.last("loss")));
  // The first update makes large numbers, in the second one they overflow.
  EXPECT_THAT(told, HasSubstr(" of finite numbers (tests/jit/nan_test.cc:"));
  EXPECT_THAT(told, HasSubstr("\n  in trip 0 of the loop at "));
  EXPECT_THAT(told, HasSubstr(", in trip 1 of the loop at "));
}

// On any graph: an output has an origin if and only if it has a NaN or an infinity.
TEST(Nan, EveryNonFiniteOutputHasAnOrigin) {
  int with = 0, without = 0, made = 0;
  for (uint64_t seed = 1; seed <= 120; seed++) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed);
    ASSERT_TRUE(random.ok()) << random.status();
    const Graph& graph = random->graph;
    NamedArrays inputs = RandomInputs(graph, seed, random->rows);
    // Some runs begin with infinities, some with what will overflow.
    for (auto& [name, array] : inputs) {
      if (array.dtype() != kFloat32 || array.size() == 0) continue;
      if (seed % 3 == 0) array.mutable_data<float>()[0] = static_cast<float>(kInfinity);
      if (seed % 3 == 1) array.mutable_data<float>()[0] *= 1e38f;
    }
    const absl::StatusOr<std::vector<Array>> outputs = Interpret(graph)->Run(inputs);
    if (!outputs.ok()) continue;  // an index out of range
    const absl::StatusOr<Graph> tracking = TrackOrigins(graph);
    ASSERT_TRUE(tracking.ok()) << seed << ": " << tracking.status();
    ASSERT_TRUE(Verify(*tracking).ok()) << seed << ": " << Verify(*tracking);
    const auto origins =
        seed % 40 == 0 ? RunOnAllEngines(*tracking, inputs) : Interpret(*tracking)->Run(inputs);
    ASSERT_TRUE(origins.ok()) << seed << ": " << origins.status();
    bool any = false;
    size_t floats = 0;
    for (const Array& output : *outputs) floats += IsFloat(output.dtype()) ? 1 : 0;
    ASSERT_TRUE(floats == 0 ? origins->empty() : origins->size() % floats == 0);
    size_t next = 0;
    for (const Array& output : *outputs) {
      if (!IsFloat(output.dtype())) continue;
      bool finite = true;
      for (int64_t i = 0; i < output.size(); i++) finite = finite && std::isfinite(output.At(i));
      const int64_t key = (*origins)[next].data<int64_t>()[0];
      EXPECT_EQ(key == std::numeric_limits<int64_t>::max(), finite) << "seed " << seed;
      next += origins->size() / floats;
      any = any || !finite;
      (finite ? without : with)++;
    }
    const std::string text = DescribeOrigins(graph, *origins);
    EXPECT_EQ(text.empty(), !any) << text;
    if (text.find(": makes ") != std::string::npos) made++;
  }
  EXPECT_GE(with, 20);
  EXPECT_GE(without, 20);
  EXPECT_GE(made, 5);
}

}  // namespace
}  // namespace talweg
