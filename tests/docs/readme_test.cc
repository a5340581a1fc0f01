// The C++ of README.md that is not in examples/, and that it does what they say.

#include <iostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "talweg.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

TrainTest Data() {
  const absl::StatusOr<Dataset> blobs = Blobs({.samples = 200, .cluster_std = 2, .seed = 2});
  return *Split(*OneHotTargets(*blobs, 3), 100);
}

Training Linear(Choice<Rule> rule) {
  return {.model = [](Scope& s, Value x) { return Dense(s, "output", x, 3); },
          .loss = SoftmaxCrossEntropy,
          .rule = std::move(rule),
          .rate = 0.01,
          .epochs = 5};
}

absl::StatusOr<std::vector<Array>> DifferentiateTwice(const Array& x_array, const Array& w_array) {
  Tape t;
  Value x = t.Input("x", kFloat32, {kRows, 2}), w = t.Input("w", kFloat32, {2, 3});
  Value loss = Mean(Square(Tanh(MatMul(x, w))));
  Value dw = Gradient(loss, w), curvature = Sum(Square(Gradient(Sum(dw), w)));
  absl::StatusOr<Executable> f = Compile(t, {loss, dw, curvature});
  if (!f.ok()) return f.status();
  return f->Run({{"x", x_array}, {"w", w_array}});
}

TEST(Readme, AGraphDifferentiatedTwiceAndRun) {
  const absl::StatusOr<std::vector<Array>> out =
      DifferentiateTwice(Array::Matrix<float>({{1, 2}, {3, 4}, {5, 6}}),
                         Array::Matrix<float>({{0.1f, 0.2f, 0.3f}, {-0.1f, 0, 0.1f}}));
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_GT((*out)[0].At(0), 0);
  EXPECT_EQ((*out)[1].dims(), (Dims{2, 3}));
  EXPECT_GT((*out)[2].At(0), 0);
}

// y = 2 x0 - x1 + 3, found from rows of x.
absl::StatusOr<double> FitALine() {
  Tape t;
  Value w = t.Input("w", kFloat32, {2}), b = t.Input("b", kFloat32, {});
  Value x = t.Input("x", kFloat32, {kRows, 2}), y = t.Input("y", kFloat32, {kRows});
  Value loss = Mean(Square(MatMul(x, w) + b - y));
  absl::StatusOr<RuleStep> update =
      ApplyInStep(Adam(), {{"w", w}, {"b", b}}, Gradient(loss, {w, b}), 0.05);
  if (!update.ok()) return update.status();
  absl::StatusOr<Step> step = CompileStep(t, update->carried, {loss});
  if (!step.ok()) return step.status();
  NamedArrays first = update->start;
  first.insert({{"w", Array::Vector<float>({0, 0})}, {"b", Array(0.0f)}});
  absl::StatusOr<State> state = step->Start(first);
  if (!state.ok()) return state.status();
  const NamedArrays rows = {{"x", Array::Matrix<float>({{0, 0}, {1, 0}, {0, 1}, {1, 1}})},
                            {"y", Array::Vector<float>({3, 5, 2, 4})}};
  double last = 0;
  for (int i = 0; i < 1000; i++) {
    absl::StatusOr<std::vector<Array>> out = step->Run(*state, rows);
    if (!out.ok()) return out.status();
    last = (*out)[0].At(0);
  }
  return last;
}

TEST(Readme, ARuleInALoopOfOnesOwn) {
  const absl::StatusOr<double> loss = FitALine();
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_LT(*loss, 1e-3);
}

TEST(Readme, AMistakeIsASentence) {
  Tape t;
  Value x = t.Input("x", kFloat32, {32, 2}), w = t.Input("w", kFloat32, {3, 50});
  Value y = MatMul(x, w);
  EXPECT_THAT(std::string(y.status().message()),
              HasSubstr("matmul: float32[32,2] x float32[3,50]: inner sizes 2 and 3 differ ("));
}

absl::StatusOr<Fitted> FitOnTwoThreads(const Training& training, const Dataset& train,
                                       const Dataset& test) {
  return Fit(training, train, test, {.threads = 2});  // 0: all that there are; 1: this one only
}

TEST(Readme, ThreadsChangeNothing) {
  const TrainTest data = Data();
  const Training training = Linear(Sgd());
  const absl::StatusOr<Fitted> two = FitOnTwoThreads(training, data.train, data.test);
  const absl::StatusOr<Fitted> one = Fit(training, data.train, data.test, {.threads = 1});
  ASSERT_TRUE(two.ok() && one.ok()) << two.status() << one.status();
  for (const auto& [name, array] : one->parameters) {
    EXPECT_TRUE(SameBits(array, two->parameters.at(name))) << name;
  }
}

absl::StatusOr<double> BestRate(const Training& training, const Dataset& train,
                                const Dataset& test) {
  absl::StatusOr<SweepResult> sweep =
      Sweep(training, {{"rate", {1, 0.1, 0.01}}, {"momentum", {0, 0.9}}, Seeds(5)}, train, test);
  if (!sweep.ok()) return sweep.status();
  std::cout << sweep->ToCsv();  // run,rate,momentum,seed,epochs,end,loss,accuracy,...
  absl::StatusOr<size_t> best = sweep->best("val_loss");
  if (!best.ok()) return best.status();
  return sweep->runs[*best].values[0];
}

TEST(Readme, ASweep) {
  const TrainTest data = Data();
  const absl::StatusOr<double> rate = BestRate(Linear(Sgd({})), data.train, data.test);
  ASSERT_TRUE(rate.ok()) << rate.status();
  EXPECT_THAT(*rate, testing::AnyOf(1, 0.1, 0.01));
}

absl::StatusOr<std::vector<Array>> RunMany(const Graph& single, const NamedArrays& inputs) {
  absl::StatusOr<Batched> many = Batch(single, {"w"}, 3);
  if (!many.ok()) return many.status();
  absl::StatusOr<Executable> f = Compile(many->graph);
  if (!f.ok()) return f.status();
  return f->Run(inputs);  // w: float32[3,2]
}

TEST(Readme, ABatchOfGraphs) {
  Tape t;
  Value x = t.Input("x", kFloat32, {2}), w = t.Input("w", kFloat32, {2});
  const absl::StatusOr<std::vector<Array>> out = RunMany(
      *t.Finish({Sum(x * w)}),
      {{"x", Array::Vector<float>({1, 2})}, {"w", Array::Matrix<float>({{1, 1}, {2, 0}, {0, 5}})}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT((*out)[0].data<float>(), testing::ElementsAre(3, 2, 10));
}

// An optimizer of one's own.
Rule HeavyBall(double momentum) {
  return [momentum](RuleScope& s, Value, Value g, Value lr) {
    // v = momentum v - lr g
    Value v = s.Hyper("momentum", momentum) * s.Slot("velocity") - lr * g;
    s.Set("velocity", v);
    return v;  // the parameter becomes p + v
  };
}

TEST(Readme, ARuleIsAFunction) {
  const TrainTest data = Data();
  const absl::StatusOr<Fitted> own = Fit(Linear(HeavyBall(0.9)), data.train, data.test);
  const absl::StatusOr<Fitted> sgd = Fit(Linear(Sgd({.momentum = 0.9})), data.train, data.test);
  ASSERT_TRUE(own.ok()) << own.status();
  ASSERT_TRUE(sgd.ok()) << sgd.status();
  EXPECT_EQ(own->history.ToCsv(), sgd->history.ToCsv());
}

// A schedule of one's own.
Schedule InverseRoot(const Hyper& initial) {
  return Schedule(
      [initial](ScheduleScope& s) { return s.Hyper("initial", initial) * Rsqrt(s.update() + 1); });
}

TEST(Readme, AScheduleIsAFunction) {
  const TrainTest data = Data();
  Training training = Linear("sgd");
  training.rate = InverseRoot(0.1);
  training.batch = 100;  // one update an epoch
  const absl::StatusOr<Fitted> fitted = Fit(training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(fitted->history["lr"][0], 0.1);
  EXPECT_EQ(fitted->history["lr"][3], 0.05);
}

// An adjustment of one's own.
Adjustment HalveEvery(int64_t epochs) {
  return {.name = "HalveEvery", .end = [epochs](AdjustScope& s) {
            Value count = s.State("count") + 1;
            Value due = GreaterEqual(count, epochs);
            s.SetRate(Select(due, s.rate() / 2, s.rate()));
            s.Set("count", Select(due, 0, count));
          }};
}

TEST(Readme, AnAdjustmentIsAFunction) {
  const TrainTest data = Data();
  Training training = Linear("sgd");
  training.adjust = {HalveEvery(2)};
  const absl::StatusOr<Fitted> fitted = Fit(training, data.train, data.test);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const std::vector<double> rates(fitted->history["lr"].begin(), fitted->history["lr"].end());
  EXPECT_EQ(rates, (std::vector<double>{0.01, 0.01, 0.005, 0.005, 0.0025}));
}

// An elementwise function of one's own: a composition, without a record.
Value Mish(Arg x) {
  UserLine line(x);
  return x * Tanh(Softplus(x));
}

TEST(Readme, ACompositionIsAnOpToItsUser) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {});
  const Value y = Mish(x), dy = Gradient(y, x);
  const absl::StatusOr<std::vector<Array>> out = Compile(t, {y, dy})->Run({{"x", Array(0.0)}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].At(0), 0);
  EXPECT_DOUBLE_EQ((*out)[1].At(0), 0.6);  // tanh(log 2)
}

}  // namespace
}  // namespace talweg
