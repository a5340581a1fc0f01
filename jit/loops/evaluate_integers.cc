#include "jit/loops/evaluate_scalar.h"

namespace talweg::loops {

StepFunction IntegerStep(Opcode opcode, DType dtype, DType result, int32_t lanes, bool wide) {
  if (dtype == kInt32) return internal::StepOn<int32_t>(opcode, result, lanes, wide);
  if (dtype == kInt64) return internal::StepOn<int64_t>(opcode, result, lanes, wide);
  return internal::StepOn<bool>(opcode, result, lanes, wide);
}

}  // namespace talweg::loops
