#include "base/memory.h"

#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "base/control_group.h"

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

struct SystemBytes {
  int64_t of_memory = std::numeric_limits<int64_t>::max(), of_swap = 0;
};
const SystemBytes& Bytes() {
  static const SystemBytes bytes = [] {
    struct sysinfo info = {};
    if (sysinfo(&info) != 0) return SystemBytes{};
    return SystemBytes{static_cast<int64_t>(info.totalram * info.mem_unit),
                       static_cast<int64_t>(info.totalswap * info.mem_unit)};
  }();
  return bytes;
}

// What the machine can swap counts, but not in a container that has less than the machine: nobody
// says how much of it is the container's.
int64_t MostBytes() {
  const bool is_limited = BytesOfMachine() < Bytes().of_memory;
  return BytesOfMachine() + (is_limited ? 0 : Bytes().of_swap);
}

// The C library's aligned allocation cuts up a larger piece, and puts small ones together for that:
// it takes longer than a small product of matrices. So this aligns by itself, and keeps where the
// piece begins before the memory; but for ASan, which sees each byte past the end.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAligns = false;
#elif defined(__has_feature)
constexpr bool kAligns = !__has_feature(address_sanitizer);
#else
constexpr bool kAligns = true;
#endif

std::byte* NewAligned(size_t bytes) {
  constexpr auto kBytes = static_cast<size_t>(kAlignment);
  if (!kAligns) return static_cast<std::byte*>(::operator new(bytes, kAlignment, std::nothrow));
  void* const piece = ::operator new(bytes + kBytes, std::nothrow);
  if (piece == nullptr) return nullptr;
  const uintptr_t past = reinterpret_cast<uintptr_t>(piece) + kBytes;
  auto* const memory = reinterpret_cast<std::byte*>(past - past % kBytes);
  static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= sizeof(void*));
  std::memcpy(memory - sizeof(void*), &piece, sizeof(void*));
  return memory;
}

}  // namespace

int64_t BytesOfMachine() {
  static const int64_t bytes = std::min(Bytes().of_memory, ReadGroupLimits().bytes);
  return bytes;
}

std::byte* NewMemory(int64_t bytes) {
  // Some systems lend whatever they are asked for, and end those who use it.
  if (bytes >= kLarge && bytes > MostBytes()) return nullptr;
  std::byte* const memory = NewAligned(static_cast<size_t>(bytes));
  if (memory != nullptr && bytes >= kLarge) AskForLargePages(memory, bytes);
  return memory;
}

bool WithMemoryFor(int64_t bytes, const std::function<void()>& allocate) {
  if (bytes > MostBytes()) return false;
  try {
    allocate();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void FreeMemory(std::byte* memory) {
  if (!kAligns) return ::operator delete(memory, kAlignment);
  if (memory == nullptr) return;
  void* piece = nullptr;
  std::memcpy(&piece, memory - sizeof(void*), sizeof(void*));
  ::operator delete(piece);
}

}  // namespace talweg
