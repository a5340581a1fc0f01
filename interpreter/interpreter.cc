#include "interpreter/interpreter.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/processor.h"
#include "graph/verify.h"
#include "interpreter/planner.h"
#include "interpreter/program.h"

namespace talweg {
namespace {

absl::StatusOr<std::vector<Array>> Run(const Program& program, absl::Span<const Array> inputs,
                                       SymbolValues symbols, const RunOptions& options) {
  CallState call;
  call.options = &options;
  ProgramState state(program, call);
  std::vector<std::byte*> pointers;
  for (const Array& input : inputs) {
    pointers.push_back(const_cast<std::byte*>(input.raw()));  // inputs are never written
  }
  if (!state.BindTrips(pointers, symbols)) return call.status;
  Frame* frame = state.Activate(symbols);
  if (frame == nullptr) return call.status;
  const Plan& plan = *frame->plan;
  std::copy(pointers.begin(), pointers.end(), frame->pointers.begin());
  std::vector<Array> outputs;
  for (size_t k = 0; k < plan.output_slots.size(); k++) {
    if (plan.output_slots[k] < 0) {
      outputs.push_back(inputs[static_cast<size_t>(program.passed_through(k))]);
      continue;
    }
    absl::StatusOr<Array> output =
        Array::Zeros(program.graph().output_type(k).dtype, plan.output_dims[k]);
    if (!output.ok()) return output.status();
    outputs.push_back(*std::move(output));
    frame->pointers[static_cast<size_t>(plan.output_slots[k])] = outputs.back().mutable_bytes();
  }
  const bool finished = RunPlan(*frame);
  if (!finished || !call.status.ok()) return call.status;
  return outputs;
}

absl::StatusOr<Executable> Make(const Graph& graph, bool wide) {
  // What is not sound would be read out of bounds.
  if (absl::Status status = Verify(graph); !status.ok()) return status;
  auto shared = std::make_shared<const Graph>(graph);
  absl::StatusOr<std::unique_ptr<Program>> made = Program::Make(shared, wide, 0);
  if (!made.ok()) return made.status();
  const std::shared_ptr<const Program> program = *std::move(made);
  return Executable(shared, [program](absl::Span<const Array> inputs, const SymbolValues& symbols,
                                      const RunOptions& options) {
    return Run(*program, inputs, symbols, options);
  });
}

}  // namespace

absl::StatusOr<Executable> Interpret(const Graph& graph) { return Make(graph, HasWideVectors()); }

absl::StatusOr<Executable> InterpretPortably(const Graph& graph) { return Make(graph, false); }

absl::StatusOr<std::string> DumpPlan(const Graph& graph, const SymbolValues& symbols) {
  if (absl::Status status = Verify(graph); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Program>> program =
      Program::Make(std::make_shared<const Graph>(graph), HasWideVectors(), 0);
  if (!program.ok()) return program.status();
  const absl::StatusOr<std::shared_ptr<const Plan>> plan =
      MakePlan(**program, symbols, PlanText::kWritten);
  if (!plan.ok()) return plan.status();
  return (*plan)->text;
}

}  // namespace talweg
