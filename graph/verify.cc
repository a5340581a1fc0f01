#include "graph/verify.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "graph/operand_types.h"
#include "graph/reads.h"

namespace talweg {
namespace {

absl::Status Error(std::string_view text) { return absl::InvalidArgumentError(AbslView(text)); }

// A message with what it is about in front.
absl::Status Within(std::string_view where, const absl::Status& status) {
  return Error(absl::StrCat(AbslView(where), ": ", status.message()));
}

template <typename T>
bool Has(const Node& node) {
  return std::holds_alternative<T>(node.attributes);
}

// What each kind says beyond op and operands; attributes.h has the list.
bool AttributesSuit(const Node& node) {
  switch (node.kind()) {
    case Kind::kInput:
      return Has<InputAttributes>(node);
    case Kind::kConstant:
      return Has<ConstantAttributes>(node);
    case Kind::kIota:
      return Has<TypeAttributes>(node);
    case Kind::kSize:
      return Has<SizeAttributes>(node);
    case Kind::kMap:
      return node.op->map != nullptr && node.op->map->types == MapTypes::kCast
                 ? Has<CastAttributes>(node)
                 : Has<std::monostate>(node);
    case Kind::kView:
      return Has<ViewAttributes>(node);
    case Kind::kReshape:
      return Has<ShapeAttributes>(node);
    case Kind::kConcat:
      return Has<ConcatAttributes>(node);
    case Kind::kReduce:
      return Has<ReduceAttributes>(node);
    case Kind::kGather:
      return Has<GatherAttributes>(node);
    case Kind::kScatterAdd:
      return Has<ScatterAddAttributes>(node);
    case Kind::kContract:
      return Has<ContractAttributes>(node);
    case Kind::kRandom:
      return Has<TypeAttributes>(node);
    case Kind::kLoop:
      return Has<LoopAttributes>(node) && node.As<LoopAttributes>().body != nullptr;
    case Kind::kPart:
      return Has<PartAttributes>(node);
    case Kind::kCustom:
      return Has<CustomAttributes>(node) && node.As<CustomAttributes>().gradient != nullptr;
  }
  return false;
}

// The least and greatest number of operands.
std::pair<size_t, size_t> Arity(const Node& node) {
  constexpr auto kAny = static_cast<size_t>(kMaxOperands);
  switch (node.kind()) {
    case Kind::kInput:
    case Kind::kConstant:
    case Kind::kIota:
    case Kind::kSize:
      return {0, 0};
    case Kind::kMap: {
      const size_t arity = node.op->map == nullptr ? 1 : static_cast<size_t>(node.op->map->arity);
      return {arity, arity};
    }
    case Kind::kView:
    case Kind::kReshape:
    case Kind::kReduce:
    case Kind::kPart:
      return {1, 1};
    case Kind::kGather:
    case Kind::kScatterAdd:
    case Kind::kContract:
    case Kind::kRandom:
      return {2, 2};
    case Kind::kConcat:
    case Kind::kLoop:
    case Kind::kCustom:
      return {1, kAny};
  }
  return {0, kAny};
}

absl::Status CheckOrder(const Order& order) {
  if (order.chains != 1 && order.chains != kManyChains) {
    return Error(absl::StrCat(order.chains, " chains; an order has 1 or ", kManyChains));
  }
  if (order.block != 0 && order.block != kReduceBlock) {
    return Error(
        absl::StrCat("blocks of ", order.block, " terms; an order has none or ", kReduceBlock));
  }
  return absl::OkStatus();
}

absl::Status CheckType(const Type& type) {
  if (static_cast<int64_t>(type.shape.size()) > kMaxRank) {
    return Error(absl::StrCat(type.shape.size(), " axes; at most ", kMaxRank, " are possible"));
  }
  return CheckShape(type.shape);
}

// ---- One node -------------------------------------------------------------------------------

absl::Status CheckTypes(const Node& node, absl::Span<const Type> operands) {
  for (const Type& type : node.types) {
    if (absl::Status status = CheckType(type); !status.ok()) return status;
  }
  if (node.kind() == Kind::kInput) return absl::OkStatus();
  const absl::StatusOr<std::vector<Type>> inferred =
      node.op->infer(*node.op, operands, node.attributes);
  if (!inferred.ok()) return inferred.status();
  if (*inferred == node.types) return absl::OkStatus();
  const auto shown = [](const std::vector<Type>& types) {
    return absl::StrJoin(types, ", ", [](std::string* out, const Type& type) {
      absl::StrAppend(out, ToString(type));
    });
  };
  return Error(
      absl::StrCat("its type is stated as ", shown(node.types), ", but is ", shown(*inferred)));
}

// ---- A graph --------------------------------------------------------------------------------

class Verifier {
 public:
  // `rows`: whether the graph around gives this symbol a value.
  absl::Status Check(const Graph& graph, bool rows, int32_t depth);

 private:
  absl::Status CheckDepth(int32_t depth);
  absl::Status CheckBorder(const Graph& graph);
  absl::Status CheckTrips(const Graph& graph);
  absl::Status CheckNode(const Graph& graph, NodeId id, bool rows, bool trips, int32_t depth);
  absl::Status CheckNodeInside(const Graph& graph, NodeId id, bool rows, bool trips, int32_t depth);

  // Graphs that were found good, and how deep graphs within graphs go in them: one object may be
  // the body of many loops. Those around which rows has a value count apart.
  absl::flat_hash_map<std::pair<const Graph*, bool>, int32_t> good_;
  int32_t deepest_ = 0;  // so far
};

absl::Status Verifier::CheckDepth(int32_t depth) {
  deepest_ = std::max(deepest_, depth);
  if (depth <= kMaxNesting) return absl::OkStatus();
  return Error(absl::StrCat("graphs within graphs, more than ", kMaxNesting, " deep"));
}

absl::Status Verifier::Check(const Graph& graph, bool rows, int32_t depth) {
  if (absl::Status status = CheckDepth(depth); !status.ok()) return status;
  const auto good = good_.find({&graph, rows});
  if (good != good_.end()) return CheckDepth(depth + good->second);
  const int32_t deepest_around = std::exchange(deepest_, depth);
  const bool rows_around = rows;
  if (graph.nodes().size() > static_cast<size_t>(std::numeric_limits<NodeId>::max())) {
    return Error("more nodes than numbers for them");
  }
  if (absl::Status status = CheckBorder(graph); !status.ok()) return status;
  bool input_has_trips = false, loop_has_trips = false;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    rows |= Uses(graph.input_type(i).shape, kRows);
    input_has_trips |= Uses(graph.input_type(i).shape, kTrips);
  }
  // A loop whose trips are counted at run time binds them by what lies along them.
  for (const Node& node : graph.nodes()) {
    loop_has_trips |= Has<LoopAttributes>(node) && HasLengthOfTrips(node);
  }
  const bool trips = input_has_trips || loop_has_trips;
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    absl::Status status = CheckNode(graph, static_cast<NodeId>(i), rows, trips, depth);
    if (!status.ok()) return status;
  }
  if (!input_has_trips && loop_has_trips) {
    if (absl::Status status = CheckTrips(graph); !status.ok()) return status;
  }
  good_.insert({{&graph, rows_around}, deepest_ - depth});
  deepest_ = std::max(deepest_, deepest_around);
  return absl::OkStatus();
}

// Where only loops can bind the symbol `trips`, one that is needed does, if anything needed uses
// it.
absl::Status Verifier::CheckTrips(const Graph& graph) {
  const std::vector<bool> needed = NeededFor(graph, graph.outputs());
  if (!TripCounts(graph, needed).empty()) return absl::OkStatus();
  for (size_t i = 0; i < needed.size(); i++) {
    const Node& node = graph.nodes()[i];
    if (!needed[i] || !UsesTrips(node)) continue;
    return Error(absl::StrCat("node %", i, ": ", node.op->name,
                              ": nothing that is needed says how many trips there are"));
  }
  return absl::OkStatus();
}

// Inputs and outputs; what is checked here may be read without fear from then on.
absl::Status Verifier::CheckBorder(const Graph& graph) {
  const auto size = static_cast<int64_t>(graph.nodes().size());
  const auto exists = [&](NodeId id) { return id >= 0 && id < size; };
  size_t input_nodes = 0;
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    const Node& node = graph.nodes()[i];
    if (node.op == nullptr || node.op->infer == nullptr) {
      return Error(absl::StrCat("node %", i, ": no op"));
    }
    if (node.types.empty() || (node.types.size() > 1 && node.kind() != Kind::kLoop)) {
      return Error(
          absl::StrCat("node %", i, ": ", node.op->name, ": ", node.types.size(), " types"));
    }
    input_nodes += node.kind() == Kind::kInput;
  }
  absl::flat_hash_set<NodeId> inputs;
  absl::flat_hash_set<absl::string_view> names;
  for (NodeId id : graph.inputs()) {
    if (!exists(id)) return Error(absl::StrCat("input %", id, " does not exist"));
    const Node& node = graph.node(id);
    if (node.kind() != Kind::kInput || !Has<InputAttributes>(node)) {
      return Error(absl::StrCat("input %", id, " is not an input: ", node.op->name));
    }
    if (!inputs.insert(id).second) return Error(absl::StrCat("input %", id, " is listed twice"));
    if (!names.insert(node.As<InputAttributes>().name).second) {
      return Error(absl::StrCat("two inputs are called '", node.As<InputAttributes>().name, "'"));
    }
  }
  if (inputs.size() != input_nodes) {
    return Error(absl::StrCat(input_nodes, " nodes are inputs, ", inputs.size(), " are listed"));
  }
  for (NodeId id : graph.outputs()) {
    if (!exists(id)) return Error(absl::StrCat("output %", id, " does not exist"));
    if (graph.node(id).kind() == Kind::kLoop) {
      return Error(absl::StrCat("output %", id, " is a loop; its parts are values"));
    }
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckNode(const Graph& graph, NodeId id, bool rows, bool trips,
                                 int32_t depth) {
  const absl::Status status = CheckNodeInside(graph, id, rows, trips, depth);
  if (status.ok()) return status;
  const Node& node = graph.node(id);
  const auto type = [&](size_t i) -> std::string {
    const NodeId operand = node.operands[i];
    const bool exists = operand >= 0 && static_cast<size_t>(operand) < graph.nodes().size();
    return exists ? ToString(graph.node(operand).type()) : "?";
  };
  const std::string shapes =
      node.operands.empty() ? ToString(node.type()) : JoinTypes(node.operands.size(), type);
  const std::string line = ToString(node.line);
  return Within(absl::StrCat("node %", id, ": ", node.op->name, ": ", shapes),
                Error(absl::StrCat(status.message(), line.empty() ? "" : " (", line,
                                   line.empty() ? "" : ")")));
}

absl::Status Verifier::CheckNodeInside(const Graph& graph, NodeId id, bool rows, bool trips,
                                       int32_t depth) {
  const Node& node = graph.node(id);
  if (!AttributesSuit(node)) return Error("attributes of another kind of node");
  const auto [least, most] = Arity(node);
  if (node.operands.size() < least || node.operands.size() > most) {
    return Error(absl::StrCat(node.operands.size(), " operands; it takes ", least,
                              least == most ? "" : " or more"));
  }
  for (NodeId operand : node.operands) {
    if (operand < 0 || operand >= id) {
      return Error(absl::StrCat("operand %", operand, " does not come before it"));
    }
    if ((graph.node(operand).kind() == Kind::kLoop) != (node.kind() == Kind::kPart)) {
      return Error(node.kind() == Kind::kPart ? "only a loop has parts"
                                              : "a loop is no value; its parts are");
    }
  }
  std::vector<Type> storage;
  const absl::Span<const Type> operands = OperandTypes(graph.nodes(), node.operands, storage);

  absl::Status status;
  if (node.kind() == Kind::kView) status = CheckViewIndices(node.As<ViewAttributes>());
  if (node.kind() == Kind::kReduce) status = CheckOrder(node.As<ReduceAttributes>().order);
  if (node.kind() == Kind::kContract) status = CheckOrder(node.As<ContractAttributes>().order);
  if (node.kind() == Kind::kLoop) {
    const auto& loop = node.As<LoopAttributes>();
    status = Check(*loop.body, rows || loop.binds_rows, depth + 1);
    if (!status.ok()) return Within("in the body", status);
  }
  if (node.kind() == Kind::kCustom) {
    status = Check(*node.As<CustomAttributes>().gradient, rows, depth + 1);
    if (!status.ok()) return Within("in the gradient", status);
  }
  if (!status.ok()) return status;
  // Of a loop and a custom gradient these are the rules for what is inside, too.
  if (status = CheckTypes(node, operands); !status.ok()) return status;

  for (const Type& type : node.types) {
    if ((!rows && Uses(type.shape, kRows)) || (!trips && Uses(type.shape, kTrips))) {
      return Error(absl::StrCat("nothing says how many there are of ", ToString(type.shape)));
    }
  }
  if (node.kind() == Kind::kSize) {
    const Dim dim = node.As<SizeAttributes>().dim;
    if (!(dim == kRows ? rows : trips)) {
      return Error(absl::StrCat("nothing says how many ", dim.ToString(), " there are"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

// Engines compute a view's indices in int64. A run-time extent counts as kMostRows.
absl::Status CheckViewIndices(const ViewAttributes& view) {
  constexpr int64_t kLimit = int64_t{1} << 62;
  for (const AxisMap& map : view.axes) {
    // |i| <= |offset| + sum over terms of |step| (extent - 1)
    int64_t room = kLimit;
    const auto take = [&room](int64_t size, int64_t times) {
      if (size < -kLimit || size > kLimit) return false;
      if (size < 0) size = -size;
      if (size != 0 && times > room / size) return false;
      room -= size * times;
      return true;
    };
    bool fits = take(map.offset, 1);
    for (const AxisMap::Term& term : map.terms) {
      if (term.axis < 0 || static_cast<size_t>(term.axis) >= view.shape.size()) {
        return Error(absl::StrCat("the result has no axis ", term.axis));
      }
      const Dim dim = view.shape[static_cast<size_t>(term.axis)];
      fits =
          fits && take(term.step, dim.is_static() ? std::max<int64_t>(dim.value(), 1) : kMostRows);
    }
    if (!fits) return Error("an index of the operand would not fit 62 bits");
  }
  return absl::OkStatus();
}

absl::Status Verify(const Graph& graph) { return Verifier().Check(graph, false, 0); }

}  // namespace talweg
