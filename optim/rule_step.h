#ifndef TALWEG_OPTIM_RULE_STEP_H_
#define TALWEG_OPTIM_RULE_STEP_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/step.h"
#include "graph/value.h"
#include "optim/rule.h"
#include "optim/state.h"

namespace talweg {

// A rule (optim/rules.h) in a training loop of one's own, whose step carries what the rule keeps
// with each parameter:
//
//   absl::StatusOr<RuleStep> update =
//       ApplyInStep(Adam(), {{"w", w}, {"b", b}}, Gradient(loss, {w, b}), 0.001);
//   absl::StatusOr<Step> step = CompileStep(t, update->carried, {loss});
//   NamedArrays first = update->start;             // slots, counters and hyper-parameters
//   first.insert({{"w", w0}, {"b", b0}});
//   absl::StatusOr<State> state = step->Start(first);
struct RuleStep {
  // The parameters and, by the names of `start`, the rest: "rule/updates", the number of updates
  // made; "state/rule/w/m" and the like; and the hyper-parameters, "rule/beta_1", which stay as
  // they are until State::Set changes them.
  std::vector<Carry> carried;
  NamedArrays start;
};

// One update. Parameters are inputs of one tape, with their names; gradients have their types. The
// rate is a number or a float64 scalar: an input, or a schedule's value. Errors: those of Apply
// (rule.h); a parameter that is no input; no parameters; a hyper-parameter out of its range.
absl::StatusOr<RuleStep> ApplyInStep(const Rule& rule, absl::Span<const NamedValue> parameters,
                                     absl::Span<const Value> gradients, const Arg& rate);

}  // namespace talweg

#endif  // TALWEG_OPTIM_RULE_STEP_H_
