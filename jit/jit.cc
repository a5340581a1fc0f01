#include "jit/jit.h"

#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/verify.h"
#include "jit/compile.h"
#include "jit/flop.h"
#include "jit/llvm/cache.h"
#include "jit/nan.h"
#include "jit/peak.h"
#include "jit/profile.h"
#include "jit/trace.h"

namespace talweg {
namespace {

// Executables that an engine keeps.
constexpr size_t kKept = 64;

// Functions that a report tells of: the last ones.
constexpr size_t kReported = 1000;

absl::StatusOr<Executable> Make(const Graph& graph, const JitOptions& options,
                                const std::shared_ptr<Profile>& profile) {
  if (options.block < 0) {
    return absl::InvalidArgumentError(absl::StrCat("blocks of ", options.block, " terms"));
  }
  const auto tracer = std::make_shared<Tracer>(options.trace);
  const Graph* compiled = &graph;
  Graph counting;
  if (profile->timed) {
    // What is wrong with a graph is said of the graph that was given.
    if (absl::Status status = Verify(graph); !status.ok()) return status;
    absl::StatusOr<Graph> counted = CountFlop(graph);
    if (!counted.ok()) return counted.status();
    counting = *std::move(counted);
    compiled = &counting;
  }
  absl::StatusOr<RunFunction> run = CompileGraph(*compiled, options, *tracer, &profile->compile);
  if (!run.ok()) return run.status();
  *run = Counting(*std::move(run), profile);
  if (tracer->Wants(&Trace::nan)) {
    JitOptions quick = options;
    quick.level = 0;
    quick.cache = "off";
    const auto compile = [quick](const Graph& tracking) {
      Tracer quiet(Trace{}, Trace{});
      return CompileGraph(tracking, quick, quiet, nullptr);
    };
    *run = WatchForNan(graph, *std::move(run), compile,
                       [tracer](std::string_view text) { tracer->Show(&Trace::nan, text); });
  }
  return Executable(std::make_shared<const Graph>(graph), *std::move(run));
}

bool WantsTable(const JitOptions& options) {
  return options.trace.table || EnvironmentTrace().table;
}

}  // namespace

// What an engine has compiled.
struct JitEngine::State {
  explicit State(const JitOptions& options_in) : options(options_in) {
    options.profile = options.profile || WantsTable(options);
    // At the end of a process, when the table is printed, LLVM's own static objects may be gone.
    if (WantsTable(options)) MeasurePeakOnce();
  }
  ~State() {
    if (WantsTable(options)) Tracer(options.trace).Show(&Trace::table, Report());
  }

  struct Entry {
    size_t hash;
    std::shared_ptr<const Executable> executable;
  };

  std::shared_ptr<const Executable> Find(const Graph& graph, size_t hash) {
    const std::lock_guard lock(mutex);
    for (auto it = kept.begin(); it != kept.end(); ++it) {
      if (it->hash != hash || !(it->executable->graph() == graph)) continue;
      kept.splice(kept.begin(), kept, it);
      return it->executable;
    }
    return nullptr;
  }

  void Add(size_t hash, const Executable& executable, std::shared_ptr<const Profile> profile) {
    const std::lock_guard lock(mutex);
    kept.push_front({hash, std::make_shared<const Executable>(executable)});
    if (kept.size() > kKept) kept.pop_back();
    profiles.push_back(std::move(profile));
    if (profiles.size() > kReported) profiles.pop_front();
  }

  std::string Report() {
    std::vector<std::shared_ptr<const Profile>> all;
    {
      const std::lock_guard lock(mutex);
      all.assign(profiles.begin(), profiles.end());
    }
    if (options.profile) MeasurePeakOnce();
    return TableOf(all, peak);
  }

  void MeasurePeakOnce() {
    std::call_once(peak_once, [this] { peak = MeasurePeak(options.cpu).value_or(0); });
  }

  JitOptions options;
  std::mutex mutex;       // of the next two
  std::list<Entry> kept;  // the last used first
  std::deque<std::shared_ptr<const Profile>> profiles;
  std::once_flag peak_once;
  double peak = 0;
};

JitEngine::JitEngine() : JitEngine(JitOptions()) {}
JitEngine::JitEngine(const JitOptions& options) : state_(std::make_shared<State>(options)) {}

absl::StatusOr<Executable> JitEngine::operator()(const Graph& graph) const {
  if (absl::Status s = Verify(graph); !s.ok()) return s;
  const size_t hash = graph.Hash();
  if (const auto found = state_->Find(graph, hash)) return *found;
  const auto profile = std::make_shared<Profile>();
  profile->name = NameOf(graph);
  profile->timed = state_->options.profile;
  absl::StatusOr<Executable> made = Make(graph, state_->options, profile);
  if (made.ok()) state_->Add(hash, *made, profile);
  return made;
}

std::string JitEngine::Report() const { return state_->Report(); }

absl::StatusOr<std::string> ReportOf(const Engine& engine) {
  const auto* const jit = engine.target<JitEngine>();
  if (jit == nullptr) {
    return absl::InvalidArgumentError("there is a report of engines that are a JitEngine only");
  }
  return jit->Report();
}

absl::StatusOr<Executable> Jit(const Graph& graph, const JitOptions& options) {
  // Nobody can ask for a report.
  return Make(graph, options, std::make_shared<Profile>());
}

absl::StatusOr<Executable> Jit(const Graph& graph) { return Jit(graph, {}); }

absl::Status CacheStatus(const std::string& cache) {
  return native::ObjectCache::Open(cache).status();
}

}  // namespace talweg
