#ifndef TALWEG_OPS_MAP_H_
#define TALWEG_OPS_MAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/types/span.h"
#include "base/array.h"
#include "base/with_type.h"
#include "graph/math.h"
#include "graph/op.h"

namespace talweg {

// Makes the record of an elementwise op from its formula, a generic lambda over the scalar alphabet
// that captures nothing:
//
//   constexpr auto kSquare = [](auto x) { return x * x; };
//   constexpr auto kByX = [](const Value* x, const Value&, const Value& dy) {
//     return dy * 2 * x[0];
//   };
//   constinit const MapRule kSquareRule =
//       MakeMap<1, MapTypes::kNumbers>(kSquare, {kByX}, {.keeps_zero = true});
//   constinit const Op kSquareOp{"square", "x * x", Kind::kMap, InferMap, &kSquareRule};
//
// The templates below instantiate the formula in the forms that a MapRule holds.

// The types of a map's result, for the types of its operands in `types`; shapes must be equal.
absl::StatusOr<std::vector<Type>> InferMap(const Op& op, absl::Span<const Type> operands,
                                           const Attributes& attributes);

namespace internal {

// Applies the formula to element i of each operand, whose strides are given by the index sequence:
// kStep 0 and 1 are known when compiled, so that such loops vectorise; 2 means `strides`.
template <typename F, typename Out, typename... In>
struct ElementLoop {
  static constexpr size_t kArity = sizeof...(In);

  template <int... kStep, size_t... k>
  static void Steps(Out* out, const std::byte* const* in, const int64_t* strides, int64_t n,
                    std::index_sequence<k...>) {
    // The output may be one of the inputs, element for element, and overlaps no other: no check for
    // that at run time, which g++ would decide against the vector loop. (clang's like pragma warns
    // where a loop can not be vectorised.)
#ifndef __clang__
#pragma GCC ivdep
#endif
    for (int64_t i = 0; i < n; i++) {
      out[i] = F{}(Number<In>(reinterpret_cast<const In*>(
                       in[k])[kStep == 2 ? i * strides[k] : i * kStep])...)
                   .raw();
    }
  }

  static void Run(std::byte* out_bytes, const std::byte* const* in, const int64_t* strides,
                  int64_t n) {
    Out* const out = reinterpret_cast<Out*>(out_bytes);
    constexpr auto kOperands = std::make_index_sequence<kArity>();
    if constexpr (kArity == 1) {
      if (strides[0] == 1) return Steps<1>(out, in, strides, n, kOperands);
      Steps<2>(out, in, strides, n, kOperands);
    } else if constexpr (kArity == 2) {
      if (strides[0] == 1 && strides[1] == 1) {
        return Steps<1, 1>(out, in, strides, n, kOperands);
      }
      if (strides[0] == 1 && strides[1] == 0) {
        return Steps<1, 0>(out, in, strides, n, kOperands);
      }
      if (strides[0] == 0 && strides[1] == 1) {
        return Steps<0, 1>(out, in, strides, n, kOperands);
      }
      Steps<2, 2>(out, in, strides, n, kOperands);
    } else {
      if (strides[0] == 1 && strides[1] == 1 && strides[2] == 1) {
        return Steps<1, 1, 1>(out, in, strides, n, kOperands);
      }
      if (strides[0] == 1 && strides[1] == 1 && strides[2] == 0) {
        return Steps<1, 1, 0>(out, in, strides, n, kOperands);
      }
      if (strides[0] == 1 && strides[1] == 0 && strides[2] == 1) {
        return Steps<1, 0, 1>(out, in, strides, n, kOperands);
      }
      Steps<2, 2, 2>(out, in, strides, n, kOperands);
    }
  }
};

// Everything is inlined into these two, so that the formula is compiled for their machine.
template <typename Loop>
[[gnu::flatten]] void PlainLoop(std::byte* out, const std::byte* const* in, const int64_t* strides,
                                int64_t n) {
  Loop::Run(out, in, strides, n);
}
#ifdef __x86_64__
template <typename Loop>
[[gnu::flatten, gnu::target("avx2,fma")]] void WideLoop(std::byte* out, const std::byte* const* in,
                                                        const int64_t* strides, int64_t n) {
  Loop::Run(out, in, strides, n);
}
#else
template <typename Loop>
void WideLoop(std::byte* out, const std::byte* const* in, const int64_t* strides, int64_t n) {
  PlainLoop<Loop>(out, in, strides, n);
}
#endif

template <typename F, typename Out, typename... In>
MapLoop PickLoop(bool wide) {
  using Loop = ElementLoop<F, Out, In...>;
  return wide ? WideLoop<Loop> : PlainLoop<Loop>;
}

// Operands of type T.
template <typename F, int kArity, MapTypes kTypes, typename T>
MapLoop LoopOf(bool wide) {
  constexpr bool kBoolResult = kTypes == MapTypes::kCompare || kTypes == MapTypes::kTest;
  using Out = std::conditional_t<kBoolResult, bool, T>;
  if constexpr (kTypes == MapTypes::kSelect)
    return PickLoop<F, T, bool, T, T>(wide);
  else if constexpr (kArity == 1)
    return PickLoop<F, Out, T>(wide);
  else if constexpr (kArity == 2)
    return PickLoop<F, Out, T, T>(wide);
  else
    return PickLoop<F, Out, T, T, T>(wide);
}

// Whether a map takes operands of this element type.
constexpr bool Takes(MapTypes types, DType dtype) {
  switch (types) {
    case MapTypes::kFloats:
    case MapTypes::kTest:
      return IsFloat(dtype);
    case MapTypes::kNumbers:
      return dtype != kBool;
    case MapTypes::kBools:
      return dtype == kBool;
    default:
      return true;
  }
}

template <typename F, int kArity, MapTypes kTypes>
MapLoop FindLoop(absl::Span<const DType> operands, DType, bool wide) {
  if (operands.size() != kArity) return nullptr;
  const DType dtype = operands[kArity - 1];
  for (size_t k = 0; k < kArity; k++) {
    const bool mask = kTypes == MapTypes::kSelect && k == 0;
    if (operands[k] != (mask ? kBool : dtype)) return nullptr;
  }
  return WithType(dtype, [wide]<typename T>(T) -> MapLoop {
    if constexpr (Takes(kTypes, DTypeOf<T>)) {
      return LoopOf<F, kArity, kTypes, T>(wide);
    } else {
      return nullptr;
    }
  });
}

// The formula applied to an array of scalars of one type.
template <typename F, int kArity, typename S>
auto Apply(const S* x) {
  if constexpr (kArity == 1)
    return F{}(x[0]);
  else if constexpr (kArity == 2)
    return F{}(x[0], x[1]);
  else
    return F{}(x[0], x[1], x[2]);
}

template <typename F, int kArity>
Expr RecordExpr(const Expr* operands, DType) {
  return Apply<F, kArity>(operands);
}

template <typename F, int kArity, MapTypes kTypes>
SecondJet RunJet(const SecondJet* operands) {
  // A mask comes as a jet too: what is not 0 is true.
  if constexpr (kTypes == MapTypes::kSelect) {
    return F{}(NotEqual(operands[0], 0.0), operands[1], operands[2]);
  } else {
    return Apply<F, kArity>(operands);
  }
}

}  // namespace internal

using Partials = std::array<MapRule::Partial, 3>;

// Partials that are not given are null: nothing flows there.
template <int kArity, MapTypes kTypes, typename F>
constexpr MapRule MakeMap(F, Partials partials = {}, MapFacts facts = {},
                          std::array<MapSamples, 3> samples = {}) {
  constexpr bool kDifferentiable = kTypes == MapTypes::kFloats || kTypes == MapTypes::kNumbers ||
                                   kTypes == MapTypes::kAll || kTypes == MapTypes::kSelect;
  MapRule rule{};
  rule.arity = kArity;
  rule.types = kTypes;
  rule.loop = internal::FindLoop<F, kArity, kTypes>;
  rule.expr = internal::RecordExpr<F, kArity>;
  if constexpr (kDifferentiable) rule.jet = internal::RunJet<F, kArity, kTypes>;
  rule.partials = partials;
  rule.facts = facts;
  rule.samples = samples;
  return rule;
}

}  // namespace talweg

#endif  // TALWEG_OPS_MAP_H_
