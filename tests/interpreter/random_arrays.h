#ifndef TALWEG_TESTS_INTERPRETER_RANDOM_ARRAYS_H_
#define TALWEG_TESTS_INTERPRETER_RANDOM_ARRAYS_H_

#include <cstdint>
#include <random>
#include <vector>

#include "base/array.h"
#include "base/shape.h"
#include "tests/base/seeds.h"

namespace talweg {

// Seeds of a random test: the same ones every time, and some that no run had before. A test says
// the present one by SCOPED_TRACE.
inline std::vector<uint64_t> Seeds(int fixed, int fresh) {
  std::vector<uint64_t> seeds;
  for (int i = 1; i <= fixed; i++) seeds.push_back(static_cast<uint64_t>(i));
  const uint64_t first = FreshSeed();
  for (int i = 0; i < fresh; i++) seeds.push_back((first << 24) + static_cast<uint64_t>(i));
  return seeds;
}

class Random {
 public:
  explicit Random(uint64_t seed) : words_(seed) {}

  // Uniform over low, ..., high.
  int64_t Between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(words_);
  }
  bool Chance(double probability) { return std::bernoulli_distribution(probability)(words_); }
  template <typename T>
  T Pick(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(Between(0, static_cast<int64_t>(choices.size()) - 1))];
  }
  // An extent at which kernels go from one case to the next.
  int64_t Extent() { return Pick<int64_t>({0, 1, 2, 3, 7, 8, 13, 15, 16, 17, 31, 32, 33, 53, 64}); }
  // Up to `rank` extents with at most `most` elements.
  Dims Shape(int64_t rank, int64_t most) {
    Dims dims;
    int64_t size = 1;
    for (int64_t i = Between(0, rank); i > 0; i--) {
      int64_t extent = Extent();
      if (extent == 0 && Chance(0.8)) extent = 5;
      if (size * extent > most) extent = 1;
      size *= extent;
      dims.push_back(extent);
    }
    return dims;
  }

  // Floats over some orders of magnitude with both zeros, small integers, bools.
  Array Fill(DType dtype, const Dims& dims) {
    Array array = *Array::Zeros(dtype, dims);
    for (float& x : array.mutable_data<float>()) x = static_cast<float>(Number());
    for (double& x : array.mutable_data<double>()) x = Number();
    for (int32_t& x : array.mutable_data<int32_t>()) x = static_cast<int32_t>(Between(-9, 9));
    for (int64_t& x : array.mutable_data<int64_t>()) x = Between(-9, 9);
    for (bool& x : array.mutable_data<bool>()) x = Chance(0.5);
    return array;
  }

 private:
  double Number() {
    if (Chance(0.02)) return Chance(0.5) ? 0.0 : -0.0;
    const double scale = Chance(0.1) ? 1e6 : 1;
    return scale * std::normal_distribution<double>()(words_);
  }

  std::mt19937_64 words_;
};

}  // namespace talweg

#endif  // TALWEG_TESTS_INTERPRETER_RANDOM_ARRAYS_H_
