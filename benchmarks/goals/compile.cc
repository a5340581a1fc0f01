// What compiling the tutorial's training costs: Fit() of it in a new process, from the call to the
// result, less the time of the training itself (its graph run again). In it are the plan, both
// graphs (the first parameters' and the fit's), passes, lowering, code generation and linking.
// Usage: compile blobs.csv
//
// Each measurement is a process of its own: the program starts itself with another argument. It is
// cold without an object cache, and warm with one that an earlier process has filled.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "benchmarks/common/calls.h"
#include "benchmarks/common/tutorial.h"

extern char** environ;

namespace {

using namespace talweg;  // NOLINT: a program, not a library

constexpr char kOnce[] = "--once";
constexpr int kProcesses = 5;

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// The child: prints the time of Fit less that of the training, and its parts. Graphs are made and
// run in what is left.
absl::Status CompileOnce(const std::string& path) {
  const absl::StatusOr<TrainTest> data = bench::ReadTutorial(path);
  if (!data.ok()) return data.status();
  double engine_ms = 0;
  const Engine jit = JitEngine();
  const Engine timed = [&](const Graph& graph) {
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<Executable> made = jit(graph);
    engine_ms += MillisecondsSince(start);
    return made;
  };
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<bench::Call> fit =
      bench::WholeFit(timed, bench::TutorialTraining(), *data);
  const double fit_ms = MillisecondsSince(start);
  if (!fit.ok()) return fit.status();
  const absl::StatusOr<double> training = bench::BestSeconds(*fit, 3);
  if (!training.ok()) return training.status();
  std::printf("ms %.3f engine_ms %.3f\n", fit_ms - *training * 1e3, engine_ms);
  return absl::OkStatus();
}

// What one child printed, with this folder as the cache ("off": none).
absl::StatusOr<std::map<std::string, double>> Child(const std::string& path,
                                                    const std::string& cache) {
  std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = absl::StrCat("TALWEG_CACHE_DIR='", cache, "' '", self, "' ", kOnce, " '", path, "'");
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return absl::InternalError("popen failed");
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text.push_back(static_cast<char>(c));
  if (pclose(pipe) != 0) return absl::InternalError("a process of its own failed");
  const std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  std::map<std::string, double> figures;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (!absl::SimpleAtod(words[i + 1], &figures[words[i]])) return absl::InternalError(text);
  }
  return figures;
}
}  // namespace
