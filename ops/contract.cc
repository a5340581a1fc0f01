#include "ops/contract.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "ops/view.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

// The extents of the axes that are in neither list; an error where a list is unsound.
absl::StatusOr<Shape> Remaining(const Shape& shape, const std::vector<int64_t>& batch,
                                const std::vector<int64_t>& sum) {
  std::vector<bool> used(shape.size(), false);
  for (const auto* axes : {&batch, &sum}) {
    for (int64_t axis : *axes) {
      if (axis < 0 || axis >= static_cast<int64_t>(shape.size()) ||
          used[static_cast<size_t>(axis)]) {
        return absl::InvalidArgumentError(
            absl::StrCat("axis ", axis, " does not exist or is named twice"));
      }
      used[static_cast<size_t>(axis)] = true;
    }
  }
  Shape rest;
  for (size_t i = 0; i < shape.size(); i++) {
    if (!used[i]) rest.push_back(shape[i]);
  }
  return rest;
}

Types InferContract(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& a = std::get<ContractAttributes>(attributes);
  if (operands.size() != 2) return absl::InvalidArgumentError("two operands expected");
  const Type &lhs = operands[0], &rhs = operands[1];
  if (lhs.dtype != rhs.dtype) {
    return absl::InvalidArgumentError(absl::StrCat("element types ", Name(lhs.dtype), " and ",
                                                   Name(rhs.dtype), " differ; use Cast"));
  }
  if (lhs.dtype == kBool) return absl::InvalidArgumentError("not for bool; use Cast");
  if (a.lhs_batch.size() != a.rhs_batch.size() || a.lhs_sum.size() != a.rhs_sum.size()) {
    return absl::InvalidArgumentError("axes without a partner");
  }
  const absl::StatusOr<Shape> left = Remaining(lhs.shape, a.lhs_batch, a.lhs_sum);
  const absl::StatusOr<Shape> right = Remaining(rhs.shape, a.rhs_batch, a.rhs_sum);
  if (!left.ok()) return left.status();
  if (!right.ok()) return right.status();
  Type type{lhs.dtype, {}};
  for (size_t i = 0; i < a.lhs_batch.size(); i++) {
    const Dim x = lhs.shape[static_cast<size_t>(a.lhs_batch[i])];
    const Dim y = rhs.shape[static_cast<size_t>(a.rhs_batch[i])];
    if (!(x == y)) {
      return absl::InvalidArgumentError(
          absl::StrCat("batch sizes ", x.ToString(), " and ", y.ToString(), " differ"));
    }
    type.shape.push_back(x);
  }
  for (size_t i = 0; i < a.lhs_sum.size(); i++) {
    const Dim x = lhs.shape[static_cast<size_t>(a.lhs_sum[i])];
    const Dim y = rhs.shape[static_cast<size_t>(a.rhs_sum[i])];
    if (!(x == y)) {
      return absl::InvalidArgumentError(
          absl::StrCat("inner sizes ", x.ToString(), " and ", y.ToString(), " differ"));
    }
  }
  type.shape.insert(type.shape.end(), left->begin(), left->end());
  type.shape.insert(type.shape.end(), right->begin(), right->end());
  if (absl::Status s = CheckShape(type.shape); !s.ok()) return s;
  return std::vector<Type>{type};
}

std::vector<int64_t> Normal(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<int64_t> out;
  for (int64_t axis : axes) {
    const int64_t normal = NormalAxis(axis, rank);
    out.push_back(normal < 0 ? axis : normal);
  }
  return out;
}

bool Sound(const std::vector<int64_t>& axes, int64_t rank) {
  return absl::c_all_of(axes, [&](int64_t axis) { return axis >= 0 && axis < rank; });
}

}  // namespace

constinit const Op kContractOp{"contract", "sums of products over paired axes", Kind::kContract,
                               InferContract};

Value Contract(Arg lhs, Arg rhs, const ContractAxes& axes) {
  const Value x = lhs.value(), y = rhs.value();
  ContractAttributes a{Normal(axes.lhs_batch, x.rank()), Normal(axes.rhs_batch, y.rank()),
                       Normal(axes.lhs_sum, x.rank()), Normal(axes.rhs_sum, y.rank()), Order{}};
  const bool sound = Sound(a.lhs_batch, x.rank()) && Sound(a.lhs_sum, x.rank()) &&
                     Sound(a.rhs_batch, y.rank()) && Sound(a.rhs_sum, y.rank());
  if (x.ok() && y.ok() && sound) {
    a.order = ContractOrder(x.shape(), y.shape(), a.lhs_batch, a.rhs_batch, a.lhs_sum, a.rhs_sum);
  }
  return MakeNode(kContractOp, {x, y}, std::move(a), lhs.line());
}

Value MatMul(Arg lhs, Arg rhs) {
  const UserLine line(lhs);
  Value x = lhs.value(), y = rhs.value();
  if (!x.ok() || !y.ok()) return MakeNode(kContractOp, {x, y}, ContractAttributes{}, lhs.line());
  const auto fail = [&](std::string_view detail) {
    return Fail("matmul", {x, y}, detail, lhs.line());
  };
  if (x.rank() == 0 || y.rank() == 0) return fail("a scalar is no matrix; use *");
  if (x.dtype() != y.dtype()) {
    return fail(absl::StrCat("element types ", Name(x.dtype()), " and ", Name(y.dtype()),
                             " differ; use Cast"));
  }
  const Dim inner = x.dim(-1), other = y.rank() == 1 ? y.dim(0) : y.dim(-2);
  if (!(inner == other)) {
    return fail(
        absl::StrCat("inner sizes ", inner.ToString(), " and ", other.ToString(), " differ"));
  }
  // A product with one matrix needs no batch axes: the leading axes of x are simply kept.
  if (y.rank() <= 2) {
    return Contract(x, y, {.lhs_sum = {-1}, .rhs_sum = {y.rank() == 1 ? 0 : -2}});
  }
  const auto leading = [](const Value& v) {
    const int64_t n = std::max<int64_t>(v.rank() - 2, 0);
    return Shape(v.shape().begin(), v.shape().begin() + n);
  };
  const absl::StatusOr<Shape> batch = BroadcastShapes(leading(x), leading(y));
  if (!batch.ok()) {
    return fail(std::string_view(batch.status().message().data(), batch.status().message().size()));
  }
  const auto with_batch = [&](const Value& v) {
    Shape shape = *batch;
    shape.insert(shape.end(), v.shape().end() - std::min<int64_t>(v.rank(), 2), v.shape().end());
    return BroadcastTo(v, shape);
  };
  const std::vector<Value> lifted = OnOneTape({x, y});
  x = with_batch(lifted[0]);
  y = with_batch(lifted[1]);
  ContractAxes axes{.lhs_sum = {-1}, .rhs_sum = {-2}};
  for (int64_t i = 0; i < static_cast<int64_t>(batch->size()); i++) {
    axes.lhs_batch.push_back(i);
    axes.rhs_batch.push_back(i);
  }
  return Contract(x, y, axes);
}

}  // namespace talweg
