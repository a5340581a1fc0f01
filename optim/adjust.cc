#include "optim/adjust.h"

#include <set>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "ops/elementwise.h"

namespace talweg {

AdjustScope::AdjustScope(const Moment& moment, Adjustable* adjustable, HyperScope hypers,
                         StateScope state)
    : moment_(moment),
      adjustable_(adjustable),
      hypers_(std::move(hypers)),
      state_(std::move(state)) {}

Value AdjustScope::Metric(std::string_view name) const {
  for (const NamedValue& metric : moment_.metrics) {
    if (metric.name == name) return metric.value;
  }
  const std::string known =
      absl::StrJoin(moment_.metrics, ", ",
                    [](std::string* out, const NamedValue& m) { absl::StrAppend(out, m.name); });
  const auto of_validation = [](std::string_view metric) { return metric.starts_with("val_"); };
  const bool lacks_data =
      !known.empty() && of_validation(name) &&
      absl::c_none_of(moment_.metrics, [&](const NamedValue& m) { return of_validation(m.name); });
  Fail(absl::StrCat("there is no metric ", Quoted(name),
                    known.empty() ? " at this moment" : "; there are ", known,
                    lacks_data ? "; those of validation need its data" : ""));
  return Value(state_.tape().state(), -1);
}

Value AdjustScope::Measured(std::string_view name) const {
  for (const NamedValue& measured : moment_.measured) {
    if (measured.name == name) return measured.value;
  }
  if (const Value metric = Metric(name); !metric.ok()) return metric;
  return Tape(state_.tape()).Constant(Array(true));
}

void AdjustScope::SetRate(Arg rate) const {
  const Value next = ToValue(rate, adjustable_->rate);
  if (next.tape() == nullptr) {
    Fail("the rate is set to a value of no tape; it must be a float64 scalar");
    return;
  }
  if (next.ok() && next.type() != Type{kFloat64, {}}) {
    Fail(absl::StrCat("the rate is set to ", ToString(next.type()),
                      "; it must be a float64 scalar"));
    return;
  }
  adjustable_->rate = next;
}

Value AdjustScope::Hyper(std::string_view name, const talweg::Hyper& hyper,
                         const Range& range) const {
  return hypers_.Get(name, hyper, range);
}

Value AdjustScope::State(std::string_view name, double start, std::source_location where) const {
  return state_.Get(name, {kFloat64, {}}, start, where);
}

void AdjustScope::Set(std::string_view name, Arg next, std::source_location where) const {
  state_.Set(name, ToValue(next, adjustable_->rate), where);
}

void AdjustScope::Stop(const Value& when) const {
  if (when.tape() == nullptr) {
    Fail("it stops on a value of no tape; that must be a bool scalar");
    return;
  }
  if (when.ok() && when.type() != Type{kBool, {}}) {
    Fail(absl::StrCat("it stops on ", ToString(when.type()), "; that must be a bool scalar"));
    return;
  }
  Value& stop = adjustable_->stop;
  stop = stop.tape() == nullptr ? when : Or(stop, when);
}

bool AdjustScope::HasParameter(size_t i) const {
  if (i < parameters().size()) return true;
  Fail(absl::StrCat("there is no parameter ", i, "; there are ", parameters().size()));
  return false;
}

void AdjustScope::SetParameter(size_t i, const Value& next) const {
  if (!HasParameter(i)) return;
  NamedValue& parameter = adjustable_->parameters[i];
  if (next.tape() == nullptr) {
    Fail(absl::StrCat("parameter ", parameter.name, " is ", ToString(parameter.value.type()),
                      ", but is set to a value of no tape"));
    return;
  }
  if (next.ok() && next.type() != parameter.value.type()) {
    Fail(absl::StrCat("parameter ", parameter.name, " is ", ToString(parameter.value.type()),
                      ", but is set to ", ToString(next.type())));
    return;
  }
  parameter.value = next;
}

Value AdjustScope::Snapshot(size_t i) const {
  if (!HasParameter(i)) return Value(state_.tape().state(), -1);
  const NamedValue& parameter = adjustable_->parameters[i];
  return state_.Within("snapshot").Get(parameter.name, parameter.value.type());
}

void AdjustScope::SetSnapshot(size_t i, const Value& next) const {
  if (!HasParameter(i)) return;
  state_.Within("snapshot").Set(adjustable_->parameters[i].name, next);
}

void AdjustScope::Fail(std::string_view what) const {
  std::string name = hypers_.prefix();
  if (!name.empty()) name.pop_back();  // the slash
  state_.tape().state()->SetError(
      absl::InvalidArgumentError(absl::StrCat(name, ": ", std::string(what))));
}

namespace {

const Adjustment::Function& HookOf(AdjustEvent event, const Adjustment& adjustment) {
  switch (event) {
    case AdjustEvent::kEpochBegin:
      return adjustment.begin;
    case AdjustEvent::kBatchEnd:
      return adjustment.batch_end;
    case AdjustEvent::kEpochEnd:
      break;
  }
  return adjustment.end;
}

}  // namespace

bool Acts(AdjustEvent event, absl::Span<const Adjustment> adjustments) {
  for (const Adjustment& adjustment : adjustments) {
    if (HookOf(event, adjustment) != nullptr) return true;
  }
  return false;
}

absl::StatusOr<Adjustable> Adjust(AdjustEvent event, absl::Span<const Adjustment> adjustments,
                                  const Moment& moment, const Adjustable& before,
                                  const HyperScope& hypers, const StateScope& state) {
  const auto check_scalar = [](std::string_view name, const Value& v) {
    if (!v.ok()) return v.status();
    if (v.type() == Type{kFloat64, {}}) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("adjust: ", std::string(name), " is ",
                                                   ToString(v.type()),
                                                   "; it must be a float64 scalar"));
  };
  if (absl::Status status = check_scalar("the rate", before.rate); !status.ok()) return status;
  for (const NamedValue& metric : moment.metrics) {
    absl::Status status = check_scalar("metric " + metric.name, metric.value);
    if (!status.ok()) return status;
  }
  Adjustable adjusted = before;
  std::set<std::string> names;
  for (const Adjustment& adjustment : adjustments) {
    // Named whether it acts at this moment or not, so that its names are the same at all of them.
    std::string name = adjustment.name;
    for (int i = 1; !names.insert(name).second; i++) name = absl::StrCat(adjustment.name, "_", i);
    const Adjustment::Function& hook = HookOf(event, adjustment);
    if (hook == nullptr) continue;
    AdjustScope scope(moment, &adjusted, hypers.Within(name), state.Within(name));
    hook(scope);
    if (event == AdjustEvent::kEpochBegin && adjusted.stop.tape() != nullptr) {
      scope.Fail("it stops before an epoch; only `end` and `batch_end` can stop");
    }
    if (!state.status().ok()) return state.status();
    // Hyper-parameters are on an outer tape, where an error is no error of the body.
    for (const Tape& tape : {state.tape(), hypers.tape()}) {
      if (!tape.status().ok()) return tape.status();
    }
  }
  return adjusted;
}

}  // namespace talweg
