#include "optim/state.h"

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

const Type kScalar = {kFloat64, {}};

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(StateScope, DeclaresInTheOrderOfTheFirstGet) {
  Tape t;
  const StateScope s(t);
  const Value a = s.Get("a", kScalar, 3);
  const Value b = s.Within("in").Get("b", {kFloat32, {2}});
  EXPECT_EQ(s.Get("a", kScalar, 3), a);
  s.Within("in").Set("b", b + 1);
  s.Set("a", a * 2);
  EXPECT_EQ(s.specs(), (std::vector<StateSpec>{{"a", kScalar, 3}, {"in/b", {kFloat32, {2}}, 0}}));
  EXPECT_EQ(*s.Next(), (std::vector<Value>{a * 2, b + 1}));
}

TEST(StateScope, GivesThePresentValueAfterASetToo) {
  Tape t;
  const StateScope s(t);
  const Value a = s.Get("a", kScalar);
  s.Set("a", a + 1);
  EXPECT_EQ(s.Get("a", kScalar), a);
  s.Set("a", a + 1);  // the identical Value again
  EXPECT_TRUE(s.Next().ok());
}

TEST(StateScope, CommitMakesTheNextValueThePresentOne) {
  Tape t;
  const StateScope s(t);
  const Value a = s.Get("a", kScalar), b = s.Get("b", kScalar);
  s.Set("a", a + 1);
  s.Commit();
  EXPECT_EQ(s.Get("a", kScalar), a + 1);
  EXPECT_EQ(s.Get("b", kScalar), b);
  s.Set("a", s.Get("a", kScalar) * 2);
  s.Set("b", b - 1);
  EXPECT_EQ(*s.Next(), (std::vector<Value>{(a + 1) * 2, b - 1}));
}

TEST(StateScope, UsesTheValuesThatAreCarried) {
  Tape t;
  const Value a = t.Input("x", kFloat64, {}), b = t.Input("y", kFloat64, {});
  const std::vector<StateSpec> specs = {{"a", kScalar, 1}, {"b", kScalar, 0}};
  const StateScope s(t, specs, {a, b});
  EXPECT_EQ(s.Get("b", kScalar), b);
  s.Set("b", b + a);
  // What this builder does not touch stays.
  EXPECT_EQ(*s.Next(), (std::vector<Value>{a, b + a}));
}

TEST(StateScope, RefusesStateThatIsReadAndNeverSet) {
  Tape t;
  const StateScope s(t);
  s.Get("velocity", kScalar);
  EXPECT_THAT(Message(s.Next().status()), HasSubstr("state velocity: is read, but never set"));
  EXPECT_THAT(Message(s.Next().status()), HasSubstr("state_test.cc:"));
  EXPECT_FALSE(t.status().ok());
}

TEST(StateScope, RefusesASecondSetWithAnotherValue) {
  Tape t;
  const StateScope s(t);
  const Value a = s.Get("a", kScalar);
  s.Set("a", a + 1);
  s.Set("a", a + 2);
  EXPECT_THAT(Message(s.Next().status()), HasSubstr("state a: is set twice, to different values"));
}

TEST(StateScope, TakesAStartOfNaNForTheSame) {
  Tape t;
  const StateScope s(t);
  EXPECT_EQ(s.Get("a", kScalar, std::nan("")), s.Get("a", kScalar, std::nan("")));
  EXPECT_TRUE(s.status().ok()) << s.status();
}

TEST(StateScope, RefusesAnotherTypeOrStart) {
  for (int wrong = 0; wrong < 3; wrong++) {
    Tape t;
    const StateScope s(t);
    const Value a = s.Get("a", kScalar, 1);
    if (wrong == 0) s.Get("a", {kFloat32, {}}, 1);
    if (wrong == 1) s.Get("a", kScalar, 2);
    if (wrong == 2) s.Set("a", Cast(a, kFloat32));
    const std::string expected[] = {"asked for as float32[] from 1, but it is float64[] from 1",
                                    "asked for as float64[] from 2, but it is float64[] from 1",
                                    "is float64[], but is set to float32[]"};
    EXPECT_THAT(Message(s.status()), HasSubstr(expected[wrong]));
  }
}

TEST(StateScope, RefusesNamesThatWereNotDeclared) {
  Tape t;
  const Value a = t.Input("a", kFloat64, {});
  const StateScope s(t, {{"a", kScalar, 0}}, {a});
  EXPECT_FALSE(s.Get("b", kScalar).ok());
  EXPECT_THAT(Message(s.Next().status()), HasSubstr("state b: was not asked for when"));
}

TEST(StateScope, RefusesSetsOfNamesThatNobodyRead) {
  Tape t;
  const StateScope s(t);
  s.Set("a", t.Input("x", kFloat64, {}));
  EXPECT_THAT(Message(s.status()), HasSubstr("state a: is set, but nobody asked"));
}

TEST(StateScope, RefusesValuesOfNoTape) {
  Tape t;
  const StateScope s(t);
  s.Get("a", kScalar);
  s.Set("a", Value());
  EXPECT_THAT(Message(s.status()), HasSubstr("state a: is set to a value of no tape"));
}

TEST(StateScope, RefusesValuesThatDoNotFitTheDeclarations) {
  Tape t;
  const Value a = t.Input("a", kFloat32, {});
  EXPECT_FALSE(StateScope(t, {{"a", kScalar, 0}}, {a}).Next().ok());
  EXPECT_FALSE(StateScope(t, {{"a", kScalar, 0}}, {}).Next().ok());
}

}  // namespace
}  // namespace talweg
