// The Talweg side of docs/from_keras.md, and that it does what the page says.

#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "talweg.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

// As a user's program has them at its top; inside of a TEST `Run` is GoogleTest's.
Model model = [](Scope& s, Value x) {
  Value h = Relu(Dense(s, "hidden", x, 50, HeUniform()));
  return Softmax(Dense(s, "output", h, 3));
};

struct LearningRateMonitor : Callback {
  std::vector<double> rates;
  void OnTrainBegin(const Run&) override { rates.clear(); }
  void OnEpochEnd(const Run& run) override { rates.push_back(run.rate()); }
};

LambdaCallback print_loss({.on_epoch_end = [](const Run& run) {
  std::cout << run.epoch() << ": " << run.history().last("loss") << "\n";
}});

TrainTest Data() {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 200, .cluster_std = 2, .seed = 2});
  return *Split(*OneHotTargets(*blobs, 3), 100);
}

absl::StatusOr<Fitted> FitFor(int64_t epochs, Training training) {
  const TrainTest data = Data();
  training.epochs = epochs;
  return Fit(training, data.train, data.test);
}

std::vector<double> Column(const absl::StatusOr<Fitted>& fitted, std::string_view name) {
  if (!fitted.ok()) {
    ADD_FAILURE() << fitted.status();
    return {};
  }
  return {fitted->history[name].begin(), fitted->history[name].end()};
}

TEST(FromKeras, CompileByNames) {
  Training training{
      .model = model, .loss = "categorical_crossentropy", .rule = "sgd", .metrics = {"accuracy"}};
  const absl::StatusOr<Fitted> fitted = FitFor(2, training);
  EXPECT_EQ(Column(fitted, "lr"), (std::vector<double>{0.01, 0.01}));
  EXPECT_EQ(Column(fitted, "val_accuracy").size(), 2u);
}

TEST(FromKeras, Optimizers) {
  const auto rates = [](Rule rule) {
    return Column(FitFor(1, {.model = model, .loss = "categorical_crossentropy", .rule = rule}),
                  "lr");
  };
  {
    Rule rule = Sgd({.momentum = 0.9, .nesterov = true, .decay = 1e-4});
    EXPECT_EQ(rates(rule), std::vector<double>{0.01});
  }
  {
    Rule rule = RmsProp();
    EXPECT_EQ(rates(rule), std::vector<double>{0.001});
  }
  {
    Rule rule = Adagrad();
    EXPECT_EQ(rates(rule), std::vector<double>{0.01});
  }
  {
    Rule rule = Adam({.beta_1 = 0.9, .amsgrad = true, .clipnorm = 1.0});
    EXPECT_EQ(rates(rule), std::vector<double>{0.001});
  }
}

TEST(FromKeras, TheRateIsTheTrainings) {
  Training training{.model = model,
                    .loss = "categorical_crossentropy",
                    .rule = Sgd({.momentum = 0.9}),
                    .rate = 0.05};
  EXPECT_EQ(Column(FitFor(1, training), "lr"), std::vector<double>{0.05});
}

TEST(FromKeras, LearningRateScheduler) {
  Training training{.model = model, .loss = "categorical_crossentropy"};
  training.adjust = {LearningRateScheduler(
      [](Value epoch, Value rate) { return Select(Less(epoch, 2), rate, rate * 0.5); })};
  EXPECT_EQ(Column(FitFor(4, training), "lr"), (std::vector<double>{0.01, 0.01, 0.005, 0.0025}));
}

TEST(FromKeras, Schedules) {
  Training training{.model = model, .loss = "categorical_crossentropy"};
  training.rate = StepDecay({.initial = 0.1, .drop = 0.5, .every = 2});
  EXPECT_EQ(Column(FitFor(4, training), "lr"), (std::vector<double>{0.1, 0.1, 0.05, 0.05}));
}

TEST(FromKeras, AdjustmentsAreInTheTraining) {
  Training training{.model = model, .loss = "categorical_crossentropy"};
  training.adjust = {ReduceLROnPlateau({.monitor = "val_loss", .factor = 0.1, .patience = 100}),
                     EarlyStopping({.patience = 5, .restore_best_weights = true}),
                     TerminateOnNaN()};
  EXPECT_EQ(Column(FitFor(2, training), "lr"), (std::vector<double>{0.01, 0.01}));
}

TEST(FromKeras, FitAndWhatItLeaves) {
  const TrainTest data = Data();
  const Dataset &train = data.train, &test = data.test;
  Training training{.model = model, .loss = "categorical_crossentropy", .metrics = {"accuracy"}};
  const std::string folder = testing::TempDir();
  testing::internal::CaptureStdout();

  training.batch = 32;
  training.epochs = 3;
  LearningRateMonitor monitor;
  absl::StatusOr<Fitted> fitted =
      Fit(training, train, test, {.callbacks = {&monitor, &print_loss}, .verbose = 2});
  if (!fitted.ok()) std::cerr << fitted.status().message() << "\n";

  const std::string shown = testing::internal::GetCapturedStdout();
  ASSERT_TRUE(fitted.ok());
  EXPECT_THAT(shown, HasSubstr("Train on 100 samples, validate on 100 samples\nEpoch 1/3\n - 0s"));
  EXPECT_THAT(shown, HasSubstr("\n2: "));
  EXPECT_EQ(monitor.rates, (std::vector<double>{0.01, 0.01, 0.01}));

  absl::Span<const double> losses = fitted->history["val_loss"];
  absl::Status written = fitted->history.WriteCsv(folder + "/history.csv");
  EXPECT_EQ(losses.size(), 3u);
  EXPECT_TRUE(written.ok()) << written;

  absl::StatusOr<Scores> scores = Evaluate(training, fitted->parameters, test);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(scores->at("accuracy"), fitted->history.last("val_accuracy"));

  absl::StatusOr<Array> probabilities = Predict(training, fitted->parameters, test.inputs);
  ASSERT_TRUE(probabilities.ok()) << probabilities.status();
  EXPECT_EQ(probabilities->dims(), (Dims{100, 3}));

  absl::StatusOr<Predictor> predictor =
      Predictor::Make(DefaultEngine(), training, fitted->parameters, {kFloat32, {2}});
  absl::StatusOr<Array> once_more = predictor->Run(test.inputs);
  EXPECT_TRUE(once_more.ok() && SameBits(*once_more, *probabilities)) << once_more.status();

  const std::string path = folder + "/model.safetensors";
  absl::Status saved = SaveArrays(path, fitted->parameters);
  absl::StatusOr<SavedArrays> loaded = LoadArrays(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  absl::StatusOr<Scores> again = Evaluate(training, loaded->arrays, test);
  EXPECT_TRUE(saved.ok()) << saved;
  EXPECT_EQ(*again, *scores);

  const std::string state_path = folder + "/state.safetensors";
  for (const int64_t epochs : {2, 4}) {
    training.epochs = epochs;
    const auto attempt = [&]() -> absl::StatusOr<Fitted> {
      ModelCheckpoint save(state_path, {.save_weights_only = false});
      FitOptions options{.callbacks = {&save}};
      if (auto saved_state = LoadArrays(state_path); saved_state.ok()) {
        options.state = saved_state->arrays;
      } else if (!absl::IsNotFound(saved_state.status())) {
        return saved_state.status();  // to begin anew would overwrite it
      }
      absl::StatusOr<Fitted> whole = Fit(training, train, test, options);
      return whole;
    };
    const absl::StatusOr<Fitted> whole = attempt();
    ASSERT_TRUE(whole.ok()) << whole.status();
    EXPECT_EQ(whole->history.epochs(), static_cast<size_t>(epochs));
  }

  absl::StatusOr<std::string> summary = Summary(training, train);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_THAT(*summary, HasSubstr("total"));
}

TEST(FromKeras, LossesOfOnesOwn) {
  const TrainTest data = Data();
  Model penalized = [](Scope& s, Value x) {
    Value y = Dense(s, "output", x, 3);
    s.AddLoss(1e-4 * Sum(Square(s.Get("output/kernel"))));
    return y;
  };
  Training training{.model = penalized};
  training.loss = [](Value t, Value y) { return Mean(Abs(t - y), -1); };
  const absl::StatusOr<Fitted> fitted = Fit(training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_GT(fitted->history.last("val_loss"), 0);
}

TEST(FromKeras, CallbacksThatWatch) {
  const std::string folder = testing::TempDir();
  const TrainTest data = Data();
  Training training{.model = model, .loss = "categorical_crossentropy"};
  CsvLogger log(folder + "/log.csv");
  ModelCheckpoint best(folder + "/{epoch:02d}-{val_loss:.2f}.safetensors",
                       {.monitor = "val_loss", .save_best_only = true});
  const absl::StatusOr<Fitted> fitted =
      Fit(training, data.train, data.test, {.callbacks = {&log, &best}});
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_TRUE(ReadFile(folder + "/log.csv").ok());
}

TEST(FromKeras, ManyFits) {
  const TrainTest data = Data();
  const Dataset &train = data.train, &test = data.test;
  const Training training{.model = model,
                          .loss = "categorical_crossentropy",
                          .rate = 0.01,
                          .metrics = {"accuracy"},
                          .epochs = 5};
  absl::StatusOr<SweepResult> sweep =
      Sweep(training, {{"rate", {1e-1, 1e-2}}, Seeds(3)}, train, test, {.threads = 2});
  absl::StatusOr<size_t> best = sweep->best("val_accuracy");
  ASSERT_TRUE(best.ok()) << best.status();
  EXPECT_EQ(sweep->runs.size(), 6u);
}

TEST(FromKeras, TheSameShufflesAsKeras) {
  Training training{.model = model, .loss = "categorical_crossentropy"};
  training.seed = 1;
  training.shuffle = Shuffle::kNumPy;
  training.dtype = kFloat64;
  EXPECT_TRUE(FitFor(1, training).ok());
}

}  // namespace
}  // namespace talweg
