// A nest's loops in one schedule.

#include <utility>

#include "absl/algorithm/container.h"
#include "jit/loops/nest.h"

namespace talweg::loops {
namespace {

int32_t PowerOfTwoFrom(int64_t n) {
  int32_t power = 1;
  while (power < n) power *= 2;
  return power;
}

}  // namespace

void Nest::EmitWith(const Schedule& schedule) {
  Reader reader(level_, members_, schedule.turns, schedule.unrolls);
  for (const auto& [id, tensor] : copies_) reader.Override(id, tensor);
  for (const auto& [id, tensor] : from_) reader.Override(id, tensor);
  for (const auto& [id, tensors] : terms_) reader.SetTerms(id, tensors);
  reader_ = &reader;
  b_.OpenSection(label_, IsDoneOnce());
  LoopOverPanels(schedule);
  b_.CloseSection();
  reader_ = nullptr;
}

// Each point is computed by itself.
Builder::Loop Nest::OpenDomain(Bound begin, Bound end, int64_t step) {
  const Builder::Loop loop = b_.OpenFor(begin, end, step);
  over_domain_.insert(loop.variable);
  return loop;
}

// Where what is written is cut into panels along the lane axis, one panel after the other: so that
// it is written as it lies.
void Nest::LoopOverPanels(const Schedule& schedule) {
  first_lane_ = b_.Index(0);
  if (schedule.lane_axis < 0) return LoopOverAll(schedule);
  const Dim dim = domain_[static_cast<size_t>(schedule.lane_axis)];
  lane_extent_ = level_.ExtentOf(dim);
  int64_t panel = 0;
  if (!flat_ && !writes_.empty()) {
    panel = StrideIn(writes_[0].to, schedule.lane_axis).panel;
  }
  if (panel == 0 || !dim.is_static() || dim.value() % panel != 0) {
    return LoopOverAll(schedule);
  }
  first_lane_ = OpenDomain({.value = 0}, lane_extent_, panel).variable;
  lane_extent_ = {.value = panel};
  reader_->Open();
  LoopOverAll(schedule);
  reader_->Close();
  b_.CloseFor();
}

void Nest::LoopOverAll(const Schedule& schedule) {
  const Indices at(domain_.size());
  if (schedule.tiles_outside) {
    LoopOverTiles(schedule, 0, {at}, false);
  } else {
    LoopOver(schedule, 0, {at}, false);
  }
}

void Nest::LoopOver(const Schedule& schedule, size_t axis, std::vector<Indices> at, bool clamped) {
  if (axis == domain_.size()) {
    return schedule.tiles_outside ? LoopOverLanes(schedule, at, clamped)
                                  : LoopOverTiles(schedule, 0, at, clamped);
  }
  const auto number = static_cast<int32_t>(axis);
  const bool in_tile = absl::c_any_of(
      schedule.tiles, [&](const Schedule::Tile& tile) { return tile.axis == number; });
  if (number == schedule.lane_axis || in_tile) {
    return LoopOver(schedule, axis + 1, std::move(at), clamped);
  }
  const Builder::Loop loop = OpenDomain({.value = 0}, level_.ExtentOf(domain_[axis]), 1);
  reader_->Open();
  for (Indices& each : at) each[axis] = {loop.variable};
  LoopOver(schedule, axis + 1, std::move(at), clamped);
  reader_->Close();
  b_.CloseFor();
}

void Nest::LoopOverTiles(const Schedule& schedule, size_t tile, const std::vector<Indices>& at,
                         bool clamped) {
  if (tile == schedule.tiles.size()) {
    return schedule.tiles_outside ? LoopOver(schedule, 0, at, clamped)
                                  : LoopOverLanes(schedule, at, clamped);
  }
  const int64_t size = schedule.tiles[tile].size;
  const auto axis = static_cast<size_t>(schedule.tiles[tile].axis);
  const Bound extent = level_.ExtentOf(domain_[axis]);
  const bool clamp = extent.reg != kNone && size > 1 && !MayOverrun(static_cast<int32_t>(axis));
  // At `count` points from `first` on.
  const auto inside = [&](Register first, int64_t count) {
    reader_->Open();
    std::vector<Indices> all;
    const Register last = clamp ? b_.Plus(extent.reg, -1) : kNone;
    for (int64_t i = 0; i < count; i++) {
      Register index = b_.Plus(first, i);
      // The last row again, where there are no more: it is computed twice, to the same bits.
      if (clamp && i > 0) index = b_.Binary(Opcode::kMin, index, last);
      for (const Indices& outer : at) {
        all.push_back(outer);
        all.back()[axis] = {index};
      }
    }
    LoopOverTiles(schedule, tile + 1, all, clamped || clamp);
    reader_->Close();
  };
  // What is left of a known extent is a smaller tile.
  const int64_t whole = extent.reg == kNone ? extent.value / size * size : 0;
  if (extent.reg != kNone || whole > 0) {
    const Bound end = extent.reg == kNone ? Bound{.value = whole} : extent;
    inside(OpenDomain({.value = 0}, end, size).variable, size);
    b_.CloseFor();
  }
  if (whole < extent.value) inside(b_.Index(whole), extent.value - whole);
}

void Nest::LoopOverLanes(const Schedule& schedule, const std::vector<Indices>& tiles,
                         bool clamped) {
  std::vector<Point> points;
  // A vector of each tile from `first` on.
  const auto add = [&](Register first, int32_t lanes, Register count) {
    first = b_.Add(first_lane_, first);
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
  const Bound extent = lane_extent_;
  if (extent.reg != kNone) {
    const Builder::Loop loop = OpenDomain({.value = 0}, extent, schedule.vectors * schedule.lanes);
    reader_->Open();
    for (int64_t v = 0; v < schedule.vectors; v++) {
      const Register first = b_.Plus(loop.variable, v * schedule.lanes);
      add(first, schedule.lanes, b_.Sub(extent.reg, first));
    }
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
    const Builder::Loop loop = OpenDomain({.value = 0}, {.value = looped * schedule.lanes},
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
  if (!flat_) return PointIn(b_, shape, domain_point);
  Point point = domain_point;
  point.flat = true;
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
