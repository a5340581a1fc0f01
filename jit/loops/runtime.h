#ifndef TALWEG_JIT_LOOPS_RUNTIME_H_
#define TALWEG_JIT_LOOPS_RUNTIME_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "base/memory.h"
#include "graph/engine.h"
#include "graph/graph.h"
#include "jit/loops/ir.h"

namespace talweg::loops {

class Run;
class Team;
class TeamPool;

// What generated code sees of a run. The fields' order is its interface (jit/llvm reads them by
// their offsets).
struct Context {
  std::byte* arena = nullptr;
  std::byte** table = nullptr;  // RunTables::slots() pointers
  int64_t rows = -1, trips = -1;
  std::byte* thread = nullptr;  // RunTables::thread_bytes of this thread's own
  Run* run = nullptr;
};

// The trips of a parallel loop from `begin` to `end`, with what it uses from around it.
using ParallelBody = void (*)(Context* context, const void* captured, int64_t begin, int64_t end);

// A program's body as something that runs: generated code, or the evaluator. False (0) where the
// run ended early; the context's Run has the reason then.
using Body = std::function<bool(Context*)>;

// Memory for what a run keeps between inputs and outputs, as NewMemory makes it. A few megabytes
// are zero, which takes no time that counts. More than that may be anything.
//
// Generated code computes with what is left between the rows of a buffer, for nobody, where it does
// not pay to leave it out. What the allocator leaves there are addresses and integers: denormal
// numbers, for which processors take a hundred times as long as for others.
std::byte* NewRunMemory(int64_t bytes);

// The memory of a run, besides its outputs.
struct RunMemory {
  struct Block {
    // None, and 0 bytes, where there is none to be had.
    void Make(int64_t wanted);

    std::unique_ptr<std::byte[], MemoryDeleter> memory;
    int64_t bytes = 0;
  };
  Block arena;
  // By age. There may be more of them than buffers: what a release frees waits for the next
  // allocation at the same height of the stack, which in a loop is the same one of the trip before.
  std::vector<Block> dynamic;

  int64_t bytes() const;
};

// What the last run of a program left to the next one: its memory, since a run of a microsecond has
// no time for the allocator, and a larger one little for new pages (what is worth keeping says
// Run::IsWorthKeeping). The threads that helped it wait for the runs of all programs that share
// `teams`. Thread-safe; runs at the same time have memory and threads of their own.
class RunPool {
 public:
  explicit RunPool(std::shared_ptr<TeamPool> teams);
  RunPool(const RunPool&) = delete;
  RunPool& operator=(const RunPool&) = delete;
  ~RunPool();

  std::unique_ptr<RunMemory> Take();
  void Give(std::unique_ptr<RunMemory> memory);

  TeamPool& teams() { return *teams_; }

 private:
  std::atomic<RunMemory*> memory_{nullptr};
  const std::shared_ptr<TeamPool> teams_;
};

// Calls the body of a program with these tables, lowered from `graph`, once: makes arena and
// outputs, and turns what went wrong into a Status. Inputs and symbols are as RunFunction has them.
// The pool, if there is one, is for this program only.
absl::StatusOr<std::vector<Array>> RunProgram(const RunTables& tables, const Graph& graph,
                                              const Body& body, absl::Span<const Array> inputs,
                                              const SymbolValues& symbols,
                                              const RunOptions& options, RunPool* pool = nullptr);

// The functions that generated code calls, besides those of the C library. Those that return int32
// return 0 where the run has to end.
extern "C" {
// `active`: a byte a lane, or null for all.
void talweg_index_error(Context* context, int32_t site, const int64_t* indices,
                        const uint8_t* active, int32_t lanes, int64_t extent);
void talweg_fail(Context* context, int32_t site, int64_t a, int64_t b);
int32_t talweg_bind_trips(Context* context, int64_t trips);
int32_t talweg_allocate(Context* context, int32_t slot, int32_t site, int64_t elements,
                        int32_t element_size);
int64_t talweg_mark(Context* context);
void talweg_release(Context* context, int64_t mark);
void talweg_random(Context* context, int32_t which, int64_t key, int64_t stream, int64_t n,
                   std::byte* out);
// 1 where the caller asks to stop.
int32_t talweg_poll(Context* context);
// A parallel loop of non-empty range whose trips cost so many cycles each.
void talweg_parallel(Context* context, ParallelBody body, const void* captured, int64_t begin,
                     int64_t end, int64_t step, int64_t cost);
}

// All symbols that generated code may refer to: those above, the functions of graph/functions.h,
// and what a machine without the instruction needs (fma, floor ...). Nothing else resolves.
struct RuntimeSymbol {
  const char* name;
  void* address;
};
absl::Span<const RuntimeSymbol> RuntimeSymbols();

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_RUNTIME_H_
