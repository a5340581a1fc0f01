#ifndef TALWEG_PLOT_UTF8_H_
#define TALWEG_PLOT_UTF8_H_

#include <string>
#include <string_view>

namespace talweg::plot {

// `text` with everything that is not UTF-8, or that XML 1.0 does not allow in a document, replaced
// by U+FFFD: overlong and cut sequences, surrogates, control characters. Newlines stay, a tab
// becomes a space.
std::string CleanUtf8(std::string_view text);

// The number of code points of clean UTF-8.
int CountLetters(std::string_view text);

}  // namespace talweg::plot

#endif  // TALWEG_PLOT_UTF8_H_
