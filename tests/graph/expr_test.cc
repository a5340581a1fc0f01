#include "graph/expr.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "graph/math.h"
#include "gtest/gtest.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

TEST(Expr, PrintsAsALineAnInstruction) {
  ScalarProgram program;
  const Expr x = program.Input(kFloat32);
  const Expr mask = Less(x, 0.5);
  const Expr product = x * x;
  const Expr bits = ShiftRight(BitcastToInt(product), 3);
  const Expr converted = Convert<float>(bits);
  Select(mask, converted, Call(Function::kLog1p, x));
  EXPECT_EQ(program.ToString(),
            "%0 = input 0 : float32\n"
            "%1 = constant 0.5 : float32\n"
            "%2 = less %0, %1 : bool\n"
            "%3 = mul %0, %0 : float32\n"
            "%4 = bitcast %3 : int32\n"
            "%5 = shift_right %4, 3 : int32\n"
            "%6 = convert %5 : float32\n"
            "%7 = call log1p %0 : float32\n"
            "%8 = select %2, %6, %7 : float32\n");
}

TEST(Expr, MakesEqualInstructionsOnce) {
  ScalarProgram program;
  const Expr x = program.Input(kFloat64), y = program.Input(kFloat64);
  EXPECT_EQ((x + y).id(), (x + y).id());
  EXPECT_NE((x + y).id(), (y + x).id());
  EXPECT_EQ(Greater(x, y).id(), Less(y, x).id());
  EXPECT_EQ((x * 2.0).id(), (x * 2).id());
  const size_t before = program.instructions().size();
  Sigmoid(x);
  const size_t after = program.instructions().size();
  Sigmoid(x);
  EXPECT_GT(after, before);
  EXPECT_EQ(program.instructions().size(), after);
}

TEST(Expr, ZerosOfBothSignsAreTwoConstants) {
  ScalarProgram program;
  const Expr x = program.Input(kFloat32);
  EXPECT_NE(Like(x, 0.0).id(), Like(x, -0.0).id());
}

TEST(Expr, LiteralsTakeTheTypeTheyMeet) {
  ScalarProgram program;
  EXPECT_EQ((1.0 - program.Input(kFloat32)).dtype(), kFloat32);
  EXPECT_EQ((1.0 - program.Input(kFloat64)).dtype(), kFloat64);
  EXPECT_EQ((1 + program.Input(kInt64)).dtype(), kInt64);
  EXPECT_EQ(Equal(program.Input(kInt32), 3).dtype(), kBool);
}

TEST(Expr, ConvertingToItsOwnTypeIsNothing) {
  ScalarProgram program;
  const Expr x = program.Input(kFloat32);
  EXPECT_EQ(Convert<float>(x).id(), x.id());
  EXPECT_NE(Convert<double>(x).id(), x.id());
}

TEST(ExprDeathTest, DoesNotMixTypes) {
  ScalarProgram program;
  const Expr x = program.Input(kFloat32), y = program.Input(kFloat64);
  EXPECT_DEATH(x + y, "different types");
  EXPECT_DEATH(Select(x, x, x), "different types");
}

// Values at which formulas branch or break, then random ones of all sizes.
template <typename T>
std::vector<T> Samples(std::mt19937_64& random) {
  std::vector<T> out;
  if constexpr (std::is_floating_point_v<T>) {
    using Limits = std::numeric_limits<T>;
    out = {0,
           T(-0.0),
           1,
           -1,
           Limits::infinity(),
           -Limits::infinity(),
           Limits::quiet_NaN(),
           Limits::denorm_min(),
           -Limits::denorm_min(),
           Limits::min(),
           Limits::max(),
           Limits::lowest(),
           T(0.5),
           T(-2.5),
           T(88.8),
           T(-104)};
  } else {
    using Limits = std::numeric_limits<T>;
    out = {0, 1, T(-1), Limits::min(), Limits::max(), 2, 7, T(-7)};
  }
  for (int i = 0; i < 200; i++) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    out.push_back(std::bit_cast<T>(static_cast<Bits>(random())));
    if constexpr (std::is_floating_point_v<T>) {
      out.push_back(static_cast<T>(std::normal_distribution<double>(0, 3)(random)));
    }
  }
  return out;
}

template <typename T>
bool SameElement(uint64_t a, uint64_t b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(FromBits<T>(a)) && std::isnan(FromBits<T>(b))) return true;
  }
  return a == b;
}

// Running the recorded program gives the bits that running the formula gives.
template <typename T, typename F>
void ExpectSame(const char* name, F formula) {
  const uint64_t seed = FreshSeed();
  std::mt19937_64 random(seed);
  ScalarProgram program;
  const Expr x = program.Input(DTypeOf<T>), y = program.Input(DTypeOf<T>);
  const Expr result = formula(x, y);
  const std::vector<T> samples = Samples<T>(random);
  for (const T a : samples) {
    const T b = samples[random() % samples.size()];
    const auto want = formula(Number<T>(a), Number<T>(b));
    using Out = typename decltype(want)::Raw;
    ASSERT_EQ(result.dtype(), DTypeOf<Out>) << name;
    const std::array<uint64_t, 2> inputs = {ToBits(a), ToBits(b)};
    const uint64_t got = program.Evaluate(result.id(), inputs);
    EXPECT_TRUE(SameElement<Out>(got, ToBits(want.raw())))
        << name << " of " << +a << ", " << +b << " gives " << +FromBits<Out>(got) << ", not "
        << +want.raw() << "; seed " << seed;
  }
}

template <typename T>
class ExprOfFloats : public testing::Test {};
using Floats = testing::Types<float, double>;
TYPED_TEST_SUITE(ExprOfFloats, Floats);

TYPED_TEST(ExprOfFloats, RunsAsTheFormula) {
  using T = TypeParam;
  ExpectSame<T>("+", [](auto x, auto y) { return x + y; });
  ExpectSame<T>("-", [](auto x, auto y) { return x - y; });
  ExpectSame<T>("*", [](auto x, auto y) { return x * y; });
  ExpectSame<T>("/", [](auto x, auto y) { return x / y; });
  ExpectSame<T>("neg", [](auto x, auto) { return -x; });
  ExpectSame<T>("fma", [](auto x, auto y) { return Fma(x, y, Like(x, 0.3)); });
  ExpectSame<T>("sqrt", [](auto x, auto) { return Sqrt(x); });
  ExpectSame<T>("abs", [](auto x, auto) { return Abs(x); });
  ExpectSame<T>("floor", [](auto x, auto) { return Floor(x); });
  ExpectSame<T>("ceil", [](auto x, auto) { return Ceil(x); });
  ExpectSame<T>("round", [](auto x, auto) { return RoundEven(x); });
  ExpectSame<T>("min", [](auto x, auto y) { return Min(x, y); });
  ExpectSame<T>("max", [](auto x, auto y) { return Max(x, y); });
  ExpectSame<T>("select", [](auto x, auto y) { return Select(Less(x, y), x, 2.0 * y); });
  ExpectSame<T>("less_equal", [](auto x, auto y) { return LessEqual(x, y); });
  ExpectSame<T>("greater", [](auto x, auto y) { return Greater(x, y); });
  ExpectSame<T>("greater_equal", [](auto x, auto y) { return GreaterEqual(x, y); });
  ExpectSame<T>("logic", [](auto x, auto y) {
    return Xor(Or(Equal(x, y), Less(x, 0.0)), And(NotEqual(x, y), Not(Less(y, 0.0))));
  });
  ExpectSame<T>("bits", [](auto x, auto) { return BitcastToFloat(BitcastToInt(x) + 1); });
  ExpectSame<T>("convert", [](auto x, auto) { return Convert<int32_t>(x); });
  ExpectSame<T>("sign", [](auto x, auto) { return Sign(x); });
}

TYPED_TEST(ExprOfFloats, RunsElementaryFunctionsAsTheFormula) {
  using T = TypeParam;
  ExpectSame<T>("exp", [](auto x, auto) { return Exp(x); });
  ExpectSame<T>("expm1", [](auto x, auto) { return Expm1(x); });
  ExpectSame<T>("log", [](auto x, auto) { return Log(x); });
  ExpectSame<T>("log1p", [](auto x, auto) { return Log1p(x); });
  ExpectSame<T>("tanh", [](auto x, auto) { return Tanh(x); });
  ExpectSame<T>("sigmoid", [](auto x, auto) { return Sigmoid(x); });
  ExpectSame<T>("softplus", [](auto x, auto) { return Softplus(x); });
  ExpectSame<T>("sin", [](auto x, auto) { return Sin(x); });
  ExpectSame<T>("cos", [](auto x, auto) { return Cos(x); });
  ExpectSame<T>("erf", [](auto x, auto) { return Erf(x); });
  ExpectSame<T>("pow", [](auto x, auto y) { return Pow(x, y); });
}

template <typename T>
class ExprOfIntegers : public testing::Test {};
using Integers = testing::Types<int32_t, int64_t>;
TYPED_TEST_SUITE(ExprOfIntegers, Integers);

TYPED_TEST(ExprOfIntegers, RunsAsTheFormula) {
  using T = TypeParam;
  ExpectSame<T>("arithmetic", [](auto x, auto y) { return -(x + y) * (x - y); });
  ExpectSame<T>("/", [](auto x, auto y) { return x / y; });
  ExpectSame<T>("fma", [](auto x, auto y) { return Fma(x, y, x); });
  ExpectSame<T>("abs", [](auto x, auto) { return Abs(x); });
  ExpectSame<T>("min", [](auto x, auto y) { return Min(x, y); });
  ExpectSame<T>("max", [](auto x, auto y) { return Max(x, y); });
  ExpectSame<T>("less", [](auto x, auto y) { return Less(x, y); });
  ExpectSame<T>("bits", [](auto x, auto y) { return Xor(And(x, Not(y)), Or(x, 12)); });
  ExpectSame<T>("shifts", [](auto x, auto y) { return ShiftLeft(x, 5) + ShiftRight(y, 7); });
  ExpectSame<T>("convert", [](auto x, auto) { return Convert<float>(x); });
  ExpectSame<T>("sign", [](auto x, auto) { return Sign(x); });
}

}  // namespace
}  // namespace talweg
