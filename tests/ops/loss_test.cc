#include "ops/loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/nn.h"
#include "ops/view.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;
using Row = std::vector<double>;

constexpr double kInf = std::numeric_limits<double>::infinity();

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// A loss as a function of targets and outputs, and the same of one row, written plainly.
struct Case {
  const char* name;
  std::function<Value(const Value&, const Value&)> loss;
  std::function<double(const Row&, const Row&)> plain;
  // Rows of targets and outputs.
  std::vector<Row> targets, outputs;
};

double Cut(double p) { return std::clamp(p, 1e-7, 1 - 1e-7); }

double MeanOf(const Row& t, const Row& y, const std::function<double(double, double)>& f) {
  double sum = 0;
  for (size_t i = 0; i < t.size(); i++) sum += f(t[i], y[i]);
  return sum / static_cast<double>(t.size());
}

double PlainFromLogits(const Row& t, const Row& z) {
  double sum = 0, loss = 0;
  for (double v : z) sum += std::exp(v);
  for (size_t i = 0; i < t.size(); i++) loss -= t[i] * (z[i] - std::log(sum));
  return loss;
}

double PlainFromProbabilities(const Row& t, const Row& p) {
  double sum = 0, loss = 0;
  for (double v : p) sum += v;
  for (size_t i = 0; i < t.size(); i++) loss -= t[i] * std::log(Cut(p[i] / sum));
  return loss;
}

const std::vector<Case>& Cases() {
  static const auto& cases = *new std::vector<Case>{
      {"categorical_crossentropy_from_logits",
       [](Value t, Value y) { return CategoricalCrossEntropyFromLogits(t, y); },
       PlainFromLogits,
       {{0, 1, 0}, {0.2, 0.3, 0.5}, {2, 0, 1}},
       {{1, -2, 0.5}, {3, 3.5, -1}, {0, 0.1, 0.2}}},
      {"categorical_crossentropy",
       [](Value t, Value y) { return CategoricalCrossEntropy(t, y); },
       PlainFromProbabilities,
       // Rows that add up to 1 and such that do not; one with an output that is clipped.
       {{0, 1, 0}, {0.2, 0.3, 0.5}, {0, 0.5, 0.5}},
       {{0.2, 0.7, 0.1}, {1, 2, 3}, {1, -0.5, 0.7}}},
      {"binary_crossentropy_from_logits",
       [](Value t, Value y) { return BinaryCrossEntropyFromLogits(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double z) {
           return a * std::log1p(std::exp(-z)) + (1 - a) * std::log1p(std::exp(z));
         });
       },
       {{0, 1}, {0.25, 1}},
       {{1.5, -2}, {0.3, 8}}},
      {"binary_crossentropy",
       [](Value t, Value y) { return BinaryCrossEntropy(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double p) {
           return -a * std::log(Cut(p)) - (1 - a) * std::log(1 - Cut(p));
         });
       },
       {{0, 1}, {0.25, 1}},
       {{0.3, 0.9}, {0.6, -1}}},
      {"mean_squared_error",
       [](Value t, Value y) { return MeanSquaredError(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double b) { return (a - b) * (a - b); });
       },
       {{1, 2, 3}, {0, 0, 1}},
       {{1.5, 0, -2}, {3, 1, 1}}},
      {"mean_absolute_error",
       [](Value t, Value y) { return MeanAbsoluteError(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double b) { return std::fabs(a - b); });
       },
       {{1, 2, 3}, {0, 0, 1}},
       {{1.5, 0, -2}, {3, 1, 1.1}}},
      {"mean_absolute_percentage_error",
       [](Value t, Value y) { return MeanAbsolutePercentageError(t, y); },
       [](const Row& t, const Row& y) {
         return 100 * MeanOf(t, y, [](double a, double b) {
                  return std::fabs(a - b) / std::max(std::fabs(a), 1e-7);
                });
       },
       {{1, -2, 3}, {0.5, 4, 1}},
       {{1.5, 0.2, -2}, {3, 1, 1.1}}},
      {"mean_squared_logarithmic_error",
       [](Value t, Value y) { return MeanSquaredLogarithmicError(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double b) {
           const double d = std::log(std::max(a, 1e-7) + 1) - std::log(std::max(b, 1e-7) + 1);
           return d * d;
         });
       },
       {{1, 2, 3}, {0.5, 0.3, 1}},
       {{1.5, 0.2, 2}, {3, -1, 1.1}}},
      {"huber_loss",
       [](Value t, Value y) { return Huber(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double b) {
           const double e = std::fabs(a - b);
           return e <= 1 ? e * e / 2 : e - 0.5;
         });
       },
       {{1, 2, 3}, {0, 0, 1}},
       {{1.5, 0, -2}, {3, 0.2, 1.1}}},
      {"logcosh",
       [](Value t, Value y) { return LogCosh(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double b) { return std::log(std::cosh(a - b)); });
       },
       {{1, 2, 3}, {0, 0, 1}},
       {{1.5, 0, -2}, {3, 0.2, 1.1}}},
      {"poisson",
       [](Value t, Value y) { return PoissonLoss(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double b) { return b - a * std::log(b + 1e-7); });
       },
       {{1, 2, 3}, {0, 4, 1}},
       {{1.5, 0.4, 2}, {3, 0.2, 1.1}}},
      {"hinge",
       [](Value t, Value y) { return Hinge(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y,
                       [](double a, double b) { return std::max(1 - (a == 0 ? -1 : a) * b, 0.0); });
       },
       {{1, -1, 1}, {0, 1, 0}},
       {{0.5, 0.4, 2}, {3, -0.2, -2}}},
      {"squared_hinge",
       [](Value t, Value y) { return SquaredHinge(t, y); },
       [](const Row& t, const Row& y) {
         return MeanOf(t, y, [](double a, double b) {
           return std::pow(std::max(1 - (a == 0 ? -1 : a) * b, 0.0), 2);
         });
       },
       {{1, -1, 1}, {0, 1, 0}},
       {{0.5, 0.4, 2}, {3, -0.2, -2}}},
      {"categorical_hinge",
       [](Value t, Value y) { return CategoricalHinge(t, y); },
       [](const Row& t, const Row& y) {
         double own = 0, other = -kInf;
         for (size_t i = 0; i < t.size(); i++) {
           own += t[i] * y[i];
           other = std::max(other, (1 - t[i]) * y[i]);
         }
         return std::max(0.0, other - own + 1);
       },
       {{0, 1, 0}, {1, 0, 0}, {0, 0, 1}},
       {{0.5, 0.4, 2}, {3, -0.2, -2}, {-1, -2, -3}}},
      {"kullback_leibler_divergence",
       [](Value t, Value y) { return KullbackLeibler(t, y); },
       [](const Row& t, const Row& y) {
         double sum = 0;
         for (size_t i = 0; i < t.size(); i++) {
           const double a = std::clamp(t[i], 1e-7, 1.0), b = std::clamp(y[i], 1e-7, 1.0);
           sum += a * std::log(a / b);
         }
         return sum;
       },
       {{0.2, 0.3, 0.5}, {0, 1, 0}},
       {{0.1, 0.8, 0.1}, {0.3, 0.3, 0.4}}},
      {"cosine_proximity",
       [](Value t, Value y) { return CosineProximity(t, y); },
       [](const Row& t, const Row& y) {
         double product = 0, tt = 0, yy = 0;
         for (size_t i = 0; i < t.size(); i++) {
           product += t[i] * y[i];
           tt += t[i] * t[i];
           yy += y[i] * y[i];
         }
         return -product / std::sqrt(tt * yy);
       },
       {{1, 2, 3}, {0, 0, 1}},
       {{1.5, 0, -2}, {3, 1, 1}}},
  };
  return cases;
}

Array Table(DType dtype, const std::vector<Row>& rows) {
  Row all;
  for (const Row& row : rows) all.insert(all.end(), row.begin(), row.end());
  return Floats(dtype, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())},
                all);
}

TEST(Losses, EqualTheirFormulasInBothPrecisions) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    Row wanted;
    for (size_t i = 0; i < c.targets.size(); i++) {
      wanted.push_back(c.plain(c.targets[i], c.outputs[i]));
    }
    for (DType dtype : {kFloat32, kFloat64}) {
      Tape tape;
      const auto width = static_cast<int64_t>(c.targets[0].size());
      const Value t = tape.Input("t", dtype, {kRows, width});
      const Value y = tape.Input("y", dtype, {kRows, width});
      const NamedArrays inputs = {{"t", Table(dtype, c.targets)}, {"y", Table(dtype, c.outputs)}};
      const double tolerance = dtype == kFloat32 ? 3e-5 : 1e-12;
      const Value loss = c.loss(t, y);
      EXPECT_EQ(loss.shape(), Shape{kRows});
      ExpectNear(Evaluate(loss, inputs), wanted, tolerance);
      const absl::StatusOr<Loss> named = LossByName(c.name);
      ASSERT_TRUE(named.ok()) << named.status();
      EXPECT_EQ(named->name, c.name);
      EXPECT_EQ(named->per_sample(t, y), loss);
    }
  }
}

TEST(Losses, HaveRightFirstAndSecondDerivativesByTheOutputs) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const Array targets = Table(kFloat64, c.targets);
    const auto f = [&](const std::vector<Value>& x) {
      return c.loss(Tape(x[0].tape()).Constant(targets), x[0]);
    };
    ExpectGradients(f, {{"y", Table(kFloat64, c.outputs)}}, 2e-5);
  }
}

TEST(Losses, KeepAllAxesButTheLast) {
  for (const Case& c : Cases()) {
    Tape tape;
    const Value t = tape.Input("t", kFloat32, {kRows, 5, 3});
    EXPECT_EQ(c.loss(t, tape.Input("y", kFloat32, {kRows, 5, 3})).shape(), (Shape{kRows, 5}))
        << c.name;
  }
}

TEST(Losses, RefuseShapesThatDifferAndNameBothAndTheLine) {
  const auto expect = [](const Case& c, Type targets, Type outputs, const std::string& detail) {
    Tape tape;
    const Value t = tape.Input("t", targets.dtype, targets.shape);
    const Value y = tape.Input("y", outputs.dtype, outputs.shape);
    EXPECT_FALSE(c.loss(t, y).ok()) << c.name;
    const std::string message = Message(tape.status());
    EXPECT_THAT(message, HasSubstr(absl::StrCat(": ", ToString(targets), " x ", ToString(outputs),
                                                ": ", detail)));
    EXPECT_THAT(message, HasSubstr("(tests/ops/loss_test.cc:")) << c.name;
  };
  for (const Case& c : Cases()) {
    expect(c, {kFloat32, {kRows, 3}}, {kFloat32, {kRows, 2}}, "shapes of targets and outputs");
    expect(c, {kFloat32, {kRows}}, {kFloat32, {kRows, 1}}, "shapes of targets and outputs");
    expect(c, {kFloat64, {kRows, 3}}, {kFloat32, {kRows, 3}},
           "element types float64 and float32 of targets and outputs differ; use Cast");
    expect(c, {kInt32, {kRows, 3}}, {kInt32, {kRows, 3}}, "only for floats; use Cast");
    expect(c, {kFloat32, {kRows}}, {kFloat32, {kRows}}, "the last axis is to hold");
  }
}

TEST(Losses, NameTheLineOfTheCall) {
  Tape tape;
  const Value t = tape.Input("t", kFloat32, {kRows, 3}), y = tape.Input("y", kFloat32, {kRows, 4});
  const int line = __LINE__ + 1;
  MeanSquaredError(t, y);
  EXPECT_EQ(Message(tape.status()),
            absl::StrCat("mean_squared_error: float32[rows,3] x float32[rows,4]: shapes of targets "
                         "and outputs differ (tests/ops/loss_test.cc:",
                         line, ")"));
}

TEST(Losses, RefuseAValueOfNoTape) {
  Tape tape;
  const Value y = tape.Input("y", kFloat32, {kRows, 4});
  EXPECT_FALSE(MeanSquaredError(Value(), y).ok());
  EXPECT_THAT(Message(tape.status()), HasSubstr("a value of no tape"));
  Tape other;
  EXPECT_FALSE(
      SparseCategoricalCrossEntropyFromLogits(Value(), other.Input("y", kFloat32, {kRows, 4}))
          .ok());
  EXPECT_THAT(Message(other.status()), HasSubstr("a value of no tape"));
}

TEST(Huber, HasItsKneeAtDelta) {
  Tape tape;
  const Value y = tape.Input("y", kFloat64, {4, 1});
  const Value t = tape.Constant(Floats(kFloat64, {4, 1}, {0, 0, 0, 0}));
  const NamedArrays inputs = {{"y", Floats(kFloat64, {4, 1}, {-5, 2, 3, 1})}};
  const Value loss = Huber(t, y, 2);
  ExpectNear(Evaluate(loss, inputs), {8, 2, 4, 0.5}, 1e-15);
  ExpectNear(Evaluate(Gradient(Sum(loss), y), inputs), {-2, 2, 2, 1}, 1e-15);
  EXPECT_FALSE(Huber(t, y, 0).ok());
  EXPECT_THAT(Message(tape.status()), HasSubstr("delta is 0 and not positive"));
}

TEST(CategoricalCrossEntropyFromLogits, HasTheGradientSoftmaxTimesWeightMinusTargets) {
  const Row targets = {0, 1, 0, 2, 0.5, 0.5}, logits = {1, 2, -3, 0.1, 0, 0.4};
  Tape tape;
  const Value t = tape.Input("t", kFloat64, {kRows, 3}), z = tape.Input("z", kFloat64, {kRows, 3});
  const NamedArrays inputs = {{"t", Floats(kFloat64, {2, 3}, targets)},
                              {"z", Floats(kFloat64, {2, 3}, logits)}};
  const Value loss = CategoricalCrossEntropyFromLogits(t, z);
  const Value wanted = Softmax(z) * Spread(Sum(t, -1), z.shape(), {1}) - t;
  ExpectNear(Evaluate(Gradient(Sum(loss), z), inputs), Evaluate(wanted, inputs), 1e-15);
}

TEST(CategoricalCrossEntropyFromLogits, StandsLogitsOfAnySize) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape tape;
    const Value t = tape.Input("t", dtype, {4, 3}), z = tape.Input("z", dtype, {4, 3});
    const NamedArrays inputs = {
        {"t", Floats(dtype, {4, 3}, {1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0})},
        {"z",
         Floats(dtype, {4, 3}, {1e4, -1e4, 0, -1e4, 1e4, 0, 1e30, 1e30, 1e30, -1e4, -1e4, -1e4})}};
    const Value loss = CategoricalCrossEntropyFromLogits(t, z);
    ExpectNear(Evaluate(loss, inputs), {0, 2e4, std::log(3), std::log(3)}, 1e-6);
    const double third = 1.0 / 3;
    ExpectNear(Evaluate(Gradient(Sum(loss), z), inputs),
               {0, 0, 0, -1, 1, 0, third, third, third - 1, third, third - 1, third}, 1e-6);
  }
}

TEST(CategoricalCrossEntropyFromLogits, MakesFewNodesOfWholeRows) {
  // Forward z - max, exp, t z; backward exp times a number, t times a number, their sum: what a
  // program written by hand computes.
  Tape tape;
  const Value t = tape.Input("t", kFloat32, {kRows, 3}), z = tape.Input("z", kFloat32, {kRows, 3});
  const Value loss = Mean(CategoricalCrossEntropyFromLogits(t, z));
  const absl::StatusOr<Graph> graph = tape.Finish({loss, Gradient(loss, z)});
  ASSERT_TRUE(graph.ok()) << graph.status();
  int wide = 0, nodes = 0;
  for (const Node& node : graph->nodes()) {
    nodes++;
    wide += node.kind() == Kind::kMap && node.type().shape == z.shape();
  }
  EXPECT_LE(wide, 6);
  EXPECT_LE(nodes, 30);
}

TEST(CategoricalCrossEntropy, GivesNoGradientWhereItIsClipped) {
  Tape tape;
  const Value t = tape.Input("t", kFloat64, {3, 2}), z = tape.Input("z", kFloat64, {3, 2});
  const NamedArrays inputs = {{"t", Floats(kFloat64, {3, 2}, {1, 0, 0, 1, 0, 1})},
                              {"z", Floats(kFloat64, {3, 2}, {20, 0, 20, 0, 10, 0})}};
  const Value loss = CategoricalCrossEntropy(t, Softmax(z));
  // exp(-20) = 2e-9 is below 1e-7, exp(-10) = 5e-5 is above.
  const double p = 1 / (1 + std::exp(10));
  ExpectNear(Evaluate(loss, inputs), {-std::log(1 - 1e-7), -std::log(1e-7), -std::log(p)}, 1e-12);
  ExpectNear(Evaluate(Gradient(Sum(loss), z), inputs), {0, 0, 0, 0, 1 - p, p - 1}, 1e-9);
}

TEST(CategoricalCrossEntropy, ClipsAtAnyEpsilon) {
  Tape tape;
  const Value t = tape.Input("t", kFloat64, {3, 2}), p = tape.Input("p", kFloat64, {3, 2});
  const NamedArrays inputs = {{"t", Floats(kFloat64, {3, 2}, {1, 0, 1, 0, 1, 0})},
                              {"p", Floats(kFloat64, {3, 2}, {0.95, 0.05, 0.3, 0.7, 0.01, 0.99})}};
  ExpectNear(Evaluate(CategoricalCrossEntropy(t, p, 0.1), inputs),
             {-std::log(0.9), -std::log(0.3), -std::log(0.1)}, 1e-14);
  EXPECT_FALSE(CategoricalCrossEntropy(t, p, 0.6).ok());
  EXPECT_THAT(Message(tape.status()), HasSubstr("[0.6, 0.4] is no interval"));
}

TEST(SparseCategoricalCrossEntropy, IsTheDenseOneOfOneHotTargets) {
  for (DType label_type : {kInt32, kInt64}) {
    for (const Shape& shape : {Shape{kRows}, Shape{kRows, 1}}) {
      Tape tape;
      const Value labels = tape.Input("l", label_type, shape);
      const Value z = tape.Input("z", kFloat64, {kRows, 3});
      Dims dims = Resolve(shape, {.rows = 4});
      const NamedArrays inputs = {
          {"l", *Floats(kFloat64, dims, {2, 0, 1, 1}).Cast(label_type)},
          {"z", Floats(kFloat64, {4, 3}, {1, 2, 3, 1e4, 0, 0, 0, -50, 1, 0.1, 0.2, 0.3})}};
      const Value hot = OneHot(Reshape(labels, {kRows}), 3, kFloat64);
      const Value sparse = SparseCategoricalCrossEntropyFromLogits(labels, z);
      const Value dense = CategoricalCrossEntropyFromLogits(hot, z);
      ExpectNear(Evaluate(sparse, inputs), Evaluate(dense, inputs), 1e-14);
      ExpectNear(Evaluate(Gradient(Sum(sparse), z), inputs),
                 Evaluate(Gradient(Sum(dense), z), inputs), 1e-14);
      // Of probabilities: these add up to 1 and need no clipping.
      const Value p = Softmax(z * 1e-3);
      ExpectNear(Evaluate(SparseCategoricalCrossEntropy(labels, p), inputs),
                 Evaluate(CategoricalCrossEntropy(hot, p), inputs), 1e-12);
    }
  }
}

TEST(SparseCategoricalCrossEntropy, TakesLogitsOfMinusInfinity) {
  Tape tape;
  const Value labels = tape.Input("l", kInt32, {2}), z = tape.Input("z", kFloat32, {2, 3});
  const NamedArrays inputs = {{"l", *Floats(kFloat64, {2}, {0, 1}).Cast(kInt32)},
                              {"z", Floats(kFloat32, {2, 3}, {0, 0, -kInf, 0, -kInf, -kInf})}};
  const Value loss = SparseCategoricalCrossEntropyFromLogits(labels, z);
  ExpectNear(Evaluate(loss, inputs), {std::log(2), kInf}, 1e-6);
  ExpectNear(Evaluate(Gradient(Sum(loss), z), inputs), {-.5, .5, 0, 1, -1, 0}, 1e-6);
}

TEST(SparseCategoricalCrossEntropy, HasRightFirstAndSecondDerivatives) {
  const Array labels = *Floats(kFloat64, {2}, {2, 0}).Cast(kInt64);
  ExpectGradients(
      [&](const std::vector<Value>& x) {
        return SparseCategoricalCrossEntropyFromLogits(Tape(x[0].tape()).Constant(labels), x[0]);
      },
      {{"z", Floats(kFloat64, {2, 3}, {1, -2, 0.5, 3, 3.5, -1})}});
  ExpectGradients(
      [&](const std::vector<Value>& x) {
        return SparseCategoricalCrossEntropy(Tape(x[0].tape()).Constant(labels), x[0]);
      },
      {{"p", Floats(kFloat64, {2, 3}, {0.1, 0.2, 0.7, 0.5, 0.2, 0.3})}}, 1e-6);
}

TEST(SparseCategoricalCrossEntropy, RefusesWhatIsNoLabel) {
  const auto expect = [](Type labels, Type outputs, const std::string& detail) {
    for (bool logits : {false, true}) {
      Tape tape;
      const Value l = tape.Input("l", labels.dtype, labels.shape);
      const Value y = tape.Input("y", outputs.dtype, outputs.shape);
      EXPECT_FALSE((logits ? SparseCategoricalCrossEntropyFromLogits(l, y)
                           : SparseCategoricalCrossEntropy(l, y))
                       .ok());
      EXPECT_EQ(Message(tape.status()).substr(0, 31), "sparse_categorical_crossentropy");
      EXPECT_THAT(Message(tape.status()), HasSubstr(absl::StrCat(": ", ToString(labels), " x ",
                                                                 ToString(outputs), ": ", detail)));
      EXPECT_THAT(Message(tape.status()), HasSubstr("(tests/ops/loss_test.cc:"));
    }
  };
  const Type outputs{kFloat32, {kRows, 3}};
  expect({kFloat32, {kRows}}, outputs, "labels are integers; use Cast");
  expect({kInt32, {kRows, 3}}, outputs, "the labels are not [rows], one for each sample");
  expect({kInt32, {}}, outputs, "the labels are not [rows], one for each sample");
  expect({kInt32, {kRows}}, {kInt32, {kRows, 3}}, "the outputs are not floats; use Cast");
  expect({kInt32, {kRows}}, {kFloat32, {kRows}}, "the outputs have no last axis of classes");
}

TEST(SparseCategoricalCrossEntropy, ReportsALabelOutsideOfTheClasses) {
  Tape tape;
  const Value labels = tape.Input("l", kInt32, {2}), z = tape.Input("z", kFloat32, {2, 3});
  const int line = __LINE__ + 1;
  const Value loss = SparseCategoricalCrossEntropyFromLogits(labels, z);
  const absl::StatusOr<Graph> graph = tape.Finish({loss});
  ASSERT_TRUE(graph.ok());
  const NamedArrays inputs = {{"l", *Floats(kFloat64, {2}, {0, 3}).Cast(kInt32)},
                              {"z", Floats(kFloat32, {2, 3}, {0, 0, 0, 0, 0, 0})}};
  const absl::Status status = EveryEngine(*graph)->Run(inputs).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(Message(status), HasSubstr(absl::StrCat("loss_test.cc:", line, ")")));
}

TEST(BinaryCrossEntropy, FromLogitsHasTheGradientSigmoidMinusTarget) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape tape;
    const Value t = tape.Input("t", dtype, {5, 1}), z = tape.Input("z", dtype, {5, 1});
    const NamedArrays inputs = {{"t", Floats(dtype, {5, 1}, {0, 1, 0, 1, 0.5})},
                                {"z", Floats(dtype, {5, 1}, {1e4, 1e4, -1e4, -1e4, 0})}};
    const Value loss = BinaryCrossEntropyFromLogits(t, z);
    ExpectNear(Evaluate(loss, inputs), {1e4, 0, 0, 1e4, std::log(2)}, 1e-6);
    ExpectNear(Evaluate(Gradient(Sum(loss), z), inputs), {1, 0, 0, -1, 0}, 1e-6);
  }
}

TEST(CosineProximity, OfAZeroVectorIsZero) {
  Tape tape;
  const Value t = tape.Input("t", kFloat32, {1, 2}), y = tape.Input("y", kFloat32, {1, 2});
  const NamedArrays inputs = {{"t", Floats(kFloat32, {1, 2}, {1, 2})},
                              {"y", Floats(kFloat32, {1, 2}, {0, 0})}};
  EXPECT_EQ(Evaluate(CosineProximity(t, y), inputs), Row{0});
  for (double dy : Evaluate(Gradient(Sum(CosineProximity(t, y)), y), inputs)) {
    EXPECT_TRUE(std::isfinite(dy));
  }
}

TEST(LossByName, GoesBackToTheLogits) {
  Tape tape;
  const Value t = tape.Input("t", kFloat32, {kRows, 3}), z = tape.Input("z", kFloat32, {kRows, 3});
  const Value labels = tape.Input("l", kInt32, {kRows});
  const auto named = [&](const char* name, const Value& targets, const Value& outputs) {
    return LossByName(name)->per_sample(targets, outputs);
  };
  const Value p = Softmax(z), q = Sigmoid(z);
  EXPECT_EQ(named("categorical_crossentropy", t, p), CategoricalCrossEntropyFromLogits(t, z));
  EXPECT_EQ(named("sparse_categorical_crossentropy", labels, p),
            SparseCategoricalCrossEntropyFromLogits(labels, z));
  EXPECT_EQ(named("binary_crossentropy", t, q), BinaryCrossEntropyFromLogits(t, z));
  // Anything else is clipped, as in Keras.
  EXPECT_EQ(named("categorical_crossentropy", t, q), CategoricalCrossEntropy(t, q));
  EXPECT_EQ(named("sparse_categorical_crossentropy", labels, q),
            SparseCategoricalCrossEntropy(labels, q));
  EXPECT_EQ(named("binary_crossentropy", t, p), BinaryCrossEntropy(t, p));
  EXPECT_TRUE(tape.status().ok()) << tape.status();
}

TEST(LossByName, KnowsKerassShortNames) {
  Tape tape;
  const Value t = tape.Input("t", kFloat32, {kRows, 3}), y = tape.Input("y", kFloat32, {kRows, 3});
  const std::pair<const char*, const char*> same[] = {{"mse", "mean_squared_error"},
                                                      {"MAE", "mean_absolute_error"},
                                                      {"mape", "mean_absolute_percentage_error"},
                                                      {"msle", "mean_squared_logarithmic_error"},
                                                      {"kld", "kullback_leibler_divergence"},
                                                      {"cosine", "cosine_proximity"}};
  for (const auto& [brief, full] : same) {
    EXPECT_EQ(LossByName(brief)->per_sample(t, y), LossByName(full)->per_sample(t, y));
    EXPECT_EQ(LossByName(brief)->name, brief);
  }
  for (const std::string& name : LossNames()) EXPECT_TRUE(LossByName(name).ok()) << name;
}

TEST(LossByName, RefusesProbabilitiesWhereLogitsAreExpected) {
  struct Case {
    const char* name;
    DType targets;
    Value (*activation)(const Value& x);
  };
  const auto softmax = [](const Value& x) { return Softmax(x); };
  const auto sigmoid = [](const Value& x) { return Sigmoid(x); };
  for (const Case& c : {Case{"categorical_crossentropy_from_logits", kFloat32, softmax},
                        Case{"sparse_categorical_crossentropy_from_logits", kInt32, softmax},
                        Case{"binary_crossentropy_from_logits", kFloat32, sigmoid}}) {
    Tape tape;
    const Shape rows = c.targets == kInt32 ? Shape{kRows} : Shape{kRows, 3};
    const Value t = tape.Input("t", c.targets, rows);
    const Value y = tape.Input("y", kFloat32, {kRows, 3});
    LossByName(c.name)->per_sample(t, y);
    EXPECT_TRUE(tape.status().ok()) << tape.status();
    LossByName(c.name)->per_sample(t, c.activation(y));
    EXPECT_THAT(Message(tape.status()), HasSubstr("the outputs are probabilities already"));
  }
}

TEST(LossByName, RefusesAnUnknownNameAndListsTheKnownOnes) {
  const std::string message = Message(LossByName("crossentropy").status());
  EXPECT_THAT(message, HasSubstr("unknown loss 'crossentropy'; known are "));
  EXPECT_THAT(message, HasSubstr("sparse_categorical_crossentropy"));
  EXPECT_FALSE(LossByName("").ok());
}

TEST(LossByName, NamesTheLineWhereTheLossWasNamed) {
  const int line = __LINE__ + 1;
  const Loss loss = *LossByName("mse");
  Tape tape;
  loss.per_sample(tape.Input("t", kFloat32, {kRows, 3}), tape.Input("y", kFloat32, {kRows, 1}));
  EXPECT_THAT(Message(tape.status()), HasSubstr(absl::StrCat("loss_test.cc:", line, ")")));
}

}  // namespace
}  // namespace talweg
