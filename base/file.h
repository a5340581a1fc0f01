#ifndef TALWEG_BASE_FILE_H_
#define TALWEG_BASE_FILE_H_

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace talweg {

// Whole files, read with suspicion and written so that no crash leaves half of one.

inline constexpr int64_t kMaxFileBytes = int64_t{1} << 32;  // 4 GiB

// The bytes of the file at `path`. Symbolic links are followed. Errors, each one sentence with the
// path and the system's reason: no such file, no permission, a folder, a FIFO or a device (which
// are not waited for), more than `max_bytes` (checked before anything is allocated).
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = kMaxFileBytes);

// The system calls of WriteFile, with the results and errno of their namesakes. Tests put failing
// ones in their place; everybody else uses the default.
struct FileSystem {
  std::function<int(int folder, const char* name, int flags, mode_t mode)> openat =
      [](int folder, const char* name, int flags, mode_t mode) {
        return ::openat(folder, name, flags, mode);
      };
  std::function<ssize_t(int file, const void* bytes, size_t count)> write = ::write;
  std::function<int(int file)> fsync = ::fsync;
  std::function<int(int folder, const char* from, const char* to)> rename =
      [](int folder, const char* from, const char* to) {
        return ::renameat(folder, from, folder, to);
      };
};

// Writes all of the bytes to an open file, in as many calls as it takes. 0, or the errno of the
// call that failed.
int WriteAll(int file, std::string_view bytes, const FileSystem& system = {});

// Makes the file at `path` hold the pieces, one after the other. Whatever happens on the way, even
// a kill -9 or a loss of power, a reader finds the old file or the new one, never a part: the bytes
// go to a temporary file of the same folder (".talweg-<random>.tmp", removed again on an error),
// which is synced and renamed, and then the folder is synced. An existing file keeps its
// permissions.
//
// Errors: the target is a symbolic link, a folder or anything else that is not a regular file, or a
// file that may not be written; the folder is missing or can not be written; no space, or more
// bytes than this process may write. The old file is then untouched, except where
// the message says that only the last step, the sync of the folder, has failed.
absl::Status WriteFile(const std::string& path, absl::Span<const std::string_view> pieces,
                       const FileSystem& system = {});
absl::Status WriteFile(const std::string& path, std::string_view bytes,
                       const FileSystem& system = {});

// The errors of WriteFile that can be seen before there is anything to write, for what is written
// after hours of work. What access() says is not what happens, so a file is made, and removed: root
// may write everywhere, but not on a file system that is read-only.
absl::Status CheckWritable(const std::string& path);

// Whether a file of this process may become so large (ulimit -f): by default the system ends a
// process that writes beyond.
bool MayHaveSize(uint64_t size);

}  // namespace talweg

#endif  // TALWEG_BASE_FILE_H_
