#ifndef TALWEG_JIT_LOOPS_JOIN_PLAN_H_
#define TALWEG_JIT_LOOPS_JOIN_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace talweg::loops {

class Level;

// How the nest that writes a value and those that read it are to run, so that JoinLoops makes one
// of them (private to jit/loops). The value has instances (level.h), the units of a layer, and
// rows, and all that read it sum over the rows: a hidden layer's gradient, and those of its weights
// and biases. All run over tiles of units, and inside over the rows, in two loops and no more:
//
//   for units = 0 to 50 step 5
//     for rows = 0 to %165
//
// The tiles go into the units, and the sums of a tile into half of the vector registers.
struct JoinPlan {
  static constexpr int32_t kOuter = 2;  // the units' axis of the value
  int64_t tile = 1;                     // units
  int32_t lanes = 1;                    // of a vector; they are instances
  int64_t vectors = 1;                  // of all instances
};

// Of each node; nothing where values are better written and read by themselves.
std::vector<std::optional<JoinPlan>> PlanJoins(const Level& level);

// The axis of a sum's result that an axis of its operand `k` becomes, which it does not sum over.
int32_t ResultAxisOf(const Node& node, size_t k, const Shape& operand, int32_t axis);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_JOIN_PLAN_H_
