#include "ops/view.h"

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "tests/interpreter/random_arrays.h"
#include "tests/interpreter/run.h"

namespace talweg {
namespace {

// The definition, element by element.
Array NaiveView(const Array& x, const ViewAttributes& view) {
  const Dims dims = Resolve(view.shape, {});
  Array out = *Array::Zeros(kFloat64, dims);
  const Dims strides = RowMajorStrides(x.dims()), out_strides = RowMajorStrides(dims);
  const absl::Span<double> elements = out.mutable_data<double>();
  for (int64_t at = 0; at < out.size(); at++) {
    int64_t place = 0;
    bool inside = true;
    for (size_t d = 0; d < view.axes.size(); d++) {
      int64_t i = view.axes[d].offset;
      for (const AxisMap::Term& term : view.axes[d].terms) {
        const auto axis = static_cast<size_t>(term.axis);
        i += term.step * (at / out_strides[axis] % dims[axis]);
      }
      inside = inside && i % view.axes[d].dilation == 0;
      i /= view.axes[d].dilation;
      inside = inside && i >= 0 && i < x.dims()[d];
      place += i * strides[d];
    }
    elements[static_cast<size_t>(at)] = inside ? x.At(place) : view.fill;
  }
  return out;
}

ViewAttributes RandomView(Random& random, const Dims& from, bool inside_only) {
  ViewAttributes view;
  view.fill = random.Pick<double>({0, 1, -2.5, -HUGE_VAL});
  std::vector<int64_t> free;
  for (int64_t i = random.Between(0, 4); i > 0; i--) {
    free.push_back(static_cast<int64_t>(view.shape.size()));
    view.shape.push_back(random.Pick<int64_t>({1, 2, 3, 5, 8, 17}));
  }
  for (size_t i = free.size(); i > 1; i--) {
    std::swap(free[i - 1],
              free[static_cast<size_t>(random.Between(0, static_cast<int64_t>(i) - 1))]);
  }
  for (int64_t extent : from) {
    AxisMap map;
    if (!inside_only && random.Chance(0.3)) map.dilation = random.Between(2, 3);
    map.offset = inside_only ? random.Between(0, extent - 1) : random.Between(-4, extent + 3);
    for (int64_t terms = random.Pick<int64_t>({0, 1, 1, 1, 2}); terms > 0 && !free.empty();
         terms--) {
      const int64_t step = random.Pick<int64_t>({1, 1, 1, -1, 2, -3});
      const int64_t reach = (view.shape[static_cast<size_t>(free.back())].value() - 1) * step;
      if (inside_only && (map.offset + reach < 0 || map.offset + reach >= extent)) continue;
      if (inside_only && !map.terms.empty()) continue;
      map.terms.push_back({free.back(), step});
      free.pop_back();
    }
    view.axes.push_back(map);
  }
  return view;
}

TEST(View, ReadsWhatItsIndexFormulaSays) {
  for (uint64_t seed : Seeds(400, 100)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Dims dims = random.Shape(3, 300);
    for (int64_t& extent : dims) extent = std::max<int64_t>(extent, 1);
    const Array x = random.Fill(kFloat64, dims);
    Tape t;
    const Value input = t.Input("x", kFloat64, ToShape(dims));
    const ViewAttributes first = RandomView(random, dims, random.Chance(0.5));
    const Value once = View(input, first, {});
    // A view of a view: the strides of the first meet the second.
    const Dims between = Resolve(first.shape, {});
    const ViewAttributes second = RandomView(random, between, random.Chance(0.5));
    const Value twice = View(once, second, {});
    const Array expected_once = NaiveView(x, first);
    const Array expected_twice = NaiveView(expected_once, second);
    const std::vector<Array> out = MustRun(t, {once, twice}, {{"x", x}});
    ASSERT_EQ(out.size(), 2u);
    EXPECT_TRUE(SameBits(out[0], expected_once)) << out[0].ToString() << expected_once.ToString();
    EXPECT_TRUE(SameBits(out[1], expected_twice)) << out[1].ToString() << expected_twice.ToString();
  }
}

TEST(View, CopiesEveryElementType) {
  for (DType dtype : kAllDTypes) {
    Random random(7);
    const Array x = random.Fill(dtype, {5, 7});
    Tape t;
    const Value input = t.Input("x", dtype, {5, 7});
    const Value padded = Pad(Transpose(input), {{1, 2}, {0, 1}}, 1);
    const std::vector<Array> out = MustRun(t, {padded}, {{"x", x}});
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].dtype(), dtype);
    for (int64_t i = 0; i < 10; i++) {
      for (int64_t j = 0; j < 6; j++) {
        const bool inside = i >= 1 && i < 8 && j < 5;
        EXPECT_EQ(out[0].At(i * 6 + j), inside ? x.At(j * 7 + i - 1) : 1);
      }
    }
  }
}

TEST(View, FarOffsetsGiveFill) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3});
  const int64_t far = int64_t{1} << 60;
  const Value y = View(
      x, {.axes = {{.offset = -far, .dilation = 1, .terms = {{0, 1}}}}, .fill = 4, .shape = {2}},
      {});
  const std::vector<Array> out = MustRun(t, {y}, {{"x", Array::Vector<float>({1, 2, 3})}});
  EXPECT_TRUE(SameBits(out[0], Array::Vector<float>({4, 4})));
}

TEST(View, RefusesIndicesThatOverflow) {
  Tape t;
  const Value x = t.Input("x", kFloat32, {3});
  const int64_t far = INT64_MAX;
  const Value y = View(
      x, {.axes = {{.offset = far, .dilation = 1, .terms = {{0, far}}}}, .fill = 4, .shape = {9}},
      {"model.cc", 3});
  EXPECT_FALSE(y.ok());
  EXPECT_EQ(std::string(t.status().message()),
            "view: float32[3]: an index of the operand would not fit 62 bits (model.cc:3)");
}

TEST(Reshape, KeepsRowMajorOrderOfStridedValues) {
  for (uint64_t seed : Seeds(200, 50)) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const Dims dims = {random.Between(1, 4), random.Between(1, 4), random.Between(1, 4), 6};
    const Array x = random.Fill(kFloat32, dims);
    Tape t;
    const Value input = t.Input("x", kFloat32, ToShape(dims));
    Value v = input;
    if (random.Chance(0.5)) v = Transpose(v, {1, 0, 2, 3});
    if (random.Chance(0.3)) v = Transpose(v, {0, 3, 1, 2});
    if (random.Chance(0.3))
      v = BroadcastTo(ExpandDims(v, 2), {v.dim(0), v.dim(1), 2, v.dim(2), v.dim(3)});
    if (random.Chance(0.3)) v = Slice(v, 0, 0, 2);
    int64_t size = 1;
    for (Dim dim : v.shape()) size *= dim.value();
    Shape shape;
    for (int64_t rest = size; rest > 1;) {
      const int64_t factor = random.Pick<int64_t>({1, 2, 3});
      if (rest % factor != 0) {
        shape.push_back(rest);
        break;
      }
      shape.push_back(factor);
      rest /= factor;
    }
    if (SizeOf(Resolve(shape, {})) != size) shape = {size};
    const Value reshaped = Reshape(v, shape);
    // v itself is an output too, so that both are seen in their order.
    const std::vector<Array> out = MustRun(t, {v, reshaped, reshaped + 0.0}, {{"x", x}});
    ASSERT_EQ(out.size(), 3u);
    for (int64_t i = 0; i < size; i++) {
      ASSERT_EQ(out[0].At(i), out[1].At(i)) << i;
      ASSERT_EQ(out[0].At(i), out[2].At(i)) << i;
    }
  }
}

TEST(Concat, PutsOperandsOneAfterAnother) {
  for (int64_t axis = 0; axis < 3; axis++) {
    Tape t;
    Random random(static_cast<uint64_t>(axis) + 1);
    std::vector<Value> values;
    std::vector<Array> arrays;
    NamedArrays inputs;
    for (const int64_t extent : {2, 0, 3, 1}) {
      Dims dims = {2, 3, 4};
      dims[static_cast<size_t>(axis)] = extent;
      const std::string name = std::string("x") + std::to_string(arrays.size());
      arrays.push_back(random.Fill(kInt64, dims));
      inputs.insert({name, arrays.back()});
      values.push_back(t.Input(name, kInt64, ToShape(dims)));
    }
    const std::vector<Array> out = MustRun(t, {Concat(values, axis)}, inputs);
    ASSERT_EQ(out.size(), 1u);
    const Dims strides = RowMajorStrides(out[0].dims());
    for (int64_t at = 0; at < out[0].size(); at++) {
      Dims index;
      for (size_t d = 0; d < 3; d++) index.push_back(at / strides[d] % out[0].dims()[d]);
      int64_t& along = index[static_cast<size_t>(axis)];
      size_t k = 0;
      for (; along >= arrays[k].dims()[static_cast<size_t>(axis)]; k++) {
        along -= arrays[k].dims()[static_cast<size_t>(axis)];
      }
      const Dims from = RowMajorStrides(arrays[k].dims());
      EXPECT_EQ(out[0].At(at), arrays[k].At(index[0] * from[0] + index[1] * from[1] + index[2]));
    }
  }
}

}  // namespace
}  // namespace talweg
