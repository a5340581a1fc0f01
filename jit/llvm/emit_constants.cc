// Constants of whole vectors stay in registers while a loop runs, where there are 32 of these.
//
// LLVM reads a constant where it is used, mostly from memory: with vectors of 64 bytes the load
// units then have more to do than the arithmetic. Its own pass would take constants out of all
// loops of a function, past other loops that need the registers (codegen.cc). So each section's
// innermost loops, and loops that do nothing but repeat these, get theirs in front of them: as many
// as the trips leave registers (jit/loops/hoist.h). Vectors of 32 bytes gain nothing.

#include <algorithm>
#include <limits>
#include <variant>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "jit/llvm/emitter.h"
#include "llvm/IR/BasicBlock.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"

namespace talweg::native {
namespace {

constexpr int64_t kRegisterBits = 512;

// Whether code for an operand in a register is as good as for a constant. (A shift by a constant
// has an instruction of its own, for example.)
bool TakesRegisters(const llvm::Instruction& instruction) {
  switch (instruction.getOpcode()) {
    case llvm::Instruction::FAdd:
    case llvm::Instruction::FSub:
    case llvm::Instruction::FMul:
    case llvm::Instruction::FCmp:
    case llvm::Instruction::Add:
    case llvm::Instruction::Sub:
    case llvm::Instruction::And:
    case llvm::Instruction::Or:
    case llvm::Instruction::Xor:
    case llvm::Instruction::Select:
      return true;
    default:
      break;
  }
  const auto* call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction);
  return call != nullptr && call->getIntrinsicID() == llvm::Intrinsic::fma;
}

// A vector of equal numbers, which takes memory: zeros and ones do not.
bool TakesMemory(const llvm::Value* value) {
  const auto* constant = llvm::dyn_cast<llvm::Constant>(value);
  if (constant == nullptr || !constant->getType()->isVectorTy()) return false;
  const llvm::Constant* element = constant->getSplatValue();
  if (element == nullptr || element->getType()->isIntegerTy(1)) return false;
  return !constant->isNullValue() && !constant->isAllOnesValue() &&
         !llvm::isa<llvm::UndefValue>(element);
}

}  // namespace

// None where a vector is at work around the innermost loops, or something else than them: what that
// takes was not counted.
int64_t Emitter::RegistersForConstants(const loops::For& loop) const {
  if (!target_.avx512 || !in_section_ || frame_.once) return 0;
  int64_t spare = std::numeric_limits<int64_t>::max();
  bool is_innermost = true, has_vectors = false;
  for (const loops::Statement& statement : loop.body) {
    if (const auto* i = std::get_if<loops::Instruction>(&statement.node)) {
      const Register typed = i->code == loops::Code::kStore ? i->args[2] : i->result;
      has_vectors = has_vectors || (typed != loops::kNone && TypeOf(typed).lanes > 1);
    } else if (const auto* inner = std::get_if<loops::For>(&statement.node)) {
      is_innermost = false;
      spare = std::min(spare, inner->parallel ? 0 : RegistersForConstants(*inner));
    } else {
      return 0;
    }
  }
  if (is_innermost) return loop.spare;
  return has_vectors ? 0 : spare;
}

void Emitter::KeepConstants(llvm::BasicBlock* before, llvm::BasicBlock* body,
                            const llvm::BasicBlock* done, int64_t most) {
  struct Kept {
    llvm::Value* constant = nullptr;
    size_t place = 0;  // in the order in which they are met: the code depends on no address
    std::vector<llvm::Use*> uses;
  };
  std::vector<Kept> constants;
  absl::flat_hash_map<llvm::Value*, size_t> place;
  for (auto block = body->getIterator(); &*block != done; ++block) {
    for (llvm::Instruction& instruction : *block) {
      if (!TakesRegisters(instruction)) continue;
      for (llvm::Use& use : instruction.operands()) {
        if (!TakesMemory(use.get())) continue;
        const auto [it, is_new] = place.try_emplace(use.get(), constants.size());
        if (is_new) constants.push_back({use.get(), it->second, {}});
        constants[it->second].uses.push_back(&use);
      }
    }
  }
  absl::c_sort(constants, [](const Kept& a, const Kept& b) {
    if (a.uses.size() != b.uses.size()) return a.uses.size() > b.uses.size();
    return a.place < b.place;
  });
  for (const auto& [constant, met, uses] : constants) {
    most -= std::max<int64_t>(1, constant->getType()->getPrimitiveSizeInBits() / kRegisterBits);
    if (most < 0) break;
    // What freezes a constant is the constant, in a register.
    auto* kept = new llvm::FreezeInst(constant, "", before->getTerminator()->getIterator());
    for (llvm::Use* use : uses) use->set(kept);
  }
}

}  // namespace talweg::native
