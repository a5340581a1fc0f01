#include "graph/parse.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "ops/view.h"
#include "tests/base/mutation.h"
#include "tests/graph/every_kind.h"

namespace talweg {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string ErrorOf(std::string_view text) {
  const absl::StatusOr<Graph> graph = ParseGraph(text, AllOps());
  return graph.ok() ? "no error" : std::string(graph.status().message());
}

void ExpectReadsBack(const Graph& graph) {
  for (const bool lines : {true, false}) {
    const std::string text = Print(graph, {.lines = lines});
    const absl::StatusOr<Graph> again = ParseGraph(text, AllOps());
    constexpr size_t kShown = 4000;
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << text.substr(0, kShown);
    EXPECT_TRUE(*again == graph) << text.substr(0, kShown);
    EXPECT_TRUE(Print(*again, {.lines = false}) == Print(graph, {.lines = false}))
        << text.substr(0, kShown);
  }
}

template <typename T>
void ExpectReadsBack(const std::vector<T>& elements) {
  Tape t;
  ExpectReadsBack(t.Finish({t.Constant(Array::Vector<T>(elements))}).value());
}

TEST(ParseGraph, ReadsBackAGraphOfEveryKind) { ExpectReadsBack(GraphOfEveryKind()); }

TEST(ParseGraph, ReadsBackTheEmptyGraph) { ExpectReadsBack(Graph()); }

TEST(ParseGraph, ReadsBackLoopsOfEverySort) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kTrips, 4}), n = t.Input("n", kInt64, {});
  const Value rows = t.Input("rows", kInt32, {kTrips});
  const LoopResult loop = Loop(
      t,
      {.trips = n,
       .carried = {Sum(x, 0)},
       .scanned = {x},
       .reversed = true,
       .rows = rows,
       .rows_limit = 9,
       .whole = true},
      [&](LoopBody& body) -> LoopStep {
        const LoopResult inner = Loop(body.tape, {.trips = body.trip}, [&](LoopBody& innermost) {
          return LoopStep{.carried = {}, .stacked = {innermost.trip + n}};
        });
        return {.carried = {body.carried[0] + body.scanned[0]},
                .stacked = {Sum(body.tape.Iota(kRows)), Sum(inner.stacked[0])},
                .stop = Equal(body.trip, 3)};
      });
  const absl::StatusOr<Graph> graph =
      t.Finish({loop.carried[0], loop.stacked[0], loop.stacked[1], loop.trips});
  ASSERT_TRUE(graph.ok()) << graph.status();
  ExpectReadsBack(*graph);
}

// Shapes, steps, offsets, dilations and fills as they come.
TEST(ParseGraph, ReadsBackViewsOfEverySort) {
  constexpr uint64_t kSeed = 1;
  std::mt19937_64 random(kSeed);
  const auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int i = 0; i < 500; i++) {
    ViewAttributes view;
    for (int64_t k = draw(0, 4); k > 0; k--) view.shape.push_back(draw(0, 9));
    Shape from;
    std::vector<int64_t> axes(view.shape.size());
    for (size_t k = 0; k < axes.size(); k++) axes[k] = static_cast<int64_t>(k);
    std::shuffle(axes.begin(), axes.end(), random);
    for (int64_t k = draw(0, 4); k > 0; k--) {
      from.push_back(draw(0, 9));
      AxisMap map{.offset = draw(-3, 3), .dilation = draw(1, 3), .terms = {}};
      for (int64_t terms = draw(0, 2); terms > 0 && !axes.empty(); terms--) {
        map.terms.push_back(
            {.axis = axes.back(), .step = draw(0, 1) == 0 ? draw(1, 5) : draw(-5, -1)});
        axes.pop_back();
      }
      view.axes.push_back(std::move(map));
    }
    view.fill = draw(0, 2) == 0 ? 0 : std::ldexp(static_cast<double>(draw(-99, 99)), -3);
    Tape t;
    const Value result = View(t.Input("x", kFloat64, from), view, {});
    ASSERT_TRUE(result.ok()) << t.status() << " (seed " << kSeed << ")";
    ExpectReadsBack(t.Finish({result}).value());
  }
}

TEST(ParseGraph, ReadsBackConstantsToTheBit) {
  constexpr uint64_t kSeed = 2;
  std::mt19937_64 random(kSeed);
  std::vector<float> floats = {0, -0.0f, 1e-45f, 3.4028235e38f, INFINITY, -INFINITY, NAN, -NAN};
  std::vector<double> doubles = {0, -0.0, 5e-324, 1.7976931348623157e308, INFINITY, -INFINITY, NAN};
  std::vector<int64_t> integers = {0, -1, std::numeric_limits<int64_t>::min(),
                                   std::numeric_limits<int64_t>::max()};
  for (int i = 0; i < 20000; i++) {
    const uint64_t bits = random();
    floats.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    doubles.push_back(std::bit_cast<double>(bits));
    integers.push_back(static_cast<int64_t>(bits));
  }
  for (uint32_t payload : {1u, 0x400000u, 0x3fffffu}) {
    floats.push_back(std::bit_cast<float>(0x7f800000u | payload));
    floats.push_back(std::bit_cast<float>(0xff800000u | payload));
  }
  ExpectReadsBack(floats);
  ExpectReadsBack(doubles);
  ExpectReadsBack(integers);
  ExpectReadsBack(std::vector<bool>{true, false, false});
  ExpectReadsBack(std::vector<int32_t>{});
  ExpectReadsBack(std::vector<int32_t>(1000, 7));
}

// More than `all` may stand for: the printer lists the rest.
TEST(ParseGraph, ReadsBackManyRepeatedElements) {
  Tape t;
  std::vector<Value> constants;
  const int64_t n = kMaxRepeatedBytes / 4;
  const Array big = Array::Zeros(kFloat32, {n}).value();
  constants.push_back(t.Constant(big));
  constants.push_back(t.Constant(Array::Vector<float>({3, 3, 3})));
  const Graph graph = t.Finish(constants).value();
  EXPECT_THAT(Print(graph), AllOf(HasSubstr("constant all 0"), HasSubstr("constant {3, 3, 3}")));
  ExpectReadsBack(graph);
}

TEST(ParseGraph, ReadsBackNames) {
  Tape t;
  for (const char* name : {"", "x", "a/b", "größe", "\"\\\n\t", "\xff\xfe", "# no comment"}) {
    t.Input(name, kFloat32, {});
  }
  ExpectReadsBack(t.Finish({}).value());
}

TEST(ParseGraph, ReadsWhatPeopleWrite) {
  const absl::StatusOr<Graph> graph = ParseGraph(R"(
      # squares and their sum
      graph(%0)->(%2){%0 float32[ rows , 2 ]=input"x"# the samples
        %1 float32[rows,2] =
             square( %0 )
        %2 float32[2] = sum(%1) axes = [0])",
                                                 AllOps());
  EXPECT_FALSE(graph.ok()) << "'axes =' is not 'axes='";
  const absl::StatusOr<Graph> sound = ParseGraph(R"(
      # squares and their sum
      graph(%0)->(%2){%0 float32[ rows , 2 ]=input"x"# the samples
        %1 float32[rows,2] =
             square( %0 )
        %2 float32[2] = sum(%1) axes=[0] order=16/4096}  # done)",
                                                 AllOps());
  ASSERT_TRUE(sound.ok()) << sound.status();
  Tape t;
  EXPECT_EQ(*sound, t.Finish({Sum(Square(t.Input("x", kFloat32, {kRows, 2})), 0)}).value());
  EXPECT_EQ(ToString(sound->node(2).line), "text:6");
}

TEST(ParseGraph, SaysWhereAndWhatIsExpected) {
  EXPECT_EQ(ErrorOf(""), "line 1, column 1: 'graph' expected, the end found");
  EXPECT_EQ(ErrorOf("# nothing\n\n"), "line 3, column 1: 'graph' expected, the end found");
  EXPECT_EQ(ErrorOf("graph(%0"), "line 1, column 9: ')' expected, the end found");
  EXPECT_EQ(ErrorOf("graph() -> () {} x"), "line 1, column 18: the end expected, 'x' found");
  EXPECT_EQ(ErrorOf("graph() -> () {\n  %1 float32[] = iota\n}"),
            "line 2, column 5: node %0 comes next, not %1");
  const auto node = [](std::string_view text) {
    return ErrorOf(absl::StrCat("graph() -> () {\n", std::string(text), "\n}"));
  };
  EXPECT_EQ(node("%0 float16[] = x"),
            "line 2, column 4: an element type expected, 'float16' found");
  EXPECT_EQ(node("%0 int32[3] = tahn(%0)"), "line 2, column 15: no op is called 'tahn'");
  EXPECT_EQ(node("%0 int32[-3] = iota"), "line 2, column 12: a negative extent");
  EXPECT_EQ(node("%0 int32[99999999999999999999] = iota"),
            "line 2, column 10: a number that does not fit its place");
  EXPECT_EQ(node("%99999999999 int32[3] = iota"),
            "line 2, column 2: a number that does not fit its place");
  EXPECT_EQ(node("%0 float32[] = constant 1,"), "line 2, column 26: '%' expected, ',' found");
  EXPECT_EQ(node("%0 float32[2] = constant {1}"), "line 2, column 28: ',' expected, '}' found");
  EXPECT_EQ(node("%0 float32[2] = constant {1, 2, 3}"),
            "line 2, column 31: '}' expected, ',' found");
  EXPECT_EQ(node("%0 int32[] = constant 1.5"), "line 2, column 24: '%' expected, '.' found");
  EXPECT_EQ(node("%0 float32[] = constant 1e39"),
            "line 2, column 25: a number out of its type's range");
  EXPECT_EQ(node("%0 float32[] = constant nan:0x3f800000"),
            "line 2, column 31: these are not the bits of a NaN");
  EXPECT_EQ(node("%0 float32[] = constant NaN"),
            "line 2, column 25: a number expected, 'NaN' found");
  EXPECT_EQ(node("%0 float32[] = input \"x"), "line 2, column 24: a name without its second quote");
  EXPECT_EQ(node("%0 float32[] = input \"\\n\""),
            "line 2, column 23: \\xNN expected after a backslash");
  EXPECT_EQ(node("%0 float32[rows] = constant {}"),
            "line 2, column 29: a constant of a run-time shape");
}

TEST(ParseGraph, LeavesMeaningToVerifyAndNamesTheTextsLine) {
  EXPECT_EQ(ErrorOf("graph(%0) -> (%1) {\n"
                    "  %0 float32[2,3] = input \"x\"\n"
                    "  %1 float32[2] = sum(%0) axes=[1] order=4\n"
                    "}"),
            "node %1: sum: float32[2,3]: 4 chains; an order has 1 or 16 (text:3)");
  EXPECT_THAT(ErrorOf("graph(%0) -> (%1) {%0 float32[2] = input \"x\" %1 float32[3] = exp(%0)}"),
              HasSubstr("its type is stated as float32[3], but is float32[2]"));
  EXPECT_THAT(ErrorOf("graph() -> (%5) {}"), HasSubstr("output %5 does not exist"));
}

TEST(ParseGraph, KnowsOnlyTheOpsItIsGiven) {
  const std::string text = Print(GraphOfEveryKind());
  EXPECT_TRUE(ParseGraph(text, AllOps()).ok());
  EXPECT_FALSE(ParseGraph(text, {}).ok());
  EXPECT_TRUE(ParseGraph("graph() -> (%0) { %0 int32[3] = iota }", {}).ok());
}

// ---- Suspicion --------------------------------------------------------------------------------

std::string Repeat(std::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; i++) text += piece;
  return text;
}

TEST(ParseGraph, AsksForNoMemoryThatTheTextDoesNotHave) {
  const auto constant = [](std::string_view type, std::string_view value) {
    return ErrorOf(absl::StrCat("graph() -> () { %0 ", std::string(type), " = constant ",
                                std::string(value), " }"));
  };
  EXPECT_THAT(constant("float32[1000000000000]", "{0}"), HasSubstr("more than the text has"));
  EXPECT_THAT(constant("float32[1000000000000]", "all 0"), HasSubstr("constants by `all`"));
  EXPECT_THAT(constant("float64[500000000000000000]", "all 0"), HasSubstr("constants by `all`"));
  EXPECT_THAT(constant("float32[9223372036854775807,9]", "all 0"), HasSubstr("too many elements"));
  EXPECT_THAT(constant("float32[0,9223372036854775807,9]", "{}"), HasSubstr("too many elements"));
  EXPECT_EQ(constant("float32[0,9]", "{}"), "no error");
  // Many small ones are no way around.
  std::string text = "graph() -> () {\n";
  for (int i = 0; i < 40; i++) {
    absl::StrAppend(&text, "%", i, " float32[262144] = constant all ", i, "\n");
  }
  EXPECT_THAT(ErrorOf(text + "}"), HasSubstr("constants by `all`"));
}

TEST(ParseGraph, LimitsRankAndNesting) {
  EXPECT_THAT(ErrorOf(absl::StrCat("graph() -> () { %0 float32[", Repeat("1,", 100000),
                                   "1] = constant all 0 }")),
              HasSubstr("more than 32 axes"));
  const std::string loop = "graph() -> () { %0 (int64[]) = loop() length=1 body=";
  EXPECT_THAT(ErrorOf(Repeat(loop, 100000)), HasSubstr("more than 32 deep"));
}

TEST(ParseGraph, TakesManyOperandsButNotTooMany) {
  const auto concat = [](int n) {
    return ErrorOf(absl::StrCat("graph(%0) -> (%1) {%0 float32[1] = input \"x\" %1 float32[", n,
                                "] = concat(%0", Repeat(",%0", n - 1), ") axis=0}"));
  };
  EXPECT_EQ(concat(1000), "no error");
  EXPECT_THAT(concat(100000), HasSubstr("100000 operands"));
}

TEST(ParseGraph, ReadsBackAHundredThousandNodesAndTenThousandInputs) {
  Tape t;
  Value sum = t.Input("0", kFloat32, {});
  for (int i = 1; i < 10000; i++) sum = sum + t.Input(absl::StrCat(i), kFloat32, {});
  for (int i = 0; i < 90000; i++) sum = sum + t.Input("1", kFloat32, {});
  const Graph graph = t.Finish({sum}).value();
  const absl::StatusOr<Graph> again = ParseGraph(Print(graph), AllOps());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(*again == graph);
}

// Whatever the damage: a graph that Verify accepts and that reads back, or an error.
TEST(ParseGraph, SurvivesMutatedTexts) {
  MutationTest test;
  test.files = {Print(GraphOfEveryKind(), {.lines = false}), Print(GraphOfEveryKind())};
  for (const Op* op : AllOps()) test.words.push_back(op->name);
  for (const char* word : {"rows",
                           "trips",
                           "float64",
                           "int32",
                           "int64",
                           "bool",
                           "graph() -> () {}",
                           "all",
                           "nan",
                           "inf",
                           "order=16/4096",
                           "order=1",
                           "axis=",
                           "batch=",
                           "body=",
                           "length=",
                           "carried=1",
                           "scanned=1",
                           "stacked=1",
                           "captures=1",
                           "binds_rows=4",
                           "reversed",
                           "stops",
                           "%0",
                           "%1",
                           "[0]x[0]",
                           "[0,1]",
                           "(%0, %1)",
                           "9223372036854775807",
                           "-9223372036854775808",
                           "i0",
                           "2*i1",
                           "fill=",
                           "constant",
                           "iota",
                           "size",
                           "part",
                           "input",
                           "\"x\"",
                           "\n",
                           "{",
                           "}",
                           "("}) {
    test.words.push_back(word);
  }
  test.read = [](const std::string& mutant) {
    const absl::StatusOr<Graph> graph = ParseGraph(mutant, AllOps());
    if (!graph.ok()) {
      EXPECT_NE(graph.status().message(), "") << mutant;
      return false;
    }
    EXPECT_EQ(Verify(*graph), absl::OkStatus()) << mutant;
    const std::string text = Print(*graph);
    const absl::StatusOr<Graph> again = ParseGraph(text, AllOps());
    EXPECT_TRUE(again.ok() && *again == *graph) << mutant << "\nprints as\n" << text;
    return true;
  };
  RunMutationTest(test);
}

}  // namespace
}  // namespace talweg
