#ifndef TALWEG_BENCHMARKS_COMMON_CALLS_H_
#define TALWEG_BENCHMARKS_COMMON_CALLS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "talweg.h"

namespace talweg::bench {

// A compiled graph with its inputs: what can be run and timed again and again.
struct Call {
  Executable executable;
  std::vector<Array> inputs;

  absl::StatusOr<std::vector<Array>> Run() const { return executable.Call(inputs); }
};

// The best time of so many runs, in seconds.
absl::StatusOr<double> BestSeconds(const Call& call, int runs);

// The one call that Fit makes of a training: loops over epochs and batches, order of samples,
// updates, metrics, validation, history. `data.test` may be empty.
absl::StatusOr<Call> WholeFit(const Engine& engine, const Training& training,
                              const TrainTest& data);

// Updates alone, what plain_fit measures as update_us: one after the other in a single loop over
// full batches whose samples an index names that stays the same, with loss and metrics summed, at a
// rate of 0; nothing is shuffled, evaluated or kept as history. As in a fit, and as for plain_fit's
// function, the number of samples in a batch is known only at run time.
absl::StatusOr<Call> Updates(const Engine& engine, const Training& training, const Dataset& samples,
                             int64_t updates);

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_COMMON_CALLS_H_
