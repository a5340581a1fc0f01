#ifndef TALWEG_JIT_LOOPS_TURN_H_
#define TALWEG_JIT_LOOPS_TURN_H_

#include "jit/loops/builder.h"
#include "jit/loops/level.h"
#include "jit/loops/tensor.h"

namespace talweg::loops {

// Lane j of register i becomes lane i of register j, of as many registers as each has lanes
// (private to jit/loops).
void Turn(Builder& b, Registers& square);

// Copies a value into memory where another axis lies innermost, square by square, with vectors on
// both sides. False, and nothing is emitted, where it does not lie like that or is smaller than a
// square.
bool CopyTurned(Level& level, NodeId id, const Tensor& to);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_TURN_H_
