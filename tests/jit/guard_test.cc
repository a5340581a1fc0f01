// Compiled code touches no byte outside of its buffers: inputs, constants, outputs and scratch
// memory each stand flush against a page that nobody may touch, behind them or before them, while
// random graphs run. Inputs and constants can not be written.

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/print.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "jit/llvm/engine.h"
#include "jit/llvm/host.h"
#include "jit/loops/lower.h"
#include "jit/loops/run.h"
#include "jit/passes/pipeline.h"
#include "tests/base/seeds.h"
#include "tests/graphs/contractions.h"
#include "tests/graphs/engines.h"
#include "tests/graphs/random_graph.h"
#include "tests/graphs/shrink.h"
#include "tests/jit/llvm/guarded.h"

namespace talweg {
namespace {

using Flush = native::Guarded::Flush;

sigjmp_buf trap;
volatile void* trapped_at = nullptr;

void OnTrap(int, siginfo_t* info, void*) {
  trapped_at = info->si_addr;
  siglongjmp(trap, 1);
}

// Runs compiled code; true where it touched what it may not. No destructor is passed over: the code
// and what it calls have none.
bool Traps(const native::CompiledProgram& code, loops::Context* context, bool& finished) {
  struct sigaction action = {}, old_segv, old_bus;
  action.sa_sigaction = OnTrap;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &old_segv);
  sigaction(SIGBUS, &action, &old_bus);
  volatile bool trapped = true;
  if (sigsetjmp(trap, 1) == 0) {
    finished = code.Run(context);
    trapped = false;
  }
  sigaction(SIGSEGV, &old_segv, nullptr);
  sigaction(SIGBUS, &old_bus, nullptr);
  return trapped;
}

// What stands behind a slot of the table, or the arena, in guarded memory.
struct Guard {
  std::string what;
  native::Guarded memory;
  int64_t bytes;
};

// What is wrong with a graph under guard; empty where nothing is.
std::string Check(const Graph& graph, const std::string& cpu, Flush flush, uint64_t seed,
                  int64_t rows) {
  const absl::StatusOr<Graph> simplified = passes::RunPasses(graph);
  if (!simplified.ok()) return absl::StrCat("passes: ", simplified.status().message());
  const absl::StatusOr<native::Target> target = native::DetectTarget(cpu);
  if (!target.ok()) return absl::StrCat("target: ", target.status().message());
  // Contractions in small blocks, of sizes that divide little.
  constexpr int64_t kBlocks[] = {0, 4, 5};
  const absl::StatusOr<loops::Program> program = loops::Lower(
      *simplified, target->machine, {.block = kBlocks[seed % 3], .split = seed % 2 == 0});
  if (!program.ok()) return absl::StrCat("lowering: ", program.status().message());
  const auto code = native::Compile(*program, {.target = *target, .level = 1, .name = "guarded"});
  if (!code.ok()) return absl::StrCat("compile: ", code.status().message());
  const absl::StatusOr<Executable> reference = Interpret(graph);
  if (!reference.ok()) return absl::StrCat("interpreter: ", reference.status().message());

  std::string fault;
  const Executable guarded(
      std::make_shared<const Graph>(graph),
      [&](absl::Span<const Array> inputs, const SymbolValues& symbols,
          const RunOptions& options) -> Outcome {
        loops::Run run(*program, graph, inputs, symbols, options, nullptr);
        if (!run.Prepare()) return run.Finish(false);
        loops::Context& context = *run.context();
        std::vector<Guard> guards;
        const auto guard = [&](std::string what, const std::byte* from, int64_t bytes) {
          Guard& made =
              guards.emplace_back(Guard{std::move(what), native::Guarded(bytes, flush), bytes});
          if (from != nullptr && bytes > 0) {
            std::memcpy(made.memory.data(), from, static_cast<size_t>(bytes));
          }
          return made.memory.data();
        };
        // The runtime's own copy of the table is what compiled code reads, too.
        std::vector<std::byte*> unguarded(context.table, context.table + program->slots());
        for (int32_t slot = 0; slot < program->dynamic_slot(); slot++) {
          const int64_t bytes = run.bytes(slot);
          const bool output = slot >= program->output_slot() && slot < program->constant_slot();
          // Outputs whose shapes are not known yet come when they are.
          if (output && bytes == 0) continue;
          context.table[slot] = guard(absl::StrCat("slot ", slot), context.table[slot], bytes);
          if (!output) guards.back().memory.MakeReadOnly();
        }
        std::byte *const arena = context.arena, *const thread = context.thread;
        context.arena = guard("the arena", nullptr, program->arena_bytes);
        context.thread = guard("the thread's own memory", nullptr, program->thread_bytes);
        bool finished = false;
        const bool trapped = Traps(**code, &context, finished);
        context.arena = arena;
        context.thread = thread;
        if (trapped) {
          fault =
              absl::StrCat("memory: something touched ",
                           absl::Hex(reinterpret_cast<uintptr_t>(const_cast<void*>(trapped_at))));
          for (const Guard& g : guards) {
            const auto at =
                static_cast<int64_t>(reinterpret_cast<uintptr_t>(const_cast<void*>(trapped_at)) -
                                     reinterpret_cast<uintptr_t>(g.memory.data()));
            if (at >= -4096 && at < g.bytes + 4096) {
              absl::StrAppend(&fault, ", byte ", at, " of ", g.bytes, " of ", g.what);
            }
          }
        }
        // What was written under guard goes to where it belongs.
        for (int32_t slot = 0; slot < program->dynamic_slot(); slot++) {
          std::byte* const to = unguarded[static_cast<size_t>(slot)];
          std::byte* const from = context.table[slot];
          if (run.bytes(slot) == 0 || from == to) continue;
          const bool output = slot >= program->output_slot() && slot < program->constant_slot();
          // An output that was made while it ran has replaced its slot by itself.
          bool is_guard = false;
          for (const Guard& g : guards) is_guard = is_guard || g.memory.data() == from;
          if (output && is_guard) {
            std::memcpy(to, from, static_cast<size_t>(run.bytes(slot)));
          }
        }
        return run.Finish(finished || trapped);
      });
  for (const int64_t others : {rows, int64_t{0}, int64_t{1}, int64_t{5}, int64_t{100}}) {
    const NamedArrays inputs = RandomInputs(graph, seed, others);
    std::vector<Array> ordered;
    for (size_t i = 0; i < graph.inputs().size(); i++) {
      ordered.push_back(inputs.at(graph.input_name(i)));
    }
    // One thread: another one's fault would not come back here.
    const Outcome got = guarded.Call(ordered, {.threads = 1});
    if (!fault.empty()) return absl::StrCat(fault, ", with ", others, " rows");
    const std::string difference = Difference(graph, ordered, reference->Call(ordered), got);
    if (!difference.empty()) return absl::StrCat("outputs: ", others, " rows: ", difference);
    if (rows == 0) break;
  }
  return "";
}

class Guards : public testing::TestWithParam<std::tuple<const char*, Flush>> {};

// Sizes that are packed and done in blocks by themselves, not by an option.
TEST_P(Guards, OfLargeContractionsStayUntouched) {
  const auto& [cpu, flush] = GetParam();
  if (!native::DetectTarget(cpu).ok()) GTEST_SKIP() << "this machine has no " << cpu;
  for (const uint64_t seed : FuzzSeeds(22)) {
    std::mt19937_64 random(seed);
    const RandomContraction drawn = MakeRandomContraction(random);
    ASSERT_TRUE(drawn.graph.ok()) << "seed " << seed << ": " << drawn.graph.status();
    EXPECT_EQ(Check(*drawn.graph, cpu, flush, 3 * seed, drawn.rows), "")
        << "seed " << seed << ", " << drawn.rows << " rows\n"
        << Print(*drawn.graph, {.lines = false});
  }
}

TEST_P(Guards, StayUntouched) {
  const auto& [cpu, flush] = GetParam();
  if (!native::DetectTarget(cpu).ok()) GTEST_SKIP() << "this machine has no " << cpu;
  for (const uint64_t seed : FuzzSeeds(220)) {
    const absl::StatusOr<RandomGraph> random =
        MakeRandomGraph(seed, {.gradients = seed % 3 == 0, .wild = seed % 4 == 0});
    ASSERT_TRUE(random.ok()) << "seed " << seed << ": " << random.status();
    const auto check = [&, cpu = cpu, flush = flush](const Graph& graph) {
      return Check(graph, cpu, flush, seed, random->rows);
    };
    const std::string fault = check(random->graph);
    if (fault.empty()) continue;
    const std::string kind = fault.substr(0, fault.find(':'));
    const Graph small = Shrink(random->graph, [&](const Graph& graph) {
      return check(graph).substr(0, kind.size()) == kind;
    });
    FAIL() << "seed " << seed << ": " << fault << "\nrows " << random->rows << "\n"
           << Print(small, {.lines = false}) << check(small);
  }
}
INSTANTIATE_TEST_SUITE_P(Of, Guards,
                         testing::Combine(testing::Values("native", "avx2", "x86-64"),
                                          testing::Values(Flush::kBehind, Flush::kBefore)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::erase(name, '-');
                           return name + (std::get<1>(test.param) == Flush::kBehind ? "_behind"
                                                                                    : "_before");
                         });

}  // namespace
}  // namespace talweg
