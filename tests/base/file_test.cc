#include "base/file.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include "base/memory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A new empty folder for each test; gone with it.
class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/talweg_file_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  // The number of names in the folder: a temporary file that stays behind shows here.
  int64_t Names() const {
    return std::distance(std::filesystem::directory_iterator(folder_),
                         std::filesystem::directory_iterator());
  }

  std::string folder_;
};

std::string Raw(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST_F(FileTest, ReadsWhatWasWritten) {
  const std::string bytes("one\0two\r\n\xff", 10);
  ASSERT_TRUE(WriteFile(Path("a"), bytes).ok());
  EXPECT_EQ(ReadFile(Path("a")).value(), bytes);
  ASSERT_TRUE(WriteFile(Path("a"), "").ok());
  EXPECT_EQ(ReadFile(Path("a")).value(), "");
  const std::vector<std::string_view> pieces = {"x", "", "yz"};
  ASSERT_TRUE(WriteFile(Path("a"), pieces).ok());
  EXPECT_EQ(Raw(Path("a")), "xyz");
  EXPECT_EQ(Names(), 1);
}

TEST_F(FileTest, ReadsFilesWhoseSizeIsNotKnownBefore) {
  EXPECT_THAT(ReadFile("/proc/self/status").value(), HasSubstr("Pid:"));
}

TEST_F(FileTest, ReadsUpToTheLimit) {
  ASSERT_TRUE(WriteFile(Path("a"), "12345").ok());
  EXPECT_TRUE(ReadFile(Path("a"), 5).ok());
  const absl::Status status = ReadFile(Path("a"), 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "can not read '" + Path("a") + "': more than the limit of 4 bytes");
  EXPECT_FALSE(ReadFile("/proc/self/status", 10).ok()) << "a size that the system does not know";
}

// A file with holes takes no room, and would take the memory of all of it.
TEST_F(FileTest, DoesNotReadMoreThanTheMachineHas) {
  constexpr int64_t kBytes = int64_t{1} << 42;
  if (BytesOfMachine() > kBytes) GTEST_SKIP() << "this machine has so much";
  ASSERT_TRUE(WriteFile(Path("a"), "x").ok());
  std::error_code error;
  std::filesystem::resize_file(Path("a"), kBytes, error);
  if (error) GTEST_SKIP() << error.message();
  EXPECT_EQ(ReadFile(Path("a"), 2 * kBytes).status(),
            absl::ResourceExhaustedError("can not read '" + Path("a") +
                                         "': no memory for 4398046511105 bytes"));
}

TEST_F(FileTest, ReadsNothingButRegularFiles) {
  EXPECT_EQ(ReadFile(Path("none")).status().message(),
            "can not read '" + Path("none") + "': No such file or directory");
  EXPECT_EQ(ReadFile(folder_).status().message(),
            "can not read '" + folder_ + "': it is a folder, not a regular file");
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(ReadFile(Path("fifo")).status().message(), HasSubstr("a FIFO"));
  EXPECT_THAT(ReadFile("/dev/zero").status().message(), HasSubstr("a device"));
  EXPECT_FALSE(ReadFile("").ok());
  EXPECT_THAT(ReadFile(std::string("/etc/passwd\0.csv", 16)).status().message(),
              HasSubstr("'/etc/passwd\\x00.csv'"));
}

TEST_F(FileTest, ReadsThroughALinkAndDoesNotWriteThroughOne) {
  ASSERT_TRUE(WriteFile(Path("target"), "old").ok());
  ASSERT_EQ(::symlink("target", Path("link").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", Path("dangling").c_str()), 0);
  EXPECT_EQ(ReadFile(Path("link")).value(), "old");
  EXPECT_EQ(WriteFile(Path("link"), "new").message(),
            "can not write '" + Path("link") + "': it is a symbolic link, not a regular file");
  EXPECT_FALSE(WriteFile(Path("dangling"), "new").ok());
  EXPECT_EQ(Raw(Path("target")), "old");
  EXPECT_EQ(Names(), 3);
}

TEST_F(FileTest, WritesNothingInThePlaceOfFoldersAndFifos) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(WriteFile(Path("fifo"), "x").message(), HasSubstr("a FIFO"));
  EXPECT_THAT(WriteFile(folder_, "x").message(), HasSubstr("a folder"));
  EXPECT_FALSE(WriteFile(folder_ + "/", "x").ok());
  EXPECT_FALSE(WriteFile("", "x").ok());
  EXPECT_FALSE(WriteFile(".", "x").ok());
  EXPECT_FALSE(WriteFile(folder_ + "/..", "x").ok());
  EXPECT_FALSE(WriteFile(std::string("a\0b", 3), "x").ok());
  EXPECT_FALSE(WriteFile(Path(std::string(300, 'n')), "x").ok());
  EXPECT_EQ(WriteFile(Path("no/file"), "x").message(),
            "can not write '" + Path("no/file") + "': No such file or directory");
  EXPECT_EQ(Names(), 1);
}

TEST_F(FileTest, WritesTheLongestNameThereCanBe) {
  EXPECT_TRUE(WriteFile(Path(std::string(255, 'n')), "x").ok());
}

TEST_F(FileTest, KeepsThePermissionsOfTheOldFile) {
  ASSERT_TRUE(WriteFile(Path("a"), "old").ok());
  ASSERT_EQ(::chmod(Path("a").c_str(), 0600), 0);
  ASSERT_TRUE(WriteFile(Path("a"), "new").ok());
  struct stat info;
  ASSERT_EQ(::stat(Path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(FileTest, LivesWithALimitOnTheLengthOfFiles) {
  const auto run_limited = [&] {
    const struct rlimit small = {500, 500};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) std::exit(2);
    const absl::Status status = WriteFile(Path("long"), std::string(501, 'x'));
    const bool refused = status.message().find("File too large") != std::string_view::npos;
    std::exit(refused && WriteFile(Path("short"), std::string(500, 'x')).ok() ? 0 : 1);
  };
  EXPECT_EXIT(run_limited(), testing::ExitedWithCode(0), "");
  EXPECT_FALSE(std::filesystem::exists(Path("long")));
}

TEST_F(FileTest, NamesTheSystemsReason) {
  FileSystem read_only;
  read_only.openat = [](int, const char*, int, mode_t) { return errno = EROFS, -1; };
  EXPECT_EQ(WriteFile(Path("a"), "x", read_only).message(),
            "can not write '" + Path("a") + "': Read-only file system");
  FileSystem full;
  full.write = [](int, const void*, size_t) -> ssize_t { return errno = ENOSPC, -1; };
  EXPECT_EQ(WriteFile(Path("a"), "x", full).message(),
            "can not write '" + Path("a") + "': No space left on device");
  EXPECT_EQ(Names(), 0);
}

// Without capabilities while it lives: permissions do not bind a root that has them.
class WithoutCapabilities {
 public:
  WithoutCapabilities() {
    ::syscall(SYS_capget, &header_, old_);
    __user_cap_data_struct none[2] = {old_[0], old_[1]};
    none[0].effective = none[1].effective = 0;
    ::syscall(SYS_capset, &header_, none);
  }
  ~WithoutCapabilities() { ::syscall(SYS_capset, &header_, old_); }

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct old_[2] = {};
};

TEST_F(FileTest, DoesNotReplaceAReadOnlyFile) {
  ASSERT_TRUE(WriteFile(Path("a"), "old").ok());
  ASSERT_EQ(::chmod(Path("a").c_str(), 0444), 0);
  {
    const WithoutCapabilities none;
    EXPECT_THAT(WriteFile(Path("a"), "new").ToString(), HasSubstr("a': Permission denied"));
  }
  EXPECT_EQ(*ReadFile(Path("a")), "old");
}

TEST_F(FileTest, DoesNotWriteIntoAReadOnlyFolder) {
  ASSERT_EQ(::chmod(folder_.c_str(), 0555), 0);
  {
    WithoutCapabilities unprivileged;
    EXPECT_EQ(WriteFile(Path("a"), "x").message(),
              "can not write '" + Path("a") + "': Permission denied");
  }
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  EXPECT_EQ(Names(), 0);
}

TEST_F(FileTest, WritesOnAfterShortAndInterruptedWrites) {
  int calls = 0;
  FileSystem slow;
  slow.write = [&](int file, const void* bytes, size_t count) -> ssize_t {
    if (calls++ % 2 == 0) return errno = EINTR, -1;
    return ::write(file, bytes, std::min<size_t>(count, 3));
  };
  ASSERT_TRUE(WriteFile(Path("a"), "0123456789", slow).ok());
  EXPECT_EQ(Raw(Path("a")), "0123456789");
  FileSystem stuck;
  stuck.write = [&](int, const void*, size_t) -> ssize_t { return 0; };
  EXPECT_FALSE(WriteFile(Path("a"), "x", stuck).ok()) << "a write that makes no progress must end";
}

// The system's calls, of which number `fail_at` (counted from 1) fails. Writes go in small pieces,
// so that there are many.
FileSystem FailingAt(int fail_at, int& calls) {
  const FileSystem real;
  const auto fails = [fail_at, &calls] { return ++calls == fail_at; };
  FileSystem system;
  system.openat = [=](int folder, const char* name, int flags, mode_t mode) {
    return fails() ? (errno = EACCES, -1) : real.openat(folder, name, flags, mode);
  };
  system.write = [=](int file, const void* bytes, size_t count) -> ssize_t {
    return fails() ? (errno = ENOSPC, -1) : real.write(file, bytes, std::min<size_t>(count, 16));
  };
  system.fsync = [=](int file) { return fails() ? (errno = EIO, -1) : real.fsync(file); };
  system.rename = [=](int folder, const char* from, const char* to) {
    return fails() ? (errno = EDQUOT, -1) : real.rename(folder, from, to);
  };
  return system;
}

TEST_F(FileTest, IsOldOrNewWhicheverCallFails) {
  const std::string old_bytes(100, 'o'), new_bytes(200, 'n');
  bool passed = false;
  int k = 0;
  while (!passed) {
    ASSERT_LT(++k, 1000);
    ASSERT_TRUE(WriteFile(Path("a"), old_bytes).ok());
    int calls = 0;
    const absl::Status status = WriteFile(Path("a"), new_bytes, FailingAt(k, calls));
    passed = status.ok();
    const std::string now = Raw(Path("a"));
    if (passed) {
      EXPECT_EQ(now, new_bytes);
      EXPECT_LT(calls, k) << "a call failed and nobody was told";
    } else {
      const bool in_place = status.message().find("is in place") != absl::string_view::npos;
      EXPECT_EQ(now, in_place ? new_bytes : old_bytes) << status;
      EXPECT_THAT(status.message(), HasSubstr(Path("a")));
    }
    EXPECT_EQ(Names(), 1) << "call " << k << " left a temporary file";
  }
  EXPECT_EQ(k, 1 + 2 + 13 + 2 + 1) << "two opens, 13 writes, two syncs, a rename; then it passes";
}

// What a loss of power needs: that what is renamed is on the disk by then, and the name after it.
TEST_F(FileTest, SyncsTheFileBeforeItIsRenamedAndThenTheFolder) {
  int calls = 0;
  const FileSystem real = FailingAt(0, calls);
  FileSystem system = real;
  std::vector<std::string> seen;
  std::map<int, std::string> files;  // by descriptor
  system.openat = [&](int folder, const char* name, int flags, mode_t mode) {
    const int file = real.openat(folder, name, flags, mode);
    struct stat info;
    const bool is_folder = ::fstat(file, &info) == 0 && S_ISDIR(info.st_mode);
    files[file] = is_folder ? "folder" : "file";
    seen.push_back("open " + files[file]);
    return file;
  };
  system.write = [&](int file, const void* bytes, size_t count) {
    if (seen.back() != "write file") seen.push_back("write " + files[file]);
    return real.write(file, bytes, count);
  };
  system.fsync = [&](int file) {
    seen.push_back("sync " + files[file]);
    return real.fsync(file);
  };
  system.rename = [&](int folder, const char* from, const char* to) {
    seen.push_back("rename in " + files[folder]);
    return real.rename(folder, from, to);
  };
  ASSERT_TRUE(WriteFile(Path("a"), std::string(100, 'n'), system).ok());
  EXPECT_THAT(seen, ElementsAre("open folder", "open file", "write file", "sync file",
                                "rename in folder", "sync folder"));
}

TEST_F(FileTest, TakesAFolderThatCanNotBeSynced) {
  FileSystem system;
  system.fsync = [](int file) {
    struct stat info;
    ::fstat(file, &info);
    return S_ISDIR(info.st_mode) ? (errno = EINVAL, -1) : 0;
  };
  EXPECT_TRUE(WriteFile(Path("a"), "x", system).ok());
}

TEST_F(FileTest, IsOldOrNewAfterKill9) {
  const std::vector<std::string> versions = {std::string(300000, 'a'), std::string(200000, 'b')};
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(WriteFile(Path("a"), versions[0]).ok());
  const std::chrono::duration<double, std::micro> write = std::chrono::steady_clock::now() - start;
  const uint64_t seed = FreshSeed();
  std::mt19937 random(seed);
  int new_ones = 0;
  for (int point = 0; point < 100; point++) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {  // writes the two versions in turn until it is killed
      while (true) {
        for (const std::string& version : versions) {
          if (!WriteFile(Path("a"), version).ok()) ::_exit(1);
        }
      }
    }
    ::usleep(random() % (1000 + static_cast<unsigned>(3 * write.count())));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    ASSERT_TRUE(WIFSIGNALED(state)) << "the writer ended by itself: " << state;
    const std::string now = Raw(Path("a"));
    EXPECT_TRUE(now == versions[0] || now == versions[1]) << now.size() << ", seed " << seed;
    new_ones += now == versions[1];
  }
  EXPECT_GT(new_ones, 0) << "killed before anything was ever written: no test";
}

// Killed inside the k-th call, for every k: the points that random times seldom hit.
TEST_F(FileTest, IsOldOrNewAfterKill9InEveryCall) {
  const std::string old_bytes(100, 'o'), new_bytes(200, 'n');
  bool passed = false;
  for (int k = 1; !passed; k++) {
    ASSERT_LT(k, 1000);
    ASSERT_TRUE(WriteFile(Path("a"), old_bytes).ok());
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int calls = 0;
      const FileSystem real = FailingAt(0, calls);
      FileSystem system = real;
      const auto die = [&] {
        if (calls + 1 == k) ::raise(SIGKILL);
      };
      system.openat = [&](int folder, const char* name, int flags, mode_t mode) {
        die();
        return real.openat(folder, name, flags, mode);
      };
      system.write = [&](int file, const void* bytes, size_t count) {
        die();
        return real.write(file, bytes, count);
      };
      system.fsync = [&](int file) {
        die();
        return real.fsync(file);
      };
      system.rename = [&](int folder, const char* from, const char* to) {
        die();
        return real.rename(folder, from, to);
      };
      ::_exit(WriteFile(Path("a"), new_bytes, system).ok() ? 0 : 1);
    }
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    passed = WIFEXITED(state) && WEXITSTATUS(state) == 0;
    EXPECT_TRUE(passed || WIFSIGNALED(state));
    const std::string now = Raw(Path("a"));
    EXPECT_TRUE(passed ? now == new_bytes : now == old_bytes || now == new_bytes) << k;
  }
}

}  // namespace
}  // namespace talweg
