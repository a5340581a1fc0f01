// Mistakes planted into the graphs of optimizers and schedules, at each node: each changes numbers
// that rules_test and schedule_test compare with formulas by more than they tolerate. So no part of
// a rule is such that a mistake in it would pass.

#include <cmath>
#include <cstddef>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "gmock/gmock.h"
#include "graph/print.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "ops/elementwise.h"
#include "optim/rules.h"
#include "optim/schedule.h"
#include "tests/optim/updates.h"

namespace talweg {
namespace {

struct Mutant {
  std::string name;
  Graph graph;
};

// What a mistake at node `i` of a graph makes of it.
void AddMutants(const Graph& graph, size_t i, std::vector<Mutant>& mutants) {
  const Node& node = graph.nodes()[i];
  const auto keep = [&](std::string_view what, std::vector<Node> nodes,
                        std::vector<NodeId> outputs) {
    mutants.push_back({absl::StrCat(AbslView(node.op->name), " %", i, ": ", AbslView(what)),
                       Graph(std::move(nodes), graph.inputs(), std::move(outputs))});
  };
  const auto add = [&](std::string_view what, const std::function<void(Node&)>& change) {
    std::vector<Node> nodes = graph.nodes();
    change(nodes[i]);
    keep(what, std::move(nodes), graph.outputs());
  };
  if (node.kind() == Kind::kConstant && IsFloat(node.types[0].dtype)) {
    add("another constant", [](Node& n) {
      auto& value = std::get<ConstantAttributes>(n.attributes).value;
      std::vector<double> elements;
      for (int64_t k = 0; k < value.size(); k++) {
        elements.push_back(std::isinf(value.At(k)) ? 1 : value.At(k) * 1.01 + 0.001);
      }
      value = *Array::From<double>(value.dims(), elements)->Cast(value.dtype());
    });
  }
  if (node.kind() != Kind::kMap) return;
  constexpr std::pair<const Op*, const Op*> kOthers[] = {
      {&kAddOp, &kSubOp},    {&kSubOp, &kAddOp}, {&kMulOp, &kDivOp},     {&kDivOp, &kMulOp},
      {&kMaxOp, &kMinOp},    {&kMinOp, &kMaxOp}, {&kSqrtOp, &kSquareOp}, {&kExpOp, &kLogOp},
      {&kFloorOp, &kCeilOp}, {&kCosOp, &kSinOp}, {&kPowOp, &kMulOp}};
  for (const auto& [from, to] : kOthers) {
    if (node.op == from) add(to->name, [other = to](Node& n) { n.op = other; });
  }
  const auto type = [&](NodeId id) { return graph.nodes()[static_cast<size_t>(id)].types[0]; };
  const size_t operands = node.operands.size();
  if (operands >= 2 && !node.op->map->facts.commutative) {
    const size_t a = operands - 2, b = operands - 1;
    if (type(node.operands[a]) == type(node.operands[b]) && node.operands[a] != node.operands[b]) {
      add("operands exchanged", [&](Node& n) { std::swap(n.operands[a], n.operands[b]); });
    }
  }
  // A forgotten term, factor or sign: an operand stands in the node's place.
  for (size_t k = 0; k < operands; k++) {
    const NodeId operand = node.operands[k];
    if (type(operand) != node.types[0]) continue;
    std::vector<Node> nodes = graph.nodes();
    for (size_t j = i + 1; j < nodes.size(); j++) {
      for (NodeId& used : nodes[j].operands) used = used == static_cast<NodeId>(i) ? operand : used;
    }
    std::vector<NodeId> outputs = graph.outputs();
    for (NodeId& output : outputs) output = output == static_cast<NodeId>(i) ? operand : output;
    keep(absl::StrCat("operand ", k, " alone"), std::move(nodes), std::move(outputs));
  }
}

std::vector<Mutant> MutantsOf(const Graph& graph) {
  std::vector<Mutant> mutants;
  for (size_t i = 0; i < graph.nodes().size(); i++) AddMutants(graph, i, mutants);
  return mutants;
}

// The parameters after each of some updates, as rules_test makes them.
absl::StatusOr<std::vector<double>> Trajectory(const Rule& rule, const Engine& engine) {
  absl::StatusOr<Updates> updates = Updates::Make(rule, kFloat64, engine);
  if (!updates.ok()) return updates.status();
  std::vector<double> all;
  for (uint64_t seed = 1; seed <= 4; seed++) {
    // Numbers that say "not at all", and what is next to them.
    for (const HyperSpec& hyper : updates->hypers()) {
      if (hyper.name == "decay") updates->Bind(hyper.name, 0.01);
      if (absl::StartsWith(hyper.name, "clip") && seed > 1) {
        updates->Bind(hyper.name, seed == 2 ? 0 : 0.0005);
      }
    }
    Draw draw(seed);
    updates->Start(draw.Uniforms(Updates::kElements, -1, 1));
    const double rate = std::pow(10, draw.Uniform(-3, -1));
    for (int n = 0; n < 20; n++) {
      if (absl::Status s = updates->Step(draw.Gradients(Updates::kElements), rate); !s.ok()) {
        return s;
      }
      const std::vector<double> p = updates->parameters();
      all.insert(all.end(), p.begin(), p.end());
    }
  }
  return all;
}

bool Differ(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return true;
  for (size_t i = 0; i < a.size(); i++) {
    if (!(std::abs(a[i] - b[i]) <= 1e-12 * (1 + std::abs(b[i])))) return true;
  }
  return false;
}

// Plants all mistakes that can be planted into a function, seen by what it gives with an engine,
// and returns how many there are. All but so many that are harmless must change something.
int ExpectFound(
    const char* name, size_t harmless,
    const std::function<absl::StatusOr<std::vector<double>>(const Engine& engine)>& function) {
  std::string printed;
  std::vector<Mutant> mutants;
  const absl::StatusOr<std::vector<double>> right = function([&](const Graph& graph) {
    mutants = MutantsOf(graph);
    printed = Print(graph, {.lines = false});
    return Interpret(graph);
  });
  EXPECT_TRUE(right.ok()) << name << ": " << right.status();
  if (!right.ok()) return 0;
  std::vector<std::string> missed;
  for (const Mutant& mutant : mutants) {
    const absl::StatusOr<std::vector<double>> wrong =
        function([&](const Graph&) { return Interpret(mutant.graph); });
    // What is no graph any more is found by the verifier.
    if (wrong.ok() && !Differ(*wrong, *right)) missed.push_back(mutant.name);
  }
  EXPECT_THAT(missed, testing::SizeIs(harmless)) << name << "\n" << printed;
  return static_cast<int>(mutants.size());
}

TEST(PlantedRules, AreFound) {
  struct Case {
    const char* name;
    Rule rule;
    // Mistakes that change nothing: in a number by which what is not asked for is divided.
    size_t harmless = 0;
  };
  const Case cases[] = {
      {"Sgd", Sgd({.momentum = 0.9, .decay = 0.01})},
      {"Nesterov", Sgd({.momentum = 0.9, .nesterov = true, .decay = 0.01})},
      {"RmsProp", RmsProp({.epsilon = 1e-3, .decay = 0.01})},
      {"Adagrad", Adagrad({.epsilon = 1e-3, .decay = 0.01})},
      {"Adadelta", Adadelta({.epsilon = 1e-3, .decay = 0.01})},
      {"Adam", Adam({.epsilon = 1e-3, .decay = 0.01})},
      {"Amsgrad", Adam({.beta_2 = 0.6, .amsgrad = true, .epsilon = 1e-3, .decay = 0.01})},
      {"Adamax", Adamax({.beta_2 = 0.6, .epsilon = 1e-3, .decay = 0.01})},
      {"Nadam", Nadam({.schedule_decay = 0.1, .epsilon = 1e-3})},
      {"AdamW", AdamW({.weight_decay = 0.1, .epsilon = 1e-3, .decay = 0.01})},
      {"Lion", Lion({.beta_1 = 0.6, .beta_2 = 0.7, .weight_decay = 0.1, .decay = 0.01})},
      {"WithL2", WithL2(Sgd({.momentum = 0.9}), 0.1)},
      {"WithWeightDecay", WithWeightDecay(Sgd({.momentum = 0.9}), 0.1)},
      {"Clip", Sgd({.momentum = 0.9, .clipnorm = 20.0, .clipvalue = 4.0}), 1}};
  int planted = 0;
  for (const Case& c : cases) {
    planted += ExpectFound(c.name, c.harmless,
                           [&c](const Engine& engine) { return Trajectory(c.rule, engine); });
  }
  std::cout << planted << " mistakes\n";
  EXPECT_GT(planted, 1000);
}

// The rates of 100 epochs, for each of these numbers in place of the schedule's.
using Numbers = std::map<std::string, double>;
absl::StatusOr<std::vector<double>> Rates(const Schedule& schedule,
                                          const std::vector<Numbers>& numbers,
                                          const Engine& engine) {
  Tape tape;
  HyperScope hypers(tape);
  const ScheduleScope scope(hypers.Within("rate"), tape.Input("epoch", kInt64, {}),
                            tape.Input("update", kInt64, {}), tape.Constant(Array(int64_t{4})));
  const absl::StatusOr<Graph> graph = tape.Finish({schedule.Rate(scope)});
  if (!graph.ok()) return graph.status();
  const absl::StatusOr<Executable> executable = engine(*graph);
  if (!executable.ok()) return executable.status();
  std::vector<double> rates;
  for (const Numbers& those : numbers) {
    NamedArrays inputs = hypers.Bindings();
    for (const auto& [name, number] : those) {
      inputs.insert_or_assign(absl::StrCat("rate/", name), Array(number));
    }
    for (int64_t epoch = 0; epoch < 100; epoch++) {
      inputs.insert_or_assign("epoch", Array(epoch));
      inputs.insert_or_assign("update", Array(1000 + 7 * epoch));
      const absl::StatusOr<std::vector<Array>> out = executable->Run(inputs);
      if (!out.ok()) return out.status();
      rates.push_back((*out)[0].At(0));
    }
  }
  return rates;
}

TEST(PlantedSchedules, AreFound) {
  struct Case {
    const char* name;
    Schedule schedule;
    // Mistakes that change no rate: in numbers that stand in for one that is not asked for, so that
    // there is no division by 0; 0 times, or a power of, something else; the cosine of -x; one of
    // two corrections by one of which the other makes up for a mistake in the number corrected.
    size_t harmless = 0;
    std::vector<Numbers> numbers = {{}};
  };
  const Case cases[] = {
      {"TimeDecay", TimeDecay({.decay = 0.1})},
      {"StepDecay", StepDecay({.every = 7})},
      {"MultiStep", MultiStep({.at = {3, 10}}), 1},
      {"Exponential", Exponential({.every = 3})},
      {"Staircase", Exponential({.every = 3, .staircase = true})},
      {"Polynomial", Polynomial({.initial = 0.1, .final = 0.01, .length = 20, .power = 1.5})},
      {"Cosine", Cosine({.initial = 0.1, .final = 0.01, .length = 20})},
      {"CosineRestarts",
       CosineRestarts({.initial = 0.1, .final = 0.01, .length = 5, .stretch = 1, .shrink = 0.8}),
       9,
       {{{"stretch", 1}, {"length", 5}},
        {{"stretch", 2}, {"length", 1}},
        {{"stretch", 3}, {"length", 3}},
        {{"stretch", 1.5}, {"length", 7}},
        {{"stretch", 5}, {"length", 1}}}},
      {"WarmUp", WarmUp(5, Exponential({.every = 3}), 0.001), 7, {{}, {{"length", 0}}}},
      {"OneCycle", OneCycle({.length = 20}), 3, {{}, {{"rise", 0}}, {{"rise", 1}}}}};
  int planted = 0;
  for (const Case& c : cases) {
    planted += ExpectFound(c.name, c.harmless, [&c](const Engine& engine) {
      return Rates(c.schedule, c.numbers, engine);
    });
  }
  std::cout << planted << " mistakes\n";
  EXPECT_GT(planted, 300);
}

}  // namespace
}  // namespace talweg
