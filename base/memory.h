#ifndef TALWEG_BASE_MEMORY_H_
#define TALWEG_BASE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>

namespace talweg {

// Memory of so many bytes, of any content, aligned to 64, what a vector and a line of the caches
// need; null where there is none, which is all that the machine has not, or does not lend to this
// process (a container's limit).
//
//   std::byte* memory = NewMemory(1 << 20);
//   ...
//   FreeMemory(memory);
//
// Of a few megabytes and more, the system is asked to make its pages large: matrices of many rows
// touch more pages of 4 KB than the processor remembers the addresses of.
std::byte* NewMemory(int64_t bytes);
// How much memory there is for this process at all, in use or not, without what can be swapped.
int64_t BytesOfMachine();
// Runs what allocates so many bytes by itself, such as a string's resize. False where it can not
// have them, as NewMemory says it; what it has thrown for lack of memory is caught.
bool WithMemoryFor(int64_t bytes, const std::function<void()>& allocate);
// Null is nothing to free.
void FreeMemory(std::byte* memory);
// The same for a std::unique_ptr.
struct MemoryDeleter {
  void operator()(std::byte* memory) const { FreeMemory(memory); }
};

}  // namespace talweg

#endif  // TALWEG_BASE_MEMORY_H_
