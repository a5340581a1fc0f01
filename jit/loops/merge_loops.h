#ifndef TALWEG_JIT_LOOPS_MERGE_LOOPS_H_
#define TALWEG_JIT_LOOPS_MERGE_LOOPS_H_

#include "absl/types/span.h"
#include "jit/loops/ir.h"

namespace talweg::loops {

// A loop that may have one other loop in its body: that one, or itself.
For& InnermostOf(For& loop);
const For& InnermostOf(const For& loop);

// Makes one loop of two innermost ones of the same trips, or of two that each have just one other
// in them (for join.h). Each trip does what the first loop did, with what the second one did as
// soon as that has what it needs. Where the second one loaded what the same trip of the first had
// stored, it takes the value; what both compute or load is there once. `before_first`,
// `before_second`: what stands in front of them, in an order that does not matter to either loop.
//
// False where that would not do the same: the second loop reads what other trips of the first may
// have stored, or stores what the first one touches or it reads itself. `first` is then as it was.
bool MergeLoops(const Program& program, absl::Span<const Statement> before_first,
                absl::Span<const Statement> before_second, For& first, const For& second);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_MERGE_LOOPS_H_
