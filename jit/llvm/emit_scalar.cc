#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "graph/functions.h"
#include "jit/llvm/emitter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Intrinsics.h"

namespace talweg::native {

using loops::kNone;

// Which of LLVM's operations means what graph/scalar.h says, to the bit. No fast-math flag is ever
// set. A NaN's sign and payload are free.

llvm::Constant* Emitter::Constant(const loops::RegisterType& type, uint64_t bits) {
  llvm::Constant* element = nullptr;
  switch (type.dtype) {
    case DType::kFloat32:
      element = llvm::ConstantFP::get(
          context_, llvm::APFloat(llvm::APFloat::IEEEsingle(), llvm::APInt(32, bits)));
      break;
    case DType::kFloat64:
      element = llvm::ConstantFP::get(
          context_, llvm::APFloat(llvm::APFloat::IEEEdouble(), llvm::APInt(64, bits)));
      break;
    case DType::kInt32:
      element = builder_.getInt32(static_cast<uint32_t>(bits));
      break;
    case DType::kInt64:
      element = builder_.getInt64(bits);
      break;
    case DType::kBool:
      element = builder_.getInt1(bits != 0);
      break;
  }
  if (type.lanes == 1) return element;
  return llvm::ConstantVector::getSplat(
      llvm::ElementCount::getFixed(static_cast<unsigned>(type.lanes)), element);
}

Emitter::Value* Emitter::EmitLanes(const loops::RegisterType& type) {
  std::vector<llvm::Constant*> lanes;
  for (int32_t lane = 0; lane < type.lanes; lane++) {
    lanes.push_back(Constant({type.dtype, 1}, static_cast<uint64_t>(lane)));
  }
  return type.lanes == 1 ? lanes[0] : llvm::ConstantVector::get(lanes);
}

Emitter::Value* Emitter::EmitShuffle(const loops::Instruction& i) {
  Value* a = Get(i.args[0]);
  Value* b = Get(i.args[1]);
  const int32_t a_lanes = TypeOf(i.args[0]).lanes;
  const int32_t b_lanes = b == nullptr ? a_lanes : TypeOf(i.args[1]).lanes;
  const auto lanes = static_cast<int32_t>(i.shuffle.size());
  if (lanes == 1 || a_lanes == 1 || b_lanes == 1) {
    Value* result = llvm::PoisonValue::get(RegisterType(i.result));
    for (int32_t lane = 0; lane < lanes; lane++) {
      const int32_t from = i.shuffle[Index(lane)];
      Value* element = from < a_lanes ? Lane(a, from, a_lanes) : Lane(b, from - a_lanes, b_lanes);
      result = WithLane(result, element, lane, lanes);
    }
    return result;
  }
  std::vector<int> mask(i.shuffle.begin(), i.shuffle.end());
  if (b == nullptr) return builder_.CreateShuffleVector(a, mask);
  if (a_lanes != b_lanes) {
    // LLVM asks for operands of one type: the narrower gets lanes that nobody reads.
    const int32_t width = std::max(a_lanes, b_lanes);
    std::vector<int> widen(Index(width), llvm::PoisonMaskElem);
    std::iota(widen.begin(), widen.begin() + std::min(a_lanes, b_lanes), 0);
    (a_lanes < b_lanes ? a : b) = builder_.CreateShuffleVector(a_lanes < b_lanes ? a : b, widen);
    for (int& from : mask) {
      if (from >= a_lanes) from += width - a_lanes;
    }
  }
  return builder_.CreateShuffleVector(a, b, mask);
}

Emitter::Value* Emitter::Unary(llvm::Intrinsic::ID id, Value* a) {
  return builder_.CreateUnaryIntrinsic(id, a);
}

Emitter::Value* Emitter::Binary(llvm::Intrinsic::ID id, Value* a, Value* b) {
  return builder_.CreateBinaryIntrinsic(id, a, b);
}

Emitter::Value* Emitter::EmitScalar(const loops::Instruction& i) {
  if (i.opcode == Opcode::kConstant) return Constant(TypeOf(i.result), i.immediate);
  Value* a = Get(i.args[0]);
  Value* b = Get(i.args[1]);
  const DType from = TypeOf(i.args[0]).dtype;
  switch (i.opcode) {
    case Opcode::kSelect:
      return builder_.CreateSelect(a, b, Get(i.args[2]));
    case Opcode::kBitcast:
      return builder_.CreateBitCast(a, RegisterType(i.result));
    case Opcode::kConvert:
      return EmitConvert(a, from, TypeOf(i.result).dtype, RegisterType(i.result));
    case Opcode::kCall:
      return EmitCall(i, a, b);
    default:
      break;
  }
  if (IsFloat(from)) return EmitFloat(i, a, b);
  return from == kBool ? EmitBool(i, a, b) : EmitInteger(i, a, b);
}

Emitter::Value* Emitter::EmitFloat(const loops::Instruction& i, Value* a, Value* b) {
  switch (i.opcode) {
    case Opcode::kAdd:
      return builder_.CreateFAdd(a, b);
    case Opcode::kSub:
      return builder_.CreateFSub(a, b);
    case Opcode::kMul:
      return builder_.CreateFMul(a, b);
    case Opcode::kDiv:
      return builder_.CreateFDiv(a, b);
    case Opcode::kNeg:
      return builder_.CreateFNeg(a);
    case Opcode::kFma:
      return builder_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, Get(i.args[2])});
    case Opcode::kSqrt:
      return Unary(llvm::Intrinsic::sqrt, a);
    case Opcode::kAbs:
      return Unary(llvm::Intrinsic::fabs, a);
    case Opcode::kFloor:
      return Unary(llvm::Intrinsic::floor, a);
    case Opcode::kCeil:
      return Unary(llvm::Intrinsic::ceil, a);
    case Opcode::kRoundEven:
      // The rounding mode is never changed, and the C library of any age has rint.
      return Unary(llvm::Intrinsic::rint, a);
    case Opcode::kMin:
      return EmitExtreme(/*greatest=*/false, a, b);
    case Opcode::kMax:
      return EmitExtreme(/*greatest=*/true, a, b);
    case Opcode::kLess:
      return builder_.CreateFCmpOLT(a, b);
    case Opcode::kLessEqual:
      return builder_.CreateFCmpOLE(a, b);
    case Opcode::kEqual:
      return builder_.CreateFCmpOEQ(a, b);
    case Opcode::kNotEqual:
      return builder_.CreateFCmpUNE(a, b);
    default:
      break;
  }
  llvm_unreachable("the verifier lets no other opcode of floats through");
}

// llvm.minimum and llvm.maximum mean the right thing. LLVM 19 makes six instructions of them for
// vectors, where five do, and where one operand is known, one or two.
Emitter::Value* Emitter::EmitExtreme(bool greatest, Value* a, Value* b) {
  if (llvm::isa<llvm::Constant>(a)) std::swap(a, b);
  const auto* constant = llvm::dyn_cast<llvm::Constant>(b);
  const llvm::Constant* element = constant;
  if (constant != nullptr && a->getType()->isVectorTy()) element = constant->getSplatValue();
  if (const auto* number = llvm::dyn_cast_or_null<llvm::ConstantFP>(element)) {
    if (number->isNaN()) return b;
    // The one zero that wins against the other, and so must not be taken for equal to it.
    const bool wins_ties = number->isZero() && number->isNegative() != greatest;
    const auto beyond = greatest
                            ? (wins_ties ? llvm::FCmpInst::FCMP_UGT : llvm::FCmpInst::FCMP_OGT)
                            : (wins_ties ? llvm::FCmpInst::FCMP_ULT : llvm::FCmpInst::FCMP_OLT);
    // Where a is NaN, either form gives a.
    if (wins_ties) return builder_.CreateSelect(builder_.CreateFCmp(beyond, a, b), a, b);
    return builder_.CreateSelect(builder_.CreateFCmp(beyond, b, a), b, a);
  }
  if (!a->getType()->isVectorTy()) {
    return Binary(greatest ? llvm::Intrinsic::maximum : llvm::Intrinsic::minimum, a, b);
  }
  // The processor's instruction gives its second operand where neither is beyond the other: so of
  // two zeros, each of these has one, and the bits decide.
  const auto beyond = greatest ? llvm::FCmpInst::FCMP_OGT : llvm::FCmpInst::FCMP_OLT;
  llvm::Type* type = a->getType();
  llvm::Type* bits = llvm::VectorType::getInteger(llvm::cast<llvm::VectorType>(type));
  Value* one = builder_.CreateSelect(builder_.CreateFCmp(beyond, a, b), a, b);
  Value* other = builder_.CreateSelect(builder_.CreateFCmp(beyond, b, a), b, a);
  one = builder_.CreateBitCast(one, bits);
  other = builder_.CreateBitCast(other, bits);
  Value* number = greatest ? builder_.CreateAnd(one, other) : builder_.CreateOr(one, other);
  Value* unordered = builder_.CreateFCmpUNO(a, b);
  if (target_.avx512) {
    return builder_.CreateSelect(unordered, llvm::ConstantFP::getNaN(type),
                                 builder_.CreateBitCast(number, type));
  }
  // All ones are a NaN.
  number = builder_.CreateOr(number, builder_.CreateSExt(unordered, bits));
  return builder_.CreateBitCast(number, type);
}

Emitter::Value* Emitter::EmitInteger(const loops::Instruction& i, Value* a, Value* b) {
  const loops::RegisterType type = TypeOf(i.args[0]);
  switch (i.opcode) {
    case Opcode::kAdd:
      return builder_.CreateAdd(a, b);
    case Opcode::kSub:
      return builder_.CreateSub(a, b);
    case Opcode::kMul:
      return builder_.CreateMul(a, b);
    case Opcode::kDiv:
      return EmitDivision(a, b);
    case Opcode::kNeg:
      return builder_.CreateNeg(a);
    case Opcode::kFma:
      return builder_.CreateAdd(builder_.CreateMul(a, b), Get(i.args[2]));
    case Opcode::kAbs:
      return Binary(llvm::Intrinsic::abs, a, builder_.getFalse());
    case Opcode::kMin:
      return Binary(llvm::Intrinsic::smin, a, b);
    case Opcode::kMax:
      return Binary(llvm::Intrinsic::smax, a, b);
    case Opcode::kLess:
      return builder_.CreateICmpSLT(a, b);
    case Opcode::kLessEqual:
      return builder_.CreateICmpSLE(a, b);
    case Opcode::kEqual:
      return builder_.CreateICmpEQ(a, b);
    case Opcode::kNotEqual:
      return builder_.CreateICmpNE(a, b);
    case Opcode::kAnd:
      return builder_.CreateAnd(a, b);
    case Opcode::kOr:
      return builder_.CreateOr(a, b);
    case Opcode::kXor:
      return builder_.CreateXor(a, b);
    case Opcode::kNot:
      return builder_.CreateNot(a);
    case Opcode::kShiftLeft:
      return builder_.CreateShl(a, Constant(type, i.immediate));
    case Opcode::kShiftRight:
      return builder_.CreateAShr(a, Constant(type, i.immediate));
    default:
      break;
  }
  llvm_unreachable("the verifier lets no other opcode of integers through");
}

// x / 0 is 0, and the least integer / -1 is itself; both trap on the processor.
Emitter::Value* Emitter::EmitDivision(Value* a, Value* b) {
  llvm::Type* type = a->getType();
  Value* zero = llvm::Constant::getNullValue(type);
  Value* is_zero = builder_.CreateICmpEQ(b, zero);
  Value* is_minus_one = builder_.CreateICmpEQ(b, llvm::Constant::getAllOnesValue(type));
  Value* divisor = builder_.CreateSelect(builder_.CreateOr(is_zero, is_minus_one),
                                         llvm::ConstantInt::get(type, 1), b);
  Value* quotient = builder_.CreateSDiv(a, divisor);
  quotient = builder_.CreateSelect(is_minus_one, builder_.CreateNeg(a), quotient);
  return builder_.CreateSelect(is_zero, zero, quotient);
}

Emitter::Value* Emitter::EmitBool(const loops::Instruction& i, Value* a, Value* b) {
  switch (i.opcode) {
    case Opcode::kAnd:
    case Opcode::kMin:
      return builder_.CreateAnd(a, b);
    case Opcode::kOr:
    case Opcode::kMax:
      return builder_.CreateOr(a, b);
    case Opcode::kXor:
    case Opcode::kNotEqual:
      return builder_.CreateXor(a, b);
    case Opcode::kNot:
      return builder_.CreateNot(a);
    case Opcode::kEqual:
      return builder_.CreateNot(builder_.CreateXor(a, b));
    case Opcode::kLess:
      return builder_.CreateAnd(builder_.CreateNot(a), b);
    case Opcode::kLessEqual:
      return builder_.CreateOr(builder_.CreateNot(a), b);
    default:
      break;
  }
  llvm_unreachable("the verifier lets no other opcode of bools through");
}

Emitter::Value* Emitter::EmitConvert(Value* a, DType from, DType to, llvm::Type* type) {
  if (from == to) return a;
  if (to == kBool) {
    Value* zero = llvm::Constant::getNullValue(a->getType());
    return IsFloat(from) ? builder_.CreateFCmpUNE(a, zero) : builder_.CreateICmpNE(a, zero);
  }
  if (IsFloat(to)) {
    if (IsFloat(from)) return builder_.CreateFPCast(a, type);
    return from == kBool ? builder_.CreateUIToFP(a, type) : builder_.CreateSIToFP(a, type);
  }
  if (IsFloat(from)) return EmitToInteger(a, type);
  return from == kBool ? builder_.CreateZExt(a, type) : builder_.CreateSExtOrTrunc(a, type);
}

// llvm.fptosi.sat means the right thing, and LLVM 19 does it lane by lane. Its operand is brought
// into range first: outside of it, fptosi is undefined.
Emitter::Value* Emitter::EmitToInteger(Value* a, llvm::Type* type) {
  llvm::Type* from = a->getType();
  if (!type->isVectorTy()) {
    return builder_.CreateIntrinsic(llvm::Intrinsic::fptosi_sat, {type, from}, {a});
  }
  const unsigned width = type->getScalarSizeInBits();
  Value* least = llvm::ConstantFP::get(from, -std::ldexp(1.0, static_cast<int>(width) - 1));
  Value* end = llvm::ConstantFP::get(from, std::ldexp(1.0, static_cast<int>(width) - 1));
  // A NaN is the least for now.
  Value* inside = builder_.CreateSelect(builder_.CreateFCmpOGT(a, least), a, least);
  Value* beyond = builder_.CreateFCmpOGE(a, end);
  inside = builder_.CreateSelect(beyond, llvm::Constant::getNullValue(from), inside);
  Value* result = builder_.CreateFPToSI(inside, type);
  Value* most = llvm::ConstantInt::get(type, llvm::APInt::getSignedMaxValue(width));
  result = builder_.CreateSelect(beyond, most, result);
  return builder_.CreateSelect(builder_.CreateFCmpUNO(a, a), llvm::Constant::getNullValue(type),
                               result);
}

// Lane by lane, and out of the sight of whoever might know what the function computes.
Emitter::Value* Emitter::EmitCall(const loops::Instruction& i, Value* a, Value* b) {
  const FunctionInfo& function = InfoOf(static_cast<Function>(i.immediate));
  const loops::RegisterType type = TypeOf(i.result);
  llvm::Type* element = ElementType(type.dtype);
  const std::vector<llvm::Type*> types(static_cast<size_t>(function.arity), element);
  const llvm::FunctionCallee callee = module_.getOrInsertFunction(
      type.dtype == kFloat32 ? function.float_name : function.name,
      llvm::FunctionType::get(element, types, false),
      llvm::AttributeList().addFnAttribute(context_, llvm::Attribute::NoUnwind));
  Value* result = llvm::PoisonValue::get(RegisterType(i.result));
  for (int32_t lane = 0; lane < type.lanes; lane++) {
    std::vector<Value*> args = {Lane(a, lane, type.lanes)};
    if (function.arity == 2) args.push_back(Lane(b, lane, type.lanes));
    llvm::CallInst* call = builder_.CreateCall(callee, args);
    call->addFnAttr(llvm::Attribute::NoBuiltin);
    result = WithLane(result, call, lane, type.lanes);
  }
  return result;
}

}  // namespace talweg::native
