#ifndef TALWEG_JIT_PASSES_PIPELINE_H_
#define TALWEG_JIT_PASSES_PIPELINE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace talweg::passes {

// What happens to a graph before it is lowered. A pass takes a graph that Verify accepts and gives
// one of the same inputs and outputs, whose outputs have the same bits on every engine (NaNs as a
// class); bodies of loops are passed too. It keeps nothing and sees nothing else, so that passes
// run in any order, alone or not at all.
//
// Two things that are not an output may change. What could fail at run time in a part that no
// output needs does not fail any more. And loops may be fewer or other ones, so that a run counts
// other trips of outermost loops (RunOptions::progress).
struct Pass {
  const char* name;
  Graph (*run)(const Graph& graph);
};

// All passes, in the order in which they run.
absl::Span<const Pass> Passes();

// In the list of what to leave out: every pass.
inline constexpr char kAllPasses[] = "all";

// What a log of a run is made of.
struct PassRun {
  const char* name;     // of the pass
  const Graph& before;  // what it was given
  const Graph& after;   // what it made
  bool changed;         // whether these differ
  absl::Duration time;
};

struct PassOptions {
  // Names of passes to leave out.
  std::vector<std::string> without = {};
  // Check each result by Verify; costs about as much as the passes.
  bool verify = false;
  // Called after each pass.
  std::function<void(const PassRun&)> log = nullptr;
};

// Runs the passes of the list, round after round, until no pass finds anything to do (or for
// kMaxRounds, which only graphs made for it reach). Errors: a name that no pass has; a pass's
// result that Verify refuses, which is a mistake of ours.
absl::StatusOr<Graph> RunPasses(const Graph& graph, const PassOptions& options = {});

inline constexpr int kMaxRounds = 10;

}  // namespace talweg::passes

#endif  // TALWEG_JIT_PASSES_PIPELINE_H_
