#ifndef TALWEG_JIT_LLVM_CACHED_H_
#define TALWEG_JIT_LLVM_CACHED_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "jit/llvm/cache.h"
#include "jit/llvm/engine.h"
#include "jit/loops/ir.h"

namespace talweg::native {

// What makes objects of programs, besides the options.
struct Toolchain {
  std::string llvm;     // the version of the library in this process
  std::string triple;   // "x86_64-pc-linux-gnu"
  std::string sources;  // a hash of those of Talweg's own files that decide what an object is
};
const Toolchain& ThisToolchain();

// Two equal keys mean equal objects: all that EmitObject reads goes into it, and what can become of
// that. What an object does not hold is not there either: the elements of constants, the texts of
// errors, the names of buffers.
ObjectCache::Key KeyOf(const loops::Program& program, const CompileOptions& options,
                       const Toolchain& toolchain = ThisToolchain());

// Compile of engine.h, but an object that the cache has is not made again, and one that it has not
// is put there.
absl::StatusOr<std::shared_ptr<const CompiledProgram>> Compile(const loops::Program& program,
                                                               const CompileOptions& options,
                                                               const ObjectCache& cache,
                                                               Timings* timings = nullptr);

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_CACHED_H_
