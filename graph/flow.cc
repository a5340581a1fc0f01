#include "graph/flow.h"

#include "graph/op.h"

namespace talweg {

bool HasDerivative(const Node& node) {
  return node.kind() == Kind::kLoop || IsFloat(node.type().dtype);
}

bool DerivativeFlows(const Node& node, size_t k) {
  switch (node.kind()) {
    case Kind::kMap:
      return node.op->map->partials[k] != nullptr;
    case Kind::kCustom:
      return k > 0;
    default:
      return true;
  }
}

}  // namespace talweg
