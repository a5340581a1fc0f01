#include "autodiff/batch_rules.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/batch.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/view.h"

namespace talweg {
namespace {

// Axes as they are numbered behind a new leading one.
std::vector<int64_t> Behind(std::vector<int64_t> axes) {
  for (int64_t& axis : axes) axis++;
  return axes;
}

// [...] -> [size, ...], each instance the same.
Value Repeated(const Batching& batching, const Value& x, const SourceLine& line) {
  if (!x.ok()) return x;
  ViewAttributes view{.axes = {}, .fill = 0, .shape = WithLeading(batching.size, x.shape())};
  for (int64_t axis = 0; axis < x.rank(); axis++) {
    view.axes.push_back({.offset = 0, .dilation = 1, .terms = {{axis + 1, 1}}});
  }
  return MakeNode(kViewOp, {x}, std::move(view), line);
}

std::vector<Value> SpreadAll(const Batching& batching, absl::Span<const Lanes> operands,
                             const SourceLine& line) {
  std::vector<Value> values;
  for (const Lanes& operand : operands) values.push_back(WithInstanceAxis(batching, operand, line));
  return values;
}

Value BatchView(const Node& node, const Value& x) {
  const auto& single = node.As<ViewAttributes>();
  ViewAttributes view{.axes = {{.offset = 0, .dilation = 1, .terms = {{0, 1}}}},
                      .fill = single.fill,
                      .shape = WithLeading(x.dim(0), single.shape)};
  for (AxisMap map : single.axes) {
    for (AxisMap::Term& term : map.terms) term.axis++;
    view.axes.push_back(std::move(map));
  }
  return MakeNode(*node.op, {x}, std::move(view), node.line);
}

// The terms of a sum and their order are those of the single contraction. Instances are one more
// axis of a left operand that has them alone and no batch axes before; else one more batch axis,
// for which the other operand is repeated. That costs nothing, and leaves the axes in their order,
// so that what reads the result can still be computed with it.
Value BatchContract(const Batching& batching, const Node& node, absl::Span<const Lanes> operands) {
  ContractAttributes a = node.As<ContractAttributes>();
  a.lhs_batch = Behind(std::move(a.lhs_batch));
  a.lhs_sum = Behind(std::move(a.lhs_sum));
  if (operands[0].batched && !operands[1].batched && a.lhs_batch.empty()) {
    return MakeNode(*node.op, {operands[0].value, operands[1].value}, std::move(a), node.line);
  }
  a.rhs_batch = Behind(std::move(a.rhs_batch));
  a.rhs_sum = Behind(std::move(a.rhs_sum));
  a.lhs_batch.insert(a.lhs_batch.begin(), 0);
  a.rhs_batch.insert(a.rhs_batch.begin(), 0);
  return MakeNode(*node.op, SpreadAll(batching, operands, node.line), std::move(a), node.line);
}

// Indices at which instances that do not run this trip may look.
Value Harmless(const Batching& batching, const Value& indices, const SourceLine& line) {
  if (batching.active.tape() == nullptr || !indices.ok()) return indices;
  ViewAttributes view{.axes = {{.offset = 0, .dilation = 1, .terms = {{0, 1}}}},
                      .fill = 0,
                      .shape = indices.shape()};
  const Value active = MakeNode(kViewOp, {batching.active}, std::move(view), line);
  return Map(kSelectOp, {active, indices, Scalar(indices, indices.dtype(), 0)}, Attributes(), line);
}

// Gather and scatter-add have the same axes: instances are one more common axis where both operands
// have them, or where there are common axes, which come first.
template <typename A>
Value BatchGather(const Batching& batching, const Node& node, absl::Span<const Lanes> operands) {
  A a = node.As<A>();
  Value x = operands[0].value, indices = operands[1].value;
  if (operands[1].batched) indices = Harmless(batching, indices, node.line);
  const bool is_gather = node.kind() == Kind::kGather;
  if (operands[0].batched && !operands[1].batched && a.batch == 0) {
    a.axis++;
    return MakeNode(*node.op, {x, indices}, std::move(a), node.line);
  }
  // gather(x, [size, n]): [.., size, n, ..], and x is not copied.
  if (!operands[0].batched && a.batch == 0 && is_gather) {
    const int64_t place = a.axis;
    return MoveAxis(MakeNode(*node.op, {x, indices}, std::move(a), node.line), place, 0, node.line);
  }
  if (!operands[0].batched) x = Repeated(batching, x, node.line);
  if (!operands[1].batched) indices = Repeated(batching, indices, node.line);
  a.axis++;
  a.batch++;
  return MakeNode(*node.op, {x, indices}, std::move(a), node.line);
}

// Random numbers are functions of one key and one stream. So each instance draws its own, in a loop
// over the instances; no engine has to know of it.
Value BatchRandom(const Batching& batching, const Node& node, absl::Span<const Lanes> operands) {
  const std::vector<Value> keys = SpreadAll(batching, operands, node.line);
  for (const Value& key : keys) {
    if (!key.ok()) return key;
  }
  const Shape& shape = node.As<TypeAttributes>().shape;
  const auto draw = [&](const Value& key, const Value& stream) {
    return MakeNode(*node.op, {key, stream}, node.attributes, node.line);
  };
  // What is as long as a loop has trips can not leave another loop: the instances stand one by one
  // in the graph. (Of none, one is drawn from a key of 0, and repeated no time.)
  if (Uses(shape, kTrips)) {
    constexpr int64_t kMost = 1000;
    if (batching.size > kMost) {
      return Fail(node.op->name, {keys[0]},
                  absl::StrCat("of as many numbers as there are trips, ", kMost,
                               " instances can be drawn, not ", batching.size),
                  node.line);
    }
    std::vector<Value> drawn;
    for (int64_t k = 0; k < std::max<int64_t>(batching.size, 1); k++) {
      const auto at = [&](const Value& x) {
        ViewAttributes view{
            .axes = {{.offset = k, .dilation = 1, .terms = {}}}, .fill = 0, .shape = {}};
        return MakeNode(kViewOp, {x}, std::move(view), node.line);
      };
      Batching one = batching;
      one.size = std::min<int64_t>(batching.size, 1);
      drawn.push_back(Repeated(one, draw(at(keys[0]), at(keys[1])), node.line));
    }
    return drawn.size() == 1 ? drawn[0]
                             : MakeNode(kConcatOp, drawn, ConcatAttributes{0}, node.line);
  }
  Tape body;
  const std::shared_ptr<TapeState>& state = body.state();
  state->AddInput("trip", {kInt64, {}}, node.line);
  std::vector<Value> inner;
  for (const char* name : {"key", "stream"}) {
    inner.push_back(Value(state, state->AddInput(name, {kInt64, {}}, node.line)));
  }
  const Value drawn = draw(inner[0], inner[1]);
  const Value trips = batching.tape.Constant(Array(batching.size));
  // `rows` means in the body what it means here.
  const Graph graph = Extract(state->nodes(), state->inputs(), {drawn.id()});
  LoopAttributes loop{.body = std::make_shared<const Graph>(graph), .scanned = 2, .stacked = 1};
  loop.length = batching.size;
  loop.whole = true;
  const Value made = MakeNode(kLoopOp, {trips, keys[0], keys[1]}, std::move(loop), node.line);
  return made.ok() ? LoopParts(made)[0] : made;
}

// The gradient is that of all instances, which have one for each of the inputs. Integers that are
// the same for all instances stay so: the gradient may need them for numbers of trips or rows.
// Which instances run is one more input, as the gradient's indices must not be looked at in the
// others.
absl::StatusOr<Value> BatchCustom(const Batching& batching, const Node& node,
                                  absl::Span<const Lanes> operands) {
  const Graph& single = *node.As<CustomAttributes>().gradient;
  const size_t count = operands.size() - 1;
  Tape tape;
  Batching inner{.tape = tape, .size = batching.size};
  const auto add = [&](const std::string& name, Type type, bool batched) -> Lanes {
    if (batched) type.shape.insert(type.shape.begin(), batching.size);
    return {Value(tape.state(), tape.state()->AddInput(name, std::move(type), node.line)), batched};
  };
  std::vector<Lanes> inputs;
  std::vector<bool> batched;
  std::vector<Value> values = {WithInstanceAxis(batching, operands[0], node.line)};
  for (size_t i = 0; i < single.inputs().size(); i++) {
    if (i == count && batching.active.tape() != nullptr) {
      inner.active = add(FreshName(single, "batch/active"), {kBool, {}}, true).value;
    }
    const Type& type = single.input_type(i);
    batched.push_back(i >= count || operands[1 + i].batched || IsFloat(type.dtype));
    inputs.push_back(add(single.input_name(i), type, batched[i]));
    if (i >= count) continue;
    values.push_back(batched[i] ? WithInstanceAxis(batching, operands[1 + i], node.line)
                                : operands[1 + i].value);
  }
  std::map<NodeId, LoopSpread> loops;
  DependsOnInstance(single, batched, loops);
  const absl::StatusOr<std::vector<Lanes>> made = BatchNodes(inner, single, inputs, loops);
  if (!made.ok()) return made.status();
  std::vector<Value> results;
  for (size_t i = 0; i < count; i++) {
    // Nobody asks for the gradient of an integer.
    results.push_back(batched[i] ? WithInstanceAxis(inner, (*made)[i], node.line)
                                 : inputs[i].value);
  }
  if (batching.active.tape() != nullptr) {
    values.push_back(batching.active);
    results.push_back(inner.active);
  }
  absl::StatusOr<Graph> gradient = tape.Finish(results);
  if (!gradient.ok()) return gradient.status();
  return MakeNode(*node.op, values,
                  CustomAttributes{std::make_shared<const Graph>(*std::move(gradient))}, node.line);
}

// The node as it is, with operands that are the same for all instances.
Value Copied(const Batching& batching, const Node& node, absl::Span<const Lanes> operands) {
  Node copy = node;
  for (size_t i = 0; i < operands.size(); i++) {
    if (!operands[i].value.ok()) return operands[i].value;
    copy.operands[i] = operands[i].value.id();
  }
  return Value(batching.tape.state(), batching.tape.state()->Append(std::move(copy)));
}

}  // namespace

std::string FreshName(const Graph& graph, std::string name) {
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    if (graph.input_name(i) != name) continue;
    name += "+";
    i = static_cast<size_t>(-1);
  }
  return name;
}

Value MoveAxis(const Value& x, int64_t from, int64_t to, const SourceLine& line) {
  if (from == to || !x.ok()) return x;
  std::vector<int64_t> order;
  for (int64_t axis = 0; axis < x.rank(); axis++) {
    if (axis != from) order.push_back(axis);
  }
  order.insert(order.begin() + to, from);
  ViewAttributes view;
  view.axes.resize(order.size());
  for (size_t k = 0; k < order.size(); k++) {
    view.shape.push_back(x.dim(order[k]));
    view.axes[static_cast<size_t>(order[k])].terms = {{static_cast<int64_t>(k), 1}};
  }
  return MakeNode(kViewOp, {x}, std::move(view), line);
}

Value WithInstanceAxis(const Batching& batching, const Lanes& lanes, const SourceLine& line) {
  return lanes.batched ? lanes.value : Repeated(batching, lanes.value, line);
}

absl::Status BatchError(const Node& node, absl::Span<const Lanes> operands,
                        absl::string_view detail) {
  const auto type = [&](size_t i) { return ToString(operands[i].value.type()); };
  const std::string line = ToString(node.line);
  return absl::InvalidArgumentError(absl::StrCat(
      "batch: ", node.op->name, operands.empty() ? "" : ": ", JoinTypes(operands.size(), type),
      ": ", detail, line.empty() ? "" : " (", line, line.empty() ? "" : ")"));
}

absl::StatusOr<Lanes> BatchNode(const Batching& batching, const Node& node,
                                absl::Span<const Lanes> operands) {
  bool batched = false;
  for (const Lanes& operand : operands) batched |= operand.batched;
  if (!batched) return Lanes{Copied(batching, node, operands), false};
  for (const Lanes& operand : operands) {
    if (!operand.value.ok()) return Lanes{operand.value, true};
  }
  const auto result = [](Value value) { return Lanes{std::move(value), true}; };
  switch (node.kind()) {
    case Kind::kMap:
      return result(
          MakeNode(*node.op, SpreadAll(batching, operands, node.line), node.attributes, node.line));
    case Kind::kView:
      return result(BatchView(node, operands[0].value));
    case Kind::kReshape: {
      ShapeAttributes a = node.As<ShapeAttributes>();
      a.shape.insert(a.shape.begin(), batching.size);
      return result(MakeNode(*node.op, {operands[0].value}, std::move(a), node.line));
    }
    case Kind::kConcat:
      return result(MakeNode(*node.op, SpreadAll(batching, operands, node.line),
                             ConcatAttributes{node.As<ConcatAttributes>().axis + 1}, node.line));
    case Kind::kReduce: {
      ReduceAttributes a = node.As<ReduceAttributes>();
      a.axes = Behind(std::move(a.axes));
      return result(MakeNode(*node.op, {operands[0].value}, std::move(a), node.line));
    }
    case Kind::kGather:
      return result(BatchGather<GatherAttributes>(batching, node, operands));
    case Kind::kScatterAdd:
      return result(BatchGather<ScatterAddAttributes>(batching, node, operands));
    case Kind::kContract:
      return result(BatchContract(batching, node, operands));
    case Kind::kRandom:
      return result(BatchRandom(batching, node, operands));
    case Kind::kCustom: {
      absl::StatusOr<Value> made = BatchCustom(batching, node, operands);
      if (!made.ok()) return made.status();
      return result(*std::move(made));
    }
    case Kind::kInput:
    case Kind::kConstant:
    case Kind::kIota:
    case Kind::kSize:
    case Kind::kLoop:
    case Kind::kPart:
      break;
  }
  return absl::InternalError(absl::StrCat("batch: no rule for ", node.op->name));
}

}  // namespace talweg
