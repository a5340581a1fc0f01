#include "train/history.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/csv.h"
#include "data/json.h"

namespace talweg {
namespace {

// Writes the text that `make` makes: a long training's is large, and may find no memory.
absl::Status WriteText(const std::string& path, const std::function<std::string()>& make) {
  std::string text;
  if (!WithMemoryFor(0, [&] { text = make(); })) {
    return absl::ResourceExhaustedError(
        absl::StrCat("can not write ", Quoted(path, 4096), ": no memory for the history's text"));
  }
  return WriteFile(path, std::string_view(text));
}

}  // namespace

History::History(std::vector<std::string> columns)
    : columns_(std::move(columns)), values_(columns_.size()) {}

bool History::has(std::string_view column) const {
  return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
}

absl::Span<const double> History::operator[](std::string_view column) const {
  const auto it = std::find(columns_.begin(), columns_.end(), column);
  if (it == columns_.end()) return {};
  return values_[static_cast<size_t>(it - columns_.begin())];
}

double History::last(std::string_view column) const {
  const absl::Span<const double> values = (*this)[column];
  return values.empty() ? std::numeric_limits<double>::quiet_NaN() : values.back();
}

void History::Append(absl::Span<const double> row) {
  for (size_t i = 0; i < values_.size(); i++) {
    values_[i].push_back(i < row.size() ? row[i] : std::numeric_limits<double>::quiet_NaN());
  }
}

std::string History::ToCsv() const {
  std::string text = "epoch";
  for (const std::string& column : columns_) {
    text += ',';
    AppendCsvField(text, column);
  }
  text += "\n";
  for (size_t epoch = 0; epoch < epochs(); epoch++) {
    absl::StrAppend(&text, epoch + 1);
    for (const std::vector<double>& values : values_) {
      text += ",";
      AppendNumber(text, values[epoch]);
    }
    text += "\n";
  }
  return text;
}

std::string History::ToJson() const {
  std::string text = "{";
  for (size_t i = 0; i < columns_.size(); i++) {
    text += i == 0 ? "\n  " : ",\n  ";
    AppendJsonText(text, columns_[i]);
    text += ": [";
    for (size_t epoch = 0; epoch < values_[i].size(); epoch++) {
      if (epoch > 0) text += ", ";
      const double value = values_[i][epoch];
      const bool is_number = std::isfinite(value);
      if (!is_number) text += '"';
      AppendNumber(text, value);
      if (!is_number) text += '"';
    }
    text += "]";
  }
  return absl::StrCat(text, columns_.empty() ? "}\n" : "\n}\n");
}

absl::Status History::WriteCsv(const std::string& path) const {
  return WriteText(path, [this] { return ToCsv(); });
}

absl::Status History::WriteJson(const std::string& path) const {
  return WriteText(path, [this] { return ToJson(); });
}

}  // namespace talweg
