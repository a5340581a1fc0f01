#include "ops/loop.h"

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/interpreter/run.h"

namespace talweg {
namespace {

// A random op, always 0, that tells the run to stop at the 51st time.
std::atomic<bool> told = false;
std::atomic<int> drawn = 0;
constinit const RandomRule kTellRule{[](uint64_t, uint64_t, DType, int64_t n, std::byte* out) {
  if (++drawn == 51) told = true;
  std::memset(out, 0, static_cast<size_t>(n) * sizeof(double));
}};
constinit const Op kTellOp{
    "tell",
    "",
    Kind::kRandom,
    [](const Op&, absl::Span<const Type>, const Attributes&) -> absl::StatusOr<std::vector<Type>> {
      return std::vector<Type>{{kFloat64, {}}};
    },
    nullptr,
    nullptr,
    &kTellRule};

Array Ints(const std::vector<int64_t>& elements) { return Array::Vector(elements); }

TEST(Loop, CarriesScansAndStacks) {
  Tape t;
  const Value x = t.Input("x", kInt64, {4}), scale = t.Input("scale", kInt64, {});
  const LoopResult r =
      Loop(t, {.carried = {scale - scale}, .scanned = {x}}, [&](LoopBody& body) -> LoopStep {
        const Value sum = body.carried[0] + body.scanned[0] * scale;
        return {.carried = {sum}, .stacked = {sum, body.trip}};
      });
  const std::vector<Array> out =
      MustRun(t, {r.carried[0], r.stacked[0], r.stacked[1], r.trips},
              {{"x", Ints({1, 2, 3, 4})}, {"scale", Array(int64_t{10})}});
  ASSERT_EQ(out.size(), 4u);
  EXPECT_TRUE(SameBits(out[0], Array(int64_t{100})));
  EXPECT_TRUE(SameBits(out[1], Ints({10, 30, 60, 100})));
  EXPECT_TRUE(SameBits(out[2], Ints({0, 1, 2, 3})));
  EXPECT_TRUE(SameBits(out[3], Array(int64_t{4})));
}

TEST(Loop, ReversedKeepsNumbersOfTrips) {
  Tape t;
  const Value x = t.Input("x", kInt64, {5}), n = t.Input("n", kInt64, {});
  const LoopResult r =
      Loop(t, {.trips = n, .carried = {Scalar(x, kInt64, 0)}, .scanned = {x}, .reversed = true},
           [&](LoopBody& body) -> LoopStep {
             const Value sum = body.carried[0] + body.scanned[0];
             return {.carried = {sum}, .stacked = {sum, body.trip}, .stop = Less(body.trip, 2)};
           });
  const std::vector<Array> out = MustRun(t, {r.carried[0], r.stacked[0], r.stacked[1], r.trips},
                                         {{"x", Ints({1, 2, 3, 4, 5})}, {"n", Array(int64_t{4})}});
  ASSERT_EQ(out.size(), 4u);
  EXPECT_TRUE(SameBits(out[0], Array(int64_t{9})));
  EXPECT_TRUE(SameBits(out[1], Ints({0, 9, 7, 4, 0})));
  EXPECT_TRUE(SameBits(out[2], Ints({0, 1, 2, 3, 0})));
  EXPECT_TRUE(SameBits(out[3], Array(int64_t{3})));
}

TEST(Loop, StopsEarlyWhateverBufferTheLastValueIsIn) {
  for (int64_t last = 0; last < 5; last++) {
    Tape t;
    const Value stop_at = t.Input("stop_at", kInt64, {});
    const LoopResult r = Loop(t, {.trips = 5, .carried = {Scalar(stop_at, kInt64, 0)}},
                              [&](LoopBody& body) -> LoopStep {
                                return {.carried = {body.carried[0] + 1},
                                        .stacked = {body.carried[0]},
                                        .stop = Equal(body.trip, stop_at)};
                              });
    const std::vector<Array> out =
        MustRun(t, {r.carried[0], r.stacked[0], r.trips}, {{"stop_at", Array(last)}});
    ASSERT_EQ(out.size(), 3u);
    EXPECT_TRUE(SameBits(out[0], Array(last + 1)));
    EXPECT_TRUE(SameBits(out[2], Array(last + 1)));
    for (int64_t i = 0; i < 5; i++) EXPECT_EQ(out[1].At(i), i <= last ? i : 0);
  }
}

TEST(Loop, WithoutTripsGivesTheStart) {
  for (const int64_t trips : {0, -3}) {
    Tape t;
    const Value n = t.Input("n", kInt64, {}), start = t.Input("start", kFloat32, {2});
    const LoopResult r = Loop(t, {.trips = n, .carried = {start}}, [&](LoopBody& body) -> LoopStep {
      return {.carried = {body.carried[0] * 2}, .stacked = {body.carried[0]}};
    });
    const Array given = Array::Vector<float>({1, 2});
    const std::vector<Array> out =
        MustRun(t, {r.carried[0], r.stacked[0], r.trips}, {{"n", Array(trips)}, {"start", given}});
    ASSERT_EQ(out.size(), 3u);
    EXPECT_TRUE(SameBits(out[0], given));
    EXPECT_EQ(out[1].dims(), (Dims{0, 2}));
    EXPECT_TRUE(SameBits(out[2], Array(int64_t{0})));
  }
}

// As a number of trips that comes at run time. The default alone means all that is scanned.
TEST(Loop, ANumberOfTripsBelowZeroIsNone) {
  for (const bool scans : {false, true}) {
    Tape t;
    const Value x = t.Input("x", kInt64, {4}), start = t.Input("start", kInt64, {});
    LoopOptions options{.trips = -3, .carried = {start}};
    if (scans) options.scanned = {x};
    const LoopResult r = Loop(
        t, options, [&](LoopBody& body) -> LoopStep { return {.carried = {body.carried[0] + 1}}; });
    const std::vector<Array> out = MustRun(
        t, {r.carried[0], r.trips}, {{"x", Ints({1, 2, 3, 4})}, {"start", Array(int64_t{7})}});
    ASSERT_EQ(out.size(), 2u) << "scans: " << scans;
    EXPECT_TRUE(SameBits(out[0], Array(int64_t{7})));
    EXPECT_TRUE(SameBits(out[1], Array(int64_t{0})));
  }
}

// Slices of trips that did not run are zero, where there is but one slice, too. A sum that reads
// them keeps the stacked values from being an output, which is zero from the start.
TEST(Loop, ClearsTheSlicesOfTripsThatDidNotRun) {
  for (const int64_t length : {1, 2, 3}) {
    for (const bool reversed : {false, true}) {
      Tape t;
      const Value n = t.Input("n", kInt64, {}), x = t.Input("x", kFloat32, {kRows});
      const Value z = t.Input("z", kFloat64, {length, 3, 1});
      const LoopResult r = Loop(
          t, {.trips = n, .carried = {x}, .scanned = {z}, .reversed = reversed},
          [&](LoopBody& body) -> LoopStep {
            const Value y = Tanh(body.carried[0]);
            return {.carried = {y}, .stacked = {y, body.scanned[0] + 1, Sum(y), body.trip + 5}};
          });
      const std::vector<Value> sums = {Sum(r.stacked[0], 0), Sum(r.stacked[1], 0),
                                       Sum(r.stacked[2], 0), Sum(r.stacked[3], 0)};
      for (const int64_t rows : {1, 7, 20}) {
        for (int64_t trips = 0; trips <= length; trips++) {
          Random random(3);
          const std::vector<Array> out =
              MustRun(t, sums,
                      {{"n", Array(trips)},
                       {"x", random.Fill(kFloat32, {rows})},
                       {"z", Array::Zeros(kFloat64, {length, 3, 1}).value()}});
          ASSERT_EQ(out.size(), 4u);
          EXPECT_EQ(out[1].At(2), static_cast<double>(trips));
          EXPECT_EQ(out[3].At(0), static_cast<double>(trips * (trips - 1) / 2 + 5 * trips));
        }
      }
    }
  }
}

// What goes out of a body without being computed there: inputs, each other's, the same value twice,
// views, constants.
TEST(Loop, PassesOnWhatItDoesNotCompute) {
  Tape t;
  const Value a = t.Input("a", kInt64, {2}), b = t.Input("b", kInt64, {2});
  const Value c = t.Input("c", kInt64, {2}), x = t.Input("x", kInt64, {3, 2});
  const LoopResult r =
      Loop(t, {.carried = {a, b, c, a, a, a, a}, .scanned = {x}}, [&](LoopBody& body) -> LoopStep {
        const std::vector<Value>& in = body.carried;
        const Value sum = in[5] + body.scanned[0];
        return {.carried = {in[1], in[0], in[2], body.scanned[0], c, sum, Reverse(sum, {0})},
                .stacked = {sum, sum, in[5], c, body.tape.Constant(Ints({7, 8}))}};
      });
  std::vector<Value> outputs = r.carried;
  outputs.insert(outputs.end(), r.stacked.begin(), r.stacked.end());
  const Array x_array = *Ints({1, 2, 3, 4, 5, 6}).Reshaped({3, 2});
  const std::vector<Array> out = MustRun(
      t, outputs,
      {{"a", Ints({10, 20})}, {"b", Ints({30, 40})}, {"c", Ints({50, 60})}, {"x", x_array}});
  ASSERT_EQ(out.size(), 12u);
  EXPECT_TRUE(SameBits(out[0], Ints({30, 40})));  // three trips: an odd number of exchanges
  EXPECT_TRUE(SameBits(out[1], Ints({10, 20})));
  EXPECT_TRUE(SameBits(out[2], Ints({50, 60})));
  EXPECT_TRUE(SameBits(out[3], Ints({5, 6})));
  EXPECT_TRUE(SameBits(out[4], Ints({50, 60})));
  EXPECT_TRUE(SameBits(out[5], Ints({19, 32})));
  EXPECT_TRUE(SameBits(out[6], Ints({32, 19})));
  const Array sums = *Ints({11, 22, 14, 26, 19, 32}).Reshaped({3, 2});
  EXPECT_TRUE(SameBits(out[7], sums));
  EXPECT_TRUE(SameBits(out[8], sums));
  EXPECT_TRUE(SameBits(out[9], *Ints({10, 20, 11, 22, 14, 26}).Reshaped({3, 2})));
  EXPECT_TRUE(SameBits(out[10], *Ints({50, 60, 50, 60, 50, 60}).Reshaped({3, 2})));
  EXPECT_TRUE(SameBits(out[11], *Ints({7, 8, 7, 8, 7, 8}).Reshaped({3, 2})));
}

TEST(Loop, Nests) {
  // sum over i < 4 of sum over j < i of (i * 10 + j)
  Tape t;
  const Value zero = t.Input("zero", kInt64, {});
  const LoopResult r = Loop(t, {.trips = 4, .carried = {zero}}, [&](LoopBody& outer) -> LoopStep {
    const LoopResult inner = Loop(outer.tape, {.trips = outer.trip, .carried = {outer.carried[0]}},
                                  [&](LoopBody& body) -> LoopStep {
                                    const Value term = outer.trip * 10 + body.trip;
                                    return {.carried = {body.carried[0] + term}, .stacked = {term}};
                                  });
    return {.carried = {inner.carried[0]},
            .stacked = {Sum(inner.stacked[0]), outer.tape.Size(kTrips)}};
  });
  const std::vector<Array> out =
      MustRun(t, {r.carried[0], r.stacked[0], r.stacked[1]}, {{"zero", Array(int64_t{0})}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_TRUE(SameBits(out[0], Array(int64_t{10 + 20 + 21 + 30 + 31 + 32})));
  EXPECT_TRUE(SameBits(out[1], Ints({0, 10, 41, 93})));
  EXPECT_TRUE(SameBits(out[2], Ints({0, 1, 2, 3})));
}

TEST(Loop, BindsRows) {
  // Means of consecutive batches of 3, 3 and 1.
  Tape t;
  const Value x = t.Input("x", kFloat64, {7}), w = t.Input("w", kFloat64, {1});
  const Value starts = t.Constant(Ints({0, 3, 6})), rows = t.Constant(Ints({3, 3, 1}));
  const LoopResult r = Loop(t, {.carried = {w}, .scanned = {starts}, .rows = rows, .rows_limit = 3},
                            [&](LoopBody& body) -> LoopStep {
                              const Value places = BroadcastTo(body.scanned[0], {kRows}) +
                                                   body.tape.Iota(kRows, kInt64);
                              const Value batch = Gather(x, places);
                              return {.carried = {body.carried[0] + ExpandDims(Mean(batch), 0)},
                                      .stacked = {Mean(batch), body.tape.Size(kRows)}};
                            });
  const std::vector<Array> out = MustRun(
      t, {r.carried[0], r.stacked[0], r.stacked[1]},
      {{"x", Array::Vector<double>({1, 2, 3, 4, 5, 6, 7})}, {"w", Array::Vector<double>({0})}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_TRUE(SameBits(out[0], Array::Vector<double>({14})));
  EXPECT_TRUE(SameBits(out[1], Array::Vector<double>({2, 5, 7})));
  EXPECT_TRUE(SameBits(out[2], Ints({3, 3, 1})));
}

TEST(Loop, BindsMoreNumbersOfRowsThanAreKept) {
  Tape t;
  const Value rows = t.Input("rows", kInt32, {60});
  const LoopResult r = Loop(
      t,
      {.carried = {t.Input("sum", kInt64, {})}, .scanned = {rows}, .rows = rows, .rows_limit = 100},
      [&](LoopBody& body) -> LoopStep {
        const Value sum = Sum(body.tape.Iota(kRows, kInt64));
        return {.carried = {body.carried[0] + sum}, .stacked = {sum}};
      });
  std::vector<int32_t> numbers;
  for (int32_t i = 0; i < 60; i++) numbers.push_back((i * 37) % 41);
  const std::vector<Array> out =
      MustRun(t, {r.stacked[0]}, {{"rows", Array::Vector(numbers)}, {"sum", Array(int64_t{0})}});
  ASSERT_EQ(out.size(), 1u);
  for (int64_t i = 0; i < 60; i++) {
    const int64_t n = numbers[static_cast<size_t>(i)];
    EXPECT_EQ(out[0].At(i), n * (n - 1) / 2);
  }
}

// A loop belongs to the body in which it is made, even if all that it is made of is from outside.
TEST(Loop, CountsTheRowsOfTheBodyThatItIsIn) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {kRows}), n = t.Input("n", kInt64, {});
  const Value zero = t.Constant(Array(0.0));
  LoopOptions options{.trips = 1};
  options.rows = t.Constant(Array::Vector<int64_t>({2}));
  options.rows_limit = 2;
  const LoopResult outer = Loop(t, options, [&](LoopBody& body) {
    const LoopResult inner = Loop(body.tape, {.trips = n, .carried = {zero}}, [&](LoopBody& in) {
      return LoopStep{.carried = {in.carried[0] + Cast(in.tape.Size(kRows), kFloat64)}};
    });
    return LoopStep{.carried = {}, .stacked = {inner.carried[0]}};
  });
  const std::vector<Array> out =
      MustRun(t, {outer.stacked[0], Sum(x)},
              {{"x", *Array::Zeros(kFloat64, {100})}, {"n", Array(int64_t{3})}});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].At(0), 6);
}

// A recurrence over the middle axis, whose first state is zeros for however many rows there are.
TEST(Loop, CarriesZerosOfRows) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {3, kRows, 2});
  const LoopResult r = Loop(
      t, {.carried = {Full(t, kFloat64, {kRows, 2}, 0)}, .scanned = {x}},
      [](LoopBody& body) { return LoopStep{.carried = {2 * body.carried[0] + body.scanned[0]}}; });
  const std::vector<Array> out =
      MustRun(t, {r.carried[0]},
              {{"x", *Array::From<double>({3, 1, 2}, std::vector<double>{1, 2, 3, 4, 5, 6})}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].ToString(), "float64[1,2] {15, 22}");

  Tape u;
  const int line = __LINE__ + 1;
  EXPECT_FALSE(Full(u, kInt32, {2}, 0.5).ok());
  EXPECT_THAT(u.status().message(),
              testing::AllOf(testing::HasSubstr("0.5 is no int32"),
                             testing::HasSubstr(absl::StrCat("loop_test.cc:", line))));
}

TEST(Loop, WithRowsEvaluatesOnOtherData) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), test = t.Input("test", kFloat32, {5, 2});
  const std::vector<Value> inside = WithRows(t, 5, [&](Tape& body) -> std::vector<Value> {
    return {Sum(test) + Cast(body.Size(kRows), kFloat32)};
  });
  const std::vector<Array> out =
      MustRun(t, {inside[0], Sum(x)},
              {{"x", Array::Matrix<float>({{1, 2}})},
               {"test", Array::Matrix<float>({{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}})}});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_TRUE(SameBits(out[0], Array(15.0f)));
  EXPECT_TRUE(SameBits(out[1], Array(3.0f)));
}

TEST(Loop, RefusesMoreTripsThanAreScanned) {
  Tape t;
  const Value x = t.Input("x", kInt64, {3}), n = t.Input("n", kInt64, {});
  const LoopResult r = Loop(t, {.trips = n, .scanned = {x}}, [&](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {body.scanned[0]}};
  });
  const NamedArrays inputs = {{"x", Ints({1, 2, 3})}, {"n", Array(int64_t{4})}};
  const absl::Status status = TryRun(t, {r.stacked[0]}, inputs).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find("4 trips, but scanned and stacked values have 3"),
            std::string::npos)
      << status;
  EXPECT_NE(std::string(status.message()).find("loop_test.cc:"), std::string::npos) << status;
}

TEST(Loop, AFailedOneHasAllItsValues) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3}), y = t.Input("y", kFloat32, {4});
  const LoopResult r =
      Loop(t, {.trips = 2, .carried = {x + y, x}, .scanned = {}}, [&](LoopBody& body) -> LoopStep {
        return {.carried = body.carried, .stacked = {Sum(body.carried[0]), body.carried[1]}};
      });
  ASSERT_EQ(r.carried.size(), 2u);
  ASSERT_EQ(r.stacked.size(), 2u) << "r.stacked[1] must not be past the end";
  EXPECT_FALSE((r.carried[1] + r.stacked[1] + r.trips).ok());
  EXPECT_THAT(std::string(t.status().message()),
              testing::HasSubstr("add: float32[3] x float32[4]"));
}

TEST(Loop, RefusesRowsBeyondTheLimit) {
  for (const int64_t wrong : {4, -1}) {
    Tape t;
    const Value rows = t.Input("rows", kInt64, {2});
    const LoopResult r = Loop(t, {.trips = 2, .scanned = {rows}, .rows = rows, .rows_limit = 3},
                              [&](LoopBody& body) -> LoopStep {
                                return {.carried = {}, .stacked = {Sum(body.tape.Iota(kRows))}};
                              });
    const absl::Status status = TryRun(t, {r.stacked[0]}, {{"rows", Ints({3, wrong})}}).status();
    EXPECT_NE(std::string(status.message()).find("rows is " + std::to_string(wrong) + " in trip 1"),
              std::string::npos)
        << status;
  }
}

TEST(Loop, TwoLengthsForOneSymbolAreAnError) {
  Tape t;
  const Value m = t.Input("m", kInt64, {}), n = t.Input("n", kInt64, {});
  const auto count = [&](const Value& trips) {
    return Loop(t, {.trips = trips},
                [](LoopBody& body) -> LoopStep { return {.carried = {}, .stacked = {body.trip}}; })
        .stacked[0];
  };
  const Value first = count(m), second = count(n), both = first + second;
  EXPECT_TRUE(SameBits(MustRun(t, {both}, {{"m", Array(int64_t{3})}, {"n", Array(int64_t{3})}})[0],
                       Ints({0, 2, 4})));
  const absl::Status status =
      TryRun(t, {both}, {{"m", Array(int64_t{3})}, {"n", Array(int64_t{4})}}).status();
  EXPECT_EQ(std::string(status.message()),
            "loop: loops of one graph run 3 and 4 trips, and the length of both is the symbol "
            "`trips`, which has one value");
}

// The pattern of a derivative: a second loop goes back over what the first stacked, as many trips
// as it ran.
TEST(Loop, RunsBackAsManyTripsAsAnEarlierOne) {
  Tape t;
  const Value n = t.Input("n", kInt64, {}), stop_at = t.Input("stop_at", kInt64, {});
  const LoopResult forward =
      Loop(t, {.trips = n, .carried = {n - n + 1}}, [&](LoopBody& body) -> LoopStep {
        return {.carried = {body.carried[0] * 2},
                .stacked = {body.carried[0]},
                .stop = Equal(body.trip, stop_at)};
      });
  const LoopResult back =
      Loop(t,
           {.trips = forward.trips,
            .carried = {n - n},
            .scanned = {forward.stacked[0]},
            .reversed = true},
           [&](LoopBody& body) -> LoopStep {
             return {.carried = {body.carried[0] * 3 + body.scanned[0]}, .stacked = {body.trip}};
           });
  const std::vector<Array> out =
      MustRun(t, {back.carried[0], back.stacked[0], back.trips},
              {{"n", Array(int64_t{6})}, {"stop_at", Array(int64_t{2})}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_TRUE(SameBits(out[0], Array(int64_t{(4 * 3 + 2) * 3 + 1})));
  EXPECT_TRUE(SameBits(out[1], Ints({0, 1, 2, 0, 0, 0})));
  EXPECT_TRUE(SameBits(out[2], Array(int64_t{3})));
}

TEST(Loop, AStopFromOutsideEndsAfterThePresentTrip) {
  Tape t;
  const Value n = t.Input("n", kInt64, {});
  const LoopResult r = Loop(t, {.trips = n, .carried = {n - n}}, [&](LoopBody& body) -> LoopStep {
    return {.carried = {body.carried[0] + 1}};
  });
  for (const NamedEngine& engine : AllEngines()) {
    SCOPED_TRACE(engine.name);
    const absl::StatusOr<Executable> f = engine.make(*t.Finish({r.carried[0], r.trips}));
    ASSERT_TRUE(f.ok()) << f.status();
    std::atomic<bool> stop = false;
    std::atomic<int64_t> progress = 0;
    std::thread stopper([&] {
      while (progress.load() < 1000) std::this_thread::yield();
      stop = true;
    });
    const absl::StatusOr<std::vector<Array>> out =
        f->Run({{"n", Array(int64_t{1} << 60)}}, {.stop = &stop, .progress = &progress});
    stopper.join();
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_GE(progress.load(), 1000);
    EXPECT_EQ((*out)[0].At(0), static_cast<double>(progress.load()));
    EXPECT_EQ((*out)[1].At(0), static_cast<double>(progress.load()));
  }
}

// A loop whose result is another one's number of trips is one loop, however often an engine runs
// it.
TEST(Loop, IsCountedOnce) {
  Tape t;
  const LoopResult a =
      Loop(t, {.trips = 3, .carried = {t.Constant(Array(int64_t{0}))}},
           [&](LoopBody& body) -> LoopStep { return {.carried = {body.carried[0] + 1}}; });
  const LoopResult b = Loop(t, {.trips = a.carried[0]}, [&](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {Cast(body.trip, kFloat32)}};
  });
  const absl::StatusOr<Graph> graph = t.Finish({b.stacked[0]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  for (const NamedEngine& engine : AllEngines()) {
    SCOPED_TRACE(engine.name);
    const absl::StatusOr<Executable> f = engine.make(*graph);
    ASSERT_TRUE(f.ok()) << f.status();
    std::atomic<int64_t> progress = 0;
    const auto out = f->Run({}, {.progress = &progress});
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_EQ(progress, 6);
    // Told to stop, the first one ends after one trip, and so the second one has one.
    std::atomic<bool> stop = true;
    const auto stopped = f->Run({}, {.stop = &stop});
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ((*stopped)[0].dims(), (Dims{1}));
  }
}

// Gradient descent by hand against the same in plain C++: carried matrices, contractions, a loop of
// loops, and every trip in the same few buffers.
TEST(Loop, TrainsALinearModel) {
  Random random(5);
  const Array x = random.Fill(kFloat64, {64, 3});
  Array y = *Array::Zeros(kFloat64, {64, 1});
  for (int64_t i = 0; i < 64; i++) {
    y.mutable_data<double>()[static_cast<size_t>(i)] =
        (2 * x.At(i * 3) - x.At(i * 3 + 1) + 0.5 * x.At(i * 3 + 2)) / 1e6;
  }
  Array scaled = x;
  for (double& v : scaled.mutable_data<double>()) v /= 1e6;
  Tape t;
  const Value data = t.Input("x", kFloat64, {64, 3}), labels = t.Input("y", kFloat64, {64, 1});
  const Value w0 = t.Input("w", kFloat64, {3, 1});
  const LoopResult r = Loop(t, {.trips = 200, .carried = {w0}}, [&](LoopBody& epoch) -> LoopStep {
    const LoopResult inner = Loop(
        epoch.tape, {.trips = 10, .carried = {epoch.carried[0]}}, [&](LoopBody& body) -> LoopStep {
          const Value w = body.carried[0];
          const Value error = MatMul(data, w) - labels;
          return {.carried = {w - 0.5 / 64 * MatMul(Transpose(data), error)}};
        });
    return {.carried = inner.carried,
            .stacked = {Sum(Square(MatMul(data, inner.carried[0]) - labels))}};
  });
  const std::vector<Array> out =
      MustRun(t, {r.carried[0], r.stacked[0]},
              {{"x", scaled}, {"y", y}, {"w", *Array::Zeros(kFloat64, {3, 1})}});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_LT(out[1].At(199), out[1].At(0) * 1e-3 + 1e-12);
}

TEST(Loop, MoreTripsThanSlicesAreAnErrorWhateverTheRunIsTold) {
  Tape t;
  const Value n = t.Input("n", kInt64, {}), x = t.Input("x", kFloat64, {5});
  const LoopResult loop = Loop(t, {.trips = n, .scanned = {x}}, [](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {body.scanned[0]}};
  });
  const absl::StatusOr<Graph> graph = t.Finish({loop.stacked[0]});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Executable> f = Interpret(*graph);
  ASSERT_TRUE(f.ok()) << f.status();
  const std::atomic<bool> stop = true;
  EXPECT_THAT(
      f->Run({{"n", Array(int64_t{7})}, {"x", *Array::Zeros(kFloat64, {5})}}, {.stop = &stop})
          .status()
          .message(),
      testing::HasSubstr("7 trips, but scanned and stacked values have 5"));
}

// A loop that counts another's trips runs twice, once for the length of what that one stacks.
TEST(Loop, EndsWhereItIsToldToBetweenItsLengthAndItsTrips) {
  told = false;
  drawn = 0;
  Tape t;
  const Value key = t.Input("key", kInt64, {});
  const LoopResult count =
      Loop(t, {.trips = 50, .carried = {key + 100}}, [&](LoopBody& body) -> LoopStep {
        const Value zero = MakeNode(kTellOp, {key, body.trip}, TypeAttributes{kFloat64, {}}, {});
        return {.carried = {body.carried[0] - 1 + Cast(zero, kInt64)}};
      });
  const LoopResult loop = Loop(t, {.trips = count.carried[0]}, [&](LoopBody& body) -> LoopStep {
    return {.carried = {}, .stacked = {body.trip + 1}};
  });
  const absl::StatusOr<Graph> graph = t.Finish({loop.stacked[0], loop.trips});
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Executable> f = Interpret(*graph);
  ASSERT_TRUE(f.ok()) << f.status();
  const auto out = f->Run({{"key", Array(int64_t{0})}}, {.stop = &told});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_TRUE(told);
  EXPECT_EQ((*out)[1].At(0), 1);
  EXPECT_EQ((*out)[0].dims(), Dims({50}));
  EXPECT_EQ((*out)[0].At(0), 1);
  EXPECT_EQ((*out)[0].At(1), 0);
}

}  // namespace
}  // namespace talweg
