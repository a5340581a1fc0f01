// What an update of a large network writes: its weights and what the optimizer keeps, but no
// gradient of a weight.

#include <cstdint>
#include <regex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "benchmarks/common/tutorial.h"
#include "gtest/gtest.h"
#include "jit/jit.h"
#include "jit/llvm/host.h"
#include "jit/loops/lower.h"
#include "jit/passes/pipeline.h"
#include "talweg.h"
#include "tests/jit/known_caches.h"
#include "train/fit_graph.h"

namespace talweg {
namespace {

// Stores of eight float32 and more, in the loop IR and in commented assembly, where spills do not
// count.
int VectorStores(const loops::Program& program, const loops::Block& block) {
  int count = 0;
  for (const loops::Statement& statement : block) {
    if (const auto* i = std::get_if<loops::Instruction>(&statement.node)) {
      if (i->code != loops::Code::kStore) continue;
      const loops::RegisterType type = program.type(i->args[2]);
      count += type.dtype == kFloat32 && type.lanes >= 8 ? 1 : 0;
    } else if (const auto* loop = std::get_if<loops::For>(&statement.node)) {
      count += VectorStores(program, loop->body);
    } else if (const auto* branch = std::get_if<loops::If>(&statement.node)) {
      count += VectorStores(program, branch->body);
    } else {
      count += VectorStores(program, std::get<loops::Section>(statement.node).body);
    }
  }
  return count;
}

// Those of floats, or all: what is only copied may be taken for integers.
int VectorStores(const std::string& assembly, bool floats) {
  static const std::regex kFloats(R"(\s+v(mask)?mov[au]?p[sd]\s+(%[yz]mm\d+, )+[^%,]*\(%.*)");
  static const std::regex kIntegers(R"(\s+vmovdq[au](32|64)?\s+(%[yz]mm\d+, )+[^%,]*\(%.*)");
  int count = 0;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(assembly, '\n'))) {
    if (absl::StrContains(line, "Spill")) continue;
    count +=
        std::regex_match(line, kFloats) || (!floats && std::regex_match(line, kIntegers)) ? 1 : 0;
  }
  return count;
}

TEST(Stores, AreCounted) {
  constexpr char kAssembly[] = R"(
	vmovups	(%rax), %zmm0
	vmovups	%zmm0, 64(%rax,%rcx,4)          # %loop
	vmovups	%zmm0, (%rax) {%k1}
	vmaskmovps	%ymm0, %ymm1, 32(%rax)
	vmovdqu64	%zmm3, -64(%rsp)                # 64-byte Spill
	vmovss	%xmm0, (%rax)
	vmovdqu	%ymm0, (%rax)
	vmovaps	%zmm0, %zmm1
)";
  EXPECT_EQ(VectorStores(kAssembly, true), 3);
  EXPECT_EQ(VectorStores(kAssembly, false), 4);
}

class StoresOn : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Processor, StoresOn, testing::Values("avx2", "avx512"),
                         [](const auto& test) { return std::string(test.param); });

// Were a gradient stored, there would be a buffer of its size that neither state nor a packed
// operand lies in; and the machine code stores what the loop IR does, and nothing else.
TEST_P(StoresOn, OfAnUpdateWriteNoGradientOfAWeight) {
  const absl::StatusOr<native::Target> target = TargetOfKnownCaches(GetParam());
  if (!target.ok()) GTEST_SKIP() << target.status();
  for (const auto& [name, rule] : bench::TutorialRules()) {
    SCOPED_TRACE(name);
    const Training training = {.model =
                                   [](Scope& s, Value x) {
                                     const Value h = Dense(s, "hidden", x, 301, HeUniform());
                                     return Dense(s, "output", Relu(h), 3);
                                   },
                               .loss = SoftmaxCrossEntropy,
                               .rule = rule,
                               .rate = 0.05,
                               .metrics = {Accuracy},
                               .batch = 1300,
                               .epochs = 2,
                               .seed = 1};
    const DataTypes types = {{kFloat32, {203}}, {kFloat32, {3}}};
    const auto plan = PlanTraining(training, types, false);
    ASSERT_TRUE(plan.ok()) << plan.status();
    const absl::StatusOr<Graph> graph = FitGraph(training, *plan, types, 1300, 0);
    ASSERT_TRUE(graph.ok()) << graph.status();
    const absl::StatusOr<Graph> passed = passes::RunPasses(*graph);
    ASSERT_TRUE(passed.ok()) << passed.status();
    const absl::StatusOr<loops::Program> program = loops::Lower(*passed, target->machine);
    ASSERT_TRUE(program.ok()) << program.status();
    int packed = 0;
    for (const loops::Buffer& buffer : program->buffers) {
      if (absl::StartsWith(buffer.name, "packed")) packed++;
      if (buffer.home != loops::Buffer::Home::kArena || buffer.dtype != kFloat32 ||
          absl::StartsWith(buffer.name, "packed") || absl::StartsWith(buffer.name, "carried")) {
        continue;
      }
      // Weights and slots are 203 x 301 (with rounded rows), samples 1300 x 203 and 1300 x 301.
      EXPECT_FALSE(buffer.elements >= 203 * 301 && buffer.elements < 1300 * 203) << buffer.name;
    }
    // The forward product reads its operands as they lie; the gradient packs both of its own.
    EXPECT_EQ(packed, 2);

    // For this machine's caches, as the JIT compiles it.
    const absl::StatusOr<loops::Program> here =
        loops::Lower(*passed, native::DetectTarget(GetParam())->machine);
    ASSERT_TRUE(here.ok()) << here.status();
    const int stores = VectorStores(*here, here->body);
    std::string assembly;
    JitOptions options = {.cpu = GetParam(), .cache = "off"};
    options.trace.assembly = true;
    options.trace.sink = [&](std::string_view, std::string_view text) { assembly = text; };
    ASSERT_TRUE(Jit(*graph, options).ok());
    EXPECT_GT(stores, 50);
    EXPECT_LE(VectorStores(assembly, true), stores);
    EXPECT_GE(VectorStores(assembly, false), stores);
  }
}

}  // namespace
}  // namespace talweg
