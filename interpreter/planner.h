#ifndef TALWEG_INTERPRETER_PLANNER_H_
#define TALWEG_INTERPRETER_PLANNER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/arena.h"
#include "interpreter/plan.h"
#include "interpreter/program.h"

namespace talweg {

enum class PlanText : bool { kNone, kWritten };

// Resolves a program for these values of its symbols.
absl::StatusOr<std::shared_ptr<const Plan>> MakePlan(const Program& program,
                                                     const SymbolValues& symbols, PlanText text);

// A plan while it is made: node by node, in order. The functions Plan... below, one for each kind,
// read the node and its operands' places here, emit the instructions and say where the result lies.
//
// Read, NewValue and Scratch tell which buffers the next emitted instruction uses; from that come
// the buffers' lifetimes, so they are called right before Emit.
class Planner {
 public:
  Planner(const Program& program, const SymbolValues& symbols, PlanText text);

  // Plans the whole program.
  absl::Status PlanAll();
  std::shared_ptr<const Plan> Take();

  const Program& program() const { return program_; }
  const SymbolValues& symbols() const { return plan_->symbols; }
  NodeId id() const { return id_; }
  const Node& node() const { return program_.graph().node(id_); }
  const Place& operand(size_t k) const;
  // The extents of part k of the result, which were checked.
  Extents ResultDims(size_t k = 0) const;

  // A place in a new buffer of contiguous elements, which the next instruction writes.
  Place NewValue(DType dtype, const Extents& dims);
  // Memory that only the next instruction uses.
  Address Scratch(int64_t bytes);
  // Where the next instruction finds the value.
  Address Read(const Place& place);
  // The value with contiguous elements: itself, or a copy.
  Place Contiguous(const Place& place);
  // The value with these extents in the same order, without a copy; false where that can not be.
  static bool ReshapeInPlace(const Place& place, const Extents& dims, Place& out);
  // A value that is known now.
  Place Constant(Array array);

  void Emit(std::unique_ptr<PlanStep> instruction, absl::Span<const Place> outputs);
  void Return(Place place) { ReturnParts({std::move(place)}); }
  void ReturnParts(std::vector<Place> parts);

  // For a plan as text: the plan of the loop's body that was just emitted.
  bool writes_text() const { return text_ == PlanText::kWritten; }
  void DescribeBody(const Program& body, const SymbolValues& symbols);

  absl::Status Error(absl::string_view what) const {
    return NodeError(absl::StatusCode::kInvalidArgument, program_.graph(), id_, what);
  }

 private:
  absl::Status PlanNode();
  absl::Status CheckTypes();
  absl::Status PlanOutputs();
  absl::Status PlaceBuffers();
  void Describe(absl::Span<const Place> outputs);

  // Buffers other than the inputs and constants; `used` says by which instructions.
  struct Buffer {
    int32_t slot = 0;
    Lifetime used;
    NodeId node = -1;
  };

  const Program& program_;
  std::unique_ptr<Plan> plan_;
  const PlanText text_;
  NodeId id_ = -1;
  std::vector<Place> places_;  // of each node that has one part
  absl::flat_hash_map<NodeId, std::vector<Place>> parts_;
  std::vector<Buffer> buffers_;
  std::vector<int32_t> buffer_of_slot_;  // -1 for inputs and constants
  std::vector<Place> reads_;             // by the next instruction, for the text
};

// Contiguous row-major strides.
Extents ContiguousStrides(const Extents& dims);

// One for each kind that computes. Sizes of results are above zero, operands may be empty.
absl::Status PlanMap(Planner& planner);
absl::Status PlanView(Planner& planner);
absl::Status PlanReshape(Planner& planner);
absl::Status PlanConcat(Planner& planner);
absl::Status PlanReduce(Planner& planner);
absl::Status PlanGather(Planner& planner);
absl::Status PlanScatterAdd(Planner& planner);
absl::Status PlanContract(Planner& planner);
absl::Status PlanRandom(Planner& planner);
absl::Status PlanLoop(Planner& planner);  // results may be empty too
// Copies elements to a contiguous place.
std::unique_ptr<PlanStep> MakeCopy(const Address& out, const Address& in, const Place& from);

}  // namespace talweg

#endif  // TALWEG_INTERPRETER_PLANNER_H_
