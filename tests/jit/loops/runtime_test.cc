#include "jit/loops/runtime.h"

#include <atomic>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "graph/functions.h"
#include "gtest/gtest.h"
#include "jit/loops/team.h"
#include "ops/random.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

using testing::HasSubstr;
using Arrays = absl::StatusOr<std::vector<Array>>;

Array Ints(const std::vector<int64_t>& elements) { return Array::Vector(elements); }

// The body is C++ here: what generated code would do.
TEST(RunProgram, GivesInputsAndOutputsByTheTable) {
  Harness h({{kInt64, {3}}}, {{kInt64, {3}}});
  const Arrays out = h.RunAs(
      [](Context* c) {
        for (int i = 0; i < 3; i++) {
          int64_t x;
          std::memcpy(&x, c->table[0] + 8 * i, 8);
          x *= 10;
          std::memcpy(c->table[1] + 8 * i, &x, 8);
        }
        return true;
      },
      {Ints({1, 2, 3})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(SameBits((*out)[0], Ints({10, 20, 30})));
}

TEST(RunProgram, ReturnsInputsThatPassThrough) {
  Harness h({{kInt64, {kRows}}, {kInt64, {2}}}, {{kInt64, {2}}, {kInt64, {kRows}}});
  h.b.program().passed_through = {-1, 0};
  h.b.program().buffers.pop_back();
  const Array x = Ints({1, 2, 3});
  const Arrays out = h.RunAs([](Context*) { return true; }, {x, Ints({4, 5})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(SameBits((*out)[0], Ints({0, 0})));
  EXPECT_EQ((*out)[1].raw(), x.raw());
}

TEST(RunProgram, EmptyArraysAreBackedByZeros) {
  Harness h({{kFloat32, {kRows}}}, {{kFloat32, {kRows}}});
  const Arrays out = h.RunAs(
      [](Context* c) {
        for (int i = 0; i < 64; i++) EXPECT_EQ(c->table[0][i], std::byte{0});
        EXPECT_NE(c->table[1], nullptr);
        EXPECT_EQ(c->rows, 0);
        return true;
      },
      {Array::Vector<float>({})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].size(), 0);
}

TEST(RunProgram, AlignsTheArenaAndHasOneAlways) {
  Harness h({}, {});
  const Arrays out = h.RunAs(
      [](Context* c) {
        EXPECT_EQ(reinterpret_cast<uintptr_t>(c->arena) % 64, 0u);
        std::memset(c->arena, 1, 64);
        return true;
      },
      {});
  EXPECT_TRUE(out.ok());
}

TEST(RunProgram, SaysHowMuchMemoryAnArenaTakes) {
  Harness h({}, {});
  h.b.program().arena_bytes = int64_t{1} << 60;
  h.b.program().largest = "matmul: float32[2,2] x float32[2,2] (model.cc:14)";
  const Arrays out = h.RunAs([](Context*) { return true; }, {});
  EXPECT_EQ(out.status(),
            absl::ResourceExhaustedError(
                "no memory for 1152921504606846976 bytes of intermediate values, of which this is "
                "the largest: matmul: float32[2,2] x float32[2,2] (model.cc:14)"));
}

TEST(RunPool, LendsTheSameArenaToOneRunAfterAnother) {
  Harness h({}, {});
  h.Arena("scratch", kFloat32, 100);
  const Program& program = h.Take();
  RunPool pool(std::make_shared<TeamPool>());
  std::vector<std::byte*> seen;
  const auto run = [&](const Body& body) {
    EXPECT_TRUE(RunProgram(program, h.graph, body, {}, {}, {}, &pool).ok());
  };
  const Body look = [&](Context* c) {
    seen.push_back(c->arena);
    std::memset(c->arena, 1, static_cast<size_t>(program.arena_bytes));
    return true;
  };
  run(look);
  run(look);
  EXPECT_EQ(seen[0], seen[1]);
  // One inside of another.
  run([&](Context* c) {
    run(look);
    return look(c);
  });
  EXPECT_NE(seen[2], seen[3]);
}

TEST(RunProgram, SaysWhatOutputCanNotBe) {
  Harness big({{kFloat32, {kRows}}}, {{kFloat32, {kRows, int64_t{1} << 50}}});
  const Arrays memory = big.RunAs([](Context*) { return true; }, {*Array::Zeros(kFloat32, {9})});
  EXPECT_EQ(memory.status().code(), absl::StatusCode::kResourceExhausted);
  const Arrays overflow =
      big.RunAs([](Context*) { return true; }, {*Array::Zeros(kFloat32, {1 << 20})});
  EXPECT_EQ(overflow.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(overflow.status().message()), HasSubstr("input: "));

  Harness unbound({}, {{kFloat32, {kRows}}});
  const Arrays nothing = unbound.RunAs([](Context*) { return true; }, {});
  EXPECT_EQ(nothing.status(),
            absl::InvalidArgumentError("input: nothing binds the run-time symbol `rows`: no input "
                                       "has it in its shape"));
}

TEST(RunProgram, ABodyThatEndsEarlyMustSayWhy) {
  Harness h({}, {});
  const Arrays out = h.RunAs([](Context*) { return false; }, {});
  EXPECT_EQ(out.status().code(), absl::StatusCode::kInternal);
}

TEST(BindTrips, MakesTheOutputs) {
  Harness h({{kInt64, {kRows}}}, {{kInt64, {kTrips}}, {kInt64, {kRows}}});
  const Arrays out = h.RunAs(
      [](Context* c) {
        EXPECT_EQ(c->trips, -1);
        EXPECT_EQ(talweg_bind_trips(c, 2), 1);
        EXPECT_EQ(c->trips, 2);
        const int64_t x = 7;
        std::memcpy(c->table[1] + 8, &x, 8);
        return true;
      },
      {Ints({1, 2, 3})});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(SameBits((*out)[0], Ints({0, 7})));
  EXPECT_TRUE(SameBits((*out)[1], Ints({0, 0, 0})));
}

TEST(BindTrips, FailsWhereThereIsNoMemory) {
  Harness h({}, {{kInt64, {kTrips}}});
  const Arrays out = h.RunAs(
      [](Context* c) {
        EXPECT_EQ(talweg_bind_trips(c, int64_t{1} << 55), 0);
        return false;
      },
      {});
  EXPECT_EQ(out.status().code(), absl::StatusCode::kResourceExhausted);
}

ErrorSite Site(ErrorSite::What what) {
  ErrorSite site;
  site.what = what;
  site.before = "op: float32[5,2]: ";
  site.after = " (model.cc:14)";
  site.limit = 5;
  return site;
}

// The status of a run that did this and finished.
absl::Status After(const std::vector<ErrorSite>& sites, const std::function<void(Context*)>& f) {
  Harness h({}, {});
  for (const ErrorSite& site : sites) h.b.AddSite(site);
  return h
      .RunAs(
          [&](Context* c) {
            f(c);
            return true;
          },
          {})
      .status();
}

TEST(IndexError, TellsTheFirstActiveLaneThatIsOutside) {
  const std::vector<ErrorSite> sites = {Site(ErrorSite::What::kIndex)};
  const int64_t indices[] = {0, -1, 7, 5};
  const uint8_t active[] = {1, 0, 1, 1};
  EXPECT_EQ(After(sites, [&](Context* c) { talweg_index_error(c, 0, indices, nullptr, 4, 5); }),
            absl::OutOfRangeError("op: float32[5,2]: index -1 is outside of [0, 5) (model.cc:14)"));
  EXPECT_EQ(After(sites, [&](Context* c) { talweg_index_error(c, 0, indices, active, 4, 5); }),
            absl::OutOfRangeError("op: float32[5,2]: index 7 is outside of [0, 5) (model.cc:14)"));
  EXPECT_TRUE(
      After(sites, [&](Context* c) { talweg_index_error(c, 0, indices, nullptr, 1, 5); }).ok());
}

TEST(IndexError, KeepsTheFirst) {
  std::vector<ErrorSite> sites = {Site(ErrorSite::What::kIndex), Site(ErrorSite::What::kTrips)};
  const int64_t first = 7, second = 8;
  const absl::Status status = After(sites, [&](Context* c) {
    talweg_index_error(c, 0, &first, nullptr, 1, 5);
    talweg_index_error(c, 0, &second, nullptr, 1, 5);
    talweg_fail(c, 1, 7, 5);
  });
  EXPECT_THAT(std::string(status.message()), HasSubstr("index 7"));
}

TEST(Fail, UsesTheInterpretersWords) {
  const std::vector<ErrorSite> sites = {Site(ErrorSite::What::kTrips), Site(ErrorSite::What::kRows),
                                        Site(ErrorSite::What::kOneLength)};
  EXPECT_EQ(After(sites, [](Context* c) { talweg_fail(c, 0, 7, 5); }),
            absl::InvalidArgumentError("op: float32[5,2]: 7 trips, but scanned and stacked values "
                                       "have 5 (model.cc:14)"));
  EXPECT_EQ(After(sites, [](Context* c) { talweg_fail(c, 1, 7, 2); }),
            absl::InvalidArgumentError("op: float32[5,2]: rows is 7 in trip 2, which is not in 0 "
                                       "to its limit 5 (model.cc:14)"));
  EXPECT_EQ(After(sites, [](Context* c) { talweg_fail(c, 2, 7, 5); }),
            absl::InvalidArgumentError(
                "op: float32[5,2]: loops of one graph run 7 and 5 trips, and the length of both is "
                "the symbol `trips`, which has one value (model.cc:14)"));
}

// A program with two dynamic buffers.
absl::Status WithDynamic(const std::function<void(Context*)>& f) {
  Harness h({}, {});
  h.b.AddSite(Site(ErrorSite::What::kMemory));
  h.b.AddDynamic("first", kFloat32);
  h.b.AddDynamic("second", kInt64);
  return h
      .RunAs(
          [&](Context* c) {
            f(c);
            return true;
          },
          {})
      .status();
}

TEST(Allocate, ReusesWhatWasReleased) {
  EXPECT_TRUE(WithDynamic([](Context* c) {
                std::byte* first = nullptr;
                std::byte* second = nullptr;
                for (int64_t trip = 0; trip < 100; trip++) {
                  const int64_t mark = talweg_mark(c);
                  EXPECT_EQ(talweg_allocate(c, 0, 0, 1000 - trip, 4), 1);
                  EXPECT_EQ(talweg_allocate(c, 1, 0, 1000, 8), 1);
                  EXPECT_EQ(talweg_mark(c), mark + 2);
                  EXPECT_EQ(reinterpret_cast<uintptr_t>(c->table[1]) % 64, 0u);
                  std::memset(c->table[0], 1, static_cast<size_t>(1000 - trip) * 4 + 128);
                  std::memset(c->table[1], 1, 8000 + 128);
                  EXPECT_TRUE(trip == 0 || c->table[0] == first);
                  EXPECT_TRUE(trip == 0 || c->table[1] == second);
                  first = c->table[0];
                  second = c->table[1];
                  talweg_release(c, mark);
                }
              }).ok());
}

TEST(Allocate, KeepsWhatTheMarkKeeps) {
  EXPECT_TRUE(WithDynamic([](Context* c) {
                EXPECT_EQ(talweg_allocate(c, 0, 0, 0, 4), 1);
                std::byte* const first = c->table[0];
                const int64_t mark = talweg_mark(c);
                for (int64_t n : {1, 100, 10000, 0}) {
                  EXPECT_EQ(talweg_allocate(c, 1, 0, n, 8), 1);
                  EXPECT_NE(c->table[1], first);
                  talweg_release(c, mark);
                }
                EXPECT_EQ(c->table[0], first);
                talweg_release(c, 0);
                talweg_release(c, 0);
              }).ok());
}

TEST(RunPool, KeepsAsMuchAsTheOutputsOrALittle) {
  constexpr int64_t kMany = 40 << 20;
  const auto kept = [](int64_t bytes, int64_t bytes_of_input, bool is_output) {
    std::vector<Type> outputs;
    if (is_output) outputs.push_back({kBool, {kRows}});
    Harness h({{kBool, {kRows}}}, outputs);
    h.b.AddSite(Site(ErrorSite::What::kMemory));
    h.b.AddDynamic("buffer", kBool);
    const Program& program = h.Take();
    const Body body = [&](Context* c) {
      return talweg_allocate(c, program.dynamic_slot(), 0, bytes, 1) == 1;
    };
    const Array input = *Array::Unwritten(kBool, {bytes_of_input});
    RunPool pool(std::make_shared<TeamPool>());
    EXPECT_TRUE(
        RunProgram(program, h.graph, body, {input}, {.rows = bytes_of_input}, {}, &pool).ok());
    return pool.Take()->bytes();
  };
  EXPECT_GE(kept(1000, 0, false), 1000);
  EXPECT_EQ(kept(kMany, 0, false), 0);
  EXPECT_GE(kept(kMany, kMany + 1000, true), kMany);
  // Inputs may be many functions' at once.
  EXPECT_EQ(kept(kMany, kMany + 1000, false), 0);
}

TEST(Allocate, SaysWhatForAndHowMuch) {
  EXPECT_EQ(
      WithDynamic([](Context* c) { EXPECT_EQ(talweg_allocate(c, 0, 0, int64_t{1} << 58, 4), 0); }),
      absl::ResourceExhaustedError("op: float32[5,2]: no memory for 1152921504606847104 "
                                   "bytes (model.cc:14)"));
  for (const int64_t n : {std::numeric_limits<int64_t>::max(), int64_t{1} << 62, int64_t{-1}}) {
    EXPECT_EQ(WithDynamic([n](Context* c) { EXPECT_EQ(talweg_allocate(c, 0, 0, n, 4), 0); }),
              absl::ResourceExhaustedError(absl::StrCat("op: float32[5,2]: no memory for ", n,
                                                        " elements of 4 bytes (model.cc:14)")));
  }
}

TEST(Random, CallsTheRule) {
  Harness h({}, {{kFloat32, {10}}, {kFloat64, {10}}});
  h.b.AddRandom(&kRandomUniformOp, kFloat32);
  EXPECT_EQ(h.b.AddRandom(&kRandomUniformOp, kFloat64), 1);
  EXPECT_EQ(h.b.AddRandom(&kRandomUniformOp, kFloat32), 0);
  const Arrays out = h.RunAs(
      [](Context* c) {
        talweg_random(c, 0, -5, 3, 10, c->table[0]);
        talweg_random(c, 1, -5, 3, 9, c->table[1]);
        return true;
      },
      {});
  ASSERT_TRUE(out.ok()) << out.status();
  for (size_t k = 0; k < 2; k++) {
    const DType dtype = k == 0 ? kFloat32 : kFloat64;
    Array want = *Array::Zeros(dtype, {10});
    kRandomUniformOp.random->fill(static_cast<uint64_t>(-5), 3, dtype, k == 0 ? 10 : 9,
                                  want.mutable_bytes());
    EXPECT_TRUE(SameBits((*out)[k], want));
  }
}

TEST(Poll, CountsAndTellsWhetherToStop) {
  Harness h({}, {});
  std::atomic<bool> stop{false};
  std::atomic<int64_t> progress{0};
  const auto body = [&](Context* c) {
    EXPECT_EQ(talweg_poll(c), 0);
    stop = true;
    EXPECT_EQ(talweg_poll(c), 1);
    return true;
  };
  EXPECT_TRUE(h.RunAs(body, {}, {.stop = &stop, .progress = &progress}).ok());
  EXPECT_EQ(progress, 2);
  EXPECT_TRUE(h.RunAs(
                   [](Context* c) {
                     EXPECT_EQ(talweg_poll(c), 0);
                     return true;
                   },
                   {})
                  .ok());
}

TEST(RuntimeSymbols, AreUniqueAndThere) {
  std::set<std::string> names;
  for (const RuntimeSymbol& symbol : RuntimeSymbols()) {
    EXPECT_NE(symbol.address, nullptr) << symbol.name;
    EXPECT_TRUE(names.insert(symbol.name).second) << symbol.name;
  }
  for (const FunctionInfo& function : kFunctions) {
    EXPECT_TRUE(names.contains(function.name));
    EXPECT_TRUE(names.contains(function.float_name));
  }
  for (const char* name : {"talweg_poll", "talweg_random", "memcpy", "fmaf", "floor", "rintf"}) {
    EXPECT_TRUE(names.contains(name));
  }
  EXPECT_FALSE(names.contains("system"));
}

}  // namespace
}  // namespace talweg::loops
