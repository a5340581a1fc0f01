#include "jit/compile.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "graph/core_ops.h"
#include "graph/print.h"
#include "graph/reads.h"
#include "graph/verify.h"
#include "jit/floats.h"
#include "jit/image.h"
#include "jit/llvm/cache.h"
#include "jit/llvm/engine.h"
#include "jit/llvm/host.h"
#include "jit/loops/evaluate.h"
#include "jit/loops/lower.h"
#include "jit/loops/print.h"
#include "jit/loops/runtime.h"
#include "jit/loops/verify.h"
#include "jit/passes/pipeline.h"

namespace talweg {
namespace {

// A value of run-time extents: whether it can exist is known when these are.
struct RunTimeShape {
  Shape shape;
  NodeId node;
};

std::vector<RunTimeShape> RunTimeShapes(const Graph& graph) {
  const std::vector<bool> needed = NeededFor(graph, graph.outputs());
  std::vector<RunTimeShape> shapes;
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    if (!needed[i]) continue;
    const Node& node = graph.nodes()[i];
    for (const Type& type : node.types) {
      if (IsStatic(type.shape)) continue;
      // One of a shape stands for all, but for ops that ask more of it.
      const bool asks_more = node.kind() == Kind::kIota || node.kind() == Kind::kRandom;
      const bool known = std::any_of(shapes.begin(), shapes.end(), [&](const RunTimeShape& s) {
        const Node& other = graph.node(s.node);
        return s.shape == type.shape &&
               (!asks_more || (other.op == node.op && other.types == node.types));
      });
      if (!known) shapes.push_back({type.shape, static_cast<NodeId>(i)});
    }
  }
  return shapes;
}

absl::Status CheckShapes(const Graph& graph, const std::vector<RunTimeShape>& shapes,
                         const SymbolValues& symbols) {
  for (const RunTimeShape& s : shapes) {
    const Dims dims = Resolve(s.shape, symbols);
    if (std::any_of(dims.begin(), dims.end(), [](int64_t dim) { return dim < 0; })) continue;
    const absl::Status status = CheckExtents(graph.node(s.node), dims);
    if (status.ok()) continue;
    return NodeError(absl::StatusCode::kInvalidArgument, graph, s.node, status.message());
  }
  return absl::OkStatus();
}

// Extents of run time up to this one make no shape that can not exist: a size grows with them.
int64_t SurelyPossible(const Graph& graph, const std::vector<RunTimeShape>& shapes) {
  int64_t extent = int64_t{1} << 40;
  while (extent > 0 && !CheckShapes(graph, shapes, {extent, extent}).ok()) extent /= 2;
  return extent;
}

absl::StatusOr<Graph> RunPasses(const Graph& graph, const JitOptions& options, Tracer& tracer,
                                CompileTimes& times) {
  std::string text;
  const bool wanted = tracer.Wants(&Trace::passes);
  absl::StatusOr<Graph> result = passes::RunPasses(
      graph, {.without = options.without,
              .verify = options.verify,
              .log = [&](const passes::PassRun& run) {
                const double ms = absl::ToDoubleMilliseconds(run.time);
                const auto same = [&](const auto& pass) { return pass.first == run.name; };
                auto it = std::find_if(times.each_pass.begin(), times.each_pass.end(), same);
                if (it == times.each_pass.end()) {
                  it = times.each_pass.insert(it, {run.name, 0});
                }
                it->second += ms;
                if (!wanted) return;
                const size_t before = CountNodes(run.before), after = CountNodes(run.after);
                if (!run.changed) {
                  absl::StrAppendFormat(&text, "%s: nothing to do, %.3f ms\n", run.name, ms);
                } else {
                  absl::StrAppendFormat(&text, "%s: %d nodes become %d, %.3f ms\n%s", run.name,
                                        before, after, ms, Print(run.after));
                }
              }});
  tracer.Show(&Trace::passes, text);
  return result;
}

// What is run of a graph.
struct Compiled {
  loops::RunTables tables;
  loops::Body body;
};

absl::StatusOr<Compiled> LinkImage(Image image, const native::CompileOptions& options,
                                   CompileTimes& times) {
  absl::StatusOr<std::shared_ptr<const native::CompiledProgram>> code =
      native::Link(image.object, options, &times.code);
  if (!code.ok()) return code.status();
  return Compiled{std::move(image.tables), [code = *std::move(code)](loops::Context* context) {
                    return code->Run(context);
                  }};
}

absl::StatusOr<loops::Program> MakeProgram(const Graph& graph, const native::Target& target,
                                           const JitOptions& options, Tracer& tracer,
                                           CompileTimes& times) {
  Clock clock;
  const absl::StatusOr<Graph> simplified = RunPasses(graph, options, tracer, times);
  if (!simplified.ok()) return simplified.status();
  times.passes = clock.Lap();
  absl::StatusOr<loops::Program> lowered =
      loops::Lower(*simplified, target.machine,
                   {.fuse = options.fuse, .block = options.block, .split = options.split});
  if (!lowered.ok()) return lowered.status();
  times.lower = clock.Lap();
  if (tracer.Wants(&Trace::loops)) tracer.Show(&Trace::loops, loops::ToString(*lowered));
  if (options.verify) {
    if (absl::Status status = loops::Verify(*lowered); !status.ok()) return status;
  }
  return lowered;
}

absl::StatusOr<Image> MakeImage(const Graph& graph, const native::CompileOptions& native_options,
                                const JitOptions& options, Tracer& tracer, CompileTimes& times) {
  absl::StatusOr<loops::Program> program =
      MakeProgram(graph, native_options.target, options, tracer, times);
  if (!program.ok()) return program.status();
  // Before the compile: should LLVM not survive it, this is what is wanted.
  if (tracer.Wants(&Trace::llvm)) {
    const absl::StatusOr<std::string> text = native::LlvmText(*program, native_options);
    if (!text.ok()) return text.status();
    tracer.Show(&Trace::llvm, *text);
  }
  if (tracer.Wants(&Trace::assembly)) {
    const absl::StatusOr<std::string> text = native::AssemblyText(*program, native_options);
    if (!text.ok()) return text.status();
    tracer.Show(&Trace::assembly, *text);
  }
  absl::StatusOr<std::string> object = native::EmitObject(*program, native_options, &times.code);
  if (!object.ok()) return object.status();
  return Image{static_cast<loops::RunTables&&>(*program), *std::move(object)};
}

// Whether a stage is to be shown that does not happen where the cache has its result.
bool ShowsStages(const Tracer& tracer) {
  return tracer.Wants(&Trace::passes) || tracer.Wants(&Trace::loops) ||
         tracer.Wants(&Trace::llvm) || tracer.Wants(&Trace::assembly);
}

absl::StatusOr<Compiled> MakeNative(const Graph& graph, const native::Target& target,
                                    const JitOptions& options, Tracer& tracer,
                                    CompileTimes& times) {
  native::CompileOptions native_options = {
      .target = target, .level = options.level, .name = "talweg", .verify = options.verify};
  native_options.gdb = tracer.Wants(&Trace::gdb);
  native_options.perf = tracer.Wants(&Trace::perf);
  const bool is_watched = native_options.gdb || native_options.perf;
  if (is_watched) native_options.function_size = 0;
  Clock clock;
  // What is made for debuggers is other code.
  const auto cache = native::ObjectCache::Open(is_watched ? "off" : options.cache);
  native::ObjectCache::Key key = {};
  if (cache.on()) {
    key = KeyOf(graph, options, target);
    std::optional<std::string> bytes;
    if (!ShowsStages(tracer)) bytes = cache.Get(key);
    std::optional<Image> image;
    if (bytes.has_value()) image = ImageFromBytes(*bytes, graph);
    times.code.cache = clock.Lap();
    if (image.has_value()) {
      absl::StatusOr<Compiled> compiled = LinkImage(*std::move(image), native_options, times);
      // It is whole and ours. Should it not load all the same, a new one says why.
      times.code.cached = compiled.ok();
      if (compiled.ok()) return compiled;
    }
  }
  absl::StatusOr<Image> image = MakeImage(graph, native_options, options, tracer, times);
  if (!image.ok()) return image.status();
  if (cache.on()) {
    clock.Lap();
    cache.Put(key, ToBytes(*image, graph)).IgnoreError();
    times.code.cache += clock.Lap();
  }
  return LinkImage(*std::move(image), native_options, times);
}

absl::StatusOr<Compiled> MakeEvaluator(const Graph& graph, const native::Target& target,
                                       const JitOptions& options, Tracer& tracer,
                                       CompileTimes& times) {
  absl::StatusOr<loops::Program> program = MakeProgram(graph, target, options, tracer, times);
  if (!program.ok()) return program.status();
  loops::Evaluator evaluator(*program, /*wide=*/true, /*shuffle=*/options.split);
  return Compiled{static_cast<loops::RunTables&&>(*program), std::move(evaluator)};
}

}  // namespace

size_t CountNodes(const Graph& graph) {
  size_t count = graph.nodes().size();
  for (const Node& node : graph.nodes()) {
    if (node.kind() == Kind::kLoop) count += CountNodes(*node.As<LoopAttributes>().body);
  }
  return count;
}

double CompileTimes::Total() const {
  return verify + passes + lower + code.target + code.emit + code.codegen + code.link + code.cache;
}

std::string CompileTimes::ToString() const {
  std::string text;
  const auto line = [&text](const char* stage, double ms) {
    absl::StrAppendFormat(&text, "%-10s %9.3f ms\n", stage, ms);
  };
  line("verify", verify);
  line("passes", passes);
  for (const auto& [name, ms] : each_pass) line(absl::StrCat("  ", name).c_str(), ms);
  line("lower", lower);
  line("target", code.target);
  line("emit", code.emit);
  line("codegen", code.codegen);
  line("link", code.link);
  line(cached() ? "cache, hit" : "cache", code.cache);
  line("total", Total());
  return text;
}

absl::StatusOr<RunFunction> CompileGraph(const Graph& graph, const JitOptions& options,
                                         std::shared_ptr<loops::TeamPool> teams, Tracer& tracer,
                                         CompileTimes* times) {
  const DefaultFloats floats;
  CompileTimes unused;
  if (times == nullptr) times = &unused;
  if (options.level < 0 || options.level > 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("the level is ", options.level, "; there are 0, 1, 2 and 3"));
  }
  Clock clock;
  if (tracer.Wants(&Trace::graph)) tracer.Show(&Trace::graph, Print(graph));
  const absl::StatusOr<native::Target> target = native::DetectTarget(options.cpu);
  if (!target.ok()) return target.status();
  clock.Lap();
  if (absl::Status status = Verify(graph); !status.ok()) return status;
  times->verify = clock.Lap();
  absl::StatusOr<Compiled> compiled = options.evaluate
                                          ? MakeEvaluator(graph, *target, options, tracer, *times)
                                          : MakeNative(graph, *target, options, tracer, *times);
  if (!compiled.ok()) return compiled.status();
  if (tracer.Wants(&Trace::time)) tracer.Show(&Trace::time, times->ToString());
  const auto shared = std::make_shared<const Graph>(graph);
  const auto tables = std::make_shared<const loops::RunTables>(std::move(compiled->tables));
  const auto pool = std::make_shared<loops::RunPool>(std::move(teams));
  const std::vector<RunTimeShape> shapes = RunTimeShapes(graph);
  const int64_t possible = SurelyPossible(graph, shapes);
  return RunFunction([shared, tables, body = std::move(compiled->body), shapes, possible, pool](
                         absl::Span<const Array> inputs, const SymbolValues& symbols,
                         const RunOptions& run) -> absl::StatusOr<std::vector<Array>> {
    if (std::max(symbols.rows, symbols.trips) > possible) {
      if (absl::Status status = CheckShapes(*shared, shapes, symbols); !status.ok()) return status;
    }
    return loops::RunProgram(*tables, *shared, body, inputs, symbols, run, pool.get());
  });
}

}  // namespace talweg
