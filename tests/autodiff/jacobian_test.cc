#include "autodiff/jacobian.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autodiff/check.h"
#include "autodiff/gradient.h"
#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/graphs/engines.h"

namespace talweg {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Array> ValueOf(Tape& t, const Value& value, const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = t.Finish({value});
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> f = EveryEngine(*graph);
  if (!f.ok()) return f.status();
  absl::StatusOr<std::vector<Array>> out = f->Run(inputs);
  if (!out.ok()) return out.status();
  return (*out)[0];
}

void ExpectNear(const absl::StatusOr<Array>& got, const Dims& dims,
                const std::vector<double>& expected) {
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->dims(), dims);
  ASSERT_EQ(static_cast<size_t>(got->size()), expected.size());
  for (size_t i = 0; i < expected.size(); i++) {
    EXPECT_NEAR(got->At(static_cast<int64_t>(i)), expected[i], 1e-14) << i;
  }
}

// Of a product of a matrix with a vector the matrix, whichever of them is longer: forward passes
// for each column, or backward ones for each row.
TEST(Jacobian, OfALinearFunctionIsItsMatrix) {
  for (const int64_t rows : {1, 2, 3, 5}) {
    Tape t;
    const Value a = t.Input("a", kFloat64, {rows, 3}), x = t.Input("x", kFloat64, {3});
    const Value j = Jacobian([&](const Value& at) { return MatMul(a, at); }, x);
    std::vector<double> matrix;
    for (int64_t i = 0; i < 3 * rows; i++) matrix.push_back(static_cast<double>(i * i) - 4);
    ExpectNear(ValueOf(t, j,
                       {{"a", *Array::From<double>({rows, 3}, matrix)},
                        {"x", Array::Vector<double>({1, 2, 3})}}),
               {rows, 3}, matrix);
  }
}

// d (x y^T)[i,k] / d x[m] = y[k] where i = m
TEST(Jacobian, HasTheAxesOfTheResultThenThoseOfTheArgument) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2, 1}), y = t.Input("y", kFloat64, {1, 3});
  const Value j = Jacobian([&](const Value& at) { return at * y; }, x);
  EXPECT_EQ(j.shape(), (Shape{2, 3, 2, 1}));
  ExpectNear(ValueOf(t, j,
                     {{"x", Array::Matrix<double>({{1}, {2}})},
                      {"y", Array::Matrix<double>({{3, 4, 5}})}}),
             {2, 3, 2, 1}, {3, 0, 4, 0, 5, 0, 0, 3, 0, 4, 0, 5});
}

TEST(Jacobian, OfScalarsAndNothing) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {}), none = t.Input("none", kFloat64, {0});
  const NamedArrays inputs = {{"x", Array(3.0)}, {"none", *Array::Zeros(kFloat64, {0})}};
  ExpectNear(ValueOf(t, Jacobian([](const Value& at) { return at * at * at; }, x), inputs), {},
             {27});
  ExpectNear(ValueOf(t, Jacobian([&](const Value&) { return x * 0 + 1; }, none), inputs), {0}, {});
  // What else it uses is a constant, be it the point itself or computed from that.
  const Value twice = 2 * x;
  ExpectNear(ValueOf(t, Jacobian([&](const Value& at) { return at * x * twice; }, x), inputs), {},
             {18});
  ExpectNear(ValueOf(t, Jacobian([&](const Value&) { return t.Constant(Array(2.0)); }, x), inputs),
             {}, {0});
}

// Of sum of exp(x[i] x[k]): with p = exp(x y), [[y y p, p + x y p], [p + x y p, x x p]].
TEST(Hessian, IsTheSecondDerivatives) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2});
  const Value h = Hessian([](const Value& at) { return Exp(Product(at)); }, x);
  const double a = 0.5, b = -0.25, p = std::exp(a * b);
  ExpectNear(ValueOf(t, h, {{"x", Array::Vector<double>({a, b})}}), {2, 2},
             {b * b * p, p + a * b * p, p + a * b * p, a * a * p});
}

// Loops inside, a loop around, and one more derivative.
TEST(Jacobian, GoesThroughLoopsAndCanBeDifferentiated) {
  const auto function = [](Tape& t, const std::vector<Value>& x) {
    const LoopResult outer =
        Loop(t, {.trips = 2, .carried = {x[0]}}, [&](LoopBody& body) -> LoopStep {
          const Value j = Jacobian(
              [](const Value& at) {
                return Loop(Tape(at.tape()), {.trips = 3, .carried = {at}},
                            [](LoopBody& inner) -> LoopStep {
                              return {.carried = {Sin(inner.carried[0] * inner.carried[0])}};
                            })
                    .carried[0];
              },
              body.carried[0]);
          return {.carried = {body.carried[0] + 0.1 * Sum(j, {1})}};
        });
    return outer.carried[0];
  };
  const absl::Status status =
      CheckGradients(EveryEngine, function, {Array::Vector<double>({0.8, 1.1, -0.6})});
  EXPECT_TRUE(status.ok()) << status;
}

// In each trip [2] of m [3,2]: the sum over trips of d(w m_i)/dw, which is m_i as a row, and of the
// second derivatives of (w . m_i)^2 / 2, which are m_i's products with itself.
TEST(Jacobian, InABodyTakesArgumentsAndValuesFromOutside) {
  Tape t;
  const Value w = t.Input("w", kFloat64, {2}), m = t.Input("m", kFloat64, {3, 2});
  const LoopResult loop = Loop(t, {.trips = 3, .scanned = {m}}, [&](LoopBody& body) -> LoopStep {
    const Value row = body.scanned[0];
    const Value j = Jacobian([&](const Value& at) { return Sum(at * row); }, w);
    const Value h = Hessian(
        [&](const Value& at) {
          const Value product = Sum(at * row);
          return 0.5 * product * product;
        },
        w);
    const Value none = Jacobian([&](const Value&) { return row; }, w);
    // What meets x alone first, outside of the body.
    const Value d = Hessian([&](const Value& at) { return Sum(Square(at) * row); }, w);
    return {.carried = {}, .stacked = {j, h, none, d}};
  });
  const NamedArrays inputs = {{"w", Array::Vector<double>({0.5, 2})},
                              {"m", Array::Matrix<double>({{1, 2}, {3, 4}, {5, 6}})}};
  ExpectNear(ValueOf(t, loop.stacked[0], inputs), {3, 2}, {1, 2, 3, 4, 5, 6});
  ExpectNear(ValueOf(t, loop.stacked[1], inputs), {3, 2, 2},
             {1, 2, 2, 4, 9, 12, 12, 16, 25, 30, 30, 36});
  ExpectNear(ValueOf(t, loop.stacked[2], inputs), {3, 2, 2}, std::vector<double>(12, 0));
  ExpectNear(ValueOf(t, loop.stacked[3], inputs), {3, 2, 2},
             {2, 0, 0, 4, 6, 0, 0, 8, 10, 0, 0, 12});
}

TEST(Jacobian, IsWholeWhateverTheRunIsTold) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {3});
  const absl::StatusOr<Graph> graph =
      t.Finish({Jacobian([](const Value& at) { return at * at; }, x)});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const NamedArrays inputs = {{"x", Array::Vector<double>({1, 2, 3})}};
  for (const NamedEngine& engine : AllEngines()) {
    const absl::StatusOr<Executable> f = engine.make(*graph);
    ASSERT_TRUE(f.ok()) << f.status();
    const std::atomic<bool> stop = true;
    std::atomic<int64_t> progress = 0;
    const auto out = f->Run(inputs, {.stop = &stop, .progress = &progress});
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_TRUE(SameBits((*out)[0], Array::Matrix<double>({{2, 0, 0}, {0, 4, 0}, {0, 0, 6}})))
        << engine.name << (*out)[0].ToString();
    EXPECT_EQ(progress, 0);
  }
}

TEST(Hessian, OfAConstantIsZero) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {2}), c = t.Input("c", kFloat64, {});
  ExpectNear(ValueOf(t, Hessian([&](const Value&) { return c; }, x),
                     {{"x", Array::Vector<double>({1, 2})}, {"c", Array(3.0)}}),
             {2, 2}, {0, 0, 0, 0});
}

TEST(Jacobian, RefusesWrongUse) {
  const auto message = [](const std::function<Value(Tape&)>& make) {
    Tape t;
    make(t);
    return std::string(t.status().message());
  };
  const auto square = [](const Value& at) { return at * at; };
  EXPECT_THAT(message([](Tape& t) { return Jacobian(nullptr, t.Input("x", kFloat64, {})); }),
              HasSubstr("jacobian: float64[]: the function is empty (tests/autodiff/"));
  EXPECT_THAT(message([](Tape& t) { return Hessian(nullptr, t.Input("x", kFloat64, {})); }),
              HasSubstr("hessian: float64[]: the function is empty"));
  EXPECT_THAT(message([&](Tape& t) { return Jacobian(square, t.Input("x", kInt32, {2})); }),
              HasSubstr("x is int32[2]; only floats have one"));
  EXPECT_THAT(message([&](Tape& t) { return Jacobian(square, t.Input("x", kFloat64, {kRows})); }),
              HasSubstr("x is float64[rows]; its extents must be known"));
  EXPECT_THAT(message([&](Tape& t) {
                const Value rows = t.Input("rows", kFloat64, {kRows});
                return Jacobian([&](const Value& at) { return at * rows; },
                                t.Input("x", kFloat64, {}));
              }),
              HasSubstr("the function's result is float64[rows]; its extents"));
  EXPECT_THAT(message([&](Tape& t) {
                return Jacobian([&](const Value&) { return Value(); }, t.Input("x", kFloat64, {}));
              }),
              HasSubstr("the function gives a value of no tape"));
  EXPECT_THAT(message([](Tape& t) {
                Tape other;
                const Value of_other = other.Input("y", kFloat64, {});
                return Jacobian([&](const Value&) { return of_other; }, t.Input("x", kFloat64, {}));
              }),
              HasSubstr("values of two tapes do not mix"));
  EXPECT_THAT(message([](Tape& t) {
                Tape other;
                const Value of_other = other.Input("y", kFloat64, {});
                int calls = 0;
                const auto changes = [&](const Value& at) { return calls++ == 0 ? at : of_other; };
                return Jacobian(changes, t.Input("x", kFloat64, {}));
              }),
              HasSubstr("values of two tapes do not mix"));
  EXPECT_THAT(message([&](Tape& t) { return Hessian(square, t.Input("x", kFloat64, {2})); }),
              HasSubstr("float64[2]"));
}

}  // namespace
}  // namespace talweg
