// A model that is compiled once and asked again and again (train/fit.h).

#include <atomic>
#include <thread>
#include <vector>

#include "data/blobs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/initializer.h"
#include "tests/graphs/engines.h"
#include "train/fit.h"
#include "train/layers.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

class PredictorTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::StatusOr<Fitted> fitted = Fit(EveryEngine, training_, data_);
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    fitted_ = *fitted;
  }

  const Training training_ = {.model =
                                  [](Scope& s, Value x) {
                                    const Value h = Relu(Dense(s, "hidden", x, 8, HeUniform()));
                                    return Dense(s, "output", h, 3);
                                  },
                              .loss = SoftmaxCrossEntropy,
                              .seed = 4};
  const Dataset data_ = *OneHotTargets(*Blobs({.samples = 100, .cluster_std = 1.5, .seed = 3}), 3);
  Fitted fitted_;
};

TEST_F(PredictorTest, TakesTheParametersOfAState) {
  const NamedArrays parameters = ParametersOf(fitted_.state);
  ASSERT_EQ(parameters.size(), 4u);
  for (const auto& [name, array] : parameters) {
    EXPECT_TRUE(SameBits(array, fitted_.parameters.at(name))) << name;
  }
  const auto error = Predict(EveryEngine, training_, fitted_.state, data_.inputs).status();
  EXPECT_THAT(error.message(), HasSubstr("ParametersOf takes its parameters"));
  const absl::StatusOr<std::string> summary = Summary(training_.model, {kFloat64, {2}});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(*summary, *Summary(training_, data_));
}

TEST_F(PredictorTest, SaysTheSameAgainAndAgain) {
  const absl::StatusOr<Predictor> predictor =
      Predictor::Make(EveryEngine, training_, fitted_.parameters, {kFloat64, {2}});
  ASSERT_TRUE(predictor.ok()) << predictor.status();
  for (const int64_t rows : {0, 1, 7, 100}) {
    absl::StatusOr<Array> inputs = Array::Zeros(kFloat64, {rows, 2});
    for (double& x : inputs->mutable_data<double>()) x = static_cast<double>(rows % 7) - 2.5;
    const absl::StatusOr<Array> outputs = predictor->Run(*inputs, {.threads = 1});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    const auto once = Predict(EveryEngine, training_, fitted_.parameters, *inputs);
    ASSERT_TRUE(once.ok()) << once.status();
    EXPECT_TRUE(SameBits(*outputs, *once));
  }
}

TEST_F(PredictorTest, IsForManyThreads) {
  const auto predictor =
      Predictor::Make(EveryEngine, training_, fitted_.parameters, {kFloat32, {2}});
  ASSERT_TRUE(predictor.ok()) << predictor.status();
  const absl::StatusOr<Array> expected = predictor->Run(data_.inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  std::vector<std::thread> threads;
  std::atomic<int> same = 0;
  for (int i = 0; i < 3; i++) {
    threads.emplace_back([&, copy = *predictor] {
      for (int k = 0; k < 20; k++) {
        const absl::StatusOr<Array> outputs = copy.Run(data_.inputs);
        same += outputs.ok() && SameBits(*outputs, *expected) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, 60);
}

// Of any number of rows at a time, also where the last part is a smaller one, or there is none.
TEST_F(PredictorTest, SaysTheSameOfPartsAsOfAll) {
  const absl::StatusOr<Array> whole =
      Predict(EveryEngine, training_, fitted_.parameters, data_.inputs);
  ASSERT_TRUE(whole.ok()) << whole.status();
  Training parts = training_;
  for (const int64_t at_once : {1, 7, 50, 99, 100, 101}) {
    parts.evaluate_batch = at_once;
    const absl::StatusOr<Array> same =
        Predict(EveryEngine, parts, fitted_.parameters, data_.inputs);
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_TRUE(SameBits(*same, *whole)) << at_once;
  }
  const absl::StatusOr<Array> none =
      Predict(EveryEngine, parts, fitted_.parameters, *Array::Zeros(kFloat32, {0, 2}));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->dims(), (Dims{0, 3}));
}

TEST_F(PredictorTest, RefusesWrongUse) {
  const auto make = [&](const Engine& engine, const NamedArrays& parameters, const Type& sample) {
    return Predictor::Make(engine, training_, parameters, sample);
  };
  const auto predictor = make(EveryEngine, fitted_.parameters, {kFloat32, {2}});
  ASSERT_TRUE(predictor.ok()) << predictor.status();
  const auto error = [&](const Array& inputs) {
    return std::string(predictor->Run(inputs).status().message());
  };
  EXPECT_THAT(error(*Array::Zeros(kFloat32, {4, 3})), HasSubstr("inputs"));
  EXPECT_THAT(error(*Array::Zeros(kInt32, {4, 2})), HasSubstr("inputs"));
  EXPECT_THAT(error(Array(1.0f)), HasSubstr("inputs"));
  EXPECT_THAT(make(nullptr, fitted_.parameters, {kFloat32, {2}}).status().message(),
              HasSubstr("predict"));
  EXPECT_THAT(make(EveryEngine, {}, {kFloat32, {2}}).status().message(), HasSubstr("is missing"));
  Training never = training_;
  never.evaluate_batch = 0;
  EXPECT_THAT(Predict(EveryEngine, never, fitted_.parameters, data_.inputs).status().message(),
              HasSubstr("predict: evaluate_batch is 0; it must be at least 1"));
  Training counts = training_;
  counts.dtype = kInt32;
  EXPECT_THAT(Predict(EveryEngine, counts, fitted_.parameters, data_.inputs).status().message(),
              HasSubstr("predict: dtype is int32; it must be float32 or float64"));
  Training asks = training_;
  asks.model = [this](Scope& s, Value x) {
    return training_.model(s, x) * Tape(s.tape()).Input("temperature", kFloat32, {});
  };
  EXPECT_THAT(Predict(EveryEngine, asks, fitted_.parameters, data_.inputs).status().message(),
              HasSubstr("predict: the model makes an input of its own, 'temperature'"));
  // A state in place of parameters, and the other way round.
  EXPECT_THAT(make(EveryEngine, fitted_.state, {kFloat32, {2}}).status().message(),
              HasSubstr("FitOptions::state goes on from it"));
  const auto resumed = Fit(EveryEngine, training_, data_, {}, {.state = fitted_.parameters});
  EXPECT_THAT(resumed.status().message(), HasSubstr("FitOptions::parameters takes"));
}

}  // namespace
}  // namespace talweg
