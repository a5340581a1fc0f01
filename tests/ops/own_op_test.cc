// Ops of one's own: records of elementwise ones (ops/map.h) and custom gradients (ops/custom.h).

#include <vector>

#include "autodiff/check.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/custom.h"
#include "ops/map.h"
#include "ops/view.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

// x + w (y - x)
constinit const MapRule kLerpRule = MakeMap<3, MapTypes::kFloats>(
    [](auto x, auto y, auto w) { return x + w * (y - x); },
    {[](const Value* x, const Value&, const Value& dy) { return dy * (1 - x[2]); },
     [](const Value* x, const Value&, const Value& dy) { return dy * x[2]; },
     [](const Value* x, const Value&, const Value& dy) { return dy * (x[1] - x[0]); }});
constinit const Op kLerpOp{"lerp", "between two values", Kind::kMap, InferMap, &kLerpRule};

Value Lerp(const Value& x, const Value& y, const Value& w) {
  return MakeNode(kLerpOp, {x, y, w}, {}, {});
}

TEST(OwnOp, OfThreeOperandsRunsAndHasDerivatives) {
  for (const DType dtype : {kFloat32, kFloat64}) {
    Tape t;
    const Value x = t.Input("x", dtype, {3}), y = t.Input("y", dtype, {3});
    const std::vector<Array> out =
        RunAll({Lerp(x, y, x - x + 0.25)},
               {{"x", Floats(dtype, {3}, {1, 2, 3})}, {"y", Floats(dtype, {3}, {5, 2, -1})}});
    ASSERT_EQ(out.size(), 1u);
    EXPECT_TRUE(SameBits(out[0], Floats(dtype, {3}, {2, 2, 2}))) << out[0].ToString();
  }
  const auto function = [](Tape&, const std::vector<Value>& x) { return Lerp(x[0], x[1], x[2]); };
  const absl::Status status =
      CheckGradients(EveryEngine, function,
                     {Floats(kFloat64, {3}, Wave(3, 1)), Floats(kFloat64, {3}, Wave(3, 2)),
                      Floats(kFloat64, {3}, Wave(3, 3))});
  EXPECT_TRUE(status.ok()) << status;
}

// What only a derivative would read may be as large as it likes.
TEST(CustomGradient, OperandsThatNobodyReadsNeedNotExist) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {kRows});
  const Value wide = BroadcastTo(x, {kRows, kRows, kRows, kRows});
  const Value y = CustomGradient(
      {x, wide}, [](absl::Span<const Value> v) { return v[0] * 2; },
      [](absl::Span<const Value> v, const Value&, const Value& dy) {
        return std::vector<Value>{2 * dy, v[1] - v[1]};
      });
  const std::vector<Array> out = RunAll({y}, {{"x", *Array::Zeros(kFloat32, {1 << 16})}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].dims(), Dims({1 << 16}));
}

}  // namespace
}  // namespace talweg
