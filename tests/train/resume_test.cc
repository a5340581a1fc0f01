// Trainings that are interrupted, at an epoch's end, within an epoch or by a kill, and go on from
// what was saved: they reach what an uninterrupted one reaches, to the bit, history included.

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "data/blobs.h"
#include "data/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "optim/adjustments.h"
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"
#include "tests/train/same.h"
#include "train/callbacks.h"
#include "train/fit.h"
#include "train/layers.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TrainTest Data() {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 150, .cluster_std = 1.5, .seed = 3});
  return *Split(*OneHotTargets(*blobs, 3), 100);
}

// Everything that is carried: slots, the states of adjustments, a schedule's factor, both shuffles'
// orders, the draws of dropout.
Training Carrying(Shuffle shuffle) {
  return {.model =
              [](Scope& s, Value x) {
                const Value h = Dropout(s, "dropout", Dense(s, "hidden", x, 6), 0.25);
                return Dense(s, "output", h, 3);
              },
          .loss = SoftmaxCrossEntropy,
          .rule = Adam(),
          .rate = Cosine({.initial = 0.05, .length = 8}),
          .adjust = {ReduceLROnPlateau({.factor = 0.5, .patience = 1}),
                     EarlyStopping({.patience = 6, .restore_best_weights = true})},
          .metrics = {Accuracy},
          .batch = 32,
          .epochs = 9,
          .seed = 4,
          .shuffle = shuffle};
}

TEST(Resume, GoesOnFromAFileOfAnyEpoch) {
  const TrainTest data = Data();
  for (const Shuffle shuffle : {Shuffle::kSeed, Shuffle::kNumPy, Shuffle::kNone}) {
    const std::string stem = testing::TempDir() + "/any_";
    ModelCheckpoint save(stem + "{epoch}", {.save_weights_only = false});
    const Training training = Carrying(shuffle);
    const absl::StatusOr<Fitted> whole =
        Fit(EveryEngine, training, data.train, data.test, {.callbacks = {&save}});
    ASSERT_TRUE(whole.ok()) << whole.status();
    for (size_t epoch = 1; epoch <= whole->history.epochs(); epoch++) {
      const absl::StatusOr<SavedArrays> saved = LoadArrays(stem + std::to_string(epoch));
      ASSERT_TRUE(saved.ok()) << saved.status();
      const absl::StatusOr<Fitted> rest =
          Fit(EveryEngine, training, data.train, data.test, {.state = saved->arrays});
      ASSERT_TRUE(rest.ok()) << rest.status();
      ExpectSame(*whole, *rest);
    }
  }
}

TEST(Resume, RepeatsAnEpochThatWasCutShort) {
  const TrainTest data = Data();
  const Training training = Carrying(Shuffle::kSeed);
  const absl::StatusOr<Fitted> whole = Fit(EveryEngine, training, data.train, data.test);
  for (const bool flag : {false, true}) {
    std::atomic<bool> stop = false;
    LambdaCallback in_the_third({.on_batch_end = [&](const auto& run) {
      if (run.epoch() != 2 || run.batch() != 1) return;
      if (flag) {
        stop = true;
      } else {
        run.Stop();
      }
    }});
    const absl::StatusOr<Fitted> part = Fit(EveryEngine, training, data.train, data.test,
                                            {.callbacks = {&in_the_third}, .stop = &stop});
    ASSERT_TRUE(part.ok()) << part.status();
    EXPECT_EQ(part->end, TrainEnd::kRequest);
    EXPECT_EQ(part->history.epochs(), 3u);
    EXPECT_EQ(part->state.at("epoch").At(0), 2);
    EXPECT_EQ(part->state.at("history/loss").size(), 2);
    const absl::StatusOr<Fitted> rest =
        Fit(EveryEngine, training, data.train, data.test, {.state = part->state});
    ASSERT_TRUE(rest.ok()) << rest.status();
    ExpectSame(*whole, *rest);
  }
}

// What an adjustment ended stays ended, however often its program is started.
TEST(Resume, DoesNotGoOnAfterAnAdjustmentsEnd) {
  const TrainTest data = Data();
  Training training = Carrying(Shuffle::kSeed);
  training.epochs = 50;
  training.adjust = {EarlyStopping({.patience = 1, .restore_best_weights = true})};
  LambdaCallback batches({.on_batch_end = [](const auto&) {}});
  for (const bool watched : {false, true}) {
    FitOptions options;
    if (watched) options.callbacks = {&batches};
    const absl::StatusOr<Fitted> whole = Fit(EveryEngine, training, data.train, data.test, options);
    ASSERT_TRUE(whole.ok()) << whole.status();
    ASSERT_EQ(whole->end, TrainEnd::kAdjustment);
    options.state = whole->state;
    const absl::StatusOr<Fitted> again = Fit(EveryEngine, training, data.train, data.test, options);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->end, TrainEnd::kAdjustment);
    ExpectSame(*whole, *again);
    options.state.erase("stopped");
    const absl::StatusOr<Fitted> on = Fit(EveryEngine, training, data.train, data.test, options);
    ASSERT_TRUE(on.ok()) << on.status();
    EXPECT_GT(on->history.epochs(), whole->history.epochs());
  }
}

// The state of a part of an epoch is that of the epoch before, and saved already.
// ... also where the period would have left it out.
TEST(Resume, LeavesTheFileOfTheLastWholeEpoch) {
  const TrainTest data = Data();
  for (const int64_t period : {1, 2}) {
    const std::string path = testing::TempDir() + "/cut_" + std::to_string(period) + "_";
    ModelCheckpoint save(path + "{epoch}", {.save_weights_only = false, .period = period});
    LambdaCallback in_the_fourth({.on_batch_end = [](const auto& run) {
      if (run.epoch() == 3) run.Stop();
    }});
    const absl::StatusOr<Fitted> part = Fit(EveryEngine, Carrying(Shuffle::kSeed), data.train,
                                            data.test, {.callbacks = {&save, &in_the_fourth}});
    ASSERT_TRUE(part.ok()) << part.status();
    const absl::StatusOr<SavedArrays> last = LoadArrays(path + "3");
    ASSERT_TRUE(last.ok()) << last.status();
    EXPECT_EQ(last->arrays.at("epoch").At(0), 3);
    EXPECT_EQ(last->metadata.at("val_loss"), FormatNumber(part->history["val_loss"][2]));
    EXPECT_TRUE(LoadArrays(path + "2").ok());
    EXPECT_EQ(LoadArrays(path + "1").ok(), period == 1);
    EXPECT_FALSE(LoadArrays(path + "4").ok());
  }
}

// One attempt of a program that goes on with what it finds, and is never told how often it died.
// `between`: after a line of the log is written and before the state is saved.
absl::StatusOr<Fitted> Attempt(const std::string& path, const std::string& log_path,
                               const TrainTest& data, const Training& training, Callback& between) {
  ModelCheckpoint save(path, {.save_weights_only = false});
  const absl::StatusOr<SavedArrays> saved = LoadArrays(path);
  CsvLogger log(log_path, {.append = saved.ok()});
  FitOptions options{.callbacks = {&log, &between, &save}};
  if (saved.ok()) options.state = saved->arrays;
  return Fit(Interpret, training, data.train, data.test, options);
}

// Kills its own process after some more epochs: in one, before the state is saved, or at some
// moment from there on.
LambdaCallback Death(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto left = std::make_shared<int64_t>(random() % 3);
  const int64_t batch = static_cast<int64_t>(random() % 4);
  const auto microseconds = static_cast<suseconds_t>(1 + random() % 400);
  const uint64_t where = random() % 3;
  LambdaEvents events;
  events.on_batch_end = [=](const Run& run) {
    if (where == 0 && *left <= 0 && run.batch() == batch) raise(SIGKILL);
  };
  events.on_epoch_end = [=](const Run&) {
    if ((*left)-- > 0) return;
    if (where == 1) raise(SIGKILL);
    const itimerval soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = microseconds}};
    setitimer(ITIMER_REAL, &soon, nullptr);  // whose signal ends the process, too
  };
  return LambdaCallback(events);
}

TEST(Resume, SurvivesKillsAtAnyMoment) {
  const TrainTest data = Data();
  Training training = Carrying(Shuffle::kSeed);
  training.adjust.pop_back();
  training.epochs = 80;
  const std::string folder = testing::TempDir() + "/";
  for (const char* file : {"whole", "killed"}) std::remove((folder + file).c_str());
  LambdaCallback nothing({});
  const absl::StatusOr<Fitted> whole =
      Attempt(folder + "whole", folder + "whole.csv", data, training, nothing);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const std::vector<uint64_t> kills = FuzzSeeds(20);
  size_t went_on = 0;
  for (const uint64_t kill : kills) {
    const absl::StatusOr<SavedArrays> saved = LoadArrays(folder + "killed");
    went_on += saved.ok() ? 1 : 0;
    // Long ones begin anew: each kill is one of a training that is not at its end.
    if (saved.ok() && saved->arrays.at("epoch").At(0) > 70) {
      ASSERT_EQ(std::remove((folder + "killed").c_str()), 0);
    }
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      LambdaCallback death = Death(kill);
      const bool ok = Attempt(folder + "killed", folder + "killed.csv", data, training, death).ok();
      _exit(ok ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status))
        << "kill " << kill << ": it ended with " << WEXITSTATUS(status);
  }
  EXPECT_GT(went_on, kills.size() / 2) << "little was saved before it was killed: no test";
  const absl::StatusOr<Fitted> rest =
      Attempt(folder + "killed", folder + "killed.csv", data, training, nothing);
  ASSERT_TRUE(rest.ok()) << rest.status();
  ExpectSame(*whole, *rest);
  EXPECT_EQ(*ReadFile(folder + "killed.csv"), *ReadFile(folder + "whole.csv"));
}

TEST(Resume, TakesTheRateFromTheStateAndTheEpochsFromTheTraining) {
  const TrainTest data = Data();
  Training training = Carrying(Shuffle::kSeed);
  training.rate = 0.05;
  training.adjust = {};
  training.epochs = 2;
  const absl::StatusOr<Fitted> two = Fit(EveryEngine, training, data.train, data.test);
  ASSERT_TRUE(two.ok()) << two.status();
  // It is there already.
  const absl::StatusOr<Fitted> none =
      Fit(EveryEngine, training, data.train, data.test, {.state = two->state});
  ASSERT_TRUE(none.ok()) << none.status();
  ExpectSame(*two, *none);
  // The epochs of the training are all of them, and its rate is one to begin with.
  training.epochs = 3;
  training.rate = 0.5;
  NamedArrays state = two->state;
  const auto last_rate = [&] {
    const absl::StatusOr<Fitted> three =
        Fit(EveryEngine, training, data.train, data.test, {.state = state});
    EXPECT_TRUE(three.ok() && three->history.epochs() == 3u) << three.status();
    return three.ok() ? three->history.last("lr") : 0;
  };
  EXPECT_EQ(last_rate(), 0.05);
  state["rate"] = Array(0.01);
  EXPECT_EQ(last_rate(), 0.01);
  training.epochs = 1;
  EXPECT_THAT(
      std::string(
          Fit(EveryEngine, training, data.train, data.test, {.state = state}).status().message()),
      HasSubstr("the state to go on from is at epoch 2 of 1"));
}

TEST(Resume, RefusesTheStateOfAnotherTraining) {
  const TrainTest data = Data();
  Training training = Carrying(Shuffle::kSeed);
  training.epochs = 2;
  const absl::StatusOr<Fitted> fitted = Fit(EveryEngine, training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const auto message = [&](const FitOptions& options, const Training& other) {
    return std::string(Fit(EveryEngine, other, data.train, data.test, options).status().message());
  };
  NamedArrays state = fitted->state;
  EXPECT_THAT(message({.parameters = fitted->parameters, .state = state}, training),
              HasSubstr("parameters and state are given"));
  state["other/kernel"] = Array(1.0f);
  EXPECT_THAT(message({.state = state}, training),
              AllOf(HasSubstr("'other/kernel', which this training has not"),
                    HasSubstr("another training")));
  state = fitted->state;
  state.erase("history/val_loss");
  EXPECT_THAT(message({.state = state}, training), HasSubstr("a part of a history"));
  state["history/val_loss"] = Array(1.0);
  EXPECT_THAT(message({.state = state}, training), HasSubstr("'history/val_loss'"));
  state = fitted->state;
  state["history/val_loss"] = Array::Vector<double>({1.0});
  EXPECT_THAT(message({.state = state}, training), HasSubstr("a part of a history"));
  Training other = training;
  other.metrics = {};
  EXPECT_THAT(message({.state = fitted->state}, other), HasSubstr("history/accuracy"));
  other = training;
  other.rule = Sgd();
  EXPECT_THAT(message({.state = fitted->state}, other), HasSubstr("which this training has not"));
  state = fitted->state;
  state["epoch"] = Array(int64_t{1});
  EXPECT_THAT(message({.state = state}, training), HasSubstr("a part of a history"));
  state = fitted->state;
  // Without its rows a state goes on, too.
  for (const char* column : {"loss", "accuracy", "val_loss", "val_accuracy", "lr"}) {
    state.erase(std::string("history/") + column);
  }
  training.epochs = 3;
  const absl::StatusOr<Fitted> rest =
      Fit(EveryEngine, training, data.train, data.test, {.state = state});
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->history.epochs(), 1u);
}

}  // namespace
}  // namespace talweg
