#include "jit/loops/strips.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jit/loops/lower.h"
#include "jit/loops/verify.h"
#include "tests/base/seeds.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

constexpr int64_t kMost = 48, kRow = 8;  // rows, and floats of one
// 16 rows fit.
constexpr Machine kSmall = {.l1_bytes = 1024};

const For* StripsOf(const Program& program) {
  for (const Statement& statement : program.body) {
    const auto* loop = std::get_if<For>(&statement.node);
    if (loop != nullptr) return loop;
  }
  return nullptr;
}

// The sections of the loop over strips; 0: there is none.
size_t SectionsInStrips(const Program& program) {
  const For* const strips = StripsOf(program);
  if (strips == nullptr) return 0;
  size_t sections = 0;
  for (const Statement& statement : strips->body) {
    sections += std::holds_alternative<Section>(statement.node) ? 1 : 0;
  }
  return sections;
}

// Sections over the rows of in0 and out0 [kMost * kRow], as many as in1 has elements, and two
// buffers in the arena.
class Sections {
 public:
  Sections()
      : h({{kFloat32, {(kMost + 1) * kRow}}, {kFloat32, {kRows}}},
          {{kFloat32, {(kMost + 1) * kRow}}, {kFloat32, {kRow}}}) {
    a = h.Arena("a", kFloat32, kMost * kRow);
    b = h.Arena("b", kFloat32, kMost * kRow);
    rows = {.reg = h.b.Rows()};
  }

  template <typename F>
  void Add(const F& body, int64_t step = 1) {
    h.b.OpenSection(absl::StrCat("s", count_++));
    body(h.b.OpenFor({.value = 0}, rows, step).variable);
    h.b.CloseFor();
    h.b.CloseSection();
  }
  // Of a row's trip.
  int32_t Scratch(std::string name) {
    Builder& b = h.b;
    const int64_t offset = b.program().thread_bytes;
    b.program().thread_bytes += 64;
    return b.AddBuffer({.name = std::move(name),
                        .dtype = kFloat32,
                        .home = Buffer::Home::kThread,
                        .slot = -1,
                        .offset = offset,
                        .elements = kRow});
  }
  Register At(Register row) { return h.b.Times(row, kRow); }
  // to[row] = from[row + above] + from[row + above]
  void Double(int32_t from, int32_t to, int64_t above = 0) {
    Add([&](Register row) {
      const Register x = h.b.Load(from, At(h.b.Plus(row, above)), kRow);
      h.b.Store(to, At(row), h.b.Add(x, x));
    });
  }
  // The same in a loop over halves of rows that has the one over rows in it.
  void DoubleHalves(int32_t from, int32_t to) {
    h.b.OpenSection(absl::StrCat("s", count_++));
    const Register half = h.b.OpenFor({.value = 0}, {.value = kRow}, 4).variable;
    const Register row = h.b.OpenFor({.value = 0}, rows).variable;
    const Register at = h.b.Add(At(row), half);
    const Register x = h.b.Load(from, at, 4);
    h.b.Store(to, at, h.b.Add(x, x));
    h.b.CloseFor();
    h.b.CloseFor();
    h.b.CloseSection();
  }
  // The sum of the rows, in out1.
  void Sum(int32_t from) {
    h.b.OpenSection(absl::StrCat("s", count_++));
    const Register zero = h.b.Constant(kFloat32, 0, kRow);
    const Builder::Loop loop = h.b.OpenFor({.value = 0}, rows, 1, {zero});
    const Register x = h.b.Load(from, At(loop.variable), kRow);
    h.b.Store(h.out[1], h.b.Index(0), h.b.CloseFor({h.b.Add(loop.carried[0], x)})[0]);
    h.b.CloseSection();
  }

  // The program in strips; what it computes is what it did before, for any number of rows.
  Program Strip(const Machine& machine = kSmall) {
    ::talweg::Random random(7);
    Program program = h.Take();
    RunInStrips(program, machine);
    program.arena_bytes = program.thread_bytes = 0;
    EXPECT_TRUE(AssignMemory(program).ok());
    EXPECT_TRUE(Verify(program).ok()) << Verify(program);
    for (const int64_t count : {0, 1, 15, 16, 17, 33, 48}) {
      const std::vector<Array> inputs = {random.Fill(kFloat32, {(kMost + 1) * kRow}),
                                         random.Fill(kFloat32, {count})};
      const auto want = h.Run(inputs);
      const auto got = h.RunAs(Evaluator(program), inputs);
      EXPECT_TRUE(want.ok() && got.ok()) << want.status() << got.status();
      for (size_t k = 0; got.ok() && want.ok() && k < want->size(); k++) {
        EXPECT_TRUE(SameBits((*got)[k], (*want)[k])) << count << " rows, output " << k;
      }
    }
    return program;
  }

  Harness h;
  int32_t a = -1, b = -1;
  Bound rows;

 private:
  int count_ = 0;
};

TEST(Strips, HandRowsOnInTheFirstCache) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.DoubleHalves(s.a, s.b);
  s.Double(s.b, s.h.out[0]);
  const Program program = s.Strip();
  EXPECT_EQ(SectionsInStrips(program), 3);
  EXPECT_EQ(StripsOf(program)->step, 8);
  for (int32_t buffer : {s.a, s.b}) {
    EXPECT_EQ(program.buffers[static_cast<size_t>(buffer)].elements, 8 * kRow + 32);
  }
}

TEST(Strips, AreOfRowsWhoseNumberIsKnown) {
  for (const int64_t rows : {17, 32, 48}) {
    Sections s;
    s.rows = {.value = rows};
    s.Double(s.h.in[0], s.a);
    s.Double(s.a, s.h.out[0]);
    EXPECT_EQ(SectionsInStrips(s.Strip()), 2);
  }
}

TEST(Strips, KeepAllOfWhatOthersRead) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Double(s.a, s.h.out[0]);
  s.Sum(s.a);
  const Program program = s.Strip();
  EXPECT_EQ(SectionsInStrips(program), 2);
  EXPECT_EQ(program.buffers[static_cast<size_t>(s.a)].elements, kMost * kRow);
}

// What a trip of a loop around the sections left is there in the next one.
TEST(Strips, KeepWhatIsReadBeforeItIsWritten) {
  Sections s;
  Builder& b = s.h.b;
  const Register trip = b.OpenFor({.value = 0}, {.value = 3}, 1).variable;
  s.Add([&](Register row) {
    const Register is_first = b.Splat(b.Binary(Opcode::kEqual, trip, b.Index(0)), kRow);
    const Register left = b.Load(s.a, s.At(row), kRow);
    b.Store(s.b, s.At(row), b.Select(is_first, b.Constant(kFloat32, 0, kRow), left));
  });
  s.Add([&](Register row) {
    const Register x = b.Load(s.b, s.At(row), kRow);
    b.Store(s.a, s.At(row), b.Add(x, b.Load(s.h.in[0], s.At(row), kRow)));
  });
  s.Double(s.b, s.h.out[0]);
  b.CloseFor();
  const Program program = s.Strip();
  EXPECT_TRUE(std::holds_alternative<For>(StripsOf(program)->body[0].node));
  EXPECT_EQ(program.buffers[static_cast<size_t>(s.a)].elements, kMost * kRow);
  EXPECT_LT(program.buffers[static_cast<size_t>(s.b)].elements, kMost * kRow);
}

TEST(Strips, PassOverWhatDoesNotMind) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Sum(s.h.in[0]);
  s.Double(s.a, s.h.out[0]);
  EXPECT_EQ(SectionsInStrips(s.Strip()), 2);
}

TEST(Strips, StayBehindWhatTheyRead) {
  Sections s;
  s.Double(s.h.in[0], s.a);
  s.Sum(s.h.in[0]);
  s.Add([&](Register row) {
    const Register sum = s.h.b.Load(s.h.out[1], s.h.b.Index(0), kRow);
    s.h.b.Store(s.h.out[0], s.At(row), s.h.b.Add(sum, s.h.b.Load(s.a, s.At(row), kRow)));
  });
  EXPECT_EQ(SectionsInStrips(s.Strip()), 0);
}

TEST(Strips, AreNotOfWhatReadsOtherRows) {
  for (const int way : {0, 1, 2}) {
    Sections s;
    Builder& b = s.h.b;
    const int32_t wide = s.h.Arena("wide", kFloat32, (kMost + 1) * kRow);
    s.Double(s.h.in[0], wide);
    s.Add([&](Register row) {
      const Register other = way == 0   ? b.Plus(row, 1)
                             : way == 1 ? b.Sub(b.InRegister(s.rows), b.Plus(row, 1))
                                        : b.Times(row, 0);
      b.Store(s.h.out[0], s.At(row), b.Load(wide, s.At(other), kRow));
    });
    // (In the first way the last row reads what nobody wrote, which is not compared.)
    if (way == 0) {
      Program program = s.h.Take();
      RunInStrips(program, kSmall);
      EXPECT_EQ(SectionsInStrips(program), 0);
      continue;
    }
    EXPECT_EQ(SectionsInStrips(s.Strip()), 0) << way;
  }
}

// Rows whose ends reach into the next ones, from either side.
TEST(Strips, AreNotOfRowsThatMeet) {
  for (const bool writer : {false, true}) {
    Sections s;
    Builder& b = s.h.b;
    s.Add([&](Register row) {
      b.Store(s.a, b.Times(row, 4), b.Load(s.h.in[0], s.At(row), writer ? kRow : 4));
    });
    s.Add([&](Register row) {
      b.Store(s.h.out[0], s.At(row), b.Load(s.a, b.Times(row, 4), writer ? 4 : kRow));
    });
    EXPECT_EQ(SectionsInStrips(s.Strip({.l1_bytes = 512})), 0) << writer;
  }
}

// The second section reads every other row, and so what later strips write.
TEST(Strips, AreNotOfOtherStrides) {
  Sections s;
  Builder& b = s.h.b;
  const int32_t wide = s.h.Arena("wide", kFloat32, 2 * kMost * kRow);
  b.OpenSection("zeros", true);
  const Register at = b.OpenFor({.value = 0}, {.value = 2 * kMost * kRow}, kRow).variable;
  b.Store(wide, at, b.Constant(kFloat32, 0, kRow));
  b.CloseFor();
  b.CloseSection();
  s.Double(s.h.in[0], wide);
  s.Add([&](Register row) {
    b.Store(s.h.out[0], s.At(row), b.Load(wide, b.Times(row, 2 * kRow), kRow));
  });
  EXPECT_EQ(SectionsInStrips(s.Strip()), 0);
}

// Several rows a trip, of which the last trip's may lie behind the end.
TEST(Strips, AreOfWholeTrips) {
  Sections s;
  Builder& b = s.h.b;
  s.Add(
      [&](Register row) {
        for (int64_t k = 0; k < 4; k++) {
          const Register at = s.At(b.Plus(row, k));
          b.Store(s.a, at, b.Load(s.h.in[0], at, kRow));
        }
      },
      4);
  s.Double(s.a, s.h.out[0]);
  EXPECT_EQ(SectionsInStrips(s.Strip()), 2);
  Sections large;
  large.Add(
      [&](Register row) {
        large.h.b.Store(large.a, large.At(row), large.h.b.Load(large.h.in[0], large.At(row), 8));
      },
      32);
  large.Double(large.a, large.h.out[0]);
  EXPECT_EQ(SectionsInStrips(large.Strip()), 0);
}

// Memory that each trip fills and reads, by one section and by two.
TEST(Strips, MayHaveScratchOfATrip) {
  for (const bool nested : {false, true}) {
    Sections s;
    Builder& b = s.h.b;
    const int32_t first = s.Scratch("first"), second = s.Scratch("second");
    b.OpenSection("s");
    if (nested) b.OpenFor({.value = 0}, {.value = 2});
    const Register row = b.OpenFor({.value = 0}, s.rows).variable;
    b.Store(first, b.Index(0), b.Load(s.h.in[0], s.At(row), kRow));
    b.Store(s.a, s.At(row), b.Load(first, b.Index(0), kRow));
    b.CloseFor();
    if (nested) b.CloseFor();
    b.CloseSection();
    s.Add([&](Register at) {
      const Register x = b.Load(s.a, s.At(at), kRow);
      b.Store(second, b.Index(0), b.Add(x, x));
      b.Store(s.h.out[0], s.At(at), b.Load(second, b.Index(0), kRow));
    });
    EXPECT_EQ(SectionsInStrips(s.Strip()), nested ? 0 : 2);
  }
}

// Memory that hands a sum from row to row, of the section alone, read before it is written.
TEST(Strips, AreNotOfWhatRowsHandToRows) {
  for (const bool in_front : {false, true}) {
    Sections s;
    Builder& b = s.h.b;
    const int32_t sum = s.Scratch("sum"), other = s.Scratch("other");
    b.OpenFor({.value = 0}, {.value = 3}, 1);
    b.OpenSection("s");
    const Register before = in_front ? b.Load(s.h.out[1], b.Index(0), kRow) : kNone;
    const Register row = b.OpenFor({.value = 0}, s.rows).variable;
    const Register x = b.Load(s.h.in[0], s.At(row), kRow);
    if (in_front) {
      b.Store(s.a, s.At(row), b.Add(before, x));
      b.Store(s.h.out[1], b.Index(0), x);
    } else {
      const Register is_first = b.Splat(b.Binary(Opcode::kEqual, row, b.Index(0)), kRow);
      const Register zero = b.Constant(kFloat32, 0, kRow);
      const Register more = b.Add(b.Select(is_first, zero, b.Load(sum, b.Index(0), kRow)), x);
      b.Store(sum, b.Index(0), more);
      b.Store(s.a, s.At(row), more);
    }
    b.CloseFor();
    b.CloseSection();
    s.Add([&](Register at) {
      b.Store(other, b.Index(0), b.Load(s.a, s.At(at), kRow));
      b.Store(s.h.out[0], s.At(at), b.Load(other, b.Index(0), kRow));
    });
    b.CloseFor();
    const Program program = s.Strip();
    EXPECT_EQ(StripsOf(program)->step, 1);
    EXPECT_TRUE(std::holds_alternative<Section>(StripsOf(program)->body[0].node));
  }
}

TEST(Strips, AreTheSameInEachCompile) {
  std::string text;
  for (int i = 0; i < 20; i++) {
    Sections s;
    Builder& b = s.h.b;
    s.rows = {.value = 32};
    const int32_t c = s.h.Arena("c", kFloat32, 32 * kRow);
    s.Add([&](Register row) {
      const Register x = b.Load(s.h.in[0], s.At(row), kRow);
      b.Store(c, s.At(row), x);
      b.Store(s.h.out[0], s.At(row), b.Add(x, x));
    });
    s.Add([&](Register row) {
      const Register x = b.Load(c, s.At(row), kRow);
      b.Store(s.b, s.At(row), b.Add(x, b.Load(s.h.out[0], s.At(row), kRow)));
    });
    s.Sum(s.b);
    const std::string now = ToString(s.Strip({.l1_bytes = 4096}));
    EXPECT_TRUE(i == 0 || now == text) << now << text;
    text = now;
  }
}

// A hint has no say in it, and may be of no index.
TEST(Strips, KeepPrefetches) {
  Sections s;
  Builder& b = s.h.b;
  s.Add([&](Register row) {
    b.Prefetch(s.a, b.Index(0));
    b.Store(s.a, s.At(row), b.Load(s.h.in[0], s.At(row), kRow));
  });
  s.Double(s.a, s.h.out[0]);
  EXPECT_EQ(SectionsInStrips(s.Strip()), 2);
}

// As many rows as the cache keeps.
TEST(Strips, OfShortRowsHaveMany) {
  Harness h({{kFloat32, {1 << 16}}}, {{kFloat32, {1 << 16}}});
  Builder& b = h.b;
  const int32_t a = h.Arena("a", kFloat32, 1 << 16);
  for (const bool first : {true, false}) {
    b.OpenSection("s");
    const Register at = b.OpenFor({.value = 0}, {.value = 1 << 16}, 16).variable;
    const Register x = b.Load(first ? h.in[0] : a, at, 16);
    b.Store(first ? a : h.out[0], at, b.Add(x, x));
    b.CloseFor();
    b.CloseSection();
  }
  Program program = h.Take();
  RunInStrips(program, {.l1_bytes = 32 << 10});
  EXPECT_EQ(StripsOf(program)->step, 2048);
}

// Of many sections, each of which hands a value to the next one.
TEST(Strips, TakeLittleTimeToFind) {
  const auto time = [](int sections) {
    Sections s;
    int32_t from = s.h.in[0];
    for (int i = 0; i < sections; i++) {
      const int32_t to = s.h.Arena("x", kFloat32, kMost * kRow);
      s.Double(from, to);
      from = to;
    }
    Program program = s.h.Take();
    std::clock_t best = std::numeric_limits<std::clock_t>::max();
    for (int round = 0; round < 5; round++) {
      Program copy = program;
      const std::clock_t start = std::clock();
      RunInStrips(copy, {.l1_bytes = 1 << 20});
      best = std::min(best, std::clock() - start);
    }
    return best;
  };
  const std::clock_t few = time(200), many = time(1600);
  EXPECT_LT(many, 30 * few + CLOCKS_PER_SEC / 100) << few << " for 200, " << many << " for 1600";
}

TEST(Strips, AreNotOfWhatMayFailOrCarries) {
  for (const int way : {0, 1, 2}) {
    Sections s;
    Builder& b = s.h.b;
    const int32_t site = b.AddSite({.before = "index ", .after = ""});
    s.Double(s.h.in[0], s.a);
    if (way == 0) {
      s.Add([&](Register row) {
        const Register at = b.CheckIndex(row, b.InRegister(s.rows), site);
        b.Store(s.h.out[0], s.At(row), b.Load(s.a, s.At(at), kRow));
      });
    } else if (way == 1) {
      s.Sum(s.a);
    } else {
      b.OpenSection("threads");
      const Register row = b.OpenParallel({.value = 0}, s.rows, 1, 1e6).variable;
      b.Store(s.h.out[0], s.At(row), b.Load(s.a, s.At(row), kRow));
      b.CloseFor();
      b.CloseSection();
    }
    EXPECT_EQ(SectionsInStrips(s.Strip()), 0) << way;
  }
}

TEST(Strips, AreForWhatTheCacheDoesNotKeep) {
  for (const int64_t bytes : {1 << 10, 1 << 20}) {
    Sections s;
    s.Double(s.h.in[0], s.a);
    s.Double(s.a, s.h.out[0]);
    EXPECT_EQ(SectionsInStrips(s.Strip({.l1_bytes = bytes})), bytes == 1 << 10 ? 2 : 0);
  }
}

// Each strip reads all of that again.
TEST(Strips, AreNotWorthMuchElse) {
  for (const int64_t others : {8, 8192}) {
    Sections s;
    Builder& b = s.h.b;
    const int32_t weights = s.h.Arena("weights", kFloat32, others);
    s.Add([&](Register row) { b.Store(s.a, s.At(row), b.Load(s.h.in[0], s.At(row), kRow)); });
    s.Add([&](Register row) {
      const Register x = b.Load(s.a, s.At(row), kRow);
      const Register zero = b.Mul(b.Load(weights, kNone, kRow), b.Constant(kFloat32, 0, kRow));
      b.Store(s.h.out[0], s.At(row), b.Select(b.Binary(Opcode::kEqual, zero, zero), x, x));
    });
    const bool is_much = others > 8;
    EXPECT_EQ(SectionsInStrips(s.Strip(kSmall)), is_much ? 0 : 2) << others;
  }
}

// Sections that read and write rows of several buffers, whole or half, with strides of their own,
// some of which look at other rows.
TEST(StripsFuzz, RandomSections) {
  size_t stripped = 0;
  for (const uint64_t seed : FuzzSeeds(200)) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    ::talweg::Random random(seed);
    Sections s;
    Builder& b = s.h.b;
    std::vector<int32_t> buffers = {s.h.in[0], s.a, s.b};
    for (int32_t buffer : {s.a, s.b}) {  // what nobody wrote is not compared
      b.OpenSection("zeros", true);
      const Register at = b.OpenFor({.value = 0}, {.value = kMost * kRow}, kRow).variable;
      b.Store(buffer, at, b.Constant(kFloat32, 0, kRow));
      b.CloseFor();
      b.CloseSection();
    }
    const int64_t sections = random.Between(2, 6);
    for (int64_t i = 0; i < sections; i++) {
      const int32_t from = buffers[static_cast<size_t>(random.Between(0, 2))];
      int32_t to = buffers[static_cast<size_t>(random.Between(1, 2))];
      if (i + 1 == sections) to = s.h.out[0];
      switch (random.Between(0, 5)) {
        case 0:
          s.DoubleHalves(from, to);
          break;
        case 1:
          s.Sum(from);
          break;
        case 2:
          s.Add([&](Register row) {  // rows from the end
            const Register last = b.Sub(b.InRegister(s.rows), b.Plus(row, 1));
            const Register x = b.Load(from, s.At(last), kRow);
            b.Store(to, s.At(row), b.Add(x, b.Load(s.h.in[0], s.At(row), kRow)));
          });
          break;
        default:
          s.Add([&](Register row) {
            const Register x = b.Load(from, s.At(row), kRow);
            const int32_t other = buffers[static_cast<size_t>(random.Between(0, 2))];
            b.Store(to, s.At(row), b.Add(x, b.Load(other, s.At(row), kRow)));
          });
      }
    }
    stripped += SectionsInStrips(s.Strip({.l1_bytes = 1024})) > 0 ? 1 : 0;
  }
  EXPECT_GT(stripped, 0);
}

}  // namespace
}  // namespace talweg::loops
