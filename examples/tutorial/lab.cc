#include "examples/tutorial/lab.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "examples/tutorial/problem.h"
#include "examples/tutorial/weights.h"

namespace talweg::tutorial {

namespace {

// Enough to tell of a fit that has ended; its history comes when all have, without a copy.
History LastRow(const History& history) {
  History last(history.columns());
  std::vector<double> row;
  for (const std::string& column : history.columns()) row.push_back(history.last(column));
  last.Append(row);
  return last;
}

}  // namespace

absl::StatusOr<Lab> Lab::Open(const Options& options) {
  Lab lab(options);
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
    if (!options.seed_given && weights->seed) {
      if (*weights->seed > kMaxSeed - (options.seeds - 1)) {
        return absl::InvalidArgumentError(absl::StrCat(
            options.weights, ": its seed is ", *weights->seed, ", and --seeds=", options.seeds,
            " asks for seeds from there on beyond ", kMaxSeed));
      }
      lab.options_.seed = *weights->seed;
    }
  }
  return lab;
}

size_t Lab::Repeat(std::string_view experiment, const std::string& title, Training training,
                   Watch watch) {
  training.epochs = options_.epochs;
  training.dtype = options_.precision;
  if (!weights_.empty()) training.shuffle = Shuffle::kNumPy;
  planned_.push_back({std::string(experiment), title, std::move(watch)});
  trainings_.push_back(std::move(training));
  return planned_.size() - 1;
}

void Lab::Draw(std::string_view name, std::function<Figure(const Lab& lab)> figure) {
  sketches_.push_back({std::string(name), std::move(figure)});
}

std::vector<std::string> Lab::files() const {
  std::vector<std::string> files;
  if (!options_.figures) return files;
  for (const Sketch& sketch : sketches_) {
    for (const char* kind : {".png", ".svg"}) files.push_back(sketch.name + kind);
  }
  return files;
}

absl::Status Lab::DrawNow(const Sketch& sketch) const {
  const std::string path = JoinPath(options_.out, sketch.name);
  absl::Status status;
  // The curves are copies of the histories, and gnuplot's script is longer than they.
  if (WithMemoryFor(0, [&] { status = talweg::Draw(sketch.figure(*this), path); })) return status;
  return absl::ResourceExhaustedError(absl::StrCat("no memory to draw ", Quoted(path, 4096)));
}

absl::Status Lab::Run(Progress& progress) {
  // One sweep of all trainings over the seeds: those that differ in numbers only, a rate or a
  // momentum, share a compiled function.
  std::vector<size_t> missing(planned_.size(), seeds());  // fits of each run
  trials_.resize(fits());
  size_t said = 0;
  SweepOptions options{.parameters = weights_};
  options.callbacks = [&](const SweepRun& run) -> std::vector<Callback*> {
    const Watch& watch = planned_[run.training].watch;
    Callback* const callback = watch ? watch(run.index % seeds()) : nullptr;
    return callback == nullptr ? std::vector<Callback*>() : std::vector<Callback*>{callback};
  };
  options.finished = [&](const SweepRun& run) {
    const Planned& planned = planned_[run.training];
    trials_[run.index] = {.experiment = planned.experiment,
                          .run = planned.title,
                          .seed = static_cast<int64_t>(run.values[0]),
                          .history = LastRow(run.history),
                          .seconds = run.seconds};
    progress.Finish(planned.title);
    missing[run.training]--;
    // Runs are told of in their order, whichever ended first.
    for (; said < missing.size() && missing[said] == 0; said++) {
      progress.Say((said + 1) * seeds(), Line(FitsOf(said)));
    }
  };
  for (const Planned& planned : planned_) options.titles.push_back(planned.title);
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<SweepResult> result =
      Sweep(engine_, trainings_, {Seeds(options_.seeds, options_.seed)}, data_.train, data_.test,
            options);
  if (!result.ok()) return result.status();
  for (SweepRun& run : result->runs) trials_[run.index].history = std::move(run.history);
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const Sketch& sketch : sketches_) {
    if (!options_.figures) break;
    const absl::Status status = DrawNow(sketch);
    if (status.ok()) continue;
    const std::string before = drawing_.ok() ? "" : absl::StrCat(drawing_.message(), "; ");
    drawing_ = absl::Status(status.code(), absl::StrCat(before, status.message()));
    // Without gnuplot, or the folder, there are no others either.
    if (absl::IsNotFound(status)) break;
  }
  return absl::OkStatus();
}

std::vector<RunCurves> Lab::Curves(const std::vector<size_t>& runs) const {
  std::vector<RunCurves> curves;
  for (const size_t run : runs) curves.push_back(Curves(run));
  return curves;
}

std::string Titled(std::string_view name, double value) {
  std::string text = absl::StrCat(AbslView(name), "=");
  AppendNumber(text, value);
  if (text.find_first_of(".en", name.size()) == std::string::npos) text += ".0";
  return text;
}

}  // namespace talweg::tutorial
