#ifndef TALWEG_INTERPRETER_CONTRACT_KERNELS_H_
#define TALWEG_INTERPRETER_CONTRACT_KERNELS_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "graph/order.h"

namespace talweg {

// The innermost loops of contractions, for T float, double, int32_t, int64_t; each twice: in
// portable C++ and with AVX2 and FMA, with the same bits.

inline constexpr int64_t kTileRows = 6;
// Two AVX2 registers of lanes: with six rows, twelve accumulators of the sixteen registers.
template <typename T>
inline constexpr int64_t kTileLanes = 64 / static_cast<int64_t>(sizeof(T));

// One chain. c[row][lane] = fma(a[term][row], b[term][lane], c[row][lane]), term after term, for a
// fixed number of rows and kTileLanes lanes; c starts at 0 unless the sum is resumed. `a_term` is
// the distance of a's terms and so on; lanes lie next to each other.
template <typename T>
using TileKernel = void (*)(int64_t terms, const T* a, int64_t a_term, int64_t a_row, const T* b,
                            int64_t b_term, T* c, int64_t c_row, bool resume);

// kManyChains chains. out[i] is the product of x with row i of y, both contiguous and as long as
// `blocks` times kManyChains.
template <typename T>
using DotKernel = void (*)(int64_t blocks, const T* x, const T* y, int64_t y_row, int64_t count,
                           T* out, int64_t out_step);

template <typename T>
struct ContractKernels {
  std::array<TileKernel<T>, static_cast<size_t>(kTileRows)> tile;  // [rows - 1]
  DotKernel<T> dot;
};

// `wide` asks for AVX2 and FMA, which the machine must have.
template <typename T>
ContractKernels<T> KernelsOf(bool wide);

}  // namespace talweg

#endif  // TALWEG_INTERPRETER_CONTRACT_KERNELS_H_
