#ifndef TALWEG_GRAPH_JET_H_
#define TALWEG_GRAPH_JET_H_

#include <type_traits>

#include "graph/scalar.h"

namespace talweg {

// A value and its derivative in one direction: forward differentiation, over the scalar alphabet.
// It is the oracle that derivatives of ops are tested against.
//
//   Jet<Number<double>> x(0.5, 1.0);                    // the variable itself: dx/dx = 1
//   (x * x * x).derivative().raw();                     // 0.75
//
// Jets nest: with x = Jet<Jet<Number<double>>>(Jet(0.5, 1.0), Jet(1.0, 0.0)), the derivative of the
// derivative is the second derivative. Elementary functions are in graph/math.h.
//
// Where a function has no derivative: abs 0 has 0, sqrt 0 has 0, equal operands of Min and Max
// have half of each one's, steps (Floor, Ceil, RoundEven) have 0.
template <typename S>
class Jet {
 public:
  constexpr Jet() = default;
  constexpr Jet(S value, S derivative) : value_(value), derivative_(derivative) {}
  // A constant.
  template <typename U>
    requires std::is_arithmetic_v<U>
  constexpr Jet(U value) : value_(value), derivative_(0.0) {}  // NOLINT: literals in formulas

  constexpr const S& value() const { return value_; }
  constexpr const S& derivative() const { return derivative_; }

  friend constexpr Jet operator+(const Jet& a, const Jet& b) {
    return {a.value_ + b.value_, a.derivative_ + b.derivative_};
  }
  friend constexpr Jet operator-(const Jet& a, const Jet& b) {
    return {a.value_ - b.value_, a.derivative_ - b.derivative_};
  }
  friend constexpr Jet operator-(const Jet& a) { return {-a.value_, -a.derivative_}; }
  // (a b)' = a' b + a b'
  friend constexpr Jet operator*(const Jet& a, const Jet& b) {
    return {a.value_ * b.value_, a.derivative_ * b.value_ + a.value_ * b.derivative_};
  }
  // (a / b)' = (a' - (a / b) b') / b
  friend constexpr Jet operator/(const Jet& a, const Jet& b) {
    const S quotient = a.value_ / b.value_;
    return {quotient, (a.derivative_ - quotient * b.derivative_) / b.value_};
  }
  friend constexpr Jet Fma(const Jet& a, const Jet& b, const Jet& c) {
    return {Fma(a.value_, b.value_, c.value_),
            a.derivative_ * b.value_ + a.value_ * b.derivative_ + c.derivative_};
  }

  // (sqrt a)' = a' / (2 sqrt a)
  friend constexpr Jet Sqrt(const Jet& a) {
    const S root = Sqrt(a.value_);
    const auto zero = Equal(root, 0.0);
    const S slope = 0.5 / Select(zero, S(1.0), root);
    return {root, Select(zero, S(0.0), slope * a.derivative_)};
  }
  // |a|' = sign(a) a'
  friend constexpr Jet Abs(const Jet& a) {
    const S below = Select(Less(a.value_, 0.0), -a.derivative_, S(0.0));
    return {Abs(a.value_), Select(Greater(a.value_, 0.0), a.derivative_, below)};
  }
  friend constexpr Jet Floor(const Jet& a) { return {Floor(a.value_), S(0.0)}; }
  friend constexpr Jet Ceil(const Jet& a) { return {Ceil(a.value_), S(0.0)}; }
  friend constexpr Jet RoundEven(const Jet& a) { return {RoundEven(a.value_), S(0.0)}; }

  friend constexpr auto Less(const Jet& a, const Jet& b) { return Less(a.value_, b.value_); }
  friend constexpr auto LessEqual(const Jet& a, const Jet& b) {
    return LessEqual(a.value_, b.value_);
  }
  friend constexpr auto Greater(const Jet& a, const Jet& b) { return Greater(a.value_, b.value_); }
  friend constexpr auto GreaterEqual(const Jet& a, const Jet& b) {
    return GreaterEqual(a.value_, b.value_);
  }
  friend constexpr auto Equal(const Jet& a, const Jet& b) { return Equal(a.value_, b.value_); }
  friend constexpr auto NotEqual(const Jet& a, const Jet& b) {
    return NotEqual(a.value_, b.value_);
  }

  friend constexpr Jet Select(Number<bool> mask, const Jet& a, const Jet& b) {
    return {Select(mask, a.value_, b.value_), Select(mask, a.derivative_, b.derivative_)};
  }
  friend constexpr Jet Max(const Jet& a, const Jet& b) {
    return {Max(a.value_, b.value_), Pick(Greater(a, b), Less(a, b), a, b)};
  }
  friend constexpr Jet Min(const Jet& a, const Jet& b) {
    return {Min(a.value_, b.value_), Pick(Less(a, b), Greater(a, b), a, b)};
  }

  friend constexpr Jet Like(const Jet&, double value) { return value; }

 private:
  // The derivative of the one that was chosen; of a tie, half of both.
  static constexpr S Pick(Number<bool> first, Number<bool> second, const Jet& a, const Jet& b) {
    const S tie = 0.5 * (a.derivative_ + b.derivative_);
    return Select(first, a.derivative_, Select(second, b.derivative_, tie));
  }

  S value_, derivative_;
};

template <typename S>
inline constexpr bool kIsScalar<Jet<S>> = true;

}  // namespace talweg

#endif  // TALWEG_GRAPH_JET_H_
