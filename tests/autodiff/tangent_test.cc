#include "autodiff/tangent.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "ops/view.h"
#include "tests/graphs/engines.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Operands at which derivatives are a convention, and some where they are not.
template <typename T>
std::vector<T> Points() {
  return {T(-2), T(-1), T(-0.5), T(-0.0), T(0), T(0.25), T(0.5), T(1), T(2.5)};
}

// Each float operand of each elementwise op by itself: where it alone moves, by 1, the tangent is
// the gradient of the sum, to the bit; at kinks, ties and poles, too.
TEST(Tangent, OfEachMapIsItsGradient) {
  int compared = 0;
  for (const Op* op : AllOps()) {
    if (op->kind != Kind::kMap || op->map->types == MapTypes::kCast) continue;
    for (const DType dtype : {kFloat64, kFloat32}) {
      SCOPED_TRACE(absl::StrCat(op->name, " of ", Name(dtype)));
      std::vector<DType> types(static_cast<size_t>(op->map->arity), dtype);
      if (op->map->types == MapTypes::kSelect) types[0] = kBool;
      if (op->map->loop(types, dtype, false) == nullptr) continue;
      Tape t;
      NamedArrays inputs;
      std::vector<Value> x;
      const std::vector<double> points = Points<double>();
      const size_t n = points.size();
      for (size_t k = 0; k < types.size(); k++) {
        // All pairs of points; the third goes along with the second.
        std::vector<double> elements;
        for (size_t i = 0; i < n * n; i++) elements.push_back(points[k == 0 ? i / n : i % n]);
        inputs[absl::StrCat("x", k)] = Array::Vector<double>(elements).Cast(types[k]).value();
        x.push_back(t.Input(absl::StrCat("x", k), types[k], {static_cast<int64_t>(n * n)}));
      }
      const Value y = Map(*op, x, {}, {"tangent_test.cc", 1});
      ASSERT_TRUE(y.ok()) << t.status();
      if (!IsFloat(y.dtype())) continue;
      std::vector<Value> outputs;
      for (size_t k = 0; k < x.size(); k++) {
        if (!IsFloat(x[k].dtype())) continue;
        const Value ones = BroadcastTo(Scalar(y, dtype, 1), y.shape());
        outputs.push_back(Tangent(y, x[k], ones));
        outputs.push_back(Gradient(Sum(y), x[k]));
      }
      const auto out = RunOnAllEngines(outputs, inputs);
      ASSERT_TRUE(out.ok()) << out.status();
      for (size_t i = 0; i < out->size(); i += 2) {
        for (int64_t e = 0; e < (*out)[i].size(); e++) {
          const double forward = (*out)[i].At(e), reverse = (*out)[i + 1].At(e);
          if (std::isnan(forward) && std::isnan(reverse)) continue;
          EXPECT_EQ(forward, reverse) << "operand " << i / 2 << ", element " << e;
          compared++;
        }
      }
    }
  }
  EXPECT_GT(compared, 3000);
}

// Row i of the result is the derivative along the i-th unit vector: the gradient's element i.
TEST(Tangent, OfEachReductionIsItsGradient) {
  // Ties, one zero, two zeros, nothing of the sort.
  const std::vector<std::vector<double>> points = {
      {3, 1, 3, -2}, {0, 2, 3, 4}, {0, 2, 0, 4}, {0.5, -1.5, 2, 1}};
  int compared = 0;
  for (const Op* op : AllOps()) {
    if (op->kind != Kind::kReduce || op->reduce->place) continue;
    if (op->reduce->partial == nullptr) continue;  // of bools
    for (const std::vector<double>& point : points) {
      SCOPED_TRACE(absl::StrCat(op->name, " of ", point[0], ", ", point[1], " ..."));
      Tape t;
      const Value x = t.Input("x", kFloat64, {4});
      const Value y = Reduce(*op, x, {0}, {"tangent_test.cc", 1});
      std::vector<Value> outputs = {Gradient(y, x)};
      for (size_t i = 0; i < 4; i++) {
        std::vector<double> unit(4, 0);
        unit[i] = 1;
        outputs.push_back(Tangent(y, x, t.Constant(Array::Vector<double>(unit))));
      }
      const auto out = RunOnAllEngines(outputs, {{"x", Array::Vector<double>(point)}});
      ASSERT_TRUE(out.ok()) << out.status();
      for (size_t i = 0; i < 4; i++) {
        EXPECT_EQ((*out)[1 + i].At(0), (*out)[0].At(static_cast<int64_t>(i))) << i;
        compared++;
      }
    }
  }
  EXPECT_GE(compared, 4 * 4 * 4);
}

// What `build` makes of inputs x and dx, both float64 of this shape.
std::vector<double> AtPoint(const std::vector<double>& x, const std::vector<double>& dx,
                            const std::function<Value(Tape&, const Value&, const Value&)>& build) {
  Tape t;
  const Shape shape = {static_cast<int64_t>(x.size())};
  const Value result = build(t, t.Input("x", kFloat64, shape), t.Input("dx", kFloat64, shape));
  const absl::StatusOr<std::vector<Array>> out = RunOnAllEngines(
      {result}, {{"x", Array::Vector<double>(x)}, {"dx", Array::Vector<double>(dx)}});
  EXPECT_TRUE(out.ok()) << out.status();
  std::vector<double> elements;
  for (int64_t i = 0; out.ok() && i < (*out)[0].size(); i++) elements.push_back((*out)[0].At(i));
  return elements;
}

TEST(Tangent, HasKnownValues) {
  using Doubles = std::vector<double>;
  EXPECT_EQ(AtPoint({1, 2}, {3, 5}, [](Tape&, Value x, Value dx) { return Tangent(x * x, x, dx); }),
            Doubles({6, 20}));
  // x^3 along dx, twice: 6 x dx^2.
  EXPECT_EQ(
      AtPoint({1, 2}, {3, 5},
              [](Tape&, Value x, Value dx) { return Tangent(Tangent(x * x * x, x, dx), x, dx); }),
      Doubles({54, 300}));
  // The gradient of a tangent: d/dx sum(2 x dx) = 2 dx, by dx 2 x.
  EXPECT_EQ(AtPoint({1, 2}, {3, 5},
                    [](Tape&, Value x, Value dx) {
                      const Value sum = Sum(Tangent(Square(x), x, dx));
                      return Concat({Gradient(sum, x), Gradient(sum, dx)}, 0);
                    }),
            Doubles({6, 10, 2, 4}));
  // What a pad fills in does not move.
  EXPECT_EQ(AtPoint({1}, {3},
                    [](Tape&, Value x, Value dx) { return Tangent(Pad(x, {{1, 1}}, 7), x, dx); }),
            Doubles({0, 3, 0}));
  // Nor does what nothing flows into.
  EXPECT_EQ(
      AtPoint({1.5}, {3},
              [](Tape&, Value x, Value dx) {
                const Value key = Sum(Cast(x, kInt64));
                const Value parts[] = {Detach(x) * x, Cast(Cast(x, kInt32), kFloat64), dx,
                                       RandomUniform(key, kFloat64, {1})};
                return Concat(
                    JacobianVectorProduct({parts[0], parts[1], parts[2], parts[3]}, {x}, {dx}), 0);
              }),
      Doubles({4.5, 0, 0, 0}));
}

TEST(Tangent, KeepsTheConventionsAtTheEdge) {
  using Doubles = std::vector<double>;
  EXPECT_EQ(
      AtPoint({0, 4}, {1, 1}, [](Tape&, Value x, Value dx) { return Tangent(Sqrt(x), x, dx); }),
      Doubles({0, 0.25}));
  EXPECT_EQ(AtPoint({0, 4}, {1, 1},
                    [](Tape&, Value x, Value dx) {
                      return Tangent(Sqrt(Sum(Square(x * 0.0), 0, Keep::kYes)), x, dx);
                    }),
            Doubles({0}));
  // Of equal elements each gives its part, of both operands half.
  EXPECT_EQ(
      AtPoint({2, 2}, {1, 4},
              [](Tape&, Value x, Value dx) { return Tangent(ReduceMax(x, 0, Keep::kYes), x, dx); }),
      Doubles({2.5}));
  EXPECT_EQ(
      AtPoint({2}, {1}, [](Tape&, Value x, Value dx) { return Tangent(Max(x * 3.0, 6.0), x, dx); }),
      Doubles({1.5}));
  EXPECT_EQ(
      AtPoint({0, 1}, {1, 1}, [](Tape&, Value x, Value dx) { return Tangent(Relu(x), x, dx); }),
      Doubles({0, 1}));
  // What is not taken adds nothing, even if it is infinite.
  EXPECT_EQ(AtPoint({0, 2}, {1, 1},
                    [](Tape&, Value x, Value dx) {
                      return Tangent(Select(Greater(x, 0), Log(x), 0), x, dx);
                    }),
            Doubles({0, 0.5}));
}

TEST(Tangent, CastsAlong) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2}), dx = t.Input("dx", kFloat32, {2});
  const Value y = Square(Cast(x, kFloat64)) * 0.5;
  const Value dy = Tangent(y, x, dx), dz = Tangent(Cast(y, kFloat32), x, dx);
  EXPECT_EQ(dy.dtype(), kFloat64);
  EXPECT_EQ(dz.dtype(), kFloat32);
  const auto out = RunOnAllEngines(
      {dy, dz}, {{"x", Array::Vector<float>({1.5f, -2})}, {"dx", Array::Vector<float>({2, 3})}});
  ASSERT_TRUE(out.ok()) << out.status();
  for (const Array& array : *out) {
    EXPECT_EQ(array.At(0), 3);
    EXPECT_EQ(array.At(1), -6);
  }
}

// Where one input depends on another, it moves with it and by itself.
TEST(Tangent, AlongInputsThatDependOnEachOther) {
  EXPECT_EQ(AtPoint({2}, {1},
                    [](Tape&, Value x, Value dx) {
                      const Value h = x * 3.0;
                      return Tangent(h * h, std::vector<Value>{x, h, x}, {dx, dx, dx});
                    }),
            std::vector<double>({2 * 6 * (3 + 1 + 3)}));
}

// s = a^trips s0, so ds = a^trips ds0 + trips a^(trips-1) s0 da.
TEST(Tangent, GoesThroughLoops) {
  for (const bool reversed : {false, true}) {
    Tape t;
    const Value a = t.Input("a", kFloat64, {}), s = t.Input("s", kFloat64, {});
    const LoopResult r =
        Loop(t, {.trips = 3, .carried = {s}, .reversed = reversed}, [&](LoopBody& body) {
          const Value next = body.carried[0] * a;
          return LoopStep{.carried = {next}, .stacked = {next}};
        });
    const Value one = Scalar(a, kFloat64, 1);
    std::vector<Value> outputs =
        JacobianVectorProduct({r.carried[0], r.stacked[0]}, {a, s}, {one, one * 10.0});
    // By a alone, twice: 3 * 2 a s0.
    outputs.push_back(Tangent(Tangent(r.carried[0], a, one), a, one));
    const auto out = RunOnAllEngines(outputs, {{"a", Array(2.0)}, {"s", Array(5.0)}});
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_EQ((*out)[0].At(0), 8 * 10 + 3 * 4 * 5);
    const double each[] = {2 * 10 + 5, 4 * 10 + 2 * 2 * 5, 140};
    for (int64_t i = 0; i < 3; i++) {
      EXPECT_EQ((*out)[1].At(reversed ? 2 - i : i), each[i]) << i;
    }
    EXPECT_EQ((*out)[2].At(0), 6 * 2 * 5);
  }
}

// Loops that scan, bind rows, stop early, run backwards and stop early, and do not run at all.
TEST(Tangent, GoesThroughLoopsOfAnyForm) {
  for (const bool reversed : {false, true}) {
    for (const int64_t trips : {0, 1, 3, 4}) {
      SCOPED_TRACE(absl::StrCat(trips, " trips", reversed ? ", reversed" : ""));
      Tape t;
      const Value x = t.Input("x", kFloat64, {4}), dx = t.Input("dx", kFloat64, {4});
      const LoopResult r = Loop(t,
                                {.trips = t.Input("trips", kInt64, {}),
                                 .carried = {Scalar(x, kFloat64, 0), Scalar(x, kInt64, 0)},
                                 .scanned = {x},
                                 .reversed = reversed},
                                [&](LoopBody& body) {
                                  const Value sum = body.carried[0] + Square(body.scanned[0]);
                                  return LoopStep{.carried = {sum, body.carried[1] + 1},
                                                  .stacked = {body.trip, sum},
                                                  .stop = Greater(sum, 25)};
                                });
      const std::vector<Value> d = JacobianVectorProduct({r.carried[0], r.stacked[1]}, {x}, {dx});
      const auto out =
          RunOnAllEngines({d[0], d[1], r.trips}, {{"x", Array::Vector<double>({1, 3, 4, 6})},
                                                  {"dx", Array::Vector<double>({1, 10, 100, 1000})},
                                                  {"trips", Array(trips)}});
      ASSERT_TRUE(out.ok()) << out.status();
      const double x_of[] = {1, 3, 4, 6}, dx_of[] = {1, 10, 100, 1000};
      double sum = 0, dsum = 0, stacked[4] = {};
      for (int64_t k = 0; k < trips; k++) {
        const int64_t i = reversed ? trips - 1 - k : k;
        sum += x_of[i] * x_of[i];
        dsum += 2 * x_of[i] * dx_of[i];
        stacked[i] = dsum;
        if (sum > 25) break;
      }
      EXPECT_EQ((*out)[0].At(0), dsum);
      for (int64_t i = 0; i < 4; i++) EXPECT_EQ((*out)[1].At(i), stacked[i]) << i;
    }
  }
}

TEST(Tangent, InALoopBodyReachesValuesFromOutside) {
  Tape t;
  const Value w = t.Input("w", kFloat64, {}), dw = t.Input("dw", kFloat64, {});
  const LoopResult r = Loop(t, {.trips = 1, .carried = {w}}, [&](LoopBody& body) {
    return LoopStep{.carried = {Tangent(Square(body.carried[0]) * w, w, dw)}};
  });
  const auto out = RunOnAllEngines({r.carried[0]}, {{"w", Array(3.0)}, {"dw", Array(2.0)}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].At(0), 18);
}

// The user's gradient and no other: that of the sign, passed straight through, times x^2.
TEST(Tangent, OfACustomGradientIsTheUsers) {
  const auto sign = [](const Value& x, const Value& w) {
    return CustomGradient(
        {x, w}, [](absl::Span<const Value> v) { return Sign(v[0]) * v[1]; },
        [](absl::Span<const Value> v, Value y, Value dy) {
          return std::vector<Value>{dy * Square(v[0]), BroadcastTo(Sum(dy * y), {1})};
        });
  };
  // dy = x^2 dx + y dw
  EXPECT_EQ(AtPoint({-2}, {1},
                    [&](Tape&, Value x, Value dx) {
                      const Value w = x * 0.0 + 5.0;
                      return Concat(JacobianVectorProduct({sign(x, Detach(w)) * 2.0}, {x}, {dx}),
                                    0);
                    }),
            std::vector<double>({8}));
  Tape t;
  const Value x = t.Input("x", kFloat64, {1}), w = t.Input("w", kFloat64, {1});
  const Value one = t.Constant(Array::Vector<double>({1}));
  const Value dy = Tangent(sign(x, w), std::vector<Value>{x, w}, {one, one * 10.0});
  const auto out =
      RunOnAllEngines({dy, Gradient(Sum(dy), x), Tangent(dy, x, one)},
                      {{"x", Array::Vector<double>({-2})}, {"w", Array::Vector<double>({5})}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].At(0), 4 - 50);
  // By x: 2 x + 10 dy/dx, where dy/dx is again the user's, x^2.
  EXPECT_EQ((*out)[1].At(0), -4 + 40);
  EXPECT_EQ((*out)[2].At(0), -4 + 40);
}

// A gradient that clips dy counts as what it is where nothing is clipped.
TEST(Tangent, OfAGradientThatClipsIsThatWithoutClipping) {
  EXPECT_EQ(AtPoint({3}, {100},
                    [](Tape&, Value x, Value dx) {
                      const Value y = CustomGradient(
                          {x}, [](absl::Span<const Value> v) { return v[0] * 2.0; },
                          [](absl::Span<const Value>, Value, Value dy) {
                            return std::vector<Value>{Max(Min(dy * 2.0, 1), -1)};
                          });
                      return Tangent(y, x, dx);
                    }),
            std::vector<double>({200}));
}

// The transpose of the user's gradient has its limits; its error says whose line it is.
TEST(Tangent, PassesOnWhatTheTransposeOfAUsersRuleCanNot) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {});
  const Value y = CustomGradient(
      {x}, [](absl::Span<const Value> v) { return Square(v[0]); },
      [](absl::Span<const Value>, Value, Value dy) {
        const LoopOptions options{.trips = 3, .carried = {dy}, .reversed = true};
        const LoopResult r = Loop(Tape(dy.tape()), options, [](LoopBody& body) {
          const Value next = body.carried[0] * 2.0;
          return LoopStep{.carried = {next}, .stop = Greater(next, 100)};
        });
        return std::vector<Value>{r.carried[0]};
      });
  EXPECT_FALSE(Tangent(y, x, x).ok());
  EXPECT_THAT(std::string(t.status().message()),
              AllOf(HasSubstr("a reversed loop that stops early"), HasSubstr("tangent_test.cc:")));
}

TEST(Tangent, OfEmptyShapes) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {0, 3}), dx = t.Input("dx", kFloat64, {0, 3});
  const Value rows = t.Input("rows", kFloat64, {kRows, 3}), d = t.Input("d", kFloat64, {kRows, 3});
  std::vector<Value> outputs = {Tangent(Sum(Square(x), 0), x, dx), Tangent(Exp(x), x, dx),
                                Tangent(MatMul(Transpose(rows), rows), rows, d)};
  const Array none = *Array::Zeros(kFloat64, {0, 3});
  const auto out =
      RunOnAllEngines(outputs, {{"x", none}, {"dx", none}, {"rows", none}, {"d", none}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].dims(), Dims({3}));
  EXPECT_EQ((*out)[1].dims(), Dims({0, 3}));
  EXPECT_EQ((*out)[2].dims(), Dims({3, 3}));
  for (int64_t i = 0; i < 9; i++) EXPECT_EQ((*out)[2].At(i), 0);
}

// f = x0^2 x1 + x1^3, with H = [2 x1, 2 x0; 2 x0, 6 x1].
TEST(HessianVectorProduct, HasKnownValues) {
  EXPECT_EQ(AtPoint({2, 5}, {1, 10},
                    [](Tape&, Value x, Value v) {
                      const Value a = At(x, 0, 0), b = At(x, 0, 1);
                      return HessianVectorProduct(a * a * b + b * b * b, {x}, {v})[0];
                    }),
            std::vector<double>({10 + 40, 4 + 300}));
}

TEST(Tangent, RefusesWrongUseInTheUsersWords) {
  const auto message = [](const std::function<void(Tape&, const Value&)>& build) {
    Tape t;
    build(t, t.Input("x", kFloat64, {3}));
    return std::string(t.status().message());
  };
  const auto here = HasSubstr("tangent_test.cc:");
  EXPECT_THAT(message([](Tape& t, Value x) { Tangent(x, x, t.Input("d", kFloat64, {4})); }),
              AllOf(HasSubstr("tangent: float64[3] x float64[4]: dx has not the type of x"), here));
  EXPECT_THAT(message([](Tape& t, Value x) { Tangent(x, x, t.Input("d", kFloat32, {3})); }),
              AllOf(HasSubstr("dx has not the type of x"), here));
  EXPECT_THAT(message([](Tape& t, Value x) { Tangent(t.Input("i", kInt32, {}), x, x); }),
              AllOf(HasSubstr("tangent: int32[]: only floats have a tangent"), here));
  EXPECT_THAT(message([](Tape& t, Value x) {
                const Value i = t.Input("i", kInt32, {3});
                Tangent(x, i, i);
              }),
              AllOf(HasSubstr("only floats have a tangent; use Cast"), here));
  EXPECT_THAT(message([](Tape&, Value x) {
                Tape other;
                Tangent(x, other.Input("x", kFloat64, {3}), x);
              }),
              AllOf(HasSubstr("values of two tapes do not mix"), here));
  EXPECT_THAT(message([](Tape&, Value x) { Tangent(x, x, Value()); }),
              AllOf(HasSubstr("dx is a value of no tape"), here));
  EXPECT_THAT(message([](Tape&, Value x) { Tangent(x, Value(), x); }),
              AllOf(HasSubstr("x is a value of no tape"), here));
  EXPECT_THAT(message([](Tape&, Value x) { JacobianVectorProduct({x, Value()}, {x}, {x}); }),
              AllOf(HasSubstr("values of two tapes do not mix"), here));
  EXPECT_THAT(message([](Tape&, Value x) { JacobianVectorProduct({x}, {x, x}, {x}); }),
              AllOf(HasSubstr("not one dx for each x"), here));
  EXPECT_THAT(message([](Tape&, Value x) { HessianVectorProduct(Sum(x), {x}, {}); }),
              AllOf(HasSubstr("hessian: float64[]: not one v for each x"), here));
  EXPECT_THAT(message([](Tape&, Value x) { HessianVectorProduct(x, {x}, {x}); }),
              AllOf(HasSubstr("a gradient is that of a scalar"), here));
  // What failed before is what is told.
  EXPECT_THAT(message([](Tape& t, Value x) { Tangent(x + t.Input("y", kFloat64, {4}), x, x); }),
              AllOf(HasSubstr("add: float64[3] x float64[4]"), here));
  EXPECT_FALSE(Tangent(Value(), Value(), Value()).ok());
}

}  // namespace
}  // namespace talweg
