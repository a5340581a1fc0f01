#ifndef TALWEG_JIT_PROFILE_H_
#define TALWEG_JIT_PROFILE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/types/span.h"
#include "graph/engine.h"
#include "graph/graph.h"
#include "jit/compile.h"

namespace talweg {

// What is known of one compiled function. What is counted while it runs may be counted by many
// threads at once.
struct Profile {
  std::string name;  // what it is, for people
  CompileTimes compile;
  bool timed = false;  // whether the rest but for `runs` is measured
  std::atomic<int64_t> runs{0}, nanoseconds{0};
  std::atomic<double> flop{0};
};

// "42 nodes at model.cc:14": the size of a graph, and the user's line that made its first output.
std::string NameOf(const Graph& graph);

// The run, counted. If it is to be timed, `run` is that of CountFlop's graph, whose last output it
// takes off.
RunFunction Counting(RunFunction run, std::shared_ptr<Profile> profile);

// A table for people, a line a function:
//
//   compiled function      passes lower llvm    ms cached runs   ms us/run GFLOP GFLOP/s  peak
//   42 nodes at model.cc:14   0.6   0.4  9.1  10.3         100 0.21   2.10 0.004   17.99 21.0%
//
// The times of a compile are milliseconds, `ms` the sum of all; then come those of its runs. The
// shares are of `peak`, in 1e9 float32 operations a second.
std::string TableOf(absl::Span<const std::shared_ptr<const Profile>> profiles, double peak);

}  // namespace talweg

#endif  // TALWEG_JIT_PROFILE_H_
