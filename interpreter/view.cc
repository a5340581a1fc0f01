#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "interpreter/copy.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

// Copies a strided value to a strided place.
class CopyInstruction : public PlanStep {
 public:
  CopyInstruction(const Address& out, absl::Span<const int64_t> out_strides, const Address& in,
                  const Place& from)
      : out_(out), in_(in), size_(SizeOf(from.dtype)) {
    nest_ = MakeNest<2>(from.dims, {out_strides, from.strides}, {size_, size_});
    inner_ = TakeInner(nest_);
  }

  bool Run(Frame& frame) const override {
    std::byte* out = frame.At(out_);
    const std::byte* in = frame.At(in_);
    ForEach(nest_, [&](const std::array<int64_t, 2>& at) {
      CopyRun(size_, out + at[0], inner_.steps[0], in + at[1], inner_.steps[1], inner_.extent);
    });
    return true;
  }

 private:
  const Address out_, in_;
  const int64_t size_;
  Nest<2> nest_;
  NestAxis<2> inner_;
};

// The general view: fill where an index does not divide or lies outside of the operand. Axis d of
// the operand is read at (offset + sum of steps times the result's indices) / dilation.
class ViewInstruction : public PlanStep {
 public:
  ViewInstruction(const Place& out, const Place& in, const Address& in_address,
                  const ViewAttributes& view)
      : out_(out.address),
        in_(in_address),
        size_(SizeOf(in.dtype)),
        dims_(out.dims),
        fill_(ElementBytes(in.dtype, view.fill)) {
    for (size_t d = 0; d < in.dims.size(); d++) {
      const AxisMap& map = view.axes[d];
      Axis axis{in.dims[d], in.strides[d] * size_, map.offset, map.dilation,
                Extents(out.dims.size(), 0)};
      for (const AxisMap::Term& term : map.terms) {
        axis.steps[static_cast<size_t>(term.axis)] += term.step;
      }
      axes_.push_back(std::move(axis));
    }
  }

  bool Run(Frame& frame) const override {
    std::byte* out = frame.At(out_);
    const std::byte* in = frame.At(in_);
    // Where each operand axis stands, before the division, at the start of the present row.
    absl::InlinedVector<int64_t, 8> at;
    for (const Axis& axis : axes_) at.push_back(axis.offset);
    Extents index(dims_.size(), 0);
    const size_t outer = dims_.empty() ? 0 : dims_.size() - 1;
    const int64_t n = dims_.empty() ? 1 : dims_.back();
    for (;;) {
      RunRow(out, in, at, n);
      out += n * size_;
      size_t k = outer;
      for (; k > 0; k--) {
        for (size_t d = 0; d < axes_.size(); d++) at[d] += axes_[d].steps[k - 1];
        if (++index[k - 1] < dims_[k - 1]) break;
        for (size_t d = 0; d < axes_.size(); d++) at[d] -= axes_[d].steps[k - 1] * dims_[k - 1];
        index[k - 1] = 0;
      }
      if (k == 0) return true;
    }
  }

 private:
  struct Axis {
    int64_t extent, stride;  // of the operand; the stride in bytes
    int64_t offset, dilation;
    Extents steps;  // by axis of the result
  };

  // One row along the result's last axis. Axes without dilation leave an interval of it; where a
  // dilated axis moves along the row, each element is looked at.
  void RunRow(std::byte* out, const std::byte* in, absl::Span<const int64_t> at, int64_t n) const {
    int64_t begin = 0, end = n;
    bool divides = true;
    for (size_t d = 0; d < axes_.size(); d++) {
      const Axis& axis = axes_[d];
      const int64_t step = dims_.empty() ? 0 : axis.steps.back();
      if (axis.dilation != 1 && step != 0) {
        divides = false;
        break;
      }
      if (step == 0) {
        const int64_t i = at[d] / axis.dilation;
        if (at[d] % axis.dilation != 0 || i < 0 || i >= axis.extent) {
          FillRun(size_, out, fill_.data(), n);
          return;
        }
        continue;
      }
      // 0 <= at + step * o < extent
      const int64_t low = step > 0 ? -at[d] : at[d] - axis.extent + 1;
      const int64_t high = step > 0 ? axis.extent - 1 - at[d] : at[d];
      const int64_t pace = step > 0 ? step : -step;
      begin = std::max(begin, low <= 0 ? 0 : (low - 1) / pace + 1);
      end = std::min(end, high < 0 ? 0 : high / pace + 1);
    }
    if (!divides) {
      for (int64_t o = 0; o < n; o++) RunElement(out + o * size_, in, at, o);
      return;
    }
    begin = std::min(begin, n);
    end = std::max(end, begin);
    FillRun(size_, out, fill_.data(), begin);
    if (end > begin) {
      int64_t first = 0, in_step = 0;
      for (size_t d = 0; d < axes_.size(); d++) {
        const int64_t step = dims_.empty() ? 0 : axes_[d].steps.back();
        first += (at[d] + step * begin) / axes_[d].dilation * axes_[d].stride;
        in_step += step * axes_[d].stride;
      }
      CopyRun(size_, out + begin * size_, size_, in + first, in_step, end - begin);
    }
    FillRun(size_, out + end * size_, fill_.data(), n - end);
  }

  void RunElement(std::byte* out, const std::byte* in, absl::Span<const int64_t> at,
                  int64_t o) const {
    for (size_t d = 0; d < axes_.size(); d++) {
      const Axis& axis = axes_[d];
      const int64_t position = at[d] + axis.steps.back() * o;
      const int64_t i = position / axis.dilation;
      if (position % axis.dilation != 0 || i < 0 || i >= axis.extent) {
        FillRun(size_, out, fill_.data(), 1);
        return;
      }
      in += i * axis.stride;
    }
    CopyRun(size_, out, size_, in, size_, 1);
  }

  const Address out_, in_;
  const int64_t size_;
  const Extents dims_;
  const std::array<std::byte, 8> fill_;
  absl::InlinedVector<Axis, 4> axes_;
};

// What a view reads of one operand axis, over all of the result.
struct Range {
  __int128 low, high;
};

Range RangeOf(const AxisMap& map, const Extents& dims) {
  Range range{map.offset, map.offset};
  for (const AxisMap::Term& term : map.terms) {
    const __int128 reach =
        static_cast<__int128>(term.step) * (dims[static_cast<size_t>(term.axis)] - 1);
    (reach < 0 ? range.low : range.high) += reach;
  }
  return range;
}

}  // namespace

std::unique_ptr<PlanStep> MakeCopy(const Address& out, const Address& in, const Place& from) {
  return std::make_unique<CopyInstruction>(out, ContiguousStrides(from.dims), in, from);
}

absl::Status PlanView(Planner& planner) {
  const auto& view = planner.node().As<ViewAttributes>();
  const Place in = planner.operand(0);
  const Extents dims = planner.ResultDims();
  if (view.axes.size() != in.dims.size()) return planner.Error("not one map for each axis");
  bool inside = true;
  Place alias{in.address, in.dtype, dims, Extents(dims.size(), 0)};
  for (size_t d = 0; d < in.dims.size(); d++) {
    const AxisMap& map = view.axes[d];
    const Range range = RangeOf(map, dims);
    constexpr __int128 kFar = __int128{1} << 62;
    if (range.low < -kFar || range.high > kFar) return planner.Error("an index overflows");
    inside = inside && map.dilation == 1 && range.low >= 0 && range.high < in.dims[d];
    if (!inside) continue;  // strides times steps are bounded only where all of it is inside
    alias.address.offset += map.offset * in.strides[d] * SizeOf(in.dtype);
    for (const AxisMap::Term& term : map.terms) {
      const auto axis = static_cast<size_t>(term.axis);
      if (dims[axis] > 1) alias.strides[axis] += term.step * in.strides[d];
    }
  }
  if (inside) {
    planner.Return(std::move(alias));
    return absl::OkStatus();
  }
  const Place out = planner.NewValue(in.dtype, dims);
  planner.Emit(std::make_unique<ViewInstruction>(out, in, planner.Read(in), view), {out});
  planner.Return(out);
  return absl::OkStatus();
}

absl::Status PlanReshape(Planner& planner) {
  const Extents dims = planner.ResultDims();
  Place in = planner.operand(0), out;
  if (in.size() != SizeOf(absl::MakeConstSpan(dims))) return planner.Error("the sizes differ");
  if (!Planner::ReshapeInPlace(in, dims, out)) {
    in = planner.Contiguous(in);
    out = Place{in.address, in.dtype, dims, ContiguousStrides(dims)};
  }
  planner.Return(std::move(out));
  return absl::OkStatus();
}

namespace {

// Several copies, so that the buffer that they fill is written by one instruction.
class ConcatInstruction : public PlanStep {
 public:
  void Add(CopyInstruction copy) { copies_.push_back(std::move(copy)); }
  bool Run(Frame& frame) const override {
    for (const CopyInstruction& copy : copies_) copy.Run(frame);
    return true;
  }

 private:
  std::vector<CopyInstruction> copies_;
};

}  // namespace

absl::Status PlanConcat(Planner& planner) {
  const auto axis = static_cast<size_t>(planner.node().As<ConcatAttributes>().axis);
  const Place out = planner.NewValue(planner.node().type().dtype, planner.ResultDims());
  auto concat = std::make_unique<ConcatInstruction>();
  Address at = out.address;
  for (size_t k = 0; k < planner.node().operands.size(); k++) {
    const Place& in = planner.operand(k);
    if (in.size() == 0) continue;
    concat->Add(CopyInstruction(at, out.strides, planner.Read(in), in));
    at.offset += in.dims[axis] * out.strides[axis] * SizeOf(out.dtype);
  }
  planner.Emit(std::move(concat), {out});
  planner.Return(out);
  return absl::OkStatus();
}

}  // namespace talweg
