#ifndef TALWEG_TESTS_JIT_MUTANTS_H_
#define TALWEG_TESTS_JIT_MUTANTS_H_

#include <random>

#include "absl/types/span.h"
#include "graph/graph.h"
#include "jit/loops/ir.h"

namespace talweg {

using MutantRandom = std::mt19937_64;

// A mistake that a compiler could make, planted into what it made: one place, chosen at random, is
// changed. False where there is no place for it.
struct ProgramMutant {
  const char* name;
  bool (*plant)(loops::Program& program, MutantRandom& random);
};
// Mistakes of lowering, of the choice of memory, and of emission: a wrong instruction means the
// same whether the loop IR or the machine code has it.
absl::Span<const ProgramMutant> ProgramMutants();

// Mistakes of passes.
struct GraphMutant {
  const char* name;
  bool (*plant)(Graph& graph, MutantRandom& random);
};
absl::Span<const GraphMutant> GraphMutants();

}  // namespace talweg

#endif  // TALWEG_TESTS_JIT_MUTANTS_H_
