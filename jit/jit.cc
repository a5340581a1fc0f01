#include "jit/jit.h"

#include <algorithm>
#include <deque>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "graph/verify.h"
#include "jit/compile.h"
#include "jit/flop.h"
#include "jit/llvm/cache.h"
#include "jit/loops/team.h"
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
                                const std::shared_ptr<loops::TeamPool>& teams,
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
  absl::StatusOr<RunFunction> run =
      CompileGraph(*compiled, options, teams, *tracer, &profile->compile);
  if (!run.ok()) return run.status();
  *run = Counting(*std::move(run), profile);
  if (tracer->Wants(&Trace::nan)) {
    JitOptions quick = options;
    quick.level = 0;
    quick.cache = "off";
    const auto compile = [quick, teams](const Graph& tracking) {
      Tracer quiet(Trace{}, Trace{});
      return CompileGraph(tracking, quick, teams, quiet, nullptr);
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

  // A graph that was compiled or is being compiled.
  using Made = std::shared_future<absl::StatusOr<Executable>>;
  struct Entry {
    size_t hash;
    std::shared_ptr<const Graph> graph;
    Made made;
  };

  // What another call has made of an equal graph, or is making. Where there is none, this is not
  // valid, and from now on `made` is what others find.
  Made FindOrEnter(const Graph& graph, size_t hash, const Made& made) {
    const std::lock_guard lock(mutex);
    if (const auto it = Find(graph, hash); it != kept.end()) {
      kept.splice(kept.begin(), kept, it);
      return it->made;
    }
    kept.push_front({hash, std::make_shared<const Graph>(graph), made});
    if (kept.size() > kKept) kept.pop_back();
    return {};
  }
  void Forget(const Graph& graph, size_t hash) {
    const std::lock_guard lock(mutex);
    if (const auto it = Find(graph, hash); it != kept.end()) kept.erase(it);
  }
  // With the mutex locked.
  std::list<Entry>::iterator Find(const Graph& graph, size_t hash) {
    return std::find_if(kept.begin(), kept.end(), [&](const Entry& entry) {
      return entry.hash == hash && *entry.graph == graph;
    });
  }

  void Add(std::shared_ptr<const Profile> profile) {
    const std::lock_guard lock(mutex);
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
  const std::shared_ptr<loops::TeamPool> teams = std::make_shared<loops::TeamPool>();
  std::once_flag peak_once;
  double peak = 0;
};

JitEngine::JitEngine() : JitEngine(JitOptions()) {}
JitEngine::JitEngine(const JitOptions& options) : state_(std::make_shared<State>(options)) {}

absl::StatusOr<Executable> JitEngine::operator()(const Graph& graph) const {
  if (absl::Status s = Verify(graph); !s.ok()) return s;
  const size_t hash = graph.Hash();
  std::promise<absl::StatusOr<Executable>> promise;
  const State::Made other = state_->FindOrEnter(graph, hash, promise.get_future().share());
  if (other.valid()) return other.get();
  absl::StatusOr<Executable> made = absl::UnknownError("the compiler threw an exception");
  absl::Cleanup tell = [&] {
    if (!made.ok()) state_->Forget(graph, hash);
    promise.set_value(made);
  };
  const auto profile = std::make_shared<Profile>();
  profile->name = NameOf(graph);
  profile->timed = state_->options.profile;
  made = Make(graph, state_->options, state_->teams, profile);
  if (made.ok()) state_->Add(profile);
  std::move(tell).Invoke();
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
  return Make(graph, options, std::make_shared<loops::TeamPool>(), std::make_shared<Profile>());
}

absl::StatusOr<Executable> Jit(const Graph& graph) { return Jit(graph, {}); }

absl::Status CacheStatus(const std::string& cache) {
  return native::ObjectCache::Open(cache).status();
}

}  // namespace talweg
