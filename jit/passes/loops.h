#ifndef TALWEG_JIT_PASSES_LOOPS_H_
#define TALWEG_JIT_PASSES_LOOPS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "jit/passes/rewrite.h"

namespace talweg::passes {

// A loop taken apart into its lists (attributes.h says what they are), which a pass changes and
// puts together again. Where two lists describe the same values, as `carried`, `carried_in` and
// `next` do, they have the same length.
struct OpenLoop {
  // Counts and body are those of the closed loop; OpenLoop does not read them.
  LoopAttributes attributes;
  const Op* op = nullptr;
  SourceLine line;

  // Nodes outside: the loop's operands.
  NodeId trips = kNone, rows = kNone;
  std::vector<NodeId> captures, carried, scanned;
  // Nodes of the body: its inputs and outputs.
  NodeId trip_in = kNone;
  std::vector<NodeId> captures_in, carried_in, scanned_in;
  std::vector<NodeId> next, stacked;
  NodeId stop = kNone;  // kNone where the loop has none

  size_t parts() const { return next.size() + stacked.size() + 1; }
};

OpenLoop Open(const Node& loop);

// Replaces each of the body's nodes by what `stands` says.
void RenameBody(OpenLoop& loop, absl::Span<const NodeId> stands);

// The loop as a node. `body` has the nodes that the lists name, and is spent. The inputs get the
// names trip, capture0, ..., carried0, ..., scanned0, ...
Node Close(OpenLoop loop, GraphBuilder& body);

// The elements of a constant int64 or int32 scalar.
std::optional<int64_t> ConstantInteger(const Node& node);

// Whether a run may end with the error that there are more trips than scanned and stacked values
// have slices. Such a loop must keep at least one of these, since where there are none nobody
// looks; so must one whose slices may be what gives the symbol `trips` its value.
bool MayExceed(const LoopAttributes& loop, const Node& trips);

// An input of a body, without a name; Close gives it one.
Node MakeInput(Type type);

// The node of a part.
NodeId MakePart(GraphBuilder& out, NodeId loop, size_t index);

}  // namespace talweg::passes

#endif  // TALWEG_JIT_PASSES_LOOPS_H_
