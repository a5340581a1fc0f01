// Arithmetic: what a processor computes by one or two instructions.
#include <limits>

#include "ops/elementwise.h"
#include "ops/map.h"

namespace talweg {
namespace {

// (a + b)' = a' + b'. Adding -0, not 0, is the identity to the bit: -0 + 0 is 0.
constinit const MapRule kAdd = MakeMap<2, MapTypes::kNumbers>(
    [](auto a, auto b) { return a + b; },
    {[](const Value*, const Value&, const Value& dy) { return dy; },
     [](const Value*, const Value&, const Value& dy) { return dy; }},
    {.right_identity = -0.0, .left_identity = -0.0, .commutative = true, .keeps_zero = true});

// (a - b)' = a' - b'
constinit const MapRule kSub = MakeMap<2, MapTypes::kNumbers>(
    [](auto a, auto b) { return a - b; },
    {[](const Value*, const Value&, const Value& dy) { return dy; },
     [](const Value*, const Value&, const Value& dy) { return -dy; }},
    {.right_identity = 0.0, .keeps_zero = true});

// (a b)' = a' b + a b'
constinit const MapRule kMul = MakeMap<2, MapTypes::kNumbers>(
    [](auto a, auto b) { return a * b; },
    {[](const Value* x, const Value&, const Value& dy) { return dy * x[1]; },
     [](const Value* x, const Value&, const Value& dy) { return dy * x[0]; }},
    {.right_identity = 1.0, .left_identity = 1.0, .commutative = true, .keeps_zero = true});

// (a / b)' = a' / b - (a / b) b' / b
constinit const MapRule kDiv = MakeMap<2, MapTypes::kNumbers>(
    [](auto a, auto b) { return a / b; },
    {[](const Value* x, const Value&, const Value& dy) { return dy / x[1]; },
     [](const Value* x, const Value& y, const Value& dy) { return -(dy * y / x[1]); }},
    {.right_identity = 1.0}, {{{}, {.low = 0.3, .high = 2}}});

constinit const MapRule kNeg = MakeMap<1, MapTypes::kNumbers>(
    [](auto x) { return -x; }, {[](const Value*, const Value&, const Value& dy) { return -dy; }},
    {.involution = true});

// |x|' = sign(x), which is 0 at 0.
constinit const MapRule kAbs = MakeMap<1, MapTypes::kNumbers>(
    [](auto x) { return Abs(x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy * Sign(x[0]); }},
    {.idempotent = true, .keeps_zero = true}, {{{.kinks = {0}, .kink_count = 1}}});

constinit const MapRule kSign = MakeMap<1, MapTypes::kNumbers>(
    [](auto x) { return Sign(x); }, {}, {.idempotent = true, .keeps_zero = true},
    {{{.kinks = {0}, .kink_count = 1}}});

// (x^2)' = 2 x x'
constinit const MapRule kSquare = MakeMap<1, MapTypes::kNumbers>(
    [](auto x) { return x * x; },
    {[](const Value* x, const Value&, const Value& dy) { return dy * (x[0] * 2); }},
    {.keeps_zero = true});

// (1 / x)' = -x' / x^2
constinit const MapRule kReciprocal = MakeMap<1, MapTypes::kNumbers>(
    [](auto x) { return 1.0 / x; },
    {[](const Value*, const Value& y, const Value& dy) { return -(dy * y * y); }}, {},
    {{{.low = 0.3, .high = 2}}});

// Each operand has the gradient where it is chosen, and half of it where both are equal.
Value ChosenPart(const Value& chosen, const Value& other, const Value& y, const Value& dy) {
  return Select(Equal(chosen, other), dy * 0.5, Select(Equal(chosen, y), dy, 0));
}
constexpr Partials kChosenParts = {
    [](const Value* x, const Value& y, const Value& dy) { return ChosenPart(x[0], x[1], y, dy); },
    [](const Value* x, const Value& y, const Value& dy) { return ChosenPart(x[1], x[0], y, dy); }};

constexpr double kInf = std::numeric_limits<double>::infinity();

constinit const MapRule kMax =
    MakeMap<2, MapTypes::kAll>([](auto a, auto b) { return Max(a, b); }, kChosenParts,
                               {.right_identity = -kInf,
                                .left_identity = -kInf,
                                .commutative = true,
                                .idempotent = true,
                                .keeps_zero = true});

constinit const MapRule kMin =
    MakeMap<2, MapTypes::kAll>([](auto a, auto b) { return Min(a, b); }, kChosenParts,
                               {.right_identity = kInf,
                                .left_identity = kInf,
                                .commutative = true,
                                .idempotent = true,
                                .keeps_zero = true});

// max(x, 0)' = x' where the result is positive, so that the backward pass needs no x. Written with
// `<`, it is x86's one instruction for the maximum, to the bit: NaN and -0 stay what they are.
constinit const MapRule kRelu = MakeMap<1, MapTypes::kNumbers>(
    [](auto x) { return Select(Less(x, 0.0), Like(x, 0.0), x); },
    {[](const Value*, const Value& y, const Value& dy) { return Select(Greater(y, 0), dy, 0); }},
    {.idempotent = true, .keeps_zero = true}, {{{.kinks = {0}, .kink_count = 1}}});

}  // namespace

constinit const Op kAddOp{"add", "a + b", Kind::kMap, InferMap, &kAdd};
constinit const Op kSubOp{"sub", "a - b", Kind::kMap, InferMap, &kSub};
constinit const Op kMulOp{"mul", "a * b", Kind::kMap, InferMap, &kMul};
constinit const Op kDivOp{"div", "a / b; integers truncate, x / 0 = 0", Kind::kMap, InferMap,
                          &kDiv};
constinit const Op kNegOp{"neg", "-x", Kind::kMap, InferMap, &kNeg};
constinit const Op kAbsOp{"abs", "|x|", Kind::kMap, InferMap, &kAbs};
constinit const Op kSignOp{"sign", "-1, 0 or 1", Kind::kMap, InferMap, &kSign};
constinit const Op kSquareOp{"square", "x * x", Kind::kMap, InferMap, &kSquare};
constinit const Op kReciprocalOp{"reciprocal", "1 / x", Kind::kMap, InferMap, &kReciprocal};
constinit const Op kMaxOp{"max", "the greater; NaN if either is", Kind::kMap, InferMap, &kMax};
constinit const Op kMinOp{"min", "the less; NaN if either is", Kind::kMap, InferMap, &kMin};
constinit const Op kReluOp{"relu", "max(x, 0)", Kind::kMap, InferMap, &kRelu};

}  // namespace talweg
