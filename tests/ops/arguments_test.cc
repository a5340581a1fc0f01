// Arguments drawn at random for every public function of ops/: right ones, wrong ones, numbers at
// the ends of their types, values of another tape, of none, and failed ones. Whatever they are, the
// result is a Value of a graph that the verifier accepts, or a Status that names the user's line.

#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/loss.h"
#include "ops/metric.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

class Arguments {
 public:
  explicit Arguments(uint64_t seed) : random_(seed) {
    for (DType dtype : kAllDTypes) {
      const std::vector<Shape> shapes = {{},     {3},        {2, 3},    {3, 2}, {1, 3},
                                         {0, 3}, {kRows, 3}, {kRows},   {4},    {2, 2, 3},
                                         {2, 1}, {kTrips},   {kRows, 1}};
      const Shape& shape = shapes[Below(shapes.size())];
      values_.push_back(t.Input(std::string(Name(dtype)) + ToString(shape), dtype, shape));
    }
    // Pairs that fit are more likely to go far.
    values_.push_back(t.Input("x", kFloat32, {2, 3}));
    values_.push_back(t.Input("y", kFloat32, {2, 3}));
    values_.push_back(t.Input("z", kFloat64, {kRows, 3}));
    values_.push_back(t.Input("i", kInt32, {2}));
    values_.push_back(t.Input("key", kInt64, {}));
  }

  size_t Below(size_t n) { return random_() % n; }
  bool Chance(int one_in) { return Below(static_cast<size_t>(one_in)) == 0; }

  Value V() {
    if (Chance(40)) return Value();
    if (Chance(40)) return other_.Input("other", kFloat32, {2, 3});
    return values_[Below(values_.size())];
  }
  Arg A() {
    if (Chance(8)) return Arg(Double());
    return Arg(V());
  }
  std::vector<Value> Vs() {
    std::vector<Value> values;
    for (size_t i = Below(4); i > 0; i--) values.push_back(V());
    return values;
  }
  // Small ones, mostly.
  int64_t I() {
    constexpr int64_t kEnds[] = {std::numeric_limits<int64_t>::min(),
                                 std::numeric_limits<int64_t>::max(), int64_t{1} << 31,
                                 int64_t{1} << 59, -100};
    if (Chance(12)) return kEnds[Below(5)];
    return static_cast<int64_t>(Below(8)) - 3;
  }
  double Double() {
    constexpr double kEnds[] = {std::numeric_limits<double>::quiet_NaN(),
                                std::numeric_limits<double>::infinity(),
                                -1e300,
                                0.5,
                                1e10,
                                -0.0};
    return Chance(3) ? kEnds[Below(6)] : static_cast<double>(I());
  }
  std::vector<int64_t> Is() {
    std::vector<int64_t> numbers;
    for (size_t i = Below(4); i > 0; i--) numbers.push_back(I());
    return numbers;
  }
  Dim D() { return Chance(6) ? kRows : Chance(20) ? kTrips : Dim(I()); }
  Shape S() {
    if (Chance(3)) return values_[Below(values_.size())].shape();
    Shape shape;
    for (size_t i = Below(4); i > 0; i--) shape.push_back(D());
    return shape;
  }
  DType T() { return kAllDTypes[Below(5)]; }
  Axes Ax() { return Chance(4) ? Axes() : Axes(Is()); }
  Keep K() { return Chance(2) ? Keep::kYes : Keep::kNo; }
  bool B() { return Chance(2); }

  Tape t;

 private:
  Tape other_;
  std::mt19937_64 random_;
  std::vector<Value> values_;
};

using Call = std::function<Value(Arguments&)>;

LoopStep StepOf(Arguments& a, LoopBody& body) {
  LoopStep step;
  step.carried = body.carried;
  if (a.Chance(8)) step.carried.push_back(a.V());
  if (a.Chance(2)) step.stacked.push_back(a.Chance(2) ? body.trip : a.V());
  if (a.Chance(8)) step.stop = a.Chance(2) ? Greater(body.trip, 1) : a.V();
  return step;
}

const std::map<std::string, Call>& Calls() {
  using R = Arguments&;
  static const auto& calls = *new std::map<std::string, Call>{
      {"+", [](R a) { return a.A() + a.A(); }},
      {"-", [](R a) { return a.A() - a.A(); }},
      {"*", [](R a) { return a.A() * a.A(); }},
      {"/", [](R a) { return a.A() / a.A(); }},
      {"minus", [](R a) { return -a.A(); }},
      {"Max", [](R a) { return Max(a.A(), a.A()); }},
      {"Pow", [](R a) { return Pow(a.A(), a.A()); }},
      {"Exp", [](R a) { return Exp(a.A()); }},
      {"Relu", [](R a) { return Relu(a.A()); }},
      {"Round", [](R a) { return Round(a.A()); }},
      {"Less", [](R a) { return Less(a.A(), a.A()); }},
      {"And", [](R a) { return And(a.A(), a.A()); }},
      {"Not", [](R a) { return Not(a.A()); }},
      {"IsNan", [](R a) { return IsNan(a.A()); }},
      {"Select", [](R a) { return Select(a.A(), a.A(), a.A()); }},
      {"Cast", [](R a) { return Cast(a.A(), a.T()); }},
      {"Detach", [](R a) { return Detach(a.A()); }},
      {"Reshape", [](R a) { return Reshape(a.A(), a.S()); }},
      {"Transpose", [](R a) { return Transpose(a.A(), a.Is()); }},
      {"BroadcastTo", [](R a) { return BroadcastTo(a.A(), a.S()); }},
      {"Slice", [](R a) { return Slice(a.A(), a.I(), a.I(), a.I(), a.I()); }},
      {"At", [](R a) { return At(a.A(), a.I(), a.I()); }},
      {"Pad", [](R a) { return Pad(a.A(), {{a.I(), a.I()}, {a.I(), a.I()}}, a.Double()); }},
      {"Reverse", [](R a) { return Reverse(a.A(), a.Is()); }},
      {"Window", [](R a) { return Window(a.A(), a.I(), a.I(), a.I(), a.I()); }},
      {"ExpandDims", [](R a) { return ExpandDims(a.A(), a.I()); }},
      {"Squeeze", [](R a) { return Squeeze(a.A(), a.I()); }},
      {"Concat", [](R a) { return Concat(a.Vs(), a.I()); }},
      {"Stack", [](R a) { return Stack(a.Vs(), a.I()); }},
      {"Sum", [](R a) { return Sum(a.A(), a.Ax(), a.K()); }},
      {"Product", [](R a) { return Product(a.A(), a.Ax(), a.K()); }},
      {"Mean", [](R a) { return Mean(a.A(), a.Ax(), a.K()); }},
      {"Variance", [](R a) { return Variance(a.A(), a.Ax(), a.K()); }},
      {"ReduceMax", [](R a) { return ReduceMax(a.A(), a.Ax(), a.K()); }},
      {"ReduceMin", [](R a) { return ReduceMin(a.A(), a.Ax(), a.K()); }},
      {"ArgMax", [](R a) { return ArgMax(a.A(), a.I(), a.K()); }},
      {"ArgMin", [](R a) { return ArgMin(a.A(), a.I(), a.K()); }},
      {"All", [](R a) { return All(a.A(), a.Ax(), a.K()); }},
      {"Any", [](R a) { return Any(a.A(), a.Ax(), a.K()); }},
      {"Gather", [](R a) { return Gather(a.A(), a.A(), a.I(), a.I()); }},
      {"ScatterAdd", [](R a) { return ScatterAdd(a.A(), a.A(), a.D(), a.I(), a.I()); }},
      {"OneHot", [](R a) { return OneHot(a.A(), a.I(), a.T()); }},
      {"MatMul", [](R a) { return MatMul(a.A(), a.A()); }},
      {"Contract", [](R a) { return Contract(a.A(), a.A(), {a.Is(), a.Is(), a.Is(), a.Is()}); }},
      {"RandomUniform", [](R a) { return RandomUniform(a.A(), a.T(), a.S()); }},
      {"RandomNormal", [](R a) { return RandomNormal(a.A(), a.T(), a.S()); }},
      {"RandomBernoulli", [](R a) { return RandomBernoulli(a.A(), a.A(), a.S()); }},
      {"Permutation", [](R a) { return Permutation(a.A(), a.D()); }},
      {"FoldIn", [](R a) { return FoldIn(a.A(), a.A()); }},
      {"Loop",
       [](R a) {
         LoopOptions options;
         options.trips = a.A();
         options.carried = a.Vs();
         options.scanned = a.Vs();
         options.reversed = a.B();
         if (a.Chance(5)) options.rows = a.V();
         options.rows_limit = a.I();
         return Loop(a.t, options, [&](LoopBody& body) { return StepOf(a, body); }).trips;
       }},
      {"CustomGradient",
       [](R a) {
         return CustomGradient(
             a.Vs(), [&](absl::Span<const Value> v) { return v.empty() ? a.V() : Exp(v[0]); },
             [&](absl::Span<const Value>, const Value&, const Value& dy) {
               return a.Chance(3) ? a.Vs() : std::vector<Value>{dy};
             });
       }},
      {"Gradient", [](R a) { return Gradient(Sum(a.A()), a.V()); }},
      {"Gradient of what is no sum", [](R a) { return Gradient(a.V(), a.V()); }},
      {"Softmax", [](R a) { return Softmax(a.A(), a.I()); }},
      {"LogSoftmax", [](R a) { return LogSoftmax(a.A(), a.I()); }},
      {"LogSumExp", [](R a) { return LogSumExp(a.A(), a.Ax(), a.K()); }},
      {"Elu", [](R a) { return Elu(a.A(), a.Double()); }},
      {"Selu", [](R a) { return Selu(a.A()); }},
      {"LeakyRelu", [](R a) { return LeakyRelu(a.A(), a.Double()); }},
      {"Gelu", [](R a) { return Gelu(a.A()); }},
      {"Silu", [](R a) { return Silu(a.A()); }},
      {"Clip", [](R a) { return Clip(a.A(), a.Double(), a.Double()); }},
      {"Linear", [](R a) { return Linear(a.A(), a.A(), a.A()); }},
      {"LayerNorm", [](R a) { return LayerNorm(a.A(), a.A(), a.A(), a.Ax(), a.Double()); }},
      {"Dropout", [](R a) { return Dropout(a.A(), a.A(), a.A(), a.B()); }},
      {"Norm", [](R a) { return Norm(a.A(), a.Ax(), a.K()); }},
      {"CategoricalCrossEntropy", [](R a) { return CategoricalCrossEntropy(a.A(), a.A()); }},
      {"CategoricalCrossEntropyFromLogits",
       [](R a) { return CategoricalCrossEntropyFromLogits(a.A(), a.A()); }},
      {"SparseCategoricalCrossEntropy",
       [](R a) { return SparseCategoricalCrossEntropy(a.A(), a.A()); }},
      {"BinaryCrossEntropy", [](R a) { return BinaryCrossEntropy(a.A(), a.A()); }},
      {"MeanSquaredError", [](R a) { return MeanSquaredError(a.A(), a.A()); }},
      {"Huber", [](R a) { return Huber(a.A(), a.A(), a.Double()); }},
      {"CategoricalHinge", [](R a) { return CategoricalHinge(a.A(), a.A()); }},
      {"CategoricalAccuracy", [](R a) { return CategoricalAccuracy(a.A(), a.A()); }},
      {"SparseCategoricalAccuracy", [](R a) { return SparseCategoricalAccuracy(a.A(), a.A()); }},
      {"BinaryAccuracy", [](R a) { return BinaryAccuracy(a.A(), a.A(), a.Double()); }},
      {"TopK", [](R a) { return TopKCategoricalAccuracy(a.A(), a.A(), a.I()); }},
  };
  return calls;
}

// What is wrong with what a call gave; empty where nothing is.
std::string Fault(const Arguments& arguments, const Value& result) {
  const absl::Status status = result.tape() == nullptr ? arguments.t.status() : result.status();
  if (result.ok() && status.ok()) {
    const absl::StatusOr<Graph> graph = Tape(result.tape()).Finish({result});
    if (!graph.ok()) return absl::StrCat("no graph: ", graph.status().message());
    const absl::Status sound = Verify(*graph);
    // A symbol that no input of the tape binds is found when the graph is compiled.
    if (sound.ok() || absl::StrContains(sound.message(), "nothing says how many")) return "";
    return absl::StrCat("a graph that is not sound: ", sound.message(), "\n", Print(*graph));
  }
  if (status.ok()) {
    // Without any tape there is nothing that could keep the error.
    return result.tape() == nullptr ? "" : "a failed value without an error";
  }
  const bool line = absl::StrContains(status.message(), "arguments_test.cc:");
  return line ? "" : absl::StrCat("not the user's line: ", status.message());
}

TEST(Arguments, OfAnySortGiveASoundGraphOrAStatusWithTheUsersLine) {
  std::map<std::string, int64_t> accepted, refused;
  std::set<std::string> faulty;
  const std::vector<uint64_t> seeds = FuzzSeeds(20000);
  for (const uint64_t seed : seeds) {
    Arguments arguments(seed);
    auto call = Calls().begin();
    std::advance(call, static_cast<std::ptrdiff_t>(arguments.Below(Calls().size())));
    const Value result = call->second(arguments);
    const bool ok = result.ok() && result.status().ok();
    (ok ? accepted : refused)[call->first]++;
    const std::string fault = Fault(arguments, result);
    // One of each function is enough to read.
    if (!fault.empty() && faulty.insert(call->first).second) {
      ADD_FAILURE() << call->first << ", seed " << seed << ": " << fault;
    }
  }
  size_t all_accepted = 0;
  for (const auto& [name, call] : Calls()) {
    std::cout << "  " << name << " " << accepted[name] << "/" << accepted[name] + refused[name];
    all_accepted += static_cast<size_t>(accepted[name]);
  }
  std::cout << std::endl;
  // Neither all wrong nor all right.
  EXPECT_GT(all_accepted * 10, seeds.size());
  EXPECT_LT(all_accepted * 2, seeds.size());
}

TEST(Loop, RefusesToCarryOrStackWhatIsStacked) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kTrips, 3});
  Loop(t, {.trips = 2, .carried = {x}}, [](LoopBody& body) { return LoopStep{body.carried}; });
  EXPECT_TRUE(absl::StrContains(t.status().message(), "trips is another number")) << t.status();
  EXPECT_TRUE(absl::StrContains(t.status().message(), "arguments_test.cc:")) << t.status();
  Tape u;
  const Value n = u.Input("n", kInt64, {});
  Loop(u, {.trips = 2}, [&](LoopBody&) -> LoopStep {
    const LoopResult inner = Loop(u, {.trips = n}, [](LoopBody& body) -> LoopStep {
      return {.carried = {}, .stacked = {body.trip}};
    });
    return {.carried = {}, .stacked = inner.stacked};
  });
  EXPECT_FALSE(u.status().ok());
}

TEST(Window, RefusesAStepBeyondAllIndices) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2, 3});
  EXPECT_FALSE(Window(x, 0, 1, 1, std::numeric_limits<int64_t>::max()).ok());
  EXPECT_TRUE(absl::StrContains(t.status().message(), "would not fit 62 bits")) << t.status();
  EXPECT_TRUE(absl::StrContains(t.status().message(), "arguments_test.cc:")) << t.status();
}

TEST(Loop, RefusesToScanAlongRows) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 3});
  Loop(t, {.trips = 2, .scanned = {x}},
       [](LoopBody& body) { return LoopStep{.carried = {}, .stacked = {body.scanned[0]}}; });
  EXPECT_TRUE(absl::StrContains(t.status().message(), "not rows")) << t.status();
}

}  // namespace
}  // namespace talweg
