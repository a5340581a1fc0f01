#ifndef TALWEG_TESTS_INTERPRETER_RUN_H_
#define TALWEG_TESTS_INTERPRETER_RUN_H_

#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "tests/graphs/engines.h"

namespace talweg {

// On the interpreter alone: for graphs that nothing else could run in time or memory.
inline absl::StatusOr<std::vector<Array>> TryInterpret(const Tape& tape,
                                                       const std::vector<Value>& outputs,
                                                       const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = tape.Finish(outputs);
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> executable = Interpret(*graph);
  if (!executable.ok()) return executable.status();
  return executable->Run(inputs);
}

// On all engines, which must agree (tests/graphs/engines.h): what a kind of node means is tested
// once for all of them.
inline absl::StatusOr<std::vector<Array>> TryRun(const Tape& tape,
                                                 const std::vector<Value>& outputs,
                                                 const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = tape.Finish(outputs);
  if (!graph.ok()) return graph.status();
  absl::StatusOr<std::vector<Array>> arrays = RunOnAllEngines(*graph, inputs);
  EXPECT_FALSE(absl::IsInternal(arrays.status())) << arrays.status();
  return arrays;
}

// The outputs on all engines. Empty and a failed test where something goes wrong.
inline std::vector<Array> MustRun(const Tape& tape, const std::vector<Value>& outputs,
                                  const NamedArrays& inputs) {
  const absl::StatusOr<std::vector<Array>> arrays = TryRun(tape, outputs, inputs);
  EXPECT_TRUE(arrays.ok()) << arrays.status();
  if (!arrays.ok()) return {};
  return *arrays;
}

}  // namespace talweg

#endif  // TALWEG_TESTS_INTERPRETER_RUN_H_
