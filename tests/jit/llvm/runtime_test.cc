// What generated code asks of the run around it: compared with the evaluator, errors word by word.

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "jit/loops/verify.h"
#include "ops/random.h"
#include "tests/jit/llvm/run.h"
#include "tests/jit/loops/harness.h"

namespace talweg::native {
namespace {

using loops::Bound;
using loops::Harness;
using loops::kNone;
using loops::Register;
using testing::HasSubstr;

// Runs the program by the evaluator, and compiled for each processor and two levels; gives what the
// evaluator gave, after a check that all agree.
absl::StatusOr<std::vector<Array>> RunAll(Harness& h, const std::vector<Array>& inputs) {
  const absl::Status verified = loops::Verify(h.Take());
  EXPECT_TRUE(verified.ok()) << verified;
  const absl::StatusOr<std::vector<Array>> expected = h.Run(inputs);
  for (const std::string& processor : Processors()) {
    for (int level : {2, 0}) {
      SCOPED_TRACE(absl::StrCat(processor, " level ", level));
      const auto code = MustCompile(h.Take(), Options(processor, level));
      if (code == nullptr) continue;
      const auto got = h.RunAs([&](loops::Context* c) { return code->Run(c); }, inputs);
      EXPECT_EQ(got.status(), expected.status());
      for (size_t k = 0; got.ok() && expected.ok() && k < got->size(); k++) {
        EXPECT_TRUE(SameBits((*got)[k], (*expected)[k]))
            << (*got)[k].ToString() << ", not " << (*expected)[k].ToString();
      }
    }
  }
  return expected;
}

TEST(CheckIndex, ClampsAndReportsTheFirstThatIsWrongAndCounts) {
  std::mt19937_64 random(5);
  for (int32_t lanes : {1, 2, 4, 8, 16, 32}) {
    for (bool masked : {false, true}) {
      Harness h({{kInt64, {kRows}}, {kBool, {kRows}}}, {{kInt64, {kRows}}});
      const int32_t site = h.b.AddSite(
          {.what = loops::ErrorSite::What::kIndex, .before = "gather: ", .after = " (model.cc:3)"});
      h.b.OpenSection("check");
      const Register i = h.b.OpenFor(Bound{}, Bound{.reg = h.b.Rows()}, lanes).variable;
      const Register index = h.b.Load(h.in[0], i, lanes);
      const Register active = masked ? h.b.Load(h.in[1], i, lanes) : kNone;
      h.b.Store(h.out[0], i, h.b.CheckIndex(index, h.b.Index(5), site, active));
      h.b.CloseFor();
      h.b.CloseSection();
      for (int wrong : {0, 1, 3}) {
        std::vector<int64_t> indices(64);
        Array mask = *Array::Zeros(kBool, {64});
        for (size_t k = 0; k < 64; k++) {
          indices[k] = static_cast<int64_t>(random() % 5);
          mask.mutable_data<bool>()[k] = random() % 2 == 0;
        }
        for (int k = 0; k < wrong; k++) {
          const int64_t values[] = {5, -1, INT64_MIN, INT64_MAX, 77};
          indices[random() % 64] = values[random() % 5];
        }
        const auto out = RunAll(h, {Array::Vector(indices), mask});
        if (wrong == 0) {
          ASSERT_TRUE(out.ok()) << out.status();
          EXPECT_TRUE(SameBits((*out)[0], Array::Vector(indices)));
        } else if (!masked) {
          EXPECT_THAT(
              std::string(out.status().message()),
              testing::MatchesRegex("gather: index .* is outside of \\[0, 5\\) \\(model.cc:3\\)"));
        }
      }
    }
  }
}

TEST(CheckIndex, ClampsToZeroWhereThereIsNothing) {
  Harness h({{kInt64, {3}}, {kBool, {3}}}, {{kInt64, {3}}});
  const int32_t site = h.b.AddSite({.before = "gather: ", .after = ""});
  h.b.OpenSection("check");
  const Register mask = h.b.Binary(Opcode::kLess, h.b.Index(9), h.b.Load(h.in[0], kNone));
  h.b.Store(
      h.out[0], kNone,
      h.b.CheckIndex(h.b.Load(h.in[0], kNone), h.b.Times(h.b.Load(h.in[0], kNone), 0), site, mask));
  h.b.CloseSection();
  const auto out = RunAll(h, {Array::Vector<int64_t>({3, 4, 5}), *Array::Zeros(kBool, {3})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].At(0), 0);
}

TEST(FailIf, EndsTheRunWithItsNumbers) {
  for (int64_t size : {4000, 0}) {
    Harness h({{kInt64, {2}}}, {{kInt64, {2}}});
    const int32_t site = h.b.AddSite(
        {.what = loops::ErrorSite::What::kTrips, .before = "loop: ", .after = " (model.cc:9)"});
    h.b.OpenSection("first");
    const Register x = h.b.Load(h.in[0], kNone);
    const Register y = h.b.Load(h.in[0], kNone, 1, {.offset = 1});
    h.b.FailIf(h.b.Binary(Opcode::kLess, y, x), site, x, y);
    h.b.Store(h.out[0], kNone, x);
    h.b.CloseSection();
    h.b.OpenSection("second");
    h.b.Store(h.out[0], kNone, h.b.Load(h.in[0], kNone, 1, {.offset = 1}), {.offset = 1});
    h.b.CloseSection();
    const auto good = RunAll(h, {Array::Vector<int64_t>({3, 4})});
    ASSERT_TRUE(good.ok()) << good.status();
    EXPECT_TRUE(SameBits((*good)[0], Array::Vector<int64_t>({3, 4})));
    const auto bad = RunAll(h, {Array::Vector<int64_t>({5, 4})});
    EXPECT_EQ(bad.status().message(),
              "loop: 5 trips, but scanned and stacked values have 4 (model.cc:9)");
    CompileOptions options = Options("native");
    options.function_size = size;
    const auto code = MustCompile(h.Take(), options);
    EXPECT_EQ(
        h.RunAs([&](loops::Context* c) { return code->Run(c); }, {Array::Vector<int64_t>({5, 4})})
            .status(),
        bad.status());
  }
}

TEST(BindTrips, MakesOutputsOfThatLength) {
  Harness h({{kInt64, {}}}, {{kInt64, {kTrips}}});
  h.b.OpenSection("bind");
  h.b.BindTrips(h.b.Load(h.in[0], kNone));
  h.b.CloseSection();
  h.b.OpenSection("fill");
  const Register i = h.b.OpenFor(Bound{}, Bound{.reg = h.b.Trips()}, 1).variable;
  h.b.Store(h.out[0], i, h.b.Times(i, 2));
  h.b.CloseFor();
  h.b.CloseSection();
  const auto out = RunAll(h, {Array(int64_t{4})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(SameBits((*out)[0], Array::Vector<int64_t>({0, 2, 4, 6})));
  EXPECT_FALSE(RunAll(h, {Array(int64_t{-4})}).ok());
}

TEST(Allocate, GivesDynamicBuffersAndReleaseTakesThem) {
  Harness h({{kInt64, {}}}, {{kInt64, {4}}});
  const int32_t site = h.b.AddSite(
      {.what = loops::ErrorSite::What::kMemory, .before = "loop: ", .after = " (model.cc:9)"});
  const int32_t one = h.b.AddDynamic("one", kInt64), two = h.b.AddDynamic("two", kFloat32);
  h.b.OpenSection("count");
  const Register n = h.b.Load(h.in[0], kNone);
  h.b.Allocate(one, n, site);
  h.b.CloseSection();
  const Register trip = h.b.OpenFor(Bound{}, Bound{.value = 4}, 1).variable;
  const Register mark = h.b.Mark();
  h.b.OpenSection("allocate and use");
  const Register m = h.b.Load(h.in[0], kNone);
  h.b.Allocate(two, h.b.Add(m, trip), site);
  h.b.Store(two, trip, h.b.Convert(kFloat32, h.b.Times(trip, 3)));
  h.b.CloseSection();
  h.b.OpenSection("move");
  h.b.Store(one, trip, h.b.Convert(kInt64, h.b.Load(two, trip)));
  h.b.Store(h.out[0], trip, h.b.Load(one, trip));
  h.b.CloseSection();
  h.b.Release(mark);
  h.b.CloseFor();
  const auto out = RunAll(h, {Array(int64_t{4})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(SameBits((*out)[0], Array::Vector<int64_t>({0, 3, 6, 9})));
  const auto failed = RunAll(h, {Array(int64_t{1} << 61)});
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(Allocate, IsSeenByTheSectionsAfterIt) {
  Harness h({{kInt64, {}}}, {{kInt64, {2}}});
  const int32_t site = h.b.AddSite(
      {.what = loops::ErrorSite::What::kMemory, .before = "loop: ", .after = " (model.cc:9)"});
  const int32_t buffer = h.b.AddDynamic("buffer", kInt64);
  for (int64_t round : {0, 1}) {
    h.b.OpenSection("allocate and write");
    h.b.Allocate(buffer, h.b.Plus(h.b.Load(h.in[0], kNone), round), site);
    h.b.Store(buffer, kNone, h.b.Plus(h.b.Load(h.in[0], kNone), 10 * round));
    h.b.CloseSection();
    h.b.OpenSection("read");
    h.b.Store(h.out[0], kNone, h.b.Load(buffer, kNone), {.offset = round});
    h.b.CloseSection();
  }
  const auto out = RunAll(h, {Array(int64_t{4})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(SameBits((*out)[0], Array::Vector<int64_t>({4, 14})));
}

TEST(Random, FillsByTheRuleOfItsOp) {
  Harness h({{kInt64, {2}}}, {{kFloat32, {40}}});
  const int32_t which = h.b.AddRandom(&kRandomUniformOp, kFloat32);
  h.b.OpenSection("random");
  h.b.Random(h.out[0], h.b.Load(h.in[0], kNone), h.b.Index(30), h.b.Index(42),
             h.b.Load(h.in[0], kNone, 1, {.offset = 1}), which);
  h.b.CloseSection();
  const auto out = RunAll(h, {Array::Vector<int64_t>({7, 99})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].At(6), 0);
  EXPECT_NE((*out)[0].At(7), 0);
  EXPECT_NE((*out)[0].At(36), 0);
  EXPECT_EQ((*out)[0].At(37), 0);
}

TEST(Poll, CountsTripsAndStops) {
  Harness h({{kInt64, {}}}, {{kInt64, {}}});
  h.b.OpenSection("loop");
  const auto loop = h.b.OpenFor(Bound{}, Bound{.value = 100}, 1, {h.b.Index(0)});
  const Register next = h.b.Plus(loop.carried[0], 1);
  h.b.Store(h.out[0], kNone, h.b.CloseFor({next}, h.b.Poll())[0]);
  h.b.CloseSection();
  const auto code = MustCompile(h.Take(), Options("native"));
  ASSERT_NE(code, nullptr);
  for (bool stopped : {false, true}) {
    const std::atomic<bool> stop = stopped;
    std::atomic<int64_t> progress = 0;
    const auto out = h.RunAs([&](loops::Context* c) { return code->Run(c); }, {Array(int64_t{0})},
                             {.stop = &stop, .progress = &progress});
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_EQ((*out)[0].At(0), stopped ? 1 : 100);
    EXPECT_EQ(progress, stopped ? 1 : 100);
  }
}

}  // namespace
}  // namespace talweg::native
