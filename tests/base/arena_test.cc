#include "base/arena.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"
#include "tests/interpreter/random_arrays.h"

namespace talweg {
namespace {

bool Overlap(int64_t a, int64_t a_end, int64_t b, int64_t b_end) { return a < b_end && b < a_end; }

TEST(LayOut, KeepsApartWhatLivesAtTheSameTime) {
  for (uint64_t seed : Seeds(30, 10)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<Lifetime> buffers;
    int64_t now = 0, all = 0;
    for (int i = 0; i < 200; i++) {
      now += random.Between(0, 1);
      const int64_t last =
          now + (random.Chance(0.1) ? random.Between(0, 200) : random.Between(0, 4));
      buffers.push_back({random.Chance(0.1) ? 0 : random.Between(1, 5000), now, last});
      all += (buffers.back().bytes + 127) / 64 * 64;
    }
    const absl::StatusOr<ArenaLayout> layout = LayOut(buffers);
    ASSERT_TRUE(layout.ok());
    EXPECT_LE(layout->bytes, all);
    for (size_t i = 0; i < buffers.size(); i++) {
      EXPECT_EQ(layout->offsets[i] % 64, 0);
      EXPECT_LE(layout->offsets[i] + buffers[i].bytes, layout->bytes);
      for (size_t k = 0; k < i; k++) {
        if (!Overlap(buffers[i].first, buffers[i].last + 1, buffers[k].first,
                     buffers[k].last + 1)) {
          continue;
        }
        EXPECT_FALSE(Overlap(layout->offsets[i], layout->offsets[i] + buffers[i].bytes,
                             layout->offsets[k], layout->offsets[k] + buffers[k].bytes))
            << i << " and " << k;
      }
    }
  }
}

TEST(LayOut, ReusesMemoryAlongAChain) {
  std::vector<Lifetime> buffers;
  for (int64_t i = 0; i < 100000; i++) buffers.push_back({4096, i, i + 1});
  const absl::StatusOr<ArenaLayout> layout = LayOut(buffers);
  ASSERT_TRUE(layout.ok());
  EXPECT_LE(layout->bytes, 3 * 4096);
}

TEST(LayOut, RefusesWhatNoMachineHas) {
  const int64_t half = int64_t{1} << 61;
  const std::vector<Lifetime> buffers = {{half, 0, 3}, {half, 0, 3}, {half, 1, 3}};
  EXPECT_EQ(LayOut(buffers).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace talweg
