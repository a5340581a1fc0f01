#ifndef TALWEG_BASE_ARENA_H_
#define TALWEG_BASE_ARENA_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace talweg {

// A buffer that instructions first .. last (numbers in a plan) write and read.
struct Lifetime {
  int64_t bytes = 0;
  int64_t first = 0;
  int64_t last = 0;
};

struct ArenaLayout {
  std::vector<int64_t> offsets;  // of each buffer
  int64_t bytes = 0;             // of the whole
};

// Places buffers in one block of memory so that no two that live at the same time overlap. Offsets
// are multiples of 64. `first` must not descend. Best fit, in O(n log n); the block is not always
// the smallest possible, and never larger than all buffers together. Error: more than 2^62 bytes.
absl::StatusOr<ArenaLayout> LayOut(absl::Span<const Lifetime> buffers);

}  // namespace talweg

#endif  // TALWEG_BASE_ARENA_H_
