#ifndef TALWEG_TRAIN_HISTORY_H_
#define TALWEG_TRAIN_HISTORY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace talweg {

// What a training measured: one row an epoch, one column a quantity. As in Keras, "loss" and the
// metrics are means over the epoch's samples, each measured before the update of its batch;
// "val_..." are of the validation data after the epoch; "lr" is the undecayed rate before the
// adjustments of that epoch's end.
//
//   absl::Span<const double> losses = fitted->history["loss"];
class History {
 public:
  History() = default;
  explicit History(std::vector<std::string> columns);

  const std::vector<std::string>& columns() const { return columns_; }
  size_t epochs() const { return values_.empty() ? 0 : values_.front().size(); }
  bool has(std::string_view column) const;
  // The values of a column, one an epoch; empty for a column that does not exist.
  absl::Span<const double> operator[](std::string_view column) const;
  // The last value; NaN where there is none.
  double last(std::string_view column) const;

  // Appends a row; values are in the order of the columns. What is missing is NaN.
  void Append(absl::Span<const double> row);

  // "epoch,loss,...": the column epoch counts from 1 (CsvLogger's from 0, as Keras's); shortest
  // decimals that read back to the same number.
  std::string ToCsv() const;
  // {"loss": [..], ..}; not-a-number and infinities, which JSON has not, become strings.
  std::string ToJson() const;
  // The same in files, which WriteFile replaces at once (base/file.h). Its errors, and no memory
  // for the text.
  absl::Status WriteCsv(const std::string& path) const;
  absl::Status WriteJson(const std::string& path) const;

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<double>> values_;  // by column
};

}  // namespace talweg

#endif  // TALWEG_TRAIN_HISTORY_H_
