#include "jit/passes/pipeline.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "graph/verify.h"
#include "jit/passes/passes.h"

namespace talweg::passes {
namespace {

constexpr Pass kPasses[] = {
    {"dead", RemoveDead},       {"merge", MergeLoops},  {"inline", InlineLoops},
    {"fold", FoldConstants},    {"simplify", Simplify}, {"captures", SimplifyCaptures},
    {"hoist", HoistInvariants},
};

absl::StatusOr<std::vector<Pass>> Chosen(const std::vector<std::string>& without) {
  const auto named = [](const std::string& name) {
    return [&name](const Pass& pass) { return name == pass.name; };
  };
  for (const std::string& name : without) {
    if (name == kAllPasses || absl::c_any_of(kPasses, named(name))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("no pass is called '", name, "'; there are ",
                     absl::StrJoin(kPasses, ", ", [](std::string* out, const Pass& pass) {
                       absl::StrAppend(out, pass.name);
                     })));
  }
  std::vector<Pass> chosen;
  if (absl::c_linear_search(without, kAllPasses)) return chosen;
  for (const Pass& pass : kPasses) {
    if (!absl::c_linear_search(without, pass.name)) chosen.push_back(pass);
  }
  return chosen;
}

}  // namespace

absl::Span<const Pass> Passes() { return kPasses; }

absl::StatusOr<Graph> RunPasses(const Graph& graph, const PassOptions& options) {
  const absl::StatusOr<std::vector<Pass>> passes = Chosen(options.without);
  if (!passes.ok()) return passes.status();
  Graph result = graph;
  // All is done when each pass has seen the graph since the last change.
  size_t quiet = 0;
  for (size_t i = 0; i < kMaxRounds * passes->size() && quiet < passes->size(); i++) {
    const Pass& pass = (*passes)[i % passes->size()];
    const absl::Time start = absl::Now();
    Graph next = pass.run(result);
    const absl::Duration time = absl::Now() - start;
    const bool changed = !(next == result);
    quiet = changed ? 0 : quiet + 1;
    if (options.log) options.log({pass.name, result, next, changed, time});
    if (changed) result = std::move(next);
    if (changed && options.verify) {
      if (const absl::Status status = Verify(result); !status.ok()) {
        return absl::InternalError(absl::StrCat("pass ", pass.name, ": ", status.message()));
      }
    }
  }
  return result;
}

}  // namespace talweg::passes
