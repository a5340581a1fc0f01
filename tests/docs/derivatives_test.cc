// The C++ of docs/derivatives.md that is not in examples/, and that it does what the page says.

#include <vector>

#include "gtest/gtest.h"
#include "talweg.h"

namespace talweg {
namespace {

// x [2], y and w [2,1], and v like w, so that a result is known.
struct Point {
  Tape t;
  Value x = t.Input("x", kFloat64, {1, 2}), y = t.Input("y", kFloat64, {1, 1});
  Value w = t.Input("w", kFloat64, {2, 1}), v = t.Input("v", kFloat64, {2, 1});

  Array Run(const Value& result) {
    const absl::StatusOr<Executable> f = Compile(t, {result});
    EXPECT_TRUE(f.ok()) << f.status();
    const absl::StatusOr<std::vector<Array>> out =
        f->Run({{"x", Array::Matrix<double>({{2, 3}})},
                {"y", Array::Matrix<double>({{1}})},
                {"w", Array::Matrix<double>({{0}, {0}})},
                {"v", Array::Matrix<double>({{1}, {1}})}});
    EXPECT_TRUE(out.ok()) << out.status();
    return (*out)[0];
  }
};

// At w = 0 the loss is (x w - 1)^2 up to the third order, as tanh z = z - z^3 / 3 + ...
TEST(Derivatives, OfAPage) {
  Point point;
  const Value x = point.x, y = point.y, w = point.w, v = point.v;
  Value loss = Mean(Square(Tanh(MatMul(x, w)) - y));
  Value dw = Gradient(loss, w);
  const Array gradient = point.Run(dw);
  EXPECT_NEAR(gradient.At(0), -4, 1e-14);
  EXPECT_NEAR(gradient.At(1), -6, 1e-14);

  Value dy = Tangent(Tanh(MatMul(x, w)), w, v);
  EXPECT_NEAR(point.Run(dy).At(0), 5, 1e-14);

  // v^T H v = 2 (x v)^2 = 50
  std::vector<Value> hv = HessianVectorProduct(loss, {w}, {v});
  Value curvature = Sum(hv[0] * v) / Sum(Square(v));
  EXPECT_NEAR(point.Run(curvature).At(0), 25, 1e-13);

  // H = 2 x^T x
  Value hessian = Hessian([&](Value at) { return Mean(Square(Tanh(MatMul(x, at)) - y)); }, w);
  EXPECT_EQ(hessian.shape(), (Shape{2, 1, 2, 1}));
  const std::vector<double> expected = {8, 12, 12, 18};
  for (int64_t i = 0; i < 4; i++) {
    EXPECT_NEAR(point.Run(hessian).At(i), expected[static_cast<size_t>(i)], 1e-13);
  }
}

}  // namespace
}  // namespace talweg
