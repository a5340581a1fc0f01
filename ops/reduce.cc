#include "ops/reduce.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/view.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

Types InferReduce(const Op& op, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& axes = std::get<ReduceAttributes>(attributes).axes;
  if (operands.size() != 1) return absl::InvalidArgumentError("one operand expected");
  const Type& x = operands[0];
  const std::vector<DType> combined(2, x.dtype);
  if (op.reduce->combine->map->loop(combined, x.dtype, false) == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("not for ", Name(x.dtype), "; use Cast"));
  }
  Type type{op.reduce->place ? kInt64 : x.dtype, {}};
  size_t next = 0;
  for (int64_t i = 0; i < static_cast<int64_t>(x.shape.size()); i++) {
    if (next < axes.size() && axes[next] == i) {
      next++;
    } else {
      type.shape.push_back(x.shape[static_cast<size_t>(i)]);
    }
  }
  if (next != axes.size()) {
    return absl::InvalidArgumentError("the axes do not exist or do not ascend");
  }
  return std::vector<Type>{type};
}

double Zero(DType) { return 0; }
double One(DType) { return 1; }

// Below (above) every value of the type; int64's bounds are exact in a double on one side only, and
// the cast to the type saturates.
double Least(DType dtype) {
  if (dtype == kInt32) return std::numeric_limits<int32_t>::min();
  return dtype == kBool ? 0 : -std::numeric_limits<double>::infinity();
}
double Greatest(DType dtype) {
  if (dtype == kInt32) return std::numeric_limits<int32_t>::max();
  return dtype == kBool ? 1 : std::numeric_limits<double>::infinity();
}

Value SumPartial(const Value&, const Value&, const Value& dy, const std::vector<int64_t>&) {
  return dy;
}

// dy shared by those elements that are the greatest (least).
Value ExtremePartial(const Value& x, const Value& y, const Value& dy,
                     const std::vector<int64_t>& axes) {
  const Value is_best = Equal(x, y);
  const Value count = Sum(Cast(is_best, x.dtype()), axes, Keep::kYes);
  return Select(is_best, dy / count, 0);
}

// x moved along an axis by so many places, towards its end or its beginning; ones follow.
Value Moved(const Value& x, int64_t axis, int64_t places, bool to_end) {
  const int64_t extent = x.dim(axis).value();
  std::vector<std::pair<int64_t, int64_t>> pads(static_cast<size_t>(x.rank()));
  (to_end ? pads[static_cast<size_t>(axis)].first : pads[static_cast<size_t>(axis)].second) =
      places;
  const int64_t first = to_end ? 0 : places;
  return Slice(Pad(x, pads, 1), axis, first, first + extent);
}

// Along an axis, the product of the elements before each one, or after it: p_1 holds the next of
// them, and p_2k = p_k times p_k moved by k has twice as many.
Value ProductOfOneSide(const Value& x, int64_t axis, bool before) {
  Value product = Moved(x, axis, 1, before);
  for (int64_t places = 1; places < x.dim(axis).value() - 1; places *= 2) {
    product = product * Moved(product, axis, places, before);
  }
  return product;
}

// dy times the product of the other elements: of those before each one and those after it, which is
// right with zeros, too, and so are all its derivatives.
Value ProductPartial(const Value& x, const Value&, const Value& dy,
                     const std::vector<int64_t>& axes) {
  if (std::any_of(axes.begin(), axes.end(), [&](int64_t a) { return !x.dim(a).is_static(); })) {
    // Without zeros that is y / x; with one zero it is, at the zero, the product of the rest; with
    // more it is 0. (At a zero the derivative of this formula is not that of the product.)
    const Value is_zero = Equal(x, 0);
    const Value others = Select(is_zero, 1, x);
    const Value product = Product(others, axes, Keep::kYes);
    const Value zeros = Sum(Cast(is_zero, x.dtype()), axes, Keep::kYes);
    return dy * Select(Equal(zeros - Cast(is_zero, x.dtype()), 0), product / others, 0);
  }
  // One axis after the other, and back.
  std::vector<Value> products = {x};
  for (size_t i = 0; i + 1 < axes.size(); i++) {
    products.push_back(Product(products.back(), axes[i], Keep::kYes));
  }
  Value dx = dy;
  for (size_t i = axes.size(); i-- > 0;) {
    dx = dx * ProductOfOneSide(products[i], axes[i], true) *
         ProductOfOneSide(products[i], axes[i], false);
  }
  return dx;
}

constinit const ReduceRule kSumRule{&kAddOp, Zero, false, SumPartial};
constinit const ReduceRule kProductRule{&kMulOp, One, false, ProductPartial};
constinit const ReduceRule kMaxRule{&kMaxOp, Least, false, ExtremePartial};
constinit const ReduceRule kMinRule{&kMinOp, Greatest, false, ExtremePartial};
constinit const ReduceRule kAllRule{&kAndOp, One};
constinit const ReduceRule kAnyRule{&kOrOp, Zero};
constinit const ReduceRule kArgMaxRule{&kMaxOp, Least, true};
constinit const ReduceRule kArgMinRule{&kMinOp, Greatest, true};

Value ReduceOver(const Op& op, const Arg& x, const Axes& axes, Keep keep) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(op, {v}, ReduceAttributes{}, x.line());
  const std::optional<std::vector<int64_t>> over = axes.Ascending(v.rank());
  if (!over) {
    return Fail(op.name, {v}, "an axis does not exist or is named twice", x.line());
  }
  const Value reduced = Reduce(op, v, *over, x.line());
  if (keep == Keep::kNo || !reduced.ok()) return reduced;
  Shape shape = v.shape();
  for (int64_t axis : *over) shape[static_cast<size_t>(axis)] = 1;
  const UserLine line(x);
  return Reshape(reduced, shape);
}

}  // namespace

std::optional<std::vector<int64_t>> Axes::Ascending(int64_t rank) const {
  std::vector<int64_t> out;
  if (all()) {
    for (int64_t i = 0; i < rank; i++) out.push_back(i);
    return out;
  }
  for (int64_t axis : axes()) {
    const int64_t normal = NormalAxis(axis, rank);
    if (normal < 0) return std::nullopt;
    out.push_back(normal);
  }
  std::sort(out.begin(), out.end());
  if (std::adjacent_find(out.begin(), out.end()) != out.end()) return std::nullopt;
  return out;
}

constinit const Op kSumOp{"sum", "sum of elements", Kind::kReduce, InferReduce, nullptr, &kSumRule};
constinit const Op kProductOp{"product", "product of elements", Kind::kReduce, InferReduce,
                              nullptr,   &kProductRule};
constinit const Op kReduceMaxOp{"reduce_max", "greatest element", Kind::kReduce, InferReduce,
                                nullptr,      &kMaxRule};
constinit const Op kReduceMinOp{"reduce_min", "least element", Kind::kReduce,
                                InferReduce,  nullptr,         &kMinRule};
constinit const Op kAllOp{"all",    "whether all are true", Kind::kReduce, InferReduce, nullptr,
                          &kAllRule};
constinit const Op kAnyOp{"any",    "whether one is true", Kind::kReduce, InferReduce, nullptr,
                          &kAnyRule};
constinit const Op kArgMaxOp{
    "argmax", "place of the greatest element", Kind::kReduce, InferReduce, nullptr, &kArgMaxRule};
constinit const Op kArgMinOp{
    "argmin", "place of the least element", Kind::kReduce, InferReduce, nullptr, &kArgMinRule};

Value Reduce(const Op& op, const Value& x, std::vector<int64_t> axes, const SourceLine& line) {
  if (axes.empty() && !op.reduce->place) return x;
  const Order order = op.reduce->place || !x.ok() ? Order{} : ReduceOrder(x.shape(), axes);
  return MakeNode(op, {x}, ReduceAttributes{std::move(axes), order}, line);
}

Value Spread(const Value& reduced, const Shape& shape, absl::Span<const int64_t> axes,
             const SourceLine& line) {
  ViewAttributes view{.axes = {}, .fill = 0, .shape = shape};
  for (int64_t axis = 0; axis < static_cast<int64_t>(shape.size()); axis++) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) {
      view.axes.push_back({.offset = 0, .dilation = 1, .terms = {{.axis = axis}}});
    }
  }
  return View(reduced, std::move(view), line);
}

Value Sum(Arg x, const Axes& axes, Keep keep) { return ReduceOver(kSumOp, x, axes, keep); }
Value Product(Arg x, const Axes& axes, Keep keep) { return ReduceOver(kProductOp, x, axes, keep); }
Value ReduceMax(Arg x, const Axes& axes, Keep keep) {
  return ReduceOver(kReduceMaxOp, x, axes, keep);
}
Value ReduceMin(Arg x, const Axes& axes, Keep keep) {
  return ReduceOver(kReduceMinOp, x, axes, keep);
}
Value ArgMax(Arg x, int64_t axis, Keep keep) { return ReduceOver(kArgMaxOp, x, axis, keep); }
Value ArgMin(Arg x, int64_t axis, Keep keep) { return ReduceOver(kArgMinOp, x, axis, keep); }
Value All(Arg x, const Axes& axes, Keep keep) { return ReduceOver(kAllOp, x, axes, keep); }
Value Any(Arg x, const Axes& axes, Keep keep) { return ReduceOver(kAnyOp, x, axes, keep); }

Value Count(Arg x, const Axes& axes, DType dtype) {
  const UserLine line(x);
  const Value v = x.value();
  if (!v.ok()) return Value(v.tape(), -1);
  const std::optional<std::vector<int64_t>> over = axes.Ascending(v.rank());
  if (!over) return Fail("count", {v}, "an axis does not exist or is named twice", x.line());
  int64_t fixed = 1;
  for (int64_t axis : *over) fixed *= v.dim(axis).is_static() ? v.dim(axis).value() : 1;
  Value count;
  const auto multiply = [&](const Value& factor) {
    count = count.tape() == nullptr ? factor : count * factor;
  };
  for (int64_t axis : *over) {
    if (!v.dim(axis).is_static()) multiply(Cast(Tape(v.tape()).Size(v.dim(axis)), dtype));
  }
  if (fixed != 1 || count.tape() == nullptr) multiply(Scalar(v, dtype, fixed));
  return count;
}

Value Mean(Arg x, const Axes& axes, Keep keep) {
  const UserLine line(x);
  if (x.value().ok() && !IsFloat(x.value().dtype())) {
    return Fail("mean", {x.value()}, "only floats have a mean; use Cast", x.line());
  }
  const Value sum = Sum(x, axes, keep);
  if (!sum.ok()) return sum;
  return sum / Count(x.value(), axes, sum.dtype());
}

Value Variance(Arg x, const Axes& axes, Keep keep) {
  const UserLine line(x);
  return Mean(Square(x.value() - Mean(x, axes, Keep::kYes)), axes, keep);
}

}  // namespace talweg
