#include "graph/tape.h"

#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "graph/core_ops.h"

namespace talweg {

TapeState::TapeState(std::shared_ptr<TapeState> parent)
    : parent_(std::move(parent)), root_(parent_ == nullptr ? this : parent_->root_) {}

bool TapeState::IsWithin(const TapeState* other) const {
  for (const TapeState* tape = this; tape != nullptr; tape = tape->parent_.get()) {
    if (tape == other) return true;
  }
  return false;
}

NodeId TapeState::Append(Node node) {
  std::vector<NodeId>& candidates = by_hash_[HashOf(node)];
  for (NodeId id : candidates) {
    if (SameNode(nodes_[static_cast<size_t>(id)], node)) return id;
  }
  const auto id = static_cast<NodeId>(nodes_.size());
  candidates.push_back(id);
  nodes_.push_back(std::move(node));
  return id;
}

NodeId TapeState::AddInput(std::string name, Type type, const SourceLine& line) {
  if (auto it = by_name_.find(name); it != by_name_.end()) {
    const Type& earlier = nodes_[static_cast<size_t>(it->second)].type();
    if (earlier == type) return it->second;
    SetError(absl::InvalidArgumentError(absl::StrCat("input '", name, "': ", ToString(type),
                                                     ": exists already as ", ToString(earlier),
                                                     " (", ToString(line), ")")));
    return -1;
  }
  const auto id = static_cast<NodeId>(nodes_.size());
  by_name_[name] = id;
  Node node;
  node.op = &kInputOp;
  node.attributes = InputAttributes{std::move(name)};
  node.types = {std::move(type)};
  node.line = LineOr(line);
  nodes_.push_back(std::move(node));
  inputs_.push_back(id);
  return id;
}

void TapeState::SetError(absl::Status status) {
  for (const TapeState* tape = this; tape != nullptr; tape = tape->parent_.get()) {
    if (!tape->status_.ok()) status = tape->status_;  // what failed around a body came before
  }
  for (TapeState* tape = this; tape != nullptr; tape = tape->parent_.get()) {
    tape->status_.Update(status);
  }
}

NodeId TapeState::Capture(const Value& outer, const SourceLine& line) {
  if (outer.tape().get() == this) return outer.id();
  // A value from further out passes through the loops between, one by one.
  const NodeId parent_id = parent_->Capture(outer, line);
  if (parent_id < 0) return -1;
  if (auto it = captured_.find(parent_id); it != captured_.end()) return it->second;
  const Type type = parent_->nodes_[static_cast<size_t>(parent_id)].type();
  if (Uses(type.shape, kTrips)) {
    SetError(absl::InvalidArgumentError(absl::StrCat(
        "loop: ", ToString(type),
        ": a value with an axis `trips` is used whole inside of a loop's body; scan it "
        "instead (",
        ToString(LineOr(line)), ")")));
    return -1;
  }
  // Not the name of another input, which would then be taken for the capture.
  std::string name = absl::StrCat("capture", captures_.inputs.size());
  while (by_name_.contains(name)) name += "+";
  const NodeId id = AddInput(std::move(name), type, {});
  captured_[parent_id] = id;
  captures_.outer.push_back(Value(parent_, parent_id));
  captures_.inputs.push_back(id);
  return id;
}

std::optional<Value> TapeState::OuterOf(NodeId id) const {
  const auto it = absl::c_lower_bound(captures_.inputs, id);
  if (it == captures_.inputs.end() || *it != id) return std::nullopt;
  return captures_.outer[static_cast<size_t>(it - captures_.inputs.begin())];
}

const SourceLine& TapeState::LineOr(const SourceLine& line) const {
  return root_->has_line_ ? root_->line_ : line;
}

bool TapeState::OpenLine(const SourceLine& line) {
  if (root_->has_line_) return false;
  root_->line_ = line;
  root_->has_line_ = true;
  return true;
}

Tape::Tape() : state_(std::make_shared<TapeState>()) {}

Value Tape::Input(std::string_view name, DType dtype, Shape shape,
                  std::source_location where) const {
  const SourceLine line = LineOf(where);
  if (absl::Status status = CheckShape(shape); !status.ok()) {
    state_->SetError(absl::InvalidArgumentError(absl::StrCat(
        "input '", AbslView(name), "': ", status.message(), " (", ToString(line), ")")));
    return Value(state_, -1);
  }
  return Value(state_, state_->AddInput(std::string(name), {dtype, std::move(shape)}, line));
}

Value Tape::Constant(const Array& array, std::source_location where) const {
  const SourceLine line = LineOf(where);
  if (array.raw() == nullptr) {
    state_->SetError(
        absl::ResourceExhaustedError(absl::StrCat("constant: the array has no elements: no memory "
                                                  "was left for it, or its rows are of unequal "
                                                  "length (",
                                                  ToString(state_->LineOr(line)), ")")));
    return Value(state_, -1);
  }
  Node node;
  node.op = &kConstantOp;
  node.attributes = ConstantAttributes{array};
  node.types = {{array.dtype(), ToShape(array.dims())}};
  node.line = state_->LineOr(line);
  return Value(state_, state_->Append(std::move(node)));
}

namespace {

// A node without operands; the tape can not be found from them.
Value MakeLeaf(const std::shared_ptr<TapeState>& tape, const Op& op, Attributes attributes,
               const SourceLine& line) {
  absl::StatusOr<std::vector<Type>> types = op.infer(op, {}, attributes);
  if (!types.ok()) {
    tape->SetError(absl::InvalidArgumentError(absl::StrCat(
        op.name, ": ", types.status().message(), " (", ToString(tape->LineOr(line)), ")")));
    return Value(tape, -1);
  }
  Node node;
  node.op = &op;
  node.attributes = std::move(attributes);
  node.types = *std::move(types);
  node.line = tape->LineOr(line);
  return Value(tape, tape->Append(std::move(node)));
}

}  // namespace

Value Tape::Iota(Dim n, DType dtype, std::source_location where) const {
  return MakeLeaf(state_, kIotaOp, TypeAttributes{dtype, {n}}, LineOf(where));
}

Value Tape::Size(Dim symbol, std::source_location where) const {
  return MakeLeaf(state_, kSizeOp, SizeAttributes{symbol}, LineOf(where));
}

absl::Status Tape::status() const { return state_->status(); }

absl::StatusOr<Graph> Tape::Finish(absl::Span<const Value> outputs) const {
  if (!status().ok()) return status();
  std::vector<NodeId> ids;
  for (const Value& output : outputs) {
    if (!output.ok()) return output.status();
    if (output.tape() != state_) {
      const Node& node = output.node();
      const std::string line = ToString(node.line);
      return absl::InvalidArgumentError(
          absl::StrCat("output ", ids.size(), ", ", node.op->name, " of type ",
                       ToString(output.type()), ", is a value of another tape or of a loop's body",
                       line.empty() ? "" : " (", line, line.empty() ? "" : ")"));
    }
    ids.push_back(output.id());
  }
  return Extract(state_->nodes(), state_->inputs(), ids);
}

Graph Extract(const std::vector<Node>& nodes, absl::Span<const NodeId> inputs,
              absl::Span<const NodeId> outputs) {
  std::vector<bool> needed(nodes.size(), false);
  for (NodeId id : inputs) needed[static_cast<size_t>(id)] = true;
  for (NodeId id : outputs) needed[static_cast<size_t>(id)] = true;
  for (size_t i = nodes.size(); i-- > 0;) {
    if (!needed[i]) continue;
    for (NodeId id : nodes[i].operands) needed[static_cast<size_t>(id)] = true;
  }
  std::vector<NodeId> renumbered(nodes.size(), -1);
  std::vector<Node> kept;
  for (size_t i = 0; i < nodes.size(); i++) {
    if (!needed[i]) continue;
    renumbered[i] = static_cast<NodeId>(kept.size());
    Node node = nodes[i];
    for (NodeId& id : node.operands) id = renumbered[static_cast<size_t>(id)];
    kept.push_back(std::move(node));
  }
  const auto renumber = [&](absl::Span<const NodeId> ids) {
    std::vector<NodeId> out;
    for (NodeId id : ids) out.push_back(renumbered[static_cast<size_t>(id)]);
    return out;
  };
  return Graph(std::move(kept), renumber(inputs), renumber(outputs));
}

std::vector<Value> Inline(const Graph& graph, absl::Span<const Value> arguments,
                          const Value& like) {
  std::vector<Value> values(graph.nodes().size());
  for (size_t i = 0; i < graph.inputs().size(); i++) {
    values[static_cast<size_t>(graph.inputs()[i])] = arguments[i];
  }
  for (size_t i = 0; i < values.size(); i++) {
    const Node& node = graph.nodes()[i];
    if (node.kind() == Kind::kInput) continue;
    if (node.operands.empty() && node.kind() != Kind::kLoop) {
      values[i] = MakeLeaf(like.tape(), *node.op, node.attributes, node.line);
      continue;
    }
    std::vector<Value> operands;
    for (NodeId id : node.operands) operands.push_back(values[static_cast<size_t>(id)]);
    values[i] = MakeNode(*node.op, operands, node.attributes, node.line);
  }
  std::vector<Value> outputs;
  for (NodeId id : graph.outputs()) outputs.push_back(values[static_cast<size_t>(id)]);
  return outputs;
}

}  // namespace talweg
