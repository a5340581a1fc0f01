// An update of the tutorial's network alone, as step.cc measures it, with each optimizer. Usage:
// optimizers blobs.csv

#include <cstdio>

#include "benchmarks/common/calls.h"
#include "benchmarks/common/tutorial.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

absl::Status Measure(const TrainTest& data) {
  for (const auto& [name, rule] : bench::TutorialRules()) {
    const absl::StatusOr<bench::Call> updates =
        bench::Updates(JitEngine(), bench::TutorialTraining(rule), data.train, 3200);
    if (!updates.ok()) return updates.status();
    const absl::StatusOr<double> seconds = bench::BestSeconds(*updates, 10);
    if (!seconds.ok()) return seconds.status();
    std::printf("%s_us %.5f\n", name.c_str(), *seconds / 3200 * 1e6);
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::Main(argc, argv, Measure); }
