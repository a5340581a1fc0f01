// What no output needs is left out.
//
// A loop is more than a node here: its outputs are needed one by one, and each needs its own part
// of the body. So the search goes into bodies and comes back out with the operands that are read.

#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "jit/passes/loops.h"
#include "jit/passes/passes.h"
#include "jit/passes/rewrite.h"

namespace talweg::passes {
namespace {

// What is needed of one graph and, within, of the bodies of its loops.
class Need {
 public:
  explicit Need(const Graph& graph, const LoopAttributes* loop = nullptr);

  void AddOutput(size_t k);
  // Marks all that is needed by what is marked.
  void Follow();
  // Loops must keep what limits their trips: marks it. Whether anything was marked.
  bool KeepLimits();

  bool needs(NodeId id) const { return needed_[static_cast<size_t>(id)]; }
  bool needs_output(size_t k) const { return outputs_[k]; }
  const Need& body(NodeId loop) const { return *bodies_.at(loop); }

 private:
  void Mark(NodeId id);
  void FollowNode(NodeId id);
  void FollowBody(NodeId loop);
  Need& Body(NodeId loop);

  const Graph& graph_;
  const LoopAttributes* const loop_;  // whose body this graph is; null for the whole
  std::vector<bool> needed_;          // by node
  std::vector<bool> outputs_;         // by output
  std::vector<int32_t> input_of_;     // by node: which input it is
  std::vector<NodeId> marked_;        // that were not followed yet
  std::vector<int32_t> new_inputs_;   // that were marked since the loop around looked
  absl::flat_hash_map<NodeId, std::unique_ptr<Need>> bodies_;
  std::vector<NodeId> loops_;
};

Need::Need(const Graph& graph, const LoopAttributes* loop)
    : graph_(graph),
      loop_(loop),
      needed_(graph.nodes().size(), false),
      outputs_(graph.outputs().size(), false),
      input_of_(graph.nodes().size(), -1) {
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    input_of_[static_cast<size_t>(graph.inputs()[i])] = static_cast<int32_t>(i);
  }
  if (loop_ == nullptr) {
    for (NodeId id : graph.inputs()) Mark(id);
  } else {
    Mark(graph.inputs()[0]);  // the trip
    if (loop_->stops) AddOutput(outputs_.size() - 1);
  }
}

void Need::Mark(NodeId id) {
  if (needed_[static_cast<size_t>(id)]) return;
  needed_[static_cast<size_t>(id)] = true;
  marked_.push_back(id);
}

void Need::AddOutput(size_t k) {
  outputs_[k] = true;
  Mark(graph_.outputs()[k]);
  // Without a trip, what a loop carries out is what it carried in.
  if (loop_ != nullptr && k < static_cast<size_t>(loop_->carried)) {
    Mark(graph_.inputs()[1 + static_cast<size_t>(loop_->captures) + k]);
  }
}

void Need::Follow() {
  while (!marked_.empty()) {
    const NodeId id = marked_.back();
    marked_.pop_back();
    FollowNode(id);
  }
}

void Need::FollowNode(NodeId id) {
  const Node& node = graph_.node(id);
  switch (node.kind()) {
    case Kind::kInput: {
      const int32_t input = input_of_[static_cast<size_t>(id)];
      new_inputs_.push_back(input);
      // Who reads a carried value reads what the trip before made.
      const int32_t carried = loop_ == nullptr ? -1 : input - 1 - loop_->captures;
      if (carried >= 0 && carried < loop_->carried) AddOutput(static_cast<size_t>(carried));
      return;
    }
    case Kind::kCustom:
      return Mark(node.operands[0]);
    case Kind::kPart: {
      const NodeId loop = node.operands[0];
      const auto& a = graph_.node(loop).As<LoopAttributes>();
      const int32_t index = node.As<PartAttributes>().index;
      Mark(loop);
      if (index < a.carried + a.stacked) Body(loop).AddOutput(static_cast<size_t>(index));
      return FollowBody(loop);
    }
    case Kind::kLoop:
      Mark(node.operands[0]);
      if (node.As<LoopAttributes>().binds_rows) Mark(node.operands[1]);
      return FollowBody(id);
    default:
      for (NodeId operand : node.operands) Mark(operand);
  }
}

Need& Need::Body(NodeId loop) {
  std::unique_ptr<Need>& body = bodies_[loop];
  if (body == nullptr) {
    const auto& a = graph_.node(loop).As<LoopAttributes>();
    body = std::make_unique<Need>(*a.body, &a);
    loops_.push_back(loop);
  }
  return *body;
}

void Need::FollowBody(NodeId loop) {
  Need& body = Body(loop);
  body.Follow();
  const Node& node = graph_.node(loop);
  const int32_t before = node.As<LoopAttributes>().binds_rows ? 1 : 0;
  for (int32_t input : body.new_inputs_) {
    if (input > 0) Mark(node.operands[static_cast<size_t>(input + before)]);
  }
  body.new_inputs_.clear();
}

bool Need::KeepLimits() {
  bool marked = false;
  for (size_t i = 0; i < loops_.size(); i++) {
    const NodeId loop = loops_[i];
    const Node& node = graph_.node(loop);
    const auto& a = node.As<LoopAttributes>();
    Need& body = Body(loop);
    bool keeps = body.KeepLimits();
    if (MayExceed(a, graph_.node(node.operands[0]))) {
      bool limited = false;
      const std::vector<NodeId>& inputs = body.graph_.inputs();
      for (size_t k = inputs.size() - static_cast<size_t>(a.scanned); k < inputs.size(); k++) {
        limited = limited || body.needs(inputs[k]);
      }
      const auto first = static_cast<size_t>(a.carried);
      for (size_t k = first; k < first + static_cast<size_t>(a.stacked); k++) {
        limited = limited || body.needs_output(k);
      }
      if (!limited && a.scanned > 0) body.Mark(inputs.back());
      if (!limited && a.scanned == 0) body.AddOutput(first);
      keeps = keeps || !limited;
    }
    if (!keeps) continue;
    FollowBody(loop);
    Follow();
    marked = true;
  }
  return marked;
}

// ---- What is needed, as a graph -----------------------------------------------------------------

std::vector<NodeId> CopyNeeded(GraphBuilder& out, const Graph& graph, const Need& need);

// Leaves out of two or three lists the entries that are not wanted.
template <typename Wanted, typename... Lists>
void Filter(const Wanted& wanted, std::vector<NodeId>& first, Lists&... others) {
  size_t kept = 0;
  for (size_t i = 0; i < first.size(); i++) {
    if (!wanted(i)) continue;
    first[kept] = first[i];
    ((others[kept] = others[i]), ...);
    kept++;
  }
  first.resize(kept);
  (others.resize(kept), ...);
}

// `part_of` says which part of the result each part of the loop is; -1 where it is none.
Node KeepLoop(const Node& loop, const Need& need, std::vector<int32_t>& part_of) {
  OpenLoop open = Open(loop);
  const size_t carried = open.next.size();
  int32_t parts = 0;
  for (size_t k = 0; k + 1 < open.parts(); k++) {
    part_of.push_back(need.needs_output(k) ? parts++ : -1);
  }
  part_of.push_back(parts);
  Filter([&](size_t i) { return need.needs(open.captures_in[i]); }, open.captures,
         open.captures_in);
  Filter([&](size_t i) { return need.needs(open.scanned_in[i]); }, open.scanned, open.scanned_in);
  Filter([&](size_t i) { return need.needs_output(carried + i); }, open.stacked);
  Filter([&](size_t i) { return need.needs_output(i); }, open.carried, open.carried_in, open.next);

  const Graph& graph = *open.attributes.body;
  GraphBuilder body(graph.nodes().size());
  RenameBody(open, CopyNeeded(body, graph, need));
  return Close(std::move(open), body);
}

std::vector<NodeId> CopyNeeded(GraphBuilder& out, const Graph& graph, const Need& need) {
  std::vector<NodeId> stands(graph.nodes().size(), kNone);
  absl::flat_hash_map<NodeId, std::vector<int32_t>> parts;  // by the old loop
  for (size_t i = 0; i < stands.size(); i++) {
    const auto id = static_cast<NodeId>(i);
    if (!need.needs(id)) continue;
    const Node& old = graph.nodes()[i];
    if (old.kind() == Kind::kCustom) {
      stands[i] = stands[static_cast<size_t>(old.operands[0])];
      continue;
    }
    Node node = old;
    for (NodeId& operand : node.operands) operand = stands[static_cast<size_t>(operand)];
    if (node.kind() == Kind::kLoop) node = KeepLoop(node, need.body(id), parts[id]);
    if (node.kind() == Kind::kPart) {
      int32_t& index = std::get<PartAttributes>(node.attributes).index;
      index = parts.at(old.operands[0])[static_cast<size_t>(index)];
    }
    stands[i] = out.Add(std::move(node));
  }
  return stands;
}

}  // namespace

Graph RemoveDead(const Graph& graph) {
  Need need(graph);
  for (size_t k = 0; k < graph.outputs().size(); k++) need.AddOutput(k);
  do {
    need.Follow();
  } while (need.KeepLimits());
  GraphBuilder out(graph.nodes().size());
  const std::vector<NodeId> stands = CopyNeeded(out, graph, need);
  std::vector<NodeId> inputs, outputs;
  for (NodeId id : graph.inputs()) inputs.push_back(stands[static_cast<size_t>(id)]);
  for (NodeId id : graph.outputs()) outputs.push_back(stands[static_cast<size_t>(id)]);
  return out.Finish(inputs, outputs);
}

}  // namespace talweg::passes
