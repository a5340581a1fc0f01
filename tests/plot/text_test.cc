#include "plot/text.h"

#include <string>

#include "base/text.h"
#include "gtest/gtest.h"

namespace talweg::plot {
namespace {

TEST(CleanUtf8, KeepsText) {
  for (const std::string text : {"", "plain", "two\nlines", "½ ä € 学 😀", "\xED\x9F\xBF", "�"}) {
    EXPECT_EQ(CleanUtf8(text), text);
  }
}

TEST(CleanUtf8, ReplacesEachBadByte) {
  EXPECT_EQ(CleanUtf8("a\xff"
                      "b"),
            "a�b");
  EXPECT_EQ(CleanUtf8("\xc0\xaf"), "��");            // overlong
  EXPECT_EQ(CleanUtf8("\xed\xa0\x80"), "���");       // a surrogate
  EXPECT_EQ(CleanUtf8("\xf4\x90\x80\x80"), "����");  // beyond U+10FFFF
  EXPECT_EQ(CleanUtf8("cut \xe2\x82"), "cut ��");
}

TEST(CleanUtf8, ReplacesWhatXmlForbids) {
  EXPECT_EQ(CleanUtf8(std::string("\0\x01\x1b\x7f", 4)), "����");
  EXPECT_EQ(CleanUtf8("\xc2\x85|\xef\xbf\xbe|\xef\xbf\xbf"), "�|�|�");
  EXPECT_EQ(CleanUtf8("a\tb\r\n"), "a b�\n");
}

TEST(CleanUtf8, GivesValidUtf8ForAllPairsOfBytes) {
  for (int first = 0; first < 256; first++) {
    for (int second = 0; second < 256; second++) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second), 'x'};
      EXPECT_EQ(FindInvalidUtf8(CleanUtf8(text)), std::string::npos) << first << " " << second;
    }
  }
}

TEST(TextWidth, AddsTheLettersOfALine) {
  EXPECT_EQ(TextWidth(""), 0);
  EXPECT_NEAR(TextWidth("0.5"), 2 * 0.636 + 0.318, 1e-12);
  EXPECT_LT(TextWidth("ill"), TextWidth("WWW"));
  EXPECT_NEAR(TextWidth("−"), TextWidth("+"), 0.01);
  EXPECT_NEAR(TextWidth("é"), TextWidth("e"), 0.05);
  EXPECT_EQ(TextWidth("学"), 1);
}

}  // namespace
}  // namespace talweg::plot
