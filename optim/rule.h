#ifndef TALWEG_OPTIM_RULE_H_
#define TALWEG_OPTIM_RULE_H_

#include <concepts>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/value.h"
#include "optim/hyper.h"
#include "optim/state.h"

namespace talweg {

// What a rule sees when it updates one parameter.
class RuleScope {
 public:
  RuleScope(const NamedValue& parameter, Value rate, Value decayed_rate, Value step,
            HyperScope hypers, StateScope state);

  // A hyper-parameter as a scalar of the parameter's element type, or in float64.
  Value Hyper(std::string_view name, const talweg::Hyper& hyper, const Range& range = {}) const;
  Value WideHyper(std::string_view name, const talweg::Hyper& hyper, const Range& range = {}) const;
  // A float64 scalar cast to the parameter's element type.
  Value Narrow(const Value& wide) const;

  // State of the parameter's shape and element type: the value after the last update.
  Value Slot(std::string_view name, double start = 0,
             std::source_location where = std::source_location::current());
  // A float64 scalar that all parameters share. Each must set the same next value.
  Value SharedScalar(std::string_view name, double start = 0,
                     std::source_location where = std::source_location::current());
  // Sets what Slot or SharedScalar gave. A slot that is read and never set is an error.
  void Set(std::string_view name, const Value& next,
           std::source_location where = std::source_location::current());

  // n, the number of updates made before this one: an int64 scalar.
  const Value& step() const { return step_; }
  // t = n + 1 as a float64 scalar.
  Value count() const;
  // Float64 scalars: the rate as schedules and adjustments left it, and divided by the decay.
  const Value& rate() const { return rate_; }
  const Value& decayed_rate() const { return decayed_rate_; }
  const std::string& parameter() const { return parameter_; }

 private:
  std::string parameter_;
  Type type_;
  Value rate_, decayed_rate_, step_;
  std::vector<std::string> shared_;  // names of SharedScalar
  HyperScope hypers_;
  StateScope state_;
};

// A rule turns a gradient into an increment. It sees symbols only, so it becomes part of the graph
// of the training step. `lr` is the decayed rate in the parameter's element type.
//
//   Rule momentum = [](RuleScope& s, Value p, Value g, Value lr) {
//     Value next = s.Hyper("momentum", 0.9) * s.Slot("velocity") - lr * g;
//     s.Set("velocity", next);
//     return next;                                        // p becomes p + next
//   };
//
// Scalars such as bias corrections are best computed in float64 (WideHyper, count(), rates) and
// narrowed at the end.
using UpdateFunction = std::function<Value(RuleScope& s, Value p, Value g, Value lr)>;

struct Rule {
  Rule(std::string name, UpdateFunction update)
      : name(std::move(name)), update(std::move(update)) {}
  template <typename F>
    requires std::is_invocable_r_v<Value, F&, RuleScope&, Value, Value, Value>
  Rule(F update) : Rule("rule", UpdateFunction(std::move(update))) {}  // NOLINT: a lambda is a rule

  std::string name;
  UpdateFunction update;
  // The rate of the rule's author, for a training that names none.
  double default_rate = 0.01;
  // The update uses rate * (1 / (1 + decay n)), n the number of updates before.
  Hyper decay = 0.0;
  // If there: all gradients are scaled by clipnorm / norm where the norm of all of them together is
  // at least clipnorm; then each element is brought into [-clipvalue, clipvalue]. As in Keras a
  // number that is 0 does not clip.
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};

// The parameters after one update: the one place where parameters change.
//
//   next = p + rule(p, clipped gradient, rate / (1 + decay step))
//
// `rate` is a float64 scalar, `step` an int64 scalar: the number of updates made before. Gradients
// have the types of their parameters. State gets the names "<parameter>/<slot>" and "<scalar>",
// hyper-parameters those that the rule gives them, "decay", "clipnorm" and "clipvalue"; prefixes
// are those of the scopes. Errors: numbers or types that do not fit, an increment of another type,
// and whatever the tape or the scopes have to say.
absl::StatusOr<std::vector<Value>> Apply(const Rule& rule, absl::Span<const NamedValue> parameters,
                                         absl::Span<const Value> gradients, const Value& rate,
                                         const Value& step, const HyperScope& hypers,
                                         const StateScope& state);

// The two clippings, for training loops of one's own. The norm is that of all elements of all
// gradients together, in float64; limits are numbers or float64 scalars, and those that are 0 do
// not clip.
std::vector<Value> ClipByGlobalNorm(absl::Span<const Value> gradients, const Arg& limit);
std::vector<Value> ClipByValue(absl::Span<const Value> gradients, const Arg& limit);

}  // namespace talweg

#endif  // TALWEG_OPTIM_RULE_H_
