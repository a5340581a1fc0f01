// Updates of a large network, 784-2048-2048-10, batches of 512 with momentum, on one thread, two,
// four and eight. Usage: large_threads [--quick] blobs.csv (which is not read)
//
// An update is what is added by one more of them in the same call. The numbers of threads take
// turns, so that a machine that is busy for a while is so for all; the best of each counts.
// threads_1_s, threads_2_s ... are printed, and the same of a call of one update only, which moves
// all parameters in and out: call_threads_1_s ... Those that the machine has no cores for are
// absent.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <limits>
#include <string>

#include "base/parallel.h"
#include "benchmarks/common/calls.h"
#include "benchmarks/common/large.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr size_t kNumbers = 4;
constexpr int kThreads[kNumbers] = {1, 2, 4, 8};

absl::StatusOr<double> Seconds(const bench::Call& call, int threads) {
  const auto start = std::chrono::steady_clock::now();
  const auto ran = call.executable.Call(call.inputs, {.threads = threads});
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  if (!ran.ok()) return ran.status();
  return time.count();
}

absl::Status Measure(bool quick) {
  const int64_t batch = quick ? 64 : 512, updates = quick ? 8 : 4;
  const absl::StatusOr<Dataset> samples = bench::LargeSamples(batch);
  if (!samples.ok()) return samples.status();
  absl::StatusOr<bench::Call> call = bench::UpdatesOfAnyNumber(
      JitEngine(), bench::LargeTraining(Sgd({.momentum = 0.9}), batch), *samples, 1 + updates);
  if (!call.ok()) return call.status();
  const size_t numbers = quick ? 2 : kNumbers;
  std::array<double, kNumbers> one, many;
  one.fill(kNever);
  many.fill(kNever);
  // Beside other work one update may seem to take longer than several: then some more rounds.
  constexpr int kMostRounds = 50;
  const auto is_noise = [&] {
    for (size_t i = 0; i < numbers; i++) {
      if (many[i] != kNever && many[i] <= one[i]) return true;
    }
    return false;
  };
  for (int round = 0; round < (quick ? 3 : 8) || (round < kMostRounds && is_noise()); round++) {
    for (const int64_t count : {int64_t{1}, 1 + updates}) {
      if (absl::Status status = call->Set("updates", Array(count)); !status.ok()) return status;
      for (size_t i = 0; i < numbers; i++) {
        if (!quick && kThreads[i] > HardwareThreads()) continue;
        const absl::StatusOr<double> seconds = Seconds(*call, kThreads[i]);
        if (!seconds.ok()) return seconds.status();
        double& best = (count == 1 ? one : many)[i];
        best = std::min(best, *seconds);
      }
    }
  }
  for (size_t i = 0; i < kNumbers; i++) {
    const int threads = kThreads[i];
    if (many[i] == kNever) {
      std::printf("absent threads_%d_s the machine lends %d\n", threads, HardwareThreads());
      continue;
    }
    std::printf("threads_%d_s %.7f call_threads_%d_s %.7f\n", threads,
                (many[i] - one[i]) / static_cast<double>(updates), threads, one[i]);
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string(argv[1]) == "--quick";
  return talweg::bench::ExitCode(Measure(quick));
}
