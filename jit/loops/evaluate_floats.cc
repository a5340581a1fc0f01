#include "jit/loops/evaluate_scalar.h"

namespace talweg::loops {

StepFunction FloatStep(Opcode opcode, DType dtype, DType result, int32_t lanes, bool wide) {
  if (dtype == kFloat32) return internal::StepOn<float>(opcode, result, lanes, wide);
  return internal::StepOn<double>(opcode, result, lanes, wide);
}

}  // namespace talweg::loops
