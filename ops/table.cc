#include "ops/table.h"

#include <vector>

#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {

absl::Span<const Op* const> AllOps() {
  static const std::vector<const Op*>& ops = *new std::vector<const Op*>([] {
    std::vector<const Op*> all(ElementwiseOps().begin(), ElementwiseOps().end());
    all.insert(all.end(), {&kViewOp, &kReshapeOp, &kConcatOp, &kSumOp, &kProductOp, &kReduceMaxOp,
                           &kReduceMinOp, &kAllOp, &kAnyOp, &kArgMaxOp, &kArgMinOp, &kGatherOp,
                           &kScatterAddOp, &kContractOp, &kRandomUniformOp, &kRandomKeysOp,
                           &kPermutationOp, &kLoopOp, &kCustomOp});
    return all;
  }());
  return ops;
}

}  // namespace talweg
