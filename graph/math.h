#ifndef TALWEG_GRAPH_MATH_H_
#define TALWEG_GRAPH_MATH_H_

#include <type_traits>

#include "graph/expr.h"
#include "graph/jet.h"
#include "graph/math_float32.h"
#include "graph/scalar.h"

namespace talweg {

// The elementary functions over any scalar of the alphabet. For float32 they are the formulas of
// graph/math_float32.h, all but pow, which calls the C library, as all of float64 does. Jets carry
// the derivative along.

namespace internal {

// The float32 formula where the scalar is a float32 (a Number says so by its type, an Expr when it
// runs), else the library's function.
template <ScalarLike S, typename Formula>
S FormulaOrCall(const S& x, Formula formula, Function function) {
  if constexpr (std::is_same_v<S, Number<float>>) {
    return formula(x);
  } else if constexpr (std::is_same_v<S, Expr>) {
    return IsFloat32(x) ? formula(x) : Call(function, x);
  } else {
    return Call(function, x);
  }
}

// f(x)' = slope x'
template <typename S>
Jet<S> Chain(const Jet<S>& x, const S& value, const S& slope) {
  return {value, slope * x.derivative()};
}

}  // namespace internal

template <ScalarLike S>
S Exp(const S& x) {
  return internal::FormulaOrCall(x, [](const auto& a) { return float32::Exp(a); }, Function::kExp);
}
// The same for x <= 0.
template <ScalarLike S>
S ExpOfNotPositive(const S& x) {
  return internal::FormulaOrCall(
      x, [](const auto& a) { return float32::Exp<float32::Range::kNotPositive>(a); },
      Function::kExp);
}
template <ScalarLike S>
S Log(const S& x) {
  return internal::FormulaOrCall(x, [](const auto& a) { return float32::Log(a); }, Function::kLog);
}
// The same for x >= 1.
template <ScalarLike S>
S LogOfAtLeastOne(const S& x) {
  return internal::FormulaOrCall(
      x, [](const auto& a) { return float32::Log<float32::Range::kAtLeastOne>(a); },
      Function::kLog);
}
template <ScalarLike S>
S Tanh(const S& x) {
  return internal::FormulaOrCall(
      x, [](const auto& a) { return float32::Tanh(a); }, Function::kTanh);
}
template <ScalarLike S>
S Sin(const S& x) {
  return internal::FormulaOrCall(x, [](const auto& a) { return float32::Sin(a); }, Function::kSin);
}
template <ScalarLike S>
S Cos(const S& x) {
  return internal::FormulaOrCall(x, [](const auto& a) { return float32::Cos(a); }, Function::kCos);
}
template <ScalarLike S>
S Erf(const S& x) {
  return internal::FormulaOrCall(x, [](const auto& a) { return float32::Erf(a); }, Function::kErf);
}
template <ScalarLike S>
S Expm1(const S& x) {
  return internal::FormulaOrCall(
      x, [](const auto& a) { return float32::Expm1(a); }, Function::kExpm1);
}
template <ScalarLike S>
S Log1p(const S& x) {
  return internal::FormulaOrCall(
      x, [](const auto& a) { return float32::Log1p(a); }, Function::kLog1p);
}
template <ScalarLike S>
S Pow(const S& x, const S& y) {
  return Call(Function::kPow, x, y);
}

// 1 / (1 + e^-|x|) for x >= 0 and e^-|x| / (1 + e^-|x|) below: never inf / inf, and no digits are
// lost where it is small.
template <ScalarLike S>
S Sigmoid(const S& x) {
  const S e = ExpOfNotPositive(-Abs(x));
  return Select(Less(x, 0.0), e, Like(x, 1.0)) / (1.0 + e);
}
// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
template <ScalarLike S>
S Softplus(const S& x) {
  return Max(x, Like(x, 0.0)) + Log1p(ExpOfNotPositive(-Abs(x)));
}
// -1, 0 or 1; 0 for both zeros, NaN for NaN.
template <ScalarLike S>
S Sign(const S& x) {
  const S zero_or_nan = Select(Equal(x, 0.0), Like(x, 0.0), x);
  const S not_above = Select(Less(x, 0.0), Like(x, -1.0), zero_or_nan);
  return Select(Greater(x, 0.0), Like(x, 1.0), not_above);
}

// (e^x)' = e^x
template <typename S>
Jet<S> Exp(const Jet<S>& x) {
  const S y = Exp(x.value());
  return internal::Chain(x, y, y);
}
template <typename S>
Jet<S> ExpOfNotPositive(const Jet<S>& x) {
  const S y = ExpOfNotPositive(x.value());
  return internal::Chain(x, y, y);
}
// (e^x - 1)' = e^x
template <typename S>
Jet<S> Expm1(const Jet<S>& x) {
  return internal::Chain(x, Expm1(x.value()), Exp(x.value()));
}
// (log x)' = 1 / x
template <typename S>
Jet<S> Log(const Jet<S>& x) {
  return internal::Chain(x, Log(x.value()), 1.0 / x.value());
}
template <typename S>
Jet<S> LogOfAtLeastOne(const Jet<S>& x) {
  return internal::Chain(x, LogOfAtLeastOne(x.value()), 1.0 / x.value());
}
// (log(1 + x))' = 1 / (1 + x)
template <typename S>
Jet<S> Log1p(const Jet<S>& x) {
  return internal::Chain(x, Log1p(x.value()), 1.0 / (1.0 + x.value()));
}
// (sin x)' = cos x
template <typename S>
Jet<S> Sin(const Jet<S>& x) {
  return internal::Chain(x, Sin(x.value()), Cos(x.value()));
}
// (cos x)' = -sin x
template <typename S>
Jet<S> Cos(const Jet<S>& x) {
  return internal::Chain(x, Cos(x.value()), -Sin(x.value()));
}
// (tanh x)' = 1 - tanh^2 x
template <typename S>
Jet<S> Tanh(const Jet<S>& x) {
  const S y = Tanh(x.value());
  return internal::Chain(x, y, 1.0 - y * y);
}
// (sigmoid x)' = sigmoid x (1 - sigmoid x)
template <typename S>
Jet<S> Sigmoid(const Jet<S>& x) {
  const S y = Sigmoid(x.value());
  return internal::Chain(x, y, y * (1.0 - y));
}
// (softplus x)' = sigmoid x
template <typename S>
Jet<S> Softplus(const Jet<S>& x) {
  return internal::Chain(x, Softplus(x.value()), Sigmoid(x.value()));
}
// (erf x)' = 2 / sqrt(pi) e^(-x^2)
template <typename S>
Jet<S> Erf(const Jet<S>& x) {
  constexpr double kTwoOverSqrtPi = 1.1283791670955126;
  return internal::Chain(x, Erf(x.value()), kTwoOverSqrtPi * Exp(-(x.value() * x.value())));
}
template <typename S>
Jet<S> Sign(const Jet<S>& x) {
  return {Sign(x.value()), S(0.0)};
}
// (x^y)' = y x^(y-1) x' + x^y log(x) y'. By x it is 0 where y is 0; by y where x is not positive.
template <typename S>
Jet<S> Pow(const Jet<S>& x, const Jet<S>& y) {
  const S& a = x.value();
  const S& b = y.value();
  const S power = Pow(a, b);
  const S base = Select(And(Equal(b, 0.0), Less(Abs(a), 0x1p-1022)), S(1.0), a);
  const S by_x = b * Pow(base, b - 1.0);
  const S by_y = power * Log(Select(LessEqual(a, 0.0), S(1.0), a));
  // A constant exponent must not bring in an infinite power.
  const S second = Select(Equal(y.derivative(), 0.0), S(0.0), by_y * y.derivative());
  return {power, by_x * x.derivative() + second};
}

}  // namespace talweg

#endif  // TALWEG_GRAPH_MATH_H_
