#ifndef TALWEG_JIT_LOOPS_VERIFY_H_
#define TALWEG_JIT_LOOPS_VERIFY_H_

#include "absl/status/status.h"
#include "jit/loops/ir.h"

namespace talweg::loops {

// Whether a program keeps to ir.h: what the evaluator and code generation rely on. The error, an
// Internal one, has the section, the instruction as print.h writes it, and what is wrong:
//
//   section "tanh %4": %9 float32x16 = add %8 %3: %3 has the type float32, float32x16 expected
//
// - Registers are defined once, before they are used, in the same block or one around it; what a
//   section defines stays in it. Types and lanes are those that each instruction asks for.
// - Buffers, sites, random numbers, shuffled lanes exist. Inputs and constants are never written.
// - Slots are those of the buffer's home; buffers in the arena or a thread's block lie in it, at
//   multiples of 64.
// - Loops step forward, and carry values of one type. Parallel ones stand in sections, not in each
//   other, carry nothing, and have nothing in them that may fail, allocate or call the run.
//
// That accesses stay inside of their buffers is for the evaluator to find out. Linear time.
absl::Status Verify(const Program& program);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_VERIFY_H_
