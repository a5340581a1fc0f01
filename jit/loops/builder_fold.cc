#include "jit/loops/builder_fold.h"

#include <optional>

#include "graph/scalar.h"
#include "jit/loops/builder.h"

namespace talweg::loops {
namespace {

template <typename T>
std::optional<uint64_t> Calculate(Opcode opcode, Number<T> a, Number<T> b) {
  switch (opcode) {
    case Opcode::kDiv:
      return static_cast<uint64_t>((a / b).raw());
    case Opcode::kMin:
      return static_cast<uint64_t>(Min(a, b).raw());
    case Opcode::kMax:
      return static_cast<uint64_t>(Max(a, b).raw());
    case Opcode::kLess:
      return Less(a, b).raw();
    case Opcode::kLessEqual:
      return LessEqual(a, b).raw();
    case Opcode::kEqual:
      return Equal(a, b).raw();
    case Opcode::kNotEqual:
      return NotEqual(a, b).raw();
    default:
      return std::nullopt;
  }
}

std::optional<uint64_t> CalculateOn(DType dtype, Opcode opcode, int64_t a, int64_t b) {
  if (dtype == kInt64) return Calculate<int64_t>(opcode, a, b);
  return Calculate<int32_t>(opcode, static_cast<int32_t>(a), static_cast<int32_t>(b));
}

}  // namespace

// What a binary operation on integers or bools comes to without itself; kNone if it is needed. A
// constant operand of a commutative operation is `b`.
Register Builder::Fold(Opcode opcode, DType dtype, Register a, Register b) {
  int64_t x = 0, y = 0;
  const bool a_is_constant = IsConstant(a, &x), b_is_constant = IsConstant(b, &y);
  if (dtype == kBool) {
    if (opcode == Opcode::kAnd && b_is_constant) return y != 0 ? a : b;
    if (opcode == Opcode::kOr && b_is_constant) return y != 0 ? b : a;
    return kNone;
  }
  if (opcode == Opcode::kAdd) return FoldSum(a, b);
  if (opcode == Opcode::kSub) {
    if (a == b) return Like(a, 0);
    if (b_is_constant) return Add(a, Like(a, Wrap(dtype, -static_cast<uint64_t>(y))));
    const Fact of_a = fact(a), of_b = fact(b);
    if (of_a.kind == Fact::Kind::kNothing && of_b.kind == Fact::Kind::kNothing) return kNone;
    if (a_is_constant) return kNone;
    const uint64_t rest = static_cast<uint64_t>(of_a.value) - static_cast<uint64_t>(of_b.value);
    const Register base_a = of_a.base == kNone ? a : of_a.base;
    const Register base_b = of_b.base == kNone ? b : of_b.base;
    return Plus(Sub(base_a, base_b), Wrap(dtype, rest));
  }
  if (opcode == Opcode::kMul && b_is_constant) {
    if (y == 0) return b;
    if (y == 1) return a;
    const uint64_t product = static_cast<uint64_t>(x) * static_cast<uint64_t>(y);
    if (a_is_constant) return Like(a, Wrap(dtype, product));
    const Fact of_a = fact(a);
    if (of_a.kind != Fact::Kind::kSum) return kNone;
    return Plus(Mul(of_a.base, b),
                Wrap(dtype, static_cast<uint64_t>(of_a.value) * static_cast<uint64_t>(y)));
  }
  if (opcode == Opcode::kDiv && b_is_constant && y == 1) return a;
  if ((opcode == Opcode::kMin || opcode == Opcode::kMax) && a == b) return a;
  if (!a_is_constant || !b_is_constant) return kNone;
  const std::optional<uint64_t> bits = CalculateOn(dtype, opcode, x, y);
  if (!bits.has_value()) return kNone;
  const DType result = ResultOf(opcode, dtype);
  return Constant(result, Bits(result, static_cast<int64_t>(*bits)), lanes(a));
}

// Sums keep their constant part last and alone: (i + 1) + (j + 2) is (i + j) + 3, such that the
// addresses of an unrolled loop differ by offsets only. Exact, as integers wrap.
Register Builder::FoldSum(Register a, Register b) {
  const Fact of_a = fact(a), of_b = fact(b);
  const DType dtype = type(a).dtype;
  const int64_t rest =
      Wrap(dtype, static_cast<uint64_t>(of_a.value) + static_cast<uint64_t>(of_b.value));
  if (of_a.kind == Fact::Kind::kConstant) return Like(a, rest);
  if (of_b.kind == Fact::Kind::kConstant) {
    if (of_b.value == 0) return a;
    const Register base = of_a.kind == Fact::Kind::kSum ? of_a.base : a;
    if (rest == 0) return base;
    const Register sum =
        Numbered({.opcode = Opcode::kAdd, .args = {base, Like(a, rest), kNone, kNone}}, type(a));
    SetFact(sum, {Fact::Kind::kSum, base, rest});
    return sum;
  }
  if (of_a.kind == Fact::Kind::kNothing && of_b.kind == Fact::Kind::kNothing) return kNone;
  return Plus(Add(of_a.base == kNone ? a : of_a.base, of_b.base == kNone ? b : of_b.base), rest);
}

}  // namespace talweg::loops
