#ifndef TALWEG_AUTODIFF_BATCH_RULES_H_
#define TALWEG_AUTODIFF_BATCH_RULES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/tape.h"
#include "graph/value.h"

namespace talweg {

// The rules of batching, one a kind (private to autodiff/; Batch is in batch.h).

// A value of the batched graph: of all instances, then with a new leading axis, or the same for
// all of them.
struct Lanes {
  Value value;
  bool batched = false;
};

// What of a loop depends on the instance, found before anything is made.
struct LoopSpread {
  std::vector<bool> carried;
  // Whether instances may run different trips: their number or their end depends on the instance.
  bool masked = false;
  std::vector<bool> parts;
  // Of the loops in the body, by their nodes.
  std::map<NodeId, LoopSpread> inner;
};

// For each node whether it depends on the instance, where the inputs do that say so. Fills `loops`;
// what they say already holds at least (a fixpoint grows from there).
std::vector<bool> DependsOnInstance(const Graph& graph, const std::vector<bool>& inputs,
                                    std::map<NodeId, LoopSpread>& loops);

// Where batched nodes are made.
struct Batching {
  Tape tape;
  int64_t size = 0;
  // bool [size]: which instances run this trip; of no tape where all do. What the others compute is
  // thrown away, but they must not fail.
  Value active = {};
};

// With its leading axis, whether or not it has one yet.
Value WithInstanceAxis(const Batching& batching, const Lanes& lanes, const SourceLine& line);

// The node's value. Not for inputs, loops and their parts. Errors of ops are on the tape.
absl::StatusOr<Lanes> BatchNode(const Batching& batching, const Node& node,
                                absl::Span<const Lanes> operands);

// The parts of a loop.
absl::StatusOr<std::vector<Lanes>> BatchLoop(const Batching& batching, const Node& node,
                                             absl::Span<const Lanes> operands,
                                             const LoopSpread& spread);

// All nodes of a graph, for these inputs; returns the values of its outputs.
absl::StatusOr<std::vector<Lanes>> BatchNodes(const Batching& batching, const Graph& graph,
                                              absl::Span<const Lanes> inputs,
                                              const std::map<NodeId, LoopSpread>& loops);

// [a, b, ...] -> the axis `from` moved to the place `to`; the others keep their order.
Value MoveAxis(const Value& x, int64_t from, int64_t to, const SourceLine& line);

// A name for an input besides those of the graph, which may have been batched before.
std::string FreshName(const Graph& graph, std::string name);

// An error that names the op, the types of its operands and the line.
absl::Status BatchError(const Node& node, absl::Span<const Lanes> operands,
                        absl::string_view detail);

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_BATCH_RULES_H_
