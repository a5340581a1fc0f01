// Updates are graphs, so derivatives go through them: by the rate, by hyper-parameters, by the
// parameters. Where a gradient is zero (a dead unit, clipping of nothing) they stay finite.

#include <cmath>
#include <string>
#include <vector>

#include "autodiff/gradient.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "optim/rules.h"
#include "tests/graphs/engines.h"

namespace talweg {
namespace {

// After two updates of p by the gradient of |p|^2 / 2: [sum of p', its derivatives by rate and p].
struct Unrolled {
  double sum = 0, by_rate = 0;
  std::vector<double> by_p;
};

absl::StatusOr<Unrolled> Unroll(const Rule& rule, const std::vector<double>& p0, double rate) {
  Tape t;
  const HyperScope hypers(t);
  const Value p = t.Input("p", kFloat64, {static_cast<int64_t>(p0.size())});
  const Value rate_in = t.Input("rate", kFloat64, {});
  Tape scratch;
  const StateScope declared(scratch);
  const Value q = scratch.Input("q", p.dtype(), p.shape());
  const auto ignored = Apply(rule, {{"p", q}}, {q}, scratch.Input("rate", kFloat64, {}),
                             scratch.Input("n", kInt64, {}), HyperScope(scratch), declared);
  if (!ignored.ok()) return ignored.status();
  std::vector<Value> state_values;
  for (const StateSpec& spec : declared.specs()) {
    state_values.push_back(spec.type.shape.empty() ? t.Constant(Array(spec.start))
                                                   : Detach(p) * 0 + spec.start);
  }
  const StateScope state(t, declared.specs(), state_values);
  Value now = p;
  for (int64_t n = 0; n < 2; n++) {
    const Value g = Gradient(0.5 * Sum(Square(now)), now);
    const auto next = Apply(rule, {{"p", now}}, {g}, rate_in, t.Constant(Array(n)), hypers, state);
    if (!next.ok()) return next.status();
    state.Commit();
    now = (*next)[0];
  }
  const Value sum = Sum(now);
  const std::vector<Value> d = Gradient(sum, std::vector<Value>{rate_in, p});
  const absl::StatusOr<Graph> graph = t.Finish({sum, d[0], d[1]});
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> f = EveryEngine(*graph);
  if (!f.ok()) return f.status();
  NamedArrays inputs = hypers.Bindings();
  inputs.insert_or_assign("p", Array::Vector(p0));
  inputs.insert_or_assign("rate", Array(rate));
  const absl::StatusOr<std::vector<Array>> out = f->Run(inputs);
  if (!out.ok()) return out.status();
  Unrolled result{.sum = (*out)[0].At(0), .by_rate = (*out)[1].At(0), .by_p = {}};
  for (int64_t i = 0; i < (*out)[2].size(); i++) result.by_p.push_back((*out)[2].At(i));
  return result;
}

std::vector<Rule> AllRules() {
  std::vector<Rule> rules = {Sgd({.momentum = 0.9, .nesterov = true, .clipnorm = 0.5}),
                             Adam({.amsgrad = true})};
  for (const std::string& name : RuleNames()) rules.push_back(*RuleByName(name));
  // Roots at small numbers would make the difference quotient useless.
  for (Rule& rule : rules) rule.clipvalue = 3.0;
  return rules;
}

TEST(Derivatives, OfUpdatesAgreeWithDifferences) {
  const std::vector<double> p = {0.7, -1.3, 0.4};
  for (const Rule& rule : AllRules()) {
    SCOPED_TRACE(rule.name);
    const absl::StatusOr<Unrolled> at = Unroll(rule, p, 0.05);
    ASSERT_TRUE(at.ok()) << at.status();
    const double h = 1e-6;
    const double by_rate =
        (Unroll(rule, p, 0.05 + h)->sum - Unroll(rule, p, 0.05 - h)->sum) / (2 * h);
    EXPECT_NEAR(at->by_rate, by_rate, 1e-6 * (1 + std::abs(by_rate)));
    for (size_t i = 0; i < p.size(); i++) {
      std::vector<double> more = p, less = p;
      more[i] += h;
      less[i] -= h;
      const double by_p = (Unroll(rule, more, 0.05)->sum - Unroll(rule, less, 0.05)->sum) / (2 * h);
      EXPECT_NEAR(at->by_p[i], by_p, 1e-6 * (1 + std::abs(by_p))) << "element " << i;
    }
  }
}

TEST(Derivatives, StayFiniteWhereGradientsAreZero) {
  for (const std::vector<double>& p : {std::vector<double>{0, 0}, {0, 1.5}}) {
    for (const Rule& rule : AllRules()) {
      SCOPED_TRACE(rule.name);
      const absl::StatusOr<Unrolled> at = Unroll(rule, p, 0.05);
      ASSERT_TRUE(at.ok()) << at.status();
      EXPECT_TRUE(std::isfinite(at->sum) && std::isfinite(at->by_rate));
      for (const double d : at->by_p) EXPECT_TRUE(std::isfinite(d));
    }
  }
}

}  // namespace
}  // namespace talweg
