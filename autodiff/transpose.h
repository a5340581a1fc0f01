#ifndef TALWEG_AUTODIFF_TRANSPOSE_H_
#define TALWEG_AUTODIFF_TRANSPOSE_H_

#include <string>
#include <vector>

#include "graph/value.h"

namespace talweg {

// The rules of reverse mode, one a kind.

// Gradients of a node's operands; a value of no tape where there is none.
using Gradients = std::vector<Value>;

// What a rule sees of a node: its operands and itself as values of the tape, and which operands
// matter (somebody wants their gradient and they are floats).
struct NodeView {
  const Node& node;
  Value self;
  std::vector<Value> operands;
  std::vector<bool> wanted;
};

// dy -> gradients of the operands. Not for loops.
Gradients TransposeNode(const NodeView& view, const Value& dy);

// The transpose of a view: what arrives at the elements of the result, added up at the elements of
// the operand from which they came. `shape` is the operand's.
Value TransposeView(const ViewAttributes& view, const Shape& shape, const Value& dy,
                    const SourceLine& line);

// Which captures, carried and scanned values of a loop carry a derivative, given which of its
// operands do, of which the captures begin at `first`. A carried value does if its start does, or
// if in some trip something that does flows into it: a fixpoint over the body.
struct ActiveInLoop {
  std::vector<bool> captures, carried, scanned;
};
ActiveInLoop FindActive(const LoopAttributes& loop, const std::vector<bool>& wanted, size_t first);

// The rule of a loop: the gradients of its parts (a value of no tape where nothing arrived) ->
// gradients of its operands.
Gradients TransposeLoop(const NodeView& view, const std::vector<Value>& dparts);

// The reverse sweep itself: for each x the sum over ys of dy times its derivative, a value of no
// tape where there is no path. A dy of no tape counts as zero. All are values of one tape.
std::vector<Value> PullBack(const std::vector<Value>& ys, const std::vector<Value>& dys,
                            const std::vector<Value>& xs);

// In the body of a loop, xs from outside are reached through their captures (given here, values of
// the tape of ys), and everything else from outside is a constant. What is wrong where a y depends
// on another capture that is computed from xs out there: that path would be missed. Else empty.
std::string MissedPath(const std::vector<Value>& ys, const std::vector<Value>& xs);

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_TRANSPOSE_H_
