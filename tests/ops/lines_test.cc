// Composites make nodes, and may fail, in lines of this library. What users read are lines of
// theirs: in the nodes (errors of a run name them) as in what is refused.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/initializer.h"
#include "ops/loop.h"
#include "ops/loss.h"
#include "ops/metric.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {
namespace {

constexpr char kHere[] = "lines_test.cc";

// Operands on a tape and on that of a body inside of it, in each of the four ways in which
// neighbours can lie.
class Operands {
 public:
  explicit Operands(int way) : way_(way) {}

  Value Make(DType dtype, Shape shape) {
    const bool inside = ((way_ >> (count_ % 2)) & 1) != 0;
    return (inside ? body_ : outer_).Input(absl::StrCat("x", count_++), dtype, std::move(shape));
  }
  Value F(Shape shape = {4, 3}) { return Make(kFloat32, std::move(shape)); }
  Value Labels() { return Make(kInt32, {4}); }
  Value Key() { return Make(kInt64, {}); }
  Tape& tape() { return (way_ & 1) != 0 ? body_ : outer_; }
  const Tape& outer() const { return outer_; }
  const Tape& body() const { return body_; }

 private:
  int way_;
  int count_ = 0;
  Tape outer_;
  Tape body_{std::make_shared<TapeState>(outer_.state())};
};

using O = Operands&;

struct Call {
  const char* name;
  std::function<Value(Operands&)> make;
};

const std::vector<Call>& Calls() {
  static const auto* const kCalls = new std::vector<Call>{
      {"+", [](O o) { return o.F() + o.F({3}); }},
      {"+ a number", [](O o) { return 2 + o.F() * 3; }},
      {"+=",
       [](O o) {
         Value a = o.F();
         a += o.F({3});
         return a;
       }},
      {"-=",
       [](O o) {
         Value a = o.F();
         a -= o.F({3});
         return a;
       }},
      {"*=",
       [](O o) {
         Value a = o.F();
         a *= o.F({3});
         return a;
       }},
      {"/=",
       [](O o) {
         Value a = o.F();
         a /= o.F({3});
         return a;
       }},
      {"Max", [](O o) { return Max(o.F({4, 1}), o.F({3})); }},
      {"Select", [](O o) { return Select(o.Make(kBool, {3}), o.F(), 0); }},
      {"Select of numbers", [](O o) { return Select(o.Make(kBool, {3}), 1, 0); }},
      {"MatMul", [](O o) { return MatMul(o.F(), o.F({3, 5})); }},
      {"MatMul of batches", [](O o) { return MatMul(o.F({2, 4, 3}), o.F({5, 1, 3, 6})); }},
      {"Sum", [](O o) { return Sum(o.F(), 0, Keep::kYes); }},
      {"Mean", [](O o) { return Mean(o.F({kRows, 3}), 0, Keep::kYes); }},
      {"Count", [](O o) { return Count(o.F({kRows, 3}), {}, kInt64); }},
      {"Variance", [](O o) { return Variance(o.F({kRows, 3})); }},
      {"Stack", [](O o) { return Stack({o.F(), o.F()}, -1); }},
      {"ExpandDims", [](O o) { return ExpandDims(o.F(), 0); }},
      {"Squeeze", [](O o) { return Squeeze(o.F({4, 1}), 1); }},
      {"OneHot", [](O o) { return OneHot(o.Labels(), 5); }},
      {"Gather", [](O o) { return Gather(o.F(), o.Labels()); }},
      {"RandomUniform", [](O o) { return RandomUniform(o.Key(), kFloat32, {2}); }},
      {"RandomNormal", [](O o) { return RandomNormal(o.Key(), kFloat32, {2}); }},
      {"RandomBernoulli", [](O o) { return RandomBernoulli(o.Key(), o.F({}), {2}); }},
      {"Permutation", [](O o) { return Permutation(o.Key(), 5); }},
      {"FoldIn", [](O o) { return FoldIn(o.Key(), o.Make(kInt32, {})); }},
      {"FoldIn a number", [](O o) { return FoldIn(o.Key(), 3); }},
      {"FoldIn a name", [](O o) { return FoldIn(o.Key(), "name"); }},
      {"Softmax", [](O o) { return Softmax(o.F()); }},
      {"LogSoftmax", [](O o) { return LogSoftmax(o.F()); }},
      {"LogSumExp", [](O o) { return LogSumExp(o.F(), -1, Keep::kYes); }},
      {"Elu", [](O o) { return Elu(o.F()); }},
      {"Selu", [](O o) { return Selu(o.F()); }},
      {"LeakyRelu", [](O o) { return LeakyRelu(o.F()); }},
      {"Gelu", [](O o) { return Gelu(o.F()); }},
      {"Gelu by tanh", [](O o) { return Gelu(o.F(), GeluForm::kTanh); }},
      {"Silu", [](O o) { return Silu(o.F()); }},
      {"Clip", [](O o) { return Clip(o.F(), -1, 1); }},
      {"Linear", [](O o) { return Linear(o.F(), o.F({3, 5}), o.F({5})); }},
      {"LayerNorm", [](O o) { return LayerNorm(o.F(), o.F({3}), o.F({3})); }},
      {"Dropout", [](O o) { return Dropout(o.F(), 0.5, o.Key(), true); }},
      {"Dropout at a rate", [](O o) { return Dropout(o.F(), o.F({}), o.Key(), true); }},
      {"Norm", [](O o) { return Norm(o.F()); }},
      {"GlobalNorm", [](O o) { return GlobalNorm({o.F(), o.F({7}), o.F({})}); }},
      {"TopK", [](O o) { return TopKCategoricalAccuracy(o.F(), o.F(), 2); }},
      {"MetricByName",
       [](O o) { return MetricByName("accuracy", "mse", 3)->per_sample(o.F(), o.F()); }},
      {"CustomGradient",
       [](O o) {
         return CustomGradient(
             {o.F(), o.F()}, [](absl::Span<const Value> v) { return v[0] + v[1]; },
             [](absl::Span<const Value>, Value, Value dy) {
               return std::vector<Value>{dy * 2, dy * 3};
             });
       }},
      {"Loop",
       [](O o) {
         const Value x = o.F();
         return Loop(o.tape(), {.trips = 3, .carried = {x}},
                     [&](LoopBody& body) -> LoopStep {
                       return {.carried = {Softmax(body.carried[0] + Mean(x))}};
                     })
             .carried[0];
       }},
      {"WithRows",
       [](O o) {
         return WithRows(o.tape(), 3,
                         [](Tape& tape) { return std::vector<Value>{Sum(tape.Iota(kRows))}; })[0];
       }},
      {"Zeros", [](O o) { return Zeros().make(o.tape(), o.Key(), kInt32, {2}); }},
      {"Ones", [](O o) { return Ones().make(o.tape(), o.Key(), kFloat32, {2}); }},
      {"Constant", [](O o) { return Constant(0.5).make(o.tape(), o.Key(), kFloat32, {2}); }},
      {"Uniform", [](O o) { return Uniform().make(o.tape(), o.Key(), kFloat32, {2}); }},
      {"Normal", [](O o) { return Normal(1).make(o.tape(), o.Key(), kFloat32, {2}); }},
      {"TruncatedNormal",
       [](O o) { return TruncatedNormal().make(o.tape(), o.Key(), kFloat64, {2}); }},
      {"HeUniform", [](O o) { return HeUniform().make(o.tape(), o.Key(), kFloat32, {2, 3}); }},
  };
  return *kCalls;
}

void ExpectLinesOfThisFile(const std::vector<Node>& nodes) {
  for (size_t i = 0; i < nodes.size(); i++) {
    const Node& node = nodes[i];
    if (node.kind() == Kind::kInput) continue;  // what is captured has no line
    EXPECT_TRUE(absl::StrContains(node.line.file, kHere))
        << "%" << i << " " << node.op->name << ": '" << ToString(node.line) << "'";
    if (node.kind() == Kind::kLoop) ExpectLinesOfThisFile(node.As<LoopAttributes>().body->nodes());
  }
}

TEST(Lines, OfNodesAreTheUsers) {
  for (const Call& call : Calls()) {
    for (int way = 0; way < 4; way++) {
      SCOPED_TRACE(absl::StrCat(call.name, ", operands in way ", way));
      Operands operands(way);
      EXPECT_TRUE(call.make(operands).ok()) << operands.outer().status();
      ExpectLinesOfThisFile(operands.outer().state()->nodes());
      ExpectLinesOfThisFile(operands.body().state()->nodes());
    }
  }
}

TEST(Lines, OfLossesAreTheUsers) {
  for (const std::string& name : LossNames()) {
    for (int way = 0; way < 4; way++) {
      SCOPED_TRACE(absl::StrCat(name, ", operands in way ", way));
      Operands operands(way);
      const bool sparse = absl::StartsWith(name, "sparse");
      const Value targets = sparse ? operands.Labels() : operands.F();
      EXPECT_TRUE(LossByName(name)->per_sample(targets, operands.F()).ok())
          << operands.outer().status();
      ExpectLinesOfThisFile(operands.outer().state()->nodes());
      ExpectLinesOfThisFile(operands.body().state()->nodes());
    }
  }
}

TEST(Lines, OfWhatABodyCanNotCaptureAreTheUsers) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kTrips});
  const Value inside = Tape(std::make_shared<TapeState>(t.state())).Input("carried", kFloat32, {});
  EXPECT_FALSE((inside + x).ok());
  EXPECT_TRUE(absl::StrContains(t.status().message(), absl::StrCat(kHere, ":", __LINE__ - 1)))
      << t.status();
}

TEST(Lines, OfACountAreTheUsers) {
  Operands operands(0);
  EXPECT_FALSE(Count(operands.F(), 2, kInt64).ok());
  EXPECT_TRUE(absl::StrContains(operands.outer().status().message(), kHere))
      << operands.outer().status();
}

// A number that an element type can not hold is wrong in the line that made the initializer.
TEST(Lines, OfAnInitializersNumbersAreTheUsers) {
  Operands operands(0);
  EXPECT_FALSE(Constant(2.5).make(operands.tape(), operands.Key(), kInt32, {2}).ok());
  EXPECT_TRUE(absl::StrContains(operands.outer().status().message(), kHere))
      << operands.outer().status();
  Operands other(0);
  EXPECT_FALSE(Ones().make(other.tape(), other.Key(), kFloat32, {int64_t{-2}}).ok());
  EXPECT_TRUE(absl::StrContains(other.outer().status().message(), kHere)) << other.outer().status();
}

}  // namespace
}  // namespace talweg
