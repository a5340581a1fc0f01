#ifndef TALWEG_JIT_LOOPS_PRINT_H_
#define TALWEG_JIT_LOOPS_PRINT_H_

#include <string>

#include "jit/loops/ir.h"

namespace talweg::loops {

// The program for people: buffers, sites and random numbers, then the body, a line an instruction.
// Equal programs give equal text.
//
//   buffer x: input 0, float32, ? elements
//   buffer hidden: arena at 64, float32, 1600 elements
//   buffer sums: thread at 0, float32, 448 elements
//   buffer y: output 1, float32, 96 elements
//   site 0: index, "gather: float32[5,2] x int32[3]: ... (model.cc:14)"
//   section "tanh %4 (model.cc:9)"
//     for %7 = 0 to %2 step 16 until %12
//         with %8 float32x16 = %3, next %11, after %13
//       %9 float32x16 = load hidden[%7 + 16] where %6
//       %10 float32x16 = load x[%7 step 3]
//       %11 float32x16 = fma %8 %9 %10
//       store y[%7] %11
//
// A buffer whose name is empty or not the only one has its number behind: "hidden#3".
std::string ToString(const Program& program);

// One line of it.
std::string ToString(const Program& program, const Instruction& instruction);
std::string ToString(const Program& program, const For& loop);  // without its body
std::string ToString(RegisterType type);                        // "float32x16", "int64"

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_PRINT_H_
