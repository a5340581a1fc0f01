#include "plot/text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/text.h"

namespace talweg::plot {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The advance widths of DejaVu Sans from space to tilde, in thousandths of its size.
constexpr int kWidths[] = {
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361,  318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635,  611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352,  635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592,  525, 636, 337, 636, 838};

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

double TextWidth(std::string_view line) {
  double thousandths = 0;
  for (const char c : line) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte < 0x7F) thousandths += kWidths[byte - 0x20];
    // Letters of two bytes are Latin, Greek, Cyrillic; those of three mostly wide ones.
    if (byte >= 0xC2) thousandths += byte < 0xE0 ? 640 : byte < 0xE3 ? 840 : 1000;
  }
  return thousandths / 1000;
}

}  // namespace talweg::plot
