#include "tests/graphs/engines.h"

#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "interpreter/interpreter.h"
#include "jit/jit.h"

namespace talweg {
namespace {

// A folder of this test's own.
std::string CacheFolder() {
  const char* root = std::getenv("TEST_TMPDIR");
  return root == nullptr ? "off" : absl::StrCat(root, "/talweg-engines");
}

constexpr NamedEngine kEngines[] = {
    {"the interpreter", Interpret},
    {"the interpreter without vectors", InterpretPortably},
    {"the loop evaluator",
     [](const Graph& graph) { return Jit(graph, {.evaluate = true, .verify = true}); }},
    {"the JIT",
     [](const Graph& graph) { return Jit(graph, {.cache = CacheFolder(), .verify = true}); }},
    {"the JIT, from its cache",
     [](const Graph& graph) { return Jit(graph, {.cache = CacheFolder()}); }},
    {"the JIT for AVX2", [](const Graph& graph) { return Jit(graph, {.cpu = "avx2"}); }},
    {"the JIT for x86-64", [](const Graph& graph) { return Jit(graph, {.cpu = "x86-64"}); }},
    {"the JIT without fusion", [](const Graph& graph) { return Jit(graph, {.fuse = false}); }},
    {"the JIT without passes", [](const Graph& graph) { return Jit(graph, {.without = {"all"}}); }},
    {"the JIT, level 0", [](const Graph& graph) { return Jit(graph, {.level = 0}); }},
};

using Outputs = absl::StatusOr<std::vector<Array>>;

// How two results differ; empty where they do not.
std::string Difference(const Graph& graph, const Outputs& a, const Outputs& b) {
  if (a.ok() != b.ok()) {
    return absl::StrCat("one fails: ", (a.ok() ? b : a).status().message());
  }
  if (!a.ok()) {
    return a.status() == b.status() ? ""
                                    : absl::StrCat("different errors: ", a.status().message(),
                                                   " and ", b.status().message());
  }
  if (a->size() != b->size()) return "different numbers of outputs";
  for (size_t i = 0; i < a->size(); i++) {
    if (SameBits((*a)[i], (*b)[i])) continue;
    const Array &x = (*a)[i], &y = (*b)[i];
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

}  // namespace

absl::Span<const NamedEngine> AllEngines() { return kEngines; }

absl::StatusOr<std::vector<Array>> RunOnAllEngines(const Graph& graph, const NamedArrays& inputs) {
  std::optional<Outputs> first;
  for (const NamedEngine& engine : kEngines) {
    const absl::StatusOr<Executable> executable = engine.make(graph);
    const int times = first.has_value() ? 1 : 2;
    for (int i = 0; i < times; i++) {
      Outputs outputs = executable.ok() ? executable->Run(inputs) : Outputs(executable.status());
      if (!first.has_value()) {
        first = std::move(outputs);
        continue;
      }
      const std::string difference = Difference(graph, *first, outputs);
      if (!difference.empty()) {
        return absl::InternalError(
            absl::StrCat(kEngines[0].name, " and ", engine.name, " differ: ", difference));
      }
    }
  }
  return *std::move(first);
}

absl::StatusOr<std::vector<Array>> RunOnAllEngines(const std::vector<Value>& outputs,
                                                   const NamedArrays& inputs) {
  const absl::StatusOr<Graph> graph = Tape(outputs[0].tape()).Finish(outputs);
  if (!graph.ok()) return graph.status();
  return RunOnAllEngines(*graph, inputs);
}

}  // namespace talweg
