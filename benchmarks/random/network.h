#ifndef TALWEG_BENCHMARKS_RANDOM_NETWORK_H_
#define TALWEG_BENCHMARKS_RANDOM_NETWORK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "talweg.h"

namespace talweg::bench {

// A classifier drawn at random, and how long it is trained: what the compiler was not tuned for.
struct Network {
  std::vector<int>
      widths;         // 2 to 60 inputs, 1 to 3 hidden layers of 5 to 200 units, 2 to 12 classes
  bool tanh = false;  // else ReLU
  int batch = 33;     // odd, 9 to 65
  int epochs = 1;     // so that a fit takes plain C++ some ten milliseconds
};

// Both data sets have so many samples.
inline constexpr int kSamples = 500;

// Network `number` (1, 2, ...) of a seed.
Network Draw(uint64_t seed, int number);

// "24-150-33-5, tanh, batches of 37, 7 epochs"
std::string Describe(const Network& network);

// Its training: softmax, cross-entropy, SGD, accuracies.
Training TrainingOf(const Network& network);
// Samples without meaning.
TrainTest SamplesOf(const Network& network);

// The same fit as a program in plain C++, in the manner of baselines/plain_fit.cc: sizes are
// constants, loops run along the rows of the weights. It prints fit_s.
std::string PlainSource(const Network& network);

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_RANDOM_NETWORK_H_
