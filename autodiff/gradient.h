#ifndef TALWEG_AUTODIFF_GRADIENT_H_
#define TALWEG_AUTODIFF_GRADIENT_H_

#include <source_location>
#include <vector>

#include "graph/value.h"

namespace talweg {

// Reverse mode. The derivatives are values of the same tape, made of the same ops, so they can be
// differentiated again, used in losses and updates, and carried through loops:
//
//   Value loss = Mean(Square(MatMul(x, w) - y));
//   Value dw = Gradient(loss, w);
//   Value curvature = Gradient(Sum(dw * v), w);      // Hessian times v
//
// Each kind of node has one rule. A loop is differentiated by a second loop that runs backwards
// over the carried values of the first, which are stacked for it; that takes trips times the size
// of what is carried, and room for as many trips as the loop is told to run, also where it stops
// before. (Loops of one graph whose numbers of trips are known at run time only must then be told
// the same number.)

// The derivative of a float scalar y by x, of the shape of x; zeros where y does not depend on x.
// Errors: y is no float scalar (Sum makes one), x is not a float, or they are of two tapes. In the
// body of a loop x may be a value from outside; y may not depend on it by way of another value from
// there, too, which in the body is a constant. A carried value is another one than what it began
// with: differentiate by body.carried[0], not by the w of .carried = {w}.
Value Gradient(const Value& y, const Value& x,
               std::source_location where = std::source_location::current());
// By several values at once, in one backward pass. Where there is an error, each of the results is
// the failed value.
std::vector<Value> Gradient(const Value& y, const std::vector<Value>& xs,
                            std::source_location where = std::source_location::current());

// The vector-Jacobian product: sum over i of dys[i] times the derivative of ys[i], by each of xs.
// dys[i] has the type of ys[i]. Errors, of which each result is the failed value: no ys, or not one
// dy for each of them; a y or x that is no float; a dy of another type; ys and dys of several
// tapes.
std::vector<Value> VectorJacobianProduct(
    const std::vector<Value>& ys, const std::vector<Value>& dys, const std::vector<Value>& xs,
    std::source_location where = std::source_location::current());

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_GRADIENT_H_
