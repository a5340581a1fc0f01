#include "graph/expr.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/with_type.h"

namespace talweg {
namespace {

constexpr const char* kNames[] = {
    "input",      "constant",    "add",       "sub",     "mul",        "div", "neg", "fma",
    "sqrt",       "abs",         "floor",     "ceil",    "round_even", "min", "max", "less",
    "less_equal", "equal",       "not_equal", "and",     "or",         "xor", "not", "select",
    "shift_left", "shift_right", "bitcast",   "convert", "call"};

// A formula that mixes types or programs is a mistake in Talweg itself, never of a user.
void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "talweg: scalar program: %s\n", what);
  std::abort();
}

// One instruction on operands of type T; the result may be of another type.
template <typename T>
uint64_t Run(const Instruction& i, const std::array<uint64_t, 3>& bits) {
  constexpr bool kFloat = std::is_floating_point_v<T>;
  constexpr bool kBits = !kFloat;
  constexpr bool kNumeric = !std::is_same_v<T, bool>;
  const auto operand = [&](size_t k) { return Number<T>(FromBits<T>(bits[k])); };
  const auto a = [&] { return operand(0); };
  const auto b = [&] { return operand(1); };
  const auto result = [](auto number) { return ToBits(number.raw()); };
  const int amount = static_cast<int>(i.immediate);
  switch (i.opcode) {
    case Opcode::kLess:
      return result(Less(a(), b()));
    case Opcode::kLessEqual:
      return result(LessEqual(a(), b()));
    case Opcode::kEqual:
      return result(Equal(a(), b()));
    case Opcode::kNotEqual:
      return result(NotEqual(a(), b()));
    case Opcode::kMin:
      return result(Min(a(), b()));
    case Opcode::kMax:
      return result(Max(a(), b()));
    case Opcode::kConvert:
      return WithType(i.dtype, [&](auto to) { return result(Convert<decltype(to)>(a())); });
    default:
      break;
  }
  if constexpr (kNumeric) {
    switch (i.opcode) {
      case Opcode::kAdd:
        return result(a() + b());
      case Opcode::kSub:
        return result(a() - b());
      case Opcode::kMul:
        return result(a() * b());
      case Opcode::kDiv:
        return result(a() / b());
      case Opcode::kNeg:
        return result(-a());
      case Opcode::kFma:
        return result(Fma(a(), b(), operand(2)));
      case Opcode::kAbs:
        return result(Abs(a()));
      default:
        break;
    }
  }
  if constexpr (kBits) {
    switch (i.opcode) {
      case Opcode::kAnd:
        return result(And(a(), b()));
      case Opcode::kOr:
        return result(Or(a(), b()));
      case Opcode::kXor:
        return result(Xor(a(), b()));
      case Opcode::kNot:
        return result(Not(a()));
      default:
        break;
    }
  }
  if constexpr (kBits && kNumeric) {
    switch (i.opcode) {
      case Opcode::kShiftLeft:
        return result(ShiftLeft(a(), amount));
      case Opcode::kShiftRight:
        return result(ShiftRight(a(), amount));
      case Opcode::kBitcast:
        return result(BitcastToFloat(a()));
      default:
        break;
    }
  }
  if constexpr (kFloat) {
    switch (i.opcode) {
      case Opcode::kSqrt:
        return result(Sqrt(a()));
      case Opcode::kFloor:
        return result(Floor(a()));
      case Opcode::kCeil:
        return result(Ceil(a()));
      case Opcode::kRoundEven:
        return result(RoundEven(a()));
      case Opcode::kBitcast:
        return result(BitcastToInt(a()));
      case Opcode::kCall: {
        const auto function = static_cast<Function>(i.immediate);
        return InfoOf(function).arity == 1 ? result(Call(function, a()))
                                           : result(Call(function, a(), b()));
      }
      default:
        break;
    }
  }
  Require(false, "an instruction does not take operands of this type");
  return 0;
}

std::string Element(DType dtype, uint64_t bits) {
  switch (dtype) {
    case DType::kFloat32:
      return absl::StrFormat("%.9g", FromBits<float>(bits));
    case DType::kFloat64:
      return absl::StrFormat("%.17g", FromBits<double>(bits));
    case DType::kInt32:
      return absl::StrCat(FromBits<int32_t>(bits));
    case DType::kInt64:
      return absl::StrCat(FromBits<int64_t>(bits));
    case DType::kBool:
      break;
  }
  return bits != 0 ? "true" : "false";
}

}  // namespace

const char* Name(Opcode opcode) { return kNames[static_cast<int>(opcode)]; }

Expr ScalarProgram::Input(DType dtype) {
  return Append({.opcode = Opcode::kInput,
                 .dtype = dtype,
                 .immediate = static_cast<uint64_t>(input_count_++)});
}

Expr ScalarProgram::Append(const Instruction& instruction) {
  const auto [found, inserted] =
      by_instruction_.try_emplace(instruction, static_cast<int32_t>(instructions_.size()));
  if (inserted) instructions_.push_back(instruction);
  return Expr(this, found->second);
}

std::string ScalarProgram::ToString() const {
  std::string out;
  for (size_t id = 0; id < instructions_.size(); id++) {
    const Instruction& i = instructions_[id];
    absl::StrAppend(&out, "%", id, " = ", Name(i.opcode));
    switch (i.opcode) {
      case Opcode::kInput:
        absl::StrAppend(&out, " ", i.immediate);
        break;
      case Opcode::kConstant:
        absl::StrAppend(&out, " ", Element(i.dtype, i.immediate));
        break;
      case Opcode::kCall:
        absl::StrAppend(&out, " ", InfoOf(static_cast<Function>(i.immediate)).name);
        break;
      default:
        break;
    }
    const char* separator = " ";
    for (int32_t operand : i.operands) {
      if (operand < 0) break;
      absl::StrAppend(&out, separator, "%", operand);
      separator = ", ";
    }
    if (i.opcode == Opcode::kShiftLeft || i.opcode == Opcode::kShiftRight) {
      absl::StrAppend(&out, ", ", i.immediate);
    }
    absl::StrAppend(&out, " : ", Name(i.dtype), "\n");
  }
  return out;
}

uint64_t ScalarProgram::Evaluate(int32_t id, absl::Span<const uint64_t> inputs) const {
  std::vector<uint64_t> results(static_cast<size_t>(id) + 1);
  for (size_t k = 0; k < results.size(); k++) {
    const Instruction& i = instructions_[k];
    std::array<uint64_t, 3> bits{};
    for (size_t j = 0; j < 3 && i.operands[j] >= 0; j++) {
      bits[j] = results[static_cast<size_t>(i.operands[j])];
    }
    switch (i.opcode) {
      case Opcode::kInput:
        results[k] = inputs[i.immediate];
        break;
      case Opcode::kConstant:
        results[k] = i.immediate;
        break;
      case Opcode::kSelect:
        results[k] = bits[0] != 0 ? bits[1] : bits[2];
        break;
      default:
        results[k] = WithType(instruction(i.operands[0]).dtype,
                              [&](auto type) { return Run<decltype(type)>(i, bits); });
    }
  }
  return results[static_cast<size_t>(id)];
}

DType Expr::dtype() const {
  Require(program_ != nullptr, "a number without a type; use Like");
  return program_->instruction(id_).dtype;
}

Expr Expr::Typed(const Expr& like) const {
  if (program_ == nullptr) return Like(like, number_);
  return *this;
}

Expr Expr::Unary(Opcode opcode, const Expr& a) {
  return a.program_->Append({.opcode = opcode, .dtype = a.dtype(), .operands = {a.id_, -1, -1}});
}

Expr Expr::Binary(Opcode opcode, const Expr& a, const Expr& b) {
  const Expr x = a.Typed(b), y = b.Typed(a);
  Require(x.program_ == y.program_ && x.dtype() == y.dtype(), "operands of different types");
  return x.program_->Append({.opcode = opcode, .dtype = x.dtype(), .operands = {x.id_, y.id_, -1}});
}

Expr Expr::Compare(Opcode opcode, const Expr& a, const Expr& b) {
  const Expr x = a.Typed(b), y = b.Typed(a);
  Require(x.program_ == y.program_ && x.dtype() == y.dtype(), "operands of different types");
  return x.program_->Append({.opcode = opcode, .dtype = kBool, .operands = {x.id_, y.id_, -1}});
}

Expr Fma(const Expr& a, const Expr& b, const Expr& c) {
  const Expr& typed = a.program_ != nullptr ? a : b.program_ != nullptr ? b : c;
  const Expr x = a.Typed(typed), y = b.Typed(typed), z = c.Typed(typed);
  Require(x.dtype() == y.dtype() && y.dtype() == z.dtype(), "operands of different types");
  return x.program_->Append(
      {.opcode = Opcode::kFma, .dtype = x.dtype(), .operands = {x.id_, y.id_, z.id_}});
}

Expr Select(const Expr& mask, const Expr& a, const Expr& b) {
  const Expr x = a.Typed(b), y = b.Typed(a);
  Require(mask.dtype() == kBool && x.dtype() == y.dtype(), "operands of different types");
  return x.program_->Append(
      {.opcode = Opcode::kSelect, .dtype = x.dtype(), .operands = {mask.id_, x.id_, y.id_}});
}

Expr ShiftLeft(const Expr& a, int bits) {
  return a.program_->Append({.opcode = Opcode::kShiftLeft,
                             .dtype = a.dtype(),
                             .operands = {a.id_, -1, -1},
                             .immediate = static_cast<uint64_t>(bits)});
}

Expr ShiftRight(const Expr& a, int bits) {
  return a.program_->Append({.opcode = Opcode::kShiftRight,
                             .dtype = a.dtype(),
                             .operands = {a.id_, -1, -1},
                             .immediate = static_cast<uint64_t>(bits)});
}

Expr BitcastToInt(const Expr& a) {
  return a.program_->Append({.opcode = Opcode::kBitcast,
                             .dtype = a.dtype() == kFloat32 ? kInt32 : kInt64,
                             .operands = {a.id_, -1, -1}});
}

Expr BitcastToFloat(const Expr& a) {
  return a.program_->Append({.opcode = Opcode::kBitcast,
                             .dtype = a.dtype() == kInt32 ? kFloat32 : kFloat64,
                             .operands = {a.id_, -1, -1}});
}

Expr ConvertTo(DType dtype, const Expr& a) {
  if (dtype == a.dtype()) return a;
  return a.program_->Append(
      {.opcode = Opcode::kConvert, .dtype = dtype, .operands = {a.id_, -1, -1}});
}

Expr Call(Function function, const Expr& a) {
  return a.program_->Append({.opcode = Opcode::kCall,
                             .dtype = a.dtype(),
                             .operands = {a.id_, -1, -1},
                             .immediate = static_cast<uint64_t>(function)});
}

Expr Call(Function function, const Expr& a, const Expr& b) {
  const Expr x = a.Typed(b), y = b.Typed(a);
  return x.program_->Append({.opcode = Opcode::kCall,
                             .dtype = x.dtype(),
                             .operands = {x.id_, y.id_, -1},
                             .immediate = static_cast<uint64_t>(function)});
}

Expr Like(const Expr& a, double number) {
  const uint64_t bits = WithType(
      a.dtype(), [&](auto type) { return ToBits(ConvertElement<decltype(type)>(number)); });
  return a.program_->Append({.opcode = Opcode::kConstant, .dtype = a.dtype(), .immediate = bits});
}

}  // namespace talweg
