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

// Who watches a run: the callback of its fit with the i-th seed, from 0, or null. Fits go on at the
// same time, so that each has its own; they are asked for by one thread at a time.
using Watch = std::function<Callback*(size_t i)>;

// Where the experiments are conducted: they say what is to be fitted and drawn, and then Run fits
// all of it, on all cores, and draws.
//
//   Training training = Baseline();
//   training.rule = Sgd({.momentum = 0.9});
//   const size_t run = lab.Repeat("momentum", "momentum=0.9", training);
//   lab.Draw("3_momentum", [=](const Lab& lab) { return AccuracyFigure({lab.Curves(run)}); });
//   ...
//   absl::Status status = lab.Run(progress);
//
// Every run of one seed starts from the same parameters and sees the samples in the same order, so
// that whatever differs between two runs comes from what the experiment has changed.
class Lab {
 public:
  // Reads the data and, if there is one, the file of weights. Errors: a file that is none, or whose
  // seed is too large for so many seeds; an engine that does not exist.
  static absl::StatusOr<Lab> Open(const Options& options);

  // Notes a training that is to be fitted once for each seed, and returns its number. The options'
  // epochs, precision and first weights replace the training's.
  size_t Repeat(std::string_view experiment, const std::string& title, Training training,
                Watch watch = nullptr);
  size_t seeds() const { return static_cast<size_t>(options_.seeds); }
  // How many fits have been noted.
  size_t fits() const { return planned_.size() * seeds(); }

  // Notes a figure, OUT/`name`.png and .svg, which is drawn if figures are wanted.
  void Draw(std::string_view name, std::function<Figure(const Lab& lab)> figure);
  // The names of the files that will be drawn.
  std::vector<std::string> files() const;

  // Fits everything, then draws everything. What goes wrong in drawing is kept for later: a missing
  // gnuplot must not cost the numbers, nor one figure the others.
  absl::Status Run(Progress& progress);

  // After Run: the curves of a run, those of the one seed, or means with bands. They are without
  // rates, of which a median tells more (patience.cc).
  RunCurves Curves(size_t run) const { return CurvesOf(FitsOf(run)); }
  std::vector<RunCurves> Curves(const std::vector<size_t>& runs) const;
  // All fits, run by run.
  const std::vector<Trial>& trials() const { return trials_; }
  // How long all of them took together.
  double seconds() const { return seconds_; }
  // All that went wrong in drawing, in one sentence.
  const absl::Status& drawing() const { return drawing_; }

 private:
  explicit Lab(const Options& options) : options_(options) {}

  Options options_;
  Engine engine_;
  TrainTest data_;
  NamedArrays weights_;  // empty: each seed's own
  absl::Span<const Trial> FitsOf(size_t run) const {
    return absl::MakeConstSpan(trials_).subspan(run * seeds(), seeds());
  }

  // What was noted.
  struct Planned {
    std::string experiment, title;
    Watch watch;
  };
  struct Sketch {
    std::string name;
    std::function<Figure(const Lab& lab)> figure;
  };
  absl::Status DrawNow(const Sketch& sketch) const;

  std::vector<Planned> planned_;
  std::vector<Training> trainings_;
  std::vector<Sketch> sketches_;

  std::vector<Trial> trials_;
  double seconds_ = 0;
  absl::Status drawing_;
};

// "momentum=0.0": a setting and its value, as Python writes it.
std::string Titled(std::string_view name, double value);

}  // namespace talweg::tutorial

#endif  // TALWEG_EXAMPLES_TUTORIAL_LAB_H_
