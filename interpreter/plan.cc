#include "interpreter/plan.h"

namespace talweg {

bool Place::IsContiguous() const {
  int64_t expected = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    if (dims[axis] == 0) return true;
    if (dims[axis] != 1 && strides[axis] != expected) return false;
    expected *= dims[axis];
  }
  return true;
}

bool RunPlan(Frame& frame) {
  for (const std::unique_ptr<PlanStep>& instruction : frame.plan->instructions) {
    if (!instruction->Run(frame)) return false;
  }
  return true;
}

}  // namespace talweg
