#include "base/philox.h"

#include <bit>
#include <cmath>

#include "gtest/gtest.h"

namespace talweg {
namespace {

using Words = std::array<uint32_t, 4>;

// The known answers published with Random123 (kat_vectors, philox4x32 10): counter, key, words.
TEST(Philox, GivesThePublishedKnownAnswers) {
  constexpr uint32_t kAll = 0xffffffff;
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({kAll, kAll, kAll, kAll}, {kAll, kAll}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, BlocksTogetherHaveTheWordsOfEachAlone) {
  for (const uint64_t key : {uint64_t{0}, uint64_t{0x0123456789abcdef}, ~uint64_t{0}}) {
    for (const uint64_t stream : {uint64_t{0}, uint64_t{0xfedcba9876543210}}) {
      // Across the end of the block's lower half, too.
      for (const uint64_t first : {uint64_t{0}, uint64_t{4096}, uint64_t{0x7fffffff0}}) {
        for (const PhiloxBlocks blocks : AllPhiloxBlocks()) {
          PhiloxWords words;
          blocks(key, stream, first, words);
          for (size_t i = 0; i < words.size(); i++) {
            const uint64_t block = first + i;
            const Words alone =
                Philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                        static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                       {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
            EXPECT_EQ(words[i], alone[0] | static_cast<uint64_t>(alone[1]) << 32) << block;
          }
        }
      }
    }
  }
}

TEST(Philox, IsAConstantExpression) {
  static_assert(Philox({0, 0, 0, 0}, {0, 0})[0] == 0x6627e8d5);
}

TEST(Philox, EveryBitOfCounterAndKeyChangesHalfOfTheWordsBits) {
  const Words base = Philox({1, 2, 3, 4}, {5, 6});
  for (int bit = 0; bit < 192; bit++) {
    Words counter = {1, 2, 3, 4};
    std::array<uint32_t, 2> key = {5, 6};
    (bit < 128 ? counter[bit / 32] : key[bit / 32 - 4]) ^= uint32_t{1} << bit % 32;
    const Words changed = Philox(counter, key);
    int flips = 0;
    for (int i = 0; i < 4; i++) flips += std::popcount(base[i] ^ changed[i]);
    // 128 fair coins: 64 flips, standard deviation 5.7; six of them on either side.
    EXPECT_GT(flips, 30) << "bit " << bit;
    EXPECT_LT(flips, 98) << "bit " << bit;
  }
}

}  // namespace
}  // namespace talweg
