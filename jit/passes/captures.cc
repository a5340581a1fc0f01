// What enters the bodies of loops, in its simplest form.
//
// A body sees a capture as a buffer, whatever is known of it outside. So constants, iotas and
// scalars that are spread enter as what they are; and what is the same in each trip enters as a
// capture, though it was carried or scanned.

#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "jit/passes/affine.h"
#include "jit/passes/loops.h"
#include "jit/passes/passes.h"
#include "jit/passes/rewrite.h"
#include "jit/passes/rules.h"

namespace talweg::passes {
namespace {

// Larger tables are left outside, so that loops within loops do not each have them.
constexpr int64_t kMostElements = 4096;

Graph EnterAll(const Graph& graph, Bodies& bodies);

// A loop on its way to a new body.
class LoopEntry {
 public:
  LoopEntry(Rewrite& rewrite, Bodies& bodies, const Node& loop)
      : rewrite_(rewrite),
        bodies_(bodies),
        old_(Open(loop)),
        new_(old_),
        limited_(MayExceed(old_.attributes, outside().node(old_.trips))) {}

  // What stands for the loop.
  NodeId Run(Node loop);

 private:
  const GraphBuilder& outside() const { return rewrite_.out(); }
  bool MayEnter(const Type& type) const {
    return !Uses(type.shape, kTrips) && !(old_.rows != kNone && Uses(type.shape, kRows));
  }
  bool EntersAsItself(const Node& node) const;
  bool EntersWithin(const Node& node) const;
  NodeId Enter(NodeId outer);
  std::optional<NodeId> SliceOfEach(NodeId scanned);
  void AddInputs();
  Node WithBody(Node loop) const;

  Rewrite& rewrite_;
  Bodies& bodies_;
  const OpenLoop old_;
  OpenLoop new_;
  const bool limited_;  // something that is scanned or stacked must stay
  GraphBuilder body_;
  std::vector<NodeId> stands_;                   // by node of the old body
  absl::flat_hash_map<NodeId, NodeId> entered_;  // by node outside
};

// Leaves that cost less inside than a buffer does.
bool LoopEntry::EntersAsItself(const Node& node) const {
  switch (node.kind()) {
    case Kind::kConstant:
      return node.As<ConstantAttributes>().value.size() <= kMostElements;
    case Kind::kIota:
      return true;
    case Kind::kSize:
      return node.As<SizeAttributes>().dim == kRows && old_.rows == kNone;
    default:
      return false;
  }
}

// A view that spreads what is smaller.
bool LoopEntry::EntersWithin(const Node& node) const {
  if (node.kind() != Kind::kView) return false;
  const Type& operand = outside().type(node.operands[0]);
  return MayEnter(operand) && Fewer(CountOf(operand.shape), CountOf(node.type().shape)) &&
         !MayFill(node.As<ViewAttributes>(), operand.shape);
}

// What stands in the body for a value outside.
NodeId LoopEntry::Enter(NodeId outer) {
  std::vector<NodeId> views;  // from the outermost one inwards
  NodeId inner = kNone;
  for (NodeId id = outer;; id = outside().node(id).operands[0]) {
    if (const auto it = entered_.find(id); it != entered_.end()) {
      inner = it->second;
      break;
    }
    const Node& node = outside().node(id);
    if (EntersWithin(node)) {
      views.push_back(id);
      continue;
    }
    if (EntersAsItself(node)) {
      inner = body_.Add(node);
    } else {
      inner = body_.AddInput(MakeInput(outside().type(id)));
      new_.captures.push_back(id);
      new_.captures_in.push_back(inner);
    }
    entered_[id] = inner;
    break;
  }
  for (; !views.empty(); views.pop_back()) {
    Node view = outside().node(views.back());
    view.operands = {inner};
    inner = body_.Add(std::move(view));
    entered_[views.back()] = inner;
  }
  return inner;
}

// Of a scanned value whose slices are all the same, that slice.
std::optional<NodeId> LoopEntry::SliceOfEach(NodeId scanned) {
  const Node& node = outside().node(scanned);
  if (node.kind() != Kind::kView) return std::nullopt;
  ViewAttributes view = node.As<ViewAttributes>();
  view.shape.erase(view.shape.begin());
  for (AxisMap& map : view.axes) {
    for (AxisMap::Term& term : map.terms) {
      if (term.axis-- == 0) return std::nullopt;
    }
  }
  const NodeId x = node.operands[0];
  if (!MayEnter(outside().type(x)) || !MayEnter({kBool, view.shape})) return std::nullopt;
  if (IsIdentity(view, outside().type(x).shape)) return x;
  const SourceLine line = node.line;
  return MakeView(rewrite_, x, std::move(view), line);
}

void LoopEntry::AddInputs() {
  const Graph& graph = *old_.attributes.body;
  const auto stand = [&](NodeId id) -> NodeId& { return stands_[static_cast<size_t>(id)]; };
  const auto add = [&](NodeId id) { return stand(id) = body_.AddInput(graph.node(id)); };
  new_.trip_in = add(old_.trip_in);
  new_.captures.clear();
  new_.captures_in.clear();
  for (size_t i = 0; i < old_.captures.size(); i++) {
    stand(old_.captures_in[i]) = Enter(old_.captures[i]);
  }
  new_.carried.clear();
  new_.carried_in.clear();
  new_.next.clear();
  for (size_t i = 0; i < old_.carried.size(); i++) {
    if (old_.next[i] == old_.carried_in[i]) {
      stand(old_.carried_in[i]) = Enter(old_.carried[i]);
      continue;
    }
    new_.carried.push_back(old_.carried[i]);
    new_.carried_in.push_back(add(old_.carried_in[i]));
    new_.next.push_back(old_.next[i]);
  }
  std::vector<std::optional<NodeId>> slices;
  for (NodeId scanned : old_.scanned) slices.push_back(SliceOfEach(scanned));
  const bool none_left =
      absl::c_all_of(slices, [](const auto& slice) { return slice.has_value(); });
  if (limited_ && none_left && old_.stacked.empty()) slices.back() = std::nullopt;
  new_.scanned.clear();
  new_.scanned_in.clear();
  absl::flat_hash_map<NodeId, NodeId> scanned;  // the input of each value
  for (size_t i = 0; i < old_.scanned.size(); i++) {
    const NodeId in = old_.scanned_in[i];
    if (slices[i]) {
      stand(in) = Enter(*slices[i]);
      continue;
    }
    const auto [it, is_new] = scanned.try_emplace(old_.scanned[i], kNone);
    if (!is_new) {
      stand(in) = it->second;
      continue;
    }
    it->second = add(in);
    new_.scanned.push_back(old_.scanned[i]);
    new_.scanned_in.push_back(it->second);
  }
}

// The loops within come last: what has entered this body may enter theirs.
Node LoopEntry::WithBody(Node loop) const {
  auto& body = std::get<LoopAttributes>(loop.attributes).body;
  body = bodies_.Map(body, [&](const Graph& graph) { return EnterAll(graph, bodies_); });
  return loop;
}

NodeId LoopEntry::Run(Node loop) {
  const Graph& graph = *old_.attributes.body;
  stands_.assign(graph.nodes().size(), kNone);
  AddInputs();
  for (size_t i = 0; i < stands_.size(); i++) {
    if (graph.nodes()[i].kind() == Kind::kInput) continue;
    Node node = graph.nodes()[i];
    for (NodeId& id : node.operands) id = stands_[static_cast<size_t>(id)];
    stands_[i] = body_.Add(std::move(node));
  }
  const auto stand = [&](NodeId& id) {
    if (id != kNone) id = stands_[static_cast<size_t>(id)];
  };
  absl::c_for_each(new_.next, stand);
  stand(new_.stop);
  if (new_.stop != kNone && UniformBits(body_, new_.stop) == 0u) new_.stop = kNone;
  new_.stacked.clear();
  std::vector<size_t> stacked_at;  // by old place
  absl::flat_hash_map<NodeId, size_t> stacked;
  for (NodeId id : old_.stacked) {
    stand(id);
    const auto [it, is_new] = stacked.try_emplace(id, new_.stacked.size());
    if (is_new) new_.stacked.push_back(id);
    stacked_at.push_back(it->second);
  }
  if (new_.captures == old_.captures && new_.carried.size() == old_.carried.size() &&
      new_.scanned.size() == old_.scanned.size() && new_.stacked.size() == old_.stacked.size() &&
      (new_.stop == kNone) == (old_.stop == kNone)) {
    return rewrite_.out().Add(WithBody(std::move(loop)));
  }

  const size_t carried = new_.carried.size(), last = new_.parts() - 1;
  GraphBuilder& out = rewrite_.out();
  const NodeId closed = out.Add(WithBody(Close(std::move(new_), body_)));
  std::vector<NodeId> parts;
  size_t next = 0;
  for (size_t i = 0; i < old_.carried.size(); i++) {
    const bool constant = old_.next[i] == old_.carried_in[i];
    parts.push_back(constant ? old_.carried[i] : MakePart(out, closed, next++));
  }
  for (size_t at : stacked_at) parts.push_back(MakePart(out, closed, carried + at));
  parts.push_back(MakePart(out, closed, last));
  return rewrite_.ReplaceParts(std::move(parts));
}

// Bodies lie at most kMaxNesting deep in each other.
Graph EnterAll(const Graph& graph, Bodies& bodies) {
  return Rewrite::RunOutermost(graph, [&](Rewrite& rewrite, Node node) -> NodeId {
    if (node.kind() != Kind::kLoop) return rewrite.out().Add(std::move(node));
    return LoopEntry(rewrite, bodies, node).Run(node);
  });
}

}  // namespace

Graph SimplifyCaptures(const Graph& graph) {
  Bodies bodies;
  return EnterAll(graph, bodies);
}

}  // namespace talweg::passes
