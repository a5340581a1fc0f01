#ifndef TALWEG_JIT_LLVM_CACHE_H_
#define TALWEG_JIT_LLVM_CACHE_H_

#include <unistd.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "jit/llvm/cache_folder.h"

namespace talweg::native {

// Compiled objects in a folder, so that what one process compiled the next one loads. What is there
// will be run: so it must be this user's own, and whole. And it only saves time: whatever is wrong
// costs time, and nothing else.
//
//   const ObjectCache cache = ObjectCache::Open("");
//   std::optional<std::string> object = cache.Get(key);
//   if (!object) cache.Put(key, made).IgnoreError();
//
// Any number of processes and threads may use a folder at once, and a cache from many threads.
//
// - The folder belongs to the user and is no symbolic link, nobody else can write to it, and no
//   folder above it can be written by everybody (/tmp, where only owners rename, may be). One that
//   is missing is made, for this user alone. Otherwise the cache is off.
// - An entry is a regular file of the same kind, reached through the folder's descriptor, with the
//   key and a hash (BLAKE3) of all that it holds. Anything else in its place is removed. It appears
//   by a rename: no reader sees half of one. After a loss of power its hash tells.
// - When all together have more bytes than the limit, those that were not used for longest go.
//   Writers look after that, and not at every entry.
//
// Files in the folder that are no entries by their name are left alone.
class ObjectCache {
 public:
  using Key = std::array<uint8_t, 32>;

  // The key of an object that depends on what stands in these bytes, and on nothing else.
  static Key KeyOf(absl::string_view bytes);

  // `place` is a folder, "off", or empty: where the environment says (cache_folder.h). Never fails,
  // but may give a cache that is off or cannot be written, whose status() says why. Tests put
  // another system, or another user than this process's, in their place.
  static ObjectCache Open(const std::string& place, FileSystem system = {},
                          uid_t user = ::geteuid());

  ObjectCache() = default;  // off
  ObjectCache(ObjectCache&&) = default;
  ObjectCache& operator=(ObjectCache&&) = default;

  bool on() const { return folder_.ok(); }
  // Why the cache is off or keeps nothing new, as a sentence with the folder in it. OK where it
  // works, and where it was turned off on purpose.
  const absl::Status& status() const { return status_; }
  const std::string& path() const { return path_; }  // of the folder; "off"

  // The object that was put there under this key; nothing if there is none, or none to be trusted.
  std::optional<std::string> Get(const Key& key) const;
  // Keeps an object. The status says why it was not kept, for whoever wants to know.
  absl::Status Put(const Key& key, absl::string_view object) const;

  // The name of an entry in the folder.
  static std::string FileName(const Key& key);

 private:
  bool Take(int file, const Key& key, std::string& object) const;
  absl::Status Write(const std::string& name, absl::string_view header,
                     absl::string_view object) const;
  void Trim(bool is_full) const;

  Descriptor folder_;
  std::string path_ = "off";
  absl::Status status_;
  int64_t limit_ = 0;  // bytes
  FileSystem system_;
  uid_t user_ = 0;
};

}  // namespace talweg::native

#endif  // TALWEG_JIT_LLVM_CACHE_H_
