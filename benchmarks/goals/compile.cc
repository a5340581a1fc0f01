// What compiling the tutorial's training costs: Fit() of it in a new process, from the call to the
// result, less the time of the training itself (the same executable run again). In it are the plan,
// the graphs of the first parameters and of the fit, their passes, lowering, code generation and
// linking. Usage: compile blobs.csv
//
// Each measurement is a process of its own: the program starts itself again. It is cold without an
// object cache, and warm with one that an earlier process has filled.

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "benchmarks/common/calls.h"
#include "benchmarks/common/tutorial.h"

namespace {

using namespace talweg;  // NOLINT: a program, not a library

constexpr int kProcesses = 8;

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// In a process of its own: prints the figures, in milliseconds. `engine` is the part of the whole
// that the engine took, from graphs to code in memory.
absl::Status CompileOnce(const std::string& samples, const std::string& cache) {
  const absl::StatusOr<TrainTest> data = bench::ReadTutorial(samples);
  if (!data.ok()) return data.status();
  double engine = 0;
  const Engine jit = JitEngine({.cache = cache});
  const Engine timed = [&](const Graph& graph) {
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<Executable> made = jit(graph);
    engine += MillisecondsSince(start);
    return made;
  };
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<bench::Call> fit = bench::WholeFit(timed, bench::TutorialTraining(), *data);
  const double all = MillisecondsSince(start);
  if (!fit.ok()) return fit.status();
  const absl::StatusOr<double> training = bench::BestSeconds(*fit, 3);
  if (!training.ok()) return training.status();
  std::printf("ms %.3f engine_ms %.3f\n", all - *training * 1e3, engine);
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
                     const std::string& cache) {
  Figures best;
  for (int i = 0; i < kProcesses; i++) {
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

absl::Status MeasureAll(const std::string& samples) {
  if (absl::Status status = Measure(samples, "cold", "off"); !status.ok()) return status;
  std::string folder = std::filesystem::temp_directory_path() / "talweg-compile-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return absl::ErrnoToStatus(errno, folder);
  const absl::Status status = Measure(samples, "warm", folder);
  std::filesystem::remove_all(folder);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::cerr << "error: usage: compile blobs.csv\n";
    return 1;
  }
  const absl::Status status = argc == 3 ? CompileOnce(argv[1], argv[2]) : MeasureAll(argv[1]);
  if (status.ok()) return 0;
  std::cerr << "error: " << status.message() << "\n";
  return 1;
}
