#include "tests/base/mutation.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "gtest/gtest.h"
#include "tests/base/allocation.h"
#include "tests/base/seeds.h"

namespace talweg {
namespace {

using Random = std::mt19937_64;

constexpr std::string_view kHostileNumbers[] = {"0",
                                                "-1",
                                                "1",
                                                "2147483648",
                                                "4294967296",
                                                "9223372036854775807",
                                                "9223372036854775808",
                                                "-0",
                                                "1.5",
                                                "1e9",
                                                "1e400",
                                                "18446744073709551615",
                                                "18446744073709551616",
                                                "00"};

size_t Below(Random& random, size_t count) { return count == 0 ? 0 : random() % count; }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Where a run of digits begins, from a random place on; npos if there is none.
size_t FindNumber(const std::string& text, Random& random) {
  const size_t from = Below(random, text.size());
  return text.find_first_of("0123456789", from);
}

void ReplaceNumber(std::string& text, Random& random) {
  const size_t begin = FindNumber(text, random);
  if (begin == std::string::npos) return;
  size_t end = begin;
  while (end < text.size() && IsDigit(text[end])) end++;
  text.replace(begin, end - begin, kHostileNumbers[Below(random, std::size(kHostileNumbers))]);
}

// Eight bytes as a length that a binary reader may take them for.
void ReplaceLength(std::string& text, Random& random) {
  const uint64_t lengths[] = {0,
                              1,
                              2,
                              text.size(),
                              text.size() - 8,
                              text.size() + 1,
                              uint64_t{1} << 31,
                              uint64_t{1} << 63,
                              ~uint64_t{0},
                              random()};
  const uint64_t length = lengths[Below(random, std::size(lengths))];
  const size_t at = random() % 2 == 0 ? 0 : Below(random, text.size());
  text.replace(at, std::min<size_t>(8, text.size() - at), reinterpret_cast<const char*>(&length),
               8);
}

void MutateOnce(std::string& text, const std::string& other, const std::vector<std::string>& words,
                Random& random) {
  const size_t at = Below(random, text.size() + 1);
  const size_t length = Below(random, random() % 4 == 0 ? text.size() - at + 1 : 16);
  const auto byte = static_cast<char>(random());
  switch (random() % 11) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 1 << random() % 8);
      return;
    case 1:
      if (at < text.size()) text[at] = byte;
      return;
    case 2:
      text.insert(at, 1, byte);
      return;
    case 3:
      text.erase(at, length);
      return;
    case 4:
      text.resize(at);
      return;
    case 5:
      text.insert(at, text.substr(Below(random, text.size() + 1), length));
      return;
    case 6:
      text.insert(at, other.substr(Below(random, other.size() + 1), length));
      return;
    case 7:
      if (!words.empty()) text.insert(at, words[Below(random, words.size())]);
      return;
    case 8:
      ReplaceNumber(text, random);
      return;
    case 9:
      ReplaceLength(text, random);
      return;
    default: {  // many of one piece: depth, rank, width
      const std::string piece = text.substr(at, length % 8);
      std::string many;
      for (size_t i = Below(random, 2000); i > 0; i--) many += piece;
      text.insert(at, many);
    }
  }
}

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoll(value, nullptr, 10);
}

}  // namespace

std::string Mutate(std::string text, const std::string& other,
                   const std::vector<std::string>& words, Random& random) {
  for (size_t i = 1 + Below(random, 4); i > 0; i--) MutateOnce(text, other, words, random);
  return text;
}

void RunMutationTest(const MutationTest& test) {
  const int64_t count = FromEnvironment("TALWEG_FUZZ_COUNT", 20000);
  const uint64_t seed = FreshSeed();
  std::cout << count << " mutants" << std::endl;
  const auto seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  int64_t accepted = 0, largest = 0;
  double slowest = 0;
  for (int64_t i = 0; i < count; i++) {
    // Each mutant has its own generator: one can be made again without those before it.
    Random random((i % 2 == 0 ? 0 : seed) * 0x9E3779B97F4A7C15 + static_cast<uint64_t>(i));
    const std::string mutant =
        Mutate(test.files[Below(random, test.files.size())],
               test.files[Below(random, test.files.size())], test.words, random);
    const double start = seconds();
    const HeapWatch heap;
    accepted += test.read(mutant);
    const int64_t bytes = heap.Peak() - static_cast<int64_t>(mutant.size());
    const double took = seconds() - start;
    largest = std::max(largest, bytes);
    slowest = std::max(slowest, took);
    EXPECT_LE(bytes, int64_t{64} << 20) << "mutant " << i << " of seed " << seed;
    EXPECT_LT(took, 1) << "mutant " << i << " of seed " << seed;
    if (::testing::Test::HasFailure()) {
      FAIL() << "mutant " << i << " of seed " << seed << ":\n" << ::testing::PrintToString(mutant);
    }
  }
  std::cout << accepted << " accepted; at most " << largest << " bytes beyond the file and "
            << slowest << " s" << std::endl;
  EXPECT_GT(accepted, count / 1000);
  EXPECT_LT(accepted, count);
}

}  // namespace talweg
