#include "jit/loops/nest.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/algorithm/container.h"
#include "graph/axes.h"
#include "graph/reads.h"
#include "jit/loops/macro.h"

namespace talweg::loops {

Nest::Nest(Level& level, std::string label, const Shape& shape)
    : level_(level), b_(level.b()), label_(std::move(label)), domain_(DomainOf(shape)) {}

// Where all values lie in memory alike, without gaps, the domain may be walked as one axis.
void Nest::Flatten() {
  if (domain_.size() < 2 || !IsStatic(domain_)) return;
  std::optional<std::vector<Stride>> strides;
  const Shape* shape = nullptr;
  const auto same = [&](const Tensor& tensor) {
    if (!strides.has_value()) {
      strides = tensor.strides;
      shape = &tensor.shape;
      int64_t reach = 1, size = 1;
      for (size_t axis = 0; axis < tensor.shape.size(); axis++) {
        if (tensor.strides[axis].reg != kNone || tensor.strides[axis].panel > 0) return false;
        const int64_t extent = tensor.shape[axis].value();
        size *= extent;
        reach += (extent - 1) * tensor.strides[axis].factor;
      }
      return reach == size;
    }
    return tensor.strides == *strides && tensor.shape == *shape;
  };
  for (const Target& target : writes_) {
    if (!members_.contains(target.id) || !same(target.to)) return;
  }
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() != Kind::kMap) return;
    for (NodeId operand : node.operands) {
      if (members_.contains(operand)) continue;
      const Node& from = level_.node(operand);
      // A copy in memory is read there, also that of a number (a loop may have begun with it).
      if (level_.HasTensor(operand)) {
        if (!same(level_.tensor(operand))) return;
        continue;
      }
      const bool scalar =
          from.kind() == Kind::kView && level_.node(from.operands[0]).type().shape.empty();
      if (!scalar && from.kind() != Kind::kConstant) return;
    }
  }
  int64_t size = 1;
  for (Dim dim : domain_) size *= dim.value();
  domain_ = {size};
  flat_ = true;
}

// A sum by many chains, or in blocks, counts its terms along one axis: where there are several, or
// where the lanes would have to collect the terms from afar, they are laid side by side.
void Nest::PrepareTerms(bool in_turn) {
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (level_.MayTakeTurns(node) != in_turn) continue;
    if (node.kind() != Kind::kReduce && node.kind() != Kind::kContract) continue;
    const bool is_contract = node.kind() == Kind::kContract;
    const auto& [order, axes] = SummationOf(node);
    const bool in_blocks = level_.IsInBlocks(node);
    if (order.chains == 1 && !in_blocks) continue;
    bool far = false;
    if (is_contract) {
      for (size_t k = 0; k < 2; k++) {
        const auto& sum =
            k == 0 ? node.As<ContractAttributes>().lhs_sum : node.As<ContractAttributes>().rhs_sum;
        const auto tensor = level_.AsTensor(node.operands[k]);
        if (far || sum.size() != 1 || !tensor.has_value()) {
          far = true;
          continue;
        }
        // Panels hold whole vectors of terms.
        const Stride& stride = tensor->strides[static_cast<size_t>(sum[0])];
        far = !stride.is_close() || stride.panel % order.chains != 0;
      }
    }
    if (axes.size() != 1 || far) terms_.push_back({id, FlatTerms(id)});
  }
}

std::vector<Tensor> Nest::FlatTerms(NodeId id) {
  const Node& node = level_.node(id);
  std::vector<Tensor> flat;
  for (size_t k = 0; k < node.operands.size(); k++) {
    const NodeId operand = node.operands[k];
    const Shape& shape = ShapeOf(operand);
    std::vector<int64_t> batch, sum;
    if (node.kind() == Kind::kReduce) {
      sum = node.As<ReduceAttributes>().axes;
    } else {
      const auto& contract = node.As<ContractAttributes>();
      batch = k == 0 ? contract.lhs_batch : contract.rhs_batch;
      sum = k == 0 ? contract.lhs_sum : contract.rhs_sum;
    }
    std::vector<int64_t> kept = KeptAxes(shape.size(), batch, sum);
    kept.insert(kept.begin(), batch.begin(), batch.end());
    // The stride of the terms, where they lie evenly.
    const auto step_of = [&](const Tensor& tensor) -> std::optional<Stride> {
      std::optional<Stride> step;
      Stride expected;
      for (size_t i = sum.size(); i-- > 0;) {
        const auto axis = static_cast<size_t>(sum[i]);
        if (shape[axis] == Dim(1)) continue;
        const Stride& stride = tensor.strides[axis];
        if (!step.has_value()) {
          step = stride;
        } else if (stride != expected) {
          return std::nullopt;
        }
        if (stride.reg != kNone || stride.panel > 0) return std::nullopt;
        const Bound extent = level_.ExtentOf(shape[axis]);
        if (extent.reg == kNone) {
          expected = {stride.factor * extent.value};
        } else {
          expected = {stride.factor, extent.reg};
        }
      }
      return step.value_or(Stride{1});
    };
    std::optional<Tensor> tensor = level_.AsTensor(operand);
    std::optional<Stride> step;
    if (tensor.has_value()) step = step_of(*tensor);
    if (!step.has_value() || (*step != Stride{1} && node.kind() == Kind::kContract)) {
      std::vector<int32_t> order;
      for (int64_t axis : kept) order.push_back(static_cast<int32_t>(axis));
      for (int64_t axis : sum) order.push_back(static_cast<int32_t>(axis));
      tensor = level_.CopyOf(operand, std::move(order), /*exact=*/true);
      step = Stride{1};  // the terms lie innermost, without gaps
    }
    Tensor out = *tensor;
    out.padded_axis = -1;
    out.shape.clear();
    out.strides.clear();
    for (int64_t axis : kept) {
      out.shape.push_back(shape[static_cast<size_t>(axis)]);
      out.strides.push_back(tensor->strides[static_cast<size_t>(axis)]);
    }
    // The extent of the terms is known to whoever sums them; here it is only not a symbol.
    out.shape.push_back(sum.size() == 1 ? shape[static_cast<size_t>(sum[0])] : Dim(2));
    out.strides.push_back(*step);
    flat.push_back(std::move(out));
  }
  return flat;
}

// Operands of a contraction that are read again and again with the lanes far apart are copied
// before, with the lane axis innermost.
void Nest::PrepareLanes(const Schedule& schedule) {
  if (schedule.lane_axis < 0) return;
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() != Kind::kContract) continue;
    const auto& contract = node.As<ContractAttributes>();
    if (contract.order.chains != 1 && !schedule.turns) continue;
    const int32_t axis = AxisIn(node.type().shape, schedule.lane_axis);
    const size_t batch = contract.lhs_batch.size();
    if (axis < static_cast<int32_t>(batch)) continue;
    const auto kept_of = [&](size_t k) {
      return k == 0
                 ? KeptAxes(ShapeOf(node.operands[0]).size(), contract.lhs_batch, contract.lhs_sum)
                 : KeptAxes(ShapeOf(node.operands[1]).size(), contract.rhs_batch, contract.rhs_sum);
    };
    // Which axis of which operand that is.
    auto rest = static_cast<size_t>(axis) - batch;
    for (size_t k = 0; k < 2; k++) {
      const Shape& shape = ShapeOf(node.operands[k]);
      const std::vector<int64_t> kept = kept_of(k);
      if (rest >= kept.size()) {
        rest -= kept.size();
        continue;
      }
      const auto lane = static_cast<int32_t>(kept[rest]);
      const auto tensor = level_.AsTensor(node.operands[k]);
      if (!tensor.has_value() || tensor->strides[static_cast<size_t>(lane)].is_close()) break;
      // How often each element is read.
      const Shape& other = ShapeOf(node.operands[1 - k]);
      int64_t reuse = 1;
      for (int64_t a : kept_of(1 - k)) {
        reuse = Product(reuse, LikelyExtent(other[static_cast<size_t>(a)]));
      }
      if (reuse < 4) break;
      std::vector<int32_t> order;
      for (int32_t a = 0; a < static_cast<int32_t>(shape.size()); a++) {
        if (a != lane) order.push_back(a);
      }
      order.push_back(lane);
      copies_.push_back({node.operands[k], level_.CopyOf(node.operands[k], std::move(order))});
      break;
    }
  }
}

// Whether indices past the end of a run-time axis may be read: everything along it lies in rounded
// memory of our own.
bool Nest::MayOverrun(int32_t axis) const {
  const Dim dim = domain_[static_cast<size_t>(axis)];
  if (dim.is_static() || level_.BoundOf(dim) < 0) return false;
  std::vector<NodeId> rest;
  for (NodeId id : order_) {
    const Node& node = level_.node(id);
    if (node.kind() == Kind::kGather) return false;
    rest.insert(rest.end(), node.operands.begin(), node.operands.end());
  }
  for (const Target& target : writes_) {
    if (target.id >= 0 && !members_.contains(target.id)) rest.push_back(target.id);
    // Without gaps, something else lies behind the rows that there are now.
    const bool exact =
        absl::c_any_of(target.to.strides, [](const Stride& s) { return s.reg != kNone; });
    if (!target.to.internal || exact) return false;
  }
  absl::flat_hash_set<NodeId> seen;
  while (!rest.empty()) {
    const NodeId id = rest.back();
    rest.pop_back();
    if (!seen.insert(id).second) continue;
    if (members_.contains(id) || level_.RegisterOf(id).has_value()) continue;
    const Node& node = level_.node(id);
    if (node.type().shape.empty()) continue;
    if (const auto tensor = level_.AsTensor(id)) {
      for (size_t a = 0; a < tensor->shape.size(); a++) {
        const bool runs = tensor->shape[a] == dim && tensor->strides[a] != Stride();
        if (runs && !tensor->internal) return false;
      }
      continue;
    }
    if (node.kind() == Kind::kIota || node.kind() == Kind::kConstant) continue;
    if (node.kind() != Kind::kMap && node.kind() != Kind::kCustom) {
      if (node.kind() != Kind::kView) return false;
      const Shape& operand = level_.node(node.operands[0]).type().shape;
      if (absl::c_linear_search(operand, dim)) return false;
      // It may take the first rows of more that there are.
      const auto& view = node.As<ViewAttributes>();
      for (size_t a = 0; a < operand.size(); a++) {
        if (!level_.HasRoundedRows(view.axes[a], view.shape, operand[a])) return false;
      }
    }
    const absl::Span<const NodeId> read = ReadOperands(node);
    rest.insert(rest.end(), read.begin(), read.end());
  }
  return true;
}

void Nest::Prepare(const Schedule& schedule) {
  copies_.clear();
  std::erase_if(terms_,
                [&](const auto& terms) { return level_.MayTakeTurns(level_.node(terms.first)); });
  if (!schedule.turns) PrepareTerms(/*in_turn=*/true);
  PrepareLanes(schedule);
}

void Nest::Emit() {
  for (Dim dim : domain_) {
    if (dim == Dim(0)) return;
  }
  Flatten();
  if (const auto plan = PlanMacro(level_, domain_, order_, writes_); plan.has_value()) {
    b_.OpenSection(label_);
    Reader reader(level_, members_);
    EmitMacro(level_, *plan, domain_, order_, writes_, reader);
    b_.CloseSection();
    return;
  }
  PrepareTerms(/*in_turn=*/false);
  const std::optional<Schedule> to_join = ScheduleToJoin();
  const std::vector<Schedule> candidates = to_join ? std::vector{*to_join} : Candidates();
  size_t best = 0;
  if (candidates.size() > 1) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < candidates.size(); i++) {
      const size_t before = b_.Position();
      Prepare(candidates[i]);
      EmitWith(candidates[i]);
      double cost = 0;
      for (const Section& section : b_.TakeSections(before)) {
        cost += CostOf(b_.program(), section, level_.lowering().machine);
      }
      if (cost < least) {
        least = cost;
        best = i;
      }
    }
  }
  Prepare(candidates[best]);
  EmitWith(candidates[best]);
  if (Section* const section = b_.LastSection(); section != nullptr && section->label == label_) {
    SplitOverThreads(*section);
  }
}

}  // namespace talweg::loops
