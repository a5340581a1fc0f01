#ifndef TALWEG_BASE_PARALLEL_H_
#define TALWEG_BASE_PARALLEL_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/status.h"

namespace talweg {

// Something to do that may wait for other things.
struct Task {
  std::function<absl::Status()> run;
  // Tasks that stand before it, by their places.
  std::vector<size_t> after = {};
};

// Runs all tasks on so many threads, the calling one among them; below 1 counts as 1, and no more
// threads are started than there are tasks. Each thread takes the first task whose predecessors
// have ended, so that what others wait for stands in front:
//
//   std::vector<Task> tasks = {{compile_a}, {compile_b}, {run_a, {0}}, {run_b, {1}}};
//   absl::Status status = RunTasks(2, tasks);
//
// After an error no other task is started; of several errors that of the first task in the list is
// returned. An exception, which only users' own functions throw, is as an error, and leaves this
// when all threads have come back. With one thread tasks run in their order. Where the system gives
// no more threads, those that there are do the work.
absl::Status RunTasks(int threads, const std::vector<Task>& tasks);

// How many threads run for this process at a time, at least 1: as many as the machine has
// processors, but no more than it was told to use (taskset) or is lent (a container's limit).
int HardwareThreads();

}  // namespace talweg

#endif  // TALWEG_BASE_PARALLEL_H_
