#include "jit/loops/merge_loops.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "jit/loops/effects.h"
#include "jit/loops/tensor.h"

namespace talweg::loops {
namespace {

const Instruction& InstructionAt(const Block& block, size_t i) {
  return std::get<Instruction>(block[i].node);
}

// One loop of two. Takes the second one's instructions one by one, and finds for each the equal one
// of the first, the stored value that it would load, or a place behind all that it uses.
class Merger {
 public:
  // `around`: the loop that both are in, or null.
  Merger(const Program& program, const For* around, For& first, const For& second)
      : program_(program), around_(around), first_(first), second_(second) {}

  // What stands in front of the loops, and has the same value for both.
  void AddAround(absl::Span<const Statement> statements) {
    for (const Statement& statement : statements) {
      const auto* instruction = std::get_if<Instruction>(&statement.node);
      if (instruction == nullptr || instruction->result == kNone) continue;
      made_by_[instruction->result] = *instruction;
      if (instruction->buffer < 0) Number(*instruction);
    }
  }

  // Leaves the first loop as it was where it returns false.
  bool Merge() {
    const Effects first = EffectsOf(first_.body, 0, first_.body.size());
    const Effects second = EffectsOf(second_.body, 0, second_.body.size());
    // The second loop's instructions change places with each other, too.
    if (absl::c_any_of(second.written, [&](int32_t buffer) {
          return first.Touches(buffer) || second.read.contains(buffer);
        })) {
      return false;
    }
    for (size_t i = 0; i < first_.body.size(); i++) {
      Instruction instruction = InstructionAt(first_.body, i);
      for (Register& r : instruction.args) r = Same(r);
      if (instruction.code == Code::kStore) AddStore(instruction);
      if (instruction.result == kNone) continue;
      made_by_[instruction.result] = instruction;
      ready_[instruction.result] = i + 1;
      if (!first.written.contains(instruction.buffer)) Number(instruction);
    }
    same_[second_.variable] = first_.variable;
    // What is left of the second loop, and after how many of the first one's instructions it may
    // come.
    std::vector<std::pair<size_t, Instruction>> rest;
    for (size_t i = 0; i < second_.body.size(); i++) {
      Instruction instruction = InstructionAt(second_.body, i);
      for (Register& r : instruction.args) r = Same(r);
      if (instruction.code == Code::kStore) {
        AddStore(instruction);
        if (!stores_.at(instruction.buffer).is_regular) return false;
      }
      if (instruction.code == Code::kLoad && first.written.contains(instruction.buffer)) {
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
  // The load that would give what was stored without a mask.
  Key KeyOfLoad(const Instruction& store) const {
    Instruction load = {.code = Code::kLoad,
                        .result = store.args[2],
                        .args = {store.args[0], kNone, kNone, kNone},
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
    const int64_t lanes = program_.type(store.args[2]).lanes;
    const auto offset = static_cast<int64_t>(store.immediate);
    Stores& stores = stores_[store.buffer];
    if (stores.ends.empty()) stores.index = store.args[0];
    const auto next = stores.ends.upper_bound(offset);
    const bool is_free = (next == stores.ends.end() || offset + lanes <= next->first) &&
                         (next == stores.ends.begin() || std::prev(next)->second <= offset);
    stores.is_regular = stores.is_regular && stores.index == store.args[0] && is_free;
    stores.ends[offset] = offset + lanes;
    if (store.args[1] == kNone) stores.values[KeyOfLoad(store)] = store.args[2];
  }

  // What a load reads that the first loop's same trip stored, if no other trip stores there. kNone:
  // nothing, or unknown.
  Register StoredValue(const Instruction& load) const {
    const Stores& stores = stores_.at(load.buffer);
    const int64_t reach = stores.ends.rbegin()->second - stores.ends.begin()->first;
    const auto it = stores.values.find(KeyOf(load));
    return stores.is_regular && AreApart(stores.index, reach) && it != stores.values.end()
               ? it->second
               : kNone;
  }

  // Whether the `reach` elements from an index on are others in each trip.
  bool AreApart(Register index, int64_t reach) const {
    const std::optional<Linear> linear = LinearOf(index);
    if (!linear.has_value()) return false;
    struct Loop {
      int64_t step, trips;  // -1: unknown
    };
    std::vector<Loop> loops = {{Product(linear->inner, first_.step), TripsOf(first_)}};
    if (around_ != nullptr) {
      loops.push_back({Product(linear->outer, around_->step), TripsOf(*around_)});
    }
    // Those with small steps stay between two trips of those with large ones.
    absl::c_sort(loops, [](const Loop& a, const Loop& b) { return a.step < b.step; });
    for (size_t i = 0; i < loops.size(); i++) {
      if (reach > loops[i].step) return false;
      if (i + 1 == loops.size()) break;
      if (loops[i].trips < 0) return false;
      reach = Product(loops[i].trips, loops[i].step) - loops[i].step + reach;
    }
    return true;
  }

  static int64_t TripsOf(const For& loop) {
    if (loop.begin.reg != kNone || loop.end.reg != kNone) return -1;
    return std::max<int64_t>(0, (loop.end.value - loop.begin.value + loop.step - 1) / loop.step);
  }

  // How far an index moves when the variable of the loops, or of the loop around them, does by 1.
  // `constant`: its value, where it is one.
  struct Linear {
    int64_t inner = 0, outer = 0;
    std::optional<int64_t> constant = {};
  };
  std::optional<Linear> LinearOf(Register index) const {
    if (index == first_.variable) return Linear{.inner = 1};
    if (around_ != nullptr && index == around_->variable) return Linear{.outer = 1};
    const auto it = made_by_.find(index);
    if (it == made_by_.end() || it->second.code != Code::kScalar) return std::nullopt;
    const Instruction& made = it->second;
    if (made.opcode == Opcode::kConstant) {
      return Linear{.constant = static_cast<int64_t>(made.immediate)};
    }
    if (made.opcode != Opcode::kAdd && made.opcode != Opcode::kMul) return std::nullopt;
    const std::optional<Linear> a = LinearOf(made.args[0]), b = LinearOf(made.args[1]);
    if (!a.has_value() || !b.has_value()) return std::nullopt;
    if (made.opcode == Opcode::kAdd) return Linear{a->inner + b->inner, a->outer + b->outer};
    Linear product;
    if (!b->constant.has_value() ||
        __builtin_mul_overflow(a->inner, *b->constant, &product.inner) ||
        __builtin_mul_overflow(a->outer, *b->constant, &product.outer)) {
      return std::nullopt;
    }
    return product;
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

  // The stores of a loop to a buffer.
  struct Stores {
    Register index = kNone;
    bool is_regular = true;           // all have that index, and none stores where another did
    std::map<int64_t, int64_t> ends;  // of each, from the index on: by where it begins
    absl::flat_hash_map<Key, Register> values;  // those without a mask
  };

  const Program& program_;
  const For* const around_;
  For& first_;
  const For& second_;
  absl::flat_hash_map<int32_t, Stores> stores_;  // by buffer, of both loops
  absl::flat_hash_map<Key, Register> values_;
  absl::flat_hash_map<Register, Register> same_;  // of the second loop: of the first
  absl::flat_hash_map<Register, size_t> ready_;
  absl::flat_hash_map<Register, Instruction> made_by_;  // in front of the loops and in the first
};

// Puts one register for another, in loops that JoinLoops takes.
void Rename(Register from, Register to, Block& block) {
  const auto rename = [&](Register& r) {
    if (r == from) r = to;
  };
  for (Statement& statement : block) {
    if (auto* instruction = std::get_if<Instruction>(&statement.node)) {
      for (Register& r : instruction->args) rename(r);
    } else if (auto* loop = std::get_if<For>(&statement.node)) {
      rename(loop->begin.reg);
      rename(loop->end.reg);
      for (For::Carried& carried : loop->carried) {
        rename(carried.start);
        rename(carried.next);
      }
      Rename(from, to, loop->body);
    }
  }
}

size_t InnerAt(const For& loop) {
  const auto it = absl::c_find_if(loop.body, [](const Statement& statement) {
    return std::holds_alternative<For>(statement.node);
  });
  return static_cast<size_t>(it - loop.body.begin());
}

// Whether trips of two loops with others in them may take turns: what the first writes and the
// second reads only goes from one inner loop to the other.
bool MayInterleave(const For& first, size_t in_first, const For& second, size_t in_second) {
  const auto around_inner = [](const For& loop, size_t inner) {
    Effects around = EffectsOf(loop.body, 0, inner);
    for (size_t i = inner + 1; i < loop.body.size(); i++) around.Add(loop.body[i]);
    return around;
  };
  const Effects all_first = EffectsOf(first.body, 0, first.body.size());
  const Effects all_second = EffectsOf(second.body, 0, second.body.size());
  const Effects around_first = around_inner(first, in_first);
  const Effects around_second = around_inner(second, in_second);
  return absl::c_none_of(all_second.written,
                         [&](int32_t buffer) { return all_first.Touches(buffer); }) &&
         absl::c_none_of(all_first.written, [&](int32_t buffer) {
           return all_second.read.contains(buffer) &&
                  (around_first.Touches(buffer) || around_second.Touches(buffer));
         });
}

}  // namespace

For& InnermostOf(For& loop) {
  const size_t at = InnerAt(loop);
  return at == loop.body.size() ? loop : std::get<For>(loop.body[at].node);
}

const For& InnermostOf(const For& loop) { return InnermostOf(const_cast<For&>(loop)); }

bool MergeLoops(const Program& program, absl::Span<const Statement> before_first,
                absl::Span<const Statement> before_second, For& first, const For& second) {
  const size_t in_first = InnerAt(first), in_second = InnerAt(second);
  if (in_first == first.body.size()) {
    Merger merger(program, nullptr, first, second);
    merger.AddAround(before_first);
    merger.AddAround(before_second);
    return merger.Merge();
  }
  if (!MayInterleave(first, in_first, second, in_second)) return false;
  Block body = second.body;
  Rename(second.variable, first.variable, body);
  const auto inner = body.begin() + static_cast<std::ptrdiff_t>(in_second);
  Merger merger(program, &first, InnermostOf(first), std::get<For>(inner->node));
  merger.AddAround(before_first);
  merger.AddAround(absl::MakeConstSpan(first.body).first(in_first));
  merger.AddAround(before_second);
  merger.AddAround(absl::MakeConstSpan(body).first(in_second));
  if (!merger.Merge()) return false;
  first.cost += second.cost;
  first.body.insert(first.body.end(), inner + 1, body.end());
  first.body.insert(first.body.begin() + static_cast<std::ptrdiff_t>(in_first), body.begin(),
                    inner);
  return true;
}

}  // namespace talweg::loops
