#include "graph/value.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/convert.h"
#include "base/text.h"
#include "base/with_type.h"
#include "graph/operand_types.h"
#include "graph/tape.h"

namespace talweg {
namespace {

const Type& NoType() {
  static const Type* const kType = new Type();
  return *kType;
}

// "matmul: float32[2,3] x ?: "; without types where there are none.
std::string Frame(std::string_view name, absl::Span<const Value> operands) {
  if (std::none_of(operands.begin(), operands.end(), [](const Value& v) { return v.ok(); })) {
    return absl::StrCat(AbslView(name), ": ");
  }
  const auto type = [&](size_t i) { return operands[i].ok() ? ToString(operands[i].type()) : "?"; };
  return absl::StrCat(AbslView(name), ": ", JoinTypes(operands.size(), type), ": ");
}

// The innermost of the operands' tapes, if all others enclose it; else null.
std::shared_ptr<TapeState> CommonTape(absl::Span<const Value> operands) {
  std::shared_ptr<TapeState> inner;
  for (const Value& v : operands) {
    if (inner == nullptr || v.tape()->IsWithin(inner.get())) inner = v.tape();
  }
  for (const Value& v : operands) {
    if (!inner->IsWithin(v.tape().get())) return nullptr;
  }
  return inner;
}

}  // namespace

absl::Status Value::status() const {
  if (tape_ == nullptr) return absl::InvalidArgumentError("a value that belongs to no tape");
  return tape_->status();
}

DType Value::dtype() const { return type().dtype; }
const Shape& Value::shape() const { return type().shape; }
const Type& Value::type() const { return ok() ? node().type() : NoType(); }
const Node& Value::node() const { return tape_->nodes()[static_cast<size_t>(id_)]; }

Dim Value::dim(int64_t axis) const {
  const int64_t i = axis < 0 ? axis + rank() : axis;
  return i >= 0 && i < rank() ? shape()[static_cast<size_t>(i)] : Dim(1);
}

UserLine::UserLine(const Value& value, const SourceLine& line) {
  if (value.tape() != nullptr && value.tape()->OpenLine(line)) tape_ = value.tape();
}

UserLine::~UserLine() {
  if (tape_ != nullptr) tape_->CloseLine();
}

Value Fail(std::string_view name, absl::Span<const Value> operands, std::string_view detail,
           const SourceLine& line) {
  // Of two tapes that do not mix, one may know the user's line.
  const SourceLine* user = &line;
  for (const Value& v : operands) {
    if (v.tape() != nullptr && user == &line) user = &v.tape()->LineOr(line);
  }
  const std::string where = ToString(*user);
  const absl::Status status = absl::InvalidArgumentError(
      absl::StrCat(Frame(name, operands), AbslView(detail), where.empty() ? "" : " (", where,
                   where.empty() ? "" : ")"));
  std::shared_ptr<TapeState> tape;
  for (const Value& v : operands) {
    if (v.tape() == nullptr) continue;
    // A tape keeps its first error, so nothing is lost where an operand is itself a failure.
    v.tape()->SetError(status);
    if (tape == nullptr) tape = v.tape();
  }
  return Value(tape, -1);
}

Value MakeNode(const Op& op, absl::Span<const Value> operands, Attributes attributes,
               const SourceLine& line) {
  for (const Value& v : operands) {
    if (v.tape() == nullptr) {
      return Fail(op.name, operands, "an operand is a plain number or a value of no tape", line);
    }
  }
  const std::shared_ptr<TapeState> tape = CommonTape(operands);
  if (tape == nullptr) {
    return Fail(op.name, operands, "values of two tapes (or of a finished loop) do not mix", line);
  }
  for (const Value& v : operands) {
    if (!v.ok()) return Value(tape, -1);
  }
  Node node;
  node.op = &op;
  for (const Value& v : operands) {
    const NodeId id = tape->Capture(v, line);
    if (id < 0) return Value(tape, -1);
    node.operands.push_back(id);
  }
  std::vector<Type> storage;
  absl::StatusOr<std::vector<Type>> types =
      op.infer(op, OperandTypes(tape->nodes(), node.operands, storage), attributes);
  if (!types.ok()) {
    return Fail(op.name, operands, StdView(types.status().message()), line);
  }
  node.attributes = std::move(attributes);
  node.types = *std::move(types);
  node.line = tape->LineOr(line);
  return Value(tape, tape->Append(std::move(node)));
}

std::vector<Value> OnOneTape(absl::Span<const Value> operands) {
  std::vector<Value> lifted(operands.begin(), operands.end());
  for (const Value& v : operands) {
    if (!v.ok()) return lifted;
  }
  const std::shared_ptr<TapeState> tape = CommonTape(operands);
  if (tape == nullptr) return lifted;
  for (Value& v : lifted) v = Value(tape, tape->Capture(v));
  return lifted;
}

Value Scalar(const Value& like, DType dtype, const Arg& number) {
  const std::optional<int64_t>& integer = number.integer();
  bool fits = true;
  const Array value = WithType(dtype, [&]<typename T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      return Array(ConvertElement<T>(number.number()));
    } else {
      // A number that the type can not hold would become another number without a word.
      const T element = ConvertElement<T>(integer.value_or(0));
      fits = integer.has_value() && static_cast<int64_t>(element) == *integer;
      return Array(element);
    }
  });
  const UserLine line(like, number.line());
  if (!fits) {
    const std::string text =
        integer.has_value() ? absl::StrCat(*integer) : absl::StrCat(number.number());
    // A fraction: whole numbers beyond the type have no better place.
    const bool fraction = number.number() != std::floor(number.number());
    const std::string_view hint = fraction ? "; Cast the tensor to a float type" : "";
    return Fail("number", {like},
                absl::StrCat(text, " is no ", AbslView(Name(dtype)), AbslView(hint)),
                number.line());
  }
  return Tape(like.tape()).Constant(value);
}

Value ToValue(const Arg& arg, const Value& like) {
  if (!arg.is_number()) return arg.value();
  if (!like.ok()) return like;
  return Scalar(like, like.dtype(), arg);
}

}  // namespace talweg
