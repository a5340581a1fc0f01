#include "tests/base/allocation.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TALWEG_TESTS_OPERATORS_ARE_TAKEN
#endif
#endif

namespace {

// The operators have no object to keep these in.
std::atomic<int64_t> current_bytes = 0, peak_bytes = 0;
std::atomic<int64_t> until_failure = 0;  // 0: none is asked for; 1: the next one
std::atomic<bool> failed = false;

#ifndef TALWEG_TESTS_OPERATORS_ARE_TAKEN

void* Count(void* memory) {
  if (memory == nullptr) return nullptr;
  const auto bytes = static_cast<int64_t>(malloc_usable_size(memory));
  const int64_t now = current_bytes += bytes;
  int64_t peak = peak_bytes;
  while (peak < now && !peak_bytes.compare_exchange_weak(peak, now)) {
  }
  return memory;
}

void Free(void* memory) {
  if (memory == nullptr) return;
  current_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

void* Aligned(std::size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<std::size_t>(alignment);
  if (size > SIZE_MAX - unit) return nullptr;
  return Count(std::aligned_alloc(unit, std::max((size + unit - 1) / unit, std::size_t{1}) * unit));
}

bool FailsNow() {
  if (until_failure == 0 || --until_failure != 0) return false;
  failed = true;
  return true;
}

void* OrAbort(void* memory) {
  if (memory == nullptr) std::abort();  // the tests never ask this much by a throwing new
  return memory;
}

#endif

}  // namespace

#ifndef TALWEG_TESTS_OPERATORS_ARE_TAKEN

void* operator new(std::size_t size) { return OrAbort(Count(std::malloc(size))); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return FailsNow() ? nullptr : Count(std::malloc(size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return OrAbort(Aligned(size, alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return FailsNow() ? nullptr : Aligned(size, alignment);
}
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete(void* memory, std::size_t) noexcept { Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { Free(memory); }

#endif

namespace talweg {

HeapWatch::HeapWatch() : start_(current_bytes) { peak_bytes = start_; }
int64_t HeapWatch::Peak() const { return peak_bytes - start_; }

bool AllocationsCanFail() {
#ifdef TALWEG_TESTS_OPERATORS_ARE_TAKEN
  return false;
#else
  return true;
#endif
}

FailingAllocation::FailingAllocation(int64_t k) {
  failed = false;
  until_failure = k;
}
FailingAllocation::~FailingAllocation() { until_failure = 0; }
bool FailingAllocation::Happened() const { return failed; }

}  // namespace talweg
