#ifndef TALWEG_JIT_BYTES_H_
#define TALWEG_JIT_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"

namespace talweg {

// Values one after another as bytes, which differ where the values do: numbers in as many bytes as
// they need (seven bits each; the eighth says that more follow), the lengths of texts and lists
// before them.
class ByteWriter {
 public:
  template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
  void Write(T value) {
    auto rest = static_cast<uint64_t>(value);
    // Small negative numbers are small too.
    if constexpr (std::is_signed_v<T>) rest = rest << 1 ^ (value < 0 ? ~uint64_t{0} : 0);
    for (; rest >= 0x80; rest >>= 7) bytes_.push_back(static_cast<char>(rest | 0x80));
    bytes_.push_back(static_cast<char>(rest));
  }
  void Write(absl::string_view text) {
    Write(text.size());
    bytes_.append(text.data(), text.size());
  }
  template <typename T>
  void Write(const std::vector<T>& list) {
    Write(list.size());
    for (const T& item : list) Write(item);
  }
  template <typename... T>
    requires(sizeof...(T) > 1)
  void Write(const T&... values) {
    (Write(values), ...);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what a ByteWriter wrote. What is not there reads as zero or empty, and ok() is false from
// then on.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
  void Read(T& value) {
    uint64_t bits = 0;
    for (int shift = 0;; shift += 7) {
      if (rest_.empty() || shift > 63) return Fail(value);
      const auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      bits |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    if constexpr (std::is_signed_v<T>) bits = bits >> 1 ^ (~(bits & 1) + 1);
    value = static_cast<T>(bits);
  }
  // A view into the bytes that are read.
  void Read(absl::string_view& text) {
    size_t size = 0;
    Read(size);
    if (size > rest_.size()) return Fail(text);
    text = rest_.substr(0, size);
    rest_.remove_prefix(size);
  }
  void Read(std::string& text) {
    absl::string_view view;
    Read(view);
    text.assign(view.data(), view.size());
  }
  // The length of a list of items that have a byte at least, each.
  size_t ReadLength() {
    size_t size = 0;
    Read(size);
    if (size > rest_.size()) Fail(size);
    return size;
  }
  template <typename T>
  void Read(std::vector<T>& list) {
    list.resize(ReadLength());
    for (T& item : list) Read(item);
  }

 private:
  template <typename T>
  void Fail(T& value) {
    ok_ = false;
    rest_ = absl::string_view();
    value = T();
  }

  absl::string_view rest_;
  bool ok_ = true;
};

}  // namespace talweg

#endif  // TALWEG_JIT_BYTES_H_
