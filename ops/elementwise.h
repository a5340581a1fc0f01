#ifndef TALWEG_OPS_ELEMENTWISE_H_
#define TALWEG_OPS_ELEMENTWISE_H_

#include "absl/types/span.h"
#include "graph/value.h"

namespace talweg {

// Elementwise ops. Operands are Values or C++ numbers; a number takes the element type of the Value
// that it meets. Shapes broadcast as NumPy's do: aligned at the last axis, axes of extent 1 and
// missing leading axes are repeated. Element types do not mix: the error's hint is Cast.
//
//   Value h = Max(x * 2 + 1, 0);
//   Value clipped = Select(Greater(norm, 1), g / norm, g);
//
// What each computes, to the bit, is defined by its formula over the scalar alphabet
// (graph/scalar.h, graph/math.h). Derivatives are those of calculus; where a function has none, the
// convention stands beside it. Errors go to the tape.

// Floats and integers. Integers wrap; x / 0 is 0 for integers, whose division truncates.
Value operator+(Arg a, Arg b);
Value operator-(Arg a, Arg b);
Value operator*(Arg a, Arg b);
Value operator/(Arg a, Arg b);
Value operator-(Arg x);
Value& operator+=(Value& a, Arg b);
Value& operator-=(Value& a, Arg b);
Value& operator*=(Value& a, Arg b);
Value& operator/=(Value& a, Arg b);
// Absolute value; its derivative at 0 is 0.
Value Abs(Arg x);
// -1, 0 or 1; the sign of -0 is 0. NaN stays NaN. Derivative 0.
Value Sign(Arg x);
// x * x and 1 / x.
Value Square(Arg x);
Value Reciprocal(Arg x);
// The greater, the less of two; of bools "or" and "and". NaN if either is NaN; -0 is less than 0.
// Where both are equal each gets half of the gradient. Elementwise, also with a number: Max(x, 0)
// is max(x, 0) and no maximum along axis 0; that is ReduceMax (reduce.h).
Value Max(Arg a, Arg b);
Value Min(Arg a, Arg b);
// max(x, 0), with the derivative 0 at 0; NaN and -0 stay what they are, as in TensorFlow.
Value Relu(Arg x);

// Floats only, from here to Round. Greatest errors of what is a formula are listed in
// graph/math_float32.h.
// Square root; the derivative at 0 is 0, so that norms of zero vectors have finite gradients.
Value Sqrt(Arg x);
// 1 / sqrt(x); inf at 0, where its derivative is taken as 0 too.
Value Rsqrt(Arg x);
Value Exp(Arg x);
// exp(x) - 1 and log(1 + x), exact to the last places for small x.
Value Expm1(Arg x);
Value Log(Arg x);
Value Log1p(Arg x);
Value Sin(Arg x);
Value Cos(Arg x);
Value Tanh(Arg x);
// 1 / (1 + exp(-x))
Value Sigmoid(Arg x);
// log(1 + exp(x)) without overflow.
Value Softplus(Arg x);
// The Gauss error function.
Value Erf(Arg x);
// a to the power b, as C's pow. The derivative by a is 0 where b is 0; by b it is 0 where a is
// negative (only some b have a power there), and where a is 0 and b >= 0.
Value Pow(Arg a, Arg b);
// To integers: down, up, to nearest with ties to the even one. Derivative 0.
Value Floor(Arg x);
Value Ceil(Arg x);
Value Round(Arg x);

// Comparisons give bools; all but NotEqual are false where an operand is NaN. Any element type, but
// for IsNan, which takes floats.
Value Less(Arg a, Arg b);
Value LessEqual(Arg a, Arg b);
Value Greater(Arg a, Arg b);
Value GreaterEqual(Arg a, Arg b);
Value Equal(Arg a, Arg b);
Value NotEqual(Arg a, Arg b);
Value IsNan(Arg x);
// Of bools.
Value And(Arg a, Arg b);
Value Or(Arg a, Arg b);
Value Xor(Arg a, Arg b);
Value Not(Arg x);

// a where the mask is true, else b. Both are computed, but an infinity or a NaN in the branch that
// is not taken does not reach the result. (It does reach the gradient of what computed that branch,
// as 0 times infinity: make the branch's argument harmless instead.)
// Two numbers are float32 both; make one of them a Value for another type.
Value Select(Arg mask, Arg a, Arg b);
// To another element type as base/convert.h says: floats to integers saturate towards zero, NaN
// becomes 0; numbers to bool by != 0. Casting to the type it has is the Value itself.
Value Cast(Arg x, DType dtype);
// The Value itself, through which no gradient flows.
Value Detach(Arg x);

// ---- For those who write ops, derivatives and passes. ----

extern const Op kAddOp, kSubOp, kMulOp, kDivOp, kNegOp, kAbsOp, kSignOp, kSquareOp, kReciprocalOp,
    kMaxOp, kMinOp, kReluOp;
extern const Op kSqrtOp, kRsqrtOp, kExpOp, kExpm1Op, kLogOp, kLog1pOp, kSinOp, kCosOp, kTanhOp,
    kSigmoidOp, kSoftplusOp, kErfOp, kPowOp, kFloorOp, kCeilOp, kRoundOp;
extern const Op kLessOp, kLessEqualOp, kGreaterOp, kGreaterEqualOp, kEqualOp, kNotEqualOp, kIsNanOp,
    kAndOp, kOrOp, kXorOp, kNotOp, kSelectOp, kCastOp, kDetachOp;

// All of them, in the order above.
absl::Span<const Op* const> ElementwiseOps();

// What the compiler puts for kExpOp and kLogOp where it knows so much of the operand.
extern const Op kExpOfNotPositiveOp, kLogOfAtLeastOneOp;

// `op` applied to operands, which are broadcast to their common shape first.
Value Map(const Op& op, absl::Span<const Value> operands, Attributes attributes,
          const SourceLine& line);

}  // namespace talweg

#endif  // TALWEG_OPS_ELEMENTWISE_H_
