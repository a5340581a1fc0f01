#ifndef TALWEG_TESTS_JIT_LLVM_CACHE_FOLDER_H_
#define TALWEG_TESTS_JIT_LLVM_CACHE_FOLDER_H_

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "gtest/gtest.h"
#include "jit/llvm/cache.h"

namespace talweg::native {

// Tests with a new empty folder each, gone with it, where caches can be.
class CacheFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/talweg_cache_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = std::filesystem::canonical(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

inline std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline int64_t CountNames(const std::string& folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

// Runs `body` in a new process, for tests of what is a process's own: its user, its limits, its
// end by a signal. The process fails where it does not return true, or a check failed.
inline pid_t Fork(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool good = body();
    ::_exit(good && !testing::Test::HasFailure() ? 0 : 1);
  }
  return child;
}
inline bool Succeeds(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Without root's power over files, where this is root.
inline bool SucceedsUnprivileged(const std::function<bool()>& body) {
  return Succeeds(Fork([&] {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2] = {};
    return ::syscall(SYS_capset, &header, none) == 0 && body();
  }));
}

}  // namespace talweg::native

#endif  // TALWEG_TESTS_JIT_LLVM_CACHE_FOLDER_H_
