#include "jit/loops/unused.h"

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

namespace talweg::loops {
namespace {

// Goes backwards, so that what only dropped instructions used goes as well.
class Dropper {
 public:
  explicit Dropper(size_t registers) : used_(registers, 0) {}

  void Drop(Block& block) {
    size_t kept = block.size();
    for (size_t i = block.size(); i-- > 0;) {
      if (!std::visit([this](auto& node) { return Keep(node); }, block[i].node)) continue;
      kept--;
      if (kept != i) block[kept] = std::move(block[i]);
    }
    block.erase(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(kept));
  }

 private:
  void Use(Register r) {
    if (r != kNone) used_[static_cast<size_t>(r)] = 1;
  }
  bool Keep(Instruction& instruction) {
    if (IsPure(instruction.code) && !used_[static_cast<size_t>(instruction.result)]) return false;
    for (Register r : instruction.args) Use(r);
    return true;
  }
  bool Keep(For& loop) {
    Use(loop.until);
    for (const For::Carried& carried : loop.carried) Use(carried.next);
    Drop(loop.body);
    if (loop.body.empty() && loop.carried.empty()) return false;
    for (const For::Carried& carried : loop.carried) Use(carried.start);
    Use(loop.begin.reg);
    Use(loop.end.reg);
    return true;
  }
  bool Keep(If& branch) {
    Drop(branch.body);
    if (branch.body.empty()) return false;
    Use(branch.condition);
    return true;
  }
  bool Keep(Section& section) {
    Drop(section.body);
    return !section.body.empty();
  }

  std::vector<uint8_t> used_;
};

// Gives registers new numbers from 0 on.
class Renumberer {
 public:
  explicit Renumberer(Program& program)
      : program_(program), number_(program.registers.size(), kNone) {}

  void Run() {
    Renumber(program_.body);
    program_.registers = std::move(registers_);
  }

 private:
  void Define(Register& r) {
    if (r == kNone) return;
    Register& number = number_[static_cast<size_t>(r)];
    number = static_cast<Register>(registers_.size());
    registers_.push_back(program_.type(r));
    r = number;
  }
  void Use(Register& r) const {
    if (r != kNone) r = number_[static_cast<size_t>(r)];
  }
  void Renumber(Block& block) {
    for (Statement& statement : block) {
      std::visit([this](auto& node) { Renumber(node); }, statement.node);
    }
  }
  void Renumber(Instruction& instruction) {
    for (Register& r : instruction.args) Use(r);
    Define(instruction.result);
  }
  void Renumber(For& loop) {
    Use(loop.begin.reg);
    Use(loop.end.reg);
    for (For::Carried& carried : loop.carried) Use(carried.start);
    Define(loop.variable);
    for (For::Carried& carried : loop.carried) Define(carried.inside);
    Renumber(loop.body);
    Use(loop.until);
    for (For::Carried& carried : loop.carried) Use(carried.next);
    for (For::Carried& carried : loop.carried) Define(carried.after);
  }
  void Renumber(If& branch) {
    Use(branch.condition);
    Renumber(branch.body);
  }
  void Renumber(Section& section) { Renumber(section.body); }

  Program& program_;
  std::vector<RegisterType> registers_;
  std::vector<Register> number_;
};

}  // namespace

void DropUnused(Program& program) {
  Dropper(program.registers.size()).Drop(program.body);
  Renumberer(program).Run();
}

}  // namespace talweg::loops
