#include "base/philox.h"

#include <cstring>
#include <vector>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace talweg {
namespace {

constexpr size_t kBlocks = PhiloxWords().size();

void Plain(uint64_t key, uint64_t stream, uint64_t first, PhiloxWords& words) {
  for (size_t i = 0; i < kBlocks; i++) {
    const uint64_t block = first + i;
    const auto four = Philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                              static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
                             {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
    words[i] = four[0] | static_cast<uint64_t>(four[1]) << 32;
  }
}

#ifdef __x86_64__
// Each of the four words of a block has 64 bits, of which the upper ones are noise: they are not
// multiplied, and go at the end. Compilers do not find the multiplication of 32 by 32 bits here:
// left to them this takes three times as long. (A template can not have a target of its own, and so
// there are two of it. Loops over vectors are unrolled so that these stay in registers.)

[[gnu::target("avx2")]] void Wide(uint64_t key, uint64_t stream, uint64_t first,
                                  PhiloxWords& words) {
  using Vector [[gnu::vector_size(32)]] = uint64_t;
  constexpr size_t kLanes = sizeof(Vector) / sizeof(uint64_t), kVectors = 4;
  const Vector zero = {}, m0 = zero + kPhiloxMultiplier0, m1 = zero + kPhiloxMultiplier1;
  for (size_t at = 0; at < kBlocks; at += kLanes * kVectors) {
    Vector c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; v++) {
      c0[v] = Vector{0, 1, 2, 3} + (first + at + kLanes * v);
      c1[v] = c0[v] >> 32;
      c2[v] = zero + stream;
      c3[v] = c2[v] >> 32;
    }
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < kPhiloxRounds; round++) {
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; v++) {
        const auto p0 = (Vector)_mm256_mul_epu32((__m256i)c0[v], (__m256i)m0);
        const auto p1 = (Vector)_mm256_mul_epu32((__m256i)c2[v], (__m256i)m1);
        c0[v] = p1 >> 32 ^ c1[v] ^ (zero + k0);
        c2[v] = p0 >> 32 ^ c3[v] ^ (zero + k1);
        c1[v] = p1;
        c3[v] = p0;
      }
      k0 += kPhiloxWeyl0;
      k1 += kPhiloxWeyl1;
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; v++) {
      const Vector both = (c0[v] & 0xffffffff) | c1[v] << 32;
      std::memcpy(words.data() + at + kLanes * v, &both, sizeof(both));
    }
  }
}

[[gnu::target("avx512f")]] void Widest(uint64_t key, uint64_t stream, uint64_t first,
                                       PhiloxWords& words) {
  using Vector [[gnu::vector_size(64)]] = uint64_t;
  constexpr __mmask8 kAll = 0xff;  // g++ 12 warns of its own header where there is no mask
  constexpr size_t kLanes = sizeof(Vector) / sizeof(uint64_t), kVectors = 4;
  const Vector zero = {}, m0 = zero + kPhiloxMultiplier0, m1 = zero + kPhiloxMultiplier1;
  for (size_t at = 0; at < kBlocks; at += kLanes * kVectors) {
    Vector c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; v++) {
      c0[v] = Vector{0, 1, 2, 3, 4, 5, 6, 7} + (first + at + kLanes * v);
      c1[v] = c0[v] >> 32;
      c2[v] = zero + stream;
      c3[v] = c2[v] >> 32;
    }
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < kPhiloxRounds; round++) {
#pragma GCC unroll 4
      for (size_t v = 0; v < kVectors; v++) {
        const auto p0 = (Vector)_mm512_maskz_mul_epu32(kAll, (__m512i)c0[v], (__m512i)m0);
        const auto p1 = (Vector)_mm512_maskz_mul_epu32(kAll, (__m512i)c2[v], (__m512i)m1);
        c0[v] = p1 >> 32 ^ c1[v] ^ (zero + k0);
        c2[v] = p0 >> 32 ^ c3[v] ^ (zero + k1);
        c1[v] = p1;
        c3[v] = p0;
      }
      k0 += kPhiloxWeyl0;
      k1 += kPhiloxWeyl1;
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; v++) {
      const Vector both = (c0[v] & 0xffffffff) | c1[v] << 32;
      std::memcpy(words.data() + at + kLanes * v, &both, sizeof(both));
    }
  }
}
#endif

std::vector<PhiloxBlocks> Find() {
  std::vector<PhiloxBlocks> found;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) found.push_back(Widest);
  if (__builtin_cpu_supports("avx2")) found.push_back(Wide);
#endif
  found.push_back(Plain);
  return found;
}

}  // namespace

absl::Span<const PhiloxBlocks> AllPhiloxBlocks() {
  static const auto* const kFound = new std::vector<PhiloxBlocks>(Find());
  return *kFound;
}

}  // namespace talweg
