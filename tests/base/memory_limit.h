#ifndef TALWEG_TESTS_BASE_MEMORY_LIMIT_H_
#define TALWEG_TESTS_BASE_MEMORY_LIMIT_H_

#include <sys/resource.h>

#include <cstdint>

namespace talweg {

// While it lives, this process may take so many more bytes and no others (ulimit -v): a throwing
// new beyond them throws.
class MemoryLimit {
 public:
  explicit MemoryLimit(int64_t more);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  // Whether this build can have one: sanitizers take all addresses for themselves.
  static bool IsPossible();

 private:
  struct rlimit before_ = {};
};

}  // namespace talweg

#endif  // TALWEG_TESTS_BASE_MEMORY_LIMIT_H_
