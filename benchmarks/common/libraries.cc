#include "benchmarks/common/libraries.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <initializer_list>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace talweg::bench {
namespace {

// The first of them that there is.
absl::StatusOr<void*> Open(const char* what, const char* variable,
                           std::initializer_list<const char*> names) {
  const char* const chosen = getenv(variable);
  if (chosen != nullptr && *chosen != '\0') {
    if (void* const library = dlopen(chosen, RTLD_NOW | RTLD_LOCAL)) return library;
    return absl::NotFoundError(absl::StrCat(what, ": ", variable, ": ", dlerror()));
  }
  for (const char* name : names) {
    if (void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return absl::NotFoundError(absl::StrCat("there is no ", what, " here (",
                                          absl::StrJoin(names, ", "), "; ", variable,
                                          " may name its file)"));
}

// The function of this name; null where there is none. pip's OpenBLAS has a prefix before its own.
template <typename F>
F* Symbol(void* library, const std::string& name) {
  for (const char* prefix : {"", "scipy_"}) {
    if (void* const symbol = dlsym(library, (prefix + name).c_str())) {
      return reinterpret_cast<F*>(symbol);
    }
  }
  return nullptr;
}

// CBLAS, with ints of 32 bits.
constexpr int kRowMajor = 101, kAsItIs = 111, kTransposed = 112;
template <typename T>
using CblasGemm = void(int order, int a_form, int b_form, int m, int n, int k, T alpha, const T* a,
                       int lda, const T* b, int ldb, T beta, T* c, int ldc);

int64_t StrideOfA(const Product& p) { return p.a_transposed ? p.m : p.k; }
int64_t StrideOfB(const Product& p) { return p.b_transposed ? p.k : p.n; }

template <typename T>
ProductFunction<T> ByCblas(CblasGemm<T>* gemm) {
  return [gemm](const Product& p, const T* a, const T* b, T* c) {
    const auto number = [](int64_t i) { return static_cast<int>(i); };
    gemm(kRowMajor, p.a_transposed ? kTransposed : kAsItIs, p.b_transposed ? kTransposed : kAsItIs,
         number(p.m), number(p.n), number(p.k), T{1}, a, number(StrideOfA(p)), b,
         number(StrideOfB(p)), T{0}, c, number(p.n));
  };
}

}  // namespace

absl::StatusOr<ProductLibrary> OpenBlas() {
  // It reads these when it is loaded.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  unsetenv("OPENBLAS_CORETYPE");
  unsetenv("OPENBLAS_L2_SIZE");
  const absl::StatusOr<void*> library = Open("OpenBLAS", "TALWEG_OPENBLAS", {"libopenblas.so.0"});
  if (!library.ok()) return library.status();
  auto* const sgemm = Symbol<CblasGemm<float>>(*library, "cblas_sgemm");
  auto* const dgemm = Symbol<CblasGemm<double>>(*library, "cblas_dgemm");
  auto* const set_threads = Symbol<void(int)>(*library, "openblas_set_num_threads");
  auto* const config = Symbol<char*()>(*library, "openblas_get_config");
  if (sgemm == nullptr || dgemm == nullptr || set_threads == nullptr || config == nullptr) {
    return absl::NotFoundError("OpenBLAS lacks cblas_sgemm, cblas_dgemm or its own functions");
  }
  set_threads(1);
  // "OpenBLAS 0.3.21 DYNAMIC_ARCH NO_AFFINITY Haswell MAX_THREADS=64"
  const std::vector<std::string> words = absl::StrSplit(config(), ' ');
  auto* const core = Symbol<char*()>(*library, "openblas_get_corename");
  return ProductLibrary{
      .name = "openblas",
      .version = absl::StrCat("OpenBLAS ", words.size() > 1 ? words[1] : "of unknown version",
                              ", kernels for ", core == nullptr ? "?" : core()),
      .float32 = ByCblas<float>(sgemm),
      .float64 = ByCblas<double>(dgemm)};
}

absl::StatusOr<ProductLibrary> OneDnn() {
  setenv("OMP_NUM_THREADS", "1", 1);
  unsetenv("ONEDNN_MAX_CPU_ISA");
  unsetenv("DNNL_MAX_CPU_ISA");
  const absl::StatusOr<void*> library =
      Open("oneDNN", "TALWEG_ONEDNN", {"libdnnl.so.3", "libdnnl.so.2"});
  if (!library.ok()) return library.status();
  // Its dnnl_dim_t is int64_t, and its matrices are row-major.
  auto* const sgemm =
      Symbol<int(char a_form, char b_form, int64_t m, int64_t n, int64_t k, float alpha,
                 const float* a, int64_t lda, const float* b, int64_t ldb, float beta, float* c,
                 int64_t ldc)>(*library, "dnnl_sgemm");
  struct Version {
    int major, minor, patch;
  };
  auto* const version = Symbol<const Version*()>(*library, "dnnl_version");
  if (sgemm == nullptr || version == nullptr) return absl::NotFoundError("oneDNN lacks dnnl_sgemm");
  const Version& v = *version();
  return ProductLibrary{.name = "onednn",
                        .version = absl::StrCat("oneDNN ", v.major, ".", v.minor, ".", v.patch),
                        .float32 =
                            [sgemm](const Product& p, const float* a, const float* b, float* c) {
                              sgemm(p.a_transposed ? 'T' : 'N', p.b_transposed ? 'T' : 'N', p.m,
                                    p.n, p.k, 1, a, StrideOfA(p), b, StrideOfB(p), 0, c, p.n);
                            },
                        .float64 = nullptr};
}

}  // namespace talweg::bench
