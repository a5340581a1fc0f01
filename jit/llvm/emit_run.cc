#include <cstdint>
#include <vector>

#include "jit/llvm/emitter.h"
#include "jit/loops/runtime.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/IR/MDBuilder.h"

namespace talweg::native {

using loops::kNone;

// Emitted code reads a Context by these offsets.
static_assert(offsetof(loops::Context, arena) == 0 && offsetof(loops::Context, table) == 8 &&
              offsetof(loops::Context, rows) == 16 && offsetof(loops::Context, trips) == 24 &&
              offsetof(loops::Context, thread) == 32);

// Each field has eight bytes.
Emitter::Value* Emitter::ContextField(int32_t field, llvm::Type* type) {
  return builder_.CreateLoad(type, builder_.CreateConstInBoundsGEP1_64(
                                       int64_, frame_.context, static_cast<uint64_t>(field)));
}

Emitter::Value* Emitter::ContextPointer(Value*& cached, int32_t field) {
  if (cached == nullptr) {
    const llvm::IRBuilder<>::InsertPointGuard guard(builder_);
    builder_.SetInsertPoint(frame_.entry);
    cached = ContextField(field, pointer_);
  }
  return cached;
}

Emitter::Value* Emitter::EmitSymbol(const loops::Instruction& i) {
  // The trips may be bound while the program runs.
  return ContextField(i.immediate == 0 ? 2 : 3, int64_);
}

Emitter::Value* Emitter::CallRuntime(absl::string_view name, llvm::Type* result,
                                     absl::Span<Value* const> args) {
  std::vector<llvm::Type*> types;
  for (const Value* arg : args) types.push_back(arg->getType());
  const llvm::FunctionCallee callee = module_.getOrInsertFunction(
      llvm::StringRef(name.data(), name.size()), llvm::FunctionType::get(result, types, false),
      llvm::AttributeList().addFnAttribute(context_, llvm::Attribute::NoUnwind));
  return builder_.CreateCall(callee, llvm::ArrayRef<Value*>(args.data(), args.size()));
}

llvm::BasicBlock* Emitter::Failed() {
  if (frame_.failed == nullptr) frame_.failed = NewBlock("failed");
  return frame_.failed;
}

llvm::BasicBlock* Emitter::BranchToCold(Value* condition, llvm::BasicBlock* cold) {
  llvm::BasicBlock* next = NewBlock("next");
  builder_.CreateCondBr(condition, cold, next,
                        llvm::MDBuilder(context_).createUnlikelyBranchWeights());
  return next;
}

void Emitter::FailIfZero(Value* result) {
  Start(BranchToCold(builder_.CreateIsNull(result), Failed()));
}

Emitter::Value* Emitter::EmitCheckIndex(const loops::Instruction& i) {
  Value* index = Get(i.args[0]);
  Value* extent = Get(i.args[1]);
  Value* counts = Get(i.args[2]);
  const int32_t lanes = TypeOf(i.result).lanes;
  Value* extents = Splat(extent, lanes);

  // Unsigned, a negative index is larger than any extent.
  Value* wrong = builder_.CreateICmpUGE(index, extents);
  if (counts != nullptr) wrong = builder_.CreateAnd(wrong, counts);
  if (lanes > 1) {
    llvm::Type* bits = builder_.getIntNTy(static_cast<unsigned>(lanes));
    wrong = builder_.CreateIsNotNull(builder_.CreateBitCast(wrong, bits));
  }
  llvm::BasicBlock* before = builder_.GetInsertBlock();
  llvm::BasicBlock* report = NewBlock("wrong_index");
  llvm::BasicBlock* next = BranchToCold(wrong, report);
  Start(report);
  Value* indices = FrameMemory(frame_.indices, llvm::ArrayType::get(int64_, most_lanes_), false);
  builder_.CreateAlignedStore(index, indices, llvm::Align(8));
  Value* active = llvm::ConstantPointerNull::get(builder_.getPtrTy());
  if (counts != nullptr) {
    active = FrameMemory(frame_.active, llvm::ArrayType::get(int8_, most_lanes_), false);
    builder_.CreateAlignedStore(ToMemory(counts, kBool), active, llvm::Align(1));
  }
  CallRuntime("talweg_index_error", builder_.getVoidTy(),
              {frame_.context, builder_.getInt32(static_cast<uint32_t>(i.site)), indices, active,
               builder_.getInt32(static_cast<uint32_t>(lanes)), extent});
  // Where all lanes count, an index that is inside needs no clamp.
  const auto clamp = [&] {
    Value* one = llvm::ConstantInt::get(extents->getType(), 1);
    Value* least = Binary(llvm::Intrinsic::smin, index, builder_.CreateSub(extents, one));
    return Binary(llvm::Intrinsic::smax, least, llvm::Constant::getNullValue(extents->getType()));
  };
  Value* clamped = counts == nullptr ? clamp() : nullptr;
  llvm::BasicBlock* reported = builder_.GetInsertBlock();
  builder_.CreateBr(next);
  Start(next);

  if (counts != nullptr) return clamp();
  llvm::PHINode* inside = builder_.CreatePHI(index->getType(), 2);
  inside->addIncoming(index, before);
  inside->addIncoming(clamped, reported);
  return inside;
}

void Emitter::EmitFailIf(const loops::Instruction& i) {
  llvm::BasicBlock* fail = NewBlock("fail");
  llvm::BasicBlock* next = BranchToCold(Get(i.args[0]), fail);
  Start(fail);
  const auto number = [&](Register r) { return r == kNone ? builder_.getInt64(0) : Get(r); };
  CallRuntime("talweg_fail", builder_.getVoidTy(),
              {frame_.context, builder_.getInt32(static_cast<uint32_t>(i.site)), number(i.args[1]),
               number(i.args[2])});
  builder_.CreateBr(Failed());
  Start(next);
}

void Emitter::EmitAllocate(const loops::Instruction& i) {
  const loops::Buffer& buffer = program_.buffers[Index(i.buffer)];
  FailIfZero(CallRuntime("talweg_allocate", int32_,
                         {frame_.context, builder_.getInt32(static_cast<uint32_t>(buffer.slot)),
                          builder_.getInt32(static_cast<uint32_t>(i.site)), Get(i.args[0]),
                          builder_.getInt32(static_cast<uint32_t>(SizeOf(buffer.dtype)))}));
}

void Emitter::EmitRandom(const loops::Instruction& i) {
  CallRuntime("talweg_random", builder_.getVoidTy(),
              {frame_.context, builder_.getInt32(static_cast<uint32_t>(i.which)), Get(i.args[0]),
               Get(i.args[1]), Get(i.args[3]),
               Address(i.buffer, Get(i.args[2]), static_cast<int64_t>(i.immediate))});
}

}  // namespace talweg::native
