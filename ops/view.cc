#include "ops/view.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/convert.h"
#include "base/text.h"
#include "base/with_type.h"
#include "graph/tape.h"
#include "graph/verify.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

Types InferView(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& view = std::get<ViewAttributes>(attributes);
  if (operands.size() != 1) return absl::InvalidArgumentError("one operand expected");
  if (view.axes.size() != operands[0].shape.size()) {
    return absl::InvalidArgumentError("the view has not one map for each axis");
  }
  if (absl::Status status = CheckShape(view.shape); !status.ok()) return status;
  for (const AxisMap& map : view.axes) {
    if (map.dilation < 1) return absl::InvalidArgumentError("a dilation is below 1");
    for (const AxisMap::Term& term : map.terms) {
      const bool exists = term.axis >= 0 && term.axis < static_cast<int64_t>(view.shape.size());
      if (!exists || term.step == 0) {
        return absl::InvalidArgumentError("a term has step 0, or its axis does not exist");
      }
    }
  }
  if (absl::Status status = CheckViewIndices(view); !status.ok()) return status;
  return std::vector<Type>{{operands[0].dtype, view.shape}};
}

Types InferReshape(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const Shape& shape = std::get<ShapeAttributes>(attributes).shape;
  if (operands.size() != 1) return absl::InvalidArgumentError("one operand expected");
  if (absl::Status status = CheckShape(shape); !status.ok()) return status;
  if (CountOf(shape) != CountOf(operands[0].shape)) {
    return absl::InvalidArgumentError(absl::StrCat("a shape of another size, ", ToString(shape)));
  }
  return std::vector<Type>{{operands[0].dtype, shape}};
}

Types InferConcat(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const int64_t axis = std::get<ConcatAttributes>(attributes).axis;
  if (operands.empty()) return absl::InvalidArgumentError("no operands");
  Type type = operands[0];
  if (axis < 0 || axis >= static_cast<int64_t>(type.shape.size())) {
    return absl::InvalidArgumentError(absl::StrCat("there is no axis ", axis));
  }
  const auto at = static_cast<size_t>(axis);
  int64_t total = 0;
  for (const Type& operand : operands) {
    if (operand.dtype != type.dtype) {
      return absl::InvalidArgumentError(absl::StrCat("element types ", Name(type.dtype), " and ",
                                                     Name(operand.dtype), " differ; use Cast"));
    }
    if (operand.shape.size() != type.shape.size()) {
      return absl::InvalidArgumentError("the ranks differ");
    }
    for (size_t i = 0; i < type.shape.size(); i++) {
      if (i != at && !(operand.shape[i] == type.shape[i])) {
        return absl::InvalidArgumentError(absl::StrCat("extents ", type.shape[i].ToString(),
                                                       " and ", operand.shape[i].ToString(),
                                                       " of axis ", i, " differ"));
      }
    }
    if (!operand.shape[at].is_static()) {
      return absl::InvalidArgumentError("a run-time axis can not be concatenated");
    }
    if (operand.shape[at].value() > std::numeric_limits<int64_t>::max() - total) {
      return absl::InvalidArgumentError("the extents add up to more than there can be");
    }
    total += operand.shape[at].value();
  }
  type.shape[at] = total;
  if (absl::Status status = CheckShape(type.shape); !status.ok()) return status;
  return std::vector<Type>{type};
}

}  // namespace

constinit const Op kViewOp{"view", "an affine reindexing of the operand", Kind::kView, InferView};
constinit const Op kReshapeOp{"reshape", "the same elements under another shape", Kind::kReshape,
                              InferReshape};
constinit const Op kConcatOp{"concat", "operands one after another along an axis", Kind::kConcat,
                             InferConcat};

int64_t NormalAxis(int64_t axis, int64_t rank) {
  const int64_t normal = axis < 0 ? axis + rank : axis;
  return normal >= 0 && normal < rank ? normal : -1;
}

std::vector<AxisMap> IdentityMaps(int64_t rank) {
  std::vector<AxisMap> maps(static_cast<size_t>(rank));
  for (int64_t i = 0; i < rank; i++) maps[static_cast<size_t>(i)].terms = {{.axis = i}};
  return maps;
}

absl::StatusOr<Shape> BroadcastShapes(absl::Span<const Dim> a, absl::Span<const Dim> b) {
  Shape shape(std::max(a.size(), b.size()), Dim(1));
  for (size_t back = 1; back <= shape.size(); back++) {
    const Dim x = back <= a.size() ? a[a.size() - back] : Dim(1);
    const Dim y = back <= b.size() ? b[b.size() - back] : Dim(1);
    if (!(x == y) && !(x == Dim(1)) && !(y == Dim(1))) {
      return absl::InvalidArgumentError(
          absl::StrCat("extents ", x.ToString(), " and ", y.ToString(), " do not broadcast"));
    }
    shape[shape.size() - back] = x == Dim(1) ? y : x;
  }
  return shape;
}

Value View(const Value& x, ViewAttributes attributes, const SourceLine& line) {
  // A view that reads every element at its own place is the operand itself.
  if (x.ok() && attributes.shape == x.shape() && attributes.axes == IdentityMaps(x.rank())) {
    return x;
  }
  return MakeNode(kViewOp, {x}, std::move(attributes), line);
}

Value Reshape(Arg x, Shape shape) {
  const Value v = x.value();
  const auto open = std::find(shape.begin(), shape.end(), Dim(-1));
  if (open != shape.end() && v.ok()) {
    // Checked before it is counted: a product that overflows may look like one that fits.
    *open = 1;
    const bool sound = CheckShape(shape).ok();
    const int64_t known = sound ? CountOf(shape).elements : 0, all = CountOf(v.shape()).elements;
    if (known == 0 || all % known != 0) {
      *open = -1;
      return Fail("reshape", {v}, absl::StrCat("no extent at -1 fits ", ToString(shape)), x.line());
    }
    *open = all / known;
  }
  if (v.ok() && shape == v.shape()) return v;
  return MakeNode(kReshapeOp, {v}, ShapeAttributes{std::move(shape)}, x.line());
}

Value Transpose(Arg x, std::vector<int64_t> permutation) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(kViewOp, {v}, ViewAttributes{}, x.line());
  const int64_t rank = v.rank();
  if (permutation.empty()) {
    for (int64_t i = rank; i-- > 0;) permutation.push_back(i);
  }
  ViewAttributes view;
  view.axes.resize(static_cast<size_t>(rank));
  if (static_cast<int64_t>(permutation.size()) != rank) {
    return Fail("transpose", {v}, "the permutation has not one entry for each axis", x.line());
  }
  for (int64_t i = 0; i < rank; i++) {
    const int64_t axis = NormalAxis(permutation[static_cast<size_t>(i)], rank);
    if (axis < 0 || !view.axes[static_cast<size_t>(axis)].terms.empty()) {
      return Fail("transpose", {v}, "the permutation names an axis twice or one that is not there",
                  x.line());
    }
    view.axes[static_cast<size_t>(axis)].terms = {{.axis = i}};
    view.shape.push_back(v.dim(axis));
  }
  return View(v, std::move(view), x.line());
}

Value BroadcastTo(Arg x, const Shape& shape) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(kViewOp, {v}, ViewAttributes{}, x.line());
  const auto missing = static_cast<int64_t>(shape.size()) - v.rank();
  ViewAttributes view;
  view.axes.resize(static_cast<size_t>(v.rank()));
  view.shape = shape;
  for (int64_t i = 0; i < v.rank(); i++) {
    const Dim to = missing + i >= 0 ? shape[static_cast<size_t>(missing + i)] : Dim(-1);
    if (v.dim(i) == to) {
      view.axes[static_cast<size_t>(i)].terms = {{.axis = missing + i}};
    } else if (missing < 0 || !(v.dim(i) == Dim(1))) {
      return Fail("broadcast", {v}, absl::StrCat("does not broadcast to ", ToString(shape)),
                  x.line());
    }
  }
  return View(v, std::move(view), x.line());
}

Value Slice(Arg x, int64_t axis, int64_t start, int64_t stop, int64_t step) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(kViewOp, {v}, ViewAttributes{}, x.line());
  const int64_t at = NormalAxis(axis, v.rank());
  if (at < 0) return Fail("slice", {v}, absl::StrCat("there is no axis ", axis), x.line());
  if (step == 0) return Fail("slice", {v}, "the step is 0", x.line());
  if (!v.dim(at).is_static()) {
    return Fail("slice", {v}, "a run-time axis can not be sliced; gather from it", x.line());
  }
  const int64_t n = v.dim(at).value();
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
  start = std::clamp(start < 0 ? start + n : start, low, high);
  stop = std::clamp(stop < 0 ? stop + n : stop, low, high);
  const int64_t distance = step > 0 ? stop - start : start - stop;
  const int64_t stride = step > 0 ? step : -std::max(step, -std::numeric_limits<int64_t>::max());
  ViewAttributes view{.axes = IdentityMaps(v.rank()), .fill = 0, .shape = v.shape()};
  const int64_t extent = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  view.shape[static_cast<size_t>(at)] = extent;
  // A step that is never taken may be of any size; 1 is one that nobody has to fear.
  view.axes[static_cast<size_t>(at)] = {
      .offset = start, .dilation = 1, .terms = {{at, extent > 1 ? step : 1}}};
  return View(v, std::move(view), x.line());
}

Value At(Arg x, int64_t axis, int64_t index) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(kViewOp, {v}, ViewAttributes{}, x.line());
  const int64_t at = NormalAxis(axis, v.rank());
  if (at < 0) return Fail("at", {v}, absl::StrCat("there is no axis ", axis), x.line());
  if (!v.dim(at).is_static()) {
    return Fail("at", {v}, "a run-time axis has no fixed index; gather from it", x.line());
  }
  const int64_t n = v.dim(at).value();
  if (index < -n || index >= n) {
    return Fail("at", {v}, absl::StrCat("index ", index, " is outside of ", n), x.line());
  }
  ViewAttributes view;
  view.axes.resize(static_cast<size_t>(v.rank()));
  for (int64_t i = 0; i < v.rank(); i++) {
    AxisMap& map = view.axes[static_cast<size_t>(i)];
    if (i == at) {
      map.offset = index < 0 ? index + n : index;
    } else {
      map.terms = {{.axis = static_cast<int64_t>(view.shape.size())}};
      view.shape.push_back(v.dim(i));
    }
  }
  return View(v, std::move(view), x.line());
}

Value Pad(Arg x, const std::vector<std::pair<int64_t, int64_t>>& before_after, double fill) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(kViewOp, {v}, ViewAttributes{}, x.line());
  if (static_cast<int64_t>(before_after.size()) != v.rank()) {
    return Fail("pad", {v}, "not one pair for each axis", x.line());
  }
  const bool fits = IsFloat(v.dtype()) || WithType(v.dtype(), [&]<typename T>(T) {
                      return static_cast<double>(ConvertElement<T>(fill)) == fill;
                    });
  if (!fits) {
    return Fail("pad", {v}, absl::StrCat(fill, " is no ", AbslView(Name(v.dtype()))), x.line());
  }
  ViewAttributes view{.axes = IdentityMaps(v.rank()), .fill = fill, .shape = v.shape()};
  for (size_t i = 0; i < before_after.size(); i++) {
    const auto& [before, after] = before_after[i];
    if (before == 0 && after == 0) continue;
    if (!v.shape()[i].is_static()) {
      return Fail("pad", {v}, "a run-time axis can not be padded", x.line());
    }
    const int64_t n = v.shape()[i].value();
    constexpr int64_t kLimit = int64_t{1} << 58;
    if (before > kLimit || after > kLimit || before < -kLimit || after < -kLimit ||
        n + before + after < 0) {
      return Fail("pad", {v},
                  absl::StrCat("axis ", i, " can not be padded by ", before, " and ", after),
                  x.line());
    }
    view.axes[i].offset = -before;
    view.shape[i] = n + before + after;
  }
  return View(v, std::move(view), x.line());
}

Value Reverse(Arg x, std::vector<int64_t> axes) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(kViewOp, {v}, ViewAttributes{}, x.line());
  ViewAttributes view{.axes = IdentityMaps(v.rank()), .fill = 0, .shape = v.shape()};
  std::vector<bool> named(static_cast<size_t>(v.rank()), false);
  for (int64_t axis : axes) {
    const int64_t at = NormalAxis(axis, v.rank());
    if (at < 0) return Fail("reverse", {v}, absl::StrCat("there is no axis ", axis), x.line());
    // Twice reversed would be as it was, or reversed once?
    if (named[static_cast<size_t>(at)]) {
      return Fail("reverse", {v}, absl::StrCat("axis ", axis, " is named twice"), x.line());
    }
    named[static_cast<size_t>(at)] = true;
    if (!v.dim(at).is_static()) {
      return Fail("reverse", {v}, "a run-time axis can not be reversed; a loop can", x.line());
    }
    view.axes[static_cast<size_t>(at)] = {
        .offset = v.dim(at).value() - 1, .dilation = 1, .terms = {{.axis = at, .step = -1}}};
  }
  return View(v, std::move(view), x.line());
}

Value Window(Arg x, int64_t axis, int64_t size, int64_t stride, int64_t dilation) {
  const Value v = x.value();
  if (!v.ok()) return MakeNode(kViewOp, {v}, ViewAttributes{}, x.line());
  const int64_t at = NormalAxis(axis, v.rank());
  if (at < 0) return Fail("window", {v}, absl::StrCat("there is no axis ", axis), x.line());
  if (!v.dim(at).is_static()) {
    return Fail("window", {v}, "a run-time axis has no windows", x.line());
  }
  const int64_t n = v.dim(at).value();
  if (size < 1 || stride < 1 || dilation < 1 || size > n || (size - 1) > (n - 1) / dilation) {
    return Fail("window", {v},
                absl::StrCat("no window of size ", size, ", stride ", stride, " and dilation ",
                             dilation, " fits ", n),
                x.line());
  }
  ViewAttributes view;
  view.axes.resize(static_cast<size_t>(v.rank()));
  for (int64_t i = 0; i < v.rank(); i++) {
    AxisMap& map = view.axes[static_cast<size_t>(i)];
    const auto next = static_cast<int64_t>(view.shape.size());
    if (i == at) {
      map.terms = {{next, stride}, {next + 1, dilation}};
      view.shape.push_back((n - (size - 1) * dilation - 1) / stride + 1);
      view.shape.push_back(size);
    } else {
      map.terms = {{.axis = next}};
      view.shape.push_back(v.dim(i));
    }
  }
  return View(v, std::move(view), x.line());
}

Value ExpandDims(Arg x, int64_t axis) {
  const Value v = x.value();
  const int64_t at = NormalAxis(axis, v.rank() + 1);
  if (at < 0) return Fail("expand_dims", {v}, absl::StrCat("there is no axis ", axis), x.line());
  Shape shape = v.shape();
  shape.insert(shape.begin() + at, Dim(1));
  return Reshape(x, std::move(shape));
}

Value Squeeze(Arg x, int64_t axis) {
  const Value v = x.value();
  const int64_t at = NormalAxis(axis, v.rank());
  if (at < 0 || !(v.dim(at) == Dim(1))) {
    return Fail("squeeze", {v}, absl::StrCat("axis ", axis, " is not one of extent 1"), x.line());
  }
  Shape shape = v.shape();
  shape.erase(shape.begin() + at);
  return Reshape(x, std::move(shape));
}

Value Full(const Tape& tape, DType dtype, const Shape& shape, Arg number) {
  const Value anchor(tape.state(), -1);
  if (!number.is_number()) {
    return Fail("full", {anchor}, "that takes a number; BroadcastTo takes a Value", number.line());
  }
  const UserLine line(anchor, number.line());
  return BroadcastTo(Scalar(anchor, dtype, number), shape);
}

Value ZerosLike(Arg x) {
  const Value& v = x.value();
  const UserLine line(x);
  if (!v.ok()) return v;
  return BroadcastTo(Scalar(v, v.dtype(), 0), v.shape());
}

Value Concat(const std::vector<Value>& operands, int64_t axis, std::source_location where) {
  if (operands.empty()) return Value();
  const int64_t normal = NormalAxis(axis, operands[0].rank());
  if (operands.size() == 1 && (normal >= 0 || !operands[0].ok())) return operands[0];
  return MakeNode(kConcatOp, operands, ConcatAttributes{normal < 0 ? axis : normal}, LineOf(where));
}

Value Stack(const std::vector<Value>& operands, int64_t axis, std::source_location where) {
  std::vector<Value> slices;
  for (const Value& operand : operands) slices.push_back(ExpandDims(Arg(operand, where), axis));
  const int64_t rank = operands.empty() ? 0 : operands[0].rank() + 1;
  return Concat(slices, axis < 0 ? axis + rank : axis, where);
}

}  // namespace talweg
