// Where the carried values of loops live (jit/loops/loop.cc): nothing that is still to be read is
// overwritten, whichever way it is read.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

// Without passes too, which would see that an inner loop leaves a value as it is.
void ExpectSame(const Graph& graph) {
  std::vector<NamedEngine> engines = {{"the interpreter", Interpret}};
  for (const bool evaluate : {true, false}) {
    for (const bool passes : {true, false}) {
      JitOptions options = {.cache = "off", .evaluate = evaluate};
      if (!passes) options.without = {"all"};
      options.verify = true;
      engines.push_back(
          {std::string(evaluate ? "the evaluator" : "the JIT") + (passes ? "" : " without passes"),
           [options](const Graph& g) { return Jit(g, options); }});
    }
  }
  const auto ran = RunOnEngines(engines, graph, RandomInputs(graph, 7, 1));
  EXPECT_TRUE(ran.ok()) << ran.status();
}

// An inner loop carries the outer one's value, and does not change it: what it gives back lies
// where the outer one's lies, and is read, stacked or carried on after that was overwritten.
TEST(Homes, OfAValueThatAnInnerLoopLeavesAsItIs) {
  for (const int depth : {1, 2}) {
    SCOPED_TRACE(depth);
    Tape t;
    const Value x = t.Input("x", kFloat64, {3}), y = t.Input("y", kFloat64, {3});
    const LoopResult outer =
        Loop(t, {.trips = 4, .carried = {x, y}}, [&](LoopBody& body) -> LoopStep {
          Value same = body.carried[0];
          Value other = body.carried[1];
          for (int i = 0; i < depth; i++) {
            const LoopResult inner = Loop(
                body.tape, {.trips = 2, .carried = {same, other}}, [](LoopBody& in) -> LoopStep {
                  return {.carried = {in.carried[0], in.carried[1] + 0.5 * in.carried[0]}};
                });
            same = inner.carried[0];
            other = inner.carried[1];
          }
          const Value next = Tanh(body.carried[0] + other);
          return {.carried = {next, same}, .stacked = {same, next * same}};
        });
    ExpectSame(*t.Finish({outer.carried[0], outer.carried[1], outer.stacked[0], outer.stacked[1]}));
  }
}

// Whether the loop stops is asked of the values that the trip began with, whichever way they are
// read, and of those that it made.
TEST(Homes, OfAValueThatStopsTheLoop) {
  using Stop = std::function<Value(LoopBody&, const Value& next)>;
  const Stop stops[] = {
      [](LoopBody& body, const Value&) { return At(body.carried[0], 0, 1); },
      [](LoopBody& body, const Value&) { return At(Reverse(body.carried[0], {0}), 0, 0); },
      [](LoopBody& body, const Value&) { return At(Pad(body.carried[0], {{1, 1}}), 0, 2); },
      [](LoopBody& body, const Value&) { return Reshape(Slice(body.carried[0], 0, 2, 3), {}); },
      [](LoopBody& body, const Value&) { return body.carried[1]; },
      [](LoopBody&, const Value& next) { return At(next, 0, 1); },
  };
  for (const bool swapped : {false, true}) {
    for (const Stop& stop : stops) {
      Tape t;
      const Value x = t.Input("x", kFloat64, {3});
      const Value start = Less(x, -100), never = Less(At(x, 0, 0), -100);
      const LoopResult loop =
          Loop(t, {.trips = 10, .carried = {start, never, x}}, [&](LoopBody& body) -> LoopStep {
            const Value late = GreaterEqual(body.trip, 2);
            const Value next = BroadcastTo(late, {3});
            return {.carried = {swapped ? Not(Not(next)) : next, late, body.carried[2] * 1.5},
                    .stacked = {body.carried[2], body.carried[0]},
                    .stop = stop(body, next)};
          });
      const Graph graph = *t.Finish({loop.carried[0], loop.carried[1], loop.carried[2],
                                     loop.stacked[0], loop.stacked[1], loop.trips});
      ExpectSame(graph);
    }
  }
}

// A stacked value may be one that the trip began with: it is stacked before the next value takes
// its place, which it may then do at once.
TEST(Homes, OfAValueThatIsStackedAsItIs) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {5, 3});
  const LoopResult loop = Loop(t, {.trips = 4, .carried = {x, x}}, [](LoopBody& body) -> LoopStep {
    const Value &a = body.carried[0], &b = body.carried[1];
    return {.carried = {Tanh(a + 0.5), Sin(b) * 0.5 + a},
            .stacked = {a, Transpose(b), Reverse(a, {1}), Reshape(b, {15}), a,
                        Pad(b, {{1, 1}, {0, 0}})}};
  });
  std::vector<Value> outputs = loop.carried;
  outputs.insert(outputs.end(), loop.stacked.begin(), loop.stacked.end());
  ExpectSame(*t.Finish(outputs));
}

// An outer loop lays its value out for a reshape, an inner one wants gaps between the rows, and
// keeps it elsewhere: what it ends with is still the outer one's next value, and a slice of what it
// stacks.
TEST(Homes, OfAnInnerLoopThatWantsAnotherLayout) {
  for (const int64_t columns : {48, 50}) {
    for (const bool stacks : {false, true}) {
      SCOPED_TRACE(columns);
      Tape t;
      const Value x = t.Input("x", kFloat32, {2, columns});
      const LoopResult outer =
          Loop(t, {.trips = 3, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
            const Value sum = Sum(Reshape(body.carried[0], {2 * columns}));
            const LoopResult inner = Loop(
                body.tape, {.trips = 2, .carried = {body.carried[0]}},
                [](LoopBody& in) -> LoopStep { return {.carried = {Tanh(in.carried[0] + 0.5)}}; });
            LoopStep step{.carried = inner.carried, .stacked = {sum}};
            if (stacks)
              step = {.carried = {body.carried[0] * 0.5}, .stacked = {sum, inner.carried[0]}};
            return step;
          });
      std::vector<Value> outputs = {outer.carried[0]};
      outputs.insert(outputs.end(), outer.stacked.begin(), outer.stacked.end());
      ExpectSame(*t.Finish(outputs));
      if (stacks) outputs.push_back(Sum(Reshape(outer.stacked[1], {6 * columns})));
      ExpectSame(*t.Finish(outputs));
    }
  }
}

// A loop begins with a number in each place, which then lies in memory with gaps between the rows;
// who reads it there counts the gaps.
TEST(Homes, OfANumberThatALoopBeginsWith) {
  for (const bool constant : {false, true}) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {3, 50});
    const Value number = constant ? t.Constant(Array(0.5f)) : t.Input("number", kFloat32, {});
    const Value start = BroadcastTo(number, {3, 50});
    const LoopResult loop = Loop(t, {.trips = 3, .carried = {start}}, [&](LoopBody& body) {
      return LoopStep{.carried = {Tanh(body.carried[0] + x)}};
    });
    ExpectSame(*t.Finish({loop.carried[0], x * start}));
  }
}

// The nodes of a graph, and of the bodies in it, with all parts of loops there a second time: as
// outputs beside the first ones, or in place of them.
Graph WithTwins(const Graph& graph, bool instead) {
  std::vector<Node> nodes;
  std::vector<NodeId> first(graph.nodes().size()), second(graph.nodes().size());
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    Node node = graph.nodes()[i];
    for (NodeId& operand : node.operands) operand = second[static_cast<size_t>(operand)];
    if (node.kind() == Kind::kLoop) {
      auto& loop = std::get<LoopAttributes>(node.attributes);
      loop.body = std::make_shared<const Graph>(WithTwins(*loop.body, true));
    }
    first[i] = second[i] = static_cast<NodeId>(nodes.size());
    nodes.push_back(node);
    if (node.kind() != Kind::kPart) continue;
    second[i] = static_cast<NodeId>(nodes.size());
    nodes.push_back(std::move(node));
  }
  std::vector<NodeId> inputs, outputs;
  for (NodeId id : graph.inputs()) inputs.push_back(first[static_cast<size_t>(id)]);
  for (NodeId id : graph.outputs()) outputs.push_back(second[static_cast<size_t>(id)]);
  for (NodeId id : graph.outputs()) {
    if (!instead) outputs.push_back(first[static_cast<size_t>(id)]);
  }
  return Graph(std::move(nodes), std::move(inputs), std::move(outputs));
}

TEST(Homes, OfPartsThatAreThereTwice) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {5});
  const LoopResult outer = Loop(t, {.trips = 3, .carried = {x}}, [](LoopBody& body) -> LoopStep {
    const LoopResult inner =
        Loop(body.tape, {.trips = 2, .carried = {body.carried[0]}}, [](LoopBody& in) -> LoopStep {
          return {.carried = {Tanh(in.carried[0] + 0.5)}, .stacked = {in.carried[0]}};
        });
    return {.carried = inner.carried, .stacked = {inner.stacked[0], inner.trips}};
  });
  const Graph graph =
      *t.Finish({outer.carried[0], outer.stacked[0], outer.stacked[1], outer.trips});
  for (const bool instead : {false, true}) ExpectSame(WithTwins(graph, instead));
}

}  // namespace
}  // namespace talweg
