#ifndef TALWEG_JIT_PASSES_PASSES_H_
#define TALWEG_JIT_PASSES_PASSES_H_

#include "graph/graph.h"

namespace talweg::passes {

// The passes, one file each; pipeline.cc has their order. What holds of every pass stands in
// pipeline.h.

// dead.cc. Leaves out what no output needs: nodes; parts of loops (carried and stacked values) and
// what only they need inside; operands of loops whose bodies do not read them; everything of a
// custom but its first operand, which then stands for it. All inputs of the graph stay.
Graph RemoveDead(const Graph& graph);

// simplify.cc. Applies the equations of rules.h: identities, involutions, conversions that lose
// nothing, compositions of views, elementwise ops before they are spread, gathers by known indices.
// Equal nodes become one.
Graph Simplify(const Graph& graph);

// fold.cc. Computes what depends on constants alone, where the result is a small constant too, and
// not larger than what it is made of.
Graph FoldConstants(const Graph& graph);

// merge.cc. Two loops that run in step, where neither needs the other and their bodies have at
// least half of the smaller one in common, become one: the forward loop and the one that reverse
// mode runs again.
Graph MergeLoops(const Graph& graph);

// inline.cc. Bodies of loops of no or one trip, but for outermost ones; and numbers in place of
// `rows` where a loop binds it to the same number in each trip.
Graph InlineLoops(const Graph& graph);

// captures.cc. What enters the bodies of loops: small constants, iotas and spread values as such
// and not as captured buffers; what is the same in each trip as a capture, though it was carried or
// scanned; equal values once. A loop whose stop is never true has none.
Graph SimplifyCaptures(const Graph& graph);

// hoist.cc. What is the same in each trip of a loop moves out in front of it and enters as a
// capture, if it is small: a buffer of it is cheaper than to compute it again.
Graph HoistInvariants(const Graph& graph);

}  // namespace talweg::passes

#endif  // TALWEG_JIT_PASSES_PASSES_H_
