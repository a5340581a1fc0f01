#include "interpreter/contract_kernels.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <type_traits>
#include <utility>

#include "graph/scalar.h"

namespace talweg {
namespace {

// acc + a * b, rounded once; integers wrap.
template <typename T>
T FusedMultiplyAdd(T a, T b, T acc) {
  return Fma(Number<T>(a), Number<T>(b), Number<T>(acc)).raw();
}

template <typename T, int64_t kRows>
void TilePortable(int64_t terms, const T* a, int64_t a_term, int64_t a_row, const T* b,
                  int64_t b_term, T* c, int64_t c_row, bool resume) {
  constexpr int64_t kLanes = kTileLanes<T>;
  T acc[kRows][kLanes];
  for (int64_t r = 0; r < kRows; r++) {
    for (int64_t i = 0; i < kLanes; i++) acc[r][i] = resume ? c[r * c_row + i] : T{0};
  }
  for (int64_t term = 0; term < terms; term++) {
    for (int64_t r = 0; r < kRows; r++) {
      const T x = a[term * a_term + r * a_row];
      for (int64_t i = 0; i < kLanes; i++) {
        acc[r][i] = FusedMultiplyAdd(x, b[term * b_term + i], acc[r][i]);
      }
    }
  }
  for (int64_t r = 0; r < kRows; r++) {
    for (int64_t i = 0; i < kLanes; i++) c[r * c_row + i] = acc[r][i];
  }
}

template <typename T>
void DotPortable(int64_t blocks, const T* x, const T* y, int64_t y_row, int64_t count, T* out,
                 int64_t out_step) {
  for (int64_t row = 0; row < count; row++) {
    T acc[kManyChains] = {};
    for (int64_t i = 0; i < blocks * kManyChains; i += kManyChains) {
      for (int64_t c = 0; c < kManyChains; c++) {
        acc[c] = FusedMultiplyAdd(x[i + c], y[row * y_row + i + c], acc[c]);
      }
    }
    for (int64_t half = kManyChains / 2; half > 0; half /= 2) {
      for (int64_t c = 0; c < half; c++) {
        acc[c] = (Number<T>(acc[c]) + Number<T>(acc[c + half])).raw();
      }
    }
    out[row * out_step] = acc[0];
  }
}

#ifdef __x86_64__

// ---- AVX2 and FMA, eight floats or four doubles at a time. ----

[[gnu::target("avx2,fma")]] inline __m256 Load(const float* p) { return _mm256_loadu_ps(p); }
[[gnu::target("avx2,fma")]] inline __m256d Load(const double* p) { return _mm256_loadu_pd(p); }
[[gnu::target("avx2,fma")]] inline __m256 Broadcast(const float* p) {
  return _mm256_broadcast_ss(p);
}
[[gnu::target("avx2,fma")]] inline __m256d Broadcast(const double* p) {
  return _mm256_broadcast_sd(p);
}
[[gnu::target("avx2,fma")]] inline void Store(float* p, __m256 v) { _mm256_storeu_ps(p, v); }
[[gnu::target("avx2,fma")]] inline void Store(double* p, __m256d v) { _mm256_storeu_pd(p, v); }
[[gnu::target("avx2,fma")]] inline __m256 MultiplyAdd(__m256 a, __m256 b, __m256 c) {
  return _mm256_fmadd_ps(a, b, c);
}
[[gnu::target("avx2,fma")]] inline __m256d MultiplyAdd(__m256d a, __m256d b, __m256d c) {
  return _mm256_fmadd_pd(a, b, c);
}

// The halving tree over sixteen chains, which lie in order in the registers.
[[gnu::target("avx2,fma")]] inline float JoinChains(const __m256 (&acc)[2]) {
  const __m256 eight = _mm256_add_ps(acc[0], acc[1]);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
[[gnu::target("avx2,fma")]] inline double JoinChains(const __m256d (&acc)[4]) {
  const __m256d low = _mm256_add_pd(acc[0], acc[2]), high = _mm256_add_pd(acc[1], acc[3]);
  const __m256d four = _mm256_add_pd(low, high);
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

template <typename T, int64_t kRows>
[[gnu::target("avx2,fma")]] void TileWide(int64_t terms, const T* a, int64_t a_term, int64_t a_row,
                                          const T* b, int64_t b_term, T* c, int64_t c_row,
                                          bool resume) {
  constexpr int64_t kHalf = kTileLanes<T> / 2;
  using Vector = decltype(Load(b));
  Vector low[kRows], high[kRows];
#pragma GCC unroll 6
  for (int64_t r = 0; r < kRows; r++) {
    low[r] = resume ? Load(c + r * c_row) : Vector{};
    high[r] = resume ? Load(c + r * c_row + kHalf) : Vector{};
  }
  for (int64_t term = 0; term < terms; term++) {
    const Vector b_low = Load(b), b_high = Load(b + kHalf);
#pragma GCC unroll 6
    for (int64_t r = 0; r < kRows; r++) {
      const Vector x = Broadcast(a + r * a_row);
      low[r] = MultiplyAdd(x, b_low, low[r]);
      high[r] = MultiplyAdd(x, b_high, high[r]);
    }
    a += a_term;
    b += b_term;
  }
#pragma GCC unroll 6
  for (int64_t r = 0; r < kRows; r++) {
    Store(c + r * c_row, low[r]);
    Store(c + r * c_row + kHalf, high[r]);
  }
}

template <typename T>
[[gnu::target("avx2,fma")]] void DotWide(int64_t blocks, const T* x, const T* y, int64_t y_row,
                                         int64_t count, T* out, int64_t out_step) {
  using Vector = decltype(Load(x));
  constexpr int64_t kLanes = kTileLanes<T> / 2, kVectors = kManyChains / kLanes;
  for (int64_t row = 0; row < count; row++) {
    Vector acc[kVectors] = {};
    const T* other = y + row * y_row;
    for (int64_t i = 0; i < blocks * kManyChains; i += kManyChains) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < kVectors; v++) {
        acc[v] = MultiplyAdd(Load(x + i + v * kLanes), Load(other + i + v * kLanes), acc[v]);
      }
    }
    out[row * out_step] = JoinChains(acc);
  }
}

#endif  // __x86_64__

template <typename T, size_t... kRows>
ContractKernels<T> Portable(std::index_sequence<kRows...>) {
  return {{TilePortable<T, static_cast<int64_t>(kRows) + 1>...}, DotPortable<T>};
}

#ifdef __x86_64__
template <typename T, size_t... kRows>
ContractKernels<T> Wide(std::index_sequence<kRows...>) {
  return {{TileWide<T, static_cast<int64_t>(kRows) + 1>...}, DotWide<T>};
}
#endif

}  // namespace

template <typename T>
ContractKernels<T> KernelsOf([[maybe_unused]] bool wide) {
  constexpr auto kRows = std::make_index_sequence<static_cast<size_t>(kTileRows)>();
#ifdef __x86_64__
  if constexpr (std::is_floating_point_v<T>) {
    if (wide) return Wide<T>(kRows);
  }
#endif
  return Portable<T>(kRows);
}

template ContractKernels<float> KernelsOf(bool);
template ContractKernels<double> KernelsOf(bool);
template ContractKernels<int32_t> KernelsOf(bool);
template ContractKernels<int64_t> KernelsOf(bool);

}  // namespace talweg
