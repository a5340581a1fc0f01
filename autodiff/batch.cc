#include "autodiff/batch.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/batch_rules.h"
#include "graph/tape.h"
#include "graph/verify.h"

namespace talweg {

absl::StatusOr<Batched> Batch(const Graph& graph, absl::Span<const std::string> inputs,
                              int64_t size) {
  if (size < 0) {
    return absl::InvalidArgumentError(absl::StrCat("batch: ", size, " instances"));
  }
  if (absl::Status s = Verify(graph); !s.ok()) return s;
  std::vector<bool> chosen(graph.inputs().size(), false);
  for (const std::string& name : inputs) {
    size_t i = 0;
    while (i < chosen.size() && graph.input_name(i) != name) i++;
    if (i == chosen.size()) {
      return absl::NotFoundError(absl::StrCat("batch: the graph has no input '", name, "'"));
    }
    if (chosen[i]) {
      return absl::InvalidArgumentError(absl::StrCat("batch: input '", name, "' is chosen twice"));
    }
    chosen[i] = true;
  }
  std::map<NodeId, LoopSpread> loops;
  DependsOnInstance(graph, chosen, loops);

  Tape tape;
  std::vector<Lanes> values;
  for (size_t i = 0; i < chosen.size(); i++) {
    Type type = graph.input_type(i);
    if (chosen[i]) type.shape.insert(type.shape.begin(), size);
    const SourceLine& line = graph.node(graph.inputs()[i]).line;
    const NodeId id = tape.state()->AddInput(graph.input_name(i), std::move(type), line);
    values.push_back({Value(tape.state(), id), chosen[i]});
  }
  const absl::StatusOr<std::vector<Lanes>> made =
      BatchNodes({.tape = tape, .size = size}, graph, values, loops);
  if (!made.ok()) return made.status();
  Batched batched;
  std::vector<Value> outputs;
  for (const Lanes& output : *made) {
    outputs.push_back(output.value);
    batched.outputs.push_back(output.batched);
  }
  absl::StatusOr<Graph> finished = tape.Finish(outputs);
  if (!finished.ok()) return finished.status();
  batched.graph = *std::move(finished);
  return batched;
}

}  // namespace talweg
