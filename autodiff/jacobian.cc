#include "autodiff/jacobian.h"

#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "autodiff/batch_rules.h"
#include "autodiff/gradient.h"
#include "autodiff/tangent.h"
#include "base/text.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/view.h"

namespace talweg {
namespace {

constexpr std::string_view kTwoTapes = "values of two tapes do not mix";

// What keeps a value from having a Jacobian, or being one's argument; "" if nothing does.
std::string FaultOf(std::string_view what, const Value& x) {
  if (!IsFloat(x.dtype())) {
    return absl::StrCat(AbslView(what), " is ", ToString(x.type()), "; only floats have one");
  }
  if (IsStatic(x.shape())) return "";
  return absl::StrCat(AbslView(what), " is ", ToString(x.type()),
                      "; its extents must be known when the graph is built");
}

// Calls function(x) and gives the tape on which its values are: the inner of x's and of that of
// what it makes of x, if one of the two is a loop's body. Null after a failure, which `*result` is
// then.
std::shared_ptr<TapeState> TapeOf(std::string_view name,
                                  const std::function<Value(Value)>& function, const Value& x,
                                  Value* result, const SourceLine& line) {
  const auto fail = [&](const std::vector<Value>& values, std::string_view what) {
    *result = Fail(name, values, what, line);
    return nullptr;
  };
  if (!function) return fail({x}, "the function is empty");
  *result = x;
  if (!x.ok()) return nullptr;
  if (const std::string fault = FaultOf("x", x); !fault.empty()) return fail({x}, fault);
  *result = function(x);
  if (result->tape() == nullptr) return fail({x}, "the function gives a value of no tape");
  if (!result->ok()) return nullptr;
  const std::vector<Value> both = OnOneTape({*result, x});
  if (both[0].tape() != both[1].tape()) return fail({x, *result}, kTwoTapes);
  return both[0].tape();
}

// The Jacobian of a function whose values are on this tape, of this shape.
Value JacobianOn(const Tape& tape, const std::function<Value(Value)>& function, const Value& x,
                 const Shape& result, std::source_location where) {
  const SourceLine line = LineOf(where);
  const int64_t columns = SizeOf(Resolve(x.shape(), {})), rows = SizeOf(Resolve(result, {}));
  const bool forward = columns <= rows;
  // A column, or a row, in each trip: the derivatives along the element of that number.
  const LoopResult loop = Loop(
      tape, {.trips = forward ? columns : rows, .whole = true},
      [&](LoopBody& body) -> LoopStep {
        const auto inside = [&](const Value& value) {
          const Value lifted = OnOneTape({value, body.trip})[0];
          if (!lifted.ok() || lifted.tape() == body.trip.tape()) return lifted;
          return Fail("jacobian", {body.trip, value}, kTwoTapes, line);
        };
        // A value of its own, so that x is a constant where the function uses it by itself.
        const Value argument = MakeNode(kViewOp, {inside(x)},
                                        ViewAttributes{IdentityMaps(x.rank()), 0, x.shape()}, line);
        const Value y = inside(function(argument));
        const Value& moved = forward ? argument : y;
        const Value element = Reshape(
            OneHot(Arg(body.trip, where), forward ? columns : rows, moved.dtype()), moved.shape());
        const Value derivatives = forward
                                      ? JacobianVectorProduct({y}, {argument}, {element}, where)[0]
                                      : VectorJacobianProduct({y}, {element}, {argument}, where)[0];
        return {.carried = {}, .stacked = {derivatives}};
      },
      where);
  Value stacked = loop.stacked[0];
  if (!stacked.ok()) return stacked;
  // From [columns, result's axes].
  if (forward) stacked = MoveAxis(stacked, 0, stacked.rank() - 1, line);
  Shape shape = result;
  shape.insert(shape.end(), x.shape().begin(), x.shape().end());
  return Reshape(Arg(stacked, where), shape);
}

}  // namespace

Value Jacobian(const std::function<Value(Value)>& function, const Value& x,
               std::source_location where) {
  const SourceLine line = LineOf(where);
  Value result;
  const std::shared_ptr<TapeState> tape = TapeOf("jacobian", function, x, &result, line);
  if (tape == nullptr) return result;
  if (const std::string fault = FaultOf("the function's result", result); !fault.empty()) {
    return Fail("jacobian", {x}, fault, line);
  }
  return JacobianOn(Tape(tape), function, x, result.shape(), where);
}

Value Hessian(const std::function<Value(Value)>& function, const Value& x,
              std::source_location where) {
  const SourceLine line = LineOf(where);
  // Only for its tape: of x itself, which may be from around a body, it might have no gradient.
  Value result;
  const std::shared_ptr<TapeState> tape = TapeOf("hessian", function, x, &result, line);
  if (tape == nullptr) return result;
  // A function may give a constant, which is a value of the tape around.
  const auto gradient = [&](const Value& at) {
    return Gradient(OnOneTape({function(at), at})[0], at, where);
  };
  return JacobianOn(Tape(tape), gradient, x, x.shape(), where);
}

}  // namespace talweg
