#ifndef TALWEG_BENCHMARKS_COMMON_CALLS_H_
#define TALWEG_BENCHMARKS_COMMON_CALLS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "talweg.h"

namespace talweg::bench {

// A compiled graph with its inputs: what can be run and timed again and again.
struct Call {
  Executable executable;
  std::vector<Array> inputs;

  absl::StatusOr<std::vector<Array>> Run() const { return executable.Call(inputs); }
  // Another array for the input of this name. Error: there is none.
  absl::Status Set(const std::string& name, const Array& array);
};

// The best time of so many runs, in seconds.
absl::StatusOr<double> BestSeconds(const Call& call, int runs);

// The graph of one value, compiled, with random inputs: floats from 0.1 to 1.
absl::StatusOr<Call> CallOf(const Engine& engine, const std::function<Value(Tape&)>& value);

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

// The same where the number of updates, at most `most`, is an input, the int64 scalar "updates".
// What a call costs besides (copies of the parameters, mainly) is the same for any number, so that
// the difference of two calls is the time of updates alone.
absl::StatusOr<Call> UpdatesOfAnyNumber(const Engine& engine, const Training& training,
                                        const Dataset& samples, int64_t most);

// What a program's main() returns: 0, or 1 after a line on stderr that begins "error: ".
int ExitCode(const absl::Status& status);

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_COMMON_CALLS_H_
