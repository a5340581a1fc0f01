// Which schedules of a nest are worth a try.

#include <algorithm>
#include <bit>

#include "absl/algorithm/container.h"
#include "jit/loops/nest.h"

namespace talweg::loops {
namespace {

// Vectors of a lane axis that are written out side by side, and accumulators of a tile, at most.
constexpr int64_t kMostVectors = 4;
constexpr int64_t kMostTile = 8;
// A sum of fewer terms does not make others wait: these many side by side are enough.
constexpr int64_t kShortSum = 8;
constexpr int64_t kFewSums = 4;
constexpr int32_t kMostSums = 8;
// What is done once for so few elements is done one by one.
constexpr int64_t kFewElements = 4096;
constexpr size_t kMostCandidates = 4;

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

int64_t Nest::TileAxis(Schedule& schedule) const {
  int64_t most = 1;
  for (size_t axis = 0; axis < domain_.size(); axis++) {
    const int64_t extent = LikelyExtent(domain_[axis]);
    if (static_cast<int32_t>(axis) == schedule.lane_axis || extent <= most) continue;
    most = extent;
    schedule.tile_axis = static_cast<int32_t>(axis);
  }
  return most;
}

std::vector<Schedule> Nest::Candidates() const {
  if (IsDoneOnce()) return {{}};
  const Machine& machine = level_.lowering().machine;
  int64_t element = 8;
  bool has_chain = false, has_chains = false, takes_turns = false, sums_in_order = false;
  int64_t terms = 0;  // of the longest sum
  const auto see = [&](DType dtype) {
    if (dtype != kBool) element = std::min(element, SizeOf(dtype));
  };
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    see(node.type().dtype);
    takes_turns = takes_turns || level_.MayTakeTurns(node);
    if (node.kind() == Kind::kReduce) {
      sums_in_order = sums_in_order || node.As<ReduceAttributes>().order.chains == 1;
    }
    if (node.kind() == Kind::kContract) {
      const auto& contract = node.As<ContractAttributes>();
      has_chain = has_chain || contract.order.chains == 1;
      has_chains = has_chains || contract.order.chains > 1;
      int64_t count = 1;
      for (int64_t axis : contract.lhs_sum) {
        const Dim dim = ShapeOf(node.operands[0])[static_cast<size_t>(axis)];
        count *= std::min<int64_t>(LikelyExtent(dim), 1 << 20);
      }
      terms = std::max(terms, count);
    }
  }
  for (const Target& target : writes_) see(target.to.dtype);
  const auto full = static_cast<int32_t>(std::max<int64_t>(1, machine.vector_bytes / element));
  int32_t lanes = full;
  // Sums of many chains have a register for each lane of the result.
  if (has_chains) lanes = std::min(lanes, kMostSums);
  const auto extent = [&](size_t axis) { return LikelyExtent(domain_[axis]); };
  std::vector<Schedule> candidates;
  for (size_t axis = 0; axis < domain_.size(); axis++) {
    if (extent(axis) < 2) continue;
    // Lanes are stored at distances that are known.
    const bool even = absl::c_all_of(writes_, [&](const Target& target) {
      const auto at = static_cast<size_t>(AxisIn(target.to.shape, static_cast<int32_t>(axis)));
      return flat_ || target.to.strides[at].reg == kNone;
    });
    if (!even) continue;
    Schedule schedule{.lane_axis = static_cast<int32_t>(axis), .lanes = lanes};
    const int64_t vectors = (extent(axis) + lanes - 1) / lanes;
    const bool known = domain_[axis].is_static();
    if (has_chain) {
      // Accumulators for half of the registers or more, so that the sums do not wait for each
      // other.
      if (known) schedule.vectors = std::min(vectors, kMostVectors);
      const int64_t most = TileAxis(schedule);
      const int64_t registers = std::max<int64_t>(1, lanes * element / machine.vector_bytes);
      const int64_t sums = terms < kShortSum ? kFewSums : machine.vector_registers * 3 / 4;
      if (schedule.tile_axis >= 0) {
        schedule.tile = std::clamp<int64_t>(sums / (schedule.vectors * registers), 1,
                                            std::min<int64_t>(most, kMostTile));
        // Rows past the last one are there up to a multiple of a power of two.
        if (!domain_[static_cast<size_t>(schedule.tile_axis)].is_static()) {
          schedule.tile =
              static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(schedule.tile)));
        }
      }
    } else if (known && vectors <= (sums_in_order ? kMostVectors : 2)) {
      schedule.vectors = vectors;
    }
    candidates.push_back(schedule);
    // Copies for schedules that are not chosen must not be allocated while the program runs.
    const bool bounded = absl::c_all_of(domain_, [&](Dim dim) { return level_.BoundOf(dim) >= 0; });
    if (takes_turns && !has_chain && bounded) {
      // All lanes hold results.
      schedule.lanes = full;
      schedule.vectors = 1;
      schedule.turns = true;
      const int64_t most = TileAxis(schedule);
      schedule.tile =
          std::clamp<int64_t>(machine.vector_registers / 4, 1, std::min(most, kMostTile));
      candidates.push_back(schedule);
    }
    if (candidates.size() >= kMostCandidates) break;
  }
  // Elements that lie anywhere are as well collected one by one.
  const bool gathers =
      absl::c_any_of(order_, [&](NodeId id) { return level_.node(id).kind() == Kind::kGather; });
  if (candidates.empty() || gathers) {
    Schedule scalar;
    for (size_t axis = 0; axis < domain_.size(); axis++) {
      if (domain_[axis].is_static() && domain_[axis].value() <= kFewSums) {
        scalar.tile_axis = static_cast<int32_t>(axis);
        scalar.tile = domain_[axis].value();
      }
    }
    candidates.push_back(scalar);
  }
  return candidates;
}

}  // namespace talweg::loops
