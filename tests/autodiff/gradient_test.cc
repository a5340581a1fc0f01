#include "autodiff/gradient.h"

#include <cmath>
#include <functional>
#include <memory>
#include <source_location>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/check.h"
#include "autodiff/tangent.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/base/allocation.h"
#include "tests/graphs/engines.h"

namespace talweg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Inputs = std::vector<Value>;

// A point without zeros, ties or structure.
Array Point(const Dims& dims, double phase = 0.3) {
  Array array = *Array::Zeros(kFloat64, dims);
  const absl::Span<double> elements = array.mutable_data<double>();
  for (size_t i = 0; i < elements.size(); i++) {
    elements[i] = std::sin(phase + 1.7 * static_cast<double>(i)) + 0.11;
  }
  return array;
}

void ExpectGradients(const std::function<Value(Tape&, const Inputs&)>& function,
                     const std::vector<Array>& point) {
  const absl::Status status = CheckGradients(EveryEngine, function, point);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(Gradient, OfEachKindOfView) {
  const std::vector<std::pair<const char*, std::function<Value(Value)>>> views = {
      {"slice", [](Value x) { return Slice(x, 1, 1, 6, 2); }},
      {"slice backwards", [](Value x) { return Slice(x, 1, 5, 0, -2); }},
      {"transpose", [](Value x) { return Transpose(x); }},
      {"broadcast", [](Value x) { return BroadcastTo(x, {2, 3, 7}); }},
      {"pad", [](Value x) { return Pad(x, {{1, 2}, {0, 3}}, 0.5); }},
      {"cut", [](Value x) { return Pad(x, {{-1, 0}, {-2, -1}}); }},
      {"reverse", [](Value x) { return Reverse(x, {0, 1}); }},
      {"at", [](Value x) { return At(x, 0, 1); }},
      {"window", [](Value x) { return Window(x, 1, 3); }},
      {"strided window", [](Value x) { return Window(x, 1, 2, 2, 3); }},
      {"windows of windows", [](Value x) { return Window(Window(x, 1, 3), 1, 2); }},
      {"an axis named twice",
       [](Value x) {
         ViewAttributes view{.axes = {{.terms = {{0, 2}, {0, -1}}}, {.terms = {{1, 1}, {1, 2}}}},
                             .shape = {3, 2}};
         return View(x, view, LineOf(std::source_location::current()));
       }},
      {"reshape", [](Value x) { return Reshape(x, {7, 3}); }},
      {"concat", [](Value x) { return Concat({x, x * 2.0, Slice(x, 1, 0, 2)}, 1); }},
      {"stack", [](Value x) { return Stack({x, Square(x)}, -1); }},
  };
  for (const auto& [name, view] : views) {
    SCOPED_TRACE(name);
    ExpectGradients([&](Tape&, const Inputs& x) { return Sin(view(Square(x[0]))); },
                    {Point({3, 7})});
  }
}

TEST(Gradient, OfContractionsOfAnyAxes) {
  ExpectGradients([](Tape&, const Inputs& x) { return Tanh(MatMul(x[0], x[1])); },
                  {Point({4, 3}), Point({3, 5}, 1)});
  ExpectGradients([](Tape&, const Inputs& x) { return MatMul(x[0], x[1]); },
                  {Point({3}), Point({3}, 1)});
  ExpectGradients([](Tape&, const Inputs& x) { return MatMul(x[0], x[1]); },
                  {Point({2, 1, 4, 3}), Point({3, 3, 2}, 1)});
  ExpectGradients(
      [](Tape&, const Inputs& x) {
        return Contract(x[0], x[1],
                        {.lhs_batch = {2}, .rhs_batch = {0}, .lhs_sum = {3, 0}, .rhs_sum = {1, 3}});
      },
      {Point({2, 3, 4, 5}), Point({4, 5, 3, 2}, 1)});
}

TEST(Gradient, OfReductions) {
  for (const Axes& axes : {Axes(), Axes(0), Axes(1), Axes({0, 2})}) {
    ExpectGradients([&](Tape&, const Inputs& x) { return Square(Sum(Square(x[0]), axes)); },
                    {Point({2, 3, 4})});
    ExpectGradients([&](Tape&, const Inputs& x) { return Mean(Exp(x[0]), axes, Keep::kYes); },
                    {Point({2, 3, 4})});
    ExpectGradients([&](Tape&, const Inputs& x) { return Square(ReduceMax(x[0], axes)); },
                    {Point({2, 3, 4})});
    ExpectGradients([&](Tape&, const Inputs& x) { return Square(ReduceMin(x[0], axes)); },
                    {Point({2, 3, 4})});
    ExpectGradients([&](Tape&, const Inputs& x) { return Product(x[0], axes); },
                    {Point({2, 3, 2})});
    ExpectGradients([&](Tape&, const Inputs& x) { return Variance(x[0], axes); },
                    {Point({2, 3, 4})});
  }
}

// Where y / x says nothing: as of the same function written with multiplications.
TEST(Gradient, OfAProductWithZerosAnyNumberOfTimes) {
  const auto derivatives = [](bool reduced, const Array& at) {
    Tape t;
    const Value x = t.Input("x", kFloat64, {2, 3});
    Value y = t.Constant(Array(1.0));
    if (reduced) {
      y = Product(x);
    } else {
      for (int64_t i = 0; i < 2; i++) {
        for (int64_t j = 0; j < 3; j++) y = y * At(At(x, 0, i), 0, j);
      }
    }
    std::vector<Value> all;
    const Value v = t.Constant(Array::Matrix<double>({{1, 2, 3}, {5, 7, 11}}));
    for (int order = 1; order <= 4; order++) {
      all.push_back(Gradient(y, x));
      y = Sum(all.back() * v);
    }
    all.push_back(Tangent(all[1], x, v));
    const absl::StatusOr<Graph> graph = t.Finish(all);
    EXPECT_TRUE(graph.ok()) << graph.status();
    const absl::StatusOr<Executable> f = EveryEngine(*graph);
    EXPECT_TRUE(f.ok()) << f.status();
    return f->Run({{"x", at}}).value();
  };
  for (const std::vector<double>& row :
       std::vector<std::vector<double>>{{1, 2, 3}, {2, 0, 5}, {0, 0, 5}, {0, 0, 0}}) {
    const Array at = Array::Matrix<double>({row, {-1, 2, row[0]}});
    const std::vector<Array> got = derivatives(true, at), expected = derivatives(false, at);
    for (size_t k = 0; k < got.size(); k++) {
      for (int64_t i = 0; i < 6; i++) {
        EXPECT_NEAR(got[k].At(i), expected[k].At(i), 1e-12 * std::abs(expected[k].At(i)))
            << k << " " << i << " at " << at.ToString();
      }
    }
  }
}

TEST(Gradient, OfGatherAndScatter) {
  const Array indices = Array::Vector<int32_t>({3, 0, 3, 1});
  ExpectGradients([](Tape&, const Inputs& x) { return Square(Gather(Exp(x[0]), x[1])); },
                  {Point({4, 2}), indices});
  ExpectGradients([](Tape&, const Inputs& x) { return Square(ScatterAdd(Exp(x[0]), x[1], 5)); },
                  {Point({4, 2}), indices});
  ExpectGradients([](Tape&, const Inputs& x) { return Square(Gather(x[0], x[1], 1, 1)); },
                  {Point({4, 5}), indices});
}

// x[t+1] = tanh(w x[t] + u[t]), with outputs in each trip.
TEST(Gradient, GoesThroughLoops) {
  const auto recurrence = [](bool reversed) {
    return [reversed](Tape& tape, const Inputs& x) {
      const LoopResult r = Loop(tape, {.carried = {x[0]}, .scanned = {x[2]}, .reversed = reversed},
                                [&](LoopBody& body) -> LoopStep {
                                  const Value next =
                                      Tanh(MatMul(body.carried[0], x[1]) + body.scanned[0]);
                                  return {.carried = {next}, .stacked = {Square(next)}};
                                });
      return Sum(r.stacked[0]) + Sum(Sin(r.carried[0]));
    };
  };
  for (const bool reversed : {false, true}) {
    ExpectGradients(recurrence(reversed), {Point({3}), Point({3, 3}, 1), Point({4, 3}, 2)});
  }
}

TEST(Gradient, GoesThroughNestedLoopsAndLoopsThatStop) {
  ExpectGradients(
      [](Tape& tape, const Inputs& x) {
        const LoopResult outer = Loop(tape, {.trips = 3, .carried = {x[0]}}, [&](LoopBody& body) {
          const LoopResult inner =
              Loop(body.tape, {.trips = 2, .carried = {body.carried[0]}}, [&](LoopBody& in) {
                return LoopStep{.carried = {Sin(in.carried[0]) * x[1] + in.carried[0]}};
              });
          return LoopStep{.carried = {inner.carried[0]}, .stacked = {Sum(inner.carried[0])}};
        });
        return Sum(outer.carried[0]) + Sum(Square(outer.stacked[0]));
      },
      {Point({3}), Point({3}, 1)});
  ExpectGradients(
      [](Tape& tape, const Inputs& x) {
        const LoopResult r = Loop(tape, {.trips = 10, .carried = {x[0]}}, [&](LoopBody& body) {
          const Value next = body.carried[0] * x[1];
          return LoopStep{.carried = {next}, .stacked = {next}, .stop = Greater(Sum(next), 20)};
        });
        return Sum(r.carried[0]) + Sum(Square(r.stacked[0]));
      },
      {Array::Vector<double>({1.5}), Array::Vector<double>({1.7})});
}

// The derivative of what a training reaches by its rate: through gradients and updates in a loop.
TEST(Gradient, OfATrainingByItsRate) {
  ExpectGradients(
      [](Tape& tape, const Inputs& x) {
        const LoopResult r = Loop(tape, {.trips = 5, .carried = {x[1]}}, [&](LoopBody& body) {
          const Value w = body.carried[0];
          const Value loss = Mean(Square(Tanh(MatMul(x[2], w)) - 0.3));
          return LoopStep{.carried = {w - x[0] * Gradient(loss, w)}};
        });
        return Mean(Square(MatMul(x[2], r.carried[0])));
      },
      {Array(0.1), Point({2, 3}), Point({6, 2}, 1)});
}

TEST(Gradient, InALoopBodyReachesValuesFromOutside) {
  Tape tape;
  const Value w = tape.Input("w", kFloat64, {});
  const LoopResult r = Loop(tape, {.trips = 1, .carried = {w}}, [&](LoopBody& body) {
    const Value y = Square(body.carried[0]) * w;
    return LoopStep{.carried = {Gradient(y, w)}};
  });
  const absl::StatusOr<Graph> graph = tape.Finish({r.carried[0]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ((*EveryEngine(*graph)->Run({{"w", Array(3.0)}}))[0].At(0), 9);
}

// In a body, what was computed outside is a constant: a path that leads through it would be missed.
TEST(Gradient, InALoopBodyRefusesPathsThroughTheOutside) {
  const auto outcome = [](const std::function<Value(const Value& w)>& computed,
                          const std::function<Value(const Value& z, const Value& w)>& derivative) {
    Tape tape;
    const Value w = tape.Input("w", kFloat64, {}), z = computed(w);
    const LoopResult r = Loop(tape, {.trips = 1, .carried = {w}}, [&](LoopBody& body) {
      const LoopResult inner =
          Loop(body.tape, {.trips = 1, .carried = {body.carried[0]}}, [&](LoopBody& in) {
            return LoopStep{.carried = {derivative(in.carried[0] * w * z, w)}};
          });
      return LoopStep{.carried = {inner.carried[0]}};
    });
    const absl::StatusOr<Graph> graph = tape.Finish({r.carried[0]});
    if (!graph.ok()) return std::string(graph.status().message());
    return absl::StrCat((*EveryEngine(*graph)->Run({{"w", Array(3.0)}}))[0].At(0));
  };
  const auto gradient = [](const Value& y, const Value& w) { return Gradient(y, w); };
  const auto tangent = [](const Value& y, const Value& w) { return Tangent(y, w, w); };
  const auto square = [](const Value& w) { return w * w; };
  const auto refused = AllOf(HasSubstr("y depends on x by way of mul at tests/autodiff/"),
                             HasSubstr("compute it in the body, or Detach it (tests/autodiff/"));
  EXPECT_THAT(outcome(square, gradient), AllOf(HasSubstr("gradient: "), refused));
  EXPECT_THAT(outcome(square, tangent), AllOf(HasSubstr("tangent: "), refused));
  EXPECT_THAT(outcome(square, [&](const Value& y, const Value& w) { return Gradient(y * w, w); }),
              refused);
  // With y = s w z at s = 3, where z is a constant.
  const auto detached = [](const Value& w) { return Detach(w * w); };
  EXPECT_EQ(outcome(detached, gradient), "27");
  EXPECT_EQ(outcome(detached, tangent), "81");
  EXPECT_EQ(outcome([](const Value& w) { return Scalar(w, kFloat64, 9); }, gradient), "27");
}

// A loop may have one value as two captures: the direction of a tangent may be what it is along.
TEST(Gradient, CountsAValueThatIsCapturedTwiceOnce) {
  const auto power = [](Tape& tape, const Value& w) {
    return Loop(tape, {.trips = 2, .carried = {Scalar(w, kFloat64, 1)}},
                [&](LoopBody& body) { return LoopStep{.carried = {body.carried[0] * w}}; })
        .carried[0];
  };
  ExpectGradients(
      [&](Tape& tape, const Inputs& x) { return Tangent(power(tape, x[0]), x[0], x[0]); },
      {Array(3.0)});
  // Of w^2, so 2 v^2.
  ExpectGradients(
      [&](Tape& tape, const Inputs& x) {
        return Tangent(Tangent(power(tape, x[0]), x[0], x[1]), x[0], x[1]);
      },
      {Array(3.0), Array(0.7)});
}

TEST(Gradient, IsZeroWhereNothingDepends) {
  Tape tape;
  const Value x = tape.Input("x", kFloat64, {3}), y = tape.Input("y", kFloat64, {});
  const Value steps = Sum(Cast(Cast(x, kInt32), kFloat64));
  const absl::StatusOr<Graph> graph = tape.Finish({Gradient(y, x), Gradient(steps, x)});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto out = EveryEngine(*graph)->Run({{"x", Point({3})}, {"y", Array(1.0)}});
  for (const Array& gradient : *out) {
    for (int64_t i = 0; i < 3; i++) EXPECT_EQ(gradient.At(i), 0);
  }
}

TEST(Gradient, OfACustomGradientIsTheUsers) {
  Tape tape;
  const Value x = tape.Input("x", kFloat64, {2});
  const Value y = CustomGradient(
      {x}, [](absl::Span<const Value> v) { return Sign(v[0]); },
      [](absl::Span<const Value> v, Value, Value dy) {
        return std::vector<Value>{dy * Square(v[0])};
      });
  const Value dx = Gradient(Sum(y * 3.0), x);
  const absl::StatusOr<Graph> graph = tape.Finish({y, dx, Gradient(Sum(dx), x)});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto out = EveryEngine(*graph)->Run({{"x", Array::Vector<double>({-2, 5})}});
  EXPECT_EQ((*out)[0].At(0), -1);
  EXPECT_EQ((*out)[1].At(0), 12);
  EXPECT_EQ((*out)[1].At(1), 75);
  EXPECT_EQ((*out)[2].At(1), 30);
}

TEST(Gradient, RefusesWrongUse) {
  const auto message = [](const std::function<void(Tape&)>& build) {
    Tape tape;
    build(tape);
    return std::string(tape.status().message());
  };
  EXPECT_THAT(message([](Tape& t) {
                const Value x = t.Input("x", kFloat64, {3});
                Gradient(x, x);
              }),
              HasSubstr("gradient: float64[3]: a gradient is that of a scalar"));
  EXPECT_THAT(message([](Tape& t) {
                const Value x = t.Input("x", kInt32, {});
                Gradient(x, x);
              }),
              HasSubstr("only floats"));
  EXPECT_THAT(message([](Tape& t) {
                Tape other;
                const Value x = t.Input("x", kFloat64, {});
                Gradient(x, other.Input("x", kFloat64, {}));
                t.state()->SetError(other.status());
              }),
              HasSubstr("two tapes"));
  EXPECT_THAT(message([](Tape& t) {
                const Value x = t.Input("x", kFloat64, {});
                Gradient(x, x + t.Input("y", kFloat64, {3}) + t.Input("z", kFloat64, {4}));
              }),
              HasSubstr("gradient_test.cc:"));
}

// The tape has the error, wherever the failed value comes from, and Finish reports it.
TEST(Gradient, OfFailedValuesIsAnErrorOfTheTape) {
  Tape other;
  const Value far = other.Input("far", kFloat32, {3});
  const Value failed = far + other.Input("wrong", kFloat32, {4});
  for (const auto& [dy, x_of_no_tape, message] : std::vector<std::tuple<Value, bool, std::string>>{
           {Value(), false, "dy is a value of no tape"},
           {failed, false, "values of two tapes do not mix"},
           {far, false, "values of two tapes do not mix"},
           {Value(), true, "dy is a value of no tape"}}) {
    Tape t;
    const Value x = t.Input("x", kFloat32, {3}), y = Exp(x);
    const std::vector<Value> gradients =
        VectorJacobianProduct({y}, {dy}, {x_of_no_tape ? Value() : x});
    EXPECT_THAT(std::string(t.Finish(gradients).status().message()), HasSubstr(message));
  }
  Tape t;
  const Value x = t.Input("x", kFloat32, {3}), y = Exp(x);
  const std::vector<Value> none = VectorJacobianProduct({y, Value()}, {y, y}, {x});
  EXPECT_THAT(std::string(t.Finish(none).status().message()), HasSubstr("y is a value of no tape"));
  Tape u;
  const Value v = u.Input("v", kFloat32, {3});
  const std::vector<Value> of_none = Gradient(Sum(Exp(v)), std::vector<Value>{Value()});
  EXPECT_THAT(std::string(u.Finish(of_none).status().message()),
              HasSubstr("x is a value of no tape"));
}

// On the interpreter: LLVM asks for memory that it can do without.
TEST(CheckGradients, EveryFailedAllocationIsAStatus) {
  if (!AllocationsCanFail()) GTEST_SKIP() << "the sanitizer owns the heap";
  const auto function = [](Tape& t, const Inputs& x) {
    const LoopResult r = Loop(t, {.trips = 2, .carried = {x[0]}}, [&](LoopBody& body) -> LoopStep {
      return {.carried = {body.carried[0] * Sin(x[0]) + 0.5}};
    });
    return Select(Less(r.carried[0], 0.3), r.carried[0], Cast(Cast(x[0], kInt32), kFloat64));
  };
  const std::vector<Array> point = {Point({2})};
  int64_t failures = 0;
  for (int64_t k = 1;; k++) {
    const FailingAllocation failing(k);
    const absl::Status status = CheckGradients(Interpret, function, point);
    if (!failing.Happened()) {
      EXPECT_TRUE(status.ok()) << status;
      break;
    }
    failures++;
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << k << ": " << status;
  }
  EXPECT_GE(failures, 50);
}

// What such a function captures would have the gradient 0 without a word.
TEST(CustomGradient, RefusesAFloatThatIsNoInput) {
  const auto pass = [](absl::Span<const Value> v, const Value&, const Value& dy) {
    return std::vector<Value>{dy * v[0]};
  };
  const auto error = [&](const std::function<Value(Tape&, Value x, Value w)>& build) {
    Tape t;
    build(t, t.Input("x", kFloat64, {}), t.Input("w", kFloat64, {}));
    return std::string(t.status().message());
  };
  const auto names = [](const char* name) {
    return AllOf(
        HasSubstr(absl::StrCat("custom gradient: float64[] x float64[]: the function uses '", name,
                               "', which is not among its inputs")),
        HasSubstr("pass it, or Detach it (tests/autodiff/gradient_test.cc:"));
  };
  EXPECT_THAT(error([&](Tape&, Value x, Value w) {
                const Value scale = Exp(w);
                return CustomGradient(
                    {x}, [&](absl::Span<const Value> v) { return v[0] * scale; }, pass);
              }),
              names("w"));
  // Captured by the body of a loop, and carried by it.
  for (const bool carried : {false, true}) {
    EXPECT_THAT(error([&](Tape& t, Value x, Value w) {
                  return Loop(t, {.trips = 3, .carried = {w}},
                              [&](LoopBody& body) {
                                const Value used = carried ? body.carried[0] : w * 2.0;
                                return LoopStep{
                                    .carried = {CustomGradient(
                                        {x}, [&](absl::Span<const Value> v) { return v[0] * used; },
                                        pass)}};
                              })
                      .carried[0];
                }),
                names(carried ? "carried0" : "w"));
  }
  // Used by a loop within the function.
  const auto looped = [&](const Value& x, const Value& w, bool detach) {
    return CustomGradient(
        {x},
        [&](absl::Span<const Value> v) {
          return Loop(Tape(x.tape()), {.trips = 3, .carried = {v[0]}},
                      [&](LoopBody& body) {
                        return LoopStep{.carried = {body.carried[0] * (detach ? Detach(w) : w)}};
                      })
              .carried[0];
        },
        pass);
  };
  EXPECT_THAT(error([&](Tape&, Value x, Value w) { return looped(x, w, false); }), names("w"));
  EXPECT_EQ(error([&](Tape&, Value x, Value w) { return looped(x, w, true); }), "");
}

TEST(CustomGradient, MayUseWhatHasNoGradient) {
  const auto pass = [](absl::Span<const Value> v, const Value&, const Value& dy) {
    return std::vector<Value>{dy * v[0]};
  };
  Tape t;
  const Value x = t.Input("x", kFloat64, {}), w = t.Input("w", kFloat64, {});
  const Value i = t.Input("i", kInt64, {}), table = t.Constant(Array::Vector<double>({1, 2}));
  const Value h = x * 3.0;
  const auto ends = [&](const Value& at) {
    return CustomGradient(
        {at},
        [&](absl::Span<const Value> v) {
          return v[0] * Detach(w) + Cast(i, kFloat64) + Sum(table) +
                 Select(Less(w, 0), v[0], RandomUniform(i, kFloat64, {}));
        },
        pass);
  };
  EXPECT_TRUE(ends(h).ok()) << t.status();
  // By way of an input, from within a loop as well.
  EXPECT_TRUE(CustomGradient(
                  {h}, [&](absl::Span<const Value> v) { return Exp(v[0]) * h; }, pass)
                  .ok())
      << t.status();
  const LoopResult loop = Loop(t, {.trips = 2, .carried = {x}}, [&](LoopBody& body) {
    return LoopStep{
        .carried = {CustomGradient(
                        {h}, [&](absl::Span<const Value> v) { return v[0] * h; }, pass) +
                    body.carried[0]}};
  });
  EXPECT_TRUE(loop.carried[0].ok()) << t.status();
  // Another part of a loop has w in it.
  const auto part_of_a_loop = [&](size_t part) {
    Tape u;
    const Value v = u.Input("v", kFloat64, {}), other = u.Input("other", kFloat64, {});
    return CustomGradient(
               {v},
               [&](absl::Span<const Value> in) {
                 const LoopResult pair =
                     Loop(u, {.trips = 2, .carried = {in[0], other}}, [](LoopBody& body) {
                       return LoopStep{.carried = {body.carried[0] * 2, Exp(body.carried[1])},
                                       .stacked = {body.carried[0] + body.carried[1]}};
                     });
                 return part < 2 ? pair.carried[part] : Sum(pair.stacked[0]);
               },
               pass)
        .ok();
  };
  EXPECT_TRUE(part_of_a_loop(0));
  EXPECT_FALSE(part_of_a_loop(1));
  EXPECT_FALSE(part_of_a_loop(2));
}

TEST(Gradient, PassesOnThatAUsersRuleFailed) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {3});
  const Value y =
      Sum(BroadcastTo(x, {2, 3}) *
          CustomGradient(
              {x}, [](absl::Span<const Value> v) { return BroadcastTo(Square(v[0]), {2, 3}); },
              [](absl::Span<const Value> v, Value, Value dy) {
                return std::vector<Value>{v[0] * Reshape(dy, {7})};
              }));
  EXPECT_FALSE(Gradient(y, x).ok());
  EXPECT_THAT(std::string(t.status().message()), HasSubstr("reshape"));
}

// A derivative that is wrong in one element must be found, and named.
TEST(CheckGradients, SaysWhichElementIsOff) {
  const auto wrong = [](Tape&, const Inputs& x) {
    return Sum(CustomGradient(
        {x[0]}, [](absl::Span<const Value> v) { return Square(v[0]); },
        [](absl::Span<const Value> v, Value, Value dy) {
          const Value right = 2 * v[0] * dy;
          return std::vector<Value>{
              Concat({Slice(right, 0, 0, 2), Slice(right, 0, 2, 3) * 1.01}, 0)};
        }));
  };
  EXPECT_EQ(CheckGradients(nullptr, wrong, {Point({3})}).message(),
            "gradient check: the engine is empty");
  EXPECT_EQ(CheckGradients(EveryEngine, nullptr, {Point({3})}).message(),
            "gradient check: the function is empty");
  const absl::Status status = CheckGradients(EveryEngine, wrong, {Point({3})});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("gradient of input 0 at element [2]: reverse mode"));
  GradientCheckOptions first_order{.order = 1, .tolerance = 0.02};
  EXPECT_TRUE(CheckGradients(EveryEngine, wrong, {Point({3})}, first_order).ok());
}

// A number of trips that is known at run time is an extent, also of what stands before the loop.
TEST(CheckGradients, KnowsHowManyTripsThereAre) {
  const auto function = [](Tape& t, const Inputs& x) {
    const Value before = Cast(t.Iota(kTrips), kFloat64) + 1;
    const LoopResult r =
        Loop(t, {.trips = x[1], .carried = {x[0]}}, [](LoopBody& body) -> LoopStep {
          return {.carried = {Sin(body.carried[0])}, .stacked = {body.carried[0]}};
        });
    return Mean(Square(r.stacked[0]) * before);
  };
  for (const int64_t trips : {1, 3}) {
    const absl::Status status = CheckGradients(EveryEngine, function, {Array(0.5), Array(trips)});
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(CheckGradients, DrawsTheNumbersOfKeysOfAllBits) {
  const auto function = [](Tape& t, const Inputs& x) {
    return Sum(x[0] * RandomUniform(FoldIn(t.Constant(Array(int64_t{1})), 2), kFloat64, {3}));
  };
  EXPECT_EQ(CheckGradients(EveryEngine, function, {Point({3})}), absl::OkStatus());
}

// A run at the point and two for each element that is moved.
TEST(CheckGradients, TriesAsManyElementsAsItSays) {
  for (const auto& [size, elements, tried] : std::vector<std::tuple<int64_t, int64_t, int>>{
           {10, 10, 10}, {10, 64, 10}, {7, 4, 4}, {100, 64, 64}, {127, 64, 64}, {5, 1, 1}}) {
    int runs = 0;
    const Engine counting = [&](const Graph& graph) -> absl::StatusOr<Executable> {
      absl::StatusOr<Executable> inner = Interpret(graph);
      if (!inner.ok()) return inner.status();
      const Executable executable = *inner;
      return Executable(std::make_shared<const Graph>(graph),
                        [executable, &runs](absl::Span<const Array> inputs, const SymbolValues&,
                                            const RunOptions& options) {
                          runs++;
                          return executable.Call(inputs, options);
                        });
    };
    const absl::Status status =
        CheckGradients(counting, [](Tape&, const Inputs& x) { return Sum(Sin(x[0])); },
                       {Point({size})}, {.order = 1, .elements = elements});
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(runs, 1 + 2 * tried) << size << " elements, at most " << elements;
  }
}

TEST(CheckGradients, RefusesWhatItDoesNotDo) {
  const auto check = [](const GradientCheckOptions& options) {
    const auto function = [](Tape&, const Inputs& x) { return Sum(Sin(x[0])); };
    return std::string(CheckGradients(Interpret, function, {Point({3})}, options).message());
  };
  EXPECT_THAT(check({.order = 0}), HasSubstr("order is 0; it is 1 or 2"));
  EXPECT_THAT(check({.order = 3}), HasSubstr("order is 3; it is 1 or 2"));
  EXPECT_THAT(check({.elements = 0}), HasSubstr("elements is 0; it is 1 or more"));
}

}  // namespace
}  // namespace talweg
