#include "examples/tutorial/weights.h"

#include <limits>
#include <utility>

namespace talweg::tutorial {

absl::StatusOr<Weights> ReadWeights(const std::string& path) {
  absl::StatusOr<SavedArrays> saved = LoadArrays(path);
  if (!saved.ok()) return saved.status();
  Weights weights{.parameters = std::move(saved->arrays)};
  return weights;
}

}  // namespace talweg::tutorial
