#include "jit/loops/instances.h"

#include <algorithm>
#include <cmath>

#include "jit/loops/guesses.h"

namespace talweg::loops {
namespace {

// So much less work has to be left where copies into the layout are not many updates' affair, or
// where values do not stay in the second cache.
constexpr double kLess = 0.95;

class Counter {
 public:
  explicit Counter(const Machine& machine) : machine_(machine) {}

  // `rows`: as many as there are at most.
  void Add(const Graph& graph, double rows, bool in_loop) {
    for (const Node& node : graph.nodes()) {
      if (instances_ == 0) return;
      if (node.kind() == Kind::kLoop) {
        const auto& loop = node.As<LoopAttributes>();
        Add(*loop.body, loop.binds_rows ? static_cast<double>(loop.rows_limit) : rows, true);
      } else if (node.kind() == Kind::kContract) {
        AddContraction(graph, node, rows, in_loop);
      }
    }
  }

  int64_t Instances() const {
    const bool stays = !outside_ && largest_ <= static_cast<double>(machine_.l2_bytes) / 2;
    const bool pays = stays ? with_ <= without_ : with_ < kLess * without_;
    return instances_ > 0 && pays ? instances_ : 0;
  }

 private:
  static double Extent(Dim dim, double rows) {
    if (dim.is_static()) return static_cast<double>(std::max<int64_t>(dim.value(), 1));
    return dim == kRows ? rows : kGuessedRowsOfInstances;
  }

  void AddContraction(const Graph& graph, const Node& node, double rows, bool in_loop) {
    const auto& contract = node.As<ContractAttributes>();
    const Shape& shape = node.type().shape;
    const bool has_axis = contract.lhs_batch.size() == 1 && contract.lhs_batch[0] == 0 &&
                          contract.rhs_batch[0] == 0 && shape[0].is_static() &&
                          shape[0].value() > 1;
    if (!has_axis || (instances_ >= 0 && shape[0] != Dim(instances_))) {
      instances_ = 0;
      return;
    }
    instances_ = shape[0].value();
    outside_ = outside_ || !in_loop;
    // How many vectors an element takes where an axis lies in their lanes: a share of one, and more
    // where the last vector is not full.
    const auto lanes = static_cast<double>(machine_.Lanes(node.type().dtype));
    const auto vectors = [&](Dim dim) {
      const double extent = Extent(dim, rows);
      return std::ceil(extent / lanes) / extent;
    };
    double products = 1, best = 1;
    for (const Dim dim : shape) products *= Extent(dim, rows);
    for (size_t axis = 1; axis < shape.size(); axis++) best = std::min(best, vectors(shape[axis]));
    largest_ = std::max(largest_, products * static_cast<double>(SizeOf(node.type().dtype)));
    const Shape& lhs = graph.node(node.operands[0]).type().shape;
    for (const int64_t axis : contract.lhs_sum) {
      products *= Extent(lhs[static_cast<size_t>(axis)], rows);
    }
    with_ += products * vectors(shape[0]);
    without_ += products * best;
  }

  const Machine& machine_;
  int64_t instances_ = -1;  // -1: no contraction was seen; 0: they are of nothing in common
  // Vectors of multiply-adds, with the instances in the lanes and with each one's best other axis.
  double with_ = 0, without_ = 0;
  double largest_ = 0;    // bytes of a result
  bool outside_ = false;  // whether there are some outside of loops
};

}  // namespace

int64_t FindInstances(const Graph& graph, const Machine& machine) {
  Counter counter(machine);
  counter.Add(graph, kGuessedRowsOfInstances, false);
  return counter.Instances();
}

}  // namespace talweg::loops
