// The Talweg side of docs/from_keras.md, and that it does what the page says.

#include <algorithm>
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

TEST(FromKeras, ClassesNeedNoOneHotForm) {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 200, .cluster_std = 2, .seed = 2});
  const absl::StatusOr<TrainTest> data = Split(*blobs, 100);
  ASSERT_TRUE(data.ok()) << data.status();
  Training training{
      .model = model, .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}};
  const absl::StatusOr<Fitted> fitted = Fit(training, data->train, data->test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();

  // The same losses as with one-hot targets, but for rounding, and as of the logits.
  const std::vector<double> one_hot =
      Column(FitFor(1, {.model = model, .loss = "categorical_crossentropy"}), "val_loss");
  ASSERT_EQ(one_hot.size(), 1u);
  EXPECT_NEAR(fitted->history.last("val_loss"), one_hot[0], 1e-5);
  training.model = [](Scope& s, Value x) {
    return Dense(s, "output", Relu(Dense(s, "hidden", x, 50, HeUniform())), 3);
  };
  training.loss = SparseSoftmaxCrossEntropy;
  const absl::StatusOr<Fitted> logits = Fit(training, data->train, data->test);
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_EQ(Column(logits, "val_loss"), Column(fitted, "val_loss"));
}

TEST(FromKeras, YesOrNoIsATargetOfACsvFile) {
  const std::string path = testing::TempDir() + "/patients.csv";
  ASSERT_TRUE(WriteFile(path, "age,weight,ill\n0.3,0.7,1\n0.5,0.6,0\n0.8,0.9,1\n").ok());
  absl::StatusOr<Dataset> patients = ReadDataset(path, {.targets = {"ill"}});
  Training training{.model = [](Scope& s, Value x) { return Sigmoid(Dense(s, "output", x, 1)); },
                    .loss = "binary_crossentropy",
                    .metrics = {"accuracy"}};
  ASSERT_TRUE(patients.ok()) << patients.status();
  EXPECT_EQ(patients->inputs.dims(), (Dims{3, 2}));
  EXPECT_EQ(patients->targets.dims(), (Dims{3, 1}));
  EXPECT_EQ(patients->targets.dtype(), kFloat64);
  // Weights of 0 say 0.5 of all: the loss is log 2, and 0.5 is rounded to 0.
  const absl::StatusOr<Array> kernel = Array::Zeros(kFloat32, {2, 1});
  const absl::StatusOr<Array> bias = Array::Zeros(kFloat32, {1});
  const absl::StatusOr<Scores> scores =
      Evaluate(training, {{"output/kernel", *kernel}, {"output/bias", *bias}}, *patients);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_NEAR(scores->at("loss"), std::log(2), 1e-6);
  EXPECT_NEAR(scores->at("accuracy"), 1.0 / 3, 1e-6);
  EXPECT_TRUE(Fit(training, *patients).ok());
}

// x [rows, height, width, channels] -> [rows, height - size + 1, width - size + 1, filters]
Value Convolution(Scope& scope, std::string_view name, Value x, int64_t filters, int64_t size) {
  const size_t before = scope.parameter_count();
  Scope own = scope.Sub(name);
  Value kernel = own.Parameter("kernel", {size, size, x.dim(-1), filters}, GlorotUniform());
  Value bias = own.Parameter("bias", {filters}, Zeros());
  // [rows, height - size + 1, size, width - size + 1, size, channels]
  Value windows = Window(Window(x, 2, size), 1, size);
  Value y = Contract(windows, kernel, {.lhs_sum = {2, 4, 5}, .rhs_sum = {0, 1, 2}}) + bias;
  scope.NoteLayer(name, "Convolution", y, before);
  return y;
}

// Small integers, of which sums are exact in any order.
Array Integers(const Dims& dims, int factor, int modulus) {
  std::vector<float> elements;
  for (int i = 0; i < SizeOf(dims); i++) {
    elements.push_back(static_cast<float>(i * factor % modulus - modulus / 2));
  }
  return *Array::From<float>(dims, elements);
}

double Element(const Array& array, const Dims& index) {
  int64_t flat = 0;
  for (size_t axis = 0; axis < index.size(); axis++) {
    flat = flat * array.dims()[axis] + index[axis];
  }
  return array.At(flat);
}

TEST(FromKeras, AConvolutionIsWindowsAndAContraction) {
  const Array x = Integers({2, 6, 8, 2}, 7, 11), kernel = Integers({3, 3, 2, 3}, 5, 7);
  const Array bias = Integers({3}, 1, 3);
  const NamedArrays parameters = {{"convolution/kernel", kernel}, {"convolution/bias", bias}};
  const Model convolved = [](Scope& s, Value v) { return Convolution(s, "convolution", v, 3, 3); };
  const Model pooled = [](Scope& s, Value v) {
    Value h = Convolution(s, "convolution", v, 3, 3);
    return ReduceMax(Window(Window(h, 2, 2, 2), 1, 2, 2), {2, 4});
  };
  const absl::StatusOr<Array> y = Predict({.model = convolved}, parameters, x);
  ASSERT_TRUE(y.ok()) << y.status();
  ASSERT_EQ(y->dims(), (Dims{2, 4, 6, 3}));
  for (int64_t n = 0; n < 2; n++) {
    for (int64_t i = 0; i < 4; i++) {
      for (int64_t j = 0; j < 6; j++) {
        for (int64_t f = 0; f < 3; f++) {
          double sum = Element(bias, {f});
          for (int64_t a = 0; a < 3; a++) {
            for (int64_t b = 0; b < 3; b++) {
              for (int64_t c = 0; c < 2; c++) {
                sum += Element(x, {n, i + a, j + b, c}) * Element(kernel, {a, b, c, f});
              }
            }
          }
          EXPECT_EQ(Element(*y, {n, i, j, f}), sum) << n << " " << i << " " << j << " " << f;
        }
      }
    }
  }

  const absl::StatusOr<Array> p = Predict({.model = pooled}, parameters, x);
  ASSERT_TRUE(p.ok()) << p.status();
  ASSERT_EQ(p->dims(), (Dims{2, 2, 3, 3}));
  for (int64_t n = 0; n < 2; n++) {
    for (int64_t i = 0; i < 2; i++) {
      for (int64_t j = 0; j < 3; j++) {
        for (int64_t f = 0; f < 3; f++) {
          double most = Element(*y, {n, 2 * i, 2 * j, f});
          for (int64_t a = 0; a < 2; a++) {
            for (int64_t b = 0; b < 2; b++) {
              most = std::max(most, Element(*y, {n, 2 * i + a, 2 * j + b, f}));
            }
          }
          EXPECT_EQ(Element(*p, {n, i, j, f}), most) << n << " " << i << " " << j << " " << f;
        }
      }
    }
  }
}

TEST(FromKeras, ANetworkOfPictures) {
  Model pictures = [](Scope& s, Value x) {
    Value h = Relu(Convolution(s, "convolution", x, 8, 3));
    Value pooled = ReduceMax(Window(Window(h, 2, 2, 2), 1, 2, 2), {2, 4});
    return Softmax(Dense(s, "output", Reshape(pooled, {kRows, -1}), 10));
  };
  const Dataset digits = {Integers({4, 8, 8, 1}, 7, 11), Array::Vector<int32_t>({3, 1, 4, 1})};
  const Training training{.model = pictures, .loss = "sparse_categorical_crossentropy"};
  const absl::StatusOr<Fitted> fitted = Fit(training, digits);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->parameters.at("output/kernel").dims(), (Dims{3 * 3 * 8, 10}));
  const absl::StatusOr<std::string> summary = Summary(training, digits);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_THAT(*summary, HasSubstr("Convolution  [rows,6,6,8]"));

  // Keras's 'same' padding.
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 8, 8, 1});
  const Value padded = Pad(x, {{0, 0}, {1, 1}, {1, 1}, {0, 0}});
  EXPECT_EQ(Window(Window(padded, 2, 3), 1, 3).shape(), (Shape{kRows, 8, 3, 8, 3, 1}));
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
      MakePredictor(training, fitted->parameters, {kFloat32, {2}});
  absl::StatusOr<Array> once_more = predictor->Run(test.inputs);
  EXPECT_TRUE(once_more.ok() && SameBits(*once_more, *probabilities)) << once_more.status();

  const std::string path = folder + "/model.safetensors";
  absl::Status saved = SaveArrays(path, fitted->parameters);
  absl::StatusOr<SavedArrays> loaded = LoadArrays(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  absl::StatusOr<Scores> again = Evaluate(training, loaded->arrays, test);
  EXPECT_TRUE(saved.ok()) << saved;
  EXPECT_EQ(*again, *scores);
  {
    Training trained{.model = model};
    absl::StatusOr<Array> outputs = Predict(trained, loaded->arrays, test.inputs);
    EXPECT_TRUE(outputs.ok() && SameBits(*outputs, *probabilities)) << outputs.status();
  }

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

    absl::StatusOr<SavedArrays> state = LoadArrays(state_path);
    absl::StatusOr<Array> outputs = Predict(training, ParametersOf(state->arrays), test.inputs);
    const absl::StatusOr<Array> direct = Predict(training, whole->parameters, test.inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_TRUE(direct.ok()) << direct.status();
    EXPECT_TRUE(SameBits(*outputs, *direct));
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

TEST(FromKeras, MetricsOfOnesOwn) {
  Training training{.model = model, .loss = "categorical_crossentropy"};
  Metric top2{"top2", [](Value t, Value y) { return TopKCategoricalAccuracy(t, y, 2); }};
  training.metrics = {"accuracy", top2};
  const absl::StatusOr<Fitted> fitted = FitFor(1, training);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_GT(fitted->history.last("val_top2"), fitted->history.last("val_accuracy"));
  EXPECT_LE(fitted->history.last("val_top2"), 1);
}

TEST(FromKeras, AccuracyOfLogits) {
  Training training{.model = [](Scope& s, Value x) { return Dense(s, "output", x, 1); }};
  training.loss = [](Value t, Value z) { return BinaryCrossEntropyFromLogits(t, z); };
  const Dataset data = {Array::Matrix<double>({{0.3}, {-0.3}}), Array::Matrix<double>({{1}, {0}})};
  const NamedArrays parameters = {{"output/kernel", Array::Matrix<float>({{1}})},
                                  {"output/bias", Array::Vector<float>({0})}};
  // As a probability, 0.3 says no.
  training.metrics = {"accuracy"};
  const absl::StatusOr<Scores> as_probabilities = Evaluate(training, parameters, data);
  ASSERT_TRUE(as_probabilities.ok()) << as_probabilities.status();
  EXPECT_EQ(as_probabilities->at("accuracy"), 0.5);

  Metric accuracy{"accuracy", [](Value t, Value z) { return BinaryAccuracy(t, z, 0); }};
  training.metrics = {accuracy};
  const absl::StatusOr<Scores> as_logits = Evaluate(training, parameters, data);
  ASSERT_TRUE(as_logits.ok()) << as_logits.status();
  EXPECT_EQ(as_logits->at("accuracy"), 1);
}

TEST(FromKeras, FineTuning) {
  const TrainTest split = Data();
  const Dataset &train = split.train, &test = split.test;
  Training training{.model = model, .loss = "categorical_crossentropy"};
  const absl::StatusOr<Fitted> first = Fit(training, train);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::StatusOr<SavedArrays> loaded = ParseArrays(*FormatArrays(first->parameters));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  // Whether a training with these parameters leaves the hidden ones as they were; the others move.
  const auto keeps_hidden = [&](const Model& its_model, const Rule& rule) {
    training.model = its_model;
    training.rule = rule;
    absl::StatusOr<NamedArrays> start = InitialParameters(training, train);
    for (const auto& [name, array] : loaded->arrays) {
      if (name.starts_with("hidden/")) (*start)[name] = array;
    }
    absl::StatusOr<Fitted> tuned = Fit(training, train, test, {.parameters = *start});
    EXPECT_TRUE(tuned.ok()) << tuned.status();
    if (!tuned.ok()) return false;
    const std::string output = "output/kernel", hidden = "hidden/kernel";
    EXPECT_FALSE(SameBits(tuned->parameters.at(output), start->at(output)));
    return SameBits(tuned->parameters.at(hidden), loaded->arrays.at(hidden));
  };
  Model fixed = [](Scope& s, Value x) {
    Value kernel = s.Parameter("hidden/kernel", {x.dim(-1), 50}, HeUniform(), false);
    Value bias = s.Parameter("hidden/bias", {50}, Zeros(), false);
    return Softmax(Dense(s, "output", Relu(MatMul(x, kernel) + bias), 3));
  };
  Model detached = [](Scope& s, Value x) {
    Value h = Detach(Relu(Dense(s, "hidden", x, 50, HeUniform())));
    return Softmax(Dense(s, "output", h, 3));
  };
  EXPECT_FALSE(keeps_hidden(model, Sgd()));
  EXPECT_TRUE(keeps_hidden(fixed, AdamW()));
  EXPECT_TRUE(keeps_hidden(fixed, WithL2(Sgd(), 0.1)));
  EXPECT_TRUE(keeps_hidden(detached, Adam()));
  EXPECT_FALSE(keeps_hidden(detached, AdamW()));
  EXPECT_FALSE(keeps_hidden(detached, WithL2(Sgd(), 0.1)));
  const auto is_output = [](std::string_view name) { return name.starts_with("output/"); };
  EXPECT_TRUE(keeps_hidden(detached, AdamW({.decays = is_output})));
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

TEST(FromKeras, MixingBeforeASplit) {
  const Dataset data = {Array::Matrix<double>({{0}, {1}, {2}, {3}}),
                        Array::Vector<int32_t>({0, 1, 2, 3})};
  absl::StatusOr<Dataset> mixed = Take(data, NumPyRandom(0).Permutation(data.size()));
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  // np.random.RandomState(0).permutation(4)
  EXPECT_THAT(mixed->targets.data<int32_t>(), ::testing::ElementsAre(2, 3, 1, 0));
  EXPECT_EQ(mixed->inputs.ToVector<int32_t>(), mixed->targets.ToVector<int32_t>());
}

TEST(FromKeras, TheSameShufflesAsKeras) {
  Training training{.model = model, .loss = "categorical_crossentropy"};
  training.seed = 1;
  training.shuffle = Shuffle::kNumPy;
  training.dtype = kFloat64;
  const std::vector<double> losses = Column(FitFor(1, training), "val_loss");
  // The first epoch's order is what NumPy's first permutation of this seed puts the samples in.
  const TrainTest data = Data();
  const absl::StatusOr<Dataset> mixed =
      Take(data.train, NumPyRandom(1).Permutation(data.train.size()));
  ASSERT_TRUE(mixed.ok()) << mixed.status();
  training.shuffle = Shuffle::kNone;
  EXPECT_EQ(losses, Column(Fit(training, *mixed, data.test), "val_loss"));
  EXPECT_NE(losses, Column(FitFor(1, training), "val_loss"));
}

}  // namespace
}  // namespace talweg
