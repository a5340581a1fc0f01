#include "tests/base/memory_limit.h"

#include <unistd.h>

#include <fstream>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TALWEG_TESTS_ADDRESSES_ARE_TAKEN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define TALWEG_TESTS_ADDRESSES_ARE_TAKEN
#endif
#endif

namespace talweg {

MemoryLimit::MemoryLimit(int64_t more) {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  ::getrlimit(RLIMIT_AS, &before_);
  struct rlimit limit = before_;
  limit.rlim_cur = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE) + more);
  ::setrlimit(RLIMIT_AS, &limit);
}

MemoryLimit::~MemoryLimit() { ::setrlimit(RLIMIT_AS, &before_); }

bool MemoryLimit::IsPossible() {
#ifdef TALWEG_TESTS_ADDRESSES_ARE_TAKEN
  return false;
#else
  return true;
#endif
}

}  // namespace talweg
