#include "optim/schedule.h"

#include <numbers>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "ops/gather.h"

namespace talweg {
namespace {

constexpr Range kNonNegative = Range::AtLeast(0);
constexpr Range kPositive = Range::Above(0);
constexpr Range kFraction = Range::Between(0, 1);

Value ToFloat64(const Value& v) { return v.tape() == nullptr ? v : Cast(v, kFloat64); }

// The divisor, or 1 where it is 0 and the quotient will not be used.
Value Harmless(const Value& divisor) { return Select(Greater(divisor, 0), divisor, 1); }

// From a at f = 0 to b at f = 1 along half a cosine: b + (a - b) (1 + cos(pi f)) / 2.
Value HalfCosine(const Value& a, const Value& b, const Value& f) {
  return b + (a - b) * (1 + Cos(std::numbers::pi * f)) / 2;
}

// initial factor^(n / every), or its staircase; `factor` is the name by which users know the
// factor.
Schedule Powers(const ExponentialOptions& options, std::string_view factor) {
  return Schedule([o = options, name = std::string(factor)](ScheduleScope& s) {
    const Value steps = s.progress(o.unit) / s.Hyper("every", o.every, kPositive);
    return s.Hyper("initial", o.initial, kNonNegative) *
           Pow(s.Hyper(name, o.factor, kNonNegative), o.staircase ? Floor(steps) : steps);
  });
}

}  // namespace

ScheduleScope::ScheduleScope(HyperScope hypers, const Value& epoch, const Value& update,
                             const Value& updates_per_epoch)
    : hypers_(std::move(hypers)),
      epoch_(ToFloat64(epoch)),
      update_(ToFloat64(update)),
      updates_per_epoch_(ToFloat64(updates_per_epoch)) {}

Value ScheduleScope::Hyper(std::string_view name, const talweg::Hyper& hyper,
                           const Range& range) const {
  return hypers_.Get(name, hyper, range);
}

Value ScheduleScope::HyperList(std::string_view name, const std::vector<double>& numbers,
                               const Range& range) const {
  return hypers_.GetList(name, numbers, range);
}

ScheduleScope ScheduleScope::Within(std::string_view name) const {
  ScheduleScope inner = *this;
  inner.hypers_ = hypers_.Within(name);
  return inner;
}

ScheduleScope ScheduleScope::From(const Value& start, Unit unit) const {
  // Both parts of a chain are computed all the time, so counts stay at 0 until the start.
  const auto since = [](const Value& count, const Value& first) { return Max(count - first, 0); };
  const bool convertible = updates_per_epoch_.tape() != nullptr;
  ScheduleScope inner = *this;
  if (unit == kEpochs) {
    inner.epoch_ = since(epoch_, start);
    inner.update_ = convertible ? since(update_, start * updates_per_epoch_) : Value();
  } else {
    inner.update_ = since(update_, start);
    inner.epoch_ = convertible ? since(epoch_, Floor(start / updates_per_epoch_)) : Value();
  }
  return inner;
}

ScheduleScope ScheduleScope::AtStart() const {
  ScheduleScope inner = *this;
  inner.epoch_ = inner.update_ = Tape(hypers_.tape()).Constant(Array(0.0));
  return inner;
}

Value ScheduleScope::Fail(std::string_view what) const {
  const std::shared_ptr<TapeState>& tape = hypers_.tape().state();
  tape->SetError(absl::InvalidArgumentError("schedule: " + std::string(what)));
  return Value(tape, -1);
}

Schedule::Schedule(const Hyper& rate)
    : function_([rate](ScheduleScope& s) { return s.Hyper("value", rate, kNonNegative); }),
      constant_(rate) {}

Schedule::Schedule(Function function) : function_(std::move(function)) {}

Value Schedule::Rate(const ScheduleScope& scope) const {
  ScheduleScope s = scope;
  if (!function_) return s.Fail("its function is empty");
  const Value rate = function_(s);
  if (rate.tape() == nullptr) return s.Fail("its function returned a value of no tape");
  if (!rate.ok()) return rate;
  if (!IsFloat(rate.dtype()) || rate.rank() != 0) {
    return s.Fail("its function returned " + ToString(rate.type()) + "; it must be a float scalar");
  }
  return Cast(rate, kFloat64);
}

Schedule Schedule::SumOf(const Schedule& a, const Schedule& b) {
  return Schedule(
      [a, b](ScheduleScope& s) { return a.Rate(s.Within("first")) + b.Rate(s.Within("second")); });
}

Schedule Schedule::ProductOf(const Schedule& a, const Schedule& b) {
  return Schedule(
      [a, b](ScheduleScope& s) { return a.Rate(s.Within("first")) * b.Rate(s.Within("second")); });
}

Schedule TimeDecay(const TimeDecayOptions& options) {
  return Schedule([o = options](ScheduleScope& s) {
    const Value initial = s.Hyper("initial", o.initial, kNonNegative);
    // initial (1 / (1 + decay n))
    return initial * (1 / (1 + s.Hyper("decay", o.decay, kNonNegative) * s.progress(o.unit)));
  });
}

Schedule StepDecay(const StepDecayOptions& options) {
  return Powers({.initial = options.initial,
                 .factor = options.drop,
                 .every = options.every,
                 .staircase = true,
                 .unit = options.unit},
                "drop");
}

Schedule MultiStep(const MultiStepOptions& options) {
  return Schedule([o = options](ScheduleScope& s) {
    Value passed = Scalar(s.progress(o.unit), kFloat64, 0);
    for (size_t i = 0; i < o.at.size(); i++) {
      const Value at = s.Hyper(absl::StrCat("at_", i), o.at[i], kNonNegative);
      passed = passed + Cast(LessEqual(at, s.progress(o.unit)), kFloat64);
    }
    return s.Hyper("initial", o.initial, kNonNegative) *
           Pow(s.Hyper("drop", o.drop, kNonNegative), passed);
  });
}

Schedule Exponential(const ExponentialOptions& options) { return Powers(options, "factor"); }

Schedule Polynomial(const PolynomialOptions& options) {
  return Schedule([o = options](ScheduleScope& s) {
    const Value initial = s.Hyper("initial", o.initial, kNonNegative);
    const Value final = s.Hyper("final", o.final, kNonNegative);
    const Value length = s.Hyper("length", o.length, kPositive);
    const Value left = 1 - Min(s.progress(o.unit), length) / length;
    return final + (initial - final) * Pow(left, s.Hyper("power", o.power, kNonNegative));
  });
}

Schedule Cosine(const CosineOptions& options) {
  return Schedule([o = options](ScheduleScope& s) {
    const Value length = s.Hyper("length", o.length, kPositive);
    return HalfCosine(s.Hyper("initial", o.initial, kNonNegative),
                      s.Hyper("final", o.final, kNonNegative),
                      Min(s.progress(o.unit), length) / length);
  });
}

Schedule CosineRestarts(const CosineRestartsOptions& options) {
  return Schedule([o = options](ScheduleScope& s) {
    const Value initial = s.Hyper("initial", o.initial, kNonNegative);
    const Value final = s.Hyper("final", o.final, kNonNegative);
    const Value length = s.Hyper("length", o.length, kPositive);
    const Value stretch = s.Hyper("stretch", o.stretch, Range::AtLeast(1));
    const Value shrink = s.Hyper("shrink", o.shrink, kNonNegative);
    // Time in lengths of the first cycle. Cycle i starts at i where all are equally long, else
    // at (k^i - 1) / (k - 1), which is exact where k is an integer, so restarts are on time.
    const Value x = s.progress(o.unit) / length;
    const Value grows = Greater(stretch, 1);
    const Value k = Select(grows, stretch, 2);
    const auto start = [&](const Value& i) { return (Pow(k, i) - 1) / (k - 1); };
    // The logarithm may be a rounding error beside the integer.
    const Value guess = Floor(Log1p(x * (k - 1)) / Log(k));
    const Value late = Cast(GreaterEqual(x, start(guess + 1)), kFloat64);
    const Value early = Cast(Less(x, start(guess)), kFloat64);
    const Value cycle = Select(grows, guess + late - early, Floor(x));
    const Value f = Select(grows, (x - start(cycle)) / Pow(k, cycle), x - cycle);
    return HalfCosine(initial * Pow(shrink, cycle), final, f);
  });
}

Schedule WarmUp(const Hyper& length, const Schedule& then, const Hyper& start, Unit unit) {
  return Schedule([length, then, start, unit](ScheduleScope& s) {
    const Value& n = s.progress(unit);
    const Value end = s.Hyper("length", length, kNonNegative);
    const Value low = s.Hyper("start", start, kNonNegative);
    const Value high = then.Rate(s.Within("then").AtStart());
    const Value rising = low + (high - low) * (n / Harmless(end));
    return Select(Less(n, end), rising, then.Rate(s.Within("then").From(end, unit)));
  });
}

Schedule OneCycle(const OneCycleOptions& options) {
  return Schedule([o = options](ScheduleScope& s) {
    const Value peak = s.Hyper("peak", o.peak, kNonNegative);
    const Value length = s.Hyper("length", o.length, kPositive);
    const Value top = s.Hyper("rise", o.rise, kFraction) * length;
    const Value n = Min(s.progress(o.unit), length);
    const Value up =
        HalfCosine(peak * s.Hyper("start", o.start, kFraction), peak, n / Harmless(top));
    const Value down = HalfCosine(peak, peak * s.Hyper("final", o.final, kFraction),
                                  (n - top) / Harmless(length - top));
    return Select(Less(n, top), up, down);
  });
}

Schedule Piecewise(const PiecewiseOptions& options) {
  return Schedule([o = options](ScheduleScope& s) -> Value {
    if (o.rates.size() != o.boundaries.size() + 1) {
      return s.Fail(absl::StrCat("Piecewise has ", o.boundaries.size(), " boundaries and ",
                                 o.rates.size(),
                                 " rates; it needs one rate more than "
                                 "boundaries"));
    }
    Value rate = s.Hyper("rate_0", o.rates[0], kNonNegative);
    for (size_t i = 0; i < o.boundaries.size(); i++) {
      if (i > 0 && o.boundaries[i - 1].is_number() && o.boundaries[i].is_number() &&
          !(o.boundaries[i - 1].number() < o.boundaries[i].number())) {
        return s.Fail(absl::StrCat(
            "Piecewise has the boundary ", FormatNumber(o.boundaries[i].number()), " after ",
            FormatNumber(o.boundaries[i - 1].number()), "; boundaries must ascend"));
      }
      const Value at = s.Hyper(absl::StrCat("boundary_", i), o.boundaries[i], kNonNegative);
      const Value next = s.Hyper(absl::StrCat("rate_", i + 1), o.rates[i + 1], kNonNegative);
      rate = Select(LessEqual(at, s.progress(o.unit)), next, rate);
    }
    return rate;
  });
}

Schedule RateTable(const RateTableOptions& options) {
  return Schedule([o = options](ScheduleScope& s) -> Value {
    if (o.rates.empty()) return s.Fail("RateTable has no rates");
    const Value rates = s.HyperList("rates", o.rates, kNonNegative);
    const auto last = static_cast<double>(o.rates.size() - 1);
    return Gather(rates, Cast(Min(s.progress(o.unit), last), kInt64));
  });
}

Schedule Then(const Schedule& first, const Hyper& boundary, const Schedule& next, Unit unit) {
  return Schedule([first, boundary, next, unit](ScheduleScope& s) {
    const Value end = s.Hyper("boundary", boundary, kNonNegative);
    return Select(Less(s.progress(unit), end), first.Rate(s.Within("first")),
                  next.Rate(s.Within("next").From(end, unit)));
  });
}

Schedule Chain(const std::vector<ChainPart>& parts, const Schedule& last, Unit unit) {
  Schedule chain = last;
  for (size_t i = parts.size(); i-- > 0;) {
    chain = Then(parts[i].schedule, parts[i].length, chain, unit);
  }
  return chain;
}

}  // namespace talweg
