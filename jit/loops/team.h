#ifndef TALWEG_JIT_LOOPS_TEAM_H_
#define TALWEG_JIT_LOOPS_TEAM_H_

#include <fenv.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "jit/loops/runtime.h"

namespace talweg::loops {

// The threads that help the one that runs a program in its parallel loops (private to jit/loops).
// A loop is cut into pieces, and whoever has time takes the next one, the caller among them: a
// thread that the system has put aside delays no more than the piece that it holds. Between two
// loops helpers spin for a while, then they sleep. They block all signals.
//
// In a child of a fork there are no helpers, and the caller does all the work; for a run that
// begins there TeamPool makes another team.
class Team {
 public:
  // Helpers for a caller that wants `threads` in all, each with a block of so many bytes of its
  // own. As many of them as the system has threads and memory for; null where that is none.
  static std::unique_ptr<Team> Make(int threads, int64_t block_bytes);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  // Runs a loop's trips begin, begin + step, ... below `end` in so many pieces, and returns when
  // all are done. By one thread at a time.
  void Run(const Context& context, ParallelBody body, const void* captured, int64_t begin,
           int64_t end, int64_t step, int64_t pieces);

  int threads() const { return static_cast<int>(helpers_.size()) + 1; }
  // Of each helper's block.
  int64_t block_bytes() const { return block_bytes_; }
  // How many Make was asked for.
  int wanted() const { return wanted_; }
  // Whether the helpers are there: not in a child of the process that made them.
  bool is_here() const { return getpid() == maker_; }

 private:
  struct Helper {
    Team* team = nullptr;
    pthread_t thread = {};
    std::byte* block = nullptr;
  };
  struct Job {
    Context context;
    ParallelBody body = nullptr;
    const void* captured = nullptr;
    int64_t begin = 0, end = 0, step = 1, trips = 0, pieces = 0;
    fenv_t floats = {};  // how the caller rounds, and what becomes of denormals
  };

  Team() = default;
  static void* Work(void* helper);
  void Work(const Helper& helper);
  void TakePieces(Context& context);

  // One word says all that threads must agree on: the lowest bit whether a job is open to helpers
  // (or, with kEnd, that there will be none any more), then how many are inside of it, then its
  // number. The job changes only while it is closed and nobody is inside.
  static constexpr uint32_t kOpen = 1, kEnd = 2, kInside = 4, kNumber = 1 << 14;
  alignas(64) std::atomic<uint32_t> state_{0};
  alignas(64) std::atomic<int64_t> next_{0};  // piece
  alignas(64) Job job_;
  std::vector<std::unique_ptr<Helper>> helpers_;
  int wanted_ = 0;
  int64_t block_bytes_ = 0;
  const pid_t maker_ = getpid();
};

// Threads that sleep until a run of any of the programs that share the pool wants them: a few teams
// at most, however many programs there are. Thread-safe.
class TeamPool {
 public:
  TeamPool() = default;
  TeamPool(const TeamPool&) = delete;
  TeamPool& operator=(const TeamPool&) = delete;
  ~TeamPool();

  // A team as Team::Make makes it, whose blocks may be larger; null where there is none to be had.
  std::unique_ptr<Team> Take(int threads, int64_t block_bytes);
  // Teams with little memory of their own are kept; others end, and so does the one that was kept
  // for longest where there are enough.
  void Give(std::unique_ptr<Team> team);

 private:
  // Without a lock, which a fork could leave locked.
  std::array<std::atomic<Team*>, 4> kept_{};
  std::atomic<size_t> next_{0};
};

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_TEAM_H_
