#ifndef TALWEG_JIT_LLVM_TARGET_H_
#define TALWEG_JIT_LLVM_TARGET_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "jit/llvm/host.h"
#include "llvm/Target/TargetMachine.h"

namespace talweg::native {

// LLVM's code generator for one processor and level, lent to one compile at a time (it is not
// thread-safe) and given back by the pointer's end: making one takes as long as compiling a small
// function. A process has as many as it ever used at once.
using TargetMachine =
    std::unique_ptr<llvm::TargetMachine, std::function<void(llvm::TargetMachine*)>>;

// `level` is 0 (fast to compile) to 3. Error: LLVM does not know the processor.
absl::StatusOr<TargetMachine> BorrowTargetMachine(const TargetSpec& spec, int level);

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_TARGET_H_
