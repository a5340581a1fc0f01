#ifndef TALWEG_DATA_JSON_H_
#define TALWEG_DATA_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace talweg {

// JSON of unknown origin as a tree, and what writes it. Besides what the standard has, the words
// NaN, Infinity and -Infinity are numbers, because Python's json module writes them.
struct Json {
  enum class Kind : uint8_t { kNull, kBool, kInteger, kNumber, kText, kList, kObject };

  // The member of this name of an object, or null.
  const Json* Find(std::string_view key) const;
  bool IsNumber() const { return kind == Kind::kInteger || kind == Kind::kNumber; }

  Kind kind = Kind::kNull;
  bool flag = false;             // of kBool
  int64_t integer = 0;           // of kInteger: whole numbers that were written as such and fit
  double number = 0;             // of kInteger and kNumber
  std::string text = {};         // of kText; of numbers as they were written
  std::vector<Json> items = {};  // of a list; of an object, in the order of the file
  std::vector<std::string> keys = {};  // of an object: the names of its items
};

// Errors: not JSON, not UTF-8, NUL, a number outside of float64, a key that stands twice in one
// object, lists and objects in each other more than eight deep, no memory.
absl::StatusOr<Json> ParseJson(std::string_view text);

// On one line, as Python writes it: {"a": [1, 2.5], "b": null}. Numbers stand as they were written.
std::string FormatJson(const Json& json);
// Appends text in quotes, and a number in the decimals of AppendNumber (base/text.h), or NaN,
// Infinity, -Infinity.
void AppendJsonText(std::string& out, std::string_view text);
void AppendJsonNumber(std::string& out, double number);

}  // namespace talweg

#endif  // TALWEG_DATA_JSON_H_
