#ifndef TALWEG_BASE_CONVERT_H_
#define TALWEG_BASE_CONVERT_H_

#include <limits>
#include <type_traits>

namespace talweg {

// The one conversion between element types, which every engine follows:
// to bool: x != 0 (NaN is true); float to integer: towards zero, saturating, NaN to 0;
// integer to integer: wraps modulo 2^n; to float: rounded to nearest, ties to even.
template <typename To, typename From>
constexpr To ConvertElement(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From{0};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // 2^(n-1) is exact in both float types, the greatest integer below it is not.
    constexpr From kEnd = -static_cast<From>(std::numeric_limits<To>::min());
    if (!(x == x)) return 0;
    if (x >= kEnd) return std::numeric_limits<To>::max();
    if (x < -kEnd) return std::numeric_limits<To>::min();
    return static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace talweg

#endif  // TALWEG_BASE_CONVERT_H_
