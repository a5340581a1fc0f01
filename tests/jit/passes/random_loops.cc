#include "tests/jit/passes/random_loops.h"

#include <algorithm>
#include <random>
#include <vector>

#include "autodiff/gradient.h"
#include "graph/tape.h"
#include "ops/contract.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg::passes {
namespace {

// Of all values: a vector, or a matrix whose rows are vectors with gaps between them in memory, but
// not where they are reshaped.
Shape ShapeOf(uint64_t seed) {
  switch (seed / 2 % 4) {
    case 0:
      return {2, 50};
    case 1:
      return {3, 17};
    default:
      return {3};
  }
}

constexpr int64_t kMostRows = 5;

class Maker {
 public:
  Maker(uint64_t seed, bool smooth, const Shape& shape)
      : random_(seed), smooth_(smooth), shape_(shape), size_(CountOf(shape).elements) {}

  // A few more float64 values; `pool` has some already.
  void Grow(Tape& t, std::vector<Value>& pool, int depth, int64_t count);
  // Two of them: often what a loop ended with, as it is.
  std::vector<Value> Outputs(const std::vector<Value>& pool) {
    std::vector<Value> outputs = {pool[pool.size() - 1], pool[pool.size() - 2]};
    if (!ends_.empty() && Chance(0.5)) outputs[0] = Any(ends_);
    return outputs;
  }

 private:
  int64_t Between(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }
  const Value& Any(const std::vector<Value>& pool) {
    return pool[static_cast<size_t>(Between(0, static_cast<int64_t>(pool.size()) - 1))];
  }
  // One of the last few.
  const Value& Recent(const std::vector<Value>& pool) {
    const auto size = static_cast<int64_t>(pool.size());
    return pool[static_cast<size_t>(Between(std::max<int64_t>(size - 4, 0), size - 1))];
  }
  Value Leaf(Tape& t);
  Value Elementwise(Tape& t, const std::vector<Value>& pool);
  void AddLoop(Tape& t, std::vector<Value>& pool, int depth);
  LoopStep Step(LoopBody& body, const std::vector<Value>& outer, int depth, bool has_rows,
                int64_t stacked);

  // The same numbers again and again.
  Value Repeated(Tape& t, const std::vector<double>& numbers) {
    std::vector<double> elements;
    for (int64_t i = 0; i < size_; i++) {
      elements.push_back(numbers[static_cast<size_t>(i) % numbers.size()]);
    }
    return Reshape(t.Constant(Array::Vector<double>(elements)), shape_);
  }
  Value Spread(const Value& x) { return BroadcastTo(x, shape_); }
  // A product with the first rows of more that there are, and a few of their elements, with a
  // margin or without; as a sum.
  Value FirstRows(Tape& t, const Value& x) {
    const Value all = Numbers(Cast(t.Iota(kMostRows), kFloat64)) * x;
    const int64_t margin = Between(0, 1), width = std::min<int64_t>(size_, 6) + 2 * margin;
    const ViewAttributes view{.axes = {{.offset = 0, .dilation = 1, .terms = {{0, 1}}},
                                       {.offset = -margin, .dilation = 1, .terms = {{1, 1}}}},
                              .fill = 0,
                              .shape = {kRows, width}};
    const Value rows = View(Reshape(all, {kMostRows, size_}), view, SourceLine());
    const Value w = Sin(Reshape(Cast(t.Iota(width * 16), kFloat64), {width, 16}));
    return Sum(MatMul(rows, w)) * 0.01;
  }
  // [n] -> [n, 1 ...]: a number for each of n values.
  Value Numbers(const Value& n) {
    return Reshape(n, WithLeading(n.dim(0), Shape(shape_.size(), Dim(1))));
  }

  std::mt19937_64 random_;
  bool smooth_;
  Shape shape_;
  int64_t size_;
  std::vector<Value> ends_;  // of the outermost loops
};

Value Maker::Leaf(Tape& t) {
  const double number = static_cast<double>(Between(-2, 2)) / 2;
  switch (Between(0, 4)) {
    case 0:
      return Repeated(t, {number, 1, -0.0});
    case 1:
      return Spread(t.Constant(Array(number)));
    case 2:
      return Reshape(Cast(t.Iota(size_), kFloat64), shape_);
    case 3:
      return Exp(Repeated(t, {number, 0, 1}));
    default:
      return RandomUniform(t.Constant(Array(Between(0, 3))), kFloat64, shape_);
  }
}

Value Maker::Elementwise(Tape& t, const std::vector<Value>& pool) {
  const Value x = Any(pool), y = Chance(0.3) ? Leaf(t) : Any(pool);
  if (shape_.size() > 1 && Chance(0.2)) return Spread(Sum(Reshape(x, {size_}))) * 0.125;
  switch (Between(0, smooth_ ? 6 : 10)) {
    case 0:
      return x + y;
    case 1:
      return x * y;
    case 2:
      return Tanh(x - y);
    case 3:
      return Spread(Sum(x)) * 0.25;
    case 4:
      return Sin(x);
    case 5:
      return Gather(x, Cast(x.dim(0).value() - 1 - t.Iota(x.dim(0)), kInt32), 0) * y;
    case 6:
      return Reshape(Reverse(Reshape(x, {size_}), {0}), shape_) * y;
    case 7:
      return Select(Less(x, y), x, y);
    case 8:
      return Max(x, Spread(At(y, 0, 1)));
    case 9:
      return Cast(ArgMax(x, 0), kFloat64) + y;
    default:
      return Abs(Reverse(x, {0}));
  }
}

LoopStep Maker::Step(LoopBody& body, const std::vector<Value>& outer, int depth, bool has_rows,
                     int64_t stacked) {
  std::vector<Value> pool = outer;
  // The last one may be bools, which say when to stop.
  std::vector<Value> carried_values = body.carried;
  const bool says_stop = !carried_values.empty() && carried_values.back().dtype() == kBool;
  if (says_stop) carried_values.pop_back();
  for (const auto* list : {&carried_values, &body.scanned}) {
    pool.insert(pool.end(), list->begin(), list->end());
  }
  pool.push_back(Spread(Cast(body.trip, kFloat64)));
  if (has_rows) {
    pool.push_back(Spread(Cast(body.tape.Size(kRows), kFloat64)));
    const Value rows = Cast(body.tape.Iota(kRows), kFloat64);
    pool.push_back(Spread(Sum(Sin(rows))));
    pool.push_back(Sum(Numbers(rows) * Any(pool), 0));
    if (Chance(0.25)) pool.push_back(Spread(FirstRows(body.tape, Any(pool))));
  }
  Grow(body.tape, pool, depth + 1, Between(1, 5));
  LoopStep step;
  for (const Value& carried : carried_values) {
    // As it was, another one, what an inner loop ended with, or something new.
    const double kind = std::uniform_real_distribution<double>(0, 1)(random_);
    step.carried.push_back(kind < 0.2    ? carried
                           : kind < 0.35 ? Any(carried_values)
                           : kind < 0.6  ? Recent(pool)
                                         : Tanh(Any(pool)));
  }
  for (int64_t i = 0; i < stacked; i++) step.stacked.push_back(Any(pool));
  if (!smooth_ && Chance(0.2)) step.stop = GreaterEqual(Sum(Any(pool)), 1);
  if (!smooth_ && Chance(0.1)) step.stop = body.tape.Constant(Array(false));
  if (says_stop) {
    step.carried.push_back(Greater(Any(pool), 0.5));
    step.stop = At(Reshape(body.carried.back(), {size_}), 0, Between(0, size_ - 1));
  }
  return step;
}

void Maker::AddLoop(Tape& t, std::vector<Value>& pool, int depth) {
  LoopOptions options;
  const int64_t trips = Between(0, 3);
  options.trips = static_cast<double>(trips);
  options.reversed = Chance(0.3);
  for (int64_t i = Between(0, 3); i > 0; i--) options.carried.push_back(Any(pool));
  const bool says_stop = !smooth_ && Chance(0.15);
  if (says_stop) {
    options.carried.push_back(Spread(t.Constant(Array(false))));
  }
  const int64_t scanned = Between(0, 2);
  const int64_t length = trips + Between(0, 1);
  for (int64_t i = 0; i < scanned; i++) {
    const Value x = Any(pool);
    if (i == 1 && Chance(0.3)) {
      options.scanned.push_back(options.scanned[0]);
    } else if (Chance(0.4)) {
      options.scanned.push_back(BroadcastTo(x, WithLeading(length, shape_)));
    } else {
      options.scanned.push_back(Reshape(x * 0.5, WithLeading(1, shape_)) +
                                Numbers(Cast(t.Iota(length), kFloat64)));
    }
  }
  const bool has_rows = Chance(0.3);
  if (has_rows) {
    std::vector<int64_t> rows(static_cast<size_t>(scanned > 0 ? length : trips),
                              Between(0, kMostRows - 1));
    if (!rows.empty() && Chance(0.3)) rows.back() = kMostRows;
    options.rows = t.Constant(Array::Vector<int64_t>(rows));
    options.rows_limit = kMostRows;
  }
  // Twins are drawn with the same numbers.
  const std::vector<Value> outer = pool;
  const uint64_t body_seed = random_();
  const int64_t stacked = Between(0, 2);
  const int twins = Chance(0.3) ? 2 : 1;
  for (int twin = 0; twin < twins; twin++) {
    const LoopResult result = Loop(t, options, [&](LoopBody& body) -> LoopStep {
      Maker maker(body_seed, smooth_, shape_);
      LoopStep step = maker.Step(body, outer, depth, has_rows, stacked);
      if (twin == 1) {
        for (const Value& carried : body.carried) {
          if (carried.dtype() != kBool) step.stacked.push_back(carried);
        }
      }
      return step;
    });
    if (!result.trips.ok()) return;
    pool.insert(pool.end(), result.carried.begin(), result.carried.end() - (says_stop ? 1 : 0));
    if (depth == 0) {
      ends_.insert(ends_.end(), result.carried.begin(), result.carried.end() - (says_stop ? 1 : 0));
    }
    for (const Value& y : result.stacked) pool.push_back(Sum(y, 0));
    if (Chance(0.3)) pool.push_back(Spread(Cast(result.trips, kFloat64)));
  }
}

void Maker::Grow(Tape& t, std::vector<Value>& pool, int depth, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (depth < 3 && Chance(depth == 0 ? 0.6 : 0.25)) {
      AddLoop(t, pool, depth);
    } else {
      pool.push_back(Elementwise(t, pool));
    }
  }
}

}  // namespace

absl::StatusOr<Graph> MakeRandomLoops(uint64_t seed) {
  const bool gradients = seed % 2 == 1;
  Tape t;
  const Shape shape = ShapeOf(seed);
  const Value x = t.Input("x", kFloat64, shape), y = t.Input("y", kFloat64, shape);
  std::vector<Value> pool = {x, y};
  Maker maker(seed, gradients, shape);
  maker.Grow(t, pool, 0, 4);
  std::vector<Value> outputs = maker.Outputs(pool);
  if (gradients) {
    const Value f = Sum(Tanh(outputs[0])) + Sum(Sin(outputs[1]));
    for (const Value& dx : Gradient(f, std::vector<Value>{x, y})) outputs.push_back(dx);
  }
  return t.Finish(outputs);
}

}  // namespace talweg::passes
