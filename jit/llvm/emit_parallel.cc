// A parallel loop becomes a function of some of its trips, which the runtime calls from wherever it
// likes: void f(Context* of the thread, const void* captured, int64_t begin, int64_t end).

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "jit/llvm/emitter.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Function.h"

namespace talweg::native {

void Emitter::EmitParallel(const loops::For& loop) {
  // What the body uses from around it goes through memory, but for constants.
  std::vector<Register> captured;
  std::vector<Value*> outside;
  std::vector<llvm::Type*> types;
  for (Register r : outline_.LiveIn(loop)) {
    Value* value = Get(r);
    if (llvm::isa<llvm::Constant>(value)) continue;
    captured.push_back(r);
    outside.push_back(value);
    types.push_back(value->getType());
  }
  Value* begin = BoundValue(loop.begin);
  Value* end = BoundValue(loop.end);
  llvm::StructType* type = llvm::StructType::get(context_, types);
  Value* memory = llvm::ConstantPointerNull::get(builder_.getPtrTy());
  if (!captured.empty()) {
    const llvm::IRBuilder<>::InsertPointGuard guard(builder_);
    builder_.SetInsertPoint(frame_.entry);
    memory = builder_.CreateAlloca(type);
  }
  for (size_t k = 0; k < captured.size(); k++) {
    builder_.CreateStore(outside[k],
                         builder_.CreateStructGEP(type, memory, static_cast<unsigned>(k)));
  }

  const std::string name = absl::StrCat(std::string(frame_.function->getName()),
                                        section_.empty() ? "" : ".", section_, ".trips");
  llvm::Function* trips = llvm::Function::Create(
      llvm::FunctionType::get(builder_.getVoidTy(), {pointer_, pointer_, int64_, int64_}, false),
      llvm::Function::InternalLinkage, name, module_);
  const auto point = builder_.saveIP();
  const Frame frame = frame_;
  const auto pointers = std::exchange(pointers_, {});
  const bool keeps_constants = std::exchange(keeps_constants_, false);
  StartFunction(trips);
  for (size_t k = 0; k < captured.size(); k++) {
    Set(captured[k],
        builder_.CreateLoad(
            types[k], builder_.CreateStructGEP(type, trips->getArg(1), static_cast<unsigned>(k))));
  }
  LoadPointers(loop.body);
  EmitTrips(loop, trips->getArg(2), trips->getArg(3));
  builder_.CreateRetVoid();
  EndFunction();
  for (size_t k = 0; k < captured.size(); k++) Set(captured[k], outside[k]);
  keeps_constants_ = keeps_constants;
  pointers_ = pointers;
  frame_ = frame;
  builder_.restoreIP(point);

  // An empty range is none of the runtime's.
  llvm::BasicBlock* some = NewBlock("parallel");
  llvm::BasicBlock* done = NewBlock("done");
  builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), some, done);
  Start(some);
  CallRuntime("talweg_parallel", builder_.getVoidTy(),
              {frame_.context, trips, memory, begin, end,
               builder_.getInt64(static_cast<uint64_t>(loop.step)),
               builder_.getInt64(static_cast<uint64_t>(loop.cost))});
  builder_.CreateBr(done);
  Start(done);
}

}  // namespace talweg::native
