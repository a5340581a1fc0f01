#include "graph/print.h"

#include <bit>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "graph/core_ops.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/graph/every_kind.h"

namespace talweg {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// The text of what makes a value: "float32[2] = tanh(%0)".
std::string TextOf(const Value& value) {
  EXPECT_TRUE(value.ok()) << value.status();
  const Graph graph = Tape(value.tape()).Finish({value}).value();
  const std::string text = PrintNode(graph, graph.outputs()[0]);
  return text.substr(text.find("  ") + 2);
}

TEST(Print, ReadsLikeAProgram) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), w = t.Input("w", kFloat32, {2, 3});
  const Value h = Tanh(MatMul(x, w));
  const absl::StatusOr<Graph> graph = t.Finish({Sum(h), h});
  EXPECT_EQ(Print(*graph, {.lines = false}),
            "graph(%0, %1) -> (%4, %3) {\n"
            "  %0  float32[rows,2] = input \"x\"\n"
            "  %1  float32[2,3]    = input \"w\"\n"
            "  %2  float32[rows,3] = contract(%0, %1) sum=[1]x[0] order=1\n"
            "  %3  float32[rows,3] = tanh(%2)\n"
            "  %4  float32[]       = sum(%3) axes=[0,1] order=16/4096\n"
            "}\n");
}

TEST(Print, ShowsTheUsersLines) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {});
  const int line = __LINE__ + 1;
  const Graph graph = t.Finish({Exp(x)}).value();
  const std::string text = Print(graph);
  EXPECT_THAT(text, HasSubstr(absl::StrCat("print_test.cc:", line, "\n")));
  EXPECT_THAT(Print(graph, {.lines = false}), Not(HasSubstr("#")));
}

TEST(Print, IndentsTheBodiesOfLoops) {
  Tape t;
  const Value start = t.Input("start", kFloat64, {});
  const LoopResult loop = Loop(t, {.trips = 3, .carried = {start}}, [](LoopBody& body) -> LoopStep {
    return {.carried = {body.carried[0] * 2}};
  });
  EXPECT_EQ(Print(t.Finish({loop.carried[0]}).value(), {.lines = false}),
            "graph(%0) -> (%3) {\n"
            "  %0  float64[]            = input \"start\"\n"
            "  %1  int64[]              = constant 3\n"
            "  %2  (float64[], int64[]) = loop(%1, %0) length=3 carried=1 "
            "body=graph(%0, %1) -> (%3) {\n"
            "    %0  int64[]   = input \"trip\"\n"
            "    %1  float64[] = input \"carried0\"\n"
            "    %2  float64[] = constant 2\n"
            "    %3  float64[] = mul(%1, %2)\n"
            "  }\n"
            "  %3  float64[]            = part(%2) index=0\n"
            "}\n");
}

TEST(Print, KeepsWhatTheTypeSaysAlreadyToTheType) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2, 3});
  EXPECT_EQ(TextOf(Reshape(x, {6})), "float32[6] = reshape(%0)");
  EXPECT_EQ(TextOf(Cast(x, kInt64)), "int64[2,3] = cast(%0)");
  EXPECT_EQ(TextOf(t.Iota(5)), "int32[5] = iota");
  EXPECT_EQ(TextOf(Permutation(t.Input("key", kInt64, {}), 5)), "int32[5] = permutation(%1, %2)");
}

TEST(Print, WritesTheIndicesOfViews) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {10, 3});
  EXPECT_EQ(TextOf(Transpose(x)), "float32[3,10] = view(%0) [i1, i0]");
  EXPECT_EQ(TextOf(Slice(x, 0, 3, 9, 2)), "float32[3,3] = view(%0) [2*i0 + 3, i1]");
  EXPECT_EQ(TextOf(Reverse(x, {0})), "float32[10,3] = view(%0) [-i0 + 9, i1]");
  EXPECT_EQ(TextOf(Slice(x, 0, 9, 0, -3)), "float32[3,3] = view(%0) [-3*i0 + 9, i1]");
  EXPECT_EQ(TextOf(At(x, 1, 2)), "float32[10] = view(%0) [i0, 2]");
  EXPECT_EQ(TextOf(At(x, 1, 0)), "float32[10] = view(%0) [i0, 0]");
  EXPECT_EQ(TextOf(BroadcastTo(x, {5, 10, 3})), "float32[5,10,3] = view(%0) [i1, i2]");
  EXPECT_EQ(TextOf(Window(x, 0, 4, 2)), "float32[4,4,3] = view(%0) [2*i0 + i1, i2]");
  EXPECT_EQ(TextOf(Pad(x, {{1, 0}, {0, 2}})), "float32[11,5] = view(%0) [i0 - 1, i1]");
  EXPECT_EQ(TextOf(Pad(x, {{1, 0}, {0, 0}}, -std::numeric_limits<double>::infinity())),
            "float32[11,3] = view(%0) [i0 - 1, i1] fill=-inf");
  const AxisMap dilated{.offset = -1, .dilation = 4, .terms = {{0, 2}, {1, -1}}};
  EXPECT_EQ(TextOf(View(t.Input("v", kFloat32, {3}), {{dilated}, -0.0, {4, 4}}, {})),
            "float32[4,4] = view(%1) [(2*i0 - i1 - 1)/4] fill=-0");
}

TEST(Print, WritesTheAttributesOfEachKind) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {8, 3}), i = t.Input("i", kInt32, {8});
  EXPECT_EQ(TextOf(Concat({x, x}, 1)), "float32[8,6] = concat(%0, %0) axis=1");
  EXPECT_EQ(TextOf(Sum(x, 1)), "float32[8] = sum(%0) axes=[1] order=1");
  EXPECT_EQ(TextOf(ArgMax(x)), "int64[8] = argmax(%0) axes=[1] order=1");
  EXPECT_EQ(TextOf(Gather(x, i)), "float32[8,3] = gather(%0, %1) axis=0");
  EXPECT_EQ(TextOf(Gather(x, i, 1, 1)), "float32[8] = gather(%0, %1) axis=1 batch=1");
  EXPECT_EQ(TextOf(ScatterAdd(x, i, 9)), "float32[9,3] = scatter_add(%0, %1) axis=0");
  EXPECT_EQ(
      TextOf(Contract(x, x, {.lhs_batch = {0}, .rhs_batch = {0}, .lhs_sum = {1}, .rhs_sum = {1}})),
      "float32[8] = contract(%0, %0) batch=[0]x[0] sum=[1]x[1] order=1");
  EXPECT_EQ(TextOf(t.Size(kRows)), "int64[] = size rows");
}

TEST(Print, WritesConstantsExactly) {
  const auto constant = [](const Array& array) { return TextOf(Tape().Constant(array)); };
  EXPECT_EQ(constant(Array(0.1f)), "float32[] = constant 0.1");
  EXPECT_EQ(constant(Array(-0.0)), "float64[] = constant -0");
  EXPECT_EQ(constant(Array(1.0 / 3)), "float64[] = constant 0.3333333333333333");
  EXPECT_EQ(constant(Array(true)), "bool[] = constant true");
  EXPECT_EQ(constant(Array(std::numeric_limits<int64_t>::min())),
            "int64[] = constant -9223372036854775808");
  EXPECT_EQ(constant(Array(std::numeric_limits<float>::quiet_NaN())), "float32[] = constant nan");
  EXPECT_EQ(constant(Array(std::bit_cast<float>(0x7fc00001))),
            "float32[] = constant nan:0x7fc00001");
  EXPECT_EQ(constant(Array(-std::numeric_limits<double>::infinity())), "float64[] = constant -inf");
  EXPECT_EQ(constant(Array::Matrix<int32_t>({{1, 2}, {3, 4}})),
            "int32[2,2] = constant {1, 2, 3, 4}");
  EXPECT_EQ(constant(Array::Vector<float>({7})), "float32[1] = constant {7}");
  EXPECT_EQ(constant(Array::Vector<float>({})), "float32[0] = constant {}");
  EXPECT_EQ(constant(Array::Vector<float>({7, 7, 7})), "float32[3] = constant all 7");
  EXPECT_EQ(constant(Array::Vector<float>({0, -0.0f})), "float32[2] = constant {0, -0}");
}

TEST(Print, QuotesNames) {
  const auto input = [](std::string_view name) {
    Tape t;
    return TextOf(t.Input(name, kBool, {}));
  };
  EXPECT_EQ(input("model/hidden/kernel"), "bool[] = input \"model/hidden/kernel\"");
  EXPECT_EQ(input("größe"), "bool[] = input \"größe\"");
  EXPECT_EQ(input("a\"b\\c\n"), "bool[] = input \"a\\x22b\\x5cc\\x0a\"");
  EXPECT_EQ(input("\xff"), "bool[] = input \"\\xff\"");
  EXPECT_EQ(input(""), "bool[] = input \"\"");
}

TEST(PrintNode, CutsNestedGraphsDownToTheirSize) {
  const Graph graph = GraphOfEveryKind();
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    const std::string text = PrintNode(graph, static_cast<NodeId>(i));
    EXPECT_THAT(text, Not(HasSubstr("\n")));
    if (graph.nodes()[i].kind() == Kind::kLoop) {
      EXPECT_THAT(text, EndsWith(" stops body=graph with 12 nodes"));
    }
  }
}

// What is debugged may be broken.
TEST(Print, ShowsGraphsThatAreNotSound) {
  Node node;
  node.op = &kPartOp;
  node.operands = {7, -1};
  EXPECT_EQ(Print(Graph({node}, {3}, {-5})),
            "graph(%3) -> (%-5) {\n"
            "  %0  () = part(%7, %-1)\n"
            "}\n");
  node.attributes = CustomAttributes{nullptr};
  EXPECT_THAT(Print(Graph({node}, {}, {})), HasSubstr("gradient=graph with 0 nodes"));
}

}  // namespace
}  // namespace talweg
