#include "optim/adjustments.h"

#include <limits>
#include <utility>

#include "base/text.h"
#include "ops/elementwise.h"
#include "optim/monitor.h"

namespace talweg {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Range kNonNegative = Range::AtLeast(0);

// `none` after an unknown mode, which is reported.
std::optional<bool> WantsGreater(const AdjustScope& s, const std::string& mode,
                                 const std::string& monitor) {
  const absl::StatusOr<bool> greater = GreaterIsBetter(mode, monitor);
  if (greater.ok()) return *greater;
  s.Fail(StdView(greater.status().message()));
  return std::nullopt;
}

}  // namespace

Adjustment LearningRateScheduler(RateFunction function) {
  return {.name = "LearningRateScheduler",
          .begin = [function = std::move(function)](AdjustScope& s) {
            if (!function) return s.Fail("the function is empty");
            s.SetRate(function(Cast(s.epoch(), kFloat64), s.rate()));
          }};
}

Adjustment LearningRateScheduler(Schedule schedule) {
  return {
      .name = "LearningRateScheduler", .begin = [schedule = std::move(schedule)](AdjustScope& s) {
        const Moment& now = s.moment();
        s.SetRate(
            schedule.Rate(ScheduleScope(s.hypers(), now.epoch, now.update, now.updates_per_epoch)));
      }};
}

Adjustment ReduceLROnPlateau(const PlateauOptions& options) {
  const auto end = [o = options](AdjustScope& s) {
    const std::optional<bool> greater = WantsGreater(s, o.mode, o.monitor);
    const Value current = s.Metric(o.monitor), measured = s.Measured(o.monitor);
    if (!greater.has_value() || !current.ok()) return;
    const Value factor = s.Hyper("factor", o.factor, Range::HalfOpen(0, 1));
    const Value patience = s.Hyper("patience", o.patience, kNonNegative);
    const Value min_delta = s.Hyper("min_delta", o.min_delta);
    const Value cooldown = s.Hyper("cooldown", o.cooldown, kNonNegative);
    const Value min_lr = s.Hyper("min_lr", o.min_lr, kNonNegative);

    const Value best = s.State("best", *greater ? -kInfinity : kInfinity);
    // While it cools down `wait` is 0 already: the reduction set it, and nothing counts.
    const Value left = Max(s.State("cooldown_counter") - Cast(measured, kFloat64), 0);
    const Value wait = s.State("wait");

    const Value improved =
        *greater ? Greater(current, best + min_delta) : Less(current, best - min_delta);
    const Value waits = And(And(measured, Not(improved)), Not(Greater(left, 0)));
    const Value waited = Select(waits, wait + 1, wait);
    const Value reduces =
        And(And(waits, GreaterEqual(waited, patience)), Greater(s.rate(), min_lr));

    s.Set("best", Select(improved, current, best));
    s.Set("wait", Select(Or(improved, reduces), 0, waited));
    s.Set("cooldown_counter", Select(reduces, cooldown, left));
    s.SetRate(Select(reduces, Max(s.rate() * factor, min_lr), s.rate()));
  };
  return {.name = "ReduceLROnPlateau", .end = end};
}

Adjustment EarlyStopping(const EarlyStoppingOptions& options) {
  const auto end = [o = options](AdjustScope& s) {
    const std::optional<bool> greater = WantsGreater(s, o.mode, o.monitor);
    const Value current = s.Metric(o.monitor), measured = s.Measured(o.monitor);
    if (!greater.has_value() || !current.ok()) return;
    const Value patience = s.Hyper("patience", o.patience, kNonNegative);
    const Value min_delta = s.Hyper("min_delta", o.min_delta);

    // The baseline may change without a new compilation, so it can not be where `best` starts.
    const Value found = Greater(s.State("found"), 0);
    const Value best = s.State("best", *greater ? -kInfinity : kInfinity);
    const Value limit =
        o.baseline.has_value() ? Select(found, best, s.Hyper("baseline", *o.baseline)) : best;
    const Value improved =
        *greater ? Greater(current - min_delta, limit) : Less(current + min_delta, limit);
    const Value waited = Select(improved, 0, s.State("wait") + Cast(measured, kFloat64));
    const Value stops = And(And(measured, Not(improved)), GreaterEqual(waited, patience));

    s.Set("found", Cast(Or(found, improved), kFloat64));
    s.Set("best", Select(improved, current, best));
    s.Set("wait", waited);
    s.Stop(stops);
    if (!o.restore_best_weights) return;
    for (size_t i = 0; i < s.parameters().size(); i++) {
      const Value p = s.parameters()[i].value, snapshot = s.Snapshot(i);
      s.SetSnapshot(i, Select(improved, p, snapshot));
      s.SetParameter(i, Select(And(stops, found), snapshot, p));
    }
  };
  return {.name = "EarlyStopping", .end = end};
}

Adjustment TerminateOnNaN() {
  return {.name = "TerminateOnNaN",
          .batch_end = [](AdjustScope& s) { s.Stop(Not(Less(Abs(s.Metric("loss")), kInfinity))); }};
}

}  // namespace talweg
