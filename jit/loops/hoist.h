#ifndef TALWEG_JIT_LOOPS_HOIST_H_
#define TALWEG_JIT_LOOPS_HOIST_H_

#include <cstdint>
#include <vector>

#include "jit/loops/ir.h"
#include "jit/loops/machine.h"

namespace talweg::loops {

// Moves what is the same in each trip of an innermost loop out in front of it, where it stays in a
// vector register: weights that every row reads, numbers spread over lanes. As many as there are
// registers left; a value that had to be spilled would cost more than it saves, and what is read
// from memory where it is used costs no instruction of its own. For::spare says how many are left
// for constants, which are no instructions here (jit/llvm/emit_constants.cc). What stays are loads
// that only a trip makes safe or that a store of the loop may change.
//
//   for %7 = 0 to %3                      %8 float32x16 = load weights[0]
//     %8 float32x16 = load weights[0]     for %7 = 0 to %3
//     ...                                   ...
void HoistLoads(Program& program, const Machine& machine);

// Vector registers of an innermost loop, as HoistLoads counts them.
struct LoopRegisters {
  std::vector<bool> is_same;  // of each instruction: whether each trip repeats it
  int64_t same = 0;           // that it would like to fill in front of the loop
  int64_t spare = 0;          // that a trip's own values leave for them; negative: they don't fit
};
// `around`: the loop around it in the section, or null.
LoopRegisters RegistersOf(const Program& program, const For& loop, const For* around,
                          const Machine& machine);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_HOIST_H_
