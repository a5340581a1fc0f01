#include "jit/loops/join.h"

#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jit/loops/print.h"
#include "jit/loops/verify.h"
#include "tests/base/seeds.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

constexpr int64_t kTrips = 5, kRow = 8, kTile = 4;

int CountOf(const std::string& text, const std::string& word) {
  int count = 0;
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) count++;
  return count;
}

// Sections over the rows of in0 and out0, and two buffers in the arena.
class Sections {
 public:
  Sections()
      : h({{kFloat32, {kTrips * kRow}}, {kFloat32, {kRows}}},
          {{kFloat32, {kTrips * kRow}}, {kFloat32, {8}}}) {
    a = h.Arena("a", kFloat32, kTrips * kRow);
    b = h.Arena("b", kFloat32, kTrips * kRow);
  }

  // A section with one loop; `body` gets the row's index.
  template <typename F>
  void Add(const F& body, int64_t trips = kTrips) {
    h.b.OpenSection(absl::StrCat("s", count_++));
    const Register row = h.b.OpenFor({.value = 0}, {.value = trips}, 1).variable;
    body(row);
    h.b.CloseFor();
    h.b.CloseSection();
  }
  // A section with a loop over tiles of columns, and in it one over the rows, which sums up; `sum`
  // gets the row, the first column and the sums, and returns new ones; `end` gets the column and
  // the sums.
  template <typename F, typename E>
  void AddNest(const F& sum, const E& end, int64_t columns = kRow) {
    h.b.OpenSection(absl::StrCat("s", count_++));
    const Register column = h.b.OpenFor({.value = 0}, {.value = columns}, kTile).variable;
    const Register zero = h.b.Constant(kFloat32, 0, kTile);
    const Builder::Loop loop = h.b.OpenFor({.value = 0}, rows, 1, {zero});
    end(column, h.b.CloseFor({sum(loop.variable, column, loop.carried[0])})[0]);
    h.b.CloseFor();
    h.b.CloseSection();
  }
  template <typename F>
  void AddNest(const F& body, int64_t columns = kRow) {
    h.b.OpenSection(absl::StrCat("s", count_++));
    const Bound end = {.value = columns};
    const Register column = (threads ? h.b.OpenParallel({.value = 0}, end, kTile, 1e6)
                                     : h.b.OpenFor({.value = 0}, end, kTile))
                                .variable;
    const Register row = h.b.OpenFor({.value = 0}, rows, 1).variable;
    body(row, column);
    h.b.CloseFor();
    h.b.CloseFor();
    h.b.CloseSection();
  }
  Register At(Register row, Register column) { return h.b.Add(h.b.Times(row, kRow), column); }
  // Double() and Sum() by tiles.
  void DoubleTiles(int32_t from, int32_t to) {
    AddNest([&](Register row, Register column) {
      const Register x = h.b.Load(from, At(row, column), kTile);
      h.b.Store(to, At(row, column), h.b.Add(x, x));
    });
  }
  void SumTiles(int32_t from, int32_t to) {
    AddNest([&](Register row, Register column,
                Register sum) { return h.b.Add(sum, h.b.Load(from, At(row, column), kTile)); },
            [&](Register column, Register sum) { h.b.Store(to, column, sum); });
  }
  // to[row] = from[row] + from[row], by the buffers' numbers.
  void Double(int32_t from, int32_t to) {
    Add([&](Register row) {
      const Register at = h.b.Times(row, kRow);
      const Register x = h.b.Load(from, at, kRow);
      h.b.Store(to, at, h.b.Add(x, x));
    });
  }
  // The sum of the rows, in out1.
  void Sum(int32_t from) {
    h.b.OpenSection(absl::StrCat("s", count_++));
    const Register zero = h.b.Constant(kFloat32, 0, kRow);
    const Builder::Loop loop = h.b.OpenFor({.value = 0}, {.value = kTrips}, 1, {zero});
    const Register x = h.b.Load(from, h.b.Times(loop.variable, kRow), kRow);
    const Register sum = h.b.CloseFor({h.b.Add(loop.carried[0], x)})[0];
    h.b.Store(h.out[1], h.b.Index(0), sum);
    h.b.CloseSection();
  }

  // The text after joining; the results are those from before.
  std::string Join(const Machine& machine = {}) {
    ::talweg::Random random(7);
    const std::vector<Array> inputs = {random.Fill(kFloat32, {kTrips * kRow}),
                                       random.Fill(kFloat32, {kTrips})};
    const auto want = h.Run(inputs);
    EXPECT_TRUE(want.ok()) << want.status();
    Program program = h.Take();
    JoinLoops(program, machine);
    EXPECT_TRUE(Verify(program).ok()) << Verify(program);
    const auto got = h.RunAs(Evaluator(program), inputs);
    EXPECT_TRUE(got.ok()) << got.status();
    for (size_t k = 0; got.ok() && want.ok() && k < want->size(); k++) {
      EXPECT_TRUE(SameBits((*got)[k], (*want)[k])) << k;
    }
    const std::string text = ToString(program);
    return text.substr(text.find("section"));
  }

  Harness h;
  int32_t a = -1, b = -1;
  // Of nests.
  Bound rows = {.value = kTrips};
  bool threads = false;  // of those that sum up nothing

 private:
  int count_ = 0;
};

TEST(JoinLoops, KeepsWhatOnlyFollowingLoopsReadInRegisters) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Sum(s.a);
  s.Double(s.a, s.h.out[0]);
  const std::string text = s.Join();
  EXPECT_EQ(CountOf(text, "section"), 1) << text;
  EXPECT_EQ(CountOf(text, "for "), 1) << text;
  EXPECT_EQ(CountOf(text, "load"), 1) << text;
  EXPECT_EQ(CountOf(text, "store"), 2) << text;
  EXPECT_TRUE(absl::StrContains(text, "\"s0, s1, s2\"")) << text;
}

TEST(JoinLoops, JoinsChains) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Double(s.a, s.b);
  s.Double(s.b, s.h.out[0]);
  EXPECT_EQ(CountOf(s.Join(), "for "), 1);
}

TEST(JoinLoops, MovesReadersPastWhatDoesNotMind) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Add([&](Register row) { s.h.b.Store(s.h.out[0], s.h.b.Times(row, kRow), s.h.b.Index(0)); }, 0);
  s.Double(s.h.in[0], s.h.out[0]);
  s.Sum(s.a);
  const std::string text = s.Join();
  EXPECT_EQ(CountOf(text, "section"), 2) << text;
  EXPECT_TRUE(absl::StrContains(text, "s0, s")) << text;
}

TEST(JoinLoops, StaysBehindWhatItReads) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Double(s.h.in[0], s.h.out[0]);
  s.Add([&](Register row) {
    const Register at = s.h.b.Times(row, kRow);
    const Register x = s.h.b.Load(s.a, at, kRow);
    s.h.b.Store(s.h.out[0], at, s.h.b.Add(x, s.h.b.Load(s.h.out[0], at, kRow)));
  });
  // out0 is written between them: a stays in memory.
  EXPECT_EQ(CountOf(s.Join(), "store a"), 1);
}

TEST(JoinLoops, LeavesWhatAnotherTripWrote) {
  for (const int64_t offset : {int64_t{1}, kRow}) {
    Sections s;
    s.Double(s.h.in[0], s.a);
    s.Add(
        [&](Register row) {
          const Register at = s.h.b.Times(row, kRow);
          s.h.b.Store(s.h.out[0], at, s.h.b.Load(s.a, s.h.b.Plus(at, offset), kRow));
        },
        kTrips - 1);
    EXPECT_EQ(CountOf(s.Join(), "for "), 2) << offset;
  }
  // The same trips, rows in another order.
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Add([&](Register row) {
    const Register last = s.h.b.Sub(s.h.b.Index(kTrips - 1), row);
    s.h.b.Store(s.h.out[0], s.h.b.Times(row, kRow), s.h.b.Load(s.a, s.h.b.Times(last, kRow), kRow));
  });
  EXPECT_EQ(CountOf(s.Join(), "for "), 2);
}

// Each trip writes the same place, or reaches into the next one's.
TEST(JoinLoops, LeavesStoresThatMeet) {
  for (const int64_t step : {0, 1, 4}) {
    Sections s;
    s.Add([&](Register row) {
      const Register x = s.h.b.Load(s.h.in[0], s.h.b.Times(row, kRow), kRow);
      s.h.b.Store(s.a, s.h.b.Times(row, step), x);
    });
    s.Add([&](Register row) {
      const Register x = s.h.b.Load(s.a, s.h.b.Times(row, step), kRow);
      s.h.b.Store(s.h.out[0], s.h.b.Times(row, kRow), x);
    });
    EXPECT_EQ(CountOf(s.Join(), "for "), 2) << step;
  }
}

// Stores of one trip that meet, on either side, or lie by different indices.
TEST(JoinLoops, LeavesWhatOneTripStoresTwice) {
  for (const int way : {0, 1, 2}) {
    Sections s;
    Builder& b = s.h.b;
    s.Add([&](Register row) {
      const Register at = b.Times(row, kRow);
      const Register other = way == 2 ? b.Mul(row, b.Add(row, b.Index(3))) : at;
      const Register half = b.Load(s.h.in[0], at, 4);
      if (way == 1) b.Store(s.a, b.Plus(at, 4), half);
      b.Store(s.a, at, b.Load(s.h.in[0], at, kRow));
      if (way == 0) b.Store(s.a, b.Plus(at, 4), half);
      if (way == 2) b.Store(s.a, other, half);
    });
    s.Add([&](Register row) {
      const Register at = b.Times(row, kRow);
      b.Store(s.h.out[0], at, b.Load(s.a, at, kRow));
    });
    EXPECT_EQ(CountOf(s.Join(), "for "), 2) << way;
  }
}

// A load leaves zeros where its mask does.
TEST(JoinLoops, LeavesWhatHasMasks) {
  Sections s;
  Builder& b = s.h.b;
  const auto copy = [&](int32_t from, int32_t to, bool all) {
    s.Add([&](Register row) {
      const Register at = b.Times(row, kRow);
      const Register mask = b.Below(b.Plus(row, 2), kRow);
      const Register x = b.Load(from, at, kRow, {.mask = from == s.a ? mask : kNone});
      b.Store(to, at, x, {.mask = all ? kNone : mask});
    });
  };
  copy(s.h.in[0], s.a, false);
  copy(s.a, s.h.out[0], true);
  EXPECT_EQ(CountOf(s.Join(), "for "), 2);
}

// What the first loop loads before and after it stores is not the same.
TEST(JoinLoops, TellsLoadsBeforeAndAfterAStoreApart) {
  Sections s;
  Builder& b = s.h.b;
  s.Double(s.h.in[0], s.h.out[0]);
  s.Add([&](Register row) {
    const Register at = b.Times(row, kRow);
    const Register before = b.Load(s.h.out[0], at, kRow);
    const Register twice = b.Add(before, before);
    b.Store(s.h.out[0], at, twice);
    b.Store(s.a, at, b.Load(s.h.out[0], at, kRow));
  });
  s.h.b.OpenSection("sum");
  const Register zero = b.Constant(kFloat32, 0, kRow);
  const Builder::Loop loop = b.OpenFor({.value = 0}, {.value = kTrips}, 1, {zero});
  const Register x = b.Load(s.a, b.Times(loop.variable, kRow), kRow);
  const Register sum = b.CloseFor({b.Add(loop.carried[0], b.Add(x, x))})[0];
  b.Store(s.h.out[1], b.Index(0), sum);
  b.CloseSection();
  EXPECT_EQ(CountOf(s.Join(), "for "), 2);
}

// A reader that stores by two indices, of which the second may be the first one's place.
TEST(JoinLoops, LeavesReadersWhoseStoresMayMeet) {
  Sections s;
  Builder& b = s.h.b;
  s.Double(s.h.in[0], s.a);
  s.Add([&](Register row) {
    const Register at = b.Times(row, kRow);
    b.Store(s.h.out[0], at, b.Load(s.a, at, kRow));
    b.Store(s.h.out[0], b.Mul(row, b.Index(kRow - 1)), b.Load(s.h.in[0], at, kRow));
  });
  EXPECT_EQ(CountOf(s.Join(), "for "), 2);
}

// What the reader does to other memory stays in order.
TEST(JoinLoops, LeavesReadersThatOverwriteWhatTheyRead) {
  Sections s;
  Builder& b = s.h.b;
  s.Double(s.h.in[0], s.b);
  s.Double(s.b, s.h.out[0]);
  s.Double(s.h.in[0], s.a);
  s.Add([&](Register row) {
    const Register at = b.Times(row, kRow);
    const Register before = b.Load(s.b, at, kRow);
    b.Store(s.b, at, b.Load(s.a, at, kRow));
    b.Store(s.h.out[0], at, before);
  });
  EXPECT_EQ(CountOf(s.Join(), "store a"), 1);
}

TEST(JoinLoops, DropsAllThatNobodyReadsThen) {
  Sections s;
  Builder& b = s.h.b;
  s.Add([&](Register row) {
    const Register at = b.Times(row, kRow);
    const Register x = b.Load(s.h.in[0], at, kRow);
    b.Store(s.a, at, b.Add(x, x));
    b.Store(s.b, at, b.Mul(x, x));
  });
  s.Add([&](Register row) {
    const Register at = b.Times(row, kRow);
    const Register sum = b.Load(s.a, at, kRow);
    b.Store(s.h.out[0], at, b.Add(sum, b.Load(s.b, at, kRow)));
  });
  EXPECT_EQ(CountOf(s.Join(), "store "), 1);
}

TEST(JoinLoops, LeavesWhatOthersRead) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Double(s.a, s.h.out[0]);
  s.Add([&](Register row) { s.h.b.Store(s.h.out[1], row, s.h.b.Load(s.a, row, 1)); });
  EXPECT_EQ(CountOf(s.Join(), "for "), 3);
}

TEST(JoinLoops, LeavesWhatIsReadBehindTheLoopAroundBoth) {
  Sections s;
  s.h.b.OpenFor({.value = 0}, {.value = 2}, 1);
  s.Double(s.h.in[0], s.a);
  s.Double(s.a, s.h.out[0]);
  s.h.b.CloseFor();
  s.Sum(s.a);
  EXPECT_EQ(CountOf(s.Join(), "store a["), 1);
}

TEST(JoinLoops, LeavesWhatHasNoRegisters) {
  for (const int sums : {1, 3}) {
    Sections s;
    s.Double(s.h.in[0], s.a);
    for (int i = 0; i < sums; i++) s.Sum(s.a);
    const std::string text = s.Join({.vector_bytes = 32, .vector_registers = 6});
    EXPECT_EQ(CountOf(text, "for "), sums == 1 ? 1 : 4) << text;
  }
}

TEST(JoinLoops, JoinsNests) {
  for (const bool at_run_time : {false, true}) {
    Sections s;
    if (at_run_time) s.rows = {.reg = s.h.b.Rows()};
    s.DoubleTiles(s.h.in[0], s.a);
    s.SumTiles(s.a, s.h.out[1]);
    s.DoubleTiles(s.a, s.h.out[0]);
    const std::string text = s.Join();
    EXPECT_EQ(CountOf(text, "section"), 1) << text;
    EXPECT_EQ(CountOf(text, "for "), 2) << text;
    EXPECT_EQ(CountOf(text, "load"), 1) << text;
    EXPECT_EQ(CountOf(text, "store"), 2) << text;
  }
}

// Work that threads share goes to nests that they share.
TEST(JoinLoops, JoinsNestsOfSeveralThreads) {
  for (const bool both : {false, true}) {
    Sections s;
    s.threads = true;
    s.DoubleTiles(s.h.in[0], s.a);
    s.threads = both;
    s.DoubleTiles(s.a, s.h.out[0]);
    const std::string text = s.Join();
    EXPECT_EQ(CountOf(text, "for "), both ? 2 : 4) << text;
    EXPECT_EQ(CountOf(text, "cost 2000000"), both ? 1 : 0) << text;
  }
}

// Numbers that both nests compute in front of their inner loops, and sums that begin with them.
TEST(JoinLoops, JoinsWhatNestsComputeBetweenTheirLoops) {
  Sections s;
  Builder& b = s.h.b;
  s.rows = {.reg = b.Rows()};
  const auto nest = [&](int32_t from, bool sums) {
    b.OpenSection("nest");
    const Register column = b.OpenFor({.value = 0}, {.value = kRow}, kTile).variable;
    const Register first = b.Load(s.h.in[0], column, kTile);
    const Register twice = b.Add(first, first);
    const Builder::Loop loop = b.OpenFor({.value = 0}, s.rows, 1, {twice});
    const Register at = s.At(loop.variable, column);
    const Register x = b.Mul(b.Load(from, at, kTile), twice);
    if (!sums) b.Store(s.a, at, x);
    const Register sum = b.CloseFor({b.Add(loop.carried[0], x)})[0];
    b.Store(s.h.out[sums ? 1 : 0], column, sum);
    b.CloseFor();
    b.CloseSection();
  };
  nest(s.h.in[0], false);
  nest(s.a, true);
  const std::string text = s.Join();
  EXPECT_EQ(CountOf(text, "for "), 2) << text;
  EXPECT_EQ(CountOf(text, "store a["), 0) << text;
}

TEST(JoinLoops, LeavesNestsOfOtherLoops) {
  Sections s;
  s.DoubleTiles(s.h.in[0], s.a);
  s.Double(s.a, s.h.out[0]);
  EXPECT_EQ(CountOf(s.Join(), "for "), 3);
}

// The tiles of a row reach into the next row, or all lie in one place.
TEST(JoinLoops, LeavesNestsWhoseTripsMeet) {
  for (const bool reach : {false, true}) {
    Sections s;
    const int32_t wide = s.h.Arena("wide", kFloat32, (kTrips + 1) * kRow);
    const auto at = [&](Register row, Register column) {
      return reach ? s.At(row, column) : s.h.b.Times(row, kRow);
    };
    const int64_t columns = reach ? 2 * kRow : kRow;
    s.AddNest(
        [&](Register row, Register column) {
          const Register x = s.h.b.Load(s.h.in[0], s.h.b.Plus(row, 1), kTile);
          const Register y = s.h.b.Splat(s.h.b.Load(s.h.in[0], column, 1), kTile);
          s.h.b.Store(wide, at(row, column), s.h.b.Add(x, y));
        },
        columns);
    s.AddNest(
        [&](Register row, Register column, Register sum) {
          return s.h.b.Add(sum, s.h.b.Load(wide, at(row, column), kTile));
        },
        [&](Register column, Register sum) {
          if (!reach) s.h.b.Store(s.h.out[1], column, sum);
          if (reach) s.h.b.Store(s.h.out[0], column, sum);
        },
        columns);
    EXPECT_EQ(CountOf(s.Join(), "store wide"), 1);
  }
}

// What the second nest writes at the end of a tile, the first one reads or writes for the next one.
TEST(JoinLoops, LeavesNestsThatMeetBetweenTheirInnerLoops) {
  for (const bool reads : {false, true}) {
    Sections s;
    const int32_t first = s.h.Arena("first", kFloat32, 2 * kRow);
    s.Add(
        [&](Register row) {
          s.h.b.Store(first, s.h.b.Times(row, kRow), s.h.b.Load(s.h.in[0], row, kRow));
        },
        2);
    s.AddNest(
        [&](Register row, Register column, Register sum) {
          const Register x = s.h.b.Load(s.h.in[0], s.At(row, column), kTile);
          const Register y = reads ? s.h.b.Load(first, column, kTile) : x;
          s.h.b.Store(s.a, s.At(row, column), s.h.b.Add(x, y));
          return s.h.b.Add(sum, y);
        },
        [&](Register column, Register sum) {
          if (reads) return s.h.b.Store(s.h.out[1], column, sum);
          s.h.b.Store(first, s.h.b.Plus(column, kTile), sum);
        });
    s.SumTiles(s.a, first);
    s.AddNest([&](Register row, Register column) {
      s.h.b.Store(s.h.out[0], s.At(row, column), s.h.b.Load(first, column, kTile));
    });
    EXPECT_GE(CountOf(s.Join(), "store a["), 1);
  }
}

// The first nest writes at the end of a tile what the second one reads in its inner loop.
TEST(JoinLoops, LeavesNestsThatReadWhatWasSummed) {
  Sections s;
  s.SumTiles(s.h.in[0], s.a);
  s.AddNest([&](Register row, Register column) {
    s.h.b.Store(s.h.out[0], s.At(row, column), s.h.b.Load(s.a, column, kTile));
  });
  EXPECT_EQ(CountOf(s.Join(), "for "), 4);
}

// Its own trips' reports come first; a reader that reports as well would do so too early.
TEST(JoinLoops, KeepsReportsInOrder) {
  for (const bool both : {false, true}) {
    Sections s;
    const int32_t site =
        s.h.b.AddSite({.what = ErrorSite::What::kIndex, .before = "", .after = ""});
    const auto checked = [&](Register row) {
      return s.h.b.CheckIndex(row, s.h.b.Index(kTrips), site);
    };
    s.Add([&](Register row) {
      s.h.b.Store(s.a, row, s.h.b.Load(s.h.in[0], checked(s.h.b.Times(row, 1)), 1));
    });
    s.Add([&](Register row) {
      const Register x = s.h.b.Load(s.a, row, 1);
      s.h.b.Store(s.h.out[0], both ? checked(row) : row, s.h.b.Add(x, x));
    });
    EXPECT_EQ(CountOf(s.Join(), "for "), both ? 2 : 1);
  }
}

// Sections that read what others of them wrote, at the same rows, shifted, turned around, in
// halves, some with sums; joined or not, the bits are the same.
TEST(JoinLoops, KeepsTheBitsOfDrawnPrograms) {
  const std::vector<uint64_t> seeds = FuzzSeeds(3000);
  int joined[2] = {0, 0};  // of loops, of nests
  for (const uint64_t seed : seeds) {
    if (testing::Test::HasFailure()) break;
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    ::talweg::Random random(seed);
    Sections s;
    Builder& b = s.h.b;
    std::vector<int32_t> written = {s.h.in[0]};
    std::vector<int32_t> fresh;
    for (int i = 0; i < 5; i++) {
      fresh.push_back(s.h.Arena(absl::StrCat("t", i), kFloat32, kTrips * kRow));
    }
    // Of loops, or of nests of two.
    const bool nests = random.Chance(0.5);
    if (random.Chance(0.5)) s.rows = {.reg = b.Rows()};
    for (int64_t i = random.Between(2, 5); i > 0; i--) {
      const int32_t from = random.Chance(0.7) ? written.back() : random.Pick(written);
      const int32_t also = random.Pick(written);
      if (random.Chance(0.3)) {
        if (!nests) {
          s.Sum(from);
        } else {
          s.SumTiles(from, written.back() == s.h.in[0] || random.Chance(0.8) ? s.h.out[1]
                                                                             : written.back());
        }
        continue;
      }
      int32_t to = s.h.out[0];
      if (!fresh.empty() && random.Chance(0.8)) {
        to = fresh.back();
        fresh.pop_back();
      } else if (random.Chance(0.3)) {
        to = random.Pick(written);
      }
      if (to == s.h.in[0]) continue;
      const int64_t width = nests ? kTile : kRow;
      const int64_t lanes = random.Chance(0.7) ? width : width / 2;
      const bool turned = random.Chance(0.1), carries = random.Chance(0.1);
      const bool stays = random.Chance(0.05);  // where the first tile lies
      const auto body = [&](Register row, Register column) {
        const Register at = stays ? b.Times(row, kRow) : s.At(row, column);
        Register other = at;
        if (turned) other = s.At(b.Sub(b.Index(kTrips - 1), row), column);
        for (int64_t part = 0; part < width; part += lanes) {
          const auto l = static_cast<int32_t>(lanes);
          const int64_t swapped = random.Chance(0.1) ? width - lanes - part : part;
          const Register x = b.Load(from, b.Plus(other, swapped), l);
          const Register y = b.Load(also, carries ? b.Plus(column, part) : b.Plus(at, part), l);
          b.Store(to, b.Plus(at, part), b.Add(x, y));
          if (random.Chance(0.1)) b.Store(to, b.Plus(at, part), b.Mul(x, y));
          if (random.Chance(0.1)) b.Store(s.h.out[0], b.Plus(at, part), y);
        }
      };
      if (nests) {
        s.AddNest(body);
      } else {
        s.Add([&](Register row) { body(row, b.Index(0)); });
      }
      written.push_back(to);
    }
    if (written.back() != s.h.out[0]) s.Double(written.back(), s.h.out[0]);
    const int before = CountOf(ToString(s.h.Take()), "section");
    const std::string text = s.Join();
    joined[nests] += CountOf(text, "section") < before ? 1 : 0;
  }
  std::cout << joined[0] << " and " << joined[1] << " of " << seeds.size() << " were joined\n";
  for (const int count : joined) EXPECT_GT(count, static_cast<int>(seeds.size() / 20));
}

}  // namespace
}  // namespace talweg::loops
