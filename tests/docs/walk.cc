#include "tests/docs/walk.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "jit/llvm/engine.h"
#include "jit/llvm/host.h"
#include "jit/llvm/outline.h"
#include "jit/loops/lower.h"
#include "jit/loops/print.h"
#include "jit/passes/fuse.h"
#include "jit/passes/pipeline.h"
#include "talweg.h"

namespace talweg {
namespace {

// The tutorial's network on a batch, and one update by gradient descent.
absl::StatusOr<Graph> TrainingStep() {
  Tape t;
  Value x = t.Input("x", kFloat32, {32, 2}), y = t.Input("y", kFloat32, {32, 3});
  Value w1 = t.Input("w1", kFloat32, {2, 50}), b1 = t.Input("b1", kFloat32, {50});
  Value w2 = t.Input("w2", kFloat32, {50, 3}), b2 = t.Input("b2", kFloat32, {3});
  Value rate = t.Input("rate", kFloat32, {});

  Value h = Relu(Linear(x, w1, b1));
  Value loss = Mean(CategoricalCrossEntropyFromLogits(y, Linear(h, w2, b2)));

  std::vector<Value> next;
  std::vector<Value> parameters = {w1, b1, w2, b2};
  std::vector<Value> gradients = Gradient(loss, parameters);
  for (size_t i = 0; i < 4; i++) next.push_back(parameters[i] - rate * gradients[i]);
  return t.Finish({next[0], next[1], next[2], next[3], loss});
}

// A line a group of nodes that share a loop nest.
std::string Groups(const Graph& graph) {
  constexpr const char* kNames[] = {"nest", "concat", "scatter_add", "random", "loop"};
  std::string text;
  const Fusion fusion = Fuse(graph);
  for (size_t i = 0; i < fusion.groups.size(); i++) {
    const Fusion::Group& group = fusion.groups[i];
    absl::StrAppend(&text, "group ", i, ": ", kNames[static_cast<size_t>(group.what)], " ",
                    ToString(group.domain), ":");
    for (NodeId id : group.nodes) {
      absl::StrAppend(&text, " %", id, " ", graph.node(id).op->name,
                      fusion.stored[static_cast<size_t>(id)] ? "*" : "");
    }
    text += "\n";
  }
  return text;
}

using Lines = std::vector<std::string>;

Lines ToLines(const std::string& text) { return absl::StrSplit(text, '\n'); }

// Tabs become spaces.
std::string ToText(const Lines& lines) {
  std::string text = absl::StrJoin(lines, "\n") + "\n";
  return absl::StrReplaceAll(text, {{"\n\t", "\n    "}, {"\t", " "}});
}

// From the first line that has `from` to the first one after it that has `to`.
Lines Excerpt(const Lines& lines, const std::string& from, const std::string& to) {
  const auto has = [](const std::string& what) {
    return [&what](const std::string& line) { return absl::StrContains(line, what); };
  };
  const auto first = std::find_if(lines.begin(), lines.end(), has(from));
  const auto last = std::find_if(first, lines.end(), has(to));
  if (last == lines.end()) return {absl::StrCat("there is no '", from, "' ... '", to, "'")};
  return Lines(first, last + 1);
}

}  // namespace

absl::StatusOr<WalkStages> Walk() {
  WalkStages stages;
  const absl::StatusOr<Graph> graph = TrainingStep();
  if (!graph.ok()) return graph.status();
  stages.graph = Print(*graph, {.lines = false});
  const absl::StatusOr<Graph> simplified =
      passes::RunPasses(*graph, {.log = [&stages](const passes::PassRun& run) {
        if (!run.changed) return;
        stages.passes.emplace_back(run.name, Print(run.after, {.lines = false}));
      }});
  if (!simplified.ok()) return simplified.status();
  stages.simplified = Print(*simplified, {.lines = false});
  stages.groups = Groups(*simplified);

  absl::StatusOr<native::Target> target = native::DetectTarget("avx2");
  if (!target.ok()) return target.status();
  // Caches as no particular machine has them.
  target->machine.l1_bytes = 32 << 10;
  target->machine.l2_bytes = 512 << 10;
  target->machine.l3_bytes = 16 << 20;
  const absl::StatusOr<loops::Program> program = loops::Lower(*simplified, target->machine);
  if (!program.ok()) return program.status();
  stages.loops = loops::ToString(*program);
  // Each section is a function, so that what belongs together stays together.
  const native::CompileOptions options{.target = *target, .name = "step", .function_size = 0};
  absl::StatusOr<std::string> llvm = native::LlvmText(*program, options);
  if (!llvm.ok()) return llvm.status();
  stages.llvm = *std::move(llvm);
  absl::StatusOr<std::string> assembly = native::AssemblyText(*program, options);
  if (!assembly.ok()) return assembly.status();
  stages.assembly = *std::move(assembly);
  return stages;
}

std::vector<std::pair<std::string, std::string>> WalkBlocks(const WalkStages& stages) {
  const Lines graph = ToLines(stages.graph), loops = ToLines(stages.loops);
  const Lines folded = ToLines(stages.passes.front().second);
  // The section that writes the next b1, and the function that it becomes.
  Lines section;
  for (const std::string& line : loops) {
    if (absl::StartsWith(line, "section ")) section.clear();
    section.push_back(line);
    if (absl::StrContains(line, "store 'output 1'")) break;
  }
  const std::vector<std::string> label = absl::StrSplit(section[0], '"');
  const std::string function = absl::StrCat("talweg.step.", native::SymbolName(label.at(1)));

  // The last nodes of b1's update: a view of the rate, a product, a difference.
  const Lines update = Excerpt(graph, "sub(%3,", "sub(%3,");
  const size_t at =
      static_cast<size_t>(std::find(graph.begin(), graph.end(), update.at(0)) - graph.begin());
  return {
      {"graph", absl::StrCat(ToText(Excerpt(graph, "graph(", "= exp(")), "  ...\n",
                             ToText(Lines(graph.begin() + static_cast<std::ptrdiff_t>(at) - 2,
                                          graph.begin() + static_cast<std::ptrdiff_t>(at) + 1)))},
      {"before", ToText(Excerpt(graph, "constant 32", "= neg("))},
      {"after", ToText(Excerpt(folded, "constant 32", "= neg("))},
      {"groups", stages.groups},
      {"hidden", ToText(Excerpt(loops, "section ", "store relu")) + "    ...\n"},
      {"update", ToText(section)},
      {"llvm", ToText(Excerpt(ToLines(stages.llvm),
                              absl::StrCat("define internal i32 @", function, "("), "store "))},
      {"assembly", ToText(Excerpt(ToLines(stages.assembly), function + ":", "vmovups\t%ymm"))},
  };
}

}  // namespace talweg
