#ifndef TALWEG_JIT_LOOPS_INSTANCES_H_
#define TALWEG_JIT_LOOPS_INSTANCES_H_

#include <cstdint>

#include "graph/graph.h"
#include "jit/loops/machine.h"

namespace talweg::loops {

// How many instances of one graph run side by side in this one (autodiff/batch.h), if values that
// have them as their first axis are better laid out with the instances innermost, so that vectors
// hold an element of each of them; else 0. Where networks are thin nothing else fills vectors: of
// 16 models of 2-8-3, the gradients of 24 weights take 24 vectors instead of 48 that are half
// empty.
//
// It is so where all contractions, those of the loops inside too, have that axis in common, and all
// together take fewer vectors. (Of attention's batches, say, they do not: heads are wide.) Inside
// of loops as many vectors will do, if the values stay in the second cache: no lane is shuffled
// then. A layout changes no bits.
int64_t FindInstances(const Graph& graph, const Machine& machine);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_INSTANCES_H_
