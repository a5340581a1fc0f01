#include "ops/custom.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
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

// Paths of floats carry derivatives.
bool Carries(const Node& node) { return node.kind() == Kind::kLoop || IsFloat(node.type().dtype); }

// Which operands of a node a gradient flows to, by the rules of the derivatives: none through a map
// without a partial derivative (Detach), none to the first operand of a custom gradient.
std::vector<bool> Reaches(const Node& node);

// Which operands of a loop its body connects with a float that it gives.
std::vector<bool> ReachesOfLoop(const Node& loop) {
  const auto& a = loop.As<LoopAttributes>();
  const Graph& body = *a.body;
  std::vector<bool> reached(body.nodes().size(), false);
  for (NodeId id : body.outputs()) {
    if (Carries(body.node(id))) reached[static_cast<size_t>(id)] = true;
  }
  for (size_t i = reached.size(); i-- > 0;) {
    const Node& node = body.nodes()[i];
    if (!reached[i] || node.operands.empty()) continue;
    const std::vector<bool> onward = Reaches(node);
    for (size_t k = 0; k < onward.size(); k++) {
      const NodeId operand = node.operands[k];
      if (onward[k] && Carries(body.node(operand))) reached[static_cast<size_t>(operand)] = true;
    }
  }
  std::vector<bool> operands(loop.operands.size(), false);
  const size_t first = LoopPlaces(a).first;
  for (size_t i = 1; i < body.inputs().size(); i++) {
    operands[first + i - 1] = reached[static_cast<size_t>(body.inputs()[i])];
  }
  return operands;
}

std::vector<bool> Reaches(const Node& node) {
  if (node.kind() == Kind::kLoop) return ReachesOfLoop(node);
  std::vector<bool> operands(node.operands.size(), true);
  for (size_t k = 0; k < operands.size() && node.kind() == Kind::kMap; k++) {
    operands[k] = node.op->map->partials[k] != nullptr;
  }
  if (node.kind() == Kind::kCustom) operands[0] = false;
  return operands;
}

// The value of the tape around for which an input of a body stands, if it does.
std::optional<Value> Captured(const Value& v) {
  const TapeState::Captures& captures = v.tape()->captures();
  const auto it = std::lower_bound(captures.inputs.begin(), captures.inputs.end(), v.id());
  if (it == captures.inputs.end() || *it != v.id()) return std::nullopt;
  return captures.outer[static_cast<size_t>(it - captures.inputs.begin())];
}

// The name of a float input that `output` depends on other than by way of `inputs`: what would get
// no gradient. Looks at each node between them once.
std::optional<std::string> Forgotten(const Value& output, const std::vector<Value>& inputs) {
  absl::flat_hash_set<std::pair<const TapeState*, NodeId>> seen;
  for (const Value& input : inputs) {
    for (std::optional<Value> v = input; v.has_value(); v = Captured(*v)) {
      seen.insert({v->tape().get(), v->id()});
    }
  }
  std::vector<Value> open;
  const auto visit = [&](const Value& v) {
    if (Carries(v.node()) && seen.insert({v.tape().get(), v.id()}).second) open.push_back(v);
  };
  visit(output);
  while (!open.empty()) {
    const Value v = open.back();
    open.pop_back();
    const Node& node = v.node();
    if (node.kind() == Kind::kInput) {
      const std::optional<Value> outer = Captured(v);
      if (!outer.has_value()) return node.As<InputAttributes>().name;
      visit(*outer);
    }
    const std::vector<bool> onward = Reaches(node);
    for (size_t k = 0; k < onward.size(); k++) {
      if (onward[k]) visit(Value(v.tape(), node.operands[k]));
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
