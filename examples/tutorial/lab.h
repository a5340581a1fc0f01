#ifndef TALWEG_EXAMPLES_TUTORIAL_LAB_H_
#define TALWEG_EXAMPLES_TUTORIAL_LAB_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/tutorial/figures.h"
#include "examples/tutorial/options.h"
#include "examples/tutorial/progress.h"
#include "examples/tutorial/report.h"
#include "talweg.h"

namespace talweg::tutorial {

// Who watches the fits of one run.
struct Watch {
  // Called during each fit, one after the other.
  std::vector<Callback*> callbacks = {};
  // Called after each fit, before the next one starts: the moment to put away what a callback saw.
  std::function<void()> after = nullptr;
};

// Where the experiments are conducted: it fits what they describe, keeps what came out, and draws.
//
//   Training training = Baseline();
//   training.rule = Sgd({.momentum = 0.9});
//   absl::StatusOr<RunCurves> run = lab.Repeat("momentum", "momentum=0.9", training);
//
// Every run of one seed starts from the same parameters and sees the samples in the same order, so
// that whatever differs between two runs comes from what the experiment has changed.
class Lab {
 public:
  // Reads the data and, if there is one, the file of weights. Errors: a file that is none; an
  // engine that does not exist.
  static absl::StatusOr<Lab> Open(const Options& options, Progress& progress);

  // Fits the training once for each seed. The options' epochs, precision and first weights replace
  // the training's. Returns its curves: those of the one seed, or means with bands.
  absl::StatusOr<RunCurves> Repeat(std::string_view experiment, const std::string& title,
                                   Training training, const Watch& watch = {});

  // Draws OUT/`name`.png and .svg, if figures are wanted. What goes wrong is kept for later: a
  // missing gnuplot must not cost the numbers.
  void Draw(std::string_view name, const Figure& figure);

  // Everything fitted so far, in order.
  const std::vector<Trial>& trials() const { return trials_; }
  // The first thing that went wrong in drawing.
  const absl::Status& drawing() const { return drawing_; }

 private:
  Lab(const Options& options, Progress& progress) : options_(options), progress_(&progress) {}

  Options options_;
  Progress* progress_;
  Engine engine_;
  TrainTest data_;
  NamedArrays weights_;  // empty: each seed's own
  std::vector<Trial> trials_;
  absl::Status drawing_;
};

// "momentum=0.0": a setting and its value, as Python writes it.
std::string Titled(std::string_view name, double value);

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_LAB_H_
