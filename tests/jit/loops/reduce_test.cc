// Short sums of many chains with the results in the lanes (jit/loops/reduce.cc), and what lies in
// memory for them: the interpreter's bits, whatever else is in the nest.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "jit/loops/lower.h"
#include "jit/loops/print.h"
#include "talweg.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

void ExpectSame(const Graph& graph, int64_t rows = 1) {
  const auto ran = RunOnEngines(EnginesOfEachProcessor(), graph, RandomInputs(graph, 7, rows));
  EXPECT_TRUE(ran.ok()) << ran.status();
}

Value Product(const Value& a, const Value& b) {
  return Contract(a, b, {.lhs_sum = {1}, .rhs_sum = {0}});
}

// A layer that only a thin one reads, so that its rows lie innermost.
Graph TwoLayers(DType dtype, Dim rows, int64_t units, int64_t outputs) {
  Tape t;
  const Value x = t.Input("x", dtype, {rows, Dim(2)});
  const Value hidden = Relu(Product(x, t.Input("w", dtype, {2, units})));
  return *t.Finish({Product(hidden, t.Input("v", dtype, {units, outputs}))});
}

TEST(Turns, AreTaken) {
  const auto program = loops::Lower(TwoLayers(kFloat32, 160, 50, 3), {.vector_bytes = 32});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_NE(loops::ToString(*program).find("chains"), std::string::npos);
}

TEST(Turns, HaveTheBitsOfTheTree) {
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const int64_t units : {32, 33, 40, 47, 48, 50, 63, 127, 128, 129}) {
      for (const int64_t outputs : {1, 2, 3, 7, 9, 15}) {
        SCOPED_TRACE(absl::StrCat(Name(dtype), " ", units, " ", outputs));
        ExpectSame(TwoLayers(dtype, 37, units, outputs));
      }
    }
    ExpectSame(TwoLayers(dtype, kRows, 50, 3), 29);
  }
}

// A reduction over two axes wants its terms along one, also beside a contraction that takes turns.
TEST(Turns, LeaveOtherSumsTheirTerms) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {64, 100}), w = t.Input("w", kFloat32, {100});
  const Value y = t.Input("y", kFloat32, {64, 4, 10}), z = t.Input("z", kFloat32, {64, 5000});
  const Value product = Product(x, w);
  ExpectSame(*t.Finish({product, Sum(y, {1, 2}), Sum(z, 1)}));
}

// Operands that are turned by squares of vectors before they are read again and again
// (jit/loops/turn.h).
TEST(Turns, CopyOperandsToTheBit) {
  int turned = 0;
  for (const DType dtype : {kFloat32, kFloat64}) {
    for (const int64_t columns : {3, 8, 15, 16, 17, 33, 50}) {
      for (const int64_t terms : {5, 8, 16, 31, 40}) {
        SCOPED_TRACE(absl::StrCat(Name(dtype), " ", columns, " ", terms));
        Tape t;
        const Value x = t.Input("x", dtype, {40, terms});
        const Value w = t.Input("w", dtype, {2, columns, terms});
        const Graph graph = *t.Finish({Contract(x, w, {.lhs_sum = {1}, .rhs_sum = {2}})});
        ExpectSame(graph);
        const auto program = loops::Lower(graph, {.vector_bytes = 32});
        ASSERT_TRUE(program.ok()) << program.status();
        const std::string text = loops::ToString(*program);
        const size_t copy = text.find("section \"copy");
        const size_t end = text.find("section", copy + 1);
        if (copy != text.npos && text.substr(copy, end - copy).find("shuffle") != text.npos) {
          turned++;
        }
      }
    }
  }
  EXPECT_GT(turned, 5);
}

// Both axes fill vectors. Lanes along the rows would copy the first operand turned, and store each
// result 2 KiB from the one beside it.
TEST(Turns, CopyNothingToStoreFarApart) {
  Tape t;
  const Value a = t.Input("a", kFloat64, {504, 512}), b = t.Input("b", kFloat64, {512, 256});
  const auto program = loops::Lower(
      *t.Finish({MatMul(a, b)}),
      {.vector_bytes = 64, .vector_registers = 32, .l1_bytes = 32 << 10, .l2_bytes = 2 << 20});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_FALSE(absl::StrContains(loops::ToString(*program), "copy"));
}

// The last chunk of a validation may have fewer rows than a tile, and no memory behind them.
TEST(Turns, ReadNoRowsThatAreNotThere) {
  const auto data = Blobs({.samples = 230, .centers = 3, .features = 64, .seed = 3});
  ASSERT_TRUE(data.ok()) << data.status();
  const auto table = OneHotTargets(*data, 3);
  const auto parts = Split(*table, 131);
  for (const int64_t chunk : {7, 50, 99, 500}) {
    SCOPED_TRACE(chunk);
    Training training{
        .model = [](Scope& s,
                    Value x) { return Dense(s, "output", Relu(Dense(s, "hidden", x, 32)), 3); },
        .loss = SoftmaxCrossEntropy,
        .rule = Sgd(),
        .rate = 0.01,
        .metrics = {Accuracy},
        .batch = 32,
        .epochs = 2,
        .seed = 1};
    training.evaluate_batch = chunk;
    std::vector<double> losses;
    for (const NamedEngine& engine : EnginesOfEachProcessor()) {
      const auto fitted = Fit(engine.make, training, parts->train, parts->test);
      ASSERT_TRUE(fitted.ok()) << engine.name << ": " << fitted.status();
      losses.push_back(fitted->history.last("val_loss"));
      EXPECT_EQ(losses.back(), losses[0]) << engine.name;
    }
  }
}

}  // namespace
}  // namespace talweg
