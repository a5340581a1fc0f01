#ifndef TALWEG_INTERPRETER_PLAN_H_
#define TALWEG_INTERPRETER_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "base/shape.h"
#include "graph/graph.h"
#include "interpreter/nest.h"

namespace talweg {

class ProgramState;
struct Frame;

// Where in a frame something lies: a buffer, and bytes from its start.
struct Address {
  int32_t slot = 0;
  int64_t offset = 0;
};

// A value as instructions read it: any strides (in elements) over a buffer, which it may share with
// others. A slice, a transpose or a broadcast is a Place and no instruction.
struct Place {
  Address address;
  DType dtype = kFloat32;
  Extents dims, strides;

  int64_t size() const { return SizeOf(absl::MakeConstSpan(dims)); }
  int64_t bytes() const { return size() * SizeOf(dtype); }
  // Whether the elements lie in row-major order without gaps.
  bool IsContiguous() const;
};

// One step of a plan. Everything that does not depend on the data was computed when it was made.
class PlanStep {
 public:
  virtual ~PlanStep() = default;
  // False: the run ends here; the frame's call has the reason.
  virtual bool Run(Frame& frame) const = 0;
};

// A program resolved for one value of its run-time symbols: what to do, and where every value lies.
// Immutable; many threads may run it, each in frames of its own.
struct Plan {
  // What a slot points to while the plan runs.
  struct Slot {
    enum class Role : uint8_t { kInput, kOutput, kConstant, kArena };
    Role role = Role::kArena;
    // Arena: where in the arena. Input, output: which one.
    int64_t where = 0;
    const std::byte* constant = nullptr;
  };

  SymbolValues symbols;
  std::vector<Slot> slots;  // the inputs first, in order
  std::vector<std::unique_ptr<PlanStep>> instructions;
  std::vector<NodeId> nodes;          // of each instruction
  std::vector<int32_t> output_slots;  // -1 for an output that is passed through
  std::vector<Dims> output_dims;
  int64_t arena_bytes = 0;
  NodeId largest = -1;       // the node with the largest buffer, for the message when memory lacks
  std::vector<Array> owned;  // constants that were computed from the symbols
  std::string text;          // one line an instruction; empty unless it was asked for
};

// The memory in which a plan runs: one pointer a slot.
struct Frame {
  std::shared_ptr<const Plan> plan;
  std::vector<std::byte*> pointers;
  const std::byte* arena = nullptr;  // to which the arena's slots point
  ProgramState* state = nullptr;

  std::byte* At(const Address& address) const {
    return pointers[static_cast<size_t>(address.slot)] + address.offset;
  }
};

// False where an instruction ended the run.
bool RunPlan(Frame& frame);

}  // namespace talweg

#endif  // TALWEG_INTERPRETER_PLAN_H_
