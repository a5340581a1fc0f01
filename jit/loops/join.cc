#include "jit/loops/join.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "jit/loops/hoist.h"
#include "jit/loops/unused.h"

namespace talweg::loops {
namespace {

const Instruction& InstructionAt(const Block& block, size_t i) {
  return std::get<Instruction>(block[i].node);
}

// What statements do to memory, how often they touch each buffer, and which registers they read.
struct Effects {
  absl::flat_hash_set<int32_t> read, written;
  absl::flat_hash_map<int32_t, int64_t> touches;
  absl::flat_hash_set<Register> uses;
  bool only_memory = true;  // nothing that others could see but loads and stores

  // Whether these may change places with others.
  bool Commutes(const Effects& other) const {
    const auto meet = [](const auto& a, const auto& b) {
      return absl::c_any_of(a, [&](int32_t buffer) { return b.contains(buffer); });
    };
    return !meet(written, other.read) && !meet(written, other.written) &&
           !meet(read, other.written);
  }
  bool Touches(int32_t buffer) const { return read.contains(buffer) || written.contains(buffer); }

  void Add(const Statement& statement) {
    if (const auto* instruction = std::get_if<Instruction>(&statement.node)) {
      for (Register r : instruction->args) uses.insert(r);
      if (instruction->buffer >= 0 && instruction->code != Code::kPrefetch) {
        touches[instruction->buffer]++;
        (IsPure(instruction->code) ? read : written).insert(instruction->buffer);
      }
      only_memory = only_memory && IsParallel(instruction->code);
    } else if (const auto* loop = std::get_if<For>(&statement.node)) {
      uses.insert({loop->begin.reg, loop->end.reg, loop->until});
      for (const For::Carried& carried : loop->carried) uses.insert({carried.start, carried.next});
      Add(loop->body);
    } else if (const auto* branch = std::get_if<If>(&statement.node)) {
      uses.insert(branch->condition);
      Add(branch->body);
    } else {
      Add(std::get<Section>(statement.node).body);
    }
  }
  void Add(const Block& block) {
    for (const Statement& statement : block) Add(statement);
  }
};

Effects EffectsOf(const Block& block, size_t begin, size_t end) {
  Effects effects;
  for (size_t i = begin; i < end; i++) effects.Add(block[i]);
  return effects;
}

// Nothing but arithmetic, loads and stores. (What is collected from here and there takes registers
// that no instruction shows.)
bool IsPlain(const Statement& statement) {
  const auto* instruction = std::get_if<Instruction>(&statement.node);
  return instruction != nullptr && IsParallel(instruction->code) &&
         instruction->code != Code::kLoadEach && instruction->stride == 1;
}

bool IsCheck(const Statement& statement) {
  const auto* instruction = std::get_if<Instruction>(&statement.node);
  return instruction != nullptr && instruction->code == Code::kCheckIndex;
}

// A loop that may be joined to the one before it: it computes, loads and stores.
bool IsPlainLoop(const Statement& statement) {
  const auto* loop = std::get_if<For>(&statement.node);
  return loop != nullptr && !loop->parallel && loop->until == kNone &&
         absl::c_all_of(loop->body, IsPlain);
}

// One that others may join. It may report indices too: those of the others would come before its
// own of later trips, so these have none.
bool MayLead(const Statement& statement) {
  const auto* loop = std::get_if<For>(&statement.node);
  return loop != nullptr && !loop->parallel && loop->until == kNone &&
         absl::c_all_of(loop->body, [](const Statement& s) { return IsPlain(s) || IsCheck(s); });
}

bool HaveSameTrips(const For& a, const For& b) {
  return a.begin == b.begin && a.end == b.end && a.step == b.step;
}

// One loop of two. Takes the second one's instructions one by one, and finds for each the equal one
// of the first, the stored value that it would load, or a place behind all that it uses.
class Merger {
 public:
  Merger(const Program& program, For& first, const For& second)
      : program_(program), first_(first), second_(second) {}

  // What stands in front of the loops, and has the same value for both.
  void AddAround(const Block& block, size_t end) {
    for (size_t i = 0; i < end; i++) {
      const auto* instruction = std::get_if<Instruction>(&block[i].node);
      if (instruction != nullptr && instruction->buffer < 0) Number(*instruction);
    }
  }

  // Leaves the first loop as it was where it returns false.
  bool Merge() {
    const Effects effects = EffectsOf(first_.body, 0, first_.body.size());
    stored_ = effects.written;
    if (absl::c_any_of(EffectsOf(second_.body, 0, second_.body.size()).written,
                       [&](int32_t buffer) { return effects.Touches(buffer); })) {
      return false;
    }
    ready_[first_.variable] = 0;
    for (size_t i = 0; i < first_.body.size(); i++) {
      const Instruction& instruction = InstructionAt(first_.body, i);
      if (instruction.code == Code::kStore) AddStore(instruction);
      if (instruction.result == kNone) continue;
      ready_[instruction.result] = i + 1;
      Number(instruction);
    }
    same_[second_.variable] = first_.variable;
    // What is left of the second loop, and after how many of the first one's instructions it may
    // come.
    std::vector<std::pair<size_t, Instruction>> rest;
    for (size_t i = 0; i < second_.body.size(); i++) {
      Instruction instruction = InstructionAt(second_.body, i);
      for (Register& r : instruction.args) r = Same(r);
      if (instruction.buffer >= 0 && stored_.contains(instruction.buffer)) {
        const Register value = StoredValue(instruction);
        if (value == kNone) return false;
        same_[instruction.result] = value;
        continue;
      }
      if (instruction.result != kNone && Number(instruction)) continue;
      size_t ready = 0;
      for (Register r : instruction.args) {
        const auto it = ready_.find(r);
        if (it != ready_.end()) ready = std::max(ready, it->second);
      }
      if (instruction.result != kNone) ready_[instruction.result] = ready;
      rest.push_back({ready, std::move(instruction)});
    }
    Interleave(std::move(rest));
    for (For::Carried carried : second_.carried) {
      carried.next = Same(carried.next);
      first_.carried.push_back(carried);
    }
    return true;
  }

 private:
  // What makes two instructions the same; `result` is left out.
  using Key = std::tuple<Code, Opcode, std::array<Register, 4>, uint64_t, int64_t, int32_t, int32_t,
                         std::vector<int32_t>, DType, int32_t>;
  Key KeyOf(const Instruction& i) const {
    const RegisterType type = program_.type(i.result);
    return {i.code,   i.opcode, i.args,    i.immediate, i.stride,
            i.buffer, i.which,  i.shuffle, type.dtype,  type.lanes};
  }
  // The load that would give what was stored.
  Key KeyOfLoad(const Instruction& store) const {
    Instruction load = {.code = Code::kLoad,
                        .result = store.args[2],
                        .args = {store.args[0], store.args[1], kNone, kNone},
                        .immediate = store.immediate,
                        .stride = store.stride,
                        .buffer = store.buffer};
    return KeyOf(load);
  }

  Register Same(Register r) const {
    const auto it = same_.find(r);
    return it == same_.end() ? r : it->second;
  }

  // Whether an equal instruction was there before; else remembers this one.
  bool Number(Instruction instruction) {
    if (!IsPure(instruction.code) || instruction.opcode == Opcode::kCall) return false;
    for (Register& r : instruction.args) r = Same(r);
    const auto [it, is_new] = values_.try_emplace(KeyOf(instruction), instruction.result);
    if (!is_new) same_[instruction.result] = it->second;
    return !is_new;
  }

  void AddStore(const Instruction& store) {
    const int64_t far = store.stride * (program_.type(store.args[2]).lanes - 1);
    const auto offset = static_cast<int64_t>(store.immediate);
    Stores& stores = stores_.try_emplace(store.buffer, store.args[0], offset).first->second;
    stores.least = std::min(stores.least, offset + std::min<int64_t>(far, 0));
    stores.most = std::max(stores.most, offset + std::max<int64_t>(far, 0));
    const bool is_new = stores.values.try_emplace(KeyOfLoad(store), store.args[2]).second;
    stores.is_regular = stores.is_regular && stores.index == store.args[0] && is_new;
  }

  // What a load reads that the first loop's same trip stored, if no other trip stores there: all
  // stores of a trip reach less far than the next trip's are away. kNone: nothing, or unknown.
  Register StoredValue(const Instruction& load) const {
    const Stores& stores = stores_.at(load.buffer);
    const bool apart = stores.most - stores.least < StepOf(stores.index) * first_.step;
    const auto it = stores.values.find(KeyOf(load));
    return stores.is_regular && apart && it != stores.values.end() ? it->second : kNone;
  }

  // How far an index moves when the loop's variable does by 1; 0 where that is not plain to see.
  int64_t StepOf(Register index) const {
    if (index == first_.variable) return 1;
    const Instruction* product = Find(index);
    if (product == nullptr || product->opcode != Opcode::kMul) return 0;
    const Instruction* factor = Find(product->args[1]);
    if (product->args[0] != first_.variable || factor == nullptr ||
        factor->opcode != Opcode::kConstant) {
      return 0;
    }
    return static_cast<int64_t>(factor->immediate);
  }
  const Instruction* Find(Register r) const {
    for (const Statement& statement : first_.body) {
      const auto& instruction = std::get<Instruction>(statement.node);
      if (instruction.result == r) return instruction.code == Code::kScalar ? &instruction : nullptr;
    }
    return nullptr;
  }

  // Puts each instruction as early as what it needs of the first loop's lets it stand, and what it
  // needs besides in front of it: little is alive at once.
  void Interleave(std::vector<std::pair<size_t, Instruction>> rest) {
    absl::flat_hash_map<Register, size_t> by_result;
    for (size_t i = 0; i < rest.size(); i++) {
      if (rest[i].second.result != kNone) by_result[rest[i].second.result] = i;
    }
    std::vector<bool> done(rest.size(), false);
    Block body;
    const auto emit = [&](auto&& self, size_t i) -> void {
      if (done[i]) return;
      done[i] = true;
      for (Register r : rest[i].second.args) {
        const auto it = by_result.find(r);
        if (it != by_result.end()) self(self, it->second);
      }
      body.push_back({std::move(rest[i].second)});
    };
    std::vector<size_t> order(rest.size());
    absl::c_iota(order, 0);
    absl::c_sort(order, [&](size_t a, size_t b) {
      return std::pair(rest[a].first, a) < std::pair(rest[b].first, b);
    });
    // What needs nothing of the first loop comes where it is used, or last.
    size_t next = 0;
    while (next < order.size() && rest[order[next]].first == 0) next++;
    for (size_t at = 0; at < first_.body.size(); at++) {
      body.push_back(std::move(first_.body[at]));
      for (; next < order.size() && rest[order[next]].first == at + 1; next++) {
        emit(emit, order[next]);
      }
    }
    for (size_t i = 0; i < rest.size(); i++) emit(emit, i);
    first_.body = std::move(body);
  }

  // The stores of the first loop to a buffer.
  struct Stores {
    Stores(Register at, int64_t offset) : index(at), least(offset), most(offset) {}
    Register index;
    int64_t least, most;      // elements that a trip touches, from the index on
    bool is_regular = true;   // all have that index, and none stores where another did
    absl::flat_hash_map<Key, Register> values;
  };

  const Program& program_;
  For& first_;
  const For& second_;
  absl::flat_hash_set<int32_t> stored_;  // buffers, by the first loop
  absl::flat_hash_map<int32_t, Stores> stores_;
  absl::flat_hash_map<Key, Register> values_;
  absl::flat_hash_map<Register, Register> same_;  // of the second loop: of the first
  absl::flat_hash_map<Register, size_t> ready_;
};

class Joiner {
 public:
  Joiner(Program& program, const Machine& machine) : program_(program), machine_(machine) {
    Effects all;
    all.Add(program.body);
    touches_ = std::move(all.touches);
  }

  bool Run(Block& block) {
    bool joined = false;
    std::vector<Effects> effects;
    for (Statement& statement : block) {
      if (auto* loop = std::get_if<For>(&statement.node)) joined |= Run(loop->body);
      if (auto* branch = std::get_if<If>(&statement.node)) joined |= Run(branch->body);
      effects.emplace_back().Add(statement);
    }
    for (size_t i = 0; i < block.size(); i++) {
      while (JoinReaders(block, effects, i)) joined = true;
    }
    return joined;
  }

 private:
  // Finds a buffer that a loop of section `at` writes and that goes if its readers join it.
  bool JoinReaders(Block& block, std::vector<Effects>& effects, size_t at) {
    const auto* section = std::get_if<Section>(&block[at].node);
    if (section == nullptr || section->once) return false;
    for (size_t i = 0; i < section->body.size(); i++) {
      if (!MayLead(section->body[i])) continue;
      const Effects loop = EffectsOf(section->body, i, i + 1);
      for (int32_t buffer : Sorted(loop.written)) {
        if (program_.buffers[static_cast<size_t>(buffer)].home != Buffer::Home::kArena) continue;
        if (loop.read.contains(buffer)) continue;
        const std::vector<size_t> readers =
            ReadersOf(buffer, std::get<For>(section->body[i].node), loop.touches.at(buffer), block,
                      effects, at);
        if (!readers.empty() && JoinAll(block, effects, at, i, buffer, readers)) return true;
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
                                const Block& block, const std::vector<Effects>& effects,
                                size_t at) const {
    std::vector<size_t> readers;
    const int64_t all = touches_.at(buffer);
    for (size_t i = at + 1; i < block.size() && touches < all; i++) {
      if (!effects[i].Touches(buffer)) continue;
      const auto* section = std::get_if<Section>(&block[i].node);
      if (section == nullptr || section->once || !effects[i].only_memory) return {};
      const auto reads_alike = [&](const Statement& statement) {
        return IsPlainLoop(statement) && HaveSameTrips(loop, std::get<For>(statement.node));
      };
      if (absl::c_none_of(section->body, reads_alike)) return {};
      touches += effects[i].touches.at(buffer);
      readers.push_back(i);
    }
    if (touches != all || readers.empty()) return {};
    // Past what stays behind.
    for (size_t i = at + 1, next = 0; next < readers.size(); i++) {
      if (i == readers[next]) {
        next++;
        continue;
      }
      const auto* instruction = std::get_if<Instruction>(&block[i].node);
      if (instruction == nullptr && !std::holds_alternative<Section>(block[i].node)) return {};
      if (!effects[i].only_memory) return {};
      for (size_t k = next; k < readers.size(); k++) {
        const Effects& reader = effects[readers[k]];
        if (!reader.Commutes(effects[i])) return {};
        if (instruction != nullptr && reader.uses.contains(instruction->result)) return {};
      }
    }
    return readers;
  }

  bool JoinAll(Block& block, std::vector<Effects>& effects, size_t at, size_t loop_at,
               int32_t buffer, const std::vector<size_t>& readers) {
    Section joined = std::get<Section>(block[at].node);
    const auto loop = [&]() -> For& { return std::get<For>(joined.body[loop_at].node); };
    int64_t before = Traffic(loop());
    for (size_t i : readers) {
      const std::optional<size_t> moved =
          Append(std::get<Section>(block[i].node), buffer, joined, loop_at, before);
      if (!moved.has_value()) return false;
      loop_at += *moved;
    }
    std::erase_if(loop().body, [&](const Statement& statement) {
      return std::get<Instruction>(statement.node).buffer == buffer;
    });
    if (Traffic(loop()) >= before) return false;
    if (RegistersOf(program_, loop(), machine_).spare < 0) return false;
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
    return true;
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
    Merger merger(program_, loop, reader);
    merger.AddAround(first.body, loop_at);
    merger.AddAround(second.body, in_second);
    traffic += Traffic(reader);
    if (!merger.Merge()) return std::nullopt;
    first.label = absl::StrCat(first.label, ", ", second.label);
    first.body.insert(first.body.begin() + static_cast<std::ptrdiff_t>(loop_at),
                      second.body.begin(), found);
    first.body.insert(first.body.end(), found + 1, second.body.end());
    return in_second;
  }

  // Loads and stores of a trip, without those of constants that find a register in front of the
  // loop.
  int64_t Traffic(const For& loop) const {
    const LoopRegisters needs = RegistersOf(program_, loop, machine_);
    int64_t traffic = std::max<int64_t>(0, needs.same - std::max<int64_t>(0, needs.spare));
    for (size_t i = 0; i < loop.body.size(); i++) {
      const bool touches = InstructionAt(loop.body, i).buffer >= 0;
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
