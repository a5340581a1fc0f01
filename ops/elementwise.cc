#include "ops/elementwise.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "ops/map.h"
#include "ops/view.h"

namespace talweg {
namespace {

Value Unary(const Op& op, const Arg& x) { return Map(op, {x.value()}, {}, x.line()); }

Value Binary(const Op& op, const Arg& a, const Arg& b) {
  return Map(op, {ToValue(a, b.value()), ToValue(b, a.value())}, {}, a.line());
}

// The line of the call came with b.
Value& Assign(const Op& op, Value& a, const Arg& b) {
  const UserLine line(a, b.line());
  return a = Binary(op, a, b);
}

}  // namespace

absl::StatusOr<std::vector<Type>> InferMap(const Op& op, absl::Span<const Type> operands,
                                           const Attributes& attributes) {
  const MapRule& rule = *op.map;
  if (operands.size() != static_cast<size_t>(rule.arity)) {
    return absl::InvalidArgumentError(
        absl::StrCat("takes ", rule.arity, " operands, not ", operands.size()));
  }
  const bool selects = rule.types == MapTypes::kSelect;
  const DType dtype = operands.back().dtype;
  for (size_t k = 0; k < operands.size(); k++) {
    if (operands[k].shape != operands[0].shape) {
      return absl::InvalidArgumentError("shapes differ; an elementwise node does not broadcast");
    }
    if (selects && k == 0) {
      if (operands[0].dtype != kBool) return absl::InvalidArgumentError("the mask is not bool");
    } else if (operands[k].dtype != dtype) {
      return absl::InvalidArgumentError(absl::StrCat("element types ", Name(operands[k].dtype),
                                                     " and ", Name(dtype),
                                                     " do not mix; use Cast"));
    }
  }
  if (!internal::Takes(rule.types, dtype)) {
    return absl::InvalidArgumentError(absl::StrCat("not for ", Name(dtype), "; use Cast"));
  }
  Type result{dtype, operands[0].shape};
  if (rule.types == MapTypes::kCompare || rule.types == MapTypes::kTest) result.dtype = kBool;
  if (rule.types == MapTypes::kCast) {
    const auto* cast = std::get_if<CastAttributes>(&attributes);
    if (cast == nullptr) return absl::InvalidArgumentError("does not say to which element type");
    result.dtype = cast->dtype;
  }
  return std::vector<Type>{result};
}

Value Map(const Op& op, absl::Span<const Value> operands, Attributes attributes,
          const SourceLine& line) {
  Shape shape;
  for (const Value& v : operands) {
    // MakeNode tells what is wrong with it.
    if (!v.ok()) return MakeNode(op, operands, std::move(attributes), line);
    absl::StatusOr<Shape> common = BroadcastShapes(shape, v.shape());
    if (!common.ok()) {
      return Fail(op.name, operands, StdView(common.status().message()), line);
    }
    shape = *std::move(common);
  }
  std::vector<Value> broadcast;
  {
    // Closed before MakeNode: of tapes that do not mix, the other one may have the user's line.
    const UserLine scope(operands.front(), line);
    broadcast = OnOneTape(operands);
    for (Value& v : broadcast) v = BroadcastTo(v, shape);
  }
  return MakeNode(op, broadcast, std::move(attributes), line);
}

Value operator+(Arg a, Arg b) { return Binary(kAddOp, a, b); }
Value operator-(Arg a, Arg b) { return Binary(kSubOp, a, b); }
Value operator*(Arg a, Arg b) { return Binary(kMulOp, a, b); }
Value operator/(Arg a, Arg b) { return Binary(kDivOp, a, b); }
Value operator-(Arg x) { return Unary(kNegOp, x); }
Value& operator+=(Value& a, Arg b) { return Assign(kAddOp, a, b); }
Value& operator-=(Value& a, Arg b) { return Assign(kSubOp, a, b); }
Value& operator*=(Value& a, Arg b) { return Assign(kMulOp, a, b); }
Value& operator/=(Value& a, Arg b) { return Assign(kDivOp, a, b); }
Value Abs(Arg x) { return Unary(kAbsOp, x); }
Value Sign(Arg x) { return Unary(kSignOp, x); }
Value Square(Arg x) { return Unary(kSquareOp, x); }
Value Reciprocal(Arg x) { return Unary(kReciprocalOp, x); }
Value Max(Arg a, Arg b) { return Binary(kMaxOp, a, b); }
Value Min(Arg a, Arg b) { return Binary(kMinOp, a, b); }
Value Relu(Arg x) { return Unary(kReluOp, x); }

Value Sqrt(Arg x) { return Unary(kSqrtOp, x); }
Value Rsqrt(Arg x) { return Unary(kRsqrtOp, x); }
Value Exp(Arg x) { return Unary(kExpOp, x); }
Value Expm1(Arg x) { return Unary(kExpm1Op, x); }
Value Log(Arg x) { return Unary(kLogOp, x); }
Value Log1p(Arg x) { return Unary(kLog1pOp, x); }
Value Sin(Arg x) { return Unary(kSinOp, x); }
Value Cos(Arg x) { return Unary(kCosOp, x); }
Value Tanh(Arg x) { return Unary(kTanhOp, x); }
Value Sigmoid(Arg x) { return Unary(kSigmoidOp, x); }
Value Softplus(Arg x) { return Unary(kSoftplusOp, x); }
Value Erf(Arg x) { return Unary(kErfOp, x); }
Value Pow(Arg a, Arg b) { return Binary(kPowOp, a, b); }
Value Floor(Arg x) { return Unary(kFloorOp, x); }
Value Ceil(Arg x) { return Unary(kCeilOp, x); }
Value Round(Arg x) { return Unary(kRoundOp, x); }

Value Less(Arg a, Arg b) { return Binary(kLessOp, a, b); }
Value LessEqual(Arg a, Arg b) { return Binary(kLessEqualOp, a, b); }
Value Greater(Arg a, Arg b) { return Binary(kGreaterOp, a, b); }
Value GreaterEqual(Arg a, Arg b) { return Binary(kGreaterEqualOp, a, b); }
Value Equal(Arg a, Arg b) { return Binary(kEqualOp, a, b); }
Value NotEqual(Arg a, Arg b) { return Binary(kNotEqualOp, a, b); }
Value IsNan(Arg x) { return Unary(kIsNanOp, x); }
Value And(Arg a, Arg b) { return Binary(kAndOp, a, b); }
Value Or(Arg a, Arg b) { return Binary(kOrOp, a, b); }
Value Xor(Arg a, Arg b) { return Binary(kXorOp, a, b); }
Value Not(Arg x) { return Unary(kNotOp, x); }

Value Select(Arg mask, Arg a, Arg b) {
  // Of two numbers, both are float32.
  if (a.is_number() && b.is_number() && mask.value().ok()) {
    return Map(kSelectOp,
               {mask.value(), Scalar(mask.value(), kFloat32, a), Scalar(mask.value(), kFloat32, b)},
               {}, mask.line());
  }
  return Map(kSelectOp, {mask.value(), ToValue(a, b.value()), ToValue(b, a.value())}, {},
             mask.line());
}

Value Cast(Arg x, DType dtype) {
  if (x.value().ok() && x.value().dtype() == dtype) return x.value();
  return Map(kCastOp, {x.value()}, CastAttributes{dtype}, x.line());
}

Value Detach(Arg x) { return Unary(kDetachOp, x); }

absl::Span<const Op* const> ElementwiseOps() {
  static constexpr const Op* kOps[] = {
      &kAddOp,     &kSubOp,          &kMulOp,        &kDivOp,      &kNegOp,      &kAbsOp,
      &kSignOp,    &kSquareOp,       &kReciprocalOp, &kMaxOp,      &kMinOp,      &kReluOp,
      &kSqrtOp,    &kRsqrtOp,        &kExpOp,        &kExpm1Op,    &kLogOp,      &kLog1pOp,
      &kSinOp,     &kCosOp,          &kTanhOp,       &kSigmoidOp,  &kSoftplusOp, &kErfOp,
      &kPowOp,     &kFloorOp,        &kCeilOp,       &kRoundOp,    &kLessOp,     &kLessEqualOp,
      &kGreaterOp, &kGreaterEqualOp, &kEqualOp,      &kNotEqualOp, &kIsNanOp,    &kAndOp,
      &kOrOp,      &kXorOp,          &kNotOp,        &kSelectOp,   &kCastOp,     &kDetachOp};
  return kOps;
}

}  // namespace talweg
