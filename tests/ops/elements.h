#ifndef TALWEG_TESTS_OPS_ELEMENTS_H_
#define TALWEG_TESTS_OPS_ELEMENTS_H_

#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/with_type.h"
#include "graph/tape.h"
#include "ops/elementwise.h"
#include "tests/graphs/engines.h"

namespace talweg {

// What tests of all element types share.

// The line that stands for the user's.
inline constexpr SourceLine kHere{"sweep_test.cc", 7};

// Twelve special values: NaN, infinities, zeros, denormals, the ends of the range, ones. Of
// integers: those at which something wraps.
template <typename T>
std::vector<T> SpecialsOf() {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_same_v<T, bool>) {
    return {false, true};
  } else if constexpr (std::is_integral_v<T>) {
    return {0,
            1,
            -1,
            2,
            -3,
            7,
            46341,
            -46341,
            Limits::max(),
            Limits::min(),
            Limits::max() - 1,
            Limits::min() + 1};
  } else {
    return {Limits::quiet_NaN(),
            Limits::infinity(),
            -Limits::infinity(),
            T(0),
            T(-0.0),
            Limits::denorm_min(),
            -Limits::denorm_min(),
            Limits::min(),
            Limits::max(),
            Limits::lowest(),
            T(1),
            T(-1)};
  }
}

// The op applied to these arrays, on all engines.
inline absl::StatusOr<Array> Apply(const Op& op, const std::vector<Array>& arrays,
                                   Attributes attributes = {}) {
  Tape t;
  std::vector<Value> operands;
  NamedArrays inputs;
  for (const Array& array : arrays) {
    const std::string name = absl::StrCat("x", operands.size());
    inputs[name] = array;
    operands.push_back(t.Input(name, array.dtype(), ToShape(array.dims())));
  }
  const Value y = Map(op, operands, std::move(attributes), kHere);
  absl::StatusOr<std::vector<Array>> outputs = RunOnAllEngines({y}, inputs);
  if (!outputs.ok()) return outputs.status();
  return (*outputs)[0];
}

}  // namespace talweg

#endif  // TALWEG_TESTS_OPS_ELEMENTS_H_
