#include "base/parallel.h"

#include <pthread.h>

#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/control_group.h"

namespace talweg {
namespace {

class Pool {
 public:
  explicit Pool(const std::vector<Task>& tasks)
      : tasks_(tasks), next_(tasks.size()), waits_(tasks.size(), 0) {
    for (size_t i = 0; i < tasks.size(); i++) {
      for (const size_t before : tasks[i].after) {
        if (before >= i) continue;
        next_[before].push_back(i);
        waits_[i]++;
      }
      if (waits_[i] == 0) ready_.insert(i);
    }
  }

  // What each thread does until nothing is left. What a task throws is kept: an exception that left
  // this would leave threads behind that work on a pool that is gone.
  void Work() noexcept {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !ready_.empty() || running_ == 0 || failed(); });
      if (ready_.empty() || failed()) break;
      const size_t i = *ready_.begin();
      ready_.erase(ready_.begin());
      running_++;
      lock.unlock();
      absl::Status status;
      std::exception_ptr thrown;
      try {
        status = tasks_[i].run();
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      running_--;
      for (const size_t later : next_[i]) {
        if (--waits_[later] == 0) ready_.insert(later);
      }
      if ((!status.ok() || thrown) && i < failed_) {
        failed_ = i;
        status_ = std::move(status);
        thrown_ = std::move(thrown);
      }
      changed_.notify_all();
    }
  }

  // When all threads have come back: what the first task that failed returned, or threw.
  const absl::Status& Result() const {
    if (thrown_) std::rethrow_exception(thrown_);
    return status_;
  }

 private:
  bool failed() const { return failed_ < tasks_.size(); }

  const std::vector<Task>& tasks_;
  std::vector<std::vector<size_t>> next_;  // who waits for whom
  // All that follows is under the mutex. (Not Abseil's, of which ThreadSanitizer knows nothing.)
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<size_t> waits_;  // for how many
  std::set<size_t> ready_;
  size_t running_ = 0;
  size_t failed_ = tasks_.size();  // the first task that failed; all of them: none
  absl::Status status_;
  std::exception_ptr thrown_;
};

void* Work(void* pool) {
  static_cast<Pool*>(pool)->Work();
  return nullptr;
}

}  // namespace

absl::Status RunTasks(int threads, const std::vector<Task>& tasks) {
  Pool pool(tasks);
  // Not std::thread, which throws where there is none to be had.
  std::vector<pthread_t> helpers;
  const size_t most = std::min(static_cast<size_t>(std::max(threads, 1)), tasks.size());
  for (size_t i = 1; i < most; i++) {
    pthread_t helper;
    if (pthread_create(&helper, nullptr, Work, &pool) != 0) break;
    helpers.push_back(helper);
  }
  pool.Work();
  for (const pthread_t helper : helpers) pthread_join(helper, nullptr);
  return pool.Result();
}

int HardwareThreads() {
  // Read once: this is asked for by runs of a few microseconds. Of half a processor nothing is
  // made: a thread that is put to sleep keeps all of the others waiting.
  static const double lent = std::max(std::floor(ReadGroupLimits().processors), 1.0);
#ifdef __linux__
  cpu_set_t mine;
  if (sched_getaffinity(0, sizeof(mine), &mine) == 0) {
    return static_cast<int>(std::clamp<double>(CPU_COUNT(&mine), 1, lent));
  }
#endif
  return static_cast<int>(std::clamp<double>(std::thread::hardware_concurrency(), 1, lent));
}

}  // namespace talweg
