// What compiling the training of a large network costs (common/compile_cost.h): 784-2048-2048-10,
// momentum, batches of 128, two of them and as many samples to validate. Usage: large_compile
// blobs.csv (which is not read)

#include <string>

#include "benchmarks/common/compile_cost.h"
#include "benchmarks/common/large.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

absl::StatusOr<bench::CompileProblem> Large(const std::string&) {
  constexpr int64_t kBatch = 128;
  const absl::StatusOr<Dataset> samples = bench::LargeSamples(4 * kBatch);
  if (!samples.ok()) return samples.status();
  const absl::StatusOr<TrainTest> data = Split(*samples, 2 * kBatch);
  if (!data.ok()) return data.status();
  return bench::CompileProblem{bench::LargeTraining(Sgd({.momentum = 0.9}), kBatch), *data};
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::CompileCostMain(argc, argv, 3, Large); }
