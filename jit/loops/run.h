#ifndef TALWEG_JIT_LOOPS_RUN_H_
#define TALWEG_JIT_LOOPS_RUN_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "jit/loops/runtime.h"
#include "jit/loops/team.h"

namespace talweg::loops {

// One call of a program: its memory, its outputs, and the first thing that went wrong. Generated
// code knows it by the functions of runtime.h only; the evaluator also asks for sizes.
class Run {
 public:
  Run(const RunTables& tables, const Graph& graph, absl::Span<const Array> inputs,
      const SymbolValues& symbols, const RunOptions& options, RunPool* pool);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run();

  // Allocates the arena, and the outputs if their shapes are known. False on an error.
  bool Prepare();
  // What the caller gets after the body returned `finished`.
  absl::StatusOr<std::vector<Array>> Finish(bool finished);

  Context* context() { return &context_; }
  const RunTables& tables() const { return tables_; }
  const RunOptions& options() const { return options_; }
  const absl::Status& status() const { return status_; }
  // What lies behind a slot of the table; 0 where there is no memory yet or any more.
  int64_t bytes(int32_t slot) const { return bytes_[static_cast<size_t>(slot)]; }

  // Later errors are not kept.
  void SetError(absl::Status status);
  // Allocates the outputs. False on an error.
  bool MakeOutputs();
  bool Allocate(int32_t slot, int32_t site, int64_t elements, int64_t element_size);
  int64_t Mark() const { return static_cast<int64_t>(live_.size()); }
  void Release(int64_t mark);

  // Who helps in parallel loops; null where this thread is alone.
  Team* team();

 private:
  // The arena, and behind it this thread's own block. A little even for a program that needs none,
  // so that no pointer into it is null.
  int64_t thread_place() const { return (tables_.arena_bytes + 63) / 64 * 64; }
  int64_t arena_bytes() const {
    return std::max<int64_t>(thread_place() + tables_.thread_bytes, 64);
  }
  bool OutputsAreKnown() const;
  bool IsWorthKeeping(const RunMemory& memory) const;
  // Of what the caller lends, the memory that output k may take; null where there is none.
  Array* Reusable(size_t k, const SymbolValues& symbols) const;
  absl::StatusOr<Array> NewOutput(size_t k, const SymbolValues& symbols) const;
  void SetSlot(int32_t slot, const std::byte* memory, int64_t bytes);

  const RunTables& tables_;
  const Graph& graph_;
  const absl::Span<const Array> inputs_;
  const RunOptions& options_;
  Context context_;
  absl::Status status_;
  absl::InlinedVector<std::byte*, 32> table_;
  absl::InlinedVector<int64_t, 32> bytes_;
  std::vector<Array> outputs_;
  RunPool* const pool_;
  std::unique_ptr<Team> team_;
  bool has_team_ = false;  // or has asked for one in vain
  std::unique_ptr<RunMemory> memory_;
  std::vector<int32_t> live_;  // the slots of the dynamic buffers, by age
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_RUN_H_
