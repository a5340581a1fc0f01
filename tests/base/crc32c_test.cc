#include "base/crc32c.h"

#include <string>

#include "gtest/gtest.h"

namespace talweg {
namespace {

// RFC 3720, B.4, and the check value of the CRC catalogues.
TEST(Crc32c, GivesThePublishedKnownAnswers) {
  std::string rising, falling;
  for (int i = 0; i < 32; i++) {
    rising += static_cast<char>(i);
    falling += static_cast<char>(31 - i);
  }
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aa);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43);
  EXPECT_EQ(Crc32c(rising), 0x46dd794e);
  EXPECT_EQ(Crc32c(falling), 0x113fdb5c);
}

TEST(Crc32c, OfPiecesIsThatOfTheWhole) {
  std::string text;
  for (int i = 0; i < 100; i++) text += static_cast<char>(i * 37);
  for (size_t cut = 0; cut <= text.size(); cut++) {
    EXPECT_EQ(Crc32c(text.substr(cut), Crc32c(text.substr(0, cut))), Crc32c(text)) << cut;
  }
}

TEST(Crc32c, SeesEveryFlippedBit) {
  std::string text = "water takes this line down the valley";
  const uint32_t sum = Crc32c(text);
  for (size_t bit = 0; bit < 8 * text.size(); bit++) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    EXPECT_NE(Crc32c(damaged), sum) << bit;
  }
}

}  // namespace
}  // namespace talweg
