#ifndef TALWEG_OPS_CONTRACT_H_
#define TALWEG_OPS_CONTRACT_H_

#include <cstdint>
#include <vector>

#include "graph/value.h"

namespace talweg {

extern const Op kContractOp;

// Which axes of two operands are paired: batch axes are kept, sum axes are summed over.
struct ContractAxes {
  std::vector<int64_t> lhs_batch = {}, rhs_batch = {};
  std::vector<int64_t> lhs_sum = {}, rhs_sum = {};
};

// The general product: result[b, i, j] = sum over k of lhs[b, i, k] * rhs[b, k, j], for any places
// of the axes. The result has the batch axes, then what remains of lhs, then what remains of rhs.
//
//     Contract(x, dz, {.lhs_sum = {0}, .rhs_sum = {0}})    x^T dz without a transpose
//
// Sums run in the order of graph/order.h by fused multiply-adds in the operands' type; integers
// wrap.
Value Contract(Arg lhs, Arg rhs, const ContractAxes& axes);

// The matrix product with NumPy's rules: [.., m, k] x [.., k, n] -> [.., m, n]; leading axes
// broadcast; a vector counts as a row on the left and as a column on the right.
Value MatMul(Arg lhs, Arg rhs);

}  // namespace talweg

#endif  // TALWEG_OPS_CONTRACT_H_
