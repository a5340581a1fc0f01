#include "data/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/memory.h"
#include "base/text.h"

namespace talweg {
namespace {

constexpr size_t kMaxDepth = 8;

// Python's words for numbers that JSON has not, and the text that stands for each while the parser
// reads: no other text can hold a NUL, because ParseJson refuses its escape.
struct Word {
  std::string_view python, quoted, text;
  double number;
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Word kWords[] = {
    {"NaN", R"("\u0000NaN")", std::string_view("\0NaN", 4),
     std::numeric_limits<double>::quiet_NaN()},
    {"Infinity", R"("\u0000Infinity")", std::string_view("\0Infinity", 9), kInfinity},
    {"-Infinity", R"("\u0000-Infinity")", std::string_view("\0-Infinity", 10), -kInfinity},
};

// The text with Python's words outside of strings put into quotes; nothing where a string has a
// NUL.
std::optional<std::string> QuoteWords(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t at = 0; at < text.size();) {
    const auto word = std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& w) {
      return text.substr(at).starts_with(w.python);
    });
    if (!in_string && word != std::end(kWords)) {
      out += word->quoted;
      at += word->python.size();
      continue;
    }
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\' && at + 1 < text.size()) {
      if (text.substr(at).starts_with("\\u0000")) return std::nullopt;
      out += text[at++];
    }
    out += text[at++];
  }
  return out;
}

// Builds the tree from the parser's events: the parser's own tree would merge keys that stand
// twice, and is as deep as the text wants it.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  absl::Status status;
  Json root;

  bool null() override { return Add({}); }
  bool boolean(bool value) override { return Add({.kind = Json::Kind::kBool, .flag = value}); }
  bool number_integer(number_integer_t value) override { return Integer(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Integer(static_cast<int64_t>(value));
    }
    return number_float(static_cast<double>(value), std::to_string(value));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    return Add({.kind = Json::Kind::kNumber, .number = value, .text = text});
  }
  bool string(string_t& text) override {
    for (const Word& word : kWords) {
      if (text != word.text) continue;
      return Add(
          {.kind = Json::Kind::kNumber, .number = word.number, .text = std::string(word.python)});
    }
    return Add({.kind = Json::Kind::kText, .text = std::move(text)});
  }
  bool binary(binary_t&) override { return Fail("binary data"); }
  bool start_object(std::size_t) override { return Open(Json::Kind::kObject); }
  bool start_array(std::size_t) override { return Open(Json::Kind::kList); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& text) override {
    if (text.starts_with('\0')) return Fail("a word without quotes as a key");
    if (!seen_.back().insert(text).second) return Fail("the key " + Quoted(text) + " stands twice");
    open_.back()->keys.push_back(std::move(text));
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrFormat("not JSON at about byte %d", position));
  }

 private:
  bool Fail(const std::string& what) {
    if (status.ok()) status = absl::InvalidArgumentError(what);
    return false;
  }
  bool Integer(int64_t value) {
    return Add({.kind = Json::Kind::kInteger,
                .integer = value,
                .number = static_cast<double>(value),
                .text = std::to_string(value)});
  }
  // Never null.
  Json* Add(Json json) {
    if (open_.empty()) {
      root = std::move(json);
      return &root;
    }
    return &open_.back()->items.emplace_back(std::move(json));
  }
  bool Open(Json::Kind kind) {
    if (open_.size() == kMaxDepth) {
      return Fail(absl::StrFormat("lists and objects more than %d deep", kMaxDepth));
    }
    // Stays where it is: its parent's list grows only after it has been closed.
    open_.push_back(Add({.kind = kind}));
    seen_.emplace_back();
    return true;
  }
  bool Close() {
    open_.pop_back();
    seen_.pop_back();
    return true;
  }

  std::vector<Json*> open_;
  std::vector<std::set<std::string>> seen_;  // the keys of each open object
};

void Append(std::string& out, const Json& json) {
  switch (json.kind) {
    case Json::Kind::kNull:
      out += "null";
      return;
    case Json::Kind::kBool:
      out += json.flag ? "true" : "false";
      return;
    case Json::Kind::kInteger:
    case Json::Kind::kNumber:
      out += json.text;
      return;
    case Json::Kind::kText:
      AppendJsonText(out, json.text);
      return;
    case Json::Kind::kList:
    case Json::Kind::kObject: {
      const bool object = json.kind == Json::Kind::kObject;
      out += object ? '{' : '[';
      for (size_t i = 0; i < json.items.size(); i++) {
        if (i > 0) out += ", ";
        if (object) {
          AppendJsonText(out, json.keys[i]);
          out += ": ";
        }
        Append(out, json.items[i]);
      }
      out += object ? '}' : ']';
    }
  }
}

}  // namespace

const Json* Json::Find(std::string_view key) const {
  const auto found = std::find(keys.begin(), keys.end(), key);
  return found == keys.end() ? nullptr : &items[static_cast<size_t>(found - keys.begin())];
}

absl::StatusOr<Json> ParseJson(std::string_view text) {
  if (const size_t bad = FindInvalidUtf8(text); bad != text.npos) {
    return absl::InvalidArgumentError(absl::StrFormat("not UTF-8 at byte %d", bad));
  }
  // The parser would take a NUL for the end and never look at what follows.
  const std::optional<std::string> quoted =
      text.find('\0') == text.npos ? QuoteWords(text) : std::nullopt;
  if (!quoted.has_value()) return absl::InvalidArgumentError("a NUL character");
  // A value takes far more memory than its text, and has one of these in front of it.
  const auto values = std::count_if(text.begin(), text.end(),
                                    [](char c) { return c == ',' || c == '[' || c == ':'; });
  const auto bytes = static_cast<int64_t>(sizeof(Json)) * 2 * values;
  TreeBuilder builder;
  bool read = false;
  const bool fits = WithMemoryFor(
      bytes, [&] { read = nlohmann::json::sax_parse(quoted->begin(), quoted->end(), &builder); });
  if (!fits) {
    return absl::ResourceExhaustedError(absl::StrFormat("no memory for %d bytes of JSON", bytes));
  }
  if (!builder.status.ok()) return builder.status;
  if (!read) return absl::InvalidArgumentError("not JSON");
  return std::move(builder.root);
}

std::string FormatJson(const Json& json) {
  std::string out;
  Append(out, json);
  return out;
}

void AppendJsonText(std::string& out, std::string_view text) {
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void AppendJsonNumber(std::string& out, double number) {
  for (const Word& word : kWords) {
    if (number == word.number || (std::isnan(number) && std::isnan(word.number))) {
      out += word.python;
      return;
    }
  }
  AppendNumber(out, number);
  // "-0" is an integer in JSON, and integers have no such zero.
  if (number == 0 && std::signbit(number)) out += ".0";
}

}  // namespace talweg
