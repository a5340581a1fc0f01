#ifndef TALWEG_JIT_LOOPS_BUILDER_FOLD_H_
#define TALWEG_JIT_LOOPS_BUILDER_FOLD_H_

#include <cstdint>

#include "base/shape.h"

namespace talweg::loops {

// The integer that arithmetic modulo 2^n makes of one modulo 2^64.
inline int64_t Wrap(DType dtype, uint64_t value) {
  return dtype == kInt32 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
}

// The bits of an element: what a constant has as its immediate.
inline uint64_t Bits(DType dtype, int64_t value) {
  return dtype == kInt32 ? static_cast<uint32_t>(value) : static_cast<uint64_t>(value);
}

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_BUILDER_FOLD_H_
