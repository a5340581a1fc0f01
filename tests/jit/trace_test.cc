// What the compiler shows of its work.

#include "jit/trace.h"

#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "jit/jit.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"

namespace talweg {
namespace {

using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// tanh(x w), with something for the passes to do.
Graph TestGraph() {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows, 2}), w = t.Input("w", kFloat32, {2, 3});
  const Value y = Tanh(MatMul(x, w)) * 1;
  return *t.Finish({y, Sum(y)});
}

using Shown = std::vector<std::pair<std::string, std::string>>;

Trace To(Shown& shown, Trace trace) {
  trace.sink = [&shown](std::string_view stage, std::string_view text) {
    shown.emplace_back(stage, text);
  };
  return trace;
}

std::vector<std::string> StagesOf(const Shown& shown) {
  std::vector<std::string> stages;
  for (const auto& [stage, text] : shown) stages.push_back(stage);
  return stages;
}

TEST(ParseTrace, KnowsTheWords) {
  std::vector<std::string> unknown;
  const Trace trace = ParseTrace(" graph,loops , asm,,nan", &unknown);
  EXPECT_TRUE(trace.graph && trace.loops && trace.assembly && trace.nan);
  EXPECT_FALSE(trace.passes || trace.llvm || trace.time || trace.table);
  EXPECT_THAT(unknown, IsEmpty());
}

TEST(ParseTrace, GoesOnBehindAnUnknownWord) {
  std::vector<std::string> unknown;
  const Trace trace = ParseTrace("graf,time,GRAPH", &unknown);
  EXPECT_TRUE(trace.time);
  EXPECT_FALSE(trace.graph);
  EXPECT_THAT(unknown, ElementsAre("graf", "GRAPH"));
}

TEST(Trace, ShowsEachStageInOrder) {
  Shown shown;
  const Trace all = {
      .graph = true, .passes = true, .loops = true, .llvm = true, .assembly = true, .time = true};
  ASSERT_TRUE(Jit(TestGraph(), {.cache = "off", .trace = To(shown, all)}).ok());
  ASSERT_THAT(StagesOf(shown), ElementsAre("graph", "passes", "loops", "llvm", "asm", "time"));
  EXPECT_THAT(shown[0].second, HasSubstr("= mul("));
  EXPECT_THAT(shown[0].second, HasSubstr("trace_test.cc:"));
  EXPECT_THAT(shown[1].second, HasSubstr("simplify: 8 nodes become "));
  EXPECT_THAT(shown[1].second, HasSubstr("nothing to do"));
  EXPECT_THAT(shown[2].second, HasSubstr("section \"tanh %3"));
  EXPECT_THAT(shown[3].second, HasSubstr("define"));
  EXPECT_THAT(shown[4].second, HasSubstr(".globl"));
  for (const char* stage : {"verify", "passes", "  simplify", "lower", "codegen", "total"}) {
    EXPECT_THAT(shown[5].second, HasSubstr(stage));
  }
}

// Each section is a function of its own there.
TEST(Trace, TellsPerfAndGdbOfTheFunctions) {
  const absl::StatusOr<Executable> made = Jit(TestGraph(), {.trace = {.perf = true, .gdb = true}});
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  EXPECT_THAT(ReadFile(path).value_or(""), ContainsRegex("[0-9a-f]+ [0-9a-f]+ .*talweg"));
  std::remove(path.c_str());
}

TEST(Trace, ShowsNothingUnasked) {
  Shown shown;
  ASSERT_TRUE(Jit(TestGraph(), {.cache = "off", .trace = To(shown, {})}).ok());
  EXPECT_THAT(shown, IsEmpty());
  ASSERT_TRUE(Jit(TestGraph(), {.cache = "off", .trace = To(shown, {.time = true})}).ok());
  EXPECT_THAT(StagesOf(shown), ElementsAre("time"));
}

TEST(Trace, ShowsCodeThatTheCacheHas) {
  const std::string cache = testing::TempDir() + "/cache";
  Shown shown;
  for (int i = 0; i < 2; i++) {
    const Trace trace = To(shown, {.assembly = true, .time = true});
    ASSERT_TRUE(Jit(TestGraph(), {.cache = cache, .trace = trace}).ok());
  }
  const Trace trace = To(shown, {.time = true});
  ASSERT_TRUE(Jit(TestGraph(), {.cache = cache, .trace = trace}).ok());
  ASSERT_THAT(StagesOf(shown), ElementsAre("asm", "time", "asm", "time", "time"));
  EXPECT_EQ(shown[0].second, shown[2].second);
  EXPECT_THAT(shown[3].second, Not(HasSubstr("cache, hit"))) << "it was made anew to be shown";
  EXPECT_THAT(shown[4].second, HasSubstr("cache, hit"));
}

TEST(Trace, WritesAFileAStageAndCompile) {
  const std::string folder = testing::TempDir() + "/traces";
  std::filesystem::remove_all(folder);
  for (int i = 0; i < 2; i++) {
    ASSERT_TRUE(Jit(TestGraph(), {.trace = {.graph = true, .llvm = true, .folder = folder}}).ok());
  }
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename());
  }
  EXPECT_THAT(names, ElementsAre("001_talweg.graph.txt", "001_talweg.llvm.ll",
                                 "002_talweg.graph.txt", "002_talweg.llvm.ll"));
  EXPECT_THAT(*ReadFile(folder + "/002_talweg.graph.txt"), HasSubstr("graph(%0, %1)"));
}

// What the environment says is read once a process: each of these is one of its own.
class TraceDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

[[noreturn]] void CompileUnder(const char* words, const std::string& folder) {
  ::setenv("TALWEG_TRACE", words, 1);
  ::setenv("TALWEG_TRACE_DIR", folder.c_str(), 1);
  const bool ok = Jit(TestGraph(), {}).ok() && Jit(TestGraph(), {}).ok();
  std::fputs("done", stderr);
  std::exit(ok ? 0 : 1);
}

TEST_F(TraceDeathTest, TheEnvironmentAsks) {
  EXPECT_EXIT(CompileUnder("graph", ""), testing::ExitedWithCode(0),
              "== talweg: graph\ngraph\\(%0, %1\\)");
}

TEST_F(TraceDeathTest, AnUnknownWordIsReportedOnceAndTheRestWorks) {
  EXPECT_EXIT(CompileUnder("tome,graph", ""), testing::ExitedWithCode(0),
              "^talweg: TALWEG_TRACE has no 'tome'; there are graph, passes, loops, llvm, asm, "
              "time, nan, table, perf, gdb\n== talweg: graph\n[^=]*=[^\001]*== talweg: graph");
}

TEST_F(TraceDeathTest, TheEnvironmentNamesAFolder) {
  const std::string folder = testing::TempDir() + "/environment";
  std::filesystem::remove_all(folder);
  EXPECT_EXIT(CompileUnder("graph", folder), testing::ExitedWithCode(0), "^done$");
  EXPECT_TRUE(ReadFile(folder + "/002_talweg.graph.txt").ok());
}

TEST_F(TraceDeathTest, AFolderThatCannotBeWrittenIsReported) {
  EXPECT_EXIT(CompileUnder("graph,time", "/proc/none"), testing::ExitedWithCode(0),
              "^talweg: there is no trace: /proc/none/001_talweg.graph.txt: ");
}

}  // namespace
}  // namespace talweg
