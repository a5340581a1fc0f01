#include "tests/graphs/generator.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/view.h"

namespace talweg {
int64_t Generator::SizeOf(const Shape& shape) const {
  int64_t size = 1;
  for (Dim dim : shape) size *= std::max<int64_t>(Extent(dim), 1);
  return size;
}

DType Generator::RandomDType() {
  if (options_.smooth) return *options_.smooth;
  return Pick<DType>(random_,
                     {kFloat32, kFloat32, kFloat32, kFloat64, kFloat64, kInt32, kInt64, kBool});
}

Shape Generator::RandomShape() {
  Shape shape;
  const int64_t rank = Between(0, 4);
  for (int64_t i = 0; i < rank; i++) {
    int64_t extent = Pick<int64_t>(random_, {1, 2, 3, 5, 7, 8, 11, 13, 15, 16, 17, 31, 32, 33, 64});
    if (Chance(0.01)) extent = 0;
    shape.push_back(i == 0 && rows_ > 0 && Chance(0.5) ? kRows : Dim(extent));
    if (!Fits(shape)) shape.back() = Between(1, 2);
  }
  while (!Fits(shape)) shape.pop_back();
  return shape;
}

// ---- Operands ---------------------------------------------------------------------------------

Item Generator::NewInput(DType dtype, Shape shape) {
  // The body of a loop has no inputs of its own; a constant stands there.
  const bool number = dtype != kBool;
  if (depth_ > 0) {
    Value value = Scalar(Value(t_.state(), -1), dtype, number ? Between(-2, 2) : Between(0, 1));
    return {BroadcastTo(value, shape), number ? -2.0 : 0, number ? 2.0 : 1};
  }
  // Only loops say how many trips there are.
  const Shape spread = shape;
  for (Dim& dim : shape) dim = dim == kTrips ? Dim(1) : dim;
  Value value = t_.Input(absl::StrCat("x", inputs_++), dtype, shape);
  if (shape != spread) value = BroadcastTo(value, spread);
  if (dtype == kBool) return {value, 0, 1};
  return IsFloat(dtype) ? Item{value, -2, 2} : Item{value, -9, 9};
}

// One from the pool, rather a late one; a new input where there is none, and sometimes anyway.
Item Generator::AnyOf(const std::function<bool(const Item&)>& suits, DType dtype) {
  std::vector<const Item*> suited;
  for (const Item& item : pool_) {
    if (suits(item)) suited.push_back(&item);
  }
  if (suited.empty() || (depth_ == 0 && inputs_ < 12 && Chance(0.08))) {
    Item item = NewInput(dtype, RandomShape());
    if (suits(item)) {
      pool_.push_back(item);
      return item;
    }
  }
  if (suited.empty()) return {};
  const auto count = static_cast<int64_t>(suited.size());
  return *suited[static_cast<size_t>(
      Between(Chance(0.6) ? std::max<int64_t>(count - 6, 0) : 0, count - 1))];
}

Item Generator::AnyFloat() {
  return AnyOf([](const Item& item) { return IsFloat(item.value.dtype()); },
               options_.smooth.value_or(Chance(0.4) ? kFloat64 : kFloat32));
}

Item Generator::AnyInteger() {
  return AnyOf([](const Item& item) { return IsInteger(item.value.dtype()); }, kInt32);
}

Item Generator::Partner(const Shape& shape, DType dtype) {
  if (dtype != kBool && Chance(0.15)) {
    const auto number = static_cast<double>(Between(-3, 3));
    return {Scalar(Value(t_.state(), -1), dtype, number), number, number};
  }
  std::vector<const Item*> suited;
  for (const Item& item : pool_) {
    if (item.value.dtype() != dtype) continue;
    const absl::StatusOr<Shape> common = BroadcastShapes(shape, item.value.shape());
    if (common.ok() && Fits(*common)) suited.push_back(&item);
  }
  if (!suited.empty() && Chance(0.75)) return *Pick(random_, suited);
  Shape own = shape;
  for (Dim& dim : own) {
    if (Chance(0.2)) dim = 1;
  }
  if (!own.empty() && Chance(0.2)) own.erase(own.begin());
  const Item item = NewInput(dtype, own);
  pool_.push_back(item);
  return item;
}

// The same, squeezed into a range where it is not in it.
Item Generator::Into(const Item& item, double low, double high) {
  if (!IsFloat(item.value.dtype()) || (item.low >= low && item.high <= high)) return item;
  if (!options_.smooth && Chance(0.03)) return item;
  const double most = std::max(std::fabs(item.low), std::fabs(item.high));
  Value x = item.value;
  if (most > 4) x = x * (4 / most);
  // Not by sigmoid where zero is the middle: small values would lose their digits.
  if (low == -high) return {high * Tanh(x), low, high};
  return {low + (high - low) * Sigmoid(x), low, high};
}

// Integers in [0, n): from a value that is clamped.
Value Generator::Indices(int64_t n, Shape shape) {
  if (Chance(0.3) && shape.size() == 1 && shape[0].is_static() && shape[0].value() <= n) {
    return t_.Iota(shape[0], Chance(0.5) ? kInt32 : kInt64);
  }
  const Item item = NewInput(Chance(0.5) ? kInt32 : kInt64, std::move(shape));
  if (options_.wild && Chance(0.5)) return item.value;
  return Max(Min(item.value, static_cast<double>(n - 1)), 0);
}

void Generator::Grow(size_t nodes) {
  using Make = std::optional<Item> (Generator::*)();
  static constexpr std::pair<int, Make> kKinds[] = {
      {40, &Generator::MakeMap},   {10, &Generator::MakeView},   {4, &Generator::MakeReshape},
      {4, &Generator::MakeConcat}, {10, &Generator::MakeReduce}, {9, &Generator::MakeContract},
      {6, &Generator::MakeGather}, {3, &Generator::MakeRandom},  {3, &Generator::MakeLoop},
      {1, &Generator::MakeCustom},
  };
  std::vector<Make> kinds;
  for (const auto& [weight, make] : kKinds)
    kinds.insert(kinds.end(), static_cast<size_t>(weight), make);
  // Gathers are what may fail.
  if (options_.wild) kinds.insert(kinds.end(), kinds.size() / 4, &Generator::MakeGather);
  // A draw may find nothing that suits it; a bound on draws ends hopeless cases.
  for (int draws = 0; t_.state()->nodes().size() < nodes && draws < 2000; draws++) {
    const std::optional<Item> item = (this->*Pick(random_, kinds))();
    if (!t_.status().ok()) return;
    if (item && item->value.ok() && item->value.tape() == t_.state()) Add(*item);
  }
}

}  // namespace talweg
