#include "ops/gather.h"

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/view.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/interpreter/run.h"

namespace talweg {
namespace {

// One gather or scatter with its shapes: x is [batch..., before..., n, after...], the indices
// [batch..., index...], the elements [batch..., before..., index..., after...].
struct Case {
  Dims x, indices, elements;
  int64_t axis = 0, batch = 0;

  // Calls f(place in x, place in elements) in row-major order of the elements.
  template <typename F>
  void Walk(const Array& index_array, F f) const {
    const Dims x_strides = RowMajorStrides(x), index_strides = RowMajorStrides(indices);
    const Dims strides = RowMajorStrides(elements);
    const auto index_axes = static_cast<int64_t>(indices.size()) - batch;
    for (int64_t at = 0; at < SizeOf(elements); at++) {
      int64_t place = 0, index_place = 0;
      for (int64_t d = 0; d < static_cast<int64_t>(elements.size()); d++) {
        const int64_t o = at / strides[static_cast<size_t>(d)] % elements[static_cast<size_t>(d)];
        if (d < batch) index_place += o * index_strides[static_cast<size_t>(d)];
        if (d < axis) {
          place += o * x_strides[static_cast<size_t>(d)];
        } else if (d < axis + index_axes) {
          index_place += o * index_strides[static_cast<size_t>(batch + d - axis)];
        } else {
          place += o * x_strides[static_cast<size_t>(d - index_axes + 1)];
        }
      }
      const auto index = static_cast<int64_t>(index_array.At(index_place));
      f(place + index * x_strides[static_cast<size_t>(axis)], at);
    }
  }
};

Case RandomCase(Random& random) {
  Case c;
  const auto some = [&](int64_t most) {
    Dims dims;
    for (int64_t i = random.Between(0, most); i > 0; i--) {
      dims.push_back(random.Pick<int64_t>({1, 2, 3, 4, 17}));
    }
    return dims;
  };
  const Dims batch = some(2), before = some(1), index = some(2), after = some(1);
  const int64_t n = random.Between(1, 9);
  c.batch = static_cast<int64_t>(batch.size());
  c.axis = c.batch + static_cast<int64_t>(before.size());
  const auto join = [](Dims& to, const Dims& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  join(c.x, batch);
  join(c.x, before);
  c.elements = c.x;
  c.x.push_back(n);
  join(c.x, after);
  join(c.indices, batch);
  join(c.indices, index);
  join(c.elements, index);
  join(c.elements, after);
  return c;
}

Array RandomIndices(Random& random, DType dtype, const Dims& dims, int64_t n) {
  Array indices = *Array::Zeros(dtype, dims);
  for (int32_t& i : indices.mutable_data<int32_t>())
    i = static_cast<int32_t>(random.Between(0, n - 1));
  for (int64_t& i : indices.mutable_data<int64_t>()) i = random.Between(0, n - 1);
  return indices;
}

TEST(Gather, TakesTheElementsThatTheIndicesName) {
  for (uint64_t seed : Seeds(200, 50)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Case c = RandomCase(random);
    const DType dtype = random.Pick<DType>({kFloat32, kFloat64, kInt32, kBool});
    const DType index_dtype = random.Pick<DType>({kInt32, kInt64});
    const Array x = random.Fill(dtype, c.x);
    const Array indices =
        RandomIndices(random, index_dtype, c.indices, c.x[static_cast<size_t>(c.axis)]);
    Tape t;
    const Value y = Gather(t.Input("x", dtype, ToShape(c.x)),
                           t.Input("i", index_dtype, ToShape(c.indices)), c.axis, c.batch);
    const std::vector<Array> out = MustRun(t, {y}, {{"x", x}, {"i", indices}});
    ASSERT_EQ(out.size(), 1u);
    ASSERT_EQ(out[0].dims(), c.elements);
    c.Walk(indices, [&](int64_t from, int64_t to) {
      const double a = out[0].At(to), b = x.At(from);
      ASSERT_TRUE(a == b && std::signbit(a) == std::signbit(b)) << to;
    });
  }
}

TEST(Gather, ReadsStridedValuesAndIndices) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3, 4}), i = t.Input("i", kInt32, {2, 3});
  const Value y = Gather(Transpose(x), BroadcastTo(Slice(i, 0, 1, 2), {2, 3}), 1);
  const std::vector<Array> out =
      MustRun(t, {y},
              {{"x", Array::Matrix<float>({{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9, 10, 11}})},
               {"i", Array::Matrix<int32_t>({{9, 9, 9}, {2, 0, 2}})}});
  ASSERT_EQ(out[0].dims(), (Dims{4, 2, 3}));
  for (int64_t r = 0; r < 4; r++) {
    for (int64_t k = 0; k < 2; k++) {
      EXPECT_EQ(out[0].At(r * 6 + k * 3), 8 + r);
      EXPECT_EQ(out[0].At(r * 6 + k * 3 + 1), r);
      EXPECT_EQ(out[0].At(r * 6 + k * 3 + 2), 8 + r);
    }
  }
}

TEST(ScatterAdd, AddsInTheOrderOfTheIndices) {
  for (uint64_t seed : Seeds(200, 50)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Case c = RandomCase(random);
    const int64_t n = c.x[static_cast<size_t>(c.axis)];
    const Array updates = random.Fill(kFloat32, c.elements);
    const Array indices = RandomIndices(random, kInt32, c.indices, n);
    Tape t;
    const Value y = ScatterAdd(t.Input("u", kFloat32, ToShape(c.elements)),
                               t.Input("i", kInt32, ToShape(c.indices)), n, c.axis, c.batch);
    ASSERT_TRUE(y.ok()) << t.status();
    Array expected = *Array::Zeros(kFloat32, c.x);
    const absl::Span<float> sums = expected.mutable_data<float>();
    c.Walk(indices, [&](int64_t to, int64_t from) {
      sums[static_cast<size_t>(to)] += updates.data<float>()[static_cast<size_t>(from)];
    });
    const std::vector<Array> out = MustRun(t, {y}, {{"u", updates}, {"i", indices}});
    ASSERT_EQ(out.size(), 1u);
    EXPECT_TRUE(SameBits(out[0], expected)) << out[0].ToString() << expected.ToString();
  }
}

TEST(ScatterAdd, OfNothingIsZero) {
  Tape t;
  const Value y = ScatterAdd(t.Input("u", kFloat64, {0, 2}), t.Input("i", kInt64, {0}), 3);
  const std::vector<Array> out = MustRun(
      t, {y + 0.0}, {{"u", *Array::Zeros(kFloat64, {0, 2})}, {"i", *Array::Zeros(kInt64, {0})}});
  EXPECT_TRUE(SameBits(out[0], *Array::Zeros(kFloat64, {3, 2})));
}

TEST(Gather, ReportsAnIndexOutOfRange) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3}), i = t.Input("i", kInt32, {2});
  const Value y = Gather(x, i);
  const uint32_t line = y.node().line.line;
  for (const int32_t wrong : {3, -1}) {
    const absl::Status status =
        TryRun(t, {y},
               {{"x", Array::Vector<float>({1, 2, 3})}, {"i", Array::Vector<int32_t>({0, wrong})}})
            .status();
    EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
    const std::string expected =
        "gather: float32[3] x int32[2]: index " + std::to_string(wrong) + " is outside of [0, 3)";
    EXPECT_EQ(std::string(status.message()).substr(0, expected.size()), expected);
    EXPECT_NE(std::string(status.message()).find("gather_test.cc:" + std::to_string(line)),
              std::string::npos);
  }
}

TEST(Gather, FromAnEmptyAxisIsAnError) {
  Tape t;
  const Value y = Gather(t.Input("x", kFloat32, {0}), t.Input("i", kInt32, {2}));
  const absl::Status status =
      TryRun(t, {y}, {{"x", *Array::Zeros(kFloat32, {0})}, {"i", *Array::Zeros(kInt32, {2})}})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
}

TEST(ScatterAdd, ReportsAnIndexOutOfRange) {
  Tape t;
  const Value y = ScatterAdd(t.Input("u", kFloat32, {2}), t.Input("i", kInt64, {2}), 4);
  const absl::Status status =
      TryRun(t, {y}, {{"u", Array::Vector<float>({1, 2})}, {"i", Array::Vector<int64_t>({0, 4})}})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace talweg
