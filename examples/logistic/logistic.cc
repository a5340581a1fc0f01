// Logistic regression from nothing but the graph: a probability, its likelihood, and Newton's
// method, whose second derivatives are derivatives of derivatives.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

#include "talweg.h"

using namespace talweg;

constexpr int kRounds = 8;

absl::Status FindTheBorder() {
  // Two clouds that touch: no line tells all points apart.
  absl::StatusOr<Dataset> blobs =
      Blobs({.samples = 400, .centers = 2, .cluster_std = 2, .center_box = {-3, 3}, .seed = 1});
  if (!blobs.ok()) return blobs.status();

  Tape t;
  Value x = t.Input("x", kFloat64, {kRows, 2}), label = t.Input("label", kInt32, {kRows});
  Value w = t.Input("w", kFloat64, {3});  // two slopes and where the border lies
  // The mean of -log p(label), with a touch of weight decay that keeps the matrix invertible.
  auto loss_of = [&](Value at) {
    Value z = MatMul(x, Slice(at, 0, 0, 2)) + Slice(at, 0, 2, 3);
    return Mean(Softplus(z) - Cast(label, kFloat64) * z) + 1e-4 * Sum(Square(at));
  };
  Value loss = loss_of(w);
  absl::StatusOr<Executable> derivatives =
      Compile(t, {loss, Gradient(loss, w), Hessian(loss_of, w)});
  if (!derivatives.ok()) return derivatives.status();

  std::vector<double> weights = {0, 0, 0};
  double steepest = 0;
  for (int round = 0; round < kRounds; round++) {
    absl::StatusOr<std::vector<Array>> out = derivatives->Run(
        {{"x", blobs->inputs}, {"label", blobs->targets}, {"w", Array::Vector<double>(weights)}});
    if (!out.ok()) return out.status();
    // w -= H^-1 g, by Gauss's elimination; H is positive definite and needs no pivots.
    double m[3][4];
    for (size_t i = 0; i < 3; i++) {
      for (size_t k = 0; k < 3; k++) m[i][k] = (*out)[2].At(static_cast<int64_t>(3 * i + k));
      m[i][3] = (*out)[1].At(static_cast<int64_t>(i));
    }
    for (size_t i = 0; i < 3; i++) {
      for (size_t row = 0; row < 3; row++) {
        if (row == i) continue;
        const double factor = m[row][i] / m[i][i];
        for (size_t k = i; k < 4; k++) m[row][k] -= factor * m[i][k];
      }
    }
    steepest = 0;
    for (size_t i = 0; i < 3; i++) {
      steepest = std::max(steepest, std::abs((*out)[1].At(static_cast<int64_t>(i))));
      weights[i] -= m[i][3] / m[i][i];
    }
    std::cout << "round " << round << ": loss " << (*out)[0].At(0) << ", steepest slope "
              << steepest << "\n";
  }
  std::cout << "p = 1 / (1 + exp(-z)), z = w0 x0 + w1 x1 + w2, w = " << weights[0] << ", "
            << weights[1] << ", " << weights[2] << "\n";
  if (!(steepest < 1e-12)) return absl::InternalError("Newton's method has not converged");
  return absl::OkStatus();
}

int main() {
  if (absl::Status status = FindTheBorder(); !status.ok()) {
    std::cerr << "error: " << status.message() << "\n";
    return 1;
  }
}
