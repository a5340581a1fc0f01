#include "base/random.h"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace talweg {

double NumPyRandom::Uniform() {
  // (a 2^26 + b) / 2^53 with 27 bits a and 26 bits b.
  const double a = Word() >> 5;
  const double b = Word() >> 6;
  return (a * 67108864.0 + b) / 9007199254740992.0;
}

// The two affine maps stand here and not in the header, so that they are compiled by our rules: two
// roundings, never one fma.
double NumPyRandom::Uniform(double low, double high) { return low + (high - low) * Uniform(); }

double NumPyRandom::Normal(double mean, double deviation) { return mean + deviation * Normal(); }

double NumPyRandom::Normal() {
  if (has_next_normal_) {
    has_next_normal_ = false;
    return next_normal_;
  }
  // Marsaglia's polar method: (x, y) uniform in the unit disc, r2 = x^2 + y^2;
  // x sqrt(-2 log(r2) / r2) and y sqrt(-2 log(r2) / r2) are independent normal numbers.
  double x, y, r2;
  do {
    x = 2.0 * Uniform() - 1.0;
    y = 2.0 * Uniform() - 1.0;
    r2 = x * x + y * y;
  } while (r2 >= 1.0 || r2 == 0.0);
  const double factor = std::sqrt(-2.0 * std::log(r2) / r2);
  next_normal_ = factor * x;
  has_next_normal_ = true;
  return factor * y;
}

uint64_t NumPyRandom::UpTo(uint64_t max) {
  if (max == 0) return 0;
  // Words cut to the bits of max, drawn again until one is not beyond it. The width of a word is
  // part of the stream: one 32-bit word where it is enough, else two, the high one first.
  const uint64_t mask = std::numeric_limits<uint64_t>::max() >> std::countl_zero(max);
  uint64_t value;
  do {
    value = Word();
    if (max > std::numeric_limits<uint32_t>::max()) value = value << 32 | Word();
    value &= mask;
  } while (value > max);
  return value;
}

absl::StatusOr<int64_t> NumPyRandom::RandInt(int64_t low, int64_t high) {
  if (low >= high) {
    return absl::InvalidArgumentError(
        absl::StrCat("randint: no integers from ", low, " to below ", high));
  }
  // The width of the range can need all 64 bits: unsigned differences wrap to the right number.
  const uint64_t width = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  return static_cast<int64_t>(static_cast<uint64_t>(low) + UpTo(width - 1));
}

std::vector<int64_t> NumPyRandom::Permutation(int64_t count) {
  std::vector<int64_t> order(count > 0 ? static_cast<size_t>(count) : 0);
  std::iota(order.begin(), order.end(), int64_t{0});
  Shuffle(absl::MakeSpan(order));
  return order;
}

}  // namespace talweg
