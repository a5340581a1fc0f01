#ifndef TALWEG_JIT_LOOPS_UNUSED_H_
#define TALWEG_JIT_LOOPS_UNUSED_H_

#include "jit/loops/ir.h"

namespace talweg::loops {

// Drops instructions that have no effect and whose results nobody uses, in linear time, and the
// loops, branches and sections that are empty then. Registers get new numbers, in the order of
// their definitions.
void DropUnused(Program& program);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_UNUSED_H_
