// The inner loops of whole trainings keep their vectors in registers.

#include <cstdint>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "benchmarks/common/tutorial.h"
#include "benchmarks/random/network.h"
#include "gtest/gtest.h"
#include "jit/jit.h"
#include "jit/llvm/host.h"
#include "train/fit_graph.h"

namespace talweg {
namespace {

struct Spills {
  int inner_loops = 0;
  int with_fma = 0;
  std::vector<std::string> spills;  // instructions in inner loops that spill or reload a vector
};

// Reads LLVM's commented assembly: where a block is in a loop, a comment says so, and whether it is
// an innermost one. Blocks that call are left out: what is saved around the report of an error
// costs nothing while there is none.
Spills FindSpills(const std::string& assembly) {
  struct Block {
    std::string label, header;
    std::vector<std::string> lines;
    bool calls = false;
  };
  static const std::regex kLabel(R"(^(?:\.L(BB\d+_\d+)|# %bb\.\d+|talweg\S*):.*)");
  static const std::regex kIn(R"(in Loop: Header=(BB\d+_\d+))");
  static const std::regex kSpill(R"(\b(16|32|64)-byte (Folded )?(Spill|Reload))");
  std::vector<Block> blocks(1);
  std::set<std::string> inner;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(assembly, '\n'))) {
    std::smatch match;
    if (std::regex_match(line, match, kLabel)) blocks.push_back({match[1], "", {}, false});
    Block& block = blocks.back();
    if (absl::StrContains(line, "This Inner Loop Header")) {
      inner.insert(block.label);
      block.header = block.label;
    }
    if (std::regex_search(line, match, kIn)) block.header = match[1];
    block.calls = block.calls || absl::StrContains(line, "callq");
    block.lines.push_back(line);
  }
  Spills found;
  found.inner_loops = static_cast<int>(inner.size());
  for (const Block& block : blocks) {
    if (block.calls || !inner.contains(block.header)) continue;
    bool fma = false;
    for (const std::string& line : block.lines) {
      fma = fma || absl::StrContains(line, "vfmadd");
      if (std::regex_search(line, kSpill)) found.spills.push_back(line);
    }
    found.with_fma += fma ? 1 : 0;
  }
  return found;
}

TEST(Spills, AreFoundInInnerLoopsOnly) {
  constexpr char kAssembly[] = R"(
talweg.f:
	vmovaps	%ymm0, (%rsp)                   # 32-byte Spill
.LBB0_1:                                # %outer
                                        # =>This Loop Header: Depth=1
	vmovaps	%ymm0, (%rsp)                   # 32-byte Spill
.LBB0_2:                                # %loop
                                        #   Parent Loop BB0_1 Depth=1
                                        # =>  This Inner Loop Header: Depth=2
	vfmadd231ps	(%rsp), %ymm1, %ymm2        # 32-byte Folded Reload
	movq	(%rsp), %rax                    # 8-byte Reload
# %bb.3:                                # %more
                                        #   in Loop: Header=BB0_2 Depth=2
	vmovups	(%rsp), %zmm0                   # 64-byte Reload
.LBB0_4:                                # %error
                                        #   in Loop: Header=BB0_2 Depth=2
	vmovups	%zmm0, (%rsp)                   # 64-byte Spill
	callq	talweg_index_error
)";
  const Spills found = FindSpills(kAssembly);
  EXPECT_EQ(found.inner_loops, 1);
  EXPECT_EQ(found.with_fma, 1);
  EXPECT_EQ(found.spills.size(), 2u);
}

// The machine code of a whole training, with so many inputs and classes.
std::string AssemblyOf(const Training& training, int64_t inputs, int64_t classes,
                       const std::string& cpu) {
  std::string assembly;
  JitOptions options = {.cpu = cpu, .cache = "off"};
  options.trace.assembly = true;
  options.trace.sink = [&](std::string_view, std::string_view text) { assembly = text; };
  const DataTypes types = {{kFloat32, {inputs}}, {kFloat32, {classes}}};
  const auto plan = PlanTraining(training, types, true);
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return "";
  const absl::StatusOr<Graph> graph = FitGraph(training, *plan, types, 500, 500);
  EXPECT_TRUE(graph.ok() && Jit(*graph, options).ok());
  return assembly;
}

class SpillsOn : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!native::DetectTarget(GetParam()).ok()) GTEST_SKIP() << "no such processor here";
  }
  void ExpectNone(const std::string& what, const Training& training, int64_t inputs,
                  int64_t classes) {
    const Spills found = FindSpills(AssemblyOf(training, inputs, classes, GetParam()));
    EXPECT_GT(found.inner_loops, 10) << what;
    EXPECT_GT(found.with_fma, 3) << what;
    EXPECT_EQ(found.spills, std::vector<std::string>()) << what;
  }
};
INSTANTIATE_TEST_SUITE_P(Processor, SpillsOn, testing::Values("avx2", "avx512"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(SpillsOn, OfTheTutorialsTrainingsThereAreNone) {
  for (const auto& [name, rule] : bench::TutorialRules()) {
    ExpectNone(name, bench::TutorialTraining(rule), 2, 3);
  }
}

// With sixteen registers a fifth of all networks has some, where long formulas stand side by side:
// fewer of them spill less and take longer (benchmarks/README.md).
TEST_P(SpillsOn, OfOtherNetworksThereAreNone) {
  const bool has_many_registers = GetParam() == std::string_view("avx512");
  for (int seed = 1; seed <= (has_many_registers ? 6 : 1); seed++) {
    for (int number = 1; number <= (has_many_registers ? 3 : 6); number++) {
      const bench::Network network = bench::Draw(static_cast<uint64_t>(seed), number);
      ExpectNone(bench::Describe(network), bench::TrainingOf(network), network.widths.front(),
                 network.widths.back());
    }
  }
}

// Its contractions are done in blocks, whose kernels fill the registers (jit/loops/macro.h).
TEST_P(SpillsOn, OfALargeNetworkThereAreNone) {
  Training training = bench::TutorialTraining(Sgd({.momentum = 0.9}));
  training.model = [](Scope& s, Value x) {
    const Value h = Relu(Dense(s, "first", x, 600, HeUniform()));
    return Dense(s, "output", Relu(Dense(s, "second", h, 500, HeUniform())), 10);
  };
  training.batch = 256;
  ExpectNone("large", training, 784, 10);
}

}  // namespace
}  // namespace talweg
