#ifndef TALWEG_DATA_BLOBS_H_
#define TALWEG_DATA_BLOBS_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "data/dataset.h"

namespace talweg {

// One number for all centers, or one for each: `.cluster_std = 2` or `.cluster_std = {1, 2.5, 1}`.
template <typename T>
struct PerCenter {
  PerCenter(T value) : values{value}, same(true) {}                         // NOLINT
  PerCenter(std::initializer_list<T> list) : values(list), same(false) {}   // NOLINT
  PerCenter(std::vector<T> list) : values(std::move(list)), same(false) {}  // NOLINT
  std::vector<T> values;
  bool same;
};

// The settings of scikit-learn's make_blobs, with its defaults. The seed, there random_state, has
// no default there.
struct BlobsOptions {
  // How many in all, shared by the centers as evenly as can be, the first ones taking what is left
  // over; or how many of each center.
  PerCenter<int64_t> samples = 100;
  // How many, drawn uniformly from the center box; or the centers themselves, a matrix
  // [centers, features] of any element type. 0: three, or as many as `samples` or else
  // `cluster_std` list numbers.
  std::variant<int64_t, Array> centers = int64_t{0};
  // Ignored where the centers are given.
  int64_t features = 2;
  // The standard deviation around a center, in each feature.
  PerCenter<double> cluster_std = 1.0;
  std::array<double, 2> center_box = {-10.0, 10.0};
  bool shuffle = true;
  uint32_t seed = 0;
};

// Isotropic Gaussian blobs for clustering and classification: inputs float64 [samples, features],
// targets int32 [samples], the number of the center. The same numbers, bit for bit, that
// sklearn.datasets.make_blobs of scikit-learn 1.2 makes from the same settings.
//
//   absl::StatusOr<Dataset> blobs =
//       Blobs({.samples = 1000, .centers = 3, .cluster_std = 2, .seed = 2});
//
// Errors: no or negative samples, centers or features; a standard deviation or center that is not
// finite, or the former negative; lists whose lengths differ from the number of centers; more
// elements than memory holds.
absl::StatusOr<Dataset> Blobs(const BlobsOptions& options);

}  // namespace talweg

#endif  // TALWEG_DATA_BLOBS_H_
