// Updates of a large network, 784-2048-2048-10, on one thread: SGD, momentum and Adam, batches from
// 32 to 1024. Usage: large [--quick] blobs.csv (which is not read)
//
// An update is what is added by one more of them in the same call: forward, backward, the rule and
// the sum of the losses. For each rule and batch RULE_BATCH_s and RULE_BATCH_gflops are printed,
// and RULE_BATCH_roofline_s: the least that an update can take, the larger of its operations at the
// measured peak and its bytes at the measured bandwidth (common/large.h says what is counted).

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "benchmarks/common/bandwidth.h"
#include "benchmarks/common/calls.h"
#include "benchmarks/common/large.h"
#include "jit/peak.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

struct NamedRule {
  const char* name;
  Rule rule;
  int64_t numbers_kept;  // with each parameter
};

// Updates that are enough to be timed.
int64_t UpdatesToTime(int64_t batch) {
  constexpr double kFlop = 40e9;
  return std::max(int64_t{2}, static_cast<int64_t>(kFlop / bench::LargeFlop(batch)));
}

absl::StatusOr<double> SecondsAnUpdate(const Rule& rule, int64_t batch, int64_t updates,
                                       int rounds) {
  const absl::StatusOr<Dataset> samples = bench::LargeSamples(std::max(int64_t{512}, batch));
  if (!samples.ok()) return samples.status();
  absl::StatusOr<bench::Call> call = bench::UpdatesOfAnyNumber(
      JitEngine(), bench::LargeTraining(rule, batch), *samples, 1 + updates);
  if (!call.ok()) return call.status();
  constexpr double kNever = std::numeric_limits<double>::infinity();
  double one = kNever, many = kNever;
  // Beside other work one update may seem to take longer than several: then some more rounds.
  constexpr int kMostRounds = 50;
  for (int round = 0; round < rounds || (many <= one && round < kMostRounds); round++) {
    for (const int64_t count : {int64_t{1}, 1 + updates}) {
      if (absl::Status status = call->Set("updates", Array(count)); !status.ok()) return status;
      const absl::StatusOr<double> seconds = bench::BestSeconds(*call, count == 1 ? 2 : 1);
      if (!seconds.ok()) return seconds.status();
      double& best = count == 1 ? one : many;
      best = std::min(best, *seconds);
    }
  }
  return (many - one) / static_cast<double>(updates);
}

absl::Status MeasureAll(bool quick) {
  const absl::StatusOr<double> peak = MeasurePeak("native");
  if (!peak.ok()) return peak.status();
  const absl::StatusOr<double> bandwidth = bench::MeasureBandwidth();
  if (!bandwidth.ok()) return bandwidth.status();
  std::printf("fma_gflops %.3f gigabytes_a_second %.3f\n", *peak, *bandwidth * 1e-9);
  const NamedRule rules[] = {
      {"sgd", Sgd(), 0}, {"momentum", Sgd({.momentum = 0.9}), 1}, {"adam", Adam(), 2}};
  for (const NamedRule& rule : rules) {
    for (const int64_t batch : {32, 64, 128, 256, 512, 1024}) {
      if (quick && batch > 32) continue;
      // More for those of the goals: the peak is the best of many short runs, too.
      const int rounds = !quick && (batch == 128 || batch == 512) ? 5 : 2;
      const absl::StatusOr<double> seconds =
          SecondsAnUpdate(rule.rule, batch, quick ? 2 : UpdatesToTime(batch), rounds);
      if (!seconds.ok()) return seconds.status();
      const double flop = bench::LargeFlop(batch);
      const double roofline =
          std::max(flop / (*peak * 1e9), bench::LargeBytes(rule.numbers_kept) / *bandwidth);
      const std::string key = absl::StrCat(rule.name, "_", batch);
      std::printf("%s_s %.7f %s_gflops %.3f %s_roofline_s %.7f\n", key.c_str(), *seconds,
                  key.c_str(), flop / *seconds * 1e-9, key.c_str(), roofline);
    }
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string(argv[1]) == "--quick";
  return talweg::bench::ExitCode(MeasureAll(quick));
}
