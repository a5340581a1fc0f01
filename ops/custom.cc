#include "ops/custom.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "graph/flow.h"
#include "graph/loop_places.h"
#include "graph/tape.h"
#include "ops/map.h"

namespace talweg {
namespace {

using Types = absl::StatusOr<std::vector<Type>>;

// Operands: output, inputs. The gradient's inputs: inputs, output, dy; its outputs: one an input.
Types InferCustom(const Op&, absl::Span<const Type> operands, const Attributes& attributes) {
  const auto& gradient = std::get<CustomAttributes>(attributes).gradient;
  if (operands.empty() || gradient == nullptr) {
    return absl::InvalidArgumentError("an output and a gradient expected");
  }
  const size_t inputs = operands.size() - 1;
  if (gradient->inputs().size() != inputs + 2 || gradient->outputs().size() != inputs) {
    return absl::InvalidArgumentError(absl::StrCat("the gradient has ", gradient->outputs().size(),
                                                   " results for ", inputs, " inputs"));
  }
  for (size_t i = 0; i < inputs; i++) {
    const Type& type = operands[i + 1];
    if (gradient->input_type(i) != type) {
      return absl::InvalidArgumentError(absl::StrCat("the gradient takes ",
                                                     ToString(gradient->input_type(i)),
                                                     " for input ", i, ", ", ToString(type)));
    }
    if (gradient->output_type(i) != type) {
      return absl::InvalidArgumentError(absl::StrCat("the gradient of input ", i, ", ",
                                                     ToString(type), ", is ",
                                                     ToString(gradient->output_type(i))));
    }
  }
  for (size_t i = inputs; i < inputs + 2; i++) {
    if (gradient->input_type(i) != operands[0]) {
      return absl::InvalidArgumentError("the gradient takes another type of output");
    }
  }
  return std::vector<Type>{operands[0]};
}

// Which operands of a node (no loop and no part of one) a gradient flows to.
std::vector<bool> Reaches(const Node& node) {
  std::vector<bool> operands(node.operands.size());
  for (size_t k = 0; k < operands.size(); k++) operands[k] = DerivativeFlows(node, k);
  return operands;
}

// Outputs of loops' bodies that a gradient comes to.
class LoopOutputs {
 public:
  // Whether this part of the loop is one that it had not come to.
  bool Add(const Node& loop, NodeId id, const Node& part) {
    std::vector<bool>& outputs = of_loop_[id];
    outputs.resize(loop.As<LoopAttributes>().body->outputs().size(), false);
    const auto index = static_cast<size_t>(part.As<PartAttributes>().index);
    if (index >= outputs.size() || outputs[index]) return false;
    return outputs[index] = true;
  }
  const std::vector<bool>& of(NodeId loop) { return of_loop_[loop]; }

 private:
  absl::flat_hash_map<NodeId, std::vector<bool>> of_loop_;
};

std::vector<bool> ReachesOfLoop(const Node& loop, std::vector<bool> outputs);

// The nodes of a body that a gradient of these outputs comes to.
std::vector<bool> ReachedIn(const Graph& body, const std::vector<bool>& outputs) {
  std::vector<bool> reached(body.nodes().size(), false);
  for (size_t k = 0; k < outputs.size(); k++) {
    const NodeId id = body.outputs()[k];
    if (outputs[k] && HasDerivative(body.node(id))) reached[static_cast<size_t>(id)] = true;
  }
  LoopOutputs inner;
  for (size_t i = reached.size(); i-- > 0;) {
    const Node& node = body.nodes()[i];
    if (!reached[i] || node.operands.empty()) continue;
    const NodeId first = node.operands[0];
    if (node.kind() == Kind::kPart) inner.Add(body.node(first), first, node);
    const std::vector<bool> onward = node.kind() == Kind::kLoop
                                         ? ReachesOfLoop(node, inner.of(static_cast<NodeId>(i)))
                                         : Reaches(node);
    for (size_t k = 0; k < onward.size(); k++) {
      const NodeId operand = node.operands[k];
      if (onward[k] && HasDerivative(body.node(operand)))
        reached[static_cast<size_t>(operand)] = true;
    }
  }
  return reached;
}

// Which operands of a loop a gradient of these outputs flows to. What comes to a carried value
// comes to its end in the trip before.
std::vector<bool> ReachesOfLoop(const Node& loop, std::vector<bool> outputs) {
  const auto& a = loop.As<LoopAttributes>();
  const Graph& body = *a.body;
  const LoopPlaces at(a);
  std::vector<bool> reached;
  for (bool changed = true; changed;) {
    changed = false;
    reached = ReachedIn(body, outputs);
    for (size_t k = 0; k < at.carried; k++) {
      if (outputs[k] || !reached[static_cast<size_t>(body.inputs()[1 + at.captures + k])]) continue;
      outputs[k] = changed = true;
    }
  }
  std::vector<bool> operands(loop.operands.size(), false);
  for (size_t i = 0; i < at.inputs(); i++) {
    operands[at.first + i] = reached[static_cast<size_t>(body.inputs()[1 + i])];
  }
  return operands;
}

// The name of a float input that `output` depends on other than by way of `inputs`: what would get
// no gradient. Looks at each node between them once.
std::optional<std::string> Forgotten(const Value& output, const std::vector<Value>& inputs) {
  absl::flat_hash_set<std::pair<const TapeState*, NodeId>> seen;
  for (const Value& input : inputs) {
    for (std::optional<Value> v = input; v.has_value(); v = v->tape()->OuterOf(v->id())) {
      seen.insert({v->tape().get(), v->id()});
    }
  }
  std::vector<Value> open;
  const auto visit = [&](const Value& v) {
    if (HasDerivative(v.node()) && seen.insert({v.tape().get(), v.id()}).second) open.push_back(v);
  };
  absl::flat_hash_map<const TapeState*, LoopOutputs> loops;
  visit(output);
  while (!open.empty()) {
    const Value v = open.back();
    open.pop_back();
    const Node& node = v.node();
    if (node.kind() == Kind::kInput) {
      const std::optional<Value> outer = v.tape()->OuterOf(v.id());
      if (!outer.has_value()) return node.As<InputAttributes>().name;
      visit(*outer);
      continue;
    }
    // A loop is looked at again for each part of it that counts.
    Value from = v;
    std::vector<bool> onward;
    if (node.kind() == Kind::kPart) {
      from = Value(v.tape(), node.operands[0]);
      LoopOutputs& outputs = loops[v.tape().get()];
      if (!outputs.Add(from.node(), from.id(), node)) continue;
      onward = ReachesOfLoop(from.node(), outputs.of(from.id()));
    } else {
      onward = Reaches(node);
    }
    for (size_t k = 0; k < onward.size(); k++) {
      if (onward[k]) visit(Value(v.tape(), from.node().operands[k]));
    }
  }
  return std::nullopt;
}

}  // namespace

constinit const Op kCustomOp{"custom", "its first operand, with a gradient of its own",
                             Kind::kCustom, InferCustom};

Value CustomGradient(const std::vector<Value>& inputs,
                     const std::function<Value(absl::Span<const Value>)>& function,
                     const std::function<std::vector<Value>(absl::Span<const Value> inputs,
                                                            Value output, Value dy)>& vjp,
                     std::source_location where) {
  const SourceLine line = LineOf(where);
  if (!function || !vjp) {
    return Fail("custom gradient", inputs, !function ? "the function is empty" : "the vjp is empty",
                line);
  }
  const Value output = function(inputs);
  std::vector<Value> operands = {output};
  operands.insert(operands.end(), inputs.begin(), inputs.end());
  for (const Value& operand : operands) {
    if (!operand.ok()) return MakeNode(kCustomOp, operands, CustomAttributes{}, line);
  }
  if (const std::optional<std::string> name = Forgotten(output, inputs); name.has_value()) {
    return Fail("custom gradient", operands,
                absl::StrCat("the function uses ", Quoted(*name),
                             ", which is not among its inputs and would get no gradient; pass it, "
                             "or Detach it"),
                line);
  }
  Tape tape;
  std::vector<Value> arguments;
  for (size_t i = 0; i < inputs.size(); i++) {
    arguments.push_back(
        tape.Input(absl::StrCat("x", i), inputs[i].dtype(), inputs[i].shape(), where));
  }
  const Value y = tape.Input("y", output.dtype(), output.shape(), where);
  const Value dy = tape.Input("dy", output.dtype(), output.shape(), where);
  absl::StatusOr<Graph> gradient = tape.Finish(vjp(arguments, y, dy));
  if (!gradient.ok()) {
    return Fail("custom gradient", operands, StdView(gradient.status().message()), line);
  }
  if (gradient->inputs().size() > inputs.size() + 2) {
    return Fail("custom gradient", operands,
                absl::StrCat("the gradient makes an input of its own, '",
                             gradient->input_name(inputs.size() + 2),
                             "'; it may use its arguments and numbers only"),
                gradient->node(gradient->inputs()[inputs.size() + 2]).line);
  }
  return MakeNode(kCustomOp, operands,
                  CustomAttributes{std::make_shared<const Graph>(*std::move(gradient))}, line);
}

}  // namespace talweg
