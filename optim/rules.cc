#include "optim/rules.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "ops/elementwise.h"

namespace talweg {
namespace {

constexpr Range kNonNegative = Range::AtLeast(0);
constexpr Range kFraction = Range::Between(0, 1);
constexpr Range kBelowOne = Range::HalfOpen(0, 1);

// Options that all of Keras's rules share. `decay` is missing in some.
template <typename Options>
Rule MakeRule(std::string name, double default_rate, const Options& options,
              UpdateFunction update) {
  Rule rule(std::move(name), std::move(update));
  rule.default_rate = default_rate;
  if constexpr (requires { options.decay; }) rule.decay = options.decay;
  rule.clipnorm = options.clipnorm;
  rule.clipvalue = options.clipvalue;
  return rule;
}

// beta x + (1 - beta) y, the weights computed in float64.
Value Mix(RuleScope& s, const Value& beta, const Value& x, const Value& y) {
  return s.Narrow(beta) * x + s.Narrow(1 - beta) * y;
}

// The moving mean in a slot: slot = beta slot + (1 - beta) x.
Value MovingMean(RuleScope& s, std::string_view slot, const Value& beta, const Value& x) {
  const Value next = Mix(s, beta, s.Slot(slot), x);
  s.Set(slot, next);
  return next;
}

bool Decays(const ParameterFilter& filter, const RuleScope& s) {
  return filter == nullptr || filter(s.parameter());
}

}  // namespace

Rule Sgd(const SgdOptions& options) {
  return MakeRule("sgd", 0.01, options, [o = options](RuleScope& s, Value, Value g, Value lr) {
    const Value momentum = s.Hyper("momentum", o.momentum, kNonNegative);
    // v = momentum v - lr g
    const Value velocity = momentum * s.Slot("velocity") - lr * g;
    s.Set("velocity", velocity);
    return o.nesterov ? momentum * velocity - lr * g : velocity;
  });
}

Rule RmsProp(const RmsPropOptions& options) {
  return MakeRule("rmsprop", 0.001, options, [o = options](RuleScope& s, Value, Value g, Value lr) {
    const Value rho = s.WideHyper("rho", o.rho, kFraction);
    const Value epsilon = s.Hyper("epsilon", o.epsilon, kNonNegative);
    // a = rho a + (1 - rho) g^2
    const Value a = MovingMean(s, "accumulator", rho, Square(g));
    return -(lr * g / (Sqrt(a) + epsilon));
  });
}

Rule Adagrad(const AdagradOptions& options) {
  return MakeRule("adagrad", 0.01, options, [o = options](RuleScope& s, Value, Value g, Value lr) {
    const Value epsilon = s.Hyper("epsilon", o.epsilon, kNonNegative);
    // a = a + g^2
    const Value a = s.Slot("accumulator") + Square(g);
    s.Set("accumulator", a);
    return -(lr * g / (Sqrt(a) + epsilon));
  });
}

Rule Adadelta(const AdadeltaOptions& options) {
  return MakeRule("adadelta", 1.0, options, [o = options](RuleScope& s, Value, Value g, Value lr) {
    const Value rho = s.WideHyper("rho", o.rho, kFraction);
    const Value epsilon = s.Hyper("epsilon", o.epsilon, kNonNegative);
    const Value a = MovingMean(s, "accumulator", rho, Square(g));
    // u = g sqrt(d + e) / sqrt(a + e), with the d of the update before
    const Value u = g * Sqrt(s.Slot("delta_accumulator") + epsilon) / Sqrt(a + epsilon);
    MovingMean(s, "delta_accumulator", rho, Square(u));
    return -(lr * u);
  });
}

Rule Adam(const AdamOptions& options) {
  return MakeRule("adam", 0.001, options, [o = options](RuleScope& s, Value, Value g, Value) {
    const Value beta_1 = s.WideHyper("beta_1", o.beta_1, kBelowOne);
    const Value beta_2 = s.WideHyper("beta_2", o.beta_2, kBelowOne);
    const Value epsilon = s.Hyper("epsilon", o.epsilon, kNonNegative);
    const Value m = MovingMean(s, "m", beta_1, g);
    Value v = MovingMean(s, "v", beta_2, Square(g));
    if (o.amsgrad) {
      v = Max(s.Slot("greatest_v"), v);
      s.Set("greatest_v", v);
    }
    // lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t)
    const Value t = s.count();
    const Value lr_t = s.decayed_rate() * (Sqrt(1 - Pow(beta_2, t)) / (1 - Pow(beta_1, t)));
    return -(s.Narrow(lr_t) * m / (Sqrt(v) + epsilon));
  });
}

Rule Adamax(const AdamaxOptions& options) {
  return MakeRule("adamax", 0.002, options, [o = options](RuleScope& s, Value, Value g, Value) {
    const Value beta_1 = s.WideHyper("beta_1", o.beta_1, kBelowOne);
    const Value beta_2 = s.Hyper("beta_2", o.beta_2, kBelowOne);
    const Value epsilon = s.Hyper("epsilon", o.epsilon, kNonNegative);
    const Value m = MovingMean(s, "m", beta_1, g);
    // u = max(beta_2 u, |g|)
    const Value u = Max(beta_2 * s.Slot("u"), Abs(g));
    s.Set("u", u);
    const Value lr_t = s.decayed_rate() / (1 - Pow(beta_1, s.count()));
    return -(s.Narrow(lr_t) * m / (u + epsilon));
  });
}

Rule Nadam(const NadamOptions& options) {
  return MakeRule("nadam", 0.002, options, [o = options](RuleScope& s, Value, Value g, Value lr) {
    const Value beta_1 = s.WideHyper("beta_1", o.beta_1, kBelowOne);
    const Value beta_2 = s.WideHyper("beta_2", o.beta_2, kBelowOne);
    const Value warming = s.WideHyper("schedule_decay", o.schedule_decay, kNonNegative);
    const Value epsilon = s.Hyper("epsilon", o.epsilon, kNonNegative);
    // mu(t) = beta_1 (1 - 0.96^(schedule_decay t) / 2)
    const auto mu = [&](const Value& t) { return beta_1 * (1 - 0.5 * Pow(0.96, t * warming)); };
    const Value t = s.count();
    const Value mu_t = mu(t), mu_next = mu(t + 1);
    const Value product = s.SharedScalar("momentum_product", 1) * mu_t;
    s.Set("momentum_product", product);
    // g' = g / (1 - S);   m' = m / (1 - S mu(t+1));   v' = v / (1 - beta_2^t)
    const Value g_hat = g / s.Narrow(1 - product);
    const Value m_hat = MovingMean(s, "m", beta_1, g) / s.Narrow(1 - product * mu_next);
    const Value v_hat = MovingMean(s, "v", beta_2, Square(g)) / s.Narrow(1 - Pow(beta_2, t));
    const Value direction = s.Narrow(1 - mu_t) * g_hat + s.Narrow(mu_next) * m_hat;
    return -(lr * direction / (Sqrt(v_hat) + epsilon));
  });
}

Rule AdamW(const AdamWOptions& options) {
  return MakeRule("adamw", 0.001, options, [o = options](RuleScope& s, Value p, Value g, Value lr) {
    const Value beta_1 = s.WideHyper("beta_1", o.beta_1, kBelowOne);
    const Value beta_2 = s.WideHyper("beta_2", o.beta_2, kBelowOne);
    const Value epsilon = s.Hyper("epsilon", o.epsilon, kNonNegative);
    const Value strength = s.Hyper("weight_decay", o.weight_decay, kNonNegative);
    const Value t = s.count();
    // m' = m / (1 - beta_1^t);   v' = v / (1 - beta_2^t)
    const Value m_hat = MovingMean(s, "m", beta_1, g) / s.Narrow(1 - Pow(beta_1, t));
    const Value v_hat = MovingMean(s, "v", beta_2, Square(g)) / s.Narrow(1 - Pow(beta_2, t));
    const Value direction = m_hat / (Sqrt(v_hat) + epsilon);
    return -(lr * (Decays(o.decays, s) ? direction + strength * p : direction));
  });
}

Rule Lion(const LionOptions& options) {
  return MakeRule("lion", 0.0001, options, [o = options](RuleScope& s, Value p, Value g, Value lr) {
    const Value beta_1 = s.WideHyper("beta_1", o.beta_1, kFraction);
    const Value beta_2 = s.WideHyper("beta_2", o.beta_2, kFraction);
    const Value strength = s.Hyper("weight_decay", o.weight_decay, kNonNegative);
    // The direction mixes the momentum of the update before; the momentum then moves more slowly.
    const Value direction = Sign(Mix(s, beta_1, s.Slot("m"), g));
    MovingMean(s, "m", beta_2, g);
    return -(lr * (Decays(o.decays, s) ? direction + strength * p : direction));
  });
}

Rule WithL2(Rule rule, const Hyper& strength, ParameterFilter decays, std::string name) {
  if (!rule.update) return rule;  // still empty, and reported as that
  rule.update = [inner = std::move(rule.update), strength, decays = std::move(decays),
                 name = std::move(name)](RuleScope& s, Value p, Value g, Value lr) {
    const Value l2 = s.Hyper(name, strength, kNonNegative);
    return inner(s, p, Decays(decays, s) ? g + l2 * p : g, lr);
  };
  return rule;
}

Rule WithWeightDecay(Rule rule, const Hyper& strength, ParameterFilter decays, std::string name) {
  if (!rule.update) return rule;
  rule.update = [inner = std::move(rule.update), strength, decays = std::move(decays),
                 name = std::move(name)](RuleScope& s, Value p, Value g, Value lr) {
    const Value increment = inner(s, p, g, lr);
    const Value decay = s.Hyper(name, strength, kNonNegative);
    return Decays(decays, s) ? increment - lr * (decay * p) : increment;
  };
  return rule;
}

namespace {

std::vector<Rule> NamedRules() {
  return {Sgd(), RmsProp(), Adagrad(), Adadelta(), Adam(), Adamax(), Nadam(), AdamW(), Lion()};
}

}  // namespace

std::vector<std::string> RuleNames() {
  std::vector<std::string> names;
  for (const Rule& rule : NamedRules()) names.push_back(rule.name);
  return names;
}

absl::StatusOr<Rule> RuleByName(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(AbslView(name));
  for (Rule& rule : NamedRules()) {
    if (rule.name == lower) return std::move(rule);
  }
  return absl::InvalidArgumentError(absl::StrCat("no optimizer is called ", Quoted(name),
                                                 "; there are ", absl::StrJoin(RuleNames(), ", ")));
}

}  // namespace talweg
