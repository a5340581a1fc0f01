#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/memory.h"
#include "base/text.h"

namespace talweg {
namespace {

// Closes its file descriptor when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  // 0, or -1 with errno: some file systems report a failed write only here.
  int Close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

absl::Status SystemError(int error, const char* what, const std::string& path) {
  return absl::ErrnoToStatus(error, absl::StrFormat("%s %s", what, Quoted(path, 4096)));
}

absl::Status NotAFile(mode_t mode, const char* what, const std::string& path) {
  const char* kind = S_ISDIR(mode)    ? "a folder"
                     : S_ISLNK(mode)  ? "a symbolic link"
                     : S_ISFIFO(mode) ? "a FIFO"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device";
  return absl::FailedPreconditionError(
      absl::StrFormat("%s %s: it is %s, not a regular file", what, Quoted(path, 4096), kind));
}

absl::Status HoldsNul(const char* what, const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrFormat("%s %s: a path can not hold a NUL", what, Quoted(path, 4096)));
}

constexpr char kCanNotWrite[] = "can not write";

// A file that is being written, beside the one whose place it will take.
struct NewFile {
  // Everything goes through this one descriptor: a folder that is moved meanwhile, or replaced by a
  // link, does not divert the file.
  Descriptor folder;
  std::string name;
  std::optional<mode_t> old_mode;  // of the file that is there now
  std::string temporary;           // a name that no other process or thread uses
  Descriptor file;

  void Remove() const { ::unlinkat(folder.get(), temporary.c_str(), 0); }
};

absl::StatusOr<NewFile> Begin(const std::string& path, const FileSystem& system) {
  const auto error = [&](int number) { return SystemError(number, kCanNotWrite, path); };
  if (path.find('\0') != std::string::npos) return HoldsNul(kCanNotWrite, path);
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string folder_path = slash == std::string::npos ? "."
                                  : slash == 0               ? "/"
                                                             : path.substr(0, slash);
  if (name.empty()) return error(path.empty() ? ENOENT : EISDIR);
  Descriptor folder(
      system.openat(AT_FDCWD, folder_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  if (!folder.ok()) return error(errno);
  struct stat old;
  const bool exists = ::fstatat(folder.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
  if (!exists && errno != ENOENT) return error(errno);
  if (exists && !S_ISREG(old.st_mode)) return NotAFile(old.st_mode, kCanNotWrite, path);
  // The folder would let us replace it; who made the file read-only meant that nobody should.
  if (exists && ::faccessat(folder.get(), name.c_str(), W_OK, AT_EACCESS) != 0) return error(errno);
  uint64_t random;
  if (::getentropy(&random, sizeof(random)) != 0) return error(errno);
  std::string temporary = absl::StrFormat(".talweg-%016x.tmp", random);
  Descriptor file(system.openat(folder.get(), temporary.c_str(),
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file.ok()) return error(errno);
  return NewFile{std::move(folder), name, exists ? std::optional(old.st_mode) : std::nullopt,
                 std::move(temporary), std::move(file)};
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  constexpr char kWhat[] = "can not read";
  if (path.find('\0') != std::string::npos) return HoldsNul(kWhat, path);
  // O_NONBLOCK: the open of a FIFO would wait for a writer.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.ok()) return SystemError(errno, kWhat, path);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return SystemError(errno, kWhat, path);
  if (!S_ISREG(info.st_mode)) return NotAFile(info.st_mode, kWhat, path);
  const auto too_long = [&] {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "can not read %s: more than the limit of %d bytes", Quoted(path, 4096), max_bytes));
  };
  if (info.st_size > max_bytes) return too_long();
  // The size is what the file had a moment ago; what counts is where the reading ends.
  const auto no_memory = [&](int64_t wanted) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("can not read %s: no memory for %d bytes", Quoted(path, 4096), wanted));
  };
  std::string bytes;
  const auto resize = [&bytes](int64_t wanted) {
    return WithMemoryFor(wanted, [&] { bytes.resize(static_cast<size_t>(wanted)); });
  };
  if (!resize(info.st_size + 1)) return no_memory(info.st_size + 1);
  size_t size = 0;
  while (true) {
    if (size == bytes.size()) {
      if (static_cast<int64_t>(size) > max_bytes) return too_long();
      const auto wanted = static_cast<int64_t>(size + std::max<size_t>(size, 4096));
      if (!resize(wanted)) return no_memory(wanted);
    }
    const ssize_t got = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(errno, kWhat, path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (static_cast<int64_t>(size) > max_bytes) return too_long();
  bytes.resize(size);
  return bytes;
}

int WriteAll(int file, std::string_view bytes, const FileSystem& system) {
  while (!bytes.empty()) {
    // Linux writes at most 2 GiB - 4096 in one call; smaller calls can be interrupted sooner.
    const ssize_t written =
        system.write(file, bytes.data(), std::min(bytes.size(), size_t{1} << 26));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EIO;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

absl::Status WriteFile(const std::string& path, absl::Span<const std::string_view> pieces,
                       const FileSystem& system) {
  const auto error = [&] { return SystemError(errno, kCanNotWrite, path); };
  absl::StatusOr<NewFile> begun = Begin(path, system);
  if (!begun.ok()) return begun.status();
  auto& [folder, name, old_mode, temporary, file] = *begun;
  absl::Status status;
  uint64_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  if (!MayHaveSize(size)) status = SystemError(EFBIG, kCanNotWrite, path);
  if (status.ok() && old_mode && ::fchmod(file.get(), *old_mode & 07777) != 0) status = error();
  for (std::string_view piece : pieces) {
    const int wrong = status.ok() ? WriteAll(file.get(), piece, system) : 0;
    if (wrong != 0) status = SystemError(wrong, kCanNotWrite, path);
  }
  if (status.ok() && system.fsync(file.get()) != 0) status = error();
  if (file.Close() != 0 && status.ok()) status = error();
  if (status.ok() && system.rename(folder.get(), temporary.c_str(), name.c_str()) != 0) {
    status = error();
  }
  if (!status.ok()) {
    begun->Remove();
    return status;
  }
  // Some network file systems can not sync a folder and say so by EINVAL; there is no more to do.
  if (system.fsync(folder.get()) != 0 && errno != EINVAL) {
    return SystemError(errno, "the new file is in place, but not surely on the disk: folder of",
                       path);
  }
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, std::string_view bytes, const FileSystem& system) {
  return WriteFile(path, absl::MakeConstSpan(&bytes, 1), system);
}

bool MayHaveSize(uint64_t size) {
  struct rlimit limit;
  return ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || size <= limit.rlim_cur;
}

absl::Status CheckWritable(const std::string& path) {
  const absl::StatusOr<NewFile> begun = Begin(path, {});
  if (!begun.ok()) return begun.status();
  begun->Remove();
  return absl::OkStatus();
}

}  // namespace talweg
