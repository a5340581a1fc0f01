#ifndef TALWEG_BASE_PROCESSOR_H_
#define TALWEG_BASE_PROCESSOR_H_

namespace talweg {

// Whether functions that are compiled for AVX2 and FMA may run here.
inline bool HasWideVectors() {
#ifdef __x86_64__
  static const bool kWide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return kWide;
#else
  return false;
#endif
}

}  // namespace talweg

#endif  // TALWEG_BASE_PROCESSOR_H_
