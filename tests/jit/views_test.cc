// Views of values that have no elements: their fill, and nothing is read.

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

TEST(Views, OfNothingAreTheirFill) {
  for (const Shape& shape : std::vector<Shape>{{0}, {0, 1}, {1, 0}, {0, 5}}) {
    Tape t;
    const Value x = t.Input("x", kFloat64, shape), y = t.Input("y", kFloat64, {});
    std::vector<std::pair<int64_t, int64_t>> more(shape.size(), {1, 1});
    const Value padded = Pad(x, more, 0.5);
    const Graph graph = *t.Finish({padded, padded / y, Sum(padded)});
    const auto ran = RunOnEngines(MainEngines(), graph, RandomInputs(graph, 7, 1));
    ASSERT_TRUE(ran.ok()) << ran.status();
    for (int64_t i = 0; i < (*ran)[0].size(); i++) EXPECT_EQ((*ran)[0].At(i), 0.5);
    EXPECT_EQ((*ran)[2].At(0), 0.5 * static_cast<double>((*ran)[0].size()));
  }
}

}  // namespace
}  // namespace talweg
