#ifndef TALWEG_JIT_LLVM_EMITTER_H_
#define TALWEG_JIT_LLVM_EMITTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "jit/llvm/emit.h"
#include "jit/llvm/outline.h"
#include "jit/loops/ir.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

namespace talweg::native {

// Writes one program. Its members stand in files by what they write: emit.cc functions, loops and
// sections; emit_scalar.cc the scalar alphabet; emit_memory.cc loads and stores; emit_run.cc what
// talks with the run.
class Emitter {
 public:
  Emitter(const loops::Program& program, const TargetSpec& target, const EmitOptions& options,
          llvm::Module& module);

  void EmitProgram();

 private:
  using Value = llvm::Value;
  using Register = loops::Register;
  using Statements = absl::Span<const loops::Statement>;

  // The function that is being written.
  struct Frame {
    llvm::Function* function = nullptr;
    bool once = false;  // the function runs so seldom that it is compiled quickly
    // Holds nothing but what is made when first asked for; branches to the rest at the end.
    llvm::BasicBlock* entry = nullptr;
    llvm::BasicBlock* body = nullptr;    // the first block after it
    llvm::BasicBlock* failed = nullptr;  // returns 0
    Value* context = nullptr;
    Value* arena = nullptr;
    Value* table = nullptr;
    Value* thread = nullptr;
    Value* zero = nullptr;     // memory that lanes read which a mask leaves out
    Value* sink = nullptr;     // memory that they write
    Value* indices = nullptr;  // for a report of wrong indices
    Value* active = nullptr;
  };

  // emit.cc
  void EmitFunction(llvm::Function* function, Statements statements);
  // Between the two, the frame is the function's, and code goes into its body.
  void StartFunction(llvm::Function* function);
  void EndFunction();
  void EmitStatements(Statements statements, absl::Span<const Register> used_after);
  void EmitStatement(const loops::Statement& statement);
  void EmitRun(Statements statements);
  void CallPart(Statements statements, bool once = false);
  void EmitInstruction(const loops::Instruction& i);
  void EmitFor(const loops::For& loop);
  void EmitTrips(const loops::For& loop, Value* begin, Value* end);
  void EmitIf(const loops::If& condition);

  // emit_constants.cc
  int64_t RegistersForConstants(const loops::For& loop) const;
  // `before` branches to a loop, whose blocks are those from `body` to `done`.
  void KeepConstants(llvm::BasicBlock* before, llvm::BasicBlock* body, const llvm::BasicBlock* done,
                     int64_t most);

  // emit_scalar.cc
  Value* EmitScalar(const loops::Instruction& i);
  Value* EmitInteger(const loops::Instruction& i, Value* a, Value* b);
  Value* EmitFloat(const loops::Instruction& i, Value* a, Value* b);
  Value* EmitBool(const loops::Instruction& i, Value* a, Value* b);
  Value* EmitDivision(Value* a, Value* b);
  Value* EmitExtreme(bool greatest, Value* a, Value* b);
  Value* EmitConvert(Value* a, DType from, DType to, llvm::Type* type);
  Value* EmitToInteger(Value* a, llvm::Type* type);
  Value* EmitCall(const loops::Instruction& i, Value* a, Value* b);
  Value* EmitShuffle(const loops::Instruction& i);
  Value* EmitLanes(const loops::RegisterType& type);
  llvm::Constant* Constant(const loops::RegisterType& type, uint64_t bits);
  Value* Unary(llvm::Intrinsic::ID id, Value* a);
  Value* Binary(llvm::Intrinsic::ID id, Value* a, Value* b);

  // emit_memory.cc
  void EmitSection(const loops::Section& section);
  void LoadPointers(const std::vector<loops::Statement>& body);
  Value* EmitLoad(const loops::Instruction& i);
  void EmitStore(const loops::Instruction& i);
  void EmitPrefetch(const loops::Instruction& i);
  // The address of element `index` (null: 0) + `offset` of a buffer.
  Value* Address(int32_t buffer, Value* index, int64_t offset);
  Value* TablePointer(int32_t slot);
  // Lanes of memory's type -> lanes of the register's, and back: they differ for bools.
  Value* FromMemory(Value* v, DType dtype);
  Value* ToMemory(Value* v, DType dtype);
  Value* LoadLanes(const loops::Instruction& i, Value* mask);
  Value* LoadFirst(llvm::Type* element, int32_t first, int32_t lanes, Value* address,
                   llvm::Align align);
  std::vector<Value*> LaneAddresses(const loops::Instruction& i, Value* mask, int32_t lanes,
                                    Value* instead);
  Value* LaneAddressVector(const loops::Instruction& i, int32_t lanes);
  bool HasMaskedMove(DType dtype) const;
  bool HasGather(DType dtype, int32_t lanes) const;

  // emit_parallel.cc
  void EmitParallel(const loops::For& loop);

  // emit_run.cc
  Value* EmitCheckIndex(const loops::Instruction& i);
  void EmitFailIf(const loops::Instruction& i);
  void EmitRandom(const loops::Instruction& i);
  void EmitAllocate(const loops::Instruction& i);
  Value* EmitSymbol(const loops::Instruction& i);
  Value* CallRuntime(absl::string_view name, llvm::Type* result, absl::Span<Value* const> args);
  // The run ends here where `result`, an int32, is 0.
  void FailIfZero(Value* result);
  // Goes on in a new block; `cold` is where the condition holds, which is hardly ever.
  llvm::BasicBlock* BranchToCold(Value* condition, llvm::BasicBlock* cold);
  llvm::BasicBlock* Failed();
  Value* ContextField(int32_t field, llvm::Type* type);
  // A pointer of the context, loaded once a function.
  Value* ContextPointer(Value*& cached, int32_t field);

  loops::RegisterType TypeOf(Register r) const { return program_.type(r); }
  Value* Get(Register r) const { return r == loops::kNone ? nullptr : values_[Index(r)]; }
  void Set(Register r, Value* v) {
    if (r != loops::kNone) values_[Index(r)] = v;
  }
  static size_t Index(int32_t i) { return static_cast<size_t>(i); }
  Value* BoundValue(const loops::Bound& bound);
  llvm::Type* ElementType(DType dtype);
  llvm::Type* MemoryType(DType dtype);
  llvm::Type* TypeWithLanes(llvm::Type* element, int32_t lanes);
  llvm::Type* RegisterType(Register r);
  Value* Lane(Value* v, int32_t lane, int32_t lanes);
  Value* WithLane(Value* v, Value* element, int32_t lane, int32_t lanes);
  Value* Splat(Value* v, int32_t lanes);
  // A block stands in the function, at its end, from Start on.
  llvm::BasicBlock* NewBlock(const char* name);
  void Start(llvm::BasicBlock* block);
  // Memory of the function's frame, made once.
  Value* FrameMemory(Value*& cached, llvm::Type* type, bool zeroed);

  const loops::Program& program_;
  const TargetSpec& target_;
  const EmitOptions& options_;
  llvm::Module& module_;
  llvm::LLVMContext& context_;
  llvm::IRBuilder<> builder_;
  Outline outline_;
  std::vector<Value*> values_;  // of registers
  Frame frame_;
  bool in_section_ = false;
  bool keeps_constants_ = false;  // a loop around has its constants in registers
  std::string section_;           // the present one's label, as a symbol, where names are kept
  uint64_t most_lanes_ = 1;       // of any register
  // Pointers of the table that the present section has loaded, by slot.
  absl::flat_hash_map<int32_t, Value*> pointers_;
  llvm::Type *int1_, *int8_, *int32_, *int64_, *float_, *double_, *pointer_;
};

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_EMITTER_H_
