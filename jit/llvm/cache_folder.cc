#include "jit/llvm/cache_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/text.h"

namespace talweg::native {
namespace {

std::string Shown(const std::string& path) { return Quoted(path, 4096); }

absl::Status Refused(const std::string& path, absl::string_view reason) {
  return absl::FailedPreconditionError(absl::StrCat(Shown(path), " ", reason));
}

absl::Status SystemError(const std::string& path, int error) {
  return absl::ErrnoToStatus(error, Shown(path));
}

// A variable's value; "" where it is not set, or where the process has more rights than the user
// who set it.
std::string Variable(const char* name) {
  const char* value = ::secure_getenv(name);
  return value == nullptr ? "" : value;
}

// "a/b//c/" -> "a/b" and "c".
struct Split {
  std::string parent, name;
};
Split SplitPath(std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

// Without symbolic links and dots; empty, with errno, where that fails.
std::string RealPath(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return "";
  std::string result = real;
  ::free(real);
  return result;
}

// Under sudo the home may be another user's: a folder of root's there would be in his way.
bool MayMakeIn(const struct stat& folder, uid_t user) { return user != 0 || folder.st_uid == 0; }

// Makes what is missing. Errors show when the folder is opened.
void MakeFolders(const std::string& path, uid_t user) {
  struct stat above;
  if (::stat(path[0] == '/' ? "/" : ".", &above) != 0) return;
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    if (::stat(folder.c_str(), &above) != 0) {
      if (!MayMakeIn(above, user) || ::mkdir(folder.c_str(), 0700) != 0) return;
      if (::stat(folder.c_str(), &above) != 0) return;
    }
    if (end == std::string::npos) return;
  }
}

// Opens `real`, a path without symbolic links, a folder at a time, each from the one above it.
absl::StatusOr<Descriptor> OpenParents(const std::string& real) {
  std::string seen = "/";
  Descriptor folder(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::vector<std::string> names = absl::StrSplit(real, '/', absl::SkipEmpty());
  for (size_t i = 0;; i++) {
    struct stat info;
    if (!folder.ok() || ::fstat(folder.get(), &info) != 0) return SystemError(seen, errno);
    if ((info.st_mode & S_IWOTH) != 0 && (info.st_mode & S_ISVTX) == 0) {
      return Refused(seen, "can be written by everybody");
    }
    if (i == names.size()) return folder;
    absl::StrAppend(&seen, i == 0 ? "" : "/", names[i]);
    folder = Descriptor(
        ::openat(folder.get(), names[i].c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
}

}  // namespace

absl::StatusOr<std::string> DefaultCacheFolder() {
  if (std::string folder = Variable("TALWEG_CACHE_DIR"); !folder.empty()) return folder;
  // A relative path in these is to be ignored (XDG Base Directory Specification).
  const std::string caches = Variable("XDG_CACHE_HOME"), home = Variable("HOME");
  if (!caches.empty() && caches[0] == '/') return absl::StrCat(caches, "/talweg");
  if (!home.empty() && home[0] == '/') return absl::StrCat(home, "/.cache/talweg");
  return absl::FailedPreconditionError("neither TALWEG_CACHE_DIR nor HOME says where it could be");
}

int64_t CacheLimit() {
  int64_t mebibytes = 0;
  const bool valid = absl::SimpleAtoi(Variable("TALWEG_CACHE_MB"), &mebibytes) && mebibytes >= 0 &&
                     mebibytes <= (1 << 20);
  return (valid ? mebibytes : 256) << 20;
}

absl::StatusOr<Descriptor> OpenCacheFolder(const std::string& path, uid_t user) {
  if (path.find('\0') != std::string::npos) return Refused(path, "is no path: it has a NUL");
  std::string parent = SplitPath(path).parent, name = SplitPath(path).name;
  std::string real;
  if (name.empty() || name == "." || name == "..") {
    real = RealPath(path);
    if (real.empty()) return SystemError(path, errno);
    parent = SplitPath(real).parent;
    name = SplitPath(real).name;
    if (name.empty()) return Refused(path, "is the root; a cache has a folder of its own");
  }
  real = RealPath(parent);
  if (real.empty() && errno == ENOENT) {
    MakeFolders(parent, user);
    real = RealPath(parent);
  }
  if (real.empty()) return SystemError(parent, errno);
  const absl::StatusOr<Descriptor> above = OpenParents(real);
  if (!above.ok()) return above.status();

  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct stat info;
  Descriptor folder(::openat(above->get(), name.c_str(), kFlags));
  if (!folder.ok() && errno == ENOENT) {
    if (::fstat(above->get(), &info) != 0) return SystemError(real, errno);
    if (!MayMakeIn(info, user)) return Refused(real, "belongs to another user than root");
    if (::mkdirat(above->get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
      return SystemError(path, errno);
    }
    folder = Descriptor(::openat(above->get(), name.c_str(), kFlags));
  }
  if (!folder.ok()) {
    const int error = errno;
    if (::fstatat(above->get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      if (S_ISLNK(info.st_mode)) return Refused(path, "is a symbolic link");
      if (!S_ISDIR(info.st_mode)) return Refused(path, "is not a folder");
    }
    return SystemError(path, error);
  }
  if (::fstat(folder.get(), &info) != 0) return SystemError(path, errno);
  if (info.st_uid != user) return Refused(path, "belongs to another user");
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Refused(path, "can be written by other users");
  }
  return folder;
}

}  // namespace talweg::native
