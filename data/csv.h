#ifndef TALWEG_DATA_CSV_H_
#define TALWEG_DATA_CSV_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"

namespace talweg {

// Tables in CSV files.
//
//   absl::StatusOr<Table> table = ReadCsv("history.csv", {.text = {"experiment", "run"}});
//   absl::StatusOr<std::vector<double>> loss = Numbers(*table, "loss");
//
// The form is RFC 4180's: fields separated by commas; a field in double quotes may hold commas,
// line ends and doubled quotes. Lines end in LF or CRLF. The text is UTF-8, with or without a byte
// order mark. Numbers are decimals as base/text.h reads and writes them: shortest ones that read
// back to the same float64, `nan`, `inf`, `-inf`. Other spellings (NaN, NA, nothing) are errors,
// not guesses.

// Columns of equal length, each of numbers or of text.
struct Table {
  struct Column {
    std::string name;
    std::variant<std::vector<double>, std::vector<std::string>> cells;
    int64_t size() const;
  };
  std::vector<Column> columns;

  // The length of the columns.
  int64_t rows() const { return columns.empty() ? 0 : columns[0].size(); }
  // Null where there is no such column.
  const Column* Find(std::string_view name) const;
};

// The cells of a column of numbers. Errors: no such column (with those there are), a column of
// text.
absl::StatusOr<std::vector<double>> Numbers(const Table& table, std::string_view name);

struct CsvOptions {
  // Whether the first line holds the columns' names. Without it they are "0", "1", ...
  bool header = true;
  // Between two fields: ';', a tab, anything that is neither a letter, a digit nor one of +-."
  char separator = ',';
  // The names of the columns of text. All others are numbers.
  std::vector<std::string> text = {};
  // More than this is refused before anything is allocated for it.
  int64_t max_columns = 65536;
  int64_t max_bytes = kMaxFileBytes;
};

// Errors say where: "data.csv: line 17, column 3 ('x1'): 'abc' is not a number". They are: a file
// that can not be read (see ReadFile), an empty one, text that is not UTF-8 or holds a NUL, lines
// with more or fewer fields than the first, empty lines (except at the end), two columns of one
// name, a quote never closed or out of place, a carriage return out of place.
absl::StatusOr<Table> ReadCsv(const std::string& path, const CsvOptions& options = {});

// The same from text in memory; `name` stands in errors where a path would.
absl::StatusOr<Table> ParseCsv(std::string_view text, const CsvOptions& options = {},
                               const std::string& name = "csv");

// A line of names, then a line a row, all ended by LF; quotes only where they are needed. What is
// written reads back equal, with the columns of text named in the options. Errors: no columns,
// columns of unequal length, two of one name, text that is not UTF-8 or holds a NUL.
absl::StatusOr<std::string> FormatCsv(const Table& table);

// Error: a character that can not stand between numbers and quoted texts; `name` says who wants it.
absl::Status CheckCsvSeparator(std::string_view name, char separator);

// Appends text as one field of a line: in quotes where it holds a separator, a quote or a line's
// end. `alone`: the only field of its line, which must not look empty.
void AppendCsvField(std::string& out, std::string_view text, char separator = ',',
                    bool alone = false);

// Replaces the file at once, see WriteFile.
absl::Status WriteCsv(const std::string& path, const Table& table, const FileSystem& system = {});

}  // namespace talweg

#endif  // TALWEG_DATA_CSV_H_
