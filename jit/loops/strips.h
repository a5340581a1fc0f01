#ifndef TALWEG_JIT_LOOPS_STRIPS_H_
#define TALWEG_JIT_LOOPS_STRIPS_H_

#include "jit/loops/ir.h"
#include "jit/loops/machine.h"

namespace talweg::loops {

// Runs sections that hand values on row by row in strips of rows, where all rows of what they hand
// on are more than the first cache keeps: the next section then finds what the one before it wrote
// there. A buffer that nobody reads after the strip has room for one strip only.
//
//   section "relu"                                for %9 = 0 to %3 step 16
//     for %4 = 0 to %3                              %10 int64 = min of %9 + 16 and %3
//       ... store hidden[%4 * 800] ...              section "relu"
//   section "logits"                                  for %4 = %9 to %10
//     for %6 = 0 to %3 step 8                           ... store hidden[(%4 - %9) * 800] ...
//       ... load hidden[%6 * 800] ...                section "logits"
//                                                     for %6 = %9 to %10 step 8
//                                                       ... load hidden[(%6 - %9) * 800] ...
//
// Each section still does for each row what it did, and in the order of rows: no bit changes.
// What it reads besides, weights say, is read once a strip, which must not be more than it saves.
void RunInStrips(Program& program, const Machine& machine);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_STRIPS_H_
