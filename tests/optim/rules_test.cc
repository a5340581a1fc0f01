// Each rule against a plain transcription of its formula, as rules.h states it, over many updates
// with random gradients, rates and hyper-parameters.

#include "optim/rules.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/optim/updates.h"

namespace talweg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One element of the plain program: its parameter and what it remembers.
struct Element {
  double p = 0;
  std::map<std::string, double> state;
  double& operator[](const char* name) { return state[name]; }
};

// p and state after the update number t = 1, 2, ..., from the gradient and the decayed rate.
using Formula = std::function<void(Element& e, double g, double lr, double t)>;

// What a case draws at random.
struct Drawn {
  double decay, rho, beta_1, beta_2, momentum, epsilon, weight_decay;
};

Drawn DrawHypers(Draw& draw) {
  return {.decay = draw.Uniform(0, 0.1),
          .rho = draw.Uniform(0.5, 0.99),
          .beta_1 = draw.Uniform(0.3, 0.95),
          .beta_2 = draw.Uniform(0.6, 0.999),
          .momentum = draw.Uniform(0, 0.99),
          .epsilon = std::pow(10, draw.Uniform(-8, -3)),
          .weight_decay = draw.Uniform(0, 0.5)};
}

using MakeCase = std::function<std::pair<Rule, Formula>(const Drawn&)>;

void ExpectFollows(const MakeCase& make, double decay_used = 1) {
  for (uint64_t seed = 1; seed <= 6; seed++) {
    for (const DType dtype : {kFloat64, kFloat32}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " " << Name(dtype));
      Draw draw(seed);
      const Drawn drawn = DrawHypers(draw);
      const auto [rule, formula] = make(drawn);
      absl::StatusOr<Updates> updates = Updates::Make(rule, dtype);
      ASSERT_TRUE(updates.ok()) << updates.status();
      std::vector<Element> elements(Updates::kElements);
      const std::vector<double> start = draw.Uniforms(Updates::kElements, -1, 1);
      for (size_t i = 0; i < start.size(); i++) elements[i].p = start[i];
      updates->Start(start);
      const double rate = std::pow(10, draw.Uniform(-3, -1));
      for (int n = 0; n < 50; n++) {
        const std::vector<double> g = draw.Gradients(Updates::kElements);
        const double lr = rate / (1 + decay_used * drawn.decay * n);
        for (size_t i = 0; i < g.size(); i++) formula(elements[i], g[i], lr, n + 1);
        ASSERT_TRUE(updates->Step(g, rate).ok());
        const std::vector<double> p = updates->parameters();
        for (size_t i = 0; i < p.size(); i++) {
          const double tolerance = dtype == kFloat64 ? 1e-13 : 3e-5;
          ASSERT_NEAR(p[i], elements[i].p, tolerance * (1 + std::abs(elements[i].p)))
              << "element " << i << " after update " << n;
        }
      }
    }
  }
}

TEST(Sgd, KeepsTheRateInsideOfTheVelocity) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(Sgd({.momentum = d.momentum, .decay = d.decay}),
                     Formula([d](Element& e, double g, double lr, double) {
                       e["v"] = d.momentum * e["v"] - lr * g;
                       e.p += e["v"];
                     }));
  });
}

TEST(Sgd, LooksAheadWithNesterov) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(Sgd({.momentum = d.momentum, .nesterov = true, .decay = d.decay}),
                     Formula([d](Element& e, double g, double lr, double) {
                       e["v"] = d.momentum * e["v"] - lr * g;
                       e.p += d.momentum * e["v"] - lr * g;
                     }));
  });
}

TEST(RmsProp, FollowsItsFormula) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(RmsProp({.rho = d.rho, .epsilon = d.epsilon, .decay = d.decay}),
                     Formula([d](Element& e, double g, double lr, double) {
                       e["a"] = d.rho * e["a"] + (1 - d.rho) * g * g;
                       e.p -= lr * g / (std::sqrt(e["a"]) + d.epsilon);
                     }));
  });
}

TEST(Adagrad, FollowsItsFormula) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(Adagrad({.epsilon = d.epsilon, .decay = d.decay}),
                     Formula([d](Element& e, double g, double lr, double) {
                       e["a"] += g * g;
                       e.p -= lr * g / (std::sqrt(e["a"]) + d.epsilon);
                     }));
  });
}

TEST(Adadelta, FollowsItsFormula) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(Adadelta({.rho = d.rho, .epsilon = d.epsilon, .decay = d.decay}),
                     Formula([d](Element& e, double g, double lr, double) {
                       e["a"] = d.rho * e["a"] + (1 - d.rho) * g * g;
                       const double u =
                           g * std::sqrt(e["d"] + d.epsilon) / std::sqrt(e["a"] + d.epsilon);
                       e.p -= lr * u;
                       e["d"] = d.rho * e["d"] + (1 - d.rho) * u * u;
                     }));
  });
}

TEST(Adam, FollowsItsFormula) {
  for (const bool amsgrad : {false, true}) {
    SCOPED_TRACE(amsgrad ? "amsgrad" : "plain");
    ExpectFollows([amsgrad](const Drawn& d) {
      return std::pair(Adam({.beta_1 = d.beta_1,
                             .beta_2 = d.beta_2,
                             .amsgrad = amsgrad,
                             .epsilon = d.epsilon,
                             .decay = d.decay}),
                       Formula([d, amsgrad](Element& e, double g, double lr, double t) {
                         e["m"] = d.beta_1 * e["m"] + (1 - d.beta_1) * g;
                         e["v"] = d.beta_2 * e["v"] + (1 - d.beta_2) * g * g;
                         e["hat"] = std::max(e["hat"], e["v"]);
                         const double v = amsgrad ? e["hat"] : e["v"];
                         const double lr_t = lr * std::sqrt(1 - std::pow(d.beta_2, t)) /
                                             (1 - std::pow(d.beta_1, t));
                         e.p -= lr_t * e["m"] / (std::sqrt(v) + d.epsilon);
                       }));
    });
  }
}

TEST(Adamax, FollowsItsFormula) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(
        Adamax({.beta_1 = d.beta_1, .beta_2 = d.beta_2, .epsilon = d.epsilon, .decay = d.decay}),
        Formula([d](Element& e, double g, double lr, double t) {
          e["m"] = d.beta_1 * e["m"] + (1 - d.beta_1) * g;
          e["u"] = std::max(d.beta_2 * e["u"], std::abs(g));
          e.p -= lr / (1 - std::pow(d.beta_1, t)) * e["m"] / (e["u"] + d.epsilon);
        }));
  });
}

TEST(Nadam, FollowsItsFormulaWithOneProductForAllParameters) {
  const auto make = [](const Drawn& d) {
    // The draw for `decay` serves as schedule_decay: Nadam has no decay.
    return std::pair(Nadam({.beta_1 = d.beta_1,
                            .beta_2 = d.beta_2,
                            .schedule_decay = d.decay,
                            .epsilon = d.epsilon}),
                     Formula([d](Element& e, double g, double lr, double t) {
                       const auto mu = [&](double n) {
                         return d.beta_1 * (1 - 0.5 * std::pow(0.96, d.decay * n));
                       };
                       if (t == 1) e["S"] = 1;
                       e["S"] *= mu(t);
                       const double g_hat = g / (1 - e["S"]);
                       e["m"] = d.beta_1 * e["m"] + (1 - d.beta_1) * g;
                       const double m_hat = e["m"] / (1 - e["S"] * mu(t + 1));
                       e["v"] = d.beta_2 * e["v"] + (1 - d.beta_2) * g * g;
                       const double v_hat = e["v"] / (1 - std::pow(d.beta_2, t));
                       e.p -= lr * ((1 - mu(t)) * g_hat + mu(t + 1) * m_hat) /
                              (std::sqrt(v_hat) + d.epsilon);
                     }));
  };
  ExpectFollows(make, /*decay_used=*/0);
  const absl::StatusOr<Updates> updates = Updates::Make(Nadam(), kFloat32);
  ASSERT_TRUE(updates.ok());
  std::vector<std::string> names;
  for (const StateSpec& spec : updates->specs())
    names.push_back(spec.name + " " + ToString(spec.type));
  EXPECT_THAT(names, ElementsAre("momentum_product float64[]", "a/m float32[3]", "a/v float32[3]",
                                 "b/m float32[2,2]", "b/v float32[2,2]"));
}

TEST(AdamW, DecaysBesideTheMomentsAndPutsEpsilonBesideTheCorrectedRoot) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(AdamW({.beta_1 = d.beta_1,
                            .beta_2 = d.beta_2,
                            .weight_decay = d.weight_decay,
                            .epsilon = d.epsilon,
                            .decay = d.decay}),
                     Formula([d](Element& e, double g, double lr, double t) {
                       e["m"] = d.beta_1 * e["m"] + (1 - d.beta_1) * g;
                       e["v"] = d.beta_2 * e["v"] + (1 - d.beta_2) * g * g;
                       const double m_hat = e["m"] / (1 - std::pow(d.beta_1, t));
                       const double v_hat = e["v"] / (1 - std::pow(d.beta_2, t));
                       e.p = e.p - lr * d.weight_decay * e.p -
                             lr * m_hat / (std::sqrt(v_hat) + d.epsilon);
                     }));
  });
}

TEST(Lion, MovesByTheSignOfAMixture) {
  // In float32 a mixture may round to the other sign; the gradients are far enough from that.
  ExpectFollows([](const Drawn& d) {
    return std::pair(Lion({.beta_1 = d.beta_1,
                           .beta_2 = d.beta_2,
                           .weight_decay = d.weight_decay,
                           .decay = d.decay}),
                     Formula([d](Element& e, double g, double lr, double) {
                       const double c = d.beta_1 * e["m"] + (1 - d.beta_1) * g;
                       e.p -= lr * ((c > 0 ? 1 : c < 0 ? -1 : 0) + d.weight_decay * e.p);
                       e["m"] = d.beta_2 * e["m"] + (1 - d.beta_2) * g;
                     }));
  });
}

TEST(WithL2, ChangesTheGradientThatTheRuleSees) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(
        WithL2(RmsProp({.rho = d.rho, .epsilon = d.epsilon, .decay = d.decay}), d.weight_decay),
        Formula([d](Element& e, double g, double lr, double) {
          const double h = g + d.weight_decay * e.p;
          e["a"] = d.rho * e["a"] + (1 - d.rho) * h * h;
          e.p -= lr * h / (std::sqrt(e["a"]) + d.epsilon);
        }));
  });
}

TEST(WithWeightDecay, LeavesTheRulesStateAlone) {
  ExpectFollows([](const Drawn& d) {
    return std::pair(
        WithWeightDecay(RmsProp({.rho = d.rho, .epsilon = d.epsilon, .decay = d.decay}),
                        d.weight_decay),
        Formula([d](Element& e, double g, double lr, double) {
          e["a"] = d.rho * e["a"] + (1 - d.rho) * g * g;
          e.p = e.p - lr * g / (std::sqrt(e["a"]) + d.epsilon) - lr * d.weight_decay * e.p;
        }));
  });
}

TEST(WithL2, TakesTwoStrengthsByTwoNames) {
  ExpectFollows([](const Drawn& d) {
    const double more = 2 * d.weight_decay;
    const Rule rule = RmsProp({.rho = d.rho, .epsilon = d.epsilon, .decay = d.decay});
    return std::pair(WithL2(WithL2(rule, d.weight_decay), more, nullptr, "more"),
                     Formula([d, more](Element& e, double g, double lr, double) {
                       const double h = (g + more * e.p) + d.weight_decay * e.p;
                       e["a"] = d.rho * e["a"] + (1 - d.rho) * h * h;
                       e.p -= lr * h / (std::sqrt(e["a"]) + d.epsilon);
                     }));
  });
}

TEST(WithWeightDecay, TakesTwoStrengthsByTwoNames) {
  ExpectFollows([](const Drawn& d) {
    const double more = 2 * d.weight_decay;
    const Rule rule = RmsProp({.rho = d.rho, .epsilon = d.epsilon, .decay = d.decay});
    return std::pair(WithWeightDecay(WithWeightDecay(rule, d.weight_decay), more, nullptr, "more"),
                     Formula([d, more](Element& e, double g, double lr, double) {
                       e["a"] = d.rho * e["a"] + (1 - d.rho) * g * g;
                       e.p = e.p - lr * g / (std::sqrt(e["a"]) + d.epsilon) -
                             lr * d.weight_decay * e.p - lr * more * e.p;
                     }));
  });
}

TEST(ParameterFilter, SparesParametersByName) {
  const ParameterFilter only_b = [](std::string_view name) { return name == "b"; };
  const std::vector<Rule> rules = {AdamW({.weight_decay = 0.5, .decays = only_b}),
                                   Lion({.weight_decay = 0.5, .decays = only_b}),
                                   WithL2(Sgd(), 0.5, only_b), WithWeightDecay(Sgd(), 0.5, only_b)};
  for (const Rule& rule : rules) {
    SCOPED_TRACE(rule.name);
    absl::StatusOr<Updates> updates = Updates::Make(rule, kFloat64);
    ASSERT_TRUE(updates.ok()) << updates.status();
    updates->Start(std::vector<double>(7, 1.0));
    ASSERT_TRUE(updates->Step(std::vector<double>(7, 0.0), 0.1).ok());
    EXPECT_THAT(updates->parameters(), ElementsAre(1, 1, 1, 0.95, 0.95, 0.95, 0.95));
  }
}

// The defaults of Keras 2.3.1 (AdamW: PyTorch's), rate first.
TEST(Rules, HaveTheirDefaults) {
  const auto defaults = [](const Rule& rule) {
    std::map<std::string, double> numbers = {{"rate", rule.default_rate}};
    const absl::StatusOr<Updates> updates = Updates::Make(rule, kFloat64);
    if (!updates.ok()) return numbers;
    for (const HyperSpec& spec : updates->hypers()) numbers[spec.name] = spec.number;
    return numbers;
  };
  using Numbers = std::map<std::string, double>;
  EXPECT_EQ(defaults(Sgd()), (Numbers{{"rate", 0.01}, {"momentum", 0}, {"decay", 0}}));
  EXPECT_EQ(defaults(RmsProp()),
            (Numbers{{"rate", 0.001}, {"rho", 0.9}, {"epsilon", 1e-7}, {"decay", 0}}));
  EXPECT_EQ(defaults(Adagrad()), (Numbers{{"rate", 0.01}, {"epsilon", 1e-7}, {"decay", 0}}));
  EXPECT_EQ(defaults(Adadelta()),
            (Numbers{{"rate", 1}, {"rho", 0.95}, {"epsilon", 1e-7}, {"decay", 0}}));
  const Numbers adam = {
      {"rate", 0.001}, {"beta_1", 0.9}, {"beta_2", 0.999}, {"epsilon", 1e-7}, {"decay", 0}};
  EXPECT_EQ(defaults(Adam()), adam);
  Numbers adamax = adam;
  adamax["rate"] = 0.002;
  EXPECT_EQ(defaults(Adamax()), adamax);
  Numbers nadam = adamax;
  nadam["schedule_decay"] = 0.004;
  EXPECT_EQ(defaults(Nadam()), nadam);
  EXPECT_EQ(defaults(AdamW()), (Numbers{{"rate", 0.001},
                                        {"beta_1", 0.9},
                                        {"beta_2", 0.999},
                                        {"epsilon", 1e-8},
                                        {"weight_decay", 0.01},
                                        {"decay", 0}}));
  EXPECT_EQ(
      defaults(Lion()),
      (Numbers{
          {"rate", 0.0001}, {"beta_1", 0.9}, {"beta_2", 0.99}, {"weight_decay", 0}, {"decay", 0}}));
}

TEST(RuleByName, FindsEachRuleInAnyCase) {
  for (const std::string& name : RuleNames()) EXPECT_EQ(RuleByName(name)->name, name);
  EXPECT_EQ(RuleByName("RMSprop")->name, "rmsprop");
  EXPECT_THAT(RuleNames(), ElementsAre("sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamax",
                                       "nadam", "adamw", "lion"));
}

TEST(RuleByName, ListsTheNamesThatThereAre) {
  const absl::Status status = RuleByName("sdg").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("no optimizer is called 'sdg'; there are sgd, rmsprop, adagrad"));
}

}  // namespace
}  // namespace talweg
