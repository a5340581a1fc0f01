#ifndef TALWEG_JIT_LOOPS_INTERVAL_H_
#define TALWEG_JIT_LOOPS_INTERVAL_H_

#include <cstdint>

namespace talweg::loops {

// Integers from the least to the most one. Level::IntervalOf finds them for permutations, counters
// and places, and for what is picked from those: indices that need no check.
struct Interval {
  int64_t least = 0, most = 0;

  bool IsInside(int64_t extent) const { return least >= 0 && most < extent; }
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_INTERVAL_H_
