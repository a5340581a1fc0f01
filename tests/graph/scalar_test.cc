#include "graph/scalar.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>

#include "graph/math.h"
#include "gtest/gtest.h"

namespace talweg {
namespace {

using Float = Number<float>;
using Double = Number<double>;
using Int = Number<int32_t>;
using Long = Number<int64_t>;
using Bool = Number<bool>;

constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
constexpr int32_t kGreatest = std::numeric_limits<int32_t>::max();
constexpr int64_t kLeastLong = std::numeric_limits<int64_t>::min();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(Number, LiteralsTakeTheTypeTheyMeet) {
  const Float y = 0.1f;
  static_assert(std::is_same_v<decltype(1.0 - y * y), Float>);
  EXPECT_EQ((1.0 - y * y).raw(), 1.0f - 0.1f * 0.1f);
  EXPECT_EQ((y + 0.1).raw(), 0.1f + 0.1f);
  static_assert(std::is_same_v<decltype(2 * Long(3)), Long>);
  // A truth value is no number, and no number is a truth value.
  static_assert(!std::is_constructible_v<Float, bool>);
  static_assert(!std::is_constructible_v<Bool, double>);
}

TEST(Number, IsAsLargeAsWhatItWraps) {
  static_assert(sizeof(Float) == 4 && sizeof(Long) == 8 && sizeof(Bool) == 1);
  static_assert(std::is_trivially_copyable_v<Double>);
}

TEST(Number, IntegersWrap) {
  EXPECT_EQ((Int(kGreatest) + 1).raw(), kLeast);
  EXPECT_EQ((Int(kLeast) - 1).raw(), kGreatest);
  EXPECT_EQ((Int(kGreatest) * kGreatest).raw(), 1);
  EXPECT_EQ((-Int(kLeast)).raw(), kLeast);
  EXPECT_EQ(Abs(Int(kLeast)).raw(), kLeast);
  EXPECT_EQ((Long(kLeastLong) - 1).raw(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Fma(Int(kGreatest), Int(2), Int(3)).raw(), 1);
}

TEST(Number, IntegerDivisionIsTotal) {
  EXPECT_EQ((Int(7) / 2).raw(), 3);
  EXPECT_EQ((Int(-7) / 2).raw(), -3);
  EXPECT_EQ((Int(7) / 0).raw(), 0);
  EXPECT_EQ((Int(kLeast) / -1).raw(), kLeast);
  EXPECT_EQ((Long(kLeastLong) / -1).raw(), kLeastLong);
  EXPECT_EQ((Long(kLeastLong) / 0).raw(), 0);
}

TEST(Number, FloatsDivideAsIeee) {
  EXPECT_EQ((Float(1) / 0.0).raw(), kInf);
  EXPECT_EQ((Float(-1) / 0.0).raw(), -kInf);
  EXPECT_TRUE(std::isnan((Float(0) / 0.0).raw()));
}

TEST(Number, FmaRoundsOnce) {
  const float a = 1 + 0x1p-12f;
  EXPECT_EQ(Fma(Float(a), Float(a), Float(-1)).raw(), 0x1p-11f + 0x1p-24f);
  EXPECT_EQ((Float(a) * a - 1).raw(), 0x1p-11f);
}

TEST(Number, MinAndMaxPropagateNan) {
  for (const float x : {0.0f, -1.0f, kInf, -kInf, kNan}) {
    EXPECT_TRUE(std::isnan(Max(Float(x), Float(kNan)).raw())) << x;
    EXPECT_TRUE(std::isnan(Max(Float(kNan), Float(x)).raw())) << x;
    EXPECT_TRUE(std::isnan(Min(Float(x), Float(kNan)).raw())) << x;
    EXPECT_TRUE(std::isnan(Min(Float(kNan), Float(x)).raw())) << x;
  }
  EXPECT_EQ(Max(Int(-3), Int(kLeast)).raw(), -3);
  EXPECT_EQ(Min(Long(-3), Long(kLeastLong)).raw(), kLeastLong);
  EXPECT_EQ(Max(Bool(false), Bool(true)).raw(), true);
  EXPECT_EQ(Max(Float(-kInf), Float(-5)).raw(), -5);
}

TEST(Number, MinAndMaxOrderTheZeros) {
  EXPECT_FALSE(std::signbit(Max(Float(-0.0f), Float(0.0f)).raw()));
  EXPECT_FALSE(std::signbit(Max(Float(0.0f), Float(-0.0f)).raw()));
  EXPECT_TRUE(std::signbit(Min(Float(-0.0f), Float(0.0f)).raw()));
  EXPECT_TRUE(std::signbit(Min(Float(0.0f), Float(-0.0f)).raw()));
  EXPECT_TRUE(std::signbit(Max(Double(-0.0), Double(-0.0)).raw()));
}

TEST(Number, ComparisonsAreFalseWithNan) {
  const Float x = 1, nan = kNan;
  EXPECT_FALSE(Less(x, nan).raw());
  EXPECT_FALSE(LessEqual(nan, x).raw());
  EXPECT_FALSE(Greater(x, nan).raw());
  EXPECT_FALSE(GreaterEqual(nan, nan).raw());
  EXPECT_FALSE(Equal(nan, nan).raw());
  EXPECT_TRUE(NotEqual(nan, nan).raw());
  EXPECT_TRUE(Equal(Float(0.0f), Float(-0.0f)).raw());
}

TEST(Number, LogicIsBitwiseForIntegers) {
  EXPECT_EQ(And(Int(12), Int(10)).raw(), 8);
  EXPECT_EQ(Or(Int(12), Int(10)).raw(), 14);
  EXPECT_EQ(Xor(Long(12), Long(10)).raw(), 6);
  EXPECT_EQ(Not(Int(0)).raw(), -1);
  EXPECT_TRUE(Not(Bool(false)).raw());
  EXPECT_TRUE(Xor(Bool(false), Bool(true)).raw());
  EXPECT_EQ(ShiftLeft(Int(kGreatest), 1).raw(), -2);
  EXPECT_EQ(ShiftLeft(Int(-1), 31).raw(), kLeast);
  EXPECT_EQ(ShiftRight(Int(-5), 1).raw(), -3);
  EXPECT_EQ(ShiftRight(Long(kLeastLong), 63).raw(), -1);
}

TEST(Number, BitcastsKeepTheBits) {
  EXPECT_EQ(BitcastToInt(Float(1.0f)).raw(), 0x3f800000);
  EXPECT_EQ(BitcastToInt(Double(-0.0)).raw(), kLeastLong);
  EXPECT_EQ(BitcastToFloat(Int(0x7f800000)).raw(), kInf);
  EXPECT_EQ(BitcastToFloat(BitcastToInt(Double(0.1))).raw(), 0.1);
}

TEST(Number, RoundEvenTakesTheEvenOfTies) {
  EXPECT_EQ(RoundEven(Float(0.5f)).raw(), 0);
  EXPECT_EQ(RoundEven(Float(1.5f)).raw(), 2);
  EXPECT_EQ(RoundEven(Double(-2.5)).raw(), -2);
  EXPECT_TRUE(std::signbit(RoundEven(Float(-0.25f)).raw()));
  EXPECT_EQ(RoundEven(Float(8388609.0f)).raw(), 8388609.0f);
}

TEST(Number, ConversionsSaturate) {
  EXPECT_EQ(Convert<int32_t>(Float(1e10f)).raw(), kGreatest);
  EXPECT_EQ(Convert<int32_t>(Float(-kInf)).raw(), kLeast);
  EXPECT_EQ(Convert<int64_t>(Double(1e300)).raw(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(Convert<int32_t>(Float(kNan)).raw(), 0);
  EXPECT_EQ(Convert<int32_t>(Float(-1.9f)).raw(), -1);
  EXPECT_TRUE(Convert<bool>(Float(kNan)).raw());
  EXPECT_FALSE(Convert<bool>(Float(-0.0f)).raw());
  EXPECT_EQ(Convert<int32_t>(Long(int64_t{1} << 32)).raw(), 0);
}

TEST(Number, SignOfZerosIsZeroAndOfNanIsNan) {
  EXPECT_EQ(Sign(Float(3)).raw(), 1);
  EXPECT_EQ(Sign(Float(-kInf)).raw(), -1);
  EXPECT_EQ(Sign(Float(-0.0f)).raw(), 0);
  EXPECT_FALSE(std::signbit(Sign(Float(-0.0f)).raw()));
  EXPECT_TRUE(std::isnan(Sign(Float(kNan)).raw()));
  EXPECT_EQ(Sign(Int(kLeast)).raw(), -1);
}

TEST(Number, CallsTheLibrary) {
  EXPECT_EQ(Call(Function::kExpm1, Double(0.3)).raw(), std::expm1(0.3));
  EXPECT_EQ(Call(Function::kLog1p, Float(0.3f)).raw(), std::log1p(0.3f));
  EXPECT_EQ(Call(Function::kPow, Float(0.3f), Float(1.7f)).raw(), std::pow(0.3f, 1.7f));
  for (const FunctionInfo& info : kFunctions) {
    EXPECT_EQ(info.unary != nullptr, info.arity == 1) << info.name;
    EXPECT_EQ(info.float_unary != nullptr, info.arity == 1) << info.name;
    EXPECT_EQ(info.binary != nullptr, info.arity == 2) << info.name;
    EXPECT_EQ(info.float_binary != nullptr, info.arity == 2) << info.name;
  }
}

}  // namespace
}  // namespace talweg
