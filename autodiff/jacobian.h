#ifndef TALWEG_AUTODIFF_JACOBIAN_H_
#define TALWEG_AUTODIFF_JACOBIAN_H_

#include <functional>
#include <source_location>

#include "graph/value.h"

namespace talweg {

// All derivatives of all elements of a result, for few of either:
//
//   Value j = Jacobian([&](Value x) { return Tanh(MatMul(a, x)); }, x);  // x [3], a [5,3]: j [5,3]
//   Value h = Hessian([&](Value w) { return Mean(Square(MatMul(x, w) - y)); }, w);
//
// A function is asked for, and not its result, because the derivatives are found one after another,
// in a loop whose body it is built in; it is called twice, to see what it gives and to build that.
// What it uses besides its argument is a constant to it, x itself included. Like all derivatives
// these are values of the tape and can be differentiated again.
//
// Where all that one wants of a Jacobian is its product with a vector, that is what to ask for
// (gradient.h, tangent.h): it costs a trip of the loop.

// The derivative of function(x) by x, of the axes of the result, then those of x. One forward pass
// for each element of x, or one backward pass for each element of the result if there are fewer of
// these.
// Errors: an empty function; x or its result is no float or has a run-time extent; what the
// function says.
Value Jacobian(const std::function<Value(Value)>& function, const Value& x,
               std::source_location where = std::source_location::current());

// The second derivatives of a function that gives a float scalar, of the axes of x twice; equal to
// its transpose but for rounding. The Jacobian of the gradient, forward over reverse.
Value Hessian(const std::function<Value(Value)>& function, const Value& x,
              std::source_location where = std::source_location::current());

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_JACOBIAN_H_
