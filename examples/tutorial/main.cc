// The tutorial from end to end: options, experiments in order, history.csv, a table.

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
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

bool Wanted(const Options& options, const Experiment& experiment) {
  return options.experiments.empty() ||
         std::find(options.experiments.begin(), options.experiments.end(), experiment.name) !=
             options.experiments.end();
}

absl::Status Conduct(const Options& options) {
  int64_t fits = 0;
  for (const Experiment& experiment : kExperiments) {
    if (Wanted(options, experiment)) fits += experiment.runs * options.seeds;
  }
  if (fits > static_cast<int64_t>(kMostRuns)) {
    return absl::InvalidArgumentError(absl::StrCat("--seeds=", options.seeds, " makes ", fits,
                                                   " fits; at most ", kMostRuns, " are possible"));
  }
  if (absl::Status s = PrepareFolder(options.out); !s.ok()) return s;
  if (options.engine != "interpreter") {
    const absl::Status cache = CacheStatus(options.cache);
    if (!cache.ok()) absl::FPrintF(stderr, "note: %s\n", cache.message());
  }
  Progress progress(stderr, isatty(STDERR_FILENO) != 0, fits);
  absl::StatusOr<Lab> lab = Lab::Open(options, progress);
  if (!lab.ok()) return lab.status();

  for (const Experiment& experiment : kExperiments) {
    if (!Wanted(options, experiment)) continue;
    if (absl::Status s = experiment.conduct(*lab); !s.ok()) return s;
  }
  const absl::Status status = lab->Run();
  progress.Clear();
  if (!status.ok()) return status;

  const std::string csv = JoinPath(options.out, "history.csv");
  if (absl::Status s = WriteFile(csv, std::string_view(HistoryCsv(lab->trials()))); !s.ok()) {
    return s;
  }
  absl::PrintF("%sNumbers: %s\n", Table(lab->trials(), lab->seconds()), csv);
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

}  // namespace
}  // namespace talweg::tutorial

int main(int argc, char** argv) {
  const absl::Status status = talweg::tutorial::Main({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::string message(status.message());
  std::replace(message.begin(), message.end(), '\n', ' ');  // one line, whatever a library said
  std::fprintf(stderr, "error: %s\n", message.c_str());
  return 1;
}
