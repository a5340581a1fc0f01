#ifndef TALWEG_TESTS_JIT_PASSES_RANDOM_LOOPS_H_
#define TALWEG_TESTS_JIT_PASSES_RANDOM_LOOPS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "graph/graph.h"

namespace talweg::passes {

// Graphs drawn at random of which nearly all is loops, such as passes of loops look for: loops
// within loops; of no trip, one, a few, and of a number that is an input; with rows of their own
// that are the same in each trip, or not; that capture constants, spread values and invariants;
// that carry what never changes or what another value does; that scan the same twice or spread
// values; that stop, or say that they might; and twins that differ in what they stack. Every other
// one has gradients.
absl::StatusOr<Graph> MakeRandomLoops(uint64_t seed);

}  // namespace talweg::passes

#endif  // TALWEG_TESTS_JIT_PASSES_RANDOM_LOOPS_H_
