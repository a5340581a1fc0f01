#ifndef TALWEG_GRAPH_MATH_FLOAT32_H_
#define TALWEG_GRAPH_MATH_FLOAT32_H_

#include <limits>

#include "graph/scalar.h"

namespace talweg::float32 {

// The elementary functions for float32 as formulas over the scalar alphabet: straight lines of fma,
// bit casts and selects, without a branch, a table or a call. So an interpreter's loop, generated
// code, and every instruction set and vector width give the same bits, and loops vectorise.
//
// Methods are the textbook ones (Muller, "Elementary Functions", 3rd ed.): reduction of the
// argument, then a minimax polynomial. Coefficients are our own: tools/fit_float32.py fits them for
// least relative error, rounding one after the other. The errors below were measured over all 2^32
// floats against the C library's double (tests/graph/math_test.cc; a unit in the last place is that
// of the exact result).
//
//   function   greatest error   near       besides
//   exp        1.02 ulp          59.3       overflows to inf, underflows gradually to 0
//   expm1      1.47 ulp          0.38
//   log        0.86 ulp          1.40       log 0 = -inf, log of a negative number = NaN
//   log1p      1.44 ulp          -9e-8      log1p -1 = -inf
//   tanh       1.47 ulp          0.55
//   erf        1.10 ulp          1.06
//   sin, cos   0.51 ulp          0.004      for every finite float; NaN for infinities
//
// What graph/math.h makes of these: sigmoid 2.41 ulp, softplus 2.12 ulp.
//
// A NaN gives a NaN; odd functions keep the sign of zero.

// x = k ln 2 + r with k = round(x / ln 2), |r| <= ln 2 / 2: e^r - 1 = r + r^2 q(r), and k where a
// float has its exponent.
template <typename S, typename I>
struct ReducedExp {
  I exponent;
  S less_one;
};
inline constexpr int kMantissaBits = 23, kBias = 127;

template <ScalarLike S>
auto ReduceExp(const S& x) {
  // Adding 1.5 * 2^23 leaves no bits for a fraction: the sum is rounded to an integer, which stands
  // in the low bits. Shifted to the exponent, only they are left.
  const S shifted = Fma(x, Like(x, 0x1.715476p+0), Like(x, 0x1.8p+23));
  const S n = shifted - 0x1.8p+23;
  const auto exponent = ShiftLeft(BitcastToInt(shifted), kMantissaBits);
  // ln 2 in two parts; the first product is exact in the fma.
  S r = Fma(n, Like(x, -0x1.62e430p-1), x);
  r = Fma(n, Like(x, 0x1.05c610p-29), r);
  S q = Like(x, 0x1.6ac144p-10);
  q = Fma(q, r, Like(x, 0x1.123da6p-7));
  q = Fma(q, r, Like(x, 0x1.555858p-5));
  q = Fma(q, r, Like(x, 0x1.55548cp-3));
  q = Fma(q, r, Like(x, 0x1.fffffcp-2));
  const S less_one = Fma(r * r, q, r);
  return ReducedExp<S, decltype(exponent + 0)>{exponent, less_one};
}

// What is known of an argument.
enum class Range { kAll, kNotPositive, kNotNegative, kAtLeastOne };

// e^x = 2^k e^r; the same bits with less work where the sign of x is known.
template <Range range = Range::kAll, ScalarLike S>
S Exp(const S& x) {
  // Beyond these, e^x is inf or rounds to 0.
  S c = x;
  if constexpr (range != Range::kNotPositive) c = Select(Greater(c, 89.0), Like(x, 89.0), c);
  if constexpr (range != Range::kNotNegative) c = Select(Less(c, -104.0), Like(x, -104.0), c);
  const auto [exponent, less_one] = ReduceExp(c);
  const S y = less_one + 1.0;
  // 2^k in two factors, 2^(k + 32) 2^-32 or 2^(k - 32) 2^32: denormal results are rounded once, and
  // the largest do not overflow.
  constexpr int32_t kMore = (kBias + 32) << kMantissaBits, kLess = (kBias - 32) << kMantissaBits;
  if constexpr (range == Range::kNotPositive) {
    return y * BitcastToFloat(exponent + kMore) * 0x1p-32;
  } else if constexpr (range == Range::kNotNegative) {
    return y * BitcastToFloat(exponent + kLess) * 0x1p+32;
  } else {
    const auto negative = Less(c, 0.0);
    const auto to = Select(negative, Like(exponent, kMore), Like(exponent, kLess));
    const S back = Select(negative, Like(x, 0x1p-32), Like(x, 0x1p+32));
    return y * BitcastToFloat(exponent + to) * back;
  }
}

// e^x - 1 = 2 (2^(k-1) (e^r - 1) + (2^(k-1) - 1/2)), halved because 2^128 is no float.
template <ScalarLike S>
S Expm1(const S& x) {
  // e^-18 - 1 rounds to -1.
  S c = Select(Greater(x, 89.0), Like(x, 89.0), x);
  c = Select(Less(c, -18.0), Like(x, -18.0), c);
  const auto [exponent, less_one] = ReduceExp(c);
  const S scale = BitcastToFloat(exponent + ((kBias - 1) << kMantissaBits));
  const S half = Fma(scale, less_one, scale - 0.5);
  // Below, e^x - 1 rounds to x, whose sign of zero and whose denormal bits would be lost.
  return Select(Less(Abs(x), 0x1p-25), x, half + half);
}

// log x = k ln 2 + log(1 + f) with x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt 2,
// and log(1 + f) = f - f^2/2 + f^3 p(f); the same bits with less work where x >= 1 is known.
template <Range range = Range::kAll, ScalarLike S>
S Log(const S& x) {
  constexpr bool kIsLarge = range == Range::kAtLeastOne;
  constexpr double kInf = std::numeric_limits<double>::infinity();
  S scaled = x, more = Like(x, 0.0);
  if constexpr (!kIsLarge) {
    const auto denormal = Less(x, 0x1p-126);
    scaled = Select(denormal, x * 0x1p+23, x);
    more = Select(denormal, Like(x, -23.0), Like(x, 0.0));
  }
  // 0x3f3504f3 is sqrt(1/2): taking it from the bits makes the exponent's field k.
  const auto bits = BitcastToInt(scaled) - 0x3f3504f3;
  S k = Convert<float>(ShiftRight(bits, 23));
  if constexpr (!kIsLarge) k = k + more;
  const S f = BitcastToFloat(And(bits, 0x007fffff) + 0x3f3504f3) - 1.0;
  S p = Like(x, -0x1.38c912p-4);
  p = Fma(p, f, Like(x, 0x1.055e62p-3));
  p = Fma(p, f, Like(x, -0x1.0d8232p-3));
  p = Fma(p, f, Like(x, 0x1.22d936p-3));
  p = Fma(p, f, Like(x, -0x1.54728cp-3));
  p = Fma(p, f, Like(x, 0x1.99a01cp-3));
  p = Fma(p, f, Like(x, -0x1.000226p-2));
  p = Fma(p, f, Like(x, 0x1.555554p-2));
  const S z = f * f;
  S h = Fma(z, f * p, k * -0x1.05c610p-29);
  h = Fma(z, Like(x, -0.5), h);
  S y = Fma(k, Like(x, 0x1.62e430p-1), f + h);
  y = Select(Less(x, kInf), y, x);
  if constexpr (kIsLarge) return y;
  y = Select(Less(x, 0.0), Like(x, std::numeric_limits<double>::quiet_NaN()), y);
  return Select(Equal(x, 0.0), Like(x, -kInf), y);
}

// log(1 + x) = log u + (x - (u - 1)) / u with u = 1 + x rounded: the quotient makes up for what the
// rounding took away.
template <ScalarLike S>
S Log1p(const S& x) {
  const S u = x + 1.0;
  const S y = float32::Log(u);
  const S correction = (x - (u - 1.0)) / u;
  const auto regular = And(Greater(u, 0.0), Less(u, std::numeric_limits<double>::infinity()));
  // Where u is 1, log(1 + x) rounds to x.
  return Select(Equal(u, 1.0), x, Select(regular, y + correction, y));
}

// `magnitude`, which is not negative, with the sign of `x`.
template <ScalarLike S>
S WithSignOf(const S& x, const S& magnitude) {
  const auto sign = And(BitcastToInt(x), std::numeric_limits<int32_t>::min());
  return BitcastToFloat(Or(BitcastToInt(magnitude), sign));
}

// tanh a = a + a^3 p(a^2) for a = |x| < 0.55, and 1 - 2 / (e^(2a) + 1) beyond, where the error of
// the quotient is halved at least.
template <ScalarLike S>
S Tanh(const S& x) {
  const S a = Abs(x);
  const S z = a * a;
  S p = Like(x, -0x1.9921a0p-8);
  p = Fma(p, z, Like(x, 0x1.58e518p-6));
  p = Fma(p, z, Like(x, -0x1.b91e7ep-5));
  p = Fma(p, z, Like(x, 0x1.110ceep-3));
  p = Fma(p, z, Like(x, -0x1.55554ap-2));
  const S small = Fma(a, z * p, a);
  const S large = 1.0 - 2.0 / (float32::Exp<Range::kNotNegative>(a + a) + 1.0);
  return WithSignOf(x, Select(Less(a, 0.55), small, large));
}

// erf a = a + a p(a^2) for a = |x| < 1, and 1 - e^-q(a) beyond, with q = -log(1 - erf).
template <ScalarLike S>
S Erf(const S& x) {
  const S a = Abs(x);
  const S z = a * a;
  S p = Like(x, 0x1.4771fcp-14);
  p = Fma(p, z, Like(x, -0x1.a3515ep-11));
  p = Fma(p, z, Like(x, 0x1.53f224p-8));
  p = Fma(p, z, Like(x, -0x1.b7f71ap-6));
  p = Fma(p, z, Like(x, 0x1.ce2ce6p-4));
  p = Fma(p, z, Like(x, -0x1.81273ep-2));
  p = Fma(p, z, Like(x, 0x1.06eba8p-3));
  const S small = Fma(a, p, a);
  // erf 4 rounds to 1.
  const S b = Select(Greater(a, 4.0), Like(x, 4.0), a);
  S q = Like(x, -0x1.86dc80p-13);
  q = Fma(q, b, Like(x, 0x1.825a3ep-9));
  q = Fma(q, b, Like(x, -0x1.65cb1cp-6));
  q = Fma(q, b, Like(x, 0x1.a6531ap-4));
  q = Fma(q, b, Like(x, 0x1.46baf0p-1));
  q = Fma(q, b, Like(x, 0x1.2088eap+0));
  q = Fma(q, b, Like(x, 0x1.661d4ep-12));
  const S large = 1.0 - float32::Exp<Range::kNotPositive>(-q);
  return WithSignOf(x, Select(Less(a, 1.0), small, large));
}

// What x / pi leaves: x / pi = n + shift + r (shift is 0 for the sine, 1/2 for the cosine), |r| a
// little above 1/2 at most; `odd` says whether n is. In float64, D is the float64 scalar.
template <typename D, typename Mask>
struct HalfTurns {
  D r;
  Mask odd;
};

// 1/pi is cut into parts of 27 bits, so that the product of a part and a float is exact in float64
// (Payne and Hanek's reduction without integers). Parts whose product is a multiple of 2 do not
// matter, later ones are too small to: four parts do, from the first whose product is below 2^51.
template <typename D>
auto ReduceToHalfTurn(const D& x, double shift) {
  const D a = Abs(x);
  const auto in0 = Less(a, 0x1p+52), in1 = Less(a, 0x1p+79), in2 = Less(a, 0x1p+106);
  const auto pick = [&](double p0, double p1, double p2, double p3) {
    const D far = Select(in2, Like(x, p2), Like(x, p3));
    return Select(in0, Like(x, p0), Select(in1, Like(x, p1), far));
  };
  constexpr double kParts[] = {0x1.45f306cp-2,   0x1.c9c8828p-30,  0x1.29fc270p-57, 0x1.5f47d4cp-83,
                               0x1.3770368p-111, 0x1.6295990p-137, 0x1.e21c820p-164};
  const D c0 = pick(kParts[0], kParts[1], kParts[2], kParts[3]);
  const D c1 = pick(kParts[1], kParts[2], kParts[3], kParts[4]);
  const D c2 = pick(kParts[2], kParts[3], kParts[4], kParts[5]);
  const D c3 = pick(kParts[3], kParts[4], kParts[5], kParts[6]);
  // Each difference is exact, or its error is far below the last place of the result.
  const D product = x * c0;
  const D n0 = RoundEven(product - shift);
  const D s = Fma(x, c1, product - (n0 + shift));
  const D n1 = RoundEven(s);
  const D r = Fma(x, c3, Fma(x, c2, s - n1));
  const D n = n0 + n1;
  const auto odd = NotEqual(n, 2.0 * RoundEven(0.5 * n));
  return HalfTurns<D, decltype(odd)>{r, odd};
}

// sin(pi r) = r s(r^2), |r| <= 0.64, in float64 to 31 bits.
template <typename D>
D SinHalfTurn(const D& r) {
  const D z = r * r;
  D s = Like(r, -0x1.bdab359628946p-8);
  s = Fma(s, z, Like(r, 0x1.4f5d637e4ec89p-4));
  s = Fma(s, z, Like(r, -0x1.32caf85912336p-1));
  s = Fma(s, z, Like(r, 0x1.466b937f68737p+1));
  s = Fma(s, z, Like(r, -0x1.4abbcd6a870d8p+2));
  s = Fma(s, z, Like(r, 0x1.921fb5411b9f1p+1));
  return r * s;
}

// sin x = (-1)^n sin(pi r)
template <ScalarLike S>
S Sin(const S& x) {
  const auto turn = ReduceToHalfTurn(Convert<double>(x), 0.0);
  const auto y = SinHalfTurn(turn.r);
  // The sum of products above loses the sign of zero.
  return Select(Equal(x, 0.0), x, Convert<float>(Select(turn.odd, -y, y)));
}

// cos x = cos(pi (n + 1/2 + r)) = -(-1)^n sin(pi r)
template <ScalarLike S>
S Cos(const S& x) {
  const auto turn = ReduceToHalfTurn(Convert<double>(x), 0.5);
  const auto y = SinHalfTurn(turn.r);
  return Convert<float>(Select(turn.odd, y, -y));
}

}  // namespace talweg::float32

#endif  // TALWEG_GRAPH_MATH_FLOAT32_H_
