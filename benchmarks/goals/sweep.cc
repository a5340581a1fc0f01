// Sweeps of the tutorial's training over seeds on the JIT: on one thread and on two, and with
// several models in one call against one by one, for 50 hidden units, 8, and none. Seconds a fit;
// the function is compiled before. Usage: sweep blobs.csv

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>

#include "benchmarks/common/tutorial.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

constexpr int kRounds = 5;

absl::StatusOr<double> SecondsAFit(const Engine& engine, const Training& training,
                                   const TrainTest& data, int64_t fits,
                                   const SweepOptions& options) {
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round <= kRounds; round++) {
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<SweepResult> sweep =
        Sweep(engine, training, {Seeds(fits)}, data.train, data.test, options);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    if (!sweep.ok()) return sweep.status();
    if (round > 0) best = std::min(best, time.count());  // the first one compiles
  }
  return best / static_cast<double>(fits);
}

absl::Status Measure(const TrainTest& data) {
  const Engine engine = JitEngine();
  for (const int64_t units : {50, 8, 0}) {
    Training training = bench::TutorialTraining();
    training.model = [units](Scope& s, Value x) {
      const bool hidden = units > 0;
      return Dense(s, "output", hidden ? Relu(Dense(s, "hidden", x, units, HeUniform())) : x, 3);
    };
    for (const int64_t lanes : {1, 16}) {
      const absl::StatusOr<double> seconds =
          SecondsAFit(engine, training, data, 16, {.threads = 1, .lanes = lanes});
      if (!seconds.ok()) return seconds.status();
      std::printf("units_%d_lanes_%d_s %.7f\n", static_cast<int>(units), static_cast<int>(lanes),
                  *seconds);
    }
  }
  for (const int threads : {1, 2}) {
    const absl::StatusOr<double> seconds =
        SecondsAFit(engine, bench::TutorialTraining(), data, 60, {.threads = threads, .lanes = 1});
    if (!seconds.ok()) return seconds.status();
    std::printf("threads_%d_s %.7f\n", threads, *seconds);
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::Main(argc, argv, Measure); }
