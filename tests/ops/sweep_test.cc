// Walks the table of all ops: each elementwise op, of each element type it takes, against what it
// should compute and what calculus says about it. The other kinds are in sweep_kinds_test.cc.

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "base/convert.h"
#include "gmock/gmock.h"
#include "graph/jet.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "ops/elementwise.h"
#include "ops/reduce.h"
#include "ops/table.h"
#include "tests/graphs/engines.h"
#include "tests/ops/elements.h"
#include "tests/ops/references.h"

namespace talweg {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// Whether the op takes operands of this type (behind its mask), and what it gives.
std::optional<DType> ResultOf(const Op& op, DType dtype) {
  std::vector<Type> operands(static_cast<size_t>(op.map->arity), Type{dtype, {}});
  if (op.map->types == MapTypes::kSelect) operands[0].dtype = kBool;
  const absl::StatusOr<std::vector<Type>> types = op.infer(op, operands, {});
  if (!types.ok()) return std::nullopt;
  return (*types)[0].dtype;
}

// Casts are swept by themselves, once for each pair of types.
std::vector<const Op*> Maps() {
  std::vector<const Op*> maps;
  for (const Op* op : AllOps()) {
    if (op->kind == Kind::kMap && op != &kCastOp) maps.push_back(op);
  }
  return maps;
}

DType OperandType(const Op& op, int32_t k, DType dtype) {
  return op.map->types == MapTypes::kSelect && k == 0 ? kBool : dtype;
}

// All tuples of `choices`, one array an operand: 12, 144 or 288 elements.
template <typename T>
std::vector<Array> Tuples(const Op& op, const std::vector<T>& choices) {
  std::vector<Array> arrays;
  size_t inner = 1;
  std::vector<size_t> counts;
  for (int32_t k = 0; k < op.map->arity; k++) {
    counts.push_back(OperandType(op, k, DTypeOf<T>) == DTypeOf<T> ? choices.size() : 2);
    inner *= counts.back();
  }
  const size_t total = inner;
  for (int32_t k = 0; k < op.map->arity; k++) {
    inner /= counts[static_cast<size_t>(k)];
    const auto at = [&](size_t i) { return i / inner % counts[static_cast<size_t>(k)]; };
    if (OperandType(op, k, DTypeOf<T>) != DTypeOf<T>) {
      std::vector<bool> mask;
      for (size_t i = 0; i < total; i++) mask.push_back(at(i) != 0);
      arrays.push_back(Array::Vector<bool>(mask));
    } else {
      std::vector<T> elements;
      for (size_t i = 0; i < total; i++) elements.push_back(choices[at(i)]);
      arrays.push_back(Array::Vector<T>(elements));
    }
  }
  return arrays;
}

// The element of the reference for operands at place i, as a result of type `result`.
template <typename T>
double Wanted(const Reference& reference, const std::vector<Array>& arrays, int64_t i,
              DType result) {
  double wanted = 0;
  if constexpr (std::is_same_v<T, bool>) {
    bool x[3] = {};
    for (size_t k = 0; k < arrays.size(); k++) x[k] = arrays[k].At(i) != 0;
    wanted = reference.bools(x);
  } else if constexpr (std::is_integral_v<T>) {
    __int128 x[3] = {};
    for (size_t k = 0; k < arrays.size(); k++) {
      x[k] = arrays[k].dtype() == kBool ? static_cast<__int128>(arrays[k].At(i))
                                        : arrays[k].data<T>()[static_cast<size_t>(i)];
    }
    // Wraps.
    wanted = static_cast<double>(static_cast<T>(reference.integers(x)));
  } else {
    double x[3] = {};
    for (size_t k = 0; k < arrays.size(); k++) x[k] = arrays[k].At(i);
    wanted = reference.floats(x);
    if (result == kFloat32) wanted = static_cast<double>(static_cast<float>(wanted));
  }
  return wanted;
}

// Float32 formulas err by a few units of the last place; float64 calls the library. Zeros must have
// their sign, unless something was rounded away.
bool Close(double got, double wanted, DType dtype) {
  if (std::isnan(wanted) || std::isnan(got)) return std::isnan(wanted) && std::isnan(got);
  if (got == wanted) return wanted != 0 || std::signbit(got) == std::signbit(wanted);
  if (std::isinf(wanted) || std::isinf(got) || !IsFloat(dtype)) return false;
  const double relative = dtype == kFloat32 ? 5e-7 : 4e-15;
  const double least = dtype == kFloat32 ? 3e-45 : 1e-323;
  return std::fabs(got - wanted) <= relative * std::fabs(wanted) + least;
}

class MapSweep : public testing::TestWithParam<const Op*> {
 protected:
  const Op& op() const { return *GetParam(); }
  int32_t arity() const { return op().map->arity; }

  template <typename T>
  void ExpectReference(const std::vector<T>& choices) {
    const std::optional<DType> result = ResultOf(op(), DTypeOf<T>);
    if (!result) return;
    const Reference* reference = FindReference(op().name);
    ASSERT_NE(reference, nullptr) << "tests/ops/references.cc lacks '" << op().name << "'";
    const std::vector<Array> arrays = Tuples<T>(op(), choices);
    const absl::StatusOr<Array> got = Apply(op(), arrays);
    ASSERT_TRUE(got.ok()) << got.status();
    ASSERT_EQ(got->dtype(), *result);
    for (int64_t i = 0; i < got->size(); i++) {
      const double wanted = Wanted<T>(*reference, arrays, i, *result);
      std::string at;
      for (const Array& array : arrays) absl::StrAppend(&at, " ", array.At(i));
      EXPECT_TRUE(Close(got->At(i), wanted, *result))
          << op().name << " of " << Name(DTypeOf<T>) << at << " is " << got->At(i) << ", not "
          << wanted;
    }
  }

  // Samples of operand k where the op's record says that there are some, away from its kinks.
  std::vector<double> Samples(int32_t k, size_t count) {
    const MapSamples& samples = op().map->samples[static_cast<size_t>(k)];
    std::vector<double> out;
    while (out.size() < count) {
      const double x = std::uniform_real_distribution<double>(samples.low, samples.high)(random_);
      bool near = false;
      for (int32_t i = 0; i < samples.kink_count; i++) {
        near |= std::fabs(x - samples.kinks[static_cast<size_t>(i)]) < 0.05;
      }
      if (!near) out.push_back(x);
    }
    return out;
  }

  std::mt19937_64 random_{1};
};

std::string NameOf(const testing::TestParamInfo<const Op*>& info) { return info.param->name; }
INSTANTIATE_TEST_SUITE_P(Ops, MapSweep, testing::ValuesIn(Maps()), NameOf);

// ---- Values ---------------------------------------------------------------------------------

TEST_P(MapSweep, ComputesItsReferenceOnSamples) {
  const std::vector<double> samples = Samples(0, 20);
  ExpectReference(samples);
  std::vector<float> floats(samples.begin(), samples.end());
  ExpectReference(floats);
  ExpectReference<int32_t>({-100, -7, -2, -1, 0, 1, 2, 3, 5, 99});
  ExpectReference<int64_t>({-100, -7, -2, -1, 0, 1, 2, 3, 5, 99});
  ExpectReference<bool>({false, true});
}

TEST_P(MapSweep, ComputesItsReferenceOnSpecialValues) {
  for (DType dtype : kAllDTypes) {
    WithType(dtype, [&]<typename T>(T) { ExpectReference(SpecialsOf<T>()); });
  }
}

TEST_P(MapSweep, KeepsTheFactsOfItsRecord) {
  const MapFacts& facts = op().map->facts;
  for (DType dtype : kAllDTypes) {
    if (ResultOf(op(), dtype) != dtype) continue;
    WithType(dtype, [&]<typename T>(T) {
      const std::vector<T> x = SpecialsOf<T>();
      const auto map = [&](std::vector<std::vector<T>> operands) {
        std::vector<Array> arrays;
        for (const std::vector<T>& operand : operands) arrays.push_back(Array::Vector<T>(operand));
        return Apply(op(), arrays).value();
      };
      const auto constant = [&](double c) {
        return std::vector<T>(x.size(), ConvertElement<T>(c));
      };
      const auto elements = [](const Array& array) {
        return std::vector<T>(array.data<T>().begin(), array.data<T>().end());
      };
      const Array same = Array::Vector<T>(x);
      const bool identities = dtype != kBool || op().map->types == MapTypes::kBools;
      if (facts.right_identity && identities) {
        EXPECT_TRUE(SameBits(map({x, constant(*facts.right_identity)}), same)) << Name(dtype);
      }
      if (facts.left_identity && identities) {
        EXPECT_TRUE(SameBits(map({constant(*facts.left_identity), x}), same)) << Name(dtype);
      }
      if (facts.involution) {
        EXPECT_TRUE(SameBits(map({elements(map({x}))}), same)) << Name(dtype);
      }
      if (facts.idempotent && arity() == 1) {
        EXPECT_TRUE(SameBits(map({elements(map({x}))}), map({x}))) << Name(dtype);
      }
      if (facts.idempotent && arity() == 2) {
        EXPECT_TRUE(SameBits(map({x, x}), same)) << Name(dtype);
      }
      if (facts.commutative) {
        for (size_t shift = 0; shift < x.size(); shift++) {
          std::vector<T> y = x;
          std::rotate(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(shift), y.end());
          EXPECT_TRUE(SameBits(map({x, y}), map({y, x}))) << Name(dtype);
        }
      }
      if (facts.keeps_zero && op().map->types != MapTypes::kSelect) {
        const std::vector<std::vector<T>> zeros(static_cast<size_t>(arity()), {T{}});
        EXPECT_EQ(map(zeros).At(0), 0) << Name(dtype);
      }
    });
  }
}

// ---- Derivatives ----------------------------------------------------------------------------

double JetDerivative(const Op& op, const std::vector<double>& x, int32_t i, int32_t j) {
  using First = Jet<Number<double>>;
  std::vector<SecondJet> operands;
  for (int32_t k = 0; k < op.map->arity; k++) {
    operands.push_back(SecondJet(First(x[static_cast<size_t>(k)], k == j ? 1.0 : 0.0),
                                 First(k == i ? 1.0 : 0.0, 0.0)));
  }
  const SecondJet y = op.map->jet(operands.data());
  return j < 0 ? y.derivative().value().raw() : y.derivative().derivative().raw();
}

constexpr size_t kSampleCount = 20;

// Derivatives as graphs, at samples: element s of first[i] is dy/dx_i at sample s, of second[i][j]
// its derivative by x_j.
TEST_P(MapSweep, HasTheDerivativesThatJetsAndDifferencesHave) {
  if (ResultOf(op(), kFloat64) != kFloat64) GTEST_SKIP() << "gives no floats";
  Tape t;
  NamedArrays inputs;
  std::vector<Value> x, differentiable;
  std::vector<int32_t> of;
  std::vector<std::vector<double>> samples;
  for (int32_t k = 0; k < arity(); k++) {
    const std::string name = absl::StrCat("x", k);
    const DType dtype = OperandType(op(), k, kFloat64);
    samples.push_back(Samples(k, kSampleCount));
    // Operands that are compared stand apart.
    for (size_t s = 0; k > 0 && s < kSampleCount; s++) {
      if (std::fabs(samples[static_cast<size_t>(k)][s] - samples[0][s]) < 0.05) {
        samples[static_cast<size_t>(k)][s] += 0.1;
      }
    }
    if (dtype == kBool) {
      for (double& sample : samples.back()) sample = sample > 0;
    }
    inputs[name] = Array::Vector<double>(samples.back()).Cast(dtype).value();
    x.push_back(t.Input(name, dtype, {static_cast<int64_t>(kSampleCount)}));
    if (dtype == kFloat64) {
      of.push_back(k);
      differentiable.push_back(x.back());
    }
  }
  const Value y = Map(op(), x, {}, kHere);
  const std::vector<Value> first = Gradient(Sum(y), differentiable);
  std::vector<Value> outputs = {y};
  outputs.insert(outputs.end(), first.begin(), first.end());
  for (const Value& dx : first) {
    const std::vector<Value> second = Gradient(Sum(dx), differentiable);
    outputs.insert(outputs.end(), second.begin(), second.end());
  }
  const absl::StatusOr<std::vector<Array>> at = RunOnAllEngines(outputs, inputs);
  ASSERT_TRUE(at.ok()) << at.status();

  // What has partials must have the oracle for them.
  for (const MapRule::Partial partial : op().map->partials) {
    EXPECT_TRUE(partial == nullptr || op().map->jet != nullptr);
  }
  // An op that stops gradients has no jet; its derivatives are 0 and not those of its formula.
  const bool stops = op().map->jet == nullptr;
  const size_t n = of.size();
  constexpr double kStep = 1e-5;
  for (size_t j = 0; j < n; j++) {
    const auto shifted = [&](double by) {
      NamedArrays moved = inputs;
      for (double& element : moved[absl::StrCat("x", of[j])].mutable_data<double>()) element += by;
      return RunOnAllEngines(outputs, moved).value();
    };
    const std::vector<Array> after = shifted(kStep), before = shifted(-kStep);
    for (int64_t s = 0; s < static_cast<int64_t>(kSampleCount); s++) {
      std::vector<double> point;
      for (const std::vector<double>& sample : samples) {
        point.push_back(sample[static_cast<size_t>(s)]);
      }
      // Output `place` by x_j: the graph's derivative, the jet's, and the difference.
      const auto compare = [&](double got, double jet, size_t place) {
        const double difference = (after[place].At(s) - before[place].At(s)) / (2 * kStep);
        const double scale = std::max(1.0, std::fabs(jet));
        EXPECT_NEAR(got, jet, 1e-12 * scale) << "sample " << s << " at " << point[0];
        if (!stops) {
          EXPECT_NEAR(got, difference, 1e-6 * scale) << "sample " << s;
        }
      };
      compare((*at)[1 + j].At(s), stops ? 0 : JetDerivative(op(), point, of[j], -1), 0);
      for (size_t i = 0; i < n; i++) {
        compare((*at)[1 + n + i * n + j].At(s),
                stops ? 0 : JetDerivative(op(), point, of[i], of[j]), 1 + i);
      }
    }
  }
}

// ---- Shapes ---------------------------------------------------------------------------------

// Element i of an array of `dims`, broadcast to `to`: which element of the array that is.
int64_t BroadcastPlace(const Dims& dims, const Dims& to, int64_t i) {
  const Dims from_strides = RowMajorStrides(dims), to_strides = RowMajorStrides(to);
  int64_t place = 0;
  for (size_t back = 1; back <= dims.size(); back++) {
    const size_t a = dims.size() - back, b = to.size() - back;
    if (dims[a] != 1) place += i / to_strides[b] % to[b] * from_strides[a];
  }
  return place;
}

TEST_P(MapSweep, BroadcastsAsNumPyDoes) {
  if (arity() == 1) GTEST_SKIP() << "one operand";
  const struct {
    std::vector<Dims> operands;
    Dims result;
  } cases[] = {
      {{{4, 1}, {3}, {1}}, {4, 3}},          {{{}, {2, 3}, {3}}, {2, 3}},
      {{{2, 1, 5}, {4, 1}, {}}, {2, 4, 5}},  {{{1}, {7}, {1, 1}}, {}},
      {{{3, 1}, {0}, {1}}, {3, 0}},          {{{17}, {1}, {17}}, {17}},
      {{{1, 33}, {2, 1}, {2, 33}}, {2, 33}},
  };
  for (DType dtype : kAllDTypes) {
    if (!ResultOf(op(), dtype)) continue;
    WithType(dtype, [&]<typename T>(T) {
      for (const auto& test : cases) {
        std::vector<Dims> shapes(test.operands.begin(), test.operands.begin() + arity());
        std::vector<Array> arrays;
        Dims result;
        for (int32_t k = 0; k < arity(); k++) {
          const Dims& dims = shapes[static_cast<size_t>(k)];
          Array array = Array::Zeros(DTypeOf<T>, dims).value();
          for (T& element : array.template mutable_data<T>()) {
            element = ConvertElement<T>(0.3 + static_cast<double>(random_() % 19) / 10);
          }
          if (OperandType(op(), k, dtype) == kBool) array = array.Cast(kBool).value();
          arrays.push_back(array);
          // NumPy's rule, said once more.
          if (dims.size() > result.size()) {
            result.insert(result.begin(), dims.size() - result.size(), 1);
          }
          for (size_t back = 1; back <= dims.size(); back++) {
            int64_t& extent = result[result.size() - back];
            if (extent == 1) extent = dims[dims.size() - back];
          }
        }
        const absl::StatusOr<Array> got = Apply(op(), arrays);
        ASSERT_TRUE(got.ok()) << got.status();
        ASSERT_EQ(got->dims(), result);
        // The same elements, spread out before.
        std::vector<Array> flat;
        for (const Array& array : arrays) {
          Array spread = Array::Zeros(array.dtype(), {SizeOf(result)}).value();
          WithType(array.dtype(), [&]<typename U>(U) {
            const auto to = spread.mutable_data<U>();
            for (size_t i = 0; i < to.size(); i++) {
              to[i] = array.data<U>()[static_cast<size_t>(
                  BroadcastPlace(array.dims(), result, static_cast<int64_t>(i)))];
            }
          });
          flat.push_back(spread);
        }
        const Array wanted = Apply(op(), flat).value();
        EXPECT_TRUE(SameBits(got->Reshaped({got->size()}).value(), wanted))
            << Name(dtype) << ToString(result);
      }
    });
  }
}

TEST_P(MapSweep, TakesScalarsAndEmptyShapes) {
  for (DType dtype : kAllDTypes) {
    const std::optional<DType> result = ResultOf(op(), dtype);
    if (!result) continue;
    for (const Dims& dims : std::vector<Dims>{{}, {0}, {2, 0, 3}, {1, 1, 1}, {1, 0}}) {
      std::vector<Array> arrays;
      for (int32_t k = 0; k < arity(); k++) {
        arrays.push_back(Array::Zeros(OperandType(op(), k, dtype), dims).value());
      }
      const absl::StatusOr<Array> got = Apply(op(), arrays);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(got->dims(), dims);
      EXPECT_EQ(got->dtype(), *result);
    }
  }
}

// ---- Wrong inputs ---------------------------------------------------------------------------

TEST_P(MapSweep, RefusesWrongInputsByOpShapesAndLine) {
  int refused = 0;
  // Returns how the message begins and how it ends, and counts.
  const auto expect = [&](const std::vector<Value>& operands, std::string_view shapes,
                          const Tape& t) {
    ASSERT_FALSE(Map(op(), operands, {}, kHere).ok()) << op().name;
    EXPECT_THAT(std::string(t.status().message()),
                AllOf(StartsWith(absl::StrCat(op().name, ": ")), HasSubstr(std::string(shapes)),
                      HasSubstr("(sweep_test.cc:7)")));
    refused++;
  };
  for (DType dtype : kAllDTypes) {
    if (ResultOf(op(), dtype)) continue;
    Tape t;
    std::vector<Value> operands;
    for (int32_t k = 0; k < arity(); k++) {
      operands.push_back(t.Input(absl::StrCat("x", k), OperandType(op(), k, dtype), {kRows, 3}));
    }
    expect(operands, absl::StrCat(Name(dtype), "[rows,3]"), t);
  }
  const DType good = *[&] {
    for (DType dtype : kAllDTypes) {
      if (ResultOf(op(), dtype)) return std::optional<DType>(dtype);
    }
    return std::optional<DType>();
  }();
  const auto operands = [&](Tape& t) {
    std::vector<Value> values;
    for (int32_t k = 0; k < arity(); k++) {
      values.push_back(t.Input(absl::StrCat("x", k), OperandType(op(), k, good), {2, 3}));
    }
    return values;
  };
  const std::string shape = absl::StrCat(Name(good), "[2,3]");
  {
    Tape t;
    std::vector<Value> values = operands(t);
    values.push_back(values.back());
    expect(values, shape, t);
  }
  {
    Tape t;
    std::vector<Value> values = operands(t);
    values.push_back(Value());
    expect(values, "no tape", t);
  }
  {
    Tape t, other;
    std::vector<Value> values = operands(t);
    if (arity() > 1) values.pop_back();
    values.push_back(other.Input("other", good, {2, 3}));
    expect(values, "two tapes", t);
  }
  if (arity() > 1) {
    Tape t;
    std::vector<Value> values = operands(t);
    values.back() = t.Input("last", good, {4, 3});
    expect(values, absl::StrCat(Name(good), "[4,3]"), t);
    Tape u;
    values = operands(u);
    values.back() = u.Input("last", good == kFloat64 ? kFloat32 : kFloat64, {2, 3});
    expect(values, "float64[2,3]", u);
  }
  // With fewer, other kinds of mistakes are possible; the count keeps this test honest.
  EXPECT_GE(refused, 3) << op().name;
}

}  // namespace
}  // namespace talweg
