// Roots, exponentials, trigonometric and other functions of floats, and rounding.
#include <limits>

#include "ops/elementwise.h"
#include "ops/map.h"

namespace talweg {
namespace {

constexpr std::array<MapSamples, 3> kPositive = {{{.low = 0.2, .high = 3}}};

// (sqrt x)' = x' / (2 sqrt x), and 0 at 0. The division never sees a 0, so that derivatives of this
// derivative are finite too.
constinit const MapRule kSqrt = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Sqrt(x); }, {[](const Value*, const Value& y, const Value& dy) {
      const Value zero = Equal(y, 0);
      return Select(zero, 0, dy * 0.5 / Select(zero, 1, y));
    }},
    {.keeps_zero = true}, kPositive);

// (x^-1/2)' = -x' x^-1/2 / (2 x), and 0 at 0.
constinit const MapRule kRsqrt = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return 1.0 / Sqrt(x); }, {[](const Value* x, const Value& y, const Value& dy) {
      const Value zero = Equal(x[0], 0);
      // From the left: y / x alone may be beyond all numbers where the whole is not.
      return Select(zero, 0, dy * -0.5 * Select(zero, 1, y) / Select(zero, 1, x[0]));
    }},
    {}, kPositive);

// (e^x)' = e^x x'
constinit const MapRule kExp = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Exp(x); },
    {[](const Value*, const Value& y, const Value& dy) { return dy * y; }});
constinit const MapRule kExpOfNotPositive = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return ExpOfNotPositive(x); },
    {[](const Value*, const Value& y, const Value& dy) { return dy * y; }}, {},
    {{{.low = -2, .high = 0}}});

// (e^x - 1)' = e^x x'
constinit const MapRule kExpm1 = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Expm1(x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy * Exp(x[0]); }},
    {.keeps_zero = true});

// (log x)' = x' / x
constinit const MapRule kLog = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Log(x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy / x[0]; }}, {}, kPositive);
constinit const MapRule kLogOfAtLeastOne = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return LogOfAtLeastOne(x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy / x[0]; }}, {},
    {{{.low = 1, .high = 3}}});

// (log(1 + x))' = x' / (1 + x)
constinit const MapRule kLog1p = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Log1p(x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy / (x[0] + 1); }},
    {.keeps_zero = true}, {{{.low = -0.7, .high = 3}}});

// (sin x)' = cos(x) x'
constinit const MapRule kSin = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Sin(x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy * Cos(x[0]); }},
    {.keeps_zero = true});

// (cos x)' = -sin(x) x'
constinit const MapRule kCos = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Cos(x); },
    {[](const Value* x, const Value&, const Value& dy) { return -(dy * Sin(x[0])); }});

// (tanh x)' = (1 - tanh^2 x) x'
constinit const MapRule kTanh = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Tanh(x); },
    {[](const Value*, const Value& y, const Value& dy) { return dy * (1 - y * y); }},
    {.keeps_zero = true});

// (sigmoid x)' = sigmoid x (1 - sigmoid x) x'
constinit const MapRule kSigmoid = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Sigmoid(x); },
    {[](const Value*, const Value& y, const Value& dy) { return dy * (y * (1 - y)); }});

// (softplus x)' = sigmoid(x) x'
constinit const MapRule kSoftplus = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Softplus(x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy * Sigmoid(x[0]); }});

// (erf x)' = 2 / sqrt(pi) e^(-x^2) x'
constinit const MapRule kErf = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Erf(x); }, {[](const Value* x, const Value&, const Value& dy) {
      constexpr double kTwoOverSqrtPi = 1.1283791670955126;
      return dy * (Exp(-Square(x[0])) * kTwoOverSqrtPi);
    }},
    {.keeps_zero = true});

// (a^b)' = b a^(b-1) a' + a^b log(a) b'. Powers and logarithms that do not exist are replaced by
// those of 1, which factors of 0 then remove.
constinit const MapRule kPow = MakeMap<2, MapTypes::kFloats>(
    [](auto a, auto b) { return Pow(a, b); },
    {[](const Value* x, const Value&, const Value& dy) {
       // 0 times 1 / a is 0, also where that is not finite.
       const double least = x[0].dtype() == kFloat32 ? std::numeric_limits<float>::min()
                                                     : std::numeric_limits<double>::min();
       const Value base = Select(And(Equal(x[1], 0), Less(Abs(x[0]), least)), 1, x[0]);
       return dy * (x[1] * Pow(base, x[1] - 1));
     },
     [](const Value* x, const Value& y, const Value& dy) {
       return dy * (y * Log(Select(LessEqual(x[0], 0), 1, x[0])));
     }},
    {.right_identity = 1.0}, {{{.low = 0.2, .high = 2}, {.low = -2, .high = 3}}});

// Steps: their derivative is 0 wherever there is one.
constinit const MapRule kFloor = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Floor(x); }, {}, {.idempotent = true, .keeps_zero = true},
    {{{.low = -1.9, .high = 1.9, .kinks = {-1, 0, 1}, .kink_count = 3}}});
constinit const MapRule kCeil = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return Ceil(x); }, {}, {.idempotent = true, .keeps_zero = true},
    {{{.low = -1.9, .high = 1.9, .kinks = {-1, 0, 1}, .kink_count = 3}}});
constinit const MapRule kRound = MakeMap<1, MapTypes::kFloats>(
    [](auto x) { return RoundEven(x); }, {}, {.idempotent = true, .keeps_zero = true},
    {{{.low = -1.4, .high = 1.4, .kinks = {-0.5, 0.5}, .kink_count = 2}}});

}  // namespace

constinit const Op kSqrtOp{"sqrt", "square root; derivative 0 at 0", Kind::kMap, InferMap, &kSqrt};
constinit const Op kRsqrtOp{"rsqrt", "1 / sqrt(x)", Kind::kMap, InferMap, &kRsqrt};
constinit const Op kExpOp{"exp", "e to the power x", Kind::kMap, InferMap, &kExp};
constinit const Op kExpm1Op{"expm1", "e to the power x, less 1", Kind::kMap, InferMap, &kExpm1};
constinit const Op kLogOp{"log", "natural logarithm", Kind::kMap, InferMap, &kLog};
constinit const Op kLog1pOp{"log1p", "log(1 + x)", Kind::kMap, InferMap, &kLog1p};
constinit const Op kSinOp{"sin", "sine", Kind::kMap, InferMap, &kSin};
constinit const Op kCosOp{"cos", "cosine", Kind::kMap, InferMap, &kCos};
constinit const Op kTanhOp{"tanh", "hyperbolic tangent", Kind::kMap, InferMap, &kTanh};
constinit const Op kSigmoidOp{"sigmoid", "1 / (1 + exp(-x))", Kind::kMap, InferMap, &kSigmoid};
constinit const Op kSoftplusOp{"softplus", "log(1 + exp(x))", Kind::kMap, InferMap, &kSoftplus};
constinit const Op kErfOp{"erf", "Gauss error function", Kind::kMap, InferMap, &kErf};
constinit const Op kPowOp{"pow", "a to the power b", Kind::kMap, InferMap, &kPow};
constinit const Op kFloorOp{"floor", "down to an integer", Kind::kMap, InferMap, &kFloor};
constinit const Op kCeilOp{"ceil", "up to an integer", Kind::kMap, InferMap, &kCeil};
constinit const Op kRoundOp{"round", "to the nearest integer, ties to even", Kind::kMap, InferMap,
                            &kRound};
constinit const Op kExpOfNotPositiveOp{"exp_of_not_positive", "e to the power x <= 0", Kind::kMap,
                                       InferMap, &kExpOfNotPositive};
constinit const Op kLogOfAtLeastOneOp{"log_of_at_least_one", "natural logarithm of x >= 1",
                                      Kind::kMap, InferMap, &kLogOfAtLeastOne};

}  // namespace talweg
