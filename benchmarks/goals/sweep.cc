// Sweeps of the tutorial's training on the JIT: over seeds on one thread and on two; over rates and
// over seeds with several models in one call against one by one, for 50 hidden units, 8, and none.
// Seconds a fit; the function is compiled before. Usage: sweep blobs.csv

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <utility>
#include <vector>

#include "benchmarks/common/tutorial.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

constexpr int kRounds = 5;

absl::StatusOr<double> SecondsAFit(const Engine& engine, const Training& training,
                                   const SweepAxis& axis, const TrainTest& data,
                                   const SweepOptions& options) {
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round <= kRounds; round++) {
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<SweepResult> sweep =
        Sweep(engine, training, {axis}, data.train, data.test, options);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    if (!sweep.ok()) return sweep.status();
    if (round > 0) best = std::min(best, time.count());  // the first one compiles
  }
  return best / static_cast<double>(axis.inputs[0].second.size());
}

// 0.01, 0.02, ...
SweepAxis Rates(int count) {
  std::vector<double> rates;
  for (int i = 1; i <= count; i++) rates.push_back(0.01 * i);
  return {"rate", std::move(rates)};
}

absl::Status Measure(const TrainTest& data) {
  const Engine engine = JitEngine();
  for (const int64_t units : {50, 8, 0}) {
    Training training = bench::TutorialTraining();
    training.model = [units](Scope& s, Value x) {
      const bool hidden = units > 0;
      return Dense(s, "output", hidden ? Relu(Dense(s, "hidden", x, units, HeUniform())) : x, 3);
    };
    for (const bool rates : {true, false}) {
      for (const int lanes : {1, 16}) {
        const absl::StatusOr<double> seconds = SecondsAFit(
            engine, training, rates ? Rates(16) : Seeds(16), data, {.threads = 1, .lanes = lanes});
        if (!seconds.ok()) return seconds.status();
        std::printf("%s_units_%d_lanes_%d_s %.7f\n", rates ? "rates" : "seeds",
                    static_cast<int>(units), lanes, *seconds);
      }
    }
  }
  for (const int threads : {1, 2}) {
    const absl::StatusOr<double> seconds = SecondsAFit(engine, bench::TutorialTraining(), Seeds(60),
                                                       data, {.threads = threads, .lanes = 1});
    if (!seconds.ok()) return seconds.status();
    std::printf("threads_%d_s %.7f\n", threads, *seconds);
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::Main(argc, argv, Measure); }
