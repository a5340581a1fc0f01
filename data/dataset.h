#ifndef TALWEG_DATA_DATASET_H_
#define TALWEG_DATA_DATASET_H_

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "data/csv.h"

namespace talweg {

// What a model learns from: samples, one a row, and what it should say about each of them. The
// leading axis of both arrays counts the samples.
//
//   inputs   [n, ...], usually float64 [n, features]
//   targets  int32 [n], the class of each sample; or [n, classes], one-hot; or numbers [n, k] (one
//            number a sample is [n, 1])
//
//   absl::StatusOr<Dataset> blobs = Blobs({.samples = 1000, .cluster_std = 2, .seed = 2});
//   absl::StatusOr<Dataset> one_hot = OneHotTargets(*blobs, 3);
//   absl::StatusOr<TrainTest> data = Split(*one_hot, 500);
struct Dataset {
  Array inputs;
  Array targets;

  // The number of samples; 0 for scalars, which Validate refuses.
  int64_t size() const { return inputs.rank() == 0 ? 0 : inputs.dims()[0]; }
};

// Inputs and targets have a leading axis, the same number of rows, at least one of them, and the
// inputs are numbers, not bools.
absl::Status Validate(const Dataset& dataset);

struct TrainTest {
  Dataset train;
  Dataset test;
};

// The first `train` samples and the rest; both keep their order. Error: more training samples than
// there are, or a negative number. The rest may be empty. Files are often sorted; mix first:
//
//   absl::StatusOr<Dataset> mixed = Take(d, NumPyRandom(0).Permutation(d.size()));
absl::StatusOr<TrainTest> Split(const Dataset& dataset, int64_t train);
// A share would be cut to 0 samples or 1; a number that is computed needs a cast.
template <std::floating_point T>
absl::StatusOr<TrainTest> Split(const Dataset& dataset, T share) = delete;

// Samples first .. first + count - 1. Error: a sample that is not there.
absl::StatusOr<Dataset> Rows(const Dataset& dataset, int64_t first, int64_t count);
// The samples at `rows`, in this order; a row may stand there often. Error: a row that is not
// there.
absl::StatusOr<Dataset> Take(const Dataset& dataset, absl::Span<const int64_t> rows);

// [n] classes, int32 or int64, as rows with one 1: `dtype` [n, classes]. The error for a label
// outside 0, ..., classes - 1 says which it is and in which row (from 0) it stands. (The op of that
// name, in ops/gather.h, makes float32 where nothing is said, and zeros of such a label.)
absl::StatusOr<Array> OneHot(const Array& labels, int64_t classes, DType dtype = kFloat64);
// The dataset with one-hot targets, of the inputs' type where that is a float, else float64.
absl::StatusOr<Dataset> OneHotTargets(const Dataset& dataset, int64_t classes);

// The dataset with inputs of a float type, and targets of it as well unless they are integers, that
// is, classes.
absl::StatusOr<Dataset> Cast(const Dataset& dataset, DType dtype);

// Which columns of a table are what. Labels that are yes or no, 1 and 0, for binary cross-entropy:
// name their column among `targets`; they become float64 [n, 1].
struct DatasetColumns {
  // The column of classes: whole numbers from 0. Targets become int32 [n].
  std::string label = {};
  // Or columns of numbers: targets become float64 [n, k].
  std::vector<std::string> targets = {};
  // The columns of the inputs, float64 [n, features]; none named: all that are not targets, in the
  // table's order.
  std::vector<std::string> inputs = {};
};

// Errors name the column and the row (from 1, the line of names not counted): a column that does
// not exist or holds text, neither label nor targets or both, a label among the inputs, a label
// that is not a whole number from 0, a number that is not finite, no rows.
absl::StatusOr<Dataset> ToDataset(const Table& table, const DatasetColumns& columns);

// The same from a CSV file.
absl::StatusOr<Dataset> ReadDataset(const std::string& path, const DatasetColumns& columns,
                                    const CsvOptions& options = {});

// Columns x0, x1, ... of the inputs and y of the classes; or y0, y1, ... of the targets. The inputs
// must be [n, features].
absl::StatusOr<Table> ToTable(const Dataset& dataset);

}  // namespace talweg

#endif  // TALWEG_DATA_DATASET_H_
