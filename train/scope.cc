#include "train/scope.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "ops/elementwise.h"
#include "ops/random.h"

namespace talweg {
namespace {

// A type that is too large is refused elsewhere.
int64_t Elements(const Type& type) {
  Dims dims;
  for (Dim dim : type.shape) dims.push_back(dim.is_static() ? dim.value() : 1);
  return CheckedSize(dims).value_or(0);
}

// Whether two initializers fill a parameter with the same numbers: as they are functions in a
// graph, the graphs say so. Those that give none are reported when they are used.
bool FillAlike(const Initializer& a, const Initializer& b, const Type& type) {
  const auto graph_of = [&](const Initializer& initializer) {
    Tape tape;
    const Value key = tape.Input("key", kInt64, {});
    return tape.Finish({initializer.make(tape, key, type.dtype, type.shape)});
  };
  const absl::StatusOr<Graph> first = graph_of(a), second = graph_of(b);
  return !first.ok() || !second.ok() || *first == *second;
}

}  // namespace

struct Scope::State {
  Tape tape;
  DType dtype;
  Mode mode;
  bool declaring;
  std::vector<ParameterSpec> specs;
  std::vector<Value> values;
  std::vector<LayerSpec> layers;
  Value key;
  std::vector<Value> losses = {};
  std::vector<bool> in_layer = {};  // of each parameter, whether a layer counts it
};

Scope::Scope(std::shared_ptr<State> state, std::string prefix)
    : state_(std::move(state)), prefix_(std::move(prefix)) {}

Value Scope::Parameter(std::string_view name, Shape shape, const Initializer& initializer,
                       bool trainable, std::source_location where) {
  const SourceLine line = LineOf(where);
  const std::string path = absl::StrCat(prefix_, AbslView(name));
  const Type type{state_->dtype, std::move(shape)};
  const Value failure(state_->tape.state(), -1);
  const auto fail = [&](std::string_view detail) {
    const std::vector<Value> anchor = {failure};
    return Fail(absl::StrCat("parameter '", path, "' ", ToString(type)), anchor, detail, line);
  };
  for (size_t i = 0; i < state_->specs.size(); i++) {
    const ParameterSpec& spec = state_->specs[i];
    if (spec.name != path) continue;
    if (spec.type != type) {
      return fail(absl::StrCat("is declared already as ", ToString(spec.type)));
    }
    // Afterwards a model does as it did when it was called first.
    if (!state_->declaring) return state_->values[i];
    if (spec.trainable != trainable) {
      return fail(absl::StrCat("is declared already as ", spec.trainable ? "" : "not ",
                               "trainable; Get gives what was declared"));
    }
    if (!initializer.make) return fail("has an empty initializer");
    if (!FillAlike(spec.initializer, initializer, type)) {
      return fail(absl::StrCat("has the initializer ", Quoted(initializer.name),
                               ", but is declared already with another one, ",
                               Quoted(spec.initializer.name), "; Get gives what was declared"));
    }
    return state_->values[i];
  }
  if (!state_->declaring) return fail("was not declared when the model was called first");
  if (!IsStatic(type.shape)) return fail("has a run-time extent");
  if (!initializer.make) return fail("has an empty initializer");
  state_->specs.push_back({path, type, initializer, trainable});
  state_->values.push_back(state_->tape.Input(ParameterInput(path), type.dtype, type.shape, where));
  return state_->values.back();
}

Value Scope::Get(std::string_view name, std::source_location where) const {
  const std::string path = absl::StrCat(prefix_, AbslView(name));
  for (size_t i = 0; i < state_->specs.size(); i++) {
    if (state_->specs[i].name == path) return state_->values[i];
  }
  return Fail("scope", {Value(state_->tape.state(), -1)},
              absl::StrCat("no parameter '", path, "' was declared before"), LineOf(where));
}

void Scope::AddLoss(const Value& loss, std::source_location where) const {
  if (loss.ok() && loss.type() != Type{state_->dtype, {}}) {
    Fail("add_loss", {loss},
         absl::StrCat("a loss must be a ", ToString(Type{state_->dtype, {}}),
                      "; take its Mean or Sum"),
         LineOf(where));
    return;
  }
  if (loss.tape() == nullptr) {
    Fail("add_loss", {Value(state_->tape.state(), -1)}, "a value of no tape", LineOf(where));
    return;
  }
  if (!state_->tape.state()->IsWithin(loss.tape().get())) {
    Fail("add_loss", {Value(state_->tape.state(), -1)},
         "a value of another tape or of a loop's body; carry or stack it out of the loop first",
         LineOf(where));
    return;
  }
  state_->losses.push_back(loss);
}

Scope Scope::Sub(std::string_view name) const {
  return Scope(state_, absl::StrCat(prefix_, AbslView(name), "/"));
}

Value Scope::Key(std::string_view name) const {
  const std::string path = absl::StrCat(prefix_, AbslView(name));
  if (state_->key.tape() == nullptr) {
    return state_->tape.state() ? FoldIn(Tape(state_->tape).Constant(Array(int64_t{0})), path)
                                : Value();
  }
  return FoldIn(state_->key, path);
}

Mode Scope::mode() const { return state_->mode; }
DType Scope::dtype() const { return state_->dtype; }
const Tape& Scope::tape() const { return state_->tape; }
size_t Scope::parameter_count() const { return state_->specs.size(); }

void Scope::NoteLayer(std::string_view name, std::string_view kind, const Value& output,
                      size_t before) const {
  LayerSpec layer{absl::StrCat(prefix_, AbslView(name)), std::string(kind), output.shape()};
  for (const LayerSpec& earlier : state_->layers) {
    if (earlier.name == layer.name && earlier.declares) layer.shared = true;
  }
  // Those of layers inside of this one are counted there.
  layer.declares = before < state_->specs.size();
  state_->in_layer.resize(state_->specs.size());
  for (size_t i = before; i < state_->specs.size(); i++) {
    if (!state_->in_layer[i]) layer.parameters += Elements(state_->specs[i].type);
    state_->in_layer[i] = true;
  }
  state_->layers.push_back(std::move(layer));
}

std::string ParameterInput(std::string_view name) {
  return absl::StrCat("parameter/", AbslView(name));
}

ScopeRoot::ScopeRoot(Tape tape, DType dtype, Mode mode)
    : state_(std::make_shared<Scope::State>(
          Scope::State{std::move(tape), dtype, mode, true, {}, {}, {}, Value()})) {}

ScopeRoot::ScopeRoot(Tape tape, DType dtype, Mode mode, const std::vector<ParameterSpec>& specs,
                     std::vector<Value> values, Value key)
    : state_(std::make_shared<Scope::State>(Scope::State{
          std::move(tape), dtype, mode, false, specs, std::move(values), {}, std::move(key)})) {}

Scope ScopeRoot::scope() const { return Scope(state_, ""); }
const std::vector<ParameterSpec>& ScopeRoot::parameters() const { return state_->specs; }
Value ScopeRoot::added_loss() const {
  Value sum;
  for (const Value& loss : state_->losses) sum = sum.tape() == nullptr ? loss : sum + loss;
  return sum;
}
const std::vector<LayerSpec>& ScopeRoot::layers() const { return state_->layers; }

absl::StatusOr<Graph> InitialParameters(const std::vector<ParameterSpec>& specs) {
  Tape tape;
  const Value seed = tape.Input("seed", kInt64, {});
  std::vector<Value> values;
  for (const ParameterSpec& spec : specs) {
    values.push_back(
        spec.initializer.make(tape, FoldIn(seed, spec.name), spec.type.dtype, spec.type.shape));
    if (values.back().tape() == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "parameter ", Quoted(spec.name), " ", ToString(spec.type), ": the initializer ",
          Quoted(spec.initializer.name), " returned a value of no tape"));
    }
  }
  return tape.Finish(values);
}

std::string Summary(const std::vector<LayerSpec>& layers,
                    const std::vector<ParameterSpec>& parameters) {
  size_t name = 5, kind = 4, output = 6;
  int64_t total = 0, trainable = 0, in_layers = 0;
  for (const ParameterSpec& parameter : parameters) {
    total += Elements(parameter.type);
    if (parameter.trainable) trainable += Elements(parameter.type);
  }
  for (const LayerSpec& layer : layers) {
    name = std::max(name, layer.name.size());
    kind = std::max(kind, layer.kind.size());
    output = std::max(output, ToString(layer.output).size());
    in_layers += layer.parameters;
  }
  if (in_layers < total) name = std::max(name, std::string_view("others").size());
  if (trainable < total) name = std::max(name, std::string_view("not trainable").size());
  const auto row = [&](std::string_view a, std::string_view b, std::string_view c,
                       std::string_view d) {
    return absl::StrFormat("%-*s  %-*s  %-*s  %10s\n", static_cast<int>(name), AbslView(a),
                           static_cast<int>(kind), AbslView(b), static_cast<int>(output),
                           AbslView(c), AbslView(d));
  };
  std::string text = row("layer", "kind", "output", "parameters");
  for (const LayerSpec& layer : layers) {
    const bool shared = layer.shared && !layer.declares;
    text += row(layer.name, layer.kind, ToString(layer.output),
                shared ? "shared" : absl::StrCat(layer.parameters));
  }
  if (in_layers < total) text += row("others", "", "", absl::StrCat(total - in_layers));
  text += row("total", "", "", absl::StrCat(total));
  if (trainable < total) text += row("not trainable", "", "", absl::StrCat(total - trainable));
  return text;
}

}  // namespace talweg
