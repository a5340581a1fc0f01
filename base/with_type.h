#ifndef TALWEG_BASE_WITH_TYPE_H_
#define TALWEG_BASE_WITH_TYPE_H_

#include <cstdint>

#include "base/shape.h"

namespace talweg {

// Calls f with a zero of the C++ type whose element type is `dtype`, the way from a run-time type
// to a template. All calls must return the same type.
//
//   WithType(array.dtype(), [&]<typename T>(T) { Use(array.data<T>()); });
template <typename F>
auto WithType(DType dtype, F f) {
  switch (dtype) {
    case kFloat32:
      return f(float{});
    case kFloat64:
      return f(double{});
    case kInt32:
      return f(int32_t{});
    case kInt64:
      return f(int64_t{});
    case kBool:
      break;
  }
  return f(bool{});
}

}  // namespace talweg

#endif  // TALWEG_BASE_WITH_TYPE_H_
