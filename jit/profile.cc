#include "jit/profile.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace talweg {
namespace {

// There is no fetch_add of doubles that every compiler has.
void AddTo(std::atomic<double>& sum, double more) {
  double before = sum.load(std::memory_order_relaxed);
  while (!sum.compare_exchange_weak(before, before + more, std::memory_order_relaxed)) {
  }
}

}  // namespace

std::string NameOf(const Graph& graph) {
  std::string line;
  for (NodeId output : graph.outputs()) {
    line = ToString(graph.node(output).line);
    if (!line.empty()) break;
  }
  return absl::StrCat(CountNodes(graph), " nodes", line.empty() ? "" : " at ", line);
}

RunFunction Counting(RunFunction run, std::shared_ptr<Profile> profile) {
  if (!profile->timed) {
    return [run = std::move(run), profile = std::move(profile)](absl::Span<const Array> inputs,
                                                                const SymbolValues& symbols,
                                                                const RunOptions& options) {
      profile->runs.fetch_add(1, std::memory_order_relaxed);
      return run(inputs, symbols, options);
    };
  }
  return [run = std::move(run), profile = std::move(profile)](
             absl::Span<const Array> inputs, const SymbolValues& symbols,
             const RunOptions& options) -> absl::StatusOr<std::vector<Array>> {
    const auto start = std::chrono::steady_clock::now();
    absl::StatusOr<std::vector<Array>> outputs = run(inputs, symbols, options);
    const std::chrono::nanoseconds time = std::chrono::steady_clock::now() - start;
    profile->runs.fetch_add(1, std::memory_order_relaxed);
    profile->nanoseconds.fetch_add(time.count(), std::memory_order_relaxed);
    if (!outputs.ok()) return outputs;
    AddTo(profile->flop, outputs->back().At(0));
    outputs->pop_back();
    return outputs;
  };
}

std::string TableOf(absl::Span<const std::shared_ptr<const Profile>> profiles, double peak) {
  size_t width = 36;
  for (const auto& p : profiles) width = std::max(width, p->name.size());
  std::string text =
      absl::StrFormat("%-*s %8s %8s %8s %8s %6s %8s %10s %10s %9s %8s %6s\n",
                      static_cast<int>(width), "compiled function", "passes", "lower", "llvm", "ms",
                      "cached", "runs", "ms", "us/run", "GFLOP", "GFLOP/s", "peak");
  bool all_timed = true;
  for (const std::shared_ptr<const Profile>& p : profiles) {
    const CompileTimes& c = p->compile;
    const native::Timings& code = c.code;
    absl::StrAppendFormat(&text, "%-*s %8.2f %8.2f %8.2f %8.2f %6s", static_cast<int>(width),
                          p->name, c.passes, c.lower,
                          code.target + code.emit + code.codegen + code.link + code.cache,
                          c.Total(), c.cached() ? "yes" : "");
    const int64_t runs = p->runs.load(std::memory_order_relaxed);
    absl::StrAppendFormat(&text, " %8d", runs);
    all_timed = all_timed && p->timed;
    if (p->timed && runs > 0) {
      const double ns = static_cast<double>(p->nanoseconds.load(std::memory_order_relaxed));
      const double gflop = p->flop.load(std::memory_order_relaxed) / 1e9;
      const double rate = ns > 0 ? gflop / (ns * 1e-9) : 0;
      absl::StrAppendFormat(&text, " %10.3f %10.3f %9.4f %8.2f", ns * 1e-6,
                            ns * 1e-3 / static_cast<double>(runs), gflop, rate);
      if (peak > 0) absl::StrAppendFormat(&text, " %5.1f%%", 100 * rate / peak);
    }
    text += "\n";
  }
  if (peak > 0) {
    absl::StrAppendFormat(&text, "peak: %.1f GFLOP/s, float32 on one core, measured\n", peak);
  }
  if (!all_timed) text += "Runs are timed with JitOptions::profile or TALWEG_TRACE=table.\n";
  return text;
}

}  // namespace talweg
