// Mistakes planted into the derivatives of elementwise ops are found by CheckGradients: so an op
// with such a mistake does not pass the tests that use it.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "autodiff/check.h"
#include "autodiff/gradient.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "interpreter/interpreter.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/table.h"

namespace talweg {
namespace {

enum class Mistake : uint8_t { kNone, kSign, kFactor, kTerm, kForgotten, kOperands };
constexpr Mistake kMistakes[] = {Mistake::kSign, Mistake::kFactor, Mistake::kTerm,
                                 Mistake::kForgotten, Mistake::kOperands};

// What the planted functions below stand for: a rule's partials are functions without a state.
const MapRule* planted_in = nullptr;
Mistake mistake = Mistake::kNone;

template <size_t K>
Value Planted(const Value* x, const Value& y, const Value& dy) {
  const Value right = planted_in->partials[K](x, y, dy);
  switch (mistake) {
    case Mistake::kNone:
      return right;
    case Mistake::kSign:
      return -right;
    case Mistake::kFactor:
      return right * 1.001;
    case Mistake::kTerm:
      return right + dy * 0.001;
    case Mistake::kForgotten:  // the inner derivative
      return dy;
    case Mistake::kOperands: {
      // y in place of x, or the operands in another order.
      std::vector<Value> other(x, x + planted_in->arity);
      const size_t first = other.size() == 3 ? 1 : 0;
      if (other.size() == 1) other[0] = y;
      if (other.size() > 1) std::swap(other[first], other[first + 1]);
      return planted_in->partials[K](other.data(), y, dy);
    }
  }
  return right;
}

// Five points between kinks, not the same ones for two operands.
std::vector<Array> PointOf(const Op& op) {
  std::vector<Array> point;
  for (int32_t k = 0; k < op.map->arity; k++) {
    if (op.map->types == MapTypes::kSelect && k == 0) {
      point.push_back(Array::Vector<bool>({true, false, true, false, true}));
      continue;
    }
    const MapSamples& samples = op.map->samples[static_cast<size_t>(k)];
    std::vector<double> xs;
    for (int i = 0; i < 5; i++) {
      const double part = 0.07 + 0.19 * ((2 * i + 3 * k) % 5) + 0.013 * k;
      double x = samples.low + part * (samples.high - samples.low);
      for (int32_t kink = 0; kink < samples.kink_count; kink++) {
        if (std::fabs(x - samples.kinks[static_cast<size_t>(kink)]) < 0.05) x += 0.1;
      }
      xs.push_back(x);
    }
    point.push_back(Array::Vector<double>(xs));
  }
  return point;
}

// The gradients of all operands, with the mistake or without.
std::vector<std::vector<double>> GradientsOf(const Op& op, const std::vector<Array>& point) {
  Tape t;
  std::vector<Value> x, floats;
  NamedArrays inputs;
  for (size_t k = 0; k < point.size(); k++) {
    const std::string name = "x" + std::to_string(k);
    x.push_back(t.Input(name, point[k].dtype(), {5}));
    inputs[name] = point[k];
    if (IsFloat(point[k].dtype())) floats.push_back(x.back());
  }
  const Value y = Sum(MakeNode(op, x, {}, {}));
  const absl::StatusOr<Graph> graph = t.Finish(Gradient(y, floats));
  EXPECT_TRUE(graph.ok()) << op.name << ": " << graph.status();
  const auto outputs = Interpret(*graph)->Run(inputs);
  EXPECT_TRUE(outputs.ok()) << op.name << ": " << outputs.status();
  std::vector<std::vector<double>> gradients;
  for (const Array& output : *outputs) {
    gradients.emplace_back();
    for (int64_t i = 0; i < output.size(); i++) gradients.back().push_back(output.At(i));
  }
  return gradients;
}

TEST(PlantedPartials, AreFound) {
  constexpr std::array<MapRule::Partial, 3> kPlanted = {Planted<0>, Planted<1>, Planted<2>};
  int planted = 0;
  for (const Op* op : AllOps()) {
    if (op->kind != Kind::kMap || op == &kCastOp) continue;
    const std::vector<Array> point = PointOf(*op);
    for (int32_t k = 0; k < op->map->arity; k++) {
      const auto operand = static_cast<size_t>(k);
      if (op->map->partials[operand] == nullptr) continue;
      MapRule rule = *op->map;
      rule.partials[operand] = kPlanted[operand];
      Op with_mistake = *op;
      with_mistake.map = &rule;
      planted_in = op->map;
      const auto check = [&] {
        return CheckGradients(
            Interpret,
            [&](Tape&, const std::vector<Value>& x) { return MakeNode(with_mistake, x, {}, {}); },
            point, {.order = 1});
      };
      mistake = Mistake::kNone;
      const auto right = GradientsOf(with_mistake, point);
      EXPECT_TRUE(check().ok()) << op->name << ": " << check();
      for (const Mistake m : kMistakes) {
        mistake = m;
        // Some change nothing: the derivative of a sum is dy.
        bool differs = false;
        const auto wrong = GradientsOf(with_mistake, point);
        for (size_t g = 0; g < right.size(); g++) {
          for (size_t i = 0; i < right[g].size(); i++) {
            const double scale = 1 + std::max(std::fabs(right[g][i]), std::fabs(wrong[g][i]));
            differs = differs || !(std::fabs(right[g][i] - wrong[g][i]) < 1e-4 * scale);
          }
        }
        if (!differs) continue;
        planted++;
        EXPECT_FALSE(check().ok())
            << op->name << ", operand " << k << ", mistake " << static_cast<int>(m);
      }
    }
  }
  std::cout << planted << " mistakes planted\n";
  EXPECT_GE(planted, 100);
}

}  // namespace
}  // namespace talweg
