#ifndef TALWEG_GRAPH_AXES_H_
#define TALWEG_GRAPH_AXES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/types/span.h"

namespace talweg {

// The axes 0 .. rank - 1 that stand in neither list, ascending: what an operand of a contraction
// (ContractAttributes) gives to the result besides its batch axes.
inline std::vector<int64_t> KeptAxes(size_t rank, absl::Span<const int64_t> batch,
                                     absl::Span<const int64_t> sum) {
  std::vector<int64_t> kept;
  for (int64_t axis = 0; axis < static_cast<int64_t>(rank); axis++) {
    if (absl::c_linear_search(batch, axis) || absl::c_linear_search(sum, axis)) continue;
    kept.push_back(axis);
  }
  return kept;
}

}  // namespace talweg

#endif  // TALWEG_GRAPH_AXES_H_
