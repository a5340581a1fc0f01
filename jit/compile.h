#ifndef TALWEG_JIT_COMPILE_H_
#define TALWEG_JIT_COMPILE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/engine.h"
#include "jit/jit.h"
#include "jit/llvm/engine.h"
#include "jit/loops/team.h"
#include "jit/trace.h"

namespace talweg {

// Nodes of a graph, and those in the bodies of its loops.
size_t CountNodes(const Graph& graph);

// Milliseconds of each stage of one compile.
struct CompileTimes {
  double verify = 0;  // the graph
  double passes = 0;
  std::vector<std::pair<std::string, double>> each_pass;  // in all their rounds together
  double lower = 0;                                       // graph -> loop IR
  native::Timings code;                                   // loop IR -> machine code

  double Total() const;
  // Whether the machine code came from the cache.
  bool cached() const { return code.cached; }
  // A line a stage.
  std::string ToString() const;
};

// The whole way from a graph to a function, which the Executable of jit.h is a wrapper of: from
// here on nobody knows of engines. Shows what the tracer wants to see. `teams`: where the function
// finds threads, with others or by itself.
absl::StatusOr<RunFunction> CompileGraph(const Graph& graph, const JitOptions& options,
                                         std::shared_ptr<loops::TeamPool> teams, Tracer& tracer,
                                         CompileTimes* times);

}  // namespace talweg

#endif  // TALWEG_JIT_COMPILE_H_
