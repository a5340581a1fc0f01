#include "graph/attributes.h"

#include <bit>
#include <limits>
#include <memory>
#include <vector>

#include "graph/core_ops.h"
#include "graph/graph.h"
#include "gtest/gtest.h"

namespace talweg {
namespace {

std::shared_ptr<const Graph> GraphOf(std::string input_name) {
  Node node;
  node.op = &kInputOp;
  node.attributes = InputAttributes{std::move(input_name)};
  node.types = {Type{kFloat32, {2}}};
  return std::make_shared<const Graph>(std::vector<Node>{node}, std::vector<NodeId>{0},
                                       std::vector<NodeId>{0});
}

float NanOf(uint32_t bits) { return std::bit_cast<float>(bits); }

// Attributes of every alternative, and with every field changed once.
std::vector<Attributes> Different() {
  const AxisMap whole{.offset = 0, .dilation = 1, .terms = {{.axis = 0, .step = 1}}};
  const AxisMap shifted{.offset = 1, .dilation = 1, .terms = {{.axis = 0, .step = 1}}};
  const AxisMap dilated{.offset = 0, .dilation = 2, .terms = {{.axis = 0, .step = 1}}};
  const AxisMap stepped{.offset = 0, .dilation = 1, .terms = {{.axis = 0, .step = 2}}};
  const AxisMap other{.offset = 0, .dilation = 1, .terms = {{.axis = 1, .step = 1}}};
  const ContractAttributes contract{
      .lhs_batch = {0}, .rhs_batch = {0}, .lhs_sum = {1}, .rhs_sum = {2}, .order = {}};
  ContractAttributes chains = contract, batch = contract, sum = contract;
  chains.order.chains = 16;
  batch.rhs_batch = {1};
  sum.lhs_sum = {2};
  const LoopAttributes loop{.body = GraphOf("x"), .carried = 1, .length = 3};
  std::vector<LoopAttributes> loops(10, loop);
  loops[1].captures = 1;
  loops[2].carried = 2;
  loops[3].scanned = 1;
  loops[4].stacked = 1;
  loops[5].reversed = true;
  loops[6].stops = true;
  loops[7].binds_rows = true;
  loops[8].length = kTrips;
  loops[9].body = GraphOf("y");
  std::vector<Attributes> all = {
      std::monostate{},
      InputAttributes{"x"},
      InputAttributes{"y"},
      ConstantAttributes{Array(0.0f)},
      ConstantAttributes{Array(-0.0f)},
      ConstantAttributes{Array(0.0)},
      ConstantAttributes{Array(0)},
      ConstantAttributes{Array::Vector<float>({0})},
      ConstantAttributes{Array::Matrix<float>({{0}})},
      ConstantAttributes{Array(NanOf(0x7fc00000))},
      ConstantAttributes{Array(NanOf(0x7fc00001))},
      SizeAttributes{kRows},
      SizeAttributes{kTrips},
      ShapeAttributes{{2, 3}},
      ShapeAttributes{{3, 2}},
      ShapeAttributes{{kRows, 2}},
      CastAttributes{kFloat32},
      CastAttributes{kBool},
      ViewAttributes{{whole}, 0, {2}},
      ViewAttributes{{shifted}, 0, {2}},
      ViewAttributes{{dilated}, 0, {2}},
      ViewAttributes{{stepped}, 0, {2}},
      ViewAttributes{{other}, 0, {2}},
      ViewAttributes{{whole}, -0.0, {2}},
      ViewAttributes{{whole}, 0, {3}},
      ViewAttributes{{whole, whole}, 0, {2}},
      ConcatAttributes{0},
      ConcatAttributes{1},
      ReduceAttributes{{0}, {}},
      ReduceAttributes{{1}, {}},
      ReduceAttributes{{0}, {.chains = 16}},
      ReduceAttributes{{0}, {.chains = 1, .block = 4096}},
      GatherAttributes{1, 0},
      GatherAttributes{1, 1},
      ScatterAddAttributes{1, 0, 5},
      ScatterAddAttributes{1, 0, kRows},
      contract,
      chains,
      batch,
      sum,
      TypeAttributes{kInt32, {4}},
      TypeAttributes{kInt64, {4}},
      TypeAttributes{kInt32, {kRows}},
      PartAttributes{0},
      PartAttributes{1},
      CustomAttributes{GraphOf("x")},
      CustomAttributes{GraphOf("y")},
  };
  all.insert(all.end(), loops.begin(), loops.end());
  return all;
}

TEST(Attributes, DifferWhereOneFieldDiffers) {
  const std::vector<Attributes> all = Different();
  for (size_t i = 0; i < all.size(); i++) {
    for (size_t j = 0; j < all.size(); j++) {
      EXPECT_EQ(all[i] == all[j], i == j) << i << " and " << j;
    }
  }
}

TEST(Attributes, HashApartWhereTheyDiffer) {
  const std::vector<Attributes> all = Different();
  for (size_t i = 0; i < all.size(); i++) {
    for (size_t j = 0; j < i; j++) EXPECT_NE(HashOf(all[i]), HashOf(all[j])) << i << " and " << j;
  }
}

// Made twice, so that nothing is equal because it is the same object.
TEST(Attributes, OfEqualContentsAreEqualWithEqualHashes) {
  const std::vector<Attributes> all = Different(), again = Different();
  for (size_t i = 0; i < all.size(); i++) {
    EXPECT_EQ(all[i], again[i]) << i;
    EXPECT_EQ(HashOf(all[i]), HashOf(again[i])) << i;
  }
}

Node Named(const Op& op, std::vector<NodeId> operands, SourceLine line) {
  Node node;
  node.op = &op;
  node.operands = std::move(operands);
  node.types = {Type{kFloat32, {2}}};
  node.line = line;
  return node;
}

TEST(Graph, EqualityLooksAtAllButTheLines) {
  const Node a = Named(kInputOp, {}, {"a.cc", 1}), elsewhere = Named(kInputOp, {}, {"b.cc", 2});
  Node typed = a;
  typed.types[0].dtype = kInt32;
  const Graph graph({a, a}, {0, 1}, {1});
  EXPECT_EQ(graph, Graph({a, elsewhere}, {0, 1}, {1}));
  EXPECT_EQ(graph.Hash(), Graph({a, elsewhere}, {0, 1}, {1}).Hash());
  EXPECT_FALSE(graph == Graph({a, a}, {1, 0}, {1}));
  EXPECT_FALSE(graph == Graph({a, a}, {0, 1}, {0}));
  EXPECT_FALSE(graph == Graph({a, a, a}, {0, 1}, {1}));
  EXPECT_FALSE(graph == Graph({a, typed}, {0, 1}, {1}));
  EXPECT_FALSE(graph == Graph({a, Named(kSizeOp, {}, {})}, {0, 1}, {1}));
}

TEST(Graph, OperandsCountForEqualityAndHash) {
  const Node x = Named(kInputOp, {}, {});
  const Graph first({x, x, Named(kPartOp, {0}, {})}, {0, 1}, {2});
  const Graph second({x, x, Named(kPartOp, {1}, {})}, {0, 1}, {2});
  EXPECT_FALSE(first == second);
  EXPECT_NE(first.Hash(), second.Hash());
}

TEST(SourceLine, ShowsFileAndLineOrNothing) {
  EXPECT_EQ(ToString(SourceLine{"model.cc", 14}), "model.cc:14");
  EXPECT_EQ(ToString(SourceLine{}), "");
}

}  // namespace
}  // namespace talweg
