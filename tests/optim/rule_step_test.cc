// Rules in training loops of one's own.

#include "optim/rule_step.h"

#include <optional>
#include <string>
#include <vector>

#include "autodiff/gradient.h"
#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "optim/rules.h"
#include "tests/graphs/engines.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

// w of a quadratic with its least value at 3.
struct Quadratic {
  explicit Quadratic(const Rule& rule, double rate = 0.1) {
    const Value w = t.Input("w", kFloat64, {2});
    const Value loss = Sum(Square(w - 3));
    update = ApplyInStep(rule, {{"w", w}}, Gradient(loss, std::vector<Value>{w}), rate);
    if (!update.ok()) return;
    const StepGraph made = *MakeStepGraph(t, update->carried, {loss});
    step = Step::Make(*EveryEngine(made.graph), made.state);
    NamedArrays first = update->start;
    first["w"] = Array::Vector<double>({0, 10});
    state = *step->Start(first);
  }
  double w(int64_t i) { return state->Get("w")->At(i); }

  Tape t;
  absl::StatusOr<RuleStep> update;
  absl::StatusOr<Step> step = absl::UnknownError("");
  std::optional<State> state;
};

// v = .9 v - .1 2 (w - 3), w = w + v
TEST(ApplyInStep, CarriesSlotsFromStepToStep) {
  Quadratic q(Sgd({.momentum = 0.9}));
  ASSERT_TRUE(q.update.ok()) << q.update.status();
  double w = 0, v = 0;
  for (int i = 0; i < 5; i++) {
    ASSERT_TRUE(q.step->Run(*q.state, {}).ok());
    v = 0.9 * v - 0.1 * 2 * (w - 3);
    w += v;
    EXPECT_NEAR(q.w(0), w, 1e-12);
  }
  EXPECT_EQ(q.state->Get("rule/updates")->At(0), 5);
}

// The first of Adam's updates is the rate, whatever the gradient; so is the second for equal ones.
TEST(ApplyInStep, CountsUpdates) {
  Quadratic q(Adam());
  ASSERT_TRUE(q.update.ok()) << q.update.status();
  for (int i = 1; i <= 2; i++) {
    ASSERT_TRUE(q.step->Run(*q.state, {}).ok());
    EXPECT_NEAR(q.w(0), 0.1 * i, 2e-3);
    EXPECT_NEAR(q.w(1), 10 - 0.1 * i, 2e-3);
  }
}

TEST(ApplyInStep, HyperParametersAreStateThatCanBeSet) {
  Quadratic q(Sgd({.momentum = 0.9}));
  ASSERT_TRUE(q.update.ok()) << q.update.status();
  EXPECT_EQ(q.state->Get("rule/momentum")->At(0), 0.9);
  ASSERT_TRUE(q.step->Run(*q.state, {}).ok());
  const double before = q.w(0);
  ASSERT_TRUE(q.state->Set("rule/momentum", Array(0.0)).ok());
  ASSERT_TRUE(q.step->Run(*q.state, {}).ok());
  EXPECT_NEAR(q.w(0), before - 0.1 * 2 * (before - 3), 1e-12);
}

TEST(ApplyInStep, SaysWhatIsWrong) {
  const auto message = [](const absl::StatusOr<RuleStep>& update) {
    return std::string(update.status().message());
  };
  EXPECT_THAT(message(ApplyInStep(Adam(), {}, {}, 0.1)), HasSubstr("no parameters"));
  EXPECT_THAT(message(Quadratic(Sgd({.momentum = -1})).update), HasSubstr("rule/momentum is -1"));
  Tape t;
  const Value w = t.Input("w", kFloat64, {2}), narrow = t.Input("rate", kFloat32, {});
  EXPECT_THAT(message(ApplyInStep(Sgd(), {{"w", w}}, {w}, narrow)),
              HasSubstr("it must be a float64 scalar"));
  EXPECT_THAT(message(ApplyInStep(Sgd(), {{"w", w}}, {}, 0.1)), HasSubstr("0 gradients"));
  EXPECT_THAT(message(ApplyInStep(Sgd(), {{"w", w * 2}}, {w}, 0.1)),
              HasSubstr("parameter w is no input of the step's tape"));
  EXPECT_THAT(message(ApplyInStep(Sgd(), {{"w", w}}, {w}, -0.1)),
              HasSubstr("the rate is -0.1; it must be finite and at least 0"));
  const Value rows = t.Input("rows", kFloat64, {kRows});
  EXPECT_THAT(message(ApplyInStep(Sgd(), {{"rows", rows}}, {rows}, 0.1)),
              HasSubstr("its extents must be known"));
}

// Two rules, and a rate that follows from the number of updates.
TEST(ApplyInStep, GoesByNames) {
  Tape t;
  const Value a = t.Input("a", kFloat64, {}), b = t.Input("b", kFloat64, {});
  const Value ones = Square(a) * 0 + 1;
  const Value halves = 0.5 / (1 + Cast(t.Input("slow/updates", kInt64, {}), kFloat64));
  const absl::StatusOr<RuleStep> fast = ApplyInStep(Sgd(), {{"a", a}}, {ones}, 1, "fast");
  const absl::StatusOr<RuleStep> slow = ApplyInStep(Sgd(), {{"b", b}}, {ones}, halves, "slow");
  ASSERT_TRUE(fast.ok() && slow.ok()) << fast.status() << slow.status();
  std::vector<Carry> carried = fast->carried;
  carried.insert(carried.end(), slow->carried.begin(), slow->carried.end());
  const StepGraph made = *MakeStepGraph(t, carried, {});
  const Step step = *Step::Make(*EveryEngine(made.graph), made.state);
  NamedArrays first = fast->start;
  first.insert(slow->start.begin(), slow->start.end());
  first.insert({{"a", Array(0.0)}, {"b", Array(0.0)}});
  State state = *step.Start(first);
  for (int i = 0; i < 2; i++) ASSERT_TRUE(step.Run(state, {}).ok());
  EXPECT_EQ(state.Get("a")->At(0), -2);
  EXPECT_EQ(state.Get("b")->At(0), -0.75);
}

TEST(Clip, TakesNumbers) {
  EXPECT_EQ(ClipByValue({Value()}, 1).size(), 1u);
  Tape t;
  const Value g = t.Input("g", kFloat32, {2});
  const std::vector<Array> out =
      *RunOnAllEngines({ClipByGlobalNorm({g}, 1)[0], ClipByValue({g}, 3.5)[0]},
                       {{"g", Array::Vector<float>({3, 4})}});
  EXPECT_TRUE(SameBits(out[0], Array::Vector<float>({3 * 0.2f, 4 * 0.2f}))) << out[0].ToString();
  EXPECT_TRUE(SameBits(out[1], Array::Vector<float>({3, 3.5}))) << out[1].ToString();
}

}  // namespace
}  // namespace talweg
