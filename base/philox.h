#ifndef TALWEG_BASE_PHILOX_H_
#define TALWEG_BASE_PHILOX_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace talweg {

inline constexpr int kPhiloxRounds = 10;
inline constexpr uint64_t kPhiloxMultiplier0 = 0xD2511F53, kPhiloxMultiplier1 = 0xCD9E8D57;
// The golden ratio; sqrt(3) - 1.
inline constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9, kPhiloxWeyl1 = 0xBB67AE85;

// Philox4x32-10, a random generator without state: the four words are a pure function of a counter
// and a key, each bit of which changes all of them. Block i of a stream is Philox({i, ...}, key),
// so any element of a random tensor can be drawn alone, in any order, by any thread.
//
//   std::array<uint32_t, 4> words = Philox({0, 0, 0, 0}, {seed, stream});
//
// Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011. The known answers that come with the paper's Random123 library are this file's test.
constexpr std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter,
                                         std::array<uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; round++) {
    // (high0, low0) = c0 M0; (high1, low1) = c2 M1; c = (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1,
    // low0)
    const uint64_t product0 = kPhiloxMultiplier0 * counter[0];
    const uint64_t product1 = kPhiloxMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kPhiloxWeyl0;
    key[1] += kPhiloxWeyl1;
  }
  return counter;
}

// The first two words, low and high, of so many neighbouring blocks: word i is that of
// Philox({first + i, stream}, key), each of them 64 bits.
using PhiloxWords = std::array<uint64_t, 32>;
using PhiloxBlocks = void (*)(uint64_t key, uint64_t stream, uint64_t first, PhiloxWords& words);

// Functions that give these words, all the same ones: those that this processor can run, the
// fastest first.
absl::Span<const PhiloxBlocks> AllPhiloxBlocks();

}  // namespace talweg

#endif  // TALWEG_BASE_PHILOX_H_
