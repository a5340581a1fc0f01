#include "jit/jit.h"

#include <algorithm>
#include <list>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "graph/verify.h"
#include "jit/llvm/cache.h"
#include "jit/llvm/cached.h"
#include "jit/llvm/host.h"
#include "jit/loops/evaluate.h"
#include "jit/loops/lower.h"
#include "jit/loops/runtime.h"
#include "jit/loops/verify.h"
#include "jit/passes/pipeline.h"

namespace talweg {
namespace {

// Executables that an engine keeps.
constexpr size_t kKept = 64;

// A node of a shape with run-time extents: whether it can exist is known when these are.
struct RunTimeShape {
  Shape shape;
  NodeId node;
};

std::vector<RunTimeShape> RunTimeShapes(const Graph& graph) {
  std::vector<RunTimeShape> shapes;
  for (size_t i = 0; i < graph.nodes().size(); i++) {
    for (const Type& type : graph.nodes()[i].types) {
      if (IsStatic(type.shape)) continue;
      const bool known = std::any_of(shapes.begin(), shapes.end(),
                                     [&](const RunTimeShape& s) { return s.shape == type.shape; });
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
    const absl::StatusOr<int64_t> size = CheckedSize(dims);
    if (size.ok()) continue;
    return NodeError(absl::StatusCode::kInvalidArgument, graph, s.node, size.status().message());
  }
  return absl::OkStatus();
}

absl::StatusOr<loops::Body> MakeBody(const loops::Program& program, const native::Target& target,
                                     const JitOptions& options) {
  if (options.evaluate) return loops::Body(loops::Evaluator(program));
  absl::StatusOr<std::shared_ptr<const native::CompiledProgram>> code = native::Compile(
      program,
      {.target = target, .level = options.level, .name = "talweg", .verify = options.verify},
      native::ObjectCache::Open(options.cache));
  if (!code.ok()) return code.status();
  return loops::Body(
      [code = *std::move(code)](loops::Context* context) { return code->Run(context); });
}

// What an engine has compiled, the last used first.
class Kept {
 public:
  std::shared_ptr<const Executable> Find(const Graph& graph, size_t hash) {
    const absl::MutexLock lock(&mutex_);
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->hash != hash || !(it->executable->graph() == graph)) continue;
      entries_.splice(entries_.begin(), entries_, it);
      return it->executable;
    }
    return nullptr;
  }

  void Add(size_t hash, std::shared_ptr<const Executable> executable) {
    const absl::MutexLock lock(&mutex_);
    entries_.push_front({hash, std::move(executable)});
    if (entries_.size() > kKept) entries_.pop_back();
  }

 private:
  struct Entry {
    size_t hash;
    std::shared_ptr<const Executable> executable;
  };
  absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<Executable> Jit(const Graph& graph, const JitOptions& options) {
  if (options.level < 0 || options.level > 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("the level is ", options.level, "; there are 0, 1, 2 and 3"));
  }
  const absl::StatusOr<native::Target> target = native::DetectTarget(options.cpu);
  if (!target.ok()) return target.status();
  if (absl::Status status = Verify(graph); !status.ok()) return status;
  absl::StatusOr<Graph> simplified = passes::RunPasses(
      graph, {.without = options.without, .verify = options.verify, .log = nullptr});
  if (!simplified.ok()) return simplified.status();
  absl::StatusOr<loops::Program> lowered =
      loops::Lower(*simplified, target->machine, {.fuse = options.fuse});
  if (!lowered.ok()) return lowered.status();
  if (options.verify) {
    if (absl::Status status = loops::Verify(*lowered); !status.ok()) return status;
  }
  absl::StatusOr<loops::Body> body = MakeBody(*lowered, *target, options);
  if (!body.ok()) return body.status();
  const auto shared = std::make_shared<const Graph>(graph);
  const auto program = std::make_shared<const loops::Program>(*std::move(lowered));
  const auto pool = std::make_shared<loops::ArenaPool>();
  return Executable(
      shared,
      [shared, program, body = *std::move(body), shapes = RunTimeShapes(graph), pool](
          absl::Span<const Array> inputs, const SymbolValues& symbols,
          const RunOptions& run) -> absl::StatusOr<std::vector<Array>> {
        if (absl::Status status = CheckShapes(*shared, shapes, symbols); !status.ok()) {
          return status;
        }
        return loops::RunProgram(*program, *shared, body, inputs, symbols, run, pool.get());
      });
}

absl::StatusOr<Executable> Jit(const Graph& graph) { return Jit(graph, {}); }

Engine JitEngine(const JitOptions& options) {
  const auto kept = std::make_shared<Kept>();
  return [kept, options](const Graph& graph) -> absl::StatusOr<Executable> {
    const size_t hash = graph.Hash();
    if (const auto found = kept->Find(graph, hash)) return *found;
    absl::StatusOr<Executable> made = Jit(graph, options);
    if (made.ok()) kept->Add(hash, std::make_shared<const Executable>(*made));
    return made;
  };
}

absl::Status CacheStatus(const std::string& cache) {
  return native::ObjectCache::Open(cache).status();
}

}  // namespace talweg
