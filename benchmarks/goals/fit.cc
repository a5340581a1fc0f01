// A whole fit of the tutorial on the JIT: 200 epochs of 16 updates, samples shuffled in the graph
// from the seed, accuracies, 500 samples validated after each epoch. Compiling is left out: the one
// call of the executable is timed. Usage: fit blobs.csv

#include <cstdio>

#include "benchmarks/common/calls.h"
#include "benchmarks/common/tutorial.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

absl::Status Measure(const TrainTest& data) {
  const absl::StatusOr<bench::Call> fit =
      bench::WholeFit(JitEngine(), bench::TutorialTraining(), data);
  if (!fit.ok()) return fit.status();
  const absl::StatusOr<double> seconds = bench::BestSeconds(*fit, 20);
  if (!seconds.ok()) return seconds.status();
  std::printf("fit_s %.7f fit_us_per_update %.4f\n", *seconds, *seconds / 3200 * 1e6);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::Main(argc, argv, Measure); }
