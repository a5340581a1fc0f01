#include "plot/utf8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/text.h"

namespace talweg::plot {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// The bytes at the start of valid UTF-8 that make one character no document may hold, or no font
// draws: 1 for C0 controls and DEL, 2 for C1 controls, 3 for U+FFFE and U+FFFF; 0 for all others.
size_t ForbiddenLength(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if ((first < 0x20 && first != '\n') || first == 0x7F) return 1;
  if (first == 0xC2 && static_cast<uint8_t>(text[1]) < 0xA0) return 2;
  return text.substr(0, 3) == "\xEF\xBF\xBE" || text.substr(0, 3) == "\xEF\xBF\xBF" ? 3 : 0;
}

void AppendAllowed(std::string_view text, std::string& clean) {
  while (!text.empty()) {
    const size_t forbidden = ForbiddenLength(text);
    if (forbidden == 0) {
      clean += text[0];
    } else {
      clean += text[0] == '\t' ? std::string_view(" ") : kReplacement;
    }
    text.remove_prefix(std::max<size_t>(forbidden, 1));
  }
}

}  // namespace

std::string CleanUtf8(std::string_view text) {
  std::string clean;
  while (true) {
    const size_t invalid = FindInvalidUtf8(text);
    AppendAllowed(text.substr(0, invalid), clean);
    if (invalid == std::string_view::npos) return clean;
    clean += kReplacement;
    text.remove_prefix(invalid + 1);
  }
}

int CountLetters(std::string_view text) {
  int letters = 0;
  for (const char c : text) letters += IsContinuation(c) ? 0 : 1;
  return letters;
}

}  // namespace talweg::plot
