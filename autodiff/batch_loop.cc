#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/batch_rules.h"
#include "graph/loop_places.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {
namespace {

// Whether the body hands a carried value on as it is.
bool Stays(const LoopAttributes& a, const LoopPlaces& at, size_t k) {
  return a.body->outputs()[k] == a.body->inputs()[1 + at.captures + k];
}

// A fixpoint: a carried value depends on the instance if its start does, or if in some trip what
// depends on the instance flows into it. Where the end does, all of them do that change.
void SpreadLoop(const Node& node, const std::vector<bool>& operands, LoopSpread& loop) {
  const auto& a = node.As<LoopAttributes>();
  const LoopPlaces at(a);
  const Graph& body = *a.body;
  loop.carried.resize(at.carried);
  loop.masked = loop.masked || operands[0];
  std::vector<bool> outputs;
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<bool> inputs = {false};
    for (size_t i = 0; i < at.inputs(); i++) {
      inputs.push_back(operands[at.first + i] ||
                       (at.is_carried(i) && loop.carried[i - at.captures]));
    }
    const std::vector<bool> depends = DependsOnInstance(body, inputs, loop.inner);
    outputs.clear();
    for (NodeId id : body.outputs()) outputs.push_back(depends[static_cast<size_t>(id)]);
    if (a.stops && outputs.back() && !loop.masked) loop.masked = changed = true;
    for (size_t k = 0; k < at.carried; k++) {
      const bool on =
          operands[at.first + at.captures + k] || outputs[k] || (loop.masked && !Stays(a, at, k));
      if (on && !loop.carried[k]) loop.carried[k] = changed = true;
    }
  }
  loop.parts = loop.carried;
  for (size_t k = 0; k < at.stacked; k++) {
    loop.parts.push_back(loop.masked || outputs[at.carried + k]);
  }
  loop.parts.push_back(loop.masked);
}

// [size] -> [size, 1.., ] spread to the shape of x, [size, ...].
Value Along(const Value& mask, const Value& x, const SourceLine& line) {
  ViewAttributes view{
      .axes = {{.offset = 0, .dilation = 1, .terms = {{0, 1}}}}, .fill = 0, .shape = x.shape()};
  return MakeNode(kViewOp, {mask}, std::move(view), line);
}

Value Choose(const Value& mask, const Value& a, const Value& b, const SourceLine& line) {
  if (!mask.ok() || !a.ok() || !b.ok()) return a.ok() ? (b.ok() ? mask : b) : a;
  return MakeNode(kSelectOp, {Along(mask, a, line), a, b}, Attributes(), line);
}

Value Zeros(const Value& x, const SourceLine& line) {
  if (!x.ok()) return x;
  ViewAttributes view{.axes = {}, .fill = 0, .shape = x.shape()};
  return MakeNode(kViewOp, {Scalar(x, x.dtype(), 0)}, std::move(view), line);
}

// A loop while it is made again.
class LoopBatcher {
 public:
  LoopBatcher(const Batching& batching, const Node& node, absl::Span<const Lanes> operands,
              const LoopSpread& spread)
      : batching_(batching),
        node_(node),
        a_(node.As<LoopAttributes>()),
        at_(a_),
        operands_(operands),
        spread_(spread),
        line_(node.line) {}

  absl::StatusOr<std::vector<Lanes>> Make();

 private:
  absl::Status MakeBody(LoopAttributes& made);
  Value AddInput(const std::string& name, Type type) {
    const NodeId id = body_.tape.state()->AddInput(name, std::move(type), line_);
    return Value(body_.tape.state(), id);
  }
  Type WithInstances(Type type) const {
    type.shape.insert(type.shape.begin(), batching_.size);
    return type;
  }
  bool own_trips() const { return operands_[0].batched; }
  bool own_stop() const { return a_.stops && spread_.masked; }

  const Batching& batching_;
  const Node& node_;
  const LoopAttributes& a_;
  const LoopPlaces at_;
  const absl::Span<const Lanes> operands_;
  const LoopSpread& spread_;
  const SourceLine& line_;
  Batching body_;  // of the body that is made
};

// With a the instances that run this trip, and (s, y, stop) = body(t, c, s, x) for all of them:
//     s := select(a, s', s),  y[t] := select(a, y, 0),  count := count + a,
//     running := running and not (a and stop),  a = running and t < trips.
// The loop ends when no instance runs any more.
absl::Status LoopBatcher::MakeBody(LoopAttributes& made) {
  const Graph& old = *a_.body;
  body_ = {.tape = Tape(), .size = batching_.size, .active = {}};
  std::vector<Lanes> inputs = {{AddInput(old.input_name(0), {kInt64, {}}), false}};
  const auto add = [&](size_t i) {
    const bool batched =
        at_.is_carried(i) ? spread_.carried[i - at_.captures] : operands_[at_.first + i].batched;
    Type type = old.input_type(1 + i);
    if (batched) type = WithInstances(std::move(type));
    inputs.push_back({AddInput(old.input_name(1 + i), std::move(type)), batched});
  };
  const Type flags = WithInstances({kBool, {}}), counts = WithInstances({kInt64, {}});
  for (size_t i = 0; i < at_.captures; i++) add(i);
  Value trips, running, count;
  const bool waits = !spread_.masked && batching_.active.tape() != nullptr;
  if (own_trips()) trips = AddInput(FreshName(old, "batch/trips"), counts);
  if (waits) body_.active = AddInput(FreshName(old, "batch/active"), flags);
  made.captures += own_trips() + waits;
  for (size_t i = at_.captures; i < at_.captures + at_.carried; i++) add(i);
  if (own_stop()) running = AddInput(FreshName(old, "batch/running"), flags);
  if (spread_.masked) count = AddInput(FreshName(old, "batch/count"), counts);
  made.carried += own_stop() + spread_.masked;
  for (size_t i = at_.captures + at_.carried; i < at_.inputs(); i++) add(i);

  const Value& trip = inputs[0].value;
  const auto left = [&](const Value& t) { return Less(t, trips); };
  if (spread_.masked) {
    if (own_trips()) body_.active = left(trip);
    if (own_stop()) body_.active = own_trips() ? And(running, body_.active) : running;
  }
  const absl::StatusOr<std::vector<Lanes>> results = BatchNodes(body_, old, inputs, spread_.inner);
  if (!results.ok()) return results.status();
  std::vector<Value> outputs;
  for (size_t k = 0; k < at_.carried + at_.stacked; k++) {
    const Lanes& result = (*results)[k];
    if (!spread_.parts[k]) {
      outputs.push_back(result.value);
      continue;
    }
    Value next = WithInstanceAxis(body_, result, line_);
    const bool is_carried = k < at_.carried;
    if (spread_.masked && !(is_carried && Stays(a_, at_, k))) {
      next = Choose(body_.active, next,
                    is_carried ? inputs[1 + at_.captures + k].value : Zeros(next, line_), line_);
    }
    outputs.push_back(next);
  }
  if (spread_.masked) {
    const auto middle = outputs.begin() + static_cast<std::ptrdiff_t>(at_.carried);
    std::vector<Value> more;
    Value going;
    if (own_stop()) {
      const Value stop = WithInstanceAxis(body_, results->back(), line_);
      going = And(running, Not(And(body_.active, stop)));
      more.push_back(going);
    }
    more.push_back(count + Cast(body_.active, kInt64));
    outputs.insert(middle, more.begin(), more.end());
    if (own_stop()) {
      // Reversed, an instance with few trips has them last.
      const bool ends = own_trips() && !a_.reversed;
      outputs.push_back(Not(Any(ends ? And(going, left(trip + 1)) : going)));
    }
  } else if (a_.stops) {
    outputs.push_back(results->back().value);
  }
  absl::StatusOr<Graph> graph = body_.tape.Finish(outputs);
  if (!graph.ok()) return graph.status();
  made.body = std::make_shared<const Graph>(*std::move(graph));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Lanes>> LoopBatcher::Make() {
  if (a_.binds_rows && operands_[1].batched) {
    return BatchError(node_, operands_, "the instances have different numbers of rows");
  }
  for (const Lanes& operand : operands_) {
    if (!operand.value.ok()) {
      return std::vector<Lanes>(node_.types.size(), Lanes{operand.value, true});
    }
  }
  const UserLine user_line(operands_[0].value, line_);
  LoopAttributes made = a_;
  if (absl::Status s = MakeBody(made); !s.ok()) return s;

  // max over the instances of their trips; those that wait outside have none.
  Value trips = operands_[0].value, own = trips;
  if (own_trips()) {
    if (batching_.active.tape() != nullptr) own = Select(batching_.active, own, 0);
    trips = Max(ReduceMax(own), 0);
  }
  std::vector<Value> values = {trips};
  if (a_.binds_rows) values.push_back(operands_[1].value);
  const auto add = [&](size_t i) {
    const Lanes& operand = operands_[at_.first + i];
    const bool batched = at_.is_carried(i) ? spread_.carried[i - at_.captures] : operand.batched;
    Value value = batched ? WithInstanceAxis(batching_, operand, line_) : operand.value;
    // Slices are cut along the first axis.
    if (batched && at_.is_scanned(i)) value = MoveAxis(value, 0, 1, line_);
    values.push_back(std::move(value));
  };
  const auto constant = [&](const Array& array) {
    return WithInstanceAxis(batching_, {batching_.tape.Constant(array), false}, line_);
  };
  for (size_t i = 0; i < at_.captures; i++) add(i);
  if (own_trips()) values.push_back(own);
  if (!spread_.masked && batching_.active.tape() != nullptr) values.push_back(batching_.active);
  for (size_t i = at_.captures; i < at_.captures + at_.carried; i++) add(i);
  if (own_stop()) {
    values.push_back(batching_.active.tape() != nullptr ? batching_.active : constant(Array(true)));
  }
  if (spread_.masked) values.push_back(constant(Array(int64_t{0})));
  for (size_t i = at_.captures + at_.carried; i < at_.inputs(); i++) add(i);

  const Value loop = MakeNode(*node_.op, values, std::move(made), line_);
  if (!loop.ok()) return std::vector<Lanes>(node_.types.size(), Lanes{loop, true});
  const std::vector<Value> all = LoopParts(loop);
  std::vector<Lanes> parts;
  const size_t more = static_cast<size_t>(own_stop()) + static_cast<size_t>(spread_.masked);
  for (size_t k = 0; k < at_.carried + at_.stacked; k++) {
    const bool is_stacked = k >= at_.carried, batched = spread_.parts[k];
    Value value = all[is_stacked ? k + more : k];
    if (is_stacked && batched) value = MoveAxis(value, 1, 0, line_);
    parts.push_back({std::move(value), batched});
  }
  // The number of trips run: of each instance, where they differ.
  parts.push_back({spread_.masked ? all[at_.carried + more - 1] : all.back(), spread_.masked});
  return parts;
}

// `trips` has one value in a graph. Where instances have numbers of their own, it is the greatest,
// and nothing but outputs may have that extent.
absl::Status CheckTrips(const Graph& graph, const Node& loop, absl::Span<const Lanes> operands) {
  if (!HasLengthOfTrips(loop) || !operands[0].batched) return absl::OkStatus();
  for (const Node& node : graph.nodes()) {
    // The loop itself, and what it stacks, may have it.
    const bool is_part = node.kind() == Kind::kPart;
    bool uses = !is_part && node.kind() != Kind::kLoop && UsesTrips(node);
    for (NodeId id : node.operands) uses = uses || (!is_part && UsesTrips(graph.node(id)));
    if (!uses) continue;
    return BatchError(loop, operands,
                      absl::StrCat("the instances have different numbers of trips, and ",
                                   node.op->name, " takes that number for an extent"));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<bool> DependsOnInstance(const Graph& graph, const std::vector<bool>& inputs,
                                    std::map<NodeId, LoopSpread>& loops) {
  std::vector<bool> depends(graph.nodes().size(), false);
  for (size_t i = 0; i < inputs.size(); i++) {
    depends[static_cast<size_t>(graph.inputs()[i])] = inputs[i];
  }
  for (size_t i = 0; i < depends.size(); i++) {
    const Node& node = graph.nodes()[i];
    if (node.kind() == Kind::kInput) continue;
    if (node.kind() == Kind::kPart) {
      depends[i] =
          loops.at(node.operands[0]).parts[static_cast<size_t>(node.As<PartAttributes>().index)];
      continue;
    }
    std::vector<bool> operands;
    for (NodeId id : node.operands) operands.push_back(depends[static_cast<size_t>(id)]);
    if (node.kind() == Kind::kLoop) {
      SpreadLoop(node, operands, loops[static_cast<NodeId>(i)]);
      continue;
    }
    depends[i] = std::find(operands.begin(), operands.end(), true) != operands.end();
  }
  return depends;
}

absl::StatusOr<std::vector<Lanes>> BatchLoop(const Batching& batching, const Node& node,
                                             absl::Span<const Lanes> operands,
                                             const LoopSpread& spread) {
  return LoopBatcher(batching, node, operands, spread).Make();
}

absl::StatusOr<std::vector<Lanes>> BatchNodes(const Batching& batching, const Graph& graph,
                                              absl::Span<const Lanes> inputs,
                                              const std::map<NodeId, LoopSpread>& loops) {
  std::vector<Lanes> values(graph.nodes().size());
  std::map<NodeId, std::vector<Lanes>> parts;
  for (size_t i = 0; i < inputs.size(); i++) {
    values[static_cast<size_t>(graph.inputs()[i])] = inputs[i];
  }
  for (size_t i = 0; i < values.size(); i++) {
    const Node& node = graph.nodes()[i];
    if (node.kind() == Kind::kInput) continue;
    if (node.kind() == Kind::kPart) {
      values[i] = parts.at(node.operands[0])[static_cast<size_t>(node.As<PartAttributes>().index)];
      continue;
    }
    std::vector<Lanes> operands;
    for (NodeId id : node.operands) operands.push_back(values[static_cast<size_t>(id)]);
    if (node.kind() == Kind::kLoop) {
      const auto id = static_cast<NodeId>(i);
      if (absl::Status s = CheckTrips(graph, node, operands); !s.ok()) return s;
      absl::StatusOr<std::vector<Lanes>> made = BatchLoop(batching, node, operands, loops.at(id));
      if (!made.ok()) return made.status();
      parts[id] = *std::move(made);
      continue;
    }
    absl::StatusOr<Lanes> made = BatchNode(batching, node, operands);
    if (!made.ok()) return made.status();
    values[i] = *std::move(made);
  }
  std::vector<Lanes> outputs;
  for (NodeId id : graph.outputs()) outputs.push_back(values[static_cast<size_t>(id)]);
  return outputs;
}

}  // namespace talweg
