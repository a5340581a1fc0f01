// Loops that do the same become one.
//
// Reverse mode runs the forward loop again, to stack what it carries (autodiff/transpose_loop.cc):
// the same loop with more outputs. Merged, both bodies lie side by side in one; equal nodes are
// made once, and of the second body only what the first has not remains.

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "graph/reads.h"
#include "jit/passes/loops.h"
#include "jit/passes/passes.h"
#include "jit/passes/rewrite.h"

namespace talweg::passes {
namespace {

struct Merged {
  Node loop;
  // Which part of it each part of the two loops is.
  std::vector<size_t> parts_of_a, parts_of_b;
};

// One loop on its way into the body of both.
struct Side {
  explicit Side(const Node& node) : loop(Open(node)) {}

  OpenLoop loop;
  std::vector<size_t> carried_at;  // place among the carried values of both
  std::vector<NodeId> stands;      // by node of its body

  NodeId StandOf(NodeId id) const { return stands[static_cast<size_t>(id)]; }
};

class Merger {
 public:
  Merger(const Node& a, const Node& b) : a_(a), b_(b) {}

  // Nothing where it would not be one loop, or not save half of the smaller body.
  std::optional<Merged> Run();

 private:
  void PairCarried();
  void AddInputs(Side& side);
  bool SplitUnequal();
  bool IsWorthIt() const;

  Side a_, b_;
  std::vector<bool> apart_;  // carried values of b that are those of no value of a
  OpenLoop both_;
  absl::flat_hash_map<NodeId, NodeId> captured_, scanned_;  // inputs of both, by node outside
  std::unique_ptr<GraphBuilder> body_;
};

// The k-th value of b that starts from a node goes with the k-th of a that does, unless they were
// found to go apart.
void Merger::PairCarried() {
  absl::flat_hash_map<NodeId, std::vector<size_t>> starts;
  a_.carried_at.clear();
  b_.carried_at.clear();
  for (size_t i = a_.loop.carried.size(); i-- > 0;) starts[a_.loop.carried[i]].push_back(i);
  for (size_t i = 0; i < a_.loop.carried.size(); i++) a_.carried_at.push_back(i);
  size_t next = a_.loop.carried.size();
  for (size_t j = 0; j < b_.loop.carried.size(); j++) {
    std::vector<size_t>& places = starts[b_.loop.carried[j]];
    size_t at = next;
    if (!places.empty()) {
      at = places.back();
      places.pop_back();
    }
    if (at == next || apart_[j]) at = next++;
    b_.carried_at.push_back(at);
  }
}

void Merger::AddInputs(Side& side) {
  const OpenLoop& loop = side.loop;
  const Graph& graph = *loop.attributes.body;
  const auto input = [&](NodeId outer, NodeId inner, absl::flat_hash_map<NodeId, NodeId>& inputs,
                         std::vector<NodeId>& outside, std::vector<NodeId>& inside) {
    const auto [it, is_new] = inputs.try_emplace(outer, kNone);
    if (is_new) {
      it->second = body_->AddInput(graph.node(inner));
      outside.push_back(outer);
      inside.push_back(it->second);
    }
    return it->second;
  };
  std::vector<NodeId> inputs = {both_.trip_in};
  for (size_t i = 0; i < loop.captures.size(); i++) {
    inputs.push_back(
        input(loop.captures[i], loop.captures_in[i], captured_, both_.captures, both_.captures_in));
  }
  for (size_t i = 0; i < loop.carried.size(); i++) {
    if (side.carried_at[i] == both_.carried.size()) {
      both_.carried.push_back(loop.carried[i]);
      both_.carried_in.push_back(body_->AddInput(graph.node(loop.carried_in[i])));
    }
    inputs.push_back(both_.carried_in[side.carried_at[i]]);
  }
  for (size_t i = 0; i < loop.scanned.size(); i++) {
    inputs.push_back(
        input(loop.scanned[i], loop.scanned_in[i], scanned_, both_.scanned, both_.scanned_in));
  }
  side.stands = CopyInto(*body_, graph, inputs);
}

// Whether a pair has different next values, which are then kept apart.
bool Merger::SplitUnequal() {
  bool split = false;
  const size_t shared = a_.loop.carried.size();
  for (size_t j = 0; j < b_.loop.carried.size(); j++) {
    const size_t at = b_.carried_at[j];
    if (at >= shared || a_.StandOf(a_.loop.next[at]) == b_.StandOf(b_.loop.next[j])) continue;
    apart_[j] = split = true;
  }
  return split;
}

// Whether at least half of what the smaller body computes is saved.
bool Merger::IsWorthIt() const {
  const auto computed = [](const Side& side) {
    const Graph& body = *side.loop.attributes.body;
    return body.nodes().size() - body.inputs().size();
  };
  const size_t a = computed(a_), b = computed(b_);
  const size_t inputs = 1 + both_.captures.size() + both_.carried.size() + both_.scanned.size();
  const size_t both = body_->size() - inputs;
  return 2 * (a + b - both) >= std::min(a, b);
}

std::optional<Merged> Merger::Run() {
  apart_.assign(b_.loop.carried.size(), false);
  // That one pair goes apart may be what others go apart by; more than a few times is not worth it.
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; i++) {
    PairCarried();
    both_ = a_.loop;
    for (auto* list : {&both_.captures, &both_.captures_in, &both_.carried, &both_.carried_in,
                       &both_.scanned, &both_.scanned_in, &both_.next, &both_.stacked}) {
      list->clear();
    }
    captured_.clear();
    scanned_.clear();
    body_ = std::make_unique<GraphBuilder>();
    both_.trip_in = body_->AddInput(a_.loop.attributes.body->node(a_.loop.trip_in));
    AddInputs(a_);
    AddInputs(b_);
    if (!SplitUnequal()) break;
    if (i + 1 == kTries) return std::nullopt;
  }
  both_.stop = kNone;
  if (a_.loop.stop != kNone) {
    both_.stop = a_.StandOf(a_.loop.stop);
    if (both_.stop != b_.StandOf(b_.loop.stop)) return std::nullopt;
  }
  if (!IsWorthIt()) return std::nullopt;

  Merged merged;
  both_.next.assign(both_.carried.size(), kNone);
  for (const auto& [side, parts] :
       {std::make_pair(&a_, &merged.parts_of_a), std::make_pair(&b_, &merged.parts_of_b)}) {
    for (size_t i = 0; i < side->loop.carried.size(); i++) {
      both_.next[side->carried_at[i]] = side->StandOf(side->loop.next[i]);
      parts->push_back(side->carried_at[i]);
    }
    for (NodeId id : side->loop.stacked) {
      parts->push_back(both_.carried.size() + both_.stacked.size());
      both_.stacked.push_back(side->StandOf(id));
    }
  }
  merged.parts_of_a.push_back(both_.parts() - 1);
  merged.parts_of_b.push_back(both_.parts() - 1);
  merged.loop = Close(std::move(both_), *body_);
  return merged;
}

// ---- The loops of a graph -----------------------------------------------------------------------

// Loops that are one. Operands are those of the old graph.
struct Group {
  Node loop;
  struct Member {
    NodeId loop;
    std::vector<size_t> parts;
  };
  std::vector<Member> members;  // the first of them is where the loop will stand
};

// Members of a group, and groups that a loop is compared with: more would take time for nothing.
constexpr size_t kMostMembers = 16;
constexpr size_t kMostTries = 4;

class LoopMerger {
 public:
  explicit LoopMerger(const Graph& graph) : graph_(graph), place_of_(graph.nodes().size()) {}

  // Finds a place for each loop of the graph, in order.
  void Place(NodeId id, Node loop, bool needed);
  // The graph with the loops in their places.
  Graph Finish() const;

 private:
  struct Spot {
    size_t group = 0, member = 0;
  };
  bool TryAdd(Group& group, NodeId id, const Node& loop);

  const Graph& graph_;
  std::vector<Group> groups_;
  std::vector<Spot> place_of_;  // by loop
  // Groups that run the same trips.
  absl::flat_hash_map<size_t, std::vector<size_t>> alike_;
  int64_t left_ = 10000;  // nodes that may be copied for nothing
};

// Loops of equal hashes run in step, but for what Open and Merger compare.
size_t HashOfTrips(const Node& loop) {
  const auto& a = loop.As<LoopAttributes>();
  const NodeId rows = a.binds_rows ? loop.operands[1] : kNone;
  return absl::HashOf(loop.operands[0], rows, a.length, a.reversed, a.stops, a.rows_limit, a.whole);
}

bool RunInStep(const Node& a, const Node& b) {
  const auto &x = a.As<LoopAttributes>(), &y = b.As<LoopAttributes>();
  return a.operands[0] == b.operands[0] && x.binds_rows == y.binds_rows &&
         (!x.binds_rows || a.operands[1] == b.operands[1]) && x.rows_limit == y.rows_limit &&
         x.length == y.length && x.reversed == y.reversed && x.stops == y.stops &&
         x.whole == y.whole;
}

bool LoopMerger::TryAdd(Group& group, NodeId id, const Node& loop) {
  const NodeId first = group.members.front().loop;
  // What comes before the first loop does not depend on it.
  const bool independent =
      absl::c_all_of(loop.operands, [&](NodeId operand) { return operand < first; });
  if (!independent || group.members.size() == kMostMembers || !RunInStep(group.loop, loop)) {
    return false;
  }
  left_ -= static_cast<int64_t>(group.loop.As<LoopAttributes>().body->nodes().size());
  if (left_ < 0) return false;
  std::optional<Merged> merged = Merger(group.loop, loop).Run();
  if (!merged) return false;
  group.loop = std::move(merged->loop);
  for (Group::Member& member : group.members) {
    for (size_t& part : member.parts) part = merged->parts_of_a[part];
  }
  place_of_[static_cast<size_t>(id)].member = group.members.size();
  group.members.push_back({id, std::move(merged->parts_of_b)});
  return true;
}

void LoopMerger::Place(NodeId id, Node loop, bool needed) {
  // In time that is in proportion to the size of all bodies.
  left_ += 8 * static_cast<int64_t>(loop.As<LoopAttributes>().body->nodes().size());
  Spot& spot = place_of_[static_cast<size_t>(id)];
  if (needed) {
    std::vector<size_t>& alike = alike_[HashOfTrips(loop)];
    for (size_t tries = 0; tries < std::min(alike.size(), kMostTries); tries++) {
      spot.group = alike[alike.size() - 1 - tries];
      if (TryAdd(groups_[spot.group], id, loop)) return;
    }
    alike.push_back(groups_.size());
  }
  spot = {groups_.size(), 0};
  std::vector<size_t> parts(loop.types.size());
  absl::c_iota(parts, size_t{0});
  groups_.push_back({std::move(loop), {{id, std::move(parts)}}});
}

Graph LoopMerger::Finish() const {
  GraphBuilder out(graph_.nodes().size());
  std::vector<NodeId> stands(graph_.nodes().size(), kNone);
  for (size_t i = 0; i < stands.size(); i++) {
    Node node = graph_.nodes()[i];
    if (node.kind() == Kind::kLoop) {
      const Spot& spot = place_of_[i];
      const Group& group = groups_[spot.group];
      if (spot.member > 0) {
        stands[i] = stands[static_cast<size_t>(group.members.front().loop)];
        continue;
      }
      node = group.loop;
    }
    if (node.kind() == Kind::kPart) {
      const Spot& spot = place_of_[static_cast<size_t>(node.operands[0])];
      int32_t& index = std::get<PartAttributes>(node.attributes).index;
      const std::vector<size_t>& parts = groups_[spot.group].members[spot.member].parts;
      index = static_cast<int32_t>(parts[static_cast<size_t>(index)]);
    }
    for (NodeId& operand : node.operands) operand = stands[static_cast<size_t>(operand)];
    stands[i] = out.Add(std::move(node));
  }
  std::vector<NodeId> inputs, outputs;
  for (NodeId id : graph_.inputs()) inputs.push_back(stands[static_cast<size_t>(id)]);
  for (NodeId id : graph_.outputs()) outputs.push_back(stands[static_cast<size_t>(id)]);
  return out.Finish(inputs, outputs);
}

// Bodies lie at most kMaxNesting deep in each other.
Graph MergeInside(const Graph& graph, Bodies& bodies) {
  // A loop that none needs might fail if it were run.
  const std::vector<bool> needed = NeededFor(graph, graph.outputs());
  LoopMerger merger(graph);
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    if (graph.nodes()[i].kind() != Kind::kLoop) continue;
    Node loop = graph.nodes()[i];
    std::shared_ptr<const Graph>& body = std::get<LoopAttributes>(loop.attributes).body;
    body = bodies.Map(body, [&](const Graph& inner) { return MergeInside(inner, bodies); });
    merger.Place(static_cast<NodeId>(i), std::move(loop), needed[i]);
  }
  return merger.Finish();
}

}  // namespace

Graph MergeLoops(const Graph& graph) {
  Bodies bodies;
  return MergeInside(graph, bodies);
}

}  // namespace talweg::passes
