// Kinds of nodes with loops of their own: concat, scatter-add, random.

#include <utility>

#include "absl/strings/str_cat.h"
#include "jit/loops/level.h"
#include "jit/loops/nest.h"
#include "jit/loops/reader.h"

namespace talweg::loops {

void Level::LowerConcat(NodeId id) {
  const Node& n = node(id);
  const auto axis = static_cast<size_t>(n.As<ConcatAttributes>().axis);
  const Tensor out = TensorFor(id);
  int64_t start = 0;
  for (NodeId operand : n.operands) {
    const Shape& shape = node(operand).type().shape;
    Tensor part = out;
    part.shape = shape;
    part.padded_axis = -1;
    part.offset += start * out.strides[axis].factor;
    if (out.strides[axis].reg != kNone) {
      const Register skip = b_.Times(out.strides[axis].reg, start * out.strides[axis].factor);
      part.offset = out.offset;
      part.base = out.base == kNone ? skip : b_.Add(out.base, skip);
    }
    start += shape[axis].value();
    Nest nest(*this, Label(id), shape);
    nest.Write(operand, std::move(part));
    nest.Emit();
  }
}

// One update after another, in the row-major order of the updates. Lanes may lie along the last
// axis where that comes after the indices: they go to different places then.
void Level::LowerScatterAdd(NodeId id) {
  const Node& n = node(id);
  const auto& scatter = n.As<ScatterAddAttributes>();
  const NodeId updates = n.operands[0], indices = n.operands[1];
  const Shape& shape = node(updates).type().shape;
  const auto axis = static_cast<size_t>(scatter.axis), batch = static_cast<size_t>(scatter.batch);
  const size_t index_axes = node(indices).type().shape.size() - batch;
  const Tensor out = TensorFor(id);
  {
    Nest zeros(*this, absl::StrCat("zeros of ", Label(id)), n.type().shape);
    zeros.WriteZeros(out);
    zeros.Emit();
  }
  const DType dtype = n.type().dtype;
  const bool wide = axis + index_axes < shape.size() && !(shape.back() == Dim(1));
  const auto lanes = static_cast<int32_t>(wide ? lowering_.machine.Lanes(dtype) : 1);
  const absl::flat_hash_set<NodeId> none;
  Reader reader(*this, none);
  b_.OpenSection(Label(id));
  const Register zero = b_.Index(0);
  Point point{.at = {}, .lanes = lanes, .flat = false};
  point.at.assign(shape.size(), Index{zero});
  size_t open = 0;
  for (size_t i = 0; i < shape.size(); i++) {
    if (shape[i] == Dim(1)) continue;
    const bool last = i + 1 == shape.size() && lanes > 1;
    const Bound extent = ExtentOf(shape[i]);
    const Builder::Loop loop = b_.OpenFor({.value = 0}, extent, last ? lanes : 1);
    reader.Open();
    open++;
    point.at[i] = {loop.variable, last ? 1 : 0, kNone};
    if (last) {
      point.active = b_.Below(b_.Sub(Extent(shape[i]), loop.variable), lanes);
    }
  }
  Point at = point;
  at.at.assign(point.at.begin(), point.at.begin() + static_cast<std::ptrdiff_t>(batch));
  for (size_t i = 0; i < index_axes; i++) at.at.push_back(point.at[axis + i]);
  const Register index = b_.Convert(kInt64, reader.Value(indices, at));
  const Register extent = Extent(n.type().shape[axis]);
  const Register place = b_.CheckIndex(index, extent, SiteOf(ErrorSite::What::kIndex, id));
  // An index is clamped to what is there, if anything is.
  int64_t known = 0;
  const bool may_be_none = !b_.IsConstant(extent, &known) || known == 0;
  if (may_be_none) {
    b_.OpenIf(b_.Binary(Opcode::kLess, b_.Index(0), extent));
    reader.Open();
  }
  Point to = point;
  to.at.assign(point.at.begin(), point.at.begin() + static_cast<std::ptrdiff_t>(axis));
  to.at.push_back({place});
  to.at.insert(to.at.end(), point.at.begin() + static_cast<std::ptrdiff_t>(axis + index_axes),
               point.at.end());
  const Register before = reader.LoadFrom(out, to);
  reader.Store(out, to, b_.Add(before, reader.Value(updates, point)));
  if (may_be_none) {
    reader.Close();
    b_.CloseIf();
  }
  for (; open > 0; open--) {
    reader.Close();
    b_.CloseFor();
  }
  b_.CloseSection();
}

void Level::LowerRandom(NodeId id) {
  const Node& n = node(id);
  const Type& type = n.type();
  const Register key = ScalarOf(n.operands[0]), stream = ScalarOf(n.operands[1]);
  Register elements = b_.Index(1);
  for (Dim dim : type.shape) elements = b_.Mul(elements, Extent(dim));
  // It is written from the first element to the last, whatever lies where.
  Tensor out;
  const bool planned = planned_[At(id)].has_value() && IsRowMajor(*planned_[At(id)]);
  if (planned) {
    out = TensorFor(id);
  } else {
    std::vector<int32_t> order(type.shape.size());
    for (size_t axis = 0; axis < order.size(); axis++) order[axis] = static_cast<int32_t>(axis);
    out = NewTensor(type, absl::StrCat(n.op->name, id), std::move(order), /*exact=*/true);
  }
  b_.OpenSection(Label(id));
  const Register base = out.base == kNone ? b_.Index(0) : out.base;
  b_.Random(out.buffer, b_.Plus(base, out.offset), elements, key, stream,
            lowering_.RandomOf(n.op, type.dtype));
  b_.CloseSection();
  if (planned) return;
  SetTensor(id, out);
  if (!planned_[At(id)].has_value()) return;
  CopyTo(id, *planned_[At(id)]);
  SetTensor(id, *planned_[At(id)]);
}

}  // namespace talweg::loops
