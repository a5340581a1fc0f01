#ifndef TALWEG_INTERPRETER_COPY_H_
#define TALWEG_INTERPRETER_COPY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/convert.h"
#include "base/shape.h"
#include "base/with_type.h"

namespace talweg {

// A number as the bytes of one element.
inline std::array<std::byte, 8> ElementBytes(DType dtype, double number) {
  std::array<std::byte, 8> bytes{};
  WithType(dtype, [&]<typename T>(T) {
    const T element = ConvertElement<T>(number);
    std::memcpy(bytes.data(), &element, sizeof(element));
  });
  return bytes;
}

// Elements as bytes, 1, 4 or 8 at a time; strides in bytes.

template <size_t kSize>
void CopyRunOf(std::byte* out, int64_t out_step, const std::byte* in, int64_t in_step, int64_t n) {
  constexpr auto kStep = static_cast<int64_t>(kSize);
  if (out_step == kStep && in_step == kStep) {
    std::memcpy(out, in, static_cast<size_t>(n) * kSize);
    return;
  }
  for (int64_t i = 0; i < n; i++) std::memcpy(out + i * out_step, in + i * in_step, kSize);
}

inline void CopyRun(int64_t size, std::byte* out, int64_t out_step, const std::byte* in,
                    int64_t in_step, int64_t n) {
  switch (size) {
    case 1:
      return CopyRunOf<1>(out, out_step, in, in_step, n);
    case 4:
      return CopyRunOf<4>(out, out_step, in, in_step, n);
    default:
      return CopyRunOf<8>(out, out_step, in, in_step, n);
  }
}

// The same element n times, contiguous.
inline void FillRun(int64_t size, std::byte* out, const std::byte* element, int64_t n) {
  CopyRun(size, out, size, element, 0, n);
}

}  // namespace talweg

#endif  // TALWEG_INTERPRETER_COPY_H_
