// One function for each kind of node.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tests/graphs/generator.h"

namespace talweg {
namespace {

constexpr SourceLine kHere{"generator.cc", 1};

// The range of a formula over ranges: at random points, in float64.
void Bound(Numbers& random, const Op& op, const std::vector<Item>& operands, Item& result) {
  std::vector<DType> types;
  for (const Item& operand : operands) {
    types.push_back(
        operand.value.dtype() == kBool && op.map->types == MapTypes::kSelect ? kBool : kFloat64);
  }
  const MapLoop loop = op.map->loop(types, kFloat64, false);
  if (!IsFloat(result.value.dtype()) && !IsInteger(result.value.dtype())) {
    result.low = 0;
    result.high = 1;
    return;
  }
  if (loop == nullptr) return;
  double low = INFINITY, high = -INFINITY;
  const int64_t strides[3] = {0, 0, 0};
  for (int i = 0; i < 64; i++) {
    double x[3], y = 0;
    bool mask = i % 2 == 0;
    const std::byte* in[3];
    for (size_t k = 0; k < operands.size(); k++) {
      const double part = i < 8 ? (i >> k) % 2 : std::uniform_real_distribution<>(0, 1)(random);
      x[k] = operands[k].low + (operands[k].high - operands[k].low) * part;
      in[k] = types[k] == kBool ? reinterpret_cast<const std::byte*>(&mask)
                                : reinterpret_cast<const std::byte*>(&x[k]);
    }
    loop(reinterpret_cast<std::byte*>(&y), in, strides, 1);
    if (!std::isfinite(y)) y = i % 2 == 0 ? 1e30 : -1e30;
    low = std::min(low, y);
    high = std::max(high, y);
  }
  result.low = low;
  result.high = high;
}

}  // namespace

std::optional<Item> Generator::MakeMap() {
  const absl::Span<const Op* const> all = ElementwiseOps();
  const Op& op = *all[static_cast<size_t>(Between(0, static_cast<int64_t>(all.size()) - 1))];
  const MapRule& rule = *op.map;
  if (options_.smooth) {
    if (rule.types != MapTypes::kFloats && rule.types != MapTypes::kNumbers) return std::nullopt;
    for (const MapSamples& samples : rule.samples) {
      if (samples.kink_count > 0) return std::nullopt;
    }
  }
  const auto takes = [&](DType dtype) {
    std::vector<DType> types(static_cast<size_t>(rule.arity), dtype);
    if (rule.types == MapTypes::kSelect) types[0] = kBool;
    return rule.loop(types, dtype, false) != nullptr;
  };
  const Item first =
      AnyOf([&](const Item& item) { return takes(item.value.dtype()); },
            rule.types == MapTypes::kBools ? kBool : options_.smooth.value_or(kFloat64));
  if (!first.value.ok()) return std::nullopt;
  std::vector<Item> operands;
  Shape shape = first.value.shape();
  for (int32_t k = 0; k < rule.arity; k++) {
    const bool mask = rule.types == MapTypes::kSelect && k == 0;
    Item operand = k == 0 && !mask ? first : Partner(shape, mask ? kBool : first.value.dtype());
    const absl::StatusOr<Shape> common = BroadcastShapes(shape, operand.value.shape());
    if (!common.ok() || !Fits(*common)) return std::nullopt;
    shape = *common;
    const MapSamples& samples = rule.samples[static_cast<size_t>(k)];
    // Ranges without a lower bound above -2 mean "anything"; what grows fast needs them, too.
    const bool any = rule.types != MapTypes::kFloats && samples.low <= -2 && samples.high >= 2;
    operands.push_back(any ? Into(operand, -1e3, 1e3) : Into(operand, samples.low, samples.high));
  }
  std::vector<Value> values;
  for (const Item& operand : operands) values.push_back(operand.value);
  Item result;
  if (rule.types == MapTypes::kCast) {
    const DType to = Pick<DType>(random_, {kFloat32, kFloat32, kFloat64, kInt32, kInt64, kBool});
    if (to == values[0].dtype()) return std::nullopt;
    result.value = Cast(values[0], to);
    result.low = to == kBool ? 0 : operands[0].low;
    result.high = to == kBool ? 1 : operands[0].high;
    return result;
  }
  result.value = Map(op, values, {}, kHere);
  if (result.value.ok()) Bound(random_, op, operands, result);
  return result;
}

std::optional<Item> Generator::MakeView() {
  const Item x = AnyItem();
  const Value& v = x.value;
  if (!v.ok()) return std::nullopt;
  Item y = x;
  const auto with_zero = [&](Value value) {
    y = {std::move(value), std::min(x.low, 0.0), std::max(x.high, 0.0)};
  };
  std::vector<int64_t> axes(static_cast<size_t>(v.rank()));
  for (int64_t i = 0; i < v.rank(); i++) axes[static_cast<size_t>(i)] = i;
  std::shuffle(axes.begin(), axes.end(), random_);
  const int64_t axis = axes.empty() ? 0 : axes[0];
  const bool fixed = v.rank() > 0 && v.dim(axis).is_static() && v.dim(axis).value() > 0;
  const int64_t n = fixed ? v.dim(axis).value() : 0;
  switch (Between(0, 7)) {
    case 0:
      y.value = Transpose(v, axes);
      break;
    case 1: {
      Shape shape = v.shape();
      shape.insert(shape.begin(), Dim(Between(1, 3)));
      if (v.rank() >= 4 || !Fits(shape)) return std::nullopt;
      y.value = BroadcastTo(v, shape);
      break;
    }
    case 2: {
      if (!fixed) return std::nullopt;
      const int64_t a = Between(0, n - 1), b = Between(0, n - 1), step = Between(1, 3);
      y.value = a <= b ? Slice(v, axis, a, b + 1, step) : Slice(v, axis, a, b, -step);
      break;
    }
    case 3:
      if (!fixed) return std::nullopt;
      y.value = At(v, axis, Between(-n, n - 1));
      break;
    case 4: {
      if (!fixed) return std::nullopt;
      std::vector<std::pair<int64_t, int64_t>> pad(axes.size());
      pad[static_cast<size_t>(axis)] = {Between(-1, 2), Between(0, 3)};
      if (n + 5 > 64 || SizeOf(v.shape()) * 5 > kMostElements) return std::nullopt;
      with_zero(Pad(v, pad, v.dtype() == kBool ? 0 : static_cast<double>(Between(0, 1))));
      y.high = std::max(y.high, 1.0);
      break;
    }
    case 5:
      if (!fixed) return std::nullopt;
      y.value = Reverse(v, {axis});
      break;
    case 6: {
      const int64_t size = Between(1, 3), dilation = Between(1, 2);
      if (!fixed || v.rank() >= 4 || (size - 1) * dilation >= n) return std::nullopt;
      if (SizeOf(v.shape()) * size > kMostElements) return std::nullopt;
      y.value = Window(v, axis, size, Between(1, 2), dilation);
      break;
    }
    default: {  // a dilation, as transposes of strided slices have it
      if (!fixed || 3 * SizeOf(v.shape()) > kMostElements) return std::nullopt;
      ViewAttributes view{.axes = IdentityMaps(v.rank()), .fill = 0, .shape = v.shape()};
      const int64_t dilation = Between(2, 3);
      view.axes[static_cast<size_t>(axis)].dilation = dilation;
      view.axes[static_cast<size_t>(axis)].offset = Between(-1, 1);
      view.shape[static_cast<size_t>(axis)] = (n - 1) * dilation + 1;
      with_zero(View(v, std::move(view), kHere));
    }
  }
  return y;
}

std::optional<Item> Generator::MakeReshape() {
  Item y = AnyItem();
  const Value v = y.value;
  if (!v.ok()) return std::nullopt;
  if (v.rank() < 4 && Chance(0.4)) {
    y.value = ExpandDims(v, Between(0, v.rank()));
    return y;
  }
  // Two neighbours become one, or one becomes two.
  for (int64_t i = 0; i + 1 < v.rank(); i++) {
    if (!v.dim(i).is_static() || !v.dim(i + 1).is_static()) continue;
    Shape shape = v.shape();
    shape[static_cast<size_t>(i)] = v.dim(i).value() * v.dim(i + 1).value();
    shape.erase(shape.begin() + i + 1);
    y.value = Reshape(v, shape);
    return y;
  }
  for (int64_t i = 0; i < v.rank() && v.rank() < 4; i++) {
    if (!v.dim(i).is_static() || v.dim(i).value() == 0 || v.dim(i).value() % 2 != 0) continue;
    Shape shape = v.shape();
    shape[static_cast<size_t>(i)] = v.dim(i).value() / 2;
    shape.insert(shape.begin() + i, Dim(2));
    y.value = Reshape(v, shape);
    return y;
  }
  return std::nullopt;
}

std::optional<Item> Generator::MakeConcat() {
  const Item x = AnyItem();
  if (!x.value.ok() || x.value.rank() == 0) return std::nullopt;
  const int64_t axis = Between(0, x.value.rank() - 1);
  if (!x.value.dim(axis).is_static() || 2 * SizeOf(x.value.shape()) > kMostElements) {
    return std::nullopt;
  }
  std::vector<Value> values = {x.value};
  Item y = x;
  for (const Item& item : pool_) {
    if (item.value.type() != x.value.type() || !Chance(0.5) || values.size() > 1) continue;
    values.push_back(item.value);
    y.low = std::min(y.low, item.low);
    y.high = std::max(y.high, item.high);
  }
  if (values.size() == 1) values.push_back(x.value);
  if (Chance(0.5)) std::reverse(values.begin(), values.end());
  y.value = x.value.rank() < 4 && Chance(0.3) ? Stack(values, axis) : Concat(values, axis);
  return y;
}

std::optional<Item> Generator::MakeReduce() {
  const Item x = AnyItem();
  const Value& v = x.value;
  if (!v.ok() || v.rank() == 0) return std::nullopt;
  std::vector<int64_t> axes;
  int64_t terms = 1;
  for (int64_t i = 0; i < v.rank(); i++) {
    if (!Chance(0.5) && !(axes.empty() && i + 1 == v.rank())) continue;
    axes.push_back(i);
    terms *= Extent(v.dim(i));
  }
  const Keep keep = Chance(0.3) ? Keep::kYes : Keep::kNo;
  if (v.dtype() == kBool) {
    return Item{Chance(0.5) ? All(v, axes, keep) : Any(v, axes, keep), 0, 1};
  }
  const double most = std::max({std::fabs(x.low), std::fabs(x.high), 1.0});
  const auto many = static_cast<double>(std::max<int64_t>(terms, 1));
  const bool finite = terms > 0;
  switch (Between(0, options_.smooth ? 2 : 6)) {
    case 0:
      return Item{Sum(v, axes, keep), -many * most, many * most};
    case 1:
      if (!IsFloat(v.dtype()) || !finite) return std::nullopt;
      return Item{Mean(v, axes, keep), x.low, x.high};
    case 2: {
      if (!IsFloat(v.dtype())) return Item{Product(v, axes, keep), -9e18, 9e18};
      if (options_.smooth && many > 200) return std::nullopt;  // 1.1^1000 is beyond float32
      return Item{Product(Into(x, 0.9, 1.1).value, axes, keep), std::pow(0.9, many),
                  std::pow(1.1, many)};
    }
    case 3:
      if (!finite) return std::nullopt;
      return Item{ReduceMax(v, axes, keep), x.low, x.high};
    case 4:
      if (!finite) return std::nullopt;
      return Item{ReduceMin(v, axes, keep), x.low, x.high};
    case 5: {
      const int64_t axis = Between(0, v.rank() - 1);
      if (Extent(v.dim(axis)) == 0) return std::nullopt;
      return Item{ArgMax(v, axis, keep), 0, 64};
    }
    default: {
      const int64_t axis = Between(0, v.rank() - 1);
      if (Extent(v.dim(axis)) == 0) return std::nullopt;
      return Item{ArgMin(v, axis, keep), 0, 64};
    }
  }
}

std::optional<Item> Generator::MakeContract() {
  const Item x = Chance(0.85) || options_.smooth ? AnyFloat() : AnyInteger();
  if (!x.value.ok() || x.value.rank() == 0) return std::nullopt;
  const DType dtype = x.value.dtype();
  Item y;
  ContractAxes axes;
  if (Chance(0.5)) {
    // With weights: a matrix product over the last axis, in either transpose.
    const Dim inner = x.value.dim(-1);
    if (!inner.is_static()) return std::nullopt;
    const Dim width = Pick<int64_t>(random_, {1, 2, 3, 8, 16, 17, 33});
    const bool transposed = Chance(0.5);
    y = NewInput(dtype, transposed ? Shape{width, inner} : Shape{inner, width});
    pool_.push_back(y);
    axes = {.lhs_sum = {-1}, .rhs_sum = {transposed ? 1 : 0}};
  } else {
    y = AnyOf([&](const Item& item) { return item.value.dtype() == dtype; }, dtype);
    if (!y.value.ok()) return std::nullopt;
    // Pairs of equal extents, some as batch axes, some summed; the rest is kept.
    std::vector<bool> used(static_cast<size_t>(y.value.rank()), false);
    for (int64_t i = 0; i < x.value.rank(); i++) {
      for (int64_t k = 0; k < y.value.rank(); k++) {
        if (used[static_cast<size_t>(k)] || !(x.value.dim(i) == y.value.dim(k))) continue;
        if (Chance(0.3)) continue;
        used[static_cast<size_t>(k)] = true;
        const bool batch = Chance(0.3);
        (batch ? axes.lhs_batch : axes.lhs_sum).push_back(i);
        (batch ? axes.rhs_batch : axes.rhs_sum).push_back(k);
        break;
      }
    }
  }
  int64_t size = 1, terms = 1;
  const auto count = [&](const Value& v, const std::vector<int64_t>& batch,
                         const std::vector<int64_t>& sum, bool lhs) {
    int64_t rank = 0;
    for (int64_t i = 0; i < v.rank(); i++) {
      const auto is = [&](const std::vector<int64_t>& list) {
        return std::find_if(list.begin(), list.end(), [&](int64_t axis) {
                 return axis == i || axis == i - v.rank();
               }) != list.end();
      };
      if (is(sum)) {
        terms *= lhs ? std::max<int64_t>(Extent(v.dim(i)), 1) : 1;
      } else if (!is(batch) || lhs) {
        size *= std::max<int64_t>(Extent(v.dim(i)), 1);
        rank++;
      }
    }
    return rank;
  };
  const int64_t rank = count(x.value, axes.lhs_batch, axes.lhs_sum, true) +
                       count(y.value, axes.rhs_batch, axes.rhs_sum, false);
  if (rank > 4 || size > kMostElements) return std::nullopt;
  const Item a = Into(x, -1e3, 1e3), b = Into(y, -1e3, 1e3);
  const double most = static_cast<double>(terms) * std::max(std::fabs(a.low), std::fabs(a.high)) *
                      std::max(std::fabs(b.low), std::fabs(b.high));
  return Item{Contract(a.value, b.value, axes), -most, most};
}

std::optional<Item> Generator::MakeGather() {
  const Item x = AnyItem();
  const Value& v = x.value;
  if (!v.ok() || v.rank() == 0 || depth_ > 0) return std::nullopt;
  const int64_t axis = Between(0, v.rank() - 1);
  if (!v.dim(axis).is_static() || v.dim(axis).value() == 0) return std::nullopt;
  const int64_t n = v.dim(axis).value();
  if (!options_.smooth && Chance(0.2)) {
    const Item i = AnyInteger();
    if (!i.value.ok() || i.value.rank() > 3) return std::nullopt;
    Shape shape = i.value.shape();
    shape.push_back(8);
    if (!Fits(shape)) return std::nullopt;
    return Item{OneHot(i.value, 8, Chance(0.7) ? kFloat32 : kInt32), 0, 1};
  }
  if (v.dtype() != kBool && Chance(0.4)) {
    const Value indices = Indices(5, {n});
    const double most = static_cast<double>(n) * std::max(std::fabs(x.low), std::fabs(x.high));
    if (SizeOf(v.shape()) * 5 > kMostElements) return std::nullopt;
    return Item{ScatterAdd(v, indices, 5, axis), -most, most};
  }
  const bool batch = axis == 1 && Chance(0.5);
  Shape indices_shape = batch ? Shape{v.dim(0)} : Shape{};
  if (Chance(0.6)) indices_shape.push_back(Between(1, 9));
  Shape result = v.shape();
  result.insert(result.end(), indices_shape.begin(), indices_shape.end());
  if (result.size() > 5 || SizeOf(result) / n > kMostElements) return std::nullopt;
  Item y = x;
  y.value = Gather(v, Indices(n, indices_shape), axis, batch ? 1 : 0);
  return y;
}

std::optional<Item> Generator::MakeRandom() {
  if (options_.smooth) return std::nullopt;
  Item key = AnyOf([](const Item& item) { return item.value.type() == Type{kInt64, {}}; }, kInt64);
  if (!key.value.ok()) key = NewInput(kInt64, {});
  const DType dtype = Chance(0.6) ? kFloat32 : kFloat64;
  const Shape shape = RandomShape();
  switch (Between(0, 3)) {
    case 0:
      return Item{RandomUniform(key.value, dtype, shape), 0, 1};
    case 1:
      return Item{RandomNormal(key.value, dtype, shape), -9, 9};
    case 2:
      return Item{FoldIn(key.value, static_cast<double>(Between(0, 9))), -9e18, 9e18};
    default: {
      const Dim n = rows_ > 0 && Chance(0.3) ? kRows : Dim(Between(0, 20));
      return Item{Permutation(key.value, n), 0, 33};
    }
  }
}

std::optional<Item> Generator::MakeLoop() {
  if (depth_ > 1) return std::nullopt;
  const Item start = Into(AnyFloat(), -1, 1), outer = AnyFloat();
  if (!start.value.ok() || !outer.value.ok()) return std::nullopt;
  // In a body, trips is another number.
  const auto enters = [](const Value& v) {
    return std::find(v.shape().begin(), v.shape().end(), kTrips) == v.shape().end();
  };
  if (!enters(start.value) || !enters(outer.value)) return std::nullopt;
  LoopOptions options;
  options.carried = {start.value};
  std::optional<Item> scanned;
  for (const Item& item : pool_) {
    const Value& v = item.value;
    const bool suits = v.rank() > 0 && v.dim(0).is_static() && v.dim(0).value() > 0 && enters(v);
    if (suits && !scanned && Chance(0.3)) scanned = item;
  }
  const bool stops = Chance(0.2);
  // A reversed loop that stops early has no gradient.
  options.reversed = !stops && Chance(0.3);
  if (scanned) {
    options.scanned = {scanned->value};
    // Long ones only take time.
    const int64_t most = scanned->value.dim(0).value();
    if (options_.wild && depth_ == 0) {
      // More than there are slices, at times.
      options.trips = Max(Min(t_.Input("trips", kInt64, {}), 4), 0);
    } else {
      options.trips = std::min<int64_t>(most, Between(1, 4));
    }
  } else if (depth_ == 0 && !options_.smooth && Chance(0.2)) {
    // The same number for all such loops: `trips` has one value in a graph.
    const bool other = options_.wild && Chance(0.5);
    options.trips = Max(Min(t_.Input(other ? "others" : "trips", kInt64, {}), 4), 0);
  } else {
    options.trips = Between(0, 4);
  }
  // As many trips as data say: slices are scanned, so that `trips` is nobody's extent.
  const bool own = options_.own_trips && !scanned && options.trips.is_number() && Chance(0.6);
  const bool own_stop = options_.own_trips && Chance(0.5);
  if (own) {
    options.scanned = {t_.Iota(5)};
    options.trips = Cast(Min(Abs(Cast(Sum(start.value), kFloat64)) * 3, 5), kInt64);
  }
  // A loop may stop when a value that it carries says so, all of it or an element.
  const bool says_stop = stops && !options_.smooth && Chance(0.5);
  const bool is_vector = says_stop && Chance(0.5);
  if (says_stop) {
    const Value go = t_.Constant(Array(false));
    options.carried.push_back(is_vector ? BroadcastTo(go, {2}) : go);
  }
  const bool run_time = !own && !options.trips.is_number();
  const Type type = start.value.type();
  const LoopResult result = Loop(t_, options, [&](LoopBody& body) -> LoopStep {
    Generator inner(body.tape, random_, options_, rows_, depth_ + 1);
    inner.Add({body.carried[0], -1, 1});
    if (scanned) inner.Add({body.scanned[0], scanned->low, scanned->high});
    inner.Add(outer);
    if (!options_.smooth) inner.Add({body.trip, 0, 4});
    inner.Grow(body.tape.state()->nodes().size() + static_cast<size_t>(Between(2, 8)));
    LoopStep step;
    Value next = body.carried[0];
    for (const Item& item : inner.pool()) {
      if (item.value.type() != type || item.value == body.carried[0]) continue;
      next = inner.Into(item, -1, 1).value;
    }
    step.carried = {next == body.carried[0] ? Tanh(next * 1.5 + 0.25) : next};
    const Item& last = inner.pool().back();
    if (last.value.rank() < 4 && Fits(last.value.shape())) step.stacked = {last.value};
    if (stops) step.stop = GreaterEqual(body.trip, 2);
    if (says_stop) {
      const Value& flag = body.carried[1];
      step.carried.push_back(is_vector ? BroadcastTo(step.stop, {2}) : step.stop);
      step.stop = is_vector ? At(flag, 0, 1) : flag;
    }
    if (own_stop) step.stop = Greater(Sum(step.carried[0]), 0.1);
    return step;
  });
  if (!result.trips.ok()) return std::nullopt;
  if (!run_time && !result.stacked.empty() && Fits(result.stacked[0].shape())) {
    Add({result.stacked[0], -1e3, 1e3});
  } else if (run_time && !result.stacked.empty() && result.stacked[0].dtype() != kBool) {
    Add({Sum(result.stacked[0], 0), -1e4, 1e4});
    // An output whose extent is known only when the loop has run.
    if (Chance(0.5) && Fits(result.stacked[0].shape())) Add({result.stacked[0], -1e3, 1e3});
  }
  if (!options_.smooth) Add({result.trips, 0, 4});
  return Item{result.carried[0], -1, 1};
}

std::optional<Item> Generator::MakeCustom() {
  if (options_.smooth) return std::nullopt;
  const Item x = AnyFloat();
  if (!x.value.ok()) return std::nullopt;
  return Item{CustomGradient(
                  {x.value}, [](absl::Span<const Value> v) { return Tanh(v[0]); },
                  [](absl::Span<const Value> v, const Value& y, const Value& dy) {
                    return std::vector<Value>{dy * Cos(v[0]) - y};
                  }),
              -1, 1};
}

}  // namespace talweg
