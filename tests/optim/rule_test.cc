#include "optim/rule.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "optim/rules.h"
#include "tests/graphs/engines.h"
#include "tests/optim/updates.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string ErrorOf(const Rule& rule) {
  return std::string(Updates::Make(rule, kFloat32).status().message());
}

TEST(Rule, IsALambdaOfTheUser) {
  // Momentum whose strength rises towards 1 - 1 / (n + 2), with a count of its own.
  const Rule rising = [](RuleScope& s, Value, Value g, Value lr) {
    const Value n = s.Slot("n", 2);
    const Value next = (1 - 1 / n) * s.Slot("velocity") - lr * g;
    s.Set("n", n + 1);
    s.Set("velocity", next);
    return next;
  };
  absl::StatusOr<Updates> updates = Updates::Make(rising, kFloat64);
  ASSERT_TRUE(updates.ok()) << updates.status();
  Draw draw(5);
  std::vector<double> p = draw.Uniforms(7, -1, 1), v(7, 0.0);
  updates->Start(p);
  for (int n = 0; n < 10; n++) {
    const std::vector<double> g = draw.Gradients(7);
    ASSERT_TRUE(updates->Step(g, 0.1).ok());
    for (size_t i = 0; i < 7; i++) {
      v[i] = (1 - 1.0 / (n + 2)) * v[i] - 0.1 * g[i];
      p[i] += v[i];
      ASSERT_NEAR(updates->parameters()[i], p[i], 1e-14 * (1 + std::abs(p[i])));
    }
  }
}

TEST(Rule, SeesStepCountAndBothRates) {
  Rule shows = [](RuleScope& s, Value p, Value, Value lr) {
    const Value sum = Cast(s.step(), kFloat64) + 10 * s.count() + 100 * s.rate() +
                      1000 * s.decayed_rate() + 10000 * Cast(lr, kFloat64);
    return p * 0 + s.Narrow(sum);
  };
  shows.decay = 0.5;
  absl::StatusOr<Updates> updates = Updates::Make(shows, kFloat64);
  ASSERT_TRUE(updates.ok()) << updates.status();
  double expected = 0;
  updates->Start(std::vector<double>(7, 0.0));
  for (int n = 0; n < 4; n++) {
    ASSERT_TRUE(updates->Step(std::vector<double>(7, 1.0), 2.0).ok());
    expected += n + 10 * (n + 1) + 200 + 11000 * (2 / (1 + 0.5 * n));
    EXPECT_NEAR(updates->parameters()[6], expected, 1e-9);
  }
}

TEST(Rule, RunsWithOtherNumbersWithoutANewGraph) {
  absl::StatusOr<Updates> updates = Updates::Make(Sgd({.momentum = 0.9}), kFloat64);
  ASSERT_TRUE(updates.ok()) << updates.status();
  for (const double momentum : {0.0, 0.5}) {
    updates->Bind("momentum", momentum);
    updates->Start(std::vector<double>(7, 1.0));
    for (int n = 0; n < 2; n++) {
      ASSERT_TRUE(updates->Step(std::vector<double>(7, 1.0), 0.25).ok());
    }
    EXPECT_EQ(updates->parameters()[0], 1 - 0.25 - (0.25 + momentum * 0.25));
  }
}

TEST(Rule, ReportsASlotThatIsNeverSet) {
  const Rule forgets = [](RuleScope& s, Value, Value g, Value) { return g * s.Slot("velocity"); };
  EXPECT_THAT(ErrorOf(forgets), HasSubstr("state a/velocity: is read, but never set"));
  EXPECT_THAT(ErrorOf(forgets), HasSubstr("rule_test.cc:"));
}

TEST(Rule, ReportsASlotThatWasNeverRead) {
  const Rule sets = [](RuleScope& s, Value, Value g, Value) {
    s.Set("velocity", g);
    return g;
  };
  EXPECT_THAT(ErrorOf(sets), HasSubstr("state a/velocity: is set, but nobody asked"));
}

TEST(Rule, ReportsASlotOfAnotherType) {
  const Rule widens = [](RuleScope& s, Value, Value g, Value) {
    s.Slot("velocity");
    s.Set("velocity", Cast(g, kFloat64));
    return g;
  };
  EXPECT_THAT(ErrorOf(widens),
              HasSubstr("state a/velocity: is float32[3], but is set to float64[3]"));
}

TEST(Rule, ReportsAnIncrementOfAnotherType) {
  const Rule scalar = [](RuleScope&, Value, Value, Value lr) { return lr; };
  EXPECT_THAT(ErrorOf(scalar),
              HasSubstr("parameter a is float32[3], but the rule's increment is float32[]"));
  const Rule nothing("mine", [](RuleScope&, Value, Value, Value) { return Value(); });
  EXPECT_EQ(ErrorOf(nothing),
            "mine: parameter a is float32[3], but the rule returned a value of no tape");
}

TEST(Rule, ReportsSharedScalarsThatParametersDisagreeAbout) {
  const Rule disagrees = [](RuleScope& s, Value, Value g, Value) {
    const Value total = s.SharedScalar("total");
    s.Set("total", total + (s.parameter() == "a" ? 1 : 2));
    return g;
  };
  EXPECT_THAT(ErrorOf(disagrees), HasSubstr("state total: is set twice, to different values"));
}

TEST(Rule, ReportsOneNameWithTwoNumbers) {
  const Rule twice = [](RuleScope& s, Value, Value g, Value) {
    const Value once = s.Hyper("k", 1);
    return g * once * s.Hyper("k", 2);
  };
  EXPECT_THAT(ErrorOf(twice),
              HasSubstr("hyper-parameter k is asked for with two numbers, 1 and 2"));
}

TEST(Apply, ReportsArgumentsThatDoNotFit) {
  Tape t;
  const Value p = t.Input("p", kFloat32, {2}), g = t.Input("g", kFloat64, {2});
  const Value rate = t.Input("rate", kFloat64, {}), step = t.Input("step", kInt64, {});
  const Value counts = t.Input("counts", kInt32, {2});
  const auto error = [&](std::vector<NamedValue> parameters, std::vector<Value> gradients,
                         Value rate, Value step) {
    const auto next = Apply(Sgd(), parameters, gradients, rate, step, HyperScope(t), StateScope(t));
    return std::string(next.status().message());
  };
  EXPECT_THAT(error({{"w", p}}, {}, rate, step), HasSubstr("sgd: 1 parameters, but 0 gradients"));
  EXPECT_THAT(error({{"w", p}}, {g}, rate, step),
              HasSubstr("parameter w is float32[2], but its gradient is float64[2]"));
  EXPECT_THAT(error({{"w", counts}}, {counts}, rate, step),
              HasSubstr("parameter w is int32[2]; only floats can be trained"));
  EXPECT_THAT(error({{"w", p}}, {p}, step, step), HasSubstr("the rate is int64[]"));
  EXPECT_THAT(error({{"w", p}}, {p}, rate, rate), HasSubstr("the step is float64[]"));
}

// A rule is used in a loop by running its builder twice; the result is that of single steps.
TEST(Apply, GivesTheSameBitsInALoopAsStepByStep) {
  const Rule rule = Nadam({.clipnorm = 2.0});
  const int updates = 8;
  Draw draw(11);
  const std::vector<double> start = draw.Uniforms(3, -1, 1);
  const std::vector<double> gradients = draw.Gradients(3 * updates);

  const auto build = [&](const Value& p, const Value& g, const Value& rate, const Value& step,
                         const HyperScope& hypers, const StateScope& state) {
    return Apply(rule, {{"p", p}}, {g}, rate, step, hypers, state);
  };
  Tape t;
  const HyperScope hypers(t);
  const Value p0 = t.Input("p", kFloat64, {3}), rate = t.Input("rate", kFloat64, {});
  const Value all = t.Input("gradients", kFloat64, {updates, 3});
  Tape scratch(std::make_shared<TapeState>(t.state()));
  const StateScope declared(scratch);
  ASSERT_TRUE(build(scratch.Input("p", kFloat64, {3}), scratch.Input("g", kFloat64, {3}), rate,
                    scratch.Input("n", kInt64, {}), hypers, declared)
                  .ok());
  ASSERT_TRUE(declared.Next().ok());
  std::vector<Value> carried = {p0};
  for (const StateSpec& spec : declared.specs()) {
    // Shapes of state that are not scalars come from the parameter.
    const Value fill = Cast(t.Constant(Array(spec.start)), spec.type.dtype);
    carried.push_back(spec.type.shape.empty() ? fill : p0 * 0 + fill);
  }
  const LoopResult result =
      Loop(t, {.carried = carried, .scanned = {all}}, [&](LoopBody& body) -> LoopStep {
        const absl::Span<const Value> state_values = absl::MakeConstSpan(body.carried).subspan(1);
        const StateScope state(body.tape, declared.specs(), state_values);
        const auto next = build(body.carried[0], body.scanned[0], rate, body.trip, hypers, state);
        EXPECT_TRUE(next.ok()) << next.status();
        LoopStep step{.carried = *next};
        const auto next_state = state.Next();
        step.carried.insert(step.carried.end(), next_state->begin(), next_state->end());
        return step;
      });
  const absl::StatusOr<Graph> graph = t.Finish({result.carried[0]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Executable> looped = EveryEngine(*graph);
  ASSERT_TRUE(looped.ok()) << looped.status();
  NamedArrays inputs = hypers.Bindings();
  inputs.insert_or_assign("p", *Array::From<double>({3}, start));
  inputs.insert_or_assign("rate", Array(0.05));
  inputs.insert_or_assign("gradients", *Array::From<double>({updates, 3}, gradients));
  const absl::StatusOr<std::vector<Array>> in_loop = looped->Run(inputs);
  ASSERT_TRUE(in_loop.ok()) << in_loop.status();

  // Step by step; parameter "b" of the steps has no gradient, so the global norm is the same.
  absl::StatusOr<Updates> steps = Updates::Make(rule, kFloat64);
  ASSERT_TRUE(steps.ok()) << steps.status();
  std::vector<double> p = start;
  p.resize(7);
  steps->Start(p);
  for (int n = 0; n < updates; n++) {
    std::vector<double> g(gradients.begin() + 3 * n, gradients.begin() + 3 * (n + 1));
    g.resize(7);
    ASSERT_TRUE(steps->Step(g, 0.05).ok());
  }
  for (int i = 0; i < 3; i++) EXPECT_EQ((*in_loop)[0].At(i), steps->parameters()[i]);
}

TEST(Clipnorm, ScalesAllGradientsByTheirCommonNorm) {
  for (const DType dtype : {kFloat64, kFloat32}) {
    absl::StatusOr<Updates> updates = Updates::Make(Sgd({.clipnorm = 1.0}), dtype);
    ASSERT_TRUE(updates.ok()) << updates.status();
    for (uint64_t seed = 1; seed <= 20; seed++) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      Draw draw(seed);
      const std::vector<double> g = draw.Gradients(7);
      double norm = 0;
      for (const double x : g) norm += x * x;
      norm = std::sqrt(norm);
      const double limit = norm * draw.Uniform(0.5, 1.5);
      updates->Bind("clipnorm", limit);
      updates->Start(std::vector<double>(7, 0.0));
      ASSERT_TRUE(updates->Step(g, 1.0).ok());
      for (size_t i = 0; i < 7; i++) {
        const double expected = -(norm >= limit ? g[i] * limit / norm : g[i]);
        EXPECT_NEAR(updates->parameters()[i], expected,
                    (dtype == kFloat64 ? 1e-15 : 2e-7) * std::abs(expected));
      }
    }
  }
}

TEST(Clipnorm, CountsAllElementsOfAllParameters) {
  // The norm of 3 in one parameter and 4 in the other is 5.
  absl::StatusOr<Updates> updates = Updates::Make(Sgd({.clipnorm = 2.5}), kFloat64);
  ASSERT_TRUE(updates.ok());
  updates->Start(std::vector<double>(7, 0.0));
  ASSERT_TRUE(updates->Step({3, 0, 0, 4, 0, 0, 0}, 1.0).ok());
  EXPECT_EQ(updates->parameters(), (std::vector<double>{-1.5, 0, 0, -2, 0, 0, 0}));
}

TEST(Clipnorm, LeavesZeroGradientsZeroAndLetsNaNThrough) {
  absl::StatusOr<Updates> updates = Updates::Make(Sgd({.clipnorm = 1.0}), kFloat64);
  ASSERT_TRUE(updates.ok());
  for (const double limit : {1.0, 0.0}) {
    updates->Bind("clipnorm", limit);
    updates->Start(std::vector<double>(7, 1.0));
    ASSERT_TRUE(updates->Step(std::vector<double>(7, 0.0), 1.0).ok());
    EXPECT_EQ(updates->parameters(), std::vector<double>(7, 1.0));
  }
  ASSERT_TRUE(updates->Step({kNaN, 0, 0, 0, 0, 0, 0}, 1.0).ok());
  EXPECT_TRUE(std::isnan(updates->parameters()[0]));
}

TEST(Clipvalue, BringsEachElementBetweenTheLimits) {
  for (const DType dtype : {kFloat64, kFloat32}) {
    absl::StatusOr<Updates> updates = Updates::Make(Sgd({.clipvalue = 0.5}), dtype);
    ASSERT_TRUE(updates.ok()) << updates.status();
    updates->Start(std::vector<double>(7, 0.0));
    ASSERT_TRUE(updates->Step({-2, -0.5, -0.25, 0, 0.25, 0.5, 2}, 1.0).ok());
    EXPECT_EQ(updates->parameters(), (std::vector<double>{0.5, 0.5, 0.25, 0, -0.25, -0.5, -0.5}));
  }
}

TEST(Clipping, TakesTheNormFirstAndZeroForOff) {
  absl::StatusOr<Updates> updates =
      Updates::Make(Sgd({.clipnorm = 5.0, .clipvalue = 3.5}), kFloat64);
  ASSERT_TRUE(updates.ok()) << updates.status();
  // The norm of 6, 8 is 10: halved to 3, 4, then cut to 3, 3.5.
  const std::vector<double> g = {6, 8, 0, 0, 0, 0, 0};
  updates->Start(std::vector<double>(7, 0.0));
  ASSERT_TRUE(updates->Step(g, 1.0).ok());
  EXPECT_EQ(updates->parameters(), (std::vector<double>{-3, -3.5, 0, 0, 0, 0, 0}));
  updates->Bind("clipnorm", 0);
  updates->Bind("clipvalue", 0);
  updates->Start(std::vector<double>(7, 0.0));
  ASSERT_TRUE(updates->Step(g, 1.0).ok());
  EXPECT_EQ(updates->parameters(), (std::vector<double>{-6, -8, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace talweg
