// Which contractions are done in blocks, and in which.

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/loop_places.h"
#include "jit/loops/macro.h"

namespace talweg::loops {
namespace {

// Fewer rows, columns or terms than this are no case for packing.
constexpr double kLeast = 32;
// Than this, where the columns' operand lies in panels and is so large that it is read from memory.
constexpr double kLeastOfLarge = 8;
// Columns times terms that are worth turning for so few rows.
constexpr double kManyTurned = 256 * 256;
// More terms than this at once save nothing any more.
constexpr int64_t kMostTerms = 2048;

// As few blocks as a limit allows, all of about the same size, a multiple of `unit`.
int64_t Even(int64_t extent, int64_t limit, int64_t unit) {
  const int64_t most = std::max(limit / unit * unit, unit);
  if (extent == 0) return unit;
  return RoundUp(CeilDiv(extent, CeilDiv(extent, most)), unit);
}

// What stands at the axes of a contraction's result.
struct Axes {
  std::vector<int32_t> side;  // of each axis of the domain: 0 lhs, 1 rhs, -1 both (batch)
};

Axes AxesOf(const Level& level, const Node& node) {
  const auto& contract = node.As<ContractAttributes>();
  const Shape& shape = node.type().shape;
  const size_t batch = contract.lhs_batch.size();
  const size_t lhs = level.node(node.operands[0]).type().shape.size() - contract.lhs_sum.size();
  Axes axes;
  for (size_t axis = 0; axis < shape.size(); axis++) {
    if (shape[axis] == Dim(1)) continue;
    axes.side.push_back(axis < batch ? -1 : axis < lhs ? 0 : 1);
  }
  return axes;
}

// Whether a tile without blocks is so high that a few rows of tiles use columns that lie side by
// side no faster than the third cache gives them.
bool HasHighTiles(const Machine& machine) { return machine.vector_registers >= 32; }

// Whether packing repays: what is read again and again does not fit into the second cache, or would
// be copied anyway. `is_light`: next to nothing follows the sums; else blocks pay earlier, for they
// do the rest of the group beside other sums, and write it out once and not for each register.
bool Pays(const Machine& machine, double rows, double columns, double terms, int64_t size,
          bool turned, bool is_light, bool in_panels) {
  const auto lanes = static_cast<double>(machine.vector_bytes / size);
  const double l2 = static_cast<double>(machine.l2_bytes) / static_cast<double>(size),
               l3 = static_cast<double>(machine.l3_bytes) / static_cast<double>(size);
  if (terms < kLeast || 2 * columns < lanes) return false;
  const double reused = terms * columns;
  // What does not fit there is read from memory once and no more; where it lies in panels, it is
  // read as it lies, or turned with its rows side by side.
  const bool is_large = in_panels && reused > l2;
  // Thin results have no better tile, and else would be stored element by element.
  if (columns < 2 * lanes) {
    return rows >= (is_large ? kLeastOfLarge : kLeast) && rows * terms >= kLeast * kLeast * kLeast;
  }
  if (is_large) return rows >= kLeastOfLarge;
  double least = kLeast;
  if (turned) {
    // Without blocks, a vector's columns that lie apart are read side by side: eight of them do not
    // push each other out of the first cache, sixteen may.
    if (reused < kManyTurned) {
      least = 2 * kLeast;
    } else if (lanes <= 8) {
      least = 1.25 * kLeast;
    } else if (reused > l2) {
      least = kLeast / 2;
    }
    return rows >= least && std::min(columns, terms) >= 2 * kLeast;
  }
  if (reused > l3 / 3) {
    least = kLeast / 2;
  } else if (HasHighTiles(machine)) {
    least = 2 * kLeast;
  }
  if (rows < least) return false;
  const double all = rows * terms + reused + rows * columns;
  if (!is_light) return all > l2 / 2;
  // All columns are read for each few rows; rows and results pass by.
  return reused > 3 * l2 / 4 || all > 5 * l2 / 2;
}

// The tile: among those that fill the registers, the one that wastes least at the edges. `panel`:
// its width is to divide that, if it is not 0.
void ChooseTile(const Machine& machine, int64_t rows, int64_t columns, int64_t panel, bool small,
                MacroPlan& plan) {
  if (panel % plan.lanes != 0) panel = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t vectors = 1; vectors <= 4; vectors++) {
    if (panel % (vectors * plan.lanes) != 0) continue;
    // A register for each vector of columns and one for an element of the rows.
    const int64_t most = (machine.vector_registers - vectors - 1) / vectors;
    for (int64_t height = 1; height <= std::min<int64_t>(most, 14); height++) {
      // Enough sums that do not wait for each other.
      if (!small && height * vectors < std::min<int64_t>(10, most * vectors)) continue;
      if (small && height > 3) continue;
      const int64_t width = vectors * plan.lanes;
      const double done =
          static_cast<double>(RoundUp(rows, height)) * static_cast<double>(RoundUp(columns, width));
      // Loads that are not hidden behind so few multiplications.
      const double loads =
          0.25 * (static_cast<double>(height + vectors) / static_cast<double>(height * vectors));
      const double cost = done * (1 + loads);
      if (cost < least) {
        least = cost;
        plan.vectors = vectors;
        plan.height = height;
      }
    }
  }
}

// What threads share: as much at a time as there is, as long as that is cut into many pieces.
void ChooseSplit(Level& level, const Shape& domain, int64_t rows, int64_t columns,
                 MacroPlan& plan) {
  constexpr int64_t kManyPieces = 16;
  const bool always = level.lowering().options.split;
  const auto number = [](int64_t n) { return static_cast<double>(n); };
  const double work = plan.VectorWork(number(rows), number(columns), number(plan.terms));
  int64_t outer = 1;
  double all = work;
  for (size_t axis = 0; axis < domain.size(); axis++) {
    const auto here = static_cast<int32_t>(axis);
    if (here == plan.column_axis || here == plan.row_axis) continue;
    const int64_t extent = level.LikelyExtent(domain[axis]);
    all *= number(extent);
    // Loops around it would make many small pieces of one large loop.
    if (plan.outer_axis < 0) {
      outer = extent;
      plan.outer_axis = here;
    }
  }
  const int64_t wide =
      CeilDiv(std::min(columns, plan.resumes ? plan.columns : columns), plan.width());
  const int64_t high = CeilDiv(std::min(rows, plan.rows), plan.height);
  using Split = MacroPlan::Split;
  const bool pays = all > kWorthSplitting, each = work > kWorthSplitting;
  if ((outer >= kManyPieces && pays) || (always && outer > 1)) {
    plan.split = Split::kOuter;
  } else if (always ? wide > 1 : each && wide >= std::min(kManyPieces, high)) {
    plan.split = Split::kColumns;
  } else if (always ? high > 1 : each && high > 1) {
    plan.split = Split::kRows;
  }
  if (plan.split != Split::kOuter) plan.outer_axis = -1;
}

// The panels that a contraction would like its second operand, a matrix of this shape, to have.
void AskForPanels(Level& level, const Node& node, const Shape& shape, int64_t rows,
                  Panels& panels) {
  const Machine& machine = level.lowering().machine;
  const int64_t forced = level.lowering().options.block;
  const auto& contract = node.As<ContractAttributes>();
  const DType dtype = node.type().dtype;
  if (forced == 0 && machine.vector_bytes < 32) return;
  if (contract.order != Order() || !IsFloat(dtype) || !contract.rhs_batch.empty()) return;
  if (shape.size() != 2 || contract.rhs_sum.size() != 1 || !IsStatic(shape)) return;
  const auto summed = static_cast<size_t>(contract.rhs_sum[0]);
  const int64_t terms = shape[summed].value(), columns = shape[1 - summed].value();
  // The result's last axis is the columns'; of the others, blocks are made of the widest.
  int64_t most = 1;
  for (size_t axis = 0; axis + 1 < node.type().shape.size(); axis++) {
    const Dim dim = node.type().shape[axis];
    most = std::max(most, dim == kRows ? rows : level.LikelyExtent(dim));
  }
  const auto number = [](int64_t n) { return static_cast<double>(n); };
  if (forced == 0 && !Pays(machine, number(most), number(columns), number(terms), SizeOf(dtype),
                           /*turned=*/false, /*is_light=*/false, /*in_panels=*/true)) {
    return;
  }
  MacroPlan plan;
  plan.lanes = static_cast<int32_t>(machine.Lanes(dtype));
  // Two vectors suit contractions of any number of rows; sums of many chains read so many terms.
  ChooseTile(machine, most, columns, 2 * plan.lanes, forced > 0, plan);
  panels.axis = static_cast<int32_t>(1 - summed);
  panels.width = std::max<int64_t>(plan.width(), kManyChains);
}

// The one contraction of a nest whose other members are maps; -1 where that is not so.
NodeId ContractAmongMaps(const Level& level, absl::Span<const NodeId> members) {
  NodeId found = -1;
  for (NodeId id : members) {
    const Kind kind = level.node(id).kind();
    if (kind == Kind::kMap) continue;
    if (kind != Kind::kContract || found >= 0) return -1;
    found = id;
  }
  return found;
}

// The lanes go where what is stored lies close together, the rows along the other operand's longest
// axis. Whether there are both.
bool ChooseAxes(const Level& level, const Shape& domain, absl::Span<const Target> writes,
                MacroPlan& plan) {
  const Axes axes = AxesOf(level, level.node(plan.contract));
  int64_t most_stores = 0;
  for (size_t axis = 0; axis < domain.size(); axis++) {
    if (axes.side[axis] < 0) continue;
    int64_t stores = 0;
    bool known = true;
    for (const Target& write : writes) {
      if (write.id < 0) return false;
      const Stride& stride = StrideIn(write.to, static_cast<int32_t>(axis));
      known = known && stride.reg == kNone && stride.panel % plan.lanes == 0;
      stores += stride.is_close() ? 1 : 0;
    }
    if (!known || stores <= most_stores) continue;
    most_stores = stores;
    plan.column_axis = static_cast<int32_t>(axis);
    plan.column_operand = static_cast<size_t>(axes.side[axis]);
  }
  if (plan.column_axis < 0) return false;
  int64_t longest = 1;
  for (size_t axis = 0; axis < domain.size(); axis++) {
    if (axes.side[axis] != 1 - static_cast<int32_t>(plan.column_operand)) continue;
    const int64_t extent = level.LikelyExtent(domain[axis]);
    if (extent <= longest) continue;
    longest = extent;
    plan.row_axis = static_cast<int32_t>(axis);
  }
  return plan.row_axis >= 0;
}

// Extents of a product, as far as they are known or can be guessed.
struct Sizes {
  int64_t rows, columns, terms;
  bool terms_are_known;
};

Sizes SizesOf(const Level& level, const Shape& domain, const MacroPlan& plan) {
  const auto along = [&](int32_t axis) {
    return level.LikelyExtent(domain[static_cast<size_t>(axis)]);
  };
  Sizes sizes = {along(plan.row_axis), along(plan.column_axis), 1, true};
  const Node& node = level.node(plan.contract);
  for (int64_t axis : node.As<ContractAttributes>().lhs_sum) {
    const Dim dim = level.node(node.operands[0]).type().shape[static_cast<size_t>(axis)];
    sizes.terms = std::min(Product(sizes.terms, level.LikelyExtent(dim)), int64_t{1} << 40);
    sizes.terms_are_known = sizes.terms_are_known && level.BoundOf(dim) >= 0;
  }
  return sizes;
}

// Whether what follows the sums is stored as one value, and reads no other one of its size: at most
// such as is the same along an axis.
bool IsLight(Level& level, const Shape& domain, absl::Span<const NodeId> members,
             absl::Span<const Target> writes, const MacroPlan& plan) {
  return writes.size() == 1 && absl::c_none_of(ReadBeside(level, plan, members), [&](NodeId id) {
           if (DomainOf(level.node(id).type().shape) != domain) return false;
           const auto tensor = level.AsTensor(id);
           if (!tensor.has_value()) return true;
           for (size_t axis = 0; axis < tensor->shape.size(); axis++) {
             if (tensor->shape[axis] != Dim(1) && tensor->strides[axis] == Stride{}) return false;
           }
           return true;
         });
}

// How many terms, rows and columns a block has. Its terms: a tile's columns take half of the second
// cache, and its rows pass by. Sums that stay in registers from the first term to the last are
// worth more than columns in the first.
void ChooseBlocks(const Machine& machine, int64_t forced, const Sizes& sizes, int64_t element,
                  MacroPlan& plan) {
  const int64_t half = machine.l2_bytes / 2;
  const int64_t most_terms =
      forced > 0 ? forced : std::clamp<int64_t>(half / (plan.width() * element), 64, kMostTerms);
  const int64_t even = forced > 0 ? 1 : std::max<int64_t>(4, plan.lanes);
  plan.terms = sizes.terms_are_known ? Even(sizes.terms, most_terms, even) : most_terms;
  plan.resumes = !sizes.terms_are_known || sizes.terms > plan.terms;
  // Rows come from the third cache, one tile's after another's, which is easy to foresee.
  const int64_t bytes = plan.terms * element;
  plan.rows = Even(sizes.rows, forced > 0 ? forced : machine.l3_bytes / 4 / bytes, plan.height);
  if (!plan.resumes) return;
  const int64_t most = forced > 0 ? 2 * forced : machine.l3_bytes / 2 / (plan.rows * element);
  plan.columns = Even(sizes.columns, most, plan.width());
}

}  // namespace

std::vector<NodeId> ReadBeside(const Level& level, const MacroPlan& plan,
                               absl::Span<const NodeId> members) {
  std::vector<NodeId> read;
  for (NodeId id : members) {
    if (id == plan.contract) continue;
    for (NodeId operand : level.node(id).operands) {
      if (!absl::c_linear_search(members, operand)) read.push_back(operand);
    }
  }
  return read;
}

Stride StrideAt(const Node& node, const Tensor& tensor, size_t operand, int32_t axis) {
  const auto& contract = node.As<ContractAttributes>();
  // Indices that only tell which axis they are of.
  Indices result(node.type().shape.size()), sum(contract.lhs_sum.size());
  result[static_cast<size_t>(axis)].lane = 1;
  const Indices at = OperandIndices(contract, operand, tensor.shape.size(), result, sum);
  for (size_t i = 0; i < at.size(); i++) {
    if (at[i].lane == 1) return tensor.strides[i];
  }
  return {};
}

std::vector<Panels> PanelsOf(Level& level, const Graph& body, int64_t rows) {
  std::vector<Panels> panels(body.inputs().size());
  std::vector<int32_t> input(body.nodes().size(), -1);
  for (size_t i = 0; i < panels.size(); i++) {
    input[static_cast<size_t>(body.inputs()[i])] = static_cast<int32_t>(i);
  }
  for (const Node& node : body.nodes()) {
    std::vector<Panels> inside;
    size_t first = 0, last = 0;
    if (node.kind() == Kind::kLoop) {
      const auto& loop = node.As<LoopAttributes>();
      inside = PanelsOf(level, *loop.body, loop.binds_rows ? loop.rows_limit : rows);
      const LoopPlaces at(loop);
      first = at.first;
      last = first + at.captures + at.carried;
    }
    for (size_t i = 0; i < node.operands.size(); i++) {
      const NodeId id = node.operands[i];
      if (input[static_cast<size_t>(id)] < 0) continue;
      Panels& here = panels[static_cast<size_t>(input[static_cast<size_t>(id)])];
      const Shape& shape = body.node(id).type().shape;
      if (node.kind() == Kind::kLoop && i >= first && i < last) {
        const Panels& there = inside[1 + i - first];
        here.is_contracted |= there.is_contracted;
        here.is_reshaped |= there.is_reshaped;
        if (here.axis < 0) std::tie(here.axis, here.width) = std::pair(there.axis, there.width);
      } else if (node.kind() == Kind::kReshape) {
        here.is_reshaped |= DomainOf(node.type().shape) != DomainOf(shape);
      } else if (node.kind() == Kind::kContract) {
        here.is_contracted = true;
        if (here.axis < 0 && i == 1) AskForPanels(level, node, shape, rows, here);
      }
    }
  }
  return panels;
}

std::optional<MacroPlan> PlanMacro(Level& level, const Shape& domain,
                                   absl::Span<const NodeId> members,
                                   absl::Span<const Target> writes) {
  const Machine& machine = level.lowering().machine;
  const int64_t forced = level.lowering().options.block;
  // Without an instruction for fma, nothing is gained.
  if (forced == 0 && machine.vector_bytes < 32) return std::nullopt;
  MacroPlan plan;
  plan.contract = ContractAmongMaps(level, members);
  if (plan.contract < 0 || writes.empty()) return std::nullopt;
  plan.only_sums = writes.size() == 1 && writes[0].id == plan.contract;
  const Node& node = level.node(plan.contract);
  const DType dtype = node.type().dtype;
  if (node.As<ContractAttributes>().order != Order() || !IsFloat(dtype)) return std::nullopt;
  plan.lanes = static_cast<int32_t>(machine.Lanes(dtype));
  if (!ChooseAxes(level, domain, writes, plan)) return std::nullopt;
  const Sizes sizes = SizesOf(level, domain, plan);
  if (sizes.terms < 1) return std::nullopt;

  Stride stride = {1};  // of the columns where they are read
  bool in_panels = false;
  if (const auto tensor = level.AsTensor(node.operands[plan.column_operand]); tensor.has_value()) {
    const int32_t axis = AxisIn(node.type().shape, plan.column_axis);
    stride = StrideAt(node, *tensor, plan.column_operand, axis);
    in_panels = absl::c_any_of(tensor->strides, [](const Stride& s) { return s.panel > 0; });
  }
  const bool is_light =
      plan.only_sums || (HasHighTiles(machine) && IsLight(level, domain, members, writes, plan));
  const auto number = [](int64_t n) { return static_cast<double>(n); };
  if (forced == 0 && !Pays(machine, number(sizes.rows), number(sizes.columns), number(sizes.terms),
                           SizeOf(dtype), !stride.is_close(), is_light, in_panels)) {
    return std::nullopt;
  }
  int64_t panel = stride.panel;
  for (const Target& write : writes) {
    if (panel > 0) break;
    panel = StrideIn(write.to, plan.column_axis).panel;
  }
  ChooseTile(machine, sizes.rows, sizes.columns, panel, forced > 0, plan);
  ChooseBlocks(machine, forced, sizes, SizeOf(dtype), plan);
  ChooseSplit(level, domain, sizes.rows, sizes.columns, plan);
  return plan;
}

}  // namespace talweg::loops
