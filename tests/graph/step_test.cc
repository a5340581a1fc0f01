// Steps that carry state.

#include "graph/step.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/reduce.h"

namespace talweg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// sum <- sum + x, count <- count + 1; out: the mean of all x so far, sum(x).
StepGraph MeanGraph() {
  Tape t;
  const Value sum = t.Input("sum", kFloat64, {2}), x = t.Input("x", kFloat64, {2});
  const Value count = t.Input("count", kFloat64, {});
  const Value next = sum + x, next_count = count + 1;
  return *MakeStepGraph(t, {{sum, next}, {count, next_count}}, {next / next_count, Sum(x)});
}

Step MeanStep(const Engine& engine = Interpret) {
  const StepGraph made = MeanGraph();
  return *Step::Make(*engine(made.graph), made.state);
}

NamedArrays Zero() { return {{"sum", Array::Vector<double>({0, 0})}, {"count", Array(0.0)}}; }

std::vector<double> Elements(const Array& array) {
  return {array.data<double>().begin(), array.data<double>().end()};
}

TEST(Step, CarriesItsState) {
  for (const Engine& engine : {Engine(Interpret), Engine(JitEngine())}) {
    const Step step = MeanStep(engine);
    State state = *step.Start(Zero());
    EXPECT_THAT(state.names(), ElementsAre("sum", "count"));
    for (double i = 1; i <= 3; i++) {
      const auto out = step.Run(state, {{"x", Array::Vector<double>({i, -i})}});
      ASSERT_TRUE(out.ok()) << out.status();
      ASSERT_EQ(out->size(), 2u);
      EXPECT_THAT(Elements((*out)[0]), ElementsAre((i + 1) / 2, -(i + 1) / 2));
    }
    EXPECT_THAT(Elements(*state.Get("sum")), ElementsAre(6, -6));
    EXPECT_EQ(state.Arrays().at("count").At(0), 3);
  }
}

TEST(Step, ACopyOfAStateIsAPlaceToGoBackTo) {
  const Step step = MeanStep();
  State state = *step.Start(Zero());
  const NamedArrays one = {{"x", Array::Vector<double>({1, 1})}};
  ASSERT_TRUE(step.Run(state, one).ok());
  const State saved = state;
  ASSERT_TRUE(step.Run(state, one).ok());
  EXPECT_THAT(Elements(*saved.Get("sum")), ElementsAre(1, 1));
  EXPECT_THAT(Elements(*state.Get("sum")), ElementsAre(2, 2));
  state = saved;
  ASSERT_TRUE(step.Run(state, one).ok());
  EXPECT_THAT(Elements(*state.Get("sum")), ElementsAre(2, 2));
}

TEST(Step, TheArraysAreThoseOfTheRun) {
  const Step step = MeanStep();
  State state = *step.Start(Zero());
  ASSERT_TRUE(step.Run(state, {{"x", Array::Vector<double>({1, 1})}}).ok());
  // Nobody else holds them, so that writing copies nothing.
  Array sum = *state.Get("sum");
  const std::byte* const where = sum.raw();
  ASSERT_TRUE(state.Set("sum", Array::Vector<double>({0, 0})).ok());
  EXPECT_EQ(sum.mutable_bytes(), where);
}

TEST(Step, WritesIntoValuesThatNobodyElseHas) {
  const Step step = MeanStep(JitEngine());
  State state = *step.Start(Zero());
  const auto run = [&step, &state](double x) {
    ASSERT_TRUE(step.Run(state, {{"x", Array::Vector<double>({x, x})}}).ok());
  };
  const auto where = [&state] { return state.Get("sum")->raw(); };
  run(1);
  run(1);
  const std::byte* const even = where();
  run(1);
  const std::byte* const odd = where();
  EXPECT_NE(even, odd);
  run(1);
  EXPECT_EQ(where(), even);
  const Array four = *state.Get("sum");
  run(1);
  EXPECT_EQ(where(), odd);
  const State five = state;
  run(1);
  EXPECT_NE(where(), even);
  EXPECT_NE(where(), odd);
  run(1);
  EXPECT_NE(where(), odd);
  EXPECT_THAT(Elements(four), ElementsAre(4, 4));
  EXPECT_THAT(Elements(*five.Get("sum")), ElementsAre(5, 5));
  EXPECT_THAT(Elements(*state.Get("sum")), ElementsAre(7, 7));
}

TEST(Step, OutputsOfOtherShapesTakeOtherMemory) {
  Tape t;
  const Value sum = t.Input("sum", kFloat64, {}), x = t.Input("x", kFloat64, {kRows});
  const StepGraph made = *MakeStepGraph(t, {{sum, sum + Sum(x)}}, {x * 2});
  const Executable f = *JitEngine()(made.graph);
  std::vector<Array> reuse(2);
  const auto run = [&](const Array& rows) {
    return *f.Run({{"sum", Array(1.0)}, {"x", rows}}, {.reuse = &reuse});
  };
  std::vector<Array> out = run(Array::Vector<double>({1, 2, 3}));
  const std::byte* const where = out[1].raw();
  reuse = std::move(out);
  out = run(Array::Vector<double>({4, 5}));
  EXPECT_THAT(Elements(out[1]), ElementsAre(8, 10));
  EXPECT_EQ(out[0].At(0), 10);
  EXPECT_EQ(reuse[1].raw(), where);
  out = run(Array::Vector<double>({6, 7, 8}));
  EXPECT_EQ(out[1].raw(), where);
  EXPECT_THAT(Elements(out[1]), ElementsAre(12, 14, 16));
}

// The slices of trips that did not run are zero, whatever was there before.
TEST(Step, WhatIsNotWrittenIsZeroInMemoryOfOthers) {
  Tape t;
  const Value n = t.Input("n", kInt64, {}), x = t.Input("x", kFloat64, {4});
  const LoopResult loop = Loop(t, {.trips = n, .scanned = {x}}, [](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {body.scanned[0] + 1}};
  });
  const Executable f = *JitEngine()(*t.Finish({loop.stacked[0]}));
  std::vector<Array> reuse;
  const std::byte* where = nullptr;
  for (const int64_t trips : {4, 2}) {
    std::vector<Array> out = *f.Run(
        {{"n", Array(trips)}, {"x", Array::Vector<double>({1, 2, 3, 4})}}, {.reuse = &reuse});
    EXPECT_TRUE(where == nullptr || out[0].raw() == where);
    EXPECT_THAT(Elements(out[0]), ElementsAre(2, 3, trips == 4 ? 4 : 0, trips == 4 ? 5 : 0));
    where = out[0].raw();
    reuse = std::move(out);
  }
}

TEST(Step, OutputsTakeNoMemoryOfInputs) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2}), y = t.Input("y", kFloat64, {2});
  const Executable f = *JitEngine()(*t.Finish({y, x + y}));
  std::vector<Array> both = {Array::Vector<double>({1, 2}), Array::Vector<double>({3, 4})};
  const std::vector<Array> out = *f.Call(both, {.reuse = &both});
  EXPECT_THAT(Elements(out[0]), ElementsAre(3, 4));
  EXPECT_THAT(Elements(out[1]), ElementsAre(4, 6));
  EXPECT_THAT(Elements(both[0]), ElementsAre(1, 2));
  EXPECT_THAT(Elements(both[1]), ElementsAre(3, 4));
}

TEST(Step, SetChecksTypeAndShape) {
  const Step step = MeanStep();
  State state = *step.Start(Zero());
  EXPECT_TRUE(state.Set("sum", Array::Vector<double>({5, 6})).ok());
  EXPECT_THAT(Elements(*state.Get("sum")), ElementsAre(5, 6));
  EXPECT_EQ(Message(state.Set("sum", Array::Vector<double>({5}))),
            "state 'sum': float64[2] expected, float64[1] given");
  EXPECT_EQ(Message(state.Set("sum", Array::Vector<float>({5, 6}))),
            "state 'sum': float64[2] expected, float32[2] given");
  EXPECT_EQ(Message(state.Set("som", Array(1.0))), "the state has no 'som'; it has sum, count");
  EXPECT_EQ(Message(state.Get("x").status()), "the state has no 'x'; it has sum, count");
}

TEST(Step, StartWantsAllOfIt) {
  const Step step = MeanStep();
  NamedArrays arrays = Zero();
  arrays.erase("count");
  EXPECT_EQ(Message(step.Start(arrays).status()), "state 'count' float64[] is missing");
  arrays = Zero();
  arrays.insert({"x", Array(1.0)});
  EXPECT_EQ(Message(step.Start(arrays).status()), "the state has no 'x'; it has sum, count");
  arrays = Zero();
  arrays["count"] = Array::Vector<double>({1});
  EXPECT_THAT(Message(step.Start(arrays).status()), HasSubstr("state 'count': float64[] expected"));
}

TEST(Step, AnErrorLeavesTheStateAsItWas) {
  const Step step = MeanStep();
  State state = *step.Start(Zero());
  EXPECT_EQ(Message(step.Run(state, {}).status()), "input 'x' float64[2] is missing");
  EXPECT_THAT(Message(step.Run(state, {{"x", Array(1.0)}}).status()),
              HasSubstr("input 'x': float64[2] expected"));
  const NamedArrays x = {{"x", Array::Vector<double>({1, 1})}};
  NamedArrays more = x;
  more.insert({"y", Array(1.0)});
  EXPECT_EQ(Message(step.Run(state, more).status()), "the graph has no input 'y'");
  more = x;
  more.insert({"sum", Array(1.0)});
  EXPECT_EQ(Message(step.Run(state, more).status()),
            "'sum' is state and no input; State::Set changes it");
  EXPECT_THAT(Message(step.Call(state, {}).status()), HasSubstr("1 inputs besides its state, 0"));
  EXPECT_THAT(Elements(*state.Get("sum")), ElementsAre(0, 0));
  EXPECT_TRUE(step.Run(state, x).ok());
}

TEST(Step, TakesItsOwnStatesOnly) {
  const Step step = MeanStep(), other = MeanStep();
  State state = *other.Start(Zero());
  EXPECT_THAT(Message(step.Run(state, {{"x", Array::Vector<double>({1, 1})}}).status()),
              HasSubstr("states that its Start made"));
  const Step copy = other;
  EXPECT_TRUE(copy.Run(state, {{"x", Array::Vector<double>({1, 1})}}).ok());
}

TEST(Step, PairsAreChecked) {
  const StepGraph made = MeanGraph();
  const Executable executable = *Interpret(made.graph);
  const auto error = [&](const std::vector<StatePair>& pairs) {
    return Message(Step::Make(executable, pairs).status());
  };
  EXPECT_EQ(error({{"none", 0}}), "state 'none': the graph has no such input");
  EXPECT_EQ(error({{"sum", 0}, {"sum", 2}}), "state 'sum': it is named twice");
  EXPECT_EQ(error({{"sum", 4}}), "state 'sum': there is no output 4; the graph has 4");
  EXPECT_EQ(error({{"sum", 0}, {"x", 0}}), "state 'x': output 0 is the next value of another");
  EXPECT_EQ(error({{"count", 0}}), "state 'count': it is float64[], and its next value float64[2]");
  // A step without state is a function.
  const Step function = *Step::Make(executable, {});
  State nothing = *function.Start({});
  NamedArrays inputs = Zero();
  inputs.insert({"x", Array::Vector<double>({1, 2})});
  EXPECT_EQ(function.Run(nothing, inputs)->size(), 4u);
}

TEST(Step, CarriesInputsOnly) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {});
  const Value y = x * 2;
  EXPECT_THAT(Message(MakeStepGraph(t, {{y, x}}, {y}).status()),
              HasSubstr("what a step carries is an input of its tape (tests/graph/step_test.cc:"));
  Tape other;
  const Value z = other.Input("x", kFloat64, {});
  EXPECT_THAT(Message(MakeStepGraph(t, {{z, x}}, {y}).status()),
              HasSubstr("and this is one of another (tests/graph/step_test.cc:"));
  EXPECT_FALSE(MakeStepGraph(t, {{Value(), x}}, {y}).ok());
  EXPECT_FALSE(MakeStepGraph(t, {{x, Value()}}, {y}).ok());
}

TEST(Step, ThreadsWithStatesOfTheirOwnShareAStep) {
  for (const Engine& engine : {Engine(Interpret), Engine(JitEngine())}) {
    const Step step = MeanStep(engine);
    const auto train = [&step](double x, State* state) {
      for (int i = 0; i < 500; i++) {
        ASSERT_TRUE(step.Run(*state, {{"x", Array::Vector<double>({x, 2 * x})}}).ok());
      }
    };
    // Both begin with the same arrays.
    State a = *step.Start(Zero()), b = a;
    std::thread thread(train, 1.0, &a);
    train(3.0, &b);
    thread.join();
    EXPECT_THAT(Elements(*a.Get("sum")), ElementsAre(500, 1000));
    EXPECT_THAT(Elements(*b.Get("sum")), ElementsAre(1500, 3000));
  }
}

}  // namespace
}  // namespace talweg
