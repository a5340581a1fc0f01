#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/scalar.h"
#include "interpreter/copy.h"
#include "interpreter/planner.h"

namespace talweg {
namespace {

// Strides of a gather's result axes: of the result itself (or of a scatter's updates), of x (or of
// what is scattered to) without the indexed axis, and of the indices.
struct GatherShape {
  Extents dims;  // of the result
  Extents elements, x, indices;
  int64_t extent = 0;       // of the indexed axis
  int64_t axis_stride = 0;  // of x along it
};

GatherShape ShapeOf(const Place& elements, const Place& x, const Place& indices, size_t axis,
                    size_t batch) {
  GatherShape shape{elements.dims, elements.strides, {}, {}, x.dims[axis], x.strides[axis]};
  const size_t index_axes = indices.dims.size() - batch;
  for (size_t k = 0; k < elements.dims.size(); k++) {
    if (k < axis) {
      shape.x.push_back(x.strides[k]);
      shape.indices.push_back(k < batch ? indices.strides[k] : 0);
    } else if (k < axis + index_axes) {
      shape.x.push_back(0);
      shape.indices.push_back(indices.strides[batch + k - axis]);
    } else {
      shape.x.push_back(x.strides[k - index_axes + 1]);
      shape.indices.push_back(0);
    }
  }
  return shape;
}

// What gather and scatter_add share: the walk over (element, x without the axis, index), with the
// indices read, checked and clamped.
class IndexedInstruction : public PlanStep {
 public:
  IndexedInstruction(const Planner& planner, const GatherShape& shape, DType dtype,
                     DType index_dtype)
      : id_(planner.id()),
        size_(SizeOf(dtype)),
        extent_(shape.extent),
        axis_stride_(shape.axis_stride * size_),
        wide_index_(index_dtype == kInt64) {
    const int64_t index_size = SizeOf(index_dtype);
    nest_ = MakeNest<3>(shape.dims, {shape.elements, shape.x, shape.indices},
                        {size_, size_, index_size});
    inner_ = TakeInner(nest_);
  }

 protected:
  // Calls f(element offset, x offset, n) for runs of n elements of one index.
  template <typename F>
  void Walk(Frame& frame, const std::byte* indices, F&& f) const {
    ForEach(nest_, [&](const std::array<int64_t, 3>& at) {
      if (inner_.steps[2] == 0) {
        f(at[0], at[1] + Index(frame, indices + at[2]) * axis_stride_, inner_.extent);
        return;
      }
      for (int64_t i = 0; i < inner_.extent; i++) {
        const int64_t index = Index(frame, indices + at[2] + i * inner_.steps[2]);
        f(at[0] + i * inner_.steps[0], at[1] + i * inner_.steps[1] + index * axis_stride_, 1);
      }
    });
  }

  int64_t Index(Frame& frame, const std::byte* address) const {
    int64_t index;
    if (wide_index_) {
      std::memcpy(&index, address, sizeof(index));
    } else {
      int32_t narrow;
      std::memcpy(&narrow, address, sizeof(narrow));
      index = narrow;
    }
    if (index >= 0 && index < extent_) return index;
    SetError(frame, index);
    return std::clamp<int64_t>(index, 0, std::max<int64_t>(extent_ - 1, 0));
  }

  void SetError(Frame& frame, int64_t index) const {
    CallState& call = frame.state->call();
    if (!call.status.ok()) return;
    call.SetError(NodeError(absl::StatusCode::kOutOfRange, frame.state->program().graph(), id_,
                            absl::StrCat("index ", index, " is outside of [0, ", extent_, ")")));
  }

  const NodeId id_;
  const int64_t size_, extent_, axis_stride_;
  const bool wide_index_;
  Nest<3> nest_;
  NestAxis<3> inner_;
};

class GatherInstruction : public IndexedInstruction {
 public:
  GatherInstruction(const Planner& planner, const GatherShape& shape, DType dtype,
                    DType index_dtype, const Place& out, const Address& x, const Address& indices)
      : IndexedInstruction(planner, shape, dtype, index_dtype),
        out_(out.address),
        bytes_(out.bytes()),
        x_(x),
        indices_(indices) {}

  bool Run(Frame& frame) const override {
    std::byte* out = frame.At(out_);
    if (extent_ == 0) {  // there is nothing to clamp to
      SetError(frame, 0);
      std::memset(out, 0, static_cast<size_t>(bytes_));
      return true;
    }
    const std::byte* x = frame.At(x_);
    Walk(frame, frame.At(indices_), [&](int64_t to, int64_t from, int64_t n) {
      CopyRun(size_, out + to, inner_.steps[0], x + from, inner_.steps[1], n);
    });
    return true;
  }

 private:
  const Address out_;
  const int64_t bytes_;
  const Address x_, indices_;
};

template <typename T>
void AddRun(std::byte* out, int64_t out_step, const std::byte* in, int64_t in_step, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    T sum, update;
    std::memcpy(&sum, out + i * out_step, sizeof(T));
    std::memcpy(&update, in + i * in_step, sizeof(T));
    sum = (Number<T>(sum) + Number<T>(update)).raw();
    std::memcpy(out + i * out_step, &sum, sizeof(T));
  }
}

using AddFunction = void (*)(std::byte*, int64_t, const std::byte*, int64_t, int64_t);

AddFunction AddOf(DType dtype) {
  switch (dtype) {
    case kFloat32:
      return AddRun<float>;
    case kFloat64:
      return AddRun<double>;
    case kInt32:
      return AddRun<int32_t>;
    case kInt64:
      return AddRun<int64_t>;
    case kBool:
      break;
  }
  return nullptr;
}

class ScatterAddInstruction : public IndexedInstruction {
 public:
  ScatterAddInstruction(const Planner& planner, const GatherShape& shape, DType dtype,
                        DType index_dtype, const Place& out, const Address& updates,
                        const Address& indices)
      : IndexedInstruction(planner, shape, dtype, index_dtype),
        out_(out.address),
        bytes_(out.bytes()),
        updates_(updates),
        indices_(indices),
        add_(AddOf(dtype)) {}

  bool Run(Frame& frame) const override {
    std::byte* out = frame.At(out_);
    std::memset(out, 0, static_cast<size_t>(bytes_));
    const std::byte* updates = frame.At(updates_);
    if (extent_ == 0) {  // there is nothing to add to
      Walk(frame, frame.At(indices_), [](int64_t, int64_t, int64_t) {});
      return true;
    }
    // Row-major over the updates visits each element's indices in their order.
    Walk(frame, frame.At(indices_), [&](int64_t from, int64_t to, int64_t n) {
      add_(out + to, inner_.steps[1], updates + from, inner_.steps[0], n);
    });
    return true;
  }

 private:
  const Address out_;
  const int64_t bytes_;
  const Address updates_, indices_;
  const AddFunction add_;
};

}  // namespace

absl::Status PlanGather(Planner& planner) {
  const auto& attributes = planner.node().As<GatherAttributes>();
  const Place &x = planner.operand(0), &indices = planner.operand(1);
  const Place out = planner.NewValue(x.dtype, planner.ResultDims());
  const GatherShape shape = ShapeOf(out, x, indices, static_cast<size_t>(attributes.axis),
                                    static_cast<size_t>(attributes.batch));
  const Address x_address = planner.Read(x), index_address = planner.Read(indices);
  planner.Emit(std::make_unique<GatherInstruction>(planner, shape, x.dtype, indices.dtype, out,
                                                   x_address, index_address),
               {out});
  planner.Return(out);
  return absl::OkStatus();
}

absl::Status PlanScatterAdd(Planner& planner) {
  const auto& attributes = planner.node().As<ScatterAddAttributes>();
  const Place &updates = planner.operand(0), &indices = planner.operand(1);
  if (updates.dtype == kBool) return planner.Error("bools can not be added");
  const Extents dims = planner.ResultDims();
  if (updates.size() == 0) {
    const absl::StatusOr<Array> zero = Array::Zeros(updates.dtype, {});
    if (!zero.ok()) return zero.status();
    planner.Return(
        Place{planner.Constant(*zero).address, updates.dtype, dims, Extents(dims.size(), 0)});
    return absl::OkStatus();
  }
  const Place out = planner.NewValue(updates.dtype, dims);
  const GatherShape shape = ShapeOf(updates, out, indices, static_cast<size_t>(attributes.axis),
                                    static_cast<size_t>(attributes.batch));
  const Address from = planner.Read(updates), index_address = planner.Read(indices);
  planner.Emit(std::make_unique<ScatterAddInstruction>(planner, shape, updates.dtype, indices.dtype,
                                                       out, from, index_address),
               {out});
  planner.Return(out);
  return absl::OkStatus();
}

}  // namespace talweg
