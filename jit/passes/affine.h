#ifndef TALWEG_JIT_PASSES_AFFINE_H_
#define TALWEG_JIT_PASSES_AFFINE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "graph/attributes.h"

namespace talweg::passes {

// The algebra of views (ViewAttributes). `operand` is the shape of what a view reads.

// Whether some index may lie outside of the operand's axis, or not divide, so that the result has
// fill there. True where it depends on a run-time extent.
bool MayLeave(const AxisMap& map, Dim operand, absl::Span<const Dim> shape);
// The same of any axis.
bool MayFill(const ViewAttributes& view, absl::Span<const Dim> operand);

// The same view in the form that equal views share: one term an axis, none of an axis of extent 1,
// in ascending order; the least dilation; an axis of extent 1 is read at 0; no fill where none is
// needed.
ViewAttributes Normalized(ViewAttributes view, absl::Span<const Dim> operand);

// Whether a normalized view is its operand.
bool IsIdentity(const ViewAttributes& view, absl::Span<const Dim> operand);

// Where each axis of the result comes from, for a normalized view that moves axes about and adds or
// drops ones of extent 1: the operand's axis, or -1 for an added one. Nothing for other views.
std::optional<std::vector<int64_t>> Permutation(const ViewAttributes& view,
                                                absl::Span<const Dim> operand);

// outer(inner(x)) as one view of x, both normalized; nothing where there is none. `middle` is the
// shape of inner(x).
std::optional<ViewAttributes> Composed(const ViewAttributes& outer, const ViewAttributes& inner,
                                       absl::Span<const Dim> operand);

// A reshape that only adds and drops axes of extent 1, as a view; nothing for others.
std::optional<ViewAttributes> ReshapeAsView(absl::Span<const Dim> operand, const Shape& shape);

}  // namespace talweg::passes

#endif  // TALWEG_JIT_PASSES_AFFINE_H_
