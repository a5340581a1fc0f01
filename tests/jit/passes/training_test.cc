// Whole trainings, forward and backward pass, rule, adjustments and all: the passes keep every bit.

#include <string>
#include <vector>

#include "data/blobs.h"
#include "graph/print.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/passes/pipeline.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/view.h"
#include "optim/adjustments.h"
#include "optim/schedule.h"
#include "tests/train/same.h"
#include "train/callbacks.h"
#include "train/fit.h"
#include "train/fit_graph.h"
#include "train/layers.h"

namespace talweg::passes {
namespace {

constexpr int64_t kTrain = 70, kValidation = 50;

TrainTest Data() {
  const absl::StatusOr<Dataset> blobs =
      Blobs({.samples = kTrain + kValidation, .cluster_std = 1.5, .seed = 3});
  return *Split(*OneHotTargets(*blobs, 3), kTrain);
}

Value Network(Scope& s, Value x) {
  return Dense(s, "output", Relu(Dense(s, "hidden", x, 8, HeUniform())), 3);
}

Value Regularised(Scope& s, Value x) {
  const Value h = Tanh(Dense(s, "hidden", x, 8));
  return Dense(s, "output", Dropout(s, "dropout", h, 0.3), 3);
}

// Four steps of a recurrent layer over the same input.
Value Recurrent(Scope& s, Value x) {
  const Value input = Dense(s, "input", x, 5);
  const Value w = s.Parameter("recurrent", {5, 5}, GlorotUniform());
  const LoopResult loop =
      Loop(Tape(x.tape()), {.trips = 4, .carried = {Tanh(input)}}, [&](LoopBody& body) -> LoopStep {
        return {.carried = {Tanh(MatMul(body.carried[0], w) + input)}};
      });
  return Dense(s, "output", loop.carried[0], 3);
}

struct Case {
  const char* name;
  Training training;
};

std::vector<Case> Cases() {
  Training base{.model = Network,
                .loss = SoftmaxCrossEntropy,
                .rule = Sgd({.momentum = 0.9}),
                .rate = 0.02,
                .metrics = {Accuracy},
                .batch = 32,
                .epochs = 3,
                .seed = 4};
  std::vector<Case> cases;
  cases.push_back({"tutorial", base});
  cases.back().training.adjust = {ReduceLROnPlateau({.monitor = "val_loss", .patience = 1})};
  cases.push_back({"adam, clipped, in NumPy's order", base});
  cases.back().training.rule = Adam({.amsgrad = true, .clipnorm = 0.5});
  cases.back().training.shuffle = Shuffle::kNumPy;
  cases.push_back({"dropout and a schedule", base});
  cases.back().training.model = Regularised;
  cases.back().training.rule = WithL2(Nadam(), 0.01);
  cases.back().training.rate = WarmUp(2, Exponential({.initial = 0.01, .factor = 0.9}));
  cases.push_back({"recurrent, early stopping, even batches", base});
  cases.back().training.model = Recurrent;
  cases.back().training.rule = RmsProp();
  cases.back().training.batch = 35;
  cases.back().training.adjust = {EarlyStopping({.monitor = "val_loss", .patience = 1})};
  cases.push_back({"float64, no shuffle, evaluated in batches", base});
  cases.back().training.dtype = kFloat64;
  cases.back().training.shuffle = Shuffle::kNone;
  cases.back().training.evaluate_batch = 16;
  return cases;
}

absl::StatusOr<Executable> InterpretAfterPasses(const Graph& graph) {
  const absl::StatusOr<Graph> after = RunPasses(graph, {.verify = true});
  if (!after.ok()) return after.status();
  const absl::StatusOr<Graph> again = RunPasses(*after);
  if (!(*again == *after)) return absl::InternalError("done twice, passes give another graph");
  return Interpret(*after);
}

TEST(Passes, KeepEveryBitOfTrainings) {
  const TrainTest data = Data();
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const absl::StatusOr<Fitted> wanted = Fit(Interpret, c.training, data.train, data.test);
    const absl::StatusOr<Fitted> got = Fit(InterpretAfterPasses, c.training, data.train, data.test);
    ASSERT_TRUE(wanted.ok()) << wanted.status();
    ASSERT_TRUE(got.ok()) << got.status();
    ExpectSame(*wanted, *got);
    // Cut at batches, for those who watch.
    int batches = 0;
    LambdaCallback watch({.on_batch_end = [&](const talweg::Run&) { batches++; }});
    const absl::StatusOr<Fitted> watched =
        Fit(InterpretAfterPasses, c.training, data.train, data.test, {.callbacks = {&watch}});
    ASSERT_TRUE(watched.ok()) << watched.status();
    EXPECT_GT(batches, 0);
    ExpectSame(*wanted, *watched);
    EXPECT_EQ(*Evaluate(Interpret, c.training, got->parameters, data.test),
              *Evaluate(InterpretAfterPasses, c.training, got->parameters, data.test));
    EXPECT_TRUE(
        SameBits(*Predict(Interpret, c.training, got->parameters, data.test.inputs),
                 *Predict(InterpretAfterPasses, c.training, got->parameters, data.test.inputs)));
  }
}

std::vector<const Node*> LoopsOf(const Graph& graph) {
  std::vector<const Node*> loops;
  for (const Node& node : graph.nodes()) {
    if (node.kind() == Kind::kLoop) loops.push_back(&node);
  }
  return loops;
}

int CountOf(const Graph& graph, Kind kind) {
  int count = 0;
  for (const Node& node : graph.nodes()) count += node.kind() == kind;
  return count;
}

TEST(Passes, BringTheTutorialsFitIntoShape) {
  const Training training = Cases()[0].training;
  const DataTypes types{{kFloat32, {2}}, {kFloat32, {3}}};
  const absl::StatusOr<TrainingPlan> plan = PlanTraining(training, types, true);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const absl::StatusOr<Graph> graph = FitGraph(training, *plan, types, kTrain, kValidation);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Graph> after = RunPasses(*graph, {.verify = true});
  ASSERT_TRUE(after.ok()) << after.status();
  SCOPED_TRACE(Print(*after, {.lines = false}));
  ASSERT_EQ(LoopsOf(*after).size(), 1u);
  const Graph& epoch = *LoopsOf(*after)[0]->As<LoopAttributes>().body;
  // The validation was a loop of one trip. Now it is part of the epoch, and gathers nothing.
  ASSERT_EQ(LoopsOf(epoch).size(), 1u);
  EXPECT_EQ(CountOf(epoch, Kind::kGather), 0);
  // Which class a validation sample has does not change from epoch to epoch.
  EXPECT_EQ(CountOf(*after, Kind::kReduce), 2);
  // A step: two layers forward and backward, but for the gradient of the inputs.
  const Graph& step = *LoopsOf(epoch)[0]->As<LoopAttributes>().body;
  EXPECT_EQ(CountOf(step, Kind::kContract), 5);
  EXPECT_EQ(CountOf(step, Kind::kReshape), 0);
  EXPECT_EQ(CountOf(step, Kind::kGather), 3);
}

}  // namespace
}  // namespace talweg::passes
