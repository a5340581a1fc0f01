// The tutorial from end to end: options, experiments in order, history.csv, a table.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/tutorial/experiments.h"
#include "examples/tutorial/lab.h"
#include "examples/tutorial/options.h"
#include "examples/tutorial/progress.h"
#include "examples/tutorial/report.h"
#include "talweg.h"

namespace talweg::tutorial {
namespace {

constexpr char kHistory[] = "history.csv";

bool Wanted(const Options& options, const Experiment& experiment) {
  return options.experiments.empty() ||
         std::find(options.experiments.begin(), options.experiments.end(), experiment.name) !=
             options.experiments.end();
}

absl::Status Conduct(const Options& options) {
  absl::StatusOr<Lab> lab = Lab::Open(options);
  if (!lab.ok()) return lab.status();
  for (const Experiment& experiment : kExperiments) {
    if (!Wanted(options, experiment)) continue;
    if (absl::Status s = experiment.conduct(*lab); !s.ok()) return s;
  }
  if (lab->fits() > kMostRuns) {
    return absl::InvalidArgumentError(absl::StrCat("--seeds=", options.seeds, " makes ",
                                                   lab->fits(), " fits; at most ", kMostRuns,
                                                   " are possible"));
  }
  std::vector<std::string> files = lab->files();
  files.push_back(kHistory);
  if (absl::Status s = PrepareFolder(options.out, files); !s.ok()) return s;
  if (options.engine != "interpreter") {
    const absl::Status cache = CacheStatus(options.cache);
    if (!cache.ok()) absl::FPrintF(stderr, "note: %s\n", cache.message());
  }
  Progress progress(stderr, isatty(STDERR_FILENO) != 0, static_cast<int64_t>(lab->fits()));
  const absl::Status status = lab->Run(progress);
  progress.Clear();
  if (!status.ok()) return status;

  // Before the file, so that the results are seen where it can not be written.
  absl::PrintF("%s", Table(lab->trials(), lab->seconds()));
  const std::string csv = JoinPath(options.out, kHistory);
  if (absl::Status s = WriteHistoryCsv(csv, lab->trials()); !s.ok()) return s;
  absl::PrintF("Numbers: %s\n", csv);
  // Only now: the numbers are worth having without the figures.
  if (!lab->drawing().ok()) {
    const absl::string_view message = lab->drawing().message();
    return absl::Status(lab->drawing().code(), absl::StrCat("figures are left out: ", message));
  }
  if (options.figures) absl::PrintF("Figures: %s\n", options.out);
  return absl::OkStatus();
}

absl::Status Main(const std::vector<std::string>& arguments) {
  const absl::StatusOr<Options> options = ParseOptions(arguments, UserFolder());
  if (!options.ok()) return options.status();
  if (options->help) {
    std::fputs(Usage().c_str(), stdout);
    return absl::OkStatus();
  }
  return Conduct(*options);
}

// A standard stream that our caller has closed is opened, so that no file of ours gets its number
// and then what was meant for it. Whatever is done with it still fails.
void ReserveStreams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

// Most of what was printed is written only now.
absl::Status FlushOutput() {
  const bool is_flushed = std::fflush(stdout) == 0;
  const int reason = errno;
  if (is_flushed && std::ferror(stdout) == 0) return absl::OkStatus();
  // The reason of a write that failed before is gone.
  return absl::DataLossError(absl::StrCat("can not write to the standard output",
                                          is_flushed ? "" : ": ",
                                          is_flushed ? "" : std::strerror(reason)));
}

}  // namespace
}  // namespace talweg::tutorial

int main(int argc, char** argv) {
  talweg::tutorial::ReserveStreams();
  absl::Status status = talweg::tutorial::Main({argv + 1, argv + argc});
  if (status.ok()) status = talweg::tutorial::FlushOutput();
  if (status.ok()) return 0;
  std::string message(status.message());
  std::replace(message.begin(), message.end(), '\n', ' ');  // one line, whatever a library said
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}
