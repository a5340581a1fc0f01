#include "ops/initializer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

Array Draw(const Initializer& initializer, int64_t key, DType dtype, const Shape& shape) {
  Tape tape;
  const Value k = tape.Input("key", kInt64, {});
  const std::vector<Array> results =
      RunAll({initializer.make(tape, k, dtype, shape)}, {{"key", Array(key)}});
  return results.empty() ? Array() : results[0];
}

struct Moments {
  double mean = 0, variance = 0, least = 0, greatest = 0;
};

Moments MomentsOf(const std::vector<double>& x) {
  Moments m{.least = x[0], .greatest = x[0]};
  for (double v : x) {
    m.mean += v / static_cast<double>(x.size());
    m.least = std::min(m.least, v);
    m.greatest = std::max(m.greatest, v);
  }
  for (double v : x) m.variance += (v - m.mean) * (v - m.mean) / static_cast<double>(x.size());
  return m;
}

// Kolmogorov and Smirnov's distance from a distribution function, times sqrt(n): the mean over ten
// keys. Of samples of that distribution it is 0.869 = sqrt(pi / 2) log 2, with a deviation of 0.26
// a sample; four deviations of the mean of ten are allowed.
void ExpectDistribution(const Initializer& initializer, DType dtype,
                        const std::function<double(double)>& distribution) {
  double mean = 0;
  for (int64_t key = 0; key < 10; key++) {
    std::vector<double> x = Elements(Draw(initializer, key, dtype, {100, 200}));
    std::sort(x.begin(), x.end());
    const auto n = static_cast<double>(x.size());
    double distance = 0;
    for (size_t i = 0; i < x.size(); i++) {
      const double f = distribution(x[i]);
      distance =
          std::max({distance, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
    }
    mean += distance * std::sqrt(n) / 10;
  }
  EXPECT_NEAR(mean, 0.869, 0.33);
}

double NormalDistribution(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double TruncatedDistribution(double x) {
  const double tail = NormalDistribution(-2);
  return (NormalDistribution(x) - tail) / (1 - 2 * tail);
}

TEST(Fans, AreCountedAsKerasDoes) {
  const auto expect = [](const Shape& shape, double in, double out) {
    EXPECT_DOUBLE_EQ(FansOf(shape).in, in) << ToString(shape);
    EXPECT_DOUBLE_EQ(FansOf(shape).out, out) << ToString(shape);
  };
  expect({2, 50}, 2, 50);
  expect({3, 3, 16, 32}, 144, 288);  // a convolution of images
  expect({5, 4, 8}, 20, 40);         // of sequences
  expect({2, 2, 2, 3, 7}, 24, 56);   // of volumes
  expect({9}, 3, 3);
  expect({}, 1, 1);
  expect({2, 2, 2, 2, 2, 2}, 8, 8);
}

TEST(Constants, FillAnyTypeAndShape) {
  for (DType dtype : kAllDTypes) {
    EXPECT_EQ(Elements(Draw(Zeros(), 1, dtype, {2, 2})), (std::vector<double>{0, 0, 0, 0}));
    EXPECT_EQ(Elements(Draw(Ones(), 1, dtype, {3})), (std::vector<double>{1, 1, 1}));
  }
  EXPECT_EQ(Elements(Draw(Constant(0.25), 1, kFloat32, {})), (std::vector<double>{0.25}));
  EXPECT_EQ(Draw(Zeros(), 1, kFloat64, {0, 3}).dims(), (Dims{0, 3}));
}

TEST(Uniform, IsSpreadEvenlyOverItsInterval) {
  for (DType dtype : {kFloat32, kFloat64}) {
    const std::vector<double> x = Elements(Draw(Uniform(-1, 3), 5, dtype, {300, 200}));
    const Moments m = MomentsOf(x);
    EXPECT_GE(m.least, -1);
    EXPECT_LT(m.greatest, 3);
    ExpectDistribution(Uniform(-1, 3), dtype, [](double v) { return (v + 1) / 4; });
  }
}

TEST(Normal, HasTheNormalDistribution) {
  for (DType dtype : {kFloat32, kFloat64}) {
    const std::vector<double> x = Elements(Draw(Normal(2, 0.5), 5, dtype, {300, 200}));
    EXPECT_GT(MomentsOf(x).greatest, 2 + 0.5 * 3.5);
    ExpectDistribution(Normal(2, 0.5), dtype,
                       [](double v) { return NormalDistribution((v - 2) / 0.5); });
  }
}

TEST(RandomNormal, IsNotMadeOfNumbersOfAKeyThatUsersHave) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape tape;
    const Value key = tape.Input("key", kInt64, {});
    const Value u = 1 - RandomUniform(key, dtype, {1000});
    std::vector<Value> values = {RandomNormal(key, dtype, {1000}), Sqrt(-2 * Log(u))};
    for (int number = 0; number < 8; number++) {
      values.push_back(RandomUniform(FoldIn(key, number), dtype, {1000}));
    }
    const std::vector<Array> results = RunAll(values, {{"key", Array(int64_t{11})}});
    ASSERT_EQ(results.size(), values.size());
    for (size_t k = 2; k < results.size(); k++) {
      int equal = 0;
      for (int64_t i = 0; i < 1000; i++) {
        const double angle = 2 * std::numbers::pi * results[k].At(i);
        equal += std::abs(results[0].At(i) - results[1].At(i) * std::cos(angle)) < 1e-5 ? 1 : 0;
      }
      EXPECT_LT(equal, 10) << "FoldIn(key, " << k - 2 << ")";
    }
  }
}

TEST(TruncatedNormal, HasTheNormalDistributionWithinTwoDeviations) {
  for (DType dtype : {kFloat32, kFloat64}) {
    const std::vector<double> x = Elements(Draw(TruncatedNormal(2, 0.5), 5, dtype, {300, 200}));
    ExpectDistribution(TruncatedNormal(2, 0.5), dtype,
                       [](double v) { return TruncatedDistribution((v - 2) / 0.5); });
    const Moments m = MomentsOf(x);
    EXPECT_GE(m.least, 1);
    EXPECT_LE(m.greatest, 3);
    EXPECT_LT(m.least, 1.01);
    EXPECT_GT(m.greatest, 2.99);
    // Five standard errors of a variance are 2% here.
    EXPECT_NEAR(std::sqrt(m.variance), 0.5 * 0.87962566103423978, 0.5 * 0.01);
  }
}

TEST(TruncatedNormal, InvertsTheDistributionFunction) {
  // Drawn from the same numbers, the distribution function gives them back.
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape tape;
    const Value key = tape.Input("key", kInt64, {});
    const std::vector<Array> results = RunAll(
        {TruncatedNormal(0, 1).make(tape, key, dtype, {5000}), RandomUniform(key, dtype, {5000})},
        {{"key", Array(int64_t{11})}});
    ASSERT_EQ(results.size(), 2u);
    for (int64_t i = 0; i < 5000; i++) {
      ASSERT_NEAR(TruncatedDistribution(results[0].At(i)), results[1].At(i),
                  dtype == kFloat32 ? 3e-7 : 1e-14);
    }
  }
}

TEST(ScaledInitializers, HaveTheVarianceOfTheirDefinition) {
  struct Case {
    Initializer initializer;
    double variance;  // for [100, 300]
    bool uniform;
  };
  const Case cases[] = {
      {HeUniform(), 2.0 / 100, true},     {HeNormal(), 2.0 / 100, false},
      {GlorotUniform(), 1.0 / 200, true}, {GlorotNormal(), 1.0 / 200, false},
      {LecunUniform(), 1.0 / 100, true},  {LecunNormal(), 1.0 / 100, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.initializer.name);
    for (DType dtype : {kFloat32, kFloat64}) {
      const std::vector<double> x = Elements(Draw(c.initializer, 3, dtype, {100, 300}));
      const Moments m = MomentsOf(x);
      const auto n = static_cast<double>(x.size());
      const double deviation = std::sqrt(c.variance);
      // Five standard errors; the fourth moment is at most that of a normal distribution.
      EXPECT_NEAR(m.mean, 0, 5 * deviation / std::sqrt(n));
      EXPECT_NEAR(m.variance, c.variance, 5 * c.variance * std::sqrt(2 / n));
      const double bound =
          c.uniform ? std::sqrt(3 * c.variance) : 2 * deviation / 0.87962566103423978;
      EXPECT_LE(std::max(-m.least, m.greatest), bound * (1 + 1e-6));
      EXPECT_GE(std::min(-m.least, m.greatest), bound * 0.99);
    }
  }
}

TEST(ScaledInitializers, CountTheFanOfAConvolution) {
  const Moments m = MomentsOf(Elements(Draw(HeUniform(), 3, kFloat32, {3, 3, 24, 40})));
  const double limit = std::sqrt(6.0 / (9 * 24));
  EXPECT_LE(m.greatest, limit * (1 + 1e-6));
  EXPECT_GE(m.greatest, limit * 0.99);
}

TEST(Initializers, ArePureFunctionsOfTheKey) {
  for (const Initializer& i : {Uniform(), Normal(), TruncatedNormal(), HeUniform(), HeNormal(),
                               GlorotUniform(), GlorotNormal(), LecunUniform(), LecunNormal()}) {
    SCOPED_TRACE(i.name);
    const Array once = Draw(i, 42, kFloat32, {7, 9});
    EXPECT_TRUE(SameBits(once, Draw(i, 42, kFloat32, {7, 9})));
    EXPECT_FALSE(SameBits(once, Draw(i, 43, kFloat32, {7, 9})));
  }
}

TEST(Initializers, TakeEmptyShapes) {
  for (const Initializer& i : {HeUniform(), GlorotNormal(), Normal()}) {
    EXPECT_EQ(Draw(i, 1, kFloat32, {0, 4}).dims(), (Dims{0, 4}));
  }
}

TEST(Initializers, RefuseWhatCanNotBeAndNameTheLineThatMadeThem) {
  const auto expect = [](const Initializer& i, int line, DType dtype, const Shape& shape,
                         const std::string& detail) {
    Tape tape;
    EXPECT_FALSE(i.make(tape, tape.Input("key", kInt64, {}), dtype, shape).ok());
    EXPECT_THAT(Message(tape.status()), HasSubstr(absl::StrCat(i.name, ": int64[]: ", detail)));
    EXPECT_THAT(Message(tape.status()), HasSubstr(absl::StrCat("initializer_test.cc:", line)));
  };
  const std::string symbolic = "the shape [rows,3] has an extent that is known at run time only";
  expect(HeUniform(), __LINE__, kFloat32, {kRows, 3}, symbolic);
  expect(GlorotNormal(), __LINE__, kInt32, {2, 3}, "no random numbers of int32");
  expect(Uniform(1, 0), __LINE__, kFloat32, {2, 3}, "[1, 0) is no interval");
  expect(Normal(0, -1), __LINE__, kFloat32, {2, 3}, "the deviation -1 is negative");
  expect(TruncatedNormal(0, -1), __LINE__, kFloat32, {2, 3}, "the deviation -1 is negative");
  Tape tape;
  EXPECT_FALSE(HeUniform().make(tape, tape.Input("key", kFloat32, {}), kFloat32, {2, 3}).ok());
  EXPECT_FALSE(tape.status().ok());
}

TEST(InitializerByName, FindsEachByItsName) {
  for (const char* name :
       {"zeros", "ones", "uniform", "normal", "truncated_normal", "he_uniform", "he_normal",
        "glorot_uniform", "glorot_normal", "lecun_uniform", "lecun_normal"}) {
    const absl::StatusOr<Initializer> found = InitializerByName(name);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->name, name);
  }
  EXPECT_EQ(InitializerByName("zero")->name, "zeros");
  EXPECT_EQ(InitializerByName("random_normal")->name, "normal");
  EXPECT_TRUE(SameBits(Draw(*InitializerByName("he_normal"), 9, kFloat32, {2, 3}),
                       Draw(HeNormal(), 9, kFloat32, {2, 3})));
  EXPECT_THAT(Message(InitializerByName("he").status()),
              HasSubstr("unknown initializer 'he'; known are zeros, ones, "));
}

}  // namespace
}  // namespace talweg
