// A fit of a network that a seed draws, on the JIT. Usage:
//
//   random_network SEED NUMBER --fit ...    prints fit_s; on stderr what network it is
//   random_network SEED NUMBER --plain      prints a C++ program that does the same in plain loops

#include <cstdio>
#include <iostream>
#include <string_view>

#include "absl/strings/numbers.h"
#include "benchmarks/common/calls.h"
#include "benchmarks/random/network.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

absl::Status Measure(const bench::Network& network) {
  const absl::StatusOr<bench::Call> fit =
      bench::WholeFit(JitEngine(), bench::TrainingOf(network), bench::SamplesOf(network));
  if (!fit.ok()) return fit.status();
  const absl::StatusOr<double> seconds = bench::BestSeconds(*fit, 10);
  if (!seconds.ok()) return seconds.status();
  std::printf("fit_s %.7f\n", *seconds);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed;
  int number;
  const std::string_view what = argc > 3 ? argv[3] : "";
  if ((what != "--fit" && what != "--plain") || !absl::SimpleAtoi(argv[1], &seed) ||
      !absl::SimpleAtoi(argv[2], &number)) {
    std::cerr << "error: usage: random_network SEED NUMBER --fit|--plain\n";
    return 1;
  }
  const talweg::bench::Network network = talweg::bench::Draw(seed, number);
  if (what == "--plain") {
    std::cout << talweg::bench::PlainSource(network);
    return 0;
  }
  std::cerr << "network " << number << " of seed " << seed << ": "
            << talweg::bench::Describe(network) << "\n";
  return talweg::bench::ExitCode(Measure(network));
}
