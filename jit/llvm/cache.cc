#include "jit/llvm/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/BLAKE3.h"

namespace talweg::native {
namespace {

// The head of an entry; the object follows and ends the file. A number is written as this processor
// keeps it: no other kind can read the object anyway.
struct Header {
  char magic[8] = {'T', 'a', 'l', 'w', 'e', 'g', '0', '1'};  // with the format's version
  ObjectCache::Key key = {};
  uint64_t length = 0;
  std::array<uint8_t, 32> hash = {};  // of what stands before it, and the object
};
static_assert(sizeof(Header) == 80 && std::is_trivially_copyable_v<Header>);

constexpr absl::string_view kSuffix = ".talweg";
constexpr absl::string_view kTemporaryPrefix = ".talweg-", kTemporarySuffix = ".tmp";
constexpr int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;

llvm::ArrayRef<uint8_t> Bytes(const void* data, size_t size) {
  return {static_cast<const uint8_t*>(data), size};
}

std::array<uint8_t, 32> HashOf(const Header& header, absl::string_view object) {
  llvm::BLAKE3 hasher;
  hasher.update(Bytes(&header, offsetof(Header, hash)));
  hasher.update(Bytes(object.data(), object.size()));
  return hasher.final();
}

bool IsHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsEntry(absl::string_view name) {
  return name.size() == 64 + kSuffix.size() && absl::EndsWith(name, kSuffix) &&
         IsHex(name.substr(0, 64));
}

bool IsTemporary(absl::string_view name) {
  return name.size() == kTemporaryPrefix.size() + 16 + kTemporarySuffix.size() &&
         absl::StartsWith(name, kTemporaryPrefix) && absl::EndsWith(name, kTemporarySuffix) &&
         IsHex(name.substr(kTemporaryPrefix.size(), 16));
}

bool ReadAll(int file, void* bytes, size_t size) {
  char* out = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t got = ::read(file, out, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

// Removes whatever has the name; a folder only if it is empty.
void Remove(int folder, const std::string& name) {
  if (::unlinkat(folder, name.c_str(), 0) != 0) ::unlinkat(folder, name.c_str(), AT_REMOVEDIR);
}

}  // namespace

ObjectCache::Key ObjectCache::KeyOf(absl::string_view bytes) {
  return llvm::BLAKE3::hash(Bytes(bytes.data(), bytes.size()));
}

ObjectCache ObjectCache::Open(const std::string& place, FileSystem system, uid_t user) {
  ObjectCache cache;
  cache.system_ = std::move(system);
  cache.user_ = user;
  const auto off = [&cache](absl::string_view reason) {
    cache.status_ =
        absl::FailedPreconditionError(absl::StrCat("compiled code is not cached: ", reason));
    return std::move(cache);
  };
  absl::StatusOr<std::string> path = place;
  if (place.empty()) path = DefaultCacheFolder();
  if (!path.ok()) return off(path.status().message());
  if (*path == "off") return cache;
  cache.limit_ = CacheLimit();
  if (cache.limit_ == 0) return cache;
  absl::StatusOr<Descriptor> folder = OpenCacheFolder(*path, user);
  if (!folder.ok()) return off(folder.status().message());
  cache.folder_ = *std::move(folder);
  cache.path_ = *std::move(path);
  if (::faccessat(cache.folder_.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    cache.status_ = absl::ErrnoToStatus(
        errno, absl::StrCat("newly compiled code is not cached: ", Quoted(cache.path_, 4096)));
  }
  return cache;
}

std::string ObjectCache::FileName(const Key& key) {
  return absl::StrCat(absl::BytesToHexString(
                          absl::string_view(reinterpret_cast<const char*>(key.data()), key.size())),
                      kSuffix);
}

std::optional<std::string> ObjectCache::Get(const Key& key) const {
  if (!on()) return std::nullopt;
  const std::string name = FileName(key);
  // O_NONBLOCK: the open of a FIFO would wait for a writer.
  const Descriptor file(system_.openat(
      folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0));
  std::string object;
  if (file.ok()) {
    if (Take(file.get(), key, object)) return object;
  } else if (errno != ELOOP && errno != ENXIO) {  // no symbolic link and no socket
    return std::nullopt;
  }
  Remove(folder_.get(), name);
  return std::nullopt;
}

// Whether the file is the entry of this key.
bool ObjectCache::Take(int file, const Key& key, std::string& object) const {
  struct stat info;
  Header header;
  if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != user_ ||
      (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
      info.st_size < static_cast<int64_t>(sizeof(header)) || info.st_size > limit_) {
    return false;
  }
  const auto length = static_cast<uint64_t>(info.st_size) - sizeof(header);
  if (!ReadAll(file, &header, sizeof(header)) ||
      memcmp(header.magic, Header().magic, sizeof(header.magic)) != 0 || header.key != key ||
      header.length != length) {
    return false;
  }
  object.resize(length);
  if (!ReadAll(file, object.data(), length) || header.hash != HashOf(header, object)) return false;
  // The time of last use, to the minute: a write of metadata is not for each hit.
  const int64_t age = ::time(nullptr) - info.st_mtim.tv_sec;
  if (age < 0 || age > kMinute) ::futimens(file, nullptr);
  return true;
}

absl::Status ObjectCache::Put(const Key& key, absl::string_view object) const {
  if (!on()) return absl::FailedPreconditionError("the cache is off");
  Header header = {.key = key, .length = object.size()};
  const uint64_t size = sizeof(header) + object.size();
  if (size > static_cast<uint64_t>(limit_) / 2) {
    return absl::ResourceExhaustedError("the object is larger than half of the cache");
  }
  if (!MayHaveSize(size)) {
    return absl::ResourceExhaustedError("the object is larger than files may be");
  }
  header.hash = HashOf(header, object);
  uint64_t random;
  if (::getentropy(&random, sizeof(random)) != 0) return absl::ErrnoToStatus(errno, "getentropy");
  const std::string temporary =
      absl::StrFormat("%s%016x%s", kTemporaryPrefix, random, kTemporarySuffix);
  const absl::string_view head = {reinterpret_cast<const char*>(&header), sizeof(header)};
  absl::Status status = Write(temporary, head, object);
  if (absl::IsResourceExhausted(status)) {
    // The disk is full, or a quota: half of what is here makes room.
    ::unlinkat(folder_.get(), temporary.c_str(), 0);
    Trim(/*is_full=*/true);
    status = Write(temporary, head, object);
  }
  const std::string name = FileName(key);
  for (bool again : {true, false}) {
    if (!status.ok()) break;
    if (system_.rename(folder_.get(), temporary.c_str(), name.c_str()) == 0) break;
    // A folder is in its place.
    if (!again || ::unlinkat(folder_.get(), name.c_str(), AT_REMOVEDIR) != 0) {
      status = absl::ErrnoToStatus(errno, "rename");
    }
  }
  if (!status.ok()) {
    ::unlinkat(folder_.get(), temporary.c_str(), 0);
    return status;
  }
  // Each entry has a chance by its size to be the one after which somebody counts, so that this
  // happens some 256 times until the cache is full, however many processes fill it.
  if (static_cast<double>(random >> 11) * 0x1p-53 * static_cast<double>(limit_) <
      static_cast<double>(size) * 256) {
    Trim(/*is_full=*/false);
  }
  return status;
}

absl::Status ObjectCache::Write(const std::string& name, absl::string_view header,
                                absl::string_view object) const {
  Descriptor file(system_.openat(folder_.get(), name.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.ok()) {
    // These are no lack of room on the disk, which the same code would stand for.
    const bool too_many = errno == EMFILE || errno == ENFILE;
    return too_many ? absl::UnavailableError("open: too many open files")
                    : absl::ErrnoToStatus(errno, "open");
  }
  int wrong = WriteAll(file.get(), StdView(header), system_);
  if (wrong == 0) wrong = WriteAll(file.get(), StdView(object), system_);
  if (wrong != 0) return absl::ErrnoToStatus(wrong, "write");
  // No fsync: what a loss of power damages is compiled again.
  return file.Close() == 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, "close");
}

// Removes the entries that were not used for longest where there is little room left, half of all
// where there is none, and what killed writers left behind.
void ObjectCache::Trim(bool is_full) const {
  const int fd = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(fd), ::closedir);
  if (folder == nullptr) {
    ::close(fd);
    return;
  }
  struct Entry {
    std::pair<int64_t, int64_t> used;  // seconds, nanoseconds
    int64_t bytes;
    std::string name;
    bool operator<(const Entry& other) const { return used < other.used; }
  };
  std::vector<Entry> entries;
  int64_t total = 0;
  const int64_t now = ::time(nullptr);
  while (const dirent* item = ::readdir(folder.get())) {
    const absl::string_view name = item->d_name;
    const bool temporary = IsTemporary(name);
    struct stat info;
    if ((!temporary && !IsEntry(name)) ||
        ::fstatat(fd, item->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) {
      continue;
    }
    if (temporary && now - info.st_mtim.tv_sec > kHour) {
      ::unlinkat(fd, item->d_name, 0);
      continue;
    }
    // On the disk it is whole blocks, though maybe not yet.
    const int64_t bytes = std::max<int64_t>(info.st_size, info.st_blocks * 512);
    total += bytes;
    if (temporary) continue;
    // A time to come is a mistake of some clock's, and would be kept for ever.
    const bool wrong = info.st_mtim.tv_sec > now + kDay;
    entries.push_back(
        {{wrong ? 0 : info.st_mtim.tv_sec, info.st_mtim.tv_nsec}, bytes, std::string(name)});
  }
  if (!is_full && total <= limit_ / 16 * 15) return;
  const int64_t most = is_full ? total / 2 : limit_ / 8 * 7;
  std::sort(entries.begin(), entries.end());
  for (const Entry& entry : entries) {
    if (total <= most) return;
    ::unlinkat(fd, entry.name.c_str(), 0);
    total -= entry.bytes;
  }
}

}  // namespace talweg::native
