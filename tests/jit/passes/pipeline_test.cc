#include "jit/passes/pipeline.h"

#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "graph/print.h"
#include "graph/tape.h"
#include "graph/verify.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "tests/base/seeds.h"
#include "tests/graph/every_kind.h"
#include "tests/graphs/random_graph.h"
#include "tests/graphs/shrink.h"
#include "tests/jit/passes/check.h"
#include "tests/jit/passes/random_loops.h"

namespace talweg::passes {
namespace {

using ::testing::HasSubstr;

// ---- The list -----------------------------------------------------------------------------------

TEST(Passes, CanBeTurnedOffByTheirNames) {
  const Graph graph = Parse(R"(
graph(%0) -> (%1) {
  %0 float32[] = input "x"
  %1 float32[] = neg(%0)
  %2 float32[] = neg(%1)
})");
  EXPECT_EQ(RunPasses(graph)->nodes().size(), 2u);
  std::vector<std::string> names;
  for (const Pass& pass : Passes()) names.push_back(pass.name);
  for (const std::vector<std::string>& without : {names, {kAllPasses}}) {
    int runs = 0;
    const absl::StatusOr<Graph> same =
        RunPasses(graph, {.without = without, .log = [&](const PassRun&) { runs++; }});
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_TRUE(*same == graph);
    EXPECT_EQ(runs, 0);
  }
  for (const std::string& name : names) {
    std::vector<std::string> ran;
    const absl::StatusOr<Graph> result = RunPasses(
        graph, {.without = {name}, .log = [&](const PassRun& run) { ran.push_back(run.name); }});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(ran, ::testing::Not(::testing::Contains(name)));
    EXPECT_GE(ran.size(), names.size() - 1);
  }
}

TEST(Passes, RefuseANameThatNoneHas) {
  const absl::StatusOr<Graph> graph = RunPasses(GraphOfEveryKind(), {.without = {"dead", "daed"}});
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr("no pass is called 'daed'; there"));
}

TEST(Passes, LogWhatTheyGaveAndTook) {
  const Graph graph = GraphOfEveryKind();
  Graph last = graph;
  int changes = 0;
  const absl::StatusOr<Graph> result =
      RunPasses(graph, {.verify = true, .log = [&](const PassRun& run) {
                          EXPECT_TRUE(run.before == last) << run.name;
                          EXPECT_EQ(run.changed, !(run.after == run.before)) << run.name;
                          EXPECT_GE(run.time, absl::ZeroDuration());
                          changes += run.changed;
                          last = run.after;
                        }});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(last == *result);
  EXPECT_GE(changes, 1);
  EXPECT_EQ(Compare(graph, *result), "");
}

// ---- Graphs drawn at random ---------------------------------------------------------------------

constexpr Reference::Sizes kFew[] = {{20, 3}, {2, 4}};

// What is wrong with what a list of passes makes of the graph; empty where nothing is.
std::string Check(const Reference& reference, const std::vector<std::string>& without) {
  const absl::StatusOr<Graph> once =
      RunPasses(reference.graph(), {.without = without, .verify = true});
  if (!once.ok()) return absl::StrCat(once.status().message());
  if (std::string fault = reference.Compare(*once); !fault.empty()) return fault;
  const absl::StatusOr<Graph> twice = RunPasses(*once, {.without = without});
  if (!(*twice == *once)) return "done twice it gives another graph";
  return "";
}

// All passes but this one.
std::vector<std::string> Others(const Pass& pass) {
  std::vector<std::string> others;
  for (const Pass& other : Passes()) {
    if (other.run != pass.run) others.push_back(other.name);
  }
  return others;
}

// A small graph with the same fault, as text.
template <typename CheckFunction>
std::string Small(const Reference& reference, const CheckFunction& check) {
  const auto fault = [&](const Graph& graph) { return check(Reference(graph, kFew, 1)); };
  const Graph& graph = reference.graph();
  if (fault(graph).empty()) return absl::StrCat(Print(graph, {.lines = false}), check(reference));
  const Graph small = Shrink(graph, [&](const Graph& g) { return !fault(g).empty(); });
  return absl::StrCat(Print(small, {.lines = false}), fault(small));
}

// How many graphs each pass found something in.
using Changes = std::map<std::string, size_t>;

// All passes, each alone, and random subsets.
void CheckSubsets(const Reference& reference, uint64_t seed, Changes& changes) {
  const auto all = [](const Reference& r) { return Check(r, {}); };
  ASSERT_EQ(all(reference), "") << Small(reference, all);
  for (const Pass& pass : Passes()) {
    const auto alone = [&](const Reference& r) { return Check(r, Others(pass)); };
    ASSERT_EQ(alone(reference), "") << "pass " << pass.name << "\n" << Small(reference, alone);
    changes[pass.name] += !(pass.run(reference.graph()) == reference.graph());
  }
  std::mt19937_64 numbers(seed);
  for (int i = 0; i < 2; i++) {
    std::vector<std::string> without;
    for (const Pass& pass : Passes()) {
      if (numbers() % 3 == 0) without.push_back(pass.name);
    }
    const auto some = [&](const Reference& r) { return Check(r, without); };
    ASSERT_EQ(some(reference), "") << "without " << absl::StrJoin(without, ", ") << "\n"
                                   << Small(reference, some);
  }
}

void PrintChanges(const Changes& changes, size_t least) {
  for (const Pass& pass : Passes()) {
    const auto it = changes.find(pass.name);
    const size_t count = it == changes.end() ? 0 : it->second;
    std::cout << "  " << pass.name << " changed " << count;
    EXPECT_GE(count, least) << pass.name;
  }
  std::cout << std::endl;
}

TEST(Passes, KeepEveryBitOfRandomGraphs) {
  Changes changes;
  const std::vector<uint64_t> seeds = FuzzSeeds(1100);
  for (const uint64_t seed : seeds) {
    const absl::StatusOr<RandomGraph> random =
        MakeRandomGraph(seed, {.smooth = {}, .gradients = seed % 2 == 0});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    const Reference::Sizes sizes[] = {{random->rows, 3}};
    CheckSubsets(Reference(random->graph, sizes, seed), seed, changes);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
  PrintChanges(changes, seeds.size() / 200);
}

TEST(Passes, KeepEveryBitOfRandomLoops) {
  Changes changes;
  const std::vector<uint64_t> seeds = FuzzSeeds(1100);
  for (const uint64_t seed : seeds) {
    const absl::StatusOr<Graph> graph = MakeRandomLoops(seed);
    ASSERT_TRUE(graph.ok()) << "seed " << seed << ": " << graph.status();
    const Reference::Sizes sizes[] = {{1, 1}};
    const Reference reference(*graph, sizes, seed);
    ASSERT_EQ(reference.status(), absl::OkStatus()) << "seed " << seed;
    CheckSubsets(reference, seed, changes);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed;
  }
  PrintChanges(changes, seeds.size() / 20);
}

}  // namespace
}  // namespace talweg::passes
