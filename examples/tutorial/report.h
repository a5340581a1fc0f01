#ifndef TALWEG_EXAMPLES_TUTORIAL_REPORT_H_
#define TALWEG_EXAMPLES_TUTORIAL_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "examples/tutorial/figures.h"
#include "talweg.h"

namespace talweg::tutorial {

// One fit and what it measured.
struct Trial {
  std::string experiment;
  std::string run;  // the title of its panel
  int64_t seed = 0;
  History history;
  double seconds = 0;
};

// Mean and, of two numbers or more, the mean's standard error: s / sqrt(n), where s^2 divides by
// n - 1.
struct Average {
  double mean = 0;
  double error = 0;
};
Average AverageOf(absl::Span<const double> values);

// The number below which `fraction` of the values lie, linear between neighbours (NumPy's default).
double Percentile(std::vector<double> values, double fraction);

// The same quantity in several fits, epoch by epoch: the mean, and the band from the 10th to the
// 90th percentile. One fit has no band. Fits that ended early are left out after their end.
//
// The median takes the mean's place for a quantity whose values lie decades apart: the mean of
// rates from 0.01 to 1e-97 says how many are at 0.01, and nothing of the others.
enum class Middle : uint8_t { kMean, kMedian };
Curve CurveOf(absl::Span<const std::vector<double>> fits, Middle middle = Middle::kMean);

// The curves of one run's fits, without RunCurves::rate.
RunCurves CurvesOf(absl::Span<const Trial> fits);

// Writes the file that other programs read: a line an epoch of each fit, accuracies from 0 to 1.
//
//   experiment,run,seed,epoch,loss,accuracy,val_loss,val_accuracy,lr
//
// Errors: those of WriteFile; no memory for the text.
absl::Status WriteHistoryCsv(const std::string& path, absl::Span<const Trial> trials);

// One run, whose fits these are, in a sentence: accuracies after the last epoch.
std::string Line(absl::Span<const Trial> fits);

// The final accuracies of each run and the time of a fit, for people. With several seeds means and
// standard errors. `seconds` is how long all of them took; they may have run at the same time.
std::string Table(absl::Span<const Trial> trials, double seconds);

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_REPORT_H_
