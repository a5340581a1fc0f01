#ifndef TALWEG_JIT_JIT_H_
#define TALWEG_JIT_JIT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "graph/engine.h"

namespace talweg {

struct JitOptions {
  // The processor to compile for: "native", or less of it: "avx512", "avx2", "x86-64".
  std::string cpu = "native";
  int level = 2;     // of LLVM's code generation, 0 to 3
  bool fuse = true;  // otherwise each node has a loop nest of its own
  // Passes to leave out, by name (jit/passes/pipeline.h); "all" leaves out every one.
  std::vector<std::string> without = {};
  // Where compiled code is kept for the next process: a folder, "off", or empty: what the
  // environment says (jit/llvm/cache.h). A cache that cannot be used costs time, and nothing else.
  std::string cache = "";
  // Runs the loop IR without LLVM, slowly and with every access to memory checked.
  bool evaluate = false;
  // Checks what each stage makes. An error is a mistake of Talweg's.
  bool verify = false;
};

// The compiler: graph -> passes -> loop IR -> machine code. The results are the interpreter's, to
// the bit, under all options.
//
//   absl::StatusOr<Executable> f = Jit(*tape.Finish({loss, dw}));
//
// Errors: a graph that Verify refuses, an option that does not exist, a processor that this machine
// is not.
absl::StatusOr<Executable> Jit(const Graph& graph, const JitOptions& options);
absl::StatusOr<Executable> Jit(const Graph& graph);

// The compiler as an engine. It keeps what it has compiled last: an equal graph is not compiled
// again, so that a training with another rate or seed costs nothing. May be called from many
// threads at once.
Engine JitEngine(const JitOptions& options = {});

// Why code that is compiled with this JitOptions::cache is not found again by the next process, as
// a sentence with the folder. OK if the cache works, or is off on purpose.
absl::Status CacheStatus(const std::string& cache);

}  // namespace talweg

#endif  // TALWEG_JIT_JIT_H_
