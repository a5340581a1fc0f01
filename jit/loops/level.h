#ifndef TALWEG_JIT_LOOPS_LEVEL_H_
#define TALWEG_JIT_LOOPS_LEVEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "graph/expr.h"
#include "graph/graph.h"
#include "jit/loops/builder.h"
#include "jit/loops/instances.h"
#include "jit/loops/interval.h"
#include "jit/loops/join_plan.h"
#include "jit/loops/lower.h"
#include "jit/loops/machine.h"
#include "jit/loops/tensor.h"
#include "jit/passes/fuse.h"

namespace talweg::loops {

// The lowering's state (private to jit/loops).

// An elementwise op's formula for these element types.
struct Formula {
  ScalarProgram program;
  int32_t result = -1;
};

// What all graphs of a program share.
struct Lowering {
  Lowering(const Graph& graph, const Machine& machine, const LowerOptions& options)
      : builder(static_cast<int32_t>(graph.inputs().size()),
                static_cast<int32_t>(graph.outputs().size())),
        machine(machine),
        options(options),
        instances(FindInstances(graph, machine)) {}

  const Formula& FormulaOf(const Op& op, absl::Span<const DType> operands, DType result);
  int32_t RandomOf(const Op* op, DType dtype);

  Builder builder;
  const Machine machine;
  const LowerOptions options;
  const int64_t instances;  // 0: none
  // By op, type of the result, types of the operands.
  absl::flat_hash_map<std::tuple<const Op*, DType, std::vector<DType>>, std::unique_ptr<Formula>>
      formulas;
  absl::flat_hash_map<std::pair<const Op*, DType>, int32_t> randoms;
  // By buffer: its last rows were written by whole vectors of so many lanes, and what such vectors
  // read behind them was computed, not left there by somebody else.
  absl::flat_hash_map<int32_t, int32_t> written_whole;
};

// A sum of many chains and at most so many terms may take one chain after the other.
inline constexpr int64_t kMostInTurn = 128;

// How a reduction or contraction sums: its order, and the axes of its first operand that it sums
// over.
struct Summation {
  Order order;
  const std::vector<int64_t>& axes;
};
Summation SummationOf(const Node& node);

// A run-time symbol in a graph: its value and what it can not exceed; -1 where nothing says.
struct Symbol {
  Register value = kNone;
  int64_t bound = -1;
};

// One graph, the outermost or the body of a loop, while it is lowered.
class Level {
 public:
  Level(Lowering& lowering, const Graph& graph, int32_t depth)
      : lowering_(lowering),
        b_(lowering.builder),
        graph_(graph),
        depth_(depth),
        fusion_(Fuse(graph, {.fuse = lowering.options.fuse})),
        has_loop_(absl::c_any_of(
            fusion_.groups,
            [](const Fusion::Group& group) { return group.what == Fusion::Group::What::kLoop; })),
        row_major_(ReadUnderOtherShapes(graph)),
        tensors_(graph.nodes().size()),
        planned_(graph.nodes().size()),
        memory_site_(b_.AddSite({.what = ErrorSite::What::kMemory, .before = "", .after = ""})) {
    absl::flat_hash_set<std::pair<NodeId, int32_t>> seen;
    for (size_t i = 0; i < graph.nodes().size(); i++) {
      const Node& node = graph.nodes()[i];
      if (node.kind() != Kind::kPart) continue;
      const auto id = static_cast<NodeId>(i);
      parts_[node.operands[0]].push_back(id);
      if (!seen.insert({node.operands[0], node.As<PartAttributes>().index}).second) {
        twins_.insert(id);
      }
    }
  }

  // Given before: what the inputs are, the symbols' values, and where results are to lie.
  void SetTensor(NodeId id, Tensor tensor) { tensors_[At(id)] = std::move(tensor); }
  void SetRegister(NodeId id, Register value) { registers_[id] = value; }
  void SetInterval(NodeId id, std::optional<Interval> interval) {
    if (interval.has_value()) intervals_.insert({id, *interval});
  }
  void SetRows(Symbol rows) { rows_ = rows; }
  void SetTrips(Symbol trips) { trips_ = trips; }
  // The member `id` is to be written there, where that is possible.
  void Plan(NodeId id, Tensor tensor) { planned_[At(id)] = std::move(tensor); }
  const std::optional<Tensor>& PlannedFor(NodeId id) const { return planned_[At(id)]; }

  absl::Status LowerGroups();

  // Afterwards, and while groups that come later are lowered:
  // The value in memory; copies what is not there.
  Tensor Materialize(NodeId id);
  void CopyTo(NodeId id, const Tensor& to);
  // A scalar in a register, for use outside of sections.
  Register ScalarOf(NodeId id);

  Lowering& lowering() { return lowering_; }
  const Lowering& lowering() const { return lowering_; }
  Builder& b() { return b_; }
  const Graph& graph() const { return graph_; }
  const Node& node(NodeId id) const { return graph_.node(id); }
  const Fusion& fusion() const { return fusion_; }
  int32_t depth() const { return depth_; }
  // Whether this runs once and others, in loops, many times: code that is short beats code that is
  // fast.
  bool runs_once() const { return depth_ == 0 && has_loop_; }

  // What a trip of a parallel loop is said to cost: enough for any number of threads where that is
  // asked for.
  double TripCost(double cost) const { return lowering_.options.split ? 0x1p40 : cost; }

  // The parts of a loop that there are.
  absl::Span<const NodeId> PartsOf(NodeId loop) const {
    const auto it = parts_.find(loop);
    if (it == parts_.end()) return {};
    return it->second;
  }

  // Whether a node before this one is the same part of the same loop: it lies where that one does.
  bool IsTwin(NodeId part) const { return twins_.contains(part); }

  bool HasTensor(NodeId id) const { return tensors_[At(id)].has_value(); }
  const Tensor& tensor(NodeId id) const { return *tensors_[At(id)]; }
  std::optional<Register> RegisterOf(NodeId id) const;
  // What all elements of an integer value lie in, as far as that is plain to see.
  std::optional<Interval> IntervalOf(NodeId id) const;
  // The value as a tensor without work: itself, or through views that are affine and stay inside.
  std::optional<Tensor> AsTensor(NodeId id) const;

  bool HasRoundedRows(const AxisMap& map, const Shape& shape, Dim operand) const;
  // Whether every index that the map gives lies in the operand's axis.
  bool StaysInside(const AxisMap& map, const Shape& shape, Dim operand) const;
  // Whether the elements lie close together in row-major order.
  bool IsRowMajor(const Tensor& tensor) const;

  // Whether the first axis counts instances of something that run side by side, like the models of
  // a sweep, and is to lie innermost in memory.
  bool HasInstances(const Shape& shape) const {
    const int64_t instances = lowering_.instances;
    return instances > 0 && shape.size() > 1 && shape[0] == Dim(instances);
  }

  // Extents: now, at most (-1: unbounded), and as a register.
  Bound ExtentOf(Dim dim) const;
  int64_t BoundOf(Dim dim) const;
  // An extent or its bound; where there is none, a guess.
  int64_t LikelyExtent(Dim dim) const;
  Register Extent(Dim dim);

  // A buffer for a value of this type. `order`: its axes from the outermost to the innermost in
  // memory; empty: as is best for it.
  // `exact`: rows lie as close to each other as the run-time extents allow.
  Tensor NewTensor(const Type& type, const std::string& name, std::vector<int32_t> order = {},
                   bool exact = false);
  // A matrix whose `axis` is cut into panels of so many elements.
  Tensor NewPanels(const Type& type, const std::string& name, int32_t axis, int64_t panel);
  // The same over a buffer that exists: row-major.
  Tensor RowMajor(const Type& type, int32_t buffer);
  // Whether somebody reads it under another shape, which is easy where its elements lie row-major
  // without gaps.
  bool WantsRowMajor(NodeId id) const { return row_major_[At(id)]; }
  // Whether a sum's chains may be taken one after the other, with results in the lanes.
  bool MayTakeTurns(const Node& node) const;
  // The most terms that a reduction or contraction adds up for a result; -1: nobody knows.
  int64_t MostTerms(const Node& node) const;
  // Whether there may be more terms than a block of its order has.
  bool IsInBlocks(const Node& node) const;
  // Its order in memory. Empty: as is best for its shape.
  std::vector<int32_t> OrderFor(NodeId id) const;
  // Where a member is to lie: as is planned, or in a new tensor.
  Tensor PlaceFor(NodeId id);
  // A member's tensor, made so where it has none.
  const Tensor& TensorFor(NodeId id);
  int32_t SiteOf(ErrorSite::What what, NodeId id, int64_t limit = 0);
  std::string Label(NodeId id) const;

  // How the nests that write and read it are to run to become one loop; null: as they like.
  const JoinPlan* JoinPlanFor(NodeId id) const {
    return joins_.empty() || !joins_[At(id)].has_value() ? nullptr : &*joins_[At(id)];
  }

  // A new tensor with the elements of `id`, laid out in this order.
  Tensor CopyOf(NodeId id, std::vector<int32_t> order, bool exact = false);

 private:
  // What a new tensor takes: so many elements; or, where they are counted at run time, reg *
  // factor.
  struct Room {
    int64_t elements = 1, factor = 1;
    Register reg = kNone;
    bool dynamic = false;
  };
  // Gives the tensor its strides and its padded axis.
  Room LayOut(absl::Span<const int32_t> order, bool exact, Tensor& tensor);
  // For an allocation: `elements`, the product of the shape's extents (rounded up), or more than
  // there ever is memory for where that product overflowed. kNone is that of the extents alone,
  // run-time ones at their limits: what is read where rows are read in whole vectors, also of a
  // tensor whose rows lie close.
  Register DynamicElements(const Shape& shape, Register elements);
  static std::vector<bool> ReadUnderOtherShapes(const Graph& graph);
  // The axis of each node that all who read it would have in the lanes: they sum over another one.
  // -1: none.
  std::vector<int32_t> FindLaneAxes() const;
  int32_t LaneAxisIn(const Node& reader, size_t operand) const;
  int32_t WideAxisOf(const Node& contraction, size_t operand) const;
  static size_t At(NodeId id) { return static_cast<size_t>(id); }

  absl::Status LowerGroup(const Fusion::Group& group);
  void AddConstants();
  void BindTrips();
  void LowerConcat(NodeId id);
  void LowerScatterAdd(NodeId id);
  void LowerRandom(NodeId id);
  absl::Status LowerLoop(NodeId id);
  friend class LoopLowering;

  Lowering& lowering_;
  Builder& b_;
  const Graph& graph_;
  const int32_t depth_;
  const Fusion fusion_;
  const bool has_loop_;
  const std::vector<bool> row_major_;
  Symbol rows_, trips_;
  std::vector<std::optional<Tensor>> tensors_, planned_;
  absl::flat_hash_map<NodeId, Register> registers_;
  absl::flat_hash_map<NodeId, Interval> intervals_;  // of inputs
  std::vector<int32_t> lane_axes_;                   // while groups are lowered
  std::vector<std::optional<JoinPlan>> joins_;       // since groups are lowered; empty: none
  absl::flat_hash_map<NodeId, std::vector<NodeId>> parts_;
  absl::flat_hash_set<NodeId> twins_;
  const int32_t memory_site_;
  absl::flat_hash_map<std::pair<NodeId, int64_t>, int32_t> sites_;
};

// The axes of a shape in the order in which they lie in memory, outermost first: row-major, but
// where the last axis is thin and another is not, that other one lies innermost, ready for vectors.
// An axis of instances always does.
std::vector<int32_t> BestOrder(const Level& level, const Shape& shape);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_LEVEL_H_
