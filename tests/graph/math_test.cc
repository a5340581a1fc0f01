#include "graph/math.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

// Far beyond every bound, for what no rounding explains: a NaN for a number, the wrong zero.
constexpr double kWrong = 1e30;

// The error of `got` in units of the last place of the exact result, as double has it. A result
// beyond the greatest float counts as 2^128, where the next float would be.
double UlpError(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : kWrong;
  if (std::isnan(got)) return kWrong;
  const auto rounded = static_cast<float>(exact);
  if (got == rounded) return std::signbit(got) == std::signbit(rounded) ? 0 : kWrong;
  if (std::isinf(exact)) return kWrong;
  const double value = std::isinf(got) ? std::copysign(0x1p128, got) : got;
  int exponent = -1000;
  if (exact != 0) std::frexp(exact, &exponent);
  return std::fabs(value - exact) * std::ldexp(1, -std::clamp(exponent - 24, -149, 104));
}

double ExactSigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
double ExactSoftplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }

struct Case {
  const Op* op;
  double (*exact)(double);
  double bound;  // the one that graph/math_float32.h promises
};

// The number of points: 1,000,000, or what TALWEG_FUZZ_COUNT says; 2^32 or more are all floats.
int64_t Points() {
  const char* const count = std::getenv("TALWEG_FUZZ_COUNT");
  return count != nullptr ? std::max<int64_t>(std::atoll(count), 1000) : 1'000'000;
}

class Float32Math : public testing::TestWithParam<Case> {};

// Every float is somebody's argument: the points are spread evenly over the bit patterns, so over
// the exponents of both signs, NaNs and denormals included.
TEST_P(Float32Math, KeepsItsBoundOnFloatsOfAllSizes) {
  const auto& [op, exact, bound] = GetParam();
  const bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const MapLoop loop = op->map->loop({kFloat32}, kFloat32, wide);
  ASSERT_NE(loop, nullptr);
  constexpr int64_t kAll = int64_t{1} << 32;
  const int64_t step = std::max<int64_t>(kAll / Points(), 1);
  const uint64_t seed = FreshSeed();
  const int64_t start = static_cast<int64_t>(seed) % step;
  double worst = 0;
  float worst_at = 0;
  std::vector<float> x, y;
  for (int64_t bits = start; bits < kAll;) {
    x.clear();
    for (; x.size() < 4096 && bits < kAll; bits += step) {
      x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    }
    y.resize(x.size());
    const auto* in = reinterpret_cast<const std::byte*>(x.data());
    const int64_t stride = 1;
    loop(reinterpret_cast<std::byte*>(y.data()), &in, &stride, static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); i++) {
      const double error = UlpError(y[i], exact(x[i]));
      if (error > worst) {
        worst = error;
        worst_at = x[i];
      }
    }
  }
  std::printf("%s: greatest error %.4f ulp at %a, seed %llu\n", op->name, worst,
              static_cast<double>(worst_at), static_cast<unsigned long long>(seed));
  EXPECT_LE(worst, bound) << "at " << worst_at;
}

// Where something changes: branches of the formulas, ends of ranges, special values and their
// neighbours, ties of the reductions.
TEST_P(Float32Math, KeepsItsBoundAtTheEdges) {
  const auto& [op, exact, bound] = GetParam();
  const MapLoop loop = op->map->loop({kFloat32}, kFloat32, false);
  std::vector<float> edges = {0,
                              0x1p-149f,
                              0x1p-126f,
                              0x1p-24f,
                              0x1p-12f,
                              0.5f,
                              0.55f,
                              1,
                              4,
                              9.01f,
                              17.33f,
                              87.33654f,
                              88.72284f,
                              89,
                              103.27893f,
                              103.97207f,
                              104,
                              10000,
                              0x1p24f,
                              0x1p52f,
                              0x1p79f,
                              0x1p106f,
                              3.4028235e38f,
                              std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN()};
  for (const double x : {std::sqrt(0.5), std::sqrt(2.0)}) edges.push_back(static_cast<float>(x));
  for (int k = 1; k < 400; k++) {
    edges.push_back(static_cast<float>(k * std::acos(-1) / 4));
    edges.push_back(static_cast<float>(k * std::log(2) / 2));
  }
  for (const float edge : edges) {
    for (const float near : {std::nextafter(edge, -1e30f), edge, std::nextafter(edge, 1e38f)}) {
      for (const float x : {near, -near}) {
        const auto* in = reinterpret_cast<const std::byte*>(&x);
        const int64_t stride = 1;
        float y = 0;
        loop(reinterpret_cast<std::byte*>(&y), &in, &stride, 1);
        EXPECT_LE(UlpError(y, exact(x)), bound) << op->name << " at " << x << " gives " << y;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Float32Math,
    testing::Values(Case{&kExpOp, std::exp, 1.02}, Case{&kLogOp, std::log, 0.86},
                    Case{&kTanhOp, std::tanh, 1.47}, Case{&kSigmoidOp, ExactSigmoid, 2.41},
                    Case{&kErfOp, std::erf, 1.10}, Case{&kSinOp, std::sin, 0.51},
                    Case{&kCosOp, std::cos, 0.51}, Case{&kSoftplusOp, ExactSoftplus, 2.12},
                    Case{&kExpm1Op, std::expm1, 1.47}, Case{&kLog1pOp, std::log1p, 1.44},
                    Case{&kSqrtOp, std::sqrt, 0.5}),
    [](const testing::TestParamInfo<Case>& info) { return std::string(info.param.op->name); });

// What is known of the sign saves work and changes nothing; all bit patterns are somebody's, too.
TEST(Float32Exp, OfAKnownSignHasTheSameBits) {
  using float32::Range;
  const int64_t points = Points(), step = std::max<int64_t>((int64_t{1} << 32) / points, 1);
  for (int64_t bits = 0; bits < int64_t{1} << 32; bits += step) {
    const Number<float> x(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    const auto same = [&](Number<float> y) {
      return BitcastToInt(y).raw() == BitcastToInt(Exp(x)).raw();
    };
    if (std::signbit(x.raw())) {
      ASSERT_TRUE(same(float32::Exp<Range::kNotPositive>(x))) << x.raw();
    } else {
      ASSERT_TRUE(same(float32::Exp<Range::kNotNegative>(x))) << x.raw();
    }
  }
}

TEST(Float32Log, OfAtLeastOneHasTheSameBits) {
  const int64_t first = std::bit_cast<uint32_t>(1.0f), end = int64_t{1} << 31;
  const int64_t step = std::max<int64_t>((end - first) / Points(), 1);
  for (int64_t bits = first; bits < end; bits += step) {  // infinity and NaNs are the last ones
    const Number<float> x(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    ASSERT_EQ(BitcastToInt(float32::Log<float32::Range::kAtLeastOne>(x)).raw(),
              BitcastToInt(Log(x)).raw())
        << x.raw();
  }
}

// The error's measure itself.
TEST(UlpError, CountsUnitsOfTheLastPlace) {
  EXPECT_EQ(UlpError(1.0f, 1.0), 0);
  EXPECT_EQ(UlpError(1.0f, 1.0 + 0x1p-23), 1);
  EXPECT_EQ(UlpError(1.0f, 1.0 - 0x1p-24), 1);
  EXPECT_EQ(UlpError(0.0f, 0x1p-149), 1);
  EXPECT_EQ(UlpError(std::numeric_limits<float>::infinity(), 0x1.fffffep127), 1);
  EXPECT_EQ(UlpError(0.0f, -0.0), kWrong);
  EXPECT_EQ(UlpError(1.0f, std::nan("")), kWrong);
  EXPECT_EQ(UlpError(std::nanf(""), 1.0), kWrong);
  EXPECT_EQ(UlpError(3e38f, std::numeric_limits<double>::infinity()), kWrong);
}

TEST(Float64Math, IsTheLibrary) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> any(-20, 20);
  for (int i = 0; i < 1000; i++) {
    const Number<double> x = any(random);
    const double a = x.raw();
    EXPECT_EQ(Exp(x).raw(), std::exp(a));
    EXPECT_EQ(Tanh(x).raw(), std::tanh(a));
    EXPECT_EQ(Sin(x).raw(), std::sin(a));
    EXPECT_EQ(Cos(x).raw(), std::cos(a));
    EXPECT_EQ(Erf(x).raw(), std::erf(a));
    EXPECT_EQ(Expm1(x).raw(), std::expm1(a));
    EXPECT_EQ(Log(Abs(x)).raw(), std::log(std::fabs(a)));
    EXPECT_EQ(Log1p(Abs(x)).raw(), std::log1p(std::fabs(a)));
    EXPECT_EQ(Pow(Abs(x), x).raw(), std::pow(std::fabs(a), a));
    EXPECT_NEAR(Sigmoid(x).raw(), ExactSigmoid(a), 4e-16 * ExactSigmoid(a));
    EXPECT_NEAR(Softplus(x).raw(), ExactSoftplus(a), 4e-16 * ExactSoftplus(a));
  }
}

}  // namespace
}  // namespace talweg
