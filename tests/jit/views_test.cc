// Views of values that have no elements: their fill, and nothing is read.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

void ExpectSame(const Graph& graph, int64_t rows) {
  const std::vector<NamedEngine> engines = {
      {"the interpreter", Interpret},
      {"the evaluator", [](const Graph& g) { return Jit(g, {.cache = "off", .evaluate = true}); }},
      {"the JIT", [](const Graph& g) { return Jit(g, {.cache = "off"}); }}};
  const auto ran = RunOnEngines(engines, graph, RandomInputs(graph, 7, rows));
  EXPECT_TRUE(ran.ok()) << ran.status();
}

TEST(Views, OfNothingAreTheirFill) {
  for (const Shape& shape : std::vector<Shape>{{0}, {0, 1}, {1, 0}, {0, 5}}) {
    Tape t;
    const Value x = t.Input("x", kFloat64, shape), y = t.Input("y", kFloat64, {});
    std::vector<std::pair<int64_t, int64_t>> more(shape.size(), {1, 1});
    const Value padded = Pad(x, more, 0.5);
    ExpectSame(*t.Finish({padded, padded / y, Sum(padded)}), 1);
  }
}

}  // namespace
}  // namespace talweg
