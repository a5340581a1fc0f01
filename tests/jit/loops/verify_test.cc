// A sound program, and for each rule one that breaks it.

#include "jit/loops/verify.h"

#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

using testing::HasSubstr;

// The registers' numbers are those in the text:
//
//   %0 int64 = rows
//   section "sum"
//     %1 float32x4 = constant 0
//     %2 int64 = rows
//     for %3 = 0 to %2 step 4 until %9
//         with %4 float32x4 = %1, next %8, after %10
//       %5 float32 = load in0[%3]
//       %6 float32x4 = splat %5
//       %7 float32x4 = load scratch[0]
//       %8 float32x4 = fma %6 %7 %4
//       %9 bool = poll
//     store out0[0] %10
//   random random_uniform dynamic[0] elements %0 key %0 stream %0
Program Sound() {
  Harness h({{kFloat32, {kRows}}}, {{kFloat32, {16}}});
  Builder& b = h.b;
  ErrorSite index, memory;
  memory.what = ErrorSite::What::kMemory;
  b.AddSite(index);
  b.AddSite(memory);
  const int32_t scratch = h.Arena("scratch", kFloat32, 16);
  const int32_t dynamic = b.AddDynamic("dynamic", kFloat32);
  b.AddConstant("table", Array::Vector<float>({1, 2, 3}));
  const Register rows = b.Rows();
  b.OpenSection("sum");
  const Register zero = b.Constant(kFloat32, 0, 4), rows_again = b.Rows();
  const Builder::Loop loop = b.OpenFor({}, {.reg = rows_again}, 4, {zero});
  const Register x = b.Splat(b.Load(h.in[0], loop.variable), 4);
  const Register y = b.Load(scratch, kNone, 4);
  const Register sum = b.Fma(x, y, loop.carried[0]);
  b.Store(h.out[0], kNone, b.CloseFor({sum}, b.Poll())[0]);
  b.CloseSection();
  b.Random(dynamic, kNone, rows, rows, rows, b.AddRandom(&kRandomUniformOp, kFloat32));
  return std::move(b).Take();
}

constexpr int32_t kInput = 0, kOutput = 1, kScratch = 2, kDynamic = 3, kTable = 4;

Section& SectionOf(Program& p) { return std::get<Section>(p.body[1].node); }
For& LoopOf(Program& p) { return std::get<For>(SectionOf(p).body[2].node); }
// Instruction `i` of the loop's body.
Instruction& InLoop(Program& p, size_t i) { return std::get<Instruction>(LoopOf(p).body[i].node); }
Instruction& StoreOf(Program& p) { return std::get<Instruction>(SectionOf(p).body.back().node); }
Instruction& RandomOf(Program& p) { return std::get<Instruction>(p.body.back().node); }

void Refuses(const std::string& message, const std::function<void(Program&)>& spoil) {
  Program program = Sound();
  spoil(program);
  const absl::Status status = Verify(program);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << ToString(program);
}

// Puts one more instruction before the store, whose result is the new register %11.
void RefusesAlso(const std::string& message, RegisterType type, Instruction instruction) {
  Refuses(message, [&](Program& p) {
    p.registers.push_back(type);
    instruction.result = static_cast<Register>(p.registers.size()) - 1;
    Block& block = SectionOf(p).body;
    Statement statement;
    statement.node = instruction;
    block.insert(block.end() - 1, statement);
  });
}

Instruction Scalar(Opcode opcode, std::vector<Register> args, uint64_t immediate = 0) {
  Instruction i;
  i.opcode = opcode;
  for (size_t k = 0; k < args.size(); k++) i.args[k] = args[k];
  i.immediate = immediate;
  return i;
}

TEST(Verify, AcceptsASoundProgram) {
  const Program program = Sound();
  EXPECT_EQ(Verify(program), absl::OkStatus());
  EXPECT_EQ(program.registers.size(), 11u) << ToString(program);
}

TEST(Verify, NamesSectionAndInstruction) {
  Program program = Sound();
  InLoop(program, 3).args[1] = 5;
  EXPECT_EQ(Verify(program),
            absl::InternalError("section \"sum\": %8 float32x4 = fma %6 %5 %4: %5 has the type "
                                "float32, float32x4 expected"));
}

TEST(Verify, RefusesASecondDefinition) {
  Refuses("%6 is defined a second time", [](Program& p) { InLoop(p, 3).result = 6; });
  Refuses("%4 is defined a second time", [](Program& p) { LoopOf(p).carried[0].after = 4; });
}

TEST(Verify, RefusesAUseBeforeTheDefinition) {
  Refuses("%8 is used before it is defined", [](Program& p) { InLoop(p, 3).args[0] = 8; });
  Refuses("%10 is used before it is defined", [](Program& p) { LoopOf(p).carried[0].next = 10; });
}

TEST(Verify, RefusesAUseOutsideOfTheBlock) {
  Refuses("%8 is defined in a block that has ended", [](Program& p) { StoreOf(p).args[2] = 8; });
  Refuses("%4 is defined in a block that has ended", [](Program& p) { StoreOf(p).args[2] = 4; });
}

TEST(Verify, RefusesAUseOutsideOfTheSection) {
  Refuses("%2 is defined in a block that has ended", [](Program& p) { RandomOf(p).args[0] = 2; });
}

TEST(Verify, RefusesRegistersThatDoNotExist) {
  Refuses("there is no register 99", [](Program& p) { StoreOf(p).args[2] = 99; });
  Refuses("there is no register -7", [](Program& p) { StoreOf(p).args[2] = -7; });
  Refuses("there is no register 99", [](Program& p) { InLoop(p, 1).result = 99; });
  Refuses("there is no register -1", [](Program& p) { StoreOf(p).args[2] = kNone; });
}

TEST(Verify, RefusesImpossibleLanes) {
  Refuses("%6 has 0 lanes", [](Program& p) { p.registers[6].lanes = 0; });
}

TEST(Verify, RefusesAMissingOrSuperfluousResult) {
  Refuses("a result is expected", [](Program& p) { InLoop(p, 3).result = kNone; });
  Refuses("a result is not expected", [](Program& p) {
    p.registers.push_back({kFloat32, 4});
    StoreOf(p).result = 11;
  });
}

TEST(Verify, RefusesSuperfluousOperands) {
  Refuses("operand 1 is not expected", [](Program& p) { InLoop(p, 1).args[1] = 5; });
}

TEST(Verify, RefusesWrongLoops) {
  Refuses("for %3 = 0 to %2 step 0 until %9: the step is not positive",
          [](Program& p) { LoopOf(p).step = 0; });
  Refuses("%1 has the type float32x4, int64 expected", [](Program& p) { LoopOf(p).end.reg = 1; });
  Refuses("%3 has the type int32, int64 expected",
          [](Program& p) { p.registers[3].dtype = kInt32; });
  Refuses("%8 has the type float32x4, bool expected", [](Program& p) { LoopOf(p).until = 8; });
  Refuses("%2 has the type int64, float32x4 expected",
          [](Program& p) { LoopOf(p).carried[0].start = 2; });
  Refuses("%5 has the type float32, float32x4 expected",
          [](Program& p) { LoopOf(p).carried[0].next = 5; });
  Refuses("%10 has the type float32x8, float32x4 expected",
          [](Program& p) { p.registers[10].lanes = 8; });
}

TEST(Verify, RefusesABranchOnANumber) {
  Refuses("%0 has the type int64, bool expected",
          [](Program& p) { p.body.emplace_back().node = If{0, {}}; });
}

TEST(Verify, RefusesBuffersThatDoNotExist) {
  Refuses("there is no buffer 5", [](Program& p) { InLoop(p, 0).buffer = 5; });
  Refuses("there is no buffer -1", [](Program& p) { StoreOf(p).buffer = -1; });
}

TEST(Verify, RefusesElementsOfAnotherType) {
  Refuses("the buffer has elements of float64",
          [](Program& p) { p.buffers[kOutput].dtype = kFloat64; });
}

TEST(Verify, RefusesWritesToInputsAndConstants) {
  Refuses("an input is written", [](Program& p) { StoreOf(p).buffer = kInput; });
  Refuses("a constant is written", [](Program& p) { StoreOf(p).buffer = kTable; });
  Refuses("an input is written", [](Program& p) { RandomOf(p).buffer = kInput; });
}

TEST(Verify, RefusesWrongAddressesAndMasks) {
  Refuses("%1 has the type float32x4, int64 expected",
          [](Program& p) { InLoop(p, 2).args[0] = 1; });
  Refuses("%3 has the type int64, boolx4 expected", [](Program& p) { InLoop(p, 2).args[1] = 3; });
  RefusesAlso("%2 has the type int64, int64x4 expected", {kFloat32, 4}, [] {
    Instruction i = Scalar(Opcode::kConstant, {2});
    i.code = Code::kLoadEach;
    i.buffer = kScratch;
    return i;
  }());
}

TEST(Verify, RefusesWrongSlots) {
  Refuses("buffer in0: slot 1 is not one of its home, 0 to 0",
          [](Program& p) { p.buffers[kInput].slot = 1; });
  Refuses("buffer out0: slot 0 is not one of its home, 1 to 1",
          [](Program& p) { p.buffers[kOutput].slot = 0; });
  Refuses("buffer table: slot 3 is not one of its home, 2 to 2",
          [](Program& p) { p.buffers[kTable].slot = 3; });
  Refuses("buffer dynamic: slot 4 is not one of its home, 3 to 3",
          [](Program& p) { p.buffers[kDynamic].slot = 4; });
  Refuses("buffer scratch: slot 1 in the arena", [](Program& p) { p.buffers[kScratch].slot = 1; });
  Refuses("the table has a negative number of slots", [](Program& p) { p.dynamic = -1; });
}

TEST(Verify, RefusesBuffersThatTheArenaDoesNotHold) {
  Refuses("buffer scratch: offset 32", [](Program& p) { p.buffers[kScratch].offset = 32; });
  Refuses("buffer scratch: offset -64", [](Program& p) { p.buffers[kScratch].offset = -64; });
  Refuses("buffer scratch: 16 elements at 128 are not in an arena of 128 bytes",
          [](Program& p) { p.buffers[kScratch].offset = 128; });
  Refuses("buffer scratch: 1000 elements at 0",
          [](Program& p) { p.buffers[kScratch].elements = 1000; });
  Refuses("buffer scratch: -1 elements at 0",
          [](Program& p) { p.buffers[kScratch].elements = -1; });
  Refuses("buffer in0: -2 elements", [](Program& p) { p.buffers[kInput].elements = -2; });
}

TEST(Verify, RefusesConstantsThatAreNotTheirBuffers) {
  Refuses("buffer table: its constant has 3 elements of float32",
          [](Program& p) { p.buffers[kTable].elements = 4; });
}

TEST(Verify, RefusesWrongPassing) {
  Refuses("2 outputs may be inputs, but there are 1",
          [](Program& p) { p.passed_through = {-1, -1}; });
  Refuses("output 0 is input 1, which does not exist", [](Program& p) { p.passed_through = {1}; });
  Refuses("buffer out0: its output is an input", [](Program& p) { p.passed_through = {0}; });
}

TEST(Verify, RefusesWrongSites) {
  Instruction check = Scalar(Opcode::kConstant, {2, 2});
  check.code = Code::kCheckIndex;
  check.site = 2;
  RefusesAlso("there is no site 2", {kInt64, 1}, check);
  check.site = 1;
  RefusesAlso("site 1 is not for an index", {kInt64, 1}, check);
  RefusesAlso("the index is not int64", {kInt32, 1}, check);
  Refuses("site 0 is not for memory", [](Program& p) {
    Instruction i = Scalar(Opcode::kConstant, {0});
    i.code = Code::kAllocate;
    i.buffer = kDynamic;
    i.site = 0;
    p.body.back().node = i;
  });
  Refuses("the buffer is not dynamic", [](Program& p) {
    Instruction i = Scalar(Opcode::kConstant, {0});
    i.code = Code::kAllocate;
    i.buffer = kScratch;
    i.site = 1;
    p.body.back().node = i;
  });
}

TEST(Verify, RefusesWrongRandomNumbers) {
  Refuses("there are no random numbers 1", [](Program& p) { RandomOf(p).which = 1; });
  Refuses("the op is not random", [](Program& p) { p.randoms[0].op = &kAddOp; });
  Refuses("the numbers are float64", [](Program& p) { p.randoms[0].dtype = kFloat64; });
}

TEST(Verify, RefusesWrongShuffles) {
  Instruction shuffle = Scalar(Opcode::kConstant, {1, 10});
  shuffle.code = Code::kShuffle;
  shuffle.shuffle = {0, 8};
  RefusesAlso("lane 8 of 8", {kFloat32, 2}, shuffle);
  shuffle.shuffle = {0, -1};
  RefusesAlso("lane -1 of 8", {kFloat32, 2}, shuffle);
  shuffle.shuffle = {0, 1, 2};
  RefusesAlso("3 lanes are given", {kFloat32, 2}, shuffle);
  shuffle.shuffle = {0, 1};
  RefusesAlso("%1 has the type float32x4, float64x4 expected", {kFloat64, 2}, shuffle);
}

TEST(Verify, RefusesSymbolsLanesAndSplatsOfOtherTypes) {
  Instruction i;
  i.code = Code::kSymbol;
  i.immediate = 2;
  RefusesAlso("there is no symbol 2", {kInt64, 1}, i);
  RefusesAlso("%11 has the type float32, int64 expected", {kFloat32, 1}, i);
  i.code = Code::kLanes;
  RefusesAlso("lanes have numbers of int32 or int64", {kFloat32, 4}, i);
  i.code = Code::kSplat;
  i.args[0] = 2;
  RefusesAlso("%2 has the type int64, float32 expected", {kFloat32, 4}, i);
}

TEST(Verify, RefusesOperationsThatTheAlphabetLacks) {
  const RegisterType vector{kFloat32, 4};
  const auto given = [](const char* operand, const char* result) {
    return absl::StrCat("operands of ", operand, " for a ", result);
  };
  RefusesAlso("no such operation", vector, Scalar(Opcode::kInput, {}));
  RefusesAlso("no such operation", vector, Scalar(Opcode::kCall, {1}, kFunctionCount));
  RefusesAlso("operand 1 is not expected", vector, Scalar(Opcode::kSqrt, {1, 1}));
  RefusesAlso("there is no register -1", vector, Scalar(Opcode::kAdd, {1}));
  RefusesAlso("there is no register -1", vector,
              Scalar(Opcode::kCall, {1}, static_cast<uint64_t>(Function::kPow)));
  RefusesAlso("too many bits", vector, Scalar(Opcode::kConstant, {}, uint64_t{1} << 32));
  RefusesAlso("neither true nor false", {kBool, 1}, Scalar(Opcode::kConstant, {}, 2));
  RefusesAlso("a shift by the whole width", {kInt64, 1}, Scalar(Opcode::kShiftLeft, {2}, 64));
  RefusesAlso("%1 has the type float32x4, float32x8 expected", {kFloat32, 8},
              Scalar(Opcode::kSqrt, {1}));
  RefusesAlso(given("float32", "float32"), vector, Scalar(Opcode::kLess, {1, 1}));
  RefusesAlso(given("float32", "float32"), vector, Scalar(Opcode::kSelect, {1, 1, 1}));
  RefusesAlso(given("float32", "float32"), vector, Scalar(Opcode::kAnd, {1, 1}));
  RefusesAlso(given("float32", "float32"), vector, Scalar(Opcode::kNot, {1}));
  RefusesAlso(given("float32", "float32"), vector, Scalar(Opcode::kShiftRight, {1}, 3));
  RefusesAlso(given("float32", "float32"), vector, Scalar(Opcode::kBitcast, {1}));
  RefusesAlso(given("float32", "float32"), vector, Scalar(Opcode::kConvert, {1}));
  RefusesAlso(given("float32", "float64"), {kFloat64, 4}, Scalar(Opcode::kAdd, {1, 1}));
  RefusesAlso(given("float32", "float64"), {kFloat64, 4}, Scalar(Opcode::kBitcast, {1}));
  RefusesAlso(given("int64", "int64"), {kInt64, 1}, Scalar(Opcode::kSqrt, {2}));
  RefusesAlso(given("int64", "int64"), {kInt64, 1}, Scalar(Opcode::kCall, {2}));
  RefusesAlso(given("int64", "bool"), {kBool, 1}, Scalar(Opcode::kMin, {2, 2}));
  RefusesAlso(given("int64", "float32"), {kFloat32, 1}, Scalar(Opcode::kNeg, {2}));
  RefusesAlso(given("int64", "float32"), {kFloat32, 1}, Scalar(Opcode::kFma, {2, 2, 2}));
}

TEST(Verify, RefusesArithmeticOnBools) {
  Refuses("operands of bool for a bool", [](Program& p) {
    p.registers.push_back({kBool, 1});
    Instruction i = Scalar(Opcode::kAdd, {9, 9});
    i.result = 11;
    Statement statement;
    statement.node = i;
    LoopOf(p).body.push_back(statement);
  });
}

TEST(Verify, TakesLinearTime) {
  Harness h({}, {{kInt64, {}}});
  Register x = h.b.Rows();
  for (int i = 0; i < 200000; i++) x = h.b.Binary(Opcode::kXor, x, h.b.Unary(Opcode::kNot, x));
  h.b.Store(h.out[0], kNone, x);
  EXPECT_EQ(Verify(h.Take()), absl::OkStatus());
}

}  // namespace
}  // namespace talweg::loops
