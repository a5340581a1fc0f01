#include "train/layers.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/graphs/engines.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A tape on which layers are called with declared parameters: inputs "parameter/NAME".
struct Bench {
  explicit Bench(Mode mode = Mode::kTrain) : root(tape, kFloat64, mode), s(root.scope()) {}
  std::string error() const { return std::string(tape.status().message()); }
  Tape tape;
  ScopeRoot root;
  Scope s;
};

// A tape on which keys are folded from an input "key".
struct KeyedBench {
  explicit KeyedBench(Mode mode)
      : key(tape.Input("key", kInt64, {})), root(tape, kFloat64, mode, {}, {}, key) {}
  Tape tape;
  Value key;
  ScopeRoot root;
};

TEST(Dense, IsAMatrixProductAndABias) {
  for (const Mode mode : {Mode::kTrain, Mode::kEvaluate}) {
    Bench t(mode);
    const Value y = Dense(t.s, "d", t.tape.Input("x", kFloat64, {kRows, 2}), 3);
    EXPECT_EQ(y.shape(), (Shape{kRows, 3}));
    EXPECT_THAT(Evaluate(y, {{"x", Array::Matrix<double>({{1, 2}, {0, -1}})},
                             {"parameter/d/kernel", Array::Matrix<double>({{1, 2, 3}, {4, 5, 6}})},
                             {"parameter/d/bias", Array::Vector<double>({10, 20, 30})}}),
                ElementsAre(19, 32, 45, 6, 15, 24));
  }
}

TEST(Dense, HasNoBiasWhereThatIsSaid) {
  Bench t;
  const Value y =
      Dense(t.s, "d", t.tape.Input("x", kFloat64, {kRows, 2}), 3, GlorotUniform(), std::nullopt);
  ASSERT_EQ(t.root.parameters().size(), 1u);
  EXPECT_THAT(Evaluate(y, {{"x", Array::Matrix<double>({{1, 2}, {0, -1}})},
                           {"parameter/d/kernel", Array::Matrix<double>({{1, 2, 3}, {4, 5, 6}})}}),
              ElementsAre(9, 12, 15, -4, -5, -6));
}

TEST(Dense, ActsOnTheLastAxisOfAny) {
  Bench t;
  const Value x = t.tape.Input("x", kFloat64, {kRows, 7, 2});
  EXPECT_EQ(Dense(t.s, "d", x, 3).shape(), (Shape{kRows, 7, 3})) << t.error();
}

TEST(Dense, StartsAsKerasDoes) {
  Bench t;
  Dense(t.s, "d", t.tape.Input("x", kFloat64, {kRows, 2}), 3);
  ASSERT_EQ(t.root.parameters().size(), 2u);
  EXPECT_EQ(t.root.parameters()[0].initializer.name, "glorot_uniform");
  EXPECT_EQ(t.root.parameters()[1].initializer.name, "zeros");
}

TEST(Embedding, TakesRowsOfItsTable) {
  Bench t;
  const Value y = Embedding(t.s, "e", t.tape.Input("i", kInt32, {kRows}), 3, 2);
  EXPECT_THAT(Evaluate(y, {{"i", Array::Vector<int32_t>({2, 0, 2})},
                           {"parameter/e/table", Array::Matrix<double>({{1, 2}, {3, 4}, {5, 6}})}}),
              ElementsAre(5, 6, 1, 2, 5, 6));
}

TEST(Embedding, ReportsAnIndexOutsideOfTheTable) {
  Bench t;
  const Value y = Embedding(t.s, "e", t.tape.Input("i", kInt32, {kRows}), 3, 2);
  const absl::StatusOr<std::vector<Array>> out =
      EveryEngine(*t.tape.Finish({y}))
          ->Run({{"i", Array::Vector<int32_t>({3})},
                 {"parameter/e/table", *Array::Zeros(kFloat64, {3, 2})}});
  EXPECT_THAT(std::string(out.status().message()),
              AllOf(HasSubstr("3"), HasSubstr("layers_test.cc:")));
}

TEST(LayerNorm, HasMeanZeroAndVarianceOneBeforeGainAndBias) {
  for (const Mode mode : {Mode::kTrain, Mode::kEvaluate}) {
    Bench t(mode);
    const Value y = LayerNorm(t.s, "n", t.tape.Input("x", kFloat64, {kRows, 4}), 0.5);
    const std::vector<double> got =
        Evaluate(y, {{"x", Array::Matrix<double>({{1, 2, 3, 6}})},
                     {"parameter/n/gain", Array::Vector<double>({1, 2, 1, 1})},
                     {"parameter/n/bias", Array::Vector<double>({0, 0, 0, 5})}});
    // mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5; sqrt(3.5 + 0.5) = 2
    ExpectNear(got, {-1, -1, 0, 6.5}, 1e-14);
  }
}

TEST(Dropout, IsNothingInEvaluation) {
  Bench t(Mode::kEvaluate);
  const Value x = t.tape.Input("x", kFloat64, {kRows, 4});
  EXPECT_EQ(Dropout(t.s, "d", x, 0.5), x);
}

TEST(Dropout, KeepsTheExpectationInTraining) {
  KeyedBench t(Mode::kTrain);
  Scope s = t.root.scope();
  const Value x = t.tape.Input("x", kFloat64, {kRows});
  const int64_t n = 10000;
  const std::vector<double> got = Evaluate(
      Dropout(s, "d", x, 0.2),
      {{"x", Floats(kFloat64, {n}, std::vector<double>(n, 4))}, {"key", Array(int64_t{7})}});
  int64_t zeros = 0;
  for (const double y : got) {
    if (y == 0) {
      zeros++;
    } else {
      EXPECT_DOUBLE_EQ(y, 5);
    }
  }
  // Five deviations of a binomial distribution.
  EXPECT_NEAR(static_cast<double>(zeros), 0.2 * n, 5 * std::sqrt(0.2 * 0.8 * n));
}

TEST(Dropout, DropsOtherElementsByNameAndByKeyAndTheSameByBoth) {
  KeyedBench t(Mode::kTrain);
  Scope s = t.root.scope();
  const Value x = t.tape.Input("x", kFloat64, {kRows});
  const Value a = Dropout(s, "a", x, 0.5), b = Dropout(s, "b", x, 0.5);
  const auto drop = [&](const Value& y, int64_t key) {
    return Evaluate(
        y, {{"x", Floats(kFloat64, {64}, std::vector<double>(64, 1))}, {"key", Array(key)}});
  };
  EXPECT_EQ(drop(a, 1), drop(a, 1));
  EXPECT_NE(drop(a, 1), drop(b, 1));
  EXPECT_NE(drop(a, 1), drop(a, 2));
}

TEST(Layers, NameTheUsersLineWhenTheyAreWrong) {
  struct Case {
    const char* what;
    Value (*layer)(Scope&, Tape&);
  };
  const Case cases[] = {
      {"there are no units",
       [](Scope& s, Tape& t) { return Dense(s, "d", t.Input("x", kFloat64, {kRows, 2}), 0); }},
      {"the last extent is not known",
       [](Scope& s, Tape& t) { return Dense(s, "d", t.Input("x", kFloat64, {kRows}), 3); }},
      {"the last extent is not known",
       [](Scope& s, Tape& t) { return Dense(s, "d", t.Input("x", kFloat64, {}), 3); }},
      {"float32",
       [](Scope& s, Tape& t) { return Dense(s, "d", t.Input("x", kFloat32, {2, 2}), 3); }},
      {"the table is empty",
       [](Scope& s, Tape& t) { return Embedding(s, "e", t.Input("i", kInt32, {kRows}), 0, 2); }},
      {"float64",
       [](Scope& s, Tape& t) { return Embedding(s, "e", t.Input("i", kFloat64, {kRows}), 3, 2); }},
      {"rate", [](Scope& s, Tape& t) { return Dropout(s, "d", t.Input("x", kFloat64, {4}), 1.0); }},
      {"rate",
       [](Scope& s, Tape& t) { return Dropout(s, "d", t.Input("x", kFloat64, {4}), -0.1); }},
      {"the last extent is not known",
       [](Scope& s, Tape& t) { return LayerNorm(s, "n", t.Input("x", kFloat64, {kRows})); }},
  };
  for (const Case& c : cases) {
    Bench t;
    const Value y = c.layer(t.s, t.tape);
    EXPECT_FALSE(y.ok()) << c.what;
    EXPECT_THAT(t.error(), AllOf(HasSubstr(c.what), HasSubstr("layers_test.cc:")));
    // What is built on it fails silently, and the tape keeps the first error.
    EXPECT_FALSE(Dense(t.s, "next", y, 3).ok());
    EXPECT_THAT(t.error(), HasSubstr(c.what));
  }
}

}  // namespace
}  // namespace talweg
