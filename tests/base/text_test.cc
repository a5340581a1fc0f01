#include "base/text.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace talweg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(FormatNumber, WritesTheShortestDecimals) {
  EXPECT_EQ(FormatNumber(0.1), "0.1");
  EXPECT_EQ(FormatNumber(0.1f), "0.1");
  EXPECT_EQ(FormatNumber(500.0), "500");
  EXPECT_EQ(FormatNumber(0.0), "0");
  EXPECT_EQ(FormatNumber(-0.0), "-0");
  EXPECT_EQ(FormatNumber(0.0001), "0.0001");
  EXPECT_EQ(FormatNumber(0.00001), "1e-05");
  EXPECT_EQ(FormatNumber(123456789012345.0), "123456789012345");
  EXPECT_EQ(FormatNumber(1e15), "1000000000000000");
  EXPECT_EQ(FormatNumber(1e16), "1e+16");
  EXPECT_EQ(FormatNumber(-1.0 / 3), "-0.3333333333333333");
  EXPECT_EQ(FormatNumber(5e-324), "5e-324");
  EXPECT_EQ(FormatNumber(1.7976931348623157e308), "1.7976931348623157e+308");
}

TEST(FormatNumber, SpellsSpecialValuesOneWay) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(FormatNumber(nan), "nan");
  EXPECT_EQ(FormatNumber(-nan), "nan");
  EXPECT_EQ(FormatNumber(kInfinity), "inf");
  EXPECT_EQ(FormatNumber(-kInfinity), "-inf");
  EXPECT_EQ(FormatNumber(-std::numeric_limits<float>::infinity()), "-inf");
}

TEST(FormatNumber, ReadsBackToTheSameBits) {
  std::mt19937_64 bits(1);
  for (int i = 0; i < 100000; i++) {
    const double x = std::bit_cast<double>(bits());
    if (std::isnan(x)) continue;
    const std::optional<double> back = ParseNumber(FormatNumber(x));
    ASSERT_TRUE(back.has_value()) << FormatNumber(x);
    ASSERT_EQ(std::bit_cast<uint64_t>(*back), std::bit_cast<uint64_t>(x)) << FormatNumber(x);
  }
  EXPECT_TRUE(std::isnan(*ParseNumber("nan")));
}

TEST(ParseNumber, TakesDecimals) {
  EXPECT_EQ(ParseNumber("-12.5e3"), -12500.0);
  EXPECT_EQ(ParseNumber("1E-2"), 0.01);
  EXPECT_EQ(ParseNumber("0007"), 7.0);
  EXPECT_EQ(ParseNumber(".5"), 0.5);
  EXPECT_EQ(ParseNumber("5."), 5.0);
  EXPECT_EQ(ParseNumber("inf"), kInfinity);
  EXPECT_EQ(ParseNumber("-inf"), -kInfinity);
  EXPECT_EQ(ParseNumber("4.9406564584124654e-324"), 5e-324);
  EXPECT_EQ(ParseNumber("1.7976931348623157e308"), std::numeric_limits<double>::max());
}

TEST(ParseNumber, RefusesEverythingElse) {
  for (const char* text :
       {"",          " 1",   "1 ",   "+1",   "--1",   "0x10",   "1,5",    "1e",
        "e5",        "1e5x", "NaN",  "NAN",  "-nan",  "nan(1)", "Inf",    "infinity",
        "-infinity", "NA",   "None", "true", "1_000", "1e309",  "1e-400", "."}) {
    EXPECT_EQ(ParseNumber(text), std::nullopt) << "'" << text << "'";
  }
  EXPECT_EQ(ParseNumber(std::string_view("1\0", 2)), std::nullopt);
}

TEST(FindInvalidUtf8, AcceptsTheFirstAndLastCharacterOfEachLength) {
  for (std::string_view text :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "1234567\xc3\xa9 and more"}) {
    EXPECT_EQ(FindInvalidUtf8(text), std::string_view::npos) << Quoted(text);
  }
}

TEST(FindInvalidUtf8, FindsWhatIsNotUtf8) {
  for (std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff", "\xfe"}) {
    for (size_t before = 0; before < 20; before++) {  // every place in a run of eight
      std::string text(before, 'x');
      text += bad;
      EXPECT_EQ(FindInvalidUtf8(text), before) << Quoted(text);
      EXPECT_EQ(FindInvalidUtf8(text + "yyyyyyyyyyyyyyyy"), before) << Quoted(text);
    }
  }
}

TEST(Quoted, IsSafeToShow) {
  EXPECT_EQ(Quoted("caf\xc3\xa9"), "'caf\xc3\xa9'");
  EXPECT_EQ(Quoted(std::string_view("a\0\x1b[2J\n\xff", 8)), "'a\\x00\\x1b[2J\\x0a\\xff'");
  EXPECT_EQ(Quoted("abcdef", 3), "'abc...'");
  EXPECT_EQ(Quoted("ab\xc3\xa9\xc3\xa9", 3), "'ab\xc3\xa9...'") << "a character is not cut";
}

}  // namespace
}  // namespace talweg
