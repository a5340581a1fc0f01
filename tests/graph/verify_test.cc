#include "graph/verify.h"

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "graph/core_ops.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/graph/every_kind.h"

namespace talweg {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int64_t kHuge = int64_t{1} << 58;

NodeId Find(const Graph& graph, Kind kind) {
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    if (graph.nodes()[i].kind() == kind) return static_cast<NodeId>(i);
  }
  ADD_FAILURE() << "no node of this kind";
  return 0;
}

// The graph with one node changed.
Graph With(const Graph& graph, NodeId id, const std::function<void(Node&)>& change) {
  std::vector<Node> nodes = graph.nodes();
  change(nodes[static_cast<size_t>(id)]);
  return Graph(std::move(nodes), graph.inputs(), graph.outputs());
}

// What Verify says about the good graph after the first node of a kind was changed.
std::string Fault(Kind kind, const std::function<void(Node&)>& change) {
  const Graph graph = GraphOfEveryKind();
  return std::string(Verify(With(graph, Find(graph, kind), change)).message());
}

template <typename T>
std::string FaultIn(Kind kind, const std::function<void(T&)>& change) {
  return Fault(kind, [&](Node& node) { change(std::get<T>(node.attributes)); });
}

std::string ErrorOf(const Graph& graph) { return std::string(Verify(graph).message()); }
std::string ErrorOf(std::vector<Node> nodes, std::vector<NodeId> inputs,
                    std::vector<NodeId> outputs) {
  return std::string(ErrorOf(Graph(std::move(nodes), std::move(inputs), std::move(outputs))));
}

TEST(Verify, AcceptsWhatATapeMakes) {
  EXPECT_EQ(Verify(GraphOfEveryKind()), absl::OkStatus());
  EXPECT_EQ(Verify(Graph()), absl::OkStatus());
}

TEST(Verify, NamesNodeOpShapesAndLine) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2, 3});
  const int line = __LINE__ + 1;
  const Value sum = Sum(x);
  const Graph graph = With(t.Finish({sum}).value(), 1, [](Node& node) {
    std::get<ReduceAttributes>(node.attributes).order.chains = 4;
  });
  EXPECT_THAT(ErrorOf(graph),
              AllOf(StartsWith("node %1: sum: float32[2,3]: 4 chains; an order has 1 or 16 ("),
                    HasSubstr(absl::StrCat("verify_test.cc:", line, ")"))));
}

TEST(Verify, RefusesOperandsThatDoNotComeBefore) {
  EXPECT_THAT(Fault(Kind::kMap, [](Node& n) { n.operands[0] = -1; }), HasSubstr("operand %-1"));
  EXPECT_THAT(Fault(Kind::kMap, [](Node& n) { n.operands[0] = 100000; }),
              HasSubstr("does not come before"));
  const Graph graph = GraphOfEveryKind();
  const NodeId id = Find(graph, Kind::kReshape);
  EXPECT_THAT(ErrorOf(With(graph, id, [id](Node& n) { n.operands[0] = id; })),
              HasSubstr("does not come before"));
}

TEST(Verify, RefusesAnotherNumberOfOperands) {
  for (Kind kind : {Kind::kMap, Kind::kView, Kind::kReshape, Kind::kReduce, Kind::kGather,
                    Kind::kScatterAdd, Kind::kContract, Kind::kRandom, Kind::kPart}) {
    EXPECT_THAT(Fault(kind, [](Node& n) { n.operands.push_back(n.operands[0]); }),
                HasSubstr("operands; it takes"));
    EXPECT_THAT(Fault(kind, [](Node& n) { n.operands.pop_back(); }),
                HasSubstr("operands; it takes"));
  }
  for (Kind kind : {Kind::kInput, Kind::kConstant, Kind::kIota, Kind::kSize}) {
    EXPECT_THAT(Fault(kind, [](Node& n) { n.operands = {0}; }), HasSubstr("1 operands"));
  }
  for (Kind kind : {Kind::kConcat, Kind::kLoop, Kind::kCustom}) {
    EXPECT_THAT(Fault(kind, [](Node& n) { n.operands.clear(); }), HasSubstr("0 operands"));
  }
  EXPECT_THAT(Fault(Kind::kConcat, [](Node& n) { n.operands.resize(100000, n.operands[0]); }),
              HasSubstr("100000 operands"));
}

TEST(Verify, RefusesAttributesOfAnotherKind) {
  for (Kind kind : {Kind::kConstant, Kind::kIota, Kind::kSize, Kind::kMap, Kind::kView,
                    Kind::kReshape, Kind::kConcat, Kind::kReduce, Kind::kGather, Kind::kScatterAdd,
                    Kind::kContract, Kind::kRandom, Kind::kLoop, Kind::kPart, Kind::kCustom}) {
    EXPECT_THAT(Fault(kind, [](Node& n) { n.attributes = InputAttributes{"x"}; }),
                HasSubstr("attributes of another kind"))
        << static_cast<int>(kind);
  }
  EXPECT_NE(Fault(Kind::kInput, [](Node& n) { n.attributes = std::monostate(); }), "");
  EXPECT_THAT(Fault(Kind::kLoop, [](Node& n) { n.attributes = LoopAttributes(); }),
              HasSubstr("attributes"));
  EXPECT_THAT(Fault(Kind::kCustom, [](Node& n) { n.attributes = CustomAttributes(); }),
              HasSubstr("attributes"));
}

TEST(Verify, RefusesTypesThatAreNotTheInferredOnes) {
  for (Kind kind : {Kind::kConstant, Kind::kIota, Kind::kSize, Kind::kMap, Kind::kView,
                    Kind::kReshape, Kind::kConcat, Kind::kReduce, Kind::kGather, Kind::kScatterAdd,
                    Kind::kContract, Kind::kRandom, Kind::kPart, Kind::kCustom}) {
    // Either this node's own check or that of the first one that uses it.
    EXPECT_THAT(Fault(kind, [](Node& n) { n.types[0].dtype = kBool; }),
                HasSubstr("type is stated as bool"))
        << static_cast<int>(kind);
    EXPECT_THAT(Fault(kind, [](Node& n) { n.types[0].shape.push_back(7); }),
                HasSubstr("type is stated as"))
        << static_cast<int>(kind);
  }
  EXPECT_THAT(Fault(Kind::kMap, [](Node& n) { n.types.clear(); }), HasSubstr("0 types"));
  EXPECT_THAT(Fault(Kind::kMap, [](Node& n) { n.types.push_back(n.types[0]); }),
              HasSubstr("2 types"));
  EXPECT_THAT(Fault(Kind::kLoop, [](Node& n) { n.types.pop_back(); }),
              HasSubstr("its type is stated as"));
}

TEST(Verify, RefusesANodeWithoutAnOp) {
  EXPECT_THAT(Fault(Kind::kMap, [](Node& n) { n.op = nullptr; }), HasSubstr("no op"));
}

TEST(Verify, RefusesImpossibleShapes) {
  EXPECT_THAT(Fault(Kind::kInput, [](Node& n) { n.types[0].shape = {kHuge, kHuge}; }),
              HasSubstr("too many elements"));
  EXPECT_THAT(Fault(Kind::kInput, [](Node& n) { n.types[0].shape = {-3}; }), HasSubstr("negative"));
  EXPECT_THAT(Fault(Kind::kInput, [](Node& n) { n.types[0].shape.assign(33, Dim(1)); }),
              HasSubstr("33 axes; at most 32"));
}

TEST(CheckExtents, KnowsHowFarInt32Counts) {
  Tape t;
  const Value x = t.Input("x", kBool, {kRows}), key = t.Input("key", kInt64, {});
  constexpr int64_t kMost = int64_t{1} << 31;
  for (const Value& v : {t.Iota(kRows, kInt32), Permutation(key, kRows)}) {
    ASSERT_TRUE(v.ok()) << t.status();
    EXPECT_TRUE(CheckExtents(v.node(), {kMost}).ok());
    EXPECT_EQ(CheckExtents(v.node(), {kMost + 1}),
              absl::InvalidArgumentError("more elements than int32 can number"));
  }
  EXPECT_TRUE(CheckExtents(t.Iota(kRows, kInt64).node(), {kMost + 1}).ok());
  EXPECT_TRUE(CheckExtents(x.node(), {kMost + 1}).ok());
  EXPECT_THAT(std::string(CheckExtents(x.node(), {kMost, kMost, 2}).message()),
              HasSubstr("too many elements"));
}

TEST(Verify, RefusesOrdersThatDoNotExist) {
  EXPECT_THAT(FaultIn<ContractAttributes>(Kind::kContract, [](auto& a) { a.order.chains = 8; }),
              HasSubstr("8 chains"));
  EXPECT_THAT(FaultIn<ContractAttributes>(Kind::kContract, [](auto& a) { a.order.chains = 0; }),
              HasSubstr("0 chains"));
  EXPECT_THAT(FaultIn<ContractAttributes>(Kind::kContract, [](auto& a) { a.order.block = 100; }),
              HasSubstr("blocks of 100"));
}

TEST(Verify, RefusesInputsThatAreNotListedOnceUnderANameOfTheirOwn) {
  const Graph good = GraphOfEveryKind();
  std::vector<NodeId> inputs = good.inputs();
  inputs.push_back(inputs[0]);
  EXPECT_THAT(ErrorOf(good.nodes(), inputs, good.outputs()), HasSubstr("listed twice"));
  inputs = good.inputs();
  inputs.pop_back();
  EXPECT_THAT(ErrorOf(good.nodes(), inputs, good.outputs()),
              HasSubstr("5 nodes are inputs, 4 are listed"));
  inputs = good.inputs();
  inputs[0] = 100000;
  EXPECT_THAT(ErrorOf(good.nodes(), inputs, good.outputs()), HasSubstr("does not exist"));
  inputs[0] = Find(good, Kind::kMap);
  EXPECT_THAT(ErrorOf(good.nodes(), inputs, good.outputs()), HasSubstr("is not an input"));
  EXPECT_THAT(Fault(Kind::kInput, [](Node& n) { n.attributes = InputAttributes{"w"}; }),
              HasSubstr("two inputs are called 'w'"));
}

TEST(Verify, RefusesOutputsThatAreNoValues) {
  const Graph good = GraphOfEveryKind();
  EXPECT_THAT(ErrorOf(good.nodes(), good.inputs(), {-1}), HasSubstr("output %-1 does not exist"));
  EXPECT_THAT(ErrorOf(good.nodes(), good.inputs(), {100000}), HasSubstr("does not exist"));
  EXPECT_THAT(ErrorOf(good.nodes(), good.inputs(), {Find(good, Kind::kLoop)}),
              HasSubstr("is a loop; its parts are values"));
}

TEST(Verify, LetsOnlyPartsReadALoop) {
  const Graph good = GraphOfEveryKind();
  const NodeId loop = Find(good, Kind::kLoop);
  std::vector<Node> nodes = good.nodes();
  Node negated;
  negated.op = &kNegOp;
  negated.operands = {loop};
  negated.types = {nodes[static_cast<size_t>(loop)].types[0]};
  nodes.push_back(negated);
  EXPECT_THAT(ErrorOf(nodes, good.inputs(), good.outputs()), HasSubstr("a loop is no value"));
  EXPECT_THAT(Fault(Kind::kPart, [](Node& n) { n.operands[0] = 0; }),
              HasSubstr("only a loop has parts"));
  EXPECT_THAT(FaultIn<PartAttributes>(Kind::kPart, [](auto& a) { a.index = 3; }),
              HasSubstr("no part 3"));
  EXPECT_THAT(FaultIn<PartAttributes>(Kind::kPart, [](auto& a) { a.index = -1; }),
              HasSubstr("no part -1"));
}

TEST(Verify, HoldsALoopToItsCounts) {
  const auto fault = [](const std::function<void(LoopAttributes&)>& change) {
    return FaultIn<LoopAttributes>(Kind::kLoop, change);
  };
  EXPECT_THAT(fault([](auto& a) { a.captures = -1; }), HasSubstr("no sound body"));
  EXPECT_THAT(fault([](auto& a) { a.stacked = 1 << 30; }),
              HasSubstr("the counts say 3, 3 and 1073741826"));
  EXPECT_THAT(fault([](auto& a) { a.captures++; }),
              HasSubstr("outputs of the body; the counts say"));
  EXPECT_THAT(fault([](auto& a) { a.stacked++; }), HasSubstr("3 outputs of the body"));
  EXPECT_THAT(fault([](auto& a) { a.stops = false; }), HasSubstr("3 outputs of the body"));
  EXPECT_THAT(fault([](auto& a) { a.carried--, a.captures++; }), HasSubstr("outputs of the body"));
  EXPECT_THAT(fault([](auto& a) { a.length = 9; }), HasSubstr("is not 9"));
  EXPECT_THAT(fault([](auto& a) { a.length = kRows; }), HasSubstr("not rows"));
  EXPECT_THAT(fault([](auto& a) { a.length = -1; }), HasSubstr("not -1"));
  EXPECT_THAT(fault([](auto& a) { a.rows_limit = 3; }), HasSubstr("rows_limit"));
  EXPECT_THAT(fault([](auto& a) { a.binds_rows = true; }), HasSubstr("operands"));
  EXPECT_THAT(Fault(Kind::kLoop, [](Node& n) { n.operands[0] = 0; }),
              HasSubstr("trips is not an int64 scalar"));
}

// The body of the good graph's loop, changed.
std::string FaultOfBody(const std::function<Graph(const Graph&)>& change) {
  return FaultIn<LoopAttributes>(Kind::kLoop, [&](LoopAttributes& a) {
    a.body = std::make_shared<const Graph>(change(*a.body));
  });
}

TEST(Verify, HoldsALoopsBodyToItsInputsAndOutputs) {
  EXPECT_THAT(FaultOfBody([](const Graph& b) {
                return Graph(b.nodes(), {b.inputs()[0], b.inputs()[2], b.inputs()[1]}, b.outputs());
              }),
              HasSubstr("value 0 is float32[4,2] in the body, float32[2,3] outside"));
  EXPECT_THAT(FaultOfBody([](const Graph& b) {
                return Graph(b.nodes(), b.inputs(),
                             {b.outputs()[1], b.outputs()[1], b.outputs()[2]});
              }),
              HasSubstr("carried value 0 is float32[] in the body, float32[2,3] outside"));
  EXPECT_THAT(FaultOfBody([](const Graph& b) {
                return Graph(b.nodes(), b.inputs(),
                             {b.outputs()[0], b.outputs()[1], b.outputs()[1]});
              }),
              HasSubstr("stop is not a bool scalar"));
  EXPECT_THAT(FaultOfBody([](const Graph& b) {
                return Graph(b.nodes(), b.inputs(),
                             {b.outputs()[0], b.outputs()[0], b.outputs()[2]});
              }),
              HasSubstr("its type is stated as"));
}

TEST(Verify, LooksIntoBodiesAndGradients) {
  EXPECT_THAT(FaultOfBody([](const Graph& b) {
                return With(b, Find(b, Kind::kContract), [](Node& n) {
                  std::get<ContractAttributes>(n.attributes).order.chains = 2;
                });
              }),
              AllOf(HasSubstr("loop"), HasSubstr("in the body: node %"), HasSubstr("2 chains")));
  EXPECT_THAT(FaultIn<CustomAttributes>(
                  Kind::kCustom,
                  [](CustomAttributes& a) {
                    a.gradient = std::make_shared<const Graph>(
                        With(*a.gradient, 0, [](Node& n) { n.attributes = std::monostate(); }));
                  }),
              AllOf(HasSubstr("custom"), HasSubstr("in the gradient")));
}

TEST(Verify, HoldsACustomGradientToItsSignature) {
  const auto fault = [](const std::function<Graph(const Graph&)>& change) {
    return FaultIn<CustomAttributes>(Kind::kCustom, [&](CustomAttributes& a) {
      a.gradient = std::make_shared<const Graph>(change(*a.gradient));
    });
  };
  EXPECT_THAT(fault([](const Graph& g) { return Graph(g.nodes(), g.inputs(), {}); }),
              HasSubstr("the gradient has 0 results for 1 inputs"));
  EXPECT_THAT(fault([](const Graph& g) {
                std::vector<Node> nodes = g.nodes();
                for (Node& node : nodes) node.types[0].dtype = kFloat64;
                return Graph(nodes, g.inputs(), g.outputs());
              }),
              HasSubstr("the gradient takes float64[rows,3] for input 0, float32[rows,3]"));
}

TEST(Verify, WantsASymbolsValueFromSomewhere) {
  Tape t;
  t.Input("x", kFloat32, {2});
  EXPECT_THAT(ErrorOf(t.Finish({t.Iota(kRows)}).value()),
              HasSubstr("nothing says how many there are of [rows]"));
  EXPECT_THAT(ErrorOf(t.Finish({t.Size(kTrips)}).value()),
              HasSubstr("nothing says how many trips there are"));
  Tape u;
  u.Input("x", kFloat32, {kRows});
  EXPECT_TRUE(Verify(u.Finish({u.Iota(kRows), u.Size(kRows)}).value()).ok());
}

TEST(Verify, KnowsThatALoopWithRowsOfItsOwnBindsThem) {
  Tape t;
  const std::vector<Value> values =
      WithRows(t, 5, [](Tape& body) { return std::vector<Value>{Sum(body.Iota(kRows))}; });
  const absl::StatusOr<Graph> graph = t.Finish(values);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(Verify(*graph), absl::OkStatus());
  // The same body in a loop that binds none.
  const NodeId loop = Find(*graph, Kind::kLoop);
  const Graph unbound = With(*graph, loop, [](Node& n) {
    n.operands.erase(n.operands.begin() + 1);
    auto& a = std::get<LoopAttributes>(n.attributes);
    a.binds_rows = false;
    a.rows_limit = 0;
  });
  EXPECT_THAT(ErrorOf(unbound), HasSubstr("nothing says how many"));
}

TEST(Verify, KnowsThatALoopOfRunTimeTripsBindsThem) {
  Tape t;
  const Value n = t.Input("n", kInt64, {});
  const LoopResult loop = Loop(t, {.trips = n}, [](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {body.trip}};
  });
  const absl::StatusOr<Graph> graph = t.Finish({loop.stacked[0]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(Verify(*graph), absl::OkStatus());
}

// A graph whose only node besides its inputs is a loop around `body`.
Graph LoopAround(const Graph& body, Type carried) {
  Node trips, state, loop;
  trips.op = state.op = &kInputOp;
  trips.attributes = InputAttributes{"trips"};
  trips.types = {Type{kInt64, {}}};
  state.attributes = InputAttributes{"state"};
  state.types = {carried};
  loop.op = &kLoopOp;
  loop.operands = {0, 1};
  loop.attributes =
      LoopAttributes{.body = std::make_shared<const Graph>(body), .carried = 1, .length = 3};
  loop.types = {carried, Type{kInt64, {}}};
  Node part;
  part.op = &kPartOp;
  part.operands = {2};
  part.attributes = PartAttributes{0};
  part.types = {carried};
  return Graph({trips, state, loop, part}, {0, 1}, {3});
}

Graph Identity(const Type& type) {
  Tape t;
  t.Input("trip", kInt64, {});
  return t.Finish({t.Input("state", type.dtype, type.shape)}).value();
}

TEST(Verify, KeepsTripsOutOfBodies) {
  const Type fine{kFloat32, {kRows}}, trips{kFloat32, {kTrips}};
  EXPECT_EQ(Verify(LoopAround(Identity(fine), fine)), absl::OkStatus());
  EXPECT_THAT(
      ErrorOf(LoopAround(Identity(trips), trips)),
      HasSubstr("float32[trips] enters or leaves a body, in which trips is another number"));
}

TEST(Verify, LimitsNesting) {
  const Type type{kFloat32, {}};
  Graph graph = Identity(type);
  for (int depth = 0; depth < kMaxNesting; depth++) graph = LoopAround(graph, type);
  EXPECT_EQ(Verify(graph), absl::OkStatus());
  EXPECT_THAT(ErrorOf(LoopAround(graph, type)), HasSubstr("more than 32 deep"));
}

// ... and a graph that was found good where it stood alone may be too deep as a body.
TEST(Verify, LimitsNestingOfBodiesThatItHasSeen) {
  const Type type{kFloat32, {}};
  std::vector<Node> nodes = Identity(type).nodes();
  std::shared_ptr<const Graph> body = std::make_shared<const Graph>(Identity(type));
  for (int depth = 0; depth < 2 * kMaxNesting; depth++) {
    const Graph around = LoopAround(*body, type);
    std::vector<Node> inner = around.nodes();
    std::get<LoopAttributes>(inner[2].attributes).body = body;
    body = std::make_shared<const Graph>(inner, around.inputs(), around.outputs());
    Node loop = inner[2];
    std::get<LoopAttributes>(loop.attributes).body = body;
    nodes.push_back(loop);
  }
  EXPECT_THAT(ErrorOf(Graph(nodes, {0, 1}, {1})), HasSubstr("more than 32 deep"));
}

// One body in two loops, in two loops, ...: 2^30 graphs, of which 30 are different.
TEST(Verify, LooksAtASharedBodyOnce) {
  const Type type{kFloat32, {}};
  Graph graph = Identity(type);
  for (int depth = 0; depth < 30; depth++) {
    const Graph one = LoopAround(graph, type);
    std::vector<Node> nodes = one.nodes();
    nodes.push_back(nodes[2]);
    nodes.back().operands[1] = 3;
    nodes.push_back(nodes[3]);
    nodes.back().operands[0] = 4;
    graph = Graph(nodes, one.inputs(), {5});
  }
  EXPECT_EQ(Verify(graph), absl::OkStatus());
}

TEST(Verify, RefusesViewsWhoseIndicesOverflow) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const auto fault = [](const std::function<void(ViewAttributes&)>& change) {
    return FaultIn<ViewAttributes>(Kind::kView, change);
  };
  EXPECT_THAT(fault([](auto& a) { a.axes[0].offset = kMost; }), HasSubstr("62 bits"));
  EXPECT_THAT(fault([](auto& a) { a.axes[0].offset = -kMost - 1; }), HasSubstr("62 bits"));
  EXPECT_THAT(fault([](auto& a) { a.axes.back().terms = {{.axis = 1, .step = kMost / 2}}; }),
              HasSubstr("62 bits"));
  EXPECT_THAT(fault([](auto& a) { a.axes.back().terms = {{.axis = 9, .step = 1}}; }),
              HasSubstr("no axis 9"));
  EXPECT_THAT(fault([](auto& a) { a.axes.back().terms = {{.axis = -1, .step = 1}}; }),
              HasSubstr("no axis -1"));
  EXPECT_THAT(fault([](auto& a) { a.axes.back().dilation = 0; }), HasSubstr("dilation"));
}

TEST(Verify, IsLinearInAChainOfAHundredThousandNodes) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {});
  Value y = x;
  for (int i = 0; i < 100000; i++) y = y + x;
  EXPECT_EQ(Verify(t.Finish({y}).value()), absl::OkStatus());
}

}  // namespace
}  // namespace talweg
