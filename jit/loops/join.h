#ifndef TALWEG_JIT_LOOPS_JOIN_H_
#define TALWEG_JIT_LOOPS_JOIN_H_

#include "jit/loops/ir.h"
#include "jit/loops/machine.h"

namespace talweg::loops {

// Makes one loop of an innermost loop that writes a buffer and of all those that read it, where
// they have the same trips and each trip reads what the same trip wrote: the values stay in
// registers, and the buffer is gone. The same of loops that have just one other in them. So a
// hidden layer's gradient is formed where the gradients of its weights and biases add it up.
//
//   section "select %64"                     section "select %64, add %88"
//     for %646 = 0 to %118                     for %646 = 0 to %118
//       store select64[%686] %689                  with %839 float32x16 = %836, next %846
//   section "add %88"                            ...
//     for %838 = 0 to %118                       %846 float32x16 = add %839 %689
//         with %839 float32x16 = %836, next %846
//       %845 float32x16 = load select64[%844]
//       %846 float32x16 = add %839 %845
//
// Only where that saves loads and stores, counted with what registers HoistLoads will find for the
// loop's constants. A reader's section moves up to the writer's, if nothing between them minds.
void JoinLoops(Program& program, const Machine& machine);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_JOIN_H_
