// The evaluator's operations on lanes against ScalarProgram::Evaluate, one lane at a time.

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/expr.h"
#include "gtest/gtest.h"
#include "tests/base/seeds.h"
#include "tests/jit/loops/harness.h"

namespace talweg::loops {
namespace {

// How many elements each operation gets; a multiple of all numbers of lanes.
constexpr int64_t kElements = 480;

// Values at which operations branch or break, and random bits.
std::vector<uint64_t> Samples(DType dtype, std::mt19937_64& random) {
  std::vector<uint64_t> bits;
  const auto add = [&](auto... values) { (bits.push_back(ToBits(values)), ...); };
  const auto add_floats = [&](auto zero) {
    using T = decltype(zero);
    using Limits = std::numeric_limits<T>;
    add(T(0), T(-0.0), T(1), T(-1), Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(),
        Limits::denorm_min(), Limits::min(), Limits::max(), Limits::lowest(), T(0.5), T(-2.5),
        T(3.5), T(2147483648.0), T(-9.3e18));
  };
  const auto add_integers = [&](auto zero) {
    using T = decltype(zero);
    using Limits = std::numeric_limits<T>;
    add(T(0), T(1), T(-1), Limits::min(), Limits::max(), T(2), T(7), T(-7), T(16777217));
  };
  if (dtype == kFloat32) add_floats(float{});
  if (dtype == kFloat64) add_floats(double{});
  if (dtype == kInt32) add_integers(int32_t{});
  if (dtype == kInt64) add_integers(int64_t{});
  const uint64_t mask = dtype == kBool ? 1 : SizeOf(dtype) == 4 ? 0xffffffffu : ~uint64_t{0};
  while (bits.size() < 40) bits.push_back(random() & mask);
  while (static_cast<int64_t>(bits.size()) < 80) {
    const double x = std::normal_distribution<double>(0, 10)(random);
    if (dtype == kFloat32) add(static_cast<float>(x));
    if (dtype == kFloat64) add(x);
    if (dtype == kInt32) add(static_cast<int32_t>(x));
    if (dtype == kInt64) add(static_cast<int64_t>(x));
    if (dtype == kBool) add(x > 0);
  }
  return bits;
}

Array ToArray(DType dtype, const std::vector<uint64_t>& bits) {
  Array array = *Array::Zeros(dtype, {static_cast<int64_t>(bits.size())});
  const auto size = static_cast<size_t>(SizeOf(dtype));
  for (size_t i = 0; i < bits.size(); i++) {
    std::memcpy(array.mutable_bytes() + i * size, &bits[i], size);
  }
  return array;
}

uint64_t BitsAt(const Array& array, int64_t i) {
  uint64_t bits = 0;
  const auto size = static_cast<size_t>(SizeOf(array.dtype()));
  std::memcpy(&bits, array.raw() + static_cast<size_t>(i) * size, size);
  return bits;
}

bool IsNan(DType dtype, uint64_t bits) {
  if (dtype == kFloat32) return std::isnan(FromBits<float>(bits));
  return dtype == kFloat64 && std::isnan(FromBits<double>(bits));
}

// One operation on operands of these types.
void Check(Opcode opcode, const std::vector<DType>& operands, DType result, uint64_t immediate,
           std::mt19937_64& random) {
  ScalarProgram formula;
  talweg::Instruction step{.opcode = opcode, .dtype = result, .immediate = immediate};
  std::vector<Type> types;
  std::vector<std::vector<uint64_t>> columns;
  std::vector<Array> arrays;
  for (size_t k = 0; k < operands.size(); k++) {
    step.operands[k] = formula.Input(operands[k]).id();
    types.push_back({operands[k], {kElements}});
    const std::vector<uint64_t> samples = Samples(operands[k], random);
    std::vector<uint64_t>& column = columns.emplace_back();
    for (int64_t i = 0; i < kElements; i++) {
      const auto draw = static_cast<size_t>(k == 0 ? static_cast<uint64_t>(i) : random());
      column.push_back(samples[draw % samples.size()]);
    }
    arrays.push_back(ToArray(operands[k], column));
  }
  const int32_t id = formula.Append(step).id();
  for (const int32_t lanes : {1, 2, 4, 5, 8, 16, 24}) {
    Harness h(types, {{result, {kElements}}});
    const Register i = h.b.OpenFor({.value = 0}, {.value = kElements}, lanes).variable;
    Registers inputs;
    for (int32_t buffer : h.in) inputs.push_back(h.b.Load(buffer, i, lanes));
    h.b.Store(h.out[0], i, h.b.Inline(formula, id, inputs));
    h.b.CloseFor();
    const absl::StatusOr<std::vector<Array>> out = h.Run(arrays);
    ASSERT_TRUE(out.ok()) << out.status();
    for (int64_t k = 0; k < kElements; k++) {
      std::vector<uint64_t> bits;
      for (const auto& column : columns) bits.push_back(column[static_cast<size_t>(k)]);
      const uint64_t want = formula.Evaluate(id, bits), got = BitsAt((*out)[0], k);
      if (want == got || (IsNan(result, want) && IsNan(result, got))) continue;
      FAIL() << formula.ToString() << "with " << lanes << " lanes gives " << got << ", not " << want
             << ", for element " << k;
    }
  }
}

class EvaluateScalar : public testing::Test {
 protected:
  EvaluateScalar() : seed_(FreshSeed()), random_(seed_) {}
  ~EvaluateScalar() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  const uint64_t seed_;
  std::mt19937_64 random_;
};

constexpr Opcode kUnaryOfNumbers[] = {Opcode::kNeg, Opcode::kAbs};
constexpr Opcode kUnaryOfFloats[] = {Opcode::kSqrt, Opcode::kFloor, Opcode::kCeil,
                                     Opcode::kRoundEven};
constexpr Opcode kBinaryOfNumbers[] = {Opcode::kAdd, Opcode::kSub, Opcode::kMul, Opcode::kDiv};
constexpr Opcode kBinaryOfAll[] = {Opcode::kMin, Opcode::kMax};
constexpr Opcode kCompare[] = {Opcode::kLess, Opcode::kLessEqual, Opcode::kEqual,
                               Opcode::kNotEqual};
constexpr Opcode kLogic[] = {Opcode::kAnd, Opcode::kOr, Opcode::kXor};

TEST_F(EvaluateScalar, Arithmetic) {
  for (const DType t : kAllDTypes) {
    for (Opcode opcode : kBinaryOfAll) Check(opcode, {t, t}, t, 0, random_);
    if (t == kBool) continue;
    for (Opcode opcode : kUnaryOfNumbers) Check(opcode, {t}, t, 0, random_);
    for (Opcode opcode : kBinaryOfNumbers) Check(opcode, {t, t}, t, 0, random_);
    Check(Opcode::kFma, {t, t, t}, t, 0, random_);
    if (!IsFloat(t)) continue;
    for (Opcode opcode : kUnaryOfFloats) Check(opcode, {t}, t, 0, random_);
  }
}

TEST_F(EvaluateScalar, ComparisonsAndChoice) {
  for (const DType t : kAllDTypes) {
    for (Opcode opcode : kCompare) Check(opcode, {t, t}, kBool, 0, random_);
    Check(Opcode::kSelect, {kBool, t, t}, t, 0, random_);
  }
}

TEST_F(EvaluateScalar, Bits) {
  for (const DType t : {kInt32, kInt64, kBool}) {
    for (Opcode opcode : kLogic) Check(opcode, {t, t}, t, 0, random_);
    Check(Opcode::kNot, {t}, t, 0, random_);
  }
  for (const DType t : {kInt32, kInt64}) {
    for (uint64_t bits : {0, 1, 23, 31}) {
      Check(Opcode::kShiftLeft, {t}, t, bits, random_);
      Check(Opcode::kShiftRight, {t}, t, bits, random_);
    }
  }
  Check(Opcode::kBitcast, {kFloat32}, kInt32, 0, random_);
  Check(Opcode::kBitcast, {kInt32}, kFloat32, 0, random_);
  Check(Opcode::kBitcast, {kFloat64}, kInt64, 0, random_);
  Check(Opcode::kBitcast, {kInt64}, kFloat64, 0, random_);
}

TEST_F(EvaluateScalar, Conversions) {
  for (const DType from : kAllDTypes) {
    for (const DType to : kAllDTypes) {
      if (from != to) Check(Opcode::kConvert, {from}, to, 0, random_);
    }
  }
}

TEST_F(EvaluateScalar, FunctionsOfTheLibrary) {
  for (const DType t : {kFloat32, kFloat64}) {
    for (int32_t f = 0; f < kFunctionCount; f++) {
      const std::vector<DType> operands(static_cast<size_t>(kFunctions[f].arity), t);
      Check(Opcode::kCall, operands, t, static_cast<uint64_t>(f), random_);
    }
  }
}

}  // namespace
}  // namespace talweg::loops
