#include "benchmarks/common/bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "base/array.h"

namespace talweg::bench {
namespace {

constexpr int kRounds = 8;
constexpr int64_t kLeastBytes = int64_t{64} << 20, kMostBytes = int64_t{1} << 30;

// Of one array: twice the last cache, or what is enough for most.
int64_t ArrayBytes() {
  const int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return std::clamp(2 * cache, kLeastBytes, kMostBytes);
}

template <typename Work>
double Rate(double bytes, const Work& work) {
  double best = 0;
  for (int round = 0; round < kRounds; round++) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::max(best, bytes / time.count());
  }
  return best;
}

}  // namespace

absl::StatusOr<double> MeasureBandwidth() {
  const int64_t bytes = ArrayBytes(), n = bytes / static_cast<int64_t>(sizeof(float));
  absl::StatusOr<Array> x = Array::Zeros(kFloat32, {n}), y = Array::Zeros(kFloat32, {n});
  if (!x.ok()) return x.status();
  if (!y.ok()) return y.status();
  float* const from = x->mutable_data<float>().data();
  float* const to = y->mutable_data<float>().data();
  std::fill(from, from + n, 1.0f);
  const auto size = static_cast<double>(bytes);
  const double copy = Rate(2 * size, [&] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
  const double update = Rate(3 * size, [&] {
    for (int64_t i = 0; i < n; i++) to[i] += 0.5f * from[i];
  });
  return std::max(copy, update);
}

}  // namespace talweg::bench
