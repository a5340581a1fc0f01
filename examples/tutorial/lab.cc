#include "examples/tutorial/lab.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "examples/tutorial/problem.h"
#include "examples/tutorial/weights.h"

namespace talweg::tutorial {

absl::StatusOr<Lab> Lab::Open(const Options& options, Progress& progress) {
  Lab lab(options, progress);
  lab.engine_ = DefaultEngine();
  if (!options.engine.empty()) {
    absl::StatusOr<Engine> engine = EngineByName(options.engine);
    if (!engine.ok()) return engine.status();
    lab.engine_ = *std::move(engine);
  }
  if (options.engine != "interpreter" && !options.cache.empty()) {
    lab.engine_ = JitEngine({.cache = options.cache});
  }
  absl::StatusOr<TrainTest> data = Samples();
  if (!data.ok()) return data.status();
  lab.data_ = *std::move(data);
  if (!options.weights.empty()) {
    absl::StatusOr<Weights> weights = ReadWeights(options.weights);
    if (!weights.ok()) return weights.status();
    lab.weights_ = std::move(weights->parameters);
    // A seed that was asked for goes before the one in the file.
    if (!options.seed_given && weights->seed) lab.options_.seed = *weights->seed;
  }
  return lab;
}

absl::StatusOr<RunCurves> Lab::Repeat(std::string_view experiment, const std::string& title,
                                      Training training, const Watch& watch) {
  training.epochs = options_.epochs;
  training.dtype = options_.precision;
  if (!weights_.empty()) training.shuffle = Shuffle::kNumPy;
  FitOptions fit{.parameters = weights_, .callbacks = watch.callbacks};
  // On a terminal the bar moves with each epoch; a callback never changes a bit of the result.
  if (progress_->moves()) fit.callbacks.push_back(progress_);

  const size_t first = trials_.size();
  for (int64_t i = 0; i < options_.seeds; i++) {
    training.seed = options_.seed + i;
    progress_->Start(title);
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<Fitted> fitted = Fit(engine_, training, data_.train, data_.test, fit);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    if (!fitted.ok()) {
      const absl::string_view message = fitted.status().message();
      return absl::Status(fitted.status().code(), absl::StrCat(title, ": ", message));
    }
    trials_.push_back({.experiment = std::string(experiment),
                       .run = title,
                       .seed = training.seed,
                       .history = std::move(fitted->history),
                       .seconds = time.count()});
    progress_->Finish();
    if (watch.after) watch.after();
  }
  const absl::Span<const Trial> mine = absl::MakeConstSpan(trials_).subspan(first);
  progress_->Say(Line(mine));
  return CurvesOf(mine);
}

void Lab::Draw(std::string_view name, const Figure& figure) {
  if (!options_.figures || !drawing_.ok()) return;
  drawing_ = talweg::Draw(figure, JoinPath(options_.out, name));
}

std::string Titled(std::string_view name, double value) {
  std::string text = absl::StrCat(AbslView(name), "=");
  AppendNumber(text, value);
  if (text.find_first_of(".en", name.size()) == std::string::npos) text += ".0";
  return text;
}

}  // namespace talweg::tutorial
