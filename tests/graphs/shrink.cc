#include "tests/graphs/shrink.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "graph/core_ops.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"

namespace talweg {
namespace {

// Without the nodes and inputs that no output needs.
Graph Trim(const std::vector<Node>& nodes, const std::vector<NodeId>& inputs,
           const std::vector<NodeId>& outputs) {
  std::vector<bool> needed(nodes.size(), false);
  for (NodeId id : outputs) needed[static_cast<size_t>(id)] = true;
  for (size_t i = nodes.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (NodeId id : nodes[i].operands) needed[static_cast<size_t>(id)] = true;
  }
  std::vector<NodeId> kept;
  for (NodeId id : inputs) {
    if (needed[static_cast<size_t>(id)]) kept.push_back(id);
  }
  return Extract(nodes, kept, outputs);
}

// `id` as an input of its own.
Graph Cut(const Graph& graph, NodeId id) {
  std::vector<Node> nodes = graph.nodes();
  std::vector<NodeId> inputs = graph.inputs();
  Node& node = nodes[static_cast<size_t>(id)];
  Node input;
  input.op = &kInputOp;
  // A name that no input has, and that stays the same in later steps.
  input.attributes = InputAttributes{absl::StrCat("cut", id, "_", graph.nodes().size())};
  input.types = node.types;
  node = std::move(input);
  inputs.push_back(id);
  return Trim(nodes, inputs, graph.outputs());
}

// All uses of `id` replaced by another node of its type.
Graph Bypass(const Graph& graph, NodeId id, NodeId by) {
  std::vector<Node> nodes = graph.nodes();
  std::vector<NodeId> outputs = graph.outputs();
  const auto replace = [&](NodeId& use) {
    if (use == id) use = by;
  };
  for (Node& node : nodes) {
    for (NodeId& use : node.operands) replace(use);
  }
  for (NodeId& use : outputs) replace(use);
  return Trim(nodes, graph.inputs(), outputs);
}

// What shrinking makes less: nodes that compute something, inputs, and outputs.
size_t Size(const Graph& graph) {
  return 2 * graph.nodes().size() - graph.inputs().size() + graph.outputs().size();
}

}  // namespace

Graph Shrink(Graph graph, const std::function<bool(const Graph&)>& fails) {
  const auto take = [&](Graph candidate) {
    if (Size(candidate) >= Size(graph)) return false;
    if (!Verify(candidate).ok() || !fails(candidate)) return false;
    graph = std::move(candidate);
    return true;
  };
  // The first node at which it shows, as the only output.
  const size_t count = graph.nodes().size();
  for (size_t i = 0; i < count; i++) {
    const auto id = static_cast<NodeId>(i);
    if (graph.node(id).kind() == Kind::kLoop) continue;
    if (take(Trim(graph.nodes(), graph.inputs(), {id}))) break;
  }
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (size_t i = graph.outputs().size(); i-- > 0;) {
      std::vector<NodeId> outputs = graph.outputs();
      outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(i));
      if (!outputs.empty()) smaller |= take(Trim(graph.nodes(), graph.inputs(), outputs));
    }
    // From the outputs to the inputs; ids change with each step that is taken.
    for (auto id = static_cast<NodeId>(graph.nodes().size()); id-- > 0;) {
      if (static_cast<size_t>(id) >= graph.nodes().size()) continue;
      const Node& node = graph.node(id);
      if (node.kind() == Kind::kInput || node.kind() == Kind::kLoop) continue;
      bool taken = take(Cut(graph, id));
      for (size_t k = 0; !taken && k < graph.node(id).operands.size(); k++) {
        const NodeId by = graph.node(id).operands[k];
        if (graph.node(by).types == graph.node(id).types) taken = take(Bypass(graph, id, by));
      }
      smaller |= taken;
    }
  }
  return graph;
}

std::string Reproducer(const Graph& graph, uint64_t seed, int64_t rows, std::string_view check) {
  return absl::StrCat("TEST(Reproduce, Seed", seed, ") {\n",
                      "  const absl::StatusOr<Graph> graph = ParseGraph(R\"(\n",
                      Print(graph, {.lines = false}), ")\", AllOps());\n",
                      "  ASSERT_TRUE(graph.ok()) << graph.status();\n", "  EXPECT_EQ(",
                      AbslView(check), "(*graph, ", seed, "u, ", rows, "), \"\");\n}\n");
}

}  // namespace talweg
