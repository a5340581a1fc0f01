#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/expr.h"
#include "graph/functions.h"
#include "gtest/gtest.h"
#include "tests/jit/llvm/run.h"

namespace talweg::native {
namespace {

// One operation of the alphabet on operands of one type (but for Select's mask).
struct Case {
  Opcode opcode = Opcode::kAdd;
  DType operand = kFloat32, result = kFloat32;
  int arity = 1;
  uint64_t immediate = 0;

  std::string ToString() const {
    return absl::StrCat(Name(opcode), " ", Name(operand), " -> ", Name(result), " immediate ",
                        immediate);
  }
};

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (DType type : kAllDTypes) {
    const auto add = [&](Opcode opcode, int arity, DType result, uint64_t immediate = 0) {
      cases.push_back({opcode, type, result, arity, immediate});
    };
    const bool number = type != kBool, integer = IsInteger(type);
    for (Opcode opcode : {Opcode::kLess, Opcode::kLessEqual, Opcode::kEqual, Opcode::kNotEqual}) {
      add(opcode, 2, kBool);
    }
    for (Opcode opcode : {Opcode::kMin, Opcode::kMax}) add(opcode, 2, type);
    add(Opcode::kSelect, 3, type);
    for (DType to : kAllDTypes) {
      if (to != type) add(Opcode::kConvert, 1, to);
    }
    if (number) {
      for (Opcode opcode : {Opcode::kAdd, Opcode::kSub, Opcode::kMul, Opcode::kDiv}) {
        add(opcode, 2, type);
      }
      for (Opcode opcode : {Opcode::kNeg, Opcode::kAbs}) add(opcode, 1, type);
      add(Opcode::kFma, 3, type);
      const DType to[] = {kInt32, kInt64, kFloat32, kFloat64};
      add(Opcode::kBitcast, 1, to[static_cast<int>(type)]);
    }
    if (IsFloat(type)) {
      for (Opcode opcode : {Opcode::kSqrt, Opcode::kFloor, Opcode::kCeil, Opcode::kRoundEven}) {
        add(opcode, 1, type);
      }
      for (int f = 0; f < kFunctionCount; f++) {
        add(Opcode::kCall, kFunctions[f].arity, type, static_cast<uint64_t>(f));
      }
    } else {
      for (Opcode opcode : {Opcode::kAnd, Opcode::kOr, Opcode::kXor}) add(opcode, 2, type);
      add(Opcode::kNot, 1, type);
    }
    if (integer) {
      const uint64_t width = static_cast<uint64_t>(SizeOf(type)) * 8;
      for (uint64_t amount : {uint64_t{0}, uint64_t{1}, uint64_t{5}, width - 1}) {
        add(Opcode::kShiftLeft, 1, type, amount);
        add(Opcode::kShiftRight, 1, type, amount);
      }
    }
    for (uint64_t bits : {uint64_t{0}, uint64_t{1}, uint64_t{0x3f8ccccd}}) {
      add(Opcode::kConstant, 0, type, bits);
    }
  }
  return cases;
}

template <typename T>
std::vector<uint64_t> SpecialFloats() {
  using Limits = std::numeric_limits<T>;
  std::vector<uint64_t> bits;
  for (T x : {T{0}, T{1}, T(0.5), T(1.5), T(2.5), T(3), Limits::infinity(), Limits::max(),
              Limits::min(), Limits::denorm_min(), Limits::epsilon(), T(2147483647.0),
              T(2147483648.0), T(9223372036854775807.0), T(16777217), T(0.1), T(88.8), T(1e-3)}) {
    bits.push_back(ToBits(x));
    bits.push_back(ToBits(-x));
  }
  bits.push_back(ToBits(Limits::quiet_NaN()));
  bits.push_back(ToBits(-Limits::quiet_NaN()));
  bits.push_back(ToBits(Limits::signaling_NaN()));
  return bits;
}

template <typename T>
std::vector<uint64_t> SpecialIntegers() {
  using Limits = std::numeric_limits<T>;
  std::vector<uint64_t> bits;
  for (T x : {T{0}, T{1}, T{2}, T{3}, T{7}, T{100}, T(16777217), T(1 << 30)}) {
    bits.push_back(ToBits(x));
    bits.push_back(ToBits(static_cast<T>(-x)));
  }
  for (T x : {Limits::min(), Limits::max(), static_cast<T>(Limits::min() + 1),
              static_cast<T>(Limits::max() - 1)}) {
    bits.push_back(ToBits(x));
  }
  return bits;
}

std::vector<uint64_t> Specials(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return SpecialFloats<float>();
    case DType::kFloat64:
      return SpecialFloats<double>();
    case DType::kInt32:
      return SpecialIntegers<int32_t>();
    case DType::kInt64: {
      std::vector<uint64_t> bits = SpecialIntegers<int64_t>();
      for (int64_t x : {int64_t{1} << 31, int64_t{1} << 32, (int64_t{1} << 53) + 1,
                        (int64_t{1} << 24) + 1, (int64_t{1} << 62) + 1}) {
        bits.push_back(ToBits(x));
        bits.push_back(ToBits(-x));
      }
      return bits;
    }
    case DType::kBool:
      break;
  }
  return {0, 1};
}

// Half of them any bits, the others of ordinary size.
uint64_t AnyElement(DType dtype, std::mt19937_64& random) {
  const uint64_t bits = random();
  const bool wild = random() % 2 == 0;
  std::normal_distribution<double> normal(0, 3);
  switch (dtype) {
    case DType::kFloat32:
      return wild ? bits & 0xffffffff : ToBits(static_cast<float>(normal(random)));
    case DType::kFloat64:
      return wild ? bits : ToBits(normal(random));
    case DType::kInt32:
      return wild ? bits & 0xffffffff : ToBits(static_cast<int32_t>(bits % 41) - 20);
    case DType::kInt64:
      return wild ? bits : ToBits(static_cast<int64_t>(bits % 41) - 20);
    case DType::kBool:
      break;
  }
  return bits & 1;
}

// Columns of operands: each special value with each, then random ones.
constexpr int64_t kRandom = 700;
std::array<std::vector<uint64_t>, 3> Operands(DType dtype, std::mt19937_64& random) {
  std::array<std::vector<uint64_t>, 3> columns;
  const std::vector<uint64_t> specials = Specials(dtype);
  for (uint64_t a : specials) {
    for (uint64_t b : specials) {
      columns[0].push_back(a);
      columns[1].push_back(b);
      columns[2].push_back(specials[random() % specials.size()]);
    }
  }
  for (int64_t i = 0; i < kRandom; i++) {
    for (std::vector<uint64_t>& column : columns) column.push_back(AnyElement(dtype, random));
  }
  // A whole number of the widest vectors.
  for (std::vector<uint64_t>& column : columns) column.resize((column.size() + 31) / 32 * 32);
  return columns;
}

std::vector<std::byte> ToMemory(DType dtype, const std::vector<uint64_t>& bits) {
  const auto size = static_cast<size_t>(SizeOf(dtype));
  std::vector<std::byte> memory(bits.size() * size);
  for (size_t i = 0; i < bits.size(); i++) std::memcpy(&memory[i * size], &bits[i], size);
  return memory;
}

bool SameElement(DType dtype, uint64_t a, uint64_t b) {
  if (dtype == kFloat32 && std::isnan(FromBits<float>(a))) return std::isnan(FromBits<float>(b));
  if (dtype == kFloat64 && std::isnan(FromBits<double>(a))) return std::isnan(FromBits<double>(b));
  return a == b;
}

// What graph/expr.h says of this case for each row of the operands.
std::vector<uint64_t> Expected(const Case& c, const std::array<std::vector<uint64_t>, 3>& columns,
                               const std::vector<uint64_t>& masks) {
  ScalarProgram program;
  std::array<int32_t, 3> operands = {-1, -1, -1};
  for (int k = 0; k < c.arity; k++) {
    const bool mask = c.opcode == Opcode::kSelect && k == 0;
    operands[static_cast<size_t>(k)] = program.Input(mask ? kBool : c.operand).id();
  }
  const Expr result = program.Append(
      {.opcode = c.opcode, .dtype = c.result, .operands = operands, .immediate = c.immediate});
  std::vector<uint64_t> expected;
  for (size_t row = 0; row < columns[0].size(); row++) {
    std::vector<uint64_t> inputs;
    for (int k = 0; k < c.arity; k++) {
      const bool mask = c.opcode == Opcode::kSelect && k == 0;
      inputs.push_back(mask ? masks[row] : columns[static_cast<size_t>(k)][row]);
    }
    expected.push_back(program.Evaluate(result.id(), inputs));
  }
  return expected;
}

// All cases in one program, one section each.
loops::Program AllInOne(const std::vector<Case>& cases, const std::vector<int64_t>& elements,
                        int32_t lanes) {
  constexpr int32_t kTypes = 5;
  loops::Builder b(3 * kTypes, static_cast<int32_t>(cases.size()));
  std::vector<int32_t> inputs;
  for (int32_t place = 0; place < 3 * kTypes; place++) {
    inputs.push_back(AddInput(b, kAllDTypes[place / 3], place));
  }
  for (size_t k = 0; k < cases.size(); k++) {
    const Case& c = cases[k];
    const int32_t output = AddOutput(b, c.result, static_cast<int32_t>(k));
    const auto type = static_cast<size_t>(c.operand);
    b.OpenSection(c.ToString());
    const loops::Register i = b.OpenFor({.value = 0}, {.value = elements[type]}, lanes).variable;
    std::vector<loops::Register> args;
    for (int a = 0; a < c.arity; a++) {
      const bool mask = c.opcode == Opcode::kSelect && a == 0;
      const size_t column = mask ? 12 : type * 3 + static_cast<size_t>(a);
      args.push_back(b.Load(inputs[column], i, lanes));
    }
    if (c.opcode == Opcode::kConstant) {
      b.Store(output, i, b.Splat(b.Constant(c.result, c.immediate), lanes));
    } else {
      b.Store(output, i, b.Scalar(c.opcode, c.result, args, c.immediate));
    }
    b.CloseFor();
    b.CloseSection();
  }
  return std::move(b).Take();
}

TEST(Scalars, MeanWhatExprSaysOnEveryProcessorAndLevel) {
  std::vector<Case> cases;
  for (Case c : AllCases()) {
    // A constant's bits are an element of its type.
    if (c.opcode == Opcode::kConstant && c.operand == kBool && c.immediate > 1) continue;
    cases.push_back(c);
  }
  std::mt19937_64 random(17);
  std::vector<std::array<std::vector<uint64_t>, 3>> columns;
  std::vector<int64_t> elements;
  for (DType type : kAllDTypes) {
    columns.push_back(Operands(type, random));
    elements.push_back(static_cast<int64_t>(columns.back()[0].size()));
  }
  // Masks for the longest of the others.
  std::vector<uint64_t>& masks = columns[4][0];
  while (masks.size() < 4096) masks.push_back(random() & 1);
  std::vector<std::vector<std::byte>> inputs;
  for (size_t type = 0; type < 5; type++) {
    for (const auto& column : columns[type]) inputs.push_back(ToMemory(kAllDTypes[type], column));
  }
  for (std::vector<uint64_t>& column : columns[4]) column.resize(static_cast<size_t>(elements[4]));
  std::vector<uint64_t> mask_bits;
  for (std::byte byte : inputs[12]) mask_bits.push_back(static_cast<uint64_t>(byte));

  std::vector<std::vector<uint64_t>> expected;
  for (const Case& c : cases) {
    expected.push_back(Expected(c, columns[static_cast<size_t>(c.operand)], mask_bits));
  }
  for (const std::string& processor : Processors()) {
    for (int level : {2, 0}) {
      for (int32_t lanes : {1, 2, 4, 8, 16, 32}) {
        SCOPED_TRACE(absl::StrCat(processor, ", level ", level, ", ", lanes, " lanes"));
        const auto code = MustCompile(AllInOne(cases, elements, lanes), Options(processor, level));
        ASSERT_NE(code, nullptr);
        std::vector<std::vector<std::byte>> outputs;
        std::vector<void*> table;
        for (auto& input : inputs) table.push_back(input.data());
        for (size_t k = 0; k < cases.size(); k++) {
          outputs.emplace_back(expected[k].size() * static_cast<size_t>(SizeOf(cases[k].result)));
        }
        for (auto& output : outputs) table.push_back(output.data());
        ASSERT_TRUE(RunBare(*code, table));
        for (size_t k = 0; k < cases.size(); k++) {
          const Case& c = cases[k];
          const auto size = static_cast<size_t>(SizeOf(c.result));
          int wrong = 0;
          for (size_t row = 0; row < expected[k].size() && wrong < 3; row++) {
            uint64_t got = 0;
            std::memcpy(&got, &outputs[k][row * size], size);
            if (SameElement(c.result, expected[k][row], got)) continue;
            wrong++;
            const auto& of = columns[static_cast<size_t>(c.operand)];
            ADD_FAILURE() << c.ToString() << std::hex << " of " << of[0][row] << " " << of[1][row]
                          << " " << of[2][row] << ": " << got << ", not " << expected[k][row];
          }
        }
      }
    }
  }
}

// LLVM folds and rewrites what it sees of constants, and some operations are emitted in another way
// for them.
TEST(Scalars, MeanTheSameWhereAnOperandIsAConstant) {
  std::mt19937_64 random(18);
  for (DType type : kAllDTypes) {
    const auto columns = Operands(type, random);
    const auto elements = static_cast<int64_t>(columns[0].size());
    std::vector<std::byte> input = ToMemory(type, columns[0]);
    struct Row {
      Opcode opcode;
      DType result;
      uint64_t constant;
      bool first;
    };
    std::vector<Row> rows;
    for (const Case& c : AllCases()) {
      if (c.operand != type || c.arity != 2 || c.opcode == Opcode::kCall) continue;
      for (uint64_t constant : Specials(type)) {
        rows.push_back({c.opcode, c.result, constant, false});
        rows.push_back({c.opcode, c.result, constant, true});
      }
    }
    std::vector<std::vector<uint64_t>> expected;
    for (const Row& row : rows) {
      ScalarProgram program;
      const int32_t x = program.Input(type).id();
      const int32_t c =
          program.Append({.opcode = Opcode::kConstant, .dtype = type, .immediate = row.constant})
              .id();
      const int32_t result = program
                                 .Append({.opcode = row.opcode,
                                          .dtype = row.result,
                                          .operands = {row.first ? c : x, row.first ? x : c, -1}})
                                 .id();
      std::vector<uint64_t>& results = expected.emplace_back();
      for (uint64_t bits : columns[0]) results.push_back(program.Evaluate(result, {bits}));
    }
    for (const std::string& processor : Processors()) {
      for (int32_t lanes : {1, 8}) {
        SCOPED_TRACE(absl::StrCat(processor, ", ", lanes, " lanes of ", Name(type)));
        loops::Builder b(1, static_cast<int32_t>(rows.size()));
        const int32_t in = AddInput(b, type, 0);
        std::vector<std::vector<std::byte>> outputs;
        std::vector<void*> table = {input.data()};
        for (size_t k = 0; k < rows.size(); k++) {
          const int32_t out = AddOutput(b, rows[k].result, static_cast<int32_t>(k));
          b.OpenSection("constant");
          const loops::Register i = b.OpenFor({.value = 0}, {.value = elements}, lanes).variable;
          const loops::Register x = b.Load(in, i, lanes);
          const loops::Register c = b.Splat(b.Constant(type, rows[k].constant), lanes);
          b.Store(out, i,
                  b.Scalar(rows[k].opcode, rows[k].result,
                           {rows[k].first ? c : x, rows[k].first ? x : c}));
          b.CloseFor();
          b.CloseSection();
          outputs.emplace_back(static_cast<size_t>(elements * SizeOf(rows[k].result)));
        }
        for (auto& output : outputs) table.push_back(output.data());
        const auto code = MustCompile(std::move(b).Take(), Options(processor));
        ASSERT_NE(code, nullptr);
        ASSERT_TRUE(RunBare(*code, table));
        for (size_t k = 0; k < rows.size(); k++) {
          const auto size = static_cast<size_t>(SizeOf(rows[k].result));
          for (size_t row = 0; row < columns[0].size(); row++) {
            uint64_t got = 0;
            std::memcpy(&got, &outputs[k][row * size], size);
            ASSERT_TRUE(SameElement(rows[k].result, expected[k][row], got))
                << Name(rows[k].opcode) << std::hex << " of " << columns[0][row]
                << " and the constant " << rows[k].constant << (rows[k].first ? " first" : "")
                << ": " << got << ", not " << expected[k][row];
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace talweg::native
