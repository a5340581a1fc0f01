#ifndef TALWEG_GRAPH_ENGINE_H_
#define TALWEG_GRAPH_ENGINE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/graph.h"
#include "graph/tape.h"

namespace talweg {

// What the caller of a run may say to it and read from it while it runs.
struct RunOptions {
  // When another thread sets it, each outermost loop ends after its present trip, as if its stop
  // predicate had come true; the run then returns normally, with the trips that were run.
  //
  // Reversed loops ignore it and run all of their trips: with trip 0, which they visit last, the
  // way back of a gradient begins, and it would have to begin at a trip that was not run. So do
  // loops that are to run whole (ops/loop.h).
  //
  // A derivative runs the loops that it goes through once more, which are loops as others; the way
  // back of a gradient goes through all of the trips that were run.
  const std::atomic<bool>* stop = nullptr;
  // Counts the finished trips of outermost loops, but for those of a gradient's way back and those
  // that something else is made of (random numbers of many instances, a Jacobian).
  std::atomic<int64_t>* progress = nullptr;
  // How many threads may share the work of a large step, the caller's among them; the bits do not
  // depend on it. 0: as many as the machine lends; 1: the caller's only.
  int threads = 0;
  // Memory for outputs: where the k-th of these arrays has the type and shape of the k-th output,
  // and is the sole owner of its elements (and no input), an engine may take it from here and write
  // the output there. In a loop of large steps the system then need not find new memory each time;
  // a Step (graph/step.h) does this by itself. Not for two runs at once.
  std::vector<Array>* reuse = nullptr;
};

// What an engine makes of a graph: a function from checked inputs, in the order of graph.inputs(),
// to outputs. `symbols` are the values of the run-time dimensions, read from the inputs' shapes.
// Must be callable from many threads at once. An index out of range does not crash: it is clamped,
// and the run returns a Status that says which op and line.
using RunFunction = std::function<absl::StatusOr<std::vector<Array>>(
    absl::Span<const Array> inputs, const SymbolValues& symbols, const RunOptions& options)>;

// A graph that runs. Immutable and thread-safe; cheap to copy.
//
//   absl::StatusOr<Executable> f = Compile(tape, {loss, dw});
//   absl::StatusOr<std::vector<Array>> out = f->Run({{"x", x}, {"w", w}});
class Executable {
 public:
  Executable(std::shared_ptr<const Graph> graph, RunFunction run);

  // Inputs by name. Errors, each naming the input: one is missing, one is unknown, an element type
  // or a shape does not fit, two inputs disagree on the number of rows or trips. Or threads below
  // 0.
  absl::StatusOr<std::vector<Array>> Run(const NamedArrays& inputs,
                                         const RunOptions& options = {}) const;
  // Inputs in the order of graph().inputs(); checked in the same way.
  absl::StatusOr<std::vector<Array>> Call(absl::Span<const Array> inputs,
                                          const RunOptions& options = {}) const;

  const Graph& graph() const { return *graph_; }

 private:
  std::shared_ptr<const Graph> graph_;
  RunFunction run_;
};

// Anything that makes graphs runnable: the interpreter, the JIT.
using Engine = std::function<absl::StatusOr<Executable>(const Graph&)>;

// How engines word what is wrong with a node: `before` what `after`, where `before` is
// "gather: float32[5,2] x int32[3]: " and `after` " (model.cc:14)".
struct NodeFrame {
  std::string before, after;
};
NodeFrame FrameOf(const Graph& graph, NodeId id);
absl::Status NodeError(absl::StatusCode code, const Graph& graph, NodeId id,
                       absl::string_view what);

}  // namespace talweg

#endif  // TALWEG_GRAPH_ENGINE_H_
