#ifndef TALWEG_JIT_LOOPS_EFFECTS_H_
#define TALWEG_JIT_LOOPS_EFFECTS_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "jit/loops/ir.h"

namespace talweg::loops {

// What statements do to memory, how often they touch each buffer, and which registers they read.
struct Effects {
  absl::flat_hash_set<int32_t> read, written;
  absl::flat_hash_map<int32_t, int64_t> touches;
  absl::flat_hash_set<Register> uses;
  bool only_memory = true;  // nothing that others could see but loads and stores

  bool Touches(int32_t buffer) const { return read.contains(buffer) || written.contains(buffer); }
  // Whether these may change places with others.
  bool Commutes(const Effects& other) const;

  void Add(const Statement& statement);
  void Add(const Block& block);
};

// Of statements `begin` to `end` - 1.
Effects EffectsOf(const Block& block, size_t begin, size_t end);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_EFFECTS_H_
