#ifndef TALWEG_JIT_LOOPS_LOWER_H_
#define TALWEG_JIT_LOOPS_LOWER_H_

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "jit/loops/ir.h"
#include "jit/loops/machine.h"

namespace talweg::loops {

struct LowerOptions {
  bool fuse = true;
  // Contractions are cut into blocks of about so many rows, columns and terms, however small they
  // are, and rows of few bytes are parted as long ones are (Machine::kSetsBytes); 0: those that
  // are large, as the caches want it (macro.h). For tests.
  int64_t block = 0;
  // Whatever may be done by several threads is, however little it is. For tests.
  bool split = false;
};

// Graph -> loop IR. Each nest of the fusion plan (jit/passes/fuse.h) becomes a section; loops of
// the graph become loops around sections. What is chosen here, by a small model of cost and always
// among what keeps the order of every sum: the axis in the vector lanes, the tile of results worked
// on at once, the layout of values in memory, what is done in place.
//
// The graph must pass Verify. Errors: loops nested deeper than kMaxNesting; memory whose size
// overflows.
absl::StatusOr<Program> Lower(const Graph& graph, const Machine& machine,
                              const LowerOptions& options = {});

// Gives the buffers of the arena and of the threads' blocks their places, by the sections that
// touch them (memory.cc).
absl::Status AssignMemory(Program& program);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_LOWER_H_
