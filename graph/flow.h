#ifndef TALWEG_GRAPH_FLOW_H_
#define TALWEG_GRAPH_FLOW_H_

#include <cstddef>

#include "graph/graph.h"

namespace talweg {

// Along which ways derivatives flow through a graph, in either direction; for whoever asks before
// they are made.

// Whether the node has a derivative: it is a float, or a loop, whose parts may be floats.
bool HasDerivative(const Node& node);

// Whether a derivative flows between the node and its operand k: not through a map that has no
// partial derivative by it (a comparison, Detach), nor through the function of a custom gradient,
// which is the first operand.
bool DerivativeFlows(const Node& node, size_t k);

}  // namespace talweg

#endif  // TALWEG_GRAPH_FLOW_H_
