#ifndef TALWEG_INTERPRETER_PROGRAM_H_
#define TALWEG_INTERPRETER_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/memory.h"
#include "graph/engine.h"
#include "graph/graph.h"
#include "interpreter/plan.h"

namespace talweg {

// A graph made ready to run, with the bodies of its loops as programs inside: what is known without
// the values of the run-time symbols. Plans for those values are made on demand and kept. Immutable
// from outside, thread-safe.
class Program {
 public:
  // Of a graph that Verify accepts. `depth` counts the loops around it; `wide` allows AVX2 and FMA;
  // `loop` is what the graph is the body of, if it is one.
  static absl::StatusOr<std::unique_ptr<Program>> Make(std::shared_ptr<const Graph> graph,
                                                       bool wide, int32_t depth,
                                                       const LoopAttributes* loop = nullptr);

  const Graph& graph() const { return *graph_; }
  bool wide() const { return wide_; }
  int32_t depth() const { return depth_; }
  // Whether its loops run again later: they may be told to stop, but are counted then.
  bool runs_again() const { return runs_again_; }
  // Whether some computed output needs the node.
  bool needed(NodeId id) const { return needed_[static_cast<size_t>(id)]; }
  // The input that output k is, or -1 if it is computed. In a loop's body only a carried value that
  // is its own next value counts.
  int32_t passed_through(size_t k) const { return passed_through_[k]; }
  // The bodies of the loops, and which one is that of a loop node.
  const std::vector<std::unique_ptr<Program>>& bodies() const { return bodies_; }
  int32_t body_index(NodeId loop) const { return body_index_.at(loop); }
  // Computes, from the same inputs, the numbers of trips of the loops whose length is the symbol
  // `trips`; null if there are none.
  const Program* trips() const { return trips_.get(); }

  // The plan for these values. Errors: memory or shapes that can not be.
  absl::StatusOr<std::shared_ptr<const Plan>> PlanFor(const SymbolValues& symbols) const;

 private:
  Program() = default;
  absl::Status AddBodies();
  absl::Status AddTrips();

  std::shared_ptr<const Graph> graph_;
  bool wide_ = false;
  int32_t depth_ = 0;
  bool runs_again_ = false;
  std::vector<bool> needed_;
  std::vector<int32_t> passed_through_;
  std::vector<std::unique_ptr<Program>> bodies_;
  absl::flat_hash_map<NodeId, int32_t> body_index_;
  std::unique_ptr<Program> trips_;

  mutable std::mutex mutex_;  // of plans_; std, as the thread sanitizer sees through it
  mutable std::vector<std::shared_ptr<const Plan>> plans_;
};

// What belongs to one call of an executable.
struct CallState {
  const RunOptions* options = nullptr;
  absl::Status status;  // the first error
  void SetError(absl::Status error) {
    if (status.ok()) status = std::move(error);
  }
};

// The scratch memory of a program in one call: an arena that all of its plans share (they never run
// at the same time) and a frame for each of the last few values of the symbols, so that fifteen
// batches of 32 and one of 20 are planned twice, not sixteen times. Has a state for each loop's
// body inside.
class ProgramState {
 public:
  ProgramState(const Program& program, CallState& call) : program_(program), call_(call) {}

  const Program& program() const { return program_; }
  CallState& call() { return call_; }
  ProgramState& body(int32_t index);

  // Completes `symbols` with the number of trips where only the loops themselves know it. False on
  // an error, which the call then has.
  bool BindTrips(absl::Span<std::byte* const> inputs, SymbolValues& symbols);
  // A frame for these values, with the pointers of constants and of the arena set. Null on an
  // error, which the call then has.
  Frame* Activate(const SymbolValues& symbols);

 private:
  Frame* AddFrame(const SymbolValues& symbols);
  bool Reserve(const Plan& plan);

  const Program& program_;
  CallState& call_;
  std::vector<std::unique_ptr<Frame>> frames_;
  Frame* last_ = nullptr;
  std::unique_ptr<std::byte[], MemoryDeleter> arena_;
  int64_t arena_bytes_ = 0;
  std::vector<std::unique_ptr<ProgramState>> bodies_;
  std::unique_ptr<ProgramState> trips_;
  std::vector<int64_t> trip_counts_;
};

}  // namespace talweg

#endif  // TALWEG_INTERPRETER_PROGRAM_H_
