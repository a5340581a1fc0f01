#include "jit/loops/print.h"

#include <limits>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "ops/random.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

TEST(Print, WritesEverything) {
  Harness h({{kFloat32, {kRows, 2}}, {kInt64, {4}}}, {{kFloat32, {48}}, {kFloat32, {kRows, 2}}});
  Builder& b = h.b;
  b.program().buffers.pop_back();  // an input passes through to out1
  b.program().passed_through = {-1, 0};
  const int32_t hidden = h.Arena("hidden", kFloat32, 1600);
  const int32_t table = b.AddConstant("", Array::Vector<float>({1, 2}));
  const int32_t scratch = b.AddDynamic("hidden", kFloat32);
  ErrorSite index, rows, memory;
  index.before = "gather: float32[5,2] x int32[3]: ";
  index.after = " (model.cc:14)";
  rows.what = ErrorSite::What::kRows;
  rows.before = "loop: ";
  rows.limit = 32;
  memory.what = ErrorSite::What::kMemory;
  const int32_t index_site = b.AddSite(index), rows_site = b.AddSite(rows),
                memory_site = b.AddSite(memory);
  const int32_t uniform = b.AddRandom(&kRandomUniformOp, kFloat32);

  b.BindTrips(b.Rows());
  const Register mark = b.Mark();
  b.Allocate(scratch, b.Trips(), memory_site);
  b.Random(scratch, kNone, b.Trips(), b.Rows(), b.Trips(), uniform);
  b.OpenSection("tanh %4 (model.cc:9)");
  const Register zero = b.Constant(kFloat32, ToBits(-0.0f), 16);
  const Builder::Loop loop = b.OpenFor({}, {.reg = b.Rows()}, 16, {zero});
  const Register mask = b.Below(b.Sub(b.Rows(), loop.variable), 16);
  const Register x = b.Load(hidden, loop.variable, 16, {.offset = 16, .mask = mask});
  const Register y = b.Load(h.in[0], loop.variable, 16, {.offset = -3, .stride = 3});
  const Register each =
      b.LoadEach(h.in[0], b.CheckIndex(b.Load(h.in[1], kNone, 4), b.Rows(), index_site));
  const Register wide = b.Shuffle(each, each, {7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6});
  const Register sum = b.Fma(x, y, b.Add(wide, loop.carried[0]));
  const Register bits = b.Shift(Opcode::kShiftRight, b.Bitcast(kInt32, sum), 3);
  b.OpenIf(b.Binary(Opcode::kEqual, loop.variable, b.Index(0)));
  b.Prefetch(hidden, loop.variable, 4000);
  b.FailIf(b.Binary(Opcode::kLess, b.Rows(), b.Index(5)), rows_site, b.Rows(), loop.variable);
  b.Store(scratch, loop.variable, b.Call(Function::kLog1p, {b.Bitcast(kFloat32, bits)}),
          {.stride = 2, .mask = mask});
  b.CloseIf();
  const Registers after = b.CloseFor({sum}, b.Poll());
  b.Store(h.out[0], kNone, after[0]);
  b.Store(h.out[0], b.Index(16), b.Splat(b.Load(table, b.Index(1)), 8));
  b.CloseSection();
  b.Release(mark);

  EXPECT_EQ(Verify(h.Take()), absl::OkStatus());
  EXPECT_EQ(ToString(h.Take()),
            R"text(buffer in0: input 0, float32, ? elements
buffer in1: input 1, int64, 4 elements
buffer out0: output 0, float32, 48 elements
buffer hidden#3: arena at 0, float32, 1600 elements
buffer #4: constant 0, float32, 2 elements
buffer hidden#5: dynamic 0, float32, ? elements
site 0: index, "gather: float32[5,2] x int32[3]: ... (model.cc:14)"
site 1: rows, "loop: ...", limit 32
site 2: memory, "..."
output 1 is input 0
arena of 6464 bytes
%0 int64 = rows
bind_trips %0
%1 int64 = mark
%2 int64 = trips
allocate hidden#5 elements %2 site 2
random random_uniform hidden#5[0] elements %2 key %0 stream %2
section "tanh %4 (model.cc:9)"
  %3 float32x16 = constant -0
  %4 int64 = rows
  for %5 = 0 to %4 step 16 until %30
      with %6 float32x16 = %3, next %21, after %31
    %7 int64 = sub %4 %5
    %8 int64 = constant 16
    %9 int64 = min %7 %8
    %10 int32 = convert %9
    %11 int32x16 = lanes
    %12 int32x16 = splat %10
    %13 boolx16 = less %11 %12
    %14 float32x16 = load hidden#3[%5 + 16] where %13
    %15 float32x16 = load in0[%5 - 3 step 3]
    %16 int64x4 = load in1[0]
    %17 int64x4 = check_index %16 below %4 site 0
    %18 float32x4 = load_each in0[%17]
    %19 float32x16 = shuffle %18 %18 [7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6]
    %20 float32x16 = add %19 %6
    %21 float32x16 = fma %14 %15 %20
    %22 int32x16 = bitcast %21
    %23 int32x16 = shift_right %22 3
    %24 int64 = constant 0
    %25 bool = equal %5 %24
    if %25
      prefetch hidden#3[%5 + 4000]
      %26 int64 = constant 5
      %27 bool = less %4 %26
      fail_if %27 %4 %5 site 1
      %28 float32x16 = bitcast %23
      %29 float32x16 = call log1p %28
      store hidden#5[%5 step 2] %29 where %13
    %30 bool = poll
  store out0[0] %31
  %32 float32 = load #4[1]
  %33 float32x8 = splat %32
  store out0[16] %33
release %1
)text");
}

TEST(Print, QuotesWhatIsNoName) {
  Builder b(2, 0);
  Buffer buffer;
  buffer.home = Buffer::Home::kInput;
  buffer.slot = 0;
  buffer.name = "a b] \n\x01";
  b.AddBuffer(buffer);
  buffer.slot = 1;
  buffer.name = "layer/weight.0-1";
  b.AddBuffer(buffer);
  EXPECT_EQ(ToString(std::move(b).Take()),
            "buffer 'a b] \\x0a\\x01': input 0, float32, 0 elements\n"
            "buffer layer/weight.0-1: input 1, float32, 0 elements\n"
            "arena of 0 bytes\n");
}

TEST(Print, ConstantsReadAsNumbers) {
  Program program;
  const auto text = [&](DType dtype, uint64_t bits, int32_t lanes = 1) {
    program.registers = {{dtype, lanes}};
    Instruction i;
    i.result = 0;
    i.immediate = bits;
    return ToString(program, i);
  };
  EXPECT_EQ(text(kFloat32, ToBits(0.1f)), "%0 float32 = constant 0.1");
  EXPECT_EQ(text(kFloat64, ToBits(-0.0), 4), "%0 float64x4 = constant -0");
  EXPECT_EQ(text(kFloat32, ToBits(std::numeric_limits<float>::infinity())),
            "%0 float32 = constant inf");
  EXPECT_EQ(text(kInt32, ToBits(int32_t{-7})), "%0 int32 = constant -7");
  EXPECT_EQ(text(kInt64, ToBits(int64_t{-7})), "%0 int64 = constant -7");
  EXPECT_EQ(text(kBool, 1), "%0 bool = constant true");
}

TEST(Print, SurvivesWhatIsWrong) {
  const Program program;
  Instruction i;
  i.result = 7;
  EXPECT_EQ(ToString(program, i), "%7 ? = constant 0");
  i.code = Code::kLoad;
  i.buffer = 9;
  EXPECT_EQ(ToString(program, i), "%7 ? = load ?9[0]");
  i.code = Code::kRandom;
  EXPECT_EQ(ToString(program, i), "%7 ? = random ? ?9[0] elements none key none stream none");
}

}  // namespace
}  // namespace talweg::loops
