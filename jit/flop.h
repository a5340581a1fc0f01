#ifndef TALWEG_JIT_FLOP_H_
#define TALWEG_JIT_FLOP_H_

#include "absl/status/statusor.h"
#include "graph/graph.h"

namespace talweg {

// The graph with one more output, the last: how many floating-point operations a run of it does, a
// float64 scalar. It is counted from the graph as it was given, whatever the compiler makes of it:
//
//   contract            2 m n k: a multiplication and an addition a term
//   map                 for each element what its formula has of + - * / sqrt min max, and two for
//                       each fma; nothing for comparisons, selections, integers and bits
//   reduce, scatter_add one for each element that goes in
//   loop                what its trips do, those that were run: loops count as they go
//
// for floats; all else counts nothing.
absl::StatusOr<Graph> CountFlop(const Graph& graph);

}  // namespace talweg

#endif  // TALWEG_JIT_FLOP_H_
