#ifndef TALWEG_JIT_LLVM_CACHE_FOLDER_H_
#define TALWEG_JIT_LLVM_CACHE_FOLDER_H_

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace talweg::native {

// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  // 0, or -1 with errno: some file systems report a failed write only here.
  int Close() { return fd_ < 0 ? 0 : ::close(std::exchange(fd_, -1)); }

 private:
  int fd_ = -1;
};

// Where the environment puts the cache: $TALWEG_CACHE_DIR, $XDG_CACHE_HOME/talweg,
// $HOME/.cache/talweg, the first that is there. "off" where the first says so. Error: none is
// there.
absl::StatusOr<std::string> DefaultCacheFolder();
// $TALWEG_CACHE_MB, in bytes; 256 MiB where that is not a whole number from 0 to 1,048,576.
int64_t CacheLimit();

// Opens `user`'s folder at `path`, and makes it (0700, with all that is missing above it) where it
// is missing. Everything in it is then reached through the descriptor, so that nobody who renames
// folders changes which one is meant. Errors, with the path: it is a symbolic link or no folder;
// somebody else owns it, or may write to it; a folder above it may be written by everybody (and has
// no sticky bit, as /tmp has); the system's.
absl::StatusOr<Descriptor> OpenCacheFolder(const std::string& path, uid_t user);

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_CACHE_FOLDER_H_
