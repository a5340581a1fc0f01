#include "jit/loops/interval.h"

#include <optional>

#include "jit/loops/level.h"

namespace talweg::loops {
namespace {

// 0 .. count - 1; nothing where there may be none, more than int32 can number, or nobody knows how
// many.
std::optional<Interval> Below(int64_t count) {
  if (count < 1 || count > int64_t{1} << 31) return std::nullopt;
  return Interval{0, count - 1};
}

}  // namespace

std::optional<Interval> Level::IntervalOf(NodeId id) const {
  // Of a longer chain nobody knows: each of its links would walk to its end.
  constexpr int kLongest = 64;
  for (int i = 0; i < kLongest; i++) {
    const Node& n = node(id);
    switch (n.kind()) {
      case Kind::kInput: {
        const auto it = intervals_.find(id);
        if (it == intervals_.end()) return std::nullopt;
        return it->second;
      }
      case Kind::kIota:
        return Below(BoundOf(n.type().shape[0]));
      case Kind::kRandom:
        if (!n.op->random->is_permutation) return std::nullopt;
        return Below(BoundOf(n.type().shape[0]));
      case Kind::kReduce:
        if (!n.op->reduce->place) return std::nullopt;
        return Below(MostTerms(n));
      case Kind::kView: {
        const auto& view = n.As<ViewAttributes>();
        const Shape& shape = node(n.operands[0]).type().shape;
        for (size_t axis = 0; axis < shape.size(); axis++) {
          if (!StaysInside(view.axes[axis], view.shape, shape[axis])) return std::nullopt;
        }
        break;
      }
      case Kind::kGather: {
        // Of no elements at run time it is anything.
        const auto axis = static_cast<size_t>(n.As<GatherAttributes>().axis);
        if (!node(n.operands[0]).type().shape[axis].is_static()) return std::nullopt;
        break;
      }
      case Kind::kReshape:
      case Kind::kCustom:
        break;
      default:
        return std::nullopt;
    }
    id = n.operands[0];
  }
  return std::nullopt;
}

}  // namespace talweg::loops
