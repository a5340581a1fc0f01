#include "base/random.h"

#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "gtest/gtest.h"

namespace talweg {
namespace {

// FNV-1a over the elements' bytes: long streams are compared by it. The numbers expected below are
// NumPy's, equal in versions 1.23.5 and 2.4.6.
template <typename T>
uint64_t Digest(const std::vector<T>& elements) {
  uint64_t digest = 0xcbf29ce484222325;
  for (const T& element : elements) {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, &element, sizeof(T));
    for (unsigned char byte : bytes) digest = (digest ^ byte) * 0x100000001b3;
  }
  return digest;
}

template <typename F>
auto Draw(int count, F draw) {
  std::vector<std::invoke_result_t<F>> drawn;
  for (int i = 0; i < count; i++) drawn.push_back(draw());
  return drawn;
}

TEST(NumPyRandom, StartsAsNumPyDoesFromSmallAndLargestSeed) {
  struct Case {
    uint32_t seed;
    std::vector<uint32_t> words;
    std::vector<double> uniform, normal;
  };
  const Case cases[] = {
      {0,
       {2357136044, 2546248239, 3071714933},
       {0x1.18fe1565f12a8p-1, 0x1.6e2d4cf608733p-1, 0x1.349d66b6e894bp-1},
       {0x1.c398ef3e5cfa5p+0, 0x1.99c2cfacc8953p-2, 0x1.f51d25222c9abp-1}},
      {1,
       {1791095845, 4282876139, 3093770124},
       {0x1.ab07d0ffa3c06p-2, 0x1.70ce5f3baf051p-1, 0x1.dfb906661c000p-14},
       {0x1.9fd5190657c50p+0, -0x1.393822fb7d9adp-1, -0x1.0e6c872548fd2p-1}},
      {4294967295,
       {419326371, 479346978, 3918654476},
       {0x1.8fe69a3924820p-4, 0x1.d323d824032b1p-1, 0x1.93fc6f61af3f9p-1},
       {0x1.4bfc38c486d8ap-1, 0x1.56b192e507eeep-1, -0x1.149e836f192fdp+0}},
  };
  for (const Case& c : cases) {
    NumPyRandom words(c.seed), uniform(c.seed), normal(c.seed);
    EXPECT_EQ(Draw(3, [&] { return words.Word(); }), c.words) << c.seed;
    EXPECT_EQ(Draw(3, [&] { return uniform.Uniform(); }), c.uniform) << c.seed;
    EXPECT_EQ(Draw(3, [&] { return normal.Normal(); }), c.normal) << c.seed;
  }
}

TEST(NumPyRandom, DrawsNumPysLongStreams) {
  NumPyRandom a(7), b(7), c(7), d(7), e(7);
  EXPECT_EQ(Digest(Draw(20000, [&] { return a.Uniform(); })), 0xd300ae8a7bb69aa4);
  EXPECT_EQ(Digest(Draw(20001, [&] { return b.Normal(); })), 0x3b316a317ff5cf32);
  EXPECT_EQ(Digest(Draw(20000, [&] { return c.Uniform(-3, 5.5); })), 0xddaff42f74d95a);
  EXPECT_EQ(Digest(Draw(20000, [&] { return d.Uniform(5.5, -3); })), 0xdb4e0826ede12969);
  EXPECT_EQ(Digest(Draw(20000, [&] { return e.Normal(-3, 5.5); })), 0x716827db28902790);
}

TEST(NumPyRandom, DrawsNumPysIntegersForEveryWidthOfTheRange) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kOne = 1;
  struct Case {
    int64_t low, high;
    uint64_t digest;
    uint32_t next;  // the word after them: how many were used
  };
  const Case cases[] = {
      {0, 1, 0x600f98ab98233825, 774252441},
      {0, 10, 0x55ea13255789fca7, 833929650},
      {-5, 1000, 0x2e4aa5dd8071ddc3, 339406085},
      {0, kOne << 31, 0x6dd953b95f3622ca, 1362459419},
      {0, kOne << 32, 0xe25086bdb169c1ca, 1362459419},
      {0, (kOne << 32) + 1, 0x330544b6e9f0990e, 495902469},
      {-(kOne << 40), (kOne << 41) + 7, 0x22446748152875f2, 2789079152},
      {kMin, kMax, 0xdbe507b5a59e6bb4, 428983837},
  };
  for (const Case& c : cases) {
    NumPyRandom random(11);
    EXPECT_EQ(Digest(Draw(5000, [&] { return random.RandInt(c.low, c.high).value(); })), c.digest)
        << c.low << " " << c.high;
    EXPECT_EQ(random.Word(), c.next) << c.low << " " << c.high;
  }
}

TEST(NumPyRandom, RefusesAnEmptyRangeOfIntegers) {
  NumPyRandom random(1);
  EXPECT_EQ(random.RandInt(3, 3).status().message(), "randint: no integers from 3 to below 3");
  EXPECT_FALSE(random.RandInt(4, -4).ok());
  EXPECT_EQ(random.Word(), NumPyRandom(1).Word()) << "a refused draw must not use a word";
}

TEST(NumPyRandom, PermutesAsNumPyDoes) {
  struct Case {
    int64_t count;
    uint64_t digest;
    uint32_t next;
  };
  const Case cases[] = {
      {0, 0xcbf29ce484222325, 953453411},      {1, 0xa8c7f832281a39c5, 953453411},
      {2, 0x692558b056101a44, 236996814},      {10, 0x831b64fa968653c4, 1521011312},
      {100, 0x76609362b62a01c5, 3162447307},   {1000, 0x46f64a697dd41725, 2250475352},
      {70000, 0xc53f663aa48387f9, 4144844536},
  };
  for (const Case& c : cases) {
    NumPyRandom random(5);
    EXPECT_EQ(Digest(random.Permutation(c.count)), c.digest) << c.count;
    EXPECT_EQ(random.Word(), c.next) << c.count;
  }
  EXPECT_TRUE(NumPyRandom(5).Permutation(-1).empty());
}

// Keras's order of samples: one array, shuffled again in place at the start of each epoch.
TEST(NumPyRandom, ShufflesAccumulateOverEpochsAsInKeras) {
  std::ifstream file("tests/data/shuffle_500_seed1.csv");
  std::string line;
  ASSERT_TRUE(std::getline(file, line)) << "the file's first line is a comment";
  std::vector<int64_t> order(500);
  std::iota(order.begin(), order.end(), int64_t{0});
  NumPyRandom random(1);
  for (int epoch = 0; epoch < 3; epoch++) {
    random.Shuffle(absl::MakeSpan(order));
    ASSERT_TRUE(std::getline(file, line));
    std::istringstream cells(line);
    std::string cell;
    for (int64_t index : order) {
      ASSERT_TRUE(std::getline(cells, cell, ','));
      ASSERT_EQ(cell, std::to_string(index)) << "epoch " << epoch;
    }
  }
}

TEST(NumPyRandom, KeepsTheSecondNormalAcrossOtherDraws) {
  NumPyRandom random(3);
  random.Normal();
  random.Uniform();
  const double second = random.Normal(), third = random.Normal();
  std::vector<int> five(5);
  random.Shuffle(absl::MakeSpan(five));
  EXPECT_EQ(second, 0x1.befc703152c8ap-2);
  EXPECT_EQ(third, 0x1.f60b2829bb2bep-1);
  EXPECT_EQ(random.Normal(), 0x1.baae13381c769p-6);
}

TEST(NumPyRandom, ShufflesElementsOfAnyTypeInTheSameOrder) {
  std::vector<int64_t> numbers(50);
  std::iota(numbers.begin(), numbers.end(), int64_t{0});
  std::vector<std::string> texts;
  for (int64_t number : numbers) texts.push_back(std::to_string(number));
  NumPyRandom a(9), b(9);
  a.Shuffle(absl::MakeSpan(numbers));
  b.Shuffle(absl::MakeSpan(texts));
  for (size_t i = 0; i < texts.size(); i++) EXPECT_EQ(texts[i], std::to_string(numbers[i]));
}

TEST(NumPyRandom, CopyContinuesTheSameStream) {
  NumPyRandom random(4);
  random.Normal();
  NumPyRandom copy = random;
  for (int i = 0; i < 1000; i++) {
    ASSERT_EQ(copy.Normal(), random.Normal());
    ASSERT_EQ(copy.Word(), random.Word());
  }
}

}  // namespace
}  // namespace talweg
