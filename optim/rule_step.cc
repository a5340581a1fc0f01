#include "optim/rule_step.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "optim/hyper.h"

namespace talweg {

absl::StatusOr<RuleStep> ApplyInStep(const Rule& rule, absl::Span<const NamedValue> parameters,
                                     absl::Span<const Value> gradients, const Arg& rate) {
  if (parameters.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(rule.name, ": no parameters"));
  }
  const Value& first = parameters[0].value;
  if (!first.ok()) return first.status();
  const Tape t(first.tape());
  const Value updates = t.Input("rule/updates", kInt64, {});
  const HyperScope hypers = HyperScope(t).Within("rule");
  const StateScope slots = StateScope(t).Within("rule");
  const Value number = rate.is_number() ? Scalar(first, kFloat64, rate) : rate.value();
  const absl::StatusOr<std::vector<Value>> next =
      Apply(rule, parameters, gradients, number, updates, hypers, slots);
  if (!next.ok()) return next.status();
  const absl::StatusOr<std::vector<Value>> next_slots = slots.Next();
  if (!next_slots.ok()) return next_slots.status();
  if (absl::Status status = hypers.Check(); !status.ok()) return status;

  RuleStep step;
  for (size_t i = 0; i < parameters.size(); i++) {
    step.carried.push_back({parameters[i].value, (*next)[i]});
  }
  step.carried.push_back({updates, updates + 1});
  step.start.insert({"rule/updates", Array(int64_t{0})});
  for (size_t i = 0; i < next_slots->size(); i++) {
    const StateSpec& spec = slots.specs()[i];
    const std::string name = absl::StrCat("state/", spec.name);
    step.carried.push_back({t.Input(name, spec.type.dtype, spec.type.shape), (*next_slots)[i]});
    absl::StatusOr<Array> start = StartOf(spec);
    if (!start.ok()) return start.status();
    step.start.insert({name, *std::move(start)});
  }
  for (auto& [name, array] : hypers.Bindings()) {
    const Value hyper = t.Input(name, array.dtype(), ToShape(array.dims()));
    step.carried.push_back({hyper, hyper});
    step.start.insert({name, array});
  }
  if (!t.status().ok()) return t.status();
  return step;
}

}  // namespace talweg
