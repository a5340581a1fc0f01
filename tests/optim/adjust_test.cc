#include "optim/adjust.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "optim/adjustments.h"
#include "tests/graphs/engines.h"
#include "tests/optim/epochs.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Ten lines of a user: stops where the loss has doubled since the best epoch, with a rate that
// falls on the way.
Adjustment StopOnDoubling() {
  return {.name = "doubling", .end = [](AdjustScope& s) {
            const Value loss = s.Metric("loss"), best = s.State("best", 1e300);
            const Value worse = Greater(loss, best);
            s.Set("best", Min(best, loss));
            s.SetRate(Select(worse, s.rate() * s.Hyper("factor", 0.5), s.rate()));
            s.Stop(GreaterEqual(loss, 2 * best));
          }};
}

TEST(Adjustment, IsAFunctionOfTheUser) {
  absl::StatusOr<Epochs> epochs = Epochs::Make({StopOnDoubling()});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(1);
  struct Row {
    double loss, rate;
    bool stop;
  };
  for (const Row& row :
       std::vector<Row>{{4, 1, false}, {2, 1, false}, {3, 0.5, false}, {4, 0.25, true}}) {
    const absl::StatusOr<Epochs::Output> out = epochs->Run({.metrics = {{"loss", row.loss}}});
    EXPECT_EQ(out->rate, row.rate);
    EXPECT_EQ(out->stop, row.stop);
  }
}

TEST(Adjust, RunsAdjustmentsInTheirOrder) {
  const auto set = [](std::string name, double scale, double offset) {
    return Adjustment{.name = std::move(name),
                      .end = [=](AdjustScope& s) { s.SetRate(s.rate() * scale + offset); }};
  };
  absl::StatusOr<Epochs> epochs = Epochs::Make({set("a", 2, 1), set("b", 10, 0)});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(3);
  EXPECT_EQ(epochs->Run({})->rate, (3 * 2 + 1) * 10);
}

TEST(Adjust, StopsWhereAnyAdjustmentStops) {
  const auto stop_at = [](double limit) {
    return Adjustment{.name = "stop", .end = [=](AdjustScope& s) {
                        s.Stop(GreaterEqual(s.Metric("loss"), limit));
                      }};
  };
  absl::StatusOr<Epochs> epochs = Epochs::Make({stop_at(5), stop_at(3)});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(1);
  for (const double loss : {2, 3, 5}) {
    EXPECT_EQ(epochs->Run({.metrics = {{"loss", loss}}})->stop, loss >= 3);
  }
}

TEST(Adjust, KeepsTheStateOfTwoOfOneNameApart) {
  absl::StatusOr<Epochs> epochs =
      Epochs::Make({ReduceLROnPlateau({.patience = 1}),
                    // Acts at no epoch's end, but counts.
                    Adjustment{.name = "ReduceLROnPlateau", .begin = [](AdjustScope&) {}},
                    ReduceLROnPlateau({.monitor = "loss", .factor = 0.5, .patience = 2})});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  std::vector<std::string> names;
  for (const StateSpec& spec : epochs->specs()) names.push_back(spec.name);
  EXPECT_THAT(names,
              ElementsAre("ReduceLROnPlateau/best", "ReduceLROnPlateau/cooldown_counter",
                          "ReduceLROnPlateau/wait", "ReduceLROnPlateau_2/best",
                          "ReduceLROnPlateau_2/cooldown_counter", "ReduceLROnPlateau_2/wait"));
  epochs->Start(1);
  EXPECT_EQ(epochs->Run({})->rate, 1);
  EXPECT_EQ(epochs->Run({})->rate, 0.1);
  EXPECT_EQ(epochs->Run({})->rate, 0.1 * 0.1 * 0.5);
}

TEST(Adjust, CarriesStateFromOneMomentToTheNext) {
  // Counts the batches of which the loss was above 1, and sets the rate to the count.
  const Adjustment counts{.name = "count",
                          .batch_end =
                              [](AdjustScope& s) {
                                const Value bad = Greater(s.Metric("loss"), 1);
                                s.Set("bad", s.State("bad") + Cast(bad, kFloat64));
                              },
                          .end = [](AdjustScope& s) { s.SetRate(s.State("bad")); }};
  absl::StatusOr<Epochs> epochs = Epochs::Make({counts});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(1);
  EXPECT_EQ(epochs->Run({.batch_loss = 2})->rate, 1);
  EXPECT_EQ(epochs->Run({.batch_loss = 0})->rate, 1);
  EXPECT_EQ(epochs->Run({.batch_loss = 2})->rate, 2);
}

TEST(Adjust, ReplacesParameters) {
  const Adjustment halve{.name = "halve", .end = [](AdjustScope& s) {
                           s.SetParameter(0, s.parameters()[0].value / 2);
                         }};
  absl::StatusOr<Epochs> epochs = Epochs::Make({halve, halve});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(1);
  EXPECT_THAT(epochs->Run({.p = {8, 12}})->p, ElementsAre(2, 3));
}

// Each has states of its own, whatever it is called.
TEST(Adjust, TellsNamesWithNumbersApart) {
  const auto count = [](const char* name, double step) {
    return Adjustment{.name = name, .end = [step](AdjustScope& s) {
                        const Value n = s.State("n") + step;
                        s.Set("n", n);
                        s.SetRate(s.rate() * 100 + n);
                      }};
  };
  absl::StatusOr<Epochs> epochs = Epochs::Make({count("A", 1), count("A", 2), count("A_1", 3)});
  ASSERT_TRUE(epochs.ok()) << epochs.status();
  epochs->Start(0);
  EXPECT_EQ(epochs->Run({})->rate, 10203);
  epochs->Start(0);
  EXPECT_EQ(epochs->Run({})->rate, 10203);
  EXPECT_EQ(epochs->Run({})->rate, 10203 * 1e6 + 20406);
}

TEST(Adjust, ReportsWhatAdjustmentsDoWrong) {
  const auto error = [](Adjustment::Function end) {
    return std::string(Epochs::Make({{.name = "mine", .end = end}}).status().message());
  };
  EXPECT_EQ(error([](AdjustScope& s) { s.SetRate(s.parameters()[0].value); }),
            "mine: the rate is set to float64[2]; it must be a float64 scalar");
  EXPECT_EQ(error([](AdjustScope& s) { s.SetRate(Value()); }),
            "mine: the rate is set to a value of no tape; it must be a float64 scalar");
  EXPECT_EQ(error([](AdjustScope& s) { s.SetParameter(0, Value()); }),
            "mine: parameter p is float64[2], but is set to a value of no tape");
  EXPECT_EQ(error([](AdjustScope& s) { s.Stop(s.rate()); }),
            "mine: it stops on float64[]; that must be a bool scalar");
  EXPECT_EQ(error([](AdjustScope& s) { s.SetParameter(0, s.rate()); }),
            "mine: parameter p is float64[2], but is set to float64[]");
  EXPECT_THAT(
      error([](AdjustScope& s) { s.SetRate(s.State("seen")); }),
      AllOf(HasSubstr("state mine/seen: is read, but never set ("), HasSubstr("adjust_test.cc:")));
  EXPECT_EQ(std::string(
                Epochs::Make({{.name = "mine", .begin = [](AdjustScope& s) { s.Metric("loss"); }}})
                    .status()
                    .message()),
            "mine: there is no metric 'loss' at this moment");
}

TEST(Acts, SaysWhetherAnythingHappensAtAMoment) {
  const std::vector<Adjustment> adjustments = {ReduceLROnPlateau(), LearningRateScheduler(0.1)};
  EXPECT_TRUE(Acts(AdjustEvent::kEpochBegin, adjustments));
  EXPECT_FALSE(Acts(AdjustEvent::kBatchEnd, adjustments));
  EXPECT_TRUE(Acts(AdjustEvent::kEpochEnd, adjustments));
  EXPECT_FALSE(Acts(AdjustEvent::kEpochEnd, {}));
}

// As a training uses them: declared on a scratch tape, then built in a loop whose stop predicate is
// theirs, hyper-parameters outside of it.
TEST(Adjust, GivesInALoopWhatItGivesStepByStep) {
  const std::vector<Adjustment> adjustments = {
      ReduceLROnPlateau({.patience = 2}),
      EarlyStopping({.patience = 5, .restore_best_weights = true})};
  const std::vector<double> losses = {5, 4, 4.5, 4.25, 4.125, 3, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 2};
  const auto epochs = static_cast<int64_t>(losses.size());

  Tape t;
  const HyperScope hypers(t);
  const Value rate0 = t.Input("rate", kFloat64, {}), p0 = t.Input("p", kFloat64, {2});
  const Value all = t.Input("losses", kFloat64, {epochs});
  const auto build = [&](const Value& epoch, const Value& loss, const Value& rate, const Value& p,
                         const StateScope& state) {
    const Moment moment = {.epoch = epoch, .update = epoch, .metrics = {{"val_loss", loss}}};
    return Adjust(AdjustEvent::kEpochEnd, adjustments, moment,
                  {.rate = rate, .parameters = {{"p", p + 1}}}, hypers, state);
  };
  Tape scratch(std::make_shared<TapeState>(t.state()));
  const StateScope declared(scratch);
  ASSERT_TRUE(build(scratch.Input("n", kInt64, {}), scratch.Input("loss", kFloat64, {}), rate0, p0,
                    declared)
                  .ok());
  ASSERT_TRUE(declared.Next().ok());
  std::vector<Value> carried = {rate0, p0};
  for (const StateSpec& spec : declared.specs()) {
    const Value start = t.Constant(Array(spec.start));
    carried.push_back(spec.type.shape.empty() ? start : p0 * 0 + start);
  }
  const LoopResult result =
      Loop(t, {.carried = carried, .scanned = {all}}, [&](LoopBody& body) -> LoopStep {
        const StateScope state(body.tape, declared.specs(),
                               absl::MakeConstSpan(body.carried).subspan(2));
        const auto adjusted =
            build(body.trip, body.scanned[0], body.carried[0], body.carried[1], state);
        EXPECT_TRUE(adjusted.ok()) << adjusted.status();
        LoopStep step{.carried = {adjusted->rate, adjusted->parameters[0].value},
                      .stacked = {adjusted->rate},
                      .stop = adjusted->stop};
        const auto next = state.Next();
        step.carried.insert(step.carried.end(), next->begin(), next->end());
        return step;
      });
  const absl::StatusOr<Graph> graph =
      t.Finish({result.trips, result.stacked[0], result.carried[1]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Executable> executable = EveryEngine(*graph);
  ASSERT_TRUE(executable.ok()) << executable.status();
  NamedArrays inputs = hypers.Bindings();
  inputs.insert_or_assign("rate", Array(1.0));
  inputs.insert_or_assign("p", Array::Vector<double>({0, 10}));
  inputs.insert_or_assign("losses", Array::Vector(losses));
  const absl::StatusOr<std::vector<Array>> out = executable->Run(inputs);
  ASSERT_TRUE(out.ok()) << out.status();

  absl::StatusOr<Epochs> steps = Epochs::Make(adjustments);
  ASSERT_TRUE(steps.ok()) << steps.status();
  steps->Start(1.0);
  int64_t ran = 0;
  Epochs::Output last;
  for (; ran < epochs && !last.stop; ran++) {
    const double trained = static_cast<double>(ran) + 1;
    last = *steps->Run({.metrics = {{"val_loss", losses[ran]}}, .p = {trained, trained + 10}});
    EXPECT_EQ((*out)[1].At(ran), last.rate);
  }
  EXPECT_EQ((*out)[0].At(0), ran);
  EXPECT_EQ(ran, 11);  // five epochs after the best, the sixth
  EXPECT_EQ((*out)[2].At(0), last.p[0]);
  EXPECT_EQ(last.p[0], 6);
}

}  // namespace
}  // namespace talweg
