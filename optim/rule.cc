#include "optim/rule.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace talweg {

RuleScope::RuleScope(const NamedValue& parameter, Value rate, Value decayed_rate, Value step,
                     HyperScope hypers, StateScope state)
    : parameter_(parameter.name),
      type_(parameter.value.type()),
      rate_(std::move(rate)),
      decayed_rate_(std::move(decayed_rate)),
      step_(std::move(step)),
      hypers_(std::move(hypers)),
      state_(std::move(state)) {}

Value RuleScope::Hyper(std::string_view name, const talweg::Hyper& hyper,
                       const Range& range) const {
  return Narrow(WideHyper(name, hyper, range));
}

Value RuleScope::WideHyper(std::string_view name, const talweg::Hyper& hyper,
                           const Range& range) const {
  return hypers_.Get(name, hyper, range);
}

Value RuleScope::Narrow(const Value& wide) const { return Cast(wide, type_.dtype); }

Value RuleScope::Slot(std::string_view name, double start, std::source_location where) {
  return state_.Within(parameter_).Get(name, type_, start, where);
}

Value RuleScope::SharedScalar(std::string_view name, double start, std::source_location where) {
  shared_.emplace_back(name);
  return state_.Get(name, {kFloat64, {}}, start, where);
}

void RuleScope::Set(std::string_view name, const Value& next, std::source_location where) {
  const bool shared = std::find(shared_.begin(), shared_.end(), name) != shared_.end();
  (shared ? state_ : state_.Within(parameter_)).Set(name, next, where);
}

Value RuleScope::count() const { return Cast(step_, kFloat64) + 1; }

std::vector<Value> ClipByGlobalNorm(absl::Span<const Value> gradients, const Arg& limit) {
  if (gradients.empty()) return {};
  // norm = sqrt(sum over all gradients of sum g^2)
  Value squares;
  for (const Value& g : gradients) {
    const Value sum = Sum(Square(Cast(g, kFloat64)));
    squares = squares.tape() == nullptr ? sum : squares + sum;
  }
  const Value norm = Sqrt(squares);
  // g limit / norm where norm >= limit. The division is kept harmless where it is not used, so that
  // no NaN gets into derivatives of the update.
  const Value most = ToValue(limit, norm);
  const Value clips = And(GreaterEqual(norm, most), Greater(most, 0));
  const Value scale = Select(clips, most / Select(clips, norm, 1), 1);
  std::vector<Value> clipped;
  for (const Value& g : gradients) clipped.push_back(g * Cast(scale, g.dtype()));
  return clipped;
}

std::vector<Value> ClipByValue(absl::Span<const Value> gradients, const Arg& limit) {
  if (gradients.empty() || !gradients[0].ok()) return {gradients.begin(), gradients.end()};
  const Value most = limit.is_number() ? Scalar(gradients[0], kFloat64, limit) : limit.value();
  const Value bound = Select(Greater(most, 0), most, std::numeric_limits<double>::infinity());
  std::vector<Value> clipped;
  for (const Value& g : gradients) {
    const Value narrow = Cast(bound, g.dtype());
    clipped.push_back(Min(Max(g, -narrow), narrow));
  }
  return clipped;
}

namespace {

absl::Status CheckArguments(const Rule& rule, absl::Span<const NamedValue> parameters,
                            absl::Span<const Value> gradients, const Value& rate,
                            const Value& step) {
  const auto error = [&](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(rule.name, ": ", parts...));
  };
  if (parameters.size() != gradients.size()) {
    return error(parameters.size(), " parameters, but ", gradients.size(), " gradients");
  }
  for (const Value& v : {rate, step}) {
    if (!v.ok()) return v.status();
  }
  if (rate.type() != Type{kFloat64, {}}) {
    return error("the rate is ", ToString(rate.type()), "; it must be a float64 scalar");
  }
  if (step.type() != Type{kInt64, {}}) {
    return error("the step is ", ToString(step.type()), "; it must be an int64 scalar");
  }
  for (size_t i = 0; i < parameters.size(); i++) {
    const Value &p = parameters[i].value, &g = gradients[i];
    if (!p.ok()) return p.status();
    if (!g.ok()) return g.status();
    if (!IsFloat(p.dtype())) {
      return error("parameter ", parameters[i].name, " is ", ToString(p.type()),
                   "; only floats can be trained");
    }
    if (g.type() != p.type()) {
      return error("parameter ", parameters[i].name, " is ", ToString(p.type()),
                   ", but its gradient is ", ToString(g.type()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Value>> Apply(const Rule& rule, absl::Span<const NamedValue> parameters,
                                         absl::Span<const Value> gradients, const Value& rate,
                                         const Value& step, const HyperScope& hypers,
                                         const StateScope& state) {
  if (!rule.update) {
    return absl::InvalidArgumentError(absl::StrCat(rule.name, ": the rule is empty"));
  }
  if (absl::Status status = CheckArguments(rule, parameters, gradients, rate, step); !status.ok()) {
    return status;
  }
  std::vector<Value> clipped(gradients.begin(), gradients.end());
  if (rule.clipnorm.has_value()) {
    clipped = ClipByGlobalNorm(clipped, hypers.Get("clipnorm", *rule.clipnorm, Range::AtLeast(0)));
  }
  if (rule.clipvalue.has_value()) {
    clipped = ClipByValue(clipped, hypers.Get("clipvalue", *rule.clipvalue, Range::AtLeast(0)));
  }
  // lr = rate (1 / (1 + decay n))
  const Value decay = hypers.Get("decay", rule.decay, Range::AtLeast(0));
  const Value decayed = rate * (1 / (1 + decay * Cast(step, kFloat64)));

  std::vector<Value> updated;
  for (size_t i = 0; i < parameters.size(); i++) {
    const Value& p = parameters[i].value;
    RuleScope scope(parameters[i], rate, decayed, step, hypers, state);
    const Value increment = rule.update(scope, p, clipped[i], Cast(decayed, p.dtype()));
    if (!state.status().ok()) return state.status();
    if (increment.tape() == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(rule.name, ": parameter ", parameters[i].name,
                                                     " is ", ToString(p.type()),
                                                     ", but the rule returned a value of no tape"));
    }
    if (!increment.ok()) return increment.status();
    if (increment.type() != p.type()) {
      return absl::InvalidArgumentError(
          absl::StrCat(rule.name, ": parameter ", parameters[i].name, " is ", ToString(p.type()),
                       ", but the rule's increment is ", ToString(increment.type())));
    }
    updated.push_back(p + increment);
  }
  // Hyper-parameters are on an outer tape, where an error is no error of the body.
  for (const Tape& tape : {state.tape(), hypers.tape()}) {
    if (!tape.status().ok()) return tape.status();
  }
  return updated;
}

}  // namespace talweg
