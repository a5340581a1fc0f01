#ifndef TALWEG_TESTS_JIT_LLVM_GUARDED_H_
#define TALWEG_TESTS_JIT_LLVM_GUARDED_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "gtest/gtest.h"

namespace talweg::native {

// Memory between two pages that nobody may touch, flush against the one behind it or before it.
class Guarded {
 public:
  enum class Flush { kBehind, kBefore };

  Guarded(int64_t bytes, Flush flush) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const auto size = static_cast<size_t>(bytes);
    const size_t inside = (size + page - 1) / page * page;
    mapped_ = inside + 2 * page;
    map_ = static_cast<std::byte*>(
        mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(map_, MAP_FAILED);
    if (inside > 0) {
      EXPECT_EQ(mprotect(map_ + page, inside, PROT_READ | PROT_WRITE), 0);
    }
    data_ = map_ + page + (flush == Flush::kBehind ? inside - size : 0);
  }
  Guarded(Guarded&& other) noexcept : map_(other.map_), data_(other.data_), mapped_(other.mapped_) {
    other.map_ = nullptr;
  }
  ~Guarded() {
    if (map_ != nullptr) munmap(map_, mapped_);
  }

  std::byte* data() const { return data_; }
  void MakeReadOnly() {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    if (mapped_ > 2 * page) {
      EXPECT_EQ(mprotect(map_ + page, mapped_ - 2 * page, PROT_READ), 0);
    }
  }

 private:
  std::byte* map_ = nullptr;
  std::byte* data_ = nullptr;
  size_t mapped_ = 0;
};

}  // namespace talweg::native

#endif  // TALWEG_TESTS_JIT_LLVM_GUARDED_H_
