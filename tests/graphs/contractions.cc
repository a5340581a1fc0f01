#include "tests/graphs/contractions.h"

#include <iterator>
#include <vector>

#include "autodiff/gradient.h"
#include "graph/tape.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {
namespace {

using Numbers = std::mt19937_64;

int64_t Between(Numbers& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}
bool Chance(Numbers& random, int one_in) { return random() % static_cast<uint64_t>(one_in) == 0; }

// Mostly ends of vectors, tiles and blocks.
int64_t RandomDim(Numbers& random) {
  constexpr int64_t kEnds[] = {1,   2,   3,   7,   8,   9,   15,  16,  17,  31, 32,
                               33,  47,  48,  49,  63,  64,  65,  95,  96,  97, 127,
                               128, 129, 191, 192, 193, 255, 256, 257, 299, 300};
  return Chance(random, 3) ? Between(random, 1, 300) : kEnds[random() % std::size(kEnds)];
}

}  // namespace

RandomContraction MakeRandomContraction(std::mt19937_64& random) {
  const int64_t m = RandomDim(random), k = RandomDim(random), n = RandomDim(random);
  const int64_t batch = Chance(random, 4) ? Between(random, 2, 3) : 1;
  const DType dtype = Chance(random, 3) ? kFloat64 : kFloat32;
  const bool turned_a = Chance(random, 2), turned_b = Chance(random, 2);
  const Dim rows = Chance(random, 4) ? kRows : Dim(m);
  Shape a_shape = turned_a ? Shape{k, rows} : Shape{rows, k};
  Shape b_shape = turned_b ? Shape{n, k} : Shape{k, n};
  const bool a_batched = batch > 1, b_batched = a_batched && Chance(random, 2);
  if (a_batched) a_shape.insert(a_shape.begin(), batch);
  if (b_batched) b_shape.insert(b_shape.begin(), batch);
  ContractAxes axes{.lhs_sum = {(a_batched ? 1 : 0) + (turned_a ? 0 : 1)},
                    .rhs_sum = {(b_batched ? 1 : 0) + (turned_b ? 1 : 0)}};
  if (b_batched) axes.lhs_batch = axes.rhs_batch = {0};

  Tape t;
  const Value a = t.Input("a", dtype, a_shape), b = t.Input("b", dtype, b_shape);
  const Value bias = t.Input("bias", dtype, {n});
  const Value product = Contract(a, b, axes);
  const auto epilogue = [&]() -> Value {
    switch (random() % 5) {
      case 0:
        return product;
      case 1:
        return Relu(product + bias);
      case 2:
        return Tanh(product) * 0.5;
      case 3:
        return Sum(Square(product + bias), -1);
      default:
        return ReduceMax(product, -1);
    }
  };
  std::vector<Value> outputs = {epilogue()};
  if (Chance(random, 3)) {
    for (const Value& gradient : Gradient(Sum(Square(outputs[0])), {a, b})) {
      outputs.push_back(gradient);
    }
  }
  if (Chance(random, 4)) outputs.push_back(Transpose(product));
  if (Chance(random, 5)) {
    const Value velocity = t.Input("velocity", dtype, b_shape);
    outputs.push_back(0.9 * velocity - 0.01 * Gradient(Sum(Relu(product)), b));
  }
  return {t.Finish(outputs), m};
}

}  // namespace talweg
