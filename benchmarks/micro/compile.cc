// Compiling the tutorial's training in a process that has compiled before: each stage, and all of
// them without an object cache and with one that has the code.

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "benchmarks/common/tutorial.h"
#include "jit/llvm/engine.h"
#include "jit/llvm/host.h"
#include "jit/loops/lower.h"
#include "jit/passes/pipeline.h"
#include "talweg.h"
#include "train/fit_graph.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

absl::StatusOr<Graph> TutorialGraph() {
  const Training training = bench::TutorialTraining();
  const DataTypes types = {{kFloat32, {2}}, {kFloat32, {3}}};
  const absl::StatusOr<TrainingPlan> plan = PlanTraining(training, types, true);
  if (!plan.ok()) return plan.status();
  return FitGraph(training, *plan, types, 500, 500);
}

void Register(const std::string& name, const std::function<absl::Status()>& stage) {
  const auto run = [stage](benchmark::State& state) {
    absl::Status status;
    while (status.ok() && state.KeepRunning()) status = stage();
    if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
  };
  benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMillisecond);
}

absl::Status RunAll() {
  const absl::StatusOr<Graph> graph = TutorialGraph();
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<native::Target> target = native::DetectTarget();
  if (!target.ok()) return target.status();
  const absl::StatusOr<Graph> simplified = passes::RunPasses(*graph);
  if (!simplified.ok()) return simplified.status();
  const absl::StatusOr<loops::Program> program = loops::Lower(*simplified, target->machine);
  if (!program.ok()) return program.status();
  const native::CompileOptions options{.target = *target, .name = "tutorial"};
  const absl::StatusOr<std::string> object = native::EmitObject(*program, options);
  if (!object.ok()) return object.status();

  Register("stage/graph", [] { return TutorialGraph().status(); });
  Register("stage/passes", [&] { return passes::RunPasses(*graph).status(); });
  Register("stage/lower", [&] { return loops::Lower(*simplified, target->machine).status(); });
  Register("stage/emit", [&] { return native::EmitObject(*program, options).status(); });
  Register("stage/link", [&] { return native::Link(*object, options).status(); });
  for (const int level : {0, 1, 2, 3}) {
    Register(absl::StrCat("cold/level_", level),
             [&, level] { return Jit(*graph, {.level = level, .cache = "off"}).status(); });
  }
  std::string folder = std::filesystem::temp_directory_path() / "talweg-compile-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return absl::ErrnoToStatus(errno, folder);
  Register("warm", [&] { return Jit(*graph, {.cache = folder}).status(); });
  benchmark::RunSpecifiedBenchmarks();
  std::filesystem::remove_all(folder);
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const absl::Status status = RunAll();
  if (status.ok()) return 0;
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return 1;
}
