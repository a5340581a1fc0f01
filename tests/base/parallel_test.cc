#include "base/parallel.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace talweg {
namespace {

TEST(Parallel, RunsEachTaskOnceAndInOrder) {
  for (const int threads : {-1, 0, 1, 2, 3, 8, 40}) {
    constexpr size_t kTasks = 200;
    std::atomic<int> runs[kTasks] = {};
    std::atomic<int> early = 0;
    std::vector<Task> tasks;
    for (size_t i = 0; i < kTasks; i++) {
      Task task;
      if (i % 3 == 2) task.after.push_back(i / 2);
      if (i % 7 == 6) {
        for (const size_t before : {i - 1, i - 6, i / 3}) task.after.push_back(before);
      }
      task.run = [&runs, &early, i, after = task.after] {
        for (const size_t before : after) early += runs[before].load() != 1;
        runs[i]++;
        return absl::OkStatus();
      };
      tasks.push_back(task);
    }
    EXPECT_TRUE(RunTasks(threads, tasks).ok());
    for (const std::atomic<int>& count : runs) EXPECT_EQ(count.load(), 1);
    EXPECT_EQ(early.load(), 0);
  }
  EXPECT_TRUE(RunTasks(4, {}).ok());
}

TEST(Parallel, OneThreadTakesTheFirstThatMay) {
  std::string order;
  const auto note = [&](char c) {
    return [&order, c] {
      order += c;
      return absl::OkStatus();
    };
  };
  EXPECT_TRUE(RunTasks(1, {{note('a')}, {note('b')}, {note('c'), {1}}, {note('d'), {0, 2}}}).ok());
  EXPECT_EQ(order, "abcd");
}

TEST(Parallel, StopsAtAnError) {
  for (const int threads : {1, 2, 4}) {
    std::atomic<int> started = 0;
    std::vector<Task> tasks;
    for (int i = 0; i < 1000; i++) {
      tasks.push_back({[&started, i] {
        started++;
        return i < 5 ? absl::OkStatus() : absl::InternalError(i == 5 ? "five" : "later");
      }});
    }
    tasks.push_back({[&started] {
                       started += 10000;
                       return absl::OkStatus();
                     },
                     {5}});
    const absl::Status status = RunTasks(threads, tasks);
    EXPECT_EQ(status.message(), "five") << threads;
    EXPECT_LE(started.load(), 5 + threads);
  }
}

// As from any function that calls a user's: when nobody works on the tasks any more.
TEST(Parallel, PassesOnWhatATaskThrows) {
  for (const int threads : {1, 2, 4}) {
    std::atomic<int> running = 0, started = 0;
    std::vector<Task> tasks;
    for (int i = 0; i < 100; i++) {
      tasks.push_back({[&, i] {
        running++;
        started++;
        if (i == 3) {
          running--;
          throw std::out_of_range("three");
        }
        running--;
        return absl::OkStatus();
      }});
    }
    EXPECT_THROW(RunTasks(threads, tasks).IgnoreError(), std::out_of_range) << threads;
    EXPECT_EQ(running.load(), 0);
    EXPECT_LE(started.load(), 4 + threads);
  }
}

}  // namespace
}  // namespace talweg
