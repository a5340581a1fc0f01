#include "train/sweep.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "data/csv.h"
#include "optim/monitor.h"

namespace talweg {

SweepAxis Seeds(int64_t count, int64_t first) {
  // More than a sweep has runs is an error there.
  const int64_t most = static_cast<int64_t>(kMostRuns) + 1;
  std::vector<double> seeds(static_cast<size_t>(std::clamp<int64_t>(count, 0, most)));
  std::iota(seeds.begin(), seeds.end(), static_cast<double>(first));
  return SweepAxis("seed", std::move(seeds));
}

absl::StatusOr<size_t> SweepResult::best(std::string_view column, std::string_view mode,
                                         SweepValue value) const {
  const absl::StatusOr<bool> greatest = GreaterIsBetter(mode, column);
  if (!greatest.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("sweep: ", greatest.status().message()));
  }
  const SweepRun* best = nullptr;
  double best_value = 0;
  bool known = false;
  for (const SweepRun& run : runs) {
    known = known || run.history.has(column);
    absl::Span<const double> values = run.history[column];
    if (value == SweepValue::kLast && !values.empty()) values = values.last(1);
    for (const double x : values) {
      if (std::isnan(x)) continue;
      if (best != nullptr && !(*greatest ? x > best_value : x < best_value)) continue;
      best = &run;
      best_value = x;
    }
  }
  if (!known) {
    return absl::NotFoundError(absl::StrCat(
        "sweep: the histories have no column '", AbslView(column), "'",
        runs.empty()
            ? ""
            : absl::StrCat("; they have ", absl::StrJoin(runs[0].history.columns(), ", "))));
  }
  if (best == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("sweep: no run has a number for '", AbslView(column), "'"));
  }
  return best->index;
}

std::string SweepResult::ToCsv() const {
  const bool several =
      std::any_of(runs.begin(), runs.end(), [](const SweepRun& run) { return run.training > 0; });
  std::vector<std::string> columns;
  for (const SweepRun& run : runs) {
    for (const std::string& column : run.history.columns()) {
      if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
        columns.push_back(column);
      }
    }
  }
  std::string text = several ? "run,training" : "run";
  const auto append = [&text](std::string_view field) {
    text += ',';
    AppendCsvField(text, field);
  };
  for (const std::string& input : inputs) {
    // A number of the user's own may be called as what a run measures.
    const bool is_taken = input == "run" || input == "training" || input == "end" ||
                          absl::c_linear_search(columns, input);
    append(is_taken ? absl::StrCat("input/", input) : input);
  }
  // How many epochs ran, which is not how many an axis asked for.
  const bool is_input = std::find(inputs.begin(), inputs.end(), "epochs") != inputs.end();
  text += is_input ? ",epochs_run,end" : ",epochs,end";
  for (const std::string& column : columns) append(column);
  text += '\n';
  for (const SweepRun& run : runs) {
    absl::StrAppend(&text, run.index);
    if (several) {
      append(run.training < titles.size() ? titles[run.training] : absl::StrCat(run.training));
    }
    for (const double value : run.values) {
      text += ',';
      AppendNumber(text, value);
    }
    absl::StrAppend(&text, ",", run.epochs, ",", AbslView(Name(run.end)));
    for (const std::string& column : columns) {
      text += ',';
      AppendNumber(text, run.history.last(column));
    }
    text += '\n';
  }
  return text;
}

}  // namespace talweg
