#include <time.h>

#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jit/loops/verify.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/jit/llvm/run.h"
#include "tests/jit/loops/harness.h"

namespace talweg::native {
namespace {

using loops::kNone;
using loops::Register;

// Runs a program with one int64 output of `n` elements.
std::vector<int64_t> Results(const loops::Program& program, int64_t n, int64_t rows = -1,
                             int64_t trips = -1) {
  std::vector<int64_t> first;
  for (const std::string& processor : {std::string("native"), std::string("x86-64")}) {
    for (int level : {2, 0}) {
      const auto code = MustCompile(program, Options(processor, level));
      if (code == nullptr) return {};
      std::vector<int64_t> output(static_cast<size_t>(n), -7);
      EXPECT_TRUE(RunBare(*code, {output.data()}, nullptr, rows, trips));
      if (first.empty()) first = output;
      EXPECT_EQ(output, first) << processor << " level " << level;
    }
  }
  return first;
}

TEST(For, CarriesValuesFromTripToTrip) {
  loops::Builder b(0, 1);
  const int32_t out = AddOutput(b, kInt64, 0);
  b.OpenSection("fibonacci");
  const auto loop = b.OpenFor({.value = 0}, {.reg = b.Rows()}, 1, {b.Index(0), b.Index(1)});
  b.Store(out, loop.variable, loop.carried[0], {.offset = 2});
  const loops::Registers after =
      b.CloseFor({loop.carried[1], b.Add(loop.carried[0], loop.carried[1])});
  b.Store(out, kNone, after[0]);
  b.Store(out, kNone, after[1], {.offset = 1});
  b.CloseSection();
  const loops::Program program = std::move(b).Take();
  EXPECT_EQ(Results(program, 9, 7), (std::vector<int64_t>{13, 21, 0, 1, 1, 2, 3, 5, 8}));
  EXPECT_EQ(Results(program, 3, 1), (std::vector<int64_t>{1, 1, 0}));
  EXPECT_EQ(Results(program, 3, 0), (std::vector<int64_t>{0, 1, -7}));
  EXPECT_EQ(Results(program, 3, -5), (std::vector<int64_t>{0, 1, -7}));
}

TEST(For, SwapsCarriedValues) {
  loops::Builder b(0, 1);
  const int32_t out = AddOutput(b, kInt64, 0);
  b.OpenSection("swap");
  const auto loop = b.OpenFor({.value = 0}, {.reg = b.Rows()}, 1, {b.Index(3), b.Index(4)});
  const loops::Registers after = b.CloseFor({loop.carried[1], loop.carried[0]});
  b.Store(out, kNone, b.Sub(b.Times(after[0], 10), after[1]));
  b.CloseSection();
  const loops::Program program = std::move(b).Take();
  EXPECT_EQ(Results(program, 1, 4)[0], 26);
  EXPECT_EQ(Results(program, 1, 5)[0], 37);
}

TEST(For, StepsAndStopsAfterTheTripThatSaysSo) {
  loops::Builder b(0, 1);
  const int32_t out = AddOutput(b, kInt64, 0);
  b.OpenSection("until");
  const auto loop = b.OpenFor({.reg = b.Rows()}, {.reg = b.Trips()}, 3, {b.Index(0)});
  const Register next = b.Add(loop.carried[0], loop.variable);
  const Register until = b.Binary(Opcode::kLess, b.Index(20), next);
  b.Store(out, kNone, b.CloseFor({next}, until)[0]);
  b.CloseSection();
  const loops::Program program = std::move(b).Take();
  EXPECT_EQ(Results(program, 1, 1, 100)[0], 22);  // 1 + 4 + 7 + 10
  EXPECT_EQ(Results(program, 1, 1, 8)[0], 12);    // 1 + 4 + 7
  EXPECT_EQ(Results(program, 1, 8, 8)[0], 0);
  EXPECT_EQ(Results(program, 1, 50, 100)[0], 50);
}

TEST(For, OfKnownBoundsRunsAsOftenAsTheySay) {
  for (int64_t end : {-1, 0, 1, 2, 3, 4, 9}) {
    for (int64_t step : {1, 2, 4}) {
      // Without the builder, which would do a part of it.
      loops::Program program;
      program.outputs = 1;
      program.buffers = {
          {"out", kInt64, loops::Buffer::Home::kOutput, /*slot=*/0, /*offset=*/0, /*elements=*/1}};
      program.registers = {{kInt64}, {kInt64}, {kInt64}, {kInt64}, {kInt64}};
      const auto scalar = [](Opcode opcode, Register result, Register a, Register b) {
        return loops::Statement{
            loops::Instruction{.opcode = opcode, .result = result, .args = {a, b, kNone, kNone}}};
      };
      loops::For loop;
      loop.variable = 1;
      loop.begin.value = 0;
      loop.end.value = end;
      loop.step = step;
      loop.carried = {{.inside = 2, .start = 0, .next = 3, .after = 4}};
      loop.body = {scalar(Opcode::kSub, 3, 2, 1)};
      int64_t expected = 0;
      for (int64_t i = 0; i < end; i += step) expected -= i;
      program.body = {
          scalar(Opcode::kConstant, 0, kNone, kNone),
          {loop},
          {loops::Instruction{
              .code = loops::Code::kStore, .args = {kNone, kNone, 4, kNone}, .buffer = 0}}};
      EXPECT_EQ(Results(program, 1)[0], expected) << end << " step " << step;
    }
  }
}

TEST(If, RunsItsBodyOnce) {
  loops::Builder b(0, 1);
  const int32_t out = AddOutput(b, kInt64, 0);
  b.OpenSection("if");
  const Register i = b.OpenFor({.value = 0}, {.value = 6}, 1).variable;
  b.OpenIf(b.Binary(Opcode::kLess, i, b.Rows()));
  b.Store(out, i, i);
  b.OpenIf(b.Binary(Opcode::kLess, b.Trips(), i));
  b.Store(out, i, b.Times(i, 100));
  b.CloseIf();
  b.CloseIf();
  b.CloseFor();
  b.CloseSection();
  const loops::Program program = std::move(b).Take();
  EXPECT_EQ(Results(program, 6, 4, 1), (std::vector<int64_t>{0, 1, 200, 300, -7, -7}));
}

// A random program on int64 cells: sections, loops and conditions around and inside
// of them, registers that go from blocks into sections.
class Generator {
 public:
  Generator(loops::Builder* builder, int32_t cells, uint64_t seed)
      : b_(*builder), random_(seed), cells_(cells) {}
  static constexpr int64_t kCells = 64;

  void Block(int depth, std::vector<Register> visible) {
    for (int64_t n = random_.Between(1, 6); n > 0; n--) {
      switch (random_.Between(0, depth > 0 ? 6 : 3)) {
        case 0:
          visible.push_back(Value(visible));
          break;
        case 4: {
          Registers starts = {Pick(visible), Pick(visible)};
          const auto loop = b_.OpenFor({.value = 0}, {.value = random_.Between(0, 3)}, 1, starts);
          std::vector<Register> inside = visible;
          inside.push_back(loop.variable);
          inside.insert(inside.end(), loop.carried.begin(), loop.carried.end());
          Block(depth - 1, inside);
          const Register next = Value(inside);
          const Register until =
              random_.Chance(0.3) ? b_.Binary(Opcode::kLess, Value(inside), next) : loops::kNone;
          const Registers after = b_.CloseFor({next, loop.carried[0]}, until);
          visible.insert(visible.end(), after.begin(), after.end());
          break;
        }
        case 5:
          b_.OpenIf(b_.Binary(Opcode::kLess, Pick(visible), Value(visible)));
          Block(depth - 1, visible);
          b_.CloseIf();
          break;
        default:
          b_.OpenSection(absl::StrCat("section ", sections_++));
          Work(2, visible);
          b_.CloseSection();
      }
    }
  }

 private:
  using Registers = loops::Registers;

  Register Pick(const std::vector<Register>& visible) { return random_.Pick(visible); }

  Register Value(const std::vector<Register>& visible) {
    const Register a = Pick(visible), c = Pick(visible);
    switch (random_.Between(0, 3)) {
      case 0:
        return b_.Add(a, c);
      case 1:
        return b_.Binary(Opcode::kXor, a, b_.Times(c, 3));
      case 2:
        return b_.Select(b_.Binary(Opcode::kLess, a, c), c, b_.Plus(a, 5));
      default:
        return b_.Load(cells_, kNone, 1, {.offset = random_.Between(0, kCells - 1)});
    }
  }

  void Work(int depth, std::vector<Register> visible) {
    for (int64_t n = random_.Between(1, 3); n > 0; n--) {
      visible.push_back(Value(visible));
      if (depth > 0 && random_.Chance(0.3)) {
        const auto loop =
            b_.OpenFor({.value = 0}, {.value = random_.Between(0, 5)}, 1, {Pick(visible)});
        std::vector<Register> inside = visible;
        inside.push_back(loop.variable);
        inside.push_back(loop.carried[0]);
        Work(depth - 1, inside);
        visible.push_back(b_.CloseFor({Value(inside)})[0]);
      }
      b_.Store(cells_, kNone, visible.back(), {.offset = random_.Between(0, kCells - 1)});
    }
  }

  loops::Builder& b_;
  Random random_;
  const int32_t cells_;
  int sections_ = 0;
};

TEST(Functions, ComputeTheSameHoweverTheProgramIsCut) {
  for (uint64_t seed : Seeds(150, 50)) {
    SCOPED_TRACE(seed);
    loops::Harness h({{kFloat32, {kRows}}}, {{kInt64, {Generator::kCells}}});
    Generator generator(&h.b, h.out[0], seed);
    generator.Block(3, {h.b.Index(3), h.b.Rows()});
    const absl::Status verified = loops::Verify(h.Take());
    ASSERT_TRUE(verified.ok()) << verified;
    const std::vector<Array> inputs = {*Array::Zeros(kFloat32, {5})};
    const auto expected = h.Run(inputs);
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (int64_t size : {4000, 0, 1, 10, 40}) {
      CompileOptions options = Options("native", size == 4000 ? 2 : 0);
      options.function_size = size;
      const auto code = MustCompile(h.Take(), options);
      ASSERT_NE(code, nullptr);
      const auto got = h.RunAs([&](loops::Context* c) { return code->Run(c); }, inputs);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_TRUE(SameBits((*got)[0], (*expected)[0]))
          << "functions of " << size << ": " << (*got)[0].ToString() << ", not "
          << (*expected)[0].ToString();
    }
  }
}

loops::Program Chain(int64_t sections) {
  loops::Builder b(0, 0);
  const int32_t cells = AddBuffer(b, kInt64, loops::Buffer::Home::kArena, 0, 16);
  for (int64_t i = 0; i < sections; i++) {
    b.OpenSection(absl::StrCat("link ", i));
    const Register x = b.Load(cells, kNone, 1, {.offset = i % 15});
    b.Store(cells, kNone, b.Plus(x, 1), {.offset = i % 15 + 1});
    b.CloseSection();
  }
  return std::move(b).Take();
}

// What this thread has computed so far, in milliseconds: others on the machine do not count.
double ThreadTime() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// Milliseconds to compile; the code is run too.
double CompileChain(int64_t sections, int level) {
  const loops::Program program = Chain(sections);
  CompileOptions options = Options("native", level);
  options.verify = false;
  const double start = ThreadTime();
  const auto code = MustCompile(program, options);
  const double time = ThreadTime() - start;
  if (code == nullptr) return 0;
  std::vector<int64_t> cells(16), expected(16);
  EXPECT_TRUE(RunBare(*code, {}, cells.data()));
  for (int64_t i = 0; i < sections; i++) {
    expected[static_cast<size_t>(i % 15 + 1)] = expected[static_cast<size_t>(i % 15)] + 1;
  }
  EXPECT_EQ(cells, expected);
  std::printf("%6d sections at level %d: %.1f ms\n", static_cast<int>(sections), level, time);
  return time;
}

TEST(Functions, OfALongChainCompileInLinearTime) {
  for (int level : {0, 2}) {
    const int64_t few = 5000, many = level == 0 ? 100000 : 40000;
    const double small = CompileChain(few, level), large = CompileChain(many, level);
    EXPECT_LT(large, 2.5 * small * static_cast<double>(many / few));
  }
}

}  // namespace
}  // namespace talweg::native
