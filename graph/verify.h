#ifndef TALWEG_GRAPH_VERIFY_H_
#define TALWEG_GRAPH_VERIFY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "graph/graph.h"

namespace talweg {

// Bounds that keep the time and memory for any graph in proportion to its size.
inline constexpr int64_t kMaxRank = 32;         // axes of a value
inline constexpr int64_t kMaxOperands = 65536;  // operands of a node
inline constexpr int32_t kMaxNesting = 32;      // graphs within graphs: loops, custom gradients
// What a loop's limit of rows may be, and what a run-time extent counts as before it is known: no
// array has more.
inline constexpr int64_t kMostRows = int64_t{1} << 40;

// Whether a graph keeps every rule that engines, passes and derivatives build on. Whoever makes a
// graph other than by a Tape (a pass, a parser) calls it; it costs about as much as building the
// graph did. It holds that
//
// - operands come before what uses them, and only `part` reads a loop;
// - the number of operands and the attributes suit the op's kind;
// - the types are those that the op infers from its operands, and no shape is too large to exist;
// - orders have 1 or 16 chains, and blocks of kReduceBlock or none;
// - inputs are listed once each and have names of their own; outputs exist;
// - the body of a loop takes and gives what LoopAttributes says, a custom gradient what
//   CustomAttributes says; both keep these rules themselves, down to kMaxNesting;
// - a run-time symbol is used only where something gives its value: an input that has it as an
//   extent; for `rows` the loop around; for `trips` a loop of that length. No `trips` passes into
//   or out of a loop's body, and no `rows` where the loop binds its own, of which there are at
//   most kMostRows;
// - the indices of views fit 62 bits, so that engines need not fear overflow.
//
// The error names the node, its op, the types of its operands and the user's line:
//   node %7: sum: float32[3,2]: 4 chains; an order has 1 or 16 (model.cc:14)
absl::Status Verify(const Graph& graph);

// The rule on the indices of a view, which the op's own rule of types keeps as well: users meet it
// with their line.
absl::Status CheckViewIndices(const ViewAttributes& view);

}  // namespace talweg

#endif  // TALWEG_GRAPH_VERIFY_H_
