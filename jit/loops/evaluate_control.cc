// Steps that decide where a program goes on, and those that call the runtime.

#include <algorithm>
#include <cstring>
#include <numeric>

#include "graph/scalar.h"
#include "jit/loops/evaluate_step.h"
#include "jit/loops/run.h"

namespace talweg::loops {
namespace {

int64_t Number64(const EvaluatorState& state, int32_t place) {
  return place < 0 ? 0 : *state.At<const int64_t>(place);
}

bool Truth(const EvaluatorState& state, int32_t place) {
  return *state.At<const uint8_t>(place) != 0;
}

void CopyRegisters(const Step* step, const EvaluatorState& state) {
  const Copy* copy = state.code->copies.data() + step->extra;
  for (const Copy* const end = copy + step->lanes; copy != end; copy++) {
    std::byte* const to = state.registers + copy->to;
    const std::byte* const from = state.registers + copy->from;
    // Sizes that are known become moves instead of a call.
    switch (copy->bytes) {
      case 4:
        std::memcpy(to, from, 4);
        break;
      case 8:
        std::memcpy(to, from, 8);
        break;
      case 32:
        std::memcpy(to, from, 32);
        break;
      case 64:
        std::memcpy(to, from, 64);
        break;
      default:
        std::memmove(to, from, static_cast<size_t>(copy->bytes));
        break;
    }
  }
}

template <typename T, int kArity>
const Step* CallFunction(const Step* step, EvaluatorState& state) {
  const auto function = static_cast<Function>(step->immediate);
  T* const out = state.At<T>(step->out);
  const T* const a = state.At<const T>(step->a);
  for (int32_t i = 0; i < step->lanes; i++) {
    if constexpr (kArity == 1) {
      out[i] = Call(function, Number<T>(a[i])).raw();
    } else {
      const T* const b = state.At<const T>(step->b);
      out[i] = Call(function, Number<T>(a[i]), Number<T>(b[i])).raw();
    }
  }
  return step + 1;
}

}  // namespace

void FindBuffers(EvaluatorState& state) {
  const Run& run = *state.context->run;
  for (size_t i = 0; i < state.views.size(); i++) {
    const Buffer& buffer = state.code->buffers[i];
    if (buffer.slot < 0) continue;
    const int64_t there = run.bytes(buffer.slot) / SizeOf(buffer.dtype);
    state.views[i] = {state.context->table[buffer.slot],
                      buffer.elements < 0 ? there : std::min(there, buffer.elements)};
  }
}

StepFunction CallStep(DType dtype, int32_t arity) {
  if (dtype == kFloat32) return arity == 1 ? CallFunction<float, 1> : CallFunction<float, 2>;
  return arity == 1 ? CallFunction<double, 1> : CallFunction<double, 2>;
}

const Step* SymbolStep(const Step* step, EvaluatorState& state) {
  *state.At<int64_t>(step->out) = step->immediate == 0 ? state.context->rows : state.context->trips;
  return step + 1;
}

const Step* CheckIndexStep(const Step* step, EvaluatorState& state) {
  const int64_t extent = Number64(state, step->b);
  const int64_t* const indices = state.At<const int64_t>(step->a);
  const uint8_t* const active = step->c < 0 ? nullptr : state.At<const uint8_t>(step->c);
  int64_t* const out = state.At<int64_t>(step->out);
  bool wrong = false;
  for (int32_t i = 0; i < step->lanes; i++) {
    const int64_t index = indices[i];
    if ((index < 0 || index >= extent) && (active == nullptr || active[i] != 0)) wrong = true;
    out[i] = std::max<int64_t>(std::min(index, extent - 1), 0);
  }
  if (wrong) {
    talweg_index_error(state.context, step->site, indices, active, step->lanes, extent);
  }
  return step + 1;
}

const Step* FailIfStep(const Step* step, EvaluatorState& state) {
  if (!Truth(state, step->a)) return step + 1;
  talweg_fail(state.context, step->site, Number64(state, step->b), Number64(state, step->c));
  return nullptr;
}

const Step* BindTripsStep(const Step* step, EvaluatorState& state) {
  if (talweg_bind_trips(state.context, Number64(state, step->a)) == 0) return nullptr;
  FindBuffers(state);
  return step + 1;
}

const Step* AllocateStep(const Step* step, EvaluatorState& state) {
  const Buffer& buffer = state.code->buffers[static_cast<size_t>(step->buffer)];
  const int64_t elements = Number64(state, step->a);
  const auto size = static_cast<int32_t>(SizeOf(buffer.dtype));
  if (talweg_allocate(state.context, buffer.slot, step->site, elements, size) == 0) {
    return nullptr;
  }
  FindBuffers(state);
  std::memset(state.context->table[buffer.slot], 0xff, static_cast<size_t>(elements * size));
  return step + 1;
}

const Step* MarkStep(const Step* step, EvaluatorState& state) {
  *state.At<int64_t>(step->out) = talweg_mark(state.context);
  return step + 1;
}

const Step* ReleaseStep(const Step* step, EvaluatorState& state) {
  talweg_release(state.context, Number64(state, step->a));
  FindBuffers(state);
  return step + 1;
}

const Step* RandomStep(const Step* step, EvaluatorState& state) {
  const int32_t* const places = state.code->shuffles.data() + step->extra;
  const View& view = state.views[static_cast<size_t>(step->buffer)];
  const auto first = static_cast<int64_t>(static_cast<uint64_t>(Number64(state, step->c)) +
                                          static_cast<uint64_t>(step->immediate));
  const int64_t n = Number64(state, places[0]);
  if (n < 0 || first < 0 || first > view.elements || n > view.elements - first) {
    return OutOfBounds(step, state, "random", n < 0 ? n : std::max(first, view.elements));
  }
  const Buffer& buffer = state.code->buffers[static_cast<size_t>(step->buffer)];
  talweg_random(state.context, step->site, Number64(state, step->a), Number64(state, step->b), n,
                view.memory + first * SizeOf(buffer.dtype));
  return step + 1;
}

const Step* PollStep(const Step* step, EvaluatorState& state) {
  *state.At<uint8_t>(step->out) = talweg_poll(state.context) != 0 ? 1 : 0;
  return step + 1;
}

const Step* IfStep(const Step* step, EvaluatorState& state) {
  return Truth(state, step->a) ? step + 1 : step + step->target;
}

const Step* ForStep(const Step* step, EvaluatorState& state) {
  CopyRegisters(step, state);
  const int64_t begin = Number64(state, step->a);
  *state.At<int64_t>(step->out) = begin;
  return begin < Number64(state, step->b) ? step + 1 : step + step->target;
}

const Step* NextStep(const Step* step, EvaluatorState& state) {
  // It may be a carried value itself.
  const bool stop = step->c >= 0 && Truth(state, step->c);
  CopyRegisters(step, state);
  int64_t* const variable = state.At<int64_t>(step->out);
  // Not variable + step < end, which may wrap.
  const uint64_t left =
      static_cast<uint64_t>(Number64(state, step->b)) - static_cast<uint64_t>(*variable);
  if (stop || left <= static_cast<uint64_t>(step->immediate)) return step + 1;
  *variable += step->immediate;
  return step + step->target;
}

namespace {

// Where trip `number` in the order of time is in that of the loop: from the last one down, in
// strides that are coprime to their number.
int64_t Shuffled(int64_t number, int64_t trips) {
  int64_t stride = trips / 3 + 1;
  while (std::gcd(stride, trips) != 1) stride++;
  return static_cast<int64_t>(static_cast<__int128>(trips - 1 - number) * stride % trips);
}

void ForgetThread(const EvaluatorState& state) {
  if (state.code->thread_bytes == 0) return;
  std::memset(state.context->thread, 0xff, static_cast<size_t>(state.code->thread_bytes));
}

}  // namespace

const Step* ShuffledForStep(const Step* step, EvaluatorState& state) {
  const int64_t begin = Number64(state, step->a), end = Number64(state, step->b);
  ForgetThread(state);
  if (begin >= end) return step + step->target;
  *state.At<int64_t>(step->c) = 0;
  const int64_t trips = (end - begin - 1) / step->immediate + 1;
  *state.At<int64_t>(step->out) = begin + Shuffled(0, trips) * step->immediate;
  return step + 1;
}

const Step* ShuffledNextStep(const Step* step, EvaluatorState& state) {
  const int64_t begin = Number64(state, step->a), end = Number64(state, step->b);
  ForgetThread(state);
  const int64_t trips = (end - begin - 1) / step->immediate + 1;
  const int64_t number = ++*state.At<int64_t>(step->c);
  if (number == trips) return step + 1;
  *state.At<int64_t>(step->out) = begin + Shuffled(number, trips) * step->immediate;
  return step + step->target;
}

const Step* EndStep(const Step*, EvaluatorState& state) {
  state.finished = true;
  return nullptr;
}

}  // namespace talweg::loops
