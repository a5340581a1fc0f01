#include "ops/gather.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/view.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

absl::Status CheckIndices(const Type& indices, const Shape& x, int64_t axis, int64_t batch) {
  if (!IsInteger(indices.dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the indices are ", Name(indices.dtype), " and not integers"));
  }
  const auto rank = static_cast<int64_t>(x.size());
  if (axis < 0 || axis >= rank) {
    return absl::InvalidArgumentError(absl::StrCat("there is no axis ", axis));
  }
  if (batch < 0 || batch > axis || batch > static_cast<int64_t>(indices.shape.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        batch, " common axes are more than lie before axis ", axis, " or than the indices have"));
  }
  for (size_t i = 0; i < static_cast<size_t>(batch); i++) {
    if (!(indices.shape[i] == x[i])) {
      return absl::InvalidArgumentError(absl::StrCat("the common axis ", i, " has extents ",
                                                     x[i].ToString(), " and ",
                                                     indices.shape[i].ToString()));
    }
  }
  return absl::OkStatus();
}

Types InferGather(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& [axis, batch] = std::get<GatherAttributes>(attributes);
  if (operands.size() != 2) return absl::InvalidArgumentError("two operands expected");
  const Type &x = operands[0], &indices = operands[1];
  if (absl::Status s = CheckIndices(indices, x.shape, axis, batch); !s.ok()) return s;
  Type type{x.dtype, Shape(x.shape.begin(), x.shape.begin() + axis)};
  type.shape.insert(type.shape.end(), indices.shape.begin() + batch, indices.shape.end());
  type.shape.insert(type.shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  if (absl::Status s = CheckShape(type.shape); !s.ok()) return s;
  return std::vector<Type>{type};
}

Types InferScatterAdd(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& [axis, batch, size] = std::get<ScatterAddAttributes>(attributes);
  if (operands.size() != 2) return absl::InvalidArgumentError("two operands expected");
  const Type &updates = operands[0], &indices = operands[1];
  if (updates.dtype == kBool) return absl::InvalidArgumentError("bools can not be added");
  if (batch < 0 || batch > static_cast<int64_t>(indices.shape.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(batch, " common axes are not what the indices can have"));
  }
  const auto index_rank = static_cast<int64_t>(indices.shape.size()) - batch;
  const auto rank = static_cast<int64_t>(updates.shape.size()) - index_rank + 1;
  if (axis < 0 || axis >= rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("the updates have not the axes of the indices at axis ", axis));
  }
  for (int64_t i = 0; i < index_rank; i++) {
    const Dim given = updates.shape[static_cast<size_t>(axis + i)];
    const Dim wanted = indices.shape[static_cast<size_t>(batch + i)];
    if (!(given == wanted)) {
      return absl::InvalidArgumentError(absl::StrCat("extents ", given.ToString(), " and ",
                                                     wanted.ToString(),
                                                     " of updates and indices differ"));
    }
  }
  Type type{updates.dtype, Shape(updates.shape.begin(), updates.shape.begin() + axis)};
  type.shape.push_back(size);
  type.shape.insert(type.shape.end(), updates.shape.begin() + axis + index_rank,
                    updates.shape.end());
  if (absl::Status s = CheckIndices(indices, type.shape, axis, batch); !s.ok()) return s;
  if (absl::Status s = CheckShape(type.shape); !s.ok()) return s;
  return std::vector<Type>{type};
}

}  // namespace

constinit const Op kGatherOp{"gather", "elements named by integer indices", Kind::kGather,
                             InferGather};
constinit const Op kScatterAddOp{"scatter_add", "updates added at integer indices",
                                 Kind::kScatterAdd, InferScatterAdd};

Value Gather(Arg x, Arg indices, int64_t axis, int64_t batch) {
  const int64_t normal = NormalAxis(axis, x.value().rank());
  return MakeNode(kGatherOp, {x.value(), indices.value()},
                  GatherAttributes{normal < 0 ? axis : normal, batch}, x.line());
}

Value ScatterAdd(Arg updates, Arg indices, Dim size, int64_t axis, int64_t batch) {
  // The op says what is wrong with a number of common axes that can not be.
  const int64_t common = std::clamp<int64_t>(batch, 0, indices.value().rank());
  const int64_t rank = updates.value().rank() - (indices.value().rank() - common) + 1;
  const int64_t normal = NormalAxis(axis, rank);
  return MakeNode(kScatterAddOp, {updates.value(), indices.value()},
                  ScatterAddAttributes{normal < 0 ? axis : normal, batch, size}, updates.line());
}

Value OneHot(Arg indices, int64_t n, DType dtype) {
  const UserLine line(indices);
  const Value v = indices.value();
  if (v.ok() && !IsInteger(v.dtype())) {
    return Fail("one_hot", {v}, "the indices are not integers", indices.line());
  }
  if (v.ok() && n < 0) return Fail("one_hot", {v}, "a negative extent", indices.line());
  if (!v.ok()) return v;
  return Cast(Equal(ExpandDims(v, -1), Tape(v.tape()).Iota(n, v.dtype())), dtype);
}

}  // namespace talweg
