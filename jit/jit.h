#ifndef TALWEG_JIT_JIT_H_
#define TALWEG_JIT_JIT_H_

#include <string>

#include "absl/status/statusor.h"
#include "graph/engine.h"

namespace talweg {

struct JitOptions {
  // The processor to compile for: "native", or less of it: "avx512", "avx2", "x86-64".
  std::string cpu = "native";
  int level = 2;  // of LLVM's code generation, 0 to 3
  bool fuse = true;
  // Where compiled code is kept for the next process: a folder, "off", or empty: what the
  // environment says (README.md).
  std::string cache = "";
  // Runs the loop IR without LLVM, slowly and with every access checked: for tests.
  bool evaluate = false;
};

// The compiler as an engine: graph -> passes -> loop IR -> machine code. The bits are those of the
// interpreter.
//
//   absl::StatusOr<Executable> f = Jit(*tape.Finish({loss, dw}));
absl::StatusOr<Executable> Jit(const Graph& graph, const JitOptions& options);
absl::StatusOr<Executable> Jit(const Graph& graph);
// The same, to hand on.
Engine JitEngine(const JitOptions& options = {});

// Why code compiled with this JitOptions::cache is not kept, or not found again: a sentence with the
// folder's name. It is compiled all the same. OK if the cache works or is off on purpose.
absl::Status CacheStatus(const std::string& cache);

}  // namespace talweg

#endif  // TALWEG_JIT_JIT_H_
