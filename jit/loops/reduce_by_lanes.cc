// Sums of many chains with a term in each lane: see reduce.cc.

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "jit/loops/reduce.h"

namespace talweg::loops {
namespace {

// Two shuffles and what combines them, in loads.
constexpr double kJoin = 3;
// Chains of fewer terms are over before it pays to share what they load.
constexpr int64_t kLongChain = 4;
// A number of terms that nobody knows is taken for this.
constexpr int64_t kManyTerms = int64_t{1} << 20;

int64_t RegistersOf(const Machine& machine, int32_t chains, DType dtype) {
  return std::max<int64_t>(1, chains / machine.Lanes(dtype));
}

// So many lanes of each point at a time: a power of two, whose chains are in registers.
int32_t LanesAtOnce(const Machine& machine, int32_t chains, DType dtype, int32_t lanes,
                    int64_t points) {
  // One point's leave room for what it is multiplied with, which nobody else shares.
  const int64_t room = points > 1 ? machine.vector_registers * 3 / 4 : machine.vector_registers / 2;
  const int64_t chains_of_lanes = RegistersOf(machine, chains, dtype) * points;
  int32_t at_once = 1;
  while (at_once < lanes && 2 * at_once <= chains && 2 * at_once * chains_of_lanes <= room) {
    at_once *= 2;
  }
  return at_once;
}

}  // namespace

int64_t PointsAtOnce(const Machine& machine, const Order& order, DType dtype, int32_t lanes,
                     int64_t terms) {
  if (terms < kLongChain * order.chains) return 1;
  const int64_t most = machine.vector_registers * 3 / 4 / RegistersOf(machine, order.chains, dtype);
  const double trips = static_cast<double>(terms) / order.chains;
  int64_t best = 1;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t points = 1; points <= most; points++) {
    const int64_t at_once = LanesAtOnce(machine, order.chains, dtype, lanes, points);
    if (points > 1 && at_once * points > most) continue;
    // In each trip a load for each lane and one for each point, for every product of the two; then
    // the tree that joins the chains of the lanes, level by level.
    const double loads = 1.0 / static_cast<double>(points) + 1.0 / static_cast<double>(at_once);
    int64_t joins = 0;
    for (int64_t level = order.chains, left = at_once; level > 1; level /= 2) {
      left = std::max<int64_t>(left / 2, 1);
      joins += left;
    }
    const double cost =
        trips * loads + kJoin * static_cast<double>(joins) / static_cast<double>(at_once);
    if (cost >= least) continue;
    least = cost;
    best = points;
  }
  return best;
}

// Points of equally many lanes together, where they share what they load.
Registers Reader::ByLanes(const Terms& terms, absl::Span<const Point> points) {
  const int64_t count = level_.MostTerms(*terms.node);
  Registers results(points.size(), kNone);
  for (size_t first = 0; first < points.size(); first++) {
    if (results[first] != kNone) continue;
    const int32_t lanes = points[first].lanes;
    const int64_t most = terms.is_contract()
                             ? PointsAtOnce(level_.lowering().machine, terms.order, terms.dtype,
                                            lanes, count < 0 ? kManyTerms : count)
                             : 1;
    std::vector<size_t> places;
    std::vector<Point> together;
    for (size_t i = first; i < points.size() && std::ssize(together) < most; i++) {
      if (points[i].lanes != lanes || results[i] != kNone) continue;
      places.push_back(i);
      together.push_back(points[i]);
    }
    const Registers sums = TogetherByLanes(terms, together);
    for (size_t i = 0; i < places.size(); i++) results[places[i]] = sums[i];
  }
  return results;
}

// For each point one register with a result in each of its lanes.
Registers Reader::TogetherByLanes(const Terms& terms, absl::Span<const Point> points) {
  const int32_t lanes = points[0].lanes;
  const int32_t at_once = LanesAtOnce(level_.lowering().machine, terms.order.chains, terms.dtype,
                                      lanes, static_cast<int64_t>(points.size()));
  // Lanes first .. first + at_once - 1 of each point.
  const auto some = [&](int32_t first) -> Registers {
    // Each result by itself, what the fewer of points and lanes load in registers while the others
    // pass by.
    std::vector<Point> results;
    std::vector<std::vector<size_t>> places(points.size());
    const auto add = [&](size_t i, int32_t lane) {
      int64_t count = lanes;
      const bool known = points[i].count == kNone || b_.IsConstant(points[i].count, &count);
      if (lane > first && known && lane >= count) {
        places[i].push_back(places[i].back());  // nobody asks for it
        return;
      }
      places[i].push_back(results.size());
      results.push_back(InLane(points[i], lane));
    };
    const bool points_pass = points.size() > static_cast<size_t>(at_once);
    if (points_pass) {
      for (size_t i = 0; i < points.size(); i++) {
        for (int32_t lane = first; lane < first + at_once; lane++) add(i, lane);
      }
    } else {
      for (int32_t lane = first; lane < first + at_once; lane++) {
        for (size_t i = 0; i < points.size(); i++) add(i, lane);
      }
    }
    const auto joined = [&](Bound begin, Bound end) {
      const Registers acc = ChainsOf(terms, results, begin, end);
      Registers each;
      for (const std::vector<size_t>& of_point : places) {
        Registers chains_of_point;
        for (size_t place : of_point) chains_of_point.push_back(acc[place]);
        each.push_back(Join(terms, std::move(chains_of_point)));
      }
      return each;
    };
    if (!level_.IsInBlocks(*terms.node)) return joined({.value = 0}, terms.extents[0]);
    return InBlocks(terms, Registers(points.size(), Identity(terms, at_once)), joined);
  };
  std::vector<Registers> parts(points.size());
  for (int32_t first = 0; first < lanes; first += at_once) {
    const Registers each = some(first);
    for (size_t i = 0; i < points.size(); i++) parts[i].push_back(each[i]);
  }
  Registers whole;
  for (Registers& of_point : parts) whole.push_back(Concatenate(std::move(of_point)));
  return whole;
}

// The point that is this lane of another one.
Point Reader::InLane(const Point& point, int32_t lane) {
  Require(point.guard_each == kNone, "a sum is asked for at points of which all are there");
  Point at = point;
  at.lanes = 1;
  at.active = at.count = at.guard_each = kNone;
  Register number = b_.Index(lane);
  if (point.count != kNone) number = b_.Binary(Opcode::kMin, number, b_.Plus(point.count, -1));
  for (Index& index : at.at) {
    Register here = b_.Add(index.at, b_.Times(number, index.lane));
    if (index.each != kNone) here = b_.Add(here, b_.Shuffle(index.each, kNone, {lane}));
    index = {here};
  }
  return at;
}

// One register of the lanes of all parts: 1, 2, 4 ... of them, of equally many lanes.
Register Reader::Concatenate(Registers parts) {
  while (parts.size() > 1) {
    std::vector<int32_t> lanes(static_cast<size_t>(2 * b_.lanes(parts[0])));
    for (size_t l = 0; l < lanes.size(); l++) lanes[l] = static_cast<int32_t>(l);
    for (size_t i = 0; i < parts.size(); i += 2) {
      parts[i / 2] = b_.Shuffle(parts[i], parts[i + 1], lanes);
    }
    parts.resize(parts.size() / 2);
  }
  return parts[0];
}

Registers Reader::ChainsOf(const Terms& terms, absl::Span<const Point> points, Bound begin,
                           Bound end) {
  const int32_t chains = terms.order.chains;
  Registers acc(points.size(), Identity(terms, chains));
  const auto step = [&](Register at, Register active, Registers& sums) {
    const Sum sum = {{at, 1, kNone}};
    for (size_t i = 0; i < points.size(); i++) {
      Point wide = points[i];
      wide.lanes = chains;
      wide.active = active;
      const Register next = b_.Splat(Step(terms, wide, sum, sums[i]), chains);
      sums[i] = active == kNone ? next : b_.Select(active, next, sums[i]);
    }
  };
  const auto loop_over = [&](Bound from, Bound to, bool masked) {
    const Builder::Loop loop = b_.OpenFor(from, to, chains, acc);
    Open();
    Registers inside = loop.carried;
    Register active = kNone;
    if (masked) {
      const Register last = b_.InRegister(to);
      active = b_.Below(b_.Sub(last, loop.variable), chains);
    }
    step(loop.variable, active, inside);
    Close();
    acc = b_.CloseFor(inside);
  };
  if (begin.reg != kNone || end.reg != kNone) {
    loop_over(begin, end, true);
    return acc;
  }
  const int64_t whole = begin.value + (end.value - begin.value) / chains * chains;
  const int64_t trips = (whole - begin.value) / chains;
  if (trips * static_cast<int64_t>(points.size()) <= kWrittenOut) {
    for (int64_t at = begin.value; at < whole; at += chains) step(b_.Index(at), kNone, acc);
  } else {
    loop_over(begin, {.value = whole}, false);
  }
  if (whole < end.value) {
    const Register rest = b_.Below(b_.Index(end.value - whole), chains);
    step(b_.Index(whole), rest, acc);
  }
  return acc;
}

// The halving tree over each register's lanes. Two registers' halves come together in one: after
// the last level there is a result in each lane, in the order of the registers. (There are 1, 2, 4
// ... of them, not more than chains.)
Register Reader::Join(const Terms& terms, Registers chains) {
  // `parts` results in each register, `size` chains of each.
  int32_t parts = 1;
  for (int32_t size = terms.order.chains; size > 1; size /= 2) {
    const int32_t half = size / 2;
    Registers next;
    const bool pairs = chains.size() > 1;
    for (size_t i = 0; i < chains.size(); i += pairs ? 2 : 1) {
      std::vector<int32_t> low, high;
      for (int32_t part = 0; part < (pairs ? 2 : 1) * parts; part++) {
        for (int32_t c = 0; c < half; c++) {
          low.push_back(part * size + c);
          high.push_back(part * size + half + c);
        }
      }
      const Register a = chains[i], b = pairs ? chains[i + 1] : kNone;
      const Register lower = b_.Shuffle(a, b, std::move(low));
      const Register upper = b_.Shuffle(a, b, std::move(high));
      next.push_back(Combine(terms, lower, upper));
    }
    if (pairs) parts *= 2;
    chains = std::move(next);
  }
  return chains[0];
}

}  // namespace talweg::loops
