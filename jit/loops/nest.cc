#include "jit/loops/nest.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "absl/algorithm/container.h"

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
// A run-time extent without a bound counts as so many.
constexpr int64_t kTypicalRows = 256;

int32_t PowerOfTwoFrom(int64_t n) {
  int32_t power = 1;
  while (power < n) power *= 2;
  return power;
}

}  // namespace

Nest::Nest(Level& level, std::string label, const Shape& shape)
    : level_(level), b_(level.b()), label_(std::move(label)), domain_(DomainOf(shape)) {}

// ---- Preparation

// Where all values lie in memory alike, without gaps, the domain may be walked as one axis.
void Nest::Flatten() {
  if (domain_.size() < 2 || !IsStatic(domain_)) return;
  std::optional<std::vector<Stride>> strides;
  const Shape* shape = nullptr;
  const auto same = [&](const Tensor& tensor) {
    if (!strides.has_value()) {
      strides = tensor.strides;
      shape = &tensor.shape;
      int64_t reach = 1, size = 1;
      for (size_t axis = 0; axis < tensor.shape.size(); axis++) {
        if (tensor.strides[axis].reg != kNone) return false;
        const int64_t extent = tensor.shape[axis].value();
        size *= extent;
        reach += (extent - 1) * tensor.strides[axis].factor;
      }
      return reach == size;
    }
    return tensor.strides == *strides && tensor.shape == *shape;
  };
  for (const Target& target : writes_) {
    if (!members_.contains(target.id) || !same(target.to)) return;
  }
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() != Kind::kMap) return;
    for (NodeId operand : node.operands) {
      if (members_.contains(operand)) continue;
      const Node& from = level_.node(operand);
      const bool scalar =
          from.kind() == Kind::kView && level_.node(from.operands[0]).type().shape.empty();
      const bool splat = from.kind() == Kind::kConstant && !level_.HasTensor(operand);
      if (scalar || splat) continue;
      if (!level_.HasTensor(operand) || !same(level_.tensor(operand))) return;
    }
  }
  int64_t size = 1;
  for (Dim dim : domain_) size *= dim.value();
  domain_ = {size};
  flat_ = true;
}

// A sum by many chains, or in blocks, counts its terms along one axis: where there are several, or
// where the lanes would have to collect the terms from afar, they are laid side by side.
void Nest::PrepareTerms() {
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() != Kind::kReduce && node.kind() != Kind::kContract) continue;
    const bool is_contract = node.kind() == Kind::kContract;
    const Order order =
        is_contract ? node.As<ContractAttributes>().order : node.As<ReduceAttributes>().order;
    const std::vector<int64_t>& axes =
        is_contract ? node.As<ContractAttributes>().lhs_sum : node.As<ReduceAttributes>().axes;
    int64_t most = 1;
    for (int64_t axis : axes) {
      const int64_t bound = level_.BoundOf(ShapeOf(node.operands[0])[static_cast<size_t>(axis)]);
      most = bound < 0 || most < 0 ? -1 : most * bound;
    }
    const bool in_blocks = order.block != 0 && (most < 0 || most > order.block);
    if (order.chains == 1 && !in_blocks) continue;
    bool far = false;
    if (is_contract) {
      for (size_t k = 0; k < 2; k++) {
        const auto& sum =
            k == 0 ? node.As<ContractAttributes>().lhs_sum : node.As<ContractAttributes>().rhs_sum;
        const auto tensor = level_.AsTensor(node.operands[k]);
        far = far || sum.size() != 1 || !tensor.has_value() ||
              tensor->strides[static_cast<size_t>(sum[0])] != Stride{1};
      }
    }
    if (axes.size() != 1 || far) terms_.push_back({id, FlatTerms(id)});
  }
}

std::vector<Tensor> Nest::FlatTerms(NodeId id) {
  const Node& node = level_.node(id);
  std::vector<Tensor> flat;
  for (size_t k = 0; k < node.operands.size(); k++) {
    const NodeId operand = node.operands[k];
    const Shape& shape = ShapeOf(operand);
    std::vector<int64_t> batch, sum;
    if (node.kind() == Kind::kReduce) {
      sum = node.As<ReduceAttributes>().axes;
    } else {
      const auto& contract = node.As<ContractAttributes>();
      batch = k == 0 ? contract.lhs_batch : contract.rhs_batch;
      sum = k == 0 ? contract.lhs_sum : contract.rhs_sum;
    }
    std::vector<int64_t> kept = batch;
    for (int64_t axis = 0; axis < static_cast<int64_t>(shape.size()); axis++) {
      if (!absl::c_linear_search(batch, axis) && !absl::c_linear_search(sum, axis)) {
        kept.push_back(axis);
      }
    }
    // The stride of the terms, where they lie evenly.
    const auto step_of = [&](const Tensor& tensor) -> std::optional<Stride> {
      std::optional<Stride> step;
      Stride expected;
      for (size_t i = sum.size(); i-- > 0;) {
        const auto axis = static_cast<size_t>(sum[i]);
        if (shape[axis] == Dim(1)) continue;
        const Stride& stride = tensor.strides[axis];
        if (!step.has_value()) {
          step = stride;
        } else if (stride != expected) {
          return std::nullopt;
        }
        if (stride.reg != kNone) return std::nullopt;
        const Bound extent = level_.ExtentOf(shape[axis]);
        if (extent.reg == kNone) {
          expected = {stride.factor * extent.value};
        } else {
          expected = {stride.factor, extent.reg};
        }
      }
      return step.value_or(Stride{1});
    };
    std::optional<Tensor> tensor = level_.AsTensor(operand);
    std::optional<Stride> step;
    if (tensor.has_value()) step = step_of(*tensor);
    if (!step.has_value() || (*step != Stride{1} && node.kind() == Kind::kContract)) {
      std::vector<int32_t> order;
      for (int64_t axis : kept) order.push_back(static_cast<int32_t>(axis));
      for (int64_t axis : sum) order.push_back(static_cast<int32_t>(axis));
      tensor = level_.CopyOf(operand, std::move(order), /*exact=*/true);
      step = Stride{1};  // the terms lie innermost, without gaps
    }
    Tensor out = *tensor;
    out.padded_axis = -1;
    out.shape.clear();
    out.strides.clear();
    for (int64_t axis : kept) {
      out.shape.push_back(shape[static_cast<size_t>(axis)]);
      out.strides.push_back(tensor->strides[static_cast<size_t>(axis)]);
    }
    // The extent of the terms is known to whoever sums them; here it is only not a symbol.
    out.shape.push_back(sum.size() == 1 ? shape[static_cast<size_t>(sum[0])] : Dim(2));
    out.strides.push_back(*step);
    flat.push_back(std::move(out));
  }
  return flat;
}

int32_t Nest::AxisIn(const Shape& shape, int32_t domain_axis) {
  int32_t count = 0;
  for (size_t axis = 0; axis < shape.size(); axis++) {
    if (shape[axis] == Dim(1)) continue;
    if (count++ == domain_axis) return static_cast<int32_t>(axis);
  }
  return -1;
}

// Operands of a contraction that are read again and again with the lanes far apart are copied
// before, with the lane axis innermost.
void Nest::PrepareLanes(const Schedule& schedule, std::vector<std::pair<NodeId, Tensor>>& copies) {
  if (schedule.lane_axis < 0) return;
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() != Kind::kContract) continue;
    const auto& contract = node.As<ContractAttributes>();
    if (contract.order.chains != 1) continue;
    const int32_t axis = AxisIn(node.type().shape, schedule.lane_axis);
    const size_t batch = contract.lhs_batch.size();
    if (axis < static_cast<int32_t>(batch)) continue;
    // Which axis of which operand that is.
    auto rest = static_cast<size_t>(axis) - batch;
    for (size_t k = 0; k < 2; k++) {
      const auto& batch_axes = k == 0 ? contract.lhs_batch : contract.rhs_batch;
      const auto& sum_axes = k == 0 ? contract.lhs_sum : contract.rhs_sum;
      const Shape& shape = ShapeOf(node.operands[k]);
      std::vector<int32_t> kept;
      for (int32_t a = 0; a < static_cast<int32_t>(shape.size()); a++) {
        if (!absl::c_linear_search(batch_axes, a) && !absl::c_linear_search(sum_axes, a)) {
          kept.push_back(a);
        }
      }
      if (rest >= kept.size()) {
        rest -= kept.size();
        continue;
      }
      const int32_t lane = kept[rest];
      const auto tensor = level_.AsTensor(node.operands[k]);
      if (!tensor.has_value() || tensor->strides[static_cast<size_t>(lane)] == Stride{1}) break;
      // How often each element is read.
      const Shape& other = ShapeOf(node.operands[1 - k]);
      int64_t reuse = 1;
      for (size_t a = 0; a < other.size(); a++) {
        const auto& other_batch = k == 0 ? contract.rhs_batch : contract.lhs_batch;
        const auto& other_sum = k == 0 ? contract.rhs_sum : contract.lhs_sum;
        if (absl::c_linear_search(other_batch, static_cast<int64_t>(a)) ||
            absl::c_linear_search(other_sum, static_cast<int64_t>(a))) {
          continue;
        }
        const int64_t bound = level_.BoundOf(other[a]);
        reuse *= bound < 0 ? kTypicalRows : std::min<int64_t>(bound, 1 << 20);
      }
      if (reuse < 4) break;
      std::vector<int32_t> order;
      for (int32_t a = 0; a < static_cast<int32_t>(shape.size()); a++) {
        if (a != lane) order.push_back(a);
      }
      order.push_back(lane);
      copies.push_back({node.operands[k], level_.CopyOf(node.operands[k], std::move(order))});
      break;
    }
  }
}

// Whether indices past the end of a run-time axis may be read: everything along it lies in rounded
// memory of our own.
bool Nest::MayOverrun(int32_t axis) const {
  const Dim dim = domain_[static_cast<size_t>(axis)];
  if (dim.is_static() || level_.BoundOf(dim) < 0) return false;
  std::vector<NodeId> rest;
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() == Kind::kGather) return false;
    rest.insert(rest.end(), node.operands.begin(), node.operands.end());
  }
  for (const Target& target : writes_) {
    if (target.id >= 0 && !members_.contains(target.id)) rest.push_back(target.id);
    if (!target.to.internal) return false;
  }
  while (!rest.empty()) {
    const NodeId id = rest.back();
    rest.pop_back();
    if (members_.contains(id) || level_.RegisterOf(id).has_value()) continue;
    const Node& node = level_.node(id);
    if (node.type().shape.empty()) continue;
    if (const auto tensor = level_.AsTensor(id)) {
      for (size_t a = 0; a < tensor->shape.size(); a++) {
        const bool runs = tensor->shape[a] == dim && tensor->strides[a] != Stride();
        if (runs && !tensor->internal) return false;
      }
      continue;
    }
    if (node.kind() == Kind::kIota || node.kind() == Kind::kConstant) continue;
    if (node.kind() != Kind::kMap && node.kind() != Kind::kCustom) {
      if (node.kind() != Kind::kView) return false;
      if (absl::c_linear_search(level_.node(node.operands[0]).type().shape, dim)) return false;
    }
    rest.insert(rest.end(), node.operands.begin(), node.operands.end());
  }
  return true;
}

// ---- Choice

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

std::vector<Schedule> Nest::Candidates() const {
  if (IsDoneOnce()) return {{}};
  const Machine& machine = level_.lowering().machine;
  int64_t element = 8;
  bool has_chain = false, has_chains = false;
  int64_t terms = 0;  // of the longest sum
  const auto see = [&](DType dtype) {
    if (dtype != kBool) element = std::min(element, SizeOf(dtype));
  };
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    see(node.type().dtype);
    if (node.kind() == Kind::kContract) {
      const auto& contract = node.As<ContractAttributes>();
      has_chain = has_chain || contract.order.chains == 1;
      has_chains = has_chains || contract.order.chains > 1;
      int64_t count = 1;
      for (int64_t axis : contract.lhs_sum) {
        const int64_t bound = level_.BoundOf(ShapeOf(node.operands[0])[static_cast<size_t>(axis)]);
        count *= bound < 0 ? kTypicalRows : std::min<int64_t>(bound, 1 << 20);
      }
      terms = std::max(terms, count);
    }
  }
  for (const Target& target : writes_) see(target.to.dtype);
  auto lanes = static_cast<int32_t>(std::max<int64_t>(1, machine.vector_bytes / element));
  // Sums of many chains have a register for each lane of the result.
  if (has_chains) lanes = std::min(lanes, kMostSums);
  const auto extent = [&](size_t axis) {
    const int64_t bound = level_.BoundOf(domain_[axis]);
    return bound < 0 ? kTypicalRows : bound;
  };
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
      int64_t most = 1;
      for (size_t other = 0; other < domain_.size(); other++) {
        if (other == axis || extent(other) <= most) continue;
        most = extent(other);
        schedule.tile_axis = static_cast<int32_t>(other);
      }
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
    } else if (known && vectors <= 2) {
      schedule.vectors = vectors;
    }
    candidates.push_back(schedule);
    if (candidates.size() == 4) break;
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

void Nest::Emit() {
  for (Dim dim : domain_) {
    if (dim == Dim(0)) return;
  }
  Flatten();
  PrepareTerms();
  const std::vector<Schedule> candidates = Candidates();
  size_t best = 0;
  if (candidates.size() > 1) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < candidates.size(); i++) {
      copies_.clear();
      const size_t before = b_.Position();
      PrepareLanes(candidates[i], copies_);
      EmitWith(candidates[i]);
      double cost = 0;
      for (const Section& section : b_.TakeSections(before)) {
        cost += CostOf(b_.program(), section, level_.lowering().machine);
      }
      if (cost < least) {
        least = cost;
        best = i;
      }
    }
  }
  copies_.clear();
  PrepareLanes(candidates[best], copies_);
  EmitWith(candidates[best]);
}

// ---- Emission

void Nest::EmitWith(const Schedule& schedule) {
  Reader reader(level_, members_);
  for (const auto& [id, tensor] : copies_) reader.Override(id, tensor);
  for (const auto& [id, tensor] : from_) reader.Override(id, tensor);
  for (const auto& [id, tensors] : terms_) reader.SetTerms(id, tensors);
  reader_ = &reader;
  b_.OpenSection(label_, IsDoneOnce());
  Indices at(domain_.size());
  LoopOver(schedule, 0, at);
  b_.CloseSection();
  reader_ = nullptr;
}

void Nest::LoopOver(const Schedule& schedule, size_t axis, Indices& at) {
  if (axis == domain_.size()) return LoopOverTile(schedule, at);
  const auto number = static_cast<int32_t>(axis);
  if (number == schedule.lane_axis || number == schedule.tile_axis) {
    return LoopOver(schedule, axis + 1, at);
  }
  const Builder::Loop loop = b_.OpenFor({.value = 0}, level_.ExtentOf(domain_[axis]), 1);
  reader_->Open();
  at[axis] = {loop.variable};
  LoopOver(schedule, axis + 1, at);
  reader_->Close();
  b_.CloseFor();
}

void Nest::LoopOverTile(const Schedule& schedule, Indices& at) {
  if (schedule.tile_axis < 0) return LoopOverLanes(schedule, {at}, false);
  const auto axis = static_cast<size_t>(schedule.tile_axis);
  const Bound extent = level_.ExtentOf(domain_[axis]);
  const auto tiles = [&](Register first, int64_t count, bool clamp) {
    std::vector<Indices> all;
    const Register last = clamp ? b_.Plus(extent.reg, -1) : kNone;
    for (int64_t i = 0; i < count; i++) {
      Indices here = at;
      Register index = b_.Plus(first, i);
      // The last row again, where there are no more: it is computed twice, to the same bits.
      if (clamp && i > 0) index = b_.Binary(Opcode::kMin, index, last);
      here[axis] = {index};
      all.push_back(std::move(here));
    }
    return all;
  };
  if (extent.reg != kNone) {
    const bool clamp = schedule.tile > 1 && !MayOverrun(schedule.tile_axis);
    const Builder::Loop loop = b_.OpenFor({.value = 0}, extent, schedule.tile);
    reader_->Open();
    LoopOverLanes(schedule, tiles(loop.variable, schedule.tile, clamp), clamp);
    reader_->Close();
    b_.CloseFor();
    return;
  }
  const int64_t whole = extent.value / schedule.tile * schedule.tile;
  if (whole > 0) {
    const Builder::Loop loop = b_.OpenFor({.value = 0}, {.value = whole}, schedule.tile);
    reader_->Open();
    LoopOverLanes(schedule, tiles(loop.variable, schedule.tile, false), false);
    reader_->Close();
    b_.CloseFor();
  }
  if (whole < extent.value) {
    reader_->Open();
    LoopOverLanes(schedule, tiles(b_.Index(whole), extent.value - whole, false), false);
    reader_->Close();
  }
}

void Nest::LoopOverLanes(const Schedule& schedule, const std::vector<Indices>& tiles,
                         bool clamped) {
  std::vector<Point> points;
  // A vector of each tile from `first` on.
  const auto add = [&](Register first, int32_t lanes, Register count) {
    const Register active = count == kNone ? kNone : b_.Below(count, lanes);
    for (const Indices& tile : tiles) {
      Point point{.at = tile, .lanes = lanes, .active = active, .flat = false};
      if (lanes > 1) {
        point.at[static_cast<size_t>(schedule.lane_axis)] = {first, 1, kNone};
      } else {
        point.at[static_cast<size_t>(schedule.lane_axis)] = {first};
      }
      if (active != kNone) point.count = count;
      points.push_back(std::move(point));
    }
  };
  if (schedule.lane_axis < 0) {
    for (const Indices& tile : tiles) points.push_back({.at = tile});
    return Body(points, tiles.size(), clamped);
  }
  const auto axis = static_cast<size_t>(schedule.lane_axis);
  const Bound extent = level_.ExtentOf(domain_[axis]);
  if (extent.reg != kNone) {
    const Builder::Loop loop = b_.OpenFor({.value = 0}, extent, schedule.lanes);
    reader_->Open();
    add(loop.variable, schedule.lanes, b_.Sub(extent.reg, loop.variable));
    if (MayOverrun(schedule.lane_axis)) {
      for (Point& point : points) point.count = kNone;
    }
    Body(points, tiles.size(), clamped);
    reader_->Close();
    b_.CloseFor();
    return;
  }
  // Full vectors in a loop or written out, then what is left in narrower ones.
  const int64_t full = extent.value / schedule.lanes, rest = extent.value % schedule.lanes;
  const bool all = full + (rest > 0) <= schedule.vectors;
  const int64_t looped = all ? 0 : full / schedule.vectors * schedule.vectors;
  if (looped > 0) {
    const Builder::Loop loop = b_.OpenFor({.value = 0}, {.value = looped * schedule.lanes},
                                          schedule.vectors * schedule.lanes);
    reader_->Open();
    for (int64_t v = 0; v < schedule.vectors; v++) {
      add(b_.Plus(loop.variable, v * schedule.lanes), schedule.lanes, kNone);
    }
    Body(points, tiles.size(), clamped);
    reader_->Close();
    b_.CloseFor();
    points.clear();
  }
  for (int64_t v = looped; v < full; v++) {
    add(b_.Index(v * schedule.lanes), schedule.lanes, kNone);
  }
  if (rest > 0) {
    const int32_t lanes = PowerOfTwoFrom(rest);
    const Register first = b_.Index(full * schedule.lanes);
    add(first, lanes, lanes == rest ? kNone : b_.Index(rest));
  }
  if (points.empty()) return;
  reader_->Open();
  Body(points, tiles.size(), clamped);
  reader_->Close();
}

Point Nest::InShape(const Shape& shape, const Point& domain_point) const {
  Point point = domain_point;
  if (flat_) {
    point.flat = true;
    return point;
  }
  point.at.clear();
  size_t next = 0;
  for (Dim dim : shape) {
    point.at.push_back(dim == Dim(1) ? Index{b_.Index(0)} : domain_point.at[next++]);
  }
  return point;
}

void Nest::Body(const std::vector<Point>& all, size_t tiles, bool clamped) {
  // What the fewer of tiles and vectors read stays in registers while the others pass by: vectors
  // by tiles become tiles by vectors where these are fewer.
  std::vector<Point> points = all;
  const size_t vectors = points.size() / tiles;
  if (vectors < tiles) {
    for (size_t i = 0; i < points.size(); i++) points[i] = all[i % vectors * tiles + i / vectors];
  }
  for (NodeId id : order_) {
    const Kind kind = level_.node(id).kind();
    if (kind != Kind::kReduce && kind != Kind::kContract) continue;
    std::vector<Point> at;
    for (const Point& point : points) at.push_back(InShape(ShapeOf(id), point));
    reader_->Reduce(id, at);
  }
  // Points one after the other, but where two of them may be the same: what is overwritten must
  // have been read by both.
  struct Done {
    const Target* target;
    Point at;
    Register value;
  };
  std::vector<Done> done;
  for (const Point& point : points) {
    for (const Target& target : writes_) {
      const Point at = InShape(target.to.shape, point);
      const Register value =
          target.id >= 0 ? reader_->Value(target.id, at) : b_.Constant(target.to.dtype, 0);
      done.push_back({&target, at, value});
    }
    if (clamped) continue;
    for (const Done& d : done) reader_->Store(d.target->to, d.at, d.value);
    done.clear();
  }
  for (const Done& d : done) reader_->Store(d.target->to, d.at, d.value);
}

}  // namespace talweg::loops
