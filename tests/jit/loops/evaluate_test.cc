#include "jit/loops/evaluate.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/random.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

using testing::HasSubstr;

Array Ints(const std::vector<int64_t>& elements) { return Array::Vector(elements); }
Array Floats(const std::vector<float>& elements) { return Array::Vector(elements); }
Array Count(int64_t n) {
  std::vector<int64_t> elements;
  for (int64_t i = 0; i < n; i++) elements.push_back(i);
  return Ints(elements);
}

void ExpectOutputs(Harness& h, const std::vector<Array>& inputs, const std::vector<Array>& want) {
  const absl::StatusOr<std::vector<Array>> out = h.Run(inputs);
  ASSERT_TRUE(out.ok()) << out.status() << "\n" << ToString(h.Take());
  ASSERT_EQ(out->size(), want.size());
  for (size_t k = 0; k < want.size(); k++) {
    EXPECT_TRUE(SameBits((*out)[k], want[k]))
        << (*out)[k].ToString() << ", not " << want[k].ToString() << "\n"
        << ToString(h.Take());
  }
}

TEST(Evaluate, LoopsCarryValues) {
  Harness h({{kInt64, {kRows}}}, {{kInt64, {2}}});
  const Register zero = h.b.Index(0), one = h.b.Index(1);
  const Builder::Loop loop = h.b.OpenFor({}, {.reg = h.b.Rows()}, 1, {zero, one});
  const Register x = h.b.Load(h.in[0], loop.variable);
  const Registers after = h.b.CloseFor({h.b.Add(loop.carried[0], x), h.b.Mul(loop.carried[1], x)});
  h.b.Store(h.out[0], zero, after[0]);
  h.b.Store(h.out[0], one, after[1]);
  ExpectOutputs(h, {Ints({2, 3, 5})}, {Ints({10, 30})});
  ExpectOutputs(h, {Ints({4})}, {Ints({4, 4})});
  ExpectOutputs(h, {Ints({})}, {Ints({0, 1})});
}

// Fibonacci: each value goes where the other was.
TEST(Evaluate, CarriedValuesChangePlacesAtOnce) {
  Harness h({}, {{kInt64, {3}}});
  const Builder::Loop loop =
      h.b.OpenFor({}, {.value = 50}, 1, {h.b.Index(0), h.b.Index(1), h.b.Index(7)});
  const Register next = h.b.Add(loop.carried[0], loop.carried[1]);
  const Registers after = h.b.CloseFor({loop.carried[1], next, loop.carried[0]});
  for (size_t k = 0; k < 3; k++) {
    h.b.Store(h.out[0], h.b.Index(static_cast<int64_t>(k)), after[k]);
  }
  ExpectOutputs(h, {}, {Ints({12586269025, 20365011074, 7778742049})});
}

TEST(Evaluate, StepsOverTheEndWithoutWrapping) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  Harness h({}, {{kInt64, {2}}});
  // The step is far larger than what is left; neither end may be reached by going around.
  const Builder::Loop loop =
      h.b.OpenFor({.value = -10}, {.value = kMost}, kMost / 2, {h.b.Index(0), h.b.Index(0)});
  const Registers after = h.b.CloseFor({h.b.Plus(loop.carried[0], 1), loop.variable});
  h.b.Store(h.out[0], h.b.Index(0), after[0]);
  h.b.Store(h.out[0], h.b.Index(1), after[1]);
  ExpectOutputs(h, {}, {Ints({3, kMost - 1 - 10})});
}

TEST(Evaluate, UntilEndsAfterThePresentTrip) {
  Harness h({{kInt64, {}}}, {{kInt64, {2}}});
  const Register last = h.b.Load(h.in[0], kNone);
  const Builder::Loop loop = h.b.OpenFor({}, {.value = 10}, 1, {h.b.Index(0)});
  const Register stop = h.b.Binary(Opcode::kEqual, loop.variable, last);
  const Registers after = h.b.CloseFor({h.b.Plus(loop.carried[0], 1)}, stop);
  h.b.Store(h.out[0], kNone, after[0]);
  ExpectOutputs(h, {Array(int64_t{0})}, {Ints({1, 0})});
  ExpectOutputs(h, {Array(int64_t{6})}, {Ints({7, 0})});
  ExpectOutputs(h, {Array(int64_t{99})}, {Ints({10, 0})});
}

TEST(Evaluate, UntilMayBeWhatIsCarried) {
  Harness h({}, {{kInt64, {}}});
  const Register no = h.b.Constant(kBool, 0);
  const Builder::Loop loop = h.b.OpenFor({}, {.value = 10}, 1, {h.b.Index(0), no});
  const Register stop = h.b.Binary(Opcode::kEqual, loop.variable, h.b.Index(3));
  // Comes true in trip 3, is asked in trip 4.
  const Registers after = h.b.CloseFor({h.b.Plus(loop.carried[0], 1), stop}, loop.carried[1]);
  h.b.Store(h.out[0], kNone, after[0]);
  ExpectOutputs(h, {}, {Array(int64_t{5})});
}

TEST(Evaluate, NestsLoopsAndBranches) {
  Harness h({{kInt64, {}}}, {{kInt64, {6, 6}}});
  const Register n = h.b.Load(h.in[0], kNone);
  const Register i = h.b.OpenFor({}, {.reg = n}).variable;
  const Register j = h.b.OpenFor({.reg = i}, {.reg = n}, 2).variable;
  h.b.OpenIf(h.b.Binary(Opcode::kNotEqual, h.b.Add(i, j), h.b.Index(4)));
  h.b.Store(h.out[0], h.b.Add(h.b.Times(i, 6), j), h.b.Add(h.b.Times(i, 10), j));
  h.b.CloseIf();
  h.b.CloseFor();
  h.b.CloseFor();
  for (const int64_t size : {0, 1, 5, 6}) {
    std::vector<int64_t> want(36, 0);
    for (int64_t a = 0; a < size; a++) {
      for (int64_t c = a; c < size; c += 2) {
        if (a + c != 4) want[static_cast<size_t>(a * 6 + c)] = a * 10 + c;
      }
    }
    ExpectOutputs(h, {Array(size)}, {*Ints(want).Reshaped({6, 6})});
  }
}

// All of these with lanes of every element type.
class EvaluateLanes : public testing::TestWithParam<DType> {
 protected:
  static Array Elements(int64_t n) { return *Count(n).Cast(GetParam()); }
  static Array List(const std::vector<int64_t>& list) { return *Ints(list).Cast(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Types, EvaluateLanes, testing::ValuesIn(kAllDTypes),
                         [](const auto& test) { return std::string(Name(test.param)); });

TEST_P(EvaluateLanes, MasksLeaveOutTheRest) {
  for (const int32_t lanes : {1, 4, 8, 16, 6}) {
    Harness h({{GetParam(), {kRows}}}, {{GetParam(), {kRows}}});
    const Register i = h.b.OpenFor({}, {.reg = h.b.Rows()}, lanes).variable;
    const Register mask = h.b.Below(h.b.Sub(h.b.Rows(), i), lanes);
    const Register x = h.b.Load(h.in[0], i, lanes, {.mask = mask});
    h.b.Store(h.out[0], i, x, {.mask = mask});
    h.b.CloseFor();
    for (const int64_t n : {0, 1, 5, 16, 33}) ExpectOutputs(h, {Elements(n)}, {Elements(n)});
  }
}

TEST_P(EvaluateLanes, LanesThatAreLeftOutAreZero) {
  Harness h({{GetParam(), {4}}, {kBool, {4}}, {kInt64, {4}}}, {{GetParam(), {3, 4}}});
  const Register mask = h.b.Load(h.in[1], kNone, 4);
  const Register far = h.b.Select(mask, h.b.Lanes(kInt64, 4), h.b.Splat(h.b.Index(1 << 30), 4));
  h.b.Store(h.out[0], kNone, h.b.Load(h.in[0], kNone, 4, {.mask = mask}));
  h.b.Store(h.out[0], h.b.Index(4), h.b.LoadEach(h.in[0], far, {.mask = mask}));
  h.b.Store(h.out[0], h.b.Index(8), h.b.Load(h.in[0], kNone, 4), {.mask = mask});
  ExpectOutputs(h, {List({1, 2, 3, 4}), Array::Vector<bool>({true, false, true, false}), Count(4)},
                {*List({1, 0, 3, 0, 1, 0, 3, 0, 1, 0, 3, 0}).Reshaped({3, 4})});
}

TEST_P(EvaluateLanes, StridesGoAnyWay) {
  Harness h({{GetParam(), {20}}}, {{GetParam(), {20}}});
  const Register x = h.b.Load(h.in[0], h.b.Index(1), 5, {.stride = 3});
  h.b.Store(h.out[0], h.b.Index(19), x, {.stride = -4});
  const Register same = h.b.Load(h.in[0], h.b.Index(7), 2, {.stride = 0});
  h.b.Store(h.out[0], kNone, same);
  // in: 1 4 7 10 13; and 7 7.
  std::vector<int64_t> want(20, 0);
  for (size_t k = 0; k < 5; k++) want[19 - 4 * k] = static_cast<int64_t>(1 + 3 * k);
  want[0] = want[1] = 7;
  ExpectOutputs(h, {Elements(20)}, {List(want)});
}

TEST_P(EvaluateLanes, LoadsFollowIndices) {
  Harness h({{GetParam(), {10}}, {kInt64, {6}}}, {{GetParam(), {6}}});
  const Register indices = h.b.Load(h.in[1], kNone, 6);
  h.b.Store(h.out[0], kNone, h.b.LoadEach(h.in[0], h.b.Plus(indices, 2), {.offset = -1}));
  ExpectOutputs(h, {Elements(10), Ints({-1, 8, 3, 3, 0, 5})}, {List({0, 9, 4, 4, 1, 6})});
}

TEST_P(EvaluateLanes, ShufflesTakeFromBoth) {
  Harness h({{GetParam(), {8}}}, {{GetParam(), {6}}});
  const Register a = h.b.Load(h.in[0], kNone, 4), b = h.b.Load(h.in[0], h.b.Index(4), 4);
  h.b.Store(h.out[0], kNone, h.b.Shuffle(a, b, {7, 0, 0, 4, 3, 1}));
  ExpectOutputs(h, {Elements(8)}, {List({7, 0, 0, 4, 3, 1})});
  Harness one({{GetParam(), {8}}}, {{GetParam(), {1}}});
  one.b.Store(one.out[0], kNone, one.b.Shuffle(one.b.Load(one.in[0], kNone, 8), kNone, {5}));
  ExpectOutputs(one, {Elements(8)}, {List({5})});
}

TEST_P(EvaluateLanes, SplatsAndCarriesVectors) {
  for (const int32_t lanes : {2, 4, 8, 16, 32}) {
    Harness h({{GetParam(), {3}}}, {{GetParam(), {64}}});
    const Register first = h.b.Load(h.in[0], kNone);
    const Builder::Loop loop =
        h.b.OpenFor({}, {.value = 3}, 1, {h.b.Splat(first, lanes), h.b.Load(h.in[0], kNone)});
    const Register x = h.b.Load(h.in[0], loop.variable);
    const Register both = h.b.Binary(Opcode::kMax, loop.carried[0], x);
    const Registers after = h.b.CloseFor({both, x});
    h.b.Store(h.out[0], kNone, after[0]);
    h.b.Store(h.out[0], h.b.Index(lanes), after[1]);
    std::vector<int64_t> want(64, 0);
    for (int32_t k = 0; k < lanes; k++) want[static_cast<size_t>(k)] = 3;
    want[static_cast<size_t>(lanes)] = 2;
    ExpectOutputs(h, {List({1, 3, 2})}, {List(want)});
  }
}

TEST(Evaluate, SectionsTalkThroughMemory) {
  Harness h({{kFloat32, {8}}}, {{kFloat32, {8}}});
  const int32_t scratch = h.Arena("scratch", kFloat32, 8);
  const int32_t table = h.b.AddConstant("table", Floats({10, 20, 30, 40, 50, 60, 70, 80}));
  h.b.OpenSection("first");
  h.b.Store(
      scratch, kNone,
      h.b.Binary(Opcode::kMul, h.b.Load(h.in[0], kNone, 8), h.b.Constant(kFloat32, ToBits(2.0f))));
  h.b.CloseSection();
  h.b.OpenSection("second");
  h.b.Store(h.out[0], kNone, h.b.Add(h.b.Load(scratch, kNone, 8), h.b.Load(table, kNone, 8)));
  h.b.CloseSection();
  ExpectOutputs(h, {Floats({1, 2, 3, 4, 5, 6, 7, 8})}, {Floats({12, 24, 36, 48, 60, 72, 84, 96})});
}

TEST(Evaluate, ChecksIndices) {
  Harness h({{kInt64, {4}}, {kBool, {4}}, {kInt64, {}}}, {{kInt64, {4}}});
  ErrorSite site;
  site.before = "gather: ";
  site.after = " (model.cc:14)";
  const Register index = h.b.CheckIndex(h.b.Load(h.in[0], kNone, 4), h.b.Load(h.in[2], kNone),
                                        h.b.AddSite(site), h.b.Load(h.in[1], kNone, 4));
  h.b.Store(h.out[0], kNone, index);
  const Array all = Array::Vector<bool>({true, true, true, true});
  const Array some = Array::Vector<bool>({true, false, true, false});
  ExpectOutputs(h, {Ints({0, 4, 2, 1}), all, Array(int64_t{5})}, {Ints({0, 4, 2, 1})});
  ExpectOutputs(h, {Ints({0, 9, 2, -9}), some, Array(int64_t{5})}, {Ints({0, 4, 2, 0})});
  ExpectOutputs(h, {Ints({0, 9, 2, -9}), *Array::Zeros(kBool, {4}), Array(int64_t{0})},
                {Ints({0, 0, 0, 0})});
  EXPECT_EQ(h.Run({Ints({0, 9, 5, 1}), some, Array(int64_t{5})}).status(),
            absl::OutOfRangeError("gather: index 5 is outside of [0, 5) (model.cc:14)"));
}

TEST(Evaluate, FailsWhereAConditionHolds) {
  Harness h({{kInt64, {}}}, {{kInt64, {}}});
  ErrorSite site;
  site.what = ErrorSite::What::kTrips;
  site.before = "loop: ";
  const Register trips = h.b.Load(h.in[0], kNone);
  h.b.FailIf(h.b.Binary(Opcode::kLess, h.b.Index(5), trips), h.b.AddSite(site), trips,
             h.b.Index(5));
  h.b.Store(h.out[0], kNone, trips);
  ExpectOutputs(h, {Array(int64_t{5})}, {Array(int64_t{5})});
  EXPECT_EQ(h.Run({Array(int64_t{6})}).status(),
            absl::InvalidArgumentError("loop: 6 trips, but scanned and stacked values have 5"));
}

TEST(Evaluate, BindsTrips) {
  Harness h({{kInt64, {}}}, {{kInt64, {kTrips}}, {kInt64, {}}});
  const Register n = h.b.Load(h.in[0], kNone);
  h.b.BindTrips(n);
  h.b.Store(h.out[1], kNone, h.b.Trips());
  const Register i = h.b.OpenFor({}, {.reg = n}).variable;
  h.b.Store(h.out[0], i, i);
  h.b.CloseFor();
  ExpectOutputs(h, {Array(int64_t{3})}, {Ints({0, 1, 2}), Array(int64_t{3})});
  ExpectOutputs(h, {Array(int64_t{0})}, {Ints({}), Array(int64_t{0})});
}

TEST(Evaluate, AllocatesWhileItRuns) {
  Harness h({{kInt64, {kRows}}}, {{kInt64, {kRows}}});
  ErrorSite memory;
  memory.what = ErrorSite::What::kMemory;
  const int32_t site = h.b.AddSite(memory);
  const int32_t outer = h.b.AddDynamic("outer", kInt64);
  const int32_t inner = h.b.AddDynamic("inner", kInt64);
  h.b.Allocate(outer, h.b.Rows(), site);
  const Register i = h.b.OpenFor({}, {.reg = h.b.Rows()}).variable;
  const Register mark = h.b.Mark();
  h.b.Allocate(inner, h.b.Load(h.in[0], i), site);
  h.b.Store(inner, h.b.Plus(h.b.Load(h.in[0], i), -1), i);
  h.b.Store(outer, i, h.b.Load(inner, h.b.Plus(h.b.Load(h.in[0], i), -1)));
  h.b.Release(mark);
  h.b.CloseFor();
  const Register j = h.b.OpenFor({}, {.reg = h.b.Rows()}).variable;
  h.b.Store(h.out[0], j, h.b.Load(outer, j));
  h.b.CloseFor();
  ExpectOutputs(h, {Ints({1, 5, 1000, 2})}, {Ints({0, 1, 2, 3})});
  EXPECT_EQ(h.Run({Ints({3, 1, -4})}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Evaluate, DrawsRandomNumbers) {
  Harness h({{kInt64, {}}}, {{kFloat32, {12}}});
  const int32_t which = h.b.AddRandom(&kRandomUniformOp, kFloat32);
  const Register key = h.b.Load(h.in[0], kNone);
  h.b.Random(h.out[0], h.b.Index(2), h.b.Index(7), key, h.b.Plus(key, 1), which);
  Array want = *Array::Zeros(kFloat32, {12});
  kRandomUniformOp.random->fill(5, 6, kFloat32, 7, want.mutable_bytes() + 8);
  ExpectOutputs(h, {Array(int64_t{5})}, {want});
}

TEST(Evaluate, PollsUntilTheCallerHasEnough) {
  Harness h({}, {{kInt64, {}}});
  const Builder::Loop loop = h.b.OpenFor({}, {.value = 1 << 20}, 1, {h.b.Index(0)});
  const Register poll = h.b.Poll();
  h.b.Store(h.out[0], kNone, h.b.CloseFor({h.b.Plus(loop.carried[0], 1)}, poll)[0]);
  std::atomic<bool> stop{true};
  std::atomic<int64_t> progress{0};
  const auto out = h.Run({}, {.stop = &stop, .progress = &progress});
  ASSERT_TRUE(out.ok());
  EXPECT_TRUE(SameBits((*out)[0], Array(int64_t{1})));
  EXPECT_EQ(progress, 1);
}

TEST(Evaluate, RunsOnManyThreads) {
  Harness h({{kInt64, {}}}, {{kInt64, {}}});
  const Register n = h.b.Load(h.in[0], kNone);
  const Builder::Loop loop = h.b.OpenFor({}, {.reg = n}, 1, {h.b.Index(0)});
  const Register sum = h.b.CloseFor({h.b.Add(loop.carried[0], loop.variable)})[0];
  h.b.Store(h.out[0], kNone, sum);
  const Evaluator evaluator(h.Take());
  std::vector<std::thread> threads;
  for (int64_t k = 0; k < 4; k++) {
    threads.emplace_back([&, k] {
      for (int64_t size = k; size < 2000; size += 50) {
        const auto out = h.RunAs(evaluator, {Array(size)});
        ASSERT_TRUE(out.ok());
        EXPECT_TRUE(SameBits((*out)[0], Array(size * (size - 1) / 2)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// What a run says that touches an element outside.
class EvaluateBounds : public testing::Test {
 protected:
  EvaluateBounds() : h_({{kFloat32, {10}}, {kInt64, {}}, {kFloat32, {kRows}}}, {{kFloat32, {10}}}) {
    scratch_ = h_.Arena("scratch", kFloat32, 10);
    h_.Arena("behind", kFloat32, 100);
    h_.b.OpenSection("the section");
    index_ = h_.b.Load(h_.in[1], kNone);
  }
  // The errors of runs with these indices; an empty string for none.
  std::vector<std::string> Errors(const std::vector<int64_t>& indices, int64_t rows = 10) {
    h_.b.CloseSection();
    std::vector<std::string> errors;
    for (int64_t index : indices) {
      const auto out =
          h_.Run({*Array::Zeros(kFloat32, {10}), Array(index), *Array::Zeros(kFloat32, {rows})});
      EXPECT_TRUE(out.ok() || absl::IsInternal(out.status())) << out.status();
      errors.emplace_back(out.ok() ? "" : out.status().message());
    }
    return errors;
  }
  Harness h_;
  int32_t scratch_ = -1;
  Register index_ = kNone;
};

TEST_F(EvaluateBounds, OfLoads) {
  h_.b.Store(h_.out[0], kNone, h_.b.Load(h_.in[0], index_, 4));
  const std::string before = "section \"the section\": load of element ";
  EXPECT_EQ(Errors({0, 6, 7, 9, 100, -1, std::numeric_limits<int64_t>::max(),
                    std::numeric_limits<int64_t>::min()}),
            (std::vector<std::string>{
                "", "", before + "10 of in0, which has 10", before + "10 of in0, which has 10",
                before + "100 of in0, which has 10", before + "-1 of in0, which has 10",
                before + "9223372036854775807 of in0, which has 10",
                before + "-9223372036854775808 of in0, which has 10"}));
}

TEST_F(EvaluateBounds, OfStoresIntoTheArena) {
  h_.b.Store(scratch_, index_, h_.b.Load(h_.in[0], kNone, 4), {.offset = 2});
  EXPECT_EQ(Errors({-2, 4, 5}),
            (std::vector<std::string>{
                "", "", "section \"the section\": store of element 10 of scratch, which has 10"}));
}

TEST_F(EvaluateBounds, OfStridesAndMasks) {
  const Register mask = h_.b.Binary(Opcode::kLess, h_.b.Lanes(kInt32, 4), h_.b.Constant(kInt32, 2));
  const Register x = h_.b.Load(h_.in[0], index_, 4, {.stride = 3, .mask = mask});
  h_.b.Store(h_.out[0], index_, x, {.stride = -1, .mask = mask});
  EXPECT_EQ(Errors({1, 6, 7, 0}),
            (std::vector<std::string>{
                "", "", "section \"the section\": load of element 10 of in0, which has 10",
                "section \"the section\": store of element -1 of out0, which has 10"}));
}

TEST_F(EvaluateBounds, OfIndices) {
  const Register each = h_.b.Times(h_.b.Add(h_.b.Lanes(kInt64, 4), index_), 2);
  h_.b.Store(h_.out[0], kNone, h_.b.LoadEach(h_.in[0], each));
  EXPECT_EQ(Errors({0, 1, 2}),
            (std::vector<std::string>{
                "", "", "section \"the section\": load of element 10 of in0, which has 10"}));
}

TEST_F(EvaluateBounds, OfWhatHasTheSizeOfARun) {
  h_.b.Store(h_.out[0], kNone, h_.b.Load(h_.in[2], index_));
  EXPECT_EQ(Errors({0, 6, 7}, 7),
            (std::vector<std::string>{
                "", "", "section \"the section\": load of element 7 of in2, which has 7"}));
}

TEST_F(EvaluateBounds, OfRandomNumbers) {
  const int32_t which = h_.b.AddRandom(&kRandomUniformOp, kFloat32);
  h_.b.Random(h_.out[0], index_, h_.b.Index(5), index_, index_, which);
  EXPECT_EQ(Errors({0, 5, 6}),
            (std::vector<std::string>{
                "", "", "section \"the section\": random of element 10 of out0, which has 10"}));
}

TEST_F(EvaluateBounds, OfWhatWasReleased) {
  ErrorSite site;
  site.what = ErrorSite::What::kMemory;
  const int32_t dynamic = h_.b.AddDynamic("dynamic", kFloat32);
  const Register mark = h_.b.Mark();
  h_.b.Allocate(dynamic, h_.b.Index(4), h_.b.AddSite(site));
  h_.b.Release(mark);
  h_.b.Store(h_.out[0], kNone, h_.b.Load(dynamic, kNone));
  EXPECT_THAT(Errors({0})[0], HasSubstr("load of element 0 of dynamic, which has 0"));
}

TEST(Evaluate, ShowsWhatIsReadBeforeItIsWritten) {
  Harness h({}, {{kFloat32, {}}, {kInt64, {}}, {kBool, {}}});
  h.b.Store(h.out[0], kNone, h.b.Load(h.Arena("floats", kFloat32, 1), kNone));
  h.b.Store(h.out[1], kNone, h.b.Load(h.Arena("integers", kInt64, 1), kNone));
  h.b.Store(h.out[2], kNone, h.b.Load(h.Arena("bools", kBool, 1), kNone));
  ExpectOutputs(h, {},
                {Array(std::numeric_limits<float>::quiet_NaN()), Array(int64_t{-1}), Array(true)});
}

}  // namespace
}  // namespace talweg::loops
