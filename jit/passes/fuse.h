#ifndef TALWEG_JIT_PASSES_FUSE_H_
#define TALWEG_JIT_PASSES_FUSE_H_

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace talweg {

// Which nodes share a loop nest. The graph stays as it is; this is a plan on top of it, and the
// lowering follows it.
//
// A nest runs over a domain, the extents of its results without those of 1. Its members are maps,
// gathers, reductions and contractions with results of this domain. A map may read another member
// at the point where it stands, from a register; everything else is read from memory, which an
// earlier group has written. So a contraction takes what follows it as its epilogue: bias,
// activation, mask, the optimizer's rule.
//
// Views, reshapes, iotas, sizes, constants and customs are no work of their own: who reads them
// reads through them. Of a long chain of them, every so many-th is written to memory all the same,
// so that nobody has to look further than that. A map whose only reader is a reduction is computed
// there, term by term: the reduction's prologue.
struct Fusion {
  struct Group {
    // A nest, or one node: of a kind that has loops of its own, or one that would be read through.
    enum class What : uint8_t { kNest, kCopy, kConcat, kScatterAdd, kRandom, kLoop };
    What what = What::kNest;
    Shape domain;
    std::vector<NodeId> nodes;
  };

  std::vector<Group> groups;     // in an order in which they can run
  std::vector<int32_t> group;    // of each node; -1 for those that are read through
  std::vector<bool> stored;      // members that are read from memory by somebody
  std::vector<bool> prologue;    // maps that their only reader computes
  std::vector<int32_t> readers;  // how many needed nodes and outputs read each node; 0: not needed

  // Where only loops themselves know the value of the symbol `trips`: the nodes that do, and the
  // number of groups that have to run before they are known.
  std::vector<NodeId> trip_counts;
  int32_t groups_before_trips = 0;
};

struct FuseOptions {
  bool fuse = true;          // without it each member is a group of its own
  int32_t most_nodes = 200;  // of a group
};

Fusion Fuse(const Graph& graph, const FuseOptions& options = {});

// The extents without those of 1.
Shape DomainOf(const Shape& shape);

// What a chain of customs, and of views and reshapes that only add or drop axes of extent 1, reads:
// the node at its end, which has the same elements in the same order.
NodeId SameElements(const Graph& graph, NodeId id);
// Whether a node is a link of such a chain.
bool IsSameElements(const Graph& graph, NodeId id);

}  // namespace talweg

#endif  // TALWEG_JIT_PASSES_FUSE_H_
