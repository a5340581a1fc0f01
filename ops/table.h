#ifndef TALWEG_OPS_TABLE_H_
#define TALWEG_OPS_TABLE_H_

#include "absl/types/span.h"
#include "graph/op.h"

namespace talweg {

// Every op that there is, besides the five that a tape makes by itself (graph/core_ops.h): what
// ParseGraph reads, and what the tests walk. Names are unique.
absl::Span<const Op* const> AllOps();

}  // namespace talweg

#endif  // TALWEG_OPS_TABLE_H_
