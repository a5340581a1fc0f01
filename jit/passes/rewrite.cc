#include "jit/passes/rewrite.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/hash/hash.h"
#include "graph/core_ops.h"
#include "ops/view.h"

namespace talweg::passes {

// ---- GraphBuilder -------------------------------------------------------------------------------

GraphBuilder::GraphBuilder(size_t expected_nodes) {
  nodes_.reserve(expected_nodes);
  next_.reserve(expected_nodes);
  by_hash_.reserve(expected_nodes);
}

NodeId GraphBuilder::AddInput(Node node) {
  const auto id = static_cast<NodeId>(nodes_.size());
  nodes_.push_back(std::move(node));
  next_.push_back(kNone);
  return id;
}

NodeId GraphBuilder::Add(Node node) {
  if (node.kind() == Kind::kInput) return AddInput(std::move(node));
  const auto id = static_cast<NodeId>(nodes_.size());
  const auto [it, is_new] = by_hash_.try_emplace(HashOf(node), id);
  NodeId before = kNone;
  if (!is_new) {
    for (before = it->second; before != kNone; before = next_[static_cast<size_t>(before)]) {
      if (SameNode(nodes_[static_cast<size_t>(before)], node)) return before;
    }
    before = std::exchange(it->second, id);
  }
  nodes_.push_back(std::move(node));
  next_.push_back(before);
  return id;
}

NodeId GraphBuilder::Add(const Op& op, std::vector<NodeId> operands, Attributes attributes,
                         Type type, const SourceLine& line) {
  Node node;
  node.op = &op;
  node.operands = std::move(operands);
  node.attributes = std::move(attributes);
  node.types = {std::move(type)};
  node.line = line;
  return Add(std::move(node));
}

void GraphBuilder::Rename(NodeId input, std::string name) {
  nodes_[static_cast<size_t>(input)].attributes = InputAttributes{std::move(name)};
}

Graph GraphBuilder::Finish(absl::Span<const NodeId> inputs, absl::Span<const NodeId> outputs) {
  std::vector<bool> needed(nodes_.size(), false);
  for (NodeId id : inputs) needed[static_cast<size_t>(id)] = true;
  for (NodeId id : outputs) needed[static_cast<size_t>(id)] = true;
  for (size_t i = nodes_.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (NodeId id : nodes_[i].operands) needed[static_cast<size_t>(id)] = true;
  }
  std::vector<NodeId>& renumbered = next_;
  size_t kept = 0;
  for (size_t i = 0; i < nodes_.size(); i++) {
    if (!needed[i]) continue;
    renumbered[i] = static_cast<NodeId>(kept);
    for (NodeId& id : nodes_[i].operands) id = renumbered[static_cast<size_t>(id)];
    if (kept != i) nodes_[kept] = std::move(nodes_[i]);
    kept++;
  }
  nodes_.resize(kept);
  const auto renumber = [&](absl::Span<const NodeId> ids) {
    std::vector<NodeId> out;
    out.reserve(ids.size());
    for (NodeId id : ids) out.push_back(renumbered[static_cast<size_t>(id)]);
    return out;
  };
  return Graph(std::move(nodes_), renumber(inputs), renumber(outputs));
}

// ---- Rewrite ------------------------------------------------------------------------------------

std::shared_ptr<const Graph> Bodies::Map(const std::shared_ptr<const Graph>& body,
                                         const std::function<Graph(const Graph&)>& function) {
  if (const auto it = known_.find(body.get()); it != known_.end()) return it->second.after;
  Graph changed = function(*body);
  auto after = changed == *body ? body : std::make_shared<const Graph>(std::move(changed));
  known_[body.get()] = {body, after};
  return after;
}

Rewrite::Rewrite(const Graph& graph, const NodeRule& rule, Bodies* bodies, int32_t depth)
    : out_(graph.nodes().size()), rule_(rule), bodies_(bodies), depth_(depth) {}

Graph Rewrite::Run(const Graph& graph, const NodeRule& rule) {
  Bodies bodies;
  return Rewrite(graph, rule, &bodies, 0).Walk(graph);
}

Graph Rewrite::RunOutermost(const Graph& graph, const NodeRule& rule) {
  return Rewrite(graph, rule, nullptr, 0).Walk(graph);
}

NodeId Rewrite::Make(const Op& op, std::vector<NodeId> operands, Attributes attributes, Type type,
                     const SourceLine& line) {
  Node node;
  node.op = &op;
  node.operands = std::move(operands);
  node.attributes = std::move(attributes);
  node.types = {std::move(type)};
  node.line = line;
  return Make(std::move(node));
}

NodeId Rewrite::ReplaceParts(std::vector<NodeId> parts) {
  parts_ = std::move(parts);
  return kNone;
}

// Bodies lie at most kMaxNesting deep in each other, so that this recursion is bounded.
Graph Rewrite::Walk(const Graph& graph) {
  std::vector<NodeId> stands(graph.nodes().size(), kNone);
  for (size_t i = 0; i < stands.size(); i++) {
    const Node& old = graph.nodes()[i];
    if (old.kind() == Kind::kPart && !replaced_.empty()) {
      if (const auto it = replaced_.find(old.operands[0]); it != replaced_.end()) {
        stands[i] = it->second[static_cast<size_t>(old.As<PartAttributes>().index)];
        continue;
      }
    }
    Node node = old;
    for (NodeId& id : node.operands) id = stands[static_cast<size_t>(id)];
    if (node.kind() == Kind::kInput) {
      stands[i] = out_.AddInput(std::move(node));
      continue;
    }
    if (node.kind() == Kind::kLoop && bodies_ != nullptr) {
      std::shared_ptr<const Graph>& body = std::get<LoopAttributes>(node.attributes).body;
      body = bodies_->Map(body, [&](const Graph& inner) {
        return Rewrite(inner, rule_, bodies_, depth_ + 1).Walk(inner);
      });
    }
    stands[i] = rule_(*this, std::move(node));
    if (stands[i] == kNone) replaced_[static_cast<NodeId>(i)] = std::move(parts_);
  }
  const auto renamed = [&](const std::vector<NodeId>& ids) {
    std::vector<NodeId> result;
    result.reserve(ids.size());
    for (NodeId id : ids) result.push_back(stands[static_cast<size_t>(id)]);
    return result;
  };
  return out_.Finish(renamed(graph.inputs()), renamed(graph.outputs()));
}

std::vector<NodeId> CopyInto(GraphBuilder& out, const Graph& graph,
                             absl::Span<const NodeId> inputs) {
  std::vector<NodeId> stands(graph.nodes().size(), kNone);
  for (size_t i = 0; i < inputs.size(); i++) {
    stands[static_cast<size_t>(graph.inputs()[i])] = inputs[i];
  }
  for (size_t i = 0; i < stands.size(); i++) {
    if (graph.nodes()[i].kind() == Kind::kInput) continue;
    Node node = graph.nodes()[i];
    for (NodeId& id : node.operands) id = stands[static_cast<size_t>(id)];
    stands[i] = out.Add(std::move(node));
  }
  return stands;
}

// ---- Nodes that rules make and ask about --------------------------------------------------------

NodeId MakeConstant(Rewrite& rewrite, Array value, const SourceLine& line) {
  Type type{value.dtype(), ToShape(value.dims())};
  return rewrite.Make(kConstantOp, {}, ConstantAttributes{std::move(value)}, std::move(type), line);
}

NodeId MakeView(Rewrite& rewrite, NodeId operand, ViewAttributes view, const SourceLine& line) {
  Type type{rewrite.out().type(operand).dtype, view.shape};
  return rewrite.Make(kViewOp, {operand}, std::move(view), std::move(type), line);
}

NodeId MakeSplat(Rewrite& rewrite, NodeId scalar, const Shape& shape, const SourceLine& line) {
  if (shape.empty()) return scalar;
  return MakeView(rewrite, scalar, ViewAttributes{.axes = {}, .fill = 0, .shape = shape}, line);
}

bool Fewer(const ExtentCount& a, const ExtentCount& b) {
  return a.elements <= b.elements && a.rows <= b.rows && a.trips <= b.trips &&
         (a.elements < b.elements || a.rows < b.rows || a.trips < b.trips);
}

}  // namespace talweg::passes
