// The ops of the table that are not elementwise: each against a plain float64 program, on ordinary
// and special values, and its derivatives of two orders against differences. wrong_inputs_test.cc
// has their mistakes, sweep_test.cc the elementwise ops.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/contract.h"
#include "ops/custom.h"
#include "ops/elementwise.h"
#include "ops/gather.h"
#include "ops/loop.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "ops/view.h"
#include "tests/graphs/engines.h"
#include "tests/ops/elements.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

using Doubles = std::vector<double>;
using Values = std::vector<Value>;

struct Case {
  const char* op;
  const char* what;
  std::vector<Dims> shapes;  // of the float inputs
  std::function<Value(const Values&)> build;
  // The elements of the result, said as a plain program.
  std::function<Doubles(const std::vector<Doubles>&)> reference;
  bool differentiable = true;
};

// The places i, ..., in row-major order.
Doubles Each(int64_t n, const std::function<double(int64_t)>& element) {
  Doubles out;
  for (int64_t i = 0; i < n; i++) out.push_back(element(i));
  return out;
}
double At(const Doubles& x, int64_t i) { return x[static_cast<size_t>(i)]; }

// NaN if there is one, else the greatest; -inf of nothing.
double Greatest(const Doubles& x) {
  double best = -std::numeric_limits<double>::infinity();
  for (double element : x) {
    if (std::isnan(element)) return element;
    if (element > best) best = element;
  }
  return best;
}
Doubles Negated(Doubles x) {
  for (double& element : x) element = -element;
  return x;
}
double PlaceOfGreatest(const Doubles& x) {
  size_t best = 0;
  for (size_t i = 0; i < x.size(); i++) {
    if (std::isnan(x[i])) return static_cast<double>(i);
    if (x[i] > x[best]) best = i;
  }
  return static_cast<double>(best);
}
// Elements i of x[n, m] along the first axis.
Doubles Column(const Doubles& x, int64_t n, int64_t m, int64_t i) {
  return Each(n, [&](int64_t k) { return At(x, k * m + i); });
}
double SumOf(const Doubles& x) {
  double sum = 0;
  for (double element : x) sum += element;
  return sum;
}
double ProductOf(const Doubles& x) {
  double product = 1;
  for (double element : x) product *= element;
  return product;
}

Value Integers(const Value& like, std::vector<int32_t> elements) {
  return Tape(like.tape()).Constant(Array::Vector<int32_t>(elements));
}

std::vector<Case> Cases() {
  std::vector<Case> cases = {
      {"view",
       "transpose",
       {{3, 4}},
       [](const Values& x) { return Transpose(x[0]); },
       [](const auto& x) {
         return Each(12, [&](int64_t i) { return At(x[0], i % 3 * 4 + i / 3); });
       }},
      {"view",
       "slice backwards",
       {{7, 2}},
       [](const Values& x) { return Slice(x[0], 0, 6, 0, -2); },
       [](const auto& x) {
         return Each(6, [&](int64_t i) { return At(x[0], (6 - i / 2 * 2) * 2 + i % 2); });
       }},
      {"view",
       "pad",
       {{3}},
       [](const Values& x) { return Pad(x[0], {{2, 1}}, 0.5); },
       [](const auto& x) {
         return Each(6, [&](int64_t i) { return i < 2 || i > 4 ? 0.5 : At(x[0], i - 2); });
       }},
      {"view",
       "windows",
       {{7}},
       [](const Values& x) { return Window(x[0], 0, 3, 2, 1); },
       [](const auto& x) {
         return Each(9, [&](int64_t i) { return At(x[0], i / 3 * 2 + i % 3); });
       }},
      {"view",
       "broadcast",
       {{3}},
       [](const Values& x) { return BroadcastTo(x[0], {4, 3}); },
       [](const auto& x) { return Each(12, [&](int64_t i) { return At(x[0], i % 3); }); }},
      {"view",
       "a scalar's broadcast",
       {{}},
       [](const Values& x) { return BroadcastTo(x[0], {2, 2}); },
       [](const auto& x) { return Each(4, [&](int64_t) { return x[0][0]; }); }},
      {"view",
       "of nothing",
       {{0, 3}},
       [](const Values& x) { return Transpose(x[0]); },
       [](const auto&) { return Doubles(); }},
      {"reshape",
       "",
       {{3, 4}},
       [](const Values& x) { return Reshape(x[0], {2, -1}); },
       [](const auto& x) { return x[0]; }},
      {"reshape",
       "of a scalar",
       {{}},
       [](const Values& x) { return Reshape(x[0], {1, 1}); },
       [](const auto& x) { return x[0]; }},
      {"reshape",
       "of nothing",
       {{2, 0}},
       [](const Values& x) { return Reshape(x[0], {0, 5}); },
       [](const auto& x) { return x[0]; }},
      {"concat",
       "",
       {{2, 2}, {2, 3}},
       [](const Values& x) { return Concat({x[0], x[1]}, 1); },
       [](const auto& x) {
         return Each(10, [&](int64_t i) {
           const int64_t row = i / 5, k = i % 5;
           return k < 2 ? At(x[0], row * 2 + k) : At(x[1], row * 3 + k - 2);
         });
       }},
      {"concat",
       "with nothing",
       {{0}, {3}},
       [](const Values& x) { return Concat({x[0], x[1]}, 0); },
       [](const auto& x) { return x[1]; }},
      {"sum",
       "of columns",
       {{5, 3}},
       [](const Values& x) { return Sum(x[0], 0); },
       [](const auto& x) {
         return Each(3, [&](int64_t i) { return SumOf(Column(x[0], 5, 3, i)); });
       }},
      {"sum",
       "in sixteen chains and blocks",
       {{4100}},
       [](const Values& x) { return Sum(x[0]); },
       [](const auto& x) { return Doubles{SumOf(x[0])}; }},
      {"sum",
       "of nothing",
       {{0, 2}},
       [](const Values& x) { return Sum(x[0], 0); },
       [](const auto&) { return Doubles{0, 0}; }},
      {"product",
       "of columns",
       {{4, 3}},
       [](const Values& x) { return Product(x[0], 0); },
       [](const auto& x) {
         return Each(3, [&](int64_t i) { return ProductOf(Column(x[0], 4, 3, i)); });
       }},
      {"product",
       "of nothing",
       {{0}},
       [](const Values& x) { return Product(x[0]); },
       [](const auto&) { return Doubles{1}; }},
      {"reduce_max",
       "of columns",
       {{5, 3}},
       [](const Values& x) { return ReduceMax(x[0], 0); },
       [](const auto& x) {
         return Each(3, [&](int64_t i) { return Greatest(Column(x[0], 5, 3, i)); });
       }},
      {"reduce_max",
       "of nothing",
       {{0}},
       [](const Values& x) { return ReduceMax(x[0]); },
       [](const auto& x) { return Doubles{Greatest(x[0])}; }},
      {"reduce_min",
       "of columns",
       {{5, 3}},
       [](const Values& x) { return ReduceMin(x[0], 0); },
       [](const auto& x) {
         return Each(3, [&](int64_t i) { return -Greatest(Negated(Column(x[0], 5, 3, i))); });
       }},
      {"reduce_min",
       "of nothing",
       {{0}},
       [](const Values& x) { return ReduceMin(x[0]); },
       [](const auto& x) { return Doubles{-Greatest(x[0])}; }},
      {"argmax",
       "of columns",
       {{5, 3}},
       [](const Values& x) { return ArgMax(x[0], 0); },
       [](const auto& x) {
         return Each(3, [&](int64_t i) { return PlaceOfGreatest(Column(x[0], 5, 3, i)); });
       },
       false},
      {"argmin",
       "of columns",
       {{5, 3}},
       [](const Values& x) { return ArgMin(x[0], 0); },
       [](const auto& x) {
         return Each(3, [&](int64_t i) { return PlaceOfGreatest(Negated(Column(x[0], 5, 3, i))); });
       },
       false},
      {"all",
       "positive",
       {{4, 2}},
       [](const Values& x) { return All(Greater(x[0], -1), 0); },
       [](const auto& x) {
         return Each(2, [&](int64_t i) {
           const Doubles column = Column(x[0], 4, 2, i);
           return std::all_of(column.begin(), column.end(), [](double e) { return e > -1; }) ? 1.0
                                                                                             : 0.0;
         });
       },
       false},
      {"all",
       "of nothing",
       {{0}},
       [](const Values& x) { return All(Greater(x[0], 0)); },
       [](const auto&) { return Doubles{1}; },
       false},
      {"any",
       "positive",
       {{4, 2}},
       [](const Values& x) { return Any(Greater(x[0], 1), 0); },
       [](const auto& x) {
         return Each(2, [&](int64_t i) {
           const Doubles column = Column(x[0], 4, 2, i);
           return std::any_of(column.begin(), column.end(), [](double e) { return e > 1; }) ? 1.0
                                                                                            : 0.0;
         });
       },
       false},
      {"any",
       "of nothing",
       {{0}},
       [](const Values& x) { return Any(Greater(x[0], 0)); },
       [](const auto&) { return Doubles{0}; },
       false},
      {"gather",
       "rows, one of them twice",
       {{4, 3}},
       [](const Values& x) { return Gather(x[0], Integers(x[0], {3, 1, 3})); },
       [](const auto& x) {
         return Each(9, [&](int64_t i) { return At(x[0], (i / 3 == 1 ? 1 : 3) * 3 + i % 3); });
       }},
      {"gather",
       "one of each row",
       {{3, 4}},
       [](const Values& x) { return Gather(x[0], Integers(x[0], {2, 0, 3}), 1, 1); },
       [](const auto& x) { return Doubles{At(x[0], 2), At(x[0], 4), At(x[0], 11)}; }},
      {"gather",
       "of nothing",
       {{4, 0}},
       [](const Values& x) { return Gather(x[0], Integers(x[0], {3, 1})); },
       [](const auto&) { return Doubles(); }},
      {"scatter_add",
       "into one place twice",
       {{3, 2}},
       [](const Values& x) { return ScatterAdd(x[0], Integers(x[0], {2, 0, 2}), 4); },
       [](const auto& x) {
         return Doubles{At(x[0], 2),
                        At(x[0], 3),
                        0,
                        0,
                        At(x[0], 0) + At(x[0], 4),
                        At(x[0], 1) + At(x[0], 5),
                        0,
                        0};
       }},
      {"scatter_add",
       "of nothing",
       {{0, 2}},
       [](const Values& x) { return ScatterAdd(x[0], Integers(x[0], {}), 2); },
       [](const auto&) { return Doubles(4, 0.0); }},
      {"contract",
       "a matrix product",
       {{3, 40}, {40, 2}},
       [](const Values& x) { return MatMul(x[0], x[1]); },
       [](const auto& x) {
         return Each(6, [&](int64_t i) {
           double sum = 0;
           for (int64_t k = 0; k < 40; k++)
             sum += At(x[0], i / 2 * 40 + k) * At(x[1], k * 2 + i % 2);
           return sum;
         });
       }},
      {"contract",
       "over the first axes",
       {{5, 3}, {5, 2}},
       [](const Values& x) { return Contract(x[0], x[1], {.lhs_sum = {0}, .rhs_sum = {0}}); },
       [](const auto& x) {
         return Each(6, [&](int64_t i) {
           double sum = 0;
           for (int64_t k = 0; k < 5; k++) sum += At(x[0], k * 3 + i / 2) * At(x[1], k * 2 + i % 2);
           return sum;
         });
       }},
      {"contract",
       "of scalars",
       {{}, {}},
       [](const Values& x) { return Contract(x[0], x[1], {}); },
       [](const auto& x) { return Doubles{x[0][0] * x[1][0]}; }},
      {"contract",
       "of nothing",
       {{2, 0}, {0, 2}},
       [](const Values& x) { return MatMul(x[0], x[1]); },
       [](const auto&) { return Doubles(4, 0.0); }},
      {"loop",
       "three squares and a sum",
       {{2}, {3, 2}},
       [](const Values& x) {
         const LoopResult loop =
             Loop(Tape(x[0].tape()), {.carried = {x[0]}, .scanned = {x[1]}}, [](LoopBody& body) {
               return LoopStep{.carried = {body.carried[0] * 0.5 + body.scanned[0]},
                               .stacked = {body.carried[0] * body.scanned[0]}};
             });
         return Concat({loop.carried[0], Reshape(loop.stacked[0], {6})}, 0);
       },
       [](const auto& x) {
         Doubles state = x[0], out;
         for (int64_t i = 0; i < 6; i++) {
           double& s = state[static_cast<size_t>(i % 2)];
           out.push_back(s * At(x[1], i));
           s = s * 0.5 + At(x[1], i);
         }
         out.insert(out.begin(), state.begin(), state.end());
         return out;
       }},
      {"loop",
       "without a trip",
       {{2}},
       [](const Values& x) {
         return Loop(Tape(x[0].tape()), {.trips = 0, .carried = {x[0]}},
                     [](LoopBody& body) { return LoopStep{.carried = {body.carried[0] * 2}}; })
             .carried[0];
       },
       [](const auto& x) { return x[0]; }},
  };
  return cases;
}

// Ordinary values, exact in float32.
Array Ordinary(const Dims& dims, double phase) {
  Doubles elements = Wave(SizeOf(dims), phase);
  for (double& x : elements) x = static_cast<double>(static_cast<float>(x));
  return Floats(kFloat64, dims, elements);
}

class KindSweep : public testing::TestWithParam<Case> {
 protected:
  NamedArrays Inputs() const {
    NamedArrays inputs;
    for (size_t i = 0; i < GetParam().shapes.size(); i++) {
      inputs[absl::StrCat("x", i)] = Ordinary(GetParam().shapes[i], static_cast<double>(i) + 0.5);
    }
    return inputs;
  }

  void ExpectReference(DType dtype, const NamedArrays& doubles) {
    Tape t;
    Values x;
    NamedArrays inputs;
    std::vector<Doubles> elements;
    for (const auto& [name, array] : doubles) {
      inputs[name] = array.Cast(dtype).value();
      elements.push_back(Elements(inputs[name]));
      x.push_back(t.Input(name, dtype, ToShape(array.dims())));
    }
    const Value y = GetParam().build(x);
    const absl::StatusOr<std::vector<Array>> got = RunOnAllEngines({y}, inputs);
    ASSERT_TRUE(got.ok()) << got.status();
    const Doubles wanted = GetParam().reference(elements);
    ASSERT_EQ((*got)[0].size(), static_cast<int64_t>(wanted.size()));
    // Sums of many terms round many times; what cancels leaves an error of the terms' size.
    const bool single = dtype == kFloat32;
    double terms = 1;
    for (const Doubles& operand : elements) {
      for (double e : operand) terms += std::isfinite(e) && std::fabs(e) < 1e30 ? std::fabs(e) : 0;
    }
    for (int64_t i = 0; i < (*got)[0].size(); i++) {
      const double g = (*got)[0].At(i);
      double w = At(wanted, i);
      if (single) w = static_cast<double>(static_cast<float>(w));
      if (std::isnan(w)) {
        EXPECT_TRUE(std::isnan(g)) << Name(dtype) << " element " << i << " is " << g;
      } else if (std::isinf(w)) {
        EXPECT_EQ(g, w) << Name(dtype) << " element " << i;
      } else {
        EXPECT_NEAR(g, w, (single ? 1e-6 : 1e-14) * std::max(std::fabs(w), terms))
            << Name(dtype) << " element " << i;
      }
    }
  }
};

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  std::string name = absl::StrCat(info.param.op, "_", info.param.what, "_", info.index);
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(Ops, KindSweep, testing::ValuesIn(Cases()), NameOf);

TEST_P(KindSweep, ComputesItsReference) {
  ExpectReference(kFloat64, Inputs());
  ExpectReference(kFloat32, Inputs());
}

// Each special value in turn stands first, in the middle and last among ordinary ones.
TEST_P(KindSweep, ComputesItsReferenceOnSpecialValues) {
  const auto sweep = [&](DType dtype, const Doubles& specials) {
    for (const double special : specials) {
      for (const auto& [name, array] : Inputs()) {
        for (const int64_t place : {int64_t{0}, array.size() / 2, array.size() - 1}) {
          if (array.size() == 0) continue;
          // A product overflows on the way, or not, depending on its precision.
          const bool ends = std::fabs(special) > 1e38 && std::isfinite(special);
          if (ends && dtype == kFloat32 && std::string_view(GetParam().op) == "product") continue;
          NamedArrays inputs = Inputs();
          inputs[name].mutable_data<double>()[static_cast<size_t>(place)] = special;
          SCOPED_TRACE(absl::StrCat(special, " at ", place, " of ", name));
          ExpectReference(dtype, inputs);
        }
      }
    }
  };
  const std::vector<float> floats = SpecialsOf<float>();
  sweep(kFloat32, Doubles(floats.begin(), floats.end()));
  sweep(kFloat64, SpecialsOf<double>());
}

TEST_P(KindSweep, HasTheDerivativesThatDifferencesSay) {
  if (!GetParam().differentiable) GTEST_SKIP() << "gives no floats";
  for (const Dims& dims : GetParam().shapes) {
    if (SizeOf(dims) > 1000) GTEST_SKIP() << "the short sums have been compared";
  }
  ExpectGradients([](const Values& x) { return GetParam().build(x); }, Inputs(), 1e-6);
}

// Ops that give no floats have the gradient 0, and that is no error.
TEST_P(KindSweep, LetsNoGradientThroughWhatIsNoFloat) {
  if (GetParam().differentiable) GTEST_SKIP() << "gives floats";
  Tape t;
  Values x;
  for (size_t i = 0; i < GetParam().shapes.size(); i++) {
    x.push_back(t.Input(absl::StrCat("x", i), kFloat64, ToShape(GetParam().shapes[i])));
  }
  const Value y = Sum(Cast(GetParam().build(x), kFloat64)) + Sum(x[0]);
  EXPECT_EQ(Evaluate(Gradient(y, x[0]), Inputs()),
            Doubles(static_cast<size_t>(SizeOf(GetParam().shapes[0])), 1.0));
}

// ---- Integers, which move and add without rounding
// -----------------------------------------------

TEST(KindSweep, IntegersWrapInSumsProductsAndContractions) {
  Tape t;
  const Value x = t.Input("x", kInt32, {3});
  const int32_t big = std::numeric_limits<int32_t>::max();
  const NamedArrays inputs = {{"x", Array::Vector<int32_t>({big, 2, 3})}};
  EXPECT_EQ(Evaluate(Sum(x), inputs), Doubles{-2147483644.0});
  EXPECT_EQ(Evaluate(Product(x), inputs), Doubles{-6.0});
  EXPECT_EQ(Evaluate(MatMul(x, x), inputs), Doubles{14.0});  // (2^31 - 1)^2 = 1 modulo 2^32
  EXPECT_EQ(Evaluate(ReduceMax(x), inputs), Doubles{2147483647.0});
  EXPECT_EQ(Evaluate(ReduceMin(x), inputs), Doubles{2.0});
  EXPECT_EQ(Evaluate(ScatterAdd(x, Integers(x, {1, 1, 0}), 2), inputs),
            (Doubles{3, -2147483647.0}));
}

// ---- Random ops and custom gradients, which no plain program repeats
// ------------------------------

TEST(KindSweep, RandomOpsArePureFunctionsOfTheirKey) {
  for (DType dtype : {kFloat32, kFloat64}) {
    Tape t;
    const Value key = t.Input("key", kInt64, {});
    const Values outputs = {RandomUniform(key, dtype, {1000}), RandomUniform(key, dtype, {999}),
                            RandomUniform(key, dtype, {}), RandomUniform(key, dtype, {0, 3}),
                            RandomUniform(FoldIn(key, 1), dtype, {1000})};
    for (int64_t k :
         {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min(), int64_t{12345}}) {
      const auto got = RunOnAllEngines(outputs, {{"key", Array(k)}});
      ASSERT_TRUE(got.ok()) << got.status();
      double sum = 0;
      for (int64_t i = 0; i < 1000; i++) {
        const double u = (*got)[0].At(i);
        EXPECT_TRUE(u >= 0 && u < 1) << u;
        if (i < 999) {
          EXPECT_EQ(u, (*got)[1].At(i)) << "a longer draw begins as a shorter one";
        }
        sum += u;
      }
      // Twelve deviations of the mean of a thousand: 12 / sqrt(12 * 1000).
      EXPECT_NEAR(sum / 1000, 0.5, 0.11);
      EXPECT_EQ((*got)[2].At(0), (*got)[0].At(0));
      EXPECT_EQ((*got)[3].size(), 0);
      EXPECT_FALSE(SameBits((*got)[0], (*got)[4]));
    }
  }
}

TEST(KindSweep, PermutationsHaveEveryNumberOnce) {
  for (const int64_t n : {0, 1, 2, 17, 1000}) {
    Tape t;
    const auto got =
        RunOnAllEngines({Permutation(t.Input("key", kInt64, {}), n)}, {{"key", Array(int64_t{5})}});
    ASSERT_TRUE(got.ok()) << got.status();
    std::set<double> seen;
    int64_t at_home = 0;
    for (int64_t i = 0; i < n; i++) {
      seen.insert((*got)[0].At(i));
      at_home += (*got)[0].At(i) == static_cast<double>(i);
    }
    EXPECT_EQ(seen.size(), static_cast<size_t>(n));
    if (n > 0) {
      EXPECT_EQ(*seen.rbegin(), static_cast<double>(n - 1));
    }
    if (n == 1000) {
      EXPECT_LT(at_home, 20);
    }
  }
}

TEST(KindSweep, ACustomGradientIsUsedInPlaceOfTheDerivative) {
  Tape t;
  const Value x = t.Input("x", kFloat64, {3});
  const auto make = [&](const Value& v) {
    return CustomGradient(
        {v}, [](absl::Span<const Value> a) { return Sign(a[0]); },
        [](absl::Span<const Value> a, const Value& y, const Value& dy) {
          return Values{dy * Square(a[0]) + y};
        });
  };
  const NamedArrays at = {{"x", Array::Vector<double>({-2, 0.5, 3})}};
  EXPECT_EQ(Evaluate(make(x), at), (Doubles{-1, 1, 1}));
  const Value dx = Gradient(Sum(make(x) * 10), x);
  EXPECT_EQ(Evaluate(dx, at), (Doubles{39, 3.5, 91}));
  // The derivative of 10 x^2 + y is 20 x and that of y, which is x^2 + y once more.
  EXPECT_EQ(Evaluate(Gradient(Sum(dx), x), at), (Doubles{-37, 11.25, 70}));
}

TEST(KindSweep, LeavesOutNoOpOfTheTable) {
  std::set<std::string> covered = {"random_uniform", "random_keys", "permutation", "custom"};
  for (const Case& test : Cases()) covered.insert(test.op);
  for (const Op* op : AllOps()) {
    if (op->kind != Kind::kMap) {
      EXPECT_TRUE(covered.contains(op->name)) << op->name;
    }
  }
}

}  // namespace
}  // namespace talweg
