#ifndef TALWEG_GRAPH_CORE_OPS_H_
#define TALWEG_GRAPH_CORE_OPS_H_

#include "graph/op.h"

namespace talweg {

// The ops that a tape makes by itself.
extern const Op kInputOp;
extern const Op kConstantOp;
extern const Op kIotaOp;
extern const Op kSizeOp;
extern const Op kPartOp;

}  // namespace talweg

#endif  // TALWEG_GRAPH_CORE_OPS_H_
