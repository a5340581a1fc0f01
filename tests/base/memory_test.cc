#include "base/memory.h"

#include <cstring>

#include "gtest/gtest.h"

namespace talweg {
namespace {

TEST(Memory, IsAlignedAtAnySize) {
  for (const int64_t bytes : {int64_t{1}, int64_t{63}, int64_t{4096}, int64_t{5} << 20}) {
    std::byte* const memory = NewMemory(bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
    std::memset(memory, 1, static_cast<size_t>(bytes));
    FreeMemory(memory);
  }
  FreeMemory(nullptr);
}

// Also where the system lends more than it has (vm.overcommit_memory = 1).
TEST(Memory, IsNotLentBeyondWhatTheMachineHas) { EXPECT_EQ(NewMemory(int64_t{1} << 46), nullptr); }

}  // namespace
}  // namespace talweg
