#include "graph/reads.h"

namespace talweg {

absl::Span<const NodeId> ReadOperands(const Node& node) {
  const absl::Span<const NodeId> all(node.operands);
  return node.kind() == Kind::kCustom ? all.subspan(0, 1) : all;
}

std::vector<bool> NeededFor(const Graph& graph, absl::Span<const NodeId> ids) {
  std::vector<bool> needed(graph.nodes().size(), false);
  for (NodeId id : ids) needed[static_cast<size_t>(id)] = true;
  for (size_t i = needed.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (NodeId id : ReadOperands(graph.nodes()[i])) needed[static_cast<size_t>(id)] = true;
  }
  return needed;
}

std::vector<NodeId> TripCounts(const Graph& graph, const std::vector<bool>& needed) {
  std::vector<NodeId> counts;
  for (NodeId id : graph.inputs()) {
    if (Uses(graph.node(id).type().shape, kTrips)) return counts;
  }
  std::vector<bool> uses(graph.nodes().size(), false), is_count(graph.nodes().size(), false);
  for (size_t i = 0; i < uses.size(); i++) {
    const Node& node = graph.nodes()[i];
    uses[i] = UsesTrips(node);
    for (NodeId id : ReadOperands(node)) uses[i] = uses[i] || uses[static_cast<size_t>(id)];
    if (!needed[i] || node.kind() != Kind::kLoop || !HasLengthOfTrips(node)) continue;
    const auto count = static_cast<size_t>(node.operands[0]);
    if (uses[count] || is_count[count]) continue;
    is_count[count] = true;
    counts.push_back(node.operands[0]);
  }
  return counts;
}

}  // namespace talweg
