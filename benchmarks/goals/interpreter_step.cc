// What step.cc measures, on the reference interpreter. Usage: interpreter_step blobs.csv

#include <cstdio>

#include "benchmarks/common/calls.h"
#include "benchmarks/common/tutorial.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

constexpr int64_t kUpdates = 800;

absl::Status Measure(const TrainTest& data) {
  const absl::StatusOr<bench::Call> updates =
      bench::Updates(Interpret, bench::TutorialTraining(), data.train, kUpdates);
  if (!updates.ok()) return updates.status();
  const absl::StatusOr<double> seconds = bench::BestSeconds(*updates, 5);
  if (!seconds.ok()) return seconds.status();
  std::printf("update_us %.3f\n", *seconds / kUpdates * 1e6);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::Main(argc, argv, Measure); }
