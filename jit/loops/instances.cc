#include "jit/loops/instances.h"

#include <algorithm>
#include <cmath>

namespace talweg::loops {
namespace {

// A run-time extent, which is not known yet.
constexpr double kTypical = 64;
// So much less work has to be left.
constexpr double kLess = 0.95;

double Extent(Dim dim) {
  return dim.is_static() ? static_cast<double>(std::max<int64_t>(dim.value(), 1)) : kTypical;
}

// How many vectors an element takes where this axis lies in their lanes: a share of one, and more
// where the last vector is not full.
double VectorsAnElement(Dim dim, double lanes) {
  return std::ceil(Extent(dim) / lanes) / Extent(dim);
}

struct Count {
  int64_t instances = -1;  // -1: no contraction was seen; 0: they are of nothing in common
  // Vectors of multiply-adds, with the instances in the lanes and with each one's best other axis.
  double with = 0, without = 0;
};

void AddContraction(const Graph& graph, const Node& node, const Machine& machine, Count& count) {
  const auto& contract = node.As<ContractAttributes>();
  const Shape& shape = node.type().shape;
  const bool has_axis = contract.lhs_batch.size() == 1 && contract.lhs_batch[0] == 0 &&
                        contract.rhs_batch[0] == 0 && shape[0].is_static() && shape[0].value() > 1;
  if (!has_axis || (count.instances >= 0 && shape[0] != Dim(count.instances))) {
    count.instances = 0;
    return;
  }
  count.instances = shape[0].value();
  const auto lanes = static_cast<double>(machine.Lanes(node.type().dtype));
  double products = 1, best = 1;
  for (const Dim dim : shape) products *= Extent(dim);
  for (size_t axis = 1; axis < shape.size(); axis++) {
    best = std::min(best, VectorsAnElement(shape[axis], lanes));
  }
  const Shape& lhs = graph.node(node.operands[0]).type().shape;
  for (const int64_t axis : contract.lhs_sum) products *= Extent(lhs[static_cast<size_t>(axis)]);
  count.with += products * VectorsAnElement(shape[0], lanes);
  count.without += products * best;
}

void AddGraph(const Graph& graph, const Machine& machine, Count& count) {
  for (const Node& node : graph.nodes()) {
    if (count.instances == 0) return;
    if (node.kind() == Kind::kLoop) AddGraph(*node.As<LoopAttributes>().body, machine, count);
    if (node.kind() == Kind::kContract) AddContraction(graph, node, machine, count);
  }
}

}  // namespace

int64_t FindInstances(const Graph& graph, const Machine& machine) {
  Count count;
  AddGraph(graph, machine, count);
  return count.instances > 0 && count.with < kLess * count.without ? count.instances : 0;
}

}  // namespace talweg::loops
