#include <algorithm>
#include <memory>
#include <utility>

#include "autodiff/transpose.h"
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
// carried values, the stacked ones of old, the values carried in, and the number of trips.
std::vector<Value> StackCarried(const NodeView& view) {
  LoopAttributes a = view.node.As<LoopAttributes>();
  const Graph& body = *a.body;
  std::vector<NodeId> outputs = body.outputs();
  const auto at = outputs.begin() + a.carried + a.stacked;
  const auto carried = body.inputs().begin() + 1 + a.captures;
  outputs.insert(at, carried, carried + a.carried);
  a.body = std::make_shared<const Graph>(body.nodes(), body.inputs(), std::move(outputs));
  a.stacked += a.carried;
  return LoopParts(MakeNode(*view.node.op, view.operands, std::move(a), view.node.line));
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
      if (node.kind() != Kind::kLoop && !IsFloat(node.type().dtype)) continue;
      for (NodeId operand : node.operands) {
        if (reached[static_cast<size_t>(operand)]) reached[i] = true;
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

// With s the carried values, c the captures, x the scanned slices, the loop computes in trip t
//     s[t+1], y[t] = body(t, c, s[t], x[t]).
// Its transpose runs from the last trip to the first and carries ds and the sum of dc:
//     ds[t], dc += , dx[t] = vjp of body at (t, c, s[t], x[t]) of (ds[t+1], dy[t]).
Gradients TransposeLoop(const NodeView& view, const std::vector<Value>& dparts) {
  const auto& a = view.node.As<LoopAttributes>();
  const size_t first = a.binds_rows ? 2 : 1;
  const auto captures = static_cast<size_t>(a.captures), carried = static_cast<size_t>(a.carried);
  const auto scanned = static_cast<size_t>(a.scanned), stacked = static_cast<size_t>(a.stacked);
  Gradients gradients(view.operands.size());
  if (a.reversed && a.stops) {
    gradients[0] = Fail("gradient", {view.operands[0]},
                        "a reversed loop that stops early has none; scan reversed values instead",
                        view.node.line);
    return gradients;
  }
  const ActiveInLoop active = FindActive(a, view.wanted, first);
  const std::vector<Value> forward = StackCarried(view);
  const std::vector<Value> outer_captures = Part(view.operands, first, captures);
  const std::vector<Value> outer_carried = Part(view.operands, first + captures, carried);
  const std::vector<Value> outer_scanned = Part(view.operands, first + captures + carried, scanned);

  LoopOptions options{.trips = forward.back()};
  options.reversed = !a.reversed;
  if (a.binds_rows) {
    options.rows = view.operands[1];
    options.rows_limit = a.rows_limit;
  }
  // Carried: ds of the active carried values, then dc of the active captures, from zero.
  for (size_t k = 0; k < carried; k++) {
    if (!active.carried[k]) continue;
    options.carried.push_back(dparts[k].tape() == nullptr ? ZerosLike(outer_carried[k])
                                                          : dparts[k]);
  }
  for (const Value& capture : Chosen(outer_captures, active.captures)) {
    options.carried.push_back(ZerosLike(capture));
  }
  // Scanned: s[t], x[t], and dy[t] where any arrived.
  options.scanned = Part(forward, carried + stacked, carried);
  options.scanned.insert(options.scanned.end(), outer_scanned.begin(), outer_scanned.end());
  for (size_t k = 0; k < stacked; k++) {
    const Value& dy = dparts[carried + k];
    if (dy.tape() != nullptr) options.scanned.push_back(dy);
  }

  const LoopResult backward =
      Loop(Tape(view.self.tape()), options, [&](LoopBody& body) -> LoopStep {
        std::vector<Value> arguments = {body.trip};
        for (const Value& capture : outer_captures) {
          arguments.push_back(
              Value(body.tape.state(), body.tape.state()->Capture(capture, view.node.line)));
        }
        const std::vector<Value> inner_captures = Part(arguments, 1, captures);
        const std::vector<Value> inputs = Part(body.scanned, 0, carried + scanned);
        arguments.insert(arguments.end(), inputs.begin(), inputs.end());
        std::vector<Value> ys = Inline(*a.body, arguments, body.trip);
        ys.resize(carried + stacked);
        std::vector<Value> dys(ys.size());
        size_t next = 0;
        for (size_t k = 0; k < carried; k++) {
          if (active.carried[k]) dys[k] = body.carried[next++];
        }
        size_t next_dy = carried + scanned;
        for (size_t k = 0; k < stacked; k++) {
          if (dparts[carried + k].tape() != nullptr) dys[carried + k] = body.scanned[next_dy++];
        }
        std::vector<Value> xs = Chosen(Part(inputs, 0, carried), active.carried);
        const std::vector<Value> cs = Chosen(inner_captures, active.captures);
        const std::vector<Value> slices = Chosen(Part(inputs, carried, scanned), active.scanned);
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
      });

  size_t next = 0;
  for (size_t k = 0; k < carried; k++) {
    if (active.carried[k]) gradients[first + captures + k] = backward.carried[next++];
  }
  for (size_t k = 0; k < captures; k++) {
    if (active.captures[k]) gradients[first + k] = backward.carried[next++];
  }
  next = 0;
  for (size_t k = 0; k < scanned; k++) {
    if (active.scanned[k]) {
      gradients[first + captures + carried + k] = backward.stacked[next++];
    }
  }
  return gradients;
}

}  // namespace talweg
