#ifndef TALWEG_JIT_WIDEN_H_
#define TALWEG_JIT_WIDEN_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/tape.h"
#include "graph/value.h"

namespace talweg {

// What graphs are instrumented with: a graph is copied node by node to a tape, where more can be
// computed beside it; and a loop is made again with more that it captures and carries.

// The node on a tape, with these operands in place of its own.
Value CopyNode(const Tape& tape, const Node& node, absl::Span<const Value> operands);

// The inputs of a graph on a tape, under their names.
std::vector<Value> CopyInputs(const Tape& tape, const Graph& graph);

// A loop's body while it is made again.
struct WideBody {
  Tape tape;
  std::vector<Value> inputs;             // those of the old body, in its order
  std::vector<Value> captured, carried;  // what there is besides
};

struct WideStep {
  std::vector<Value> outputs;  // those of the old body, in its order
  std::vector<Value> carried;  // the next values of what is carried besides
};

struct WideLoop {
  std::vector<Value> parts;    // those of the old loop, in its order
  std::vector<Value> carried;  // what was carried besides, after the last trip
};

// The loop with these operands (the old loop's, in its order), which captures and carries more. The
// function makes the body. Errors: those of the function and of its tape.
absl::StatusOr<WideLoop> Widen(const Tape& tape, const Node& loop, absl::Span<const Value> operands,
                               absl::Span<const Value> captured, absl::Span<const Value> carried,
                               const std::function<absl::StatusOr<WideStep>(WideBody&)>& body);

}  // namespace talweg

#endif  // TALWEG_JIT_WIDEN_H_
