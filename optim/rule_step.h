#ifndef TALWEG_OPTIM_RULE_STEP_H_
#define TALWEG_OPTIM_RULE_STEP_H_

#include <string_view>
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
  // they are until State::Set changes them (to any number: only those of the rule's options are
  // checked).
  std::vector<Carry> carried;
  NamedArrays start;
};

// One update. Parameters are inputs of one tape, with their names; gradients have their types. The
// rate is a number or a float64 scalar: an input, or made of the number of updates before, which is
// t.Input("rule/updates", kInt64, {}). Two rules in one step, each for parameters of its own, need
// two names in place of "rule". Errors: those of Apply (rule.h); a parameter that is no input, or
// has a run-time extent; no parameters; a rate or hyper-parameter out of its range.
absl::StatusOr<RuleStep> ApplyInStep(const Rule& rule, absl::Span<const NamedValue> parameters,
                                     absl::Span<const Value> gradients, const Arg& rate,
                                     std::string_view name = "rule");

}  // namespace talweg

#endif  // TALWEG_OPTIM_RULE_STEP_H_
