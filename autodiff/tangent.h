#ifndef TALWEG_AUTODIFF_TANGENT_H_
#define TALWEG_AUTODIFF_TANGENT_H_

#include <source_location>
#include <vector>

#include "graph/value.h"

namespace talweg {

// Forward mode: how results change when inputs move along given directions. Like gradients,
// tangents are values of the same tape, made of the same ops, and can be differentiated again, both
// ways.
//
//   Value y = Tanh(MatMul(x, w));
//   Value dy = Tangent(y, w, v);                      // d/de of y at w + e v, of the shape of y
//   Value ddy = Tangent(dy, w, v);                    // the second derivative along v
//
// One direction costs about as much again as the function, twice that through loops (one is run
// again, with its tangents), and nothing is stored, however long loops are: it is the way for few
// inputs and many results, as reverse mode (gradient.h) is for few results and many inputs. With u
// of the shape of y, sum(u dy) = sum(v dw) for the dw that VectorJacobianProduct({y}, {u}, {w})
// gives.
//
// Where the derivative is a convention it is that of reverse mode: equal operands of a maximum
// share it, that of sqrt at 0 is 0, nothing goes through Detach, integers or random numbers. What a
// Select does not take adds nothing, even where it is infinite or NaN; in reverse mode that holds
// only for values.
//
// A loop becomes one that carries the tangents of what it carries, beside it; it runs once more. A
// custom gradient is linear in dy, so forward mode goes through its transpose: the tangent is
// consistent with the user's gradient, not with the function that was computed. A gradient of the
// user's that is not linear in dy (one that clips) counts as what it is near dy = 0.

// The derivative of y along dx at x. dx has the type of x; the result has that of y, and is zero
// where y does not depend on x. y may be of any shape.
// Errors: y or x is not a float, dx has not the type of x, or they are of two tapes. In the body of
// a loop x and dx may be values from outside; y may not depend on x by way of another value from
// there, too, which in the body is a constant.
Value Tangent(const Value& y, const Value& x, const Value& dx,
              std::source_location where = std::source_location::current());
// With several inputs that move at once.
Value Tangent(const Value& y, const std::vector<Value>& xs, const std::vector<Value>& dxs,
              std::source_location where = std::source_location::current());

// The Jacobian-vector product, for several results in one pass: for each of ys the sum over i of
// its derivative by xs[i] times dxs[i]. Where one of xs depends on another, it moves with that,
// too.
std::vector<Value> JacobianVectorProduct(
    const std::vector<Value>& ys, const std::vector<Value>& xs, const std::vector<Value>& dxs,
    std::source_location where = std::source_location::current());

// The Hessian of a float scalar times a vector: for each i the sum over k of the second derivative
// of y by xs[i] and xs[k], times vs[k]. vs[k] has the type of xs[k].
//
//   std::vector<Value> hv = HessianVectorProduct(loss, parameters, directions);
//
// It is the tangent of the gradient (Pearlmutter 1994), forward over reverse: about twice the work
// of a gradient, up to four times through loops, whatever the number of parameters; and of what a
// loop stacks for its backward pass the tangents besides, so twice its memory. (The gradient of a
// gradient has the same value, but stacks what the backward loop carries, too.)
std::vector<Value> HessianVectorProduct(
    const Value& y, const std::vector<Value>& xs, const std::vector<Value>& vs,
    std::source_location where = std::source_location::current());

// ---- For those who write derivatives. ----

// The forward sweep itself: for each y its tangent where xs move along dxs, a value of no tape
// where there is no path. All are values of one tape.
std::vector<Value> PushForward(const std::vector<Value>& xs, const std::vector<Value>& dxs,
                               const std::vector<Value>& ys);

}  // namespace talweg

#endif  // TALWEG_AUTODIFF_TANGENT_H_
