// What compiling the tutorial's training costs (common/compile_cost.h). Usage: compile blobs.csv

#include <string>

#include "benchmarks/common/compile_cost.h"
#include "benchmarks/common/tutorial.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

absl::StatusOr<bench::CompileProblem> Tutorial(const std::string& samples) {
  const absl::StatusOr<TrainTest> data = bench::ReadTutorial(samples);
  if (!data.ok()) return data.status();
  return bench::CompileProblem{bench::TutorialTraining(), *data};
}

}  // namespace

int main(int argc, char** argv) { return talweg::bench::CompileCostMain(argc, argv, 8, Tutorial); }
