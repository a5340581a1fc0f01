#include "jit/jit.h"

#include <memory>
#include <utility>
#include <vector>

#include "jit/llvm/cache.h"
#include "jit/llvm/cached.h"
#include "jit/llvm/engine.h"
#include "jit/llvm/host.h"
#include "jit/loops/evaluate.h"
#include "jit/loops/lower.h"
#include "jit/loops/runtime.h"

namespace talweg {

absl::StatusOr<Executable> Jit(const Graph& graph, const JitOptions& options) {
  const absl::StatusOr<native::Target> target = native::DetectTarget(options.cpu);
  if (!target.ok()) return target.status();
  absl::StatusOr<loops::Program> lowered =
      loops::Lower(graph, target->machine, {.fuse = options.fuse});
  if (!lowered.ok()) return lowered.status();
  const auto program = std::make_shared<const loops::Program>(*std::move(lowered));
  const auto shared = std::make_shared<const Graph>(graph);
  loops::Body body;
  if (options.evaluate) {
    body = loops::Evaluator(*program);
  } else {
    const absl::StatusOr<std::shared_ptr<const native::CompiledProgram>> code =
        native::Compile(*program, {.target = *target, .level = options.level, .name = "talweg"},
                        native::ObjectCache::Open(options.cache));
    if (!code.ok()) return code.status();
    body = [code = *code](loops::Context* context) { return code->Run(context); };
  }
  return Executable(shared,
                    [program, shared, body](absl::Span<const Array> inputs,
                                            const SymbolValues& symbols,
                                            const RunOptions& run) {
                      return loops::RunProgram(*program, *shared, body, inputs, symbols, run);
                    });
}

absl::StatusOr<Executable> Jit(const Graph& graph) { return Jit(graph, {}); }

Engine JitEngine(const JitOptions& options) {
  return [options](const Graph& graph) { return Jit(graph, options); };
}

absl::Status CacheStatus(const std::string& cache) {
  return native::ObjectCache::Open(cache).status();
}

}  // namespace talweg
