// Instances of a graph side by side, innermost in memory (jit/loops/instances.h): which graphs that
// is for, and the interpreter's bits whatever their number.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "autodiff/batch.h"
#include "autodiff/gradient.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/llvm/host.h"
#include "jit/loops/instances.h"
#include "talweg.h"
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

constexpr loops::Machine kMachine = {.vector_bytes = 64};

Value Product(const Value& a, const Value& b) {
  return Contract(a, b, {.lhs_sum = {1}, .rhs_sum = {0}});
}

// A loss over `rows` samples, its gradients, and the weights after a step.
Graph Step(DType dtype, int64_t units) {
  Tape t;
  const Value x = t.Input("x", dtype, {kRows, Dim(2)}), y = t.Input("y", dtype, {kRows, Dim(3)});
  const Value w = t.Input("w", dtype, {2, units}), b = t.Input("b", dtype, {units});
  const Value v = t.Input("v", dtype, {units, 3}), c = t.Input("c", dtype, {3});
  const Value logits = Product(Relu(Product(x, w) + b), v) + c;
  const Value loss = Mean(CategoricalCrossEntropyFromLogits(y, logits));
  const std::vector<Value> parameters = {w, b, v, c};
  const std::vector<Value> gradients = Gradient(loss, parameters);
  std::vector<Value> outputs = {loss};
  for (size_t i = 0; i < parameters.size(); i++) {
    outputs.push_back(parameters[i] - gradients[i]);
  }
  return *t.Finish(outputs);
}

TEST(Instances, LieInnermostWhereNothingElseFillsVectors) {
  const auto found = [](int64_t units, int64_t instances) {
    const auto many = Batch(Step(kFloat32, units), {"w", "b", "v", "c"}, instances);
    EXPECT_TRUE(many.ok()) << many.status();
    return loops::FindInstances(many->graph, kMachine);
  };
  EXPECT_EQ(found(8, 16), 16);
  EXPECT_EQ(found(20, 32), 32);
  EXPECT_EQ(found(8, 3), 0);    // not enough of them
  EXPECT_EQ(found(64, 16), 0);  // units fill vectors as well
  EXPECT_EQ(loops::FindInstances(Step(kFloat32, 8), kMachine), 0);
}

TEST(Instances, OfGraphsWithoutAnAxisInCommonThereAreNone) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {16, 4, 2}), w = t.Input("w", kFloat32, {16, 2, 3});
  const Value each =
      Contract(x, w, {.lhs_batch = {0}, .rhs_batch = {0}, .lhs_sum = {2}, .rhs_sum = {1}});
  EXPECT_EQ(loops::FindInstances(*t.Finish({each}), kMachine), 16);
  const Value y = t.Input("y", kFloat32, {5, 7}), z = t.Input("z", kFloat32, {7, 5});
  EXPECT_EQ(loops::FindInstances(*t.Finish({each, Product(y, z)}), kMachine), 0);
}

TEST(Instances, HaveTheBitsOfEachAlone) {
  for (const DType dtype : {kFloat32, kFloat64}) {
    const std::vector<int64_t> slowly = {7, 17}, all = {2, 7, 8, 15, 16, 17, 32};
    for (const int64_t instances : IsSlow() ? slowly : all) {
      for (const int64_t units : {1, 3, 8, 20}) {
        SCOPED_TRACE(absl::StrCat(Name(dtype), " ", instances, " of ", units));
        const auto many = Batch(Step(dtype, units), {"w", "b", "v", "c", "x"}, instances);
        ASSERT_TRUE(many.ok()) << many.status();
        const int64_t rows = 1 + (instances * 5 + units) % 37;
        const auto ran =
            RunOnEngines(EnginesOfEachProcessor(), many->graph, RandomInputs(many->graph, 7, rows));
        EXPECT_TRUE(ran.ok()) << ran.status();
      }
    }
  }
}

TrainTest Samples() {
  const auto table =
      OneHotTargets(*Blobs({.samples = 90, .centers = 3, .features = 2, .seed = 3}), 3);
  return *Split(*table, 50);
}

Training OfUnits(int64_t units, int64_t batch) {
  return {.model =
              [units](Scope& s, Value x) {
                return Dense(s, "output", Relu(Dense(s, "hidden", x, units)), 3);
              },
          .loss = SoftmaxCrossEntropy,
          .rule = Sgd({.momentum = 0.9}),
          .rate = 0.05,
          .metrics = {Accuracy},
          .batch = batch,
          .epochs = 3,
          .seed = 1};
}

// The gradient of a hidden layer is formed where those of its weights and biases add it up, one
// tile of units after the other: nobody stores it.
TEST(Instances, HandHiddenGradientsOnInRegisters) {
  const TrainTest data = Samples();
  for (const char* cpu : {"avx512", "avx2"}) {
    if (!native::DetectTarget(cpu).ok()) continue;
    for (const int64_t units : {20, 23, 50}) {
      SCOPED_TRACE(absl::StrCat(units, " units on ", cpu));
      std::string loops;
      const JitEngine engine(
          {.cpu = cpu,
           .evaluate = true,
           .trace = {.loops = true,
                     .sink = [&](std::string_view, std::string_view text) { loops += text; }}});
      ASSERT_TRUE(Sweep(engine, OfUnits(units, 32), {Seeds(16)}, data.train, data.test,
                        {.threads = 1, .lanes = 16})
                      .ok());
      EXPECT_TRUE(absl::StrContains(loops, "store relu")) << loops;
      EXPECT_FALSE(absl::StrContains(loops, "store select")) << loops;
    }
  }
}

// In a training the number of samples is known at run time only, and what it can be at most; sums
// of them take turns.
TEST(Instances, OfTrainingsHaveTheBitsOfEachFit) {
  const TrainTest data = Samples();
  const JitEngine engine;
  struct Case {
    int64_t units, batch, lanes = 16;
  };
  for (const auto& [units, batch, lanes] : std::vector<Case>{{5, 1},
                                                             {5, 7},
                                                             {5, 15},
                                                             {5, 16},
                                                             {5, 17},
                                                             {5, 33},
                                                             {5, 50},
                                                             {1, 8},
                                                             {20, 17},
                                                             {20, 3, 32},
                                                             {20, 32, 12},
                                                             {23, 32},
                                                             {50, 1},
                                                             {50, 32}}) {
    SCOPED_TRACE(absl::StrCat(units, " units, batches of ", batch, ", lanes ", lanes));
    Training training = OfUnits(units, batch);
    const auto sweep = Sweep(engine, training, {Seeds(lanes)}, data.train, data.test,
                             {.threads = 1, .lanes = lanes, .keep_parameters = true});
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    for (const SweepRun& run : sweep->runs) {
      training.seed = static_cast<int64_t>(run.values[0]);
      const auto fitted = Fit(Interpret, training, data.train, data.test);
      ASSERT_TRUE(fitted.ok()) << fitted.status();
      EXPECT_EQ(run.history.ToCsv(), fitted->history.ToCsv());
      for (const auto& [name, value] : run.parameters) {
        EXPECT_TRUE(SameBits(value, fitted->parameters.at(name))) << name;
      }
    }
  }
}

}  // namespace
}  // namespace talweg
