#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"

namespace talweg {
namespace {

// These rows of `array`, as raw bytes: this holds for every element type.
absl::StatusOr<Array> Take(const Array& array, absl::Span<const int64_t> rows) {
  Dims dims = array.dims();
  const int64_t row_bytes = dims[0] == 0 ? 0 : array.bytes() / dims[0];
  dims[0] = static_cast<int64_t>(rows.size());
  absl::StatusOr<Array> out = Array::Unwritten(array.dtype(), dims);
  if (!out.ok() || row_bytes == 0) return out;
  std::byte* to = out->mutable_bytes();
  for (const int64_t row : rows) {
    std::memcpy(to, array.raw() + row * row_bytes, static_cast<size_t>(row_bytes));
    to += row_bytes;
  }
  return out;
}

// The leading axes agree; unlike Validate, no samples are fine: so is the rest of a split.
absl::Status CheckRows(const Dataset& dataset) {
  if (dataset.inputs.rank() == 0 || dataset.targets.rank() == 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "dataset: inputs %s and targets %s must have a leading axis that counts the samples",
        ToString(dataset.inputs.dims()), ToString(dataset.targets.dims())));
  }
  if (dataset.inputs.dims()[0] != dataset.targets.dims()[0]) {
    return absl::InvalidArgumentError(
        absl::StrFormat("dataset: %d rows of inputs %s but %d of targets %s",
                        dataset.inputs.dims()[0], ToString(dataset.inputs.dims()),
                        dataset.targets.dims()[0], ToString(dataset.targets.dims())));
  }
  return absl::OkStatus();
}

// The columns as the columns of one array [n, names].
absl::StatusOr<Array> Gather(const Table& table, const std::vector<std::string>& names) {
  const auto width = static_cast<int64_t>(names.size());
  absl::StatusOr<Array> out = Array::Zeros(kFloat64, {table.rows(), width});
  if (!out.ok()) return out;
  const absl::Span<double> elements = out->mutable_data<double>();
  // There may be tens of thousands of columns: none is looked for among all.
  std::map<std::string_view, const Table::Column*> by_name;
  for (const Table::Column& column : table.columns) by_name.emplace(column.name, &column);
  for (int64_t j = 0; j < width; j++) {
    const auto column = by_name.find(names[j]);
    const auto* numbers = column == by_name.end()
                              ? nullptr
                              : std::get_if<std::vector<double>>(&column->second->cells);
    if (numbers == nullptr) return Numbers(table, names[j]).status();
    for (int64_t i = 0; i < table.rows(); i++) {
      const double x = (*numbers)[i];
      if (!std::isfinite(x)) {
        return absl::InvalidArgumentError(
            absl::StrFormat("column %s, row %d: %s is no number to learn from", Quoted(names[j]),
                            i + 1, FormatNumber(x)));
      }
      elements[i * width + j] = x;
    }
  }
  return out;
}

absl::StatusOr<Array> Labels(const Table& table, const std::string& name) {
  const absl::StatusOr<std::vector<double>> numbers = Numbers(table, name);
  if (!numbers.ok()) return numbers.status();
  absl::StatusOr<Array> labels = Array::Zeros(kInt32, {table.rows()});
  if (!labels.ok()) return labels;
  const absl::Span<int32_t> elements = labels->mutable_data<int32_t>();
  for (size_t i = 0; i < elements.size(); i++) {
    const double x = (*numbers)[i];
    if (!(x >= 0 && x <= std::numeric_limits<int32_t>::max() && x == std::floor(x))) {
      return absl::InvalidArgumentError(
          absl::StrFormat("column %s, row %d: a label is a whole number from 0 on, not %s",
                          Quoted(name), i + 1, FormatNumber(x)));
    }
    elements[i] = static_cast<int32_t>(x);
  }
  return labels;
}

// The columns of a matrix under the names prefix0, prefix1, ...
void AddColumns(Table& table, const Array& matrix, const char* prefix) {
  const int64_t rows = matrix.dims()[0], width = matrix.dims()[1];
  for (int64_t j = 0; j < width; j++) {
    std::vector<double> cells;
    cells.reserve(static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; i++) cells.push_back(matrix.At(i * width + j));
    table.columns.push_back({absl::StrCat(prefix, j), std::move(cells)});
  }
}

}  // namespace

absl::Status Validate(const Dataset& dataset) {
  if (absl::Status status = CheckRows(dataset); !status.ok()) return status;
  if (dataset.size() == 0) return absl::InvalidArgumentError("dataset: there are no samples");
  if (dataset.inputs.dtype() == kBool) {
    return absl::InvalidArgumentError("dataset: inputs are bools; Cast them to a float type");
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainTest> Split(const Dataset& dataset, int64_t train) {
  if (absl::Status status = CheckRows(dataset); !status.ok()) return status;
  if (train < 0 || train > dataset.size()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("split: %d training samples of the %d there are", train, dataset.size()));
  }
  absl::StatusOr<Dataset> first = Rows(dataset, 0, train);
  if (!first.ok()) return first.status();
  absl::StatusOr<Dataset> rest = Rows(dataset, train, dataset.size() - train);
  if (!rest.ok()) return rest.status();
  return TrainTest{*std::move(first), *std::move(rest)};
}

absl::StatusOr<Dataset> Rows(const Dataset& dataset, int64_t first, int64_t count) {
  if (absl::Status status = CheckRows(dataset); !status.ok()) return status;
  absl::StatusOr<Array> inputs = dataset.inputs.Rows(first, count);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<Array> targets = dataset.targets.Rows(first, count);
  if (!targets.ok()) return targets.status();
  return Dataset{*std::move(inputs), *std::move(targets)};
}

absl::StatusOr<Dataset> Take(const Dataset& dataset, absl::Span<const int64_t> rows) {
  if (absl::Status status = CheckRows(dataset); !status.ok()) return status;
  for (int64_t row : rows) {
    if (row < 0 || row >= dataset.size()) {
      return absl::OutOfRangeError(
          absl::StrFormat("take: no row %d among %d samples", row, dataset.size()));
    }
  }
  absl::StatusOr<Array> inputs = Take(dataset.inputs, rows);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<Array> targets = Take(dataset.targets, rows);
  if (!targets.ok()) return targets.status();
  return Dataset{*std::move(inputs), *std::move(targets)};
}

absl::StatusOr<Array> OneHot(const Array& labels, int64_t classes, DType dtype) {
  if (labels.rank() != 1 || !IsInteger(labels.dtype())) {
    return absl::InvalidArgumentError(
        absl::StrFormat("one_hot: labels are %s%s; they must be int32 or int64 [n]",
                        Name(labels.dtype()), ToString(labels.dims())));
  }
  if (classes < 1) {
    return absl::InvalidArgumentError(absl::StrFormat("one_hot: %d classes; at least 1", classes));
  }
  absl::StatusOr<Array> ones = Array::Zeros(kBool, {labels.size(), classes});
  if (!ones.ok()) return ones;
  const absl::Span<bool> elements = ones->mutable_data<bool>();
  for (int64_t i = 0; i < labels.size(); i++) {
    const int64_t label =
        labels.dtype() == kInt32 ? labels.data<int32_t>()[i] : labels.data<int64_t>()[i];
    if (label < 0 || label >= classes) {
      return absl::OutOfRangeError(
          absl::StrFormat("one_hot: label %d in row %d is outside the %d classes 0 to %d", label, i,
                          classes, classes - 1));
    }
    elements[i * classes + label] = true;
  }
  return ones->Cast(dtype);
}

absl::StatusOr<Dataset> OneHotTargets(const Dataset& dataset, int64_t classes) {
  if (absl::Status status = CheckRows(dataset); !status.ok()) return status;
  // No loss takes integers: inputs of tokens have targets of floats all the same.
  const DType dtype = IsFloat(dataset.inputs.dtype()) ? dataset.inputs.dtype() : kFloat64;
  absl::StatusOr<Array> targets = OneHot(dataset.targets, classes, dtype);
  if (!targets.ok()) return targets.status();
  return Dataset{dataset.inputs, *std::move(targets)};
}

absl::StatusOr<Dataset> Cast(const Dataset& dataset, DType dtype) {
  if (!IsFloat(dtype)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("dataset: inputs can not be cast to %s; float32 or float64", Name(dtype)));
  }
  absl::StatusOr<Array> inputs = dataset.inputs.Cast(dtype);
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<Array> targets = dataset.targets;
  if (!IsInteger(targets->dtype())) targets = targets->Cast(dtype);
  if (!targets.ok()) return targets.status();
  return Dataset{*std::move(inputs), *std::move(targets)};
}

absl::StatusOr<Dataset> ToDataset(const Table& table, const DatasetColumns& columns) {
  if (columns.label.empty() == columns.targets.empty()) {
    return absl::InvalidArgumentError(
        "dataset: name the column of labels, or the columns of targets, and not both");
  }
  if (table.rows() == 0) return absl::InvalidArgumentError("dataset: the table has no rows");
  for (const Table::Column& column : table.columns) {
    if (column.size() == table.rows()) continue;
    return absl::InvalidArgumentError(absl::StrFormat("dataset: column %s has %d rows, %s has %d",
                                                      Quoted(column.name), column.size(),
                                                      Quoted(table.columns[0].name), table.rows()));
  }
  const std::vector<std::string> outputs =
      columns.label.empty() ? columns.targets : std::vector<std::string>{columns.label};
  std::vector<std::string> names = columns.inputs;
  if (names.empty()) {
    const std::set<std::string_view> taken(outputs.begin(), outputs.end());
    for (const Table::Column& column : table.columns) {
      if (!taken.contains(column.name)) names.push_back(column.name);
    }
  }
  // Targets may be inputs as well, of an autoencoder; a label is the answer.
  if (!columns.label.empty() &&
      std::find(names.begin(), names.end(), columns.label) != names.end()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "dataset: column %s is the label, and among the inputs", Quoted(columns.label)));
  }
  if (names.empty()) return absl::InvalidArgumentError("dataset: no column is left for the inputs");
  absl::StatusOr<Array> targets =
      columns.label.empty() ? Gather(table, outputs) : Labels(table, columns.label);
  if (!targets.ok()) return targets.status();
  absl::StatusOr<Array> inputs = Gather(table, names);
  if (!inputs.ok()) return inputs.status();
  return Dataset{*std::move(inputs), *std::move(targets)};
}

absl::StatusOr<Dataset> ReadDataset(const std::string& path, const DatasetColumns& columns,
                                    const CsvOptions& options) {
  const absl::StatusOr<Table> table = ReadCsv(path, options);
  if (!table.ok()) return table.status();
  absl::StatusOr<Dataset> dataset = ToDataset(*table, columns);
  if (dataset.ok()) return dataset;
  return absl::Status(dataset.status().code(),
                      absl::StrCat(path, ": ", dataset.status().message()));
}

absl::StatusOr<Table> ToTable(const Dataset& dataset) {
  if (absl::Status status = CheckRows(dataset); !status.ok()) return status;
  if (dataset.inputs.rank() != 2 || dataset.targets.rank() > 2) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "dataset: a table holds inputs [n, features] and targets [n] or [n, k], not %s and %s",
        ToString(dataset.inputs.dims()), ToString(dataset.targets.dims())));
  }
  Table table;
  AddColumns(table, dataset.inputs, "x");
  if (dataset.targets.rank() == 2) {
    AddColumns(table, dataset.targets, "y");
    return table;
  }
  std::vector<double> labels;
  for (int64_t i = 0; i < dataset.size(); i++) labels.push_back(dataset.targets.At(i));
  table.columns.push_back({"y", std::move(labels)});
  return table;
}

}  // namespace talweg
