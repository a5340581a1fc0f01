#ifndef TALWEG_JIT_PASSES_REWRITE_H_
#define TALWEG_JIT_PASSES_REWRITE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace talweg::passes {

// What passes are written with. A pass makes a new graph, node by node, from an old one; what it
// leaves alone is copied, equal nodes are made once, and what no output needs is left out at the
// end. Everything here takes graphs that Verify accepts, and time in proportion to their size.

inline constexpr NodeId kNone = -1;

// A graph while it is made.
class GraphBuilder {
 public:
  explicit GraphBuilder(size_t expected_nodes = 0);

  // An input. Inputs are never shared, and Finish keeps them all.
  NodeId AddInput(Node node);
  // The node, or the equal one that is there. An input is added.
  NodeId Add(Node node);
  NodeId Add(const Op& op, std::vector<NodeId> operands, Attributes attributes, Type type,
             const SourceLine& line);

  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  const Type& type(NodeId id) const { return node(id).type(); }
  Kind kind(NodeId id) const { return node(id).kind(); }
  size_t size() const { return nodes_.size(); }

  // Gives inputs other names.
  void Rename(NodeId input, std::string name);

  // The graph of the inputs and of the nodes that the outputs need, numbered anew. The builder is
  // spent.
  Graph Finish(absl::Span<const NodeId> inputs, absl::Span<const NodeId> outputs);

 private:
  std::vector<Node> nodes_;
  // Nodes by their hash: the last one, from which `next_` leads to those before.
  absl::flat_hash_map<size_t, NodeId> by_hash_;
  std::vector<NodeId> next_;
};

class Rewrite;

// Bodies and what became of them: one body may be that of many loops.
class Bodies {
 public:
  // The body under a function, which is called where it was not before; the same object where the
  // function changes nothing.
  std::shared_ptr<const Graph> Map(const std::shared_ptr<const Graph>& body,
                                   const std::function<Graph(const Graph&)>& function);

 private:
  // Old bodies are kept, so that no other comes to lie where one was.
  struct Known {
    std::shared_ptr<const Graph> before, after;
  };
  absl::flat_hash_map<const Graph*, Known> known_;
};

// Says what stands for a node: gets it with its operands renamed to what stands for them, and a
// loop with its body rewritten. `rewrite.out().Add(node)` leaves it as it is.
using NodeRule = std::function<NodeId(Rewrite& rewrite, Node node)>;

// A walk through one graph, in order, under a rule.
class Rewrite {
 public:
  // The graph under a rule, with the bodies of its loops, innermost first. Gradients of customs,
  // which only derivatives read, stay as they are.
  static Graph Run(const Graph& graph, const NodeRule& rule);
  // The graph alone: the rule gets loops with the bodies that they have.
  static Graph RunOutermost(const Graph& graph, const NodeRule& rule);

  GraphBuilder& out() { return out_; }
  // 0 in the graph itself, 1 in the bodies of its loops ...
  int32_t depth() const { return depth_; }

  // A new node, under the same rule.
  NodeId Make(Node node) { return rule_(*this, std::move(node)); }
  NodeId Make(const Op& op, std::vector<NodeId> operands, Attributes attributes, Type type,
              const SourceLine& line);

  // For the rule of a loop whose result has other parts: what stands for each part of the old one.
  // The rule then returns kNone.
  NodeId ReplaceParts(std::vector<NodeId> parts);

 private:
  Rewrite(const Graph& graph, const NodeRule& rule, Bodies* bodies, int32_t depth);
  Graph Walk(const Graph& graph);

  GraphBuilder out_;
  const NodeRule& rule_;
  Bodies* bodies_;  // null where they are left to the rule
  const int32_t depth_;
  std::vector<NodeId> parts_;                                  // by ReplaceParts, for one node
  absl::flat_hash_map<NodeId, std::vector<NodeId>> replaced_;  // by the old loop
};

// Copies the nodes of a graph into another, with its inputs replaced; returns what stands for each
// of its nodes.
std::vector<NodeId> CopyInto(GraphBuilder& out, const Graph& graph,
                             absl::Span<const NodeId> inputs);

// ---- Nodes that rules make and ask about --------------------------------------------------------

NodeId MakeConstant(Rewrite& rewrite, Array value, const SourceLine& line);
// A reindexing of `operand`; the result's shape stands in `view`.
NodeId MakeView(Rewrite& rewrite, NodeId operand, ViewAttributes view, const SourceLine& line);
// A scalar spread over a shape.
NodeId MakeSplat(Rewrite& rewrite, NodeId scalar, const Shape& shape, const SourceLine& line);

// Whether there are fewer elements in one than in the other whatever the symbols are, as long as
// they are above 1.
bool Fewer(const ExtentCount& a, const ExtentCount& b);

}  // namespace talweg::passes

#endif  // TALWEG_JIT_PASSES_REWRITE_H_
