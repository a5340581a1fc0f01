#include "graph/step.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace talweg {
namespace {

absl::Status NoSuchName(std::string_view name, const std::vector<std::string>& names) {
  const auto append = [](std::string* out, const std::string& n) { absl::StrAppend(out, n); };
  std::string known;
  for (const std::string& n : names) {
    if (!known.empty()) known += ", ";
    append(&known, n);
    if (known.size() > 200) {
      known += " ...";
      break;
    }
  }
  return absl::NotFoundError(
      absl::StrCat("the state has no '", AbslView(name), "'; it has ", known));
}

}  // namespace

struct State::Layout {
  std::vector<std::string> names;
  std::vector<Type> types;
  std::vector<size_t> inputs, outputs;  // of the graph, for each name
  std::vector<size_t> other_inputs, other_outputs;

  // names.size() where there is none.
  size_t Find(std::string_view name) const {
    return static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  }
  absl::Status Check(size_t i, const Array& array) const {
    bool fits = array.raw() != nullptr && array.dtype() == types[i].dtype &&
                array.dims().size() == types[i].shape.size();
    for (size_t axis = 0; fits && axis < array.dims().size(); axis++) {
      const Dim dim = types[i].shape[axis];
      fits = !dim.is_static() || dim.value() == array.dims()[axis];
    }
    if (fits) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("state '", names[i], "': ", talweg::ToString(types[i]), " expected, ",
                     Name(array.dtype()), talweg::ToString(array.dims()), " given"));
  }
};

State::State(std::shared_ptr<const Layout> layout, std::vector<Array> arrays)
    : layout_(std::move(layout)), arrays_(std::move(arrays)) {}

const std::vector<std::string>& State::names() const { return layout_->names; }

absl::StatusOr<Array> State::Get(std::string_view name) const {
  const size_t i = layout_->Find(name);
  if (i == arrays_.size()) return NoSuchName(name, names());
  return arrays_[i];
}

absl::Status State::Set(std::string_view name, const Array& array) {
  const size_t i = layout_->Find(name);
  if (i == arrays_.size()) return NoSuchName(name, names());
  if (absl::Status status = layout_->Check(i, array); !status.ok()) return status;
  arrays_[i] = array;
  return absl::OkStatus();
}

NamedArrays State::Arrays() const {
  NamedArrays arrays;
  for (size_t i = 0; i < arrays_.size(); i++) arrays.insert({names()[i], arrays_[i]});
  return arrays;
}

Step::Step(Executable executable, std::shared_ptr<const State::Layout> layout)
    : executable_(std::move(executable)), layout_(std::move(layout)) {}

absl::StatusOr<Step> Step::Make(Executable executable, const std::vector<StatePair>& state) {
  const Graph& graph = executable.graph();
  State::Layout layout;
  std::vector<bool> is_state_input(graph.inputs().size()), is_state_output(graph.outputs().size());
  for (const StatePair& pair : state) {
    const auto fail = [&](const std::string& what) {
      return absl::InvalidArgumentError(absl::StrCat("state '", pair.input, "': ", what));
    };
    size_t input = 0;
    while (input < graph.inputs().size() && graph.input_name(input) != pair.input) input++;
    if (input == graph.inputs().size()) return fail("the graph has no such input");
    if (is_state_input[input]) return fail("it is named twice");
    if (pair.output >= graph.outputs().size()) {
      return fail(absl::StrCat("there is no output ", pair.output, "; the graph has ",
                               graph.outputs().size()));
    }
    if (is_state_output[pair.output]) {
      return fail(absl::StrCat("output ", pair.output, " is the next value of another"));
    }
    const Type &now = graph.input_type(input), &next = graph.output_type(pair.output);
    if (now != next) {
      return fail(absl::StrCat("it is ", talweg::ToString(now), ", and its next value ",
                               talweg::ToString(next)));
    }
    is_state_input[input] = true;
    is_state_output[pair.output] = true;
    layout.names.push_back(pair.input);
    layout.types.push_back(now);
    layout.inputs.push_back(input);
    layout.outputs.push_back(pair.output);
  }
  for (size_t i = 0; i < is_state_input.size(); i++) {
    if (!is_state_input[i]) layout.other_inputs.push_back(i);
  }
  for (size_t k = 0; k < is_state_output.size(); k++) {
    if (!is_state_output[k]) layout.other_outputs.push_back(k);
  }
  return Step(std::move(executable), std::make_shared<const State::Layout>(std::move(layout)));
}

absl::StatusOr<State> Step::Start(const NamedArrays& arrays) const {
  std::vector<Array> ordered;
  for (size_t i = 0; i < layout_->names.size(); i++) {
    const auto it = arrays.find(layout_->names[i]);
    if (it == arrays.end()) {
      return absl::InvalidArgumentError(absl::StrCat("state '", layout_->names[i], "' ",
                                                     ToString(layout_->types[i]), " is missing"));
    }
    if (absl::Status status = layout_->Check(i, it->second); !status.ok()) return status;
    ordered.push_back(it->second);
  }
  if (arrays.size() > ordered.size()) {
    for (const auto& [name, array] : arrays) {
      if (layout_->Find(name) == layout_->names.size()) return NoSuchName(name, layout_->names);
    }
  }
  return State(layout_, std::move(ordered));
}

absl::StatusOr<std::vector<Array>> Step::Run(State& state, const NamedArrays& inputs,
                                             const RunOptions& options) const {
  const Graph& graph = executable_.graph();
  std::vector<Array> ordered;
  ordered.reserve(layout_->other_inputs.size());
  for (size_t i : layout_->other_inputs) {
    const auto it = inputs.find(graph.input_name(i));
    if (it == inputs.end()) {
      return absl::InvalidArgumentError(absl::StrCat("input '", graph.input_name(i), "' ",
                                                     ToString(graph.input_type(i)), " is missing"));
    }
    ordered.push_back(it->second);
  }
  if (inputs.size() > ordered.size()) {
    for (const auto& [name, array] : inputs) {
      const auto is_named = [&, n = &name](size_t i) { return graph.input_name(i) == *n; };
      if (std::none_of(layout_->other_inputs.begin(), layout_->other_inputs.end(), is_named)) {
        const bool is_state = layout_->Find(name) < layout_->names.size();
        return absl::InvalidArgumentError(
            is_state ? absl::StrCat("'", name, "' is state and no input; State::Set changes it")
                     : absl::StrCat("the graph has no input '", name, "'"));
      }
    }
  }
  return Call(state, ordered, options);
}

absl::StatusOr<std::vector<Array>> Step::Call(State& state, absl::Span<const Array> inputs,
                                              const RunOptions& options) const {
  const State::Layout& layout = *layout_;
  if (state.layout_ != layout_) {
    return absl::InvalidArgumentError("a step takes states that its Start made; this is another's");
  }
  if (inputs.size() != layout.other_inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the step has ", layout.other_inputs.size(),
                                                   " inputs besides its state, ", inputs.size(),
                                                   " given"));
  }
  std::vector<Array> all(executable_.graph().inputs().size());
  for (size_t i = 0; i < inputs.size(); i++) all[layout.other_inputs[i]] = inputs[i];
  for (size_t i = 0; i < layout.inputs.size(); i++) all[layout.inputs[i]] = state.arrays_[i];
  const bool is_lent = options.reuse != nullptr;
  RunOptions with_reuse = options;
  if (!is_lent) with_reuse.reuse = &state.before_;
  absl::StatusOr<std::vector<Array>> outputs = executable_.Call(all, with_reuse);
  if (!outputs.ok()) return outputs.status();
  state.before_.resize(outputs->size());
  for (size_t i = 0; i < layout.outputs.size(); i++) {
    const size_t k = layout.outputs[i];
    if (!is_lent) state.before_[k] = std::move(state.arrays_[i]);
    state.arrays_[i] = std::move((*outputs)[k]);
  }
  std::vector<Array> others;
  others.reserve(layout.other_outputs.size());
  for (size_t k : layout.other_outputs) others.push_back(std::move((*outputs)[k]));
  return others;
}

absl::StatusOr<StepGraph> MakeStepGraph(const Tape& tape, absl::Span<const Carry> carried,
                                        absl::Span<const Value> outputs) {
  StepGraph step;
  std::vector<Value> all;
  for (const Carry& carry : carried) {
    if (!carry.value.ok()) return carry.value.status();
    if (carry.value.node().kind() != Kind::kInput) {
      return NodeError(absl::StatusCode::kInvalidArgument,
                       Graph(carry.value.tape()->nodes(), {}, {}), carry.value.id(),
                       "what a step carries is an input of its tape");
    }
    if (carry.value.tape() != tape.state()) {
      return NodeError(absl::StatusCode::kInvalidArgument,
                       Graph(carry.value.tape()->nodes(), {}, {}), carry.value.id(),
                       "what a step carries is an input of its tape, and this is one of another");
    }
    step.state.push_back({carry.value.node().As<InputAttributes>().name, all.size()});
    all.push_back(carry.next);
  }
  all.insert(all.end(), outputs.begin(), outputs.end());
  absl::StatusOr<Graph> graph = tape.Finish(all);
  if (!graph.ok()) return graph.status();
  step.graph = *std::move(graph);
  return step;
}

}  // namespace talweg
