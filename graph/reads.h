#ifndef TALWEG_GRAPH_READS_H_
#define TALWEG_GRAPH_READS_H_

#include <vector>

#include "absl/types/span.h"
#include "graph/graph.h"

namespace talweg {

// What of a graph is read when it runs, for whoever runs it, compiles it or counts its work.

// The operands that are read. A custom's others are for derivatives.
absl::Span<const NodeId> ReadOperands(const Node& node);

// By node: whether one of these nodes needs it.
std::vector<bool> NeededFor(const Graph& graph, absl::Span<const NodeId> ids);

// What binds the symbol `trips` where no input has it in its shape: the counts of the needed loops
// of that length, each once. A count that uses the symbol itself can not be what binds it: the
// reverse of a loop runs as many trips as that loop did.
std::vector<NodeId> TripCounts(const Graph& graph, const std::vector<bool>& needed);

}  // namespace talweg

#endif  // TALWEG_GRAPH_READS_H_
