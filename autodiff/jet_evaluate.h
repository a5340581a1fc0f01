#ifndef TALWEG_AUTODIFF_JET_EVALUATE_H_
#define TALWEG_AUTODIFF_JET_EVALUATE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/graph.h"

namespace talweg {

// An array with its derivatives in two directions u and v.
struct JetArray {
  Array value;
  // Float64 arrays of the same shape: the derivatives along u and along v, and the mixed second
  // derivative. Zeros for elements that are not floats.
  Array along_u, along_v, along_uv;
};

// Runs a graph on numbers that carry their derivatives along (forward mode), element by element: a
// slow second opinion on values and derivatives, for the gradient checker and for tests. It shares
// the formulas of ops with the engines, and nothing with reverse mode.
//
// All floats of the graph must be float64 (Unimplemented otherwise). Derivatives of custom
// gradients are those of the formula, not the custom ones. Inputs are in the order of
// graph.inputs(); their derivatives say what the directions are.
absl::StatusOr<std::vector<JetArray>> JetEvaluate(const Graph& graph,
                                                  absl::Span<const JetArray> inputs);

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_JET_EVALUATE_H_
