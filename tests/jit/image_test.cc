#include "jit/image.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/print.h"
#include "gtest/gtest.h"
#include "jit/compile.h"
#include "jit/llvm/engine.h"
#include "jit/loops/lower.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/map.h"
#include "ops/random.h"
#include "ops/table.h"
#include "tests/base/mutation.h"
#include "tests/graph/every_kind.h"
#include "tests/graphs/random_graph.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/jit/llvm/cache_folder.h"

namespace talweg {
namespace {

using Key = native::ObjectCache::Key;

const native::Target& Here() {
  static const native::Target& target = *new native::Target(*native::DetectTarget("x86-64"));
  return target;
}

Key KeyOfGraph(const Graph& graph) { return KeyOf(graph, {}, Here()); }

// The graph with one node changed.
Graph With(const Graph& graph, size_t i, const std::function<void(Node&)>& change) {
  std::vector<Node> nodes = graph.nodes();
  change(nodes[i]);
  return Graph(std::move(nodes), graph.inputs(), graph.outputs());
}

using Changes = std::vector<std::pair<std::string, std::function<void(Node&)>>>;

template <typename T>
void AddChange(Changes& changes, const Node& node, const std::string& name,
               const std::function<void(T&)>& change) {
  if (!std::holds_alternative<T>(node.attributes)) return;
  changes.emplace_back(name, [change](Node& n) { change(std::get<T>(n.attributes)); });
}

// Each field of a node and of its attributes, changed.
Changes ChangesOf(const Node& node) {
  Changes changes = {
      {"line", [](Node& n) { n.line.line++; }},
      {"file", [](Node& n) { n.line.file = "other.cc"; }},
      {"type", [](Node& n) { n.types[0].dtype = n.types[0].dtype == kInt64 ? kInt32 : kInt64; }},
      {"rank", [](Node& n) { n.types[0].shape.push_back(1); }},
      {"rows", [](Node& n) { n.types[0].shape.push_back(kRows); }},
      {"trips", [](Node& n) { n.types[0].shape.push_back(kTrips); }},
      {"operand more", [](Node& n) { n.operands.push_back(0); }},
      {"op", [](Node& n) { n.op = n.op == AllOps()[0] ? AllOps()[1] : AllOps()[0]; }},
  };
  AddChange<InputAttributes>(changes, node, "name", [](auto& a) { a.name += "x"; });
  AddChange<ConstantAttributes>(changes, node, "value", [](auto& a) { a.value = Array(7.5f); });
  AddChange<SizeAttributes>(changes, node, "dim", [](auto& a) { a.dim = kTrips; });
  AddChange<ShapeAttributes>(changes, node, "shape", [](auto& a) { a.shape.push_back(1); });
  AddChange<CastAttributes>(changes, node, "dtype", [](auto& a) { a.dtype = kBool; });
  using View = ViewAttributes;
  AddChange<View>(changes, node, "offset", [](auto& a) { a.axes.at(0).offset++; });
  AddChange<View>(changes, node, "dilation", [](auto& a) { a.axes.at(0).dilation++; });
  AddChange<View>(changes, node, "term", [](auto& a) { a.axes.at(0).terms.push_back({9, 1}); });
  AddChange<View>(changes, node, "step", [](auto& a) { a.axes.at(0).terms.push_back({9, 2}); });
  AddChange<View>(changes, node, "fill", [](auto& a) { a.fill += 1; });
  AddChange<View>(changes, node, "view", [](auto& a) { a.shape.push_back(1); });
  AddChange<ConcatAttributes>(changes, node, "axis", [](auto& a) { a.axis++; });
  AddChange<ReduceAttributes>(changes, node, "axes", [](auto& a) { a.axes.push_back(7); });
  AddChange<ReduceAttributes>(changes, node, "chains", [](auto& a) { a.order.chains += 15; });
  AddChange<ReduceAttributes>(changes, node, "block", [](auto& a) { a.order.block++; });
  AddChange<GatherAttributes>(changes, node, "axis", [](auto& a) { a.axis++; });
  AddChange<GatherAttributes>(changes, node, "batch", [](auto& a) { a.batch++; });
  AddChange<ScatterAddAttributes>(changes, node, "axis", [](auto& a) { a.axis++; });
  AddChange<ScatterAddAttributes>(changes, node, "batch", [](auto& a) { a.batch++; });
  AddChange<ScatterAddAttributes>(changes, node, "size", [](auto& a) { a.size = 77; });
  using Contract = ContractAttributes;
  AddChange<Contract>(changes, node, "lhs_batch", [](auto& a) { a.lhs_batch.push_back(3); });
  AddChange<Contract>(changes, node, "rhs_batch", [](auto& a) { a.rhs_batch.push_back(3); });
  AddChange<Contract>(changes, node, "lhs_sum", [](auto& a) { a.lhs_sum.push_back(3); });
  AddChange<Contract>(changes, node, "rhs_sum", [](auto& a) { a.rhs_sum.push_back(3); });
  AddChange<Contract>(changes, node, "chains", [](auto& a) { a.order.chains += 15; });
  AddChange<TypeAttributes>(changes, node, "dtype", [](auto& a) { a.dtype = kBool; });
  AddChange<TypeAttributes>(changes, node, "shape", [](auto& a) { a.shape.push_back(1); });
  using Loops = LoopAttributes;
  AddChange<Loops>(changes, node, "captures", [](auto& a) { a.captures++; });
  AddChange<Loops>(changes, node, "carried", [](auto& a) { a.carried++; });
  AddChange<Loops>(changes, node, "scanned", [](auto& a) { a.scanned++; });
  AddChange<Loops>(changes, node, "stacked", [](auto& a) { a.stacked++; });
  AddChange<Loops>(changes, node, "reversed", [](auto& a) { a.reversed = !a.reversed; });
  AddChange<Loops>(changes, node, "stops", [](auto& a) { a.stops = !a.stops; });
  AddChange<Loops>(changes, node, "binds_rows", [](auto& a) { a.binds_rows = !a.binds_rows; });
  AddChange<Loops>(changes, node, "length", [](auto& a) { a.length = 77; });
  AddChange<Loops>(changes, node, "rows_limit", [](auto& a) { a.rows_limit++; });
  AddChange<Loops>(changes, node, "whole", [](auto& a) { a.whole = !a.whole; });
  AddChange<Loops>(changes, node, "body", [](auto& a) {
    a.body = std::make_shared<Graph>(With(*a.body, 1, [](Node& n) { n.line.line++; }));
  });
  AddChange<PartAttributes>(changes, node, "index", [](auto& a) { a.index++; });
  return changes;
}

TEST(Key, DependsOnEachFieldOfEachNode) {
  const Graph graph = GraphOfEveryKind();
  std::map<Key, std::string> seen = {{KeyOfGraph(graph), "nothing"}};
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    for (const auto& [what, change] : ChangesOf(graph.nodes()[i])) {
      // A scalar's view has no axis to change.
      const auto* view = std::get_if<ViewAttributes>(&graph.nodes()[i].attributes);
      if (view != nullptr && view->axes.empty() && what != "fill" && what != "view" &&
          (what == "offset" || what == "dilation" || what == "term" || what == "step")) {
        continue;
      }
      const std::string name = std::to_string(i) + " " + what;
      const Graph changed = With(graph, i, change);
      const Key key = KeyOfGraph(changed);
      EXPECT_EQ(key, KeyOfGraph(changed));
      EXPECT_TRUE(seen.emplace(key, name).second) << name << " as " << seen[key];
    }
  }
  for (const auto& [name, other] :
       std::map<std::string, Graph>{{"inputs", Graph(graph.nodes(), {0, 1}, graph.outputs())},
                                    {"outputs", Graph(graph.nodes(), graph.inputs(), {0, 1})}}) {
    EXPECT_TRUE(seen.emplace(KeyOfGraph(other), name).second) << name;
  }
}

TEST(Key, DependsOnOptionsProcessorAndToolchain) {
  struct Everything {
    JitOptions options;
    native::Target target = Here();
    Toolchain toolchain = ThisToolchain();
  };
  using Change = std::function<void(Everything&)>;
  const std::map<std::string, Change> changes = {
      {"nothing", [](Everything&) {}},
      {"LLVM", [](Everything& e) { e.toolchain.llvm += "x"; }},
      {"triple", [](Everything& e) { e.toolchain.triple += "x"; }},
      {"libc", [](Everything& e) { e.toolchain.libc += "x"; }},
      {"sources", [](Everything& e) { e.toolchain.sources += "x"; }},
      {"processor", [](Everything& e) { e.toolchain.processor += "x"; }},
      {"text from one field in the next",
       [](Everything& e) {
         e.toolchain.llvm += e.toolchain.triple[0];
         e.toolchain.triple.erase(0, 1);
       }},
      {"cpu", [](Everything& e) { e.target.spec.cpu = "znver3"; }},
      {"features", [](Everything& e) { e.target.spec.features = "+avx2"; }},
      {"avx", [](Everything& e) { e.target.spec.avx = true; }},
      {"avx512", [](Everything& e) { e.target.spec.avx512 = true; }},
      {"vectors", [](Everything& e) { e.target.machine.vector_bytes *= 2; }},
      {"registers", [](Everything& e) { e.target.machine.vector_registers *= 2; }},
      {"l1", [](Everything& e) { e.target.machine.l1_bytes++; }},
      {"l2", [](Everything& e) { e.target.machine.l2_bytes++; }},
      {"l3", [](Everything& e) { e.target.machine.l3_bytes++; }},
      {"level", [](Everything& e) { e.options.level = 3; }},
      {"fuse", [](Everything& e) { e.options.fuse = false; }},
      {"block", [](Everything& e) { e.options.block = 4; }},
      {"split", [](Everything& e) { e.options.split = true; }},
      {"without", [](Everything& e) { e.options.without = {"dead"}; }},
      {"without two", [](Everything& e) { e.options.without = {"dead", "fold"}; }},
  };
  const Graph graph = GraphOfEveryKind();
  std::map<Key, std::string> seen;
  for (const auto& [name, change] : changes) {
    Everything e;
    change(e);
    const Key key = KeyOf(graph, e.options, e.target, e.toolchain);
    EXPECT_TRUE(seen.emplace(key, name).second) << name << " as " << seen[key];
  }
  EXPECT_EQ(ThisToolchain().llvm.substr(0, 3), "19.");
  EXPECT_NE(ThisToolchain().triple.find("linux"), std::string::npos);
  EXPECT_EQ(ThisToolchain().sources.size(), 64u);
}

// As graphs print, so are their keys.
TEST(Key, TellsRandomGraphsApart) {
  std::map<Key, std::string> seen;
  for (const uint64_t seed : Seeds(300, 100)) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed);
    ASSERT_TRUE(random.ok()) << random.status();
    const std::string text = Print(random->graph);
    const auto [it, is_new] = seen.emplace(KeyOfGraph(random->graph), text);
    EXPECT_EQ(it->second, text);
  }
  EXPECT_GT(seen.size(), 200);
}

struct Twice {
  template <typename T>
  static T Value(const T& x) {
    return x + x;
  }
};
struct Thrice {
  template <typename T>
  static T Value(const T& x) {
    return x + x + x;
  }
};
template <typename F>
Expr ExprOf(const Expr* x, DType) {
  return F::Value(x[0]);
}

// Records that a user could have written, of one name.
Op MapOp(const MapRule* rule) {
  return {"of_mine", "", Kind::kMap, nullptr, rule, nullptr, nullptr};
}

TEST(Key, DependsOnTheFormulasOfOpsThatAreTheUsersOwn) {
  MapRule rules[5] = {};
  for (MapRule& rule : rules) rule.expr = ExprOf<Twice>;
  rules[1].expr = ExprOf<Thrice>;
  rules[2].facts.involution = true;
  rules[3].facts.right_identity = 0;
  rules[4].facts.left_identity = 0;
  std::vector<Op> ops;
  for (const MapRule& rule : rules) ops.push_back(MapOp(&rule));
  // A reduction by either formula, and one of another identity.
  const auto zero = [](DType) { return 0.0; };
  const auto one = [](DType) { return 1.0; };
  MapRule sums[2] = {};
  for (MapRule& rule : sums) rule.expr = ExprOf<Twice>;
  sums[1].expr = ExprOf<Thrice>;
  const Op combines[2] = {MapOp(&sums[0]), MapOp(&sums[1])};
  const ReduceRule reduces[4] = {{.combine = &combines[0], .identity = zero},
                                 {.combine = &combines[1], .identity = zero},
                                 {.combine = &combines[0], .identity = one},
                                 {.combine = &combines[0], .identity = zero, .place = true}};
  for (const ReduceRule& rule : reduces) {
    ops.push_back({"of_mine", "", Kind::kReduce, nullptr, nullptr, &rule, nullptr});
  }
  Tape t;
  const absl::StatusOr<Graph> graph = t.Finish({Tanh(t.Input("x", kFloat32, {3}))});
  ASSERT_TRUE(graph.ok()) << graph.status();
  std::map<Key, size_t> seen;
  for (size_t i = 0; i < ops.size(); i++) {
    const Graph with = With(*graph, 1, [&](Node& n) { n.op = &ops[i]; });
    EXPECT_TRUE(seen.emplace(KeyOfGraph(with), i).second) << i << " as " << seen[KeyOfGraph(with)];
    const Op copy = ops[i];  // the record may lie elsewhere tomorrow
    EXPECT_EQ(KeyOfGraph(With(*graph, 1, [&](Node& n) { n.op = &copy; })), KeyOfGraph(with));
  }
}

// What the process knows of two ops that draw is where they are, so that the key tells which nodes
// draw from the same one.
TEST(Key, TellsRandomOpsOfOneNameApart) {
  Tape t;
  const Value key = t.Input("key", kInt64, {});
  const absl::StatusOr<Graph> graph =
      t.Finish({RandomUniform(key, kFloat32, {3}), RandomUniform(FoldIn(key, 1), kFloat32, {3})});
  ASSERT_TRUE(graph.ok()) << graph.status();
  std::vector<size_t> draws;
  for (size_t i = 0; i < graph->nodes().size(); i++) {
    if (graph->nodes()[i].types[0].dtype == kFloat32) draws.push_back(i);
  }
  ASSERT_EQ(draws.size(), 2u);
  const Op mine = kRandomUniformOp, yours = kRandomUniformOp;
  const auto with = [&](const Op* first, const Op* second) {
    return KeyOfGraph(With(With(*graph, draws[0], [&](Node& n) { n.op = first; }), draws[1],
                           [&](Node& n) { n.op = second; }));
  };
  EXPECT_EQ(with(&mine, &mine), with(&yours, &yours));
  EXPECT_NE(with(&mine, &mine), with(&mine, &yours));
  // What is no permutation may be out of range.
  const RandomRule rules[2] = {{.fill = nullptr, .is_permutation = false},
                               {.fill = nullptr, .is_permutation = true}};
  Op anything = mine, permutation = mine;
  anything.random = &rules[0];
  permutation.random = &rules[1];
  EXPECT_NE(with(&anything, &anything), with(&permutation, &permutation));
}

// The formula of an op is that of its record, whatever other records are called.
constinit const MapRule kTwiceRule = MakeMap<1, MapTypes::kFloats>([](auto x) { return x + x; });
constinit const MapRule kThriceRule =
    MakeMap<1, MapTypes::kFloats>([](auto x) { return x + x + x; });
constinit const Op kMyTwice{"of_mine", "", Kind::kMap, InferMap, &kTwiceRule};
constinit const Op kMyThrice{"of_mine", "", Kind::kMap, InferMap, &kThriceRule};

// A cast before it changes what it takes.
constinit const MapRule kIsNotZeroRule =
    MakeMap<1, MapTypes::kTest>([](auto x) { return Convert<bool>(x); });
constinit const Op kIsNotZero{"of_mine", "", Kind::kMap, InferMap, &kIsNotZeroRule};

TEST(Jit, LeavesTheOperandOfAUsersConversionAlone) {
  Tape t;
  const Value x = t.Input("x", kInt32, {3});
  const absl::StatusOr<Graph> graph = t.Finish({MakeNode(kIsNotZero, {Cast(x, kFloat64)}, {}, {})});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Executable> made = Jit(*graph, {.cache = "off", .verify = true});
  ASSERT_TRUE(made.ok()) << made.status();
  const auto outputs = made->Run({{"x", Array::Vector<int32_t>({0, 1, -2})}});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_TRUE(SameBits(outputs->front(), Array::Vector<bool>({false, true, true})));
}

TEST(Jit, TellsOpsOfOneNameApart) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3});
  const absl::StatusOr<Graph> graph =
      t.Finish({MakeNode(kMyTwice, {x}, {}, {}), MakeNode(kMyThrice, {x}, {}, {})});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Executable> executable = Jit(*graph, {.cache = "off"});
  ASSERT_TRUE(executable.ok()) << executable.status();
  const auto outputs = executable->Run({{"x", Array::Vector<float>({1, 2, 3})}});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_TRUE(SameBits((*outputs)[0], Array::Vector<float>({2, 4, 6})));
  EXPECT_TRUE(SameBits((*outputs)[1], Array::Vector<float>({3, 6, 9})));
}

// An image of a graph with constants, errors, random numbers and an output that is an input.
Graph Sample() {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), key = t.Input("key", kInt64, {});
  const Value row = t.Constant(Array::Vector<float>({1, 2, 3, 4, 5, 6, 7, 8}));
  const LoopResult loop = Loop(t, {.trips = 3, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
    return {.carried = {body.carried[0] + RandomUniform(FoldIn(key, body.trip), kFloat32, {2})}};
  });
  absl::StatusOr<Graph> graph =
      t.Finish({x, loop.carried[0], Gather(row, Cast(key, kInt32), 0), row});
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

Image ImageOf(const Graph& graph) {
  absl::StatusOr<loops::Program> program = loops::Lower(graph, Here().machine);
  EXPECT_TRUE(program.ok()) << program.status();
  return {static_cast<loops::RunTables&&>(*program), "object"};
}

TEST(Image, ReadsBackAsItWasWritten) {
  const Graph graph = Sample();
  Image image = ImageOf(graph);
  image.tables.writes_all = true;
  EXPECT_FALSE(image.tables.constants.empty());
  EXPECT_FALSE(image.tables.sites.empty());
  EXPECT_FALSE(image.tables.randoms.empty());
  const std::string bytes = ToBytes(image, graph);
  const std::optional<Image> back = ImageFromBytes(bytes, graph);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(ToBytes(*back, graph), bytes);
  EXPECT_EQ(back->object, "object");
  EXPECT_EQ(back->tables.randoms, image.tables.randoms);
  EXPECT_EQ(back->tables.passed_through, image.tables.passed_through);
  EXPECT_EQ(back->tables.writes_all, image.tables.writes_all);
  EXPECT_EQ(back->tables.arena_bytes, image.tables.arena_bytes);
  EXPECT_TRUE(SameBits(back->tables.constants[0], image.tables.constants[0]));
}

TEST(Image, OfAnotherGraphOrOfNothingIsNone) {
  const Graph graph = Sample();
  const std::string bytes = ToBytes(ImageOf(graph), graph);
  EXPECT_FALSE(ImageFromBytes(bytes, GraphOfEveryKind()).has_value());
  EXPECT_FALSE(ImageFromBytes(bytes + "x", graph).has_value());
  for (size_t size = 0; size < bytes.size(); size++) {
    EXPECT_FALSE(ImageFromBytes(bytes.substr(0, size), graph).has_value()) << size;
  }
}

// What was changed is read as another image or as none.
TEST(Image, MutantsAreReadWithinTheirBytes) {
  const Graph graph = Sample();
  MutationTest test;
  test.files = {ToBytes(ImageOf(graph), graph)};
  test.words = {"uniform", "object"};
  test.read = [&](const std::string& mutant) {
    const std::optional<Image> image = ImageFromBytes(mutant, graph);
    EXPECT_LE(image.has_value() ? image->object.size() : 0, mutant.size());
    return image.has_value();
  };
  RunMutationTest(test);
}

class WarmTest : public native::CacheFolderTest {
 protected:
  CompileTimes Compile(const Graph& graph) {
    CompileTimes times;
    Tracer quiet(Trace{}, Trace{});
    const auto run =
        CompileGraph(graph, {.cache = folder_}, std::make_shared<loops::TeamPool>(), quiet, &times);
    EXPECT_TRUE(run.ok()) << run.status();
    return times;
  }
};

TEST_F(WarmTest, WhatIsThereIsNeitherLoweredNorCompiled) {
  const Graph graph = Sample();
  const CompileTimes cold = Compile(graph), warm = Compile(graph);
  EXPECT_FALSE(cold.cached());
  EXPECT_GT(cold.passes, 0);
  EXPECT_GT(cold.lower, 0);
  EXPECT_GT(cold.code.codegen, 0);
  EXPECT_TRUE(warm.cached());
  EXPECT_EQ(warm.passes, 0);
  EXPECT_EQ(warm.lower, 0);
  EXPECT_EQ(warm.code.codegen, 0);
}

// Somebody who may write there put something whole under this key.
TEST_F(WarmTest, WhatIsNoImageIsCompiledAgain) {
  const Graph graph = Sample();
  const auto target = native::DetectTarget();
  ASSERT_TRUE(target.ok());
  const auto cache = native::ObjectCache::Open(folder_);
  for (const std::string& bytes : {std::string("no image"), ToBytes(ImageOf(graph), graph)}) {
    ASSERT_TRUE(cache.Put(KeyOf(graph, {}, *target), bytes).ok());
    EXPECT_FALSE(Compile(graph).cached());
    EXPECT_TRUE(Compile(graph).cached());
  }
}

}  // namespace
}  // namespace talweg
