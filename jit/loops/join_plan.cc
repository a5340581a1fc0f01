#include "jit/loops/join_plan.h"

#include <bit>

#include "absl/algorithm/container.h"
#include "graph/axes.h"
#include "jit/loops/level.h"
#include "jit/loops/nest.h"

namespace talweg::loops {
namespace {

struct Read {
  NodeId reader;
  size_t operand;
};

const std::vector<int64_t>& SumOf(const Node& node, size_t k) {
  if (node.kind() == Kind::kReduce) return node.As<ReduceAttributes>().axes;
  const auto& contract = node.As<ContractAttributes>();
  return k == 0 ? contract.lhs_sum : contract.rhs_sum;
}

absl::Span<const int64_t> BatchOf(const Node& node, size_t k) {
  if (node.kind() == Kind::kReduce) return {};
  const auto& contract = node.As<ContractAttributes>();
  return k == 0 ? contract.lhs_batch : contract.rhs_batch;
}

class Planner {
 public:
  explicit Planner(const Level& level) : level_(level), reads_(level.graph().nodes().size()) {
    for (size_t i = 0; i < reads_.size(); i++) {
      if (level.fusion().readers[i] == 0) continue;
      const Node& reader = level.graph().nodes()[i];
      for (size_t k = 0; k < reader.operands.size(); k++) {
        reads_[At(reader.operands[k])].push_back({static_cast<NodeId>(i), k});
      }
    }
    for (NodeId id : level.graph().outputs()) reads_[At(id)].push_back({-1, 0});
  }

  std::optional<JoinPlan> Plan(NodeId id) const {
    const Node& node = level_.node(id);
    const Fusion& fusion = level_.fusion();
    const int32_t group = fusion.group[At(id)];
    if (group < 0 || !fusion.stored[At(id)] || level_.PlannedFor(id).has_value()) {
      return std::nullopt;
    }
    const Shape& shape = node.type().shape;
    if (shape.size() != 3 || !level_.HasInstances(shape) || !HasShortSums(group)) {
      return std::nullopt;
    }
    const Dim instances = shape[0], rows = shape[1], units = shape[2];
    if (rows.is_static() && rows.value() <= kWrittenOut) return std::nullopt;
    if (!units.is_static() || units.value() < 2 || !AllSumOver(1, id)) return std::nullopt;
    JoinPlan plan{.lanes =
                      static_cast<int32_t>(level_.lowering().machine.Lanes(node.type().dtype))};
    plan.vectors = (instances.value() - 1) / plan.lanes + 1;
    // A last vector that is not full is narrower, or has a mask; what that leaves out is zero when
    // it is read.
    const auto rest = static_cast<uint64_t>(instances.value() % plan.lanes);
    if (plan.vectors > kMostVectors || (rest > 0 && !std::has_single_bit(rest))) {
      return std::nullopt;
    }
    const int64_t sums = SumsOfUnit(id);
    if (sums == 0) return std::nullopt;
    const int64_t most = level_.lowering().machine.vector_registers / 2 / plan.vectors / sums;
    for (plan.tile = most; plan.tile >= 1; plan.tile--) {
      if (units.value() % plan.tile == 0) return plan;
    }
    return std::nullopt;
  }

 private:
  static size_t At(NodeId id) { return static_cast<size_t>(id); }

  // Some, and all so short that what they add up stays in registers.
  bool HasShortSums(int32_t group) const {
    bool has_sums = false;
    for (NodeId id : level_.fusion().groups[static_cast<size_t>(group)].nodes) {
      const Node& node = level_.node(id);
      if (node.kind() != Kind::kReduce && node.kind() != Kind::kContract) continue;
      has_sums = true;
      const int64_t terms = level_.MostTerms(node);
      if (terms < 0 || terms >= kShortSum) return false;
    }
    return has_sums;
  }

  // Whether all who read a value sum over that axis, in order.
  bool AllSumOver(int64_t axis, NodeId id) const {
    return absl::c_all_of(reads_[At(id)], [&](const Read& read) {
      if (read.reader < 0) return false;
      const Node& node = level_.node(read.reader);
      const bool is_contract = node.kind() == Kind::kContract;
      if (!is_contract && node.kind() != Kind::kReduce) return false;
      if (is_contract && (node.operands[0] == node.operands[1] ||
                          !absl::c_equal(BatchOf(node, read.operand), std::vector<int64_t>{0}))) {
        return false;
      }
      return absl::c_equal(SumOf(node, read.operand), std::vector<int64_t>{axis}) &&
             SummationOf(node).order.chains == 1 && !level_.IsInBlocks(node);
    });
  }

  // How many sums of an instance all readers form with each unit; 0: nobody knows.
  int64_t SumsOfUnit(NodeId id) const {
    int64_t sums = 0;
    for (const auto& [reader, k] : reads_[At(id)]) {
      const Node& node = level_.node(reader);
      int64_t of_reader = 1;
      if (node.kind() == Kind::kContract) {
        const Shape& other = level_.node(node.operands[1 - k]).type().shape;
        for (int64_t axis : KeptAxes(other.size(), BatchOf(node, 1 - k), SumOf(node, 1 - k))) {
          const Dim dim = other[static_cast<size_t>(axis)];
          if (!dim.is_static()) return 0;
          of_reader = Product(of_reader, dim.value());
        }
      }
      sums += of_reader;
    }
    return sums;
  }

  const Level& level_;
  std::vector<std::vector<Read>> reads_;
};

}  // namespace

std::vector<std::optional<JoinPlan>> PlanJoins(const Level& level) {
  const Planner planner(level);
  std::vector<std::optional<JoinPlan>> plans;
  for (size_t i = 0; i < level.graph().nodes().size(); i++) {
    plans.push_back(planner.Plan(static_cast<NodeId>(i)));
  }
  return plans;
}

int32_t ResultAxisOf(const Node& node, size_t k, const Shape& operand, int32_t axis) {
  const absl::Span<const int64_t> batch = BatchOf(node, k);
  const std::vector<int64_t> kept = KeptAxes(operand.size(), batch, SumOf(node, k));
  // The other operand's kept axes stand behind those of the first one.
  size_t first = batch.size();
  if (k == 1) first = node.type().shape.size() - kept.size();
  return static_cast<int32_t>(first + static_cast<size_t>(absl::c_find(kept, axis) - kept.begin()));
}

}  // namespace talweg::loops
