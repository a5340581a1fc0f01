#include "tests/graphs/engines.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"
#include "jit/llvm/host.h"
#include "jit/passes/pipeline.h"

namespace talweg {
namespace {

NamedEngine JitAs(std::string name, JitOptions options) {
  options.verify = true;
  options.cache = "off";
  return {std::move(name), [options](const Graph& graph) { return Jit(graph, options); }};
}

// FNV-1a, the same in every process.
uint64_t HashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// Everything that several threads may do is done by 2, 3, 4 or 8 of them, as a hash of the graph's
// text picks, however little it is.
NamedEngine OnSeveralThreads(std::string name, JitOptions options) {
  options.split = true;
  const NamedEngine jit = JitAs(std::move(name), options);
  return {jit.name, [jit](const Graph& graph) -> absl::StatusOr<Executable> {
            absl::StatusOr<Executable> made = jit.make(graph);
            if (!made.ok()) return made;
            constexpr int kThreads[] = {2, 3, 4, 8};
            // Of bits that do not pick the engine (EnginesFor).
            const int threads = kThreads[HashOf(Print(graph, {.lines = false})) >> 62];
            return Executable(
                std::make_shared<const Graph>(graph),
                [threads, made = *std::move(made)](absl::Span<const Array> inputs,
                                                   const SymbolValues&, RunOptions options) {
                  options.threads = threads;
                  return made.Call(inputs, options);
                });
          }};
}

// Compiled once for a folder of this test's own, and once more from what is then there.
absl::StatusOr<Executable> JitFromCache(const Graph& graph) {
  const char* root = std::getenv("TEST_TMPDIR");
  const std::string folder = root == nullptr ? "off" : absl::StrCat(root, "/talweg-engines");
  const absl::StatusOr<Executable> cold = Jit(graph, {.cache = folder, .verify = true});
  return cold.ok() ? Jit(graph, {.cache = folder, .verify = true}) : cold;
}

std::vector<NamedEngine> MakeCodeVariants() {
  std::vector<NamedEngine> variants = {
      JitAs("the JIT at level 0", {.level = 0}),
      JitAs("the JIT at level 1", {.level = 1}),
      JitAs("the JIT at level 3", {.level = 3}),
      JitAs("the JIT without fusion", {.fuse = false}),
      JitAs("the JIT without fusion at level 0", {.level = 0, .fuse = false}),
      JitAs("the JIT for x86-64", {.cpu = "x86-64"}),
      JitAs("the JIT in blocks of 4", {.block = 4}),
      JitAs("the loop evaluator in blocks of 3", {.block = 3, .evaluate = true}),
      OnSeveralThreads("the JIT on 2 to 8 threads", {}),
      OnSeveralThreads("the JIT on 2 to 8 threads in blocks of 4", {.block = 4}),
      JitAs("the loop evaluator with shuffled trips", {.split = true, .evaluate = true}),
      JitAs("the loop evaluator with shuffled trips in blocks of 4",
            {.block = 4, .split = true, .evaluate = true}),
      {"the JIT from its cache", JitFromCache},
  };
  for (const char* cpu : {"avx2", "avx512"}) {
    if (!native::DetectTarget(cpu).ok()) continue;
    variants.push_back(JitAs(absl::StrCat("the JIT for ", cpu), {.cpu = cpu}));
  }
  return variants;
}

std::vector<NamedEngine> MakePassVariants() {
  std::vector<std::string> names;
  for (const passes::Pass& pass : passes::Passes()) names.push_back(pass.name);
  std::vector<std::vector<std::string>> left_out = {{passes::kAllPasses}};
  for (const std::string& name : names) left_out.push_back({name});
  // Some of the many subsets: each pass stays in about half of them.
  constexpr int kSubsets = 12;
  uint64_t bits = 0x9e3779b97f4a7c15;
  for (int i = 0; i < kSubsets; i++) {
    std::vector<std::string> subset;
    for (const std::string& name : names) {
      bits = bits * 6364136223846793005 + 1442695040888963407;
      if (bits >> 63 != 0) subset.push_back(name);
    }
    if (subset.size() > 1 && subset.size() < names.size() &&
        std::count(left_out.begin(), left_out.end(), subset) == 0) {
      left_out.push_back(std::move(subset));
    }
  }
  std::vector<NamedEngine> variants;
  for (std::vector<std::string>& names : left_out) {
    const std::string name = absl::StrCat("the JIT without ", absl::StrJoin(names, ", "));
    variants.push_back(JitAs(name, {.without = std::move(names)}));
  }
  return variants;
}

// ---- Times --------------------------------------------------------------------------------------

struct Times {
  int64_t graphs = 0, runs = 0;
  double compile_ms = 0, run_ms = 0;
};

class Report {
 public:
  static Report& Get() {
    static Report& report = *[] {
      std::atexit([] { std::cout << EngineReport() << std::flush; });
      return new Report;
    }();
    return report;
  }
  void AddCompile(const std::string& engine, double ms) {
    const std::lock_guard lock(mutex_);
    times_[engine].graphs++;
    times_[engine].compile_ms += ms;
  }
  void AddRun(const std::string& engine, double ms) {
    const std::lock_guard lock(mutex_);
    times_[engine].runs++;
    times_[engine].run_ms += ms;
  }
  std::string Text() {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const NamedEngine& engine : AllEngines()) {
      const Times& t = times_[engine.name];
      if (t.graphs == 0) continue;
      absl::StrAppendFormat(&text, "%8d graphs on %s: compile %.2f ms; %d runs of %.3f ms\n",
                            t.graphs, engine.name, t.compile_ms / static_cast<double>(t.graphs),
                            t.runs, t.run_ms / static_cast<double>(std::max<int64_t>(t.runs, 1)));
    }
    return text;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Times> times_;
};

// ---- Differences --------------------------------------------------------------------------------

std::string ValueDifference(const Graph& graph, const std::vector<Array>& a,
                            const std::vector<Array>& b) {
  if (a.size() != b.size()) return "different numbers of outputs";
  for (size_t i = 0; i < a.size(); i++) {
    if (SameBits(a[i], b[i])) continue;
    const Array &x = a[i], &y = b[i];
    std::string text = absl::StrCat("output ", i, ", ", PrintNode(graph, graph.outputs()[i]));
    if (x.dtype() != y.dtype() || x.dims() != y.dims()) {
      return absl::StrCat(text, ": ", x.ToString(), " and ", y.ToString());
    }
    for (int64_t k = 0; k < x.size(); k++) {
      const double p = x.At(k), q = y.At(k);
      if (p == q || (std::isnan(p) && std::isnan(q))) continue;
      return absl::StrFormat("%s: element %d is %.17g and %.17g", text, k, p, q);
    }
    return absl::StrCat(text, ": the sign of a zero");
  }
  return "";
}

// An error without the types that the node's operands have, and without the index that is named:
// where several are wrong, it is the first that an engine comes to, and lanes may lie along any
// axis. "gather: index # is outside of [0, 5)"
struct Words {
  absl::StatusCode code;
  std::string text;
  explicit Words(const absl::Status& status) : code(status.code()) {
    std::vector<std::string> parts = absl::StrSplit(status.message(), ": ");
    if (parts.size() > 2) parts.erase(parts.begin() + 1);
    text = absl::StrJoin(parts, ": ");
    constexpr char kIndex[] = ": index ", kOutside[] = " is outside of ";
    const size_t index = text.find(kIndex), outside = text.find(kOutside);
    if (index < outside && outside != std::string::npos) {
      text.replace(index + sizeof(kIndex) - 1, outside - index - sizeof(kIndex) + 1, "#");
    }
  }
  friend bool operator==(const Words&, const Words&) = default;
};

// Whether the interpreter has this error of a graph that ends at one of the nodes.
bool IsOfANode(const Graph& graph, absl::Span<const Array> inputs, const absl::Status& error) {
  // Nobody looks through a large graph like this.
  constexpr size_t kMostNodes = 1000;
  if (graph.nodes().size() > kMostNodes) return false;
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    const auto id = static_cast<NodeId>(i);
    if (graph.node(id).kind() == Kind::kLoop) continue;
    const Graph part = Extract(graph.nodes(), graph.inputs(), {id});
    if (!Verify(part).ok()) continue;
    const absl::StatusOr<Executable> executable = Interpret(part);
    if (!executable.ok()) continue;
    if (Words(executable->Call(inputs).status()) == Words(error)) return true;
  }
  return false;
}

// What the interpreter makes of the graph that all passes leave: a failure of a part that no output
// needs is gone (jit/passes/pipeline.h), and of two failures another may come first.
Outcome OutcomeAfterPasses(const Graph& graph, absl::Span<const Array> inputs) {
  const absl::StatusOr<Graph> passed = passes::RunPasses(graph);
  if (!passed.ok()) return passed.status();
  const absl::StatusOr<Executable> executable = Interpret(*passed);
  return executable.ok() ? executable->Call(inputs) : executable.status();
}

bool AllAreAskedFor() {
  const char* const text = std::getenv("TALWEG_ENGINES");
  return text != nullptr && std::string_view(text) == "all";
}

}  // namespace

absl::Span<const NamedEngine> MainEngines() {
  static const auto& engines = *new std::vector<NamedEngine>{
      {"the interpreter", Interpret},
      {"the interpreter without vectors", InterpretPortably},
      JitAs("the loop evaluator", {.evaluate = true}),
      JitAs("the JIT", {}),
  };
  return engines;
}

absl::Span<const NamedEngine> CodeVariants() {
  static const auto& variants = *new std::vector<NamedEngine>(MakeCodeVariants());
  return variants;
}

absl::Span<const NamedEngine> PassVariants() {
  static const auto& variants = *new std::vector<NamedEngine>(MakePassVariants());
  return variants;
}

std::vector<NamedEngine> EnginesOfEachProcessor() {
  std::vector<NamedEngine> engines = {MainEngines()[0]};
  for (const char* cpu : {"avx512", "avx2", "x86-64"}) {
    if (!native::DetectTarget(cpu).ok()) continue;
    for (const bool evaluate : {true, false}) {
      engines.push_back(JitAs(absl::StrCat(evaluate ? "the evaluator for " : "the JIT for ", cpu),
                              {.cpu = cpu, .evaluate = evaluate}));
    }
  }
  return engines;
}

const std::vector<NamedEngine>& AllEngines() {
  static const auto& all = *[] {
    auto* engines = new std::vector<NamedEngine>;
    for (const auto list : {MainEngines(), CodeVariants(), PassVariants()}) {
      engines->insert(engines->end(), list.begin(), list.end());
    }
    return engines;
  }();
  return all;
}

std::vector<NamedEngine> EnginesFor(const Graph& graph) {
  static const bool all = AllAreAskedFor();
  if (all) return AllEngines();
  std::vector<NamedEngine> engines(MainEngines().begin(), MainEngines().end());
  uint64_t hash = HashOf(Print(graph, {.lines = false}));
  for (const auto variants : {CodeVariants(), PassVariants()}) {
    engines.push_back(variants[hash % variants.size()]);
    hash /= variants.size();
  }
  return engines;
}

std::string Difference(const Graph& graph, absl::Span<const Array> inputs, const Outcome& a,
                       const Outcome& b) {
  if (a.ok() && b.ok()) return ValueDifference(graph, *a, *b);
  if (Words(a.status()) == Words(b.status())) return "";
  for (const absl::Status& status : {a.status(), b.status()}) {
    // An engine's own fault, such as a wrong index that the loop evaluator found.
    if (absl::IsInternal(status)) return absl::StrCat("internal: ", status.ToString());
  }
  const Outcome passed = OutcomeAfterPasses(graph, inputs);
  if (a.ok() != b.ok()) {
    // The passes may leave out what fails, and never add it.
    if (b.ok() && passed.ok() && ValueDifference(graph, *b, *passed).empty()) return "";
    return absl::StrCat("one fails: ", (a.ok() ? b : a).status().ToString());
  }
  const auto explained = [&](const absl::Status& error) {
    return Words(error) == Words(passed.status()) || IsOfANode(graph, inputs, error);
  };
  if (explained(a.status()) && explained(b.status())) return "";
  return absl::StrCat("different errors: ", a.status().ToString(), " and ", b.status().ToString());
}

absl::StatusOr<Executable> CompileOn(absl::Span<const NamedEngine> engines, const Graph& graph) {
  struct Made {
    std::string name;
    Executable executable;
  };
  auto all = std::make_shared<std::vector<Made>>();
  for (size_t i = 0; i < engines.size(); i++) {
    Clock clock;
    absl::StatusOr<Executable> made = engines[i].make(graph);
    Report::Get().AddCompile(engines[i].name, clock.Lap());
    if (made.ok() && all->size() == i) {
      all->push_back({engines[i].name, *std::move(made)});
      continue;
    }
    // It must be the first that refuses the graph, and all others with it.
    const absl::Status first = all->empty() ? engines[0].make(graph).status() : absl::OkStatus();
    if (made.status() == first) continue;
    return absl::InternalError(absl::StrCat(engines[0].name, " compiles to ", first.ToString(),
                                            ", ", engines[i].name, " to ",
                                            made.status().ToString()));
  }
  if (all->empty()) return engines[0].make(graph).status();
  auto shared = std::make_shared<const Graph>(graph);
  return Executable(shared,
                    [shared, all](absl::Span<const Array> inputs, const SymbolValues&,
                                  const RunOptions& options) -> Outcome {
                      const auto run = [&](const Made& made) {
                        Clock clock;
                        Outcome outcome = made.executable.Call(inputs, options);
                        Report::Get().AddRun(made.name, clock.Lap());
                        return outcome;
                      };
                      // What another thread says while it runs, it says to one of them.
                      if (options.stop != nullptr || options.progress != nullptr)
                        return run(all->back());
                      const Made& reference = all->front();
                      Outcome first = run(reference);
                      if (absl::IsInternal(first.status())) return first;
                      const auto compare = [&](const Made& made) {
                        const std::string difference =
                            Difference(*shared, inputs, first, run(made));
                        if (difference.empty()) return absl::OkStatus();
                        return absl::InternalError(absl::StrCat(reference.name, " and ", made.name,
                                                                " differ: ", difference));
                      };
                      for (const Made& made : *all) {
                        if (absl::Status status = compare(made); !status.ok()) return status;
                      }
                      return first;
                    });
}

absl::StatusOr<Executable> EveryEngine(const Graph& graph) {
  if (absl::Status status = Verify(graph); !status.ok()) return status;
  return CompileOn(EnginesFor(graph), graph);
}

absl::StatusOr<std::vector<Array>> RunOnEngines(absl::Span<const NamedEngine> engines,
                                                const Graph& graph, const NamedArrays& inputs) {
  const absl::StatusOr<Executable> executable = CompileOn(engines, graph);
  if (!executable.ok()) return executable.status();
  return executable->Run(inputs);
}

absl::StatusOr<std::vector<Array>> RunOnAllEngines(const Graph& graph, const NamedArrays& inputs) {
  const absl::StatusOr<Executable> executable = EveryEngine(graph);
  if (!executable.ok()) return executable.status();
  return executable->Run(inputs);
}

absl::StatusOr<std::vector<Array>> RunOnAllEngines(const std::vector<Value>& outputs,
                                                   const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = Tape(outputs[0].tape()).Finish(outputs);
  if (!graph.ok()) return graph.status();
  return RunOnAllEngines(*graph, inputs);
}

std::string EngineReport() { return Report::Get().Text(); }

}  // namespace talweg
