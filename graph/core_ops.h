#ifndef TALWEG_GRAPH_CORE_OPS_H_
#define TALWEG_GRAPH_CORE_OPS_H_

#include "absl/status/status.h"
#include "base/shape.h"
#include "graph/graph.h"
#include "graph/op.h"

namespace talweg {

// The ops that a tape makes by itself.
extern const Op kInputOp;
extern const Op kConstantOp;
extern const Op kIotaOp;
extern const Op kSizeOp;
extern const Op kPartOp;

// Whether elements of this type can number so many places; a short phrase if not.
absl::Status CheckNumbers(DType dtype, int64_t extent);

// Whether a node's value may have these extents, now that those of run time are known; a short
// phrase if not, as Op::infer says it of static ones.
absl::Status CheckExtents(const Node& node, const Dims& dims);

}  // namespace talweg

#endif  // TALWEG_GRAPH_CORE_OPS_H_
