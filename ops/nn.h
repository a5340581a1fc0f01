#ifndef TALWEG_OPS_NN_H_
#define TALWEG_OPS_NN_H_

#include <cstdint>
#include <optional>
#include <source_location>
#include <vector>

#include "graph/value.h"
#include "ops/reduce.h"

namespace talweg {

// What neural networks are made of, as compositions of the ops of this folder: nothing here is
// known to an engine, a pass or a derivative. Layers with parameters are in train/layers.h; these
// are the formulas behind them.
//
//   Value h = Elu(Linear(x, kernel, bias));
//   Value p = Softmax(Linear(h, kernel2, bias2));           // [rows, classes], rows add up to 1
//
// Operands are floats; results have their type. Errors go to the tape and name the line of the
// call.

// ---- Softmax and its logarithm. ----
// All three subtract the greatest element before they exponentiate, so that nothing overflows:
// logits of +-1e4 and beyond are as good as any. An element of -inf has the probability 0. A row of
// which all elements are -inf (nothing is allowed) has Softmax 0 everywhere, LogSoftmax and
// LogSumExp -inf; the gradients of the first and the last are 0 there. An element of +inf makes its
// row NaN.

// exp(x) / sum of exp(x) along the axis.
Value Softmax(Arg x, int64_t axis = -1);
// log(Softmax(x)), exact where the probability underflows.
Value LogSoftmax(Arg x, int64_t axis = -1);
// log(sum of exp(x)) over the axes; its gradient is dy * Softmax(x).
Value LogSumExp(Arg x, const Axes& axes = -1, Keep keep = Keep::kNo);

// The x of which a value is exactly Softmax(x) along the last axis, or Sigmoid(x); nothing if it is
// another thing. Losses by name use them to go back to the logits (loss.h).
std::optional<Value> LogitsOfSoftmax(const Value& probabilities);
std::optional<Value> LogitsOfSigmoid(const Value& probabilities);

// ---- Activations, elementwise. ----

// x where x > 0, else alpha * (exp(x) - 1). The derivative at 0 is alpha. Clevert, Unterthiner,
// Hochreiter: "Fast and accurate deep network learning by exponential linear units", 2015.
Value Elu(Arg x, double alpha = 1);
// The Elu that keeps mean 0 and variance 1 from layer to layer. Klambauer et al.:
// "Self-normalizing neural networks", 2017.
Value Selu(Arg x);
// x where x > 0, else alpha * x. Keras's default slope.
Value LeakyRelu(Arg x, double alpha = 0.3);
// x times the normal distribution function of x: exactly, or by the customary approximation through
// tanh (off by at most 5e-4). Hendrycks, Gimpel: "Gaussian error linear units", 2016.
enum class GeluForm { kErf, kTanh };
Value Gelu(Arg x, GeluForm form = GeluForm::kErf);
// x * Sigmoid(x), also called swish.
Value Silu(Arg x);

// x brought into [low, high]. The gradient is dy where x lies in it, bounds included, and 0 where
// it was cut. NaN stays NaN.
Value Clip(Arg x, double low, double high);

// ---- Layers without state. ----

// What keeps LayerNorm from dividing by zero, here and in train/layers.h: Keras's number.
inline constexpr double kLayerNormEpsilon = 1e-3;

// x W + b: x [..,in], kernel [in,out], bias [out] -> [..,out].
Value Linear(Arg x, Arg kernel, Arg bias);

// (x - mean) / sqrt(variance + epsilon) * gain + bias, with mean and (biased) variance over the
// axes. gain and bias have the extents of these axes: [width] for the last axis. Ba, Kiros, Hinton:
// "Layer normalization", 2016.
Value LayerNorm(Arg x, Arg gain, Arg bias, const Axes& axes = -1,
                double epsilon = kLayerNormEpsilon);

// Where `training`, each element is 0 with probability `rate` and else x / (1 - rate), so that the
// expectation stays x; otherwise x itself. The same key drops the same elements, in float32 as in
// float64. The rate, in [0, 1), is a number or a scalar Value; a number is checked here.
//
//   Value h = Dropout(h, 0.5, FoldIn(key, step), training);
Value Dropout(Arg x, Arg rate, Arg key, bool training);

// ---- Norms. ----

// sqrt(sum of x^2) over the axes. The derivative of the norm of a zero vector is 0.
Value Norm(Arg x, const Axes& axes = {}, Keep keep = Keep::kNo);
// The norm of all elements of all values together, a scalar of their common type; of no values, a
// value of no tape. (ClipByGlobalNorm of optim/rule.h adds up in float64, so it has one of its
// own.)
Value GlobalNorm(const std::vector<Value>& values,
                 std::source_location where = std::source_location::current());

}  // namespace talweg

#endif  // TALWEG_OPS_NN_H_
