// Wrong use of every op that is not elementwise (sweep_test.cc has those): never an abort, always a
// Status that names the op, the shapes and the user's line.

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "ops/view.h"

namespace talweg {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int64_t kHuge = int64_t{1} << 60;

struct Operands {
  Tape t;
  Value x = t.Input("x", kFloat32, {2, 3});
  Value y = t.Input("y", kFloat64, {2, 3});
  Value i = t.Input("i", kInt32, {4});
  Value b = t.Input("b", kBool, {2, 3});
  Value rows = t.Input("rows", kFloat32, {kRows, 3});
  Value key = t.Input("key", kInt64, {});
  Value scalar = t.Input("scalar", kFloat32, {});
};

struct Mistake {
  const char* op;       // of the table
  const char* message;  // its beginning: the name that the user called, the shapes
  int line;
  std::function<Value(Operands&)> make;
};

std::vector<Value> Two(const Value& a, const Value& b) { return {a, b}; }

// clang-format off: a mistake is a line, and the line is what is tested
std::vector<Mistake> Mistakes() {
  using O = Operands&;
  return {
      {"view", "transpose: float32[2,3]", __LINE__, [](O o) { return Transpose(o.x, {0, 0}); }},
      {"view", "transpose: float32[2,3]", __LINE__, [](O o) { return Transpose(o.x, {0}); }},
      {"view", "slice: float32[2,3]", __LINE__, [](O o) { return Slice(o.x, 5, 0, 1); }},
      {"view", "slice: float32[2,3]", __LINE__, [](O o) { return Slice(o.x, 0, 0, 1, 0); }},
      {"view", "slice: float32[rows,3]", __LINE__, [](O o) { return Slice(o.rows, 0, 0, 1); }},
      {"view", "broadcast: float32[2,3]", __LINE__, [](O o) { return BroadcastTo(o.x, {4, 3}); }},
      {"view", "broadcast: float32[2,3]", __LINE__, [](O o) { return BroadcastTo(o.x, {3}); }},
      {"view", "view: float32[]", __LINE__, [](O o) { return BroadcastTo(o.scalar, {kHuge, kHuge}); }},
      {"view", "at: float32[2,3]", __LINE__, [](O o) { return At(o.x, 0, 2); }},
      {"view", "pad: float32[2,3]", __LINE__, [](O o) { return Pad(o.x, {{1, 1}}); }},
      {"view", "pad: int32[4]: 0.5 is no int32", __LINE__, [](O o) { return Pad(o.i, {{1, 1}}, 0.5); }},
      {"view", "pad: float32[2,3]", __LINE__, [](O o) { return Pad(o.x, {{-2, -1}, {0, 0}}); }},
      {"view", "pad: float32[2,3]", __LINE__, [](O o) { return Pad(o.x, {{kHuge, kHuge}, {0, 0}}); }},
      {"view", "reverse: float32[2,3]", __LINE__, [](O o) { return Reverse(o.x, {2}); }},
      {"view", "reverse: float32[2,3]: axis -1 is named twice", __LINE__, [](O o) { return Reverse(o.x, {1, -1}); }},
      {"view", "window: float32[2,3]", __LINE__, [](O o) { return Window(o.x, 0, 3); }},
      {"view", "window: float32[2,3]", __LINE__, [](O o) { return Window(o.x, 0, 1, 0); }},
      {"reshape", "reshape: float32[2,3]", __LINE__, [](O o) { return Reshape(o.x, {5}); }},
      {"reshape", "reshape: float32[2,3]", __LINE__, [](O o) { return Reshape(o.x, {-1, -1}); }},
      {"reshape", "reshape: float32[2,3]", __LINE__, [](O o) { return Reshape(o.x, {kRows}); }},
      {"reshape", "reshape: float32[2,3]", __LINE__, [](O o) { return Reshape(o.x, {-1, 4}); }},
      {"reshape", "reshape: float32[2,3]", __LINE__, [](O o) { return Reshape(o.x, {-1, 0}); }},
      {"reshape", "reshape: float32[2,3]", __LINE__, [](O o) { return Reshape(o.x, {-2, -3}); }},
      {"reshape", "reshape: float32[2,3]", __LINE__, [](O o) { return Reshape(o.x, {kHuge, kHuge}); }},
      {"reshape", "reshape: float32[2,3]: no extent at -1 fits [3,6148914691236517206,-1]", __LINE__, [](O o) { return Reshape(o.x, {3, 0x5555555555555556, -1}); }},
      {"reshape", "reshape: float32[2,3]: no extent at -1 fits [1099511627776,1099511627776,-1]", __LINE__, [](O o) { return Reshape(o.x, {int64_t{1} << 40, int64_t{1} << 40, -1}); }},
      {"reshape", "reshape: float32[2,3]: no extent at -1 fits [-1,-3]", __LINE__, [](O o) { return Reshape(o.x, {-1, -3}); }},
      {"reshape", "squeeze: float32[2,3]", __LINE__, [](O o) { return Squeeze(o.x, 0); }},
      {"reshape", "expand_dims: float32[2,3]", __LINE__, [](O o) { return ExpandDims(o.x, 4); }},
      {"concat", "concat: float32[2,3] x float64[2,3]", __LINE__, [](O o) { return Concat(Two(o.x, o.y), 0); }},
      {"concat", "concat: float32[2,3] x float32[rows,3]", __LINE__, [](O o) { return Concat(Two(o.x, o.rows), 0); }},
      {"concat", "concat: float32[2,3] x float32[]", __LINE__, [](O o) { return Concat(Two(o.x, o.scalar), 0); }},
      {"concat", "concat: float32[2,3] x float32[2,3]", __LINE__, [](O o) { return Concat(Two(o.x, o.x), 2); }},
      {"concat", "concat: float32[] x float32[]", __LINE__, [](O o) { return Concat(Two(o.scalar, o.scalar), 0); }},
      {"sum", "sum: float32[2,3]", __LINE__, [](O o) { return Sum(o.x, 2); }},
      {"sum", "sum: float32[2,3]", __LINE__, [](O o) { return Sum(o.x, {0, -2}); }},
      {"sum", "sum: bool[2,3]", __LINE__, [](O o) { return Sum(o.b); }},
      {"sum", "mean: int32[4]", __LINE__, [](O o) { return Mean(o.i); }},
      {"product", "product: float32[2,3]", __LINE__, [](O o) { return Product(o.x, -3); }},
      {"product", "product: float32[2,3]", __LINE__, [](O o) { return Product(o.x, {1, 1}); }},
      {"product", "product: bool[2,3]", __LINE__, [](O o) { return Product(o.b); }},
      {"reduce_max", "reduce_max: float32[2,3]", __LINE__, [](O o) { return ReduceMax(o.x, 2); }},
      {"reduce_max", "reduce_max: float32[2,3]", __LINE__, [](O o) { return ReduceMax(o.x, {0, 0}); }},
      {"reduce_max", "reduce_max: float32[]", __LINE__, [](O o) { return ReduceMax(o.scalar, 0); }},
      {"reduce_min", "reduce_min: float32[2,3]", __LINE__, [](O o) { return ReduceMin(o.x, 2); }},
      {"reduce_min", "reduce_min: float32[2,3]", __LINE__, [](O o) { return ReduceMin(o.x, {0, 0}); }},
      {"reduce_min", "reduce_min: float32[]", __LINE__, [](O o) { return ReduceMin(o.scalar, 0); }},
      {"all", "all: float32[2,3]", __LINE__, [](O o) { return All(o.x); }},
      {"all", "all: bool[2,3]", __LINE__, [](O o) { return All(o.b, 2); }},
      {"all", "all: int32[4]", __LINE__, [](O o) { return All(o.i, 0); }},
      {"any", "any: float32[2,3]", __LINE__, [](O o) { return Any(o.x); }},
      {"any", "any: bool[2,3]", __LINE__, [](O o) { return Any(o.b, {0, 0}); }},
      {"any", "any: int32[4]", __LINE__, [](O o) { return Any(o.i, 0); }},
      {"argmax", "argmax: float32[2,3]", __LINE__, [](O o) { return ArgMax(o.x, 2); }},
      {"argmax", "argmax: float32[2,3]", __LINE__, [](O o) { return ArgMax(o.x, -3); }},
      {"argmax", "argmax: float32[]", __LINE__, [](O o) { return ArgMax(o.scalar); }},
      {"argmin", "argmin: float32[2,3]", __LINE__, [](O o) { return ArgMin(o.x, 2); }},
      {"argmin", "argmin: float32[2,3]", __LINE__, [](O o) { return ArgMin(o.x, -3); }},
      {"argmin", "argmin: float32[]", __LINE__, [](O o) { return ArgMin(o.scalar); }},
      {"gather", "gather: float32[2,3] x float64[2,3]", __LINE__, [](O o) { return Gather(o.x, o.y); }},
      {"gather", "gather: float32[2,3] x int32[4]", __LINE__, [](O o) { return Gather(o.x, o.i, 2); }},
      {"gather", "gather: float32[2,3] x int32[4]", __LINE__, [](O o) { return Gather(o.x, o.i, 1, 1); }},
      {"gather", "gather: float32[2,3] x int32[4]", __LINE__, [](O o) { return Gather(o.x, o.i, 0, 1); }},
      {"gather", "one_hot: float32[2,3]", __LINE__, [](O o) { return OneHot(o.x, 3); }},
      {"gather", "one_hot: int32[4]", __LINE__, [](O o) { return OneHot(o.i, -1); }},
      {"scatter_add", "scatter_add: float32[2,3] x int32[4]", __LINE__, [](O o) { return ScatterAdd(o.x, o.i, 5); }},
      {"scatter_add", "scatter_add: float32[2,3] x float64[2,3]", __LINE__, [](O o) { return ScatterAdd(o.x, o.y, 5); }},
      {"scatter_add", "scatter_add: bool[2,3] x int64[]", __LINE__, [](O o) { return ScatterAdd(o.b, o.key, 5); }},
      {"scatter_add", "scatter_add: float32[2,3] x int64[]", __LINE__, [](O o) { return ScatterAdd(o.x, o.key, kHuge); }},
      {"scatter_add", "scatter_add: float32[2,3] x int64[]", __LINE__, [](O o) { return ScatterAdd(o.x, o.key, -4); }},
      {"scatter_add", "scatter_add: float32[2,3] x int32[4]", __LINE__, [](O o) { return ScatterAdd(o.x, o.i, 5, 0, std::numeric_limits<int64_t>::min()); }},
      {"contract", "matmul: float32[2,3] x float32[2,3]", __LINE__, [](O o) { return MatMul(o.x, o.x); }},
      {"contract", "matmul: float32[2,3] x float64[2,3]", __LINE__, [](O o) { return MatMul(o.x, o.y); }},
      {"contract", "matmul: float32[2,3] x float32[]", __LINE__, [](O o) { return MatMul(o.x, o.scalar); }},
      {"contract", "contract: float32[2,3] x float32[2,3]", __LINE__, [](O o) { return Contract(o.x, o.x, {.lhs_sum = {0}, .rhs_sum = {1}}); }},
      {"contract", "contract: float32[2,3] x float32[2,3]", __LINE__, [](O o) { return Contract(o.x, o.x, {.lhs_sum = {0}}); }},
      {"contract", "contract: float32[2,3] x float32[2,3]", __LINE__, [](O o) { return Contract(o.x, o.x, {.lhs_sum = {7}, .rhs_sum = {0}}); }},
      {"contract", "contract: float32[2,3] x float32[2,3]", __LINE__, [](O o) { return Contract(o.x, o.x, {.lhs_batch = {0}, .rhs_batch = {0}, .lhs_sum = {0}, .rhs_sum = {0}}); }},
      {"contract", "matmul: bool[2,3] x bool[2,3]", __LINE__, [](O o) { return MatMul(o.b, o.b); }},
      {"random_uniform", "random_uniform: float32[]", __LINE__, [](O o) { return RandomUniform(o.scalar, kFloat32, {3}); }},
      {"random_uniform", "random_uniform: int64[]", __LINE__, [](O o) { return RandomUniform(o.key, kInt32, {3}); }},
      {"random_uniform", "random_uniform: int64[]", __LINE__, [](O o) { return RandomUniform(o.key, kFloat32, {kHuge, kHuge}); }},
      {"random_uniform", "random_uniform: int64[]", __LINE__, [](O o) { return RandomUniform(o.key, kFloat32, {-3}); }},
      {"random_keys", "random_keys: float32[]", __LINE__, [](O o) { return FoldIn(o.scalar, 1); }},
      {"random_keys", "random_keys: int64[4]", __LINE__, [](O o) { return FoldIn(o.i, 1); }},
      {"random_keys", "random_keys: int64[] x float32[]", __LINE__, [](O o) { return FoldIn(o.key, o.scalar); }},
      {"permutation", "permutation: float32[]", __LINE__, [](O o) { return Permutation(o.scalar, 3); }},
      {"permutation", "permutation: int64[]", __LINE__, [](O o) { return Permutation(o.key, -3); }},
      {"permutation", "permutation: int64[]", __LINE__, [](O o) { return Permutation(o.key, int64_t{1} << 40); }},
      {"loop", "loop: ", __LINE__, [](O o) { return Loop(o.t, {.carried = {o.x}}, [](LoopBody& l) { return LoopStep{.carried = l.carried}; }).trips; }},
      {"loop", "loop: ", __LINE__, [](O o) { return Loop(o.t, {.trips = 2, .carried = {o.x}}, [](LoopBody&) { return LoopStep{}; }).trips; }},
      {"loop", "loop: ", __LINE__, [](O o) { return Loop(o.t, {.trips = 2, .carried = {o.x}}, [](LoopBody& l) { return LoopStep{.carried = {Sum(l.carried[0])}}; }).trips; }},
      {"loop", "loop: ", __LINE__, [](O o) { return Loop(o.t, {.trips = 2, .scanned = {o.scalar}}, [](LoopBody&) { return LoopStep{}; }).trips; }},
      {"loop", "loop: ", __LINE__, [](O o) { return Loop(o.t, {.scanned = {o.x, o.i}}, [](LoopBody&) { return LoopStep{}; }).trips; }},
      {"loop", "loop: ", __LINE__, [](O o) { return Loop(o.t, {.trips = o.x}, [](LoopBody&) { return LoopStep{}; }).trips; }},
      {"loop", "loop: ", __LINE__, [](O o) { return Loop(o.t, {.trips = 2}, [](LoopBody& l) { return LoopStep{.carried = {}, .stop = l.trip}; }).trips; }},
      {"loop", "loop: the number of trips, 2.5, is no integer", __LINE__, [](O o) { return Loop(o.t, {.trips = 2.5}, [](LoopBody&) { return LoopStep{}; }).trips; }},
      {"loop", "loop: the number of trips, 1e+30, is no integer", __LINE__, [](O o) { return Loop(o.t, {.trips = 1e30}, [](LoopBody&) { return LoopStep{}; }).trips; }},
      {"loop", "loop: the number of trips, nan, is no integer", __LINE__, [](O o) { return Loop(o.t, {.trips = std::nan("")}, [](LoopBody&) { return LoopStep{}; }).trips; }},
      {"loop", "loop: the body makes an input of its own, 'z'", __LINE__, [](O o) { return Loop(o.t, {.trips = 2, .carried = {o.scalar}}, [](LoopBody& l) { return LoopStep{.carried = {l.carried[0] + l.tape.Input("z", kFloat32, {})}}; }).trips; }},
      {"loop", "loop: the body makes an input of its own, 'z'", __LINE__, [](O o) { return WithRows(o.t, 2, [](Tape& t) { return std::vector<Value>{t.Input("z", kFloat32, {2})}; })[0]; }},
      {"loop", "loop: the body makes an input of its own, 'capture0'", __LINE__, [](O o) { return Loop(o.t, {.trips = 2, .carried = {o.scalar}}, [&](LoopBody& l) { return LoopStep{.carried = {l.tape.Input("capture0", kFloat32, {}) + o.scalar}}; }).trips; }},
      {"loop", "loop: the body is empty", __LINE__, [](O o) { return Loop(o.t, {.trips = 2, .carried = {o.scalar}}, nullptr).carried[0]; }},
      {"custom", "custom gradient: float32[2,3]: the function is empty", __LINE__, [](O o) { return CustomGradient({o.x}, nullptr, nullptr); }},
      {"custom", "custom gradient: float32[2,3]: the vjp is empty", __LINE__, [](O o) { return CustomGradient({o.x}, [](absl::Span<const Value> v) { return v[0]; }, nullptr); }},
      {"custom", "custom gradient: float32[2,3] x float32[2,3]: the gradient makes an input of its own, 'z'", __LINE__, [](O o) { return CustomGradient({o.x}, [](absl::Span<const Value> v) { return Exp(v[0]); }, [](absl::Span<const Value>, const Value&, const Value& dy) { return std::vector<Value>{dy * Tape(dy.tape()).Input("z", kFloat32, {2, 3})}; }); }},
      {"custom", "custom", __LINE__, [](O o) { return CustomGradient({o.x}, [](absl::Span<const Value> v) { return Exp(v[0]); }, [](absl::Span<const Value>, const Value&, const Value&) { return std::vector<Value>{}; }); }},
      {"custom", "custom", __LINE__, [](O o) { return CustomGradient({o.x}, [](absl::Span<const Value> v) { return Exp(v[0]); }, [](absl::Span<const Value>, const Value&, const Value& dy) { return std::vector<Value>{Sum(dy)}; }); }},
      {"custom", "custom", __LINE__, [](O o) { return CustomGradient({o.x}, [](absl::Span<const Value> v) { return Exp(v[0]); }, [&](absl::Span<const Value>, const Value&, const Value&) { return std::vector<Value>{o.x}; }); }},
  };
}
// clang-format on

TEST(WrongInputs, GiveAStatusThatNamesOpShapesAndLine) {
  for (const Mistake& mistake : Mistakes()) {
    Operands operands;
    SCOPED_TRACE(absl::StrCat("line ", mistake.line));
    EXPECT_FALSE(mistake.make(operands).ok());
    EXPECT_THAT(std::string(operands.t.status().message()),
                AllOf(testing::StartsWith(mistake.message),
                      HasSubstr(absl::StrCat("wrong_inputs_test.cc:", mistake.line, ")"))));
  }
}

TEST(WrongInputs, AreThreeOrMoreForEachOp) {
  std::map<std::string, int> counts;
  for (const Mistake& mistake : Mistakes()) counts[mistake.op]++;
  for (const Op* op : AllOps()) {
    if (op->kind != Kind::kMap) {
      EXPECT_GE(counts[op->name], 3) << op->name;
    }
  }
}

}  // namespace
}  // namespace talweg
