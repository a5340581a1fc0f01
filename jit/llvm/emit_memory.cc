#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <variant>
#include <vector>

#include "jit/llvm/emitter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Metadata.h"
#include "llvm/Support/MathExtras.h"

namespace talweg::native {

using loops::Buffer;
using loops::Code;
using loops::For;
using loops::If;
using loops::kNone;
using loops::Section;

namespace {

void ForEachInstruction(const std::vector<loops::Statement>& statements,
                        const std::function<void(const loops::Instruction&)>& f) {
  for (const loops::Statement& statement : statements) {
    if (const auto* i = std::get_if<loops::Instruction>(&statement.node)) {
      f(*i);
    } else if (const auto* loop = std::get_if<For>(&statement.node)) {
      ForEachInstruction(loop->body, f);
    } else if (const auto* condition = std::get_if<If>(&statement.node)) {
      ForEachInstruction(condition->body, f);
    } else {
      ForEachInstruction(std::get<Section>(statement.node).body, f);
    }
  }
}

// Nothing writes to these while the program runs.
bool IsInvariant(const Buffer& buffer) {
  return buffer.home == Buffer::Home::kInput || buffer.home == Buffer::Home::kConstant;
}

}  // namespace

// Pointers of the table are loaded where a section starts: no register holds them across sections,
// and no loop inside loads them again. Where the section itself changes the table, at each use.
void Emitter::EmitSection(const Section& section) {
  if (in_section_) {
    for (const loops::Statement& statement : section.body) EmitStatement(statement);
    return;
  }
  LoadPointers(section.body);
  in_section_ = true;
  if (!context_.shouldDiscardValueNames()) section_ = SymbolName(section.label);
  for (const loops::Statement& statement : section.body) EmitStatement(statement);
  section_.clear();
  in_section_ = false;
  pointers_.clear();
}

void Emitter::LoadPointers(const std::vector<loops::Statement>& body) {
  std::vector<int32_t> slots;
  bool changes = false;
  ForEachInstruction(body, [&](const loops::Instruction& i) {
    changes |= i.code == Code::kAllocate || i.code == Code::kRelease || i.code == Code::kBindTrips;
    if (i.buffer < 0 || i.code == Code::kAllocate) return;
    const Buffer& buffer = program_.buffers[Index(i.buffer)];
    if (buffer.slot >= 0) slots.push_back(buffer.slot);
  });
  if (changes) return;
  for (int32_t slot : slots) {
    if (!pointers_.contains(slot)) pointers_[slot] = TablePointer(slot);
  }
}

Emitter::Value* Emitter::TablePointer(int32_t slot) {
  const auto found = pointers_.find(slot);
  if (found != pointers_.end()) return found->second;
  return builder_.CreateLoad(
      pointer_, builder_.CreateConstInBoundsGEP1_64(pointer_, ContextPointer(frame_.table, 1),
                                                    static_cast<uint64_t>(slot)));
}

Emitter::Value* Emitter::Address(int32_t number, Value* index, int64_t offset) {
  const Buffer& buffer = program_.buffers[Index(number)];
  Value* pointer = nullptr;
  int64_t bytes = offset * SizeOf(buffer.dtype);
  if (buffer.home == Buffer::Home::kArena) {
    pointer = ContextPointer(frame_.arena, 0);
    bytes += buffer.offset;
  } else if (buffer.home == Buffer::Home::kThread) {
    pointer = ContextPointer(frame_.thread, 4);
    bytes += buffer.offset;
  } else {
    pointer = TablePointer(buffer.slot);
  }
  // What is constant comes last: it becomes the displacement of the load or store itself.
  if (index != nullptr) pointer = builder_.CreateGEP(MemoryType(buffer.dtype), pointer, index);
  if (bytes == 0) return pointer;
  return builder_.CreatePtrAdd(pointer, builder_.getInt64(static_cast<uint64_t>(bytes)));
}

Emitter::Value* Emitter::FromMemory(Value* v, DType dtype) {
  return dtype == kBool ? builder_.CreateIsNotNull(v) : v;
}

Emitter::Value* Emitter::ToMemory(Value* v, DType dtype) {
  if (dtype != kBool) return v;
  llvm::Type* type = int8_;
  if (const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(v->getType())) {
    type = llvm::FixedVectorType::get(int8_, vector->getNumElements());
  }
  return builder_.CreateZExt(v, type);
}

// Whether the processor loads and stores vectors under a mask. LLVM would make branches of it
// otherwise, one a lane.
bool Emitter::HasMaskedMove(DType dtype) const {
  return target_.avx512 || (target_.avx && dtype != kBool);
}

// The addresses of a vector's elements, each on its own. Those that the mask leaves out are
// `instead`, memory of the function's frame, so that no branch is needed. The choice is made among
// vectors of offsets, as LLVM would make branches of choices between pointers.
std::vector<Emitter::Value*> Emitter::LaneAddresses(const loops::Instruction& i, Value* mask,
                                                    int32_t lanes, Value* instead) {
  const Buffer& buffer = program_.buffers[Index(i.buffer)];
  const auto offset = static_cast<int64_t>(i.immediate);
  const bool each = i.code == Code::kLoadEach;
  Value* index = Get(i.args[0]);
  std::vector<Value*> addresses;
  if (mask == nullptr || lanes == 1) {
    for (int32_t lane = 0; lane < lanes; lane++) {
      Value* address = each ? Address(i.buffer, Lane(index, lane, lanes), offset)
                            : Address(i.buffer, index, offset + lane * i.stride);
      if (mask != nullptr) address = builder_.CreateSelect(mask, address, instead);
      addresses.push_back(address);
    }
    return addresses;
  }
  Value* base = Address(i.buffer, each ? nullptr : index, offset);
  Value* offsets = builder_.CreateMul(
      each ? index : EmitLanes({kInt64, lanes}),
      Constant({kInt64, lanes},
               static_cast<uint64_t>((each ? 1 : i.stride) * SizeOf(buffer.dtype))));
  Value* to = builder_.CreatePtrToInt(instead, int64_);
  Value* away = builder_.CreateSub(to, builder_.CreatePtrToInt(base, int64_));
  offsets = builder_.CreateSelect(mask, offsets, Splat(away, lanes));
  for (int32_t lane = 0; lane < lanes; lane++) {
    addresses.push_back(builder_.CreatePtrAdd(base, Lane(offsets, lane, lanes)));
  }
  return addresses;
}

Emitter::Value* Emitter::LoadLanes(const loops::Instruction& i, Value* mask) {
  const int32_t lanes = TypeOf(i.result).lanes;
  const Buffer& buffer = program_.buffers[Index(i.buffer)];
  llvm::Type* element = MemoryType(buffer.dtype);
  const llvm::Align align(static_cast<uint64_t>(SizeOf(buffer.dtype)));
  llvm::Type* type = TypeWithLanes(element, lanes);
  if (mask != nullptr && HasGather(buffer.dtype, lanes)) {
    return builder_.CreateMaskedGather(type, LaneAddressVector(i, lanes), align, mask,
                                       llvm::Constant::getNullValue(type));
  }
  Value* zero = mask == nullptr ? nullptr : FrameMemory(frame_.zero, int64_, true);
  Value* result = llvm::PoisonValue::get(type);
  int32_t lane = 0;
  for (Value* address : LaneAddresses(i, mask, lanes, zero)) {
    result = WithLane(result, builder_.CreateAlignedLoad(element, address, align), lane++, lanes);
  }
  return FromMemory(result, buffer.dtype);
}

Emitter::Value* Emitter::LaneAddressVector(const loops::Instruction& i, int32_t lanes) {
  const auto offset = static_cast<int64_t>(i.immediate);
  llvm::Type* element = MemoryType(program_.buffers[Index(i.buffer)].dtype);
  if (i.code == Code::kLoadEach) {
    return builder_.CreateGEP(element, Address(i.buffer, nullptr, offset), Get(i.args[0]));
  }
  Value* steps = builder_.CreateMul(EmitLanes({kInt64, lanes}),
                                    Constant({kInt64, lanes}, static_cast<uint64_t>(i.stride)));
  return builder_.CreateGEP(element, Address(i.buffer, Get(i.args[0]), offset), steps);
}

bool Emitter::HasGather(DType dtype, int32_t lanes) const {
  return target_.avx512 && dtype != kBool && lanes > 1;
}

namespace {

// How many of the first lanes a constant mask takes, and no others; 0 where it is another mask.
int32_t FirstLanes(const llvm::Value* mask, int32_t lanes) {
  const auto* constant = llvm::dyn_cast<llvm::Constant>(mask);
  if (constant == nullptr) return 0;
  int32_t first = 0;
  for (int32_t lane = 0; lane < lanes; lane++) {
    const llvm::Constant* bit = constant->getAggregateElement(static_cast<unsigned>(lane));
    if (bit == nullptr || !llvm::isa<llvm::ConstantInt>(bit)) return 0;
    if (bit->isNullValue()) continue;
    if (first++ != lane) return 0;
  }
  return first;
}

}  // namespace

// The first lanes of a vector, with zeros behind: 1, 2, 4 ... of them are one load of a shorter
// vector.
Emitter::Value* Emitter::LoadFirst(llvm::Type* element, int32_t first, int32_t lanes,
                                   Value* address, llvm::Align align) {
  llvm::Type* type = TypeWithLanes(element, first);
  Value* load = builder_.CreateAlignedLoad(type, address, align);
  if (first == 1) {
    llvm::Constant* zeros = llvm::Constant::getNullValue(TypeWithLanes(element, lanes));
    return builder_.CreateInsertElement(zeros, load, uint64_t{0});
  }
  std::vector<int> shuffle(Index(lanes), first);
  for (int32_t lane = 0; lane < first; lane++) shuffle[Index(lane)] = lane;
  return builder_.CreateShuffleVector(load, llvm::Constant::getNullValue(type), shuffle);
}

Emitter::Value* Emitter::EmitLoad(const loops::Instruction& i) {
  const Buffer& buffer = program_.buffers[Index(i.buffer)];
  const int32_t lanes = TypeOf(i.result).lanes;
  Value* index = Get(i.args[0]);
  Value* mask = Get(i.args[1]);
  const auto offset = static_cast<int64_t>(i.immediate);
  llvm::Type* element = MemoryType(buffer.dtype);
  const llvm::Align align(static_cast<uint64_t>(SizeOf(buffer.dtype)));

  const bool whole = lanes > 1 && (i.stride == 1 || i.stride == -1);
  if (whole && (mask == nullptr || HasMaskedMove(buffer.dtype))) {
    llvm::Type* type = TypeWithLanes(element, lanes);
    const bool reversed = i.stride < 0;
    Value* address = Address(i.buffer, index, reversed ? offset - (lanes - 1) : offset);
    const int32_t first = mask == nullptr || reversed ? 0 : FirstLanes(mask, lanes);
    Value* load = nullptr;
    if (mask == nullptr) {
      llvm::LoadInst* plain = builder_.CreateAlignedLoad(type, address, align);
      if (IsInvariant(buffer)) {
        plain->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(context_, {}));
      }
      load = plain;
    } else if (llvm::isPowerOf2_32(static_cast<uint32_t>(first)) && first < lanes) {
      load = LoadFirst(element, first, lanes, address, align);
    } else {
      if (reversed) mask = builder_.CreateVectorReverse(mask);
      load =
          builder_.CreateMaskedLoad(type, address, align, mask, llvm::Constant::getNullValue(type));
    }
    Value* result = reversed ? builder_.CreateVectorReverse(load) : load;
    return FromMemory(result, buffer.dtype);
  }
  if (mask == nullptr && (lanes == 1 || i.stride == 0)) {
    llvm::LoadInst* load =
        builder_.CreateAlignedLoad(element, Address(i.buffer, index, offset), align);
    if (IsInvariant(buffer)) {
      load->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(context_, {}));
    }
    return Splat(FromMemory(load, buffer.dtype), lanes);
  }
  return LoadLanes(i, mask);
}

void Emitter::EmitStore(const loops::Instruction& i) {
  const Buffer& buffer = program_.buffers[Index(i.buffer)];
  const int32_t lanes = TypeOf(i.args[2]).lanes;
  Value* index = Get(i.args[0]);
  Value* mask = Get(i.args[1]);
  Value* value = ToMemory(Get(i.args[2]), buffer.dtype);
  const auto offset = static_cast<int64_t>(i.immediate);
  const llvm::Align align(static_cast<uint64_t>(SizeOf(buffer.dtype)));

  const bool whole = lanes > 1 && (i.stride == 1 || i.stride == -1);
  if (whole && (mask == nullptr || HasMaskedMove(buffer.dtype))) {
    const bool reversed = i.stride < 0;
    Value* address = Address(i.buffer, index, reversed ? offset - (lanes - 1) : offset);
    if (reversed) value = builder_.CreateVectorReverse(value);
    if (mask == nullptr) {
      builder_.CreateAlignedStore(value, address, align);
    } else {
      if (reversed) mask = builder_.CreateVectorReverse(mask);
      builder_.CreateMaskedStore(value, address, align, mask);
    }
    return;
  }
  if (mask != nullptr && HasGather(buffer.dtype, lanes)) {
    builder_.CreateMaskedScatter(value, LaneAddressVector(i, lanes), align, mask);
    return;
  }
  Value* sink = mask == nullptr ? nullptr : FrameMemory(frame_.sink, int64_, false);
  int32_t lane = 0;
  for (Value* address : LaneAddresses(i, mask, lanes, sink)) {
    builder_.CreateAlignedStore(Lane(value, lane++, lanes), address, align);
  }
}

void Emitter::EmitPrefetch(const loops::Instruction& i) {
  // For reading, into the first cache, of data.
  Value* address = Address(i.buffer, Get(i.args[0]), static_cast<int64_t>(i.immediate));
  builder_.CreateIntrinsic(
      llvm::Intrinsic::prefetch, {pointer_},
      {address, builder_.getInt32(0), builder_.getInt32(3), builder_.getInt32(1)});
}

Emitter::Value* Emitter::FrameMemory(Value*& cached, llvm::Type* type, bool zeroed) {
  if (cached == nullptr) {
    const llvm::IRBuilder<>::InsertPointGuard guard(builder_);
    builder_.SetInsertPoint(frame_.entry);
    cached = builder_.CreateAlloca(type);
    if (zeroed) builder_.CreateStore(llvm::Constant::getNullValue(type), cached);
  }
  return cached;
}

}  // namespace talweg::native
