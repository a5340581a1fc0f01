#include "jit/loops/reader.h"

#include <cstring>
#include <utility>

#include "absl/algorithm/container.h"

namespace talweg::loops {
namespace {

uint64_t FirstBits(const Array& array) {
  uint64_t bits = 0;
  if (array.size() > 0) {
    std::memcpy(&bits, array.raw(), static_cast<size_t>(SizeOf(array.dtype())));
  }
  return bits;
}

// A number as the bits of an element.
uint64_t BitsOf(DType dtype, double number) { return FirstBits(*Array(number).Cast(dtype)); }

}  // namespace

int32_t AxisIn(const Shape& shape, int32_t domain_axis) {
  int32_t count = 0;
  for (size_t axis = 0; axis < shape.size(); axis++) {
    if (shape[axis] == Dim(1)) continue;
    if (count++ == domain_axis) return static_cast<int32_t>(axis);
  }
  return -1;
}

const Stride& StrideIn(const Tensor& tensor, int32_t domain_axis) {
  return tensor.strides[static_cast<size_t>(AxisIn(tensor.shape, domain_axis))];
}

Register PlaceInPanels(Builder& b, const Stride& stride, Register index) {
  const Register panel = b.Quotient(index, stride.panel);
  const Register begin = b.Times(panel, stride.panel_step);
  if (b.Divisor(index) % stride.panel == 0) return begin;
  return b.Add(begin, b.Remainder(index, stride.panel));
}

Point PointIn(Builder& b, const Shape& shape, const Point& domain_point) {
  Point point = domain_point;
  point.at.clear();
  size_t next = 0;
  for (Dim dim : shape) {
    point.at.push_back(dim == Dim(1) ? Index{b.Index(0)} : domain_point.at[next++]);
  }
  return point;
}

// An index that is known counts by its value: the register may be another one in each block.
Reader::Key Reader::KeyOf(NodeId id, const Point& point) const {
  Key key = {id, point.lanes, point.active, point.guard, point.guard_each, point.flat};
  for (const Index& index : point.at) {
    int64_t value = 0;
    const bool known = b_.IsConstant(index.at, &value);
    key.push_back(known ? -1 : index.at);
    key.push_back(known ? value : 0);
    key.push_back(index.lane);
    key.push_back(index.each);
  }
  return key;
}

const Register* Reader::Find(const Key& key) const {
  for (size_t i = memo_.size(); i-- > 0;) {
    const auto it = memo_[i].find(key);
    if (it != memo_[i].end()) return &it->second;
  }
  return nullptr;
}

Register Reader::Value(NodeId id, const Point& point) {
  const Key key = KeyOf(id, point);
  if (const Register* found = Find(key)) return *found;
  const Register value = Compute(id, point);
  memo_.back()[key] = value;
  return value;
}

Register Reader::Compute(NodeId id, const Point& point) {
  if (const auto it = overrides_.find(id); it != overrides_.end()) return Load(it->second, point);
  const Node& node = level_.node(id);
  if (!members_.contains(id)) {
    if (const auto reg = level_.RegisterOf(id)) return *reg;
    if (level_.HasTensor(id)) return Load(level_.tensor(id), point);
  }
  switch (node.kind()) {
    case Kind::kConstant:
      return b_.Constant(node.type().dtype, FirstBits(node.As<ConstantAttributes>().value));
    case Kind::kIota:
      return b_.Convert(node.type().dtype, AllLanes(point.at[0], point.lanes));
    case Kind::kSize:
      return level_.Extent(node.As<SizeAttributes>().dim);
    case Kind::kCustom:
      return Value(node.operands[0], point);
    case Kind::kMap:
      return ComputeMap(id, point);
    case Kind::kView:
      return ComputeView(id, point);
    case Kind::kReshape:
      return ComputeReshape(id, point);
    case Kind::kGather:
      return ComputeGather(id, point);
    case Kind::kReduce:
    case Kind::kContract: {
      Reduce(id, {point});
      return *Find(KeyOf(id, point));
    }
    default:
      break;
  }
  return b_.Constant(node.type().dtype, 0);  // every other kind lies in memory
}

// ---- Indices

Index Reader::Add(const Index& a, const Index& b) {
  Index sum{b_.Add(a.at, b.at), a.lane + b.lane, a.each};
  if (b.each != kNone) sum.each = a.each == kNone ? b.each : b_.Add(a.each, b.each);
  return sum;
}

Index Reader::Times(const Index& a, int64_t factor) {
  if (factor == 1) return a;
  Index product{b_.Times(a.at, factor), a.lane * factor, kNone};
  if (a.each != kNone && factor != 0) product.each = b_.Times(a.each, factor);
  return product;
}

Index Reader::Times(const Index& a, Register factor, int32_t lanes) {
  if (a.uniform()) return {b_.Mul(a.at, factor)};
  Index product{b_.Mul(a.at, factor)};
  Index rest = a;
  rest.at = b_.Index(0);
  product.each = b_.Mul(AllLanes(rest, lanes), factor);
  return product;
}

Register Reader::AllLanes(const Index& index, int32_t lanes) {
  if (index.uniform()) return index.at;
  Register all = index.each;
  if (index.lane != 0) {
    const Register steps = b_.Times(b_.Lanes(kInt64, lanes), index.lane);
    all = all == kNone ? steps : b_.Add(all, steps);
  }
  return b_.Add(b_.Splat(index.at, lanes), all);
}

void Reader::AddGuard(Point& point, Register condition) {
  Register& guard = b_.lanes(condition) == 1 ? point.guard : point.guard_each;
  guard = b_.Both(guard, condition);
}

// ---- Memory

// The place of an index along an axis that is cut into panels. Lanes lie side by side if they begin
// at a multiple of their number, which panels hold whole.
Index Reader::InPanels(const Stride& stride, const Index& index, int32_t lanes) {
  const auto place = [&](Register at) { return PlaceInPanels(b_, stride, at); };
  if (index.uniform()) return {place(index.at)};
  const bool is_whole = b_.Divisor(index.at) % lanes == 0 && stride.panel % lanes == 0;
  if (index.each == kNone && index.lane == 1 && is_whole) return {place(index.at), 1, kNone};
  return {b_.Index(0), 0, place(AllLanes(index, lanes))};
}

Index Reader::Flat(const Tensor& tensor, const Point& point) {
  Index flat{tensor.base == kNone ? b_.Index(0) : tensor.base};
  if (point.flat) return Add(flat, point.at[0]);
  for (size_t axis = 0; axis < tensor.strides.size(); axis++) {
    const Stride& stride = tensor.strides[axis];
    if (stride == Stride()) continue;
    if (stride.panel > 0) {
      flat = Add(flat, InPanels(stride, point.at[axis], point.lanes));
      continue;
    }
    Index part = Times(point.at[axis], stride.factor);
    if (stride.reg != kNone) part = Times(part, stride.reg, point.lanes);
    flat = Add(flat, part);
  }
  return flat;
}

// Whether a vector's lanes lie along the axis that has room for whole vectors.
bool Reader::IsAlongPadding(const Tensor& tensor, const Point& point, const Index& flat) {
  return tensor.padded_axis >= 0 && flat.lane == 1 && !point.flat &&
         point.at[static_cast<size_t>(tensor.padded_axis)].lane == 1;
}

Register Reader::Load(const Tensor& tensor, const Point& point) {
  const Index flat = Flat(tensor, point);
  // One element for all lanes, but where it depends on the lane whether it is there.
  if (flat.uniform() && point.guard_each == kNone) {
    // The buffer's first element is always there to be read.
    Register at = b_.Plus(flat.at, tensor.offset);
    if (point.guard != kNone) at = b_.Select(point.guard, at, b_.Index(0));
    return b_.Load(tensor.buffer, at);
  }
  Register mask = point.guard_each;
  if (point.guard != kNone) mask = b_.Both(mask, b_.Splat(point.guard, point.lanes));
  // Past the last lane there is memory of our own: slack behind vectors, rows up to a multiple.
  bool free = tensor.internal && flat.each == kNone && (!point.flat || flat.lane == 1);
  for (size_t axis = 0; !point.flat && axis < tensor.strides.size(); axis++) {
    if (point.at[axis].lane == 0 || tensor.strides[axis] == Stride()) continue;
    const Dim dim = tensor.shape[axis];
    const bool rounded = !dim.is_static() && level_.BoundOf(dim) >= 0;
    free = free && (flat.lane == 1 || (rounded && point.at[axis].lane == 1));
  }
  // What lies there is nobody's, and may be denormal numbers, which take processors long: lanes
  // that are left out compute with zeros, by masks where those have registers of their own.
  const bool has_masks = level_.lowering().machine.vector_registers >= 32;
  const bool leaves_out = free && point.active != kNone && IsFloat(tensor.dtype) &&
                          !(IsAlongPadding(tensor, point, flat) && IsWrittenWhole(tensor, point));
  if (!free || (leaves_out && has_masks)) mask = b_.Both(mask, point.active);
  if (flat.each != kNone) {
    return b_.LoadEach(tensor.buffer, AllLanes(flat, point.lanes),
                       {.offset = tensor.offset, .mask = mask});
  }
  const Register all = b_.Load(tensor.buffer, flat.at, point.lanes,
                               {.offset = tensor.offset, .stride = flat.lane, .mask = mask});
  if (!leaves_out || has_masks) return all;
  return b_.Select(point.active, all, b_.Splat(b_.Constant(tensor.dtype, 0), point.lanes));
}

bool Reader::IsWrittenWhole(const Tensor& tensor, const Point& point) const {
  const auto& written = level_.lowering().written_whole;
  const auto lanes = written.find(tensor.buffer);
  return lanes != written.end() && lanes->second >= point.lanes;
}

void Reader::Store(const Tensor& tensor, const Point& point, Register value) {
  const Index flat = Flat(tensor, point);
  Require(flat.each == kNone, "a vector is to be stored in pieces");
  if (flat.uniform()) {
    b_.Store(tensor.buffer, flat.at, value, {.offset = tensor.offset});
    return;
  }
  Register mask = point.active;
  if (IsAlongPadding(tensor, point, flat)) {
    if (mask != kNone) level_.lowering().written_whole[tensor.buffer] = point.lanes;
    mask = kNone;
  }
  b_.Store(tensor.buffer, flat.at, b_.Splat(value, point.lanes),
           {.offset = tensor.offset, .stride = flat.lane, .mask = mask});
}

// ---- Kinds

Register Reader::ComputeMap(NodeId id, const Point& point) {
  const Node& node = level_.node(id);
  Registers inputs;
  absl::InlinedVector<DType, 3> dtypes;
  for (NodeId operand : node.operands) {
    inputs.push_back(Value(operand, point));
    dtypes.push_back(level_.node(operand).type().dtype);
  }
  const Formula& formula = level_.lowering().FormulaOf(*node.op, dtypes, node.type().dtype);
  return b_.Inline(formula.program, formula.result, inputs);
}

// result[o] = operand[i], i = (offset + sum of step * o) / dilation, or `fill` where that is none.
Register Reader::ComputeView(NodeId id, const Point& point) {
  const Node& node = level_.node(id);
  const auto& view = node.As<ViewAttributes>();
  const Shape& shape = level_.node(node.operands[0]).type().shape;
  const DType dtype = node.type().dtype;
  const Register fill = b_.Constant(dtype, BitsOf(dtype, view.fill));
  // Of nothing, not even the first element is there to be read.
  if (absl::c_linear_search(shape, Dim(0))) return fill;
  Point in = point;
  in.at.clear();
  in.flat = false;
  const Register zero = b_.Index(0);
  Register inside = kNone;
  for (size_t axis = 0; axis < shape.size(); axis++) {
    const AxisMap& map = view.axes[axis];
    Index index{b_.Index(map.offset)};
    for (const AxisMap::Term& term : map.terms) {
      index = Add(index, Times(point.at[static_cast<size_t>(term.axis)], term.step));
    }
    if (!level_.StaysInside(map, view.shape, shape[axis])) {
      Register all = AllLanes(index, point.lanes);
      if (map.dilation != 1) {
        const Register quotient = b_.Quotient(all, map.dilation);
        inside = b_.Both(inside, b_.Binary(Opcode::kEqual, b_.Times(quotient, map.dilation), all));
        // -1 / 2 is 0.
        inside = b_.Both(inside, b_.Binary(Opcode::kLessEqual, zero, all));
        all = quotient;
        index = b_.lanes(all) == 1 ? Index{all} : Index{zero, 0, all};
      }
      inside = b_.Both(inside, b_.Binary(Opcode::kLessEqual, zero, all));
      inside = b_.Both(inside, b_.Binary(Opcode::kLess, all, level_.Extent(shape[axis])));
    }
    in.at.push_back(index);
  }
  if (inside == kNone) return Value(node.operands[0], in);
  AddGuard(in, inside);
  return b_.Select(inside, Value(node.operands[0], in), fill);
}

Register Reader::ComputeReshape(NodeId id, const Point& point) {
  const Node& node = level_.node(id);
  const NodeId operand = node.operands[0];
  const Shape &from = node.type().shape, &to = level_.node(operand).type().shape;
  Point in = point;
  in.at.clear();
  const Register zero = b_.Index(0);
  if (DomainOf(from) == DomainOf(to)) {
    size_t next = 0;
    for (Dim dim : to) {
      if (dim == Dim(1)) {
        in.at.push_back({zero});
        continue;
      }
      while (from[next] == Dim(1)) next++;
      in.at.push_back(point.at[next++]);
    }
    return Value(operand, in);
  }
  // The place in row-major order, then cut into the operand's indices, from the last axis on.
  Index flat{zero};
  for (size_t axis = 0; axis < from.size(); axis++) {
    flat = from[axis].is_static() ? Times(flat, from[axis].value())
                                  : Times(flat, level_.Extent(from[axis]), point.lanes);
    flat = Add(flat, point.at[axis]);
  }
  in.at.assign(to.size(), Index{zero});
  if (const auto tensor = level_.AsTensor(operand);
      tensor.has_value() && !members_.contains(operand) && level_.IsRowMajor(*tensor)) {
    in.flat = true;
    in.at.assign(1, flat);
    return Load(*tensor, in);
  }
  Register rest = AllLanes(flat, point.lanes);
  for (size_t axis = to.size(); axis-- > 0;) {
    if (to[axis] == Dim(1)) continue;
    // What lanes outside of the domain compute must not be out of bounds: they divide by more than
    // 0, and the outermost index is cut like the others.
    const Register extent = level_.Extent(to[axis]);
    const Register quotient = b_.Binary(Opcode::kDiv, rest, extent);
    const Register index = b_.Sub(rest, b_.Mul(quotient, extent));
    in.at[axis] = b_.lanes(index) == 1 ? Index{index} : Index{zero, 0, index};
    rest = quotient;
  }
  return Value(operand, in);
}

Register Reader::ComputeGather(NodeId id, const Point& point) {
  const Node& node = level_.node(id);
  const auto& gather = node.As<GatherAttributes>();
  const NodeId x = node.operands[0], indices = node.operands[1];
  const Shape& shape = level_.node(x).type().shape;
  const auto axis = static_cast<size_t>(gather.axis), batch = static_cast<size_t>(gather.batch);
  const size_t index_axes = level_.node(indices).type().shape.size() - batch;
  Point at = point;
  at.at.assign(point.at.begin(), point.at.begin() + static_cast<std::ptrdiff_t>(batch));
  for (size_t i = 0; i < index_axes; i++) at.at.push_back(point.at[axis + i]);
  // Of nothing, element 0 is not there.
  const Register index =
      shape[axis] == Dim(0) ? b_.Index(0) : b_.Convert(kInt64, Value(indices, at));
  const Register extent = level_.Extent(shape[axis]);
  const std::optional<Interval> interval = level_.IntervalOf(indices);
  const bool is_inside =
      interval.has_value() && shape[axis].is_static() && interval->IsInside(shape[axis].value());
  Register clamped = index;
  if (!is_inside) {
    Register active = b_.Both(point.active, point.guard_each);
    if (point.guard != kNone) active = b_.Both(active, b_.Splat(point.guard, point.lanes));
    if (b_.lanes(index) == 1) active = point.guard;
    clamped = b_.CheckIndex(index, extent, level_.SiteOf(ErrorSite::What::kIndex, id), active);
  }
  if (shape[axis] == Dim(0)) return b_.Constant(node.type().dtype, 0);
  Point in = point;
  in.at.assign(point.at.begin(), point.at.begin() + static_cast<std::ptrdiff_t>(axis));
  in.at.push_back(b_.lanes(clamped) == 1 ? Index{clamped} : Index{b_.Index(0), 0, clamped});
  in.at.insert(in.at.end(), point.at.begin() + static_cast<std::ptrdiff_t>(axis + index_axes),
               point.at.end());
  if (!shape[axis].is_static()) {
    AddGuard(in, b_.Binary(Opcode::kLess, b_.Index(0), extent));
  }
  // A clamped index is inside in every lane; one that needed no check, in the active ones.
  const bool others = absl::c_any_of(in.at, [](const Index& i) { return i.lane != 0; });
  if (!others && !is_inside) in.active = kNone;
  return Value(x, in);
}

}  // namespace talweg::loops
