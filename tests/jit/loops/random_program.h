#ifndef TALWEG_TESTS_JIT_LOOPS_RANDOM_PROGRAM_H_
#define TALWEG_TESTS_JIT_LOOPS_RANDOM_PROGRAM_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/jit/loops/harness.h"

namespace talweg::loops {

// A program of the loop IR, drawn from a seed, with inputs for it: every code and opcode, all
// element types, many numbers of lanes, loops with carried values and early ends, branches, masks,
// strides. It verifies, stays inside of its buffers, writes scratch memory before it reads it, and
// looks at no bits of a NaN; so all engines must give the same outputs, or the same error.
//
// The same seed without `simplify` gives the same computation as it was asked for, instruction by
// instruction.
struct RandomProgram {
  std::unique_ptr<Harness> harness;
  std::vector<Array> inputs;
};
RandomProgram MakeRandomProgram(uint64_t seed, bool simplify = true);

}  // namespace talweg::loops

#endif  // TALWEG_TESTS_JIT_LOOPS_RANDOM_PROGRAM_H_
