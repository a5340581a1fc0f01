#include "jit/loops/join.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "jit/loops/effects.h"
#include "jit/loops/hoist.h"
#include "jit/loops/merge_loops.h"
#include "jit/loops/unused.h"

namespace talweg::loops {
namespace {

// Nothing but arithmetic, loads and stores. (What is collected from here and there takes registers
// that no instruction shows.)
bool IsPlain(const Statement& statement) {
  const auto* instruction = std::get_if<Instruction>(&statement.node);
  return instruction != nullptr && IsParallel(instruction->code) &&
         instruction->code != Code::kLoadEach && instruction->stride == 1;
}

// A loop whose trips run in order and to the end, and consist of such statements.
bool IsLoopOf(const Statement& statement, bool (*takes)(const Statement&)) {
  const auto* loop = std::get_if<For>(&statement.node);
  return loop != nullptr && !loop->parallel && loop->until == kNone &&
         absl::c_all_of(loop->body, takes);
}

// One loop, perhaps of several threads, around such a one and other statements that only compute,
// load and store.
bool IsNest(const Statement& statement) {
  const auto* loop = std::get_if<For>(&statement.node);
  if (loop == nullptr || loop->until != kNone || !loop->carried.empty()) {
    return false;
  }
  const auto is_loop = [](const Statement& inside) { return IsLoopOf(inside, IsPlain); };
  return absl::c_count_if(loop->body, is_loop) == 1 &&
         absl::c_all_of(loop->body, [&](const Statement& inside) {
           const auto* instruction = std::get_if<Instruction>(&inside.node);
           return is_loop(inside) || (instruction != nullptr && IsParallel(instruction->code));
         });
}

// One that may be joined to the one before it.
bool IsPlainLoop(const Statement& statement) {
  return IsLoopOf(statement, IsPlain) || IsNest(statement);
}

// One that others may join. It may report indices too: those of the others would come before its
// own of later trips, so these have none.
bool MayLead(const Statement& statement) {
  return IsNest(statement) || IsLoopOf(statement, [](const Statement& inside) {
           const auto* instruction = std::get_if<Instruction>(&inside.node);
           return IsPlain(inside) ||
                  (instruction != nullptr && instruction->code == Code::kCheckIndex);
         });
}

bool HaveSameTrips(const For& a, const For& b) {
  const For &in_a = InnermostOf(a), &in_b = InnermostOf(b);
  const bool is_nest = &in_a != &a;
  return a.begin == b.begin && a.end == b.end && a.step == b.step && a.parallel == b.parallel &&
         is_nest == (&in_b != &b) && (!is_nest || HaveSameTrips(in_a, in_b));
}

class Joiner {
 public:
  Joiner(Program& program, const Machine& machine) : program_(program), machine_(machine) {
    Effects all;
    all.Add(program.body);
    touches_ = std::move(all.touches);
  }

  bool Run(Block& block) {
    bool joined = false;
    Scope scope{block, {}, {}};
    for (Statement& statement : block) {
      if (auto* loop = std::get_if<For>(&statement.node)) joined |= Run(loop->body);
      if (auto* branch = std::get_if<If>(&statement.node)) joined |= Run(branch->body);
      scope.effects.emplace_back().Add(statement);
    }
    scope.FindTouching();
    for (size_t i = 0; i < block.size(); i++) {
      while (JoinReaders(scope, i)) joined = true;
    }
    return joined;
  }

 private:
  // A block, what each of its statements does, and which of them touch each buffer.
  struct Scope {
    Block& block;
    std::vector<Effects> effects;
    absl::flat_hash_map<int32_t, std::vector<size_t>> touching;

    void FindTouching() {
      touching.clear();
      for (size_t i = 0; i < effects.size(); i++) {
        for (const auto& [buffer, touches] : effects[i].touches) touching[buffer].push_back(i);
      }
    }
  };

  // Finds a buffer that a loop of section `at` writes and that goes if its readers join it.
  bool JoinReaders(Scope& scope, size_t at) {
    const auto* section = std::get_if<Section>(&scope.block[at].node);
    if (section == nullptr || section->once) return false;
    for (size_t i = 0; i < section->body.size(); i++) {
      if (!MayLead(section->body[i])) continue;
      const Effects loop = EffectsOf(section->body, i, i + 1);
      for (int32_t buffer : Sorted(loop.written)) {
        if (program_.buffers[static_cast<size_t>(buffer)].home != Buffer::Home::kArena) continue;
        if (loop.read.contains(buffer)) continue;
        const std::vector<size_t> readers = ReadersOf(buffer, std::get<For>(section->body[i].node),
                                                      loop.touches.at(buffer), scope, at);
        if (!readers.empty() && JoinAll(scope, at, i, buffer, readers)) return true;
      }
    }
    return false;
  }

  static std::vector<int32_t> Sorted(const absl::flat_hash_set<int32_t>& set) {
    std::vector<int32_t> sorted(set.begin(), set.end());
    absl::c_sort(sorted);
    return sorted;
  }

  // The sections behind `at` that read the buffer, if nobody else touches it and all may move up;
  // else none. `touches`: how often the loop that writes it does.
  std::vector<size_t> ReadersOf(int32_t buffer, const For& loop, int64_t touches,
                                const Scope& scope, size_t at) const {
    std::vector<size_t> readers;
    const auto reads_alike = [&](const Statement& statement) {
      return IsPlainLoop(statement) && HaveSameTrips(loop, std::get<For>(statement.node));
    };
    for (size_t i : scope.touching.at(buffer)) {
      if (i == at) continue;
      const auto* section = std::get_if<Section>(&scope.block[i].node);
      if (i < at || section == nullptr || section->once || !scope.effects[i].only_memory ||
          absl::c_none_of(section->body, reads_alike)) {
        return {};
      }
      touches += scope.effects[i].touches.at(buffer);
      readers.push_back(i);
    }
    if (touches != touches_.at(buffer) || readers.empty()) return {};
    // Past what stays behind.
    for (size_t i = at + 1, next = 0; next < readers.size(); i++) {
      if (i == readers[next]) {
        next++;
        continue;
      }
      const auto* instruction = std::get_if<Instruction>(&scope.block[i].node);
      if (instruction == nullptr && !std::holds_alternative<Section>(scope.block[i].node)) {
        return {};
      }
      if (!scope.effects[i].only_memory) return {};
      for (size_t k = next; k < readers.size(); k++) {
        const Effects& reader = scope.effects[readers[k]];
        if (!reader.Commutes(scope.effects[i])) return {};
        if (instruction != nullptr && instruction->result != kNone &&
            reader.uses.contains(instruction->result)) {
          return {};
        }
      }
    }
    return readers;
  }

  bool JoinAll(Scope& scope, size_t at, size_t loop_at, int32_t buffer,
               const std::vector<size_t>& readers) {
    Block& block = scope.block;
    std::vector<Effects>& effects = scope.effects;
    Section joined = std::get<Section>(block[at].node);
    const auto loop = [&]() -> For& { return std::get<For>(joined.body[loop_at].node); };
    int64_t before = Traffic(loop(), RegistersIn(loop()));
    for (size_t i : readers) {
      const std::optional<size_t> moved =
          Append(std::get<Section>(block[i].node), buffer, joined, loop_at, before);
      if (!moved.has_value()) return false;
      loop_at += *moved;
    }
    DropStores(buffer, loop());
    const LoopRegisters needs = RegistersIn(loop());
    if (needs.spare < 0 || Traffic(loop(), needs) >= before) return false;
    // (Loads that both loops had are one now.)
    Count(effects[at], -1);
    block[at] = {std::move(joined)};
    effects[at] = EffectsOf(block, at, at + 1);
    Count(effects[at], 1);
    for (size_t i = readers.size(); i-- > 0;) {
      const auto gone = static_cast<std::ptrdiff_t>(readers[i]);
      Count(effects[readers[i]], -1);
      block.erase(block.begin() + gone);
      effects.erase(effects.begin() + gone);
    }
    DropUnread(block[at], loop_at, effects[at]);
    scope.FindTouching();
    return true;
  }

  static void DropStores(int32_t buffer, For& loop) {
    std::erase_if(loop.body, [&](Statement& statement) {
      auto* inner = std::get_if<For>(&statement.node);
      if (inner != nullptr) DropStores(buffer, *inner);
      return inner == nullptr && std::get<Instruction>(statement.node).buffer == buffer;
    });
  }

  // The stores of a loop to what nobody reads any more: its readers joined it for another buffer.
  void DropUnread(Statement& section, size_t loop_at, Effects& effects) {
    auto& loop = std::get<For>(std::get<Section>(section.node).body[loop_at].node);
    Effects stores;
    stores.Add(loop.body);
    Count(effects, -1);
    for (int32_t buffer : stores.written) {
      const bool is_arena =
          program_.buffers[static_cast<size_t>(buffer)].home == Buffer::Home::kArena;
      const int64_t others = touches_[buffer] + effects.touches[buffer] - stores.touches.at(buffer);
      if (is_arena && others == 0 && !stores.read.contains(buffer)) DropStores(buffer, loop);
    }
    effects = Effects();
    effects.Add(section);
    Count(effects, 1);
  }

  // Makes one section of two, and one loop of the first one's at `loop_at` and the second one's
  // that reads the buffer; adds that one's traffic to `traffic`. By how many statements the loop
  // moves, or nothing where it can not be done.
  std::optional<size_t> Append(const Section& second, int32_t buffer, Section& first,
                               size_t loop_at, int64_t& traffic) const {
    const auto reads = [&](const Statement& statement) {
      Effects effects;
      effects.Add(statement);
      return effects.Touches(buffer);
    };
    const auto found = absl::c_find_if(second.body, reads);
    const auto in_second = static_cast<size_t>(found - second.body.begin());
    For& loop = std::get<For>(first.body[loop_at].node);
    if (!IsPlainLoop(*found)) return std::nullopt;
    const For& reader = std::get<For>(found->node);
    if (!HaveSameTrips(loop, reader)) return std::nullopt;
    if (std::any_of(found + 1, second.body.end(), reads)) return std::nullopt;
    if (!std::all_of(second.body.begin(), found, IsPlain)) return std::nullopt;
    // What stands before the second loop moves in front of the first one, and then both loops'
    // work is done before what followed the first.
    const Effects before = EffectsOf(second.body, 0, in_second);
    const Effects inside = EffectsOf(second.body, in_second, in_second + 1);
    const Effects after = EffectsOf(first.body, loop_at + 1, first.body.size());
    const Effects in_first = EffectsOf(first.body, loop_at, loop_at + 1);
    if (!before.written.empty() || !before.Commutes(in_first)) return std::nullopt;
    if (!after.only_memory || !after.Commutes(before) || !after.Commutes(inside)) {
      return std::nullopt;
    }
    traffic += Traffic(reader, RegistersIn(reader));
    if (!MergeLoops(program_, absl::MakeConstSpan(first.body).first(loop_at),
                    absl::MakeConstSpan(second.body).first(in_second), loop, reader)) {
      return std::nullopt;
    }
    first.label = absl::StrCat(first.label, ", ", second.label);
    first.body.insert(first.body.begin() + static_cast<std::ptrdiff_t>(loop_at),
                      second.body.begin(), found);
    first.body.insert(first.body.end(), found + 1, second.body.end());
    return in_second;
  }

  // Of the innermost loop.
  LoopRegisters RegistersIn(const For& outer) const {
    const For& loop = InnermostOf(outer);
    return RegistersOf(program_, loop, &loop == &outer ? nullptr : &outer, machine_);
  }

  // Loads and stores of an innermost trip, without those of constants that find a register in front
  // of the loop.
  static int64_t Traffic(const For& outer, const LoopRegisters& needs) {
    const For& loop = InnermostOf(outer);
    int64_t traffic = std::max<int64_t>(0, needs.same - std::max<int64_t>(0, needs.spare));
    for (size_t i = 0; i < loop.body.size(); i++) {
      const bool touches = std::get<Instruction>(loop.body[i].node).buffer >= 0;
      traffic += touches && !needs.is_same[i] ? 1 : 0;
    }
    return traffic;
  }

  void Count(const Effects& effects, int64_t sign) {
    for (const auto& [buffer, touches] : effects.touches) touches_[buffer] += sign * touches;
  }

  Program& program_;
  const Machine& machine_;
  absl::flat_hash_map<int32_t, int64_t> touches_;  // of each buffer, in the whole program
};

}  // namespace

void JoinLoops(Program& program, const Machine& machine) {
  if (Joiner(program, machine).Run(program.body)) DropUnused(program);
}

}  // namespace talweg::loops
