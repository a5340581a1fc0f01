#include "ops/nn.h"

#include <algorithm>
#include <limits>
#include <numbers>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/random.h"
#include "ops/view.h"

namespace talweg {
namespace {

// The failure, if a Value is needed: on the tape of `beside`, where x has none.
std::optional<Value> RefuseNumber(std::string_view name, const Arg& x, const Value& beside) {
  const Value v = x.value();
  if (v.tape() != nullptr) return std::nullopt;
  return Fail(name, {beside, v},
              x.is_number() ? "a plain number where a Value is needed" : "a value of no tape",
              x.line());
}

// The failure, if x is not a float with these axes.
std::optional<Value> Refuse(std::string_view name, const Arg& x, const Axes& axes = {},
                            const Value& beside = {}) {
  if (auto failure = RefuseNumber(name, x, beside)) return failure;
  const Value v = x.value();
  if (!v.ok()) return v;
  if (!IsFloat(v.dtype())) return Fail(name, {v}, "only for floats; use Cast", x.line());
  if (!axes.Ascending(v.rank())) {
    return Fail(name, {v}, "an axis does not exist or is named twice", x.line());
  }
  return std::nullopt;
}

double Lowest(DType dtype) {
  return dtype == kFloat32 ? std::numeric_limits<float>::lowest()
                           : std::numeric_limits<double>::lowest();
}

// The pieces from which the softmaxes are made.
struct Exponentials {
  Value greatest;  // m, reduced; no gradient: it cancels in exact arithmetic
  Value shifted;   // x - m
  Value exps;      // exp(x - m)
  Value sum;       // sum of these, reduced; in [1, n], but 1 for a row of -inf, where it is 0
};

Exponentials Exponentiate(const Value& x, const std::vector<int64_t>& axes) {
  Exponentials r;
  r.greatest = Detach(ReduceMax(x, axes));
  // -inf - (-inf) is NaN; -inf - (the least number) is -inf.
  const Value shift = Max(r.greatest, Lowest(x.dtype()));
  r.shifted = x - Spread(shift, x.shape(), axes);
  r.exps = Exp(r.shifted);
  const Value sum = Sum(r.exps, axes);
  r.sum = Select(Equal(sum, 0), 1, sum);
  return r;
}

}  // namespace

Value Softmax(Arg x, int64_t axis) {
  const UserLine line(x);
  if (auto failure = Refuse("softmax", x, axis)) return *failure;
  const Value v = x.value();
  const std::vector<int64_t> axes = *Axes(axis).Ascending(v.rank());
  const Exponentials e = Exponentiate(v, axes);
  // p = exp(x - m) / sum of exp(x - m)
  return e.exps / Spread(e.sum, v.shape(), axes);
}

Value LogSoftmax(Arg x, int64_t axis) {
  const UserLine line(x);
  if (auto failure = Refuse("log_softmax", x, axis)) return *failure;
  const Value v = x.value();
  const std::vector<int64_t> axes = *Axes(axis).Ascending(v.rank());
  const Exponentials e = Exponentiate(v, axes);
  // log p = (x - m) - log(sum of exp(x - m))
  return e.shifted - Spread(Log(e.sum), v.shape(), axes);
}

Value LogSumExp(Arg x, const Axes& axes, Keep keep) {
  const UserLine line(x);
  if (auto failure = Refuse("log_sum_exp", x, axes)) return *failure;
  const Value v = x.value();
  const std::vector<int64_t> over = *axes.Ascending(v.rank());
  const Exponentials e = Exponentiate(v, over);
  // m + log(sum of exp(x - m))
  const Value result = e.greatest + Log(e.sum);
  if (keep == Keep::kNo || !result.ok()) return result;
  Shape shape = v.shape();
  for (int64_t axis : over) shape[static_cast<size_t>(axis)] = 1;
  return Reshape(result, std::move(shape));
}

std::optional<Value> LogitsOfSoftmax(const Value& probabilities) {
  // Equal nodes are made once, so a value is Softmax(x) exactly if Softmax(x) made again is the
  // same value. All that has to be known of softmax's form is the way from it back to x; a wrong
  // guess costs a few nodes that nothing uses.
  Value x = probabilities;
  for (const Op* op : {&kDivOp, &kExpOp, &kSubOp}) {
    if (!x.ok() || x.node().op != op) return std::nullopt;
    x = Value(x.tape(), x.node().operands[0]);
  }
  if (x.rank() == 0 || !(Softmax(x) == probabilities)) return std::nullopt;
  return x;
}

std::optional<Value> LogitsOfSigmoid(const Value& probabilities) {
  if (!probabilities.ok() || probabilities.node().op != &kSigmoidOp) return std::nullopt;
  return Value(probabilities.tape(), probabilities.node().operands[0]);
}

Value Elu(Arg x, double alpha) {
  const UserLine line(x);
  if (auto failure = Refuse("elu", x)) return *failure;
  const Value v = x.value();
  const Value positive = Greater(v, 0);
  // expm1 must not see large numbers: infinity times the 0 of the branch not taken would be the
  // gradient.
  return Select(positive, v, alpha * Expm1(Select(positive, 0, v)));
}

Value Selu(Arg x) {
  const UserLine line(x);
  if (auto failure = Refuse("selu", x)) return *failure;
  // The fixed point (0, 1) of mean and variance, from the paper.
  constexpr double kAlpha = 1.6732632423543772848, kScale = 1.0507009873554804934;
  return kScale * Elu(x, kAlpha);
}

Value LeakyRelu(Arg x, double alpha) {
  const UserLine line(x);
  if (auto failure = Refuse("leaky_relu", x)) return *failure;
  return Select(Greater(x, 0), x, alpha * x.value());
}

Value Gelu(Arg x, GeluForm form) {
  const UserLine line(x);
  if (auto failure = Refuse("gelu", x)) return *failure;
  const Value v = x.value();
  if (form == GeluForm::kErf) {
    // x / 2 * (1 + erf(x / sqrt 2))
    return v * 0.5 * (1 + Erf(v * (1 / std::numbers::sqrt2)));
  }
  // x / 2 * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  constexpr double kSqrtTwoOverPi = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return v * 0.5 * (1 + Tanh(kSqrtTwoOverPi * (v * (1 + 0.044715 * Square(v)))));
}

Value Silu(Arg x) {
  const UserLine line(x);
  if (auto failure = Refuse("silu", x)) return *failure;
  return x.value() * Sigmoid(x);
}

Value Clip(Arg x, double low, double high) {
  const UserLine line(x);
  if (auto failure = Refuse("clip", x)) return *failure;
  if (!(low <= high)) {
    return Fail("clip", {x.value()}, absl::StrCat("[", low, ", ", high, "] is no interval"),
                x.line());
  }
  // Not by Min and Max, which halve the gradient at the bounds.
  return Select(Less(x, low), low, Select(Greater(x, high), high, x));
}

Value Linear(Arg x, Arg kernel, Arg bias) {
  const UserLine line(x);
  const Value v = x.value(), w = kernel.value(), b = bias.value();
  for (const Arg* arg : {&x, &kernel, &bias}) {
    if (auto failure = Refuse("linear", *arg, {}, v)) return *failure;
  }
  const auto fail = [&](std::string_view detail) {
    return Fail("linear", {v, w, b}, detail, x.line());
  };
  if (v.rank() == 0 || w.rank() != 2) return fail("x is [..,in] and the kernel [in,out]");
  if (!(v.dim(-1) == w.dim(0))) {
    return fail(absl::StrCat("inner sizes ", v.dim(-1).ToString(), " and ", w.dim(0).ToString(),
                             " differ"));
  }
  if (b.shape() != Shape{w.dim(1)}) {
    return fail(absl::StrCat("the bias is not [", w.dim(1).ToString(), "]"));
  }
  // y = x W + b
  return MatMul(v, w) + b;
}

Value LayerNorm(Arg x, Arg gain, Arg bias, const Axes& axes, double epsilon) {
  const UserLine line(x);
  if (auto failure = Refuse("layer_norm", x, axes)) return *failure;
  for (const Arg* arg : {&gain, &bias}) {
    if (auto failure = Refuse("layer_norm", *arg, {}, x.value())) return *failure;
  }
  // Spread to the shape of x they have its `rows`, which may be another number than outside.
  const std::vector<Value> near = OnOneTape({x.value(), gain.value(), bias.value()});
  const Value &v = near[0], &near_gain = near[1], &near_bias = near[2];
  if (!(epsilon >= 0)) return Fail("layer_norm", {v}, "epsilon is negative", x.line());
  const std::vector<int64_t> over = *axes.Ascending(v.rank());
  Shape shape;
  std::vector<int64_t> rest;
  for (int64_t axis = 0; axis < v.rank(); axis++) {
    if (std::find(over.begin(), over.end(), axis) == over.end()) {
      rest.push_back(axis);
    } else {
      shape.push_back(v.dim(axis));
    }
  }
  if (near_gain.shape() != shape || near_bias.shape() != shape) {
    return Fail("layer_norm", {v, near_gain, near_bias},
                absl::StrCat("gain and bias are not ", ToString(shape)), x.line());
  }
  // c = x - mean(x)
  const Value centered = v - Spread(Mean(v, over), v.shape(), over);
  // r = 1 / sqrt(mean(c^2) + epsilon)
  const Value scale = Rsqrt(Mean(Square(centered), over) + epsilon);
  // y = c r gain + bias
  return centered * Spread(scale, v.shape(), over) * Spread(near_gain, v.shape(), rest) +
         Spread(near_bias, v.shape(), rest);
}

Value Dropout(Arg x, Arg rate, Arg key, bool training) {
  const UserLine line(x);
  if (auto failure = Refuse("dropout", x)) return *failure;
  const Value v = x.value();
  if (rate.is_number() && !(rate.number() >= 0 && rate.number() < 1)) {
    return Fail("dropout", {v}, absl::StrCat("the rate ", rate.number(), " is not in [0, 1)"),
                x.line());
  }
  if (!rate.is_number()) {
    if (auto failure = Refuse("dropout", rate)) return *failure;
    if (rate.value().rank() != 0) {
      return Fail("dropout", {v, rate.value()}, "the rate is not a scalar", x.line());
    }
  }
  if (!training || (rate.is_number() && rate.number() == 0)) return v;
  if (auto failure = RefuseNumber("dropout", key, v)) return *failure;
  // The numbers are float32 whatever x is, so that both precisions drop the same elements.
  const Value near_key = OnOneTape({v, key.value()})[1];
  const Value numbers = RandomUniform(near_key, kFloat32, v.shape());
  if (!numbers.ok()) return numbers;
  const Value kept =
      GreaterEqual(numbers, rate.is_number() ? rate : Arg(Cast(rate.value(), kFloat32)));
  const Value scale = rate.is_number() ? Scalar(v, v.dtype(), 1 / (1 - rate.number()))
                                       : Reciprocal(1 - Cast(rate.value(), v.dtype()));
  // y = x / (1 - rate) where u >= rate, else 0
  return Select(kept, v * scale, 0);
}

Value Norm(Arg x, const Axes& axes, Keep keep) {
  const UserLine line(x);
  if (auto failure = Refuse("norm", x, axes)) return *failure;
  return Sqrt(Sum(Square(x), axes, keep));
}

Value GlobalNorm(const std::vector<Value>& values, std::source_location where) {
  if (values.empty()) return Value();
  const UserLine line(values[0], LineOf(where));
  Value sum;
  for (const Value& v : values) {
    if (auto failure = Refuse("global_norm", Arg(v, where))) return *failure;
    const Value square = Sum(Square(v));
    sum = sum.tape() == nullptr ? square : sum + square;
  }
  return Sqrt(sum);
}

}  // namespace talweg
