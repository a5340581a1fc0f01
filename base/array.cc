#include "base/array.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/convert.h"
#include "base/memory.h"
#include "base/with_type.h"

namespace talweg {
namespace {

// Null where the memory can not be had.
std::shared_ptr<std::byte[]> Allocate(int64_t bytes) {
  std::byte* const memory = NewMemory(bytes);
  if (memory == nullptr) return nullptr;
  try {
    return std::shared_ptr<std::byte[]>(memory, FreeMemory);
  } catch (const std::bad_alloc&) {  // the count of owners; the memory is given back by then
    return nullptr;
  }
}

absl::Status NoMemory(int64_t bytes, DType dtype, absl::Span<const int64_t> dims) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no memory for ", bytes, " bytes of ", Name(dtype), ToString(dims)));
}

// The element of Array(). It has no owner, so it is never written in place.
alignas(64) constexpr std::byte kZero[sizeof(float)] = {};

template <typename T>
bool SameElement(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  }
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

}  // namespace

// Makes arrays whose shape is known to be sound.
class ArrayMaker {
 public:
  template <typename T>
  static Array Make(Dims dims, const T* elements, int64_t size) {
    auto storage = Allocate(size * static_cast<int64_t>(sizeof(T)));
    if (storage == nullptr) return Array(DTypeOf<T>, {0}, 0, nullptr);
    if (size > 0) std::memcpy(storage.get(), elements, static_cast<size_t>(size) * sizeof(T));
    return Array(DTypeOf<T>, std::move(dims), size, std::move(storage));
  }
};

Array::Array(DType dtype, Dims dims, int64_t size, std::shared_ptr<std::byte[]> storage)
    : dtype_(dtype), dims_(std::move(dims)), size_(size), storage_(std::move(storage)) {}

Array::Array()
    : Array(kFloat32, {}, 1,
            std::shared_ptr<std::byte[]>(std::shared_ptr<void>(), const_cast<std::byte*>(kZero))) {}
Array::Array(float value) : Array(ArrayMaker::Make<float>({}, &value, 1)) {}
Array::Array(double value) : Array(ArrayMaker::Make<double>({}, &value, 1)) {}
Array::Array(int32_t value) : Array(ArrayMaker::Make<int32_t>({}, &value, 1)) {}
Array::Array(int64_t value) : Array(ArrayMaker::Make<int64_t>({}, &value, 1)) {}
Array::Array(bool value) : Array(ArrayMaker::Make<bool>({}, &value, 1)) {}

absl::StatusOr<Array> Array::Zeros(DType dtype, absl::Span<const int64_t> dims) {
  absl::StatusOr<Array> array = Unwritten(dtype, dims);
  if (array.ok()) std::memset(array->storage_.get(), 0, static_cast<size_t>(array->bytes()));
  return array;
}

absl::StatusOr<Array> Array::Unwritten(DType dtype, absl::Span<const int64_t> dims) {
  const absl::StatusOr<int64_t> size = CheckedSize(dims);
  if (!size.ok()) return size.status();
  const int64_t bytes = *size * SizeOf(dtype);
  auto storage = Allocate(bytes);
  if (storage == nullptr) return NoMemory(bytes, dtype, dims);
#ifndef NDEBUG
  // Who relies on zeros is to be seen. A bool has no other values than these two.
  std::memset(storage.get(), dtype == kBool ? 1 : 0xa5, static_cast<size_t>(bytes));
#endif
  return Array(dtype, Dims(dims.begin(), dims.end()), *size, std::move(storage));
}

template <typename T>
absl::StatusOr<Array> Array::From(absl::Span<const int64_t> dims, absl::Span<const T> elements) {
  absl::StatusOr<Array> array = Zeros(DTypeOf<T>, dims);
  if (!array.ok()) return array;
  if (array->size() != static_cast<int64_t>(elements.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat(elements.size(), " elements do not fill shape ", talweg::ToString(dims)));
  }
  if (!elements.empty()) {
    std::memcpy(array->mutable_bytes(), elements.data(), elements.size() * sizeof(T));
  }
  return array;
}

template <typename T>
Array Array::Vector(const std::vector<T>& elements) {
  const auto size = static_cast<int64_t>(elements.size());
  if constexpr (std::is_same_v<T, bool>) {  // std::vector<bool> has no contiguous elements
    auto bytes = std::make_unique<bool[]>(elements.size());
    std::copy(elements.begin(), elements.end(), bytes.get());
    return ArrayMaker::Make<bool>({size}, bytes.get(), size);
  } else {
    return ArrayMaker::Make<T>({size}, elements.data(), size);
  }
}

template <typename T>
Array Array::Matrix(const std::vector<std::vector<T>>& rows) {
  const size_t columns = rows.empty() ? 0 : rows[0].size();
  std::vector<T> flat;
  for (const auto& row : rows) {
    if (row.size() != columns) return Array(DTypeOf<T>, {0}, 0, nullptr);
    flat.insert(flat.end(), row.begin(), row.end());
  }
  Array array = Vector<T>(flat);
  if (array.raw() == nullptr) return array;
  array.dims_ = {static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns)};
  return array;
}

template absl::StatusOr<Array> Array::From(absl::Span<const int64_t>, absl::Span<const float>);
template absl::StatusOr<Array> Array::From(absl::Span<const int64_t>, absl::Span<const double>);
template absl::StatusOr<Array> Array::From(absl::Span<const int64_t>, absl::Span<const int32_t>);
template absl::StatusOr<Array> Array::From(absl::Span<const int64_t>, absl::Span<const int64_t>);
template absl::StatusOr<Array> Array::From(absl::Span<const int64_t>, absl::Span<const bool>);
template Array Array::Vector(const std::vector<float>&);
template Array Array::Vector(const std::vector<double>&);
template Array Array::Vector(const std::vector<int32_t>&);
template Array Array::Vector(const std::vector<int64_t>&);
template Array Array::Vector(const std::vector<bool>&);
template Array Array::Matrix(const std::vector<std::vector<float>>&);
template Array Array::Matrix(const std::vector<std::vector<double>>&);
template Array Array::Matrix(const std::vector<std::vector<int32_t>>&);
template Array Array::Matrix(const std::vector<std::vector<int64_t>>&);
template Array Array::Matrix(const std::vector<std::vector<bool>>&);

bool Array::IsSoleOwner() const {
  // The count alone orders nothing. To own the elements twice for a moment does: giving one up
  // comes after all that were given up before.
  return storage_.use_count() == 1 && std::shared_ptr<std::byte[]>(storage_) != nullptr;
}

std::byte* Array::mutable_bytes() {
  if (storage_ != nullptr && !IsSoleOwner()) {
    auto copy = Allocate(bytes());
    if (copy == nullptr) return nullptr;
    std::memcpy(copy.get(), storage_.get(), static_cast<size_t>(bytes()));
    storage_ = std::move(copy);
  }
  return storage_.get();
}

double Array::At(int64_t i) const {
  if (i < 0 || i >= size_) return std::numeric_limits<double>::quiet_NaN();
  return WithType(dtype_, [&]<typename T>(T) { return static_cast<double>(data<T>()[i]); });
}

template <typename T>
std::vector<T> Array::ToVector() const {
  std::vector<T> elements;
  elements.reserve(static_cast<size_t>(size_));
  WithType(dtype_, [&]<typename From>(From) {
    for (const From element : data<From>()) elements.push_back(ConvertElement<T>(element));
  });
  return elements;
}
template std::vector<float> Array::ToVector() const;
template std::vector<double> Array::ToVector() const;
template std::vector<int32_t> Array::ToVector() const;
template std::vector<int64_t> Array::ToVector() const;
template std::vector<bool> Array::ToVector() const;

absl::StatusOr<Array> Array::Reshaped(absl::Span<const int64_t> dims) const {
  const absl::StatusOr<int64_t> size = CheckedSize(dims);
  if (!size.ok()) return size.status();
  if (*size != size_) {
    return absl::InvalidArgumentError(absl::StrCat("reshape: ", talweg::ToString(dims_), " to ",
                                                   talweg::ToString(dims), ": ", size_, " and ",
                                                   *size, " elements"));
  }
  return Array(dtype_, Dims(dims.begin(), dims.end()), size_, storage_);
}

absl::StatusOr<Array> Array::Rows(int64_t first, int64_t count) const {
  if (storage_ == nullptr) return NoMemory(SizeOf(dtype_), dtype_, dims_);
  if (dims_.empty()) return absl::InvalidArgumentError("rows: a scalar has none");
  if (first < 0 || count < 0 || count > dims_[0] || first > dims_[0] - count) {
    return absl::OutOfRangeError(absl::StrCat("rows: ", count, " from ", first, " on, of ",
                                              talweg::ToString(dims_), ", which has ", dims_[0]));
  }
  if (count == dims_[0]) return *this;
  Dims dims = dims_;
  dims[0] = count;
  absl::StatusOr<Array> rows = Unwritten(dtype_, dims);
  if (!rows.ok()) return rows;
  if (rows->bytes() == 0) return rows;
  const int64_t row = rows->bytes() / count;
  std::memcpy(rows->mutable_bytes(), raw() + first * row, static_cast<size_t>(rows->bytes()));
  return rows;
}

absl::StatusOr<Array> Array::Cast(DType dtype) const {
  if (storage_ == nullptr) return NoMemory(SizeOf(dtype), dtype, dims_);
  if (dtype == dtype_) return *this;
  absl::StatusOr<Array> out = Zeros(dtype, dims_);
  if (!out.ok()) return out;
  WithType(dtype_, [&]<typename From>(From) {
    WithType(dtype, [&]<typename To>(To) {
      const absl::Span<const From> from = data<From>();
      const absl::Span<To> to = out->mutable_data<To>();
      for (size_t i = 0; i < from.size(); i++) to[i] = ConvertElement<To>(from[i]);
    });
  });
  return out;
}

std::string Array::ToString() const {
  constexpr int64_t kShown = 16;
  std::string text = absl::StrCat(Name(dtype_), talweg::ToString(dims_), " {");
  WithType(dtype_, [&]<typename T>(T) {
    for (int64_t i = 0; i < std::min(size_, kShown); i++) {
      absl::StrAppend(&text, i == 0 ? "" : ", ", data<T>()[static_cast<size_t>(i)]);
    }
  });
  return absl::StrCat(text, size_ > kShown ? ", ...}" : "}");
}

bool SameBits(const Array& a, const Array& b) {
  if (a.dtype_ != b.dtype_ || a.dims_ != b.dims_) return false;
  return WithType(a.dtype_, [&]<typename T>(T) {
    const absl::Span<const T> x = a.data<T>(), y = b.data<T>();
    for (size_t i = 0; i < x.size(); i++) {
      if (!SameElement(x[i], y[i])) return false;
    }
    return true;
  });
}

}  // namespace talweg
