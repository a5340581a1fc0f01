// What holds for every graph, tried on graphs drawn at random: engines agree to the bit, text reads
// back to a graph that gives the same bits, and gradients are what differences say. A failure is
// cut down and printed as a test that repeats it.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/parse.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "tests/base/seeds.h"
#include "tests/graphs/derivatives.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"
#include "tests/graphs/shrink.h"
#include "tests/jit/passes/random_loops.h"

namespace talweg {
namespace {

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// What is wrong with a graph, as "property: how"; empty where nothing is.
std::string CheckOn(absl::Span<const NamedEngine> engines, const Graph& graph, uint64_t seed,
                    int64_t rows) {
  if (const absl::Status status = Verify(graph); !status.ok()) {
    return absl::StrCat("verifier: ", Text(status));
  }
  const absl::StatusOr<Executable> executable = CompileOn(engines, graph);
  const auto run = [&](const NamedArrays& inputs) {
    return executable.ok() ? executable->Run(inputs) : Outcome(executable.status());
  };
  const NamedArrays inputs = RandomInputs(graph, seed, rows);
  const Outcome outputs = run(inputs);
  for (const Outcome& outcome : {outputs, run(SpecialInputs(graph, seed, rows))}) {
    if (outcome.ok()) continue;
    const bool differ = absl::IsInternal(outcome.status());
    return absl::StrCat(differ ? "engines: " : "run: ", Text(outcome.status()));
  }
  // What is compiled once runs with any number of rows.
  for (const int64_t others : {0, 1, 5, 16, 100}) {
    if (rows == 0) break;
    const Outcome outcome = run(RandomInputs(graph, seed, others));
    if (!absl::IsInternal(outcome.status())) continue;
    return absl::StrCat("engines: with ", others, " rows: ", Text(outcome.status()));
  }
  const absl::StatusOr<Graph> again = ParseGraph(Print(graph), AllOps());
  if (!again.ok()) return absl::StrCat("parser: ", Text(again.status()));
  if (!(*again == graph)) return "text: another graph was read back";
  const absl::StatusOr<std::vector<Array>> others = RunOnEngines({engines[0]}, *again, inputs);
  for (size_t i = 0; i < outputs->size(); i++) {
    if (!others.ok() || !SameBits((*outputs)[i], (*others)[i])) return "text: other bits";
  }
  return "";
}

std::string CheckGraph(const Graph& graph, uint64_t seed, int64_t rows) {
  return CheckOn(EnginesFor(graph), graph, seed, rows);
}

// A smaller graph would be judged by other engines than the one that failed.
std::string CheckOnEveryEngine(const Graph& graph, uint64_t seed, int64_t rows) {
  return CheckOn(AllEngines(), graph, seed, rows);
}

// The graph and inputs of a failure, small, as C++. `check` says "property: how", and `name` is
// what it is called.
std::string Repeat(const Graph& graph, uint64_t seed, int64_t rows,
                   std::string (*check)(const Graph&, uint64_t, int64_t), const char* name) {
  const auto property = [&](const Graph& g) {
    const std::string fault = check(g, seed, rows);
    return fault.substr(0, fault.find(':'));
  };
  const std::string fault = property(graph);
  const Graph small = Shrink(graph, [&](const Graph& g) { return property(g) == fault; });
  return absl::StrCat(check(small, seed, rows), "\n\n", Reproducer(small, seed, rows, name));
}

// ---- What the graphs are like -----------------------------------------------------------------

struct Coverage {
  std::map<std::string, int64_t> ops, dtypes, ranks;
  int64_t graphs = 0, drawn = 0, nodes = 0, lively = 0;

  void Add(const Graph& graph) {
    for (const Node& node : graph.nodes()) {
      ops[node.op->name]++;
      for (const Type& type : node.types) {
        dtypes[Name(type.dtype)]++;
        ranks[absl::StrCat("rank ", type.shape.size())]++;
      }
      nodes++;
      if (node.kind() == Kind::kLoop) Add(*node.As<LoopAttributes>().body);
      if (node.kind() == Kind::kCustom) Add(*node.As<CustomAttributes>().gradient);
    }
  }

  void Print() const {
    const auto mean = [&](int64_t sum) {
      return static_cast<double>(sum) / static_cast<double>(graphs);
    };
    std::cout << graphs << " graphs of " << mean(drawn) << " nodes, with gradients " << mean(nodes)
              << "; " << 100.0 * static_cast<double>(lively) / static_cast<double>(graphs)
              << " % with finite outputs that vary\n";
    for (const auto* counts : {&ops, &dtypes, &ranks}) {
      for (const auto& [name, count] : *counts) std::cout << "  " << name << " " << count;
      std::cout << "\n";
    }
    std::cout << std::flush;
  }
};

bool Finite(const Array& array) {
  for (int64_t i = 0; i < array.size(); i++) {
    if (!std::isfinite(array.At(i))) return false;
  }
  return true;
}

// Whether all outputs are finite, and most of them change with the inputs.
bool Lively(const Graph& graph, uint64_t seed, int64_t rows) {
  const absl::StatusOr<Executable> executable = AllEngines()[0].make(graph);
  if (!executable.ok()) return false;
  const auto a = executable->Run(RandomInputs(graph, seed, rows));
  const auto b = executable->Run(RandomInputs(graph, seed + 1, rows));
  if (!a.ok() || !b.ok()) return false;
  size_t varying = 0;
  for (size_t i = 0; i < a->size(); i++) {
    if (!Finite((*a)[i])) return false;
    varying += !SameBits((*a)[i], (*b)[i]);
  }
  return 2 * varying >= a->size();
}

// Half of the graphs each, so that two can run at once.
class RandomGraphs : public testing::TestWithParam<int64_t> {};

TEST_P(RandomGraphs, GiveTheSameBitsOnAllEnginesAndFromTheirText) {
  Coverage coverage;
  int64_t count = 0;
  for (const uint64_t seed : FuzzSeeds(2200)) {
    if (count++ % 2 != GetParam()) continue;
    // Every third has gradients too.
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed, {.gradients = seed % 3 == 0});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    const std::string fault = CheckGraph(random->graph, seed, random->rows);
    ASSERT_EQ(fault, "") << "seed " << seed << "\n"
                         << Repeat(random->graph, seed, random->rows, CheckOnEveryEngine,
                                   "CheckOnEveryEngine");
    coverage.graphs++;
    coverage.drawn += static_cast<int64_t>(random->drawn);
    coverage.Add(random->graph);
    coverage.lively += Lively(random->graph, seed, random->rows);
  }
  coverage.Print();
  if (coverage.graphs < 1000) return;  // too few to say what is covered
  // Of 1,000,000 graphs, in both halves: each 1,000 times.
  const int64_t least = std::max<int64_t>(1, coverage.graphs / 1000);
  for (const Op* op : AllOps()) EXPECT_GE(coverage.ops[op->name], least) << op->name;
  for (DType dtype : kAllDTypes) EXPECT_GE(coverage.dtypes[Name(dtype)], least) << Name(dtype);
  for (int rank = 0; rank <= 4; rank++) EXPECT_GT(coverage.ranks[absl::StrCat("rank ", rank)], 0);
  EXPECT_GE(coverage.lively * 10, coverage.graphs * 7);
  const std::string report = EngineReport();
  for (const NamedEngine& engine : AllEngines()) {
    EXPECT_NE(report.find(absl::StrCat(" on ", engine.name, ":")), std::string::npos)
        << engine.name;
  }
}
INSTANTIATE_TEST_SUITE_P(Half, RandomGraphs, testing::Values(0, 1));

// Indices out of range: no engine reads beyond an array, and all tell of the same error.
TEST(WildGraphs, FailAlikeOnAllEngines) {
  int64_t failed = 0, count = 0;
  for (const uint64_t seed : FuzzSeeds(220)) {
    const absl::StatusOr<RandomGraph> random =
        MakeRandomGraph(seed, {.gradients = seed % 3 == 0, .wild = true});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    const auto differ = [&](const Graph& graph, absl::Span<const NamedEngine> engines) {
      return RunOnEngines(engines, graph, RandomInputs(graph, seed, random->rows)).status();
    };
    const absl::Status status = differ(random->graph, EnginesFor(random->graph));
    if (absl::IsInternal(status)) {
      const Graph small = Shrink(random->graph, [&](const Graph& graph) {
        return absl::IsInternal(differ(graph, AllEngines()));
      });
      FAIL() << "seed " << seed << ": " << status << "\n"
             << Print(small, {.lines = false}) << differ(small, AllEngines());
    }
    failed += status.ok() ? 0 : 1;
    count++;
  }
  std::cout << failed << " of " << count << " runs failed" << std::endl;
  EXPECT_GE(failed * 10, count);
}

// Of nearly nothing but loops; `trips` is one number for all of them.
TEST(RandomLoops, GiveTheSameBitsOnAllEngines) {
  for (const uint64_t seed : FuzzSeeds(220)) {
    const absl::StatusOr<Graph> graph = passes::MakeRandomLoops(seed);
    ASSERT_TRUE(graph.ok()) << "seed " << seed << ": " << graph.status();
    const auto differ = [&](const Graph& g, absl::Span<const NamedEngine> engines) {
      const absl::StatusOr<Executable> executable = CompileOn(engines, g);
      if (!executable.ok()) return executable.status();
      for (const int64_t rows : {20, 0, 1, 2, 9}) {
        const absl::Status status =
            executable->Run(RandomInputs(g, seed, rows, static_cast<int64_t>(seed % 5))).status();
        if (absl::IsInternal(status)) return status;
      }
      return absl::OkStatus();
    };
    const absl::Status status = differ(*graph, EnginesFor(*graph));
    if (status.ok()) continue;
    const Graph small =
        Shrink(*graph, [&](const Graph& g) { return !differ(g, AllEngines()).ok(); });
    FAIL() << "seed " << seed << ": " << status << "\n"
           << Print(small, {.lines = false}) << differ(small, AllEngines());
  }
}

// ---- Gradients --------------------------------------------------------------------------------

std::string Derivatives(const Graph& graph, uint64_t seed, int64_t rows) {
  return CheckDerivatives(graph, seed, rows).fault;
}

class RandomGradients : public testing::TestWithParam<DType> {};

TEST_P(RandomGradients, AreWhatOtherWaysToThemSay) {
  int64_t finite = 0, count = 0;
  for (const uint64_t seed : FuzzSeeds(550)) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed, {.smooth = GetParam()});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    const DerivativeCheck check = CheckDerivatives(random->graph, seed, random->rows);
    ASSERT_EQ(check.fault, "") << "seed " << seed << "\n"
                               << Repeat(random->graph, seed, random->rows, Derivatives,
                                         "Derivatives");
    finite += check.finite;
    count++;
  }
  std::cout << finite << " of " << count << " gradients are finite" << std::endl;
  EXPECT_GE(finite * 10, count * 9);
}
INSTANTIATE_TEST_SUITE_P(Of, RandomGradients, testing::Values(kFloat64, kFloat32),
                         [](const auto& test) { return Name(test.param); });

// A rule that is wrong must be found by every way, and alone be left of the graph around it.
TEST(CheckDerivatives, FindsAWrongRule) {
  for (const DType dtype : {kFloat64, kFloat32}) {
    Tape t;
    const Value x = t.Input("x", dtype, {3, 4}), w = t.Input("w", dtype, {4, 2});
    const Value h = MatMul(Sin(x) + 0.5, w);
    const Value wrong = CustomGradient(
        {h}, [](absl::Span<const Value> v) { return Tanh(v[0]); },
        [](absl::Span<const Value>, const Value& y, const Value& dy) {
          return std::vector<Value>{dy * (1.5 - Square(y))};
        });
    const Graph graph = t.Finish({Mean(wrong * Cos(h)), Sum(x)}).value();
    const std::string fault = Derivatives(graph, 1, 0);
    EXPECT_TRUE(fault.starts_with("derivative 1: reverse mode says")) << fault;
    const Graph small = Shrink(graph, [](const Graph& g) { return !Derivatives(g, 1, 0).empty(); });
    EXPECT_LE(small.nodes().size(), 3u) << Print(small);
    const std::string repeat = Repeat(graph, 1, 0, Derivatives, "Derivatives");
    EXPECT_NE(repeat.find("EXPECT_EQ(Derivatives(*graph, 1u, 0), \"\");"), std::string::npos);
  }
}

// ---- The tools themselves -----------------------------------------------------------------------

TEST(Shrink, FindsTheOneNodeThatMatters) {
  // A "failure": the graph has a node of this kind. Nothing but the node and its inputs should
  // stay.
  const auto fails = [](const Graph& graph) {
    return std::any_of(graph.nodes().begin(), graph.nodes().end(),
                       [](const Node& node) { return node.kind() == Kind::kContract; });
  };
  int found = 0;
  for (uint64_t seed = 0; found < 5; seed++) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed);
    ASSERT_TRUE(random.ok()) << random.status();
    if (!fails(random->graph)) continue;
    found++;
    const Graph small = Shrink(random->graph, fails);
    EXPECT_LE(small.nodes().size(), 3u) << Print(small);
    EXPECT_EQ(small.outputs().size(), 1u);
    EXPECT_TRUE(fails(small));
    EXPECT_EQ(Verify(small), absl::OkStatus());
  }
}

TEST(Reproducer, IsATestOfTheGraphsText) {
  const Graph graph = ParseGraph("graph() -> (%0) { %0 int32[3] = iota }", {}).value();
  EXPECT_EQ(Reproducer(graph, 7, 20, "CheckGraph"),
            "TEST(Reproduce, Seed7) {\n"
            "  const absl::StatusOr<Graph> graph = ParseGraph(R\"(\n"
            "graph() -> (%0) {\n"
            "  %0  int32[3] = iota\n"
            "}\n"
            ")\", AllOps());\n"
            "  ASSERT_TRUE(graph.ok()) << graph.status();\n"
            "  EXPECT_EQ(CheckGraph(*graph, 7u, 20), \"\");\n"
            "}\n");
}

}  // namespace
}  // namespace talweg
