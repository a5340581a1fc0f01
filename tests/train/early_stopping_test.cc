// What a training that stops early leaves behind, and what its callbacks see of it.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "data/blobs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "optim/adjustments.h"
#include "tests/graphs/engines.h"
#include "train/callbacks.h"
#include "train/fit.h"
#include "train/layers.h"
#include "train/sweep.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

TrainTest Data() {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 100, .cluster_std = 1.5, .seed = 3});
  return *Split(*OneHotTargets(*blobs, 3), 64);
}

// Improves by less than a min_delta that nobody can reach, so that it stops after its second epoch
// and puts the parameters of the first one back, though those of the second one are better.
Training Restoring() {
  return {
      .model = [](Scope& s, Value x) { return Dense(s, "output", x, 3); },
      .loss = SoftmaxCrossEntropy,
      .rate = 0.02,
      .adjust = {EarlyStopping(
          {.monitor = "val_loss", .min_delta = 100, .patience = 1, .restore_best_weights = true})},
      .epochs = 4,
      .seed = 4};
}

// The loss that each epoch's end tells, and that of the parameters that it sees.
struct Seen {
  std::vector<double> told, measured;
};
LambdaCallback Watch(const Training& training, Seen& seen, bool batches) {
  LambdaEvents events;
  if (batches) events.on_batch_end = [](const auto&) {};
  events.on_epoch_end = [&training, &seen](const Run& run) {
    seen.told.push_back(run.history().last("val_loss"));
    const absl::StatusOr<NamedArrays> parameters = run.Parameters();
    ASSERT_TRUE(parameters.ok()) << parameters.status();
    const absl::StatusOr<Scores> scores = Evaluate(EveryEngine, training, *parameters, Data().test);
    ASSERT_TRUE(scores.ok()) << scores.status();
    seen.measured.push_back(scores->at("loss"));
  };
  return LambdaCallback(std::move(events));
}

TEST(EarlyStopping, LetsCallbacksSeeTheParametersThatWereMeasured) {
  const Training training = Restoring();
  const TrainTest data = Data();
  for (const bool batches : {false, true}) {
    Seen seen;
    LambdaCallback watch = Watch(training, seen, batches);
    const absl::StatusOr<Fitted> fitted =
        Fit(EveryEngine, training, data.train, data.test, {.callbacks = {&watch}});
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    EXPECT_EQ(fitted->end, TrainEnd::kAdjustment);
    ASSERT_EQ(seen.told.size(), 2u);
    EXPECT_LT(seen.told[1], seen.told[0]);
    EXPECT_EQ(seen.measured, seen.told) << (batches ? "by batches" : "by epochs");
    const absl::StatusOr<Scores> after =
        Evaluate(EveryEngine, training, fitted->parameters, data.test);
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ(after->at("loss"), seen.told[0]) << "the fit returns the best ones";
  }
}

TEST(EarlyStopping, LetsCallbacksOfASweepSeeThemToo) {
  const Training training = Restoring();
  const TrainTest data = Data();
  Seen seen;
  LambdaCallback watch = Watch(training, seen, false);
  const absl::StatusOr<SweepResult> swept =
      Sweep(EveryEngine, training, {{"rate", {0.01, 0.02}}}, data.train, data.test,
            {.threads = 1, .callbacks = [&](const SweepRun& run) {
               return run.index == 1 ? std::vector<Callback*>{&watch} : std::vector<Callback*>();
             }});
  ASSERT_TRUE(swept.ok()) << swept.status();
  ASSERT_EQ(seen.told.size(), 2u);
  EXPECT_EQ(seen.measured, seen.told);
  EXPECT_EQ(swept->runs[0].history.epochs(), 2u) << "a run without callbacks is the same";
}

// Keras leaves its callbacks alone where what they monitor was not measured.
TEST(EarlyStopping, DoesNothingAfterAnEpochThatWasNotValidated) {
  Training training = Restoring();
  training.adjust = {
      Adjustment{.name = "end in the second epoch",
                 .batch_end = [](AdjustScope& s) { s.Stop(Equal(s.update(), 3)); }},
      ReduceLROnPlateau({.monitor = "val_loss", .patience = 0}),
      EarlyStopping({.monitor = "val_loss", .patience = 0, .restore_best_weights = true})};
  const TrainTest data = Data();
  LambdaCallback batches({.on_batch_end = [](const auto&) {}});
  for (const std::vector<Callback*>& callbacks : {std::vector<Callback*>(), {&batches}}) {
    const absl::StatusOr<Fitted> fitted =
        Fit(EveryEngine, training, data.train, data.test, {.callbacks = callbacks});
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    ASSERT_EQ(fitted->history.epochs(), 2u);
    EXPECT_TRUE(std::isnan(fitted->history.last("val_loss")));
    const auto state = [&](const char* name) { return fitted->state.at(name).At(0); };
    EXPECT_EQ(state("adjust/EarlyStopping/wait"), 0);
    EXPECT_EQ(state("adjust/ReduceLROnPlateau/wait"), 0);
    EXPECT_EQ(state("rate"), 0.02);
    EXPECT_EQ(state("update"), 3) << "two updates of the first epoch, one of the second";
    Training until = training;
    until.adjust = {training.adjust[0]};
    const absl::StatusOr<Fitted> plain = Fit(EveryEngine, until, data.train, data.test);
    ASSERT_TRUE(plain.ok()) << plain.status();
    for (const auto& [name, array] : plain->parameters) {
      EXPECT_TRUE(SameBits(array, fitted->parameters.at(name))) << name << " was put back";
    }
  }
}

// Nobody could begin with these rates, but an adjustment may set them.
TEST(GoingOn, TakesAnyRateThatAnAdjustmentHasSet) {
  const TrainTest data = Data();
  for (const double rate : {-0.1, std::nan(""), static_cast<double>(INFINITY)}) {
    Training training = Restoring();
    training.adjust = {{.name = "sets", .end = [=](AdjustScope& s) { s.SetRate(rate); }}};
    training.epochs = 3;
    const absl::StatusOr<Fitted> whole = Fit(EveryEngine, training, data.train, data.test);
    ASSERT_TRUE(whole.ok()) << whole.status();
    training.epochs = 1;
    const absl::StatusOr<Fitted> one = Fit(EveryEngine, training, data.train, data.test);
    ASSERT_TRUE(one.ok()) << one.status();
    training.epochs = 3;
    const absl::StatusOr<Fitted> rest =
        Fit(EveryEngine, training, data.train, data.test, {.state = one->state});
    ASSERT_TRUE(rest.ok()) << rest.status();
    for (const auto& [name, array] : whole->parameters) {
      EXPECT_TRUE(SameBits(array, rest->parameters.at(name))) << name;
    }
  }
}

TEST(GoingOn, RefusesACountThatIsNone) {
  const Training training = Restoring();
  const TrainTest data = Data();
  const absl::StatusOr<Fitted> fitted = Fit(EveryEngine, training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  NamedArrays state = fitted->state;
  state["update"] = Array(int64_t{-7});
  const absl::Status status =
      Fit(EveryEngine, training, data.train, data.test, {.state = state}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("has -7 updates"));
}

}  // namespace
}  // namespace talweg
