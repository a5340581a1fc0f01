#include "ops/elementwise.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "autodiff/gradient.h"
#include "base/with_type.h"
#include "graph/expr.h"
#include "graph/math.h"
#include "graph/tape.h"
#include "gtest/gtest.h"
#include "tests/base/seeds.h"
#include "tests/ops/evaluate.h"

namespace talweg {
namespace {

// ---- The records themselves: loops and scalar programs. ----

// An op with types that it takes.
struct Typed {
  const Op* op;
  std::vector<DType> operands;
  DType result;
  std::string name() const { return absl::StrCat(op->name, " of ", Name(operands.back())); }
};

std::vector<Typed> AllTyped() {
  std::vector<Typed> out;
  for (const Op* op : ElementwiseOps()) {
    const MapRule& rule = *op->map;
    for (const DType dtype : kAllDTypes) {
      std::vector<DType> operands(static_cast<size_t>(rule.arity), dtype);
      if (rule.types == MapTypes::kSelect) operands[0] = kBool;
      if (rule.loop(operands, dtype, false) == nullptr) continue;
      if (rule.types == MapTypes::kCast) {
        for (const DType to : kAllDTypes) out.push_back({op, operands, to});
      } else {
        const bool test = rule.types == MapTypes::kCompare || rule.types == MapTypes::kTest;
        out.push_back({op, operands, test ? kBool : dtype});
      }
    }
  }
  return out;
}

template <typename T>
uint64_t Sample(std::mt19937_64& random) {
  if constexpr (std::is_same_v<T, bool>) {
    return random() & 1;
  } else if constexpr (std::is_floating_point_v<T>) {
    using Limits = std::numeric_limits<T>;
    const T special[] = {0,
                         T(-0.0),
                         1,
                         -1,
                         Limits::infinity(),
                         -Limits::infinity(),
                         Limits::quiet_NaN(),
                         Limits::denorm_min(),
                         -Limits::denorm_min(),
                         Limits::max(),
                         Limits::lowest(),
                         T(0.5)};
    const uint64_t kind = random() % 3;
    if (kind == 0) return ToBits(special[random() % std::size(special)]);
    if (kind == 1) return ToBits(static_cast<T>(std::normal_distribution<double>(0, 2)(random)));
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    return ToBits(std::bit_cast<T>(static_cast<Bits>(random())));
  } else {
    const T special[] = {0, 1, T(-1), std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
    if (random() % 2 == 0) return ToBits(special[random() % std::size(special)]);
    return ToBits(static_cast<T>(random()));
  }
}

uint64_t SampleOf(DType dtype, std::mt19937_64& random) {
  return WithType(dtype, [&]<typename T>(T) { return Sample<T>(random); });
}

// Equal bits; NaNs of any payload are equal.
bool Same(DType dtype, uint64_t a, uint64_t b) {
  if (dtype == kFloat32 && std::isnan(FromBits<float>(a))) return std::isnan(FromBits<float>(b));
  if (dtype == kFloat64 && std::isnan(FromBits<double>(a))) return std::isnan(FromBits<double>(b));
  return a == b;
}

// Elements of one type, next to each other.
class Buffer {
 public:
  Buffer(DType dtype, size_t n) : dtype_(dtype), bytes_(n * size()) {}
  size_t size() const { return static_cast<size_t>(SizeOf(dtype_)); }
  std::byte* data() { return bytes_.data(); }
  uint64_t Get(size_t i) const {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes_.data() + i * size(), size());
    return bits;
  }
  void Set(size_t i, uint64_t bits) { std::memcpy(bytes_.data() + i * size(), &bits, size()); }
  void Fill(std::mt19937_64& random) {
    for (size_t i = 0; i * size() < bytes_.size(); i++) Set(i, SampleOf(dtype_, random));
  }

 private:
  DType dtype_;
  std::vector<std::byte> bytes_;
};

// One application of an op to elements given by their bits.
uint64_t Apply(const Typed& t, const std::vector<uint64_t>& elements) {
  std::vector<Buffer> buffers;
  std::vector<const std::byte*> in;
  std::vector<int64_t> strides;
  for (size_t k = 0; k < elements.size(); k++) {
    buffers.emplace_back(t.operands[k], 1).Set(0, elements[k]);
    strides.push_back(1);
  }
  for (Buffer& buffer : buffers) in.push_back(buffer.data());
  Buffer out(t.result, 1);
  t.op->map->loop(t.operands, t.result, false)(out.data(), in.data(), strides.data(), 1);
  return out.Get(0);
}

bool HasWide() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

TEST(MapRecords, LoopsAndProgramsGiveTheSameBits) {
  const uint64_t seed = FreshSeed();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  for (const Typed& t : AllTyped()) {
    SCOPED_TRACE(t.name());
    ScalarProgram program;
    std::vector<Expr> arguments;
    for (const DType dtype : t.operands) arguments.push_back(program.Input(dtype));
    const Expr result = t.op->map->expr(arguments.data(), t.result);
    ASSERT_EQ(result.dtype(), t.result);
    // Lengths around the widths of vectors; strides that are special to the loops, and others.
    for (const size_t n : {0, 1, 7, 8, 16, 37}) {
      std::vector<Buffer> buffers;
      std::vector<int64_t> strides;
      for (const DType dtype : t.operands) {
        constexpr int64_t kStrides[] = {1, 1, 0, 3};
        strides.push_back(kStrides[random() % 4]);
        buffers.emplace_back(dtype, 3 * n + 1).Fill(random);
      }
      std::vector<const std::byte*> in;
      for (Buffer& buffer : buffers) in.push_back(buffer.data());
      const auto count = static_cast<int64_t>(n);
      Buffer plain(t.result, n), wide(t.result, n);
      t.op->map->loop(t.operands, t.result, false)(plain.data(), in.data(), strides.data(), count);
      t.op->map->loop(t.operands, t.result, HasWide())(wide.data(), in.data(), strides.data(),
                                                       count);
      for (size_t i = 0; i < n; i++) {
        std::vector<uint64_t> elements;
        for (size_t k = 0; k < buffers.size(); k++) {
          elements.push_back(buffers[k].Get(i * static_cast<size_t>(strides[k])));
        }
        const uint64_t want = program.Evaluate(result.id(), elements);
        EXPECT_TRUE(Same(t.result, plain.Get(i), want)) << "plain loop, element " << i;
        EXPECT_TRUE(Same(t.result, wide.Get(i), want)) << "wide loop, element " << i;
      }
      // In place of an operand that has the type and the layout of the result.
      for (size_t k = 0; k < buffers.size(); k++) {
        if (t.operands[k] != t.result || strides[k] != 1) continue;
        t.op->map->loop(t.operands, t.result, HasWide())(buffers[k].data(), in.data(),
                                                         strides.data(), count);
        for (size_t i = 0; i < n; i++) {
          EXPECT_TRUE(Same(t.result, buffers[k].Get(i), wide.Get(i))) << "in place of " << k;
        }
        break;
      }
    }
  }
}

// e as an element, where the type has it.
std::optional<uint64_t> ElementOf(DType dtype, double e) {
  const Array element = *Array(e).Cast(dtype);
  if (element.At(0) != e) return std::nullopt;
  uint64_t bits = 0;
  std::memcpy(&bits, element.raw(), static_cast<size_t>(SizeOf(dtype)));
  return bits;
}

TEST(MapRecords, FactsHoldToTheBit) {
  const uint64_t seed = FreshSeed();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  int64_t checks = 0;
  for (const Typed& t : AllTyped()) {
    SCOPED_TRACE(t.name());
    const MapFacts& facts = t.op->map->facts;
    const DType dtype = t.operands.back();
    const auto expect = [&](uint64_t got, uint64_t want, const char* fact) {
      EXPECT_TRUE(Same(t.result, got, want)) << fact << " for bits " << std::hex << want;
      checks++;
    };
    for (int i = 0; i < 200; i++) {
      const uint64_t x = SampleOf(dtype, random), y = SampleOf(dtype, random);
      if (facts.right_identity) {
        const auto e = ElementOf(dtype, *facts.right_identity);
        if (e) expect(Apply(t, {x, *e}), x, "right identity");
      }
      if (facts.left_identity) {
        const auto e = ElementOf(dtype, *facts.left_identity);
        if (e) expect(Apply(t, {*e, x}), x, "left identity");
      }
      if (facts.commutative) expect(Apply(t, {x, y}), Apply(t, {y, x}), "commutative");
      if (facts.involution) expect(Apply(t, {Apply(t, {x})}), x, "involution");
      if (facts.idempotent && t.operands.size() == 2) expect(Apply(t, {x, x}), x, "idempotent");
      if (facts.idempotent && t.operands.size() == 1) {
        expect(Apply(t, {Apply(t, {x})}), Apply(t, {x}), "idempotent");
      }
    }
    if (facts.keeps_zero) {
      expect(Apply(t, std::vector<uint64_t>(t.operands.size(), 0)), 0, "keeps zero");
    }
  }
  EXPECT_GT(checks, 10'000);
}

TEST(MapRecords, RefuseTypesThatTheyDoNotTake) {
  const auto takes = [](const Op& op, std::vector<DType> operands) {
    return op.map->loop(operands, operands.back(), false) != nullptr;
  };
  EXPECT_TRUE(takes(kExpOp, {kFloat32}));
  EXPECT_FALSE(takes(kExpOp, {kInt32}));
  EXPECT_FALSE(takes(kAddOp, {kBool, kBool}));
  EXPECT_FALSE(takes(kAddOp, {kFloat32, kFloat64}));
  EXPECT_FALSE(takes(kAddOp, {kFloat32}));
  EXPECT_FALSE(takes(kAndOp, {kInt32, kInt32}));
  EXPECT_FALSE(takes(kSelectOp, {kFloat32, kFloat32, kFloat32}));
  EXPECT_TRUE(takes(kSelectOp, {kBool, kBool, kBool}));
}

// ---- Derivatives: partials as graphs against jets. ----

double Draw(const MapSamples& samples, std::mt19937_64& random) {
  std::uniform_real_distribution<double> points(samples.low, samples.high);
  while (true) {
    const double x = points(random);
    bool clear = true;
    for (int k = 0; k < samples.kink_count; k++) {
      clear = clear && std::fabs(x - samples.kinks[static_cast<size_t>(k)]) > 1e-3;
    }
    if (clear) return x;
  }
}

// The record's jet with directions: operand `first` in the inner jet, operand `second` in the
// outer.
SecondJet RunJet(const Op& op, const std::vector<double>& x, size_t first, size_t second) {
  std::vector<SecondJet> jets;
  for (size_t k = 0; k < x.size(); k++) {
    jets.emplace_back(Jet<Number<double>>(x[k], k == first ? 1.0 : 0.0),
                      Jet<Number<double>>(k == second ? 1.0 : 0.0, 0.0));
  }
  return op.map->jet(jets.data());
}

TEST(MapRecords, PartialsAndTheirGradientsAreThoseOfJets) {
  const uint64_t seed = FreshSeed();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  constexpr int64_t kPoints = 20;
  for (const Op* op : ElementwiseOps()) {
    const MapRule& rule = *op->map;
    if (rule.jet == nullptr || rule.types == MapTypes::kCast) continue;
    SCOPED_TRACE(op->name);
    const auto arity = static_cast<size_t>(rule.arity);
    const bool selects = rule.types == MapTypes::kSelect;
    Tape tape;
    NamedArrays inputs;
    std::vector<Value> x;
    for (size_t k = 0; k < arity; k++) {
      const std::string name = absl::StrCat("x", k);
      const DType dtype = selects && k == 0 ? kBool : kFloat64;
      std::vector<double> points;
      for (int64_t i = 0; i < kPoints; i++) {
        points.push_back(dtype == kBool ? static_cast<double>(random() % 2)
                                        : Draw(rule.samples[k], random));
      }
      x.push_back(tape.Input(name, dtype, {kPoints}));
      inputs[name] = Floats(dtype, {kPoints}, points);
    }
    const Value y = Map(*op, x, {}, {});
    const Value dy = tape.Input("dy", kFloat64, {kPoints});
    const std::vector<double> upstream = Wave(kPoints, 0.4);
    inputs["dy"] = Floats(kFloat64, {kPoints}, upstream);
    for (size_t k = 0; k < arity; k++) {
      if (selects && k == 0) continue;
      const bool null = rule.partials[k] == nullptr;
      const Value partial = null ? dy * 0 : rule.partials[k](x.data(), y, dy);
      const std::vector<double> got = Evaluate(partial, inputs);
      ASSERT_EQ(got.size(), static_cast<size_t>(kPoints)) << tape.status();
      for (size_t j = 0; j < arity; j++) {
        if (selects && j == 0) continue;
        const std::vector<double> second = Evaluate(Gradient(Sum(partial), x[j]), inputs);
        ASSERT_EQ(second.size(), static_cast<size_t>(kPoints)) << tape.status();
        for (int64_t i = 0; i < kPoints; i++) {
          const auto at = static_cast<size_t>(i);
          std::vector<double> point;
          for (size_t m = 0; m < arity; m++) point.push_back(inputs[absl::StrCat("x", m)].At(i));
          const SecondJet jet = RunJet(*op, point, k, j);
          const double want = jet.value().derivative().raw() * upstream[at];
          EXPECT_NEAR(got[at], want, 1e-12 * (1 + std::fabs(want))) << "by operand " << k;
          const double want2 = jet.derivative().derivative().raw() * upstream[at];
          EXPECT_NEAR(second[at], want2, 1e-11 * (1 + std::fabs(want2)))
              << "by operands " << k << " and " << j;
        }
      }
    }
  }
}

// The derivative of f at x, in float64.
double SlopeAt(double x, Value (*f)(Arg)) {
  Tape tape;
  const Value v = tape.Input("x", kFloat64, {});
  const std::vector<double> slope = Evaluate(Gradient(f(v), v), {{"x", Array(x)}});
  return slope.empty() ? std::nan("") : slope[0];
}

TEST(Derivatives, KeepTheConventionsWhereThereAreNone) {
  EXPECT_EQ(SlopeAt(0, Relu), 0);
  EXPECT_EQ(SlopeAt(0, Abs), 0);
  EXPECT_EQ(SlopeAt(0, Sqrt), 0);
  EXPECT_EQ(SlopeAt(0, Rsqrt), 0);
  EXPECT_EQ(SlopeAt(0, Softplus), 0.5);
  EXPECT_EQ(SlopeAt(1.5, Floor), 0);
  EXPECT_EQ(SlopeAt(1.5, Detach), 0);
}

TEST(Derivatives, OfEqualOperandsAreHalves) {
  for (Value (*f)(Arg, Arg) : {Max, Min}) {
    Tape tape;
    const Value a = tape.Input("a", kFloat64, {3}), b = tape.Input("b", kFloat64, {3});
    const NamedArrays inputs = {{"a", Array::Vector<double>({1, 2, 0})},
                                {"b", Array::Vector<double>({1, 3, -0.0})}};
    const Value y = Sum(f(a, b));
    const std::vector<double> da = Evaluate(Gradient(y, a), inputs);
    const std::vector<double> db = Evaluate(Gradient(y, b), inputs);
    ASSERT_EQ(da.size(), 3);
    EXPECT_EQ(da[0], 0.5);
    EXPECT_EQ(db[0], 0.5);
    EXPECT_EQ(da[1] + db[1], 1);
    EXPECT_EQ(da[2], 0.5);
  }
}

TEST(Derivatives, OfPowersAreFiniteAtZero) {
  Tape tape;
  const Value a = tape.Input("a", kFloat64, {4}), b = tape.Input("b", kFloat64, {4});
  const NamedArrays inputs = {{"a", Array::Vector<double>({0, 0, 0, -2})},
                              {"b", Array::Vector<double>({0, 1, 2, 2})}};
  const Value y = Sum(Pow(a, b));
  EXPECT_EQ(Evaluate(Gradient(y, a), inputs), (std::vector<double>{0, 1, 0, -4}));
  const std::vector<double> db = Evaluate(Gradient(y, b), inputs);
  ASSERT_EQ(db.size(), 4);
  EXPECT_EQ(db[0], 0);
  EXPECT_EQ(db[1], 0);
  EXPECT_EQ(db[2], 0);
  EXPECT_EQ(db[3], 0);  // TensorFlow's: of a negative number there are hardly any powers
  EXPECT_EQ(Evaluate(Gradient(Sum(Gradient(y, a)), a), inputs)[2], 2);
}

// d2/dadb a^b = a^(b-1) (1 + b log a), in either order.
TEST(Derivatives, OfPowersAreSymmetricWhereTheExponentIsZero) {
  Tape tape;
  const Value a = tape.Input("a", kFloat64, {}), b = tape.Input("b", kFloat64, {});
  const NamedArrays inputs = {{"a", Array(2.0)}, {"b", Array(0.0)}};
  const Value y = Pow(a, b);
  EXPECT_EQ(Evaluate(Gradient(Gradient(y, a), b), inputs)[0], 0.5);
  EXPECT_EQ(Evaluate(Gradient(Gradient(y, b), a), inputs)[0], 0.5);
}

TEST(Derivatives, OfTheRootsDerivativeAtZeroAreFinite) {
  for (Value (*f)(Arg) : {Sqrt, Rsqrt}) {
    Tape tape;
    const Value x = tape.Input("x", kFloat64, {});
    const std::vector<double> second =
        Evaluate(Gradient(Gradient(f(x), x), x), {{"x", Array(0.0)}});
    ASSERT_EQ(second.size(), 1);
    EXPECT_EQ(second[0], 0);
  }
}

// Parts of a rule may be beyond all numbers where the whole is not.
TEST(Derivatives, AreFiniteWhereTheirValuesAre) {
  Tape tape;
  const Value x = tape.Input("x", kFloat32, {});
  const auto slope = [&](const Value& y, float at) {
    return Evaluate(Gradient(y, x), {{"x", Array(at)}})[0];
  };
  EXPECT_NEAR(slope(Rsqrt(x) * 1e-15f, 1e-30f), -5e29, 1e24);
  EXPECT_EQ(slope(Select(Greater(x, 1), Rsqrt(x), 0), 1e-30f), 0);
  EXPECT_NEAR(slope(Reciprocal(x) * 1e-30f, 1e-25f), -1e20, 1e15);
  EXPECT_EQ(slope(Select(Greater(x, 1), Reciprocal(x), 0), 1e-25f), 0);
}

TEST(Derivatives, FlowThroughCastsBetweenFloatsOnly) {
  Tape tape;
  const Value x = tape.Input("x", kFloat32, {});
  const Value dx = Gradient(Square(Cast(x, kFloat64)), x);
  EXPECT_EQ(dx.dtype(), kFloat32);
  EXPECT_EQ(Evaluate(dx, {{"x", Array(3.0f)}}), std::vector<double>{6});
  const Value steps = Cast(Cast(x, kInt32), kFloat32);
  EXPECT_EQ(Evaluate(Gradient(steps, x), {{"x", Array(3.0f)}}), std::vector<double>{0});
}

// ---- The public functions. ----

TEST(Elementwise, BroadcastsAsNumpy) {
  Tape tape;
  const Value column = tape.Constant(Array::Matrix<float>({{1}, {2}}));
  const Value row = tape.Constant(Array::Vector<float>({10, 20, 30}));
  const Value sum = column + row;
  EXPECT_EQ(ToString(sum.type()), "float32[2,3]");
  EXPECT_EQ(Evaluate(sum), (std::vector<double>{11, 21, 31, 12, 22, 32}));
  const Value x = tape.Input("x", kFloat32, {kRows, 3});
  EXPECT_EQ(ToString((x * row).type()), "float32[rows,3]");
  EXPECT_EQ(ToString((row * tape.Input("s", kFloat32, {kRows, 1})).type()), "float32[rows,3]");
  EXPECT_EQ(ToString(Select(Greater(x, 0), row, 0).type()), "float32[rows,3]");
}

TEST(Elementwise, TakesEmptyAndScalarShapes) {
  Tape tape;
  const Value empty = tape.Input("x", kFloat64, {0, 3});
  EXPECT_EQ(Evaluate(Exp(empty) + 1, {{"x", *Array::Zeros(kFloat64, {0, 3})}}),
            std::vector<double>{});
  Tape scalars;
  const Value two = scalars.Constant(Array(2.0));
  EXPECT_EQ(Evaluate(two * two), std::vector<double>{4});
}

TEST(Elementwise, NumbersTakeTheTypeOfTheValue) {
  Tape tape;
  for (const DType dtype : {kFloat32, kFloat64, kInt32, kInt64}) {
    const Value x = tape.Input(Name(dtype), dtype, {2});
    EXPECT_EQ((x * 2).dtype(), dtype);
    EXPECT_EQ((2 - x).dtype(), dtype);
    EXPECT_EQ(Select(Less(x, 1), x, 0).dtype(), dtype);
    EXPECT_EQ(Less(0, x).dtype(), kBool);
  }
  EXPECT_TRUE(tape.status().ok()) << tape.status();
}

TEST(Elementwise, MakesEqualNodesOnce) {
  Tape tape;
  const Value x = tape.Input("x", kFloat32, {2});
  EXPECT_EQ(Tanh(x) * 2, Tanh(x) * 2);
  EXPECT_EQ(Cast(x, kFloat32), x);
}

// The message of the error that `build` leaves on a tape with inputs x: float32[2], y: float32[3],
// d: float64[2], i: int32[2].
template <typename F>
std::string ErrorOf(F build) {
  Tape tape;
  const Value x = tape.Input("x", kFloat32, {2}), y = tape.Input("y", kFloat32, {3});
  const Value d = tape.Input("d", kFloat64, {2}), i = tape.Input("i", kInt32, {2});
  const Value result = build(x, y, d, i);
  EXPECT_FALSE(result.ok());
  return std::string(tape.status().message());
}

TEST(Elementwise, ErrorsNameOpShapesAndLine) {
  const int line = __LINE__ + 1;
  const std::string error = ErrorOf([](auto x, auto y, auto, auto) { return Exp(x) + y; });
  EXPECT_TRUE(absl::StrContains(error, "add: float32[2] x float32[3]: extents 2 and 3")) << error;
  EXPECT_TRUE(absl::StrContains(error, absl::StrCat("elementwise_test.cc:", line))) << error;
}

TEST(Elementwise, RefusesWhatDoesNotFit) {
  const auto expect = [](const std::string& error, const char* part) {
    EXPECT_TRUE(absl::StrContains(error, part)) << error;
  };
  expect(ErrorOf([](auto x, auto, auto d, auto) { return x * d; }),
         "mul: float32[2] x float64[2]: element types float32 and float64 do not mix; use Cast");
  expect(ErrorOf([](auto, auto, auto, auto i) { return Exp(i); }),
         "exp: int32[2]: not for int32; use Cast");
  expect(ErrorOf([](auto x, auto, auto, auto) { return And(x, x); }), "and: ");
  expect(ErrorOf([](auto x, auto, auto, auto) { return -Less(x, 0); }), "not for bool; use Cast");
  expect(ErrorOf([](auto x, auto, auto, auto) { return Select(x, x, x); }), "the mask is not bool");
  expect(ErrorOf([](auto, auto, auto, auto i) { return i * 0.5; }),
         "0.5 is no int32; Cast the tensor");
  expect(ErrorOf([](auto x, auto y, auto, auto) { return Select(Less(x, 0), x, y); }), "select: ");
  expect(ErrorOf([](auto x, auto, auto, auto) { return x + Value(); }), "no tape");
}

TEST(Elementwise, RefusesValuesOfTwoTapes) {
  Tape a, b;
  const Value sum = a.Input("x", kFloat32, {2}) + b.Input("x", kFloat32, {2});
  EXPECT_FALSE(sum.ok());
  EXPECT_FALSE(a.status().ok());
  EXPECT_FALSE(b.status().ok());
}

TEST(Elementwise, OfNothingFailsQuietly) {
  EXPECT_FALSE(Exp(Value()).ok());
  EXPECT_FALSE(Max(1, 2).ok());
  EXPECT_FALSE(Cast(Value(), kInt32).ok());
  EXPECT_FALSE(Select(Value(), 1, 2).ok());
}

TEST(Elementwise, CastsSaturate) {
  Tape tape;
  const Value x = tape.Constant(Array::Vector<double>(
      {1e300, -1e300, std::nan(""), -1.9, 0.4, std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(Evaluate(Cast(x, kInt32)),
            (std::vector<double>{2147483647, -2147483648.0, 0, -1, 0, 2147483647}));
  EXPECT_EQ(Evaluate(Cast(x, kBool)), (std::vector<double>{1, 1, 1, 1, 1, 1}));
}

TEST(Elementwise, SelectKeepsWhatIsNotTakenOut) {
  Tape tape;
  const Value x = tape.Constant(Array::Vector<double>({0, 2}));
  EXPECT_EQ(Evaluate(Select(Greater(x, 0), 1 / x, 7)), (std::vector<double>{7, 0.5}));
}

}  // namespace
}  // namespace talweg
