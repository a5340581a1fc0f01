#ifndef TALWEG_GRAPH_GRAPH_H_
#define TALWEG_GRAPH_GRAPH_H_

#include <cstdint>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "graph/attributes.h"
#include "graph/op.h"

namespace talweg {

// A node's place in its graph or tape. Operands come before what uses them.
using NodeId = int32_t;

// Where in the user's program something was made. `file` points to static storage.
struct SourceLine {
  const char* file = "";
  uint32_t line = 0;
};
inline SourceLine LineOf(const std::source_location& where) {
  return {where.file_name(), where.line()};
}
// "model.cc:14"; empty where nothing is known.
std::string ToString(const SourceLine& line);

struct Node {
  const Op* op = nullptr;
  std::vector<NodeId> operands;
  Attributes attributes;
  // One type; a loop has one for each of its parts.
  std::vector<Type> types;
  SourceLine line;

  const Type& type() const { return types.front(); }
  Kind kind() const { return op->kind; }
  template <typename T>
  const T& As() const {
    return std::get<T>(attributes);
  }
};

// A computation: an immutable, closed, pure function from its inputs to its outputs. This is what
// passes transform, what engines run and what text holds (print.h, parse.h).
//
// Nodes are in an order in which operands come first. A graph may have nodes that no output needs.
class Graph {
 public:
  Graph() = default;
  Graph(std::vector<Node> nodes, std::vector<NodeId> inputs, std::vector<NodeId> outputs)
      : nodes_(std::move(nodes)), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  // The input nodes in the order of the arguments.
  const std::vector<NodeId>& inputs() const { return inputs_; }
  const std::vector<NodeId>& outputs() const { return outputs_; }
  const Type& input_type(size_t i) const { return node(inputs_[i]).type(); }
  const Type& output_type(size_t i) const { return node(outputs_[i]).type(); }
  const std::string& input_name(size_t i) const {
    return node(inputs_[i]).As<InputAttributes>().name;
  }

  // Equal ops, operands, attributes and types throughout; lines do not count.
  friend bool operator==(const Graph& a, const Graph& b);
  size_t Hash() const;

 private:
  std::vector<Node> nodes_;
  std::vector<NodeId> inputs_, outputs_;
};

// "float32[2,3] x int32[2]", of so many operands in an error: the first eight of them.
std::string JoinTypes(size_t operands, absl::FunctionRef<std::string(size_t)> type);

// Whether two nodes compute the same thing: all but their lines.
bool SameNode(const Node& a, const Node& b);
// Equal for such nodes.
size_t HashOf(const Node& node);

// Whether something that goes into or comes out of a loop has the symbol `trips` for its length.
bool HasLengthOfTrips(const Node& loop);
// Whether the node itself needs the value of `trips`.
bool UsesTrips(const Node& node);

}  // namespace talweg

#endif  // TALWEG_GRAPH_GRAPH_H_
