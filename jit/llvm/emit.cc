#include "jit/llvm/emit.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "jit/llvm/emitter.h"
#include "jit/llvm/outline.h"
#include "llvm/IR/Attributes.h"
#include "llvm/IR/BasicBlock.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/Function.h"

namespace talweg::native {

using loops::Code;
using loops::For;
using loops::If;
using loops::kNone;
using loops::Section;

namespace {

void AddAttributes(llvm::Function& function, const TargetSpec& target, const EmitOptions& options) {
  function.addFnAttr(llvm::Attribute::NoUnwind);
  if (options.unwind_tables) function.setUWTableKind(llvm::UWTableKind::Async);
  // exp is the C library's exp, whatever LLVM knows of it.
  function.addFnAttr("no-builtins");
  if (target.avx512) function.addFnAttr("prefer-vector-width", "512");
}

// A dot keeps it apart from all names of C.
std::string EntryName(const std::string& program) {
  return absl::StrCat("talweg.", program.empty() ? "program" : SymbolName(program));
}

}  // namespace

void Emit(const loops::Program& program, const TargetSpec& target, const EmitOptions& options,
          llvm::Module& module) {
  Emitter(program, target, options, module).EmitProgram();
}

Emitter::Emitter(const loops::Program& program, const TargetSpec& target,
                 const EmitOptions& options, llvm::Module& module)
    : program_(program),
      target_(target),
      options_(options),
      module_(module),
      context_(module.getContext()),
      builder_(context_),
      outline_(program, options.function_size),
      values_(program.registers.size()),
      int1_(builder_.getInt1Ty()),
      int8_(builder_.getInt8Ty()),
      int32_(builder_.getInt32Ty()),
      int64_(builder_.getInt64Ty()),
      float_(builder_.getFloatTy()),
      double_(builder_.getDoubleTy()),
      pointer_(builder_.getPtrTy()) {
  for (const loops::RegisterType& type : program.registers) {
    most_lanes_ = std::max(most_lanes_, static_cast<uint64_t>(type.lanes));
  }
}

void Emitter::EmitProgram() {
  module_.setModuleIdentifier(options_.name);
  const std::string name = EntryName(options_.name);
  llvm::Function* entry = llvm::Function::Create(llvm::FunctionType::get(int32_, {pointer_}, false),
                                                 llvm::Function::ExternalLinkage, name, module_);
  EmitFunction(entry, program_.body);
}

void Emitter::EmitFunction(llvm::Function* function, Statements statements) {
  StartFunction(function);
  EmitStatements(statements, {});
  builder_.CreateRet(builder_.getInt32(1));
  if (frame_.failed != nullptr) {
    Start(frame_.failed);
    builder_.CreateRet(builder_.getInt32(0));
  }
  EndFunction();
}

void Emitter::StartFunction(llvm::Function* function) {
  AddAttributes(*function, target_, options_);
  function->addParamAttr(0, llvm::Attribute::NonNull);
  const bool once = frame_.once;
  frame_ = Frame();
  frame_.once = once;
  if (once) {
    function->addFnAttr(llvm::Attribute::OptimizeNone);
    function->addFnAttr(llvm::Attribute::NoInline);
  }
  frame_.function = function;
  frame_.context = function->getArg(0);
  frame_.entry = NewBlock("entry");
  Start(frame_.entry);
  frame_.body = NewBlock("body");
  Start(frame_.body);
}

void Emitter::EndFunction() {
  builder_.SetInsertPoint(frame_.entry);
  builder_.CreateBr(frame_.body);
}

void Emitter::EmitStatements(Statements statements, absl::Span<const Register> used_after) {
  if (in_section_) {
    for (const loops::Statement& statement : statements) EmitStatement(statement);
    return;
  }
  for (const Outline::Run& run : outline_.Cut(statements, used_after)) {
    if (run.is_function) {
      CallPart(run.statements);
    } else {
      EmitRun(run.statements);
    }
  }
}

// Neighbouring sections that run once become functions that are compiled quickly.
void Emitter::EmitRun(Statements statements) {
  const auto is_once = [](const loops::Statement& statement) {
    const auto* section = std::get_if<Section>(&statement.node);
    return section != nullptr && section->once;
  };
  for (size_t i = 0; i < statements.size();) {
    size_t end = i;
    while (!frame_.once && end < statements.size() && is_once(statements[end])) end++;
    if (end > i) {
      CallPart(statements.subspan(i, end - i), /*once=*/true);
      i = end;
    } else {
      EmitStatement(statements[i++]);
    }
  }
}

void Emitter::EmitStatement(const loops::Statement& statement) {
  if (const auto* i = std::get_if<loops::Instruction>(&statement.node)) {
    EmitInstruction(*i);
  } else if (const auto* loop = std::get_if<For>(&statement.node)) {
    EmitFor(*loop);
  } else if (const auto* condition = std::get_if<If>(&statement.node)) {
    EmitIf(*condition);
  } else {
    EmitSection(std::get<Section>(statement.node));
  }
}

// Writes a function of these statements and a call of it. What they use from around them are its
// arguments.
void Emitter::CallPart(Statements statements, bool once) {
  const std::vector<Register> live = outline_.LiveIn(statements);
  std::vector<Value*> arguments = {frame_.context};
  std::vector<llvm::Type*> types = {pointer_};
  for (Register r : live) {
    arguments.push_back(Get(r));
    types.push_back(Get(r)->getType());
  }
  std::string name = EntryName(options_.name);
  for (const loops::Statement& statement : statements) {
    const auto* section = std::get_if<Section>(&statement.node);
    if (section == nullptr) continue;
    absl::StrAppend(&name, ".", SymbolName(section->label));
    break;
  }
  llvm::Function* part = llvm::Function::Create(llvm::FunctionType::get(int32_, types, false),
                                                llvm::Function::InternalLinkage, name, module_);

  const auto point = builder_.saveIP();
  const Frame frame = std::exchange(frame_, Frame());
  for (size_t k = 0; k < live.size(); k++) Set(live[k], part->getArg(static_cast<unsigned>(k + 1)));
  frame_.once = once;
  EmitFunction(part, statements);
  for (size_t k = 0; k < live.size(); k++) Set(live[k], arguments[k + 1]);
  frame_ = frame;
  builder_.restoreIP(point);

  FailIfZero(builder_.CreateCall(part, arguments));
}

void Emitter::EmitInstruction(const loops::Instruction& i) {
  switch (i.code) {
    case Code::kScalar:
      return Set(i.result, EmitScalar(i));
    case Code::kSplat:
      return Set(i.result, Splat(Get(i.args[0]), TypeOf(i.result).lanes));
    case Code::kLanes:
      return Set(i.result, EmitLanes(TypeOf(i.result)));
    case Code::kShuffle:
      return Set(i.result, EmitShuffle(i));
    case Code::kLoad:
      return Set(i.result, EmitLoad(i));
    case Code::kLoadEach:
      return Set(i.result, LoadLanes(i, Get(i.args[1])));
    case Code::kStore:
      return EmitStore(i);
    case Code::kPrefetch:
      return EmitPrefetch(i);
    case Code::kSymbol:
      return Set(i.result, EmitSymbol(i));
    case Code::kCheckIndex:
      return Set(i.result, EmitCheckIndex(i));
    case Code::kFailIf:
      return EmitFailIf(i);
    case Code::kBindTrips:
      return FailIfZero(CallRuntime("talweg_bind_trips", int32_, {frame_.context, Get(i.args[0])}));
    case Code::kAllocate:
      return EmitAllocate(i);
    case Code::kMark:
      return Set(i.result, CallRuntime("talweg_mark", int64_, {frame_.context}));
    case Code::kRelease:
      CallRuntime("talweg_release", builder_.getVoidTy(), {frame_.context, Get(i.args[0])});
      return;
    case Code::kRandom:
      return EmitRandom(i);
    case Code::kPoll:
      return Set(i.result,
                 builder_.CreateIsNotNull(CallRuntime("talweg_poll", int32_, {frame_.context})));
  }
}

void Emitter::EmitFor(const For& loop) {
  if (loop.parallel) return EmitParallel(loop);
  EmitTrips(loop, BoundValue(loop.begin), BoundValue(loop.end));
}

void Emitter::EmitTrips(const For& loop, Value* begin, Value* end) {
  const bool known = !loop.parallel && loop.begin.reg == kNone && loop.end.reg == kNone;
  const bool never = known && loop.begin.value >= loop.end.value;
  // Bounds from zero to the largest shape: the difference does not overflow.
  const bool once = known && !never && loop.end.value - loop.begin.value <= loop.step;
  std::vector<Register> used_after;
  for (const For::Carried& carried : loop.carried) used_after.push_back(carried.next);
  if (loop.until != kNone) used_after.push_back(loop.until);

  if (never || once) {
    Set(loop.variable, begin);
    for (const For::Carried& carried : loop.carried) Set(carried.inside, Get(carried.start));
    if (once) EmitStatements(loop.body, used_after);
    for (const For::Carried& carried : loop.carried) {
      Set(carried.after, Get(once ? carried.next : carried.start));
    }
    return;
  }

  llvm::BasicBlock* before = builder_.GetInsertBlock();
  llvm::BasicBlock* body = NewBlock("loop");
  llvm::BasicBlock* done = NewBlock("done");
  if (known) {
    builder_.CreateBr(body);
  } else {
    builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), body, done);
  }
  Start(body);
  llvm::PHINode* variable = builder_.CreatePHI(int64_, 2);
  variable->addIncoming(begin, before);
  Set(loop.variable, variable);
  std::vector<llvm::PHINode*> inside;
  for (const For::Carried& carried : loop.carried) {
    inside.push_back(builder_.CreatePHI(RegisterType(carried.inside), 2));
    inside.back()->addIncoming(Get(carried.start), before);
    Set(carried.inside, inside.back());
  }
  const int64_t kept = keeps_constants_ ? 0 : RegistersForConstants(loop);
  keeps_constants_ |= kept > 0;
  EmitStatements(loop.body, used_after);
  Value* next = builder_.CreateAdd(variable, builder_.getInt64(static_cast<uint64_t>(loop.step)),
                                   "", /*HasNUW=*/false, /*HasNSW=*/true);
  Value* more = builder_.CreateICmpSLT(next, end);
  if (loop.until != kNone) {
    more = builder_.CreateAnd(more, builder_.CreateNot(Get(loop.until)));
  }
  llvm::BasicBlock* latch = builder_.GetInsertBlock();
  builder_.CreateCondBr(more, body, done);
  variable->addIncoming(next, latch);
  for (size_t k = 0; k < inside.size(); k++) {
    inside[k]->addIncoming(Get(loop.carried[k].next), latch);
  }
  Start(done);
  if (kept > 0) {
    KeepConstants(before, body, done, kept);
    keeps_constants_ = false;
  }
  for (const For::Carried& carried : loop.carried) {
    if (carried.after == kNone) continue;
    llvm::PHINode* after = builder_.CreatePHI(RegisterType(carried.after), 2);
    if (!known) after->addIncoming(Get(carried.start), before);
    after->addIncoming(Get(carried.next), latch);
    Set(carried.after, after);
  }
}

void Emitter::EmitIf(const If& condition) {
  llvm::BasicBlock* then = NewBlock("then");
  llvm::BasicBlock* done = NewBlock("done");
  builder_.CreateCondBr(Get(condition.condition), then, done);
  Start(then);
  EmitStatements(condition.body, {});
  builder_.CreateBr(done);
  Start(done);
}

Emitter::Value* Emitter::BoundValue(const loops::Bound& bound) {
  if (bound.reg != kNone) return Get(bound.reg);
  return builder_.getInt64(static_cast<uint64_t>(bound.value));
}

llvm::Type* Emitter::ElementType(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return float_;
    case DType::kFloat64:
      return double_;
    case DType::kInt32:
      return int32_;
    case DType::kInt64:
      return int64_;
    case DType::kBool:
      break;
  }
  return int1_;
}

llvm::Type* Emitter::MemoryType(DType dtype) { return dtype == kBool ? int8_ : ElementType(dtype); }

llvm::Type* Emitter::TypeWithLanes(llvm::Type* element, int32_t lanes) {
  if (lanes == 1) return element;
  return llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes));
}

llvm::Type* Emitter::RegisterType(Register r) {
  return TypeWithLanes(ElementType(TypeOf(r).dtype), TypeOf(r).lanes);
}

Emitter::Value* Emitter::Lane(Value* v, int32_t lane, int32_t lanes) {
  if (lanes == 1) return v;
  return builder_.CreateExtractElement(v, static_cast<uint64_t>(lane));
}

Emitter::Value* Emitter::WithLane(Value* v, Value* element, int32_t lane, int32_t lanes) {
  if (lanes == 1) return element;
  return builder_.CreateInsertElement(v, element, static_cast<uint64_t>(lane));
}

Emitter::Value* Emitter::Splat(Value* v, int32_t lanes) {
  if (lanes == 1) return v;
  return builder_.CreateVectorSplat(static_cast<unsigned>(lanes), v);
}

llvm::BasicBlock* Emitter::NewBlock(const char* name) {
  if (section_.empty()) return llvm::BasicBlock::Create(context_, name);
  return llvm::BasicBlock::Create(context_, absl::StrCat(section_, ".", name));
}

void Emitter::Start(llvm::BasicBlock* block) {
  block->insertInto(frame_.function);
  builder_.SetInsertPoint(block);
}

}  // namespace talweg::native
