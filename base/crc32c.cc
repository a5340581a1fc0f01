#include "base/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

namespace talweg {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr int kSlices = 8;

// kTable[0][b] is the remainder of b x^32 by the polynomial 0x1EDC6F41, bits reversed;
// kTable[k][b] that of b x^(32 + 8 k): eight bytes are eight independent look-ups.
constexpr std::array<std::array<uint32_t, 256>, kSlices> MakeTable() {
  std::array<std::array<uint32_t, 256>, kSlices> table{};
  for (uint32_t b = 0; b < 256; b++) {
    uint32_t remainder = b;
    for (int bit = 0; bit < 8; bit++) {
      remainder = remainder >> 1 ^ (remainder & 1 ? 0x82F63B78 : 0);
    }
    table[0][b] = remainder;
  }
  for (int k = 1; k < kSlices; k++) {
    for (uint32_t b = 0; b < 256; b++) {
      table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xFF];
    }
  }
  return table;
}

constexpr auto kTable = MakeTable();

}  // namespace

uint32_t Crc32c(std::string_view bytes, uint32_t before) {
  uint32_t sum = ~before;
  const char* next = bytes.data();
  size_t left = bytes.size();
  for (; left >= kSlices; left -= kSlices, next += kSlices) {
    uint64_t eight;
    std::memcpy(&eight, next, sizeof(eight));
    eight ^= sum;
    sum = 0;
    for (int k = 0; k < kSlices; k++) {
      sum ^= kTable[kSlices - 1 - k][eight >> 8 * k & 0xFF];
    }
  }
  for (; left > 0; left--, next++) {
    sum = sum >> 8 ^ kTable[0][(sum ^ static_cast<unsigned char>(*next)) & 0xFF];
  }
  return ~sum;
}

}  // namespace talweg
