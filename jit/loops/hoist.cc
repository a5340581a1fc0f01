#include "jit/loops/hoist.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace talweg::loops {
namespace {

// Registers that are left to the backend's own needs, which grow with what there is: products that
// begin a sum are computed in copies of their factors.
constexpr int64_t kSpare = 3, kSpareOfMany = 4;
// No buffer is so long.
constexpr int64_t kFar = int64_t{1} << 48;

class Hoister {
 public:
  Hoister(const Program& program, const Machine& machine) : program_(program), machine_(machine) {}

  void Run(Block& block, bool in_section) {
    for (size_t i = 0; i < block.size(); i++) {
      if (auto* section = std::get_if<Section>(&block[i].node)) {
        if (!section->once) Run(section->body, true);
      } else if (const auto* instruction = std::get_if<Instruction>(&block[i].node)) {
        AddRange(*instruction);
      } else if (auto* branch = std::get_if<If>(&block[i].node)) {
        Run(branch->body, in_section);
      } else if (auto* loop = std::get_if<For>(&block[i].node)) {
        if (!in_section || !IsInnermost(*loop)) {
          AddBounds(*loop);
          Run(loop->body, in_section);
          continue;
        }
        Block moved = Hoist(*loop);
        const auto at = block.begin() + static_cast<std::ptrdiff_t>(i);
        i += moved.size();
        block.insert(at, std::make_move_iterator(moved.begin()),
                     std::make_move_iterator(moved.end()));
      }
    }
  }

  // `around`: the loop whose body that is, or null.
  LoopRegisters Needs(const For& loop, const For* around) {
    if (around != nullptr) {
      AddBounds(*around);
      for (const Statement& statement : around->body) {
        const auto* instruction = std::get_if<Instruction>(&statement.node);
        if (instruction != nullptr) AddRange(*instruction);
      }
    }
    const Defined defined = DefinedIn(loop);
    LoopRegisters needs;
    needs.is_same = FindSame(loop, defined);
    needs.spare = Spare(loop, needs.is_same);
    for (size_t i : Useful(loop, needs.is_same, defined)) {
      needs.same += Registers(At(loop.body, i).result);
    }
    return needs;
  }

 private:
  struct Range {
    int64_t least = 0, most = 0;
  };

  static bool IsInnermost(const For& loop) {
    return std::all_of(loop.body.begin(), loop.body.end(), [](const Statement& statement) {
      return std::holds_alternative<Instruction>(statement.node);
    });
  }

  static const Instruction& At(const Block& block, size_t i) {
    return std::get<Instruction>(block[i].node);
  }

  void AddBounds(const For& loop) {
    if (loop.begin.reg != kNone || loop.end.reg != kNone) return;
    const int64_t begin = loop.begin.value, end = std::max(loop.end.value, begin + 1);
    ranges_[loop.variable] = {begin, begin + (end - begin - 1) / loop.step * loop.step};
  }

  // Of a constant, and of sums and products of what has a range.
  void AddRange(const Instruction& instruction) {
    if (instruction.code != Code::kScalar ||
        program_.type(instruction.result) != RegisterType{kInt64, 1}) {
      return;
    }
    if (instruction.opcode == Opcode::kConstant) {
      const auto value = static_cast<int64_t>(instruction.immediate);
      if (value >= -kFar && value <= kFar) ranges_[instruction.result] = {value, value};
      return;
    }
    const bool is_sum = instruction.opcode == Opcode::kAdd;
    if (!is_sum && instruction.opcode != Opcode::kMul) return;
    const Range* const a = RangeOf(instruction.args[0]);
    const Range* const b = RangeOf(instruction.args[1]);
    if (a == nullptr || b == nullptr) return;
    Range range{std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()};
    for (const int64_t x : {a->least, a->most}) {
      for (const int64_t y : {b->least, b->most}) {
        int64_t value = 0;
        if (is_sum ? __builtin_add_overflow(x, y, &value) : __builtin_mul_overflow(x, y, &value)) {
          return;
        }
        range = {std::min(range.least, value), std::max(range.most, value)};
      }
    }
    if (range.least >= -kFar && range.most <= kFar) ranges_[instruction.result] = range;
  }

  // A register's constant value or bounds; an index of none is 0.
  const Range* RangeOf(Register index) const {
    static constexpr Range kZero;
    if (index == kNone) return &kZero;
    const auto it = ranges_.find(index);
    return it == ranges_.end() ? nullptr : &it->second;
  }

  bool IsSafe(const Instruction& load) const {
    const int64_t elements = program_.buffers[static_cast<size_t>(load.buffer)].elements;
    const Range* index = RangeOf(load.args[0]);
    if (index == nullptr || elements < 0) return false;
    const int64_t reach = load.stride * (program_.type(load.result).lanes - 1);
    const auto offset = static_cast<int64_t>(load.immediate);
    return index->least + offset + std::min<int64_t>(reach, 0) >= 0 &&
           index->most + offset + std::max<int64_t>(reach, 0) < elements;
  }

  // Vector registers that a value takes. Truth values count, too: not all processors have masks.
  int64_t Registers(Register r) const {
    const RegisterType type = program_.type(r);
    if (type.lanes == 1 && !IsFloat(type.dtype)) return 0;
    const int64_t bytes = type.lanes * SizeOf(type.dtype);
    return std::max<int64_t>(1, (bytes + machine_.vector_bytes - 1) / machine_.vector_bytes);
  }

  using Defined = absl::flat_hash_map<Register, size_t>;  // in a loop's body: by which instruction

  static Defined DefinedIn(const For& loop) {
    Defined defined;
    for (size_t i = 0; i < loop.body.size(); i++) {
      const Instruction& instruction = At(loop.body, i);
      if (instruction.result != kNone) defined[instruction.result] = i;
    }
    return defined;
  }

  // Which instructions are the same in each trip.
  std::vector<bool> FindSame(const For& loop, const Defined& defined) {
    const size_t size = loop.body.size();
    absl::flat_hash_set<int32_t> stored;
    for (size_t i = 0; i < size; i++) {
      const Instruction& instruction = At(loop.body, i);
      const bool writes = !IsPure(instruction.code) && instruction.code != Code::kPrefetch;
      if (writes && instruction.buffer >= 0) stored.insert(instruction.buffer);
    }
    const auto inside = [&](Register r) {
      return r == loop.variable ||
             std::any_of(loop.carried.begin(), loop.carried.end(),
                         [&](const For::Carried& c) { return c.inside == r; });
    };
    std::vector<bool> same(size, false);
    for (size_t i = 0; i < size; i++) {
      const Instruction& instruction = At(loop.body, i);
      same[i] = MayMove(instruction) &&
                std::all_of(instruction.args.begin(), instruction.args.end(), [&](Register r) {
                  if (r == kNone) return true;
                  const auto it = defined.find(r);
                  return it == defined.end() ? !inside(r) : same[it->second];
                });
      AddRange(instruction);
      if (same[i] && instruction.code == Code::kLoad) {
        same[i] = !stored.contains(instruction.buffer) && IsSafe(instruction);
      }
    }
    return same;
  }

  Block Hoist(For& loop) {
    const Defined defined = DefinedIn(loop);
    const std::vector<bool> same = FindSame(loop, defined);
    loop.spare = Spare(loop, same);
    std::vector<bool> wanted(same.size(), false);
    for (size_t i : Useful(loop, same, defined)) {
      const int64_t registers = Registers(At(loop.body, i).result);
      if (registers > loop.spare) continue;
      loop.spare -= registers;
      Want(loop, i, defined, wanted);
    }
    Block moved, rest;
    for (size_t i = 0; i < wanted.size(); i++) {
      (wanted[i] ? moved : rest).push_back(std::move(loop.body[i]));
    }
    loop.body = std::move(rest);
    return moved;
  }

  static bool IsConstant(const Instruction& instruction) {
    return instruction.code == Code::kScalar && instruction.opcode == Opcode::kConstant;
  }

  // Calls and lanes from anywhere in memory stay where they are.
  static bool MayMove(const Instruction& instruction) {
    return IsPure(instruction.code) && instruction.code != Code::kLoadEach &&
           instruction.opcode != Opcode::kCall;
  }

  // Of the instructions that are the same in each trip, those whose results would fill vector
  // registers in front of the loop.
  std::vector<size_t> Useful(const For& loop, const std::vector<bool>& same,
                             const Defined& defined) const {
    const size_t size = loop.body.size();
    std::vector<bool> used(size, false);
    const auto use = [&](Register r) {
      const auto it = defined.find(r);
      if (it != defined.end() && same[it->second]) used[it->second] = true;
    };
    for (size_t i = 0; i < size; i++) {
      if (same[i]) continue;
      for (Register r : At(loop.body, i).args) use(r);
    }
    for (const For::Carried& carried : loop.carried) use(carried.next);
    use(loop.until);
    std::vector<size_t> useful;
    for (size_t i = 0; i < size; i++) {
      const Instruction& instruction = At(loop.body, i);
      if (used[i] && !IsConstant(instruction) && Registers(instruction.result) > 0) {
        useful.push_back(i);
      }
    }
    return useful;
  }

  // An instruction and all that it is made of.
  static void Want(const For& loop, size_t i, const Defined& defined, std::vector<bool>& wanted) {
    std::vector<size_t> rest = {i};
    while (!rest.empty()) {
      const size_t next = rest.back();
      rest.pop_back();
      if (wanted[next]) continue;
      wanted[next] = true;
      for (Register r : At(loop.body, next).args) {
        const auto it = defined.find(r);
        if (it != defined.end()) rest.push_back(it->second);
      }
    }
  }

  int64_t Spare(const For& loop, const std::vector<bool>& same) const {
    const int64_t spare = machine_.vector_registers < 32 ? kSpare : kSpareOfMany;
    return machine_.vector_registers - spare - Pressure(loop, same);
  }

  // The most vector registers that are alive at once in a trip, besides what is the same in all of
  // them.
  int64_t Pressure(const For& loop, const std::vector<bool>& same) const {
    absl::flat_hash_set<Register> alive;
    int64_t now = 0, most = 0;
    const auto begin = [&](Register r) {
      if (r != kNone && alive.insert(r).second) now += Registers(r);
    };
    for (const For::Carried& carried : loop.carried) begin(carried.next);
    for (size_t i = loop.body.size(); i-- > 0;) {
      const Instruction& instruction = At(loop.body, i);
      most = std::max(most, now);
      if (alive.erase(instruction.result) > 0) now -= Registers(instruction.result);
      if (same[i]) continue;
      for (Register r : instruction.args) begin(r);
    }
    return std::max(most, now);
  }

  const Program& program_;
  const Machine& machine_;
  absl::flat_hash_map<Register, Range> ranges_;
};

}  // namespace

LoopRegisters RegistersOf(const Program& program, const For& loop, const For* around,
                          const Machine& machine) {
  return Hoister(program, machine).Needs(loop, around);
}

void HoistLoads(Program& program, const Machine& machine) {
  Hoister(program, machine).Run(program.body, false);
}

}  // namespace talweg::loops
