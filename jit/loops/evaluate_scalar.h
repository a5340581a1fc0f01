#ifndef TALWEG_JIT_LOOPS_EVALUATE_SCALAR_H_
#define TALWEG_JIT_LOOPS_EVALUATE_SCALAR_H_

#include <cstdint>
#include <type_traits>
#include <utility>

#include "graph/scalar.h"
#include "jit/loops/evaluate_step.h"

namespace talweg::loops::internal {

// An operation of the scalar alphabet on all lanes of a step. A number of lanes that is known when
// compiled (kLanes > 0) becomes a few vector instructions.

template <typename F, int kLanes, typename Out, typename... In>
struct LaneLoop {
  static const Step* Run(const Step* step, EvaluatorState& state) {
    const int32_t places[3] = {step->a, step->b, step->c};
    // A register is not among its own operands.
    Out* __restrict const out = state.At<Out>(step->out);
    const int32_t lanes = kLanes > 0 ? kLanes : step->lanes;
    Apply(out, lanes, step->immediate, state, places, std::make_index_sequence<sizeof...(In)>());
    return step + 1;
  }

  template <size_t... k>
  static void Apply(Out* __restrict out, int32_t lanes, int64_t immediate, EvaluatorState& state,
                    const int32_t* places, std::index_sequence<k...>) {
    Lanes(out, lanes, immediate, state.At<const In>(places[k])...);
  }

  static void Lanes(Out* __restrict out, int32_t lanes, int64_t immediate, const In*... in) {
    if constexpr (kLanes > 0) lanes = kLanes;
    for (int32_t i = 0; i < lanes; i++) out[i] = F{}(immediate, Number<In>(in[i])...).raw();
  }
};

// Everything is inlined into these two, so that the operation is compiled for their machine.
template <typename Loop>
[[gnu::flatten]] const Step* PlainStep(const Step* step, EvaluatorState& state) {
  return Loop::Run(step, state);
}
#ifdef __x86_64__
template <typename Loop>
[[gnu::flatten, gnu::target("avx2,fma")]] const Step* WideStep(const Step* step,
                                                               EvaluatorState& state) {
  return Loop::Run(step, state);
}
#else
template <typename Loop>
const Step* WideStep(const Step* step, EvaluatorState& state) {
  return Loop::Run(step, state);
}
#endif

template <typename F, typename Out, typename... In>
StepFunction Pick(int32_t lanes, bool wide) {
  if (lanes == 1) return PlainStep<LaneLoop<F, 1, Out, In...>>;
  if (!wide) return PlainStep<LaneLoop<F, 0, Out, In...>>;
  switch (lanes) {
    case 4:
      return WideStep<LaneLoop<F, 4, Out, In...>>;
    case 8:
      return WideStep<LaneLoop<F, 8, Out, In...>>;
    case 16:
      return WideStep<LaneLoop<F, 16, Out, In...>>;
    default:
      return WideStep<LaneLoop<F, 0, Out, In...>>;
  }
}

template <typename T, typename To>
StepFunction PickConvert(int32_t lanes, bool wide) {
  constexpr auto kConvert = [](int64_t, auto x) { return Convert<To>(x); };
  return Pick<decltype(kConvert), To, T>(lanes, wide);
}

// One of the alphabet's operations on operands of type T.
template <typename T>
StepFunction StepOn(Opcode opcode, DType result, int32_t lanes, bool wide) {
  constexpr bool kFloat = std::is_floating_point_v<T>;
  constexpr bool kNumeric = !std::is_same_v<T, bool>;
  const auto unary = [&](auto f) { return Pick<decltype(f), T, T>(lanes, wide); };
  const auto binary = [&](auto f) { return Pick<decltype(f), T, T, T>(lanes, wide); };
  const auto compare = [&](auto f) { return Pick<decltype(f), bool, T, T>(lanes, wide); };
  switch (opcode) {
    case Opcode::kLess:
      return compare([](int64_t, auto x, auto y) { return Less(x, y); });
    case Opcode::kLessEqual:
      return compare([](int64_t, auto x, auto y) { return LessEqual(x, y); });
    case Opcode::kEqual:
      return compare([](int64_t, auto x, auto y) { return Equal(x, y); });
    case Opcode::kNotEqual:
      return compare([](int64_t, auto x, auto y) { return NotEqual(x, y); });
    case Opcode::kMin:
      return binary([](int64_t, auto x, auto y) { return Min(x, y); });
    case Opcode::kMax:
      return binary([](int64_t, auto x, auto y) { return Max(x, y); });
    case Opcode::kSelect: {
      constexpr auto kSelect = [](int64_t, auto mask, auto x, auto y) {
        return Select(mask, x, y);
      };
      return Pick<decltype(kSelect), T, bool, T, T>(lanes, wide);
    }
    case Opcode::kConvert:
      switch (result) {
        case DType::kFloat32:
          return PickConvert<T, float>(lanes, wide);
        case DType::kFloat64:
          return PickConvert<T, double>(lanes, wide);
        case DType::kInt32:
          return PickConvert<T, int32_t>(lanes, wide);
        case DType::kInt64:
          return PickConvert<T, int64_t>(lanes, wide);
        case DType::kBool:
          return PickConvert<T, bool>(lanes, wide);
      }
      return nullptr;
    default:
      break;
  }
  if constexpr (kNumeric) {
    switch (opcode) {
      case Opcode::kAdd:
        return binary([](int64_t, auto x, auto y) { return x + y; });
      case Opcode::kSub:
        return binary([](int64_t, auto x, auto y) { return x - y; });
      case Opcode::kMul:
        return binary([](int64_t, auto x, auto y) { return x * y; });
      case Opcode::kDiv:
        return binary([](int64_t, auto x, auto y) { return x / y; });
      case Opcode::kNeg:
        return unary([](int64_t, auto x) { return -x; });
      case Opcode::kAbs:
        return unary([](int64_t, auto x) { return Abs(x); });
      case Opcode::kFma: {
        constexpr auto kFma = [](int64_t, auto x, auto y, auto z) { return Fma(x, y, z); };
        return Pick<decltype(kFma), T, T, T, T>(lanes, wide);
      }
      default:
        break;
    }
  }
  if constexpr (!kFloat) {
    switch (opcode) {
      case Opcode::kAnd:
        return binary([](int64_t, auto x, auto y) { return And(x, y); });
      case Opcode::kOr:
        return binary([](int64_t, auto x, auto y) { return Or(x, y); });
      case Opcode::kXor:
        return binary([](int64_t, auto x, auto y) { return Xor(x, y); });
      case Opcode::kNot:
        return unary([](int64_t, auto x) { return Not(x); });
      default:
        break;
    }
  }
  if constexpr (!kFloat && kNumeric) {
    switch (opcode) {
      case Opcode::kShiftLeft:
        return unary([](int64_t k, auto x) { return ShiftLeft(x, static_cast<int>(k)); });
      case Opcode::kShiftRight:
        return unary([](int64_t k, auto x) { return ShiftRight(x, static_cast<int>(k)); });
      case Opcode::kBitcast: {
        using Float = std::conditional_t<sizeof(T) == 4, float, double>;
        constexpr auto kBitcast = [](int64_t, auto x) { return BitcastToFloat(x); };
        return Pick<decltype(kBitcast), Float, T>(lanes, wide);
      }
      default:
        break;
    }
  }
  if constexpr (kFloat) {
    switch (opcode) {
      case Opcode::kSqrt:
        return unary([](int64_t, auto x) { return Sqrt(x); });
      case Opcode::kFloor:
        return unary([](int64_t, auto x) { return Floor(x); });
      case Opcode::kCeil:
        return unary([](int64_t, auto x) { return Ceil(x); });
      case Opcode::kRoundEven:
        return unary([](int64_t, auto x) { return RoundEven(x); });
      case Opcode::kBitcast: {
        using Int = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
        constexpr auto kBitcast = [](int64_t, auto x) { return BitcastToInt(x); };
        return Pick<decltype(kBitcast), Int, T>(lanes, wide);
      }
      default:
        break;
    }
  }
  return nullptr;
}

}  // namespace talweg::loops::internal

#endif  // TALWEG_JIT_LOOPS_EVALUATE_SCALAR_H_
