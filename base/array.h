#ifndef TALWEG_BASE_ARRAY_H_
#define TALWEG_BASE_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/shape.h"

namespace talweg {

// The element type of a C++ type: DTypeOf<float> is kFloat32. Only the five types exist.
template <typename T>
inline constexpr DType DTypeOf = [] {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> ||
                    std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t> ||
                    std::is_same_v<T, bool>,
                "an array holds float, double, int32_t, int64_t or bool");
  if constexpr (std::is_same_v<T, float>) return kFloat32;
  if constexpr (std::is_same_v<T, double>) return kFloat64;
  if constexpr (std::is_same_v<T, int32_t>) return kInt32;
  if constexpr (std::is_same_v<T, int64_t>) return kInt64;
  return kBool;
}();

// A dense tensor in host memory, row-major, with value semantics. Copies share their elements until
// one of them is written (copy on write), so arrays are passed and returned by value at no cost.
//
//   Array x = Array::Matrix<float>({{1, 2}, {3, 4}});        // float32 [2,2]
//   absl::Span<const float> elements = x.data<float>();      // 1 2 3 4
//   x.mutable_data<float>()[0] = 5;
//   absl::StatusOr<Array> big = Array::Zeros(kFloat64, {1000, 1000});
//
// Where memory for an array can not be had, functions that return a Status say so. Constructors,
// Vector and Matrix give an array of shape [0] then, whose raw() is null; casts, graphs and engines
// refuse it.
//
// Const members may be called from many threads at once.
class Array {
 public:
  // A float32 scalar 0. Needs no memory.
  Array();
  // Scalars.
  explicit Array(float value);
  explicit Array(double value);
  explicit Array(int32_t value);
  explicit Array(int64_t value);
  explicit Array(bool value);

  // All elements zero (false). Errors: a shape that can not exist, memory that can not be had; the
  // message then says how much was asked for.
  static absl::StatusOr<Array> Zeros(DType dtype, absl::Span<const int64_t> dims);
  // The same with elements of any content, for who writes all of them at once.
  static absl::StatusOr<Array> Unwritten(DType dtype, absl::Span<const int64_t> dims);
  // Elements in row-major order. Error: a number of elements that does not fit `dims`.
  template <typename T>
  static absl::StatusOr<Array> From(absl::Span<const int64_t> dims, absl::Span<const T> elements);
  // A vector [n] of the given elements.
  template <typename T>
  static Array Vector(const std::vector<T>& elements);
  // A matrix from its rows, which must be of one length: else the array is as where memory can not
  // be had.
  template <typename T>
  static Array Matrix(const std::vector<std::vector<T>>& rows);

  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * SizeOf(dtype_); }

  // The elements, row-major, converted as Cast converts them: whatever type they have.
  //   std::vector<double> losses = outputs[0].ToVector<double>();
  template <typename T>
  std::vector<T> ToVector() const;
  // The elements where they are; an empty span where T is not the array's element type.
  template <typename T>
  absl::Span<const T> data() const {
    if (DTypeOf<T> != dtype_) return absl::Span<const T>();
    return absl::Span<const T>(reinterpret_cast<const T*>(storage_.get()), size_);
  }
  // The elements for writing: unshares them first. What was got before by data() of this array, or
  // of a copy, is not to be used any more through this array. Empty (null) where the elements are
  // shared and memory for a copy can not be had; the array is then as it was.
  template <typename T>
  absl::Span<T> mutable_data() {
    if (DTypeOf<T> != dtype_) return absl::Span<T>();
    std::byte* const bytes = mutable_bytes();
    if (bytes == nullptr) return absl::Span<T>();
    return absl::Span<T>(reinterpret_cast<T*>(bytes), size_);
  }
  const std::byte* raw() const { return storage_.get(); }
  // Whether the elements are no other array's; never those of Array(). If so, all that others read
  // of them through copies, which are gone, they have read before this call.
  bool IsSoleOwner() const;
  std::byte* mutable_bytes();

  // The flat element i as a double; bools as 0 and 1; NaN for an index outside [0, size).
  double At(int64_t i) const;
  // The same elements under another shape of the same size.
  absl::StatusOr<Array> Reshaped(absl::Span<const int64_t> dims) const;
  // Rows first .. first + count - 1 of the leading axis; all of them are no copy. Errors: a scalar,
  // rows that are not there.
  absl::StatusOr<Array> Rows(int64_t first, int64_t count) const;
  // Converted elements, as the op `cast` does it: saturating to integers, NaN to 0, bool is != 0.
  absl::StatusOr<Array> Cast(DType dtype) const;

  // "float32[2,2] {1, 2, 3, 4}"; long arrays are shortened, and floats to six digits. Bools are 0
  // and 1.
  std::string ToString() const;

  // Equal types, shapes and bytes; NaNs of any payload count as equal, 0 and -0 as different.
  friend bool SameBits(const Array& a, const Array& b);

 private:
  friend class ArrayMaker;
  Array(DType dtype, Dims dims, int64_t size, std::shared_ptr<std::byte[]> storage);

  DType dtype_;
  Dims dims_;
  int64_t size_;
  std::shared_ptr<std::byte[]> storage_;  // 64-byte aligned
};

bool SameBits(const Array& a, const Array& b);

// Arrays by name: parameters, inputs of a run, columns of a history. Iterates in order of the
// names.
using NamedArrays = std::map<std::string, Array>;

}  // namespace talweg

#endif  // TALWEG_BASE_ARRAY_H_
