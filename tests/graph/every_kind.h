#ifndef TALWEG_TESTS_GRAPH_EVERY_KIND_H_
#define TALWEG_TESTS_GRAPH_EVERY_KIND_H_

#include "graph/graph.h"

namespace talweg {

// A graph with a node of every kind, for tests of what walks graphs. Its inputs are
//   x float32[rows,2], w float32[2,3], labels int32[rows] in [0, 3), seed int64[],
//   batches float32[10,4,2]
Graph GraphOfEveryKind();

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPH_EVERY_KIND_H_
