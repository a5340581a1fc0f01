#include "graph/engine.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace talweg {
namespace {

// Takes a symbol's value from an extent, or says that it contradicts an earlier one.
bool Bind(Dim dim, int64_t extent, SymbolValues& symbols) {
  if (dim.is_static()) return dim.value() == extent;
  int64_t& value = dim == kRows ? symbols.rows : symbols.trips;
  if (value < 0) value = extent;
  return value == extent;
}

absl::Status Check(std::string_view name, const Type& type, const Array& array,
                   SymbolValues& symbols) {
  const auto fail = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("input '", AbslView(name), "': ", ToString(type), " expected, ",
                     Name(array.dtype()), ToString(array.dims()), " given", AbslView(what)));
  };
  if (array.raw() == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("input '", AbslView(name),
                     "': the array has no elements: no memory was left for it, or its "
                     "rows are of unequal length"));
  }
  if (array.dtype() != type.dtype) return fail("; Array::Cast converts");
  if (array.dims().size() != type.shape.size()) return fail("");
  for (size_t axis = 0; axis < type.shape.size(); axis++) {
    if (Bind(type.shape[axis], array.dims()[axis], symbols)) continue;
    if (type.shape[axis].is_static()) return fail("");
    return fail(absl::StrCat("; another input has ", symbols.Of(type.shape[axis]), " ",
                             type.shape[axis].ToString()));
  }
  return absl::OkStatus();
}

}  // namespace

Executable::Executable(std::shared_ptr<const Graph> graph, RunFunction run)
    : graph_(std::move(graph)), run_(std::move(run)) {}

absl::StatusOr<std::vector<Array>> Executable::Run(const NamedArrays& inputs,
                                                   const RunOptions& options) const {
  std::vector<Array> ordered;
  for (size_t i = 0; i < graph_->inputs().size(); i++) {
    const auto it = inputs.find(graph_->input_name(i));
    if (it == inputs.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input '", graph_->input_name(i), "' ", ToString(graph_->input_type(i)), " is missing"));
    }
    ordered.push_back(it->second);
  }
  if (inputs.size() > ordered.size()) {
    absl::flat_hash_set<absl::string_view> known;
    for (size_t i = 0; i < ordered.size(); i++) known.insert(graph_->input_name(i));
    for (const auto& [name, array] : inputs) {
      if (known.contains(name)) continue;
      return absl::InvalidArgumentError(absl::StrCat("the graph has no input '", name, "'"));
    }
  }
  return Call(ordered, options);
}

absl::StatusOr<std::vector<Array>> Executable::Call(absl::Span<const Array> inputs,
                                                    const RunOptions& options) const {
  if (inputs.size() != graph_->inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat("the graph has ", graph_->inputs().size(),
                                                   " inputs, ", inputs.size(), " given"));
  }
  SymbolValues symbols;
  for (size_t i = 0; i < inputs.size(); i++) {
    const absl::Status status =
        Check(graph_->input_name(i), graph_->input_type(i), inputs[i], symbols);
    if (!status.ok()) return status;
  }
  if (options.threads < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("run: threads is ", options.threads, "; 0 stands for all there are"));
  }
  return run_(inputs, symbols, options);
}

NodeFrame FrameOf(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  NodeFrame frame{.before = node.op->name, .after = ""};
  const auto type = [&](size_t i) { return ToString(graph.node(node.operands[i]).type()); };
  if (!node.operands.empty()) {
    absl::StrAppend(&frame.before, ": ", JoinTypes(node.operands.size(), type));
  }
  frame.before += ": ";
  const std::string line = ToString(node.line);
  if (!line.empty()) frame.after = absl::StrCat(" (", line, ")");
  return frame;
}

absl::Status NodeError(absl::StatusCode code, const Graph& graph, NodeId id,
                       absl::string_view what) {
  const NodeFrame frame = FrameOf(graph, id);
  return absl::Status(code, absl::StrCat(frame.before, what, frame.after));
}

}  // namespace talweg
