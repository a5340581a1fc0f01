#include "autodiff/tangent.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "autodiff/transpose.h"
#include "graph/flow.h"
#include "graph/loop_places.h"
#include "graph/tape.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {
namespace {

bool Has(const Value& v) { return v.tape() != nullptr; }
void AddTo(Value& sum, const Value& term) { sum = Has(sum) ? sum + term : term; }

// dy = sum over k of (dy/dx_k) dx_k. The partials of a record take a dy and give it times the
// derivative, element by element, so they do for dx what they do for dy.
Value PushMap(const NodeView& view, const std::vector<Value>& tangents) {
  const MapRule& rule = *view.node.op->map;
  Value sum;
  for (size_t k = 0; k < tangents.size(); k++) {
    if (!Has(tangents[k]) || rule.partials[k] == nullptr) continue;
    const Value &y = view.self, &dx = tangents[k];
    if (dx.dtype() == y.dtype()) {
      AddTo(sum, rule.partials[k](view.operands.data(), y, dx));
      continue;
    }
    // A change of element type: dy has the result's, and the partial gives the operand's.
    const Value one = BroadcastTo(Scalar(y, y.dtype(), 1), y.shape());
    AddTo(sum, Cast(rule.partials[k](view.operands.data(), y, one) * dx, y.dtype()));
  }
  return sum;
}

// y = f over the reduced axes of x, so dy = sum over them of (dy/dx) dx; (dy/dx) dx is what the
// record's partial makes of dx, as it is linear in dy, element by element.
Value PushReduce(const NodeView& view, const Value& dx) {
  const ReduceRule& rule = *view.node.op->reduce;
  const std::vector<int64_t>& axes = view.node.As<ReduceAttributes>().axes;
  if (rule.partial == nullptr || !Has(dx)) return Value();
  const Value& x = view.operands[0];
  const Value y = Spread(view.self, x.shape(), axes, view.node.line);
  return Reduce(kSumOp, rule.partial(x, y, dx, axes), axes, view.node.line);
}

Value PushConcat(const NodeView& view, const std::vector<Value>& tangents) {
  std::vector<Value> parts;
  for (size_t k = 0; k < tangents.size(); k++) {
    parts.push_back(Has(tangents[k]) ? tangents[k] : ZerosLike(view.operands[k]));
  }
  return Concat(parts, view.node.As<ConcatAttributes>().axis);
}

// d(a b) = da b + a db
Value PushContract(const NodeView& view, const std::vector<Value>& tangents) {
  const auto& a = view.node.As<ContractAttributes>();
  const ContractAxes axes{a.lhs_batch, a.rhs_batch, a.lhs_sum, a.rhs_sum};
  Value sum;
  if (Has(tangents[0])) AddTo(sum, Contract(tangents[0], view.operands[1], axes));
  if (Has(tangents[1])) AddTo(sum, Contract(view.operands[0], tangents[1], axes));
  return sum;
}

// What went wrong while a graph of its own was built, told to the tape of `at`.
Value Report(const Value& at, const absl::Status& status) {
  at.tape()->SetError(status);
  return Value(at.tape(), -1);
}

// The user's gradient is dx = J^T dy. Of it, as a function of dy, the vector-Jacobian product with
// the tangents of x is dy' = J dx. It is made in a graph of its own, where dy is nothing but
// itself.
Value PushCustom(const NodeView& view, const std::vector<Value>& tangents) {
  const Graph& gradient = *view.node.As<CustomAttributes>().gradient;
  Tape tape;
  std::vector<Value> inner, arguments(view.operands.begin() + 1, view.operands.end());
  arguments.insert(arguments.end(), {view.self, ZerosLike(view.self)});
  for (size_t i = 0; i < gradient.inputs().size(); i++) {
    const Type& type = gradient.input_type(i);
    inner.push_back(tape.Input(absl::StrCat("x", i), type.dtype, type.shape));
  }
  const std::vector<Value> dxs = Inline(gradient, inner, inner.back());
  std::vector<Value> directions(dxs.size());
  for (size_t k = 0; k < dxs.size(); k++) {
    const Value& tangent = tangents[k + 1];
    if (!Has(tangent)) continue;
    directions[k] = tape.Input(absl::StrCat("dx", k), tangent.dtype(), dxs[k].shape());
    arguments.push_back(tangent);
  }
  const Value dy = PullBack(dxs, directions, {inner.back()})[0];
  if (!tape.status().ok()) return Report(view.self, tape.status());
  if (!Has(dy)) return Value();
  const absl::StatusOr<Graph> graph = tape.Finish({dy});
  if (!graph.ok()) return Report(view.self, graph.status());
  return Inline(*graph, arguments, view.self)[0];
}

Value PushNode(const NodeView& view, const std::vector<Value>& tangents) {
  switch (view.node.kind()) {
    case Kind::kMap:
      return PushMap(view, tangents);
    case Kind::kView: {
      // What the view fills in does not move.
      ViewAttributes attributes = view.node.As<ViewAttributes>();
      attributes.fill = 0;
      return View(tangents[0], std::move(attributes), view.node.line);
    }
    case Kind::kReshape:
      return Reshape(tangents[0], view.self.shape());
    case Kind::kConcat:
      return PushConcat(view, tangents);
    case Kind::kReduce:
      return PushReduce(view, tangents[0]);
    case Kind::kGather: {
      const auto& [axis, batch] = view.node.As<GatherAttributes>();
      return Gather(tangents[0], view.operands[1], axis, batch);
    }
    case Kind::kScatterAdd: {
      const auto& [axis, batch, size] = view.node.As<ScatterAddAttributes>();
      return ScatterAdd(tangents[0], view.operands[1], size, axis, batch);
    }
    case Kind::kContract:
      return PushContract(view, tangents);
    case Kind::kCustom:
      return PushCustom(view, tangents);
    case Kind::kInput:
    case Kind::kConstant:
    case Kind::kIota:
    case Kind::kSize:
    case Kind::kRandom:
    case Kind::kLoop:
    case Kind::kPart:
      break;
  }
  return Value();
}

// With s the carried values, c the captures, x the scanned slices, the loop computes in trip t
//     s[t+1], y[t] = body(t, c, s[t], x[t]).
// The loop made here carries ds beside s:
//     ds[t+1], dy[t] = tangent of body at (t, c, s[t], x[t]) along (dc, ds[t], dx[t]).
// Gives the tangents of the parts.
std::vector<Value> PushLoop(const NodeView& view, const std::vector<Value>& tangents) {
  LoopAttributes a = view.node.As<LoopAttributes>();
  const Graph& body = *a.body;
  const auto [first, captures, carried, scanned, stacked] = LoopPlaces(a);
  std::vector<bool> moving;
  for (const Value& tangent : tangents) moving.push_back(Has(tangent));
  const ActiveInLoop active = FindActive(a, moving, first);

  // Inputs and operands: those of each group, then the tangents of those that have any.
  Tape tape;
  std::vector<Value> inner = {tape.Input("trip", kInt64, {})}, xs, dxs;
  std::vector<Value> operands(view.operands.begin(),
                              view.operands.begin() + static_cast<std::ptrdiff_t>(first));
  for (const std::vector<bool>* group : {&active.captures, &active.carried, &active.scanned}) {
    const size_t begin = inner.size();
    for (size_t k = 0; k < group->size(); k++) {
      const Type& type = body.input_type(begin + k);
      inner.push_back(tape.Input(absl::StrCat("x", begin + k), type.dtype, type.shape));
      operands.push_back(view.operands[first + begin - 1 + k]);
    }
    for (size_t k = 0; k < group->size(); k++) {
      if (!(*group)[k]) continue;
      const Value& x = inner[begin + k];
      const size_t operand = first + begin - 1 + k;
      xs.push_back(x);
      dxs.push_back(tape.Input(absl::StrCat("dx", begin + k), x.dtype(), x.shape()));
      operands.push_back(Has(tangents[operand]) ? tangents[operand]
                                                : ZerosLike(view.operands[operand]));
    }
  }
  std::vector<Value> ys = Inline(body, inner, inner[0]);
  const Value stop = a.stops ? ys.back() : Value();
  ys.resize(carried + stacked);
  const std::vector<Value> dys = PushForward(xs, dxs, ys);

  // Outputs, and with them where each part's tangent will be; -1 for none. What the loop stacked
  // before is there already.
  std::vector<Value> outputs(ys.begin(), ys.begin() + static_cast<std::ptrdiff_t>(carried));
  std::vector<int64_t> place(carried + stacked, -1);
  for (size_t k = 0; k < place.size(); k++) {
    if (k < carried ? !active.carried[k] : !Has(dys[k])) continue;
    place[k] = static_cast<int64_t>(outputs.size());
    outputs.push_back(Has(dys[k]) ? dys[k] : ZerosLike(ys[k]));
  }
  const auto count = [](const std::vector<bool>& mask) {
    return static_cast<int32_t>(std::count(mask.begin(), mask.end(), true));
  };
  a.captures += count(active.captures);
  a.carried += count(active.carried);
  a.scanned += count(active.scanned);
  a.stacked = static_cast<int32_t>(outputs.size()) - a.carried;
  if (a.stops) outputs.push_back(stop);

  std::vector<Value> parts(view.node.types.size());
  absl::StatusOr<Graph> graph = tape.Finish(outputs);
  if (!graph.ok()) {
    parts.assign(parts.size(), Report(view.operands[0], graph.status()));
    return parts;
  }
  a.body = std::make_shared<const Graph>(*std::move(graph));
  const Value loop = MakeNode(*view.node.op, operands, std::move(a), view.node.line);
  if (!loop.ok()) {
    parts.assign(parts.size(), loop);
    return parts;
  }
  const std::vector<Value> all = LoopParts(loop);
  for (size_t k = 0; k < place.size(); k++) {
    if (place[k] >= 0) parts[k] = all[static_cast<size_t>(place[k])];
  }
  return parts;
}

// From which nodes, of those up to the last of ys, a derivative flows to one of ys.
std::vector<bool> NeededBy(const TapeState& tape, const std::vector<Value>& ys) {
  NodeId last = -1;
  for (const Value& y : ys) last = std::max(last, y.id());
  std::vector<bool> needed(static_cast<size_t>(last) + 1, false);
  for (const Value& y : ys) {
    if (IsFloat(y.dtype())) needed[static_cast<size_t>(y.id())] = true;
  }
  for (size_t i = needed.size(); i-- > 0;) {
    if (!needed[i]) continue;
    const Node& node = tape.nodes()[i];
    for (size_t k = 0; k < node.operands.size(); k++) {
      const auto operand = static_cast<size_t>(node.operands[k]);
      if (DerivativeFlows(node, k) && HasDerivative(tape.nodes()[operand])) needed[operand] = true;
    }
  }
  return needed;
}

}  // namespace

std::vector<Value> PushForward(const std::vector<Value>& xs, const std::vector<Value>& dxs,
                               const std::vector<Value>& ys) {
  std::vector<Value> results(ys.size());
  if (xs.empty() || ys.empty()) return results;
  const std::shared_ptr<TapeState> tape = ys[0].tape();
  const std::vector<bool> needed = NeededBy(*tape, ys);
  std::vector<Value> tangents(needed.size());
  absl::flat_hash_map<NodeId, std::vector<Value>> loop_tangents;
  // What moves by itself and what else moves it add up, as what arrives at both does in reverse.
  for (size_t i = 0; i < xs.size(); i++) {
    const auto id = static_cast<size_t>(xs[i].id());
    if (id < needed.size() && needed[id]) AddTo(tangents[id], dxs[i]);
  }
  for (size_t i = 0; i < needed.size(); i++) {
    if (!needed[i]) continue;
    const auto moves = [&](NodeId operand) { return Has(tangents[static_cast<size_t>(operand)]); };
    const Node& here = tape->nodes()[i];
    const auto id = static_cast<NodeId>(i);
    if (here.kind() == Kind::kPart) {
      const auto loop = loop_tangents.find(here.operands[0]);
      if (loop == loop_tangents.end()) continue;
      const Value& tangent = loop->second[static_cast<size_t>(here.As<PartAttributes>().index)];
      if (Has(tangent)) AddTo(tangents[i], tangent);
    } else if (std::any_of(here.operands.begin(), here.operands.end(), moves)) {
      const Node node = here;  // a copy: the rules append to the tape
      NodeView view{.node = node, .self = Value(tape, id), .operands = {}, .wanted = {}};
      std::vector<Value> dxs_here;
      for (NodeId operand : node.operands) {
        view.operands.push_back(Value(tape, operand));
        dxs_here.push_back(tangents[static_cast<size_t>(operand)]);
      }
      const UserLine line(view.self, node.line);
      if (node.kind() == Kind::kLoop) {
        loop_tangents[id] = PushLoop(view, dxs_here);
      } else if (const Value tangent = PushNode(view, dxs_here); Has(tangent)) {
        AddTo(tangents[i], tangent);
      }
    }
    // The rules look at shapes, which a failed value does not have.
    if (Has(tangents[i]) && !tangents[i].ok()) return std::vector<Value>(ys.size(), tangents[i]);
  }
  for (size_t i = 0; i < ys.size(); i++) results[i] = tangents[static_cast<size_t>(ys[i].id())];
  return results;
}

std::vector<Value> JacobianVectorProduct(const std::vector<Value>& ys, const std::vector<Value>& xs,
                                         const std::vector<Value>& dxs,
                                         std::source_location where) {
  const SourceLine line = LineOf(where);
  const auto fail = [&](absl::Span<const Value> at, std::string_view detail) {
    return std::vector<Value>(ys.size(), Fail("tangent", at, detail, line));
  };
  constexpr std::string_view kTwoTapes = "values of two tapes do not mix";
  constexpr std::string_view kNoFloat = "only floats have a tangent; use Cast";
  if (ys.empty()) return {};
  if (xs.size() != dxs.size()) return fail({ys[0]}, "not one dx for each x");
  const std::shared_ptr<TapeState> tape = ys[0].tape();
  if (tape == nullptr) return fail({ys[0]}, "y is a value of no tape");
  for (const Value& y : ys) {
    if (y.tape() != tape) return fail({ys[0], y}, kTwoTapes);
    if (!y.ok()) return std::vector<Value>(ys.size(), y);
    if (!IsFloat(y.dtype())) return fail({y}, kNoFloat);
  }
  // Inside of a loop's body, values from outside are reached through their captures.
  std::vector<Value> inner_xs, inner_dxs;
  for (size_t i = 0; i < xs.size(); i++) {
    for (const Value* v : {&xs[i], &dxs[i]}) {
      if (v->tape() == nullptr) {
        return fail({ys[0]}, v == &xs[i] ? "x is a value of no tape" : "dx is a value of no tape");
      }
      if (!tape->IsWithin(v->tape().get())) return fail({ys[0], *v}, kTwoTapes);
      if (!v->ok()) return std::vector<Value>(ys.size(), Value(tape, -1));
      if (!IsFloat(v->dtype())) return fail({*v}, kNoFloat);
      const NodeId id = tape->Capture(*v, line);
      if (id < 0) return std::vector<Value>(ys.size(), Value(tape, -1));
      (v == &xs[i] ? inner_xs : inner_dxs).push_back(Value(tape, id));
    }
    if (inner_dxs.back().type() != inner_xs.back().type()) {
      return fail({inner_xs.back(), inner_dxs.back()}, "dx has not the type of x");
    }
  }
  if (const std::string missed = MissedPath(ys, inner_xs); !missed.empty()) {
    return fail({ys[0]}, missed);
  }
  std::vector<Value> tangents = PushForward(inner_xs, inner_dxs, ys);
  for (size_t i = 0; i < tangents.size(); i++) {
    if (!Has(tangents[i])) tangents[i] = ZerosLike(ys[i]);
  }
  return tangents;
}

Value Tangent(const Value& y, const std::vector<Value>& xs, const std::vector<Value>& dxs,
              std::source_location where) {
  return JacobianVectorProduct({y}, xs, dxs, where)[0];
}

Value Tangent(const Value& y, const Value& x, const Value& dx, std::source_location where) {
  return JacobianVectorProduct({y}, {x}, {dx}, where)[0];
}

std::vector<Value> HessianVectorProduct(const Value& y, const std::vector<Value>& xs,
                                        const std::vector<Value>& vs, std::source_location where) {
  if (xs.size() != vs.size()) {
    return std::vector<Value>(xs.size(),
                              Fail("hessian", {y}, "not one v for each x", LineOf(where)));
  }
  const std::vector<Value> gradients = Gradient(y, xs, where);
  for (const Value& gradient : gradients) {
    if (!gradient.ok()) return gradients;
  }
  return JacobianVectorProduct(gradients, xs, vs, where);
}

}  // namespace talweg
