#include "jit/loops/builder.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/math.h"
#include "gtest/gtest.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

// A float32 input and a float32 output, of any number of elements.
struct Fixture : Harness {
  Fixture() : Harness({{kFloat32, {kRows}}}, {{kFloat32, {kRows}}}) {}
  // Makes a register matter.
  void Use(Register r) {
    const int32_t buffer = Arena(absl::StrCat("use", uses++), b.type(r).dtype, b.lanes(r));
    b.Store(buffer, kNone, r);
  }
  int uses = 0;
};

TEST(Builder, ReadsAsItsExample) {
  Fixture f;
  f.b.OpenSection("double x");
  const Register i = f.b.OpenFor({.value = 0}, {.reg = f.b.Rows()}, 8).variable;
  const Register mask = f.b.Below(f.b.Sub(f.b.Rows(), i), 8);
  const Register x = f.b.Load(f.in[0], i, 8, {.mask = mask});
  f.b.Store(f.out[0], i, f.b.Binary(Opcode::kAdd, x, x), {.mask = mask});
  f.b.CloseFor();
  f.b.CloseSection();
  EXPECT_EQ(f.Body(),
            "section \"double x\"\n"
            "  %0 int64 = rows\n"
            "  for %1 = 0 to %0 step 8\n"
            "    %2 int64 = sub %0 %1\n"
            "    %3 int64 = constant 8\n"
            "    %4 int64 = min %2 %3\n"
            "    %5 int32 = convert %4\n"
            "    %6 int32x8 = lanes\n"
            "    %7 int32x8 = splat %5\n"
            "    %8 boolx8 = less %6 %7\n"
            "    %9 float32x8 = load in0[%1] where %8\n"
            "    %10 float32x8 = add %9 %9\n"
            "    store out0[%1] %10 where %8\n");
}

TEST(Builder, AddressesDifferByOffsetsOnly) {
  Fixture f;
  const Register i = f.b.OpenFor({.value = 0}, {.reg = f.b.Rows()}).variable;
  for (int64_t k = 0; k < 3; k++) {
    const Register row = f.b.Times(f.b.Plus(i, k), 100);
    const Register at = f.b.Plus(f.b.Add(row, i), 7);
    f.b.Store(f.out[0], at, f.b.Load(f.in[0], f.b.Sub(at, f.b.Index(7)), 4, {.offset = 3}));
  }
  f.b.CloseFor();
  EXPECT_EQ(f.Body(),
            "%0 int64 = rows\n"
            "for %1 = 0 to %0\n"
            "  %2 int64 = constant 100\n"
            "  %3 int64 = mul %1 %2\n"
            "  %4 int64 = add %1 %3\n"
            "  %5 float32x4 = load in0[%4 + 3]\n"
            "  store out0[%4 + 7] %5\n"
            "  %6 float32x4 = load in0[%4 + 103]\n"
            "  store out0[%4 + 107] %6\n"
            "  %7 float32x4 = load in0[%4 + 203]\n"
            "  store out0[%4 + 207] %7\n");
}

TEST(Builder, EqualInstructionsAreOne) {
  Fixture f;
  Builder& b = f.b;
  const Register x = b.Load(f.in[0], kNone, 4), y = b.Load(f.in[0], b.Index(4), 4);
  EXPECT_EQ(b.Load(f.in[0], kNone, 4), x);
  EXPECT_NE(x, y);
  EXPECT_NE(b.Load(f.in[0], kNone, 8), x);
  EXPECT_NE(b.Load(f.in[0], kNone, 4, {.stride = 2}), x);
  EXPECT_EQ(b.Binary(Opcode::kMul, x, y), b.Binary(Opcode::kMul, x, y));
  EXPECT_NE(b.Binary(Opcode::kMul, x, y), b.Binary(Opcode::kMul, y, x));
  EXPECT_NE(b.Shift(Opcode::kShiftLeft, b.Rows(), 1), b.Shift(Opcode::kShiftLeft, b.Rows(), 2));
  EXPECT_EQ(b.Shuffle(x, y, {0, 4}), b.Shuffle(x, y, {0, 4}));
  EXPECT_NE(b.Shuffle(x, y, {0, 4}), b.Shuffle(x, y, {0, 5}));
  EXPECT_EQ(b.Convert(kFloat32, x), x);
  // Integers commute to the bit, whatever they are.
  EXPECT_EQ(b.Add(b.Rows(), b.Trips()), b.Add(b.Trips(), b.Rows()));
}

TEST(Builder, KnowsWhatIndicesAreMultiplesOf) {
  Fixture f;
  Builder& b = f.b;
  EXPECT_EQ(b.Divisor(b.Index(0)), 0);
  EXPECT_EQ(b.Divisor(b.Index(48)), 48);
  EXPECT_EQ(b.Divisor(b.Index(-48)), 48);
  EXPECT_EQ(b.Divisor(b.Index(int64_t{3} << 40)), 1 << 30);
  EXPECT_EQ(b.Divisor(b.Index(std::numeric_limits<int64_t>::min())), 1 << 30);
  EXPECT_EQ(b.Divisor(b.Rows()), 1);
  EXPECT_EQ(b.Divisor(b.Times(b.Rows(), 48)), 48);
  EXPECT_EQ(b.Divisor(b.Plus(b.Times(b.Rows(), 48), 32)), 16);
  EXPECT_EQ(b.Divisor(b.Binary(Opcode::kMin, b.Times(b.Rows(), 12), b.Times(b.Trips(), 18))), 6);
  EXPECT_EQ(b.Divisor(b.Quotient(b.Times(b.Rows(), 48), 16)), 1);
  const Register i = b.OpenFor({.value = 24}, {.reg = b.Rows()}, 16).variable;
  EXPECT_EQ(b.Divisor(i), 8);
  EXPECT_EQ(b.Divisor(b.Plus(i, 3)), 1);
  const Register j = b.OpenFor({.reg = b.Times(i, 4)}, {.reg = b.Rows()}, 64).variable;
  EXPECT_EQ(b.Divisor(j), 32);
  b.CloseFor();
  b.CloseFor();
}

TEST(Builder, LoadsOfWhatIsWrittenStay) {
  Fixture f;
  const int32_t scratch = f.Arena("scratch", kFloat32, 8);
  EXPECT_NE(f.b.Load(scratch, kNone), f.b.Load(scratch, kNone));
  EXPECT_NE(f.b.Load(f.out[0], kNone), f.b.Load(f.out[0], kNone));
  EXPECT_NE(f.b.Mark(), f.b.Mark());
  EXPECT_NE(f.b.Poll(), f.b.Poll());
}

TEST(Builder, SeesInnerBlocksOuterOnesAndNoOthers) {
  Fixture f;
  Builder& b = f.b;
  const Register outside = b.Unary(Opcode::kNot, b.Rows());
  b.OpenFor({}, {.reg = b.Rows()});
  EXPECT_EQ(b.Unary(Opcode::kNot, b.Rows()), outside);
  const Register inside = b.Unary(Opcode::kNot, b.Trips());
  b.CloseFor();
  EXPECT_NE(b.Unary(Opcode::kNot, b.Trips()), inside);
  b.OpenIf(b.Binary(Opcode::kLess, b.Rows(), b.Trips()));
  const Register then = b.Unary(Opcode::kNot, outside);
  EXPECT_EQ(b.Unary(Opcode::kNot, outside), then);
  b.CloseIf();
  EXPECT_NE(b.Unary(Opcode::kNot, outside), then);
}

TEST(Builder, SectionsAreTheirOwn) {
  Fixture f;
  Builder& b = f.b;
  const Register outside = b.Index(5);
  b.OpenSection("a");
  const Register inside = b.Index(5);
  EXPECT_NE(inside, outside);
  b.OpenFor({}, {.reg = b.Rows()});
  EXPECT_EQ(b.Index(5), inside);
  b.CloseFor();
  b.CloseSection();
  b.OpenSection("b");
  EXPECT_NE(b.Index(5), inside);
  b.CloseSection();
  EXPECT_NE(b.Index(5), inside);
}

TEST(Builder, CalculatesIndices) {
  Builder b(0, 0);
  const Register n = b.Rows();
  const auto constant = [&](Register r) {
    int64_t value = -999;
    EXPECT_TRUE(b.IsConstant(r, &value));
    return value;
  };
  EXPECT_FALSE(b.IsConstant(n));
  EXPECT_FALSE(b.IsConstant(kNone));
  EXPECT_EQ(constant(b.Add(b.Index(2), b.Index(3))), 5);
  EXPECT_EQ(constant(b.Sub(b.Index(2), b.Index(3))), -1);
  EXPECT_EQ(constant(b.Mul(b.Index(2), b.Index(-3))), -6);
  EXPECT_EQ(constant(b.Quotient(b.Index(7), 2)), 3);
  EXPECT_EQ(constant(b.Quotient(b.Index(7), 0)), 0);
  EXPECT_EQ(constant(b.Remainder(b.Index(7), 4)), 3);
  EXPECT_EQ(constant(b.Binary(Opcode::kMin, b.Index(7), b.Index(4))), 4);
  EXPECT_EQ(constant(b.Binary(Opcode::kLess, b.Index(7), b.Index(4))), 0);
  EXPECT_EQ(b.type(b.Binary(Opcode::kLess, b.Index(7), b.Index(4))), (RegisterType{kBool, 1}));
  EXPECT_EQ(constant(b.Times(n, 0)), 0);
  EXPECT_EQ(constant(b.Sub(n, n)), 0);
  EXPECT_EQ(constant(b.Sub(b.Plus(n, 7), b.Plus(n, 3))), 4);
  EXPECT_EQ(b.Times(n, 1), n);
  EXPECT_EQ(b.Plus(n, 0), n);
  EXPECT_EQ(b.Quotient(n, 1), n);
  EXPECT_EQ(b.Plus(b.Plus(n, 5), -5), n);
  EXPECT_EQ(b.Sub(b.Plus(n, 5), b.Index(5)), n);
  EXPECT_EQ(b.Add(b.Index(3), n), b.Plus(n, 3));
  EXPECT_EQ(b.Plus(b.Plus(n, 2), 3), b.Plus(n, 5));
  EXPECT_EQ(b.Times(b.Plus(n, 2), 3), b.Plus(b.Times(n, 3), 6));
  EXPECT_EQ(b.Binary(Opcode::kMax, n, n), n);
  // Integers wrap as those of the run do.
  const Register least = b.Constant(kInt32, ToBits(std::numeric_limits<int32_t>::min()));
  EXPECT_EQ(constant(b.Plus(least, -1)), std::numeric_limits<int32_t>::max());
  EXPECT_EQ(constant(b.Convert(kInt64, least)), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(constant(b.Convert(kInt32, b.Index(int64_t{1} << 33))), 0);
  EXPECT_EQ(constant(b.Times(b.Index(std::numeric_limits<int64_t>::max()), 2)), -2);
}

TEST(Builder, CalculatesIndicesInLanes) {
  Builder b(0, 0);
  const Register n = b.Rows();
  const Register lanes = b.Lanes(kInt64, 4);
  EXPECT_EQ(b.Times(lanes, 1), lanes);
  EXPECT_EQ(b.Plus(lanes, 0), lanes);
  EXPECT_EQ(b.Splat(b.Index(3), 4), b.Constant(kInt64, 3, 4));
  EXPECT_EQ(b.Add(lanes, b.Plus(n, 2)), b.Plus(b.Add(lanes, n), 2));
  EXPECT_EQ(b.type(b.Add(lanes, n)), (RegisterType{kInt64, 4}));
}

TEST(Builder, LeavesFloatsAlone) {
  Builder b(0, 0);
  const Register zero = b.Constant(kFloat32, 0), one = b.Constant(kFloat32, ToBits(1.0f));
  EXPECT_FALSE(b.IsConstant(b.Add(one, one)));
  EXPECT_NE(b.Mul(zero, one), zero);
  EXPECT_NE(b.Add(one, zero), one);
}

TEST(Builder, KnowsTruth) {
  Fixture f;
  Builder& b = f.b;
  const Register yes = b.Constant(kBool, 1), no = b.Constant(kBool, 0);
  const Register mask = b.Binary(Opcode::kLess, b.Rows(), b.Trips());
  EXPECT_EQ(b.Binary(Opcode::kAnd, mask, yes), mask);
  EXPECT_EQ(b.Binary(Opcode::kAnd, no, mask), no);
  EXPECT_EQ(b.Binary(Opcode::kOr, mask, no), mask);
  EXPECT_EQ(b.Load(f.in[0], kNone, 4, {.mask = yes}), b.Load(f.in[0], kNone, 4));
  EXPECT_EQ(b.Below(b.Index(8), 8), kNone);
  EXPECT_NE(b.Below(b.Index(7), 8), kNone);
  b.FailIf(no, 0);
  b.OpenIf(yes);
  b.Store(f.out[0], kNone, b.Load(f.in[0], kNone));
  b.CloseIf();
  b.OpenIf(no);
  b.Store(f.out[0], kNone, b.Load(f.in[0], b.Index(1)));
  b.CloseIf();
  EXPECT_EQ(f.Body(),
            "%0 float32 = load in0[0]\n"
            "store out0[0] %0\n");
}

TEST(Builder, ChecksKnownIndicesAtOnce) {
  Builder b(0, 0);
  const Register four = b.Index(4);
  EXPECT_EQ(b.CheckIndex(b.Index(3), four, 0), b.Index(3));
  EXPECT_NE(b.CheckIndex(four, four, 0), four);
  EXPECT_NE(b.CheckIndex(b.Index(-1), four, 0), b.Index(-1));
  const Register rows = b.Rows();
  EXPECT_NE(b.CheckIndex(rows, four, 0), rows);
  EXPECT_EQ(b.CheckIndex(rows, four, 0), b.CheckIndex(rows, four, 0));
  EXPECT_NE(b.CheckIndex(rows, four, 0), b.CheckIndex(rows, four, 1));
}

TEST(Builder, LoopsOfOneTripAreNone) {
  Fixture f;
  Builder& b = f.b;
  const Register start = b.Load(f.in[0], kNone);
  const Builder::Loop one = b.OpenFor({.value = 3}, {.value = 11}, 8, {start});
  EXPECT_EQ(one.carried[0], start);
  EXPECT_EQ(one.variable, b.Index(3));
  EXPECT_EQ(b.CloseFor({b.Load(f.in[0], one.variable)})[0], b.Load(f.in[0], b.Index(3)));
  const Builder::Loop next = b.OpenFor({.reg = b.Plus(b.Rows(), 2)}, {.reg = b.Plus(b.Rows(), 3)});
  EXPECT_EQ(next.variable, b.Plus(b.Rows(), 2));
  b.CloseFor();
  const Builder::Loop none = b.OpenFor({.value = 4}, {.reg = b.Index(4)}, 1, {start});
  b.Store(f.out[0], none.variable, none.carried[0]);
  EXPECT_EQ(b.CloseFor({b.Load(f.in[0], none.variable)})[0], start);
  b.Store(f.out[0], kNone, start);
  EXPECT_EQ(f.Body(),
            "%0 float32 = load in0[0]\n"
            "store out0[0] %0\n");
}

TEST(Builder, DropsWhatNobodyUses) {
  Fixture f;
  Builder& b = f.b;
  b.OpenSection("nothing");
  b.OpenFor({}, {.reg = b.Rows()});
  b.Binary(Opcode::kMul, b.Load(f.in[0], kNone), b.Load(f.in[0], b.Index(1)));
  b.OpenIf(b.Poll());
  b.CloseIf();
  b.CloseFor();
  b.CloseSection();
  b.OpenSection("something");
  const Register x = b.Load(f.in[0], kNone);
  b.Unary(Opcode::kNeg, b.Unary(Opcode::kSqrt, x));
  b.Store(f.out[0], kNone, x);
  b.CloseSection();
  b.OpenSection("empty");
  b.CloseSection();
  EXPECT_EQ(f.Body(),
            "section \"nothing\"\n"
            "  %0 int64 = rows\n"
            "  for %1 = 0 to %0\n"
            "    %2 bool = poll\n"
            "section \"something\"\n"
            "  %3 float32 = load in0[0]\n"
            "  store out0[0] %3\n");
}

TEST(Builder, BroadcastLoadsAreScalarOnes) {
  Fixture f;
  Builder& b = f.b;
  const Register wide = b.Load(f.in[0], b.Index(3), 8, {.stride = 0});
  EXPECT_EQ(wide, b.Splat(b.Load(f.in[0], b.Index(3)), 8));
}

TEST(Builder, TripsAreReadAgainWhenTheyAreBound) {
  Fixture f;
  const Register before = f.b.Trips();
  f.b.BindTrips(f.b.Index(3));
  EXPECT_NE(f.b.Trips(), before);
}

TEST(Builder, InlinesWhatAFormulaNeeds) {
  Fixture f;
  Builder& b = f.b;
  ScalarProgram formula;
  const Expr x = formula.Input(kFloat32), y = formula.Input(kFloat32);
  const Expr unused = Exp(x);
  const Expr narrow = Sqrt(y);
  const Expr mask = Less(x, 0.5), product = x * narrow;
  const Expr result = Select(mask, product, Call(Function::kLog1p, x));
  EXPECT_GT(unused.id(), 0);
  const Register wide = b.Load(f.in[0], kNone, 4), scalar = b.Load(f.in[0], b.Index(4));
  const Register out = b.Inline(formula, result.id(), {wide, scalar});
  EXPECT_EQ(b.type(out), (RegisterType{kFloat32, 4}));
  EXPECT_EQ(b.Inline(formula, {narrow.id(), result.id()}, {wide, scalar}),
            (Registers{b.Unary(Opcode::kSqrt, scalar), out}));
  b.Store(f.out[0], kNone, out);
  EXPECT_EQ(f.Body(),
            "%0 float32x4 = load in0[0]\n"
            "%1 float32 = load in0[4]\n"
            "%2 float32 = sqrt %1\n"
            "%3 float32x4 = constant 0.5\n"
            "%4 boolx4 = less %0 %3\n"
            "%5 float32x4 = splat %2\n"
            "%6 float32x4 = mul %0 %5\n"
            "%7 float32x4 = call log1p %0\n"
            "%8 float32x4 = select %4 %6 %7\n"
            "store out0[0] %8\n");
}

TEST(Builder, NumbersSlotsWhenAllIsDeclared) {
  Builder b(2, 1);
  const int32_t dynamic = b.AddDynamic("d", kInt32);
  const int32_t first = b.AddConstant("c", Array::Vector<float>({1, 2}));
  const int32_t second = b.AddConstant("e", Array(true));
  const Program program = std::move(b).Take();
  EXPECT_EQ(program.buffers[static_cast<size_t>(first)].slot, 3);
  EXPECT_EQ(program.buffers[static_cast<size_t>(second)].slot, 4);
  EXPECT_EQ(program.buffers[static_cast<size_t>(dynamic)].slot, 5);
  EXPECT_EQ(program.slots(), 6);
}

TEST(BuilderDeathTest, BlocksEndAsTheyBegan) {
  EXPECT_DEATH(
      {
        Builder b(0, 0);
        b.OpenSection("open");
        std::move(b).Take();
      },
      "not closed");
  EXPECT_DEATH(
      {
        Builder b(0, 0);
        b.CloseSection();
      },
      "not open");
  EXPECT_DEATH(
      {
        Builder b(0, 0);
        b.OpenSection("open");
        b.CloseFor();
      },
      "not open");
}

}  // namespace
}  // namespace talweg::loops
