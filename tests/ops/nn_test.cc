#include "ops/nn.h"

#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/view.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The tape's error names the op, the shapes, what is wrong, and this file's line.
void ExpectError(const Tape& tape, int line, const std::vector<std::string>& parts) {
  ASSERT_FALSE(tape.status().ok());
  const std::string message(tape.status().message().data(), tape.status().message().size());
  for (const std::string& part : parts) EXPECT_THAT(message, HasSubstr(part));
  EXPECT_THAT(message, HasSubstr(absl::StrCat("nn_test.cc:", line, ")")));
}

// A function of one float64 vector, at these elements.
std::vector<double> Apply(const std::function<Value(Value)>& f, const std::vector<double>& x) {
  Tape t;
  const Value v = t.Input("x", kFloat64, {static_cast<int64_t>(x.size())});
  return Evaluate(f(v), {{"x", Floats(kFloat64, {static_cast<int64_t>(x.size())}, x)}});
}
// Its derivative there.
std::vector<double> Derive(const std::function<Value(Value)>& f, const std::vector<double>& x) {
  return Apply([&](Value v) { return Gradient(Sum(f(v)), v); }, x);
}

TEST(Softmax, IsTheQuotientOfExponentialsAlongAnyAxis) {
  const Dims dims = {2, 3, 4};
  const std::vector<double> x = Wave(24, 0.1);
  const Dims strides = RowMajorStrides(dims);
  for (int64_t axis : {0, 1, 2, -1, -3}) {
    SCOPED_TRACE(axis);
    const auto at = static_cast<size_t>(axis < 0 ? axis + 3 : axis);
    std::vector<double> p(24), log_p(24);
    for (int64_t i = 0; i < 24; i++) {
      const int64_t start = i - i / strides[at] % dims[at] * strides[at];
      double sum = 0;
      for (int64_t k = 0; k < dims[at]; k++) {
        sum += std::exp(x[static_cast<size_t>(start + k * strides[at])]);
      }
      p[static_cast<size_t>(i)] = std::exp(x[static_cast<size_t>(i)]) / sum;
      log_p[static_cast<size_t>(i)] = x[static_cast<size_t>(i)] - std::log(sum);
    }
    for (DType dtype : {kFloat32, kFloat64}) {
      Tape t;
      const Value v = t.Input("x", dtype, {kRows, 3, 4});
      const NamedArrays inputs = {{"x", Floats(dtype, dims, x)}};
      const double tolerance = dtype == kFloat32 ? 1e-6 : 1e-14;
      ExpectNear(Evaluate(Softmax(v, axis), inputs), p, tolerance);
      ExpectNear(Evaluate(LogSoftmax(v, axis), inputs), log_p, tolerance);
    }
  }
}

TEST(Axes, AreIntegers) {
  static_assert(std::is_convertible_v<int, Axes> && std::is_convertible_v<int64_t, Axes>);
  static_assert(std::is_convertible_v<size_t, Axes>);
  static_assert(!std::is_convertible_v<double, Axes>, "Sum(x, 0.5) was Sum(x, 0)");
  static_assert(!std::is_convertible_v<float, Axes>);
  static_assert(!std::is_convertible_v<bool, Axes>, "keepdims is not an axis");
  EXPECT_EQ(Axes(int32_t{-1}).axes(), std::vector<int64_t>{-1});
  EXPECT_FALSE(Axes(0).all());
}

TEST(LogSumExp, ReducesAnyAxes) {
  const std::vector<double> x = Wave(6, 2);
  std::vector<double> rows(2), all(1), columns(3);
  for (size_t i = 0; i < 6; i++) {
    rows[i / 3] += std::exp(x[i]);
    columns[i % 3] += std::exp(x[i]);
    all[0] += std::exp(x[i]);
  }
  for (auto* sums : {&rows, &all, &columns}) {
    for (double& sum : *sums) sum = std::log(sum);
  }
  Tape t;
  const Value v = t.Input("x", kFloat64, {2, 3});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {2, 3}, x)}};
  ExpectNear(Evaluate(LogSumExp(v), inputs), rows, 1e-14);
  ExpectNear(Evaluate(LogSumExp(v, 0), inputs), columns, 1e-14);
  ExpectNear(Evaluate(LogSumExp(v, {0, 1}), inputs), all, 1e-14);
  EXPECT_EQ(LogSumExp(v, {0, 1}, Keep::kYes).shape(), (Shape{1, 1}));
  EXPECT_EQ(LogSumExp(v, 0, Keep::kYes).shape(), (Shape{1, 3}));
}

TEST(Softmax, StandsLogitsOfAnySizeInBothPrecisions) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape t;
    const Value v = t.Input("x", dtype, {4, 3});
    const NamedArrays inputs = {{"x", Floats(dtype, {4, 3},
                                             {1e4, -1e4, 0,       //
                                              1e30, 1e30, -1e30,  //
                                              -1e4, -1e4, -1e4,   //
                                              -kInf, 0, -kInf})}};
    const double third = 1.0 / 3;
    ExpectNear(Evaluate(Softmax(v), inputs), {1, 0, 0, .5, .5, 0, third, third, third, 0, 1, 0},
               1e-6);
    ExpectNear(Evaluate(LogSumExp(v), inputs), {1e4, 1e30, -1e4 + std::log(3), 0}, 1e-6);
    ExpectNear(Evaluate(LogSoftmax(v), inputs),
               {0, -2e4, -1e4, -std::log(2), -std::log(2), -2e30, -std::log(3), -std::log(3),
                -std::log(3), -kInf, 0, -kInf},
               1e-6);
    const Value weights = t.Constant(Floats(dtype, {4, 3}, Wave(12, 5)));
    for (const Value& y : {Softmax(v) * weights, LogSumExp(v)}) {
      for (double dx : Evaluate(Gradient(Sum(y), v), inputs)) EXPECT_TRUE(std::isfinite(dx));
    }
  }
}

TEST(Softmax, OfARowOfMinusInfinityIsZeroWithoutAGradient) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape t;
    const Value v = t.Input("x", dtype, {2, 2});
    const NamedArrays inputs = {{"x", Floats(dtype, {2, 2}, {-kInf, -kInf, 0, 0})}};
    ExpectNear(Evaluate(Softmax(v), inputs), {0, 0, .5, .5}, 1e-7);
    ExpectNear(Evaluate(LogSumExp(v), inputs), {-kInf, std::log(2)}, 1e-7);
    const double half = -std::log(2);
    ExpectNear(Evaluate(LogSoftmax(v), inputs), {-kInf, -kInf, half, half}, 1e-7);
    const Value first = At(Softmax(v), 1, 0);
    ExpectNear(Evaluate(Gradient(Sum(first), v), inputs), {0, 0, .25, -.25}, 1e-7);
    ExpectNear(Evaluate(Gradient(Sum(LogSumExp(v)), v), inputs), {0, 0, .5, .5}, 1e-7);
  }
}

TEST(Softmax, OfARowWithInfinityIsNan) {
  Tape t;
  const Value v = t.Input("x", kFloat64, {1, 2});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {1, 2}, {kInf, 0})}};
  for (const Value& y : {Softmax(v), LogSoftmax(v), LogSumExp(v)}) {
    for (const double element : Evaluate(y, inputs)) EXPECT_TRUE(std::isnan(element)) << element;
  }
}

TEST(Softmax, GivesNanForNan) {
  Tape t;
  const Value v = t.Input("x", kFloat64, {2, 2});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {2, 2}, {0, kNan, 0, 0})}};
  ExpectNear(Evaluate(Softmax(v), inputs), {kNan, kNan, .5, .5}, 1e-12);
  ExpectNear(Evaluate(LogSumExp(v), inputs), {kNan, std::log(2)}, 1e-12);
}

TEST(Softmax, HasRightFirstAndSecondDerivatives) {
  const NamedArrays at = {{"x", Floats(kFloat64, {2, 3}, Wave(6, 1))}};
  for (int64_t axis : {0, 1}) {
    ExpectGradients([&](const std::vector<Value>& x) { return Softmax(x[0], axis); }, at);
    ExpectGradients([&](const std::vector<Value>& x) { return LogSoftmax(x[0], axis); }, at);
    ExpectGradients([&](const std::vector<Value>& x) { return LogSumExp(x[0], axis); }, at);
  }
  ExpectGradients([&](const std::vector<Value>& x) { return LogSumExp(x[0], {0, 1}); }, at);
}

TEST(LogitsOfSoftmax, FindsTheLogitsOfExactlyASoftmax) {
  Tape t;
  const Value z = t.Input("z", kFloat32, {kRows, 3});
  EXPECT_EQ(LogitsOfSoftmax(Softmax(z)), z);
  EXPECT_EQ(LogitsOfSoftmax(Softmax(z, 1)), z);
  const Value deeper = Tanh(z) / 3 - 1;
  EXPECT_EQ(LogitsOfSoftmax(Softmax(deeper)), deeper);
  EXPECT_EQ(LogitsOfSoftmax(Softmax(Softmax(z))), Softmax(z));
  EXPECT_EQ(LogitsOfSigmoid(Sigmoid(z)), z);
  EXPECT_TRUE(t.status().ok());
}

TEST(LogitsOfSoftmax, FindsNothingInOtherValues) {
  Tape t;
  const Value z = t.Input("z", kFloat32, {kRows, 3}), scalar = t.Input("s", kFloat32, {});
  const Value p = Softmax(z);
  const Value others[] = {z,
                          Softmax(z, 0),
                          p * 1,
                          -p,
                          LogSoftmax(z),
                          Sigmoid(z),
                          Exp(z - 1) / 2,
                          Exp(z - Spread(ReduceMax(z, -1), z.shape(), {1})) / 2,
                          Exp(scalar - 1) / 2,
                          Value()};
  for (const Value& other : others) EXPECT_EQ(LogitsOfSoftmax(other), std::nullopt);
  EXPECT_EQ(LogitsOfSigmoid(p), std::nullopt);
  EXPECT_EQ(LogitsOfSigmoid(Value()), std::nullopt);
  EXPECT_TRUE(t.status().ok());
}

TEST(LogitsOfSoftmax, WorksInTheBodyOfALoop) {
  Tape t;
  const Value w = t.Input("w", kFloat32, {2, 3});
  bool found = false;
  Loop(t, {.trips = 2, .carried = {w}}, [&](LoopBody& body) -> LoopStep {
    const Value z = body.carried[0] * w;
    found = LogitsOfSoftmax(Softmax(z)) == z;
    return {.carried = {Softmax(z)}};
  });
  EXPECT_TRUE(found);
  EXPECT_TRUE(t.status().ok()) << t.status();
}

TEST(Activations, HaveTheirFormulas) {
  const std::vector<double> x = {-30, -2, -1e-6, -0.0, 0, 1e-6, 0.7, 3, 30};
  const auto expect = [&](const std::function<Value(Value)>& f,
                          const std::function<double(double)>& plain) {
    std::vector<double> wanted;
    for (double element : x) wanted.push_back(plain(element));
    ExpectNear(Apply(f, x), wanted, 1e-15);
  };
  expect([](Value v) { return Elu(v); }, [](double v) { return v > 0 ? v : std::expm1(v); });
  expect([](Value v) { return Elu(v, 0.2); },
         [](double v) { return v > 0 ? v : 0.2 * std::expm1(v); });
  expect([](Value v) { return Selu(v); },
         [](double v) {
           return 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * std::expm1(v));
         });
  expect([](Value v) { return LeakyRelu(v); }, [](double v) { return v > 0 ? v : 0.3 * v; });
  expect([](Value v) { return Silu(v); }, [](double v) { return v / (1 + std::exp(-v)); });
  expect([](Value v) { return Gelu(v); },
         [](double v) { return v * 0.5 * (1 + std::erf(v / std::sqrt(2.0))); });
  expect([](Value v) { return Gelu(v, GeluForm::kTanh); },
         [](double v) {
           const double inner = std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v);
           return v * 0.5 * (1 + std::tanh(inner));
         });
}

TEST(Gelu, ItsFormsAreClose) {
  for (double x = -6; x < 6; x += 0.25) {
    // The bound that the header states.
    const double exact = x * 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
    EXPECT_NEAR(Apply([](Value v) { return Gelu(v, GeluForm::kTanh); }, {x})[0], exact, 5e-4);
  }
}

TEST(Activations, HaveRightFirstAndSecondDerivatives) {
  const NamedArrays at = {{"x", Floats(kFloat64, {6}, {-3, -1.2, -0.3, 0.4, 1.1, 2.5})}};
  const std::function<Value(Value)> activations[] = {
      [](Value v) { return Elu(v, 1.3); },
      [](Value v) { return Selu(v); },
      [](Value v) { return LeakyRelu(v, 0.1); },
      [](Value v) { return Gelu(v); },
      [](Value v) { return Gelu(v, GeluForm::kTanh); },
      [](Value v) { return Silu(v); },
      [](Value v) { return Clip(v, -1, 2); },
  };
  for (const auto& f : activations) {
    ExpectGradients([&](const std::vector<Value>& x) { return f(x[0]); }, at);
  }
}

TEST(Activations, HaveFiniteGradientsFarOutAndDefinedOnesAtZero) {
  const std::vector<double> x = {-1e4, 0, 1e4};
  ExpectNear(Derive([](Value v) { return Elu(v, 0.5); }, x), {0, 0.5, 1}, 1e-15);
  constexpr double kScale = 1.0507009873554805, kAlpha = 1.6732632423543772;
  ExpectNear(Derive([](Value v) { return Selu(v); }, x), {0, kScale * kAlpha, kScale}, 1e-15);
  ExpectNear(Derive([](Value v) { return LeakyRelu(v, 0.1); }, x), {0.1, 0.1, 1}, 1e-15);
  ExpectNear(Derive([](Value v) { return Silu(v); }, x), {0, 0.5, 1}, 1e-15);
  ExpectNear(Derive([](Value v) { return Gelu(v); }, x), {0, 0.5, 1}, 1e-15);
  ExpectNear(Derive([](Value v) { return Gelu(v, GeluForm::kTanh); }, x), {0, 0.5, 1}, 1e-15);
}

TEST(Clip, PassesTheGradientInsideAndAtTheBounds) {
  const std::vector<double> x = {-2, -1, 0, 2, 3, -kInf, kInf, kNan};
  ExpectNear(Apply([](Value v) { return Clip(v, -1, 2); }, x), {-1, -1, 0, 2, 2, -1, 2, kNan}, 0);
  ExpectNear(Derive([](Value v) { return Clip(v, -1, 2); }, {-2, -1, 0, 2, 3, -kInf, kInf}),
             {0, 1, 1, 1, 0, 0, 0}, 0);
  Tape t;
  const Value v = t.Input("x", kFloat32, {3});
  const int line = __LINE__ + 1;
  Clip(v, 2, 1);
  ExpectError(t, line, {"clip: float32[3]", "[2, 1] is no interval"});
}

TEST(Linear, IsTheProductPlusTheBias) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {kRows, 2}), w = t.Input("w", kFloat64, {2, 3}),
              b = t.Input("b", kFloat64, {3});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {2, 2}, {1, 2, 3, 4})},
                              {"w", Floats(kFloat64, {2, 3}, {1, 0, -1, 2, 1, 0})},
                              {"b", Floats(kFloat64, {3}, {10, 20, 30})}};
  ExpectNear(Evaluate(Linear(x, w, b), inputs), {15, 22, 29, 21, 24, 27}, 1e-14);
}

TEST(Linear, RefusesShapesThatDoNotFit) {
  const auto error = [](const Shape& x, const Shape& w, const Shape& b, std::string detail) {
    Tape t;
    const Value vx = t.Input("x", kFloat32, x), vw = t.Input("w", kFloat32, w),
                vb = t.Input("b", kFloat32, b);
    const int line = __LINE__ + 1;
    EXPECT_FALSE(Linear(vx, vw, vb).ok());
    ExpectError(t, line, {"linear: ", ToString(x), ToString(w), ToString(b), detail});
  };
  error({kRows, 2}, {3, 50}, {50}, "inner sizes 2 and 3 differ");
  error({kRows, 2}, {2, 50}, {2}, "the bias is not [50]");
  error({kRows, 2}, {2}, {2}, "the kernel [in,out]");
  error({}, {2, 2}, {2}, "x is [..,in]");
}

// (x - mean) / sqrt(variance + epsilon) * gain + bias along the last axis of [rows, width].
std::vector<double> PlainLayerNorm(const std::vector<double>& x, const std::vector<double>& gain,
                                   const std::vector<double>& bias, double epsilon) {
  std::vector<double> y(x.size());
  const size_t width = gain.size();
  for (size_t row = 0; row < x.size(); row += width) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; i++) mean += x[row + i] / static_cast<double>(width);
    for (size_t i = 0; i < width; i++) {
      variance += (x[row + i] - mean) * (x[row + i] - mean) / static_cast<double>(width);
    }
    for (size_t i = 0; i < width; i++) {
      y[row + i] = (x[row + i] - mean) / std::sqrt(variance + epsilon) * gain[i] + bias[i];
    }
  }
  return y;
}

TEST(LayerNorm, NormalisesOverTheLastAxis) {
  const std::vector<double> x = Wave(8, 3), gain = Wave(4, 1), bias = Wave(4, 2);
  Tape t;
  const Value v = t.Input("x", kFloat64, {kRows, 4}), g = t.Input("gain", kFloat64, {4}),
              b = t.Input("bias", kFloat64, {4});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {2, 4}, x)},
                              {"gain", Floats(kFloat64, {4}, gain)},
                              {"bias", Floats(kFloat64, {4}, bias)}};
  ExpectNear(Evaluate(LayerNorm(v, g, b), inputs), PlainLayerNorm(x, gain, bias, kLayerNormEpsilon),
             1e-13);
  ExpectNear(Evaluate(LayerNorm(v, g, b, -1, 0.5), inputs), PlainLayerNorm(x, gain, bias, 0.5),
             1e-13);
}

TEST(LayerNorm, NormalisesOverAnyAxes) {
  // Over the axes 0 and 2 of [2, 3, 2] is over the last axis of [3, 4] after a transposition.
  const std::vector<double> x = Wave(12, 3), gain = Wave(4, 1), bias = Wave(4, 2);
  std::vector<double> moved(12), wanted(12);
  const auto place = [](size_t i) { return i / 2 % 3 * 4 + i / 6 * 2 + i % 2; };
  for (size_t i = 0; i < 12; i++) moved[place(i)] = x[i];
  const std::vector<double> y = PlainLayerNorm(moved, gain, bias, kLayerNormEpsilon);
  for (size_t i = 0; i < 12; i++) wanted[i] = y[place(i)];
  Tape t;
  const Value v = t.Input("x", kFloat64, {2, 3, 2}), g = t.Input("gain", kFloat64, {2, 2}),
              b = t.Input("bias", kFloat64, {2, 2});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {2, 3, 2}, x)},
                              {"gain", Floats(kFloat64, {2, 2}, gain)},
                              {"bias", Floats(kFloat64, {2, 2}, bias)}};
  ExpectNear(Evaluate(LayerNorm(v, g, b, {2, 0}), inputs), wanted, 1e-13);
}

TEST(LayerNorm, HasRightFirstAndSecondDerivatives) {
  ExpectGradients([](const std::vector<Value>& v) { return LayerNorm(v[2], v[1], v[0], -1, 1e-3); },
                  {{"a_bias", Floats(kFloat64, {3}, {0.1, 0.2, 0.3})},
                   {"b_gain", Floats(kFloat64, {3}, {1, -0.5, 2})},
                   {"c_x", Floats(kFloat64, {2, 3}, Wave(6, 4))}},
                  1e-6);
}

TEST(LayerNorm, RefusesGainAndBiasOfAnotherShape) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 4}), g = t.Input("g", kFloat32, {3}),
              b = t.Input("b", kFloat32, {4});
  const int line = __LINE__ + 1;
  LayerNorm(x, g, b);
  ExpectError(
      t, line,
      {"layer_norm: float32[rows,4] x float32[3] x float32[4]", "gain and bias are not [4]"});
}

TEST(LayerNorm, RefusesNumbersForGainAndBias) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 4});
  const int line = __LINE__ + 1;
  LayerNorm(x, 1, 0);
  ExpectError(t, line, {"layer_norm: float32[rows,4] x ?", "a plain number where a Value"});
}

TEST(Dropout, RefusesANumberForItsKey) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 4});
  const int line = __LINE__ + 1;
  Dropout(x, 0.5, 7, true);
  ExpectError(t, line, {"dropout: float32[rows,4] x ?", "a plain number where a Value"});
}

TEST(Dropout, IsTheValueItselfWhereNothingIsDropped) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 4}), key = t.Input("key", kInt64, {});
  EXPECT_EQ(Dropout(x, 0.5, key, false), x);
  EXPECT_EQ(Dropout(x, 0, key, true), x);
}

TEST(Dropout, DropsTheRateAndScalesTheRest) {
  constexpr int64_t kCount = 40000;
  for (double rate : {0.1, 0.5, 0.9}) {
    SCOPED_TRACE(rate);
    std::vector<std::vector<double>> results;
    for (DType dtype : {kFloat32, kFloat64}) {
      for (bool symbolic : {false, true}) {
        Tape t;
        const Value x = t.Input("x", dtype, {kRows, 100}), key = t.Input("key", kInt64, {});
        NamedArrays inputs = {{"x", Floats(dtype, {400, 100}, std::vector<double>(kCount, 3))},
                              {"key", Array(int64_t{7})}};
        Arg by = rate;
        if (symbolic) {
          by = t.Input("rate", dtype, {});
          inputs["rate"] = *Array(rate).Cast(dtype);
        }
        const Value y = Dropout(x, by, key, true);
        std::vector<double> elements = Evaluate(y, inputs);
        const std::vector<double> dx = Evaluate(Gradient(Sum(y), x), inputs);
        ASSERT_EQ(elements.size(), static_cast<size_t>(kCount));
        for (size_t i = 0; i < elements.size(); i++) {
          if (elements[i] != 0) {
            EXPECT_NEAR(elements[i], 3 / (1 - rate), 1e-4);
          }
          EXPECT_NEAR(dx[i], elements[i] / 3, 1e-5);
          elements[i] = elements[i] != 0;
        }
        results.push_back(std::move(elements));
      }
    }
    // One key, one pattern: whatever the precision, and however the rate is given.
    for (const std::vector<double>& kept : results) EXPECT_EQ(kept, results[0]);
    double kept = 0;
    for (double element : results[0]) kept += element;
    // Five standard deviations of a binomial distribution.
    EXPECT_NEAR(kept / kCount, 1 - rate, 5 * std::sqrt(rate * (1 - rate) / kCount));
  }
}

TEST(Dropout, AnotherKeyDropsOthers) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {1000}), key = t.Input("key", kInt64, {});
  const Value one = Dropout(x, 0.5, FoldIn(key, 1), true);
  const Value two = Dropout(x, 0.5, FoldIn(key, 2), true);
  const NamedArrays inputs = {{"x", Floats(kFloat32, {1000}, std::vector<double>(1000, 1))},
                              {"key", Array(int64_t{3})}};
  int64_t differ = 0;
  for (double d : Evaluate(one - two, inputs)) differ += d != 0;
  EXPECT_GT(differ, 400);
  EXPECT_LT(differ, 600);
}

TEST(Dropout, RefusesARateOutsideOfZeroToOne) {
  for (double rate : {-0.1, 1.0, 1.5, kNan}) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {kRows, 4}), key = t.Input("key", kInt64, {});
    const int line = __LINE__ + 1;
    Dropout(x, rate, key, false);
    ExpectError(t, line, {"dropout: float32[rows,4]", "is not in [0, 1)"});
  }
  Tape t;
  const Value x = t.Input("x", kFloat32, {4}), key = t.Input("key", kInt64, {});
  const int line = __LINE__ + 1;
  Dropout(x, x, key, true);
  ExpectError(t, line, {"dropout: float32[4] x float32[4]", "the rate is not a scalar"});
}

TEST(Norm, IsTheRootOfTheSumOfSquares) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2, 2}), y = t.Input("y", kFloat64, {});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {2, 2}, {3, 4, 0, 12})}, {"y", Array(84.0)}};
  ExpectNear(Evaluate(Norm(x), inputs), {13}, 1e-15);
  ExpectNear(Evaluate(Norm(x, -1), inputs), {5, 12}, 1e-15);
  EXPECT_EQ(Norm(x, -1, Keep::kYes).shape(), (Shape{2, 1}));
  ExpectNear(Evaluate(GlobalNorm({x, y}), inputs), {85}, 1e-15);
}

TEST(Norm, OfZerosHasTheGradientZero) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2, 2});
  const NamedArrays inputs = {{"x", Floats(kFloat64, {2, 2}, {0, 0, 3, 4})}};
  ExpectNear(Evaluate(Gradient(Sum(Norm(x, -1)), x), inputs), {0, 0, 0.6, 0.8}, 1e-15);
  ExpectNear(
      Evaluate(Gradient(GlobalNorm({x}), x), {{"x", Floats(kFloat64, {2, 2}, {0, 0, 0, 0})}}),
      {0, 0, 0, 0}, 0);
}

TEST(Composites, RefuseWhatIsNoFloatAndAxesThatDoNotExist) {
  using Function = std::function<Value(Value)>;
  const std::pair<const char*, Function> functions[] = {
      {"softmax", [](Value v) { return Softmax(v); }},
      {"log_softmax", [](Value v) { return LogSoftmax(v); }},
      {"log_sum_exp", [](Value v) { return LogSumExp(v); }},
      {"elu", [](Value v) { return Elu(v); }},
      {"selu", [](Value v) { return Selu(v); }},
      {"leaky_relu", [](Value v) { return LeakyRelu(v); }},
      {"gelu", [](Value v) { return Gelu(v); }},
      {"silu", [](Value v) { return Silu(v); }},
      {"clip", [](Value v) { return Clip(v, 0, 1); }},
      {"norm", [](Value v) { return Norm(v); }},
  };
  for (const auto& [name, function] : functions) {
    Tape t;
    EXPECT_FALSE(function(t.Input("x", kInt32, {kRows, 3})).ok());
    const std::string message(t.status().message());
    EXPECT_THAT(message, HasSubstr(absl::StrCat(name, ": int32[rows,3]: only for floats")));
    EXPECT_THAT(message, HasSubstr("nn_test.cc:"));
  }
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 3});
  const int line = __LINE__ + 1;
  Softmax(x, 2);
  ExpectError(t, line, {"softmax: float32[rows,3]: an axis does not exist"});
  Tape scalar;
  const int scalar_line = __LINE__ + 1;
  LogSumExp(scalar.Input("x", kFloat32, {}));
  ExpectError(scalar, scalar_line, {"log_sum_exp: float32[]: an axis does not exist"});
}

}  // namespace
}  // namespace talweg
