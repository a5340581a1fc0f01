#ifndef TALWEG_GRAPH_PRINT_H_
#define TALWEG_GRAPH_PRINT_H_

#include <string>

#include "graph/graph.h"

namespace talweg {

// The text of a graph, which parse.h reads back to an equal graph: a line for each node, under the
// number that errors call it by.
//
//   graph(%0, %1) -> (%4) {
//     %0  float32[rows,2] = input "x"                                  # model.cc:12
//     %1  float32[2,3]    = input "w"                                  # model.cc:12
//     %2  float32[rows,3] = contract(%0, %1) sum=[1]x[0] order=1       # model.cc:13
//     %3  float32[rows,3] = tanh(%2)                                   # model.cc:13
//     %4  float32[]       = sum(%3) axes=[0,1] order=16/4096           # model.cc:14
//   }
//
// The head says the inputs in the order of the arguments, and the outputs. After the operands stand
// the attributes (attributes.h). What the type says already is not said again: the shape of a
// reshape, the element type of a cast.
//
//   order=16/4096            16 chains, in blocks of 4096 terms
//   view(%1) [i1, 2*i0 + 3]  each axis' index of the operand, by the indices i0, i1 of the result;
//                            [(i0 - 1)/2] fill=-inf where it must divide, and what stands elsewhere
//   sum=[1]x[0]              the summed axes of lhs and rhs, pair by pair
//   constant {1, 2.5, nan}   the elements in row-major order; exact, with the fewest decimals that
//   constant all 0           read back; `all` where every element is the same; nan:0x7fc00001 is a
//                            NaN of other bits than the usual one
//   body=graph(...) ... {    a loop's body, indented, with numbers of its own
//
// From # to the end of a line is a comment.

struct PrintOptions {
  bool lines = true;  // the user's line of each node, as a comment
};

std::string Print(const Graph& graph, const PrintOptions& options = {});

// One node on one line, without its indentation, line or comment. The graph inside of a loop or a
// custom gradient is cut down to its size: "body=graph with 12 nodes".
std::string PrintNode(const Graph& graph, NodeId id);

// All that `all` may stand for in one text, in bytes, so that a short text can not ask for much
// memory. Beyond it, Print lists the elements and ParseGraph refuses.
inline constexpr int64_t kMaxRepeatedBytes = int64_t{32} << 20;

}  // namespace talweg

#endif  // TALWEG_GRAPH_PRINT_H_
