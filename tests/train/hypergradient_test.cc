#include "train/hypergradient.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/dataset.h"
#include "examples/tutorial/problem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "optim/adjustments.h"
#include "tests/base/allocation.h"
#include "tests/graphs/engines.h"
#include "train/fit.h"
#include "train/layers.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

using Activation = Value (*)(Arg);

// 2 -> hidden -> 3, as in the tutorial.
Model Network(int64_t hidden, Activation activation) {
  return [=](Scope& s, Value x) {
    return Dense(s, "output", activation(Dense(s, "hidden", x, hidden, HeUniform())), 3);
  };
}

// From .01 to .1 and back, a few times.
std::vector<double> Waves(int64_t epochs) {
  std::vector<double> rates;
  for (int64_t i = 0; i < epochs; i++) {
    rates.push_back(0.055 + 0.045 * std::sin(0.17 * static_cast<double>(i)));
  }
  return rates;
}

Training TrainingOf(int64_t hidden, int64_t epochs, Activation activation = Tanh) {
  return {.model = Network(hidden, activation),
          .loss = SoftmaxCrossEntropy,
          .rule = Sgd({.momentum = 0.5}),
          .rate = RateTable({.rates = Waves(epochs)}),
          .epochs = epochs,
          .seed = 3,
          .dtype = kFloat64};
}

TrainTest Few(int64_t train, int64_t test) {
  const TrainTest all = tutorial::Samples().value();
  return {Split(all.train, train)->train, Split(all.test, test)->train};
}

// The loss after an ordinary fit with another value of what `name` says.
double LossAfterFit(const Engine& engine, Training training, const TrainTest& data,
                    const std::string& name, const Array& value, FitOptions options = {}) {
  if (name == "schedule/rates") {
    training.rate =
        RateTable({.rates = {value.data<double>().begin(), value.data<double>().end()}});
  } else if (name == "rate") {
    training.rate = value.At(0);
  } else if (name == "rule/momentum") {
    training.rule = Sgd({.momentum = value.At(0)});
  } else {
    options.parameters.at(name.substr(10)) = value;
  }
  const absl::StatusOr<Fitted> fitted = Fit(engine, training, data.train, {}, options);
  EXPECT_TRUE(fitted.ok()) << fitted.status();
  if (!fitted.ok()) return std::nan("");
  return Evaluate(engine, training, fitted->parameters, data.test)->at("loss");
}

// The worst |gradient - central difference|, as a share of the largest gradient, over every
// `stride`-th element.
double WorstDifference(const Engine& engine, const Training& training, const TrainTest& data,
                       const std::string& name, const Array& value, const Array& gradient,
                       double step, int64_t stride = 1, const FitOptions& options = {}) {
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < gradient.size(); i++) {
    EXPECT_TRUE(std::isfinite(gradient.At(i))) << name << " " << i;
    largest = std::max(largest, std::fabs(gradient.At(i)));
  }
  for (int64_t i = 0; i < gradient.size(); i += stride) {
    const auto at = [&](double by) {
      Array moved = value;
      moved.mutable_data<double>()[static_cast<size_t>(i)] += by;
      return LossAfterFit(engine, training, data, name, moved, options);
    };
    const double difference = (at(step) - at(-step)) / (2 * step);
    worst = std::max(worst, std::fabs(difference - gradient.At(i)));
  }
  std::cout << name << ": largest " << largest << ", worst error " << worst / largest << " of it"
            << std::endl;
  EXPECT_GT(largest, 0) << name;
  return worst / largest;
}

void ExpectSameResult(const Hypergradient::Result& a, const Hypergradient::Result& b) {
  EXPECT_EQ(a.loss, b.loss);
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (const auto& [name, array] : a.gradients) {
    EXPECT_TRUE(SameBits(array, b.gradients.at(name))) << name;
  }
  for (const auto& [name, array] : a.parameters) {
    EXPECT_TRUE(SameBits(array, b.parameters.at(name))) << name;
  }
}

// All of the tutorial's training: 3,200 updates, and the loss by the rate of each of 200 epochs.
TEST(Hypergradient, OfTheWholeTutorialIsWhatDifferencesSay) {
  const TrainTest data = tutorial::Samples().value();
  const Training training = TrainingOf(50, 200);
  const Engine jit = JitEngine();
  const auto h = Hypergradient::Make(jit, training, data.train, data.test,
                                     {"schedule/rates", "rule/momentum"});
  ASSERT_TRUE(h.ok()) << h.status();
  const auto at = h->Run();
  ASSERT_TRUE(at.ok()) << at.status();
  std::cout << h->bytes() << " bytes, loss " << at->loss << std::endl;
  EXPECT_LE(h->bytes(), int64_t{1} << 22);
  for (const auto& [name, step] :
       {std::pair<std::string, double>{"schedule/rates", 3e-6}, {"rule/momentum", 1e-6}}) {
    EXPECT_LE(WorstDifference(jit, training, data, name, h->values().at(name),
                              at->gradients.at(name), step),
              1e-5);
  }
  const auto interpreted = Hypergradient::Make(Interpret, training, data.train, data.test,
                                               {"schedule/rates", "rule/momentum"});
  ASSERT_TRUE(interpreted.ok()) << interpreted.status();
  ExpectSameResult(*interpreted->Run(), *at);
}

// A training of a few relu units of which one is dead from the first update on (all its weights are
// zero, and its bias far below), by Adam, which divides by the square root of its zero gradients.
struct WithADeadUnit {
  TrainTest data = Few(50, 30);
  Training training = TrainingOf(5, 6, Relu);
  NamedArrays parameters;

  WithADeadUnit() {
    training.rule = Adam();
    training.batch = 16;
    parameters = InitialParameters(Interpret, training, data.train).value();
    const absl::Span<double> kernel = parameters.at("hidden/kernel").mutable_data<double>();
    kernel[1] = kernel[5 + 1] = 0;
    parameters.at("hidden/bias").mutable_data<double>()[1] = -10;
  }
};

TEST(Hypergradient, OfADeadUnitIsFiniteOnAllEngines) {
  const WithADeadUnit dead;
  const std::vector<std::string> by = {"schedule/rates",        "rule/beta_1",
                                       "rule/epsilon",          "parameter/hidden/kernel",
                                       "parameter/hidden/bias", "parameter/output/kernel"};
  const auto h = Hypergradient::Make(EveryEngine, dead.training, dead.data.train, dead.data.test,
                                     by, {.parameters = dead.parameters});
  ASSERT_TRUE(h.ok()) << h.status();
  const auto at = h->Run();
  ASSERT_TRUE(at.ok()) << at.status();
  for (const auto& [name, array] : at->gradients) {
    for (int64_t i = 0; i < array.size(); i++) EXPECT_TRUE(std::isfinite(array.At(i))) << name;
  }
  // The loss does not know of the unit.
  EXPECT_EQ(at->gradients.at("parameter/hidden/kernel").At(1), 0);
  EXPECT_EQ(at->gradients.at("parameter/hidden/bias").At(1), 0);
  EXPECT_EQ(at->parameters.at("hidden/bias").At(1), -10);
  const FitOptions options{.parameters = dead.parameters};
  for (const std::string name :
       {"schedule/rates", "parameter/hidden/kernel", "parameter/output/kernel"}) {
    EXPECT_LE(WorstDifference(Interpret, dead.training, dead.data, name, h->values().at(name),
                              at->gradients.at(name), 1e-6, 1, options),
              1e-5);
  }
}

TEST(Hypergradient, OfZeroWeightsAndClippedGradientsIsFinite) {
  const TrainTest data = Few(40, 20);
  Training training = TrainingOf(4, 3, Relu);
  for (const Rule& rule : {Sgd({.clipnorm = 0.5}), RmsProp(), Adagrad(), Adam({.amsgrad = true})}) {
    training.rule = rule;
    NamedArrays zeros = InitialParameters(Interpret, training, data.train).value();
    for (auto& [name, array] : zeros) {
      for (double& x : array.mutable_data<double>()) x = 0;
    }
    const auto h =
        Hypergradient::Make(EveryEngine, training, data.train, data.test,
                            {"schedule/rates", "parameter/output/bias"}, {.parameters = zeros});
    ASSERT_TRUE(h.ok()) << h.status();
    const auto at = h->Run();
    ASSERT_TRUE(at.ok()) << at.status();
    for (const auto& [name, array] : at->gradients) {
      for (int64_t i = 0; i < array.size(); i++) EXPECT_TRUE(std::isfinite(array.At(i))) << name;
    }
    EXPECT_NE(at->gradients.at("schedule/rates").At(1), 0);
  }
}

// As many trips as a batch has rows, or the data that are evaluated in the end.
TEST(Hypergradient, OfAModelWhoseTripsAreKnownOnlyWhenItRuns) {
  const TrainTest data = Few(13, 6);
  Training training = TrainingOf(4, 3);
  training.rate = 0.05;
  training.batch = 5;
  training.model = [](Scope& s, Value x) {
    const LoopOptions options{.trips = s.tape().Size(kRows), .carried = {Dense(s, "output", x, 3)}};
    return Loop(s.tape(), options,
                [](LoopBody& body) { return LoopStep{.carried = {Tanh(body.carried[0] * 1.1)}}; })
        .carried[0];
  };
  const auto h = Hypergradient::Make(EveryEngine, training, data.train, data.test, {"rate"});
  ASSERT_TRUE(h.ok()) << h.status();
  const auto at = h->Run();
  ASSERT_TRUE(at.ok()) << at.status();
  EXPECT_LT(WorstDifference(Interpret, training, data, "rate", Array(0.05),
                            at->gradients.at("rate"), 1e-6),
            1e-6);
}

// What it trains is what a fit trains, to the bit, in each order of samples and with adjustments
// that change the rate or end the training.
TEST(Hypergradient, IsOfTheVeryFit) {
  const TrainTest data = Few(70, 40);
  for (const Shuffle shuffle : {Shuffle::kSeed, Shuffle::kNumPy, Shuffle::kNone}) {
    for (const bool adjusts : {false, true}) {
      SCOPED_TRACE(absl::StrCat("shuffle ", static_cast<int>(shuffle), adjusts ? ", adjusts" : ""));
      Training training = TrainingOf(4, 12);
      training.rate = 0.4;
      training.shuffle = shuffle;
      training.metrics = {Accuracy};
      if (adjusts) {
        training.adjust = {ReduceLROnPlateau({.monitor = "val_accuracy", .patience = 1}),
                           EarlyStopping({.monitor = "val_loss", .min_delta = 0.01})};
      }
      const auto fitted = Fit(Interpret, training, data.train, data.test);
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      const auto h = Hypergradient::Make(EveryEngine, training, data.train, data.test,
                                         {"rate", "rule/momentum"});
      ASSERT_TRUE(h.ok()) << h.status();
      const auto at = h->Run();
      ASSERT_TRUE(at.ok()) << at.status();
      EXPECT_EQ(at->parameters.size(), 4u);
      for (const auto& [name, array] : fitted->parameters) {
        EXPECT_TRUE(SameBits(array, at->parameters.at(name))) << name;
      }
      EXPECT_NEAR(at->loss, fitted->history.last("val_loss"), 1e-13);
      EXPECT_EQ(fitted->end, adjusts ? TrainEnd::kAdjustment : TrainEnd::kEpochs);
      // Evaluating may end in another epoch than fitting where nothing is validated.
      if (adjusts) continue;
      for (const std::string name : {"rate", "rule/momentum"}) {
        EXPECT_LE(WorstDifference(Interpret, training, data, name, h->values().at(name),
                                  at->gradients.at(name), 3e-7),
                  1e-5);
      }
    }
  }
}

// A rate of 0 has a derivative, also where an adjustment keeps a factor on it.
TEST(Hypergradient, IsANumberWhereARateIsZero) {
  const TrainTest data = Few(40, 20);
  Training training = TrainingOf(4, 4);
  training.rate = RateTable({.rates = {0, 0.1, 0.05, 0}});
  training.adjust = {ReduceLROnPlateau({.monitor = "loss", .patience = 1, .min_delta = 1e6})};
  const auto h =
      Hypergradient::Make(EveryEngine, training, data.train, data.test, {"schedule/rates"});
  ASSERT_TRUE(h.ok()) << h.status();
  const auto at = h->Run();
  ASSERT_TRUE(at.ok()) << at.status();
  for (int64_t i = 0; i < 4; i++) EXPECT_TRUE(std::isfinite(at->gradients.begin()->second.At(i)));
}

TEST(Hypergradient, RunsWithOtherValues) {
  const TrainTest data = Few(40, 20);
  Training training = TrainingOf(4, 3);
  const auto h = Hypergradient::Make(EveryEngine, training, data.train, data.test,
                                     {"schedule/rates", "train/inputs"});
  ASSERT_TRUE(h.ok()) << h.status();
  EXPECT_EQ(h->values().at("rule/momentum").At(0), 0.5);
  // Rates, scale, momentum, decay, 4 parameters and their velocities, inputs, targets.
  EXPECT_EQ(h->values().size(), 14u);
  training.rate = RateTable({.rates = {0.3, 0.2, 0.1}});
  training.rule = Sgd({.momentum = 0.25});
  const auto other = Hypergradient::Make(EveryEngine, training, data.train, data.test,
                                         {"schedule/rates", "train/inputs"});
  ASSERT_TRUE(other.ok()) << other.status();
  ExpectSameResult(*h->Run({{"schedule/rates", Array::Vector<double>({0.3, 0.2, 0.1})},
                            {"rule/momentum", Array(0.25)}}),
                   *other->Run());
  const auto error = [&](const std::string& name, const Array& array) {
    return std::string(h->Run({{name, array}}).status().message());
  };
  EXPECT_EQ(error("schedule/rates", Array::Vector<double>({1, -2, 3})),
            "hyper-parameter schedule/rates[1] is -2; it must be finite and at least 0");
  EXPECT_THAT(error("rule/momentum", Array(-1.0)),
              HasSubstr("hyper-parameter rule/momentum is -1"));
  EXPECT_EQ(error("schedule/rates", Array(1.0)),
            "hypergradient: 'schedule/rates' is float64[3]; the one given is float64[]");
  EXPECT_EQ(error("rule/momentum", Array(1.0f)),
            "hypergradient: 'rule/momentum' is float64[]; the one given is float32[]");
  EXPECT_EQ(error("rate_scale", Array(-0.1)),
            "hypergradient: 'rate_scale' is -0.1; it must be finite and at least 0");
  EXPECT_EQ(error("momentum", Array(1.0)), "hypergradient: the training has no 'momentum' to set");
}

TEST(Hypergradient, RefusesWhatItCanNotDo) {
  const TrainTest data = Few(40, 20);
  const Training training = TrainingOf(4, 3);
  int compiled = 0;
  const Engine engine = [&](const Graph& graph) {
    // All but the graph of the initializers.
    compiled += graph.inputs().size() > 1;
    return Interpret(graph);
  };
  const auto error = [&](const Training& t, const TrainTest& d, const std::vector<std::string>& by,
                         const HypergradientOptions& options = {}) {
    return std::string(
        Hypergradient::Make(engine, t, d.train, d.test, by, options).status().message());
  };
  EXPECT_EQ(
      error(training, data, {"rates"}),
      "hypergradient: there is no float 'rates'; there are parameter/hidden/bias, "
      "parameter/hidden/kernel, parameter/output/bias, parameter/output/kernel, "
      "rate_scale, rule/decay, rule/hidden/bias/velocity, rule/hidden/kernel/velocity, "
      "rule/momentum, rule/output/bias/velocity, rule/output/kernel/velocity, schedule/rates, "
      "train/inputs, train/targets");
  EXPECT_THAT(error(training, data, {"epoch"}), HasSubstr("there is no float 'epoch'"));
  EXPECT_THAT(error(training, data, {}), HasSubstr("by nothing"));
  EXPECT_THAT(error(training, data, {"rule/decay", "rule/decay"}), HasSubstr("named twice"));
  EXPECT_THAT(error(training, {data.train, {}}, {"rule/decay"}), HasSubstr("validation data"));
  EXPECT_THAT(error(training, {{}, data.test}, {"rule/decay"}), HasSubstr("training data"));
  TrainTest other = data;
  other.test.inputs = *Array::Zeros(kFloat64, {20, 5});
  EXPECT_THAT(error(training, other, {"rule/decay"}),
              HasSubstr("a sample of the training data is float64[2] -> float64[3], of the "
                        "validation data float64[5] -> float64[3]"));
  Training wrong = training;
  wrong.model = nullptr;
  EXPECT_THAT(error(wrong, data, {"rule/decay"}), HasSubstr("there is no model"));
  wrong = training;
  wrong.model = [](Scope& s, Value x) { return MatMul(Dense(s, "d", x, 3), x); };
  EXPECT_THAT(error(wrong, data, {"rule/decay"}), HasSubstr("hypergradient_test.cc:"));

  // Only now would anything be compiled.
  const absl::StatusOr<Hypergradient> fits =
      Hypergradient::Make(Interpret, training, data.train, data.test, {"schedule/rates"});
  ASSERT_TRUE(fits.ok()) << fits.status();
  EXPECT_EQ(compiled, 0);
  const int64_t bytes = fits->bytes();
  EXPECT_EQ(error(training, data, {"schedule/rates"}, {.memory_limit = bytes - 1}),
            absl::StrCat("hypergradient: the backward pass of 3 epochs would keep ", bytes,
                         " bytes; memory_limit is ", bytes - 1));
  EXPECT_EQ(compiled, 0);
  EXPECT_EQ(error(training, data, {"schedule/rates"}, {.memory_limit = bytes}), "");
  EXPECT_EQ(compiled, 1);
  // A training that nobody could hold is refused as fast.
  wrong = training;
  for (const Shuffle shuffle : {Shuffle::kSeed, Shuffle::kNumPy}) {
    wrong.epochs = int64_t{1} << 58;
    wrong.shuffle = shuffle;
    EXPECT_THAT(error(wrong, data, {"schedule/rates"}), HasSubstr("memory_limit is 1073741824"));
  }
}

TEST(Hypergradient, EveryFailedAllocationIsAStatus) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const TrainTest data = Few(20, 10);
  Training training = TrainingOf(2, 2);
  training.shuffle = Shuffle::kNumPy;
  int64_t failures = 0;
  for (int64_t k = 1;; k++) {
    const FailingAllocation failing(k);
    absl::StatusOr<Hypergradient> h =
        Hypergradient::Make(Interpret, training, data.train, data.test, {"schedule/rates"});
    const absl::Status status = h.ok() ? h->Run().status() : h.status();
    if (!failing.Happened()) {
      EXPECT_TRUE(status.ok()) << status;
      break;
    }
    failures++;
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << k << ": " << status;
  }
  EXPECT_GE(failures, 50);
}

// 27 numbers and their velocities, 3 epochs and 2 updates an epoch: by hand, nothing is forgotten.
TEST(Hypergradient, CountsWhatIsKept) {
  const TrainTest data = Few(40, 20);
  const auto bytes = [&](int64_t epochs, int64_t batch) {
    Training training = TrainingOf(4, epochs);
    training.batch = batch;
    return Hypergradient::Make(Interpret, training, data.train, data.test, {"schedule/rates"})
        ->bytes();
  };
  const int64_t state = 8 * 2 * (2 * 4 + 4 + 4 * 3 + 3);
  const int64_t epoch = bytes(4, 20) - bytes(3, 20), update = (bytes(3, 10) - bytes(3, 20)) / 2;
  EXPECT_GE(epoch, state);
  EXPECT_LE(epoch, state + 8 * 10);
  EXPECT_GE(update, state);
  EXPECT_LE(update, state + 8 * 10);
  EXPECT_LE(bytes(3, 20), 3 * epoch + 2 * update + 8 * 20);
}

// A loop within the model, over a batch's rows: as many as a batch has, not as the data have.
TEST(Hypergradient, CountsTheLoopsOfTheModel) {
  const TrainTest data = Few(40, 20);
  const auto bytes = [&](int64_t trips, int64_t batch) {
    Training training = TrainingOf(4, 3);
    training.batch = batch;
    training.model = [trips](Scope& s, Value x) {
      const LoopOptions options{.trips = trips, .carried = {Dense(s, "hidden", x, 4)}};
      const LoopResult r = Loop(Tape(x.tape()), options, [](LoopBody& body) {
        return LoopStep{.carried = {Tanh(body.carried[0])}};
      });
      return Dense(s, "output", r.carried[0], 3);
    };
    const auto h =
        Hypergradient::Make(Interpret, training, data.train, data.test, {"schedule/rates"});
    EXPECT_TRUE(h.ok()) << h.status();
    return h.ok() ? h->bytes() : 0;
  };
  // Of one more trip: 4 units of the 20 rows that are evaluated, and something for each of the
  // batch's.
  const int64_t evaluated = 8 * 4 * 20;
  const int64_t of_10 = bytes(6, 10) - bytes(5, 10), of_20 = bytes(6, 20) - bytes(5, 20);
  EXPECT_GE(of_10, evaluated + 8 * 4 * 10);
  EXPECT_EQ(of_20 - evaluated, 2 * (of_10 - evaluated));
}

}  // namespace
}  // namespace talweg
