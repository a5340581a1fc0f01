#ifndef TALWEG_JIT_LOOPS_EVALUATE_STEP_H_
#define TALWEG_JIT_LOOPS_EVALUATE_STEP_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "jit/loops/evaluate.h"

namespace talweg::loops {

// The inside of the evaluator: a program as a flat list of steps.

struct EvaluatorState;
struct Step;
// Does the step and says which one is next; null at the end.
using StepFunction = const Step* (*)(const Step* step, EvaluatorState& state);

struct Step {
  StepFunction run = nullptr;
  // Where registers lie in the block of them, in bytes; -1 where there is none.
  int32_t out = -1, a = -1, b = -1, c = -1;
  int32_t lanes = 1;
  int32_t buffer = -1;
  int32_t site = -1;     // or the number of a slot, a random
  int32_t extra = 0;     // the first of what belongs to it in Code::shuffles or Code::copies
  int32_t target = 0;    // how many steps further a jump goes
  int32_t section = -1;  // in Code::sections
  int64_t immediate = 0;
  int64_t stride = 1;
};

// The memory behind a buffer in the present run.
struct View {
  std::byte* memory = nullptr;
  int64_t elements = 0;
};

// One call's state.
struct EvaluatorState {
  std::byte* registers = nullptr;
  std::vector<View> views;  // by the buffers' numbers
  Context* context = nullptr;
  const Evaluator::Code* code = nullptr;
  bool finished = false;

  template <typename T>
  T* At(int32_t offset) const {
    return reinterpret_cast<T*>(registers + offset);
  }
};

// A register's bytes that go to another register.
struct Copy {
  int32_t from = 0, to = 0, bytes = 0;
};

struct Evaluator::Code {
  std::vector<Step> steps;
  std::vector<Buffer> buffers;
  std::vector<std::string> sections;
  std::vector<int32_t> shuffles;  // for each lane the place of the lane that it takes
  std::vector<Copy> copies;
  // What the block of registers starts with: the constants.
  std::vector<std::byte> constants;
  int64_t register_bytes = 0;
  int64_t arena_bytes = 0, thread_bytes = 0;
};

// The function of a kScalar instruction on operands of `dtype` (a select: of its branches). Null
// where the alphabet has no such operation. `wide` allows AVX2 and FMA: the bits are the same.
StepFunction FloatStep(Opcode opcode, DType dtype, DType result, int32_t lanes, bool wide);
StepFunction IntegerStep(Opcode opcode, DType dtype, DType result, int32_t lanes, bool wide);
StepFunction CallStep(DType dtype, int32_t arity);

// The functions of the instructions that move elements.
StepFunction SplatStep(DType dtype, int32_t lanes);
StepFunction ShuffleStep(DType dtype);
StepFunction LoadStep(DType dtype, int32_t lanes, bool plain);  // plain: stride 1, no mask
StepFunction LoadEachStep(DType dtype);
StepFunction StoreStep(DType dtype, int32_t lanes, bool plain);

// The functions of all others. Loops and branches know by Step::target how far to jump.
const Step* SymbolStep(const Step* step, EvaluatorState& state);
const Step* CheckIndexStep(const Step* step, EvaluatorState& state);
const Step* FailIfStep(const Step* step, EvaluatorState& state);
const Step* BindTripsStep(const Step* step, EvaluatorState& state);
const Step* AllocateStep(const Step* step, EvaluatorState& state);
const Step* MarkStep(const Step* step, EvaluatorState& state);
const Step* ReleaseStep(const Step* step, EvaluatorState& state);
const Step* RandomStep(const Step* step, EvaluatorState& state);
const Step* PollStep(const Step* step, EvaluatorState& state);
const Step* IfStep(const Step* step, EvaluatorState& state);
const Step* ForStep(const Step* step, EvaluatorState& state);   // enters a loop, or jumps over it
const Step* NextStep(const Step* step, EvaluatorState& state);  // jumps back, or goes on behind it
// The same of a parallel loop in another order: `c` is the place of a trip's number, `b` of the
// end.
const Step* ShuffledForStep(const Step* step, EvaluatorState& state);
const Step* ShuffledNextStep(const Step* step, EvaluatorState& state);
const Step* EndStep(const Step* step, EvaluatorState& state);

// Looks up where the buffers are, but for those in the arena, which do not move.
void FindBuffers(EvaluatorState& state);

// Ends the run: an access of `element`, which the step's buffer has not.
[[gnu::noinline, gnu::cold]] const Step* OutOfBounds(const Step* step, EvaluatorState& state,
                                                     const char* what, int64_t element);

}  // namespace talweg::loops

#endif  // TALWEG_JIT_LOOPS_EVALUATE_STEP_H_
