#include "train/fit.h"

#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/blobs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "ops/elementwise.h"
#include "ops/initializer.h"
#include "ops/nn.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "optim/adjustments.h"
#include "tests/base/allocation.h"
#include "tests/graphs/engines.h"
#include "tests/train/same.h"
#include "train/callbacks.h"
#include "train/layers.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TrainTest Data(int64_t samples = 300, int64_t train = 200) {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = samples, .cluster_std = 1.5, .seed = 3});
  return *Split(*OneHotTargets(*blobs, 3), train);
}

Value Network(Scope& s, Value x) {
  const Value h = Relu(Dense(s, "hidden", x, 8, HeUniform()));
  return Dense(s, "output", h, 3);
}

Value Accuracy1(Value y, Value p) { return Sum(y * p, 1); }

Training Small() {
  return {.model = Network,
          .loss = SoftmaxCrossEntropy,
          .rule = Sgd({.momentum = 0.9}),
          .rate = 0.02,
          .metrics = {Accuracy},
          .batch = 32,
          .epochs = 6,
          .seed = 4};
}

// Each property on each engine.
class FitOn : public testing::TestWithParam<size_t> {
 protected:
  const Engine& engine() const { return MainEngines()[GetParam()].make; }
};
INSTANTIATE_TEST_SUITE_P(Engine, FitOn, testing::Range<size_t>(0, MainEngines().size()));

struct Counter : Callback {
  explicit Counter(bool wants_batches) : wants_batches(wants_batches) {}
  bool WantsBatches() const override { return wants_batches; }
  void OnTrainBegin(const Run&) override { events += "("; }
  void OnEpochBegin(const Run&) override { events += "["; }
  void OnBatchBegin(const Run&) override { events += "<"; }
  void OnBatchEnd(const Run& run) override {
    events += ">";
    samples += run.batch_samples();
  }
  void OnEpochEnd(const Run&) override { events += "]"; }
  void OnTrainEnd(const Run&) override { events += ")"; }
  bool wants_batches;
  std::string events;
  int64_t samples = 0;
};

TEST_P(FitOn, Learns) {
  const TrainTest data = Data();
  Training training = Small();
  training.epochs = 30;
  const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->history.epochs(), 30u);
  EXPECT_EQ(fitted->history.columns(),
            (std::vector<std::string>{"loss", "accuracy", "val_loss", "val_accuracy", "lr"}));
  EXPECT_GT(fitted->history.last("accuracy"), 0.85);
  EXPECT_LT(fitted->history.last("loss"), fitted->history["loss"][0]);
}

// The batch, the last smaller batch and the validation data have numbers of rows of their own.
TEST_P(FitOn, NormalisesLayersOfAnyNumberOfRows) {
  const TrainTest data = Data();
  Training training = Small();
  training.model = [](Scope& s, Value x) {
    const Value h = Dense(s, "hidden", x, 8, HeUniform());
    const Value gain = s.Parameter("gain", {8}, Ones()), bias = s.Parameter("bias", {8}, Zeros());
    return Dense(s, "output", Relu(LayerNorm(h, gain, bias)), 3);
  };
  const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_LT(fitted->history.last("loss"), fitted->history["loss"][0]);
}

// In one call, epoch by epoch, batch by batch; on this engine and the reference.
TEST_P(FitOn, IsTheSameToTheBitWithCallbacksAtEpochsAndBatches) {
  const TrainTest data = Data();
  for (const Shuffle shuffle : {Shuffle::kSeed, Shuffle::kNumPy, Shuffle::kNone}) {
    Training training = Small();
    training.shuffle = shuffle;
    training.adjust = {ReduceLROnPlateau({.monitor = "loss", .patience = 1}), TerminateOnNaN()};
    const absl::StatusOr<Fitted> plain = Fit(engine(), training, data.train, data.test);
    ASSERT_TRUE(plain.ok()) << plain.status();
    Counter epochs(false), batches(true);
    const absl::StatusOr<Fitted> by_epoch =
        Fit(engine(), training, data.train, data.test, {.callbacks = {&epochs}});
    const absl::StatusOr<Fitted> by_batch =
        Fit(engine(), training, data.train, data.test, {.callbacks = {&batches}});
    ASSERT_TRUE(by_epoch.ok()) << by_epoch.status();
    ASSERT_TRUE(by_batch.ok()) << by_batch.status();
    const absl::StatusOr<Fitted> reference = Fit(Interpret, training, data.train, data.test);
    ASSERT_TRUE(reference.ok()) << reference.status();
    ExpectSame(*reference, *plain);
    ExpectSame(*plain, *by_epoch);
    ExpectSame(*plain, *by_batch);
    EXPECT_EQ(epochs.events, "([][][][][][])");
    EXPECT_EQ(batches.events.substr(0, 18), "([<><><><><><><>][");
    EXPECT_EQ(batches.samples, 6 * 200);
  }
}

// Of an engine that has compiled already: what allocates there is LLVM, which gives up by itself.
TEST(Fit, EveryFailedAllocationIsAStatus) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const TrainTest data = Data(60, 40);
  Training training = Small();
  training.epochs = 2;
  training.adjust = {ReduceLROnPlateau({.monitor = "loss", .patience = 1})};
  Counter batches(true);
  const std::pair<Engine, int64_t> engines[] = {{Interpret, 100},
                                                {JitEngine({.cache = "off"}), 20}};
  for (const auto& [engine, least] : engines) {
    for (const bool watched : {false, true}) {
      const FitOptions options = watched ? FitOptions{.callbacks = {&batches}} : FitOptions{};
      ASSERT_TRUE(Fit(engine, training, data.train, data.test, options).ok());
      int64_t failures = 0;
      for (int64_t k = 1;; k++) {
        const FailingAllocation failing(k);
        const absl::StatusOr<Fitted> fitted = Fit(engine, training, data.train, data.test, options);
        if (!failing.Happened()) {
          EXPECT_TRUE(fitted.ok()) << fitted.status();
          break;
        }
        failures++;
        EXPECT_EQ(fitted.status().code(), absl::StatusCode::kResourceExhausted)
            << k << ": " << fitted.status();
      }
      EXPECT_GE(failures, least);
    }
  }
}

TEST_P(FitOn, GoesOnFromItsStateToTheSameBits) {
  const TrainTest data = Data();
  for (const Shuffle shuffle : {Shuffle::kSeed, Shuffle::kNumPy}) {
    Training training = Small();
    training.rule = Adam();
    training.shuffle = shuffle;
    const absl::StatusOr<Fitted> whole = Fit(engine(), training, data.train, data.test);
    ASSERT_TRUE(whole.ok()) << whole.status();
    training.epochs = 2;
    const absl::StatusOr<Fitted> half = Fit(engine(), training, data.train, data.test);
    ASSERT_TRUE(half.ok()) << half.status();
    training.epochs = 6;
    const absl::StatusOr<Fitted> rest =
        Fit(engine(), training, data.train, data.test, {.state = half->state});
    ASSERT_TRUE(rest.ok()) << rest.status();
    ExpectSame(*whole, *rest);
  }
}

TEST_P(FitOn, EvaluateAndPredictAgreeWithTheHistory) {
  const TrainTest data = Data();
  const Training training = Small();
  const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const absl::StatusOr<Scores> scores = Evaluate(engine(), training, fitted->parameters, data.test);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(scores->at("loss"), fitted->history.last("val_loss"));
  EXPECT_EQ(scores->at("accuracy"), fitted->history.last("val_accuracy"));
  for (const int64_t rows : {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 1000}) {
    absl::StatusOr<Array> inputs = Array::Zeros(kFloat64, {rows, 2});
    for (double& x : inputs->mutable_data<double>()) x = static_cast<double>(rows % 7) - 2.5;
    const absl::StatusOr<Array> outputs = Predict(engine(), training, fitted->parameters, *inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ(outputs->dims(), (Dims{rows, 3}));
    EXPECT_TRUE(SameBits(*outputs, *Predict(Interpret, training, fitted->parameters, *inputs)));
  }
  // Any number of samples, one too; of none there is no mean.
  for (const int64_t samples : {1, 2, 33, 100}) {
    const Dataset some = Split(data.test, samples)->train;
    const absl::StatusOr<Scores> here = Evaluate(engine(), training, fitted->parameters, some);
    ASSERT_TRUE(here.ok()) << here.status();
    EXPECT_EQ(*here, *Evaluate(Interpret, training, fitted->parameters, some)) << samples;
  }
}

// Runs graphs as the interpreter does, and calls this before each run.
Engine Watched(std::function<void(const RunOptions&)> before) {
  return [before = std::move(before)](const Graph& graph) -> absl::StatusOr<Executable> {
    const absl::StatusOr<Executable> inner = Interpret(graph);
    if (!inner.ok()) return inner;
    return Executable(std::make_shared<const Graph>(graph),
                      [before, inner = *inner](absl::Span<const Array> inputs, const SymbolValues&,
                                               const RunOptions& options) {
                        before(options);
                        return inner.Call(inputs, options);
                      });
  };
}

TEST(Fit, AllButTheInitialParametersHasTheThreadsThatWereAskedFor) {
  std::vector<int> threads;
  const Engine engine =
      Watched([&](const RunOptions& options) { threads.push_back(options.threads); });
  const TrainTest data = Data();
  const auto fitted = Fit(engine, Small(), data.train, data.test, {.threads = 3});
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_TRUE(Evaluate(engine, Small(), fitted->parameters, data.test, 3).ok());
  EXPECT_TRUE(Predict(engine, Small(), fitted->parameters, data.test.inputs, 3).ok());
  EXPECT_THAT(threads, ElementsAre(1, 3, 3, 3));
}

TEST(Fit, ABatchOfMoreThanAllSamplesIsOneOfAll) {
  const TrainTest data = Data();
  Training training = Small();
  training.batch = data.train.size();
  const auto all = Fit(Interpret, training, data.train, data.test);
  ASSERT_TRUE(all.ok()) << all.status();
  training.batch = std::numeric_limits<int64_t>::max();
  Counter batches(true);
  for (const FitOptions& options : {FitOptions{}, FitOptions{.callbacks = {&batches}}}) {
    const auto more = Fit(Interpret, training, data.train, data.test, options);
    ASSERT_TRUE(more.ok()) << more.status();
    ExpectSame(*all, *more);
  }
}

// Whenever it is asked for, also between the beginning of an epoch and its first batch.
TEST(Fit, AnEpochThatIsStoppedHasABatchAtLeast) {
  const TrainTest data = Data();
  for (int run = 1; run < 25; run++) {
    std::atomic<bool> stop = false;
    int runs = 0;
    const Engine engine = Watched([&](const RunOptions&) {
      if (++runs == run) stop = true;
    });
    Counter batches(true);
    const auto fitted =
        Fit(engine, Small(), data.train, data.test, {.callbacks = {&batches}, .stop = &stop});
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    for (size_t i = 0; i < fitted->history.epochs(); i++) {
      EXPECT_TRUE(std::isfinite(fitted->history["loss"][i])) << "stopped at run " << run;
    }
  }
}

TEST_P(FitOn, StopsEarlyAndPutsTheBestWeightsBack) {
  const TrainTest data = Data();
  Training training = Small();
  training.epochs = 100;
  training.rate = 0.3;
  training.adjust = {EarlyStopping({.patience = 2, .restore_best_weights = true})};
  const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->end, TrainEnd::kAdjustment);
  EXPECT_LT(fitted->history.epochs(), 100u);
  double best = INFINITY;
  for (const double loss : fitted->history["val_loss"]) best = std::min(best, loss);
  const absl::StatusOr<Scores> scores = Evaluate(engine(), training, fitted->parameters, data.test);
  EXPECT_EQ(scores->at("loss"), best);
}

TEST_P(FitOn, EndsInTheBatchThatIsNotANumber) {
  const TrainTest data = Data();
  Training training = Small();
  training.rate = 1e30;
  training.adjust = {TerminateOnNaN()};
  Counter batches(true);
  // Where that is an epoch's last batch, Keras validates all the same.
  for (const bool is_last : {false, true}) {
    if (is_last) training.batch = data.train.size();
    for (Counter* callback : {static_cast<Counter*>(nullptr), &batches}) {
      FitOptions options;
      if (callback != nullptr) options.callbacks = {callback};
      const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data.train, data.test, options);
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      EXPECT_EQ(fitted->end, TrainEnd::kAdjustment);
      EXPECT_EQ(fitted->history.epochs(), is_last ? 2u : 1u);
      EXPECT_TRUE(std::isnan(fitted->history.last("val_loss")));
      EXPECT_EQ(std::isnan(fitted->history.last("val_accuracy")), !is_last);
      EXPECT_LT(fitted->state.at("update").At(0), 7);
    }
  }
}

TEST_P(FitOn, AScheduleAndAnAdjustmentWorkTogether) {
  const TrainTest data = Data();
  Training training = Small();
  training.rate = StepDecay({.initial = 0.1, .drop = 0.5, .every = 2});
  const auto rates = [&]() -> std::vector<double> {
    const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data.train, data.test);
    EXPECT_TRUE(fitted.ok()) << fitted.status();
    if (!fitted.ok()) return {};
    EXPECT_TRUE(std::isfinite(fitted->history.last("loss")));
    return {fitted->history["lr"].begin(), fitted->history["lr"].end()};
  };
  EXPECT_THAT(rates(), ElementsAre(0.1, 0.1, 0.05, 0.05, 0.025, 0.025));
  // Of the loss's increase nothing is an improvement: each epoch from the second halves.
  training.adjust = {
      ReduceLROnPlateau({.monitor = "loss", .factor = 0.5, .patience = 1, .min_delta = 1e6})};
  EXPECT_THAT(rates(), ElementsAre(0.1, 0.1, 0.025, 0.0125, 0.003125, 0.0015625));
  // A factor of 0 ends all learning, and a schedule that is 0 now leaves the factor as it is.
  training.adjust = {
      ReduceLROnPlateau({.monitor = "loss", .factor = 0, .patience = 1, .min_delta = 1e6})};
  EXPECT_THAT(rates(), ElementsAre(0.1, 0.1, 0, 0, 0, 0));
  training.rate = WarmUp(2, 0.1);
  training.adjust = {ReduceLROnPlateau({.monitor = "loss"})};
  EXPECT_THAT(rates(), ElementsAre(0, 0.05, 0.1, 0.1, 0.1, 0.1));
  training.rate = Polynomial({.initial = 0.1, .length = 2});
  EXPECT_THAT(rates(), ElementsAre(0.1, 0.05, 0, 0, 0, 0));
}

// An adjustment that acts after each update and never stops: in one call, and batch by batch.
TEST_P(FitOn, AnAdjustmentMayChangeTheRateAfterEachUpdate) {
  const TrainTest data = Data();
  Training training = Small();
  training.adjust = {
      {.name = "halve", .batch_end = [](AdjustScope& s) { s.SetRate(s.rate() / 2); }}};
  training.batch = 100;
  const absl::StatusOr<Fitted> whole = Fit(engine(), training, data.train, data.test);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->history["lr"][0], 0.005);
  EXPECT_EQ(whole->history["lr"][5], 0.02 / 4096);
  LambdaCallback watch({.on_batch_end = [](const auto&) {}});
  const absl::StatusOr<Fitted> batches =
      Fit(engine(), training, data.train, data.test, {.callbacks = {&watch}});
  ASSERT_TRUE(batches.ok()) << batches.status();
  ExpectSame(*whole, *batches);
}

// Each sample has a loss and a metric for each of its places: the mean over them is the sample's.
TEST_P(FitOn, MeasuresSamplesOfManyPlaces) {
  const Dataset data{*Array::Zeros(kFloat64, {5, 2}), *Array::Zeros(kFloat64, {5, 2, 3})};
  Training training{.model =
                        [](Scope& s, Value x) {
                          const Value y = Dense(s, "output", x, 6, Zeros(), Constant(2));
                          return Reshape(y, {y.dim(0), 2, 3});
                        },
                    .loss = "mse",
                    .rate = 0.0,
                    .metrics = {"mae"},
                    .batch = 2,
                    .evaluate_batch = 3};
  const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data, data);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  for (const char* name : {"loss", "val_loss"}) EXPECT_EQ(fitted->history.last(name), 4) << name;
  for (const char* name : {"mae", "val_mae"}) EXPECT_EQ(fitted->history.last(name), 2) << name;
  const absl::StatusOr<Scores> scores = Evaluate(engine(), training, fitted->parameters, data);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(scores->at("loss"), 4);
}

// A penalty of the weights: in the gradient, in the loss, and in that of evaluations.
TEST_P(FitOn, AModelMayAddToTheLoss) {
  const TrainTest data = Data();
  const auto fit = [&](double penalty, const Choice<Loss>& loss) {
    Training training = Small();
    training.batch = 32;
    training.loss = loss;
    training.model = [penalty](Scope& s, Value x) {
      const Value y = Network(s, x);
      if (penalty > 0) s.AddLoss(penalty * Sum(Square(s.Get("hidden/kernel"))));
      return y;
    };
    return std::make_pair(training, Fit(engine(), training, data.train, data.test));
  };
  const auto [training, plain] = fit(0, SoftmaxCrossEntropy);
  // The same, as a function.
  const auto [same_training, same] =
      fit(0, [](Value t, Value y) { return CategoricalCrossEntropyFromLogits(t, y); });
  const auto [penal_training, penal] = fit(0.5, SoftmaxCrossEntropy);
  ASSERT_TRUE(plain.ok() && same.ok() && penal.ok())
      << plain.status() << same.status() << penal.status();
  ExpectSame(*plain, *same);
  const auto squares = [](const Fitted& fitted) {
    double sum = 0;
    const Array& kernel = fitted.parameters.at("hidden/kernel");
    for (int64_t i = 0; i < kernel.size(); i++) sum += kernel.At(i) * kernel.At(i);
    return sum;
  };
  EXPECT_LT(squares(*penal), squares(*plain) / 4);
  const absl::StatusOr<Scores> with =
      Evaluate(engine(), penal_training, penal->parameters, data.test);
  const absl::StatusOr<Scores> without = Evaluate(engine(), training, penal->parameters, data.test);
  ASSERT_TRUE(with.ok() && without.ok());
  EXPECT_NEAR(with->at("loss"), without->at("loss") + 0.5 * squares(*penal), 1e-6);
  EXPECT_NEAR(with->at("loss"), penal->history.last("val_loss"), 1e-6);
  EXPECT_EQ(with->at("accuracy"), without->at("accuracy"));
}

// Given as a function, a cross-entropy of the library's is still known: a logit above 0 is a 1.
TEST(Fit, KnowsTheLossThatAFunctionIs) {
  Training training = Small();
  training.model = [](Scope& s, Value x) { return Dense(s, "output", x, 1); };
  training.metrics = {"accuracy"};
  TrainTest data = Data();
  data.train.targets = *Array::Zeros(kFloat32, {data.train.size(), 1});
  training.loss = "binary_crossentropy_from_logits";
  const absl::StatusOr<Fitted> named = Fit(Interpret, training, data.train);
  ASSERT_TRUE(named.ok()) << named.status();
  training.loss = BinaryCrossEntropyFromLogits;
  const absl::StatusOr<Fitted> given = Fit(Interpret, training, data.train);
  ASSERT_TRUE(given.ok()) << given.status();
  ExpectSame(*named, *given);
  EXPECT_EQ(LossOf(MeanSquaredError).name, "loss");
}

// A head that only training needs has parameters in predictions, too.
TEST_P(FitOn, AModelMayHaveAPartForTrainingOnly) {
  const TrainTest data = Data();
  Training training = Small();
  training.epochs = 1;
  training.model = [](Scope& s, Value x) {
    const Value y = Network(s, x);
    return s.mode() == Mode::kTrain ? y + Dense(s, "aux", x, 3) : y;
  };
  const absl::StatusOr<Fitted> fitted = Fit(engine(), training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_TRUE(fitted->parameters.contains("aux/kernel"));
  const absl::StatusOr<Array> outputs =
      Predict(engine(), training, fitted->parameters, data.test.inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
}

// Wrong use: each a Status of one sentence.
TEST(Fit, RefusesWrongUse) {
  const TrainTest data = Data();
  const auto message = [&](const Training& training) {
    return std::string(Fit(Interpret, training, data.train, data.test).status().message());
  };
  Training training = Small();
  training.batch = 0;
  EXPECT_THAT(message(training), HasSubstr("batch is 0; it must be at least 1"));
  training = Small();
  training.epochs = -1;
  EXPECT_THAT(message(training), HasSubstr("epochs is -1; it must be at least 1"));
  training = Small();
  training.adjust = {ReduceLROnPlateau({.factor = 1.0})};
  EXPECT_THAT(message(training), HasSubstr("factor is 1"));
  training.adjust = {ReduceLROnPlateau({.monitor = "val_los"})};
  EXPECT_THAT(message(training), HasSubstr("val_los"));
  training = Small();
  training.loss = "mean_square";
  EXPECT_THAT(message(training), HasSubstr("mean_square"));
  training.loss = "";
  EXPECT_THAT(message(training), HasSubstr("there is no loss"));
  training = Small();
  training.model = [](Scope& s, Value x) {
    s.AddLoss(x);
    return Network(s, x);
  };
  EXPECT_THAT(message(training), AllOf(HasSubstr("add_loss: float32[rows,2]: a loss must be"),
                                       HasSubstr("tests/train/fit_test.cc")));
  training.model = [](Scope& s, Value x) { return Network(s, x) * Sum(s.Get("hidden")); };
  EXPECT_THAT(message(training), HasSubstr("no parameter 'hidden' was declared before"));
  training = Small();
  training.model = nullptr;
  EXPECT_THAT(message(training), HasSubstr("no model"));
  training = Small();
  training.model = [](Scope& s, Value x) { return Dense(s, "output", x, 4); };
  EXPECT_THAT(message(training), HasSubstr("[rows,4]"));
  EXPECT_THAT(message(training), HasSubstr("[rows,3]"));
  // The line of an error of a loss that has only a name is that where it was named.
  EXPECT_THAT(message(training), HasSubstr("tests/train/fit_test.cc"));
  EXPECT_FALSE(Fit(Interpret, Small(), Dataset()).ok());
  for (const double rate : {-0.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    training = Small();
    training.rate = rate;
    EXPECT_THAT(message(training), AllOf(HasSubstr("the rate is "), HasSubstr("at least 0")));
  }
  for (const char* name : {"loss", "samples", "epoch", "lr", "val_loss"}) {
    training = Small();
    training.metrics = {Metric{name, Accuracy1}};
    EXPECT_THAT(message(training), HasSubstr("a metric can not be named '" + std::string(name)));
  }
  training = Small();
  training.loss = Loss{"mine", [](Value y, Value p) { return Mean(Square(y - p)); }};
  EXPECT_THAT(message(training), AllOf(HasSubstr("loss 'mine' is float32[]"), HasSubstr("[rows]")));
  training = Small();
  training.metrics = {Metric{"mine", [](Value y, Value p) { return Mean(Square(y - p), 0); }}};
  EXPECT_THAT(message(training), HasSubstr("metric 'mine' is float32[3]"));
  training = Small();
  training.adjust = {
      {.name = "early", .begin = [](AdjustScope& s) { s.Stop(Greater(s.epoch(), 2)); }}};
  EXPECT_THAT(message(training), HasSubstr("early: it stops before an epoch"));
  training.adjust = {{.name = "none", .end = [](AdjustScope& s) { s.Stop(Value()); }}};
  EXPECT_THAT(message(training), HasSubstr("none: it stops on a value of no tape"));
  training.adjust = {
      {.name = "far", .end = [](AdjustScope& s) { s.SetSnapshot(9, s.Snapshot(8)); }}};
  EXPECT_THAT(message(training), HasSubstr("far: there is no parameter 8; there are 4"));
  Dataset halves = data.test;
  halves.inputs = *Array::Zeros(kFloat64, {0, 2});
  EXPECT_THAT(std::string(Fit(Interpret, Small(), data.train, halves).status().message()),
              HasSubstr("validation data"));
  EXPECT_THAT(
      std::string(Fit(Interpret, Small(), data.train, {}, {.threads = -2}).status().message()),
      HasSubstr("threads is -2"));
}

// What a user forgot to fill.
TEST(Fit, RefusesEmptyFunctions) {
  const TrainTest data = Data();
  const auto message = [&](const Training& training, const Engine& engine = Interpret) {
    return std::string(Fit(engine, training, data.train, data.test).status().message());
  };
  EXPECT_THAT(message(Small(), Engine()), HasSubstr("the engine is empty"));
  Training training = Small();
  training.metrics = {Metric{"mine", nullptr}};
  EXPECT_THAT(message(training), HasSubstr("metric 'mine' is empty"));
  training = Small();
  training.rule = WithL2(Rule("mine", UpdateFunction()), 0.1);
  EXPECT_THAT(message(training), HasSubstr("the rule is empty"));
  training = Small();
  training.rate = Schedule(Schedule::Function());
  EXPECT_THAT(message(training), HasSubstr("its function is empty"));
  training = Small();
  training.adjust = {LearningRateScheduler(RateFunction())};
  EXPECT_THAT(message(training), HasSubstr("LearningRateScheduler: the function is empty"));
  training = Small();
  training.model = [](Scope& s, Value x) {
    return Dense(s, "output", x, 3, Initializer{"mine", nullptr});
  };
  EXPECT_THAT(message(training), HasSubstr("has an empty initializer"));
}

// What a user's function forgot to return.
TEST(Fit, NamesTheFunctionThatReturnsNothing) {
  const TrainTest data = Data();
  const auto message = [&](const Training& training) {
    return std::string(Fit(Interpret, training, data.train, data.test).status().message());
  };
  const auto nothing = [](const Value&, const Value&) { return Value(); };
  Training training = Small();
  training.loss = Loss{"mine", nothing};
  EXPECT_THAT(message(training), HasSubstr("training: loss 'mine' returned a value of no tape"));
  training = Small();
  training.metrics = {Metric{"mine", nothing}};
  EXPECT_THAT(message(training), HasSubstr("training: metric 'mine' returned a value of no tape"));
  training = Small();
  training.rule = Rule("mine", [](RuleScope&, Value, Value, Value) { return Value(); });
  EXPECT_THAT(message(training), HasSubstr("mine: parameter hidden/kernel is float32[2,"));
  training = Small();
  training.adjust = {LearningRateScheduler([](Value, Value) { return Value(); })};
  EXPECT_THAT(message(training), HasSubstr("LearningRateScheduler: the rate is set to a value of"));
  training = Small();
  training.model = [](Scope& s, Value x) {
    const auto make = [](Tape&, Value, DType, Shape) { return Value(); };
    return Dense(s, "output", x, 3, Initializer{"mine", make});
  };
  EXPECT_THAT(message(training),
              HasSubstr("parameter 'output/kernel' float32[2,3]: the initializer 'mine' returned"));
}

// Not after the first epoch, when a checkpoint is to be written.
TEST(Fit, RefusesNamesThatNoFileCouldHave) {
  const TrainTest data = Data();
  const auto message = [&](const Training& training) {
    return std::string(Fit(Interpret, training, data.train, data.test).status().message());
  };
  Training training = Small();
  training.model = [](Scope& s, Value x) { return Dense(s, "a//b", x, 3); };
  EXPECT_THAT(message(training),
              HasSubstr("training: parameter 'a//b/kernel' can not be saved: tensor name"));
  training = Small();
  training.metrics = {Metric{"mine/", [](Value t, Value y) { return Mean(t - y, -1); }}};
  EXPECT_THAT(message(training), HasSubstr("column 'mine/' can not be saved"));
  training = Small();
  training.adjust = {{.name = "..", .end = [](AdjustScope& s) { s.Set("x", s.State("x") + 1); }}};
  EXPECT_THAT(message(training), HasSubstr("state 'adjust/../x' can not be saved"));
}

}  // namespace
}  // namespace talweg
