#include "optim/rule_step.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "optim/hyper.h"

namespace talweg {

absl::StatusOr<RuleStep> ApplyInStep(const Rule& rule, absl::Span<const NamedValue> parameters,
                                     absl::Span<const Value> gradients, const Arg& rate,
                                     std::string_view name) {
  const auto error = [&rule](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(rule.name, ": ", parts...));
  };
  if (parameters.empty()) return error("no parameters");
  for (const NamedValue& parameter : parameters) {
    const Value& p = parameter.value;
    if (!p.ok()) return p.status();
    if (p.node().kind() != Kind::kInput || p.tape() != parameters[0].value.tape()) {
      return error("parameter ", parameter.name, " is no input of the step's tape");
    }
    if (!IsStatic(p.shape())) {
      return error("parameter ", parameter.name, " is ", ToString(p.type()),
                   "; its extents must be known");
    }
  }
  if (rate.is_number() && !kRates.Contains(rate.number())) {
    return error("the rate is ", FormatNumber(rate.number()), "; it must be ", kRates.ToString());
  }
  const Value& first = parameters[0].value;
  const Tape t(first.tape());
  const std::string count = absl::StrCat(AbslView(name), "/updates");
  const Value updates = t.Input(count, kInt64, {});
  const HyperScope hypers = HyperScope(t).Within(name);
  const StateScope slots = StateScope(t).Within(name);
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
  step.start.insert({count, Array(int64_t{0})});
  for (size_t i = 0; i < next_slots->size(); i++) {
    const StateSpec& spec = slots.specs()[i];
    const std::string slot = absl::StrCat("state/", spec.name);
    step.carried.push_back({t.Input(slot, spec.type.dtype, spec.type.shape), (*next_slots)[i]});
    absl::StatusOr<Array> start = StartOf(spec);
    if (!start.ok()) return start.status();
    step.start.insert({slot, *std::move(start)});
  }
  for (const auto& [hyper, array] : hypers.Bindings()) {
    const Value present = t.Input(hyper, array.dtype(), ToShape(array.dims()));
    step.carried.push_back({present, present});
    step.start.insert({hyper, array});
  }
  if (!t.status().ok()) return t.status();
  return step;
}

}  // namespace talweg
