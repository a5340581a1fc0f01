#include "tests/optim/updates.h"

#include <cmath>
#include <utility>

namespace talweg {
namespace {

const std::vector<Dims>& ShapesOf() {
  static const auto& shapes = *new std::vector<Dims>{{3}, {2, 2}};
  return shapes;
}

std::vector<Array> Split(const std::vector<double>& elements, DType dtype) {
  std::vector<Array> arrays;
  size_t next = 0;
  for (const Dims& dims : ShapesOf()) {
    const auto size = static_cast<size_t>(SizeOf(dims));
    arrays.push_back(
        *Array::From<double>(dims, absl::MakeConstSpan(elements).subspan(next, size))->Cast(dtype));
    next += size;
  }
  return arrays;
}

}  // namespace

absl::StatusOr<Updates> Updates::Make(const Rule& rule, DType dtype, const Engine& engine) {
  Tape t;
  std::vector<NamedValue> parameters;
  std::vector<Value> gradients;
  const std::vector<std::string> names = {"a", "b"};
  for (size_t i = 0; i < names.size(); i++) {
    const Shape shape = ToShape(ShapesOf()[i]);
    parameters.push_back({names[i], t.Input(names[i], dtype, shape)});
    gradients.push_back(t.Input("gradient/" + names[i], dtype, shape));
  }
  const Value rate = t.Input("rate", kFloat64, {}), step = t.Input("step", kInt64, {});
  HyperScope hypers(t);
  StateScope state(t);
  absl::StatusOr<std::vector<Value>> next =
      Apply(rule, parameters, gradients, rate, step, hypers, state);
  if (!next.ok()) return next.status();
  absl::StatusOr<std::vector<Value>> next_state = state.Next();
  if (!next_state.ok()) return next_state.status();
  next->insert(next->end(), next_state->begin(), next_state->end());
  absl::StatusOr<Graph> graph = t.Finish(*next);
  if (!graph.ok()) return graph.status();
  absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();

  Updates updates(*std::move(executable), dtype);
  updates.hypers_ = hypers.specs();
  updates.specs_ = state.specs();
  updates.bound_ = hypers.Bindings();
  return updates;
}

void Updates::Start(const std::vector<double>& parameters) {
  parameters_ = Split(parameters, dtype_);
  state_.clear();
  for (const StateSpec& spec : specs_) {
    const Dims dims = Resolve(spec.type.shape, {});
    const std::vector<double> elements(static_cast<size_t>(SizeOf(dims)), spec.start);
    state_.push_back(*Array::From<double>(dims, elements)->Cast(spec.type.dtype));
  }
  step_ = 0;
}

absl::Status Updates::Step(const std::vector<double>& gradients, double rate) {
  NamedArrays inputs = bound_;
  const std::vector<Array> g = Split(gradients, dtype_);
  inputs["a"] = parameters_[0];
  inputs["b"] = parameters_[1];
  inputs["gradient/a"] = g[0];
  inputs["gradient/b"] = g[1];
  inputs.insert_or_assign("rate", Array(rate));
  inputs.insert_or_assign("step", Array(step_++));
  for (size_t i = 0; i < specs_.size(); i++) inputs["state/" + specs_[i].name] = state_[i];
  absl::StatusOr<std::vector<Array>> out = executable_.Run(inputs);
  if (!out.ok()) return out.status();
  parameters_ = {(*out)[0], (*out)[1]};
  state_.assign(out->begin() + 2, out->end());
  return absl::OkStatus();
}

std::vector<double> Updates::parameters() const {
  std::vector<double> elements;
  for (const Array& array : parameters_) {
    for (int64_t i = 0; i < array.size(); i++) elements.push_back(array.At(i));
  }
  return elements;
}

double Draw::Uniform(double low, double high) {
  // SplitMix64: the same draws everywhere.
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return low + (high - low) * static_cast<double>(z >> 11) * 0x1p-53;
}

std::vector<double> Draw::Uniforms(int n, double low, double high) {
  std::vector<double> numbers;
  for (int i = 0; i < n; i++) numbers.push_back(Uniform(low, high));
  return numbers;
}

std::vector<double> Draw::Gradients(int n) {
  std::vector<double> numbers;
  for (int i = 0; i < n; i++) {
    numbers.push_back((Uniform(0, 1) < 0.5 ? -1 : 1) * std::pow(10, Uniform(-3, 1)));
  }
  return numbers;
}

}  // namespace talweg
