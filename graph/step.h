#ifndef TALWEG_GRAPH_STEP_H_
#define TALWEG_GRAPH_STEP_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/engine.h"
#include "graph/graph.h"
#include "graph/tape.h"
#include "graph/value.h"

namespace talweg {

// A training loop of one's own: a graph computes the next parameters from the present ones, and
// somebody has to carry them from one run to the next. An Executable is immutable; what changes is
// a State, which belongs to the caller.
//
//   absl::StatusOr<Step> step = CompileStep(t, {{w, w - 0.1 * dw}}, {loss});
//   absl::StatusOr<State> state = step->Start({{"w", w0}});
//   for (const NamedArrays& batch : batches) {
//     absl::StatusOr<std::vector<Array>> out = step->Run(*state, batch);     // out: the loss
//   }
//   absl::StatusOr<Array> trained = state->Get("w");
//
// A Step is immutable and thread-safe, as the Executable in it. A State is a value: threads that
// share one take turns; each with a State of its own may run the same Step at the same time.

class Step;

// What a step carries from run to run, by name. Cheap to copy: a copy is where the training can go
// back to.
class State {
 public:
  // Copies only: one that was moved from would be none.
  State(const State& other) : layout_(other.layout_), arrays_(other.arrays_) {}
  State& operator=(const State& other) {
    layout_ = other.layout_;
    arrays_ = other.arrays_;
    return *this;
  }

  // The names, in the order of the step.
  const std::vector<std::string>& names() const;
  // Error: there is no such name.
  absl::StatusOr<Array> Get(std::string_view name) const;
  // Errors: there is no such name; another element type or shape than the step has.
  absl::Status Set(std::string_view name, const Array& array);
  // All of them, as SaveArrays (data/safetensors.h) and Step::Start take them.
  NamedArrays Arrays() const;

 private:
  friend class Step;
  struct Layout;
  State(std::shared_ptr<const Layout> layout, std::vector<Array> arrays);

  std::shared_ptr<const Layout> layout_;  // that of the step
  std::vector<Array> arrays_;
  // By outputs of the graph: the values before, whose memory the next run may take.
  std::vector<Array> before_;
};

// Which output of a graph is the next value of which input.
struct StatePair {
  std::string input;
  size_t output = 0;
};

class Step {
 public:
  // Errors, each with the name: an input that the graph has not or that is given twice, an output
  // that it has not or that is another's next value, a type that differs between the two.
  static absl::StatusOr<Step> Make(Executable executable, const std::vector<StatePair>& state);

  // Where to begin. Errors: an array is missing, unknown, or of another element type or shape.
  absl::StatusOr<State> Start(const NamedArrays& arrays) const;

  // Runs once: `inputs` by name, all but those of the state; returns the outputs that are not
  // state, in their order. The state has its next values then, which are the arrays that the run
  // made: nothing is copied. After an error the state is as it was. Where the engine can (the JIT),
  // the run after it writes into the old values, unless somebody else has them, too: in the loop no
  // memory is asked for but that of other outputs, and a state takes that of two.
  // Errors: those of Executable::Run; a state of another step.
  absl::StatusOr<std::vector<Array>> Run(State& state, const NamedArrays& inputs,
                                         const RunOptions& options = {}) const;
  // The same with inputs in the order of the graph's that are not state. For the shortest steps.
  absl::StatusOr<std::vector<Array>> Call(State& state, absl::Span<const Array> inputs,
                                          const RunOptions& options = {}) const;

  const Executable& executable() const { return executable_; }

 private:
  Step(Executable executable, std::shared_ptr<const State::Layout> layout);

  Executable executable_;
  std::shared_ptr<const State::Layout> layout_;
};

// An input of a tape and its next value.
struct Carry {
  Value value, next;
};

// The graph of a step: the next values, then the outputs. Errors: a carried value that is no input;
// those of Tape::Finish.
struct StepGraph {
  Graph graph;
  std::vector<StatePair> state;
};
absl::StatusOr<StepGraph> MakeStepGraph(const Tape& tape, absl::Span<const Carry> carried,
                                        absl::Span<const Value> outputs);

}  // namespace talweg

#endif  // TALWEG_GRAPH_STEP_H_
