#ifndef TALWEG_TESTS_INTERPRETER_RUN_H_
#define TALWEG_TESTS_INTERPRETER_RUN_H_

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"

namespace talweg {

inline absl::StatusOr<std::vector<Array>> TryRun(const Tape& tape,
                                                 const std::vector<Value>& outputs,
                                                 const NamedArrays& inputs,
                                                 const RunOptions& options = {}) {
  const absl::StatusOr<Graph> graph = tape.Finish(outputs);
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> executable = Interpret(*graph);
  if (!executable.ok()) return executable.status();
  return executable->Run(inputs, options);
}

// The outputs, after a check that the same comes out without vector instructions. Empty and a
// failed test where something goes wrong.
inline std::vector<Array> RunBoth(const Tape& tape, const std::vector<Value>& outputs,
                                  const NamedArrays& inputs) {
  const absl::StatusOr<std::vector<Array>> arrays = TryRun(tape, outputs, inputs);
  EXPECT_TRUE(arrays.ok()) << arrays.status();
  if (!arrays.ok()) return {};
  const absl::StatusOr<Executable> portable = InterpretPortably(*tape.Finish(outputs));
  EXPECT_TRUE(portable.ok()) << portable.status();
  const absl::StatusOr<std::vector<Array>> others = portable->Run(inputs);
  EXPECT_TRUE(others.ok()) << others.status();
  for (size_t i = 0; others.ok() && i < arrays->size(); i++) {
    EXPECT_TRUE(SameBits((*arrays)[i], (*others)[i]))
        << "AVX2 " << (*arrays)[i].ToString() << ", without " << (*others)[i].ToString();
  }
  return *arrays;
}

}  // namespace talweg

#endif  // TALWEG_TESTS_INTERPRETER_RUN_H_
