#include "train/scope.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/reduce.h"
#include "tests/graphs/engines.h"
#include "train/layers.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Error(const Tape& tape) { return std::string(tape.status().message()); }

std::vector<std::string> Names(const ScopeRoot& root) {
  std::vector<std::string> names;
  for (const ParameterSpec& spec : root.parameters()) names.push_back(spec.name);
  return names;
}

TEST(Scope, MakesPathsOfNames) {
  Tape tape;
  ScopeRoot root(tape, kFloat32, Mode::kTrain);
  Scope s = root.scope();
  s.Parameter("scale", {}, Ones());
  Scope block = s.Sub("encoder").Sub("block");
  const Value w = block.Parameter("kernel", {2, 3}, GlorotUniform());
  EXPECT_THAT(Names(root), ElementsAre("scale", "encoder/block/kernel"));
  EXPECT_EQ(w.shape(), (Shape{2, 3}));
  EXPECT_EQ(w.dtype(), kFloat32);
}

TEST(Scope, ANameDeclaredTwiceIsOneParameter) {
  Tape tape;
  ScopeRoot root(tape, kFloat64, Mode::kTrain);
  Scope s = root.scope();
  const Value x = tape.Input("x", kFloat64, {kRows, 4});
  const Value once = Dense(s, "shared", x, 4);
  const Value twice = Dense(s, "shared", once, 4);
  EXPECT_TRUE(twice.ok()) << tape.status();
  EXPECT_THAT(Names(root), ElementsAre("shared/kernel", "shared/bias"));
  EXPECT_EQ(s.Parameter("own", {4}, Zeros()), s.Parameter("own", {4}, Zeros()));
}

TEST(Scope, RefusesALossOfALoopsBody) {
  Tape tape;
  ScopeRoot root(tape, kFloat32, Mode::kTrain);
  const Scope s = root.scope();
  const Value x = tape.Input("x", kFloat32, {});
  Loop(tape, {.trips = 2, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
    s.AddLoss(body.carried[0]);
    return {.carried = {body.carried[0] * 0.5}};
  });
  EXPECT_THAT(Error(tape), AllOf(HasSubstr("add_loss: "), HasSubstr("of a loop's body"),
                                 HasSubstr("scope_test.cc:")));
}

TEST(Scope, RefusesANameDeclaredTwiceWithAnotherShape) {
  Tape tape;
  ScopeRoot root(tape, kFloat32, Mode::kTrain);
  Scope s = root.scope().Sub("output");
  s.Parameter("bias", {3}, Zeros());
  EXPECT_FALSE(s.Parameter("bias", {4}, Zeros()).ok());
  EXPECT_THAT(Error(tape),
              AllOf(HasSubstr("parameter 'output/bias' float32[4]"),
                    HasSubstr("is declared already as float32[3]"), HasSubstr("scope_test.cc:")));
}

TEST(Scope, RefusesANameDeclaredTwiceWithAnotherInitializerOrTrainable) {
  const auto error = [](const Initializer& first, const Initializer& second, bool trainable) {
    Tape tape;
    ScopeRoot root(tape, kFloat32, Mode::kTrain);
    Scope s = root.scope();
    s.Parameter("w", {3, 2}, first);
    const bool ok = s.Parameter("w", {3, 2}, second, trainable).ok();
    EXPECT_EQ(ok, tape.status().ok());
    return Error(tape);
  };
  EXPECT_EQ(error(GlorotUniform(), GlorotUniform(), true), "");
  EXPECT_EQ(error(Uniform(-1, 1), Uniform(-1, 1), true), "");
  EXPECT_EQ(error(Zeros(), Constant(0), true), "");
  EXPECT_THAT(
      error(GlorotUniform(), HeUniform(), true),
      AllOf(HasSubstr("parameter 'w' float32[3,2]: has the initializer 'he_uniform', but is "
                      "declared already with another one, 'glorot_uniform'; Get gives"),
            HasSubstr("scope_test.cc:")));
  EXPECT_THAT(error(Uniform(-1, 1), Uniform(-1, 2), true),
              HasSubstr("with another one, 'uniform'"));
  EXPECT_THAT(error(Ones(), {"mine", nullptr}, true), HasSubstr("has an empty initializer"));
  EXPECT_THAT(error(Ones(), Ones(), false), HasSubstr("is declared already as trainable; Get"));
}

TEST(Scope, RefusesAShapeKnownOnlyAtRunTime) {
  Tape tape;
  ScopeRoot root(tape, kFloat32, Mode::kTrain);
  Scope s = root.scope();
  EXPECT_FALSE(s.Parameter("table", {kRows, 3}, Zeros()).ok());
  EXPECT_THAT(Error(tape), AllOf(HasSubstr("table"), HasSubstr("has a run-time extent")));
}

TEST(Scope, HandsOutWhatItIsGiven) {
  Tape tape;
  const Value w = tape.Input("w", kFloat32, {2}), key = tape.Input("key", kInt64, {});
  ScopeRoot root(tape, kFloat32, Mode::kEvaluate, {{"a/w", {kFloat32, {2}}, Zeros()}}, {w}, key);
  Scope s = root.scope();
  EXPECT_EQ(s.Sub("a").Parameter("w", {2}, Zeros()), w);
  EXPECT_EQ(s.mode(), Mode::kEvaluate);
  EXPECT_EQ(s.dtype(), kFloat32);
  // A model must declare the same each time it is called.
  EXPECT_FALSE(s.Parameter("b", {2}, Zeros()).ok());
  EXPECT_THAT(Error(tape), HasSubstr("was not declared when the model was called first"));
}

TEST(Scope, KeysDifferByNameAndByScope) {
  Tape tape;
  const Value key = tape.Input("key", kInt64, {});
  ScopeRoot root(tape, kFloat32, Mode::kTrain, {}, {}, key);
  const Scope s = root.scope();
  const std::vector<Value> keys = {s.Key("a"), s.Key("b"), s.Sub("x").Key("a"),
                                   s.Sub("y").Key("a")};
  EXPECT_EQ(s.Key("a"), s.Key("a"));
  const absl::StatusOr<Executable> f = EveryEngine(*tape.Finish(keys));
  ASSERT_TRUE(f.ok()) << f.status();
  std::vector<double> values;
  for (const int64_t k : {1, 2}) {
    const absl::StatusOr<std::vector<Array>> out = f->Run({{"key", Array(k)}});
    ASSERT_TRUE(out.ok()) << out.status();
    for (const Array& array : *out) values.push_back(array.At(0));
  }
  std::sort(values.begin(), values.end());
  EXPECT_EQ(std::adjacent_find(values.begin(), values.end()), values.end());
}

TEST(Summary, IsATableOfLayers) {
  Tape tape;
  ScopeRoot root(tape, kFloat32, Mode::kTrain);
  Scope s = root.scope();
  Value h = Relu(Dense(s, "hidden", tape.Input("x", kFloat32, {kRows, 2}), 50));
  h = Dropout(s, "dropout", h, 0.5);
  Dense(s, "output", h, 3);
  EXPECT_EQ(Summary(root.layers(), root.parameters()),
            "layer    kind     output     parameters\n"
            "hidden   Dense    [rows,50]         150\n"
            "dropout  Dropout  [rows,50]           0\n"
            "output   Dense    [rows,3]          153\n"
            "total                               303\n");
}

TEST(Summary, CountsASharedLayerOnce) {
  Tape tape;
  ScopeRoot root(tape, kFloat32, Mode::kTrain);
  Scope s = root.scope();
  const Value once = Dense(s, "shared", tape.Input("x", kFloat32, {kRows, 4}), 4);
  Dense(s, "shared", once, 4);
  EXPECT_EQ(Summary(root.layers(), root.parameters()),
            "layer   kind   output    parameters\n"
            "shared  Dense  [rows,4]          20\n"
            "shared  Dense  [rows,4]      shared\n"
            "total                            20\n");
  EXPECT_EQ(Summary({}, {}), "layer  kind  output  parameters\ntotal                         0\n");
}

TEST(Summary, CountsAParameterOfNoLayerAndThoseOfInnerLayersOnce) {
  Tape tape;
  ScopeRoot root(tape, kFloat32, Mode::kTrain);
  Scope s = root.scope();
  const size_t before = s.parameter_count();
  const Value x = tape.Input("x", kFloat32, {kRows, 4});
  const Value y = x * s.Parameter("block/scale", {4}, Ones()) + Dense(s, "block/inner", x, 4);
  s.NoteLayer("block", "Block", y, before);
  s.Parameter("shift", {4}, Zeros(), false);
  // A block of nothing but a layer, twice.
  for (int i = 0; i < 2; i++) {
    const size_t inside = s.parameter_count();
    s.NoteLayer("outer", "Outer", Dense(s, "outer/inner", y, 4), inside);
  }
  EXPECT_EQ(Summary(root.layers(), root.parameters()),
            "layer          kind   output    parameters\n"
            "block/inner    Dense  [rows,4]          20\n"
            "block          Block  [rows,4]           4\n"
            "outer/inner    Dense  [rows,4]          20\n"
            "outer          Outer  [rows,4]           0\n"
            "outer/inner    Dense  [rows,4]      shared\n"
            "outer          Outer  [rows,4]      shared\n"
            "others                                   4\n"
            "total                                   48\n"
            "not trainable                            4\n");
}

TEST(InitialParameters, DependOnNameAndSeedOnly) {
  const auto make = [](const std::vector<ParameterSpec>& specs, int64_t seed) {
    const absl::StatusOr<Graph> graph = InitialParameters(specs);
    EXPECT_TRUE(graph.ok()) << graph.status();
    return *EveryEngine(*graph)->Run({{"seed", Array(seed)}});
  };
  const Type type{kFloat32, {2, 5}};
  const ParameterSpec a{"a/kernel", type, HeUniform()}, b{"b/kernel", type, HeUniform()};
  const std::vector<Array> both = make({a, b}, 1), alone = make({b}, 1), other = make({b}, 2);
  EXPECT_FALSE(SameBits(both[0], both[1]));
  EXPECT_TRUE(SameBits(both[1], alone[0]));
  EXPECT_FALSE(SameBits(other[0], alone[0]));
}

}  // namespace
}  // namespace talweg
