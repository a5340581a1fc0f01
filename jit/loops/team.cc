#include "jit/loops/team.h"

#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <chrono>

#include "base/memory.h"

namespace talweg::loops {
namespace {

// How long a helper looks out for the next loop before it sleeps: longer than what lies between two
// large loops of a step, shorter than anybody notices.
constexpr std::chrono::microseconds kSpin(50);
constexpr int kLooks = 64;  // between two looks at the clock

void Pause() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

}  // namespace

std::unique_ptr<Team> Team::Make(int threads, int64_t block_bytes) {
  // As many helpers as the word has bits for.
  const int most = std::min(threads, static_cast<int>(kNumber / kInside) - 1);
  if (most < 2) return nullptr;
  std::unique_ptr<Team> team(new Team);
  team->wanted_ = threads;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  block_bytes = std::max<int64_t>(block_bytes, 64);
  team->block_bytes_ = block_bytes;
  for (int i = 1; i < most; i++) {
    auto helper = std::make_unique<Helper>();
    helper->team = team.get();
    helper->block = NewRunMemory(block_bytes);
    if (helper->block == nullptr) break;
    if (pthread_create(&helper->thread, nullptr, Work, helper.get()) != 0) {
      FreeMemory(helper->block);
      break;
    }
    team->helpers_.push_back(std::move(helper));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (team->helpers_.empty()) return nullptr;
  return team;
}

Team::~Team() {
  state_.fetch_or(kEnd, std::memory_order_seq_cst);
  state_.notify_all();
  for (const auto& helper : helpers_) {
    if (is_here()) pthread_join(helper->thread, nullptr);
    FreeMemory(helper->block);
  }
}

void* Team::Work(void* helper) {
  const Helper& self = *static_cast<const Helper*>(helper);
  self.team->Work(self);
  return nullptr;
}

void Team::Work(const Helper& helper) {
  uint32_t done = 0;  // the number of the last job
  while (true) {
    // A job that is open and not the last one, or the end.
    uint32_t state = state_.load(std::memory_order_acquire);
    const auto waits = [&] {
      return (state & kEnd) == 0 && ((state & kOpen) == 0 || state / kNumber == done);
    };
    const auto start = std::chrono::steady_clock::now();
    while (waits()) {
      for (int look = 0; look < kLooks && waits(); look++) {
        Pause();
        state = state_.load(std::memory_order_acquire);
      }
      if (!waits()) break;
      if (std::chrono::steady_clock::now() - start > kSpin) {
        state_.wait(state, std::memory_order_acquire);
        state = state_.load(std::memory_order_acquire);
      }
    }
    if ((state & kEnd) != 0) return;
    // The exchange fails where others enter, or the job is closed.
    if (!state_.compare_exchange_weak(state, state + kInside, std::memory_order_acquire)) continue;
    done = state / kNumber;
    fesetenv(&job_.floats);
    // Signals are blocked here: a trap of the caller's would end the process.
    fedisableexcept(FE_ALL_EXCEPT);
    Context context = job_.context;
    context.thread = helper.block;
    TakePieces(context);
    state_.fetch_sub(kInside, std::memory_order_release);
  }
}

void Team::TakePieces(Context& context) {
  const Job& job = job_;
  while (true) {
    const int64_t piece = next_.fetch_add(1, std::memory_order_relaxed);
    if (piece >= job.pieces) return;
    // Pieces differ by one trip at most. Wide, since nobody has bounded the trips.
    const auto trip = [&](int64_t number) {
      return static_cast<int64_t>(static_cast<__int128>(job.trips) * number / job.pieces);
    };
    const int64_t begin = job.begin + trip(piece) * job.step;
    const int64_t end = piece + 1 == job.pieces ? job.end : job.begin + trip(piece + 1) * job.step;
    job.body(&context, job.captured, begin, end);
  }
}

void Team::Run(const Context& context, ParallelBody body, const void* captured, int64_t begin,
               int64_t end, int64_t step, int64_t pieces) {
  job_.context = context;
  job_.body = body;
  job_.captured = captured;
  job_.begin = begin;
  job_.end = end;
  job_.step = step;
  job_.trips = (end - begin + step - 1) / step;
  job_.pieces = pieces;
  fegetenv(&job_.floats);
  next_.store(0, std::memory_order_relaxed);
  // The number after the last one's, open, with nobody inside.
  const uint32_t number = state_.load(std::memory_order_relaxed) / kNumber + 1;
  // In one order with the count of sleepers that notify_all reads, or one may sleep on.
  state_.store(number * kNumber + kOpen, std::memory_order_seq_cst);
  state_.notify_all();
  Context mine = context;
  TakePieces(mine);
  state_.fetch_and(~kOpen, std::memory_order_relaxed);
  // What the last helpers hold is short; but should the system have put one aside, it may have this
  // thread's core.
  for (int look = 0; state_.load(std::memory_order_acquire) % kNumber / kInside != 0; look++) {
    if (look < 16 * kLooks) {
      Pause();
    } else {
      sched_yield();
    }
  }
}

TeamPool::~TeamPool() {
  for (std::atomic<Team*>& team : kept_) delete team.load();
}

std::unique_ptr<Team> TeamPool::Take(int threads, int64_t block_bytes) {
  for (std::atomic<Team*>& place : kept_) {
    std::unique_ptr<Team> team(place.exchange(nullptr));
    if (team == nullptr || !team->is_here()) continue;
    if (team->wanted() == threads) {
      if (team->block_bytes() >= block_bytes) return team;
      continue;  // one with larger blocks will take its place
    }
    delete place.exchange(team.release());  // another run may have given one since
  }
  return Team::Make(threads, block_bytes);
}

void TeamPool::Give(std::unique_ptr<Team> team) {
  constexpr int64_t kMostKeptOfHelper = 8 << 20;
  if (team == nullptr || team->block_bytes() > kMostKeptOfHelper) return;
  for (std::atomic<Team*>& place : kept_) {
    Team* none = nullptr;
    if (!place.compare_exchange_strong(none, team.get())) continue;
    team.release();
    return;
  }
  delete kept_[next_++ % kept_.size()].exchange(team.release());
}

}  // namespace talweg::loops
