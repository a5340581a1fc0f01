#ifndef TALWEG_TESTS_JIT_KNOWN_CACHES_H_
#define TALWEG_TESTS_JIT_KNOWN_CACHES_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "jit/llvm/host.h"
#include "jit/loops/machine.h"

namespace talweg {

// What the lowering knows of a processor ("avx512", "avx2", or any other: of SSE) with caches of
// fixed sizes: its choice does not depend on the machine that runs the test.
inline loops::Machine MachineOfKnownCaches(absl::string_view cpu) {
  return {.vector_bytes = cpu == "avx512" ? 64
                          : cpu == "avx2" ? 32
                                          : 16,
          .vector_registers = cpu == "avx512" ? 32 : 16,
          .l1_bytes = 32 << 10,
          .l2_bytes = 1 << 20,
          .l3_bytes = 32 << 20};
}

// A target to generate code for; an error where this machine lacks it.
inline absl::StatusOr<native::Target> TargetOfKnownCaches(absl::string_view cpu) {
  absl::StatusOr<native::Target> target = native::DetectTarget(cpu);
  if (target.ok()) target->machine = MachineOfKnownCaches(cpu);
  return target;
}

}  // namespace talweg

#endif  // TALWEG_TESTS_JIT_KNOWN_CACHES_H_
