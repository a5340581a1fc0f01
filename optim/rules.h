#ifndef TALWEG_OPTIM_RULES_H_
#define TALWEG_OPTIM_RULES_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "optim/hyper.h"
#include "optim/rule.h"

namespace talweg {

// The rules. Libraries give the same names to different formulas, so equal-looking settings do not
// give equal updates. Here:
//
//   Sgd RmsProp Adagrad Adadelta Adam Adamax Nadam   are those of Keras 2.3.1, with its defaults
//   AdamW Lion                                        are those of their papers as PyTorch and the
//                                                     authors' code run them
//
// What other libraries mean by a name that is taken would get that library's name in front, and
// never be a flag of the rule above.
//
// In the formulas: p parameter, g gradient, lr the rate after the decay, t = 1, 2, ... the number
// of this update, e epsilon; state is 0 at first. `decay`, `clipnorm` and `clipvalue` are as in
// struct Rule.

// v = momentum v - lr g;   p += v, with nesterov p += momentum v - lr g.
// The rate is inside of the velocity (PyTorch has it outside).
struct SgdOptions {
  Hyper momentum = 0.0;
  bool nesterov = false;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule Sgd(const SgdOptions& options = {});  // rate 0.01

// a = rho a + (1 - rho) g^2;   p -= lr g / (sqrt(a) + e).
// Keras 3 has e inside of the root.
struct RmsPropOptions {
  Hyper rho = 0.9;
  Hyper epsilon = 1e-7;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule RmsProp(const RmsPropOptions& options = {});  // rate 0.001

// a += g^2;   p -= lr g / (sqrt(a) + e).
// a starts at 0; Keras 3 starts it at 0.1 and has e inside of the root.
struct AdagradOptions {
  Hyper epsilon = 1e-7;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule Adagrad(const AdagradOptions& options = {});  // rate 0.01

// a = rho a + (1 - rho) g^2;   u = g sqrt(d + e) / sqrt(a + e);   p -= lr u;
// d = rho d + (1 - rho) u^2.
struct AdadeltaOptions {
  Hyper rho = 0.95;
  Hyper epsilon = 1e-7;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule Adadelta(const AdadeltaOptions& options = {});  // rate 1

// m = beta_1 m + (1 - beta_1) g;   v = beta_2 v + (1 - beta_2) g^2;
// p -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + e).
// amsgrad: the greatest v so far instead of v. Here e stands beside the uncorrected root (Kingma
// and Ba's "epsilon hat"); AdamW has it beside the corrected one.
struct AdamOptions {
  Hyper beta_1 = 0.9, beta_2 = 0.999;
  bool amsgrad = false;
  Hyper epsilon = 1e-7;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule Adam(const AdamOptions& options = {});  // rate 0.001

// m as Adam;   u = max(beta_2 u, |g|);   p -= lr / (1 - beta_1^t) m / (u + e).
struct AdamaxOptions {
  Hyper beta_1 = 0.9, beta_2 = 0.999;
  Hyper epsilon = 1e-7;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule Adamax(const AdamaxOptions& options = {});  // rate 0.002

// Adam with Nesterov's momentum (Dozat 2016), its momentum warmed up:
//   mu(t) = beta_1 (1 - 0.96^(schedule_decay t) / 2);   S *= mu(t), from 1;
//   m, v as Adam;   g' = g / (1 - S);   m' = m / (1 - S mu(t+1));   v' = v / (1 - beta_2^t);
//   p -= lr ((1 - mu(t)) g' + mu(t+1) m') / (sqrt(v') + e).
// Its options have no decay, as Keras's have none ("rule/decay" is there, as every rule's).
struct NadamOptions {
  Hyper beta_1 = 0.9, beta_2 = 0.999;
  Hyper schedule_decay = 0.004;
  Hyper epsilon = 1e-7;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule Nadam(const NadamOptions& options = {});  // rate 0.002

// Which parameters a weight decay is for, by name; all where it is empty.
using ParameterFilter = std::function<bool(std::string_view parameter)>;

// m, v as Adam;
// p -= lr (m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + e) + weight_decay p).
// Decoupled weight decay (Loshchilov and Hutter 2019), with PyTorch's defaults and as PyTorch times
// the rate.
struct AdamWOptions {
  Hyper beta_1 = 0.9, beta_2 = 0.999;
  Hyper weight_decay = 0.01;
  ParameterFilter decays = nullptr;
  Hyper epsilon = 1e-8;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule AdamW(const AdamWOptions& options = {});  // rate 0.001

// p -= lr (sign(beta_1 m + (1 - beta_1) g) + weight_decay p);   m = beta_2 m + (1 - beta_2) g.
// (Chen et al. 2023.)
struct LionOptions {
  Hyper beta_1 = 0.9, beta_2 = 0.99;
  Hyper weight_decay = 0.0;
  ParameterFilter decays = nullptr;
  Hyper decay = 0.0;
  std::optional<Hyper> clipnorm = std::nullopt, clipvalue = std::nullopt;
};
Rule Lion(const LionOptions& options = {});  // rate 0.0001

// Weight decay for any rule, in its two forms, which differ for all but plain descent. Both act
// after the clipping. (A regularizer of Keras is part of the loss: Scope::AddLoss.) `name` is that
// of the hyper-parameter; a rule that decays parameters by two strengths needs two names:
//
//   WithL2(WithL2(Sgd(), 1e-4, is_kernel), 1e-5, is_bias, "l2_of_biases")
//
// The rule sees g + strength p: what PyTorch calls weight_decay, except in AdamW.
Rule WithL2(Rule rule, const Hyper& strength, ParameterFilter decays = nullptr,
            std::string name = "l2");
// The increment is that of the rule, less lr strength p.
Rule WithWeightDecay(Rule rule, const Hyper& strength, ParameterFilter decays = nullptr,
                     std::string name = "decoupled_weight_decay");

// A rule with its defaults by Keras's name, in any case: "sgd", "RMSprop". An unknown name is an
// error that lists the names.
absl::StatusOr<Rule> RuleByName(std::string_view name);
// "sgd", "rmsprop", ...
std::vector<std::string> RuleNames();

}  // namespace talweg

#endif  // TALWEG_OPTIM_RULES_H_
