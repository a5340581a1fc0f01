// An update of the tutorial's network alone, as plain_fit measures it: 3,200 in one call. Usage:
// step blobs.csv

#include <cstdio>

#include "benchmarks/common/calls.h"
#include "benchmarks/common/tutorial.h"
#include "jit/peak.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

// Multiplications and additions of an update's contractions: forward x w1 and h w2, backward both
// weights' gradients and that of h.
constexpr double kFlop = 2.0 * 32 * (2 * 50 + 50 * 3 + 50 * 3 + 50 * 3 + 2 * 50);

absl::Status Measure(const TrainTest& data) {
  const absl::StatusOr<bench::Call> updates =
      bench::Updates(JitEngine(), bench::TutorialTraining(), data.train, 3200);
  if (!updates.ok()) return updates.status();
  const absl::StatusOr<double> peak = MeasurePeak("native");
  if (!peak.ok()) return peak.status();
  const absl::StatusOr<double> seconds = bench::BestSeconds(*updates, 20);
  if (!seconds.ok()) return seconds.status();
  std::printf("fma_gflops %.3f\n", *peak);
  std::printf("update_us %.5f gflops %.3f\n", *seconds / 3200 * 1e6,
              kFlop * 3200 / *seconds * 1e-9);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::Main(argc, argv, Measure); }
