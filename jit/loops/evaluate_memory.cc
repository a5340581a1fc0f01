// Steps that move elements between registers, and between registers and buffers.

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "jit/loops/evaluate_step.h"
#include "jit/loops/run.h"

namespace talweg::loops {
namespace {

// Elements move as integers of their size. Bools have a type of their own: whatever byte is read,
// scratch memory's among them, becomes 0 or 1.
struct Byte {
  uint8_t value;
};

template <typename T>
T Read(const std::byte* memory, int64_t element) {
  T value;
  std::memcpy(&value, memory + element * static_cast<int64_t>(sizeof(T)), sizeof(T));
  if constexpr (std::is_same_v<T, Byte>) value.value = value.value != 0;
  return value;
}

template <typename T>
void Write(std::byte* memory, int64_t element, T value) {
  std::memcpy(memory + element * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

bool IsInside(int64_t element, const View& view) {
  return static_cast<uint64_t>(element) < static_cast<uint64_t>(view.elements);
}

int64_t Index(const Step* step, const EvaluatorState& state) {
  const int64_t index = step->a < 0 ? 0 : *state.At<int64_t>(step->a);
  return static_cast<int64_t>(static_cast<uint64_t>(index) +
                              static_cast<uint64_t>(step->immediate));
}

const View& ViewOf(const Step* step, const EvaluatorState& state) {
  return state.views[static_cast<size_t>(step->buffer)];
}

// The first element of a run of `lanes` that is outside, which there must be.
int64_t FirstOutside(int64_t first, int64_t lanes, const View& view) {
  for (int64_t i = 0; i < lanes; i++) {
    if (!IsInside(first + i, view)) return first + i;
  }
  return first;
}

template <typename T, int kLanes>
const Step* Splat(const Step* step, EvaluatorState& state) {
  const T value = *state.At<T>(step->a);
  T* const out = state.At<T>(step->out);
  const int32_t lanes = kLanes > 0 ? kLanes : step->lanes;
  for (int32_t i = 0; i < lanes; i++) out[i] = value;
  return step + 1;
}

template <typename T>
const Step* Shuffle(const Step* step, EvaluatorState& state) {
  const int32_t* const places = state.code->shuffles.data() + step->extra;
  T* const out = state.At<T>(step->out);
  for (int32_t i = 0; i < step->lanes; i++) out[i] = *state.At<T>(places[i]);
  return step + 1;
}

template <typename T, int kLanes>
const Step* Load(const Step* step, EvaluatorState& state) {
  const View& view = ViewOf(step, state);
  const int64_t first = Index(step, state);
  const int64_t lanes = kLanes > 0 ? kLanes : step->lanes;
  if (first < 0 || first > view.elements - lanes) {
    return OutOfBounds(step, state, "load", FirstOutside(first, lanes, view));
  }
  std::byte* const out = state.registers + step->out;
  if constexpr (std::is_same_v<T, Byte>) {
    for (int64_t i = 0; i < lanes; i++) Write(out, i, Read<T>(view.memory, first + i));
  } else {
    std::memcpy(out, view.memory + first * static_cast<int64_t>(sizeof(T)),
                static_cast<size_t>(lanes) * sizeof(T));
  }
  return step + 1;
}

template <typename T, int kLanes>
const Step* Store(const Step* step, EvaluatorState& state) {
  const View& view = ViewOf(step, state);
  const int64_t first = Index(step, state);
  const int64_t lanes = kLanes > 0 ? kLanes : step->lanes;
  if (first < 0 || first > view.elements - lanes) {
    return OutOfBounds(step, state, "store", FirstOutside(first, lanes, view));
  }
  std::memcpy(view.memory + first * static_cast<int64_t>(sizeof(T)), state.registers + step->c,
              static_cast<size_t>(lanes) * sizeof(T));
  return step + 1;
}

// The element of lane i of a strided access.
int64_t Element(int64_t first, const Step* step, int32_t i) {
  return static_cast<int64_t>(static_cast<uint64_t>(first) +
                              static_cast<uint64_t>(step->stride) * static_cast<uint64_t>(i));
}

bool IsActive(const uint8_t* mask, int32_t lane) { return mask == nullptr || mask[lane] != 0; }

const uint8_t* MaskOf(const Step* step, const EvaluatorState& state) {
  return step->b < 0 ? nullptr : state.At<const uint8_t>(step->b);
}

template <typename T>
const Step* LoadSome(const Step* step, EvaluatorState& state) {
  const View& view = ViewOf(step, state);
  const int64_t first = Index(step, state);
  const uint8_t* const mask = MaskOf(step, state);
  T* const out = state.At<T>(step->out);
  for (int32_t i = 0; i < step->lanes; i++) {
    out[i] = T{};
    if (!IsActive(mask, i)) continue;
    const int64_t element = Element(first, step, i);
    if (!IsInside(element, view)) return OutOfBounds(step, state, "load", element);
    out[i] = Read<T>(view.memory, element);
  }
  return step + 1;
}

template <typename T>
const Step* LoadEach(const Step* step, EvaluatorState& state) {
  const View& view = ViewOf(step, state);
  const int64_t* const indices = state.At<const int64_t>(step->a);
  const uint8_t* const mask = MaskOf(step, state);
  T* const out = state.At<T>(step->out);
  for (int32_t i = 0; i < step->lanes; i++) {
    out[i] = T{};
    if (!IsActive(mask, i)) continue;
    const auto element = static_cast<int64_t>(static_cast<uint64_t>(indices[i]) +
                                              static_cast<uint64_t>(step->immediate));
    if (!IsInside(element, view)) return OutOfBounds(step, state, "load", element);
    out[i] = Read<T>(view.memory, element);
  }
  return step + 1;
}

template <typename T>
const Step* StoreSome(const Step* step, EvaluatorState& state) {
  const View& view = ViewOf(step, state);
  const int64_t first = Index(step, state);
  const uint8_t* const mask = MaskOf(step, state);
  const T* const values = state.At<const T>(step->c);
  for (int32_t i = 0; i < step->lanes; i++) {
    if (!IsActive(mask, i)) continue;
    const int64_t element = Element(first, step, i);
    if (!IsInside(element, view)) return OutOfBounds(step, state, "store", element);
    Write(view.memory, element, values[i]);
  }
  return step + 1;
}

// Calls f with an element of the size, which is all that matters here.
template <typename F>
StepFunction WithSize(DType dtype, F f) {
  if (dtype == kBool) return f(Byte{});
  return SizeOf(dtype) == 4 ? f(uint32_t{}) : f(uint64_t{});
}

}  // namespace

StepFunction SplatStep(DType dtype, int32_t lanes) {
  return WithSize(dtype, [&]<typename T>(T) -> StepFunction {
    switch (lanes) {
      case 4:
        return Splat<T, 4>;
      case 8:
        return Splat<T, 8>;
      case 16:
        return Splat<T, 16>;
      default:
        return Splat<T, 0>;
    }
  });
}

StepFunction ShuffleStep(DType dtype) {
  return WithSize(dtype, []<typename T>(T) -> StepFunction { return Shuffle<T>; });
}

StepFunction LoadStep(DType dtype, int32_t lanes, bool plain) {
  return WithSize(dtype, [&]<typename T>(T) -> StepFunction {
    if (!plain) return LoadSome<T>;
    switch (lanes) {
      case 1:
        return Load<T, 1>;
      case 4:
        return Load<T, 4>;
      case 8:
        return Load<T, 8>;
      case 16:
        return Load<T, 16>;
      default:
        return Load<T, 0>;
    }
  });
}

StepFunction LoadEachStep(DType dtype) {
  return WithSize(dtype, []<typename T>(T) -> StepFunction { return LoadEach<T>; });
}

StepFunction StoreStep(DType dtype, int32_t lanes, bool plain) {
  return WithSize(dtype, [&]<typename T>(T) -> StepFunction {
    if (!plain) return StoreSome<T>;
    switch (lanes) {
      case 1:
        return Store<T, 1>;
      case 4:
        return Store<T, 4>;
      case 8:
        return Store<T, 8>;
      case 16:
        return Store<T, 16>;
      default:
        return Store<T, 0>;
    }
  });
}

const Step* OutOfBounds(const Step* step, EvaluatorState& state, const char* what,
                        int64_t element) {
  const std::string& section =
      step->section < 0 ? std::string() : state.code->sections[static_cast<size_t>(step->section)];
  const Buffer& buffer = state.code->buffers[static_cast<size_t>(step->buffer)];
  state.context->run->SetError(absl::InternalError(
      absl::StrCat("section \"", section, "\": ", what, " of element ", element, " of ",
                   buffer.name, ", which has ", ViewOf(step, state).elements)));
  return nullptr;
}

}  // namespace talweg::loops
