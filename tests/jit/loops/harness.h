#ifndef TALWEG_TESTS_JIT_LOOPS_HARNESS_H_
#define TALWEG_TESTS_JIT_LOOPS_HARNESS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/core_ops.h"
#include "graph/engine.h"
#include "graph/graph.h"
#include "jit/loops/builder.h"
#include "jit/loops/evaluate.h"
#include "jit/loops/print.h"
#include "jit/loops/runtime.h"
#include "jit/loops/verify.h"

namespace talweg::loops {

// A program under test, of which only inputs and outputs are there at first: buffers `in0`, `in1`
// ... and `out0` ..., of the sizes that their types have.
class Harness {
 public:
  Harness(const std::vector<Type>& inputs, const std::vector<Type>& outputs, bool simplify = true)
      : b(static_cast<int32_t>(inputs.size()), static_cast<int32_t>(outputs.size()), simplify) {
    std::vector<Node> nodes;
    std::vector<NodeId> ids;
    for (size_t i = 0; i < inputs.size() + outputs.size(); i++) {
      const bool input = i < inputs.size();
      const size_t k = input ? i : i - inputs.size();
      Node& node = nodes.emplace_back();
      node.op = &kInputOp;
      node.types = {input ? inputs[k] : outputs[k]};
      const std::string name = absl::StrCat(input ? "in" : "out", k);
      node.attributes = InputAttributes{name};
      ids.push_back(static_cast<NodeId>(i));
      int64_t elements = 1;
      for (Dim dim : node.type().shape) {
        elements = dim.is_static() && elements >= 0 ? elements * dim.value() : -1;
      }
      Buffer buffer;
      buffer.name = name;
      buffer.dtype = node.type().dtype;
      buffer.home = input ? Buffer::Home::kInput : Buffer::Home::kOutput;
      buffer.slot = static_cast<int32_t>(i);
      buffer.elements = elements;
      (input ? in : out).push_back(b.AddBuffer(buffer));
    }
    const auto middle = ids.begin() + static_cast<std::ptrdiff_t>(inputs.size());
    graph = Graph(std::move(nodes), {ids.begin(), middle}, {middle, ids.end()});
  }

  int32_t Arena(std::string name, DType dtype, int64_t elements) {
    Buffer buffer;
    buffer.name = std::move(name);
    buffer.dtype = dtype;
    buffer.elements = elements;
    buffer.offset = b.program().arena_bytes;
    b.program().arena_bytes += (elements * SizeOf(dtype) + 127) / 64 * 64;
    return b.AddBuffer(buffer);
  }

  // The builder is done; more runs may follow.
  const Program& Take() {
    if (program == nullptr) program = std::make_unique<const Program>(std::move(b).Take());
    return *program;
  }
  absl::StatusOr<std::vector<Array>> Run(const std::vector<Array>& inputs,
                                         const RunOptions& options = {}) {
    return RunAs(Evaluator(Take()), inputs, options);
  }
  absl::StatusOr<std::vector<Array>> RunAs(const Body& body, const std::vector<Array>& inputs,
                                           const RunOptions& options = {}) {
    const Program& made = Take();
    if (absl::Status status = Verify(made); !status.ok()) return status;
    const Executable executable(
        std::make_shared<const Graph>(graph),
        [&](absl::Span<const Array> arrays, const SymbolValues& symbols, const RunOptions& o) {
          return RunProgram(made, graph, body, arrays, symbols, o);
        });
    return executable.Call(inputs, options);
  }
  // The text of the program's body.
  std::string Body() {
    const std::string text = ToString(Take());
    return text.substr(text.find("bytes\n") + 6);
  }

  Builder b;
  std::vector<int32_t> in, out;
  Graph graph;
  std::unique_ptr<const Program> program;
};

}  // namespace talweg::loops

#endif  // TALWEG_TESTS_JIT_LOOPS_HARNESS_H_
