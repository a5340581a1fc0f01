#include "graph/jet.h"

#include <cmath>
#include <cstdio>
#include <random>
#include <string>

#include "graph/math.h"
#include "gtest/gtest.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

using Double = Number<double>;
using First = Jet<Double>;
using Second = Jet<First>;

// A formula in the three forms that the tests need.
struct Formula {
  const char* name;
  double low, high;
  double (*value)(double);
  First (*first)(const First&);
  Second (*second)(const Second&);
};

template <typename F>
constexpr Formula Make(const char* name, double low, double high, F) {
  return {name,
          low,
          high,
          [](double x) { return F{}(Double(x)).raw(); },
          [](const First& x) { return F{}(x); },
          [](const Second& x) { return F{}(x); }};
}

class JetDerivative : public testing::TestWithParam<Formula> {};

TEST_P(JetDerivative, AgreesWithCentralDifferences) {
  const Formula& f = GetParam();
  const uint64_t seed = FreshSeed();
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> points(f.low, f.high);
  constexpr double kStep = 1e-5;
  for (int i = 0; i < 200; i++) {
    const double x = points(random);
    const First jet = f.first(First(x, 1.0));
    EXPECT_EQ(jet.value().raw(), f.value(x));
    const double slope = (f.value(x + kStep) - f.value(x - kStep)) / (2 * kStep);
    EXPECT_NEAR(jet.derivative().raw(), slope, 1e-7 * (1 + std::fabs(slope))) << "at " << x;

    const Second nested = f.second(Second(First(x, 1.0), First(1.0, 0.0)));
    EXPECT_EQ(nested.value().value().raw(), jet.value().raw());
    EXPECT_EQ(nested.derivative().value().raw(), jet.derivative().raw());
    const double curvature = (f.first(First(x + kStep, 1.0)).derivative().raw() -
                              f.first(First(x - kStep, 1.0)).derivative().raw()) /
                             (2 * kStep);
    EXPECT_NEAR(nested.derivative().derivative().raw(), curvature,
                1e-6 * (1 + std::fabs(curvature)))
        << "at " << x;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, JetDerivative,
    testing::Values(
        Make("Polynomial", -2, 2, [](auto x) { return 3.0 * x * x * x - x / 2.0 + 1.0; }),
        Make("Quotient", 0.4, 3, [](auto x) { return (x - 1.0) / (x * x); }),
        Make("Fma", -2, 2, [](auto x) { return Fma(x, x * x, -x); }),
        Make("Sqrt", 0.4, 3, [](auto x) { return Sqrt(x); }),
        Make("AbsAbove", 0.4, 3, [](auto x) { return Abs(x) * x; }),
        Make("AbsBelow", -3, -0.4, [](auto x) { return Abs(x) * x; }),
        Make("Max", 1.1, 3, [](auto x) { return Max(x * x, x); }),
        Make("Min", 1.1, 3, [](auto x) { return Min(x * x, 1.0 / x); }),
        Make("Select", 0.1, 3, [](auto x) { return Select(Greater(x, 0.0), x * x, x); }),
        Make("Exp", -3, 3, [](auto x) { return Exp(x); }),
        Make("Expm1", -3, 3, [](auto x) { return Expm1(x); }),
        Make("Log", 0.4, 3, [](auto x) { return Log(x); }),
        Make("Log1p", -0.5, 3, [](auto x) { return Log1p(x); }),
        Make("Sin", -3, 3, [](auto x) { return Sin(x); }),
        Make("Cos", -3, 3, [](auto x) { return Cos(x); }),
        Make("Tanh", -3, 3, [](auto x) { return Tanh(x); }),
        Make("Sigmoid", -3, 3, [](auto x) { return Sigmoid(x); }),
        Make("Softplus", -3, 3, [](auto x) { return Softplus(x); }),
        Make("Erf", -3, 3, [](auto x) { return Erf(x); }),
        Make("PowOfBase", 0.4, 3, [](auto x) { return Pow(x, Like(x, 2.5)); }),
        Make("PowOfExponent", -2, 2, [](auto x) { return Pow(Like(x, 1.7), x); }),
        Make("PowOfBoth", 0.4, 2, [](auto x) { return Pow(x, x * 0.5); }),
        Make("PowOfNegativeBase", -3, -0.4, [](auto x) { return Pow(x, Like(x, 3.0)); }),
        Make("Composite", 0.4, 2, [](auto x) { return Tanh(Sqrt(x) * Exp(-x)) / (1.0 + x * x); })),
    [](const testing::TestParamInfo<Formula>& info) { return std::string(info.param.name); });

double Slope(const First& y) { return y.derivative().raw(); }

TEST(Jet, KeepsTheConventionsWhereThereIsNoDerivative) {
  const First zero(0.0, 1.0);
  EXPECT_EQ(Slope(Abs(zero)), 0);
  EXPECT_EQ(Slope(Sqrt(zero)), 0);
  EXPECT_EQ(Slope(Sign(zero)), 0);
  EXPECT_EQ(Slope(Max(zero, First(0.0))), 0.5);
  EXPECT_EQ(Slope(Min(First(0.0), zero)), 0.5);
  EXPECT_EQ(Slope(Floor(First(1.5, 1.0))), 0);
  EXPECT_EQ(Slope(Ceil(First(1.5, 1.0))), 0);
  EXPECT_EQ(Slope(RoundEven(First(1.2, 1.0))), 0);
}

TEST(Jet, PowIsFiniteAtZero) {
  EXPECT_EQ(Slope(Pow(First(0.0, 1.0), First(0.0))), 0);
  EXPECT_EQ(Slope(Pow(First(0.0, 1.0), First(1.0))), 1);
  EXPECT_EQ(Slope(Pow(First(0.0, 1.0), First(2.0))), 0);
  EXPECT_EQ(Slope(Pow(First(0.0), First(2.0, 1.0))), 0);
}

TEST(Jet, OfAConstantIsZero) { EXPECT_EQ(Slope(Exp(First(1.0))), 0); }

}  // namespace
}  // namespace talweg
