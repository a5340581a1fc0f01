#include "jit/jit.h"

#include <memory>
#include <utility>
#include <vector>

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
        native::Compile(*program, {.target = *target, .level = options.level, .name = "talweg"});
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

}  // namespace talweg
