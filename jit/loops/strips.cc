#include "jit/loops/strips.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "jit/loops/effects.h"
#include "jit/loops/rows.h"

namespace talweg::loops {
namespace {

constexpr int64_t kLeastRows = 4;  // of a strip
// Sections that one loop over strips has, and that it passes over, at most: compiling stays linear.
constexpr size_t kMostMembers = 32, kMostSkipped = 16;
// More bytes than anything has.
constexpr int64_t kFar = int64_t{1} << 48;

// Sections of a block that may run strip by strip.
struct Group {
  // How members use a buffer.
  struct SharedUse : RowUse {
    int64_t touches = 0;
    // Written by one member, which does not read it, before all that read it: what is read in a
    // strip was written in the same one.
    bool is_handed_on = false;
  };
  std::vector<size_t> members;  // where they stand
  std::map<int32_t, SharedUse> uses;
  int64_t step = 1;      // the largest of their loops over rows
  int64_t most = 0;      // bytes of a row that a member touches, at most
  int64_t passed = 0;    // bytes of a row that one member writes and another reads
  int64_t longest = 0;   // stride of such a row
  int64_t rows = 0;      // of which that buffer has, at most
  int64_t repeated = 0;  // bytes that each strip reads again, at most
};

class Strips {
 public:
  Strips(Program& program, const Machine& machine)
      : program_(program), l1_(machine.l1_bytes / 8 * 7) {
    Effects all;
    all.Add(program.body);
    touches_ = std::move(all.touches);
  }

  void Run(Block& block) {
    for (Statement& statement : block) {
      if (auto* loop = std::get_if<For>(&statement.node)) Run(loop->body);
      if (auto* branch = std::get_if<If>(&statement.node)) Run(branch->body);
    }
    effects_.clear();
    read_.clear();
    for (const Statement& statement : block) effects_.emplace_back().Add(statement);
    for (size_t i = 0; i < block.size(); i++) {
      const auto* section = std::get_if<Section>(&block[i].node);
      std::vector<Bound> tried;
      if (section != nullptr && !section->once) Find(block, i, section->body, tried);
    }
  }

 private:
  // Tries the ends of a section's loops as the number of rows. Whether there is a loop over strips
  // at `at` now.
  bool Find(Block& block, size_t at, const Block& body, std::vector<Bound>& tried) {
    for (const Statement& statement : body) {
      const auto* loop = std::get_if<For>(&statement.node);
      if (loop == nullptr || !IsPlain(*loop)) continue;
      if (loop->begin == Bound{} && !absl::c_linear_search(tried, loop->end)) {
        const Bound all_rows = loop->end;
        tried.push_back(all_rows);
        const Group group = GroupOf(block, at, all_rows);
        const int64_t rows = RowsOfStrip(group);
        if (rows > 0) {
          Rewrite(block, group, all_rows, rows);
          return true;
        }
      }
      if (Find(block, at, loop->body, tried)) return true;
    }
    return false;
  }

  // As many as the cache keeps; 0: strips are not worthwhile.
  int64_t RowsOfStrip(const Group& group) const {
    if (group.members.size() < 2) return 0;
    const int64_t kept = l1_ / group.most;
    if (group.rows <= kept) return 0;
    const auto most = static_cast<uint64_t>(std::min(kept, group.rows / 2));
    const auto rows = static_cast<int64_t>(std::bit_floor(most));
    const bool is_enough = rows >= std::max(kLeastRows, group.step);
    return is_enough && group.repeated / rows <= group.passed ? rows : 0;
  }

  const Buffer& BufferAt(int32_t number) const {
    return program_.buffers[static_cast<size_t>(number)];
  }

  // A section, read as loops over so many rows; null where it is not that.
  const RowReader* ReaderOf(const Block& block, size_t at, const Bound& all_rows) {
    const auto [it, is_new] = read_.try_emplace({at, all_rows.reg, all_rows.value});
    if (is_new) {
      it->second.emplace(program_, all_rows);
      if (!it->second->Read(std::get<Section>(block[at].node))) it->second.reset();
    }
    return it->second.has_value() ? &*it->second : nullptr;
  }

  // The section at `at`, and those behind it that use what it or another of them wrote for the same
  // row.
  Group GroupOf(const Block& block, size_t at, const Bound& all_rows) {
    Group group;
    Effects skipped;
    absl::flat_hash_set<Register> made;  // by what is skipped
    size_t skips = 0;
    for (size_t i = at; i < block.size() && group.members.size() < kMostMembers; i++) {
      const auto* section = std::get_if<Section>(&block[i].node);
      const auto* instruction = std::get_if<Instruction>(&block[i].node);
      const Effects& effects = effects_[i];
      if ((section == nullptr && instruction == nullptr) || !effects.only_memory) break;
      const bool may_move =
          section != nullptr && !section->once && skipped.Commutes(effects) &&
          absl::c_none_of(effects.uses, [&](Register r) { return made.contains(r); });
      const RowReader* const reader = may_move ? ReaderOf(block, i, all_rows) : nullptr;
      if (reader != nullptr && Join(*reader, effects, group)) {
        group.members.push_back(i);
        continue;
      }
      if (i == at || ++skips > kMostSkipped) break;
      skipped.Add(block[i]);
      if (instruction != nullptr) made.insert(instruction->result);
    }
    return group;
  }

  // Adds a section to the members, unless it has nothing to do with them, or may not be among them.
  bool Join(const RowReader& reader, const Effects& effects, Group& group) const {
    bool is_related = group.members.empty();
    int64_t row = 0;
    for (const auto& [number, use] : reader.uses()) {
      const Buffer& buffer = BufferAt(number);
      const auto it = group.uses.find(number);
      const bool was_written = it != group.uses.end() && it->second.writes;
      const int64_t touches = effects.touches.at(number);
      const bool is_private = buffer.home == Buffer::Home::kThread && use.is_scratch &&
                              reader.keeps_order() && touches == touches_.at(number);
      if ((was_written || use.writes) && !is_private) {
        if (use.stride == 0 || buffer.elements < 0) return false;
        if (it != group.uses.end() && it->second.stride != use.stride) return false;
      }
      is_related |= was_written;
      row += use.stride * SizeOf(buffer.dtype);
    }
    const int64_t most = std::max(group.most, row), step = std::max(group.step, reader.step());
    if (!is_related || most > l1_ / step) return false;
    group.most = most;
    group.step = step;
    for (const auto& [number, use] : reader.uses()) {
      const Buffer& buffer = BufferAt(number);
      const auto [it, is_new] = group.uses.try_emplace(number);
      Group::SharedUse& all = it->second;
      if (use.repeats && !use.writes && !all.repeats) {
        // (A size that is only known later is too large.)
        all.repeats = true;
        group.repeated += buffer.elements < 0 ? kFar : buffer.elements * SizeOf(buffer.dtype);
      }
      if (use.writes) all.is_handed_on = !use.reads && !all.reads && !all.writes;
      if (use.reads && all.writes && !all.reads) {
        group.passed += use.stride * SizeOf(buffer.dtype);
        // (What follows the last row in short rows looks like more of them.)
        const int64_t rows = buffer.elements / use.stride;
        if (use.stride == group.longest) group.rows = std::min(group.rows, rows);
        if (use.stride > group.longest) group.rows = rows;
        group.longest = std::max(group.longest, use.stride);
      }
      all.stride = is_new || all.stride == use.stride ? use.stride : 0;
      all.reads |= use.reads;
      all.writes |= use.writes;
      all.touches += effects.touches.at(number);
    }
    return true;
  }

  void Rewrite(Block& block, const Group& group, const Bound& all_rows, int64_t rows) {
    For strips;
    strips.variable = NewIndex();
    strips.end = all_rows;
    strips.step = rows;
    Block& body = strips.body;
    const auto constant = [&](int64_t value) {
      return Emit(body, {.opcode = Opcode::kConstant, .immediate = static_cast<uint64_t>(value)});
    };
    const auto combine = [&](Opcode opcode, Register a, Register b) {
      return Emit(body, {.opcode = opcode, .args = {a, b, kNone, kNone}});
    };
    Register end = combine(Opcode::kAdd, strips.variable, constant(rows));
    if (all_rows.reg != kNone) end = combine(Opcode::kMin, end, all_rows.reg);
    if (all_rows.reg == kNone && all_rows.value % rows != 0) {
      end = combine(Opcode::kMin, end, constant(all_rows.value));
    }
    absl::flat_hash_map<int32_t, Register> first;  // elements of buffers that hold a strip
    for (const auto& [number, use] : group.uses) {
      Buffer& buffer = program_.buffers[static_cast<size_t>(number)];
      if (!use.is_handed_on || use.stride == 0 || buffer.home != Buffer::Home::kArena ||
          use.touches != touches_.at(number)) {
        continue;
      }
      buffer.elements =
          std::min(buffer.elements, rows * use.stride + kSlackBytes / SizeOf(buffer.dtype));
      first[number] = combine(Opcode::kMul, strips.variable, constant(use.stride));
    }
    for (size_t i : group.members) {
      Section& section = std::get<Section>(block[i].node);
      Narrow(section.body, all_rows, {.reg = strips.variable}, {.reg = end});
      Shift(section.body, first);
      body.push_back(std::move(block[i]));
    }
    for (size_t k = group.members.size(); k-- > 1;) {
      const auto gone = static_cast<std::ptrdiff_t>(group.members[k]);
      block.erase(block.begin() + gone);
      effects_.erase(effects_.begin() + gone);
    }
    block[group.members[0]] = {std::move(strips)};
    effects_[group.members[0]] = EffectsOf(block, group.members[0], group.members[0] + 1);
    read_.clear();
  }

  Register NewIndex() {
    program_.registers.push_back({.dtype = kInt64});
    return static_cast<Register>(program_.registers.size() - 1);
  }

  Register Emit(Block& body, Instruction instruction) {
    instruction.result = NewIndex();
    body.push_back({std::move(instruction)});
    return instruction.result;
  }

  static void Narrow(Block& block, const Bound& all_rows, const Bound& begin, const Bound& end) {
    for (Statement& statement : block) {
      auto* loop = std::get_if<For>(&statement.node);
      if (loop == nullptr) continue;
      if (IsOverAll(*loop, all_rows)) {
        loop->begin = begin;
        loop->end = end;
      } else {
        Narrow(loop->body, all_rows, begin, end);
      }
    }
  }

  void Shift(Block& block, const absl::flat_hash_map<int32_t, Register>& first) {
    Block shifted;
    for (Statement& statement : block) {
      if (auto* loop = std::get_if<For>(&statement.node)) Shift(loop->body, first);
      auto* instruction = std::get_if<Instruction>(&statement.node);
      const auto it = instruction == nullptr ? first.end() : first.find(instruction->buffer);
      if (it != first.end() && instruction->args[0] != kNone) {
        Register& index = instruction->args[0];
        index = Emit(shifted, {.opcode = Opcode::kSub, .args = {index, it->second, kNone, kNone}});
      }
      shifted.push_back(std::move(statement));
    }
    block = std::move(shifted);
  }

  Program& program_;
  const int64_t l1_;                               // bytes of it that may be filled
  absl::flat_hash_map<int32_t, int64_t> touches_;  // of each buffer, in the whole program
  // Of the block that is rewritten: what its statements do, and what its sections are, each read as
  // loops over some number of rows.
  std::vector<Effects> effects_;
  std::map<std::tuple<size_t, Register, int64_t>, std::optional<RowReader>> read_;
};

}  // namespace

void RunInStrips(Program& program, const Machine& machine) {
  Strips(program, machine).Run(program.body);
}

}  // namespace talweg::loops
