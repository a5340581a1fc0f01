#ifndef TALWEG_TRAIN_NUMPY_ORDERS_H_
#define TALWEG_TRAIN_NUMPY_ORDERS_H_

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "base/random.h"

namespace talweg {

// The orders in which Fit visits the samples with NumPy's shuffles, epoch after epoch (private to
// train/). Keras shuffles one array in place before each epoch, so that permutations accumulate.
class NumPyOrders {
 public:
  NumPyOrders(int64_t seed, int64_t samples)
      : random_(static_cast<uint32_t>(seed)), order_(static_cast<size_t>(samples)) {
    std::iota(order_.begin(), order_.end(), 0);
  }

  // The next epoch's order, until the one after it is asked for.
  absl::Span<const int32_t> Next() {
    random_.Shuffle(absl::MakeSpan(order_));
    return order_;
  }

  // Those of the next epochs, int32 [epochs, samples].
  absl::StatusOr<Array> Next(int64_t epochs) {
    const auto samples = static_cast<int64_t>(order_.size());
    absl::StatusOr<Array> orders = Array::Zeros(kInt32, {epochs, samples});
    if (!orders.ok()) return orders;
    const absl::Span<int32_t> all = orders->mutable_data<int32_t>();
    for (int64_t epoch = 0; epoch < epochs; epoch++) {
      std::ranges::copy(Next(), all.begin() + epoch * samples);
    }
    return orders;
  }

  // So many epochs' orders go into one call: as many as fit into 64 MB, and one.
  static int64_t EpochsAtATime(int64_t samples, int64_t epochs) {
    constexpr int64_t kMost = int64_t{1} << 24;
    return std::clamp<int64_t>(kMost / std::max<int64_t>(samples, 1), 1,
                               std::max<int64_t>(epochs, 1));
  }

 private:
  NumPyRandom random_;
  std::vector<int32_t> order_;
};

}  // namespace talweg

#endif  // TALWEG_TRAIN_NUMPY_ORDERS_H_
