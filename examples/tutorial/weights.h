#ifndef TALWEG_EXAMPLES_TUTORIAL_WEIGHTS_H_
#define TALWEG_EXAMPLES_TUTORIAL_WEIGHTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "talweg.h"

namespace talweg::tutorial {

// Where a training is to start.
struct Weights {
  NamedArrays parameters;       // "hidden/kernel", ...
  std::optional<int64_t> seed;  // of the orders of samples, where the file knows it
};

// Reads the weights of a file: a run of Keras 2.3.1 (JSON, see tests/data/README.md), of which it
// takes the first weights; or a saved model (safetensors), whose metadata may hold a "seed".
// Errors, each one sentence with the path: a file that can not be read, or is neither; one without
// arrays; a seed that is no whole number of 32 bits.
absl::StatusOr<Weights> ReadWeights(const std::string& path);

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_WEIGHTS_H_
