#include "optim/hyper.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(HyperScope, MakesAnInputForEachNumber) {
  Tape t;
  const HyperScope s(t);
  const Value mu = s.Within("rule").Get("momentum", 0.9);
  EXPECT_EQ(mu, t.Input("rule/momentum", kFloat64, {}));
  EXPECT_EQ(s.Within("rule").Get("momentum", 0.9), mu);
  ASSERT_EQ(s.specs().size(), 1u);
  EXPECT_EQ(s.specs()[0].name, "rule/momentum");
  const NamedArrays bindings = s.Bindings();
  ASSERT_EQ(bindings.size(), 1u);
  EXPECT_TRUE(SameBits(bindings.at("rule/momentum"), Array(0.9)));
  EXPECT_TRUE(t.status().ok());
}

TEST(HyperScope, UsesAValueAsItIs) {
  Tape t;
  const HyperScope s(t);
  const Value wide = t.Input("wide", kFloat64, {}), narrow = t.Input("narrow", kFloat32, {});
  EXPECT_EQ(s.Get("a", wide), wide);
  EXPECT_EQ(s.Get("b", narrow), Cast(narrow, kFloat64));
  EXPECT_TRUE(s.specs().empty());
}

TEST(HyperScope, RefusesValuesThatAreNoFloatScalar) {
  for (const Type& type : {Type{kFloat64, {1}}, Type{kInt32, {}}}) {
    Tape t;
    EXPECT_FALSE(HyperScope(t).Get("k", t.Input("x", type.dtype, type.shape)).ok());
    EXPECT_THAT(Message(t.status()), HasSubstr("hyper-parameter k is " + ToString(type) +
                                               "; it must be a float scalar"));
  }
  Tape t;
  EXPECT_FALSE(HyperScope(t).Get("k", Value()).ok());
  EXPECT_THAT(Message(t.status()), HasSubstr("hyper-parameter k is a value of no tape"));
}

TEST(HyperScope, RefusesTwoNumbersOfOneName) {
  Tape t;
  const HyperScope s(t);
  s.Get("nan", kNaN);
  EXPECT_TRUE(s.Get("nan", kNaN).ok());
  s.Get("k", 1);
  EXPECT_FALSE(s.Get("k", 2).ok());
  EXPECT_THAT(Message(t.status()),
              HasSubstr("hyper-parameter k is asked for with two numbers, 1 and 2"));
}

TEST(HyperScope, RefusesTwoRangesOfOneName) {
  Tape tape;
  const HyperScope hypers = HyperScope(tape).Within("rule");
  EXPECT_TRUE(hypers.Get("l2", 0.5, Range::AtLeast(0)).ok());
  EXPECT_TRUE(hypers.Get("l2", 0.5, Range::AtLeast(0)).ok());
  EXPECT_FALSE(hypers.Get("l2", 0.5, Range::HalfOpen(0, 1)).ok());
  EXPECT_THAT(std::string(tape.status().message()),
              HasSubstr("hyper-parameter rule/l2 is asked for with two ranges, finite and at least "
                        "0 and at least 0 and less than 1; give one of them another name"));
  Tape other;
  const HyperScope lists(other);
  EXPECT_TRUE(lists.GetList("rates", {1, 2}, Range::AtLeast(0)).ok());
  EXPECT_FALSE(lists.GetList("rates", {1, 2}).ok());
  EXPECT_THAT(std::string(other.status().message()),
              HasSubstr("rates is asked for with two ranges"));
}

TEST(HyperScope, BindsAListAsOneInput) {
  Tape t;
  const HyperScope s(t);
  const Value list = s.Within("a").GetList("k", {1, 2, 3});
  EXPECT_EQ(ToString(list.type()), "float64[3]");
  EXPECT_TRUE(s.Within("a").GetList("k", {1, 2, 3}) == list);
  EXPECT_TRUE(SameBits(s.Bindings().at("a/k"), Array::Vector<double>({1, 2, 3})));
  EXPECT_TRUE(s.Check().ok());
  s.GetList("bad", {0.5, kNaN}, Range::AtLeast(0));
  EXPECT_EQ(Message(s.Check()), "hyper-parameter bad[1] is nan; it must be finite and at least 0");
}

TEST(HyperScope, RefusesListsThatDoNotFit) {
  const auto error = [](const std::function<void(const HyperScope&)>& ask) {
    Tape t;
    ask(HyperScope(t));
    return Message(t.status());
  };
  EXPECT_THAT(error([](const HyperScope& s) { s.GetList("k", {}); }),
              HasSubstr("hyper-parameter k is a list without a number"));
  const auto twice = HasSubstr("hyper-parameter k is asked for with two lists");
  EXPECT_THAT(error([](const HyperScope& s) {
                s.GetList("k", {1, 2});
                s.GetList("k", {1, 3});
              }),
              twice);
  EXPECT_THAT(error([](const HyperScope& s) {
                s.Get("k", 1);
                s.GetList("k", {1});
              }),
              HasSubstr("hyper-parameter k is a number and a list"));
  EXPECT_THAT(error([](const HyperScope& s) {
                s.GetList("k", {1});
                s.Get("k", 1);
              }),
              HasSubstr("hyper-parameter k is a list elsewhere"));
}

TEST(HyperScope, ChecksNumbersAgainstTheirRanges) {
  Tape t;
  const HyperScope s(t);
  s.Get("fine", 0.5, Range::HalfOpen(0, 1));
  EXPECT_TRUE(s.Check().ok());
  s.Within("ReduceLROnPlateau").Get("factor", 1, Range::HalfOpen(0, 1));
  EXPECT_EQ(Message(s.Check()),
            "hyper-parameter ReduceLROnPlateau/factor is 1; it must be at least 0 and less than 1");
  EXPECT_TRUE(CheckNumber(s.specs()[1], 0.1).ok());
  EXPECT_FALSE(CheckNumber(s.specs()[1], kNaN).ok());
}

TEST(Range, HoldsItsBoundsAndSaysThem) {
  struct Row {
    Range range;
    std::vector<double> in, out;
    std::string text;
  };
  const std::vector<Row> rows = {
      {Range(), {-1e300, 0, 1e300}, {kNaN, kInfinity, -kInfinity}, "finite"},
      {Range::AtLeast(0), {0, 5}, {-1e-300, kNaN, kInfinity}, "finite and at least 0"},
      {Range::Above(0), {1e-300}, {0, -1, kInfinity}, "finite and above 0"},
      {Range::Between(0, 1), {0, 1}, {-0.1, 1.1, kNaN}, "at least 0 and at most 1"},
      {Range::HalfOpen(0, 1), {0, 0.999}, {1, -0.1, kNaN}, "at least 0 and less than 1"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    EXPECT_EQ(row.range.ToString(), row.text);
    for (const double x : row.in) EXPECT_TRUE(row.range.Contains(x)) << x;
    for (const double x : row.out) EXPECT_FALSE(row.range.Contains(x)) << x;
  }
}

}  // namespace
}  // namespace talweg
