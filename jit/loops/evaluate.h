#ifndef TALWEG_JIT_LOOPS_EVALUATE_H_
#define TALWEG_JIT_LOOPS_EVALUATE_H_

#include <memory>

#include "jit/loops/ir.h"
#include "jit/loops/runtime.h"

namespace talweg::loops {

// Runs programs without LLVM: the second engine, and the judge of what the lowering made.
//
//   absl::StatusOr<std::vector<Array>> out =
//       RunProgram(program, graph, Evaluator(program), inputs, symbols, options);
//
// The program is turned once into a flat list of steps, each a function for its operation, element
// type and lanes over registers that lie in one block of memory. Immutable, thread-safe, cheap to
// copy; does not refer to the program, which must be one that verify.h accepts.
//
// It distrusts addresses. A load or store outside of the elements of its buffer ends the run with
// an Internal error that names section, buffer and element. Scratch memory is full of ones at
// first (NaN, -1), in every run alike, such that what is read before it is written shows.
class Evaluator {
 public:
  // `wide` uses AVX2 and FMA where the machine has them; the bits are the same. `shuffle` runs the
  // trips of parallel loops in another order, and takes away between them what threads have for
  // themselves: where a trip depends on another, it shows.
  explicit Evaluator(const Program& program, bool wide = true, bool shuffle = false);

  // Of one run by RunProgram; false where it ended early.
  bool operator()(Context* context) const;

  struct Code;

 private:
  std::shared_ptr<const Code> code_;
};

// The same for a single time.
bool Evaluate(const Program& program, Context* context);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_EVALUATE_H_
