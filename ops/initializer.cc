#include "ops/initializer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "ops/elementwise.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/view.h"

namespace talweg {
namespace {

// x + y, without the addition of a 0.
Value Offset(const Value& x, double y) { return y == 0 ? x : x + y; }

// x with erf(x) = v, for |v| up to 0.9545, that is within two deviations.
Value InverseErf(const Value& v) {
  // With w = -log(1 - v^2): x = v P(w), the polynomial of the centre (w < 5) from M. Giles:
  // "Approximating the erfinv function", GPU Computing Gems, Jade edition, 2011; in single
  // precision, relative error 1.3e-7 here.
  constexpr double kCoefficients[] = {2.81022636e-08,  3.43273939e-07, -3.5233877e-06,
                                      -4.39150654e-06, 0.00021858087,  -0.00125372503,
                                      -0.00417768164,  0.246640727,    1.50140941};
  const Value w = -2.5 - Log((1 - v) * (1 + v));
  Value p = kCoefficients[1] + kCoefficients[0] * w;
  for (size_t i = 2; i < std::size(kCoefficients); i++) p = kCoefficients[i] + p * w;
  const Value x = p * v;
  if (v.dtype() == kFloat32) return x;
  // Newton's step squares the error: x - (erf(x) - v) / erf'(x), erf'(x) = 2 / sqrt(pi) exp(-x^2)
  const double half_sqrt_pi = 0.5 / std::numbers::inv_sqrtpi;
  return x - (Erf(x) - v) * (half_sqrt_pi * Exp(Square(x)));
}

// The normal distribution of deviation 1, cut at -2 and 2.
Value TruncatedNormalNumbers(const Value& key, DType dtype, Shape shape) {
  // The distribution function is (erf(x / sqrt 2) / erf(sqrt 2) + 1) / 2; solved for x at u.
  const double bound = std::erf(std::numbers::sqrt2);
  const Value u = RandomUniform(key, dtype, std::move(shape));
  if (!u.ok()) return u;
  const Value x = std::numbers::sqrt2 * InverseErf((2 * u - 1) * bound);
  return Clip(x, -2, 2);  // the last place of the formula may lie outside
}

// low + (high - low) u
Value UniformNumbers(const Value& key, DType dtype, Shape shape, double low, double high) {
  return Offset(RandomUniform(key, dtype, std::move(shape)) * (high - low), low);
}

// The failure, if the key or the type can not be.
std::optional<Value> Refuse(const std::string& name, const Value& key, DType dtype,
                            const SourceLine& line) {
  if (key.tape() == nullptr) return Fail(name, {key}, "the key is a value of no tape", line);
  if (!key.ok()) return key;
  if (!IsFloat(dtype)) {
    return Fail(name, {key}, absl::StrCat("no random numbers of ", talweg::Name(dtype)), line);
  }
  return std::nullopt;
}

Initializer Filled(std::string name, double value, const std::source_location& where) {
  const SourceLine line = LineOf(where);
  return {std::move(name), [value, line](Tape& tape, Value, DType dtype, Shape shape) {
            const UserLine user(Value(tape.state(), -1), line);
            return Full(tape, dtype, shape, value);
          }};
}

// What sets the initializers of a scaled variance apart.
struct Scaling {
  const char* name;
  double scale;
  bool average;  // of fan_in and fan_out; else fan_in
  bool uniform;
};

Initializer Scaled(const Scaling& scaling, const std::source_location& where) {
  const SourceLine line = LineOf(where);
  return {scaling.name, [scaling, line](Tape&, Value key, DType dtype, Shape shape) {
            const UserLine user(key, line);
            if (auto failure = Refuse(scaling.name, key, dtype, line)) return *failure;
            if (!IsStatic(shape)) {
              return Fail(scaling.name, {key},
                          absl::StrCat("the shape ", ToString(shape),
                                       " has an extent that is known at run time only"),
                          line);
            }
            const Fans fans = FansOf(shape);
            const double n = scaling.average ? (fans.in + fans.out) / 2 : fans.in;
            // variance = scale / n
            const double variance = scaling.scale / std::max(1.0, n);
            if (scaling.uniform) {
              // Uniform numbers in [-a, a) have the variance a^2 / 3.
              const double limit = std::sqrt(3 * variance);
              return UniformNumbers(key, dtype, std::move(shape), -limit, limit);
            }
            // The deviation of the standard normal distribution cut at two deviations.
            constexpr double kTruncatedDeviation = 0.87962566103423978;
            return TruncatedNormalNumbers(key, dtype, std::move(shape)) *
                   (std::sqrt(variance) / kTruncatedDeviation);
          }};
}

constexpr Scaling kHeUniform{"he_uniform", 2, false, true};
constexpr Scaling kHeNormal{"he_normal", 2, false, false};
constexpr Scaling kGlorotUniform{"glorot_uniform", 1, true, true};
constexpr Scaling kGlorotNormal{"glorot_normal", 1, true, false};
constexpr Scaling kLecunUniform{"lecun_uniform", 1, false, true};
constexpr Scaling kLecunNormal{"lecun_normal", 1, false, false};

}  // namespace

Fans FansOf(absl::Span<const Dim> shape) {
  const size_t rank = shape.size();
  double elements = 1;
  for (Dim dim : shape) elements *= static_cast<double>(dim.value());
  if (rank < 2 || rank > 5) return {std::sqrt(elements), std::sqrt(elements)};
  const auto in = static_cast<double>(shape[rank - 2].value());
  const auto out = static_cast<double>(shape[rank - 1].value());
  double space = 1;
  for (size_t i = 0; i + 2 < rank; i++) space *= static_cast<double>(shape[i].value());
  return {in * space, out * space};
}

Initializer Zeros(std::source_location where) { return Filled("zeros", 0, where); }
Initializer Ones(std::source_location where) { return Filled("ones", 1, where); }
Initializer Constant(double value, std::source_location where) {
  return Filled("constant", value, where);
}

Initializer Uniform(double low, double high, std::source_location where) {
  const SourceLine line = LineOf(where);
  return {"uniform", [low, high, line](Tape&, Value key, DType dtype, Shape shape) {
            const UserLine user(key, line);
            if (auto failure = Refuse("uniform", key, dtype, line)) return *failure;
            if (!(low <= high) || !std::isfinite(high - low)) {
              return Fail("uniform", {key}, absl::StrCat("[", low, ", ", high, ") is no interval"),
                          line);
            }
            return UniformNumbers(key, dtype, std::move(shape), low, high);
          }};
}

namespace {

using Numbers = Value (*)(const Value& key, DType dtype, Shape shape);

Initializer FromNormal(std::string name, Numbers numbers, double mean, double deviation,
                       const std::source_location& where) {
  const SourceLine line = LineOf(where);
  return {name, [name, numbers, mean, deviation, line](Tape&, Value key, DType dtype, Shape shape) {
            const UserLine user(key, line);
            if (auto failure = Refuse(name, key, dtype, line)) return *failure;
            if (!(deviation >= 0)) {
              return Fail(name, {key}, absl::StrCat("the deviation ", deviation, " is negative"),
                          line);
            }
            // mean + deviation * x
            return Offset(numbers(key, dtype, std::move(shape)) * deviation, mean);
          }};
}

}  // namespace

Initializer Normal(double mean, double deviation, std::source_location where) {
  constexpr Numbers kNumbers = [](const Value& key, DType dtype, Shape shape) {
    return RandomNormal(key, dtype, std::move(shape));
  };
  return FromNormal("normal", kNumbers, mean, deviation, where);
}

Initializer TruncatedNormal(double mean, double deviation, std::source_location where) {
  return FromNormal("truncated_normal", TruncatedNormalNumbers, mean, deviation, where);
}

Initializer HeUniform(std::source_location where) { return Scaled(kHeUniform, where); }
Initializer HeNormal(std::source_location where) { return Scaled(kHeNormal, where); }
Initializer GlorotUniform(std::source_location where) { return Scaled(kGlorotUniform, where); }
Initializer GlorotNormal(std::source_location where) { return Scaled(kGlorotNormal, where); }
Initializer LecunUniform(std::source_location where) { return Scaled(kLecunUniform, where); }
Initializer LecunNormal(std::source_location where) { return Scaled(kLecunNormal, where); }

absl::StatusOr<Initializer> InitializerByName(std::string_view name, std::source_location where) {
  const Initializer all[] = {
      Zeros(where),
      Ones(where),
      Uniform(-0.05, 0.05, where),
      Normal(0, 0.05, where),
      TruncatedNormal(0, 0.05, where),
      HeUniform(where),
      HeNormal(where),
      GlorotUniform(where),
      GlorotNormal(where),
      LecunUniform(where),
      LecunNormal(where),
  };
  // Keras's other names of these.
  constexpr std::pair<std::string_view, std::string_view> kAlso[] = {{"zero", "zeros"},
                                                                     {"one", "ones"},
                                                                     {"random_uniform", "uniform"},
                                                                     {"random_normal", "normal"}};
  std::string_view wanted = name;
  for (const auto& [also, of] : kAlso) {
    if (name == also) wanted = of;
  }
  for (const Initializer& initializer : all) {
    if (wanted == initializer.name) return initializer;
  }
  const std::string known = absl::StrJoin(
      all, ", ", [](std::string* out, const Initializer& i) { absl::StrAppend(out, i.name); });
  return absl::InvalidArgumentError(
      absl::StrCat("unknown initializer '", AbslView(name), "'; known are ", known));
}

}  // namespace talweg
