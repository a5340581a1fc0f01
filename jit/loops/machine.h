#ifndef TALWEG_JIT_LOOPS_MACHINE_H_
#define TALWEG_JIT_LOOPS_MACHINE_H_

#include <cstdint>

#include "base/shape.h"

namespace talweg::loops {

// What the choice of lanes and tiles needs to know of a processor. Only speed depends on it, never
// a bit of a result.
struct Machine {
  int64_t vector_bytes = 16;
  int64_t vector_registers = 16;
  int64_t l1_bytes = 32 << 10, l2_bytes = 512 << 10, l3_bytes = 16 << 20;

  // Of memory, as caches take it.
  static constexpr int64_t kLineBytes = 64;
  // Rows that lie a multiple of this apart share few sets of the caches.
  static constexpr int64_t kSetsBytes = 2048;

  // Elements of this type in one vector register.
  int64_t Lanes(DType dtype) const { return vector_bytes / SizeOf(dtype); }
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_MACHINE_H_
