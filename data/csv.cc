#include "data/csv.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/memory.h"
#include "base/text.h"

namespace talweg {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsText(const Table::Column& column) { return column.cells.index() == 1; }

// One pass over the text, from field to field.
class CsvParser {
 public:
  CsvParser(std::string_view text, const CsvOptions& options, const std::string& name)
      : text_(text), options_(options), name_(name) {}

  absl::StatusOr<Table> Parse();

 private:
  enum class After { kField, kLine, kEnd };  // what follows the field just read
  // Whether a byte ends a field or is wrong inside one.
  bool EndsField(char c) const {
    return c == options_.separator || c == '\n' || c == '\r' || c == '"';
  }

  absl::Status Error(const std::string& what) const;  // with the place of the field being read
  absl::Status CheckText();
  // Reads a field into field_ and leaves position_ behind what ends it.
  absl::StatusOr<After> NextField();
  absl::Status NextQuotedField();
  // Skips empty lines at the end of the text; an empty line elsewhere is an error.
  absl::StatusOr<bool> AtEnd();
  absl::StatusOr<After> AddColumn(std::string name);
  absl::Status ReadNames();
  size_t CountLines() const;
  absl::Status ReserveRows();
  absl::Status ReadRows();

  std::string_view text_;
  const CsvOptions& options_;
  const std::string& name_;
  Table table_;

  size_t position_ = 0;
  int64_t line_ = 1;   // where position_ is
  size_t column_ = 0;  // of the field being read
  std::string_view field_;
  std::string unquoted_;  // what field_ points into when quotes were doubled
};

absl::Status CsvParser::Error(const std::string& what) const {
  std::string column;
  if (column_ < table_.columns.size()) {
    column = absl::StrFormat(" (%s)", Quoted(table_.columns[column_].name));
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: line %d, column %d%s: %s", name_, line_, column_ + 1, column, what));
}

absl::Status CsvParser::CheckText() {
  size_t bad = FindInvalidUtf8(text_);
  const char* what = "not UTF-8";
  if (const size_t nul = text_.find('\0'); nul < bad) {
    bad = nul;
    what = "a NUL, which no text holds";
  }
  if (bad == std::string_view::npos) return absl::OkStatus();
  const int64_t line = 1 + std::count(text_.begin(), text_.begin() + bad, '\n');
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: line %d: %s (byte %d of the file)", name_, line, what, bad));
}

absl::Status CsvParser::NextQuotedField() {
  const int64_t opened = line_;
  size_t from = ++position_;
  unquoted_.clear();
  while (true) {
    const size_t quote = text_.find('"', position_);
    if (quote == std::string_view::npos) {
      line_ = opened;
      return Error("the quote is never closed");
    }
    line_ += std::count(text_.begin() + position_, text_.begin() + quote, '\n');
    position_ = quote + 1;
    const bool doubled = position_ < text_.size() && text_[position_] == '"';
    if (!doubled) {
      if (unquoted_.empty()) {
        field_ = text_.substr(from, quote - from);
      } else {
        unquoted_ += text_.substr(from, quote - from);
        field_ = unquoted_;
      }
      return absl::OkStatus();
    }
    unquoted_ += text_.substr(from, position_ - from);  // the first of the two quotes included
    from = ++position_;
  }
}

absl::StatusOr<CsvParser::After> CsvParser::NextField() {
  if (position_ < text_.size() && text_[position_] == '"') {
    if (absl::Status status = NextQuotedField(); !status.ok()) return status;
    if (position_ < text_.size() && !EndsField(text_[position_])) {
      return Error("text after the closing quote");
    }
  } else {
    const size_t from = position_;
    while (position_ < text_.size() && !EndsField(text_[position_])) position_++;
    field_ = text_.substr(from, position_ - from);
  }
  if (position_ == text_.size()) return After::kEnd;
  const char end = text_[position_++];
  if (end == options_.separator) return After::kField;
  if (end == '"') return Error("a quote inside a field that does not begin with one");
  if (end == '\r') {
    if (position_ == text_.size() || text_[position_] != '\n') {
      return Error("a carriage return without a line feed");
    }
    position_++;
  }
  return After::kLine;  // line_ still says where the field began: the caller counts on
}

absl::StatusOr<bool> CsvParser::AtEnd() {
  const auto is_line_end = [&](size_t i) {
    return i < text_.size() && (text_[i] == '\n' || text_[i] == '\r');
  };
  size_t next = position_;
  while (is_line_end(next)) next++;
  if (next == text_.size()) return true;
  column_ = 0;
  if (next != position_) return Error("an empty line");
  return false;
}

absl::StatusOr<CsvParser::After> CsvParser::AddColumn(std::string name) {
  absl::StatusOr<After> after = NextField();
  if (!after.ok()) return after;
  if (static_cast<int64_t>(column_) >= options_.max_columns) {
    return Error(absl::StrFormat("more than the limit of %d columns", options_.max_columns));
  }
  Table::Column column;
  column.name = options_.header ? std::string(field_) : std::move(name);
  if (std::find(options_.text.begin(), options_.text.end(), column.name) != options_.text.end()) {
    column.cells = std::vector<std::string>();
  }
  table_.columns.push_back(std::move(column));
  return after;
}

absl::Status CsvParser::ReadNames() {
  After after = After::kField;
  for (column_ = 0; after == After::kField; column_++) {
    const absl::StatusOr<After> added = AddColumn(absl::StrFormat("%d", column_));
    if (!added.ok()) return added.status();
    after = *added;
  }
  std::set<std::string_view> names;
  for (column_ = 0; column_ < table_.columns.size(); column_++) {
    if (!names.insert(table_.columns[column_].name).second)
      return Error("a second column of this name");
  }
  for (const std::string& name : options_.text) {
    if (!names.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: no column %s, which the options name as text", name_, Quoted(name)));
    }
  }
  if (!options_.header) {  // the first line holds cells: read it again with the rest
    position_ = 0;
    line_ = 1;
  } else if (after == After::kLine) {
    line_++;
  }
  return absl::OkStatus();
}

// How many lines there are from here on, and perhaps an empty one; line ends within quotes end
// none.
size_t CsvParser::CountLines() const {
  size_t lines = 1;
  bool is_quoted = false;
  for (const char c : text_.substr(position_)) {
    if (c == '"') is_quoted = !is_quoted;
    if (c == '\n' && !is_quoted) lines++;
  }
  return lines;
}

// Vectors that double as they grow would take up to three times what the cells need.
absl::Status CsvParser::ReserveRows() {
  // A row of c fields takes c bytes at least, so that all reservations together are in proportion
  // to the text, however its line ends are distributed.
  const size_t rows =
      std::min(CountLines(), (text_.size() - position_) / table_.columns.size() + 1);
  double bytes = 0;
  for (const Table::Column& column : table_.columns) {
    bytes += static_cast<double>(rows) *
             static_cast<double>(IsText(column) ? sizeof(std::string) : sizeof(double));
  }
  const bool is_there = WithMemoryFor(static_cast<int64_t>(std::min(bytes, 0x1p62)), [&] {
    for (Table::Column& column : table_.columns) {
      std::visit([&](auto& cells) { cells.reserve(rows); }, column.cells);
    }
  });
  if (is_there) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat("%s: no memory for %.0f bytes of %d columns",
                                                      name_, bytes, table_.columns.size()));
}

absl::Status CsvParser::ReadRows() {
  while (true) {
    const absl::StatusOr<bool> at_end = AtEnd();
    if (!at_end.ok()) return at_end.status();
    if (*at_end) return absl::OkStatus();
    After after = After::kField;
    for (column_ = 0; after == After::kField; column_++) {
      if (column_ == table_.columns.size()) {
        return Error(absl::StrFormat("more fields than the first line, which has %d", column_));
      }
      const absl::StatusOr<After> read = NextField();
      if (!read.ok()) return read.status();
      after = *read;
      Table::Column& column = table_.columns[column_];
      if (auto* numbers = std::get_if<0>(&column.cells)) {
        const std::optional<double> number = ParseNumber(field_);
        if (!number.has_value()) {
          return Error(absl::StrFormat("%s is not a number", Quoted(field_)));
        }
        numbers->push_back(*number);
      } else {
        std::get<1>(column.cells).emplace_back(field_);
      }
    }
    if (column_ != table_.columns.size()) {
      column_--;
      return Error(absl::StrFormat("the line ends after %d of %d fields", column_ + 1,
                                   table_.columns.size()));
    }
    line_++;
  }
}

absl::StatusOr<Table> CsvParser::Parse() {
  if (absl::Status status = CheckText(); !status.ok()) return status;
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  const absl::StatusOr<bool> empty = AtEnd();
  if (!empty.ok()) return empty.status();
  if (*empty) return absl::InvalidArgumentError(name_ + ": the file is empty");
  if (absl::Status status = ReadNames(); !status.ok()) return status;
  absl::Status status = ReserveRows();
  if (!status.ok()) return status;
  if (!WithMemoryFor(0, [&] { status = ReadRows(); })) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%s: no memory for the cells after line %d", name_, line_));
  }
  if (!status.ok()) return status;
  return std::move(table_);
}

absl::Status CheckTable(const Table& table) {
  if (table.columns.empty()) return absl::InvalidArgumentError("csv: a table without columns");
  std::set<std::string_view> names;
  const auto is_text = [](std::string_view text) {
    return FindInvalidUtf8(text) == text.npos && text.find('\0') == text.npos;
  };
  for (const Table::Column& column : table.columns) {
    const std::string shown = Quoted(column.name);
    if (!names.insert(column.name).second) {
      return absl::InvalidArgumentError(absl::StrFormat("csv: two columns %s", shown));
    }
    if (column.size() != table.rows()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "csv: column %s has %d rows, the first one %d", shown, column.size(), table.rows()));
    }
    bool sound = is_text(column.name);
    if (IsText(column)) {
      const auto& cells = std::get<1>(column.cells);
      sound = sound && std::all_of(cells.begin(), cells.end(), is_text);
    }
    if (!sound) {
      return absl::InvalidArgumentError(
          absl::StrFormat("csv: column %s holds text that is not UTF-8, or a NUL", shown));
    }
  }
  return absl::OkStatus();
}

}  // namespace

int64_t Table::Column::size() const {
  return std::visit([](const auto& all) { return static_cast<int64_t>(all.size()); }, cells);
}

const Table::Column* Table::Find(std::string_view name) const {
  for (const Column& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

absl::StatusOr<std::vector<double>> Numbers(const Table& table, std::string_view name) {
  const Table::Column* column = table.Find(name);
  if (column == nullptr) {
    constexpr size_t kShown = 10;
    std::string there;
    for (size_t i = 0; i < std::min(table.columns.size(), kShown); i++) {
      there += (i == 0 ? "" : ", ") + Quoted(table.columns[i].name);
    }
    if (table.columns.size() > kShown) there += ", ...";
    return absl::NotFoundError(absl::StrFormat("no column %s; there are: %s", Quoted(name), there));
  }
  if (IsText(*column)) {
    return absl::InvalidArgumentError(absl::StrFormat("column %s holds text", Quoted(name)));
  }
  return std::get<0>(column->cells);
}

absl::StatusOr<Table> ReadCsv(const std::string& path, const CsvOptions& options) {
  const absl::StatusOr<std::string> text = ReadFile(path, options.max_bytes);
  if (!text.ok()) return text.status();
  return ParseCsv(*text, options, path);
}

absl::StatusOr<Table> ParseCsv(std::string_view text, const CsvOptions& options,
                               const std::string& name) {
  if (absl::Status s = CheckCsvSeparator(name, options.separator); !s.ok()) return s;
  return CsvParser(text, options, name).Parse();
}

absl::Status CheckCsvSeparator(std::string_view name, char separator) {
  const bool in_numbers = absl::ascii_isalnum(static_cast<unsigned char>(separator)) ||
                          std::string_view("+-.").find(separator) != std::string_view::npos;
  const bool in_lines = std::string_view("\"\r\n").find(separator) != std::string_view::npos;
  if (separator > 0 && separator < 0x7f && !in_numbers && !in_lines) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(AbslView(name), ": the separator ",
                                                 Quoted(std::string(1, separator)),
                                                 " would be taken for a part of a number or line"));
}

void AppendCsvField(std::string& out, std::string_view text, char separator, bool alone) {
  const bool quotes = text.find_first_of("\"\r\n") != std::string_view::npos ||
                      text.find(separator) != std::string_view::npos ||
                      text.starts_with(kByteOrderMark) || (alone && text.empty());
  if (!quotes) {
    out += text;
    return;
  }
  out += '"';
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

absl::StatusOr<std::string> FormatCsv(const Table& table) {
  if (absl::Status status = CheckTable(table); !status.ok()) return status;
  const bool alone = table.columns.size() == 1;
  std::string out;
  for (size_t i = 0; i < table.columns.size(); i++) {
    if (i > 0) out += ',';
    AppendCsvField(out, table.columns[i].name, ',', alone);
  }
  out += '\n';
  for (int64_t row = 0; row < table.rows(); row++) {
    for (size_t i = 0; i < table.columns.size(); i++) {
      if (i > 0) out += ',';
      const Table::Column& column = table.columns[i];
      if (IsText(column)) {
        AppendCsvField(out, std::get<1>(column.cells)[row], ',', alone);
      } else {
        AppendNumber(out, std::get<0>(column.cells)[row]);
      }
    }
    out += '\n';
  }
  return out;
}

absl::Status WriteCsv(const std::string& path, const Table& table, const FileSystem& system) {
  const absl::StatusOr<std::string> text = FormatCsv(table);
  if (!text.ok()) return text.status();
  return WriteFile(path, *text, system);
}

}  // namespace talweg
