#include "train/sweep_run.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/text.h"
#include "train/numpy_orders.h"

namespace talweg {
namespace {

// Bytes of a run's row besides its numbers.
constexpr int64_t kRowBytes = 512;

// A sweep while it is prepared and run.
class Sweeper {
 public:
  Sweeper(const Engine& engine, const std::vector<Training>& trainings, const SweepOptions& options)
      : engine_(engine), trainings_(trainings), options_(options) {}

  absl::Status Prepare(const std::vector<SweepAxis>& axes, const Dataset& train,
                       const Dataset& validation);
  absl::Status PrepareTraining(size_t t, const std::vector<SweepAxis>& axes, const Dataset& train,
                               const Dataset& validation);
  absl::StatusOr<SweepResult> Run();

 private:
  // The function of an equal graph, or a new one.
  SweepFunction* Share(Graph graph);
  absl::Status Titled(size_t training, const absl::Status& status) const;
  absl::Status OfRuns(absl::Span<const size_t> runs, const absl::Status& status) const;
  absl::StatusOr<std::shared_ptr<const CompiledPieces>> PiecesOf(size_t training);
  absl::Status ChooseSizes();
  int64_t Need(int64_t threads) const;
  absl::Status Compile(SweepFunction& function) const;
  absl::Status RunAlone(const SweepGroup& group, size_t run, std::vector<Callback*> callbacks);
  absl::Status RunTogether(const SweepGroup& group, absl::Span<const size_t> runs);
  void Finish(SweepRun& run);

  const Engine& engine_;
  const std::vector<Training>& trainings_;
  const SweepOptions& options_;
  std::vector<FitKit> kits_;  // of each training
  std::vector<std::unique_ptr<SweepFunction>> functions_;
  std::vector<SweepGroup> groups_;
  std::vector<SweepSetting> settings_;  // of each run
  SweepResult result_;
  int threads_ = 1, threads_of_run_ = 1;
  std::mutex caller_;  // held while the caller's functions run
  // Of each training whose batches are watched; made by the first run that needs them.
  std::mutex making_;
  std::map<size_t, std::shared_ptr<const CompiledPieces>> pieces_;
};

// Whether states begin alike; the rate is a setting of each run.
bool SameStarts(const TrainingPlan& a, const TrainingPlan& b) {
  return std::equal(a.state.specs.begin(), a.state.specs.end(), b.state.specs.begin(),
                    b.state.specs.end(), [](const StateSpec& x, const StateSpec& y) {
                      return x == y || (x.name == "rate" && y.name == "rate");
                    });
}

SweepFunction* Sweeper::Share(Graph graph) {
  const size_t hash = graph.Hash();
  for (const auto& function : functions_) {
    if (function->hash == hash && function->graph == graph) return function.get();
  }
  functions_.push_back(std::make_unique<SweepFunction>());
  functions_.back()->graph = std::move(graph);
  functions_.back()->hash = hash;
  return functions_.back().get();
}

absl::Status Sweeper::Prepare(const std::vector<SweepAxis>& axes, const Dataset& train,
                              const Dataset& validation) {
  if (absl::Status s = CheckEngine(engine_, "sweep"); !s.ok()) return s;
  if (options_.threads < 0 || options_.lanes < 0 || options_.memory_limit < 0) {
    return absl::InvalidArgumentError("sweep: threads, lanes or memory_limit is negative");
  }
  for (const SweepAxis& axis : axes) {
    for (const auto& [input, values] : axis.inputs) result_.inputs.push_back(input);
  }
  if (!options_.titles.empty() && options_.titles.size() != trainings_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("sweep: ", trainings_.size(), " trainings and ",
                                                   options_.titles.size(), " titles"));
  }
  result_.titles = options_.titles;
  kits_.reserve(trainings_.size());
  for (size_t t = 0; t < trainings_.size(); t++) {
    const absl::Status status = PrepareTraining(t, axes, train, validation);
    if (!status.ok()) return Titled(t, status);
  }
  for (SweepGroup& group : groups_) {
    const SweepSetting& first = settings_[group.runs[0]];
    for (const size_t run : group.runs) {
      const SweepSetting& setting = settings_[run];
      group.epochs = std::max(group.epochs, setting.epochs);
      if (setting.epochs != first.epochs) group.varied.insert("epochs");
      if (setting.seed != first.seed) group.varied.insert({"seed", "order"});
      for (const auto& [name, number] : setting.numbers) {
        if (SameBits(number, first.numbers.at(name))) continue;
        group.varied.insert(name == "rate" ? "state/rate" : name);
      }
    }
  }
  return ChooseSizes();
}

absl::Status Sweeper::PrepareTraining(size_t t, const std::vector<SweepAxis>& axes,
                                      const Dataset& train, const Dataset& validation) {
  const Training& training = trainings_[t];
  absl::StatusOr<FitKit> kit = MakeKit(training, train, validation);
  if (!kit.ok()) return kit.status();
  for (size_t other = 0; other < t; other++) {
    if (training.dtype != trainings_[other].dtype) continue;
    kit->train = kits_[other].train;  // once in memory
    kit->validation = kits_[other].validation;
    break;
  }
  kits_.push_back(*std::move(kit));
  const FitKit& made = kits_.back();
  absl::StatusOr<SweepGrid> grid = MakeGrid(axes, training, made.plan);
  if (!grid.ok()) return grid.status();
  if (result_.runs.size() + grid->settings.size() > kMostRuns) {
    return absl::InvalidArgumentError(absl::StrCat("sweep: more than ", kMostRuns, " runs"));
  }
  absl::StatusOr<Graph> fit =
      FitGraph(training, made.plan, made.types, made.train.size(), made.validation.size(),
               options_.callbacks != nullptr && made.plan.replaces_parameters);
  if (!fit.ok()) return fit.status();
  absl::StatusOr<Graph> initial = InitialParameters(made.plan.parameters);
  if (!initial.ok()) return initial.status();
  if (!options_.parameters.empty()) {
    const absl::Status matching = Matching(options_.parameters, made.plan.parameters).status();
    if (!matching.ok()) return matching;
  }
  SweepFunction* const function = Share(*std::move(fit));
  SweepFunction* const start = Share(*std::move(initial));
  const auto same = std::find_if(groups_.begin(), groups_.end(), [&](const SweepGroup& group) {
    const FitKit& first = kits_[result_.runs[group.runs[0]].training];
    return group.fit == function && group.initial == start && SameStarts(first.plan, made.plan);
  });
  SweepGroup& group = same == groups_.end() ? groups_.emplace_back() : *same;
  group.fit = function;
  group.initial = start;
  for (size_t i = 0; i < grid->settings.size(); i++) {
    group.runs.push_back(result_.runs.size());
    SweepRun run{.index = result_.runs.size(), .training = t};
    run.values = std::move(grid->values[i]);
    result_.runs.push_back(std::move(run));
    // The first rate is a training's own number, too.
    for (const StateSpec& spec : made.plan.state.specs) {
      if (spec.name == "rate") grid->settings[i].numbers.emplace(spec.name, Array(spec.start));
    }
    settings_.push_back(std::move(grid->settings[i]));
  }
  return absl::OkStatus();
}

// Of several trainings, which one it is.
absl::Status Sweeper::Titled(size_t training, const absl::Status& status) const {
  if (trainings_.size() < 2) return status;
  const std::string title =
      options_.titles.empty() ? absl::StrCat("training ", training) : options_.titles[training];
  return absl::Status(status.code(), absl::StrCat(title, ": ", status.message()));
}

// Of several runs, which one it is; of those that go together nobody knows more than which.
absl::Status Sweeper::OfRuns(absl::Span<const size_t> runs, const absl::Status& status) const {
  if (result_.runs.size() < 2) return status;
  if (runs.size() > 1) {
    const bool in_a_row = runs.back() - runs.front() == runs.size() - 1;
    return absl::Status(status.code(),
                        absl::StrCat("runs ",
                                     in_a_row ? absl::StrCat(runs.front(), " to ", runs.back())
                                              : absl::StrJoin(runs, ", "),
                                     ": ", status.message()));
  }
  const size_t run = runs[0];
  std::string inputs;
  for (size_t i = 0; i < result_.inputs.size(); i++) {
    absl::StrAppend(&inputs, i == 0 ? " (" : ", ", result_.inputs[i], " ",
                    FormatNumber(result_.runs[run].values[i]));
  }
  return absl::Status(status.code(), absl::StrCat("run ", run, inputs, inputs.empty() ? "" : ")",
                                                  ": ", status.message()));
}

absl::StatusOr<std::shared_ptr<const CompiledPieces>> Sweeper::PiecesOf(size_t training) {
  const std::lock_guard lock(making_);
  std::shared_ptr<const CompiledPieces>& pieces = pieces_[training];
  if (pieces == nullptr) {
    const FitKit& kit = kits_[training];
    absl::StatusOr<CompiledPieces> made =
        CompilePieces(engine_, trainings_[training], kit.plan, kit.types, kit.train.size(),
                      kit.validation.size());
    if (!made.ok()) return made.status();
    pieces = std::make_shared<const CompiledPieces>(*std::move(made));
  }
  return pieces;
}

// Bytes with so many threads: the data, all histories (and parameters), and what each call takes.
int64_t Sweeper::Need(int64_t threads) const {
  double bytes = 0, call = 0;
  std::set<const std::byte*> seen;  // trainings of one dtype share the data
  for (const FitKit& kit : kits_) {
    for (const Array* array :
         {&kit.train.inputs, &kit.train.targets, &kit.validation.inputs, &kit.validation.targets}) {
      if (seen.insert(array->raw()).second) bytes += static_cast<double>(array->bytes());
    }
  }
  for (const SweepGroup& group : groups_) {
    const FitKit& kit = kits_[result_.runs[group.runs[0]].training];
    double row = kRowBytes + 8.0 * static_cast<double>(group.epochs) *
                                 static_cast<double>(kit.plan.columns.size());
    if (options_.keep_parameters) {
      for (const ParameterSpec& spec : kit.plan.parameters) {
        double size = static_cast<double>(SizeOf(spec.type.dtype));
        for (const Dim dim : spec.type.shape) size *= static_cast<double>(dim.value());
        row += size;
      }
    }
    bytes += row * static_cast<double>(group.runs.size());
    // Alone, a run gets NumPy's orders piece by piece.
    const bool pieces = group.lanes == 1 &&
                        trainings_[result_.runs[group.runs[0]].training].shuffle == Shuffle::kNumPy;
    const int64_t epochs =
        pieces ? NumPyOrders::EpochsAtATime(kit.train.size(), group.epochs) : group.epochs;
    call = std::max(call, static_cast<double>(group.lanes) *
                              static_cast<double>(WorkingBytes(group.fit->graph, epochs)));
  }
  return static_cast<int64_t>(std::min(bytes + call * static_cast<double>(threads), 0x1p62));
}

absl::Status Sweeper::ChooseSizes() {
  const int threads = options_.threads > 0 ? options_.threads : HardwareThreads();
  threads_ = static_cast<int>(
      std::min<size_t>(static_cast<size_t>(threads), std::max<size_t>(result_.runs.size(), 1)));
  const bool watched = options_.callbacks != nullptr;
  for (SweepGroup& group : groups_) {
    const auto runs = static_cast<int64_t>(group.runs.size());
    const Shuffle shuffle = trainings_[result_.runs[group.runs[0]].training].shuffle;
    const bool own_samples = group.varied.contains("seed") && shuffle != Shuffle::kNone;
    group.lanes = options_.lanes > 0 ? std::min(options_.lanes, std::max<int64_t>(runs, 1))
                                     : ChooseLanes(group, own_samples, threads_);
    // Models that end early would wait for the last one.
    const bool ends =
        kits_[result_.runs[group.runs[0]].training].plan.stops || group.varied.contains("epochs");
    if (options_.lanes == 0 && ends) group.lanes = 1;
    // NumPy's orders have one number of epochs.
    const bool uneven = shuffle == Shuffle::kNumPy && group.varied.contains("epochs");
    if (watched || group.varied.empty() || uneven) group.lanes = 1;
  }
  const int64_t limit = options_.memory_limit == 0 ? BytesOfMachine() / 2 : options_.memory_limit;
  if (groups_.empty()) return absl::OkStatus();
  // Rather fewer lanes than fewer threads.
  if (options_.lanes == 0 && Need(threads_) > limit) {
    for (SweepGroup& group : groups_) group.lanes = 1;
  }
  if (options_.threads == 0) {
    while (threads_ > 1 && Need(threads_) > limit) threads_--;
  }
  // Those that are left over share the updates of the runs there are.
  threads_of_run_ = threads / threads_;
  const int64_t need = Need(threads_);
  if (need <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrFormat("sweep: %d runs on %d thread%s may take %d bytes, and the limit is %d",
                      result_.runs.size(), threads_, threads_ == 1 ? "" : "s", need, limit));
}

absl::Status Sweeper::Compile(SweepFunction& function) const {
  absl::StatusOr<Executable> made = engine_(function.graph);
  if (!made.ok()) return made.status();
  function.executable = *std::move(made);
  return absl::OkStatus();
}

void Sweeper::Finish(SweepRun& run) {
  if (options_.finished == nullptr) return;
  const std::lock_guard lock(caller_);
  options_.finished(run);
}

absl::Status Sweeper::RunAlone(const SweepGroup& group, size_t index,
                               std::vector<Callback*> callbacks) {
  SweepRun& run = result_.runs[index];
  FitKit kit = kits_[run.training];
  kit.fit = group.fit->executable;
  kit.initial = group.initial->executable;
  Training training = trainings_[run.training];
  training.seed = settings_[index].seed;
  training.epochs = settings_[index].epochs;
  if (absl::Status s = CheckCallbacks(callbacks, "sweep"); !s.ok()) return s;
  const FitOptions fit{.parameters = options_.parameters,
                       .callbacks = std::move(callbacks),
                       .threads = threads_of_run_,
                       .stop = options_.stop};
  if (WantBatches(fit.callbacks)) {
    absl::StatusOr<std::shared_ptr<const CompiledPieces>> pieces = PiecesOf(run.training);
    if (!pieces.ok()) return pieces.status();
    kit.pieces = *std::move(pieces);
  }
  Session session(engine_, training, fit);
  if (absl::Status s = session.Start(kit, settings_[index].numbers); !s.ok()) return s;
  if (absl::Status s = session.Train(); !s.ok()) return s;
  absl::StatusOr<Fitted> fitted = std::move(session).Finish();
  if (!fitted.ok()) return fitted.status();
  run.epochs = static_cast<int64_t>(fitted->history.epochs());
  run.end = fitted->end;
  run.history = std::move(fitted->history);
  if (options_.keep_parameters) run.parameters = std::move(fitted->parameters);
  return absl::OkStatus();
}

absl::Status Sweeper::RunTogether(const SweepGroup& group, absl::Span<const size_t> runs) {
  const auto start = std::chrono::steady_clock::now();
  absl::Status status;
  if (group.lanes == 1) {
    std::vector<Callback*> callbacks;
    if (options_.callbacks != nullptr) {
      const std::lock_guard lock(caller_);
      callbacks = options_.callbacks(result_.runs[runs[0]]);
    }
    status = RunAlone(group, runs[0], std::move(callbacks));
  } else {
    std::vector<const FitKit*> kits;
    std::vector<const SweepSetting*> settings;
    std::vector<SweepRun*> rows;
    for (const size_t run : runs) {
      rows.push_back(&result_.runs[run]);
      kits.push_back(&kits_[rows.back()->training]);
      settings.push_back(&settings_[run]);
    }
    status = RunLanes(group, kits, settings, options_, absl::MakeSpan(rows));
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  for (const size_t run : runs) {
    result_.runs[run].seconds = time.count() / static_cast<double>(runs.size());
    if (status.ok()) Finish(result_.runs[run]);
  }
  return status.ok() ? status : Titled(result_.runs[runs[0]].training, OfRuns(runs, status));
}

absl::StatusOr<SweepResult> Sweeper::Run() {
  // What is compiled stands in front, so that no thread ever waits for it while there are others'
  // runs to do.
  std::vector<Task> tasks;
  std::map<const SweepFunction*, size_t> compiles;
  const auto compile = [&](SweepFunction& function) {
    const auto [it, is_new] = compiles.emplace(&function, tasks.size());
    if (is_new) tasks.push_back({[this, &function] { return Compile(function); }});
    return it->second;
  };
  std::vector<std::vector<size_t>> after;
  for (SweepGroup& group : groups_) {
    if (group.lanes > 1) {
      const TrainingPlan& plan = kits_[result_.runs[group.runs[0]].training].plan;
      const absl::Status s = BatchGroup(group, plan, options_.parameters.empty());
      if (!s.ok() && options_.lanes > 0) return Titled(result_.runs[group.runs[0]].training, s);
      // A model whose instances do not run in step: nobody asked for lanes.
      if (!s.ok()) group.lanes = 1;
    }
    SweepFunction& fit = group.lanes > 1 ? *group.many_fit : *group.fit;
    SweepFunction& initial = group.lanes > 1 ? *group.many_initial : *group.initial;
    after.push_back({compile(fit)});
    if (options_.parameters.empty()) after.back().push_back(compile(initial));
  }
  for (size_t g = 0; g < groups_.size(); g++) {
    const SweepGroup& group = groups_[g];
    const auto lanes = static_cast<size_t>(group.lanes);
    for (size_t first = 0; first < group.runs.size(); first += lanes) {
      const absl::Span<const size_t> runs = absl::MakeConstSpan(group.runs).subspan(first, lanes);
      tasks.push_back({[this, &group, runs] { return RunTogether(group, runs); }, after[g]});
    }
  }
  if (absl::Status s = RunTasks(threads_, tasks); !s.ok()) return s;
  return std::move(result_);
}

}  // namespace

absl::StatusOr<SweepResult> Sweep(const Engine& engine, const std::vector<Training>& trainings,
                                  const std::vector<SweepAxis>& axes, const Dataset& train,
                                  const Dataset& validation, const SweepOptions& options) {
  Sweeper sweeper(engine, trainings, options);
  if (absl::Status s = sweeper.Prepare(axes, train, validation); !s.ok()) return s;
  return sweeper.Run();
}

absl::StatusOr<SweepResult> Sweep(const Engine& engine, const Training& training,
                                  const std::vector<SweepAxis>& axes, const Dataset& train,
                                  const Dataset& validation, const SweepOptions& options) {
  return Sweep(engine, std::vector<Training>{training}, axes, train, validation, options);
}

}  // namespace talweg
