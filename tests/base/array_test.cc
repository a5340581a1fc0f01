#include "base/array.h"

#include <cmath>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "base/convert.h"
#include "gtest/gtest.h"
#include "tests/base/allocation.h"

namespace talweg {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Array, HoldsItsElementsRowByRow) {
  const Array x = Array::Matrix<float>({{1, 2}, {3, 4}});
  EXPECT_EQ(x.dtype(), kFloat32);
  EXPECT_EQ(x.dims(), (Dims{2, 2}));
  EXPECT_EQ(x.rank(), 2);
  EXPECT_EQ(x.bytes(), 16);
  EXPECT_EQ(x.data<float>(), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(x.At(2), 3);
  EXPECT_EQ(x.ToString(), "float32[2,2] {1, 2, 3, 4}");
}

TEST(Array, IsAFloat32ZeroByDefault) {
  EXPECT_TRUE(SameBits(Array(), Array(0.0f)));
  EXPECT_EQ(Array(int64_t{5}).rank(), 0);
  EXPECT_EQ(Array(true).At(0), 1);
}

TEST(Array, ShowsNoElementsAsAnotherType) {
  Array x = Array::Vector<float>({1, 2});
  EXPECT_TRUE(x.data<double>().empty());
  EXPECT_TRUE(x.data<int32_t>().empty());
  EXPECT_TRUE(x.mutable_data<int64_t>().empty());
}

TEST(Array, CopiesDoNotSeeEachOthersWrites) {
  Array a = Array::Vector<int32_t>({1, 2, 3});
  Array b = a;
  EXPECT_EQ(a.raw(), b.raw()) << "a copy shares its elements until one is written";
  b.mutable_data<int32_t>()[0] = 7;
  EXPECT_EQ(a.At(0), 1);
  EXPECT_EQ(b.At(0), 7);
  const std::byte* alone = b.raw();
  b.mutable_data<int32_t>()[1] = 8;
  EXPECT_EQ(b.raw(), alone) << "elements that nobody shares are written in place";
}

TEST(Array, IsAlignedForVectors) {
  for (int64_t size : {0, 1, 3, 1000}) {
    const Array x = Array::Zeros(kBool, {size}).value();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.raw()) % 64, 0u);
  }
}

TEST(Array, CanBeEmpty) {
  const Array x = Array::Zeros(kFloat64, {3, 0}).value();
  EXPECT_EQ(x.size(), 0);
  EXPECT_EQ(x.ToString(), "float64[3,0] {}");
  EXPECT_TRUE(std::isnan(x.At(0)));
  EXPECT_EQ(Array::Vector<double>({}).dims(), (Dims{0}));
  EXPECT_EQ(Array::Matrix<double>({}).dims(), (Dims{0, 0}));
  Array y = x;
  EXPECT_TRUE(y.mutable_data<double>().empty());
  EXPECT_TRUE(SameBits(x, y));
}

TEST(Array, HasMemoryForWhoWritesAllOfIt) {
  Array x = Array::Unwritten(kFloat32, {3, 1 << 20}).value();  // of large pages
  EXPECT_EQ(x.size(), 3 << 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(x.raw()) % 64, 0);
  for (float& element : x.mutable_data<float>()) element = 2;
  EXPECT_EQ(x.At(x.size() - 1), 2);
  EXPECT_FALSE(Array::Unwritten(kFloat32, {-1}).ok());
}

TEST(Array, HasNoElementsWhereRowsAreOfUnequalLength) {
  for (const auto& rows :
       std::vector<std::vector<std::vector<int32_t>>>{{{1}, {2, 3}}, {{1, 2}, {3}}}) {
    const Array array = Array::Matrix<int32_t>(rows);
    EXPECT_EQ(array.raw(), nullptr);
    EXPECT_EQ(array.dims(), Dims({0}));
  }
}

TEST(Array, RefusesWhatCanNotBe) {
  EXPECT_FALSE(Array::Zeros(kFloat32, {-1}).ok());
  EXPECT_EQ(Array::Zeros(kFloat64, {int64_t{1} << 58}).status().message(),
            "no memory for 2305843009213693952 bytes of float64[288230376151711744]");
  EXPECT_EQ(Array::From<float>({2, 2}, {1, 2, 3}).status().message(),
            "3 elements do not fill shape [2,2]");
  EXPECT_EQ(Array::Vector<float>({1, 2, 3}).Reshaped({2, 2}).status().message(),
            "reshape: [3] to [2,2]: 3 and 4 elements");
}

TEST(Array, ReshapedSharesItsElements) {
  const Array x = Array::Vector<double>({1, 2, 3, 4, 5, 6});
  const Array y = x.Reshaped({2, 3}).value();
  EXPECT_EQ(y.dims(), (Dims{2, 3}));
  EXPECT_EQ(x.raw(), y.raw());
}

TEST(Array, GivesSomeOfItsRows) {
  const Array x = Array::Matrix<int32_t>({{1, 2}, {3, 4}, {5, 6}});
  EXPECT_TRUE(SameBits(*x.Rows(1, 2), Array::Matrix<int32_t>({{3, 4}, {5, 6}})));
  EXPECT_EQ(x.Rows(0, 3)->raw(), x.raw());
  EXPECT_EQ(x.Rows(3, 0)->dims(), (Dims{0, 2}));
  EXPECT_EQ(Array::Zeros(kBool, {4, 0})->Rows(1, 2)->dims(), (Dims{2, 0}));
  EXPECT_EQ(x.Rows(2, 2).status().message(), "rows: 2 from 2 on, of [3,2], which has 3");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  for (const auto& [first, count] :
       std::vector<std::pair<int64_t, int64_t>>{{-1, 1}, {0, -1}, {4, 0}, {kMost, 1}, {1, kMost}}) {
    EXPECT_EQ(x.Rows(first, count).status().code(), absl::StatusCode::kOutOfRange);
  }
  EXPECT_EQ(Array(1.0).Rows(0, 0).status().message(), "rows: a scalar has none");
}

TEST(Array, AtRefusesIndicesOutside) {
  const Array x = Array::Vector<int64_t>({1, 2});
  EXPECT_TRUE(std::isnan(x.At(-1)));
  EXPECT_TRUE(std::isnan(x.At(2)));
}

TEST(Array, ShortensLongText) {
  EXPECT_EQ(Array::Zeros(kInt32, {100}).value().ToString(),
            "int32[100] {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...}");
}

TEST(Array, ShowsIntegersWithAllTheirDigits) {
  EXPECT_EQ(Array(int64_t{1234567}).ToString(), "int64[] {1234567}");
  EXPECT_EQ(Array::Vector<int64_t>({(int64_t{1} << 53) + 1, -7}).ToString(),
            "int64[2] {9007199254740993, -7}");
  EXPECT_EQ(Array(int32_t{-2147483647}).ToString(), "int32[] {-2147483647}");
  EXPECT_EQ(Array::Vector<bool>({true, false}).ToString(), "bool[2] {1, 0}");
  EXPECT_EQ(Array::Vector<double>({0.25, 1e30}).ToString(), "float64[2] {0.25, 1e+30}");
}

TEST(Array, CastSaturatesToIntegersAndTakesNaNAsZero) {
  const Array x =
      Array::Vector<double>({1.9, -1.9, kNaN, kInfinity, -kInfinity, 3e9, 2147483647.5, -0.0});
  EXPECT_EQ(
      x.Cast(kInt32).value().data<int32_t>(),
      (std::vector<int32_t>{1, -1, 0, 2147483647, -2147483647 - 1, 2147483647, 2147483647, 0}));
  const Array b = x.Cast(kBool).value();
  EXPECT_EQ(b.At(2), 1) << "NaN is not zero";
  EXPECT_EQ(b.At(7), 0);
}

TEST(Array, CastOfIntegersWrapsAndOfFloatsRounds) {
  EXPECT_EQ(Array(int64_t{1} << 32 | 5).Cast(kInt32).value().At(0), 5);
  EXPECT_EQ(Array(int32_t{16777217}).Cast(kFloat32).value().At(0), 16777216);
  EXPECT_EQ(Array(1e300).Cast(kFloat32).value().At(0), kInfinity);
  EXPECT_EQ(Array(9.3e18f).Cast(kInt64).value().data<int64_t>()[0],
            std::numeric_limits<int64_t>::max());
  const Array x = Array(3.0f);
  EXPECT_EQ(x.Cast(kFloat32).value().raw(), x.raw()) << "the same type costs nothing";
}

TEST(Array, GivesItsElementsAsAVectorOfAnyType) {
  const Array floats = Array::Matrix<float>({{1.5f, -2.5f}, {0, 3e9f}});
  EXPECT_EQ(floats.ToVector<double>(), (std::vector<double>{1.5, -2.5, 0, 3e9}));
  EXPECT_EQ(floats.ToVector<int32_t>(), (std::vector<int32_t>{1, -2, 0, 2147483647}));
  EXPECT_EQ(floats.ToVector<bool>(), (std::vector<bool>{true, true, false, true}));
  EXPECT_EQ(Array::Vector<bool>({true, false}).ToVector<float>(), (std::vector<float>{1, 0}));
  EXPECT_TRUE(Array::Zeros(kInt64, {0, 3})->ToVector<int64_t>().empty());
}

TEST(ConvertElement, IsExactAtTheEndsOfTheIntegers) {
  static_assert(ConvertElement<int32_t>(2147483647.0) == 2147483647);
  static_assert(ConvertElement<int32_t>(-2147483648.0) == -2147483647 - 1);
  static_assert(ConvertElement<int32_t>(-2147483648.9) == -2147483647 - 1);
  static_assert(ConvertElement<int64_t>(9223372036854774784.0) == 9223372036854774784);
  static_assert(ConvertElement<int64_t>(9223372036854775808.0) ==
                std::numeric_limits<int64_t>::max());
  static_assert(ConvertElement<int64_t>(-9223372036854775808.0) ==
                std::numeric_limits<int64_t>::min());
  static_assert(ConvertElement<float>(true) == 1.0f);
}

TEST(Array, IsAZeroWithoutMemory) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const FailingAllocation failing(1);
  Array x;
  EXPECT_EQ(x.At(0), 0);
  EXPECT_EQ(x.rank(), 0);
  EXPECT_TRUE(x.mutable_data<float>().empty()) << "the zero of all is never written";
  EXPECT_TRUE(failing.Happened());
  EXPECT_EQ(Array().At(0), 0);
}

TEST(Array, SaysWhereACopyHasNoMemory) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  Array a = Array::Vector<int32_t>({1, 2, 3});
  const Array b = a;
  const FailingAllocation failing(1);
  EXPECT_TRUE(a.mutable_data<int32_t>().empty());
  EXPECT_TRUE(failing.Happened());
  EXPECT_TRUE(SameBits(a, b)) << "it is as it was";
  EXPECT_EQ(a.mutable_data<int32_t>().size(), 3u) << "and may be written later";
}

TEST(Array, HasNoElementsWhereThereIsNoMemory) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const std::vector<std::function<Array()>> makers = {
      [] { return Array(1.0f); },
      [] { return Array(true); },
      [] { return Array::Vector<double>({1, 2}); },
      [] { return Array::Matrix<int64_t>({{1, 2}, {3, 4}}); },
  };
  for (const auto& make : makers) {
    const FailingAllocation failing(1);
    Array array = make();
    EXPECT_TRUE(failing.Happened());
    EXPECT_EQ(array.raw(), nullptr);
    EXPECT_EQ(array.mutable_bytes(), nullptr);
    EXPECT_EQ(array.dims(), (Dims{0}));
    EXPECT_TRUE(SameBits(array, array));
    EXPECT_EQ(array.Cast(array.dtype()).status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(array.Cast(kInt32).status().code(), absl::StatusCode::kResourceExhausted);
  }
}

TEST(SameBits, TellsZerosApartAndNotNaNs) {
  EXPECT_FALSE(SameBits(Array(0.0), Array(-0.0)));
  EXPECT_TRUE(SameBits(Array(kNaN), Array(-kNaN)));
  EXPECT_FALSE(SameBits(Array(kNaN), Array(1.0)));
  EXPECT_FALSE(SameBits(Array(1.0), Array(1.0f)));
  EXPECT_FALSE(SameBits(Array::Vector<float>({1}), Array(1.0f))) << "shapes differ";
}

TEST(Array, CopiesAreReadFromManyThreads) {
  const Array shared = Array::Zeros(kInt64, {1000}).value();
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; t++) {
    threads.emplace_back([shared, t] {
      Array mine = shared;
      for (int64_t& x : mine.mutable_data<int64_t>()) x = t;
      for (int64_t i = 0; i < 1000; i++) EXPECT_EQ(mine.At(i), t);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.At(999), 0);
}

}  // namespace
}  // namespace talweg
