#include "benchmarks/common/compile_cost.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "benchmarks/common/calls.h"

namespace talweg::bench {
namespace {

using Problem = absl::StatusOr<CompileProblem> (*)(const std::string& samples);

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// The executable, with the milliseconds of its runs added to `runs`.
Executable Timed(const Executable& executable, double& runs) {
  const auto run = [&runs, executable](absl::Span<const Array> inputs, const SymbolValues&,
                                       const RunOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<std::vector<Array>> outputs = executable.Call(inputs, options);
    runs += MillisecondsSince(start);
    return outputs;
  };
  return Executable(std::make_shared<const Graph>(executable.graph()), run);
}

// In a process of its own: prints the figures.
absl::Status CompileOnce(const CompileProblem& problem, const std::string& cache) {
  double engine = 0, runs = 0;
  const Engine jit = JitEngine({.cache = cache});
  const Engine timed = [&](const Graph& graph) -> absl::StatusOr<Executable> {
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<Executable> made = jit(graph);
    engine += MillisecondsSince(start);
    if (!made.ok()) return made;
    return Timed(*made, runs);
  };
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<Call> fit = WholeFit(timed, problem.training, problem.data);
  const double all = MillisecondsSince(start), without_runs = all - runs;
  if (!fit.ok()) return fit.status();
  const absl::StatusOr<double> training = BestSeconds(*fit, 3);
  if (!training.ok()) return training.status();
  std::printf("ms %.3f without_runs_ms %.3f engine_ms %.3f\n", all - *training * 1e3, without_runs,
              engine);
  return absl::OkStatus();
}

using Figures = std::map<std::string, double>;

// What CompileOnce prints in a new process.
absl::StatusOr<Figures> InNewProcess(const std::string& samples, const std::string& cache) {
  int ends[2];
  if (pipe(ends) != 0) return absl::ErrnoToStatus(errno, "pipe");
  const pid_t child = fork();
  if (child < 0) return absl::ErrnoToStatus(errno, "fork");
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    execl("/proc/self/exe", "compile", samples.c_str(), cache.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::FILE* const out = fdopen(ends[0], "r");
  std::string text;
  for (int c; (c = std::fgetc(out)) != EOF;) text.push_back(static_cast<char>(c));
  std::fclose(out);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) return absl::InternalError("a process that compiles failed");
  const std::vector<std::string> words =
      absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  Figures figures;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (!absl::SimpleAtod(words[i + 1], &figures[words[i]])) return absl::InternalError(text);
  }
  return figures;
}

// The best of several processes, printed with a prefix.
absl::Status Measure(const std::string& samples, const std::string& prefix,
                     const std::string& cache, int processes) {
  Figures best;
  for (int i = 0; i < processes; i++) {
    const absl::StatusOr<Figures> figures = InNewProcess(samples, cache);
    if (!figures.ok()) return figures.status();
    for (const auto& [key, value] : *figures) {
      const auto [place, is_new] = best.emplace(key, value);
      if (!is_new) place->second = std::min(place->second, value);
    }
  }
  for (const auto& [key, value] : best)
    std::printf("%s_%s %.3f\n", prefix.c_str(), key.c_str(), value);
  return absl::OkStatus();
}

absl::Status MeasureAll(const std::string& samples, int processes) {
  if (absl::Status s = Measure(samples, "cold", "off", processes); !s.ok()) return s;
  std::string folder = std::filesystem::temp_directory_path() / "talweg-compile-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return absl::ErrnoToStatus(errno, folder);
  const absl::Status status = Measure(samples, "warm", folder, processes);
  std::filesystem::remove_all(folder);
  return status;
}

}  // namespace

int CompileCostMain(int argc, char** argv, int processes, Problem problem) {
  if (argc != 2 && argc != 3) {
    std::cerr << "error: usage: " << argv[0] << " blobs.csv\n";
    return 1;
  }
  absl::Status status;
  if (argc == 2) {
    status = MeasureAll(argv[1], processes);
  } else {
    const absl::StatusOr<CompileProblem> made = problem(argv[1]);
    status = made.ok() ? CompileOnce(*made, argv[2]) : made.status();
  }
  return ExitCode(status);
}

}  // namespace talweg::bench
