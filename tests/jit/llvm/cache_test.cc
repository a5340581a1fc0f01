#include "jit/llvm/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/jit/llvm/cache_folder.h"

namespace talweg::native {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using Key = ObjectCache::Key;

constexpr uid_t kStranger = 12345;

Key KeyNumber(uint8_t n) {
  Key key = {};
  key[0] = n;
  key[31] = 7;
  return key;
}

// What entry `n` of these tests holds.
std::string ObjectNumber(uint8_t n, size_t size = 1000) {
  std::mt19937 random(n);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string Message(const ObjectCache& cache) { return std::string(cache.status().message()); }

class CacheTest : public CacheFolderTest {
 protected:
  void SetUp() override {
    CacheFolderTest::SetUp();
    ::unsetenv("TALWEG_CACHE_MB");
    ::umask(022);
  }

  // The path of an entry in the cache at Path("cache").
  std::string Entry(uint8_t n = 1) const {
    return Path("cache/") + ObjectCache::FileName(KeyNumber(n));
  }
  // The cache at Path("cache") with entry 1.
  ObjectCache Filled() const {
    ObjectCache cache = ObjectCache::Open(Path("cache"));
    EXPECT_TRUE(cache.status().ok()) << cache.status();
    EXPECT_TRUE(cache.Put(KeyNumber(1), ObjectNumber(1)).ok());
    return cache;
  }
  // That the entry is a miss, is gone, and can be written again.
  void ExpectDamaged(const ObjectCache& cache) {
    EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(Entry())));
    EXPECT_TRUE(cache.Put(KeyNumber(1), ObjectNumber(1)).ok());
    EXPECT_EQ(cache.Get(KeyNumber(1)), ObjectNumber(1));
  }
};

TEST_F(CacheTest, GivesBackWhatWasPutThere) {
  const ObjectCache cache = ObjectCache::Open(Path("cache"));
  ASSERT_TRUE(cache.on()) << cache.status();
  EXPECT_EQ(cache.path(), Path("cache"));
  EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
  for (size_t size : {size_t{0}, size_t{1}, size_t{100000}}) {
    ASSERT_TRUE(cache.Put(KeyNumber(1), ObjectNumber(1, size)).ok());
    EXPECT_EQ(cache.Get(KeyNumber(1)), ObjectNumber(1, size));
  }
  EXPECT_EQ(cache.Get(KeyNumber(2)), std::nullopt);
  EXPECT_EQ(CountNames(Path("cache")), 1);
  EXPECT_EQ(ObjectCache::Open(Path("cache")).Get(KeyNumber(1)), ObjectNumber(1, 100000));
}

TEST_F(CacheTest, MakesAFolderForThisUserAlone) {
  ::umask(0);
  const ObjectCache cache = ObjectCache::Open(Path("a/b/cache/"));
  EXPECT_TRUE(cache.status().ok()) << cache.status();
  ASSERT_TRUE(cache.Put(KeyNumber(1), "bytes").ok());
  struct stat info;
  for (const char* name : {"a", "a/b", "a/b/cache"}) {
    ASSERT_EQ(::stat(Path(name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777u, 0700u) << name;
  }
  const std::string entry = Path("a/b/cache/") + ObjectCache::FileName(KeyNumber(1));
  ASSERT_EQ(::stat(entry.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777u, 0600u);
}

TEST_F(CacheTest, TakesItsFolderFromTheEnvironment) {
  const auto path = [] { return ObjectCache::Open("").path(); };
  ::setenv("HOME", Path("home").c_str(), 1);
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("TALWEG_CACHE_DIR");
  EXPECT_EQ(path(), Path("home/.cache/talweg"));
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(path(), Path("home/.cache/talweg"));
  ::setenv("XDG_CACHE_HOME", Path("xdg").c_str(), 1);
  EXPECT_EQ(path(), Path("xdg/talweg"));
  ::setenv("TALWEG_CACHE_DIR", Path("mine").c_str(), 1);
  EXPECT_EQ(path(), Path("mine"));
  EXPECT_EQ(ObjectCache::Open(Path("given")).path(), Path("given"));

  ::setenv("TALWEG_CACHE_DIR", "off", 1);
  const ObjectCache off = ObjectCache::Open("");
  EXPECT_FALSE(off.on());
  EXPECT_TRUE(off.status().ok());
  EXPECT_EQ(off.path(), "off");
  EXPECT_FALSE(ObjectCache::Open("off").on());
  EXPECT_TRUE(ObjectCache::Open(Path("given")).on());

  ::unsetenv("TALWEG_CACHE_DIR");
  ::unsetenv("XDG_CACHE_HOME");
  for (const char* home : {"", "relative"}) {
    ::setenv("HOME", home, 1);
    EXPECT_FALSE(ObjectCache::Open("").on());
    EXPECT_THAT(Message(ObjectCache::Open("")), HasSubstr("HOME"));
  }
}

TEST_F(CacheTest, ThatIsOffKeepsNothing) {
  const ObjectCache off;
  EXPECT_FALSE(off.Put(KeyNumber(1), "bytes").ok());
  EXPECT_EQ(off.Get(KeyNumber(1)), std::nullopt);
}

TEST_F(CacheTest, OpensNoFolderThatOthersMayWrite) {
  Filled();
  for (mode_t mode : {0770u, 0720u, 0777u, 0702u, 01777u}) {
    ASSERT_EQ(::chmod(Path("cache").c_str(), mode), 0);
    const ObjectCache cache = ObjectCache::Open(Path("cache"));
    EXPECT_FALSE(cache.on()) << mode;
    EXPECT_EQ(Message(cache), absl::StrCat("compiled code is not cached: '", Path("cache"),
                                           "' can be written by other users"));
    EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
  }
  ASSERT_EQ(::chmod(Path("cache").c_str(), 0755), 0);
  EXPECT_EQ(ObjectCache::Open(Path("cache")).Get(KeyNumber(1)), ObjectNumber(1));
}

TEST_F(CacheTest, OpensNoFolderBelowOneThatEverybodyMayWrite) {
  ASSERT_EQ(::mkdir(Path("open").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir(Path("open/user").c_str(), 0700), 0);
  ASSERT_EQ(::chmod(Path("open").c_str(), 0777), 0);
  for (const char* name : {"open/cache", "open/user/cache"}) {
    const ObjectCache cache = ObjectCache::Open(Path(name));
    EXPECT_FALSE(cache.on());
    EXPECT_THAT(Message(cache), EndsWith(Path("open") + "' can be written by everybody"));
    EXPECT_FALSE(std::filesystem::exists(Path(name)));
  }
  ASSERT_EQ(::chmod(Path("open").c_str(), 01777), 0);
  EXPECT_TRUE(ObjectCache::Open(Path("open/cache")).on());
}

TEST_F(CacheTest, OpensNoFolderOfAnotherUser) {
  Filled();
  const ObjectCache cache = ObjectCache::Open(Path("cache"), {}, kStranger);
  EXPECT_FALSE(cache.on());
  EXPECT_THAT(Message(cache), EndsWith("belongs to another user"));
  EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
  // In truth, where the test may give folders away; and one of root's, where it is not root.
  if (::chown(Path("cache").c_str(), kStranger, kStranger) == 0) {
    EXPECT_THAT(Message(ObjectCache::Open(Path("cache"))), EndsWith("belongs to another user"));
  }
  if (::geteuid() == 0) return;
  EXPECT_THAT(Message(ObjectCache::Open("/usr/share")), EndsWith("belongs to another user"));
}

TEST_F(CacheTest, MakesNoFolderOfRootsInTheHomeOfAnotherUser) {
  ASSERT_EQ(::mkdir(Path("home").c_str(), 0700), 0);
  if (::geteuid() != 0 || ::chown(Path("home").c_str(), kStranger, kStranger) != 0) {
    GTEST_SKIP() << "may not give folders away";
  }
  EXPECT_FALSE(ObjectCache::Open(Path("home/.cache/talweg")).on());
  EXPECT_THAT(Message(ObjectCache::Open(Path("home/talweg"))), HasSubstr("another user than root"));
  EXPECT_EQ(CountNames(Path("home")), 0);
}

TEST_F(CacheTest, FollowsNoLinkInPlaceOfTheFolder) {
  Filled();
  ASSERT_EQ(::symlink("cache", Path("link").c_str()), 0);
  for (const char* name : {"link", "link/", "link//"}) {
    EXPECT_THAT(Message(ObjectCache::Open(Path(name))), EndsWith("is a symbolic link")) << name;
  }
  // Above it they are followed: homes and /tmp may be links.
  ASSERT_EQ(::symlink(folder_.c_str(), Path("above").c_str()), 0);
  EXPECT_EQ(ObjectCache::Open(Path("above/cache")).Get(KeyNumber(1)), ObjectNumber(1));
}

TEST_F(CacheTest, SaysWhatIsNoFolder) {
  WriteBytes(Path("file"), "");
  EXPECT_THAT(Message(ObjectCache::Open(Path("file"))), EndsWith("is not a folder"));
  EXPECT_THAT(Message(ObjectCache::Open(Path("file/cache"))), HasSubstr("Not a directory"));
  EXPECT_THAT(Message(ObjectCache::Open("/")), HasSubstr("is the root"));
  EXPECT_THAT(Message(ObjectCache::Open(std::string("/tmp/a\0b", 8))), HasSubstr("NUL"));
  EXPECT_THAT(Message(ObjectCache::Open("/" + std::string(5000, 'x'))),
              HasSubstr("File name too long"));
  EXPECT_FALSE(ObjectCache::Open("/proc/self/talweg").on());
}

TEST_F(CacheTest, TakesRelativePaths) {
  EXPECT_TRUE(Succeeds(Fork([&] {
    if (::chdir(folder_.c_str()) != 0) return false;
    EXPECT_TRUE(ObjectCache::Open("cache").Put(KeyNumber(1), "bytes").ok());
    EXPECT_TRUE(ObjectCache::Open("a/../b/cache").on());
    if (::chdir("cache") != 0) return false;
    EXPECT_EQ(ObjectCache::Open(".").Get(KeyNumber(1)), "bytes");
    EXPECT_EQ(ObjectCache::Open("../cache/").Get(KeyNumber(1)), "bytes");
    return true;
  })));
}

TEST_F(CacheTest, StaysInItsFolderWhenThatIsRenamed) {
  const ObjectCache cache = Filled();
  std::filesystem::rename(Path("cache"), Path("moved"));
  ASSERT_EQ(::mkdir(Path("cache").c_str(), 0777), 0);
  EXPECT_EQ(cache.Get(KeyNumber(1)), ObjectNumber(1));
  EXPECT_TRUE(cache.Put(KeyNumber(2), ObjectNumber(2)).ok());
  EXPECT_EQ(CountNames(Path("moved")), 2);
  EXPECT_EQ(CountNames(Path("cache")), 0);
}

TEST_F(CacheTest, TakesNoEntryThatIsDamagedAnywhere) {
  const ObjectCache cache = Filled();
  ASSERT_TRUE(cache.Put(KeyNumber(1), ObjectNumber(1, 40)).ok());
  const std::string sound = ReadBytes(Entry());
  const auto expect_miss = [&](const std::string& bytes) {
    WriteBytes(Entry(), bytes);
    EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(Entry()));
  };
  for (size_t i = 0; i < sound.size(); i++) {
    std::string damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << i % 8);
    expect_miss(damaged);
    expect_miss(sound.substr(0, i));
    expect_miss(sound + std::string(i + 1, '\0'));
  }
  WriteBytes(Entry(), sound);
  EXPECT_EQ(cache.Get(KeyNumber(1)), ObjectNumber(1, 40));
  // The entry of another key, under this one's name.
  ASSERT_TRUE(cache.Put(KeyNumber(2), ObjectNumber(2)).ok());
  std::filesystem::rename(Entry(2), Entry(1));
  ExpectDamaged(cache);
}

TEST_F(CacheTest, TakesNoEntryThatOthersMayWrite) {
  const ObjectCache cache = Filled();
  for (mode_t mode : {0660u, 0602u, 0666u}) {
    ASSERT_EQ(::chmod(Entry().c_str(), mode), 0);
    ExpectDamaged(cache);
  }
  if (::chown(Entry().c_str(), kStranger, kStranger) == 0) ExpectDamaged(cache);
}

TEST_F(CacheTest, TakesNothingButFiles) {
  const ObjectCache cache = Filled();
  const std::string sound = ReadBytes(Entry());
  WriteBytes(Path("sound"), sound);
  const auto replace = [&] { std::filesystem::remove(Entry()); };

  replace();
  ASSERT_EQ(::symlink("../sound", Entry().c_str()), 0);
  ExpectDamaged(cache);
  EXPECT_EQ(ReadBytes(Path("sound")), sound);

  replace();
  ASSERT_EQ(::symlink("nothing", Entry().c_str()), 0);
  ExpectDamaged(cache);

  replace();
  ASSERT_EQ(::mkfifo(Entry().c_str(), 0600), 0);
  ExpectDamaged(cache);

  replace();
  ASSERT_EQ(::mkdir(Entry().c_str(), 0700), 0);
  ExpectDamaged(cache);

  replace();
  const int file = ::open(Entry().c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::ftruncate(file, int64_t{1} << 40), 0);
  ::close(file);
  ExpectDamaged(cache);

  replace();
  ASSERT_TRUE(Succeeds(Fork([&] {  // a socket's address has a short limit
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    ::strcpy(address.sun_path, "s");
    return ::chdir(folder_.c_str()) == 0 &&
           ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  })));
  std::filesystem::rename(Path("s"), Entry());
  ExpectDamaged(cache);

  // A folder with something in it stays: a cache removes no files that are not its own.
  replace();
  ASSERT_EQ(::mkdir(Entry().c_str(), 0700), 0);
  WriteBytes(Entry() + "/file", "mine");
  EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
  EXPECT_FALSE(cache.Put(KeyNumber(1), ObjectNumber(1)).ok());
  EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
  EXPECT_EQ(ReadBytes(Entry() + "/file"), "mine");
  EXPECT_EQ(CountNames(Path("cache")), 1);
}

TEST_F(CacheTest, ThatCannotBeWrittenStillReads) {
  const std::string folder = Path("cache");
  EXPECT_TRUE(SucceedsUnprivileged([&] {
    EXPECT_TRUE(ObjectCache::Open(folder).Put(KeyNumber(1), ObjectNumber(1)).ok());
    EXPECT_EQ(::chmod(folder.c_str(), 0500), 0);
    const ObjectCache cache = ObjectCache::Open(folder);
    EXPECT_EQ(Message(cache),
              absl::StrCat("newly compiled code is not cached: '", folder, "': Permission denied"));
    EXPECT_EQ(cache.Get(KeyNumber(1)), ObjectNumber(1));
    EXPECT_FALSE(cache.Put(KeyNumber(2), ObjectNumber(2)).ok());
    EXPECT_EQ(cache.Get(KeyNumber(2)), std::nullopt);
    EXPECT_EQ(::chmod(folder.c_str(), 0), 0);
    EXPECT_FALSE(ObjectCache::Open(folder).on());
    EXPECT_FALSE(ObjectCache::Open(Path("cache/deeper")).on());
    EXPECT_EQ(::chmod(folder.c_str(), 0700), 0);
    return true;
  }));
}

// Puts entry 1 with the system's call number `k` failing, on a folder that has it or not.
TEST_F(CacheTest, KeepsTheOldEntryOrNoneWhereACallFails) {
  for (bool before : {false, true}) {
    for (int k = 0;; k++) {
      std::filesystem::remove_all(Path("cache"));
      if (before) Filled();
      int calls = 0, failed = 0;
      const auto fails = [&](int error) {
        if (calls++ != k) return false;
        failed = error;
        errno = error;
        return true;
      };
      FileSystem system;
      system.openat = [&](int folder, const char* name, int flags, mode_t mode) {
        return fails(EMFILE) ? -1 : ::openat(folder, name, flags, mode);
      };
      system.write = [&](int file, const void* bytes, size_t count) -> ssize_t {
        if (fails(ENOSPC)) return -1;
        return ::write(file, bytes, std::min<size_t>(count, 300));
      };
      system.rename = [&](int folder, const char* from, const char* to) {
        return fails(EACCES) ? -1 : ::renameat(folder, from, folder, to);
      };
      const ObjectCache cache = ObjectCache::Open(Path("cache"), system);
      const absl::Status status = cache.Put(KeyNumber(1), ObjectNumber(1));
      const bool put = failed == 0 || failed == ENOSPC;  // that once, after which there is room
      EXPECT_EQ(status.ok(), put) << status;
      EXPECT_EQ(CountNames(Path("cache")), put || before) << k;
      const auto found = ObjectCache::Open(Path("cache")).Get(KeyNumber(1));
      EXPECT_EQ(found.has_value(), put || before);
      EXPECT_EQ(found.value_or(ObjectNumber(1)), ObjectNumber(1));
      if (failed == 0) break;
    }
  }
}

// What was not used for longest makes room for what is new.
TEST_F(CacheTest, GoesOnWhereTheDiskIsFull) {
  FileSystem system;
  system.write = [&](int file, const void* bytes, size_t count) -> ssize_t {
    uintmax_t all = count;
    for (const auto& entry : std::filesystem::directory_iterator(Path("cache"))) {
      all += entry.file_size();
    }
    return all > 6000 ? (errno = ENOSPC, -1) : ::write(file, bytes, count);
  };
  const ObjectCache cache = ObjectCache::Open(Path("cache"), system);
  for (int i = 0; i < 30; i++) {
    const std::string object(500, static_cast<char>('a' + i % 26));
    EXPECT_TRUE(cache.Put(KeyNumber(i), object).ok()) << i;
    EXPECT_EQ(cache.Get(KeyNumber(i)), object);
  }
  EXPECT_GT(CountNames(Path("cache")), 3);
  // One that has no room anywhere leaves nothing behind.
  EXPECT_FALSE(cache.Put(KeyNumber(99), std::string(7000, 'x')).ok());
  EXPECT_EQ(cache.Get(KeyNumber(99)), std::nullopt);
}

TEST_F(CacheTest, LivesWithoutFileDescriptors) {
  const ObjectCache cache = Filled();
  EXPECT_TRUE(Succeeds(Fork([&] {
    const struct rlimit none = {3, 3};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return false;
    EXPECT_FALSE(ObjectCache::Open(Path("cache")).on());
    EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
    EXPECT_FALSE(cache.Put(KeyNumber(2), "bytes").ok());
    return true;
  })));
  EXPECT_EQ(cache.Get(KeyNumber(1)), ObjectNumber(1))
      << "an entry that could not be opened is kept";
}

TEST_F(CacheTest, LivesWithALimitOnTheLengthOfFiles) {
  const ObjectCache cache = Filled();
  EXPECT_TRUE(Succeeds(Fork([&] {  // SIGXFSZ would end it
    const struct rlimit small = {500, 500};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return false;
    EXPECT_FALSE(cache.Put(KeyNumber(2), ObjectNumber(2)).ok());
    EXPECT_TRUE(cache.Put(KeyNumber(3), ObjectNumber(3, 400)).ok());
    EXPECT_EQ(cache.Get(KeyNumber(1)), ObjectNumber(1));
    return true;
  })));
  EXPECT_EQ(CountNames(Path("cache")), 2);
}

TEST_F(CacheTest, LivesWithAFullDisk) {
  ASSERT_EQ(::mkdir(Path("disk").c_str(), 0700), 0);
  int results[2];
  ASSERT_EQ(::pipe(results), 0);
  EXPECT_TRUE(Succeeds(Fork([&] {
    // Seen by this process alone, and gone with it.
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", Path("disk").c_str(), "tmpfs", 0, "size=256k") != 0) {
      return ::write(results[1], "s", 1) == 1;
    }
    const ObjectCache cache = ObjectCache::Open(Path("disk/cache"));
    for (uint8_t n = 0; n < 20; n++) {
      EXPECT_TRUE(cache.Put(KeyNumber(n), ObjectNumber(n, 30000)).ok());
      EXPECT_EQ(cache.Get(KeyNumber(n)), ObjectNumber(n, 30000));
    }
    EXPECT_FALSE(cache.Put(KeyNumber(20), ObjectNumber(20, 300000)).ok());
    int kept = 0;
    for (uint8_t n = 0; n < 20; n++) {
      const auto found = cache.Get(KeyNumber(n));
      EXPECT_TRUE(found == ObjectNumber(n, 30000) || found == std::nullopt);
      kept += found.has_value() ? 1 : 0;
    }
    EXPECT_LT(kept, 10);
    EXPECT_EQ(CountNames(Path("disk/cache")), kept);
    EXPECT_TRUE(cache.Put(KeyNumber(0), ObjectNumber(0, 30000)).ok());
    // Read-only, as a disk becomes after errors.
    EXPECT_EQ(::mount("", Path("disk").c_str(), "", MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_THAT(Message(ObjectCache::Open(Path("disk/cache"))), HasSubstr("Read-only file system"));
    EXPECT_EQ(ObjectCache::Open(Path("disk/cache")).Get(KeyNumber(0)), ObjectNumber(0, 30000));
    return true;
  })));
  ::close(results[1]);
  char skipped;
  if (::read(results[0], &skipped, 1) == 1) {
    ::close(results[0]);
    GTEST_SKIP() << "may not mount";
  }
  ::close(results[0]);
}

int64_t BytesIn(const std::string& folder) {
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

void SetAge(const std::string& path, int64_t seconds) {
  const timespec time = {::time(nullptr) - seconds, 0};
  const timespec times[] = {time, time};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}

TEST_F(CacheTest, ForgetsWhatWasNotUsedForLongest) {
  ::setenv("TALWEG_CACHE_MB", "1", 1);
  const ObjectCache cache = ObjectCache::Open(Path("cache"));
  constexpr size_t kSize = 100000;
  for (uint8_t n = 0; n < 9; n++) {
    ASSERT_TRUE(cache.Put(KeyNumber(n), ObjectNumber(n, kSize)).ok());
    SetAge(Entry(n), 10000 - n * 100);
  }
  SetAge(Entry(7), -10000000);  // of a wrong clock
  // The oldest one is used, which makes it the newest.
  EXPECT_TRUE(cache.Get(KeyNumber(0)).has_value());
  WriteBytes(Path("cache/notes.txt"), std::string(2 << 20, 'x'));
  WriteBytes(Path("cache/.talweg-0123456789abcdef.tmp"), "new");
  WriteBytes(Path("cache/.talweg-fedcba9876543210.tmp"), "old");
  SetAge(Path("cache/.talweg-fedcba9876543210.tmp"), 10000);

  ASSERT_TRUE(cache.Put(KeyNumber(9), ObjectNumber(9, kSize)).ok());
  for (uint8_t n : {7, 1}) EXPECT_FALSE(cache.Get(KeyNumber(n)).has_value()) << int{n};
  for (uint8_t n : {0, 2, 3, 8, 9}) EXPECT_TRUE(cache.Get(KeyNumber(n)).has_value()) << int{n};
  // What is not the cache's is neither counted nor removed.
  EXPECT_TRUE(std::filesystem::exists(Path("cache/notes.txt")));
  EXPECT_TRUE(std::filesystem::exists(Path("cache/.talweg-0123456789abcdef.tmp")));
  EXPECT_FALSE(std::filesystem::exists(Path("cache/.talweg-fedcba9876543210.tmp")));
}

TEST_F(CacheTest, StaysBelowItsLimit) {
  ::setenv("TALWEG_CACHE_MB", "1", 1);
  const ObjectCache cache = ObjectCache::Open(Path("cache"));
  std::mt19937 random(1);
  for (int i = 0; i < 400; i++) {
    Key key = {};
    for (uint8_t& byte : key) byte = static_cast<uint8_t>(random());
    const std::string object(random() % 40000, 'x');
    ASSERT_TRUE(cache.Put(key, object).ok());
    EXPECT_EQ(cache.Get(key), object);
    ASSERT_LE(BytesIn(Path("cache")), 1 << 20) << i;
  }
  EXPECT_GT(BytesIn(Path("cache")), 800000);
  EXPECT_FALSE(cache.Put(KeyNumber(1), std::string(1 << 20, 'x')).ok());

  // What was kept under a higher limit.
  ::setenv("TALWEG_CACHE_MB", "10", 1);
  ASSERT_TRUE(ObjectCache::Open(Path("cache")).Put(KeyNumber(1), std::string(3 << 20, 'x')).ok());
  EXPECT_EQ(cache.Get(KeyNumber(1)), std::nullopt);
}

TEST_F(CacheTest, ReadsItsLimitFromTheEnvironment) {
  EXPECT_EQ(CacheLimit(), 256 << 20);
  ::setenv("TALWEG_CACHE_MB", "3", 1);
  EXPECT_EQ(CacheLimit(), 3 << 20);
  for (const char* wrong : {"", "x", "-1", "1e3", "99999999999999999999", "1048577"}) {
    ::setenv("TALWEG_CACHE_MB", wrong, 1);
    EXPECT_EQ(CacheLimit(), 256 << 20) << wrong;
  }
  ::setenv("TALWEG_CACHE_MB", "0", 1);
  EXPECT_FALSE(ObjectCache::Open(Path("cache")).on());
}

// Readers, writers, and one in eight that damages what it finds, on a cache that is too small.
TEST_F(CacheTest, ServesSixtyFourProcessesAtOnce) {
  ::setenv("TALWEG_CACHE_MB", "1", 1);
  std::vector<std::string> objects;
  for (uint8_t n = 0; n < 40; n++) objects.push_back(ObjectNumber(n, 20000 + n * 1000u));
  std::vector<pid_t> children;
  for (unsigned child = 0; child < 64; child++) {
    children.push_back(Fork([&, child] {
      std::mt19937 random(child);
      const ObjectCache cache = ObjectCache::Open(Path("cache"));
      int64_t hits = 0;
      for (int i = 0; i < 150; i++) {
        const auto n = static_cast<uint8_t>(random() % 40);
        const std::string& object = objects[n];
        if (child % 8 == 0 && i % 4 == 0) {
          const int file = ::open(Entry(n).c_str(), O_WRONLY);
          if (file >= 0 && ::pwrite(file, "damage", 6, random() % 20000) != 6) return false;
          ::close(file);
        }
        const auto found = cache.Get(KeyNumber(n));
        hits += found.has_value();
        if (found.has_value() && *found != object) return false;
        if (!found.has_value() && !cache.Put(KeyNumber(n), object).ok()) return false;
      }
      return hits > 0;
    }));
  }
  for (pid_t child : children) EXPECT_TRUE(Succeeds(child));
  EXPECT_LE(BytesIn(Path("cache")), 1 << 20);
  for (const auto& entry : std::filesystem::directory_iterator(Path("cache"))) {
    EXPECT_THAT(entry.path().filename().string(), EndsWith(".talweg"));
  }
}

TEST_F(CacheTest, ServesThreads) {
  const ObjectCache cache = ObjectCache::Open(Path("cache"));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (unsigned t = 0; t < 8; t++) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 100; i++) {
        const auto n = static_cast<uint8_t>(random() % 10);
        const auto found = cache.Get(KeyNumber(n));
        wrong += found.has_value() && *found != ObjectNumber(n);
        if (!found.has_value()) wrong += !cache.Put(KeyNumber(n), ObjectNumber(n)).ok();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace talweg::native
