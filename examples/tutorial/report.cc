#include "examples/tutorial/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace talweg::tutorial {
namespace {

// Neighbours in `trials` that belong to one run.
std::vector<absl::Span<const Trial>> ByRun(absl::Span<const Trial> trials) {
  std::vector<absl::Span<const Trial>> runs;
  size_t first = 0;
  for (size_t i = 1; i <= trials.size(); i++) {
    if (i < trials.size() && trials[i].experiment == trials[first].experiment &&
        trials[i].run == trials[first].run) {
      continue;
    }
    runs.push_back(trials.subspan(first, i - first));
    first = i;
  }
  return runs;
}

Average Last(absl::Span<const Trial> fits, std::string_view column) {
  std::vector<double> values;
  for (const Trial& fit : fits) values.push_back(fit.history.last(column));
  return AverageOf(values);
}

// "0.812", or "0.812 ± 0.004" with several fits.
std::string Shown(const Average& average, size_t fits) {
  if (fits < 2) return absl::StrFormat("%.3f", average.mean);
  return absl::StrFormat("%.3f ± %.3f", average.mean, average.error);
}

// Seconds of all of them.
double TimeOf(absl::Span<const Trial> fits) {
  double sum = 0;
  for (const Trial& fit : fits) sum += fit.seconds;
  return sum;
}

// A row of the history has seven numbers, eight commas and a line's end, whatever it is called.
constexpr int64_t kLeastRow = 16;

void AppendRows(std::string& csv, const Trial& trial) {
  std::string fit;
  AppendCsvField(fit, trial.experiment);
  fit += ',';
  AppendCsvField(fit, trial.run);
  absl::StrAppend(&fit, ",", trial.seed, ",");
  for (size_t epoch = 0; epoch < trial.history.epochs(); epoch++) {
    absl::StrAppend(&csv, fit, epoch + 1);
    for (const char* column : {"loss", "accuracy", "val_loss", "val_accuracy", "lr"}) {
      csv += ',';
      AppendNumber(csv, trial.history[column][epoch]);
    }
    csv += '\n';
  }
}

// Columns on screen: bytes of UTF-8 that do not continue a letter.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

Average AverageOf(absl::Span<const double> values) {
  const double n = static_cast<double>(values.size());
  Average average;
  for (const double value : values) average.mean += value / n;
  if (values.size() < 2) return average;
  double squares = 0;
  for (const double value : values) squares += (value - average.mean) * (value - average.mean);
  average.error = std::sqrt(squares / (n - 1) / n);
  return average;
}

double Percentile(std::vector<double> values, double fraction) {
  if (values.empty() ||
      std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); })) {
    return NAN;
  }
  std::sort(values.begin(), values.end());
  const double place = fraction * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  const double part = place - static_cast<double>(below);
  // Not low + part * (high - low): of two infinities that would be NaN.
  if (part == 0 || values[below] == values[above]) return values[below];
  return (1 - part) * values[below] + part * values[above];
}

Curve CurveOf(absl::Span<const std::vector<double>> fits, Middle middle) {
  Curve curve;
  if (fits.empty()) return curve;
  if (fits.size() == 1) return {.mean = fits[0]};
  size_t epochs = 0;
  for (const std::vector<double>& fit : fits) epochs = std::max(epochs, fit.size());
  for (size_t epoch = 0; epoch < epochs; epoch++) {
    std::vector<double> values;
    for (const std::vector<double>& fit : fits) {
      if (epoch < fit.size()) values.push_back(fit[epoch]);
    }
    curve.mean.push_back(middle == Middle::kMean ? AverageOf(values).mean
                                                 : Percentile(values, 0.5));
    curve.low.push_back(Percentile(values, 0.1));
    curve.high.push_back(Percentile(values, 0.9));
  }
  return curve;
}

RunCurves CurvesOf(absl::Span<const Trial> fits) {
  const auto curve = [&](std::string_view column) {
    std::vector<std::vector<double>> values;
    for (const Trial& fit : fits) {
      const absl::Span<const double> v = fit.history[column];
      values.emplace_back(v.begin(), v.end());
    }
    return CurveOf(values);
  };
  return {.title = fits.empty() ? "" : fits[0].run,
          .accuracy = curve("accuracy"),
          .val_accuracy = curve("val_accuracy"),
          .loss = curve("loss")};
}

absl::Status WriteHistoryCsv(const std::string& path, absl::Span<const Trial> trials) {
  // A piece for each fit, copied from where it was made: as one text that doubles as it grows they
  // would take up to three times the memory.
  std::vector<std::string> pieces;
  std::vector<std::string_view> views;
  int64_t least = 0;
  for (const Trial& trial : trials) {
    least += static_cast<int64_t>(trial.history.epochs()) * kLeastRow;
  }
  const bool is_there = WithMemoryFor(least, [&] {
    pieces.push_back("experiment,run,seed,epoch,loss,accuracy,val_loss,val_accuracy,lr\n");
    std::string piece;
    for (const Trial& trial : trials) {
      piece.clear();
      AppendRows(piece, trial);
      pieces.push_back(piece);
    }
    views.assign(pieces.begin(), pieces.end());
  });
  if (is_there) return WriteFile(path, views);
  return absl::ResourceExhaustedError(absl::StrCat("can not write ", Quoted(path, 4096),
                                                   ": no memory for the text of ", trials.size(),
                                                   " histories"));
}

std::string Line(absl::Span<const Trial> fits) {
  if (fits.empty()) return "";
  return absl::StrFormat("%s %s: train %s, test %s", fits[0].experiment, fits[0].run,
                         Shown(Last(fits, "accuracy"), fits.size()),
                         Shown(Last(fits, "val_accuracy"), fits.size()));
}

std::string Table(absl::Span<const Trial> trials, double seconds) {
  std::vector<std::vector<std::string>> rows = {
      {"experiment", "run", "train accuracy", "test accuracy", "time of a fit"}};
  for (const absl::Span<const Trial> fits : ByRun(trials)) {
    rows.push_back({fits[0].experiment, fits[0].run, Shown(Last(fits, "accuracy"), fits.size()),
                    Shown(Last(fits, "val_accuracy"), fits.size()),
                    absl::StrFormat("%.3f s", TimeOf(fits) / static_cast<double>(fits.size()))});
  }
  if (rows.size() == 1) return "";
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); i++) {
      const std::string padding(widths[i] - Width(row[i]), ' ');
      // Names to the left, numbers to the right.
      absl::StrAppend(&text, i == 0 ? "" : "  ", i < 2 ? row[i] : padding,
                      i < 2 ? padding : row[i]);
    }
    text += '\n';
  }
  absl::StrAppendFormat(&text, "%d fits in %.2f s\n", trials.size(), seconds);
  return text;
}

}  // namespace talweg::tutorial
