#ifndef TALWEG_TESTS_GRAPHS_ENGINES_H_
#define TALWEG_TESTS_GRAPHS_ENGINES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/engine.h"
#include "graph/graph.h"
#include "graph/value.h"

namespace talweg {

// Everything that runs graphs. All must agree to the bit (NaNs as a class), so whatever is tested
// by these functions is tested on all of them; a new engine is a line of engines.cc.
struct NamedEngine {
  const char* name;
  absl::StatusOr<Executable> (*make)(const Graph& graph);
};
absl::Span<const NamedEngine> AllEngines();

// Runs a graph on all engines, twice on the first. The outputs; or the error, if all say the same;
// or, as an internal error, which two differ where.
absl::StatusOr<std::vector<Array>> RunOnAllEngines(const Graph& graph, const NamedArrays& inputs);
// The same for values of a tape.
absl::StatusOr<std::vector<Array>> RunOnAllEngines(const std::vector<Value>& outputs,
                                                   const NamedArrays& inputs);

}  // namespace talweg

#endif  // TALWEG_TESTS_GRAPHS_ENGINES_H_
