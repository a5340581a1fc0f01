// What the build promises, whatever Talweg's own code does: a flag lost from .bazelrc shows here,
// not as a strange bit elsewhere.

#include <cmath>
#include <random>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace talweg {
namespace {

// Where the processor has fma, a compiler that contracts makes one of this; the product is then
// never rounded.
__attribute__((target("fma"), noinline)) float ProductLess(float a, float b, float c) {
  return a * b - c;
}

TEST(Compiler, RoundsAProductBeforeASum) {
  if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "this processor has no fma";
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(1, 2);
  int inexact = 0;
  for (int i = 0; i < 1000; ++i) {
    const float a = uniform(random), b = uniform(random);
    const float rounded = a * b;
    EXPECT_EQ(ProductLess(a, b, rounded), 0.0f) << "a = " << a << ", b = " << b;
    inexact += std::fma(a, b, -rounded) != 0.0f;
  }
  EXPECT_GT(inexact, 500);  // or the numbers above could not have told the two apart
}

// g++ 12's straight-line vectoriser takes two neighbouring round trips through float for nothing.
TEST(Compiler, RoundsToFloatAndBack) {
  struct Pair {
    double first, second;
  };
  volatile double a = 0.1, b = 0.3;
  const auto round_trip = [](double x, double y, Pair* pair) {
    pair->first = static_cast<float>(x);
    pair->second = static_cast<float>(y);
  };
  Pair pair;
  round_trip(a, b, &pair);
  EXPECT_NE(pair.first, 0.1);
  EXPECT_NE(pair.second, 0.3);
}

TEST(Compiler, KeepsNanAndSignedZero) {
  volatile float zero = 0.0f;
  EXPECT_TRUE(std::isnan(zero / zero));
  EXPECT_TRUE(std::signbit(zero * -1.0f));
}

TEST(Abseil, LinksItsArchivesInOrder) {
  absl::flat_hash_map<std::string, int> map = {{"a", 1}};
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  const absl::StatusOr<int> failed =
      absl::InvalidArgumentError(absl::StrFormat("%d of %s", map["a"], "a"));
  EXPECT_THAT(failed.status().ToString(), testing::HasSubstr("1 of a"));
  absl::BitGen bits;
  EXPECT_LT(absl::Uniform(bits, 0, 5), 5);
  EXPECT_EQ(absl::FormatDuration(absl::Milliseconds(1500)), "1.5s");
}

TEST(Json, ReadsBackTheSameDouble) {
  const double third = 1.0 / 3;
  EXPECT_EQ(nlohmann::json::parse(nlohmann::json(third).dump()).get<double>(), third);
}

}  // namespace
}  // namespace talweg
