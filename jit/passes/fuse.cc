#include "jit/passes/fuse.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "graph/reads.h"

namespace talweg {
namespace {

size_t At(NodeId id) { return static_cast<size_t>(id); }

bool IsReadThrough(Kind kind) {
  switch (kind) {
    case Kind::kInput:
    case Kind::kConstant:
    case Kind::kIota:
    case Kind::kSize:
    case Kind::kView:
    case Kind::kReshape:
    case Kind::kCustom:
    case Kind::kPart:
      return true;
    default:
      return false;
  }
}

// A view that reads axis after axis in order, at the same place, but for axes of extent 1.
bool OnlyMovesOnes(const Node& node, const Shape& operand) {
  const auto& view = node.As<ViewAttributes>();
  if (DomainOf(view.shape) != DomainOf(operand)) return false;
  size_t next = 0;
  for (size_t axis = 0; axis < operand.size(); axis++) {
    const AxisMap& map = view.axes[axis];
    if (operand[axis] == Dim(1)) {
      if (map.offset != 0) return false;
      for (const AxisMap::Term& term : map.terms) {
        if (!(view.shape[static_cast<size_t>(term.axis)] == Dim(1))) return false;
      }
      continue;
    }
    while (next < view.shape.size() && view.shape[next] == Dim(1)) next++;
    if (map.offset != 0 || map.dilation != 1 || map.terms.size() != 1 || map.terms[0].step != 1 ||
        map.terms[0].axis != static_cast<int64_t>(next)) {
      return false;
    }
    next++;
  }
  return true;
}

class Fuser {
 public:
  Fuser(const Graph& graph, const FuseOptions& options) : graph_(graph), options_(options) {
    const size_t n = graph.nodes().size();
    plan_.group.assign(n, -1);
    plan_.stored.assign(n, false);
    plan_.prologue.assign(n, false);
    plan_.readers.assign(n, 0);
    here_.assign(n, 0);
    anywhere_.assign(n, 0);
    base_.resize(n);
    for (size_t i = 0; i < n; i++) {
      const auto id = static_cast<NodeId>(i);
      base_[i] = IsSameElements(graph, id) ? base_[At(node(id).operands[0])] : id;
    }
  }

  Fusion Run() {
    CountReaders();
    FindCopies();
    FindPrologues();
    std::vector<bool> needed;
    for (const int32_t readers : plan_.readers) needed.push_back(readers > 0);
    plan_.trip_counts = TripCounts(graph_, needed);
    std::vector<bool> first(graph_.nodes().size(), false);
    for (NodeId id : plan_.trip_counts) first[At(id)] = true;
    for (size_t i = first.size(); i-- > 0;) {
      if (!first[i]) continue;
      for (NodeId operand : ReadOperands(graph_.nodes()[i])) first[At(operand)] = true;
    }
    for (size_t i = 0; i < first.size(); i++) {
      if (first[i]) Place(static_cast<NodeId>(i));
    }
    plan_.groups_before_trips = static_cast<int32_t>(plan_.groups.size());
    barrier_ = plan_.groups_before_trips;
    for (size_t i = 0; i < first.size(); i++) {
      if (!first[i] && plan_.readers[i] > 0) Place(static_cast<NodeId>(i));
    }
    if (options_.fuse) Sink();
    FindStored();
    return std::move(plan_);
  }

 private:
  const Node& node(NodeId id) const { return graph_.node(id); }

  void CountReaders() {
    std::vector<NodeId> last(graph_.nodes().size(), -1);  // who was counted last
    for (NodeId id : graph_.outputs()) plan_.readers[At(id)]++;
    for (size_t i = graph_.nodes().size(); i-- > 0;) {
      if (plan_.readers[i] == 0) continue;
      const auto reader = static_cast<NodeId>(i);
      for (NodeId operand : ReadOperands(graph_.nodes()[i])) {
        if (std::exchange(last[At(operand)], reader) != reader) plan_.readers[At(operand)]++;
      }
    }
  }

  // The lowering calls itself from link to link of a chain.
  void FindCopies() {
    constexpr int32_t kLongest = 32;
    std::vector<int32_t> length(graph_.nodes().size(), 0);
    is_copy_.assign(graph_.nodes().size(), false);
    for (size_t i = 0; i < length.size(); i++) {
      const Node& node = graph_.nodes()[i];
      const Kind kind = node.kind();
      if (plan_.readers[i] == 0) continue;
      if (kind != Kind::kView && kind != Kind::kReshape && kind != Kind::kCustom) continue;
      length[i] = length[At(node.operands[0])] + 1;
      if (length[i] < kLongest) continue;
      is_copy_[i] = true;
      length[i] = 0;
    }
  }

  // From the last node to the first, so that whole expressions become a prologue.
  void FindPrologues() {
    if (!options_.fuse) return;
    constexpr int32_t kDeepest = 16, kMost = 64;
    // Of a prologue's nodes, the reduction and how deep they lie; of a reduction, their number.
    std::vector<NodeId> root(graph_.nodes().size(), -1);
    std::vector<int32_t> depth(graph_.nodes().size(), 0), count(graph_.nodes().size(), 0);
    const auto take = [&](NodeId id, NodeId reduction, int32_t around) {
      if (node(id).kind() != Kind::kMap || plan_.readers[At(id)] != 1) return;
      if (plan_.prologue[At(id)]) return;  // read twice by the same one
      if (around >= kDeepest || count[At(reduction)] >= kMost) return;
      plan_.prologue[At(id)] = true;
      root[At(id)] = reduction;
      depth[At(id)] = around + 1;
      count[At(reduction)]++;
    };
    for (size_t i = graph_.nodes().size(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      if (plan_.readers[i] == 0) continue;
      if (node.kind() == Kind::kReduce && !node.op->reduce->place) {
        take(node.operands[0], static_cast<NodeId>(i), 0);
      }
      if (plan_.prologue[i]) {
        for (NodeId operand : node.operands) take(operand, root[i], depth[i]);
      }
    }
  }

  // The first group that may read it at the same point, and the first that may read it anywhere.
  void SetFrom(NodeId id, int32_t here, int32_t anywhere) {
    here_[At(id)] = here;
    anywhere_[At(id)] = anywhere;
  }

  void Place(NodeId id) {
    const Node& n = node(id);
    if ((IsReadThrough(n.kind()) && !is_copy_[At(id)]) || plan_.prologue[At(id)]) {
      const bool same = IsSameElements(graph_, id) || n.kind() == Kind::kPart;
      int32_t here = barrier_, anywhere = barrier_;
      for (NodeId operand : ReadOperands(n)) {
        anywhere = std::max(anywhere, anywhere_[At(operand)]);
        here = std::max(
            here, same || plan_.prologue[At(id)] ? here_[At(operand)] : anywhere_[At(operand)]);
      }
      // A prologue is read by its reduction only, whose terms lie anywhere.
      SetFrom(id, here, anywhere);
      return;
    }
    int32_t earliest = barrier_;
    for (NodeId operand : ReadOperands(n)) {
      earliest =
          std::max(earliest, n.kind() == Kind::kMap ? here_[At(operand)] : anywhere_[At(operand)]);
    }
    const int32_t group = GroupFor(id, earliest);
    plan_.groups[static_cast<size_t>(group)].nodes.push_back(id);
    plan_.group[At(id)] = group;
    SetFrom(id,
            plan_.groups[static_cast<size_t>(group)].what == Fusion::Group::What::kNest ? group
                                                                                        : group + 1,
            group + 1);
  }

  int32_t GroupFor(NodeId id, int32_t earliest) {
    const Node& n = node(id);
    using What = Fusion::Group::What;
    What what = What::kNest;
    if (is_copy_[At(id)]) what = What::kCopy;
    if (n.kind() == Kind::kConcat) what = What::kConcat;
    if (n.kind() == Kind::kScatterAdd) what = What::kScatterAdd;
    if (n.kind() == Kind::kRandom) what = What::kRandom;
    if (n.kind() == Kind::kLoop) what = What::kLoop;
    const Shape domain = what == What::kLoop ? Shape() : DomainOf(n.type().shape);
    const auto made = static_cast<int32_t>(plan_.groups.size());
    if (what == What::kNest && options_.fuse) {
      Open& open = open_[ToString(absl::MakeConstSpan(domain))];
      int32_t found = made;
      if (n.kind() != Kind::kContract) found = std::min(found, FirstOf(open.others, earliest));
      if (n.kind() == Kind::kMap) found = std::min(found, FirstOf(open.contractions, earliest));
      if (found < made) return found;
      (n.kind() == Kind::kContract ? open.contractions : open.others).push_back(made);
    }
    plan_.groups.push_back({what, domain, {}});
    return made;
  }

  // The first of these groups that is late enough and not full.
  int32_t FirstOf(std::vector<int32_t>& groups, int32_t earliest) const {
    const auto first = absl::c_lower_bound(groups, earliest);
    const auto last = std::find_if(first, groups.end(), [&](int32_t group) {
      const auto size = plan_.groups[static_cast<size_t>(group)].nodes.size();
      return static_cast<int32_t>(size) < options_.most_nodes;
    });
    // Those that are full stay so.
    const auto found = groups.erase(first, last);
    return found == groups.end() ? std::numeric_limits<int32_t>::max() : *found;
  }

  // Moves maps down to the only group that reads them, where that saves a trip through memory: what
  // they read is in memory anyway, or is not read by others.
  void Sink() {
    std::vector<std::vector<NodeId>> readers(graph_.nodes().size());
    for (size_t i = 0; i < graph_.nodes().size(); i++) {
      if (plan_.readers[i] == 0) continue;
      for (NodeId operand : ReadOperands(graph_.nodes()[i])) {
        readers[At(operand)].push_back(static_cast<NodeId>(i));
      }
    }
    std::vector<bool> is_output(graph_.nodes().size(), false);
    for (NodeId id : graph_.outputs()) is_output[At(id)] = true;
    std::vector<bool> moved(graph_.nodes().size(), false);
    std::vector<int32_t> size;
    for (const Fusion::Group& group : plan_.groups) {
      size.push_back(static_cast<int32_t>(group.nodes.size()));
    }
    for (size_t i = graph_.nodes().size(); i-- > 0;) {
      const Node& n = graph_.nodes()[i];
      const int32_t from = plan_.group[i];
      if (from < 0 || n.kind() != Kind::kMap || is_output[i] || readers[i].empty()) continue;
      int32_t to = -1;
      bool one = true;
      for (NodeId reader : readers[i]) {
        const int32_t group = plan_.group[At(reader)];
        if (group < 0 || node(reader).kind() != Kind::kMap || (to >= 0 && group != to)) {
          one = false;
          break;
        }
        to = group;
      }
      if (!one || to == from || (to < barrier_) != (from < barrier_)) continue;
      if (size[static_cast<size_t>(to)] >= options_.most_nodes) continue;
      // Operands that would have to be stored for it alone.
      int64_t more = 0, less = SizeOf(n.type().dtype);
      for (NodeId operand : n.operands) {
        const NodeId base = base_[At(operand)];
        if (plan_.group[At(base)] != from) continue;
        const bool is_stored =
            is_output[At(base)] || absl::c_any_of(readers[At(base)], [&](NodeId reader) {
              return reader != static_cast<NodeId>(i) && plan_.group[At(reader)] != from;
            });
        if (!is_stored) more += SizeOf(node(base).type().dtype);
      }
      if (more > less) continue;
      plan_.group[i] = to;
      size[static_cast<size_t>(to)]++;
      size[static_cast<size_t>(from)]--;
      moved[i] = true;
    }
    for (size_t g = 0; g < plan_.groups.size(); g++) {
      auto& nodes = plan_.groups[g].nodes;
      nodes.erase(
          std::remove_if(nodes.begin(), nodes.end(),
                         [&](NodeId id) { return plan_.group[At(id)] != static_cast<int32_t>(g); }),
          nodes.end());
    }
    for (size_t i = 0; i < moved.size(); i++) {
      if (moved[i]) {
        plan_.groups[static_cast<size_t>(plan_.group[i])].nodes.push_back(static_cast<NodeId>(i));
      }
    }
    for (Fusion::Group& group : plan_.groups) absl::c_sort(group.nodes);
  }

  // A member is stored where something else than a map of its own group reads it.
  void FindStored() {
    const auto store = [&](NodeId id) {
      // Through what is read through, down to members.
      std::vector<NodeId> rest = {id};
      while (!rest.empty()) {
        const NodeId next = rest.back();
        rest.pop_back();
        if (plan_.group[At(next)] >= 0) {
          plan_.stored[At(next)] = true;
        } else if (!visited_[At(next)]) {
          visited_[At(next)] = true;
          for (NodeId operand : ReadOperands(node(next))) rest.push_back(operand);
        }
      }
    };
    visited_.assign(graph_.nodes().size(), false);
    for (size_t i = 0; i < graph_.nodes().size(); i++) {
      if (plan_.readers[i] == 0 || plan_.group[i] < 0) continue;
      const Node& n = graph_.nodes()[i];
      for (NodeId operand : ReadOperands(n)) {
        const NodeId base = base_[At(operand)];
        if (n.kind() == Kind::kMap && plan_.group[At(base)] == plan_.group[i]) continue;
        store(operand);
      }
    }
    for (NodeId id : graph_.outputs()) store(id);
    for (NodeId id : plan_.trip_counts) store(id);
  }

  const Graph& graph_;
  const FuseOptions options_;
  Fusion plan_;
  std::vector<int32_t> here_, anywhere_;
  std::vector<NodeId> base_;   // what SameElements says of each node
  std::vector<bool> is_copy_;  // links of long chains
  std::vector<bool> visited_;
  // Groups that take more nodes of a domain: those around a contraction, whose nests take maps
  // only, and the others.
  struct Open {
    std::vector<int32_t> contractions, others;
  };
  std::map<std::string, Open> open_;
  int32_t barrier_ = 0;
};

}  // namespace

Shape DomainOf(const Shape& shape) {
  Shape domain;
  absl::c_copy_if(shape, std::back_inserter(domain), [](Dim dim) { return !(dim == Dim(1)); });
  return domain;
}

bool IsSameElements(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  switch (node.kind()) {
    case Kind::kCustom:
      return true;
    case Kind::kReshape:
      return DomainOf(node.type().shape) == DomainOf(graph.node(node.operands[0]).type().shape);
    case Kind::kView:
      return OnlyMovesOnes(node, graph.node(node.operands[0]).type().shape);
    default:
      return false;
  }
}

NodeId SameElements(const Graph& graph, NodeId id) {
  while (IsSameElements(graph, id)) id = graph.node(id).operands[0];
  return id;
}

Fusion Fuse(const Graph& graph, const FuseOptions& options) { return Fuser(graph, options).Run(); }

}  // namespace talweg
