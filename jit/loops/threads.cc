// Which loops of a nest threads share.

#include <algorithm>

#include "absl/algorithm/container.h"
#include "jit/loops/guesses.h"
#include "jit/loops/macro.h"
#include "jit/loops/nest.h"

namespace talweg::loops {
namespace {

// Whether nothing in the block keeps it out of a parallel loop.
bool IsParallel(const Block& block) {
  return absl::c_all_of(block, [](const Statement& statement) {
    if (const auto* i = std::get_if<Instruction>(&statement.node)) return IsParallel(i->code);
    if (const auto* loop = std::get_if<For>(&statement.node)) {
      return !loop->parallel && IsParallel(loop->body);
    }
    if (const auto* branch = std::get_if<If>(&statement.node)) return IsParallel(branch->body);
    return false;
  });
}

}  // namespace

void Nest::SplitOverThreads(Section& section) const {
  const Machine& machine = level_.lowering().machine;
  const bool always = level_.lowering().options.split;
  if (section.once) return;
  for (Statement& statement : section.body) {
    auto* const loop = std::get_if<For>(&statement.node);
    // Others are those of a sum.
    if (loop == nullptr || !over_domain_.contains(loop->variable)) continue;
    const double cost = CostOfTrip(b_.program(), *loop, machine);
    double trips = kGuessedTripsToShare;
    if (loop->begin.reg == kNone && loop->end.reg == kNone) {
      trips = static_cast<double>((loop->end.value - loop->begin.value - 1) / loop->step + 1);
    }
    if (!always && (trips < 2 || trips * cost < kWorthSplitting)) continue;
    if (!IsParallel(loop->body)) continue;
    loop->parallel = true;
    loop->cost = static_cast<int64_t>(std::clamp(level_.TripCost(cost), 1.0, 0x1p62));
  }
}

}  // namespace talweg::loops
