#ifndef TALWEG_BENCHMARKS_COMMON_LARGE_H_
#define TALWEG_BENCHMARKS_COMMON_LARGE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "talweg.h"

namespace talweg::bench {

// A network that is large for one core: 784-2048-2048-10, ReLU, softmax and cross-entropy, float32.
// peers/jax_large.py and torch_large.py train the same one.
Training LargeTraining(const Rule& rule, int64_t batch);

// So many random samples of its kind: pixels from 0 to 1, ten classes, one-hot.
absl::StatusOr<Dataset> LargeSamples(int64_t samples);

// Multiplications and additions of an update's contractions: each layer's product, both of its
// derivatives, but for that of the inputs, which nobody asks for. What is done to each element
// (biases, ReLU, softmax, the rule) is not counted.
double LargeFlop(int64_t batch);

// Bytes that an update has to move to and from memory where no cache holds the parameters from one
// update to the next: each parameter, and each number that the rule keeps with it, read and written
// once.
double LargeBytes(int64_t numbers_kept);

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_COMMON_LARGE_H_
