#ifndef TALWEG_GRAPH_SCALAR_H_
#define TALWEG_GRAPH_SCALAR_H_

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "base/convert.h"
#include "graph/functions.h"

namespace talweg {

// The scalar alphabet: the few operations from which every elementwise formula is written, once,
// over a generic scalar S.
//
//   template <typename S>
//   S Logistic(const S& x) { return 1.0 / (1.0 + Exp(-x)); }
//
//   Logistic(Number<float>(0.5f)).raw()       // runs: interpreter, constants
//   Logistic(Jet<Number<double>>(0.5, 1.0))   // value and derivative: the oracle (graph/jet.h)
//   Logistic(program.Input(kFloat32))         // records a program for the JIT (graph/expr.h)
//
// Number<T> is the scalar that runs. It wraps float, double, int32_t, int64_t or bool, and costs
// nothing: each operation is the machine's instruction, and loops of them vectorise. It defines
// what an operation means, to the bit, for every other engine:
//
//     + - * /  unary -     floats: IEEE 754, to nearest. Integers wrap; x / 0 = 0, and division
//                          truncates.
//     Fma(a, b, c)         a * b + c with one rounding (integers: wrapping).
//     Sqrt Abs Floor Ceil  IEEE 754. Abs of the least integer is itself.
//     RoundEven            to the nearest integer, ties to the even one.
//     Min Max              NaN if either is NaN; -0 < +0, so both are associative and commutative.
//     Less ... NotEqual    Number<bool>; false with a NaN, but for NotEqual.
//     And Or Xor Not       logical for bool, bitwise for integers.
//     Select(mask, a, b)   a where the mask is true. Both are computed.
//     BitcastToInt(x)      the same bits as the integer of the same width;
//     BitcastToFloat(i)    the float of the same width.
//     ShiftLeft(i, k)      by 0 <= k < width bits.
//     ShiftRight(i, k)     likewise; keeps the sign.
//     Convert<To>(x)       base/convert.h: saturates, NaN to 0.
//     Call(Function, x)    a function of the C library.
//
// C++ numbers convert to the scalar they meet, so `1.0 - y * y` stays in float where y is one. In a
// place where there is none to meet (both branches of a Select), Like(x, 1.0) makes one.
template <typename T>
class Number {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> ||
                std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t> ||
                std::is_same_v<T, bool>);
  static constexpr bool kFloat = std::is_floating_point_v<T>;
  static constexpr bool kBits = std::is_integral_v<T>;
  static constexpr bool kInteger = kBits && !std::is_same_v<T, bool>;
  static constexpr bool kNumeric = kFloat || kInteger;
  using Mask = Number<bool>;
  // Unsigned arithmetic is what wraps without undefined behaviour.
  using Unsigned =
      typename std::conditional_t<kInteger, std::make_unsigned<T>, std::type_identity<T>>::type;

 public:
  using Raw = T;

  constexpr Number() : raw_() {}
  // Truth values do not mix with numbers.
  template <typename U>
    requires(std::is_arithmetic_v<U> && std::is_same_v<U, bool> == std::is_same_v<T, bool>)
  constexpr Number(U value) : raw_(ConvertElement<T>(value)) {}  // NOLINT: literals in formulas

  constexpr T raw() const { return raw_; }

  friend constexpr Number operator+(Number a, Number b)
    requires kNumeric
  {
    return static_cast<T>(static_cast<Unsigned>(a.raw_) + static_cast<Unsigned>(b.raw_));
  }
  friend constexpr Number operator-(Number a, Number b)
    requires kNumeric
  {
    return static_cast<T>(static_cast<Unsigned>(a.raw_) - static_cast<Unsigned>(b.raw_));
  }
  friend constexpr Number operator*(Number a, Number b)
    requires kNumeric
  {
    return static_cast<T>(static_cast<Unsigned>(a.raw_) * static_cast<Unsigned>(b.raw_));
  }
  friend constexpr Number operator/(Number a, Number b)
    requires kNumeric
  {
    if constexpr (kInteger) {
      if (b.raw_ == 0) return T{0};
      if (b.raw_ == -1) return -a;
    }
    return a.raw_ / b.raw_;
  }
  friend constexpr Number operator-(Number a)
    requires kNumeric
  {
    if constexpr (kFloat) return -a.raw_;
    return Number() - a;
  }
  friend constexpr Number Fma(Number a, Number b, Number c)
    requires kNumeric
  {
    if constexpr (std::is_same_v<T, float>) return __builtin_fmaf(a.raw_, b.raw_, c.raw_);
    if constexpr (std::is_same_v<T, double>) return __builtin_fma(a.raw_, b.raw_, c.raw_);
    return a * b + c;
  }

  friend constexpr Number Sqrt(Number a)
    requires kFloat
  {
    return std::sqrt(a.raw_);
  }
  friend constexpr Number Abs(Number a)
    requires kNumeric
  {
    if constexpr (kFloat) return std::fabs(a.raw_);
    return a.raw_ < 0 ? -a : a;
  }
  friend constexpr Number Floor(Number a)
    requires kFloat
  {
    return std::floor(a.raw_);
  }
  friend constexpr Number Ceil(Number a)
    requires kFloat
  {
    return std::ceil(a.raw_);
  }
  // rint follows the thread's rounding mode, which is never changed here.
  friend constexpr Number RoundEven(Number a)
    requires kFloat
  {
    return std::rint(a.raw_);
  }

  friend constexpr Mask Less(Number a, Number b) { return a.raw_ < b.raw_; }
  friend constexpr Mask LessEqual(Number a, Number b) { return a.raw_ <= b.raw_; }
  friend constexpr Mask Greater(Number a, Number b) { return a.raw_ > b.raw_; }
  friend constexpr Mask GreaterEqual(Number a, Number b) { return a.raw_ >= b.raw_; }
  friend constexpr Mask Equal(Number a, Number b) { return a.raw_ == b.raw_; }
  friend constexpr Mask NotEqual(Number a, Number b) { return a.raw_ != b.raw_; }

  friend constexpr Number Select(Mask mask, Number a, Number b) {
    return mask.raw() ? a.raw_ : b.raw_;
  }

  // Of two zeros, the bits decide: AND of the signs gives +0 to Max, OR gives -0 to Min. The sum is
  // the NaN where neither is less, equal or greater.
  friend constexpr Number Max(Number a, Number b) {
    if constexpr (kFloat) {
      const Number equal = BitcastToFloat(And(BitcastToInt(a), BitcastToInt(b)));
      return Select(Greater(a, b), a, Select(Less(a, b), b, Select(Equal(a, b), equal, a + b)));
    }
    return a.raw_ > b.raw_ ? a : b;
  }
  friend constexpr Number Min(Number a, Number b) {
    if constexpr (kFloat) {
      const Number equal = BitcastToFloat(Or(BitcastToInt(a), BitcastToInt(b)));
      return Select(Less(a, b), a, Select(Greater(a, b), b, Select(Equal(a, b), equal, a + b)));
    }
    return a.raw_ < b.raw_ ? a : b;
  }

  friend constexpr Number And(Number a, Number b)
    requires kBits
  {
    return static_cast<T>(a.raw_ & b.raw_);
  }
  friend constexpr Number Or(Number a, Number b)
    requires kBits
  {
    return static_cast<T>(a.raw_ | b.raw_);
  }
  friend constexpr Number Xor(Number a, Number b)
    requires kBits
  {
    return static_cast<T>(a.raw_ ^ b.raw_);
  }
  friend constexpr Number Not(Number a)
    requires kBits
  {
    if constexpr (kInteger) return ~a.raw_;
    return static_cast<T>(!a.raw_);
  }
  friend constexpr Number ShiftLeft(Number a, int bits)
    requires kInteger
  {
    return static_cast<T>(static_cast<Unsigned>(a.raw_) << bits);
  }
  friend constexpr Number ShiftRight(Number a, int bits)
    requires kInteger
  {
    return static_cast<T>(a.raw_ >> bits);
  }

  friend constexpr auto BitcastToInt(Number a)
    requires kFloat
  {
    using Int = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
    return Number<Int>(std::bit_cast<Int>(a.raw_));
  }
  friend constexpr auto BitcastToFloat(Number a)
    requires kInteger
  {
    using Float = std::conditional_t<sizeof(T) == 4, float, double>;
    return Number<Float>(std::bit_cast<Float>(a.raw_));
  }

  friend Number Call(Function function, Number a)
    requires kFloat
  {
    if constexpr (std::is_same_v<T, float>)
      return InfoOf(function).float_unary(a.raw_);
    else
      return InfoOf(function).unary(a.raw_);
  }
  friend Number Call(Function function, Number a, Number b)
    requires kFloat
  {
    if constexpr (std::is_same_v<T, float>)
      return InfoOf(function).float_binary(a.raw_, b.raw_);
    else
      return InfoOf(function).binary(a.raw_, b.raw_);
  }

  // Whether formulas for float32 apply (graph/math.h); known when compiled.
  friend constexpr bool IsFloat32(Number) { return std::is_same_v<T, float>; }
  // A number of this scalar's type.
  friend constexpr Number Like(Number, double value)
    requires kNumeric
  {
    return value;
  }

 private:
  T raw_;
};

template <typename To, typename T>
constexpr Number<To> Convert(Number<T> x) {
  return ConvertElement<To>(x.raw());
}

// What formulas are templates over: specialised by each scalar, so that functions of other types
// (Value has an Exp too) stay apart.
template <typename S>
inline constexpr bool kIsScalar = false;
template <typename T>
inline constexpr bool kIsScalar<Number<T>> = true;

template <typename S>
concept ScalarLike = kIsScalar<S>;

}  // namespace talweg

#endif  // TALWEG_GRAPH_SCALAR_H_
