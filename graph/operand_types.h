#ifndef TALWEG_GRAPH_OPERAND_TYPES_H_
#define TALWEG_GRAPH_OPERAND_TYPES_H_

#include <vector>

#include "absl/types/span.h"
#include "graph/graph.h"

namespace talweg {

// The types that these operands have, for Op::infer (private to graph/); a loop has one for each of
// its parts. One operand's are not copied: a loop may have thousands of parts, and each part asks.
inline absl::Span<const Type> OperandTypes(const std::vector<Node>& nodes,
                                           absl::Span<const NodeId> operands,
                                           std::vector<Type>& storage) {
  const auto types_of = [&](NodeId id) -> const std::vector<Type>& {
    return nodes[static_cast<size_t>(id)].types;
  };
  if (operands.size() == 1) return types_of(operands[0]);
  for (const NodeId id : operands) {
    storage.insert(storage.end(), types_of(id).begin(), types_of(id).end());
  }
  return storage;
}

}  // namespace talweg

#endif  // TALWEG_GRAPH_OPERAND_TYPES_H_
