#include "ops/custom.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "graph/tape.h"

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
