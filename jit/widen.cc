#include "jit/widen.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/loop_places.h"
#include "ops/loop.h"

namespace talweg {

Value CopyNode(const Tape& tape, const Node& node, absl::Span<const Value> operands) {
  Node copy = node;
  for (size_t i = 0; i < operands.size(); i++) copy.operands[i] = operands[i].id();
  return Value(tape.state(), tape.state()->Append(std::move(copy)));
}

std::vector<Value> CopyInputs(const Tape& tape, const Graph& graph) {
  std::vector<Value> inputs;
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    const SourceLine& line = graph.node(graph.inputs()[i]).line;
    inputs.push_back(Value(tape.state(),
                           tape.state()->AddInput(graph.input_name(i), graph.input_type(i), line)));
  }
  return inputs;
}

absl::StatusOr<WideLoop> Widen(const Tape& tape, const Node& loop, absl::Span<const Value> operands,
                               absl::Span<const Value> captured, absl::Span<const Value> carried,
                               const std::function<absl::StatusOr<WideStep>(WideBody&)>& body) {
  LoopAttributes attributes = loop.As<LoopAttributes>();
  const Graph& old = *attributes.body;
  WideBody wide;
  const auto add_old = [&](size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
      const NodeId id = wide.tape.state()->AddInput(old.input_name(i), old.input_type(i),
                                                    old.node(old.inputs()[i]).line);
      wide.inputs.push_back(Value(wide.tape.state(), id));
    }
  };
  const auto add_more = [&](const char* what, absl::Span<const Value> more) {
    std::vector<Value> inputs;
    for (const Value& value : more) {
      const NodeId id = wide.tape.state()->AddInput(absl::StrCat("more/", what, inputs.size()),
                                                    value.type(), loop.line);
      inputs.push_back(Value(wide.tape.state(), id));
    }
    return inputs;
  };
  const auto old_captures = static_cast<size_t>(attributes.captures);
  const auto old_carried = static_cast<size_t>(attributes.carried);
  add_old(0, 1 + old_captures);
  wide.captured = add_more("captured", captured);
  add_old(1 + old_captures, old_carried);
  wide.carried = add_more("carried", carried);
  add_old(1 + old_captures + old_carried, static_cast<size_t>(attributes.scanned));
  absl::StatusOr<WideStep> step = body(wide);
  if (!step.ok()) return step.status();
  std::vector<Value> outputs = step->outputs;
  outputs.insert(outputs.begin() + attributes.carried, step->carried.begin(), step->carried.end());
  absl::StatusOr<Graph> closed = wide.tape.Finish(outputs);
  if (!closed.ok()) return closed.status();

  attributes.body = std::make_shared<const Graph>(*std::move(closed));
  attributes.captures += static_cast<int32_t>(captured.size());
  attributes.carried += static_cast<int32_t>(carried.size());
  std::vector<Value> all(operands.begin(), operands.end());
  const LoopPlaces at(loop.As<LoopAttributes>());
  const auto first = static_cast<std::ptrdiff_t>(at.first + at.captures);
  all.insert(all.begin() + first + static_cast<std::ptrdiff_t>(old_carried), carried.begin(),
             carried.end());
  all.insert(all.begin() + first, captured.begin(), captured.end());
  const Value made = MakeNode(*loop.op, all, std::move(attributes), loop.line);
  if (!made.ok()) return tape.status();
  WideLoop result;
  result.parts = LoopParts(made);
  const auto more = result.parts.begin() + static_cast<std::ptrdiff_t>(old_carried);
  const auto rest = more + static_cast<std::ptrdiff_t>(carried.size());
  result.carried.assign(more, rest);
  result.parts.erase(more, rest);
  return result;
}

}  // namespace talweg
