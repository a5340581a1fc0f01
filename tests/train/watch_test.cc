// Callbacks, stops and wrong use of a real training.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "data/blobs.h"
#include "data/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "ops/elementwise.h"
#include "optim/adjustments.h"
#include "tests/graphs/engines.h"
#include "train/callbacks.h"
#include "train/fit.h"
#include "train/layers.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TrainTest Data() {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 100, .cluster_std = 1.5, .seed = 3});
  return *Split(*OneHotTargets(*blobs, 3), 64);
}

Training Small() {
  return {.model = [](Scope& s, Value x) { return Dense(s, "output", x, 3); },
          .loss = SoftmaxCrossEntropy,
          .rate = 0.02,
          .metrics = {Accuracy},
          .epochs = 4,
          .seed = 4};
}

absl::StatusOr<Fitted> FitSmall(const FitOptions& options, const Training& training = Small()) {
  const TrainTest data = Data();
  return Fit(EveryEngine, training, data.train, data.test, options);
}

TEST(Callbacks, SeeRunsAsTheyAre) {
  std::vector<std::string> seen;
  LambdaCallback watch({.on_batch_end =
                            [&](const auto& run) {
                              seen.push_back(absl::StrCat(
                                  run.epoch(), ".", run.batch(), " of ", run.epochs(), ".",
                                  run.batches(), ": ", run.batch_samples(), " of ", run.samples()));
                              EXPECT_EQ(run.logs().size(), 2u);
                            },
                        .on_epoch_end =
                            [](const auto& run) {
                              EXPECT_EQ(run.validation_samples(), 36);
                              EXPECT_EQ(run.logs().size(), 5u);
                              EXPECT_EQ(run.logs()[0].value, run.history().last("loss"));
                              EXPECT_EQ(run.rate(), 0.02);
                            }});
  Training training = Small();
  training.batch = 40;
  training.epochs = 2;
  const absl::StatusOr<Fitted> fitted = FitSmall({.callbacks = {&watch}}, training);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_THAT(seen, testing::ElementsAre("0.0 of 2.2: 40 of 64", "0.1 of 2.2: 24 of 64",
                                         "1.0 of 2.2: 40 of 64", "1.1 of 2.2: 24 of 64"));
}

// Before an update its rate, after it that rate or what an adjustment made of it.
TEST(Callbacks, SeeTheRateOfTheirMoment) {
  std::vector<double> seen;
  const auto note = [&](const auto& run) { seen.push_back(run.rate()); };
  LambdaCallback watch(
      {.on_epoch_begin = note, .on_batch_begin = note, .on_batch_end = note, .on_epoch_end = note});
  Training training = Small();
  training.batch = 32;
  training.epochs = 2;
  training.rate = Polynomial({.initial = 1, .length = 8, .unit = kUpdates});
  ASSERT_TRUE(FitSmall({.callbacks = {&watch}}, training).ok());
  EXPECT_THAT(seen, testing::ElementsAre(1, 1, 1, 0.875, 0.875, 0.875,  //
                                         0.75, 0.75, 0.75, 0.625, 0.625, 0.625));
  // A factor of an adjustment's on it.
  training.adjust = {
      {.name = "halve", .batch_end = [](AdjustScope& s) { s.SetRate(s.rate() / 2); }}};
  seen.clear();
  ASSERT_TRUE(FitSmall({.callbacks = {&watch}}, training).ok());
  EXPECT_THAT(seen, testing::ElementsAre(1, 1, 0.5, 0.4375, 0.21875, 0.21875,  //
                                         0.1875, 0.1875, 0.09375, 0.078125, 0.0390625, 0.0390625));
  // Where nobody watches batches.
  LambdaCallback epochs({.on_epoch_begin = note, .on_epoch_end = note});
  seen.clear();
  ASSERT_TRUE(FitSmall({.callbacks = {&epochs}}, training).ok());
  EXPECT_THAT(seen, testing::ElementsAre(1, 0.21875, 0.1875, 0.0390625));
  training.rate = 1.0;
  seen.clear();
  ASSERT_TRUE(FitSmall({.callbacks = {&watch}}, training).ok());
  EXPECT_THAT(seen, testing::ElementsAre(1, 1, 0.5, 0.5, 0.25, 0.25,  //
                                         0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625));
}

// A schedule that is 0, or next to it, has no factor that makes another rate of it: what
// adjustments ask for then comes to nothing, and does no harm.
TEST(Callbacks, SeeRatesOfSchedulesThatEndAtNothing) {
  std::vector<double> seen;
  LambdaCallback watch({.on_epoch_end = [&](const auto& run) { seen.push_back(run.rate()); }});
  Training training = Small();
  training.epochs = 8;
  training.adjust = {LearningRateScheduler([](Value, Value rate) { return Max(rate, 1e-5); })};
  training.rate = StepDecay({.initial = 1, .drop = 1e-100, .every = 1});
  ASSERT_TRUE(FitSmall({.callbacks = {&watch}}, training).ok());
  ASSERT_EQ(seen.size(), 8u);
  EXPECT_EQ(seen[0], 1);
  EXPECT_DOUBLE_EQ(seen[1], 1e-5);
  for (const double rate : seen) EXPECT_LE(rate, 1) << testing::PrintToString(seen);
  training.rate = Polynomial({.initial = 1, .length = 2});
  seen.clear();
  ASSERT_TRUE(FitSmall({.callbacks = {&watch}}, training).ok());
  EXPECT_THAT(seen, testing::ElementsAre(1, 0.5, 0, 0, 0, 0, 0, 0));
}

// After the last epoch, too, it is that of the last update.
TEST(Callbacks, SeeTheLastRateAtTheEnd) {
  double at_end = 0;
  LambdaEvents events{.on_train_end = [&](const auto& run) { at_end = run.rate(); }};
  Training training = Small();
  training.epochs = 2;
  training.rate = StepDecay({.initial = 0.1, .drop = 0.5, .every = 2});
  for (const bool batches : {false, true}) {
    if (batches) events.on_batch_end = [](const auto&) {};
    LambdaCallback watch(events);
    ASSERT_TRUE(FitSmall({.callbacks = {&watch}}, training).ok());
    EXPECT_EQ(at_end, 0.1);
  }
}

TEST(Callbacks, LogAndSaveWhatFitReturns) {
  const std::string folder = testing::TempDir();
  CsvLogger log(folder + "/watch.csv");
  ModelCheckpoint save(folder + "/watch_{epoch:02d}.safetensors");
  const absl::StatusOr<Fitted> fitted = FitSmall({.callbacks = {&log, &save}});
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const absl::StatusOr<std::string> text = ReadFile(folder + "/watch.csv");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, StartsWith("epoch,accuracy,loss,lr,val_accuracy,val_loss\n0,"));
  EXPECT_EQ(std::count(text->begin(), text->end(), '\n'), 5);
  const absl::StatusOr<SavedArrays> last = LoadArrays(folder + "/watch_04.safetensors");
  ASSERT_TRUE(last.ok()) << last.status();
  ASSERT_EQ(last->arrays.size(), fitted->parameters.size());
  for (const auto& [name, array] : fitted->parameters) {
    EXPECT_TRUE(SameBits(array, last->arrays.at(name))) << name;
  }
  // A checkpoint is where another training can start.
  EXPECT_TRUE(FitSmall({.parameters = last->arrays}).ok());
}

TEST(Callbacks, EndATrainingWithAnError) {
  for (const bool batches : {false, true}) {
    const auto fail = [](const auto& run) { run.Fail(absl::AbortedError("enough")); };
    LambdaEvents events;
    (batches ? events.on_batch_end : events.on_epoch_begin) = fail;
    LambdaCallback callback(events);
    EXPECT_EQ(FitSmall({.callbacks = {&callback}}).status(), absl::AbortedError("enough"));
  }
  CsvLogger log(testing::TempDir() + "/none/log.csv");
  EXPECT_THAT(std::string(FitSmall({.callbacks = {&log}}).status().message()), HasSubstr("none"));
  ModelCheckpoint save("m", {.monitor = "val_los", .save_best_only = true});
  EXPECT_THAT(std::string(FitSmall({.callbacks = {&save}}).status().message()),
              AllOf(HasSubstr("'val_los'"), HasSubstr("val_loss")));
}

// Whatever ends a training, it ends for callbacks as well, which hold files and the like.
TEST(Callbacks, SeeTheEndOfATrainingThatFails) {
  const TrainTest data = Data();
  for (const bool batches : {false, true}) {
    int begun = 0, ended = 0;
    bool fails = false;
    LambdaEvents events{.on_train_begin = [&](const auto&) { begun++; },
                        .on_epoch_end = [&](const auto&) { fails = true; },
                        .on_train_end = [&](const auto&) { ended++; }};
    if (batches) events.on_batch_end = [](const auto&) {};
    LambdaCallback watch(events);
    // An engine whose functions fail from some moment on.
    const Engine engine = [&](const Graph& graph) -> absl::StatusOr<Executable> {
      absl::StatusOr<Executable> made = Interpret(graph);
      if (!made.ok()) return made;
      return Executable(
          std::make_shared<const Graph>(graph),
          [&fails, made = *made](absl::Span<const Array> inputs, const SymbolValues&,
                                 const RunOptions&) -> absl::StatusOr<std::vector<Array>> {
            if (fails) return absl::ResourceExhaustedError("no memory");
            return made.Call(inputs);
          });
    };
    EXPECT_EQ(Fit(engine, Small(), data.train, data.test, {.callbacks = {&watch}}).status(),
              absl::ResourceExhaustedError("no memory"));
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(ended, 1);
  }
}

TEST(Callbacks, StopATraining) {
  LambdaCallback after_two({.on_epoch_end = [](const auto& run) {
    if (run.epoch() == 1) run.Stop();
  }});
  const absl::StatusOr<Fitted> fitted = FitSmall({.callbacks = {&after_two}});
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->end, TrainEnd::kRequest);
  EXPECT_EQ(fitted->history.epochs(), 2u);
  const absl::StatusOr<Fitted> whole = FitSmall({});
  EXPECT_EQ(whole->end, TrainEnd::kEpochs);
  EXPECT_EQ(whole->history["loss"].first(2), fitted->history["loss"]);
}

// Whole epochs, and with batches perhaps a part of one in the history's last row.
void ExpectStopped(const absl::StatusOr<Fitted>& fitted, int64_t epochs, bool batches) {
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->end, TrainEnd::kRequest);
  EXPECT_GT(fitted->history.epochs(), 0u);
  EXPECT_LT(fitted->history.epochs(), static_cast<size_t>(epochs));
  const auto whole = static_cast<size_t>(fitted->state.at("epoch").At(0));
  EXPECT_EQ(fitted->state.at("history/loss").size(), static_cast<int64_t>(whole));
  EXPECT_LE(fitted->history.epochs(), whole + (batches ? 1 : 0));
  EXPECT_GE(fitted->history.epochs(), whole);
}

// Sets `stop` once `begun` holds; gives up when the fit has come back without that.
std::thread Stopper(const std::function<bool()>& begun, const std::atomic<bool>& ended,
                    std::atomic<bool>& stop) {
  return std::thread([&stop, &ended, begun] {
    while (!begun() && !ended) std::this_thread::yield();
    stop = true;
  });
}

TEST(FitStop, AnotherThreadEndsATrainingThatIsWatched) {
  for (const bool batches : {false, true}) {
    std::atomic<bool> stop = false, begun = false, ended = false;
    LambdaEvents events;
    (batches ? events.on_batch_end : events.on_epoch_end) = [&](const auto&) { begun = true; };
    LambdaCallback callback(events);
    Training training = Small();
    training.epochs = 1'000'000;
    std::thread other = Stopper([&] { return begun.load(); }, ended, stop);
    const absl::StatusOr<Fitted> fitted =
        FitSmall({.callbacks = {&callback}, .stop = &stop}, training);
    ended = true;
    other.join();
    ExpectStopped(fitted, training.epochs, batches);
  }
}

// All epochs are one call here; the stop comes while it runs.
TEST(FitStop, AnotherThreadEndsATrainingThatIsOneCall) {
  const TrainTest data = Data();
  Training training = Small();
  training.epochs = 1'000'000;
  for (const NamedEngine& named : AllEngines()) {
    SCOPED_TRACE(named.name);
    std::atomic<bool> stop = false, ended = false;
    std::atomic<int64_t> epochs = 0;
    const Engine engine = [&](const Graph& graph) -> absl::StatusOr<Executable> {
      absl::StatusOr<Executable> made = named.make(graph);
      if (!made.ok()) return made;
      return Executable(std::make_shared<const Graph>(graph),
                        [&epochs, made = *made](absl::Span<const Array> inputs, const SymbolValues&,
                                                RunOptions options) {
                          options.progress = &epochs;
                          return made.Call(inputs, options);
                        });
    };
    std::thread other = Stopper([&] { return epochs >= 3; }, ended, stop);
    const absl::StatusOr<Fitted> fitted =
        Fit(engine, training, data.train, data.test, {.stop = &stop});
    ended = true;
    other.join();
    ExpectStopped(fitted, training.epochs, /*batches=*/false);
    EXPECT_EQ(fitted->history.epochs(), static_cast<size_t>(epochs.load()));
  }
}

TEST(FitStop, BeforeTheFirstEpochLeavesTheFirstParameters) {
  const std::atomic<bool> stop = true;
  const absl::StatusOr<Fitted> fitted = FitSmall({.stop = &stop});
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->end, TrainEnd::kRequest);
  EXPECT_EQ(fitted->history.epochs(), 0u);
  const absl::StatusOr<NamedArrays> initial = InitialParameters(EveryEngine, Small(), Data().train);
  for (const auto& [name, array] : *initial) {
    EXPECT_TRUE(SameBits(array, fitted->parameters.at(name))) << name;
  }
}

TEST(Dropout, IsDrawnAnewInEachUpdateOfATraining) {
  // All samples are alike and the rate is 0, so that only dropout makes batches differ.
  const Dataset ones{Array::Matrix<double>(std::vector(64, std::vector(8, 1.0))),
                     Array::Matrix<double>(std::vector(64, std::vector(1, 0.0)))};
  Training training{
      .model = [](Scope& s,
                  Value x) { return Dense(s, "output", Dropout(s, "dropout", x, 0.5), 1, Ones()); },
      .loss = "mse",
      .rate = 0.0,
      .batch = 16,
      .epochs = 2};
  std::vector<double> losses;
  LambdaCallback watch(
      {.on_batch_end = [&](const auto& run) { losses.push_back(run.logs()[0].value); }});
  const absl::StatusOr<Fitted> fitted =
      Fit(EveryEngine, training, ones, ones, {.callbacks = {&watch}});
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  ASSERT_EQ(losses.size(), 8u);
  std::sort(losses.begin(), losses.end());
  EXPECT_EQ(std::adjacent_find(losses.begin(), losses.end()), losses.end());
  // (8 * 1)^2 without dropout.
  EXPECT_EQ(fitted->history.last("val_loss"), 64);
}

TEST(Verbose, ShowsATrainingAndChangesNoBit) {
  const absl::StatusOr<Fitted> silent = FitSmall({});
  ASSERT_TRUE(silent.ok()) << silent.status();
  for (const int verbose : {1, 2}) {
    testing::internal::CaptureStdout();
    const absl::StatusOr<Fitted> shown = FitSmall({.verbose = verbose});
    const std::string text = testing::internal::GetCapturedStdout();
    ASSERT_TRUE(shown.ok()) << shown.status();
    EXPECT_EQ(shown->history.ToCsv(), silent->history.ToCsv());
    EXPECT_THAT(text, AllOf(HasSubstr("Train on 64 samples, validate on 36 samples\nEpoch 1/4\n"),
                            HasSubstr(" - val_accuracy: ")));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 9);
    EXPECT_EQ(text.find("===") == std::string::npos, verbose == 2);
  }
}

TEST(Fit, RefusesWrongOptions) {
  const auto message = [](const FitOptions& options) {
    return std::string(FitSmall(options).status().message());
  };
  EXPECT_THAT(message({.verbose = 3}), HasSubstr("verbose is 3"));
  EXPECT_THAT(message({.verbose = -1}), HasSubstr("verbose is -1"));
  EXPECT_THAT(message({.callbacks = {nullptr}}), HasSubstr("null"));
  NamedArrays parameters = *InitialParameters(EveryEngine, Small(), Data().train);
  parameters["output/kernel"] = *Array::Zeros(kFloat32, {3, 3});
  EXPECT_THAT(message({.parameters = parameters}),
              AllOf(HasSubstr("output/kernel"), HasSubstr("[3,3]"), HasSubstr("[2,3]")));
  parameters.erase("output/kernel");
  EXPECT_THAT(message({.parameters = parameters}),
              AllOf(HasSubstr("'output/kernel'"), HasSubstr("is missing")));
  parameters = *InitialParameters(EveryEngine, Small(), Data().train);
  parameters["hidden/kernel"] = Array(1.0f);
  EXPECT_THAT(message({.parameters = parameters}), HasSubstr("'hidden/kernel'"));
  EXPECT_THAT(message({.state = {{"epoch", Array(int64_t{1})}}}), HasSubstr("another training"));
}

TEST(Fit, RefusesNullForANameOrAFunction) {
  const auto message = [](const Training& training) {
    return std::string(FitSmall({}, training).status().message());
  };
  const char* const none = nullptr;
  Training training = Small();
  training.rule = none;
  EXPECT_THAT(message(training), HasSubstr("no optimizer is called ''"));
  training = Small();
  Value (*const loss)(Arg, Arg) = nullptr;
  training.loss = loss;
  EXPECT_THAT(message(training), HasSubstr("the loss is empty"));
}

}  // namespace
}  // namespace talweg
