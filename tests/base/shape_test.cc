#include "base/shape.h"

#include <limits>
#include <type_traits>

#include "absl/hash/hash.h"
#include "gtest/gtest.h"

namespace talweg {
namespace {

TEST(DType, NamesReadBack) {
  for (DType dtype : kAllDTypes) EXPECT_EQ(ParseDType(Name(dtype)).value(), dtype);
  EXPECT_EQ(ParseDType("float16").status().message(), "unknown element type 'float16'");
  EXPECT_FALSE(ParseDType("").ok());
}

TEST(Dim, ASymbolEqualsOnlyItself) {
  EXPECT_EQ(kRows, kRows);
  EXPECT_NE(kRows, kTrips);
  EXPECT_NE(kRows, Dim(-1));
  EXPECT_NE(absl::Hash<Dim>()(kRows), absl::Hash<Dim>()(kTrips));
  EXPECT_EQ(Dim(3), 3);
}

TEST(Shape, PrintsItsSymbols) {
  EXPECT_EQ(ToString(Shape{kRows, 2, kTrips}), "[rows,2,trips]");
  EXPECT_EQ(ToString(Shape{}), "[]");
  EXPECT_EQ(ToString(Dims{3, 0}), "[3,0]");
}

TEST(Shape, ResolvesSymbolsToTheirValues) {
  EXPECT_EQ(Resolve(Shape{kRows, 2, kTrips}, {.rows = 20, .trips = 3}), (Dims{20, 2, 3}));
  EXPECT_EQ(Resolve(Shape{kRows}, {}), (Dims{-1}));
  EXPECT_TRUE(IsStatic(Shape{2, 3}));
  EXPECT_FALSE(IsStatic(Shape{2, kRows}));
  EXPECT_EQ(ToShape({4, 5}), (Shape{4, 5}));
}

TEST(CheckedSize, IsTheProduct) {
  EXPECT_EQ(CheckedSize({}).value(), 1);
  EXPECT_EQ(CheckedSize({2, 3, 4}).value(), 24);
  EXPECT_EQ(CheckedSize({2, 0, 4}).value(), 0);
  EXPECT_EQ(CheckedSize({int64_t{1} << 59}).value(), int64_t{1} << 59);
}

TEST(CheckedSize, RefusesShapesThatCanNotExist) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(CheckedSize({2, -1}).status().message(), "shape [2,-1] has a negative extent");
  EXPECT_FALSE(CheckedSize({kMin}).ok());
  EXPECT_FALSE(CheckedSize({0, -1}).ok());
  EXPECT_EQ(CheckedSize({int64_t{1} << 40, int64_t{1} << 40}).status().message(),
            "shape [1099511627776,1099511627776] has too many elements");
  EXPECT_FALSE(CheckedSize({kMax, kMax}).ok());
  EXPECT_FALSE(CheckedSize({(int64_t{1} << 59) + 1}).ok());
  EXPECT_FALSE(CheckedSize({0, kMax, 2}).ok()) << "strides would overflow, empty or not";
}

TEST(CheckShape, TakesSymbolsAsOne) {
  EXPECT_TRUE(CheckShape(Shape{kRows, 2}).ok());
  EXPECT_FALSE(CheckShape(Shape{kRows, -2}).ok());
  EXPECT_FALSE(CheckShape(Shape{kRows, int64_t{1} << 60, 8}).ok());
}

TEST(RowMajorStrides, AreInElements) {
  EXPECT_EQ(RowMajorStrides({2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_EQ(RowMajorStrides({}), (Dims{}));
  EXPECT_EQ(RowMajorStrides({5}), (Dims{1}));
}

}  // namespace
}  // namespace talweg
