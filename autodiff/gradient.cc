#include "autodiff/gradient.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "autodiff/transpose.h"
#include "graph/flow.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/view.h"

namespace talweg {
namespace {

// Whether a derivative flows between a node and those operands that are marked.
bool CarriesOn(const Node& node, const std::vector<bool>& marked) {
  if (!HasDerivative(node)) return false;
  for (size_t k = 0; k < node.operands.size(); k++) {
    if (marked[static_cast<size_t>(node.operands[k])] && DerivativeFlows(node, k)) return true;
  }
  return false;
}

// Which nodes, of those up to `last`, are among xs or depend on one of them.
std::vector<bool> DependOn(const TapeState& tape, const std::vector<Value>& xs, NodeId last) {
  std::vector<bool> depends(static_cast<size_t>(last) + 1, false);
  for (const Value& x : xs) {
    if (x.id() <= last) depends[static_cast<size_t>(x.id())] = true;
  }
  for (size_t i = 0; i < depends.size(); i++) {
    depends[i] = depends[i] || CarriesOn(tape.nodes()[i], depends);
  }
  return depends;
}

// The captures of a tape that depend on others of them, which are among xs, by what is computed
// around it: as places in its list.
std::vector<size_t> DependentCaptures(const TapeState& tape, const std::vector<Value>& xs) {
  const auto& [outer, inputs] = tape.captures();
  const auto is_x = [&](NodeId id) {
    return absl::c_any_of(xs, [&](const Value& x) { return x.id() == id; });
  };
  std::vector<Value> outer_xs;
  for (size_t k = 0; k < inputs.size(); k++) {
    if (is_x(inputs[k])) outer_xs.push_back(outer[k]);
  }
  if (outer_xs.empty()) return {};
  const TapeState& around = *tape.parent();
  std::vector<bool> given(around.nodes().size(), false);  // by what is further out
  for (size_t k : DependentCaptures(around, outer_xs)) {
    const auto& [further, captured] = around.captures();
    given[static_cast<size_t>(captured[k])] = true;
    outer_xs.push_back(Value(further[k].tape(), captured[k]));
  }
  const std::vector<bool> depends =
      DependOn(around, outer_xs, static_cast<NodeId>(around.nodes().size()) - 1);
  std::vector<size_t> dependent;
  for (size_t k = 0; k < inputs.size(); k++) {
    const auto id = static_cast<size_t>(outer[k].id());
    const bool by_operands = CarriesOn(around.nodes()[id], depends);
    if (given[id] || (is_x(inputs[k]) ? by_operands : depends[id])) dependent.push_back(k);
  }
  return dependent;
}

void AddTo(Value& sum, const Value& term) { sum = sum.tape() == nullptr ? term : sum + term; }

}  // namespace

std::vector<Value> PullBack(const std::vector<Value>& ys, const std::vector<Value>& dys,
                            const std::vector<Value>& xs) {
  std::vector<Value> results(xs.size());
  // A failed value is at no place of the tape: memory may not have sufficed for a body's constant.
  for (const std::vector<Value>* values : {&ys, &xs}) {
    for (const Value& v : *values) {
      if (v.tape() != nullptr && !v.ok()) return std::vector<Value>(xs.size(), v);
    }
  }
  NodeId last = -1;
  for (size_t i = 0; i < ys.size(); i++) {
    if (dys[i].tape() != nullptr) last = std::max(last, ys[i].id());
  }
  if (last < 0) return results;
  const std::shared_ptr<TapeState> tape = ys[0].tape();
  const std::vector<bool> depends = DependOn(*tape, xs, last);
  std::vector<Value> adjoints(static_cast<size_t>(last) + 1);
  absl::flat_hash_map<NodeId, std::vector<Value>> loop_adjoints;
  for (size_t i = 0; i < ys.size(); i++) {
    if (dys[i].tape() != nullptr) AddTo(adjoints[static_cast<size_t>(ys[i].id())], dys[i]);
  }
  // The tape is in an order in which operands come first, so when a node's turn comes backwards,
  // all that uses it has been visited.
  for (NodeId id = last; id >= 0; id--) {
    const auto i = static_cast<size_t>(id);
    if (!depends[i]) continue;
    const Node node = tape->nodes()[i];  // a copy: the rules append to the tape
    const bool is_loop = node.kind() == Kind::kLoop;
    if (is_loop ? !loop_adjoints.contains(id) : adjoints[i].tape() == nullptr) continue;
    // The rules look at shapes, which a failed value does not have.
    if (!is_loop && !adjoints[i].ok()) return std::vector<Value>(xs.size(), adjoints[i]);
    const UserLine line(Value(tape, id), node.line);
    if (node.kind() == Kind::kPart) {
      std::vector<Value>& parts = loop_adjoints[node.operands[0]];
      parts.resize(tape->nodes()[static_cast<size_t>(node.operands[0])].types.size());
      parts[static_cast<size_t>(node.As<PartAttributes>().index)] = adjoints[i];
      continue;
    }
    NodeView view{.node = node, .self = Value(tape, id), .operands = {}, .wanted = {}};
    for (NodeId operand : node.operands) {
      view.operands.push_back(Value(tape, operand));
      view.wanted.push_back(depends[static_cast<size_t>(operand)] &&
                            IsFloat(view.operands.back().dtype()));
    }
    const Gradients gradients =
        is_loop ? TransposeLoop(view, loop_adjoints[id]) : TransposeNode(view, adjoints[i]);
    for (size_t k = 0; k < gradients.size(); k++) {
      if (!view.wanted[k] || gradients[k].tape() == nullptr) continue;
      AddTo(adjoints[static_cast<size_t>(node.operands[k])], gradients[k]);
    }
  }
  for (size_t i = 0; i < xs.size(); i++) {
    if (xs[i].id() <= last) results[i] = adjoints[static_cast<size_t>(xs[i].id())];
  }
  return results;
}

std::string MissedPath(const std::vector<Value>& ys, const std::vector<Value>& xs) {
  const std::shared_ptr<TapeState> tape = ys[0].tape();
  NodeId last = -1;
  for (const Value& y : ys) last = std::max(last, y.id());
  for (size_t k : DependentCaptures(*tape, xs)) {
    const TapeState::Captures& captures = tape->captures();
    const std::vector<bool> depends = DependOn(*tape, {Value(tape, captures.inputs[k])}, last);
    const auto is_reached = [&](const Value& y) { return depends[static_cast<size_t>(y.id())]; };
    if (absl::c_none_of(ys, is_reached)) continue;
    Value computed = captures.outer[k];
    while (const auto outer = computed.tape()->OuterOf(computed.id())) computed = *outer;
    const Node& node = computed.node();
    const std::string line = ToString(node.line);
    return absl::StrCat("y depends on x by way of ", node.op->name, line.empty() ? "" : " at ",
                        line,
                        ", too, which is computed outside of the loop's body and a constant in it; "
                        "compute it in the body, or Detach it");
  }
  return "";
}

std::vector<Value> VectorJacobianProduct(const std::vector<Value>& ys,
                                         const std::vector<Value>& dys,
                                         const std::vector<Value>& xs, std::source_location where) {
  const SourceLine line = LineOf(where);
  const auto fail = [&](const Value& at, std::string_view detail) {
    return std::vector<Value>(xs.size(), Fail("gradient", {at}, detail, line));
  };
  if (ys.empty() || ys.size() != dys.size()) {
    return fail(ys.empty() ? Value() : ys[0], "not one dy for each y");
  }
  const std::shared_ptr<TapeState> tape = ys[0].tape();
  for (size_t i = 0; i < ys.size(); i++) {
    if (ys[i].tape() == nullptr) return fail(ys[0], "y is a value of no tape");
    if (dys[i].tape() == nullptr) return fail(ys[0], "dy is a value of no tape");
    // Before anything else: an error of another tape is not one of this tape.
    if (ys[i].tape() != tape || dys[i].tape() != tape) {
      return fail(ys[0], "values of two tapes do not mix");
    }
    if (!ys[i].ok() || !dys[i].ok()) return std::vector<Value>(xs.size(), Value(tape, -1));
    if (!IsFloat(ys[i].dtype())) return fail(ys[i], "only floats have a gradient; use Cast");
    if (dys[i].type() != ys[i].type()) return fail(dys[i], "dy has not the type of y");
  }
  // Inside of a loop's body, a value from outside is reached through its capture.
  std::vector<Value> inner;
  for (const Value& x : xs) {
    if (!x.ok()) {
      return x.tape() == nullptr ? fail(ys[0], "x is a value of no tape")
                                 : std::vector<Value>(xs.size(), x);
    }
    if (!tape->IsWithin(x.tape().get())) return fail(x, "values of two tapes do not mix");
    if (!IsFloat(x.dtype())) return fail(x, "only floats have a gradient; use Cast");
    const NodeId id = tape->Capture(x, line);
    if (id < 0) return std::vector<Value>(xs.size(), Value(tape, -1));
    inner.push_back(Value(tape, id));
  }
  if (const std::string missed = MissedPath(ys, inner); !missed.empty()) {
    return fail(ys[0], missed);
  }
  std::vector<Value> gradients = PullBack(ys, dys, inner);
  for (size_t i = 0; i < gradients.size(); i++) {
    if (gradients[i].tape() == nullptr) gradients[i] = ZerosLike(inner[i]);
  }
  return gradients;
}

std::vector<Value> Gradient(const Value& y, const std::vector<Value>& xs,
                            std::source_location where) {
  const SourceLine line = LineOf(where);
  if (y.ok() && y.rank() != 0) {
    return std::vector<Value>(
        xs.size(), Fail("gradient", {y}, "a gradient is that of a scalar; Sum makes one", line));
  }
  if (!y.ok()) {
    return std::vector<Value>(xs.size(), Fail("gradient", {y}, "y is a failed value", line));
  }
  if (!IsFloat(y.dtype())) {
    return std::vector<Value>(xs.size(),
                              Fail("gradient", {y}, "only floats have a gradient; use Cast", line));
  }
  return VectorJacobianProduct({y}, {Scalar(y, y.dtype(), 1)}, xs, where);
}

Value Gradient(const Value& y, const Value& x, std::source_location where) {
  return Gradient(y, std::vector<Value>{x}, where)[0];
}

}  // namespace talweg
