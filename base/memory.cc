#include "base/memory.h"

#include <sys/mman.h>

#include <new>

namespace talweg {
namespace {

constexpr std::align_val_t kAlignment{64};

// Should the system refuse, nothing is lost.
constexpr int64_t kLargePage = 2 << 20, kLarge = 2 * kLargePage;
void AskForLargePages(std::byte* memory, int64_t bytes) {
  const auto page = static_cast<uintptr_t>(kLargePage);
  const auto begin = (reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page;
  const auto end =
      (reinterpret_cast<uintptr_t>(memory) + static_cast<uintptr_t>(bytes)) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace

std::byte* NewMemory(int64_t bytes) {
  auto* const memory =
      static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), kAlignment, std::nothrow));
  if (memory != nullptr && bytes >= kLarge) AskForLargePages(memory, bytes);
  return memory;
}

void FreeMemory(std::byte* memory) { ::operator delete(memory, kAlignment); }

}  // namespace talweg
