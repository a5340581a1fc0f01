#ifndef TALWEG_JIT_LLVM_EMIT_H_
#define TALWEG_JIT_LLVM_EMIT_H_

#include <cstdint>
#include <string>

#include "jit/llvm/host.h"
#include "jit/loops/ir.h"
#include "llvm/IR/Module.h"

namespace talweg::native {

struct EmitOptions {
  std::string name;  // of the program, for debuggers and profilers
  // How many instructions, about, a function may have. What is larger becomes a tree of functions,
  // each of consecutive sections: LLVM takes longer than linearly in the length of a block, and
  // some tenths of a millisecond for any function, and between the two this is the best. 0: each
  // section is a function, so that a profiler tells them apart.
  int64_t function_size = 1000;
  bool unwind_tables = false;  // such that debuggers find a function's caller from anywhere in it
};

// Writes `program`, which must be verified, into the empty `module` in final form: nothing but code
// generation has to follow. It becomes int32_t f(loops::Context*), which returns 1 where the run
// came to its end and 0 where it ended early with an error. That is the only symbol others see; its
// name is made of the program's.
void Emit(const loops::Program& program, const TargetSpec& target, const EmitOptions& options,
          llvm::Module& module);

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_EMIT_H_
