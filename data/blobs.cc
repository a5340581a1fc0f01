#include "data/blobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_format.h"
#include "base/random.h"
#include "base/text.h"

namespace talweg {
namespace {

template <typename... Args>
absl::Status Error(const absl::FormatSpec<Args...>& format, const Args&... args) {
  return absl::InvalidArgumentError("blobs: " + absl::StrFormat(format, args...));
}

// Centers [n, features] as float64, given or drawn.
absl::StatusOr<Array> Centers(const BlobsOptions& options, NumPyRandom& random) {
  if (const Array* given = std::get_if<Array>(&options.centers)) {
    if (given->rank() != 2 || given->size() == 0) {
      return Error("centers are %s; they must be [centers, features]", ToString(given->dims()));
    }
    for (int64_t i = 0; i < given->size(); i++) {
      if (!std::isfinite(given->At(i))) {
        return Error("center %d holds %s", i / given->dims()[1], FormatNumber(given->At(i)));
      }
    }
    return given->Cast(kFloat64);
  }
  int64_t count = std::get<int64_t>(options.centers);
  if (count == 0) {
    count = !options.samples.same       ? static_cast<int64_t>(options.samples.values.size())
            : !options.cluster_std.same ? static_cast<int64_t>(options.cluster_std.values.size())
                                        : 3;
  }
  if (count < 1) return Error("%d centers; there must be at least 1", count);
  if (options.features < 1) return Error("%d features; there must be at least 1", options.features);
  const auto [low, high] = options.center_box;
  if (!std::isfinite(low) || !std::isfinite(high) || !std::isfinite(high - low)) {
    return Error("the center box is %s to %s", FormatNumber(low), FormatNumber(high));
  }
  absl::StatusOr<Array> centers = Array::Zeros(kFloat64, {count, options.features});
  if (!centers.ok()) return centers;
  for (double& x : centers->mutable_data<double>()) x = random.Uniform(low, high);
  return centers;
}

// The number of samples of each center.
absl::StatusOr<std::vector<int64_t>> Shares(const PerCenter<int64_t>& samples, int64_t centers) {
  std::vector<int64_t> shares = samples.values;
  if (samples.same) {
    const int64_t total = samples.values[0];
    if (total < 1) return Error("%d samples; there must be at least 1", total);
    shares.assign(static_cast<size_t>(centers), total / centers);
    for (int64_t i = 0; i < total % centers; i++) shares[i]++;
  }
  if (static_cast<int64_t>(shares.size()) != centers) {
    return Error("samples for %d centers, but there are %d", shares.size(), centers);
  }
  int64_t total = 0;
  for (int64_t share : shares) {
    if (share < 0) return Error("%d samples of a center", share);
    if (share > std::numeric_limits<int64_t>::max() - total) return Error("too many samples");
    total += share;
  }
  if (total == 0) return Error("0 samples; there must be at least 1");
  return shares;
}

absl::StatusOr<std::vector<double>> Deviations(const PerCenter<double>& given, int64_t centers) {
  std::vector<double> deviations = given.values;
  if (given.same) deviations.assign(static_cast<size_t>(centers), given.values[0]);
  if (static_cast<int64_t>(deviations.size()) != centers) {
    return Error("standard deviations for %d centers, but there are %d", deviations.size(),
                 centers);
  }
  for (double x : deviations) {
    if (!std::isfinite(x) || x < 0) return Error("a standard deviation of %s", FormatNumber(x));
  }
  return deviations;
}

}  // namespace

absl::StatusOr<Dataset> Blobs(const BlobsOptions& options) {
  NumPyRandom random(options.seed);
  const absl::StatusOr<Array> centers = Centers(options, random);
  if (!centers.ok()) return centers.status();
  const int64_t count = centers->dims()[0], features = centers->dims()[1];
  const absl::StatusOr<std::vector<int64_t>> shares = Shares(options.samples, count);
  if (!shares.ok()) return shares.status();
  const absl::StatusOr<std::vector<double>> deviations = Deviations(options.cluster_std, count);
  if (!deviations.ok()) return deviations.status();
  if (count > std::numeric_limits<int32_t>::max())
    return Error("%d centers do not fit int32", count);

  int64_t samples = 0;
  for (int64_t share : *shares) samples += share;
  absl::StatusOr<Array> inputs = Array::Zeros(kFloat64, {samples, features});
  if (!inputs.ok()) return inputs.status();
  absl::StatusOr<Array> targets = Array::Zeros(kInt32, {samples});
  if (!targets.ok()) return targets.status();
  const absl::Span<const double> center = centers->data<double>();
  const absl::Span<double> x = inputs->mutable_data<double>();
  const absl::Span<int32_t> y = targets->mutable_data<int32_t>();
  int64_t row = 0;
  for (int64_t c = 0; c < count; c++) {
    for (int64_t i = 0; i < (*shares)[c]; i++, row++) {
      for (int64_t j = 0; j < features; j++) {
        x[row * features + j] = random.Normal(center[c * features + j], (*deviations)[c]);
      }
      y[row] = static_cast<int32_t>(c);
    }
  }
  Dataset ordered = {*std::move(inputs), *std::move(targets)};
  if (!options.shuffle) return ordered;
  return Take(ordered, random.Permutation(samples));
}

}  // namespace talweg
