// The elementwise op whose result's type is an attribute; sweep_test.cc has all others.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/gradient.h"
#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/ops/elements.h"

namespace talweg {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Cast, ConvertsSpecialValuesOfEveryTypeToEveryType) {
  for (DType from : kAllDTypes) {
    WithType(from, [&]<typename From>(From) {
      const std::vector<From> x = SpecialsOf<From>();
      for (DType to : kAllDTypes) {
        const absl::StatusOr<Array> got =
            Apply(kCastOp, {Array::Vector<From>(x)}, CastAttributes{to});
        ASSERT_TRUE(got.ok()) << got.status();
        ASSERT_EQ(got->dtype(), to);
        WithType(to, [&]<typename To>(To) {
          using Limits = std::numeric_limits<To>;
          for (size_t i = 0; i < x.size(); i++) {
            const To y = got->data<To>()[i];
            const auto fraction = static_cast<long double>(x[i]);
            if constexpr (std::is_same_v<To, bool>) {
              EXPECT_EQ(y, x[i] != From{}) << Name(from) << " " << x[i];
            } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
              const long double least = Limits::min(), most = Limits::max();
              const long double wanted =
                  std::isnan(fraction) ? 0 : std::clamp(std::trunc(fraction), least, most);
              EXPECT_EQ(static_cast<long double>(y), wanted) << Name(from) << " " << x[i];
            } else if constexpr (std::is_integral_v<To>) {
              EXPECT_EQ(y, static_cast<To>(static_cast<__int128>(x[i])))
                  << Name(from) << " " << x[i];
            } else {
              using Bytes = std::array<char, sizeof(To)>;
              const To wanted = static_cast<To>(fraction);
              const bool same = std::bit_cast<Bytes>(y) == std::bit_cast<Bytes>(wanted);
              EXPECT_TRUE(std::isnan(fraction) ? std::isnan(y) : same)
                  << Name(from) << " " << x[i] << " becomes " << y;
            }
          }
        });
      }
    });
  }
}

TEST(Cast, HasTheDerivativeOneBetweenFloats) {
  for (DType to : {kFloat32, kFloat64, kInt32, kBool}) {
    Tape t;
    const Value x = t.Input("x", kFloat64, {4});
    const Value back = Cast(Cast(x, to), kFloat64);
    const auto at = RunOnAllEngines({Gradient(Sum(back * back), x)},
                                    {{"x", Array::Vector<double>({-2, -1, 0.5, 3})}});
    ASSERT_TRUE(at.ok()) << at.status();
    for (int64_t i = 0; i < 4; i++) {
      const double wanted = IsFloat(to) ? 2 * Array::Vector<double>({-2, -1, 0.5, 3}).At(i) : 0;
      EXPECT_EQ((*at)[0].At(i), wanted) << Name(to);
    }
  }
}

TEST(Cast, RefusesWrongInputs) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2, 3});
  EXPECT_FALSE(Map(kCastOp, {x}, {}, kHere).ok());
  EXPECT_THAT(std::string(t.status().message()),
              AllOf(StartsWith("cast: float32[2,3]"), HasSubstr("(sweep_test.cc:7)")));
  Tape u;
  const Value y = u.Input("y", kFloat32, {2, 3});
  EXPECT_FALSE(Map(kCastOp, {y, y}, CastAttributes{kInt32}, kHere).ok());
  EXPECT_THAT(std::string(u.status().message()), HasSubstr("float32[2,3] x float32[2,3]"));
  EXPECT_FALSE(Cast(Value(), kInt32).ok());
}

}  // namespace
}  // namespace talweg
