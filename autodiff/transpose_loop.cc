#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "autodiff/transpose.h"
#include "graph/flow.h"
#include "graph/loop_places.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/loop.h"
#include "ops/view.h"

namespace talweg {
namespace {

// Slices of a list by their first place and number.
template <typename T>
std::vector<T> Part(const std::vector<T>& list, size_t first, size_t count) {
  const auto begin = list.begin() + static_cast<std::ptrdiff_t>(first);
  return std::vector<T>(begin, begin + static_cast<std::ptrdiff_t>(count));
}

// The same loop, which also stacks what was carried into each trip. The parts of the result are the
// carried values, the stacked ones of old, the values carried in, and the number of trips; failed
// values where these are more than can be.
std::vector<Value> StackCarried(const NodeView& view) {
  LoopAttributes a = view.node.As<LoopAttributes>();
  const Graph& body = *a.body;
  std::vector<NodeId> outputs = body.outputs();
  const auto at = outputs.begin() + a.carried + a.stacked;
  const auto carried = body.inputs().begin() + 1 + a.captures;
  outputs.insert(at, carried, carried + a.carried);
  a.body = std::make_shared<const Graph>(body.nodes(), body.inputs(), std::move(outputs));
  a.stacked += a.carried;
  const auto parts = static_cast<size_t>(a.carried + a.stacked + 1);
  const Value loop = MakeNode(*view.node.op, view.operands, std::move(a), view.node.line);
  return loop.ok() ? LoopParts(loop) : std::vector<Value>(parts, loop);
}

// The values at which a mask is true.
std::vector<Value> Chosen(const std::vector<Value>& values, const std::vector<bool>& mask) {
  std::vector<Value> chosen;
  for (size_t i = 0; i < values.size(); i++) {
    if (mask[i]) chosen.push_back(values[i]);
  }
  return chosen;
}

}  // namespace

ActiveInLoop FindActive(const LoopAttributes& a, const std::vector<bool>& wanted, size_t first) {
  const auto captures = static_cast<size_t>(a.captures), carried = static_cast<size_t>(a.carried);
  ActiveInLoop active{Part(wanted, first, captures), Part(wanted, first + captures, carried),
                      Part(wanted, first + captures + carried, static_cast<size_t>(a.scanned))};
  const Graph& body = *a.body;
  for (bool changed = true; changed;) {
    changed = false;
    std::vector<bool> reached(body.nodes().size(), false);
    for (size_t i = 0; i < active.captures.size() + carried + active.scanned.size(); i++) {
      const bool on = i < captures             ? active.captures[i]
                      : i < captures + carried ? active.carried[i - captures]
                                               : active.scanned[i - captures - carried];
      reached[static_cast<size_t>(body.inputs()[1 + i])] = on;
    }
    for (size_t i = 0; i < reached.size(); i++) {
      const Node& node = body.nodes()[i];
      if (!HasDerivative(node)) continue;
      for (size_t k = 0; k < node.operands.size(); k++) {
        if (reached[static_cast<size_t>(node.operands[k])] && DerivativeFlows(node, k)) {
          reached[i] = true;
        }
      }
    }
    for (size_t k = 0; k < carried; k++) {
      const bool float_out = IsFloat(body.output_type(k).dtype);
      if (float_out && !active.carried[k] && reached[static_cast<size_t>(body.outputs()[k])]) {
        active.carried[k] = changed = true;
      }
    }
  }
  return active;
}

namespace {

// The same without captures of what is captured before: within a trip they are one value, whose
// adjoint has all uses of it.
ActiveInLoop Once(ActiveInLoop active, const std::vector<Value>& operands, size_t first) {
  absl::flat_hash_set<NodeId> seen;
  for (size_t k = 0; k < active.captures.size(); k++) {
    if (active.captures[k]) active.captures[k] = seen.insert(operands[first + k].id()).second;
  }
  return active;
}

// With s the carried values, c the captures, x the scanned slices, the loop computes in trip t
//     s[t+1], y[t] = body(t, c, s[t], x[t]).
// Its transpose runs from the last trip to the first and carries ds and the sum of dc:
//     ds[t], dc += , dx[t] = vjp of body at (t, c, s[t], x[t]) of (ds[t+1], dy[t]).
class LoopTransposer {
 public:
  LoopTransposer(const NodeView& view, const std::vector<Value>& dparts);

  Gradients Transpose();

 private:
  LoopOptions BackwardOptions(const std::vector<Value>& forward) const;
  LoopStep BackwardStep(const LoopBody& body) const;
  Gradients GradientsOf(const LoopResult& backward) const;

  const NodeView& view_;
  const LoopAttributes& a_;
  const std::vector<Value>& dparts_;
  const LoopPlaces at_;
  const ActiveInLoop active_;
  const std::vector<Value> outer_captures_, outer_carried_, outer_scanned_;
};

LoopTransposer::LoopTransposer(const NodeView& view, const std::vector<Value>& dparts)
    : view_(view),
      a_(view.node.As<LoopAttributes>()),
      dparts_(dparts),
      at_(a_),
      active_(Once(FindActive(a_, view.wanted, at_.first), view.operands, at_.first)),
      outer_captures_(Part(view.operands, at_.first, at_.captures)),
      outer_carried_(Part(view.operands, at_.first + at_.captures, at_.carried)),
      outer_scanned_(Part(view.operands, at_.first + at_.captures + at_.carried, at_.scanned)) {}

LoopOptions LoopTransposer::BackwardOptions(const std::vector<Value>& forward) const {
  LoopOptions options{.trips = forward.back()};
  options.reversed = !a_.reversed;
  options.whole = true;
  if (a_.binds_rows) {
    options.rows = view_.operands[1];
    options.rows_limit = a_.rows_limit;
  }
  // Carried: ds of the active carried values, then dc of the active captures, from zero.
  for (size_t k = 0; k < at_.carried; k++) {
    if (!active_.carried[k]) continue;
    options.carried.push_back(dparts_[k].tape() == nullptr ? ZerosLike(outer_carried_[k])
                                                           : dparts_[k]);
  }
  for (const Value& capture : Chosen(outer_captures_, active_.captures)) {
    options.carried.push_back(ZerosLike(capture));
  }
  // Scanned: s[t], x[t], and dy[t] where any arrived.
  options.scanned = Part(forward, at_.carried + at_.stacked, at_.carried);
  options.scanned.insert(options.scanned.end(), outer_scanned_.begin(), outer_scanned_.end());
  for (size_t k = 0; k < at_.stacked; k++) {
    const Value& dy = dparts_[at_.carried + k];
    if (dy.tape() != nullptr) options.scanned.push_back(dy);
  }
  return options;
}

// Of a body that carries and scans what BackwardOptions says.
LoopStep LoopTransposer::BackwardStep(const LoopBody& body) const {
  // The trip once more, at (t, c, s[t], x[t]).
  std::vector<Value> arguments = {body.trip};
  const std::shared_ptr<TapeState>& tape = body.tape.state();
  for (const Value& capture : outer_captures_) {
    arguments.push_back(Value(tape, tape->Capture(capture, view_.node.line)));
  }
  const std::vector<Value> inner_captures = Part(arguments, 1, at_.captures);
  const std::vector<Value> inputs = Part(body.scanned, 0, at_.carried + at_.scanned);
  arguments.insert(arguments.end(), inputs.begin(), inputs.end());
  std::vector<Value> ys = Inline(*a_.body, arguments, body.trip);
  ys.resize(at_.carried + at_.stacked);

  // What arrives at its results.
  std::vector<Value> dys(ys.size());
  size_t next = 0, next_dy = at_.carried + at_.scanned;
  for (size_t k = 0; k < at_.carried; k++) {
    if (active_.carried[k]) dys[k] = body.carried[next++];
  }
  for (size_t k = 0; k < at_.stacked; k++) {
    if (dparts_[at_.carried + k].tape() != nullptr) dys[at_.carried + k] = body.scanned[next_dy++];
  }

  // What it gives back: s, c, then x.
  std::vector<Value> xs = Chosen(Part(inputs, 0, at_.carried), active_.carried);
  const std::vector<Value> cs = Chosen(inner_captures, active_.captures);
  const std::vector<Value> slices = Chosen(Part(inputs, at_.carried, at_.scanned), active_.scanned);
  const size_t states = xs.size();
  xs.insert(xs.end(), cs.begin(), cs.end());
  xs.insert(xs.end(), slices.begin(), slices.end());
  std::vector<Value> dxs = PullBack(ys, dys, xs);
  for (size_t i = 0; i < dxs.size(); i++) {
    if (dxs[i].tape() == nullptr) dxs[i] = ZerosLike(xs[i]);
  }
  LoopStep step{.carried = Part(dxs, 0, states)};
  for (size_t i = states; i < states + cs.size(); i++) {
    step.carried.push_back(body.carried[i] + dxs[i]);
  }
  step.stacked = Part(dxs, states + cs.size(), slices.size());
  return step;
}

// In the order of the loop's operands.
Gradients LoopTransposer::GradientsOf(const LoopResult& backward) const {
  Gradients gradients(view_.operands.size());
  size_t next = 0, next_slices = 0;
  for (size_t k = 0; k < at_.carried; k++) {
    if (active_.carried[k]) gradients[at_.first + at_.captures + k] = backward.carried[next++];
  }
  for (size_t k = 0; k < at_.captures; k++) {
    if (active_.captures[k]) gradients[at_.first + k] = backward.carried[next++];
  }
  for (size_t k = 0; k < at_.scanned; k++) {
    if (!active_.scanned[k]) continue;
    gradients[at_.first + at_.captures + at_.carried + k] = backward.stacked[next_slices++];
  }
  return gradients;
}

Gradients LoopTransposer::Transpose() {
  const auto failed = [this](const Value& failure) {
    return Gradients(view_.operands.size(), failure);
  };
  if (a_.reversed && a_.stops) {
    return failed(Fail("gradient", {view_.operands[0]},
                       "a reversed loop that stops early has none; scan reversed values instead",
                       view_.node.line));
  }
  const std::vector<Value> forward = StackCarried(view_);
  if (!forward.back().ok()) return failed(forward.back());
  const LoopResult backward = Loop(Tape(view_.self.tape()), BackwardOptions(forward),
                                   [this](const LoopBody& body) { return BackwardStep(body); });
  return backward.trips.ok() ? GradientsOf(backward) : failed(backward.trips);
}

}  // namespace

Gradients TransposeLoop(const NodeView& view, const std::vector<Value>& dparts) {
  return LoopTransposer(view, dparts).Transpose();
}

}  // namespace talweg
