#include "base/text.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <system_error>

#include "absl/strings/str_format.h"

namespace talweg {
namespace {

template <typename T>
void Append(std::string& out, T x) {
  if (std::isnan(x)) {  // to_chars would show the sign of a NaN
    out += "nan";
    return;
  }
  const T size = std::abs(x);
  const bool point = size == 0 || (size >= T(1e-4) && size < T(1e16)) || std::isinf(x);
  char digits[64];  // the longest: a sign, 17 digits, a point, 4 zeros or an exponent
  const std::to_chars_result end =
      std::to_chars(digits, digits + sizeof(digits), x,
                    point ? std::chars_format::fixed : std::chars_format::scientific);
  out.append(digits, end.ptr);
}

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length of the UTF-8 character that text begins with; 0 if it begins with none.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; i++) {
    if (!IsContinuation(byte(i))) return 0;
  }
  // The second byte decides about overlong forms, surrogates and the end at U+10FFFF.
  const unsigned char second = byte(1);
  if (first == 0xE0 && second < 0xA0) return 0;
  if (first == 0xED && second > 0x9F) return 0;
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second > 0x8F) return 0;
  return length;
}

}  // namespace

std::string FormatNumber(double x) {
  std::string text;
  Append(text, x);
  return text;
}

std::string FormatNumber(float x) {
  std::string text;
  Append(text, x);
  return text;
}

void AppendNumber(std::string& out, double x) { Append(out, x); }

std::optional<double> ParseNumber(std::string_view text) {
  double x = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, x);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  // from_chars also takes "NAN", "infinity", "-nan", "nan(7)": one spelling each is enough.
  if (!std::isfinite(x) && text != "nan" && text != "inf" && text != "-inf") return std::nullopt;
  return x;
}

size_t FindInvalidUtf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    // Most text is ASCII: eight bytes at a time.
    uint64_t eight;
    if (text.size() - i >= sizeof(eight)) {
      std::memcpy(&eight, text.data() + i, sizeof(eight));
      if ((eight & 0x8080808080808080) == 0) {
        i += sizeof(eight);
        continue;
      }
    }
    const size_t length = CharacterLength(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string Quoted(std::string_view text, size_t limit) {
  std::string shown = "'";
  size_t i = 0;
  while (i < text.size() && i < limit) {
    const size_t length = CharacterLength(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      shown += absl::StrFormat("\\x%02x", byte);
      i++;
    } else {
      shown += text.substr(i, length);
      i += length;
    }
  }
  return shown + (i < text.size() ? "...'" : "'");
}

}  // namespace talweg
