#ifndef TALWEG_OPTIM_SCHEDULE_H_
#define TALWEG_OPTIM_SCHEDULE_H_

#include <concepts>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "graph/value.h"
#include "optim/hyper.h"

namespace talweg {

// What a schedule counts. Both counts start at 0.
enum class Unit { kEpochs, kUpdates };
inline constexpr Unit kEpochs = Unit::kEpochs;
inline constexpr Unit kUpdates = Unit::kUpdates;

// Where a training is, as a schedule sees it; all float64 scalars.
class ScheduleScope {
 public:
  // The counts may be of any number type. `updates_per_epoch` turns one unit into the other where a
  // chain needs it; without it (a Value of no tape) only the unit of the chain can be used in it.
  ScheduleScope(HyperScope hypers, const Value& epoch, const Value& update,
                const Value& updates_per_epoch);

  // Epochs finished, and updates made, before this one.
  const Value& epoch() const { return epoch_; }
  const Value& update() const { return update_; }
  const Value& progress(Unit unit) const { return unit == kEpochs ? epoch_ : update_; }
  Value Hyper(std::string_view name, const talweg::Hyper& hyper, const Range& range = {}) const;
  // Several numbers as one float64 input [n] (HyperScope::GetList).
  Value HyperList(std::string_view name, const std::vector<double>& numbers,
                  const Range& range = {}) const;

  // For schedules made of schedules: hyper-parameters named "name/...", ...
  ScheduleScope Within(std::string_view name) const;
  // ... and counts that are 0 at `start`. The epoch in which an update lies counts as a whole.
  ScheduleScope From(const Value& start, Unit unit) const;
  // ... or that are 0 altogether.
  ScheduleScope AtStart() const;

  // Reports a wrong option on the tape: "schedule: <what>".
  Value Fail(std::string_view what) const;

 private:
  HyperScope hypers_;
  Value epoch_, update_, updates_per_epoch_;
};

// The rate as a function of the time: a plain function from symbols to a float64 scalar. Numbers
// and Values are schedules that never change.
//
//   Training training{.rate = 0.01, ...};
//   Training training{.rate = WarmUp(5, Cosine({.initial = 0.1, .length = 195})), ...};
//   Schedule inverse_root = [](ScheduleScope& s) { return 0.1 * Rsqrt(s.update() + 1); };
//
// Numbers in schedules are hyper-parameters: inputs of the graph, that may change without a new
// compilation.
class Schedule {
 public:
  using Function = std::function<Value(ScheduleScope&)>;

  template <typename T>
    requires std::integral<T> || std::floating_point<T>
  Schedule(T rate) : Schedule(Hyper(rate)) {}             // NOLINT: a number is a schedule
  Schedule(const Value& rate) : Schedule(Hyper(rate)) {}  // NOLINT: so is a Value
  Schedule(const Hyper& rate);                            // NOLINT
  // Asked at each update.
  Schedule(Function function);
  template <typename F>
    requires std::is_invocable_r_v<Value, F&, ScheduleScope&>
  Schedule(F function) : Schedule(Function(std::move(function))) {}  // NOLINT: a lambda

  // The float64 scalar; cast if the function made another float. An error on the tape for anything
  // else.
  Value Rate(const ScheduleScope& scope) const;
  // The rate, where it never changes.
  const std::optional<Hyper>& constant() const { return constant_; }

  // Sums and products at each moment; a number scales. (Friends, so that nothing but a schedule
  // finds them: a + b of Values stays what it is.)
  friend Schedule operator+(const Schedule& a, const Schedule& b) { return SumOf(a, b); }
  friend Schedule operator*(const Schedule& a, const Schedule& b) { return ProductOf(a, b); }

 private:
  static Schedule SumOf(const Schedule& a, const Schedule& b);
  static Schedule ProductOf(const Schedule& a, const Schedule& b);

  Function function_;
  std::optional<Hyper> constant_;
};

// In the formulas n is the number of epochs, or of updates, as `unit` says. A length is not taken
// from the training: give it the training's epochs or, with kUpdates, its epochs times the batches
// of an epoch.

// initial / (1 + decay n)
struct TimeDecayOptions {
  Hyper initial = 0.01;
  Hyper decay = 0.01;
  Unit unit = kEpochs;
};
Schedule TimeDecay(const TimeDecayOptions& options = {});

// initial drop^floor(n / every)
struct StepDecayOptions {
  Hyper initial = 0.01;
  Hyper drop = 0.5;
  Hyper every = 10;
  Unit unit = kEpochs;
};
Schedule StepDecay(const StepDecayOptions& options = {});

// initial drop^(how many of `at` are <= n)
struct MultiStepOptions {
  Hyper initial = 0.01;
  Hyper drop = 0.1;
  std::vector<Hyper> at = {};
  Unit unit = kEpochs;
};
Schedule MultiStep(const MultiStepOptions& options);

// initial factor^(n / every); `staircase` rounds the exponent down.
struct ExponentialOptions {
  Hyper initial = 0.01;
  Hyper factor = 0.96;
  Hyper every = 1;
  bool staircase = false;
  Unit unit = kEpochs;
};
Schedule Exponential(const ExponentialOptions& options = {});

// final + (initial - final) (1 - min(n, length) / length)^power
struct PolynomialOptions {
  Hyper initial = 0.01;
  Hyper final = 0.0;
  Hyper length = 100;
  Hyper power = 1.0;
  Unit unit = kEpochs;
};
Schedule Polynomial(const PolynomialOptions& options = {});

// final + (initial - final) (1 + cos(pi min(n, length) / length)) / 2
struct CosineOptions {
  Hyper initial = 0.01;
  Hyper final = 0.0;
  Hyper length = 100;
  Unit unit = kEpochs;
};
Schedule Cosine(const CosineOptions& options = {});

// The cosine again and again (Loshchilov and Hutter 2017): cycle i = 0, 1, ... is
// length stretch^i long and starts at initial shrink^i.
struct CosineRestartsOptions {
  Hyper initial = 0.01;
  Hyper final = 0.0;
  Hyper length = 10;
  Hyper stretch = 1.0;  // at least 1
  Hyper shrink = 1.0;
  Unit unit = kEpochs;
};
Schedule CosineRestarts(const CosineRestartsOptions& options = {});

// A straight line from `start` at n = 0 to the first rate of `then` at n = length, from where on
// `then` runs as if its time began there.
Schedule WarmUp(const Hyper& length, const Schedule& then, const Hyper& start = 0.0,
                Unit unit = kEpochs);

// Up from peak * start to peak in `rise` of the length, then down to peak * final at the end, both
// along half a cosine (Smith and Topin 2018). The defaults are PyTorch's, whose own counts its
// steps slightly differently.
struct OneCycleOptions {
  Hyper peak = 0.1;
  Hyper length = 100;
  Hyper rise = 0.3;        // a fraction of the length
  Hyper start = 1 / 25.0;  // a fraction of the peak
  Hyper final = 1 / 25e4;
  Unit unit = kEpochs;
};
Schedule OneCycle(const OneCycleOptions& options = {});

// rates[i] where i is the number of boundaries that are <= n: one rate more than boundaries, which
// ascend.
struct PiecewiseOptions {
  std::vector<Hyper> boundaries = {};
  std::vector<Hyper> rates = {};
  Unit unit = kEpochs;
};
Schedule Piecewise(const PiecewiseOptions& options);

// rates[floor(n)], and the last of them from there on: a rate of its own for each epoch. All are
// one input, float64 [rates.size()], called "schedule/rates" in a training; other rates need no new
// compilation, and train/hypergradient.h finds the derivative by each of them.
struct RateTableOptions {
  std::vector<double> rates = {};
  Unit unit = kEpochs;
};
Schedule RateTable(const RateTableOptions& options);

// `first` until n = boundary, then `next`, whose time begins there.
Schedule Then(const Schedule& first, const Hyper& boundary, const Schedule& next,
              Unit unit = kEpochs);
// A chain: each of `parts` with its own length, then `last` for ever. As it is made by Then, the
// numbers of its second part are called "next/first/initial" and the like, and its length
// "next/boundary".
struct ChainPart {
  Schedule schedule;
  Hyper length;
};
Schedule Chain(const std::vector<ChainPart>& parts, const Schedule& last, Unit unit = kEpochs);

}  // namespace talweg

#endif  // TALWEG_OPTIM_SCHEDULE_H_
