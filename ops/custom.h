#ifndef TALWEG_OPS_CUSTOM_H_
#define TALWEG_OPS_CUSTOM_H_

#include <functional>
#include <vector>

#include "graph/value.h"

namespace talweg {

extern const Op kCustomOp;

// A function with a gradient of your own, for what the derivative of its formula is not wanted: a
// straight-through estimate, a stable form, a clipped gradient.
//
//   // the sign forward, the gradient of the identity backward
//   Value y = CustomGradient({x}, [](absl::Span<const Value> v) { return Sign(v[0]); },
//                            [](absl::Span<const Value> v, Value y, Value dy) {
//                              return std::vector<Value>{dy};
//                            });
//
// What the function computes with is what it is given: a float that it uses otherwise (a parameter
// that it captures) would silently have the gradient 0. So that is an error, unless the float is
// constant or goes through Detach; integers and bools have no gradient anyway.
//
// `vjp` maps inputs, output and dy to the gradient of each input (of its shape and type). It is
// called once, and builds a closed graph that is stored with the node: it may use its arguments and
// numbers, not other Values, nor inputs of its own.
Value CustomGradient(const std::vector<Value>& inputs,
                     const std::function<Value(absl::Span<const Value>)>& function,
                     const std::function<std::vector<Value>(absl::Span<const Value> inputs,
                                                            Value output, Value dy)>& vjp,
                     std::source_location where = std::source_location::current());

}  // namespace talweg

#endif  // TALWEG_OPS_CUSTOM_H_
