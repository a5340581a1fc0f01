#include "jit/loops/turn.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "jit/loops/reader.h"

namespace talweg::loops {
namespace {

// The axis whose elements lie side by side, at least in pieces of so many; -1: none, or not at
// distances that are known.
int32_t InnermostAxis(const Tensor& tensor, int64_t lanes) {
  int32_t innermost = -1;
  for (size_t axis = 0; axis < tensor.strides.size(); axis++) {
    if (tensor.strides[axis].reg != kNone || tensor.strides[axis].panel % lanes != 0) return -1;
    if (tensor.strides[axis].factor == 1) innermost = static_cast<int32_t>(axis);
  }
  return innermost;
}

}  // namespace

// Pieces of 1, 2, 4 ... lanes change places.
void Turn(Builder& b, Registers& square) {
  const auto lanes = static_cast<int32_t>(square.size());
  for (int32_t size = 1; size < lanes; size *= 2) {
    std::vector<int32_t> even, odd;
    for (int32_t lane = 0; lane < lanes; lane++) {
      const bool second = (lane / size) % 2 != 0;
      even.push_back(second ? lanes + lane - size : lane);
      odd.push_back(second ? lanes + lane : lane + size);
    }
    for (int32_t i = 0; i < lanes; i++) {
      if ((i / size) % 2 != 0) continue;
      Register &x = square[static_cast<size_t>(i)], &y = square[static_cast<size_t>(i + size)];
      const Register lower = b.Shuffle(x, y, even);
      y = b.Shuffle(x, y, odd);
      x = lower;
    }
  }
}

bool CopyTurned(Level& level, NodeId id, const Tensor& to) {
  const std::optional<Tensor> from = level.AsTensor(id);
  if (!from.has_value() || level.runs_once()) return false;
  const Shape& shape = level.node(id).type().shape;
  const int64_t lanes = level.lowering().machine.Lanes(from->dtype);
  const int32_t read = InnermostAxis(*from, lanes), written = InnermostAxis(to, lanes);
  if (!IsStatic(shape) || read < 0 || written < 0 || read == written) return false;
  if (from->dtype != to.dtype || lanes < 4 || SizeOf(from->dtype) < 4) return false;
  const auto extent = [&](int32_t axis) { return shape[static_cast<size_t>(axis)].value(); };
  if (std::min(extent(read), extent(written)) < lanes) return false;
  if (absl::c_linear_search(shape, Dim(0))) return false;
  // A last square that is moved back to end where the axis does would lie in two panels.
  const auto has_squares = [&](const Tensor& tensor, int32_t axis) {
    return tensor.strides[static_cast<size_t>(axis)].panel == 0 || extent(axis) % lanes == 0;
  };
  if (!has_squares(*from, read) || !has_squares(to, written)) return false;

  Builder& b = level.b();
  std::vector<Register> at(shape.size(), kNone);
  const auto place = [&](const Tensor& tensor) {
    Register sum = tensor.base == kNone ? b.Index(0) : tensor.base;
    for (size_t axis = 0; axis < shape.size(); axis++) {
      const Stride& stride = tensor.strides[axis];
      sum = b.Add(sum, stride.panel > 0 ? PlaceInPanels(b, stride, at[axis])
                                        : b.Times(at[axis], stride.factor));
    }
    return sum;
  };
  const auto square = [&] {
    const auto r = static_cast<size_t>(read), w = static_cast<size_t>(written);
    const Register first = place(*from), target = place(to);
    Registers rows;
    for (int64_t i = 0; i < lanes; i++) {
      rows.push_back(b.Load(from->buffer, b.Plus(first, i * from->strides[w].factor),
                            static_cast<int32_t>(lanes), {.offset = from->offset}));
    }
    Turn(b, rows);
    for (int64_t i = 0; i < lanes; i++) {
      b.Store(to.buffer, b.Plus(target, i * to.strides[r].factor), rows[static_cast<size_t>(i)],
              {.offset = to.offset});
    }
  };
  const auto loop = [&](auto&& self, int32_t axis) -> void {
    if (axis == static_cast<int32_t>(shape.size())) return square();
    const bool turned = axis == read || axis == written;
    const int64_t step = turned ? lanes : 1;
    Register index = b.OpenFor({.value = 0}, {.value = extent(axis)}, step).variable;
    // The last square ends where the axis does; it shares elements with the one before.
    if (extent(axis) % step != 0) {
      index = b.Binary(Opcode::kMin, index, b.Index(extent(axis) - lanes));
    }
    at[static_cast<size_t>(axis)] = index;
    self(self, axis + 1);
    b.CloseFor();
  };
  b.OpenSection(absl::StrCat("copy %", id));
  loop(loop, 0);
  b.CloseSection();
  return true;
}

}  // namespace talweg::loops
