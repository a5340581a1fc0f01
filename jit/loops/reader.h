#ifndef TALWEG_JIT_LOOPS_READER_H_
#define TALWEG_JIT_LOOPS_READER_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "jit/loops/level.h"
#include "jit/loops/tensor.h"

namespace talweg::loops {

using Indices = absl::InlinedVector<Index, 4>;

// Loops over so few terms of a sum, their number known, are written out.
inline constexpr int64_t kWrittenOut = 4;

// Which axis of a shape an axis of its domain (its axes without those of extent 1) is.
int32_t AxisIn(const Shape& shape, int32_t domain_axis);
// A tensor's stride along an axis of its domain.
const Stride& StrideIn(const Tensor& tensor, int32_t domain_axis);
// Where an index lies along an axis that is cut into panels.
Register PlaceInPanels(Builder& b, const Stride& stride, Register index);
// The point of a value of this shape where a point of its domain is.
Point PointIn(Builder& b, const Shape& shape, const Point& domain_point);
// Where a contraction reads its operand 0 or 1, of this rank, for an element of the result (whose
// axes are the batch, what lhs keeps, what rhs keeps) and a term, which has an index for each
// summed axis.
Indices OperandIndices(const ContractAttributes& contract, size_t operand, size_t rank,
                       absl::Span<const Index> result, absl::Span<const Index> sum);

// How many points of so many lanes a contraction of many chains, which lie in the lanes, had best
// take at once: their chains fill up to three quarters of the registers.
int64_t PointsAtOnce(const Machine& machine, const Order& order, DType dtype, int32_t lanes,
                     int64_t terms);

// Computes elements of nodes inside of a section (private to jit/loops): asks for what it needs,
// from the result back to what lies in memory, and keeps what it has found.
class Reader {
 public:
  // `members` are computed here; other nodes' values come from memory. `turns`: see reduce.cc.
  // `unrolls`: loops over the terms of sums may do a few at a time.
  Reader(Level& level, const absl::flat_hash_set<NodeId>& members, bool turns = false,
         bool unrolls = true)
      : level_(level),
        b_(level.b()),
        members_(members),
        turns_(turns),
        unrolls_(unrolls),
        memo_(1) {}

  // A register of the point's lanes, or of one where the value does not depend on the lane.
  Register Value(NodeId id, const Point& point);

  // Computes a reduction or contraction at several points in the same loops, so that what they have
  // in common is loaded once. Value then finds the results.
  void Reduce(NodeId id, absl::Span<const Point> points);

  // The value of a node at a point, where somebody else has computed it.
  void Give(NodeId id, const Point& point, Register value) { Remember(id, point, value); }

  // Where the element of a uniform point lies, without the tensor's offset.
  Register Place(const Tensor& tensor, const Point& point) { return Flat(tensor, point).at; }

  Register LoadFrom(const Tensor& tensor, const Point& point) { return Load(tensor, point); }
  void Store(const Tensor& tensor, const Point& point, Register value);

  // Reads a node from this tensor, whatever else is known of it.
  void Override(NodeId id, Tensor tensor) { overrides_[id] = std::move(tensor); }
  // Reads the terms of a reduction or contraction from these: the kept axes of an operand in their
  // order, then one axis of all terms.
  void SetTerms(NodeId id, std::vector<Tensor> operands) { terms_[id] = std::move(operands); }

  // What is found between Open and Close is forgotten then: it was computed in an inner block.
  void Open() { memo_.emplace_back(); }
  void Close() { memo_.pop_back(); }

  // The body of a loop that has just been opened: what `inside` writes, called with its variable.
  template <typename F>
  void Body(const Builder::Loop& loop, F&& inside) {
    Open();
    inside(loop.variable);
    Close();
    b_.CloseFor();
  }

 private:
  using Key = absl::InlinedVector<int64_t, 14>;

  Key KeyOf(NodeId id, const Point& point) const;
  const Register* Find(const Key& key) const;
  void Remember(NodeId id, const Point& point, Register value) {
    memo_.back()[KeyOf(id, point)] = value;
  }

  Register Compute(NodeId id, const Point& point);
  Register Load(const Tensor& tensor, const Point& point);
  static bool IsAlongPadding(const Tensor& tensor, const Point& point, const Index& flat);
  bool IsWrittenWhole(const Tensor& tensor, const Point& point) const;
  Index Flat(const Tensor& tensor, const Point& point);
  Index InPanels(const Stride& stride, const Index& index, int32_t lanes);
  Register ComputeMap(NodeId id, const Point& point);
  Register ComputeView(NodeId id, const Point& point);
  Register ComputeReshape(NodeId id, const Point& point);
  Register ComputeGather(NodeId id, const Point& point);

  Index Add(const Index& a, const Index& b);
  Index Times(const Index& a, int64_t factor);
  Index Times(const Index& a, Register factor, int32_t lanes);
  // All lanes of an index; a scalar where it is uniform.
  Register AllLanes(const Index& index, int32_t lanes);
  // Where a condition on such an index goes: the scalar one or that of the lanes.
  void AddGuard(Point& point, Register condition);

  // ---- reduce.cc, reduce_by_lanes.cc
  struct Terms;
  using Sum = absl::InlinedVector<Index, 4>;

  Terms TermsOf(NodeId id);
  // Instructions of a map that is computed where it is summed.
  int64_t PrologueWork(NodeId id, absl::flat_hash_set<NodeId>& counted);
  Register Identity(const Terms& terms, int32_t lanes);
  Register Combine(const Terms& terms, Register a, Register b);
  Register TermValue(const Terms& terms, size_t operand, const Point& point, const Sum& sum);
  Register Step(const Terms& terms, const Point& point, const Sum& sum, Register acc);
  // One term after another, at several points at once.
  Registers InOrder(const Terms& terms, absl::Span<const Point> points);
  void StepAll(const Terms& terms, absl::Span<const Point> points, size_t axis, Sum& sum,
               Registers& acc);
  void StepRange(const Terms& terms, absl::Span<const Point> points, Bound begin, Bound end,
                 Sum& sum, Registers& acc);
  // Many chains one after another, results in the lanes, at several points at once.
  Registers InTurn(const Terms& terms, absl::Span<const Point> points);
  int32_t ChainsJoined(const Terms& terms, absl::Span<const Point> points) const;
  Registers Chain(const Terms& terms, absl::Span<const Point> points, Register number,
                  int64_t like);
  // The terms in the lanes, many chains at once.
  Registers ByLanes(const Terms& terms, absl::Span<const Point> points);
  Registers TogetherByLanes(const Terms& terms, absl::Span<const Point> points);
  Point InLane(const Point& point, int32_t lane);
  Register Concatenate(Registers parts);
  Registers ChainsOf(const Terms& terms, absl::Span<const Point> points, Bound begin, Bound end);
  Register Join(const Terms& terms, Registers chains);
  // A sum in blocks: that of each block, by `sum_block`, joined in order.
  template <typename F>
  Registers InBlocks(const Terms& terms, const Registers& identity, F&& sum_block);
  void FindPlaces(const Terms& terms, absl::Span<const Point> points, Registers& best);

  Level& level_;
  Builder& b_;
  const absl::flat_hash_set<NodeId>& members_;
  const bool turns_, unrolls_;
  std::vector<absl::flat_hash_map<Key, Register>> memo_;
  absl::flat_hash_map<NodeId, Tensor> overrides_;
  absl::flat_hash_map<NodeId, std::vector<Tensor>> terms_;
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_READER_H_
