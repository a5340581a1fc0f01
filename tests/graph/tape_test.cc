#include "graph/tape.h"

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "graph/core_ops.h"
#include "gtest/gtest.h"
#include "tests/base/allocation.h"
#include "tests/graph/plus.h"

namespace talweg {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using testing_ops::kPlusOp;
using testing_ops::Plus;

Value operator+(Arg a, Arg b) { return Plus(a, b); }

std::string ErrorOf(const Tape& t) { return std::string(t.status().message()); }
// " (file:line)" as errors end.
std::string At(int line) { return absl::StrCat("tape_test.cc:", line, ")"); }

// ---- Nodes -----------------------------------------------------------------------------------

TEST(Tape, MakesEqualNodesOnce) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2}), y = t.Input("y", kFloat32, {2});
  EXPECT_EQ(x + y, x + y);
  EXPECT_FALSE(x + y == y + x);
  EXPECT_EQ((x + y) + x, (x + y) + x);
  EXPECT_EQ(t.state()->nodes().size(), 5u);  // x, y, x + y, y + x, (x + y) + x
}

TEST(Tape, MakesEqualConstantsOnceAndKeepsZerosApart) {
  Tape t;
  EXPECT_EQ(t.Constant(Array(1.5f)), t.Constant(Array(1.5f)));
  EXPECT_FALSE(t.Constant(Array(0.0f)) == t.Constant(Array(-0.0f)));
  EXPECT_FALSE(t.Constant(Array(1.0f)) == t.Constant(Array(1.0)));
  EXPECT_FALSE(t.Constant(Array(1.0f)) == t.Constant(Array::Vector<float>({1})));
  EXPECT_EQ(t.Iota(4), t.Iota(4));
  EXPECT_FALSE(t.Iota(4) == t.Iota(4, kInt64));
  EXPECT_TRUE(t.Iota(int64_t{1} << 31).ok());
  EXPECT_FALSE(t.Iota((int64_t{1} << 31) + 1).ok());
  EXPECT_TRUE(t.Iota((int64_t{1} << 31) + 1, kInt64).ok());
  EXPECT_EQ(t.Size(kRows), t.Size(kRows));
}

TEST(Tape, AnInputIsItsName) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2});
  EXPECT_EQ(t.Input("x", kFloat32, {kRows, 2}), x);
  EXPECT_TRUE(t.status().ok());
  const int line = __LINE__ + 1;
  EXPECT_FALSE(t.Input("x", kFloat32, {kRows, 3}).ok());
  EXPECT_THAT(ErrorOf(t), AllOf(StartsWith("input 'x': float32[rows,3]: exists already as "
                                           "float32[rows,2] ("),
                                EndsWith(At(line))));
}

TEST(Value, KnowsItsTypeAndAxes) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {kRows, 2, 3});
  EXPECT_EQ(x.dtype(), kFloat64);
  EXPECT_EQ(x.rank(), 3);
  EXPECT_EQ(x.dim(0), kRows);
  EXPECT_EQ(x.dim(-1), 3);
  EXPECT_EQ(x.dim(-2), 2);
  EXPECT_EQ(x.dim(3), 1);
  EXPECT_EQ(x.dim(-4), 1);
}

TEST(Value, WithoutATapeIsAnErrorAndHasHarmlessAnswers) {
  const Value none;
  EXPECT_FALSE(none.ok());
  EXPECT_FALSE(none.status().ok());
  EXPECT_EQ(none.dtype(), kFloat32);
  EXPECT_EQ(none.shape(), Shape{});
}

TEST(Value, KeepsItsTapeAlive) {
  Value sum;
  {
    Tape t;
    sum = t.Input("x", kFloat32, {2}) + t.Input("y", kFloat32, {2});
  }
  EXPECT_EQ(sum.shape(), Shape{2});
  EXPECT_TRUE(Tape(sum.tape()).Finish({sum}).ok());
}

// ---- Lines and errors ------------------------------------------------------------------------

TEST(Arg, CarriesTheLineOfTheOperatorsExpression) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const int line = __LINE__ + 1;
  const Value y = x + x;
  EXPECT_EQ(y.node().line.line, static_cast<uint32_t>(line));
  EXPECT_THAT(y.node().line.file, EndsWith("tape_test.cc"));
}

TEST(Arg, CarriesTheLineOfACallWithNumbers) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {});
  const int line = __LINE__ + 1;
  const Value y = 2 + x;
  EXPECT_EQ(y.node().line.line, static_cast<uint32_t>(line));
  const Value constant(t.state(), y.node().operands[0]);
  EXPECT_EQ(constant.node().line.line, static_cast<uint32_t>(line));
}

TEST(Tape, ErrorsCarryOpShapesDetailAndTheUsersLine) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), y = t.Input("y", kFloat32, {3});
  const int line = __LINE__ + 1;
  const Value z = x + y;
  EXPECT_FALSE(z.ok());
  EXPECT_THAT(ErrorOf(t), AllOf(StartsWith("plus: float32[rows,2] x float32[3]: shapes differ ("),
                                EndsWith(At(line))));
}

TEST(Tape, AnErrorReportsThePresentLineAndNotThatOfTheOperands) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2}), y = t.Input("y", kFloat64, {2});
  const Value twice = x + x;
  const int line = __LINE__ + 1;
  const Value z = twice + y;
  EXPECT_FALSE(z.ok());
  EXPECT_THAT(ErrorOf(t), EndsWith(At(line)));
}

TEST(Tape, ANodeKeepsTheLineOfItsFirstMaker) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const int line = __LINE__ + 1;
  const Value first = x + x;
  const Value second = x + x;
  EXPECT_EQ(first, second);
  EXPECT_EQ(second.node().line.line, static_cast<uint32_t>(line));
}

TEST(Tape, KeepsTheFirstError) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2}), y = t.Input("y", kFloat32, {3});
  const int line = __LINE__ + 1;
  const Value bad = x + y;
  const Value later = y + x, built_on_it = bad + x;
  EXPECT_FALSE(later.ok());
  EXPECT_FALSE(built_on_it.ok());
  EXPECT_THAT(ErrorOf(t), EndsWith(At(line)));
  EXPECT_EQ(t.Finish({x}).status(), t.status());
  EXPECT_EQ(built_on_it.status(), t.status());
}

TEST(Tape, AFailedValueFailsWhatIsBuiltOnItWithoutAWord) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const Value bad = x + t.Input("y", kFloat32, {3});
  const std::string first = ErrorOf(t);
  Value z = bad;
  for (int i = 0; i < 3; i++) z = z + x;
  EXPECT_FALSE(z.ok());
  EXPECT_EQ(z.tape(), t.state());
  EXPECT_EQ(ErrorOf(t), first);
}

TEST(Tape, AValueOfNoTapeIsAnErrorOfTheOtherOperandsTape) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const int line = __LINE__ + 1;
  const Value z = x + Value();
  EXPECT_FALSE(z.ok());
  EXPECT_THAT(ErrorOf(t), AllOf(HasSubstr("plus: float32[2] x ?: an operand is a plain number or a "
                                          "value of no tape"),
                                EndsWith(At(line))));
  EXPECT_FALSE((Value() + Value()).ok());
}

TEST(Tape, ValuesOfTwoTapesDoNotMixAndBothTapesSayIt) {
  Tape t, u;
  const Value x = t.Input("x", kFloat32, {2}), y = u.Input("y", kFloat32, {2});
  const int line = __LINE__ + 1;
  EXPECT_FALSE((x + y).ok());
  for (const Tape& tape : {t, u}) {
    EXPECT_THAT(
        ErrorOf(tape),
        AllOf(HasSubstr("plus: float32[2] x float32[2]: values of two tapes"), EndsWith(At(line))));
  }
}

TEST(Tape, ErrorsOfACompositeOnTwoTapesNameTheUsersLineOnBoth) {
  Tape t, u;
  const Value x = t.Input("x", kFloat32, {2}), y = u.Input("y", kFloat32, {2});
  const auto composite = [](Arg a, Arg b) {
    const UserLine line(b);
    return a.value() + b.value();
  };
  const int line = __LINE__ + 1;
  EXPECT_FALSE(composite(x, y).ok());
  EXPECT_THAT(ErrorOf(t), EndsWith(At(line)));
  EXPECT_THAT(ErrorOf(u), EndsWith(At(line)));
}

TEST(Tape, RefusesAConstantThatHasNoMemory) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const auto refuses = [](const std::function<Value(Tape&, Value)>& make) {
    Tape t;
    const Value x = t.Input("x", kInt32, {});
    {
      const FailingAllocation failing(1);
      EXPECT_FALSE(make(t, x).ok());
    }
    EXPECT_EQ(t.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(ErrorOf(t), StartsWith("constant: the array has no elements: no memory"));
  };
  refuses([](Tape& t, const Value&) { return t.Constant(Array(2.0)); });
  refuses([](Tape& t, const Value&) { return t.Constant(Array::Vector<float>({1, 2})); });
  refuses([](Tape&, const Value& x) { return x + 2; });
}

TEST(Tape, RefusesAnImpossibleShape) {
  Tape t;
  const Dim huge = std::numeric_limits<int64_t>::max();
  const int line = __LINE__ + 1;
  EXPECT_FALSE(t.Input("x", kFloat32, {kRows, huge, huge}).ok());
  EXPECT_THAT(ErrorOf(t),
              AllOf(HasSubstr("input 'x'"), HasSubstr("too many elements"), EndsWith(At(line))));
  Tape u;
  EXPECT_FALSE(u.Input("x", kFloat32, {-1}).ok());
  EXPECT_THAT(ErrorOf(u), HasSubstr("negative extent"));
}

TEST(Tape, RefusesIotaOfFloatsAndSizeOfNumbers) {
  Tape t;
  const int line = __LINE__ + 1;
  EXPECT_FALSE(t.Iota(3, kFloat32).ok());
  EXPECT_THAT(ErrorOf(t), AllOf(StartsWith("iota: "), EndsWith(At(line))));
  Tape u;
  EXPECT_FALSE(u.Size(3).ok());
  EXPECT_THAT(ErrorOf(u), StartsWith("size: "));
  Tape v;
  EXPECT_FALSE(v.Iota(-3).ok());
}

TEST(Arg, ANumberTakesTheTypeOfTheValueItMeets) {
  Tape t;
  for (DType dtype : {kFloat32, kFloat64, kInt32, kInt64}) {
    const Value sum = t.Input(Name(dtype), dtype, {}) + 3;
    ASSERT_TRUE(sum.ok()) << Name(dtype) << ErrorOf(t);
    EXPECT_EQ(sum.dtype(), dtype);
  }
}

TEST(Arg, AFractionThatMeetsAnIntegerIsAnError) {
  Tape t;
  const Value n = t.Input("n", kInt32, {});
  const int line = __LINE__ + 1;
  EXPECT_FALSE((n + 0.5).ok());
  EXPECT_THAT(ErrorOf(t), AllOf(HasSubstr("0.5"), HasSubstr("int32"), EndsWith(At(line))));
  Tape u;
  EXPECT_FALSE((u.Input("n", kInt32, {}) + 1e10).ok());
}

// A double holds no more than 53 bits of them.
TEST(Arg, AnIntegerKeepsAllItsBits) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  Tape t;
  const Value n = t.Input("n", kInt64, {});
  for (const int64_t number : {(int64_t{1} << 53) + 1, kMost, kMost - 1, -kMost - 1, -kMost}) {
    const Value sum = n + number;
    ASSERT_TRUE(sum.ok()) << ErrorOf(t);
    const NodeId constant = sum.node().operands[1];
    const Node& node = t.state()->nodes()[static_cast<size_t>(constant)];
    EXPECT_EQ(node.As<ConstantAttributes>().value.data<int64_t>()[0], number);
  }
  EXPECT_TRUE((n + 0x1p62).ok());
  EXPECT_TRUE((n + uint64_t{1}).ok());
}

TEST(Arg, AnIntegerThatDoesNotFitIsAnError) {
  Tape t;
  const int line = __LINE__ + 1;
  EXPECT_FALSE((t.Input("n", kInt32, {}) + 0x123456789).ok());
  EXPECT_THAT(ErrorOf(t), AllOf(HasSubstr("4886718345 is no int32"), EndsWith(At(line))));
  Tape u;
  EXPECT_FALSE((u.Input("n", kInt64, {}) + 0x1p63).ok());
  Tape v;
  EXPECT_FALSE((v.Input("n", kInt64, {}) + (uint64_t{1} << 63)).ok());
}

// What a composite of ops looks like: errors inside of it name the line of its caller.
Value Thrice(Arg x) {
  const UserLine line(x);
  const Value& v = x.value();
  return v + v + v;
}

TEST(UserLine, TheOutermostCallersLineHolds) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const int line = __LINE__ + 1;
  const Value y = Thrice(x);
  EXPECT_EQ(y.node().line.line, static_cast<uint32_t>(line));
  EXPECT_EQ(t.state()->nodes()[1].line.line, static_cast<uint32_t>(line));
  // Closed again: what follows has lines of its own.
  EXPECT_EQ((y + x).node().line.line, static_cast<uint32_t>(__LINE__));
}

TEST(UserLine, ReachesIntoErrorsOfACompositesInside) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2}), y = t.Input("y", kFloat32, {3});
  const auto composite = [&y](Arg a) {
    const UserLine line(a);
    return Thrice(a.value() + y);
  };
  const int line = __LINE__ + 1;
  EXPECT_FALSE(composite(x).ok());
  EXPECT_THAT(ErrorOf(t), EndsWith(At(line)));
}

// A composite inside of a body may work on values from around it, before they are captured, and the
// other way round.
TEST(UserLine, HoldsForTheBodiesInsideAndForWhatIsAround) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const Value inside = Tape(std::make_shared<TapeState>(t.state())).Input("carried", kFloat32, {2});
  const auto composite = [](Arg a, const Value& b) {
    const UserLine line(a);
    return b + b;
  };
  for (const auto& [a, b] : {std::pair(x, inside), std::pair(inside, x)}) {
    const auto line = static_cast<uint32_t>(__LINE__) + 1;
    const Value sum = composite(a, b);
    EXPECT_EQ(sum.node().line.line, line);
  }
}

// ---- Bodies of loops ------------------------------------------------------------------------

TEST(Capture, StandsForAnOuterValueOnceInABody) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const auto body = std::make_shared<TapeState>(t.state());
  const Value inside = Tape(body).Input("carried", kFloat32, {2});
  const Value sum = x + inside;
  ASSERT_TRUE(sum.ok()) << ErrorOf(t);
  EXPECT_EQ(sum.tape(), body);
  EXPECT_EQ(inside + x, inside + x);
  ASSERT_EQ(body->captures().outer.size(), 1u);
  EXPECT_EQ(body->captures().outer[0], x);
  EXPECT_EQ(body->captures().inputs[0], sum.node().operands[0]);
  EXPECT_EQ(t.state()->nodes().size(), 1u) << "nothing is added outside";
}

TEST(Capture, PassesThroughTheBodiesBetween) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const auto middle = std::make_shared<TapeState>(t.state());
  const auto inner = std::make_shared<TapeState>(middle);
  const Value sum = Tape(inner).Input("carried", kFloat32, {2}) + x;
  ASSERT_TRUE(sum.ok()) << ErrorOf(t);
  EXPECT_EQ(sum.tape(), inner);
  ASSERT_EQ(inner->captures().outer.size(), 1u);
  ASSERT_EQ(middle->captures().outer.size(), 1u);
  EXPECT_EQ(inner->captures().outer[0].tape(), middle);
  EXPECT_EQ(inner->captures().outer[0].id(), middle->captures().inputs[0]);
  EXPECT_EQ(middle->captures().outer[0], x);
}

TEST(Capture, RefusesAValueWithAnAxisOfTrips) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kTrips});
  const auto body = std::make_shared<TapeState>(t.state());
  const int line = __LINE__ + 1;
  EXPECT_FALSE((Tape(body).Input("scanned", kFloat32, {kTrips}) + x).ok());
  EXPECT_THAT(ErrorOf(t), AllOf(HasSubstr("float32[trips]"), EndsWith(At(line))));
}

TEST(Tape, ErrorsInABodyReachTheTapesAround) {
  Tape t;
  const auto middle = std::make_shared<TapeState>(t.state());
  const auto inner = std::make_shared<TapeState>(middle);
  Tape body(inner);
  EXPECT_FALSE((body.Input("a", kFloat32, {2}) + body.Input("b", kFloat32, {3})).ok());
  EXPECT_FALSE(middle->status().ok());
  EXPECT_EQ(t.status(), inner->status());
}

TEST(Tape, ABodyKeepsWhatFailedAroundIt) {
  Tape t;
  Tape body(std::make_shared<TapeState>(t.state()));
  t.state()->SetError(absl::InvalidArgumentError("first"));
  body.state()->SetError(absl::InvalidArgumentError("second"));
  EXPECT_EQ(ErrorOf(t), "first");
  EXPECT_EQ(ErrorOf(body), "first");
}

TEST(Tape, ValuesOfTwoBodiesDoNotMix) {
  Tape t;
  Tape first(std::make_shared<TapeState>(t.state())),
      second(std::make_shared<TapeState>(t.state()));
  EXPECT_FALSE((first.Input("a", kFloat32, {2}) + second.Input("b", kFloat32, {2})).ok());
  EXPECT_THAT(ErrorOf(t), HasSubstr("do not mix"));
}

TEST(Tape, AValueOfABodyIsNoOutput) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const Value inside = Tape(std::make_shared<TapeState>(t.state())).Input("a", kFloat32, {2});
  EXPECT_THAT(
      t.Finish({x, inside + x}).status().message(),
      AllOf(HasSubstr("output 1, plus of type float32[2], is a value of another tape or of a "
                      "loop's body"),
            HasSubstr("tape_test.cc:")));
}

// ---- Graphs ---------------------------------------------------------------------------------

TEST(Finish, KeepsTheNodesOutputsNeedAndAllInputs) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  const Value unused = x + x;
  const Value y = t.Input("y", kFloat32, {2});
  const Value sum = x + y;
  const Graph graph = t.Finish({sum, x, sum}).value();
  EXPECT_EQ(graph.nodes().size(), 3u);
  EXPECT_EQ(graph.inputs(), (std::vector<NodeId>{0, 1}));
  EXPECT_EQ(graph.outputs(), (std::vector<NodeId>{2, 0, 2}));
  EXPECT_EQ(graph.node(2).operands, (std::vector<NodeId>{0, 1}));
  EXPECT_EQ(graph.input_name(1), "y");
  EXPECT_TRUE(unused.ok());
  EXPECT_EQ(t.Finish({}).value().nodes().size(), 2u);
}

TEST(Finish, RefusesOutputsOfAnotherTapeOrOfNone) {
  Tape t, u;
  const Value x = t.Input("x", kFloat32, {2}), y = u.Input("y", kFloat32, {2});
  EXPECT_THAT(t.Finish({x, y}).status().message(), HasSubstr("output 1"));
  EXPECT_FALSE(t.Finish({Value()}).ok());
  EXPECT_TRUE(t.Finish({x}).ok()) << "asking is no error of the tape";
}

TEST(Finish, EqualProgramsGiveEqualGraphs) {
  const auto build = [](bool swapped) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {2}), y = t.Input("y", kFloat32, {2});
    return t.Finish({swapped ? y + x : x + y}).value();
  };
  EXPECT_EQ(build(false), build(false));
  EXPECT_EQ(build(false).Hash(), build(false).Hash());
  EXPECT_FALSE(build(false) == build(true));
}

TEST(Inline, ReplacesInputsByArguments) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {}), y = t.Input("y", kFloat32, {});
  const Graph graph = t.Finish({x + y + 1, y}).value();
  Tape u;
  const Value a = u.Input("a", kFloat32, {});
  const std::vector<Value> outputs = Inline(graph, {a, a + a}, a);
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0], a + (a + a) + 1);
  EXPECT_EQ(outputs[1], a + a);
}

// ---- Hostile sizes --------------------------------------------------------------------------

TEST(Tape, BuildsAChainOfAHundredThousandNodes) {
  constexpr int kNodes = 100000;
  Tape t;
  const Value x = t.Input("x", kFloat32, {2});
  Value y = x;
  for (int i = 0; i < kNodes; i++) y = y + x;
  const auto graph = t.Finish({y});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->nodes().size(), kNodes + 1u);
  EXPECT_EQ(*graph, t.Finish({y}).value());
  EXPECT_EQ(graph->Hash(), t.Finish({y}).value().Hash());
  const std::vector<Value> copy = Inline(*graph, {x}, x);
  EXPECT_EQ(copy[0], y);
}

TEST(Tape, TakesTenThousandInputs) {
  Tape t;
  Value sum = t.Input("0", kFloat32, {});
  for (int i = 1; i < 10000; i++) sum = sum + t.Input(absl::StrCat(i), kFloat32, {});
  const auto graph = t.Finish({sum});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->inputs().size(), 10000u);
  EXPECT_EQ(graph->input_name(9999), "9999");
}

}  // namespace
}  // namespace talweg
