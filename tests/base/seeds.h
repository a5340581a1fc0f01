#ifndef TALWEG_TESTS_BASE_SEEDS_H_
#define TALWEG_TESTS_BASE_SEEDS_H_

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <vector>

namespace talweg {

// Whether all takes longer, as under sanitizers, where TALWEG_FUZZ_QUARTER is set.
inline bool IsSlow() { return std::getenv("TALWEG_FUZZ_QUARTER") != nullptr; }
// A quarter of so many then.
inline int64_t QuarterIfSlow(int64_t count) { return IsSlow() ? count / 4 : count; }

// A seed that no run had before, printed so that TALWEG_FUZZ_SEED can set it in another run.
inline uint64_t FreshSeed() {
  const char* const text = std::getenv("TALWEG_FUZZ_SEED");
  const uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  std::cout << "TALWEG_FUZZ_SEED=" << seed << std::endl;
  return seed;
}

// Seeds of a fuzz test. Ten in eleven are the same in every run, the others from a fresh one.
// TALWEG_FUZZ_COUNT says how many; without it they are
// `count`, or a quarter of that. A test that uses it has the tag "fuzz".
inline std::vector<uint64_t> FuzzSeeds(int64_t count) {
  const char* const chosen = std::getenv("TALWEG_FUZZ_COUNT");
  count = chosen != nullptr ? std::atoll(chosen) : QuarterIfSlow(count);
  const uint64_t fresh = FreshSeed();
  std::cout << count << " cases" << std::endl;
  std::vector<uint64_t> seeds;
  for (int64_t i = 0; i < count; i++) {
    const auto seed = static_cast<uint64_t>(i);
    seeds.push_back(i % 11 == 10 ? (fresh << 24) + seed : seed);
  }
  return seeds;
}

}  // namespace talweg

#endif  // TALWEG_TESTS_BASE_SEEDS_H_
