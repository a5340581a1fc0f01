#ifndef TALWEG_BASE_TEXT_H_
#define TALWEG_BASE_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"

namespace talweg {

// Debian's Abseil has a string_view of its own, which knows nothing of the standard one. Where text
// crosses the border it goes through one of these.
constexpr absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }
constexpr std::string_view StdView(absl::string_view text) { return {text.data(), text.size()}; }

// Numbers and text as every file and message of Talweg writes and reads them, in any locale.

// The shortest decimals that read back to the same number, with a point from 1e-4 to 1e16 and an
// exponent beyond: "0.1", "500", "-0", "0.0001", "1e-05", "1.5e+16", "nan", "inf", "-inf". A float
// gets the decimals that a float needs: "0.1", not "0.10000000149011612".
std::string FormatNumber(double x);
std::string FormatNumber(float x);
// The same, appended to `out`.
void AppendNumber(std::string& out, double x);

// The number that the whole of `text` spells: a decimal as FormatNumber writes it, with or without
// an exponent, or exactly "nan", "inf", "-inf". None for anything else: spaces, a plus sign in
// front, hexadecimals, "NaN", "NA", nothing at all, or a number outside float64's range.
std::optional<double> ParseNumber(std::string_view text);

// Where `text` first stops being UTF-8 (overlong forms, surrogates and beyond U+10FFFF are not);
// std::string_view::npos if it never does.
size_t FindInvalidUtf8(std::string_view text);

// Text of unknown origin, made safe to show in a message: in single quotes, control characters and
// invalid UTF-8 as \x1b, cut after about `limit` bytes with "...".
std::string Quoted(std::string_view text, size_t limit = 60);

}  // namespace talweg

#endif  // TALWEG_BASE_TEXT_H_
