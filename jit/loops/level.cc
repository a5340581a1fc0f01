#include "jit/loops/level.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "graph/axes.h"
#include "graph/engine.h"
#include "jit/loops/guesses.h"
#include "jit/loops/nest.h"
#include "jit/loops/turn.h"

namespace talweg::loops {
namespace {

constexpr int64_t kThin = 16;

// The same elements whichever way they are laid out: a scalar, or one number again and again.
bool IsSplat(const Array& array) {
  const int64_t size = SizeOf(array.dtype());
  for (int64_t i = size; i < array.bytes(); i++) {
    if (array.raw()[i] != array.raw()[i - size]) return false;
  }
  return array.size() > 0;
}

}  // namespace

const Formula& Lowering::FormulaOf(const Op& op, absl::Span<const DType> operands, DType result) {
  // By the record and not by its name: users may have ops of one name.
  std::unique_ptr<Formula>& formula =
      formulas[{&op, result, std::vector<DType>(operands.begin(), operands.end())}];
  if (formula == nullptr) {
    formula = std::make_unique<Formula>();
    absl::InlinedVector<Expr, 3> inputs;
    for (DType dtype : operands) inputs.push_back(formula->program.Input(dtype));
    formula->result = op.map->expr(inputs.data(), result).id();
  }
  return *formula;
}

int32_t Lowering::RandomOf(const Op* op, DType dtype) {
  const auto [it, is_new] = randoms.try_emplace({op, dtype}, 0);
  if (is_new) it->second = builder.AddRandom(op, dtype);
  return it->second;
}

std::vector<int32_t> BestOrder(const Level& level, const Shape& shape) {
  std::vector<int32_t> order(shape.size());
  for (size_t i = 0; i < shape.size(); i++) order[i] = static_cast<int32_t>(i);
  int32_t last = -1, widest = -1;
  int64_t most = 0;
  for (int32_t axis : order) {
    const Dim dim = shape[static_cast<size_t>(axis)];
    if (dim == Dim(1)) continue;
    const int64_t bound = level.BoundOf(dim);
    if (bound < 0) return order;  // its strides would have to be computed
    last = axis;
    if (bound > most) {
      most = bound;
      widest = axis;
    }
  }
  if (level.HasInstances(shape)) {
    std::rotate(order.begin(), order.begin() + 1, order.end());
    return order;
  }
  if (last < 0 || last == widest) return order;
  const int64_t thin = level.BoundOf(shape[static_cast<size_t>(last)]);
  if (thin >= kThin || most < 2 * thin || most < kThin) return order;
  order.erase(std::find(order.begin(), order.end(), widest));
  order.push_back(widest);
  return order;
}

Summation SummationOf(const Node& node) {
  if (node.kind() == Kind::kContract) {
    const auto& contract = node.As<ContractAttributes>();
    return {contract.order, contract.lhs_sum};
  }
  const auto& reduce = node.As<ReduceAttributes>();
  return {reduce.order, reduce.axes};
}

std::optional<Register> Level::RegisterOf(NodeId id) const {
  const auto it = registers_.find(id);
  if (it == registers_.end()) return std::nullopt;
  return it->second;
}

Bound Level::ExtentOf(Dim dim) const {
  if (dim.is_static()) return {.value = dim.value()};
  return {.reg = dim == kRows ? rows_.value : trips_.value};
}

int64_t Level::BoundOf(Dim dim) const {
  if (dim.is_static()) return dim.value();
  return dim == kRows ? rows_.bound : trips_.bound;
}

int64_t Level::LikelyExtent(Dim dim) const {
  const int64_t bound = BoundOf(dim);
  return bound < 0 ? kGuessedRows : bound;
}

Register Level::Extent(Dim dim) { return b_.InRegister(ExtentOf(dim)); }

std::string Level::Label(NodeId id) const {
  const Node& n = node(id);
  const std::string line = ToString(n.line);
  return absl::StrCat(n.op->name, " %", id, line.empty() ? "" : absl::StrCat(" (", line, ")"));
}

int32_t Level::SiteOf(ErrorSite::What what, NodeId id, int64_t limit) {
  const auto [it, is_new] = sites_.try_emplace({id, static_cast<int64_t>(what)}, 0);
  if (!is_new) return it->second;
  NodeFrame frame = FrameOf(graph_, id);
  ErrorSite site{.what = what,
                 .before = std::move(frame.before),
                 .after = std::move(frame.after),
                 .limit = limit};
  return it->second = b_.AddSite(std::move(site));
}

Tensor Level::RowMajor(const Type& type, int32_t buffer) {
  Tensor tensor{.buffer = buffer, .dtype = type.dtype, .shape = type.shape, .strides = {}};
  tensor.strides.resize(type.shape.size());
  int64_t factor = 1;
  Register reg = kNone;
  for (size_t axis = type.shape.size(); axis-- > 0;) {
    const Dim dim = type.shape[axis];
    if (dim == Dim(1)) continue;
    tensor.strides[axis] = {factor, reg};
    if (dim.is_static()) {
      factor = Product(factor, dim.value());
      continue;
    }
    bool outermost = true;
    for (size_t outer = 0; outer < axis; outer++)
      outermost = outermost && type.shape[outer] == Dim(1);
    if (outermost) break;
    const Register extent = Extent(dim);
    reg = reg == kNone ? b_.Times(extent, factor) : b_.Times(b_.Mul(reg, extent), factor);
    factor = 1;
  }
  return tensor;
}

Register Level::DynamicElements(const Shape& shape, Register elements) {
  const auto number = [&](double x) { return b_.Constant(kFloat64, std::bit_cast<uint64_t>(x)); };
  Register product = number(1), room = b_.Index(1);
  for (const Dim dim : shape) {
    // Of rows that have a limit, there is room for as many as that.
    // (LayOut pads extents that have a bound: by less than their own length and a line.)
    const bool is_limit = !dim.is_static() && BoundOf(dim) >= 0;
    const Register extent = is_limit ? b_.Index(RoundUp(BoundOf(dim), kRowMultiple)) : Extent(dim);
    product = b_.Mul(product, b_.Convert(kFloat64, extent));
    room = b_.Mul(room, extent);
  }
  const Register fits = b_.Binary(Opcode::kLess, product, number(0x1p54));
  return b_.Select(fits, elements == kNone ? room : elements, b_.Index(int64_t{1} << 60));
}

// From the innermost axis out.
Level::Room Level::LayOut(absl::Span<const int32_t> order, bool exact, Tensor& tensor) {
  const Shape& shape = tensor.shape;
  tensor.strides.resize(shape.size());
  // The next axis' stride is reg * factor.
  Room room;
  auto& [elements, factor, reg, dynamic] = room;
  bool rounded = false;
  int32_t wide_axes = 0;
  auto axes_left = absl::c_count_if(shape, [](Dim d) { return d != Dim(1); });
  for (size_t i = order.size(); i-- > 0;) {
    const auto axis = static_cast<size_t>(order[i]);
    const Dim dim = shape[axis];
    if (dim == Dim(1)) continue;
    tensor.strides[axis] = {factor, reg};
    axes_left--;
    if (wide_axes++ == 0) tensor.padded_axis = order[i];
    const int64_t bound = BoundOf(dim);
    if (bound >= 0) {
      int64_t extent = dim.is_static() ? bound : RoundUp(bound, kRowMultiple);
      // Rows begin where vectors do, if that takes no third more.
      const int64_t lanes = lowering_.machine.Lanes(tensor.dtype);
      const int64_t whole = RoundUp(extent, lanes);
      if (wide_axes == 1 && !exact && extent >= lanes && 3 * (whole - extent) <= extent) {
        extent = whole;
        rounded = true;
      }
      elements = Product(elements, extent);
      if (dim.is_static() || !exact) {
        factor = Product(factor, extent);
        // Rows, and rows of rows, that would share few sets of the caches are moved apart.
        const int64_t far = lowering_.options.block > 0 ? 32 : Machine::kSetsBytes;
        const int64_t size = SizeOf(tensor.dtype);
        if (!exact && axes_left > 0 && reg == kNone && factor * size % far == 0) {
          factor += Machine::kLineBytes / size;
          elements = factor;
          rounded = rounded || wide_axes == 1;
        }
        continue;
      }
    }
    dynamic = dynamic || bound < 0;
    const Register extent = Extent(dim);
    reg = reg == kNone ? b_.Times(extent, factor) : b_.Times(b_.Mul(reg, extent), factor);
    factor = 1;
  }
  // Where there are other axes, the next row lies right behind, but for rounded extents.
  if (wide_axes > 1) {
    const Dim innermost = shape[static_cast<size_t>(tensor.padded_axis)];
    if (!innermost.is_static() && BoundOf(innermost) >= 0) rounded = true;
    if (exact || !rounded) tensor.padded_axis = -1;
  }
  return room;
}

Tensor Level::NewTensor(const Type& type, const std::string& name, std::vector<int32_t> order,
                        bool exact) {
  if (order.empty()) order = BestOrder(*this, type.shape);
  Tensor tensor{.buffer = -1, .dtype = type.dtype, .shape = type.shape, .strides = {}};
  tensor.internal = true;
  const Room room = LayOut(order, exact, tensor);
  if (room.dynamic) {
    tensor.buffer = b_.AddDynamic(name, type.dtype);
    const Register elements = exact ? kNone : b_.Times(room.reg, room.factor);
    b_.Allocate(tensor.buffer, DynamicElements(type.shape, elements), memory_site_);
  } else {
    const int64_t slack = kSlackBytes / SizeOf(type.dtype);
    tensor.buffer = b_.AddBuffer({.name = name,
                                  .dtype = type.dtype,
                                  .home = Buffer::Home::kArena,
                                  .slot = -1,
                                  .offset = 0,
                                  .elements = room.elements + slack});
  }
  return tensor;
}

Tensor Level::NewPanels(const Type& type, const std::string& name, int32_t axis, int64_t panel) {
  Tensor tensor{.buffer = -1, .dtype = type.dtype, .shape = type.shape, .strides = {}};
  tensor.strides.resize(type.shape.size());
  tensor.internal = true;
  tensor.padded_axis = axis;
  int64_t rows = 1;
  for (size_t other = 0; other < type.shape.size(); other++) {
    if (static_cast<int32_t>(other) == axis || type.shape[other] == Dim(1)) continue;
    tensor.strides[other] = {panel};
    rows = type.shape[other].value();
  }
  // A line more, so that equal places of two panels do not share a set of the caches.
  const int64_t step = Product(rows, panel) + Machine::kLineBytes / SizeOf(type.dtype);
  const int64_t columns = type.shape[static_cast<size_t>(axis)].value();
  tensor.strides[static_cast<size_t>(axis)] = {1, kNone, panel, step};
  tensor.buffer = b_.AddBuffer({.name = name,
                                .dtype = type.dtype,
                                .home = Buffer::Home::kArena,
                                .slot = -1,
                                .offset = 0,
                                .elements = Product(RoundUp(columns, panel) / panel, step) +
                                            kSlackBytes / SizeOf(type.dtype)});
  return tensor;
}

std::vector<bool> Level::ReadUnderOtherShapes(const Graph& graph) {
  std::vector<bool> read(graph.nodes().size(), false);
  for (const Node& node : graph.nodes()) {
    if (node.kind() != Kind::kReshape) continue;
    const Type& type = graph.node(node.operands[0]).type();
    if (DomainOf(node.type().shape) != DomainOf(type.shape)) read[At(node.operands[0])] = true;
  }
  return read;
}

bool Level::MayTakeTurns(const Node& n) const {
  const bool is_contract = n.kind() == Kind::kContract;
  if (!is_contract && (n.kind() != Kind::kReduce || n.op->reduce->place)) return false;
  const auto& [order, axes] = SummationOf(n);
  if (order.chains == 1 || axes.size() != 1) return false;
  const Dim terms = node(n.operands[0]).type().shape[static_cast<size_t>(axes[0])];
  if (is_contract && !terms.is_static()) return false;
  const int64_t most = BoundOf(terms);
  return most >= 0 && most <= kMostInTurn && (order.block == 0 || most <= order.block);
}

int64_t Level::MostTerms(const Node& n) const {
  const Shape& shape = node(n.operands[0]).type().shape;
  int64_t most = 1;
  for (int64_t axis : SummationOf(n).axes) {
    const int64_t bound = BoundOf(shape[static_cast<size_t>(axis)]);
    if (bound < 0) return -1;
    most = Product(most, bound);
  }
  return most;
}

bool Level::IsInBlocks(const Node& n) const {
  const int64_t block = SummationOf(n).order.block, most = MostTerms(n);
  return block != 0 && (most < 0 || most > block);
}

// The longest kept axis that fills vectors, or -1.
int32_t Level::WideAxisOf(const Node& contraction, size_t operand) const {
  const auto& contract = contraction.As<ContractAttributes>();
  const std::vector<int64_t>& sum = operand == 0 ? contract.lhs_sum : contract.rhs_sum;
  const Shape& shape = node(contraction.operands[operand]).type().shape;
  const auto& batch = operand == 0 ? contract.lhs_batch : contract.rhs_batch;
  int64_t most = lowering_.machine.Lanes(contraction.type().dtype) - 1;
  int32_t widest = -1;
  for (int64_t axis : KeptAxes(shape.size(), batch, sum)) {
    const int64_t bound = BoundOf(shape[static_cast<size_t>(axis)]);
    if (bound <= most) continue;
    most = bound;
    widest = static_cast<int32_t>(axis);
  }
  return widest;
}

// The axis of an operand that lies in the lanes if its reader can choose: of sums that take turns,
// and of those in order where the other operand has none, as the weights of a few classes.
int32_t Level::LaneAxisIn(const Node& reader, size_t operand) const {
  if (reader.kind() != Kind::kContract) return -1;
  const bool in_order = SummationOf(reader).order.chains == 1;
  if (in_order ? WideAxisOf(reader, 1 - operand) >= 0 : !MayTakeTurns(reader)) return -1;
  return WideAxisOf(reader, operand);
}

std::vector<int32_t> Level::FindLaneAxes() const {
  constexpr int32_t kUnread = -2;
  std::vector<int32_t> axes(graph_.nodes().size(), kUnread);
  const auto see = [&](NodeId id, int32_t axis) {
    int32_t& known = axes[At(id)];
    known = known == kUnread || known == axis ? axis : -1;
  };
  for (size_t i = 0; i < axes.size(); i++) {
    if (fusion_.readers[i] == 0) continue;
    const Node& reader = graph_.nodes()[i];
    for (size_t k = 0; k < reader.operands.size(); k++) {
      see(reader.operands[k], LaneAxisIn(reader, k));
    }
  }
  for (NodeId id : graph_.outputs()) see(id, -1);
  return axes;
}

std::vector<int32_t> Level::OrderFor(NodeId id) const {
  const bool row_major = WantsRowMajor(id);
  const int32_t lane_axis = lane_axes_.empty() ? -1 : lane_axes_[At(id)];
  const Shape& shape = node(id).type().shape;
  if (!row_major && (lane_axis < 0 || HasInstances(shape))) return {};
  std::vector<int32_t> order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  if (!row_major) {
    order.erase(order.begin() + lane_axis);
    order.push_back(lane_axis);
  }
  return order;
}

Tensor Level::PlaceFor(NodeId id) {
  if (planned_[At(id)].has_value()) return *planned_[At(id)];
  return NewTensor(node(id).type(), absl::StrCat(node(id).op->name, id), OrderFor(id),
                   WantsRowMajor(id));
}

const Tensor& Level::TensorFor(NodeId id) {
  if (!HasTensor(id)) {
    tensors_[At(id)] = PlaceFor(id);
  }
  return tensor(id);
}

std::optional<Tensor> Level::AsTensor(NodeId id) const {
  if (HasTensor(id)) return tensor(id);
  // A copy that is not there yet.
  if (fusion_.group[At(id)] >= 0) return std::nullopt;
  const Node& n = node(id);
  if (n.kind() == Kind::kCustom) return AsTensor(n.operands[0]);
  if (n.kind() != Kind::kView && n.kind() != Kind::kReshape) return std::nullopt;
  const std::optional<Tensor> in = AsTensor(n.operands[0]);
  if (!in.has_value()) return std::nullopt;
  Tensor out = *in;
  out.shape = n.type().shape;
  out.strides.assign(out.shape.size(), Stride());
  out.padded_axis = -1;
  if (n.kind() == Kind::kReshape) {
    if (IsSameElements(graph_, id)) {
      size_t to = 0;
      for (size_t axis = 0; axis < in->shape.size(); axis++) {
        if (in->shape[axis] == Dim(1)) continue;
        while (out.shape[to] == Dim(1)) to++;
        out.strides[to++] = in->strides[axis];
      }
      return out;
    }
    if (!IsRowMajor(*in) || !IsStatic(out.shape)) return std::nullopt;
    int64_t stride = 1;
    for (size_t axis = out.shape.size(); axis-- > 0;) {
      out.strides[axis] = {stride};
      stride *= out.shape[axis].value();
    }
    return out;
  }
  const auto& view = n.As<ViewAttributes>();
  for (size_t axis = 0; axis < view.axes.size(); axis++) {
    const AxisMap& map = view.axes[axis];
    if (!StaysInside(map, view.shape, in->shape[axis])) return std::nullopt;
    out.internal = out.internal && HasRoundedRows(map, view.shape, in->shape[axis]);
    const Stride stride = in->strides[axis];
    if (stride.panel > 0 && (map.terms.size() != 1 || map.offset != 0 || map.terms[0].step != 1)) {
      return std::nullopt;
    }
    if (stride.reg != kNone && (map.offset != 0 || map.terms.size() > 1)) return std::nullopt;
    out.offset += map.offset * stride.factor;
    for (const AxisMap::Term& term : map.terms) {
      Stride& there = out.strides[static_cast<size_t>(term.axis)];
      if (stride.reg != kNone || stride.panel > 0 || there.reg != kNone || there.panel > 0) {
        if (there != Stride() || term.step != 1) return std::nullopt;
        there = stride;
      } else {
        there.factor += term.step * stride.factor;
      }
    }
  }
  return out;
}

// Whether rows past the last one are there up to a multiple, as they are in memory of our own.
bool Level::HasRoundedRows(const AxisMap& map, const Shape& shape, Dim operand) const {
  if (!operand.is_static()) return true;
  for (const AxisMap::Term& term : map.terms) {
    const Dim dim = shape[static_cast<size_t>(term.axis)];
    if (dim.is_static()) continue;
    const bool plain = map.offset == 0 && map.terms.size() == 1 && term.step == 1;
    if (!plain || RoundUp(BoundOf(dim), kRowMultiple) > operand.value()) return false;
  }
  return true;
}

bool Level::StaysInside(const AxisMap& map, const Shape& shape, Dim operand) const {
  if (map.dilation != 1) return false;
  const bool same = map.offset == 0 && map.terms.size() == 1 && map.terms[0].step == 1 &&
                    shape[static_cast<size_t>(map.terms[0].axis)] == operand;
  if (same) return true;
  if (!operand.is_static()) return false;
  int64_t low = map.offset, high = map.offset;
  for (const AxisMap::Term& term : map.terms) {
    const int64_t bound = BoundOf(shape[static_cast<size_t>(term.axis)]);
    if (bound < 0) return false;
    if (bound == 0) return true;  // nothing is read at all
    (term.step > 0 ? high : low) += term.step * (bound - 1);
  }
  return low >= 0 && high < operand.value();
}

bool Level::IsRowMajor(const Tensor& tensor) const {
  int64_t stride = 1;
  for (size_t axis = tensor.shape.size(); axis-- > 0;) {
    const Dim dim = tensor.shape[axis];
    if (dim == Dim(1)) continue;
    if (tensor.strides[axis] != Stride{stride}) return false;
    // A leading run-time axis may have any extent.
    if (!dim.is_static()) {
      for (size_t outer = 0; outer < axis; outer++) {
        if (!(tensor.shape[outer] == Dim(1))) return false;
      }
      return true;
    }
    stride *= dim.value();
  }
  return true;
}

Register Level::ScalarOf(NodeId id) {
  // Not past a copy, which may be older than what it was made from.
  while (fusion_.group[At(id)] < 0 && IsSameElements(graph_, id)) id = node(id).operands[0];
  if (const auto reg = RegisterOf(id)) return *reg;
  const Node& n = node(id);
  if (n.kind() == Kind::kConstant) {
    const Array& value = n.As<ConstantAttributes>().value;
    uint64_t bits = 0;
    std::memcpy(&bits, value.raw(), static_cast<size_t>(SizeOf(value.dtype())));
    return b_.Constant(value.dtype(), bits);
  }
  if (n.kind() == Kind::kSize) return Extent(n.As<SizeAttributes>().dim);
  const Tensor t = Materialize(id);
  const Register base = t.base == kNone ? b_.Index(0) : t.base;
  return b_.Load(t.buffer, b_.Plus(base, t.offset));
}

Tensor Level::Materialize(NodeId id) {
  if (std::optional<Tensor> tensor = AsTensor(id)) return *tensor;
  tensors_[At(id)] = CopyOf(id, {});
  return tensor(id);
}

Tensor Level::CopyOf(NodeId id, std::vector<int32_t> order, bool exact) {
  Tensor copy = NewTensor(node(id).type(), absl::StrCat("copy", id), std::move(order), exact);
  CopyTo(id, copy);
  return copy;
}

void Level::CopyTo(NodeId id, const Tensor& to) {
  if (CopyTurned(*this, id, to)) return;
  Nest nest(*this, absl::StrCat("copy %", id), node(id).type().shape);
  nest.Write(id, to);
  nest.Emit();
}

void Level::AddConstants() {
  for (size_t i = 0; i < graph_.nodes().size(); i++) {
    const Node& n = graph_.nodes()[i];
    const auto id = static_cast<NodeId>(i);
    if (n.kind() != Kind::kConstant || fusion_.readers[i] == 0 || HasTensor(id)) continue;
    const Array& value = n.As<ConstantAttributes>().value;
    if (IsSplat(value)) continue;
    Tensor tensor{.buffer = b_.AddConstant(absl::StrCat("constant", id), value),
                  .dtype = value.dtype(),
                  .shape = n.type().shape,
                  .strides = {}};
    for (int64_t stride : RowMajorStrides(value.dims())) tensor.strides.push_back({stride});
    SetTensor(id, std::move(tensor));
  }
}

void Level::BindTrips() {
  if (fusion_.trip_counts.empty()) return;
  const Register zero = b_.Index(0);
  Register first = kNone;
  for (NodeId id : fusion_.trip_counts) {
    const Register trips = b_.Binary(Opcode::kMax, ScalarOf(id), zero);
    if (first == kNone) {
      first = trips;
      continue;
    }
    b_.FailIf(b_.Binary(Opcode::kNotEqual, first, trips),
              b_.AddSite({.what = ErrorSite::What::kOneLength, .before = "loop: ", .after = ""}),
              first, trips);
  }
  trips_ = {first, -1};
  if (depth_ == 0) b_.BindTrips(first);
}

absl::Status Level::LowerGroups() {
  AddConstants();
  lane_axes_ = FindLaneAxes();
  if (lowering_.options.fuse && lowering_.instances > 0) joins_ = PlanJoins(*this);
  if (fusion_.groups_before_trips == 0) BindTrips();
  for (size_t g = 0; g < fusion_.groups.size(); g++) {
    if (absl::Status status = LowerGroup(fusion_.groups[g]); !status.ok()) return status;
    if (static_cast<int32_t>(g) + 1 == fusion_.groups_before_trips) BindTrips();
  }
  return absl::OkStatus();
}

absl::Status Level::LowerGroup(const Fusion::Group& group) {
  if (group.nodes.empty()) return absl::OkStatus();
  switch (group.what) {
    case Fusion::Group::What::kCopy: {
      // It is known where it lies when it is there: until then it is read through.
      const NodeId id = group.nodes[0];
      const Tensor to = PlaceFor(id);
      CopyTo(id, to);
      SetTensor(id, to);
      break;
    }
    case Fusion::Group::What::kConcat:
      LowerConcat(group.nodes[0]);
      break;
    case Fusion::Group::What::kScatterAdd:
      LowerScatterAdd(group.nodes[0]);
      break;
    case Fusion::Group::What::kRandom:
      LowerRandom(group.nodes[0]);
      break;
    case Fusion::Group::What::kLoop:
      return LowerLoop(group.nodes[0]);
    case Fusion::Group::What::kNest: {
      Nest nest(*this, Label(group.nodes.back()), group.domain);
      for (NodeId id : group.nodes) {
        nest.AddMember(id);
        if (fusion_.stored[At(id)]) nest.Write(id, TensorFor(id));
      }
      nest.Emit();
      break;
    }
  }
  return absl::OkStatus();
}

}  // namespace talweg::loops
