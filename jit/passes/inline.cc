// Loops that are none, and rows whose number is known.

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "graph/core_ops.h"
#include "jit/passes/loops.h"
#include "jit/passes/passes.h"
#include "jit/passes/rewrite.h"
#include "jit/passes/rules.h"

namespace talweg::passes {
namespace {

// ---- The symbol `rows` as a number --------------------------------------------------------------

// A graph, and the bodies inside of which rows is the same, with a number in its place. Orders of
// sums are attributes, and do not change with it.
class RowsBinder {
 public:
  explicit RowsBinder(int64_t rows) : rows_(rows) {}

  // Null where some value would be larger than there can be.
  std::shared_ptr<const Graph> Bind(const std::shared_ptr<const Graph>& graph);

 private:
  void Bind(Shape& shape) const;
  bool Bind(Node& node);

  const Dim rows_;
  absl::flat_hash_map<const Graph*, std::shared_ptr<const Graph>> bound_;
};

void RowsBinder::Bind(Shape& shape) const {
  for (Dim& dim : shape) {
    if (dim == kRows) dim = rows_;
  }
}

bool RowsBinder::Bind(Node& node) {
  for (Type& type : node.types) {
    Bind(type.shape);
    if (!CheckShape(type.shape).ok()) return false;
  }
  if (auto* size = std::get_if<SizeAttributes>(&node.attributes); size && size->dim == kRows) {
    node.op = &kConstantOp;
    node.attributes = ConstantAttributes{Array(rows_.value())};
    return true;
  }
  if (auto* a = std::get_if<ShapeAttributes>(&node.attributes)) Bind(a->shape);
  if (auto* a = std::get_if<ViewAttributes>(&node.attributes)) Bind(a->shape);
  if (auto* a = std::get_if<TypeAttributes>(&node.attributes)) Bind(a->shape);
  if (auto* a = std::get_if<ScatterAddAttributes>(&node.attributes); a && a->size == kRows) {
    a->size = rows_;
  }
  if (auto* a = std::get_if<LoopAttributes>(&node.attributes); a && !a->binds_rows) {
    a->body = Bind(a->body);
    return a->body != nullptr;
  }
  if (auto* a = std::get_if<CustomAttributes>(&node.attributes)) {
    a->gradient = Bind(a->gradient);
    return a->gradient != nullptr;
  }
  return true;
}

// Graphs lie at most kMaxNesting deep in each other.
std::shared_ptr<const Graph> RowsBinder::Bind(const std::shared_ptr<const Graph>& graph) {
  if (const auto it = bound_.find(graph.get()); it != bound_.end()) return it->second;
  std::vector<Node> nodes = graph->nodes();
  bool fits = true;
  for (Node& node : nodes) fits = fits && Bind(node);
  std::shared_ptr<const Graph>& result = bound_[graph.get()];
  if (fits) {
    result = std::make_shared<const Graph>(std::move(nodes), graph->inputs(), graph->outputs());
  }
  return result;
}

// The number of rows in each trip, where it is the same in all and one that may be.
std::optional<int64_t> RowsOf(const GraphBuilder& out, const Node& loop) {
  const NodeId operand = loop.operands[1];
  std::optional<uint64_t> bits = UniformBits(out, operand);
  if (!bits && out.kind(operand) == Kind::kConstant) {
    const Array& rows = out.node(operand).As<ConstantAttributes>().value;
    for (int64_t i = 0; i < rows.size(); i++) {
      if (bits && *bits != BitsOf(rows, i)) return std::nullopt;
      bits = BitsOf(rows, i);
    }
  }
  if (!bits) return std::nullopt;
  const int64_t rows =
      out.type(operand).dtype == kInt32 ? static_cast<int32_t>(*bits) : static_cast<int64_t>(*bits);
  // Numbers of 32 bits fit wherever a number of rows did; more would take much memory.
  const int64_t most = std::numeric_limits<int32_t>::max();
  if (rows < 0 || rows > std::min(loop.As<LoopAttributes>().rows_limit, most)) return std::nullopt;
  return rows;
}

// ---- Loops --------------------------------------------------------------------------------------

// A body that has a symbol `trips` of its own, which would become that of the graph around.
bool BindsTrips(const Graph& body) {
  return absl::c_any_of(body.nodes(), [](const Node& node) {
    return node.kind() == Kind::kLoop && node.As<LoopAttributes>().length == kTrips;
  });
}

// No trip: what is carried comes out as it went in, what is stacked is zero.
NodeId NoTrip(Rewrite& rewrite, const Node& node) {
  const OpenLoop loop = Open(node);
  std::vector<NodeId> parts = loop.carried;
  for (size_t i = parts.size(); i < node.types.size(); i++) {
    parts.push_back(MakeUniform(rewrite, node.types[i].dtype, 0, node.types[i].shape, node.line));
  }
  return rewrite.ReplaceParts(std::move(parts));
}

// One trip: the body itself.
NodeId OneTrip(Rewrite& rewrite, const Node& node) {
  const OpenLoop loop = Open(node);
  GraphBuilder& out = rewrite.out();
  std::vector<NodeId> arguments = {MakeUniform(rewrite, kInt64, 0, {}, node.line)};
  for (const auto* list : {&loop.captures, &loop.carried}) {
    arguments.insert(arguments.end(), list->begin(), list->end());
  }
  for (NodeId scanned : loop.scanned) {
    ViewAttributes first;
    const Shape& shape = out.type(scanned).shape;
    first.axes.resize(shape.size());
    for (size_t axis = 1; axis < shape.size(); axis++) {
      first.axes[axis].terms = {{.axis = static_cast<int64_t>(axis - 1)}};
      first.shape.push_back(shape[axis]);
    }
    arguments.push_back(MakeView(rewrite, scanned, std::move(first), node.line));
  }
  const std::vector<NodeId> stands = CopyInto(out, *loop.attributes.body, arguments);
  std::vector<NodeId> parts;
  for (NodeId id : loop.next) parts.push_back(stands[static_cast<size_t>(id)]);
  for (NodeId id : loop.stacked) {
    const NodeId slice = stands[static_cast<size_t>(id)];
    ViewAttributes stacked{.axes = {}, .fill = 0, .shape = out.type(slice).shape};
    for (size_t axis = 0; axis < stacked.shape.size(); axis++) {
      stacked.axes.push_back({.terms = {{.axis = static_cast<int64_t>(axis + 1)}}});
    }
    stacked.shape.insert(stacked.shape.begin(), Dim(1));
    parts.push_back(MakeView(rewrite, slice, std::move(stacked), node.line));
  }
  parts.push_back(MakeUniform(rewrite, kInt64, 1, {}, node.line));
  return rewrite.ReplaceParts(std::move(parts));
}

NodeId Inline(Rewrite& rewrite, Node node) {
  GraphBuilder& out = rewrite.out();
  if (node.kind() != Kind::kLoop) return out.Add(std::move(node));
  auto& a = std::get<LoopAttributes>(node.attributes);
  const std::optional<int64_t> trips = ConstantInteger(out.node(node.operands[0]));

  // Rows of one number, unless nothing else says how many trips there may be.
  const bool limited =
      a.scanned + a.stacked > 0 || (trips && a.length.is_static() && *trips <= a.length.value());
  if (const std::optional<int64_t> rows =
          a.binds_rows && limited ? RowsOf(out, node) : std::nullopt) {
    if (std::shared_ptr<const Graph> body = RowsBinder(*rows).Bind(a.body)) {
      a.body = std::move(body);
      a.binds_rows = false;
      a.rows_limit = 0;
      node.operands.erase(node.operands.begin() + 1);
    }
  }
  // Outermost loops stay: who runs the graph counts their trips, and may stop them.
  if (rewrite.depth() > 0 && trips && a.length.is_static()) {
    if (*trips <= 0) return NoTrip(rewrite, node);
    const bool fits = a.length == Dim(1) || (a.length.value() > 1 && a.stacked == 0);
    if (*trips == 1 && fits && !a.binds_rows && !BindsTrips(*a.body)) return OneTrip(rewrite, node);
  }
  return out.Add(std::move(node));
}

}  // namespace

Graph InlineLoops(const Graph& graph) { return Rewrite::Run(graph, Inline); }

}  // namespace talweg::passes
