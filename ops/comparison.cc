// Comparisons, logic, selection, conversion.
#include "base/with_type.h"
#include "ops/elementwise.h"
#include "ops/map.h"

namespace talweg {
namespace {

constinit const MapRule kLess =
    MakeMap<2, MapTypes::kCompare>([](auto a, auto b) { return Less(a, b); });
constinit const MapRule kLessEqual =
    MakeMap<2, MapTypes::kCompare>([](auto a, auto b) { return LessEqual(a, b); });
constinit const MapRule kGreater =
    MakeMap<2, MapTypes::kCompare>([](auto a, auto b) { return Greater(a, b); });
constinit const MapRule kGreaterEqual =
    MakeMap<2, MapTypes::kCompare>([](auto a, auto b) { return GreaterEqual(a, b); });
constinit const MapRule kEqual = MakeMap<2, MapTypes::kCompare>(
    [](auto a, auto b) { return Equal(a, b); }, {}, {.commutative = true});
constinit const MapRule kNotEqual = MakeMap<2, MapTypes::kCompare>(
    [](auto a, auto b) { return NotEqual(a, b); }, {}, {.commutative = true, .keeps_zero = true});
constinit const MapRule kIsNan =
    MakeMap<1, MapTypes::kTest>([](auto x) { return NotEqual(x, x); }, {}, {.keeps_zero = true});

constinit const MapRule kAnd =
    MakeMap<2, MapTypes::kBools>([](auto a, auto b) { return And(a, b); }, {},
                                 {.right_identity = 1.0,
                                  .left_identity = 1.0,
                                  .commutative = true,
                                  .idempotent = true,
                                  .keeps_zero = true});
constinit const MapRule kOr =
    MakeMap<2, MapTypes::kBools>([](auto a, auto b) { return Or(a, b); }, {},
                                 {.right_identity = 0.0,
                                  .left_identity = 0.0,
                                  .commutative = true,
                                  .idempotent = true,
                                  .keeps_zero = true});
constinit const MapRule kXor = MakeMap<2, MapTypes::kBools>(
    [](auto a, auto b) { return Xor(a, b); }, {},
    {.right_identity = 0.0, .left_identity = 0.0, .commutative = true, .keeps_zero = true});
constinit const MapRule kNot =
    MakeMap<1, MapTypes::kBools>([](auto x) { return Not(x); }, {}, {.involution = true});

// Each branch has the gradient where it is taken.
constinit const MapRule kSelect = MakeMap<3, MapTypes::kSelect>(
    [](auto mask, auto a, auto b) { return Select(mask, a, b); },
    {nullptr, [](const Value* x, const Value&, const Value& dy) { return Select(x[0], dy, 0); },
     [](const Value* x, const Value&, const Value& dy) { return Select(x[0], 0, dy); }},
    {.keeps_zero = true});

// The formula of a conversion depends on the type of its result, which a lambda over the operands
// can not see.
template <typename To>
struct CastTo {
  template <typename From>
  Number<To> operator()(Number<From> x) const {
    return Convert<To>(x);
  }
};

MapLoop CastLoop(absl::Span<const DType> operands, DType result, bool wide) {
  if (operands.size() != 1) return nullptr;
  return WithType(operands[0], [&]<typename From>(From) {
    return WithType(
        result, [&]<typename To>(To) { return internal::PickLoop<CastTo<To>, To, From>(wide); });
  });
}

// Between floats the derivative is that of the identity.
constexpr MapRule MakeCast() {
  MapRule rule{};
  rule.arity = 1;
  rule.types = MapTypes::kCast;
  rule.loop = CastLoop;
  rule.expr = [](const Expr* operands, DType result) { return ConvertTo(result, operands[0]); };
  rule.jet = [](const SecondJet* operands) { return operands[0]; };
  rule.partials[0] = [](const Value* x, const Value&, const Value& dy) {
    return Cast(dy, x[0].dtype());
  };
  rule.facts.keeps_zero = true;
  return rule;
}
constinit const MapRule kCast = MakeCast();

// No partial: nothing flows back. Nor is there a jet, whose derivative would be 1.
constexpr MapRule MakeDetach() {
  MapRule rule = MakeMap<1, MapTypes::kAll>([](auto x) { return x; }, {},
                                            {.idempotent = true, .keeps_zero = true});
  rule.jet = nullptr;
  return rule;
}
constinit const MapRule kDetach = MakeDetach();

}  // namespace

constinit const Op kLessOp{"less", "a < b", Kind::kMap, InferMap, &kLess};
constinit const Op kLessEqualOp{"less_equal", "a <= b", Kind::kMap, InferMap, &kLessEqual};
constinit const Op kGreaterOp{"greater", "a > b", Kind::kMap, InferMap, &kGreater};
constinit const Op kGreaterEqualOp{"greater_equal", "a >= b", Kind::kMap, InferMap, &kGreaterEqual};
constinit const Op kEqualOp{"equal", "a == b", Kind::kMap, InferMap, &kEqual};
constinit const Op kNotEqualOp{"not_equal", "a != b; true with a NaN", Kind::kMap, InferMap,
                               &kNotEqual};
constinit const Op kIsNanOp{"is_nan", "whether x is a NaN", Kind::kMap, InferMap, &kIsNan};
constinit const Op kAndOp{"and", "whether both are true", Kind::kMap, InferMap, &kAnd};
constinit const Op kOrOp{"or", "whether one is true", Kind::kMap, InferMap, &kOr};
constinit const Op kXorOp{"xor", "whether just one is true", Kind::kMap, InferMap, &kXor};
constinit const Op kNotOp{"not", "whether it is false", Kind::kMap, InferMap, &kNot};
constinit const Op kSelectOp{"select", "the second where the first is true, else the third",
                             Kind::kMap, InferMap, &kSelect};
constinit const Op kCastOp{"cast", "to another element type, saturating", Kind::kMap, InferMap,
                           &kCast};
constinit const Op kDetachOp{"detach", "x, through which no gradient flows", Kind::kMap, InferMap,
                             &kDetach};

}  // namespace talweg
