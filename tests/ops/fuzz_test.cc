// What holds for every graph, tried on graphs drawn at random: engines agree to the bit, text reads
// back to a graph that gives the same bits, and gradients are what differences say. A failure is
// cut down and printed as a test that repeats it.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/parse.h"
#include "graph/print.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "ops/table.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"
#include "tests/graphs/shrink.h"

namespace talweg {
namespace {

// Ten in eleven are the same in every run, the others from a seed that is printed and that
// TALWEG_FUZZ_SEED sets; TALWEG_FUZZ_COUNT says how many.
std::vector<uint64_t> Seeds(int64_t count) {
  if (const char* text = std::getenv("TALWEG_FUZZ_COUNT")) count = std::atoll(text);
  const char* text = std::getenv("TALWEG_FUZZ_SEED");
  const uint64_t fresh =
      text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  std::cout << count << " graphs, fresh seeds from " << fresh << std::endl;
  std::vector<uint64_t> seeds;
  for (int64_t i = 0; i < count; i++) {
    seeds.push_back(i % 11 == 10 ? (fresh << 24) + static_cast<uint64_t>(i)
                                 : static_cast<uint64_t>(i));
  }
  return seeds;
}

std::string Text(const absl::Status& status) { return std::string(status.message()); }

// What is wrong with a graph, as "property: how"; empty where nothing is.
std::string CheckGraph(const Graph& graph, uint64_t seed, int64_t rows) {
  if (const absl::Status status = Verify(graph); !status.ok()) {
    return absl::StrCat("verifier: ", Text(status));
  }
  const NamedArrays inputs = RandomInputs(graph, seed, rows);
  const absl::StatusOr<std::vector<Array>> outputs = RunOnAllEngines(graph, inputs);
  if (!outputs.ok()) {
    const bool differ = outputs.status().code() == absl::StatusCode::kInternal;
    return absl::StrCat(differ ? "engines: " : "run: ", Text(outputs.status()));
  }
  const absl::StatusOr<Graph> again = ParseGraph(Print(graph), AllOps());
  if (!again.ok()) return absl::StrCat("parser: ", Text(again.status()));
  if (!(*again == graph)) return "text: another graph was read back";
  const absl::StatusOr<std::vector<Array>> others = RunOnAllEngines(*again, inputs);
  for (size_t i = 0; i < outputs->size(); i++) {
    if (!others.ok() || !SameBits((*outputs)[i], (*others)[i])) return "text: other bits";
  }
  return "";
}

// The graph and inputs of a failure, small, as C++.
std::string Repeat(const Graph& graph, uint64_t seed, int64_t rows) {
  const auto property = [&](const Graph& g) {
    const std::string fault = CheckGraph(g, seed, rows);
    return fault.substr(0, fault.find(':'));
  };
  const std::string fault = property(graph);
  const Graph small = Shrink(graph, [&](const Graph& g) { return property(g) == fault; });
  return absl::StrCat(CheckGraph(small, seed, rows), "\n\n",
                      Reproducer(small, seed, rows, "CheckGraph"));
}

// ---- What the graphs are like -----------------------------------------------------------------

struct Coverage {
  std::map<std::string, int64_t> ops, dtypes, ranks;
  int64_t graphs = 0, nodes = 0, lively = 0;

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
    std::cout << graphs << " graphs of " << static_cast<double>(nodes) / static_cast<double>(graphs)
              << " nodes, " << 100.0 * static_cast<double>(lively) / static_cast<double>(graphs)
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

TEST(RandomGraphs, GiveTheSameBitsOnAllEnginesAndFromTheirText) {
  Coverage coverage;
  for (const uint64_t seed : Seeds(2200)) {
    // Every third has gradients too.
    const absl::StatusOr<RandomGraph> random =
        MakeRandomGraph(seed, {.smooth = false, .gradients = seed % 3 == 0});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    const std::string fault = CheckGraph(random->graph, seed, random->rows);
    ASSERT_EQ(fault, "") << "seed " << seed << "\n" << Repeat(random->graph, seed, random->rows);
    coverage.graphs++;
    coverage.Add(random->graph);
    coverage.lively += Lively(random->graph, seed, random->rows);
  }
  coverage.Print();
  if (coverage.graphs < 1000) return;  // too few to say what is covered
  for (const Op* op : AllOps()) EXPECT_GT(coverage.ops[op->name], 0) << op->name;
  for (DType dtype : kAllDTypes) EXPECT_GT(coverage.dtypes[Name(dtype)], 0) << Name(dtype);
  for (int rank = 0; rank <= 4; rank++) EXPECT_GT(coverage.ranks[absl::StrCat("rank ", rank)], 0);
  EXPECT_GE(coverage.lively * 10, coverage.graphs * 7);
}

// ---- Gradients --------------------------------------------------------------------------------

// Compares output `place + 1` with the derivative of output `place` along the directions, by
// differences of four points: f' = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h^4). A step
// that is too long or too short errs; a wrong derivative is wrong for all.
std::string CompareWithDifferences(const Executable& executable, const NamedArrays& at,
                                   size_t place) {
  const auto run = [&](double by) {
    NamedArrays inputs = at;
    for (auto& [name, array] : inputs) {
      const auto direction = at.find(absl::StrCat("d_", name));
      if (direction == at.end()) continue;
      const absl::Span<const double> d = direction->second.data<double>();
      const absl::Span<double> x = array.mutable_data<double>();
      for (size_t i = 0; i < x.size(); i++) x[i] += by * d[i];
    }
    const auto outputs = executable.Run(inputs);
    return outputs.ok() ? (*outputs)[place].At(0) : std::nan("");
  };
  const double got = executable.Run(at).value()[place + 1].At(0);
  std::string text = absl::StrCat("reverse mode says ", got, ", differences");
  for (const double h : {1e-3, 1e-4, 1e-5, 1e-2, 1e-6}) {
    const double wanted = (8 * (run(h) - run(-h)) - (run(2 * h) - run(-2 * h))) / (12 * h);
    if (!std::isfinite(got) && !std::isfinite(wanted)) return "";
    if (std::fabs(got - wanted) <= 1e-5 * std::max(1.0, std::fabs(wanted))) return "";
    absl::StrAppend(&text, " ", wanted);
  }
  return text;
}

TEST(RandomGraphs, HaveTheGradientsThatDifferencesSay) {
  int64_t finite = 0, count = 0;
  for (const uint64_t seed : Seeds(550)) {
    const absl::StatusOr<RandomGraph> random = MakeRandomGraph(seed, {.smooth = true});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    const absl::StatusOr<Executable> executable = AllEngines()[0].make(random->graph);
    ASSERT_TRUE(executable.ok()) << executable.status();
    NamedArrays at = RandomInputs(random->graph, seed, random->rows);
    // Short directions, however many elements there are.
    double size = 0;
    for (const auto& [name, array] : at) {
      if (name.starts_with("d_")) size += static_cast<double>(array.size());
    }
    for (auto& [name, array] : at) {
      if (!name.starts_with("d_")) continue;
      for (double& x : array.mutable_data<double>()) x /= std::sqrt(std::max(1.0, size));
    }
    for (size_t order = 0; order < 2; order++) {
      const std::string fault = CompareWithDifferences(*executable, at, random->sum + order);
      ASSERT_EQ(fault, "") << "seed " << seed << ", derivative " << order + 1 << "\n"
                           << Print(random->graph);
    }
    const auto outputs = executable->Run(at);
    finite += outputs.ok() && std::isfinite((*outputs)[random->sum + 1].At(0));
    count++;
  }
  std::cout << finite << " of " << count << " gradients are finite" << std::endl;
  EXPECT_GE(finite * 10, count * 9);
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
