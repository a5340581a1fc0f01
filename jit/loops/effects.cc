#include "jit/loops/effects.h"

#include <variant>

#include "absl/algorithm/container.h"

namespace talweg::loops {

bool Effects::Commutes(const Effects& other) const {
  const auto meet = [](const auto& a, const auto& b) {
    return absl::c_any_of(a, [&](int32_t buffer) { return b.contains(buffer); });
  };
  return !meet(written, other.read) && !meet(written, other.written) && !meet(read, other.written);
}

void Effects::Add(const Statement& statement) {
  if (const auto* instruction = std::get_if<Instruction>(&statement.node)) {
    for (Register r : instruction->args) {
      if (r != kNone) uses.insert(r);
    }
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

void Effects::Add(const Block& block) {
  for (const Statement& statement : block) Add(statement);
}

Effects EffectsOf(const Block& block, size_t begin, size_t end) {
  Effects effects;
  for (size_t i = begin; i < end; i++) effects.Add(block[i]);
  return effects;
}

}  // namespace talweg::loops
