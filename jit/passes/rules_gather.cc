// Rules of leaves, and of what they make simple: gathers by indices that are known.

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "jit/passes/affine.h"
#include "jit/passes/rules.h"
#include "ops/view.h"

namespace talweg::passes {
namespace {

// ---- Constants and iotas ------------------------------------------------------------------------

NodeId ConstantOfEquals(Simplifier& s, const Node& node) {
  const Array& value = node.As<ConstantAttributes>().value;
  if (value.size() < 2) return kNone;
  const auto size = static_cast<size_t>(SizeOf(value.dtype()));
  // All are equal where each equals the next.
  if (std::memcmp(value.raw(), value.raw() + size, static_cast<size_t>(value.bytes()) - size) !=
      0) {
    return kNone;
  }
  absl::StatusOr<Array> scalar = Array::Zeros(value.dtype(), {});
  if (!scalar.ok()) return kNone;
  std::memcpy(scalar->mutable_bytes(), value.raw(), size);
  return MakeSplat(s.rewrite, MakeConstant(s.rewrite, *std::move(scalar), node.line),
                   node.type().shape, node.line);
}

NodeId IotaOfOne(Simplifier& s, const Node& node) {
  if (node.type().shape[0] != Dim(1)) return kNone;
  return MakeUniform(s.rewrite, node.type().dtype, 0, node.type().shape, node.line);
}

constexpr Rule kConstantRules[] = {
    {"{c, c, c} = spread(c)", ConstantOfEquals},
};

constexpr Rule kIotaRules[] = {
    {"iota = {0}, of extent 1", IotaOfOne},
};

// ---- Gathers ------------------------------------------------------------------------------------

// Indices start, start + step, ... along the only axis of the indices (or one index for all).
struct Progression {
  int64_t start = 0, step = 0;
};

std::optional<Progression> ProgressionOf(const Simplifier& s, NodeId indices) {
  const Type& type = s.type(indices);
  if (s.node(indices).kind() == Kind::kIota) return Progression{0, 1};
  const auto integer = [&](uint64_t bits) {
    return type.dtype == kInt32 ? static_cast<int64_t>(static_cast<int32_t>(bits))
                                : static_cast<int64_t>(bits);
  };
  if (const std::optional<uint64_t> bits = UniformBits(s.graph(), indices)) {
    return Progression{integer(*bits), 0};
  }
  if (s.node(indices).kind() != Kind::kConstant || type.shape.size() != 1) return std::nullopt;
  const Array& value = s.node(indices).As<ConstantAttributes>().value;
  if (value.size() < 2) return std::nullopt;
  const auto at = [&](int64_t i) { return integer(BitsOf(value, i)); };
  // In unsigned arithmetic, which may wrap: such indices are not inside of anything.
  const uint64_t step = static_cast<uint64_t>(at(1)) - static_cast<uint64_t>(at(0));
  for (int64_t i = 2; i < value.size(); i++) {
    if (static_cast<uint64_t>(at(i)) - static_cast<uint64_t>(at(i - 1)) != step)
      return std::nullopt;
  }
  return Progression{at(0), static_cast<int64_t>(step)};
}

// Where all indices are known to be inside, so that no run can fail by them.
NodeId GatherOfProgression(Simplifier& s, const Node& node) {
  const NodeId x = node.operands[0], indices = node.operands[1];
  const Shape& shape = s.type(x).shape;
  const Shape& index_shape = s.type(indices).shape;
  const auto& [axis, batch] = node.As<GatherAttributes>();
  const std::optional<Progression> progression = ProgressionOf(s, indices);
  if (!progression) return kNone;
  constexpr int64_t kFar = int64_t{1} << 40;
  if (progression->start < 0 || progression->start > kFar || progression->step < -kFar ||
      progression->step > kFar) {
    return kNone;
  }
  ViewAttributes view{.axes = {}, .fill = 0, .shape = node.type().shape};
  const auto index_axes = static_cast<int64_t>(index_shape.size()) - batch;
  // The only axis of the indices may be one that they have in common with x.
  const int64_t index_axis = batch == 0 ? axis : 0;
  for (int64_t k = 0; k < static_cast<int64_t>(shape.size()); k++) {
    AxisMap map;
    if (k == axis) {
      map.offset = progression->start;
      if (progression->step != 0) map.terms = {{.axis = index_axis, .step = progression->step}};
    } else {
      map.terms = {{.axis = k < axis ? k : k + index_axes - 1}};
    }
    view.axes.push_back(std::move(map));
  }
  if (MayFill(view, shape)) return kNone;
  return MakeView(s.rewrite, x, std::move(view), node.line);
}

constexpr Rule kGatherRules[] = {
    {"gather(x, {a, a + s, a + 2s ...}) = view(x)", GatherOfProgression},
};

}  // namespace

absl::Span<const Rule> ConstantRules() { return kConstantRules; }
absl::Span<const Rule> IotaRules() { return kIotaRules; }
absl::Span<const Rule> GatherRules() { return kGatherRules; }

}  // namespace talweg::passes
