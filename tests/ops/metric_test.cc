#include "ops/metric.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/loss.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;
using Row = std::vector<double>;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Targets and outputs of [rows, width] floats and integer labels of [rows], ready to run.
struct Fixture {
  Fixture(int64_t width, const Row& t, const Row& y, const Row& labels = {}) {
    const int64_t rows = static_cast<int64_t>(y.size()) / width;
    targets = tape.Input("t", kFloat32, {kRows, width});
    outputs = tape.Input("y", kFloat32, {kRows, width});
    inputs["y"] = Floats(kFloat32, {rows, width}, y);
    inputs["t"] = Floats(kFloat32, {rows, width}, t.empty() ? Row(y.size()) : t);
    if (labels.empty()) return;
    this->labels = tape.Input("l", kInt32, {kRows});
    inputs["l"] = *Floats(kFloat64, {rows}, labels).Cast(kInt32);
  }
  Row Run(const Value& metric) { return Evaluate(metric, inputs); }

  Tape tape;
  Value targets, outputs, labels;
  NamedArrays inputs;
};

TEST(CategoricalAccuracy, ComparesThePlacesOfTheGreatest) {
  Fixture f(3, {0, 1, 0, 1, 0, 0, 0, 0, 1, 0.1, 0.5, 0.4},
            {1, 2, 3, 4, -1, 0, 5, 5, 5, -3, -1, -2});
  const Value accuracy = CategoricalAccuracy(f.targets, f.outputs);
  EXPECT_EQ(accuracy.type(), (Type{kFloat32, {kRows}}));
  // The third row is a tie, of which the first counts.
  EXPECT_EQ(f.Run(accuracy), (Row{0, 1, 0, 1}));
}

TEST(SparseCategoricalAccuracy, ComparesWithTheLabel) {
  Fixture f(3, {}, {1, 2, 3, 4, -1, 0, 5, 5, 5}, {2, 1, 0});
  EXPECT_EQ(f.Run(SparseCategoricalAccuracy(f.labels, f.outputs)), (Row{1, 0, 1}));
}

TEST(SparseCategoricalAccuracy, TakesLabelsAsAColumnOfEitherWidth) {
  Tape tape;
  const Value labels = tape.Input("l", kInt64, {kRows, 1});
  const Value y = tape.Input("y", kFloat64, {kRows, 2});
  EXPECT_EQ(Evaluate(SparseCategoricalAccuracy(labels, y),
                     {{"l", *Floats(kFloat64, {2, 1}, {1, 1}).Cast(kInt64)},
                      {"y", Floats(kFloat64, {2, 2}, {1, 2, 2, 1})}}),
            (Row{1, 0}));
}

TEST(BinaryAccuracy, RoundsWhereTheThresholdIsOneHalf) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> targets = {1, 2, 2, 0, 0, 1}, outputs = {1.7, 2.1, 1.5, 0.5, kNaN, 1.4};
  Tape t;
  const Value a = t.Input("t", kFloat64, {6, 1}), y = t.Input("y", kFloat64, {6, 1});
  const std::vector<Array> out =
      RunAll({BinaryAccuracy(a, y)},
             {{"t", Floats(kFloat64, {6, 1}, targets)}, {"y", Floats(kFloat64, {6, 1}, outputs)}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].ToVector<double>(), (std::vector<double>{0, 1, 1, 1, 0, 1}));
}

TEST(BinaryAccuracy, IsTheShareOnTheRightSide) {
  Fixture f(2, {0, 1, 1, 1, 0, 0, 1, 0}, {0.1, 0.9, 0.5, 0.51, 0.5, 0.6, -1, 2});
  // 0.5 itself counts as 0.
  EXPECT_EQ(f.Run(BinaryAccuracy(f.targets, f.outputs)), (Row{1, 0.5, 0.5, 0}));
  Fixture logits(1, {0, 1, 0, 1}, {-3, 0.1, 0, -0.1});
  EXPECT_EQ(logits.Run(BinaryAccuracy(logits.targets, logits.outputs, 0)), (Row{1, 1, 1, 0}));
}

TEST(TopK, CountsTheGreaterOnes) {
  const Row y = {0.1, 0.2, 0.3, 0.4};
  for (int64_t k = 1; k <= 5; k++) {
    for (int64_t label = 0; label < 4; label++) {
      Row t(4);
      t[static_cast<size_t>(label)] = 1;
      Fixture f(4, t, y, {static_cast<double>(label)});
      const Row wanted = {4 - label <= k ? 1.0 : 0.0};
      EXPECT_EQ(f.Run(TopKCategoricalAccuracy(f.targets, f.outputs, k)), wanted);
      EXPECT_EQ(f.Run(SparseTopKCategoricalAccuracy(f.labels, f.outputs, k)), wanted);
    }
  }
}

TEST(TopK, HasAllEqualOnesAtTheBorderAmongThem) {
  // 3 is first; the three 2s share the second place.
  const Row y = {2, 3, 2, 2, 1};
  const auto in_top = [&](double label, int64_t k) {
    Fixture f(5, {}, y, {label});
    return f.Run(SparseTopKCategoricalAccuracy(f.labels, f.outputs, k))[0];
  };
  EXPECT_EQ(in_top(0, 1), 0);
  for (double label : {0., 2., 3.}) EXPECT_EQ(in_top(label, 2), 1) << label;
  EXPECT_EQ(in_top(4, 4), 0);
  EXPECT_EQ(in_top(4, 5), 1);
}

TEST(TopK, IsZeroWhereAnOutputIsNotFinite) {
  for (double bad : {kNan, kInf, -kInf}) {
    Fixture f(3, {}, {3, bad, 1, 3, 2, 1}, {0, 0});
    EXPECT_EQ(f.Run(SparseTopKCategoricalAccuracy(f.labels, f.outputs, 3)), (Row{0, 1})) << bad;
  }
}

TEST(Metrics, RefuseShapesThatDoNotFitAndNameTheLine) {
  {
    Tape tape;
    const Value t = tape.Input("t", kFloat32, {kRows, 3});
    const Value y = tape.Input("y", kFloat32, {kRows, 2});
    const int line = __LINE__ + 1;
    EXPECT_FALSE(CategoricalAccuracy(t, y).ok());
    EXPECT_EQ(Message(tape.status()),
              absl::StrCat("categorical_accuracy: float32[rows,3] x float32[rows,2]: shapes of "
                           "targets and outputs differ (tests/ops/metric_test.cc:",
                           line, ")"));
  }
  using Function = std::function<Value(Value, Value)>;
  const std::pair<const char*, Function> dense[] = {
      {"categorical_accuracy", [](Value t, Value y) { return CategoricalAccuracy(t, y); }},
      {"binary_accuracy", [](Value t, Value y) { return BinaryAccuracy(t, y); }},
      {"top_k_categorical_accuracy",
       [](Value t, Value y) { return TopKCategoricalAccuracy(t, y); }}};
  for (const auto& [name, function] : dense) {
    Tape tape;
    const Value t = tape.Input("t", kFloat32, {kRows});
    EXPECT_FALSE(function(t, tape.Input("y", kFloat32, {kRows, 1})).ok());
    EXPECT_THAT(Message(tape.status()),
                HasSubstr(absl::StrCat(name, ": float32[rows] x float32[rows,1]: ")));
    EXPECT_THAT(Message(tape.status()), HasSubstr("metric_test.cc:"));
  }
  const std::pair<const char*, Function> sparse[] = {
      {"sparse_categorical_accuracy",
       [](Value t, Value y) { return SparseCategoricalAccuracy(t, y); }},
      {"sparse_top_k_categorical_accuracy",
       [](Value t, Value y) { return SparseTopKCategoricalAccuracy(t, y); }}};
  for (const auto& [name, function] : sparse) {
    Tape tape;
    const Value l = tape.Input("l", kFloat32, {kRows});
    EXPECT_FALSE(function(l, tape.Input("y", kFloat32, {kRows, 4})).ok());
    EXPECT_THAT(Message(tape.status()),
                HasSubstr(absl::StrCat(name, ": float32[rows] x float32[rows,4]: labels are")));
  }
  Tape tape;
  const Value y = tape.Input("y", kFloat32, {kRows, 4});
  EXPECT_FALSE(TopKCategoricalAccuracy(y, y, 0).ok());
  EXPECT_THAT(Message(tape.status()), HasSubstr("top_k_categorical_accuracy: float32[rows,4]: k"));
}

TEST(MetricByName, ResolvesAccuracyByLossAndWidth) {
  Fixture f(3, {}, Row(6), {0, 1});
  const auto accuracy = [](const char* loss, Dim width) {
    return MetricByName("accuracy", loss, width)->per_sample;
  };
  const Value t = f.targets, y = f.outputs, l = f.labels;
  const Value categorical = CategoricalAccuracy(t, y), binary = BinaryAccuracy(t, y);
  EXPECT_EQ(accuracy("categorical_crossentropy", 3)(t, y), categorical);
  EXPECT_EQ(accuracy("categorical_crossentropy_from_logits", 3)(t, y), categorical);
  EXPECT_EQ(accuracy("mse", 3)(t, y), categorical);
  EXPECT_EQ(accuracy("sparse_categorical_crossentropy", 3)(l, y), SparseCategoricalAccuracy(l, y));
  EXPECT_EQ(accuracy("sparse_categorical_crossentropy_from_logits", 3)(l, y),
            SparseCategoricalAccuracy(l, y));
  EXPECT_EQ(accuracy("binary_crossentropy", 3)(t, y), binary);
  EXPECT_EQ(accuracy("binary_crossentropy_from_logits", 3)(t, y), BinaryAccuracy(t, y, 0));
  // One output is binary whatever the loss is.
  EXPECT_EQ(accuracy("mse", 1)(t, y), binary);
  EXPECT_EQ(accuracy("sparse_categorical_crossentropy", 1)(t, y), binary);
  EXPECT_TRUE(f.tape.status().ok()) << f.tape.status();
}

TEST(MetricByName, ResolvesCrossentropyInTheSameWay) {
  Fixture f(3, {}, Row(6), {0, 1});
  const auto crossentropy = [](const char* loss, Dim width) {
    return MetricByName("ce", loss, width)->per_sample;
  };
  const Value t = f.targets, y = f.outputs, l = f.labels;
  EXPECT_EQ(crossentropy("mse", 3)(t, y), CategoricalCrossEntropy(t, y));
  EXPECT_EQ(crossentropy("categorical_crossentropy_from_logits", 3)(t, y),
            CategoricalCrossEntropyFromLogits(t, y));
  EXPECT_EQ(crossentropy("sparse_categorical_crossentropy", 3)(l, y),
            SparseCategoricalCrossEntropy(l, y));
  EXPECT_EQ(crossentropy("mse", 1)(t, y), BinaryCrossEntropy(t, y));
}

TEST(MetricByName, KnowsAccuraciesAndLossesByName) {
  Fixture f(3, {}, Row(6), {0, 1});
  const Value t = f.targets, y = f.outputs, l = f.labels;
  const auto named = [](const char* name) { return *MetricByName(name, "mse", 3); };
  EXPECT_EQ(named("categorical_accuracy").per_sample(t, y), CategoricalAccuracy(t, y));
  EXPECT_EQ(named("binary_accuracy").per_sample(t, y), BinaryAccuracy(t, y));
  EXPECT_EQ(named("sparse_categorical_accuracy").per_sample(l, y), SparseCategoricalAccuracy(l, y));
  EXPECT_EQ(named("top_k_categorical_accuracy").per_sample(t, y), TopKCategoricalAccuracy(t, y, 5));
  EXPECT_EQ(named("sparse_top_k_categorical_accuracy").per_sample(l, y),
            SparseTopKCategoricalAccuracy(l, y, 5));
  EXPECT_EQ(named("mae").per_sample(t, y), MeanAbsoluteError(t, y));
  for (const char* name : {"acc", "accuracy", "mae", "crossentropy", "binary_accuracy"}) {
    EXPECT_EQ(named(name).name, name);
  }
}

// As in Keras 2.3.1: keras/metrics.py has the sum of products of unit vectors, keras/losses.py
// minus that, under the same names.
TEST(MetricByName, HasTheCosineWithTheOtherSignThanTheLoss) {
  Fixture f(2, {3, 4, 1, 0}, {6, 8, -2, 0});
  for (const char* name : {"cosine_proximity", "cosine_similarity", "cosine"}) {
    const Metric metric = *MetricByName(name, "mse", 2);
    EXPECT_EQ(metric.name, name);
    const Row cosine = f.Run(metric.per_sample(f.targets, f.outputs));
    EXPECT_NEAR(cosine[0], 1, 1e-6) << name;
    EXPECT_NEAR(cosine[1], -1, 1e-6) << name;
  }
  EXPECT_EQ(LossByName("cosine")->per_sample(f.targets, f.outputs),
            CosineProximity(f.targets, f.outputs));
}

TEST(MetricByName, RefusesAnUnknownName) {
  const std::string message = Message(MetricByName("acuracy", "mse", 3).status());
  EXPECT_THAT(message, HasSubstr("unknown metric 'acuracy'; known are accuracy, "));
  EXPECT_THAT(message, HasSubstr("mean_squared_error"));
}

}  // namespace
}  // namespace talweg
