#ifndef TALWEG_AUTODIFF_CHECK_H_
#define TALWEG_AUTODIFF_CHECK_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "base/array.h"
#include "graph/engine.h"
#include "graph/tape.h"

namespace talweg {

struct GradientCheckOptions {
  // 1: gradients; 2: also gradients of gradients.
  int order = 2;
  // Two derivatives a and b agree where |a - b| <= tolerance * (1 + max(|a|, |b|)).
  double tolerance = 1e-5;
  // Central differences go `step` * max(1, |x|) to each side.
  double step = 6e-6;
  // Of an input with more elements than this, so many are tried, evenly spread.
  int64_t elements = 64;
  // Of the directions and of the weights that make a scalar of a larger result.
  uint64_t seed = 1;
};

// Whether reverse mode gives the right derivatives of a function, at a point. Compares it with two
// others that share nothing with it: central differences, element by element, and dual numbers
// (jet_evaluate.h), in random directions; and all of that once more for the derivative of the
// gradient in a random direction.
//
//   absl::Status ok = CheckGradients(engine, [](Tape&, const std::vector<Value>& x) {
//     return Mean(Square(Tanh(MatMul(x[0], x[1]))));
//   }, {inputs, weights});
//
// Runs in float64. A result that is not a scalar is summed with random weights. The error says
// which derivative of which element of which input is off, and by how much:
//
//   gradient of input 1 at element [2,3]: reverse mode 0.25, central difference 0.5, off by 0.25
//
// Choose points away from kinks (relu at 0), where central differences mean nothing. A gradient
// that is on purpose not that of the function (Detach, CustomGradient) is an error here. Integer
// inputs are passed on and not differentiated. Another `order` than 1 or 2, or a number of elements
// below 1, is an error.
absl::Status CheckGradients(
    const Engine& engine,
    const std::function<Value(Tape& tape, const std::vector<Value>& inputs)>& function,
    const std::vector<Array>& point, const GradientCheckOptions& options = {});

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_CHECK_H_
