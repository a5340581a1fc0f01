// Reductions and contractions inside of a nest, in the order that the node states (graph/order.h).
// Three schedules keep it:
//
//   in order   one chain a result; results lie in the lanes, and a tile of them is summed at once;
//   in turn    sixteen chains a result; results lie in the lanes, and one chain is summed after the
//              other: no shuffles, and no lanes that stay empty at the last terms;
//   by lanes   sixteen chains a result, one in each lane; neighbouring results are joined by the
//              same shuffles, which leave one result in each lane (reduce_by_lanes.cc).

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/algorithm/container.h"
#include "jit/loops/reduce.h"

namespace talweg::loops {
namespace {

// Terms of a longer loop that one trip takes, and the most instructions of a kind for that.
constexpr int64_t kUnrolled = 4;
constexpr size_t kMostUnrolled = 64;
// Terms that are written out to join chains without a store, at most.
constexpr int64_t kMostJoined = 96;
// From so many elements on, places are int64.
constexpr int64_t kWidePlaces = int64_t{1} << 31;

}  // namespace

Reader::Terms Reader::TermsOf(NodeId id) {
  Terms terms;
  terms.id = id;
  terms.node = &level_.node(id);
  const Node& node = *terms.node;
  const Node& operand = level_.node(node.operands[0]);
  terms.dtype = operand.type().dtype;
  const auto& [order, axes] = SummationOf(node);
  terms.order = order;
  absl::flat_hash_set<NodeId> counted;
  if (!terms.is_contract()) terms.work = PrologueWork(node.operands[0], counted);
  for (int64_t axis : axes) {
    const Dim dim = operand.type().shape[static_cast<size_t>(axis)];
    terms.extents.push_back(level_.ExtentOf(dim));
  }
  const auto it = terms_.find(id);
  if (it == terms_.end()) return terms;
  terms.flat = &it->second;
  Register extent = b_.Index(1);
  for (const Bound bound : terms.extents) extent = b_.Mul(extent, b_.InRegister(bound));
  int64_t known = 0;
  terms.extents = {b_.IsConstant(extent, &known) ? Bound{.value = known} : Bound{.reg = extent}};
  return terms;
}

int64_t Reader::PrologueWork(NodeId id, absl::flat_hash_set<NodeId>& counted) {
  const Node& node = level_.node(id);
  if (!level_.fusion().prologue[static_cast<size_t>(id)] || !counted.insert(id).second) return 0;
  absl::InlinedVector<DType, 3> dtypes;
  int64_t work = 0;
  for (NodeId operand : node.operands) {
    dtypes.push_back(level_.node(operand).type().dtype);
    work += PrologueWork(operand, counted);
  }
  const Formula& formula = level_.lowering().FormulaOf(*node.op, dtypes, node.type().dtype);
  return work + static_cast<int64_t>(formula.program.instructions().size());
}

Register Reader::Identity(const Terms& terms, int32_t lanes) {
  const double identity = terms.is_contract() ? 0 : terms.node->op->reduce->identity(terms.dtype);
  const Array element = *Array(identity).Cast(terms.dtype);
  uint64_t bits = 0;
  std::memcpy(&bits, element.raw(), static_cast<size_t>(SizeOf(terms.dtype)));
  return b_.Constant(terms.dtype, bits, lanes);
}

Register Reader::Combine(const Terms& terms, Register a, Register b) {
  if (terms.is_contract()) return b_.Add(a, b);
  const DType dtype = terms.dtype;
  const Formula& formula =
      level_.lowering().FormulaOf(*terms.node->op->reduce->combine, {dtype, dtype}, dtype);
  return b_.Inline(formula.program, formula.result, {a, b});
}

Indices OperandIndices(const ContractAttributes& contract, size_t operand, size_t rank,
                       absl::Span<const Index> result, absl::Span<const Index> sum) {
  const std::vector<int64_t>& batch = operand == 0 ? contract.lhs_batch : contract.rhs_batch;
  const std::vector<int64_t>& summed = operand == 0 ? contract.lhs_sum : contract.rhs_sum;
  size_t kept = operand == 0 ? batch.size() : result.size() - (rank - batch.size() - summed.size());
  Indices at;
  for (size_t axis = 0; axis < rank; axis++) {
    const auto in = [&](const std::vector<int64_t>& axes) {
      return static_cast<size_t>(absl::c_find(axes, static_cast<int64_t>(axis)) - axes.begin());
    };
    const size_t in_batch = in(batch), in_sum = in(summed);
    if (in_batch < batch.size()) {
      at.push_back(result[in_batch]);
    } else if (in_sum < summed.size()) {
      at.push_back(sum[in_sum]);
    } else {
      at.push_back(result[kept++]);
    }
  }
  return at;
}

// An operand where the result is `point` and the term is `sum`.
Register Reader::TermValue(const Terms& terms, size_t operand, const Point& point, const Sum& sum) {
  const Node& node = *terms.node;
  const NodeId id = node.operands[operand];
  const size_t rank = level_.node(id).type().shape.size();
  Point at = point;
  at.at.clear();
  if (!terms.is_contract()) {
    const std::vector<int64_t>& axes = node.As<ReduceAttributes>().axes;
    if (terms.flat != nullptr) {
      at.at = point.at;
      at.at.push_back(sum[0]);
      return Load((*terms.flat)[0], at);
    }
    size_t kept = 0, summed = 0;
    for (size_t axis = 0; axis < rank; axis++) {
      const bool is_summed = summed < axes.size() && axes[summed] == static_cast<int64_t>(axis);
      at.at.push_back(is_summed ? sum[summed++] : point.at[kept++]);
    }
    return Value(id, at);
  }
  const auto& contract = node.As<ContractAttributes>();
  if (terms.flat == nullptr) {
    at.at = OperandIndices(contract, operand, rank, point.at, sum);
    return Value(id, at);
  }
  // The batch, what is kept, then the terms.
  const size_t batch = contract.lhs_batch.size(), kept = rank - batch - contract.lhs_sum.size();
  const size_t first = operand == 0 ? batch : point.at.size() - kept;
  for (size_t i = 0; i < batch; i++) at.at.push_back(point.at[i]);
  for (size_t i = 0; i < kept; i++) at.at.push_back(point.at[first + i]);
  at.at.push_back(sum[0]);
  return Load((*terms.flat)[operand], at);
}

Register Reader::Step(const Terms& terms, const Point& point, const Sum& sum, Register acc) {
  const Register x = TermValue(terms, 0, point, sum);
  if (!terms.is_contract()) return Combine(terms, acc, x);
  return b_.Fma(x, TermValue(terms, 1, point, sum), acc);
}

void Reader::Reduce(NodeId id, absl::Span<const Point> points) {
  const Terms terms = TermsOf(id);
  Registers results;
  if (terms.order.chains == 1) {
    results = InOrder(terms, points);
  } else if (turns_ && level_.MayTakeTurns(*terms.node)) {
    results = InTurn(terms, points);
  } else {
    results = ByLanes(terms, points);
  }
  if (terms.node->kind() == Kind::kReduce && terms.node->op->reduce->place) {
    FindPlaces(terms, points, results);
  }
  for (size_t i = 0; i < points.size(); i++) Remember(id, points[i], results[i]);
}

// ---- One chain

Registers Reader::InOrder(const Terms& terms, absl::Span<const Point> points) {
  Registers identity;
  for (const Point& point : points) identity.push_back(Identity(terms, point.lanes));
  if (level_.IsInBlocks(*terms.node)) {
    return InBlocks(terms, identity, [&](Bound begin, Bound end) {
      Registers acc = identity;
      Sum sum;
      StepRange(terms, points, begin, end, sum, acc);
      return acc;
    });
  }
  Sum sum;
  Registers acc = identity;
  StepAll(terms, points, 0, sum, acc);
  return acc;
}

// The summed axes from `axis` on, row-major.
void Reader::StepAll(const Terms& terms, absl::Span<const Point> points, size_t axis, Sum& sum,
                     Registers& acc) {
  if (axis == terms.extents.size()) {
    for (size_t i = 0; i < points.size(); i++) acc[i] = Step(terms, points[i], sum, acc[i]);
    return;
  }
  const Bound extent = terms.extents[axis];
  if (axis + 1 == terms.extents.size()) {
    StepRange(terms, points, {.value = 0}, extent, sum, acc);
    return;
  }
  if (extent.reg == kNone && extent.value <= terms.written_out()) {
    for (int64_t i = 0; i < extent.value; i++) {
      sum.push_back({b_.Index(i)});
      StepAll(terms, points, axis + 1, sum, acc);
      sum.pop_back();
    }
    return;
  }
  const Builder::Loop loop = b_.OpenFor({.value = 0}, extent, 1, acc);
  Open();
  Registers inside = loop.carried;
  sum.push_back({loop.variable});
  StepAll(terms, points, axis + 1, sum, inside);
  sum.pop_back();
  Close();
  acc = b_.CloseFor(inside);
}

// Terms begin .. end - 1 of the last axis.
void Reader::StepRange(const Terms& terms, absl::Span<const Point> points, Bound begin, Bound end,
                       Sum& sum, Registers& acc) {
  const auto step = [&](Register at, Registers& sums) {
    sum.push_back({at});
    for (size_t i = 0; i < points.size(); i++) sums[i] = Step(terms, points[i], sum, sums[i]);
    sum.pop_back();
  };
  const bool known = begin.reg == kNone && end.reg == kNone;
  const int64_t trips = known ? end.value - begin.value : -1;
  if (known && trips <= terms.written_out()) {
    for (int64_t i = begin.value; i < end.value; i++) step(b_.Index(i), acc);
    return;
  }
  const bool unrolls =
      unrolls_ && known && terms.work <= kHeavy && points.size() * kUnrolled <= kMostUnrolled;
  const int64_t unroll = unrolls ? kUnrolled : 1;
  const Bound whole = known ? Bound{.value = begin.value + trips / unroll * unroll} : end;
  const Builder::Loop loop = b_.OpenFor(begin, whole, unroll, acc);
  Open();
  Registers inside = loop.carried;
  for (int64_t i = 0; i < unroll; i++) step(b_.Plus(loop.variable, i), inside);
  Close();
  acc = b_.CloseFor(inside);
  for (int64_t i = whole.value; known && i < end.value; i++) step(b_.Index(i), acc);
}

// ---- Sixteen chains, in turn

// One chain after another; the sums wait in memory until the tree joins them. So few of them are in
// registers at a time, and the code is short. The lowest branches of the tree, chains c, c +
// distance, c + 2 distance, ... of the first `distance` ones, are joined before they wait.
Registers Reader::InTurn(const Terms& terms, absl::Span<const Point> points) {
  const int32_t chains = terms.order.chains, lanes = points[0].lanes;
  const bool alike = absl::c_all_of(points, [&](const Point& p) { return p.lanes == lanes; });
  Require(alike, "sums that take turns have equally many lanes");
  const bool known = terms.extents[0].reg == kNone;
  const int32_t distance = chains / ChainsJoined(terms, points);
  const auto sums = static_cast<int64_t>(points.size()) * lanes;
  const int32_t waiting = b_.AddBuffer({.name = "chains",
                                        .dtype = terms.dtype,
                                        .home = Buffer::Home::kThread,
                                        .slot = -1,
                                        .offset = 0,
                                        .elements = distance * sums});
  // The sum of chains first, first + apart, ..., as the tree adds them: `chain` gives each.
  const auto join = [&](auto&& self, int32_t first, int32_t apart, int32_t end,
                        const auto& chain) -> Registers {
    if (apart == end) return chain(first);
    Registers lower = self(self, first, 2 * apart, end, chain);
    const Registers upper = self(self, first + apart, 2 * apart, end, chain);
    for (size_t i = 0; i < lower.size(); i++) lower[i] = Combine(terms, lower[i], upper[i]);
    return lower;
  };
  // Branches from `first` to `last` - 1, whose chains have as many terms as those of `first`.
  const auto add_up = [&](int64_t first, int64_t last) {
    if (first == last) return;
    const Builder::Loop loop = b_.OpenFor({.value = first}, {.value = last}, 1);
    Open();
    const Registers branch = join(join, 0, distance, chains, [&](int32_t skip) {
      return Chain(terms, points, b_.Plus(loop.variable, skip), first + skip);
    });
    const Register place = b_.Times(loop.variable, sums);
    for (size_t i = 0; i < points.size(); i++) {
      b_.Store(waiting, place, branch[i], {.offset = static_cast<int64_t>(i) * lanes});
    }
    Close();
    b_.CloseFor();
  };
  const int64_t longer = known ? terms.extents[0].value % distance : 0;
  add_up(0, longer);
  add_up(longer, distance);
  return join(join, 0, 1, distance, [&](int32_t branch) {
    Registers loaded;
    for (size_t i = 0; i < points.size(); i++) {
      const int64_t place = branch * sums + static_cast<int64_t>(i) * lanes;
      loaded.push_back(b_.Load(waiting, b_.Index(place), lanes));
    }
    return loaded;
  });
}

// How many chains InTurn joins in registers, where their terms are written out: all, four, two or
// one. So many sums of each point are there at a time as the tree is deep, and what is added needs
// registers as well.
int32_t Reader::ChainsJoined(const Terms& terms, absl::Span<const Point> points) const {
  if (terms.extents[0].reg != kNone || terms.work > kHeavy) return 1;
  const int64_t room = level_.lowering().machine.vector_registers / 4 * 3;
  const auto sums = static_cast<int64_t>(points.size());
  const int64_t chain = (terms.extents[0].value / terms.order.chains + 1) * sums;
  for (const int64_t joined : {int64_t{terms.order.chains}, int64_t{4}, int64_t{2}}) {
    const int64_t live = std::bit_width(static_cast<uint64_t>(joined));
    if (live * sums <= room && joined * chain <= kMostJoined) return static_cast<int32_t>(joined);
  }
  return 1;
}

// The chain of this number, which has as many terms as chain `like`, where their number is known.
Registers Reader::Chain(const Terms& terms, absl::Span<const Point> points, Register number,
                        int64_t like) {
  Registers sums;
  for (const Point& point : points) sums.push_back(Identity(terms, point.lanes));
  const Bound extent = terms.extents[0];
  if (extent.reg != kNone || terms.work > kHeavy) {
    const Builder::Loop loop =
        b_.OpenFor({.reg = number}, extent, terms.order.chains, std::move(sums));
    Open();
    Registers inside = loop.carried;
    const Sum sum = {{loop.variable}};
    for (size_t i = 0; i < points.size(); i++) inside[i] = Step(terms, points[i], sum, inside[i]);
    Close();
    return b_.CloseFor(inside);
  }
  for (int64_t skip = 0; like + skip < extent.value; skip += terms.order.chains) {
    const Sum sum = {{b_.Plus(number, skip)}};
    for (size_t i = 0; i < points.size(); i++) sums[i] = Step(terms, points[i], sum, sums[i]);
  }
  return sums;
}

// ---- Places

// The place of the first term that equals the best one, or is a NaN as that is.
void Reader::FindPlaces(const Terms& terms, absl::Span<const Point> points, Registers& best) {
  // Narrow numbers, where they suffice: more of them fit in a vector.
  const int64_t most = level_.MostTerms(*terms.node);
  const DType narrow = most >= 0 && most < kWidePlaces ? kInt32 : kInt64;
  Registers places;
  for (const Point& point : points) {
    places.push_back(b_.Splat(b_.Convert(narrow, b_.Index(0)), point.lanes));
  }
  const auto look = [&](const Sum& sum, Register place, Registers& found) {
    for (size_t i = 0; i < points.size(); i++) {
      const Register x = TermValue(terms, 0, points[i], sum);
      Register same = b_.Binary(Opcode::kEqual, x, best[i]);
      // Where there is a NaN, it is the best one.
      if (IsFloat(terms.dtype)) {
        same = b_.Binary(Opcode::kOr, same, b_.Binary(Opcode::kNotEqual, x, x));
      }
      found[i] = b_.Select(same, b_.Convert(narrow, place), found[i]);
    }
  };
  // Loops over the axes from their ends, with the place counted row-major: the last that is found
  // is the first.
  const auto visit = [&](auto&& self, size_t axis, Sum& sum, Register place,
                         Registers& found) -> void {
    if (axis == terms.extents.size()) return look(sum, place, found);
    const Bound extent = terms.extents[axis];
    const Register count = b_.InRegister(extent);
    const Register before = b_.Mul(place, count);
    if (extent.reg == kNone && extent.value <= terms.written_out()) {
      for (int64_t i = extent.value; i-- > 0;) {
        sum.push_back({b_.Index(i)});
        self(self, axis + 1, sum, b_.Plus(before, i), found);
        sum.pop_back();
      }
      return;
    }
    const Builder::Loop loop = b_.OpenFor({.value = 0}, extent, 1, found);
    Open();
    Registers inside = loop.carried;
    const Register index = b_.Sub(b_.Plus(count, -1), loop.variable);
    sum.push_back({index});
    self(self, axis + 1, sum, b_.Add(before, index), inside);
    sum.pop_back();
    Close();
    found = b_.CloseFor(inside);
  };
  Sum sum;
  visit(visit, 0, sum, b_.Index(0), places);
  for (size_t i = 0; i < points.size(); i++) {
    best[i] = b_.Convert(kInt64, places[i]);
  }
}

}  // namespace talweg::loops
