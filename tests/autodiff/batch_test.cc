#include "autodiff/batch.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "autodiff/tangent.h"
#include "gmock/gmock.h"
#include "graph/print.h"
#include "graph/verify.h"
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
#include "tests/base/seeds.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Slice k of an array's leading axis.
Array SliceOf(const Array& all, int64_t k) {
  const Dims dims(all.dims().begin() + 1, all.dims().end());
  Array slice = Array::Zeros(all.dtype(), dims).value();
  const size_t bytes = static_cast<size_t>(slice.size()) * SizeOf(all.dtype());
  if (bytes > 0) {
    std::memcpy(slice.mutable_bytes(), all.raw() + static_cast<size_t>(k) * bytes, bytes);
  }
  return slice;
}

// Arrays of one type along a new leading axis.
Array Together(const std::vector<Array>& slices, const Type& type, int64_t rows) {
  Dims dims = Resolve(type.shape, {.rows = rows, .trips = 3});
  dims.insert(dims.begin(), static_cast<int64_t>(slices.size()));
  Array all = Array::Zeros(type.dtype, dims).value();
  size_t at = 0;
  for (const Array& slice : slices) {
    const size_t bytes = static_cast<size_t>(slice.size()) * SizeOf(type.dtype);
    if (bytes > 0) std::memcpy(all.mutable_bytes() + at, slice.raw(), bytes);
    at += bytes;
  }
  return all;
}

// What is wrong with a graph's batched form, in one sentence; nothing where it gives what the
// single graph gives for each instance.
std::string Wrong(const Graph& graph, const std::vector<std::string>& chosen, int64_t size,
                  int64_t rows, uint64_t seed, bool special = false) {
  const auto draw = [&](uint64_t s) {
    return special ? SpecialInputs(graph, s, rows) : RandomInputs(graph, s, rows);
  };
  const absl::StatusOr<Batched> batched = Batch(graph, chosen, size);
  if (!batched.ok()) return batched.status().ToString();
  if (absl::Status s = Verify(batched->graph); !s.ok()) return s.ToString();
  const absl::StatusOr<Executable> single = Interpret(graph);
  if (!single.ok()) return single.status().ToString();
  const NamedArrays shared = draw(seed);
  std::vector<NamedArrays> each;
  for (int64_t k = 0; k < size; k++) {
    const NamedArrays own = draw(seed + 1 + static_cast<uint64_t>(k));
    each.push_back(shared);
    for (const std::string& name : chosen) each.back()[name] = own.at(name);
  }
  NamedArrays inputs = shared;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const std::string& name = graph.input_name(i);
    if (std::find(chosen.begin(), chosen.end(), name) == chosen.end()) continue;
    std::vector<Array> slices;
    for (const NamedArrays& one : each) slices.push_back(one.at(name));
    inputs[name] = Together(slices, graph.input_type(i), rows);
  }
  const Outcome all = RunOnEngines(MainEngines(), batched->graph, inputs);
  std::string failure;
  for (int64_t k = 0; k < size; k++) {
    const Outcome one = single->Run(each[static_cast<size_t>(k)]);
    if (!one.ok()) failure = one.status().ToString();
    if (!one.ok() || !all.ok()) continue;
    for (size_t i = 0; i < one->size(); i++) {
      const Array slice = batched->outputs[i] ? SliceOf((*all)[i], k) : (*all)[i];
      if (!SameBits(slice, (*one)[i])) {
        return absl::StrCat("output ", i, " of instance ", k, " is ", slice.ToString(),
                            " and alone ", (*one)[i].ToString());
      }
    }
  }
  // If one instance fails all do, and never if none does. What is the same for all is computed even
  // where there is none.
  if (size == 0 && !all.ok() && !single->Run(shared).ok()) failure = "as the single one";
  if (all.ok() != failure.empty()) {
    return absl::StrCat("together: ", all.status().ToString(), "; alone: ", failure);
  }
  for (size_t i = 0; all.ok() && i < all->size(); i++) {
    Shape expected = graph.output_type(i).shape;
    if (batched->outputs[i]) expected.insert(expected.begin(), size);
    if (batched->graph.output_type(i).shape != expected) return "an output of another shape";
  }
  return "";
}

std::vector<std::string> InputsOf(const Graph& graph) {
  std::vector<std::string> names;
  for (size_t i = 0; i < graph.inputs().size(); i++) names.push_back(graph.input_name(i));
  return names;
}

// Some of the inputs, `trips` never: then values inside would have extents of their own.
std::vector<std::string> SomeInputs(const Graph& graph, std::mt19937_64& random) {
  std::vector<std::string> chosen;
  const bool all = random() % 3 == 0;
  for (const std::string& name : InputsOf(graph)) {
    if (name != "trips" && name != "others" && (all || random() % 2 == 0)) chosen.push_back(name);
  }
  return chosen;
}

TEST(Batch, OfRandomGraphsIsEachOfThem) {
  const std::vector<uint64_t> seeds = FuzzSeeds(150);
  constexpr int64_t kSizes[] = {0, 1, 2, 3, 17};
  for (size_t i = 0; i < seeds.size(); i++) {
    const uint64_t seed = seeds[i];
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(
        seed, {.gradients = seed % 4 == 0, .wild = seed % 5 == 1, .own_trips = seed % 4 != 0});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    std::mt19937_64 choice(seed);
    const std::vector<std::string> chosen = SomeInputs(random->graph, choice);
    const int64_t size = kSizes[i % 5];
    ASSERT_EQ(Wrong(random->graph, chosen, size, random->rows, seed * 100, seed % 6 == 5), "")
        << "seed " << seed << ", size " << size << "\n"
        << Print(random->graph, {.lines = false});
  }
}

TEST(Batch, OfABatchIsABatch) {
  for (uint64_t seed = 1; seed <= 40; seed++) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed, {.own_trips = true});
    ASSERT_TRUE(random.ok()) << random.status();
    std::mt19937_64 choice(seed);
    const absl::StatusOr<Batched> once =
        Batch(random->graph, SomeInputs(random->graph, choice), 1 + seed % 3);
    ASSERT_TRUE(once.ok()) << once.status();
    ASSERT_EQ(
        Wrong(once->graph, SomeInputs(once->graph, choice), 1 + seed % 4, random->rows, seed * 100),
        "")
        << "seed " << seed << "\n"
        << Print(random->graph, {.lines = false});
  }
}

// The parts of LoopResult for a start x and a limit: doubles x until it passes the limit.
std::vector<Value> Doubled(Tape& t, const Value& x, const Value& limit, const Value& trips,
                           bool reversed) {
  const LoopResult loop =
      Loop(t, {.trips = trips, .carried = {x}, .scanned = {t.Iota(6)}, .reversed = reversed},
           [&](LoopBody& body) -> LoopStep {
             const Value next = body.carried[0] * 2.0f + Cast(body.scanned[0], kFloat32) * 0.01f;
             return {.carried = {next}, .stacked = {next}, .stop = Greater(next, limit)};
           });
  return {loop.carried[0], loop.stacked[0], loop.trips};
}

TEST(Batch, InstancesOfALoopEndByThemselves) {
  for (const bool reversed : {false, true}) {
    for (const std::vector<std::string>& chosen :
         std::vector<std::vector<std::string>>{{"limit"}, {"trips"}, {"trips", "limit", "x"}}) {
      Tape t;
      const Value x = t.Input("x", kFloat32, {}), limit = t.Input("limit", kFloat32, {});
      const Value trips = t.Input("trips", kInt64, {});
      const absl::StatusOr<Graph> graph =
          t.Finish(Doubled(t, Abs(x) + 0.1f, Abs(limit) * 3, Min(trips, 6), reversed));
      ASSERT_TRUE(graph.ok()) << graph.status();
      for (const int64_t size : {0, 1, 2, 3, 17}) {
        EXPECT_EQ(Wrong(*graph, chosen, size, 0, 7), "") << size << " " << reversed;
      }
    }
  }
}

TEST(Batch, TellsTheTripsOfEachInstance) {
  Tape t;
  const Value trips = t.Input("trips", kInt64, {});
  const LoopResult loop = Loop(
      t, {.trips = trips, .carried = {t.Constant(Array(1.0))}}, [](LoopBody& body) -> LoopStep {
        return {.carried = {body.carried[0] * 2}, .stacked = {body.carried[0]}};
      });
  const absl::StatusOr<Graph> graph = t.Finish({loop.carried[0], loop.stacked[0], loop.trips});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::vector<std::string> chosen = {"trips"};
  const absl::StatusOr<Batched> batched = Batch(*graph, chosen, 3);
  ASSERT_TRUE(batched.ok()) << batched.status();
  EXPECT_THAT(batched->outputs, ElementsAre(true, true, true));
  const Outcome out =
      RunOnEngines(MainEngines(), batched->graph, {{"trips", Array::Vector<int64_t>({2, -1, 3})}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT((*out)[0].data<double>(), ElementsAre(4, 1, 8));
  EXPECT_EQ((*out)[1].dims(), (Dims{3, 3}));
  EXPECT_THAT((*out)[1].data<double>(), ElementsAre(1, 2, 0, 0, 0, 0, 1, 2, 4));
  EXPECT_THAT((*out)[2].data<int64_t>(), ElementsAre(2, 0, 3));
}

// An inner loop whose indices run out of bounds only in trips that an instance does not run.
TEST(Batch, WhatAnInstanceDoesNotRunCanNotFail) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {5}), trips = t.Input("trips", kInt64, {});
  const Value first = t.Input("first", kInt64, {});
  const LoopResult loop =
      Loop(t, {.trips = Max(Min(trips, 3), 0), .carried = {first, t.Constant(Array(0.0f))}},
           [&](LoopBody& body) -> LoopStep {
             const LoopResult inner =
                 Loop(body.tape, {.trips = 2, .carried = {body.carried[0], body.carried[1]}},
                      [&](LoopBody& deep) -> LoopStep {
                        return {.carried = {deep.carried[0] + 1,
                                            deep.carried[1] + Gather(x, deep.carried[0])}};
                      });
             return {.carried = inner.carried};
           });
  const absl::StatusOr<Graph> graph = t.Finish({loop.carried[1]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::vector<std::string> chosen = {"trips", "first"};
  const absl::StatusOr<Batched> batched = Batch(*graph, chosen, 2);
  ASSERT_TRUE(batched.ok()) << batched.status();
  NamedArrays inputs = {{"x", Array::Vector<float>({1, 2, 3, 4, 5})},
                        {"trips", Array::Vector<int64_t>({1, 2})},
                        {"first", Array::Vector<int64_t>({3, 0})}};
  Outcome out = RunOnEngines(MainEngines(), batched->graph, inputs);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_THAT((*out)[0].data<float>(), ElementsAre(9, 10));
  inputs["first"] = Array::Vector<int64_t>({4, 0});
  out = RunOnEngines(MainEngines(), batched->graph, inputs);
  EXPECT_THAT(out.status().message(), HasSubstr("outside of [0, 5)"));
}

// Which of the instances' values are made once for all.
TEST(Batch, WhatIsTheSameForAllStaysSo) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), w = t.Input("w", kFloat32, {2, 3});
  const LoopResult loop = Loop(
      t, {.trips = 4, .carried = {w, t.Constant(Array(0.0f))}}, [&](LoopBody& body) -> LoopStep {
        return {.carried = {body.carried[0] * 0.5f, body.carried[1] + Sum(x)}};
      });
  const absl::StatusOr<Graph> graph =
      t.Finish({MatMul(x, loop.carried[0]), Exp(x), loop.carried[1], loop.trips});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::vector<std::string> chosen = {"w"};
  const absl::StatusOr<Batched> batched = Batch(*graph, chosen, 4);
  ASSERT_TRUE(batched.ok()) << batched.status();
  EXPECT_THAT(batched->outputs, ElementsAre(true, false, false, false));
  EXPECT_EQ(batched->graph.output_type(0).shape, (Shape{4, kRows, 3}));
  EXPECT_EQ(Wrong(*graph, chosen, 3, 7, 1), "");
}

// All places of batched operands, of every kind that has several.
TEST(Batch, OfSomeOperandsOrAll) {
  Tape t;
  const Value a = t.Input("a", kFloat32, {3, 4, 5}), b = t.Input("b", kFloat32, {3, 5, 2});
  const Value i = t.Input("i", kInt32, {3, 2}), key = t.Input("key", kInt64, {});
  const Value places = Min(Max(Abs(i), 0), 3);
  const Value custom = CustomGradient(
      {a, b}, [](absl::Span<const Value> v) { return MatMul(v[0], v[1]); },
      [](absl::Span<const Value> v, Value, Value dy) {
        return std::vector<Value>{v[0] * Sum(dy), v[1] * 2};
      });
  const Value loss = Sum(Tanh(custom));
  const std::vector<Value> outputs = {
      MatMul(a, b),
      Contract(a, b, {.lhs_sum = {2}, .rhs_sum = {1}}),
      Gather(a, places, 1, 1),
      Gather(a, places, 1, 0),
      ScatterAdd(Gather(a, places, 1, 1), places, 4, 1, 1),
      ScatterAdd(Gather(a, places, 2, 0), places, 4, 2, 0),
      Concat({a, Gather(a, places, 1, 1)}, 1),
      ArgMax(a, 1),
      RandomNormal(key, kFloat32, {3}) * Slice(a, 2, 0, 3),
      Permutation(FoldIn(key, "order"), 7),
      Gradient(loss, a),
      Gradient(loss, b),
  };
  const absl::StatusOr<Graph> graph = t.Finish(outputs);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::vector<std::string> names = InputsOf(*graph);
  for (size_t mask = 0; mask < 16; mask++) {
    std::vector<std::string> chosen;
    for (size_t k = 0; k < 4; k++) {
      if (mask >> k & 1) chosen.push_back(names[k]);
    }
    EXPECT_EQ(Wrong(*graph, chosen, 1 + static_cast<int64_t>(mask % 3), 0, mask), "") << mask;
  }
}

// Instances that have ended carry an index that is past its end, which the gradient of a custom op
// must not look at either.
TEST(Batch, GradientsOfCustomOpsLeaveTripsAloneThatAreNotRun) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {5}), n = t.Input("n", kInt64, {});
  const Value first = t.Input("first", kInt64, {}), width = t.Input("width", kInt64, {});
  const auto pick = [](absl::Span<const Value> v) { return Gather(v[0], v[1]) * 1; };
  // The gradient loops as often as an integer says that is the same for all instances.
  const auto vjp = [](absl::Span<const Value> v, const Value&, const Value& dy) {
    const LoopResult parts =
        Loop(Tape(dy.tape()), {.trips = v[2], .carried = {ZerosLike(v[0])}},
             [&](LoopBody& body) -> LoopStep {
               return {.carried = {body.carried[0] + ScatterAdd(dy, v[1], 5, 0)}};
             });
    return std::vector<Value>{parts.carried[0], v[1], v[2]};
  };
  const LoopResult loop = Loop(t, {.trips = n, .carried = {first, t.Constant(Array(0.0f))}},
                               [&](LoopBody& body) -> LoopStep {
                                 const Value y =
                                     CustomGradient({x, body.carried[0], width}, pick, vjp);
                                 return {.carried = {body.carried[0] + 1, body.carried[1] + y * y}};
                               });
  const absl::StatusOr<Graph> single = t.Finish({loop.carried[1]});
  ASSERT_TRUE(single.ok()) << single.status();
  // Three instances, and twice as many of two batches; the last one runs no trip.
  const std::vector<std::string> chosen = {"n", "first"};
  const absl::StatusOr<Batched> many = Batch(*single, chosen, 3);
  ASSERT_TRUE(many.ok()) << many.status();
  const absl::StatusOr<Batched> twice = Batch(many->graph, chosen, 2);
  ASSERT_TRUE(twice.ok()) << twice.status();
  const std::vector<int64_t> trips = {2, 5, 0, 1, 3, 4}, firsts = {3, 0, 7, 4, 2, 1};
  // Derivatives of a sum of instances; each is the sum of theirs.
  const auto derive = [&](const std::function<Value(Tape&, const Value&, const Value&)>& sum_of) {
    Tape u;
    const Value at = u.Input("x", kFloat32, {5}), w = u.Input("width", kInt64, {});
    const Value direction = u.Constant(Array::Vector<float>({1, 2, 0, -1, 3}));
    const Value sum = sum_of(u, at, w), slope = Gradient(sum, at);
    const absl::StatusOr<Graph> graph =
        u.Finish({slope, Gradient(Sum(slope * direction), at), Tangent(sum, at, direction),
                  Tangent(slope, at, direction)});
    EXPECT_TRUE(graph.ok()) << graph.status();
    const absl::StatusOr<Executable> f = EveryEngine(*graph);
    EXPECT_TRUE(f.ok()) << f.status();
    const auto out =
        f->Run({{"x", Array::Vector<float>({1, 2, 3, 4, 5})}, {"width", Array(int64_t{2})}});
    EXPECT_TRUE(out.ok()) << out.status();
    std::vector<std::vector<double>> numbers;
    for (size_t i = 0; out.ok() && i < out->size(); i++) {
      numbers.push_back((*out)[i].ToVector<double>());
    }
    return numbers;
  };
  const auto sum_of_each = [&](size_t count) {
    std::vector<std::vector<double>> sums = {
        std::vector<double>(5, 0), std::vector<double>(5, 0), {0}, std::vector<double>(5, 0)};
    for (size_t k = 0; k < count; k++) {
      const auto alone = derive([&](Tape& u, const Value& at, const Value& w) {
        const Value n = u.Constant(Array(trips[k])), from = u.Constant(Array(firsts[k]));
        return Inline(*single, {at, n, from, w}, at)[0];
      });
      for (size_t i = 0; i < alone.size(); i++) {
        for (size_t e = 0; e < alone[i].size(); e++) sums[i][e] += alone[i][e];
      }
    }
    return sums;
  };
  const auto together = [&](const Graph& graph, const Dims& dims) {
    return derive([&](Tape& u, const Value& at, const Value& w) {
      const auto first = [&](const std::vector<int64_t>& all) {
        return u.Constant(*Array::From<int64_t>(
            dims, absl::MakeConstSpan(all).first(static_cast<size_t>(SizeOf(dims)))));
      };
      return Sum(Inline(graph, {at, first(trips), first(firsts), w}, at)[0]);
    });
  };
  // Small integers: sums in any order are exact.
  EXPECT_EQ(together(many->graph, {3}), sum_of_each(3));
  EXPECT_EQ(together(twice->graph, {2, 3}), sum_of_each(6));
}

// As many as a run has trips; of no instances, and of more than can stand one by one in a graph.
TEST(Batch, DrawsAsManyAsThereAreTrips) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kTrips}), key = t.Input("key", kInt64, {});
  const absl::StatusOr<Graph> single = t.Finish({x + RandomUniform(key, kFloat32, {kTrips})});
  ASSERT_TRUE(single.ok()) << single.status();
  for (const int64_t size : {0, 1, 3}) {
    const absl::StatusOr<Batched> many = Batch(*single, std::vector<std::string>{"key"}, size);
    ASSERT_TRUE(many.ok()) << many.status();
    const absl::StatusOr<Executable> f = EveryEngine(many->graph);
    ASSERT_TRUE(f.ok()) << f.status();
    const auto outputs = f->Run({{"x", Array::Vector<float>({1, 2})},
                                 {"key", Array::Vector<int64_t>(std::vector<int64_t>(size, 7))}});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ((*outputs)[0].dims(), (Dims{size, 2}));
  }
  EXPECT_THAT(
      std::string(
          Batch(*single, std::vector<std::string>{"key"}, int64_t{1} << 40).status().message()),
      testing::HasSubstr("1000 instances can be drawn, not 1099511627776"));
}

// Batching makes random numbers by loops over the instances, which are no loops of the user's.
TEST(Batch, DrawsForAllInstancesWhateverTheRunIsTold) {
  Tape t;
  const Value key = t.Input("key", kInt64, {});
  const absl::StatusOr<Graph> single = t.Finish({RandomUniform(key, kFloat32, {3})});
  ASSERT_TRUE(single.ok()) << single.status();
  const absl::StatusOr<Batched> many = Batch(*single, std::vector<std::string>{"key"}, 3);
  ASSERT_TRUE(many.ok()) << many.status();
  const NamedArrays inputs = {{"key", Array::Vector<int64_t>({1, 2, 3})}};
  for (const Engine& engine : {Engine(Interpret), Engine(EveryEngine)}) {
    const absl::StatusOr<Executable> f = engine(many->graph);
    ASSERT_TRUE(f.ok()) << f.status();
    std::atomic<bool> stop = true;
    std::atomic<int64_t> progress = 0;
    const auto told = f->Run(inputs, {.stop = &stop, .progress = &progress});
    const auto alone = f->Run(inputs);
    ASSERT_TRUE(told.ok() && alone.ok()) << told.status() << alone.status();
    EXPECT_TRUE(SameBits((*told)[0], (*alone)[0])) << (*told)[0].ToString();
    EXPECT_EQ(progress, 0);
  }
}

// Each engine, told to stop before it begins, with the input "x"; and what it says of its trips.
void RunToldToStop(
    const Graph& graph, const Array& x,
    const std::function<void(const std::vector<Array>& out, int64_t progress)>& check) {
  for (const NamedEngine& engine : AllEngines()) {
    SCOPED_TRACE(engine.name);
    const absl::StatusOr<Executable> f = engine.make(graph);
    ASSERT_TRUE(f.ok()) << f.status();
    std::atomic<bool> stop = true;
    std::atomic<int64_t> progress = 0;
    const auto out = f->Run({{"x", x}}, {.stop = &stop, .progress = &progress});
    ASSERT_TRUE(out.ok()) << out.status();
    check(*out, progress);
  }
}

TEST(Gradient, OfALoopThatIsStoppedIsThatOfTheTripsThatWereRun) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {});
  const LoopResult loop = Loop(t, {.trips = 5, .carried = {x}}, [&](LoopBody& body) -> LoopStep {
    return {.carried = {Sin(body.carried[0])}};
  });
  const absl::StatusOr<Graph> graph = t.Finish({Gradient(loop.carried[0], x)});
  ASSERT_TRUE(graph.ok()) << graph.status();
  RunToldToStop(*graph, Array(0.5), [](const std::vector<Array>& out, int64_t progress) {
    EXPECT_NEAR(out[0].At(0), std::cos(0.5), 1e-15);
    EXPECT_EQ(progress, 1);
  });
}

TEST(Gradient, OfAReversedLoopIsThatOfAllTripsWhateverTheRunIsTold) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {});
  const LoopResult loop = Loop(
      t, {.trips = 3, .carried = {x}, .reversed = true},
      [&](LoopBody& body) -> LoopStep { return {.carried = {body.carried[0] * body.carried[0]}}; });
  const absl::StatusOr<Graph> graph =
      t.Finish({loop.carried[0], loop.trips, Gradient(loop.carried[0], x)});
  ASSERT_TRUE(graph.ok()) << graph.status();
  RunToldToStop(*graph, Array(1.5), [](const std::vector<Array>& out, int64_t progress) {
    EXPECT_EQ(out[0].At(0), std::pow(1.5, 8));
    EXPECT_EQ(out[1].At(0), 3);
    EXPECT_EQ(out[2].At(0), 8 * std::pow(1.5, 7));
    EXPECT_GE(progress, 3);
  });
}

TEST(Batch, RefusesWhatItCanNot) {
  Tape u;
  const Value y = u.Input("rows", kInt64, {2}), n = u.Input("trips", kInt64, {});
  const LoopResult bound =
      Loop(u, {.trips = 2, .rows = y, .rows_limit = 3}, [](LoopBody& body) -> LoopStep {
        return {.carried = {}, .stacked = {Sum(Cast(body.tape.Iota(kRows), kFloat32))}};
      });
  const LoopResult counted = Loop(u, {.trips = n}, [](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {Cast(body.trip, kFloat32)}};
  });
  const absl::StatusOr<Graph> graph = u.Finish({bound.stacked[0], Sum(counted.stacked[0])});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto error = [&](std::vector<std::string> chosen, int64_t size) {
    return std::string(Batch(*graph, chosen, size).status().message());
  };
  EXPECT_THAT(error({"rows"}, 2),
              HasSubstr("the instances have different numbers of rows (tests/"));
  EXPECT_THAT(error({"trips"}, 2), HasSubstr("different numbers of trips, and sum takes"));
  // A loop that stacks nothing does not give that number to anything.
  Tape v;
  const Value m = v.Input("m", kInt64, {}), k = v.Input("k", kInt64, {});
  const LoopResult sum =
      Loop(v, {.trips = m, .carried = {v.Constant(Array(0.0f))}}, [](LoopBody& body) -> LoopStep {
        return {.carried = {body.carried[0] + Cast(body.trip, kFloat32)}};
      });
  const LoopResult other = Loop(v, {.trips = k}, [](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {Cast(body.trip, kFloat32)}};
  });
  const absl::StatusOr<Graph> apart = v.Finish({sum.carried[0] + Sum(other.stacked[0])});
  ASSERT_TRUE(apart.ok()) << apart.status();
  const absl::StatusOr<Batched> batched = Batch(*apart, std::vector<std::string>{"m"}, 3);
  ASSERT_TRUE(batched.ok()) << batched.status();
  const auto out = EveryEngine(batched->graph)
                       ->Run({{"m", Array::Vector<int64_t>({0, 2, 4})}, {"k", Array(int64_t{3})}});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(SameBits((*out)[0], Array::Vector<float>({3, 4, 9}))) << (*out)[0].ToString();
  EXPECT_EQ(error({"nothing"}, 2), "batch: the graph has no input 'nothing'");
  EXPECT_EQ(error({"rows", "rows"}, 2), "batch: input 'rows' is chosen twice");
  EXPECT_EQ(error({"rows"}, -2), "batch: -2 instances");
}

TEST(Batch, RefusesWhatVerifyRefuses) {
  Tape t;
  const Graph good = *t.Finish({Exp(t.Input("x", kFloat32, {}))});
  std::vector<Node> nodes = good.nodes();
  nodes[1].operands = {7};
  EXPECT_EQ(Batch(Graph(nodes, good.inputs(), good.outputs()), {}, 2).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace talweg
