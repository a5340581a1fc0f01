#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <vector>

#include "graph/scalar.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/view.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/interpreter/run.h"

namespace talweg {
namespace {

// graph/order.h once more, as it is written there.
template <typename T>
T InOrder(const std::vector<T>& terms, const Order& order, T identity,
          const std::function<T(T, T)>& f) {
  const size_t block =
      order.block == 0 ? std::max<size_t>(terms.size(), 1) : static_cast<size_t>(order.block);
  T total = identity;
  for (size_t first = 0; first == 0 || first < terms.size(); first += block) {
    std::deque<T> chains(static_cast<size_t>(order.chains), identity);  // bools have addresses
    for (size_t i = first; i < std::min(first + block, terms.size()); i++) {
      T& chain = chains[(i - first) % chains.size()];
      chain = f(chain, terms[i]);
    }
    while (chains.size() > 1) {
      const size_t half = chains.size() / 2;
      for (size_t c = 0; c < half; c++) chains[c] = f(chains[c], chains[c + half]);
      chains.resize(half);
    }
    total = first == 0 ? chains[0] : f(total, chains[0]);
  }
  return total;
}

// Calls f(result, terms) for each result, with the terms in row-major order.
template <typename T>
void ForEachSum(const Array& x, const std::vector<int64_t>& axes,
                const std::function<void(int64_t, const std::vector<T>&)>& f) {
  const Dims strides = RowMajorStrides(x.dims());
  Dims kept;
  for (size_t d = 0; d < x.dims().size(); d++) {
    if (!std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d))) {
      kept.push_back(x.dims()[d]);
    }
  }
  const Dims kept_strides = RowMajorStrides(kept);
  std::vector<std::vector<T>> terms(static_cast<size_t>(SizeOf(kept)));
  for (int64_t at = 0; at < x.size(); at++) {
    int64_t result = 0;
    size_t k = 0;
    for (size_t d = 0; d < x.dims().size(); d++) {
      if (std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d))) continue;
      result += at / strides[d] % x.dims()[d] * kept_strides[k++];
    }
    terms[static_cast<size_t>(result)].push_back(x.data<T>()[static_cast<size_t>(at)]);
  }
  for (size_t i = 0; i < terms.size(); i++) f(static_cast<int64_t>(i), terms[i]);
}

// A random reduction in a random order, of a value that is or is not contiguous, bit for bit.
template <typename T>
void CheckReduction(uint64_t seed, const Op& op, T identity, const std::function<T(T, T)>& f) {
  SCOPED_TRACE(seed);
  Random random(seed);
  Dims dims = random.Shape(4, 12000);
  if (random.Chance(0.1)) dims = {random.Between(5000, 20000)};
  if (random.Chance(0.1)) dims = {random.Between(1, 5), random.Between(4000, 9000)};
  const auto rank = static_cast<int64_t>(dims.size());
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < rank; d++) {
    if (random.Chance(0.5)) axes.push_back(d);
  }
  std::vector<int64_t> permutation;
  for (int64_t d = 0; d < rank; d++) permutation.push_back(d);
  if (random.Chance(0.5)) std::reverse(permutation.begin(), permutation.end());
  Tape t;
  const DType dtype = DTypeOf<T>;
  const Value input = t.Input("x", dtype, ToShape(dims));
  Value x = rank == 0 ? input : Transpose(input, permutation);
  if (rank > 0 && random.Chance(0.3)) x = Slice(x, 0, 0, 40, 2);
  if (rank > 0 && random.Chance(0.3)) {
    Shape shape = x.shape();
    shape.insert(shape.begin(), 3);
    x = BroadcastTo(x, shape);
  }
  Order order = ReduceOrder(x.shape(), axes);
  if (random.Chance(0.5)) {
    order = {random.Pick<int32_t>({1, kManyChains}), random.Pick<int32_t>({0, kReduceBlock})};
  }
  const Value y = MakeNode(op, {x}, ReduceAttributes{axes, order}, {});
  ASSERT_TRUE(y.ok()) << t.status();
  const std::vector<Array> out = MustRun(t, {x, y}, {{"x", random.Fill(dtype, dims)}});
  ASSERT_EQ(out.size(), 2u);
  ForEachSum<T>(out[0], axes, [&](int64_t i, const std::vector<T>& terms) {
    const Array got(out[1].data<T>()[static_cast<size_t>(i)]);
    const Array expected(InOrder<T>(terms, order, identity, f));
    ASSERT_TRUE(SameBits(got, expected))
        << "result " << i << " of " << ToString(y.type()) << " from " << ToString(x.type())
        << " in " << order.chains << "/" << order.block << ": " << got.At(0) << " and "
        << expected.At(0);
  });
}

TEST(Reduce, SumsFloatsInTheStatedOrder) {
  for (uint64_t seed : Seeds(200, 50)) {
    CheckReduction<float>(seed, kSumOp, 0, [](float a, float b) { return a + b; });
  }
}

TEST(Reduce, SumsDoublesInTheStatedOrder) {
  for (uint64_t seed : Seeds(100, 50)) {
    CheckReduction<double>(seed, kSumOp, 0, [](double a, double b) { return a + b; });
  }
}

TEST(Reduce, FindsTheGreatest) {
  for (uint64_t seed : Seeds(60, 20)) {
    CheckReduction<float>(seed, kReduceMaxOp, -HUGE_VALF, [](float a, float b) {
      return Max(Number<float>(a), Number<float>(b)).raw();
    });
    CheckReduction<int64_t>(seed, kReduceMaxOp, std::numeric_limits<int64_t>::min(),
                            [](int64_t a, int64_t b) { return std::max(a, b); });
  }
}

TEST(Reduce, WrapsIntegers) {
  for (uint64_t seed : Seeds(60, 20)) {
    CheckReduction<int32_t>(seed, kProductOp, 1, [](int32_t a, int32_t b) {
      return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
    });
  }
}

TEST(Reduce, TellsWhetherAllAreTrue) {
  for (uint64_t seed : Seeds(60, 20)) {
    CheckReduction<bool>(seed, kAllOp, true, [](bool a, bool b) { return a && b; });
    CheckReduction<bool>(seed, kAnyOp, false, [](bool a, bool b) { return a || b; });
  }
}

TEST(Reduce, OfNothingIsTheIdentity) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {0, 2});
  const std::vector<Array> out = MustRun(t, {Sum(x, 0), ReduceMax(x, 0), Sum(x), ReduceMin(x, 1)},
                                         {{"x", *Array::Zeros(kFloat32, {0, 2})}});
  EXPECT_TRUE(SameBits(out[0], Array::Vector<float>({0, 0})));
  EXPECT_TRUE(SameBits(out[1], Array::Vector<float>({-HUGE_VALF, -HUGE_VALF})));
  EXPECT_TRUE(SameBits(out[2], Array(0.0f)));
  EXPECT_EQ(out[3].size(), 0);
}

TEST(ArgMax, IsTheFirstOfEqualOnesAndTheFirstNaN) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {4, 5});
  const float nan = NAN, infinity = HUGE_VALF;
  const Array rows = Array::Matrix<float>({{1, 3, 2, 3, 0},
                                           {-infinity, -infinity, -infinity, -infinity, -infinity},
                                           {1, nan, infinity, nan, 2},
                                           {-0.0f, 0.0f, -1, -2, -3}});
  const std::vector<Array> out = MustRun(t, {ArgMax(x, 1), ArgMin(x, 1)}, {{"x", rows}});
  EXPECT_TRUE(SameBits(out[0], Array::Vector<int64_t>({1, 0, 1, 0})));
  EXPECT_TRUE(SameBits(out[1], Array::Vector<int64_t>({4, 0, 1, 4})));
}

TEST(ArgMax, FindsPlacesAlongAnyAxis) {
  for (uint64_t seed : Seeds(60, 20)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Dims dims = random.Shape(3, 3000);
    dims.push_back(random.Between(1, 40));
    const int64_t axis = random.Between(0, static_cast<int64_t>(dims.size()) - 1);
    if (dims[static_cast<size_t>(axis)] == 0) continue;
    Tape t;
    const Value x = t.Input("x", kInt32, ToShape(dims));
    const Array array = random.Fill(kInt32, dims);
    const std::vector<Array> out = MustRun(t, {ArgMax(x, axis)}, {{"x", array}});
    ASSERT_EQ(out.size(), 1u);
    ForEachSum<int32_t>(array, {axis}, [&](int64_t i, const std::vector<int32_t>& terms) {
      const auto best = std::max_element(terms.begin(), terms.end());
      EXPECT_EQ(out[0].data<int64_t>()[static_cast<size_t>(i)], best - terms.begin());
    });
  }
}

}  // namespace
}  // namespace talweg
