#include "train/sweep.h"

#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/blobs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "ops/elementwise.h"
#include "optim/adjustments.h"
#include "tests/graphs/engines.h"
#include "train/callbacks.h"
#include "train/fit.h"
#include "train/layers.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TrainTest Data() {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 90, .cluster_std = 2, .seed = 3});
  return *Split(*OneHotTargets(*blobs, 3), 50);
}

Value Network(Scope& s, Value x) {
  const Value h = Dropout(s, "drop", Relu(Dense(s, "hidden", x, 5, HeUniform())), 0.2);
  return Dense(s, "output", h, 3);
}

// The settings of one run, as a user writes them for Fit.
struct Setting {
  double rate = 0.05;
  int64_t seed = 1;
  double momentum = 0.5, patience = 2;
  int64_t epochs = 8;
  Shuffle shuffle = Shuffle::kSeed;
};

Training Made(const Setting& setting) {
  return {.model = Network,
          .loss = SoftmaxCrossEntropy,
          .rule = Sgd({.momentum = setting.momentum, .decay = 1e-3}),
          .rate = setting.rate,
          .adjust = {ReduceLROnPlateau({.monitor = "loss", .factor = 0.5, .patience = 1}),
                     EarlyStopping({.monitor = "val_loss",
                                    .patience = setting.patience,
                                    .restore_best_weights = true})},
          .metrics = {Accuracy},
          .batch = 16,
          .epochs = setting.epochs,
          .seed = setting.seed,
          .shuffle = setting.shuffle};
}

// A run of a sweep and what Fit makes of its settings.
void ExpectSame(const SweepRun& run, const Fitted& fitted) {
  EXPECT_EQ(run.history.ToCsv(), fitted.history.ToCsv()) << run.index;
  EXPECT_EQ(run.epochs, static_cast<int64_t>(fitted.history.epochs()));
  EXPECT_EQ(run.end, fitted.end) << run.index;
  ASSERT_EQ(run.parameters.size(), fitted.parameters.size());
  for (const auto& [name, array] : fitted.parameters) {
    EXPECT_TRUE(SameBits(run.parameters.at(name), array)) << run.index << " " << name;
  }
}

const std::vector<double> kRates = {0.3, 0.05, 0.002}, kMomenta = {0, 0.9};
const std::vector<double> kPatience = {1, 3};

std::vector<SweepAxis> Axes() {
  return {{"rate", kRates},
          {{"momentum", kMomenta}, {"adjust/EarlyStopping/patience", kPatience}},
          Seeds(3, 7)};
}

// What Fit gives at each point of those axes.
std::vector<Fitted> Single(const Engine& engine, Shuffle shuffle, const TrainTest& data) {
  std::vector<Fitted> all;
  for (const double rate : kRates) {
    for (size_t k = 0; k < 2; k++) {
      for (int64_t seed = 7; seed < 10; seed++) {
        const Training training = Made({.rate = rate,
                                        .seed = seed,
                                        .momentum = kMomenta[k],
                                        .patience = kPatience[k],
                                        .shuffle = shuffle});
        absl::StatusOr<Fitted> fitted = Fit(engine, training, data.train, data.test);
        EXPECT_TRUE(fitted.ok()) << fitted.status();
        if (fitted.ok()) all.push_back(*std::move(fitted));
      }
    }
  }
  return all;
}

TEST(Sweep, IsFitToTheBitForAllThreadsAndLanes) {
  const TrainTest data = Data();
  const JitEngine engine;
  for (const Shuffle shuffle : {Shuffle::kSeed, Shuffle::kNumPy, Shuffle::kNone}) {
    const std::vector<Fitted> single = Single(engine, shuffle, data);
    ASSERT_EQ(single.size(), 18u);
    std::set<size_t> epochs;
    for (const Fitted& fitted : single) epochs.insert(fitted.history.epochs());
    EXPECT_GE(epochs.size(), 3u) << "they should end at different epochs";
    for (const int threads : {1, 2, 3, 4, 8}) {
      for (const int64_t lanes : {1, 4, 8, 16}) {
        SCOPED_TRACE(absl::StrCat(threads, " threads, ", lanes, " lanes"));
        const absl::StatusOr<SweepResult> sweep =
            Sweep(engine, Made({.shuffle = shuffle}), Axes(), data.train, data.test,
                  {.threads = threads, .lanes = lanes, .keep_parameters = true});
        ASSERT_TRUE(sweep.ok()) << sweep.status();
        ASSERT_EQ(sweep->runs.size(), single.size());
        for (size_t i = 0; i < single.size(); i++) ExpectSame(sweep->runs[i], single[i]);
      }
    }
  }
}

TEST(Sweep, IsTheSameOnEachEngine) {
  const TrainTest data = Data();
  const std::vector<Fitted> single = Single(Interpret, Shuffle::kSeed, data);
  for (const NamedEngine& engine : MainEngines()) {
    for (const int64_t lanes : {1, 4}) {
      const absl::StatusOr<SweepResult> sweep =
          Sweep(engine.make, Made({}), Axes(), data.train, data.test,
                {.threads = 2, .lanes = lanes, .keep_parameters = true});
      ASSERT_TRUE(sweep.ok()) << sweep.status();
      for (size_t i = 0; i < single.size(); i++) ExpectSame(sweep->runs[i], single[i]);
    }
  }
}

// A state and a number of one name are two things.
TEST(Sweep, AStateMayHaveTheNameOfANumber) {
  const TrainTest data = Data();
  Training training = Made({});
  training.adjust = {{.name = "mine", .begin = [](AdjustScope& s) {
                        const Value scale = s.State("scale", 1);
                        s.SetRate(s.rate() * scale / s.Hyper("scale", 2.0));
                        s.Set("scale", scale + 0.5);
                      }}};
  const absl::StatusOr<Fitted> single = Fit(Interpret, training, data.train, data.test);
  ASSERT_TRUE(single.ok()) << single.status();
  for (const int64_t lanes : {1, 2}) {
    const absl::StatusOr<SweepResult> sweep =
        Sweep(Interpret, training, {{"mine/scale", {2, 3}}}, data.train, data.test,
              {.lanes = lanes, .keep_parameters = true});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    ExpectSame(sweep->runs[0], *single);
  }
}

// Counts epochs, or batches too.
struct Watcher : Callback {
  explicit Watcher(bool batches_in) : batches(batches_in) {}
  bool WantsBatches() const override { return batches; }
  void OnEpochEnd(const Run&) override { epochs++; }
  bool batches;
  int64_t epochs = 0;
};

TEST(Sweep, CallbacksWatchEachRun) {
  const TrainTest data = Data();
  const JitEngine engine;
  const std::vector<Fitted> single = Single(engine, Shuffle::kSeed, data);
  for (const bool batches : {false, true}) {
    std::vector<std::unique_ptr<Watcher>> watchers;
    for (size_t i = 0; i < single.size(); i++) {
      watchers.push_back(std::make_unique<Watcher>(batches));
    }
    std::multiset<size_t> finished;
    const SweepOptions options{
        .threads = 3,
        .lanes = 8,
        .keep_parameters = true,
        .callbacks = [&](const SweepRun& run) -> std::vector<Callback*> {
          return {watchers[run.index].get()};
        },
        .finished = [&](const SweepRun& run) { finished.insert(run.index); }};
    const absl::StatusOr<SweepResult> sweep =
        Sweep(engine, Made({}), Axes(), data.train, data.test, options);
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    for (size_t i = 0; i < single.size(); i++) {
      ExpectSame(sweep->runs[i], single[i]);
      EXPECT_EQ(watchers[i]->epochs, sweep->runs[i].epochs);
      EXPECT_EQ(finished.count(i), 1u);
    }
  }
}

// Trainings of which some differ in numbers only, on axes that all of them have.
TEST(Sweep, OfSeveralTrainingsSharesFunctions) {
  const TrainTest data = Data();
  std::vector<Training> trainings;
  for (const double momentum : {0.0, 0.5, 0.9}) trainings.push_back(Made({.momentum = momentum}));
  trainings.push_back(Made({.rate = 0.01}));
  trainings.back().rule = "adam";
  trainings.back().metrics = {};
  std::mutex mutex;
  std::vector<std::string> compiled;
  const JitEngine jit;
  const Engine counting = [&](const Graph& graph) {
    {
      const std::lock_guard lock(mutex);
      compiled.push_back("");
    }
    return jit(graph);
  };
  for (const int64_t lanes : {1, 4}) {
    compiled.clear();
    const absl::StatusOr<SweepResult> sweep =
        Sweep(counting, trainings, {Seeds(3)}, data.train, data.test,
              {.threads = 2,
               .lanes = lanes,
               .keep_parameters = true,
               .titles = {"none", "one, half", "much", "adam"}});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    ASSERT_EQ(sweep->runs.size(), 12u);
    // Two fits. The first parameters of both are the same graph, if not of the same lanes.
    EXPECT_EQ(compiled.size(), lanes == 1 ? 3u : 4u);
    for (const SweepRun& run : sweep->runs) {
      Training training = trainings[run.training];
      training.seed = static_cast<int64_t>(run.values[0]);
      const absl::StatusOr<Fitted> fitted = Fit(jit, training, data.train, data.test);
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      ExpectSame(run, *fitted);
    }
    EXPECT_THAT(sweep->ToCsv(), HasSubstr("\n3,\"one, half\",1,"));
    EXPECT_THAT(sweep->ToCsv(),
                HasSubstr("run,training,seed,epochs,end,loss,accuracy,val_loss,val_accuracy,lr\n"));
  }
}

TEST(Sweep, EpochsMayDiffer) {
  const TrainTest data = Data();
  const JitEngine engine;
  for (const Shuffle shuffle : {Shuffle::kSeed, Shuffle::kNumPy}) {
    for (const int64_t lanes : {1, 4}) {
      const absl::StatusOr<SweepResult> sweep =
          Sweep(engine, Made({.patience = 9, .shuffle = shuffle}),
                {{{"epochs", {1, 5, 3}}, {"seed", {4, 5, 6}}}, {"factor", {0.5, 0}}}, data.train,
                data.test, {.lanes = lanes, .keep_parameters = true});
      ASSERT_TRUE(sweep.ok()) << sweep.status();
      EXPECT_THAT(sweep->inputs, ElementsAre("epochs", "seed", "factor"));
      for (const SweepRun& run : sweep->runs) {
        Training training = Made({.seed = static_cast<int64_t>(run.values[1]),
                                  .patience = 9,
                                  .epochs = static_cast<int64_t>(run.values[0]),
                                  .shuffle = shuffle});
        training.adjust[0] =
            ReduceLROnPlateau({.monitor = "loss", .factor = run.values[2], .patience = 1});
        const absl::StatusOr<Fitted> fitted = Fit(engine, training, data.train, data.test);
        ASSERT_TRUE(fitted.ok()) << fitted.status();
        ExpectSame(run, *fitted);
      }
    }
  }
}

// Some of the models in a vector's lanes come to their end in an epoch's last batch, after which
// they are validated, some before, and some not at all.
TEST(Sweep, ModelsMayEndInDifferentBatches) {
  const TrainTest data = Data();
  const std::vector<double> rates = {0.05, 1e30, 1e12, 1e38, 0.1};
  for (const int64_t batch : {int64_t{16}, data.train.size()}) {
    const auto with = [&](double rate) {
      Training training = Made({.rate = rate});
      training.batch = batch;
      training.adjust = {TerminateOnNaN()};
      return training;
    };
    const absl::StatusOr<SweepResult> sweep =
        Sweep(EveryEngine, with(0.05), {{"rate", rates}}, data.train, data.test,
              {.threads = 1, .lanes = 5, .keep_parameters = true});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    for (size_t i = 0; i < rates.size(); i++) {
      const absl::StatusOr<Fitted> fitted = Fit(EveryEngine, with(rates[i]), data.train, data.test);
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      ExpectSame(sweep->runs[i], *fitted);
    }
    EXPECT_EQ(sweep->runs[1].end, TrainEnd::kAdjustment);
    EXPECT_EQ(sweep->runs[4].end, TrainEnd::kEpochs);
  }
}

TEST(Sweep, StartsFromGivenParameters) {
  const TrainTest data = Data();
  const JitEngine engine;
  const absl::StatusOr<NamedArrays> parameters =
      InitialParameters(engine, Made({.seed = 99}), data.train);
  ASSERT_TRUE(parameters.ok()) << parameters.status();
  for (const int64_t lanes : {1, 4}) {
    const absl::StatusOr<SweepResult> sweep =
        Sweep(engine, Made({}), {Seeds(4)}, data.train, data.test,
              {.lanes = lanes, .keep_parameters = true, .parameters = *parameters});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    for (const SweepRun& run : sweep->runs) {
      const Training training = Made({.seed = static_cast<int64_t>(run.values[0])});
      const absl::StatusOr<Fitted> fitted =
          Fit(engine, training, data.train, data.test, {.parameters = *parameters});
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      ExpectSame(run, *fitted);
    }
  }
}

TEST(Sweep, StoppedBeforeItBeginsHasRowsWithoutEpochs) {
  const TrainTest data = Data();
  const JitEngine engine;
  const std::atomic<bool> stop = true;
  for (const int64_t lanes : {1, 4}) {
    const absl::StatusOr<SweepResult> sweep =
        Sweep(engine, Made({}), {Seeds(5)}, data.train, data.test,
              {.lanes = lanes, .keep_parameters = true, .stop = &stop});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    ASSERT_EQ(sweep->runs.size(), 5u);
    for (const SweepRun& run : sweep->runs) {
      EXPECT_EQ(run.epochs, 0);
      EXPECT_EQ(run.end, TrainEnd::kRequest);
      const Training training = Made({.seed = static_cast<int64_t>(run.values[0])});
      const absl::StatusOr<Fitted> fitted =
          Fit(engine, training, data.train, data.test, {.stop = &stop});
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      ExpectSame(run, *fitted);
    }
    EXPECT_THAT(sweep->best("loss").status().message(),
                HasSubstr("no run has a number for 'loss'"));
    EXPECT_THAT(sweep->ToCsv(), HasSubstr("\n0,1,0,request,nan,nan,nan,nan,nan\n"));
  }
}

TEST(Sweep, StopsWhenAsked) {
  const TrainTest data = Data();
  std::atomic<bool> stop = false;
  const absl::StatusOr<SweepResult> sweep =
      Sweep(Interpret, Made({}), {Seeds(6)}, data.train, data.test,
            {.threads = 1,
             .lanes = 1,
             .finished = [&](const SweepRun& run) { stop = run.index >= 2; },
             .stop = &stop});
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  for (const SweepRun& run : sweep->runs) {
    EXPECT_EQ(run.end == TrainEnd::kRequest, run.index > 2) << run.index;
    EXPECT_EQ(run.epochs == 0, run.index > 2) << run.index;
  }
}

// Little work goes in lanes without being asked to, if there is much of it; more of it at once, or
// what may end early, does not.
TEST(Sweep, ChoosesLanesByTheWork) {
  const TrainTest data = Data();
  std::mutex mutex;
  std::set<std::string> seeds;  // the types of that input, in graphs of fits
  const JitEngine jit;
  const Engine watching = [&](const Graph& graph) {
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < graph.inputs().size(); i++) {
      const bool fit = graph.inputs().size() > 1;
      if (fit && graph.input_name(i) == "seed") seeds.insert(ToString(graph.input_type(i)));
    }
    return jit(graph);
  };
  const auto types = [&](int64_t units, const Training& base, const SweepOptions& options) {
    seeds.clear();
    Training training = base;
    training.model = [units](Scope& s, Value x) {
      return Dense(s, "output", units == 0 ? x : Relu(Dense(s, "hidden", x, units)), 3);
    };
    const absl::StatusOr<SweepResult> sweep =
        Sweep(watching, training, {Seeds(19)}, data.train, data.test, options);
    EXPECT_TRUE(sweep.ok()) << sweep.status();
    for (const SweepRun& run : sweep->runs) {
      training.seed = static_cast<int64_t>(run.values[0]);
      EXPECT_EQ(run.history.ToCsv(), Fit(jit, training, data.train, data.test)->history.ToCsv());
    }
    return seeds;
  };
  Training free = Made({});
  free.adjust = {};
  EXPECT_THAT(types(0, free, {.threads = 2}), ElementsAre("int64[]"));  // it is over at once
  free.epochs = 3000;
  EXPECT_THAT(types(0, free, {.threads = 1}), ElementsAre("int64[16]"));
  EXPECT_THAT(types(0, free, {.threads = 2}), ElementsAre("int64[8]"));
  EXPECT_THAT(types(0, free, {.threads = 4}), ElementsAre("int64[4]"));
  free.epochs = 300;
  EXPECT_THAT(types(50, free, {.threads = 2}), ElementsAre("int64[]"));
  EXPECT_THAT(types(50, free, {.threads = 2, .lanes = 5}), ElementsAre("int64[5]"));
  EXPECT_THAT(types(0, Made({}), {.threads = 2}), ElementsAre("int64[]"));
}

TEST(Sweep, IsTheSameFromACacheThatIsColdOrWarm) {
  const TrainTest data = Data();
  const std::string folder = testing::TempDir() + "/sweep_cache";
  const std::vector<Fitted> single = Single(Interpret, Shuffle::kSeed, data);
  for (const int64_t lanes : {1, 4}) {
    for (const char* state : {"cold", "warm"}) {
      SCOPED_TRACE(state);
      const JitEngine engine({.cache = absl::StrCat(folder, lanes)});
      const absl::StatusOr<SweepResult> sweep =
          Sweep(engine, Made({}), Axes(), data.train, data.test,
                {.threads = 2, .lanes = lanes, .keep_parameters = true});
      ASSERT_TRUE(sweep.ok()) << sweep.status();
      for (size_t i = 0; i < single.size(); i++) ExpectSame(sweep->runs[i], single[i]);
    }
  }
}

// A limit under which fewer threads do it, and one that is too low for any.
TEST(Sweep, StaysWithinItsMemory) {
  const TrainTest data = Data();
  for (const int64_t limit : {int64_t{1} << 18, int64_t{1} << 24}) {
    const absl::StatusOr<SweepResult> sweep =
        Sweep(Interpret, Made({}), {Seeds(4)}, data.train, data.test, {.memory_limit = limit});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    EXPECT_EQ(sweep->runs.size(), 4u);
  }
  const absl::Status status =
      Sweep(Interpret, Made({}), {Seeds(4)}, data.train, data.test, {.memory_limit = 1000})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("sweep: 4 runs on 1 thread may take "));
}

TEST(Sweep, WithoutAxesIsOneFit) {
  const TrainTest data = Data();
  const absl::StatusOr<SweepResult> sweep =
      Sweep(Interpret, Made({}), {}, data.train, data.test, {.keep_parameters = true});
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  ASSERT_EQ(sweep->runs.size(), 1u);
  ExpectSame(sweep->runs[0], *Fit(Interpret, Made({}), data.train, data.test));
  const absl::StatusOr<SweepResult> none =
      Sweep(Interpret, std::vector<Training>{}, {Seeds(3)}, data.train, data.test);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->runs.empty());
}

// A list of numbers is an input of the graph like others, and no axis.
TEST(Sweep, TakesARateForEachEpoch) {
  const TrainTest data = Data();
  const JitEngine engine;
  Training training = Made({});
  training.adjust = {};
  training.rate = RateTable({.rates = {0.1, 0.2, 0.05, 0.05, 0.1, 0.1, 0.01, 0.02}});
  for (const int64_t lanes : {1, 4}) {
    const absl::StatusOr<SweepResult> sweep =
        Sweep(engine, training, {{"momentum", {0, 0.5, 0.9}}}, data.train, data.test,
              {.threads = 2, .lanes = lanes, .keep_parameters = true});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    for (size_t i = 0; i < 3; i++) {
      training.rule = Sgd({.momentum = std::vector<double>{0, 0.5, 0.9}[i], .decay = 1e-3});
      const absl::StatusOr<Fitted> fitted = Fit(engine, training, data.train, data.test);
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      ExpectSame(sweep->runs[i], *fitted);
    }
  }
  EXPECT_THAT(Sweep(engine, training, {{"rates", {0.1}}}, data.train, data.test).status().message(),
              HasSubstr("a fit has no input 'rates'"));
}

// Trainings of one graph whose states start at other numbers.
TEST(Sweep, KeepsTheStartsOfStatesApart) {
  const TrainTest data = Data();
  const JitEngine engine;
  const auto made = [](double start) {
    Training training = Made({});
    training.adjust = {};
    training.rule = Rule([start](RuleScope& s, Value, Value g, Value lr) {
      const Value sum = s.Slot("sum", start) + Square(g);
      s.Set("sum", sum);
      return -lr * g / Sqrt(sum);
    });
    return training;
  };
  const std::vector<Training> trainings = {made(0.1), made(1)};
  const absl::StatusOr<SweepResult> sweep =
      Sweep(engine, trainings, {Seeds(3)}, data.train, data.test,
            {.threads = 1, .lanes = 4, .keep_parameters = true});
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  ASSERT_EQ(sweep->runs.size(), 6u);
  for (const SweepRun& run : sweep->runs) {
    Training training = trainings[run.training];
    training.seed = static_cast<int64_t>(run.values[0]);
    const absl::StatusOr<Fitted> fitted = Fit(engine, training, data.train, data.test);
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    ExpectSame(run, *fitted);
  }
}

// Whose batches are watched goes in pieces; these are compiled once for all runs.
TEST(Sweep, CompilesThePiecesOfWatchedRunsOnce) {
  const TrainTest data = Data();
  std::atomic<int> compiled = 0;
  const Engine engine = [&](const Graph& graph) {
    compiled++;
    return Interpret(graph);
  };
  LambdaCallback watch({.on_batch_end = [](const auto& run) { EXPECT_GE(run.rate(), 0); }});
  const auto callbacks = [&](const SweepRun&) { return std::vector<Callback*>{&watch}; };
  Training training = Made({.epochs = 2});
  training.rate = Cosine({.initial = 0.1});
  const auto count = [&](int64_t runs) {
    compiled = 0;
    const absl::StatusOr<SweepResult> sweep =
        Sweep(engine, training, {Seeds(runs)}, data.train, data.test,
              {.threads = 2, .callbacks = callbacks});
    EXPECT_TRUE(sweep.ok()) << sweep.status();
    return compiled.load();
  };
  const int of_one = count(1);
  EXPECT_EQ(count(6), of_one);
}

TEST(Sweep, RefusesWrongUse) {
  const TrainTest data = Data();
  const auto error = [&](const std::vector<SweepAxis>& axes, const SweepOptions& options = {},
                         const Training& training = Made({})) {
    const absl::Status status =
        Sweep(Interpret, training, axes, data.train, data.test, options).status();
    return std::string(status.message());
  };
  EXPECT_EQ(error({{"rate", std::vector<double>{}}}), "sweep: axis 'rate' has no values");
  EXPECT_EQ(error({SweepAxis(std::vector<SweepAxis::Values>{})}), "sweep: an axis has no inputs");
  EXPECT_EQ(error({Seeds(0)}), "sweep: axis 'seed' has no values");
  EXPECT_EQ(error({{{"rate", {1, 2}}, {"momentum", {0, 0.1, 0.2}}}}),
            "sweep: one axis has 2 values of 'rate' and 3 of 'momentum'");
  EXPECT_THAT(error({{"nesterov", {1}}}),
              HasSubstr("a fit has no input 'nesterov'; it has seed, epochs, rate, rule/"));
  EXPECT_THAT(error({{"patience", {1}}}),
              HasSubstr("'patience' may be adjust/ReduceLROnPlateau/patience or adjust/EarlyS"));
  EXPECT_EQ(error({Seeds(2), Seeds(3)}), "sweep: 'seed' is named twice");
  EXPECT_EQ(error({{"momentum", {0.1}}, {"rule/momentum", {0.1}}}),
            "sweep: 'rule/momentum' is named twice");
  EXPECT_THAT(error({{"momentum", {-1}}}), HasSubstr("hyper-parameter rule/momentum is -1"));
  EXPECT_THAT(error({{"seed", {0.5}}}), HasSubstr("seed is 0.5; it must be a whole number"));
  EXPECT_THAT(error({{"epochs", {3, 0}}}), HasSubstr("epochs is 0; it must be a whole number"));
  EXPECT_THAT(error({{"rate", {NAN}}}), HasSubstr("rate is nan; it must be a finite number"));
  EXPECT_THAT(error({{"rate", {-1}}}), HasSubstr("rate is -1; it must be a finite number"));
  EXPECT_THAT(error({{"seed", {-1}}}, {}, Made({.shuffle = Shuffle::kNumPy})),
              HasSubstr("one that NumPy takes"));
  EXPECT_THAT(error({}, {}, Made({.epochs = 0})), HasSubstr("epochs is 0; it must be at least 1"));
  Training training = Made({});
  training.adjust = {EarlyStopping({.monitor = "val_nothing"})};
  EXPECT_THAT(error({Seeds(2)}, {}, training), HasSubstr("val_nothing"));
  training = Made({});
  training.rate = TimeDecay({.initial = 0.1});
  EXPECT_THAT(error({{"rate", {0.1}}}, {}, training), HasSubstr("a fit has no input 'rate'"));
  EXPECT_THAT(error({}, {.threads = -1}), HasSubstr("is negative"));
  EXPECT_EQ(error({Seeds(std::numeric_limits<int64_t>::max())}), "sweep: more than 1000000 runs");
  EXPECT_EQ(error({Seeds(1000, 1), {"rate", std::vector<double>(1001, 0.1)}}),
            "sweep: more than 1000000 runs");
  EXPECT_THAT(error({Seeds(1, int64_t{1} << 53)}), HasSubstr("a whole number below 2^53"));
  training = Made({.seed = -1, .shuffle = Shuffle::kNumPy});
  EXPECT_THAT(error({{"momentum", {0.1, 0.2}}}, {.lanes = 2}, training),
              HasSubstr("seed is -1; it must be one that NumPy takes"));
  EXPECT_THAT(error({}, {.titles = {"a", "b"}}), HasSubstr("1 trainings and 2 titles"));
  std::vector<Training> two = {Made({}), Made({})};
  two[1].loss = "none";
  const auto titled = [&](const SweepOptions& options) {
    return std::string(
        Sweep(Interpret, two, {}, data.train, data.test, options).status().message());
  };
  EXPECT_THAT(titled({}), ::testing::StartsWith("training 1: "));
  EXPECT_THAT(titled({.titles = {"good", "bad"}}), ::testing::StartsWith("bad: "));
  EXPECT_THAT(error({Seeds(2)},
                    {.callbacks = [](const SweepRun&) { return std::vector<Callback*>{nullptr}; }}),
              HasSubstr("run 0 (seed 1): sweep: one of the callbacks is null"));
  EXPECT_THAT(error({Seeds(10000)}, {.memory_limit = 1 << 20}),
              HasSubstr("and the limit is 1048576"));
  // A token that is not in the table.
  training = Made({});
  training.model = [](Scope& s, Value x) { return Embedding(s, "table", x, 3, 2); };
  training.loss = "sparse_categorical_crossentropy_from_logits";
  training.adjust = {};
  const Dataset tokens{Array::Vector<int32_t>({0, 9}), Array::Vector<int32_t>({1, 0})};
  const auto lanes =
      Sweep(Interpret, training, {Seeds(4)}, tokens, {}, {.threads = 1, .lanes = 2}).status();
  EXPECT_THAT(std::string(lanes.message()), ::testing::StartsWith("runs 0 to 1: "));
}

}  // namespace
}  // namespace talweg
