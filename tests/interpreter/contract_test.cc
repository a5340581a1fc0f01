#include "ops/contract.h"

#include <algorithm>
#include <vector>

#include "graph/scalar.h"
#include "gtest/gtest.h"
#include "ops/view.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/interpreter/run.h"

namespace talweg {
namespace {

// The sum of products of one result in the order of graph/order.h.
template <typename T>
T InOrder(const std::vector<T>& a, const std::vector<T>& b, const Order& order) {
  const size_t block =
      order.block == 0 ? std::max<size_t>(a.size(), 1) : static_cast<size_t>(order.block);
  Number<T> total = T{0};
  for (size_t first = 0; first == 0 || first < a.size(); first += block) {
    std::vector<Number<T>> chains(static_cast<size_t>(order.chains), Number<T>(T{0}));
    for (size_t i = first; i < std::min(first + block, a.size()); i++) {
      Number<T>& chain = chains[(i - first) % chains.size()];
      chain = Fma(Number<T>(a[i]), Number<T>(b[i]), chain);
    }
    while (chains.size() > 1) {
      const size_t half = chains.size() / 2;
      for (size_t c = 0; c < half; c++) chains[c] = chains[c] + chains[c + half];
      chains.resize(half);
    }
    total = first == 0 ? chains[0] : total + chains[0];
  }
  return total.raw();
}

// Row-major offsets of every index over some axes of an array.
std::vector<int64_t> Offsets(const Dims& dims, const std::vector<int64_t>& axes) {
  const Dims strides = RowMajorStrides(dims);
  std::vector<int64_t> offsets = {0};
  for (int64_t axis : axes) {
    std::vector<int64_t> next;
    for (int64_t offset : offsets) {
      for (int64_t i = 0; i < dims[static_cast<size_t>(axis)]; i++) {
        next.push_back(offset + i * strides[static_cast<size_t>(axis)]);
      }
    }
    offsets = next;
  }
  return offsets;
}

std::vector<int64_t> Kept(int64_t rank, const std::vector<int64_t>& batch,
                          const std::vector<int64_t>& sum) {
  std::vector<int64_t> kept;
  for (int64_t axis = 0; axis < rank; axis++) {
    if (std::count(batch.begin(), batch.end(), axis) == 0 &&
        std::count(sum.begin(), sum.end(), axis) == 0) {
      kept.push_back(axis);
    }
  }
  return kept;
}

template <typename T>
Array Naive(const Array& lhs, const Array& rhs, const ContractAttributes& a, const Dims& dims) {
  Array out = *Array::Zeros(DTypeOf<T>, dims);
  const absl::Span<T> elements = out.mutable_data<T>();
  const absl::Span<const T> x = lhs.data<T>(), y = rhs.data<T>();
  const auto batch_x = Offsets(lhs.dims(), a.lhs_batch), batch_y = Offsets(rhs.dims(), a.rhs_batch);
  const auto kept_x = Offsets(lhs.dims(), Kept(lhs.rank(), a.lhs_batch, a.lhs_sum));
  const auto kept_y = Offsets(rhs.dims(), Kept(rhs.rank(), a.rhs_batch, a.rhs_sum));
  const auto sum_x = Offsets(lhs.dims(), a.lhs_sum), sum_y = Offsets(rhs.dims(), a.rhs_sum);
  size_t at = 0;
  for (size_t b = 0; b < batch_x.size(); b++) {
    for (int64_t i : kept_x) {
      for (int64_t j : kept_y) {
        std::vector<T> p, q;
        for (size_t k = 0; k < sum_x.size(); k++) {
          p.push_back(x[static_cast<size_t>(batch_x[b] + i + sum_x[k])]);
          q.push_back(y[static_cast<size_t>(batch_y[b] + j + sum_y[k])]);
        }
        elements[at++] = InOrder<T>(p, q, a.order);
      }
    }
  }
  return out;
}

// Shuffled axes, some of them batch, some summed, some kept; extents of the product stay moderate.
template <typename T>
void CheckContraction(uint64_t seed) {
  SCOPED_TRACE(seed);
  Random random(seed);
  Dims lhs, rhs;
  ContractAttributes a;
  const bool long_sum = random.Chance(0.1);  // in two blocks, where the order has them
  int64_t budget = long_sum ? 60 : 40000;
  const auto extent = [&](bool may_be_large) {
    int64_t e = may_be_large && random.Chance(0.05) ? 300 : random.Extent();
    if (e == 0 && random.Chance(0.9)) e = 50;
    if (e > budget) e = 1;
    if (e > 0) budget /= e;
    return e;
  };
  struct Axis {
    int64_t extent;
    int part;  // 0 kept, 1 batch, 2 sum
    int64_t number;
  };
  std::vector<Axis> left, right;
  for (int64_t i = random.Pick<int64_t>({0, 0, 0, 1, 2}); i > 0; i--) {
    const int64_t e = std::min<int64_t>(extent(false), 5);
    left.push_back({e, 1, i});
    right.push_back({e, 1, i});
  }
  for (int64_t i = random.Pick<int64_t>({0, 1, 1, 1, 2}); i > 0; i--) {
    const int64_t e = long_sum && i == 1 ? kReduceBlock + random.Between(-1, 700) : extent(true);
    left.push_back({e, 2, i});
    right.push_back({e, 2, i});
  }
  for (std::vector<Axis>* axes : {&left, &right}) {
    for (int64_t i = random.Pick<int64_t>({0, 1, 1, 1, 2}); i > 0; i--) {
      axes->push_back({extent(true), 0, i});
    }
  }
  const auto place = [&](std::vector<Axis>& axes, Dims& dims, std::vector<int64_t>& batch,
                         std::vector<int64_t>& sum) {
    for (size_t i = axes.size(); i > 1; i--) {
      std::swap(axes[i - 1],
                axes[static_cast<size_t>(random.Between(0, static_cast<int64_t>(i) - 1))]);
    }
    std::vector<std::pair<int64_t, int64_t>> by_number[3];
    for (size_t i = 0; i < axes.size(); i++) {
      dims.push_back(axes[i].extent);
      by_number[axes[i].part].push_back({axes[i].number, static_cast<int64_t>(i)});
    }
    for (auto& [part, out] : {std::pair{1, &batch}, std::pair{2, &sum}}) {
      std::sort(by_number[part].begin(), by_number[part].end());
      for (const auto& [number, axis] : by_number[part]) out->push_back(axis);
    }
  };
  place(left, lhs, a.lhs_batch, a.lhs_sum);
  place(right, rhs, a.rhs_batch, a.rhs_sum);

  Tape t;
  const DType dtype = DTypeOf<T>;
  Value x = t.Input("x", dtype, ToShape(lhs)), y = t.Input("y", dtype, ToShape(rhs));
  const Array x_array = random.Fill(dtype, lhs), y_array = random.Fill(dtype, rhs);
  // The same through strides: reversed twice along an axis, once in memory.
  if (!lhs.empty() && random.Chance(0.3)) x = Reverse(x, {0});
  a.order = ContractOrder(x.shape(), y.shape(), a.lhs_batch, a.rhs_batch, a.lhs_sum, a.rhs_sum);
  if (random.Chance(0.4)) a.order = {.chains = random.Pick<int32_t>({1, 16})};
  if (random.Chance(0.1) || long_sum) a.order.block = kReduceBlock;
  const Value z = MakeNode(kContractOp, {x, y}, a, {});
  ASSERT_TRUE(z.ok()) << t.status();
  const std::vector<Array> out = MustRun(t, {x, z}, {{"x", x_array}, {"y", y_array}});
  ASSERT_EQ(out.size(), 2u);
  const Array expected = Naive<T>(out[0], y_array, a, Resolve(z.shape(), {}));
  ASSERT_TRUE(SameBits(out[1], expected))
      << ToString(x.type()) << " x " << ToString(y.type()) << " in " << a.order.chains << "/"
      << a.order.block << "\n"
      << out[1].ToString() << "\n"
      << expected.ToString();
}

TEST(Contract, MultipliesFloatsInTheStatedOrder) {
  for (uint64_t seed : Seeds(300, 60)) CheckContraction<float>(seed);
}

TEST(Contract, MultipliesDoublesInTheStatedOrder) {
  for (uint64_t seed : Seeds(150, 30)) CheckContraction<double>(seed);
}

TEST(Contract, WrapsIntegers) {
  for (uint64_t seed : Seeds(60, 10)) {
    CheckContraction<int32_t>(seed);
    CheckContraction<int64_t>(seed);
  }
}

TEST(Contract, KeepsChainsOverLongSums) {
  Random random(3);
  const Array x = random.Fill(kFloat32, {9, 1000}), y = random.Fill(kFloat32, {1000, 150});
  Tape t;
  const Value z = MatMul(t.Input("x", kFloat32, {9, 1000}), t.Input("y", kFloat32, {1000, 150}));
  const std::vector<Array> out = MustRun(t, {z}, {{"x", x}, {"y", y}});
  const auto& a = z.node().As<ContractAttributes>();
  EXPECT_EQ(a.order.chains, 1);
  EXPECT_TRUE(SameBits(out[0], Naive<float>(x, y, a, {9, 150})));
}

TEST(Contract, PaddingDoesNotChangeTheSignOfZero) {
  // Each chain has one term or none; -0 from an underflow survives the padded steps.
  std::vector<float> a(33, 0), b(33, 0);
  a[0] = 1e-30f;
  b[0] = 1e-10f;
  a[16] = -1e-30f;
  b[16] = 1.1e-10f;
  Tape t;
  const Value x = t.Input("x", kFloat32, {33}), y = t.Input("y", kFloat32, {33});
  const Value z = MatMul(x, y);
  const auto& attributes = z.node().As<ContractAttributes>();
  ASSERT_EQ(attributes.order.chains, 16);
  const Array x_array = Array::Vector(a), y_array = Array::Vector(b);
  const std::vector<Array> out = MustRun(t, {z}, {{"x", x_array}, {"y", y_array}});
  EXPECT_TRUE(SameBits(out[0], Naive<float>(x_array, y_array, attributes, {})));
}

TEST(Contract, RefusesATableLargerThanMemoryAllows) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {2, 1});
  const Value wide = BroadcastTo(Reshape(x, {1, 2, 1}), {1 << 14, 2, 1 << 14});
  const Value z = Contract(wide, wide, {.lhs_sum = {0, 1, 2}, .rhs_sum = {0, 1, 2}});
  const absl::Status status =
      TryInterpret(t, {z}, {{"x", *Array::Zeros(kFloat32, {2, 1})}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

// As many terms as sizes can say: what they take, padded and twice, is more than int64 counts.
TEST(Contract, RefusesTermsThatNoMemoryHolds) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {}), y = t.Input("y", kFloat64, {});
  const Shape shape = {int64_t{1} << 59};
  const Value z = MatMul(BroadcastTo(x, shape), BroadcastTo(y, shape));
  const absl::Status status = TryInterpret(t, {z}, {{"x", Array(1.0)}, {"y", Array(2.0)}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

}  // namespace
}  // namespace talweg
