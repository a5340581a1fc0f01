#ifndef TALWEG_JIT_JIT_H_
#define TALWEG_JIT_JIT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "graph/engine.h"
#include "jit/trace.h"

namespace talweg {

struct JitOptions {
  // The processor to compile for: "native", or less of it: "avx512", "avx2", "x86-64".
  std::string cpu = "native";
  int level = 2;     // of LLVM's code generation, 0 to 3
  bool fuse = true;  // otherwise each node has a loop nest of its own
  // For tests: contractions are cut into blocks of about so many rows, columns and terms, however
  // small they are. 0: those that are large, as the caches want it.
  int64_t block = 0;
  // For tests: whatever may be done by several threads is, however little it is.
  bool split = false;
  // Passes to leave out, by name (jit/passes/pipeline.h); "all" leaves out every one.
  std::vector<std::string> without = {};
  // Where compiled code is kept for the next process: a folder, "off", or empty: what the
  // environment says (jit/llvm/cache_folder.h). A cache that cannot be used costs time, and nothing
  // else.
  std::string cache = "";
  // Runs the loop IR without LLVM, slowly and with every access to memory checked.
  bool evaluate = false;
  // Checks what each stage makes. An error is a mistake of Talweg's.
  bool verify = false;
  // Times each run and counts its operations, for JitEngine::Report: some 50 ns a run, and some ns
  // a trip of loops that have to count.
  bool profile = false;
  // What to show of each compile, besides what TALWEG_TRACE asks for.
  Trace trace = {};
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

// The compiler as an engine. It keeps the 64 functions used last: an equal graph is not compiled
// again, so that a training with another rate or seed costs nothing. (Lines of the program do not
// count: errors of a run then name those of the first.) Copies are the same engine.
// May be called from many threads at once.
//
//   JitEngine engine({.profile = true});
//   absl::StatusOr<Fitted> fitted = Fit(engine, training, train, test);
//   std::cout << engine.Report();
class JitEngine {
 public:
  JitEngine();
  explicit JitEngine(const JitOptions& options);

  absl::StatusOr<Executable> operator()(const Graph& graph) const;

  // A table of what was compiled: what it is, the time of each stage, whether the cache had the
  // code, how often it ran; with JitOptions::profile (or TALWEG_TRACE=table) also how long, how
  // many operations that were (jit/flop.h), and their rate as a share of the most that a core of
  // this machine does, which the first call measures. Tells of the last 1,000 functions.
  std::string Report() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The report of an engine that is a JitEngine; an error for one that is not.
absl::StatusOr<std::string> ReportOf(const Engine& engine);

// Why code that is compiled with this JitOptions::cache is not found again by the next process, as
// a sentence with the folder. OK if the cache works, or is off on purpose.
absl::Status CacheStatus(const std::string& cache);

}  // namespace talweg

#endif  // TALWEG_JIT_JIT_H_
