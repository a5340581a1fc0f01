#ifndef TALWEG_TESTS_JIT_KNOWN_CACHES_H_
#define TALWEG_TESTS_JIT_KNOWN_CACHES_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "jit/llvm/host.h"

namespace talweg {

// DetectTarget with caches of fixed sizes: which loops the lowering chooses then depends on the
// processor's vectors only, not on the machine that runs the test.
inline absl::StatusOr<native::Target> TargetOfKnownCaches(absl::string_view cpu) {
  absl::StatusOr<native::Target> target = native::DetectTarget(cpu);
  if (target.ok()) {
    target->machine.l2_bytes = 1 << 20;
    target->machine.l3_bytes = 32 << 20;
  }
  return target;
}

}  // namespace talweg

#endif  // TALWEG_TESTS_JIT_KNOWN_CACHES_H_
