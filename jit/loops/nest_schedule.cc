// Which schedules of a nest are worth a try.

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>
#include <vector>

#include "absl/algorithm/container.h"
#include "jit/loops/nest.h"

namespace talweg::loops {
namespace {

// Accumulators of a tile, at most.
constexpr int64_t kMostTile = 8;
// So many short sums side by side are enough.
constexpr int64_t kFewSums = 4;
constexpr int32_t kMostSums = 16, kEnoughSums = 8;
constexpr int64_t kLongSum = 256;
// What is done once for so few elements is done one by one.
constexpr int64_t kFewElements = 4096;
constexpr size_t kMostCandidates = 4;
// So many sums at once do not wait for each other; a load takes so much of a multiplication's time.
constexpr double kBusySums = 8;
constexpr double kLoad = 0.6;

}  // namespace

bool Nest::IsDoneOnce() const {
  if (!level_.runs_once() || !IsStatic(domain_)) return false;
  int64_t elements = 1;
  for (Dim dim : domain_) elements = std::min(elements * dim.value(), kFewElements + 1);
  for (NodeId id : order_) {
    const Kind kind = level_.node(id).kind();
    if (kind == Kind::kReduce || kind == Kind::kContract) return false;
  }
  return elements <= kFewElements;
}

// The kept axes of a contraction share loads: a tile of them reads each operand once for all that
// it is multiplied with. Those of its batch only keep sums from waiting for each other. Along one
// axis: the one along which results lie close together.
void Nest::ChooseTiles(int64_t most, bool along_one, Schedule& schedule) const {
  struct Axis {
    int32_t number;
    int64_t extent;
    bool shares, is_static;
    // Loads for each multiplication.
    double Loads(int64_t tile) const {
      if (!shares) return 0;
      return static_cast<double>((extent + tile - 1) / tile) / static_cast<double>(extent);
    }
    // Rows past the last one are there up to a multiple of a power of two.
    int64_t AtMost(int64_t tile) const {
      tile = std::clamp<int64_t>(tile, 1, std::min(extent, kMostTile));
      return is_static ? tile : static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(tile)));
    }
  };
  std::vector<Axis> axes;
  for (size_t a = 0; a < domain_.size(); a++) {
    const auto number = static_cast<int32_t>(a);
    const int64_t extent = LikelyExtent(domain_[a]);
    if (number == schedule.lane_axis || extent < 2) continue;
    const bool in_batch = absl::c_any_of(order_, [&](NodeId id) {
      const Node& node = level_.node(id);
      return node.kind() == Kind::kContract &&
             AxisIn(node.type().shape, number) <
                 static_cast<int32_t>(node.As<ContractAttributes>().lhs_batch.size());
    });
    axes.push_back({number, extent, !in_batch, domain_[a].is_static()});
  }
  if (axes.empty()) return;
  // How far it is from one element of what is written to the next one of an axis.
  const auto step = [&](int32_t axis) {
    if (flat_ || writes_.empty()) return int64_t{1};
    const Stride& stride = StrideIn(writes_[0].to, axis);
    return stride.reg == kNone ? stride.factor : std::numeric_limits<int64_t>::max();
  };
  const auto rank = [&](const Axis& axis) {
    return std::tuple(!axis.shares, along_one ? step(axis.number) : -axis.extent, axis.number);
  };
  absl::c_sort(axes, [&](const Axis& a, const Axis& b) { return rank(a) < rank(b); });
  if (along_one || axes.size() == 1) {
    schedule.tiles = {{axes[0].number, axes[0].AtMost(most)}};
    return;
  }
  double least = std::numeric_limits<double>::infinity();
  for (int64_t second = 1; second <= std::min(most, kMostTile); second++) {
    if (axes[1].AtMost(second) != second) continue;
    const int64_t first = axes[0].AtMost(most / second);
    const auto sums = static_cast<double>(first * second * schedule.vectors);
    const double cost = std::max(1.0, kBusySums / sums) *
                        (1 + kLoad * (axes[0].Loads(first) + axes[1].Loads(second)));
    if (cost >= least) continue;
    least = cost;
    // What the second one reads stays in registers while the first one's passes by.
    schedule.tiles = {{axes[1].number, second}, {axes[0].number, first}};
  }
}

Nest::Sums Nest::SumsOf() const {
  Sums sums;
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    sums.take_turns = sums.take_turns || level_.MayTakeTurns(node);
    if (node.kind() == Kind::kReduce) {
      sums.reduce_in_order = sums.reduce_in_order || node.As<ReduceAttributes>().order.chains == 1;
    }
    if (node.kind() != Kind::kContract) continue;
    const auto& contract = node.As<ContractAttributes>();
    sums.dtype = node.type().dtype;
    sums.contract_in_order = sums.contract_in_order || contract.order.chains == 1;
    sums.contract_in_chains = sums.contract_in_chains || contract.order.chains > 1;
    int64_t terms = 1;
    for (int64_t axis : contract.lhs_sum) {
      const Dim dim = ShapeOf(node.operands[0])[static_cast<size_t>(axis)];
      terms = Product(terms, LikelyExtent(dim));
    }
    sums.terms = std::max(sums.terms, terms);
  }
  return sums;
}

// Of the narrowest type that is computed or written.
int32_t Nest::LanesOfVector() const {
  int64_t element = 8;
  const auto see = [&](DType dtype) {
    if (dtype != kBool) element = std::min(element, SizeOf(dtype));
  };
  for (NodeId id : order_) see(level_.node(id).type().dtype);
  for (const Target& target : writes_) see(target.to.dtype);
  return static_cast<int32_t>(
      std::max<int64_t>(1, level_.lowering().machine.vector_bytes / element));
}

// Lanes are stored at distances that are known.
bool Nest::MayTakeLanes(int32_t axis, int32_t full) const {
  return absl::c_all_of(writes_, [&](const Target& target) {
    const Stride& stride = StrideIn(target.to, axis);
    return flat_ || (stride.reg == kNone && stride.panel % full == 0);
  });
}

// Sums of many chains have a register for each lane of the result. The more of them are joined at
// once, the fewer steps that takes (in 127 operations sixteen sums of 50 terms, in 68 eight):
// unless too many of them are nobody's, or the sums are long.
int32_t Nest::LanesOfChains(int64_t extent, int32_t full, const Sums& sums) {
  int32_t lanes = std::min(full, sums.terms > kLongSum ? kEnoughSums : kMostSums);
  while (lanes > kEnoughSums && RoundUp(extent, lanes) * 15 > RoundUp(extent, lanes / 2) * 16) {
    lanes /= 2;
  }
  return lanes;
}

// The lanes along this axis, the sums side by side that suit them.
Schedule Nest::Along(int32_t axis, int32_t full, const Sums& sums) const {
  const Machine& machine = level_.lowering().machine;
  const Dim dim = domain_[static_cast<size_t>(axis)];
  const int32_t lanes =
      sums.contract_in_chains ? LanesOfChains(LikelyExtent(dim), full, sums) : full;
  Schedule schedule{.lane_axis = axis, .lanes = lanes};
  const int64_t vectors = (LikelyExtent(dim) - 1) / lanes + 1;
  if (!sums.contract_in_order) {
    const int64_t most = sums.reduce_in_order ? kMostVectors : 2;
    if (dim.is_static() && vectors <= most) schedule.vectors = vectors;
    if (sums.reduce_in_order && schedule.vectors == 1) {
      ChooseTiles(kFewSums, true, schedule);
    } else if (sums.contract_in_chains) {
      const int64_t widest = std::bit_ceil(static_cast<uint64_t>(LikelyExtent(dim)));
      const auto at_once = static_cast<int32_t>(std::min<int64_t>(widest, lanes));
      ChooseTiles(PointsAtOnce(machine, {.chains = kManyChains}, sums.dtype, at_once, sums.terms),
                  false, schedule);
    }
    return schedule;
  }
  // Accumulators for half of the registers or more, so that the sums do not wait for each other.
  if (dim.is_static()) schedule.vectors = std::min(vectors, kMostVectors);
  // Results of short sums go to memory as fast as that takes them.
  const bool is_short = sums.terms < kShortSum;
  int64_t few = domain_.size() > 2 ? 2 * kFewSums : kFewSums;
  if (is_short && axis == 0 && level_.HasInstances(ShapeOf(order_.front()))) {
    // Instances share no weights: those of a tile stay in registers while the rows pass by.
    few = std::min(few, machine.vector_registers / 2 / (sums.terms + 1));
    schedule.tiles_outside = true;
  }
  const int64_t most = is_short ? few : machine.vector_registers * 3 / 4;
  ChooseTiles(most / schedule.vectors, is_short, schedule);
  if (!dim.is_static() && MayOverrun(axis)) {
    // Few sums wait for each other's additions: those of more vectors come in between.
    int64_t sums_at_once = 1;
    for (const Schedule::Tile& tile : schedule.tiles) sums_at_once *= tile.size;
    const int64_t rows = RoundUp(level_.BoundOf(dim), kRowMultiple);
    while (sums_at_once * schedule.vectors < kFewSums && 2 * schedule.vectors <= kMostVectors &&
           rows % (2 * schedule.vectors * lanes) == 0) {
      schedule.vectors *= 2;
    }
  }
  return schedule;
}

std::vector<Schedule> Nest::Candidates() const {
  if (IsDoneOnce()) return {{}};
  const Sums sums = SumsOf();
  const int32_t full = LanesOfVector();
  std::vector<Schedule> candidates;
  for (size_t i = 0; i < domain_.size() && candidates.size() < kMostCandidates; i++) {
    const auto axis = static_cast<int32_t>(i);
    if (LikelyExtent(domain_[i]) < 2 || !MayTakeLanes(axis, full)) continue;
    candidates.push_back(Along(axis, full, sums));
    // Copies for schedules that are not chosen must not be allocated while the program runs.
    const bool bounded = absl::c_all_of(domain_, [&](Dim dim) { return level_.BoundOf(dim) >= 0; });
    if (!sums.take_turns || sums.contract_in_order || !bounded) continue;
    // All lanes hold results.
    Schedule in_turn = {.lane_axis = axis, .lanes = full, .turns = true};
    ChooseTiles(level_.lowering().machine.vector_registers * 3 / 8, false, in_turn);
    candidates.push_back(in_turn);
  }
  // Elements that lie anywhere are as well collected one by one.
  const bool gathers =
      absl::c_any_of(order_, [&](NodeId id) { return level_.node(id).kind() == Kind::kGather; });
  if (candidates.empty() || gathers) {
    Schedule scalar;
    for (size_t axis = 0; axis < domain_.size(); axis++) {
      if (domain_[axis].is_static() && domain_[axis].value() <= kFewSums) {
        scalar.tiles = {{static_cast<int32_t>(axis), domain_[axis].value()}};
      }
    }
    candidates.push_back(scalar);
  }
  return candidates;
}

std::optional<Schedule> Nest::ScheduleToJoin() const {
  const int32_t lanes = LanesOfVector();
  for (NodeId id : order_) {
    const JoinPlan* const plan = level_.JoinPlanFor(id);
    if (plan != nullptr && domain_ == ShapeOf(id) && plan->lanes == lanes &&
        MayTakeLanes(0, lanes)) {
      return Schedule{.lane_axis = 0,
                      .lanes = lanes,
                      .vectors = plan->vectors,
                      .tiles = {{JoinPlan::kOuter, plan->tile}},
                      .tiles_outside = true};
    }
  }
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() != Kind::kReduce && node.kind() != Kind::kContract) continue;
    for (size_t k = 0; k < node.operands.size(); k++) {
      const JoinPlan* const plan = level_.JoinPlanFor(node.operands[k]);
      if (plan == nullptr || plan->lanes != lanes || !MayTakeLanes(0, lanes)) continue;
      // One tile goes over all of what is not the outer loop's.
      const int32_t outer = ResultAxisOf(node, k, ShapeOf(node.operands[k]), JoinPlan::kOuter);
      Schedule schedule{.lane_axis = 0, .lanes = lanes, .vectors = plan->vectors, .unrolls = false};
      for (size_t axis = 1; axis < domain_.size(); axis++) {
        const auto number = static_cast<int32_t>(axis);
        const bool is_outer = AxisIn(node.type().shape, number) == outer;
        schedule.tiles.push_back({number, is_outer ? plan->tile : domain_[axis].value()});
      }
      return schedule;
    }
  }
  return std::nullopt;
}

}  // namespace talweg::loops
