// What is the same in each trip of a loop is computed once.

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "graph/verify.h"
#include "jit/passes/affine.h"
#include "jit/passes/loops.h"
#include "jit/passes/passes.h"
#include "jit/passes/rewrite.h"

namespace talweg::passes {
namespace {

// What is larger is computed again in each trip: it may be fused with what reads it, where a buffer
// would have to come through the caches.
constexpr int64_t kSmallBytes = int64_t{64} << 10;

// Where in front of a loop, or in its body, each node is computed.
class Invariants {
 public:
  explicit Invariants(const Node& loop);

  // The nodes that move; those of them that the body then captures.
  bool Moves(NodeId id) const { return moves_[static_cast<size_t>(id)]; }
  const std::vector<NodeId>& captured() const { return captured_; }
  // Nodes that must be there in front of the loop for those that move, themselves included.
  bool IsNeededOutside(NodeId id) const { return outside_[static_cast<size_t>(id)]; }

 private:
  bool MayLeaveBody(const Type& type) const;
  bool IsFixed(const Node& node) const;
  bool IsWorthMoving(const Node& node) const;

  const Graph& graph_;
  const bool binds_rows_;
  std::vector<bool> fixed_, moves_, outside_;
  std::vector<NodeId> captured_;
};

// The body's symbols are others than those outside, but for `rows` where the loop does not bind it.
bool Invariants::MayLeaveBody(const Type& type) const {
  return !Uses(type.shape, kTrips) && !(binds_rows_ && Uses(type.shape, kRows));
}

// The same in each trip, and of no kind that can fail at run time: a loop may run no trip.
bool Invariants::IsFixed(const Node& node) const {
  switch (node.kind()) {
    case Kind::kConstant:
    case Kind::kIota:
    case Kind::kMap:
    case Kind::kView:
    case Kind::kReshape:
    case Kind::kConcat:
    case Kind::kReduce:
    case Kind::kContract:
    case Kind::kRandom:
      break;
    case Kind::kSize:
      return node.As<SizeAttributes>().dim == kRows && !binds_rows_;
    default:
      return false;
  }
  return MayLeaveBody(node.type()) &&
         absl::c_all_of(node.operands, [&](NodeId id) { return fixed_[static_cast<size_t>(id)]; });
}

// Leaves and views without fill are as cheap inside as a buffer.
bool Invariants::IsWorthMoving(const Node& node) const {
  bool summarises = false;
  switch (node.kind()) {
    case Kind::kMap:
    case Kind::kConcat:
    case Kind::kRandom:
      break;
    case Kind::kView:
      if (!MayFill(node.As<ViewAttributes>(), graph_.node(node.operands[0]).type().shape)) {
        return false;
      }
      break;
    case Kind::kReshape:
    case Kind::kReduce:
    case Kind::kContract:
      summarises = true;
      break;
    default:
      return false;
  }
  const ExtentCount count = CountOf(node.type().shape);
  const auto holds = [&](NodeId operand) {
    return !Fewer(CountOf(graph_.node(operand).type().shape), count);
  };
  // A result that is not larger than an operand, where it stands for much work.
  if (summarises && absl::c_any_of(node.operands, holds)) return true;
  return count.rows == 0 && count.elements * SizeOf(node.type().dtype) <= kSmallBytes;
}

Invariants::Invariants(const Node& loop)
    : graph_(*loop.As<LoopAttributes>().body), binds_rows_(loop.As<LoopAttributes>().binds_rows) {
  const auto& a = loop.As<LoopAttributes>();
  const size_t size = graph_.nodes().size();
  fixed_.assign(size, false);
  moves_.assign(size, false);
  outside_.assign(size, false);
  for (int32_t i = 0; i < a.captures; i++) {
    fixed_[static_cast<size_t>(graph_.inputs()[static_cast<size_t>(1 + i)])] = true;
  }
  for (size_t i = 0; i < size; i++) {
    const Node& node = graph_.nodes()[i];
    if (node.kind() == Kind::kInput) continue;
    fixed_[i] = IsFixed(node);
    moves_[i] = fixed_[i] && IsWorthMoving(node);
  }
  // Of those that move, the body captures what is read by what stays.
  std::vector<bool> captured(size, false);
  for (size_t i = 0; i < size; i++) {
    if (moves_[i]) continue;
    for (NodeId id : graph_.nodes()[i].operands) {
      captured[static_cast<size_t>(id)] = moves_[static_cast<size_t>(id)];
    }
  }
  for (NodeId id : graph_.outputs()) {
    captured[static_cast<size_t>(id)] = moves_[static_cast<size_t>(id)];
  }
  for (size_t i = size; i-- > 0;) {
    outside_[i] = outside_[i] || captured[i];
    if (!outside_[i]) continue;
    for (NodeId id : graph_.nodes()[i].operands) outside_[static_cast<size_t>(id)] = true;
  }
  for (size_t i = 0; i < size; i++) {
    if (captured[i]) captured_.push_back(static_cast<NodeId>(i));
  }
}

NodeId Hoist(Rewrite& rewrite, Node node) {
  GraphBuilder& out = rewrite.out();
  if (node.kind() != Kind::kLoop) return out.Add(std::move(node));
  const Invariants invariants(node);
  if (invariants.captured().empty() ||
      node.operands.size() + invariants.captured().size() > static_cast<size_t>(kMaxOperands)) {
    return out.Add(std::move(node));
  }
  OpenLoop loop = Open(node);
  const Graph& graph = *loop.attributes.body;
  const size_t size = graph.nodes().size();
  const auto renamed = [](Node moved, const std::vector<NodeId>& stands) {
    for (NodeId& id : moved.operands) id = stands[static_cast<size_t>(id)];
    return moved;
  };

  std::vector<NodeId> outside(size, kNone);
  for (size_t i = 0; i < loop.captures.size(); i++) {
    outside[static_cast<size_t>(loop.captures_in[i])] = loop.captures[i];
  }
  for (size_t i = 0; i < size; i++) {
    const auto id = static_cast<NodeId>(i);
    if (!invariants.IsNeededOutside(id) || graph.node(id).kind() == Kind::kInput) continue;
    outside[i] = out.Add(renamed(graph.node(id), outside));
  }

  GraphBuilder body(size);
  std::vector<NodeId> stands(size, kNone);
  for (NodeId id : graph.inputs()) stands[static_cast<size_t>(id)] = body.AddInput(graph.node(id));
  std::vector<NodeId> captured_in;
  for (NodeId id : invariants.captured()) {
    captured_in.push_back(body.AddInput(MakeInput(graph.node(id).type())));
    stands[static_cast<size_t>(id)] = captured_in.back();
  }
  for (size_t i = 0; i < size; i++) {
    const auto id = static_cast<NodeId>(i);
    if (graph.node(id).kind() == Kind::kInput || invariants.Moves(id)) continue;
    stands[i] = body.Add(renamed(graph.node(id), stands));
  }
  RenameBody(loop, stands);
  for (size_t i = 0; i < captured_in.size(); i++) {
    loop.captures.push_back(outside[static_cast<size_t>(invariants.captured()[i])]);
    loop.captures_in.push_back(captured_in[i]);
  }
  return out.Add(Close(std::move(loop), body));
}

}  // namespace

Graph HoistInvariants(const Graph& graph) { return Rewrite::Run(graph, Hoist); }

}  // namespace talweg::passes
