#ifndef TALWEG_BENCHMARKS_COMMON_LIBRARIES_H_
#define TALWEG_BENCHMARKS_COMMON_LIBRARIES_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace talweg::bench {

// The libraries that products of matrices are measured against. They are loaded when a benchmark
// runs, so that neither the build nor a test needs them.

// C [m, n] = A B, all row-major and without gaps; A is [m, k], or [k, m] where it is transposed, B
// is [k, n] or [n, k].
struct Product {
  int64_t m = 0, k = 0, n = 0;
  bool a_transposed = false, b_transposed = false;
};

template <typename T>
using ProductFunction = std::function<void(const Product&, const T* a, const T* b, T* c)>;

struct ProductLibrary {
  std::string name;     // "openblas"
  std::string version;  // "OpenBLAS 0.3.21, kernels for SkylakeX"
  ProductFunction<float> float32;
  ProductFunction<double> float64;  // empty where the library has none
};

// On one thread. Each is looked for where the environment variable says (TALWEG_OPENBLAS,
// TALWEG_ONEDNN: the path of the shared object), else by the names that Debian's packages give it.
// An error is one line that says what was looked for.
//
// Each chooses its kernels for this processor by itself: what the environment says of that
// (OPENBLAS_CORETYPE, say, which some machines set so that results repeat) is taken out first.
absl::StatusOr<ProductLibrary> OpenBlas();
// oneDNN has products of float32 only.
absl::StatusOr<ProductLibrary> OneDnn();

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_COMMON_LIBRARIES_H_
