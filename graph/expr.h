#ifndef TALWEG_GRAPH_EXPR_H_
#define TALWEG_GRAPH_EXPR_H_

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/scalar.h"

namespace talweg {

// A formula as data: a straight-line program over the scalar alphabet, which code generation lowers
// instruction by instruction. It is recorded by running the formula on Exprs:
//
//   ScalarProgram program;
//   Expr x = program.Input(kFloat32);
//   Expr y = Exp(x);         // the formula of graph/math.h, some thirty instructions
//   program.ToString();      // "%0 = input 0 : float32\n%1 = constant 89 ..."
//   program.instructions();  // operands come before what uses them
//   FromBits<float>(program.Evaluate(y.id(), {ToBits(0.5f)}));  // the bits of Exp(Number(0.5f))
//
// Several formulas may be recorded in one program: equal instructions are made once.
enum class Opcode : uint8_t {
  kInput,     // immediate: the input's number
  kConstant,  // immediate: the bits of the element
  kAdd,
  kSub,
  kMul,
  kDiv,
  kNeg,
  kFma,
  kSqrt,
  kAbs,
  kFloor,
  kCeil,
  kRoundEven,
  kMin,
  kMax,
  kLess,  // dtype is bool; Greater is Less of swapped operands
  kLessEqual,
  kEqual,
  kNotEqual,
  kAnd,
  kOr,
  kXor,
  kNot,
  kSelect,
  kShiftLeft,   // immediate: the number of bits
  kShiftRight,  // arithmetic; immediate: the number of bits
  kBitcast,     // to dtype, of the same size
  kConvert,     // to dtype, as base/convert.h
  kCall,        // immediate: the Function
};

// "fma", "less_equal".
const char* Name(Opcode opcode);

struct Instruction {
  Opcode opcode = Opcode::kInput;
  DType dtype = kFloat32;                       // of the result
  std::array<int32_t, 3> operands{-1, -1, -1};  // earlier instructions; -1 where there is none
  uint64_t immediate = 0;

  friend bool operator==(const Instruction&, const Instruction&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Instruction& i) {
    return H::combine(std::move(h), i.opcode, i.dtype, i.operands, i.immediate);
  }
};

// An element of any type as 64 bits, the unused ones zero.
template <typename T>
constexpr uint64_t ToBits(T value) {
  if constexpr (std::is_same_v<T, bool>)
    return value ? 1 : 0;
  else if constexpr (sizeof(T) == 4)
    return std::bit_cast<uint32_t>(value);
  else
    return std::bit_cast<uint64_t>(value);
}
template <typename T>
constexpr T FromBits(uint64_t bits) {
  if constexpr (std::is_same_v<T, bool>)
    return bits != 0;
  else if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(static_cast<uint32_t>(bits));
  else
    return std::bit_cast<T>(bits);
}

class Expr;

class ScalarProgram {
 public:
  ScalarProgram() = default;
  // Exprs point to their program.
  ScalarProgram(const ScalarProgram&) = delete;
  ScalarProgram& operator=(const ScalarProgram&) = delete;

  // The next argument.
  Expr Input(DType dtype);
  // Appends an instruction, or finds the equal one.
  Expr Append(const Instruction& instruction);

  const std::vector<Instruction>& instructions() const { return instructions_; }
  const Instruction& instruction(int32_t id) const {
    return instructions_[static_cast<size_t>(id)];
  }
  int32_t input_count() const { return input_count_; }

  // One line an instruction: "%3 = fma %1, %2, %0 : float32".
  std::string ToString() const;

  // Runs the program up to instruction `id`; `inputs` are the bits of the arguments.
  uint64_t Evaluate(int32_t id, absl::Span<const uint64_t> inputs) const;

 private:
  std::vector<Instruction> instructions_;
  absl::flat_hash_map<Instruction, int32_t> by_instruction_;
  int32_t input_count_ = 0;
};

// The scalar that records: the result of an instruction, or a C++ number that has not met an
// instruction yet (it becomes a constant of the type it meets). Operands of different types or
// programs are a broken invariant and abort.
class Expr {
 public:
  Expr() = default;
  template <typename U>
    requires std::is_arithmetic_v<U>
  Expr(U number) : number_(static_cast<double>(number)) {}  // NOLINT: literals in formulas
  Expr(ScalarProgram* program, int32_t id) : program_(program), id_(id) {}

  ScalarProgram* program() const { return program_; }
  int32_t id() const { return id_; }
  DType dtype() const;

  friend Expr operator+(const Expr& a, const Expr& b) { return Binary(Opcode::kAdd, a, b); }
  friend Expr operator-(const Expr& a, const Expr& b) { return Binary(Opcode::kSub, a, b); }
  friend Expr operator*(const Expr& a, const Expr& b) { return Binary(Opcode::kMul, a, b); }
  friend Expr operator/(const Expr& a, const Expr& b) { return Binary(Opcode::kDiv, a, b); }
  friend Expr operator-(const Expr& a) { return Unary(Opcode::kNeg, a); }
  friend Expr Fma(const Expr& a, const Expr& b, const Expr& c);
  friend Expr Sqrt(const Expr& a) { return Unary(Opcode::kSqrt, a); }
  friend Expr Abs(const Expr& a) { return Unary(Opcode::kAbs, a); }
  friend Expr Floor(const Expr& a) { return Unary(Opcode::kFloor, a); }
  friend Expr Ceil(const Expr& a) { return Unary(Opcode::kCeil, a); }
  friend Expr RoundEven(const Expr& a) { return Unary(Opcode::kRoundEven, a); }
  friend Expr Min(const Expr& a, const Expr& b) { return Binary(Opcode::kMin, a, b); }
  friend Expr Max(const Expr& a, const Expr& b) { return Binary(Opcode::kMax, a, b); }
  friend Expr Less(const Expr& a, const Expr& b) { return Compare(Opcode::kLess, a, b); }
  friend Expr LessEqual(const Expr& a, const Expr& b) { return Compare(Opcode::kLessEqual, a, b); }
  friend Expr Greater(const Expr& a, const Expr& b) { return Compare(Opcode::kLess, b, a); }
  friend Expr GreaterEqual(const Expr& a, const Expr& b) {
    return Compare(Opcode::kLessEqual, b, a);
  }
  friend Expr Equal(const Expr& a, const Expr& b) { return Compare(Opcode::kEqual, a, b); }
  friend Expr NotEqual(const Expr& a, const Expr& b) { return Compare(Opcode::kNotEqual, a, b); }
  friend Expr And(const Expr& a, const Expr& b) { return Binary(Opcode::kAnd, a, b); }
  friend Expr Or(const Expr& a, const Expr& b) { return Binary(Opcode::kOr, a, b); }
  friend Expr Xor(const Expr& a, const Expr& b) { return Binary(Opcode::kXor, a, b); }
  friend Expr Not(const Expr& a) { return Unary(Opcode::kNot, a); }
  friend Expr Select(const Expr& mask, const Expr& a, const Expr& b);
  friend Expr ShiftLeft(const Expr& a, int bits);
  friend Expr ShiftRight(const Expr& a, int bits);
  friend Expr BitcastToInt(const Expr& a);
  friend Expr BitcastToFloat(const Expr& a);
  friend Expr ConvertTo(DType dtype, const Expr& a);
  friend Expr Call(Function function, const Expr& a);
  friend Expr Call(Function function, const Expr& a, const Expr& b);
  friend bool IsFloat32(const Expr& a) { return a.dtype() == kFloat32; }
  friend Expr Like(const Expr& a, double number);

 private:
  static Expr Unary(Opcode opcode, const Expr& a);
  static Expr Binary(Opcode opcode, const Expr& a, const Expr& b);
  static Expr Compare(Opcode opcode, const Expr& a, const Expr& b);
  // This number as a constant of the type of `like`; an instruction's result as it is.
  Expr Typed(const Expr& like) const;

  ScalarProgram* program_ = nullptr;  // null for a number
  int32_t id_ = -1;
  double number_ = 0;
};

// Converting to the type that `a` has is `a`.
Expr ConvertTo(DType dtype, const Expr& a);
template <typename To>
Expr Convert(const Expr& a) {
  return ConvertTo(DTypeOf<To>, a);
}

template <>
inline constexpr bool kIsScalar<Expr> = true;

}  // namespace talweg

#endif  // TALWEG_GRAPH_EXPR_H_
