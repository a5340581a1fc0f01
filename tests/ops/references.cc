#include "tests/ops/references.h"

#include <cmath>
#include <limits>

namespace talweg {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool AnyNan(const double* x) { return std::isnan(x[0]) || std::isnan(x[1]); }

// -0 < 0, and NaN beats all.
double Greater(const double* x) {
  if (AnyNan(x)) return kNan;
  if (x[0] == x[1]) return std::signbit(x[0]) ? x[1] : x[0];
  return x[0] > x[1] ? x[0] : x[1];
}
double Lesser(const double* x) {
  if (AnyNan(x)) return kNan;
  if (x[0] == x[1]) return std::signbit(x[0]) ? x[0] : x[1];
  return x[0] < x[1] ? x[0] : x[1];
}

using D = const double*;
using I = const __int128*;
using B = const bool*;

// Ties to even, said without rint.
double RoundTiesToEven(D x) {
  const double down = std::floor(x[0]), rest = x[0] - down;
  double y = rest < 0.5 ? down : down + 1;
  if (rest == 0.5) y = std::fmod(down, 2) == 0 ? down : down + 1;
  return std::isfinite(x[0]) ? std::copysign(y, x[0]) : x[0];
}

constexpr Reference kReferences[] = {
    {"add", [](D x) { return x[0] + x[1]; }, [](I x) { return x[0] + x[1]; }},
    {"sub", [](D x) { return x[0] - x[1]; }, [](I x) { return x[0] - x[1]; }},
    {"mul", [](D x) { return x[0] * x[1]; }, [](I x) { return x[0] * x[1]; }},
    {"div", [](D x) { return x[0] / x[1]; },
     [](I x) -> __int128 { return x[1] == 0 ? 0 : x[0] / x[1]; }},
    {"neg", [](D x) { return -x[0]; }, [](I x) { return -x[0]; }},
    {"abs", [](D x) { return std::fabs(x[0]); }, [](I x) { return x[0] < 0 ? -x[0] : x[0]; }},
    {"sign", [](D x) { return std::isnan(x[0]) ? kNan
                              : x[0] > 0       ? 1.0
                              : x[0] < 0       ? -1.0
                                               : 0.0; },
     [](I x) -> __int128 { return x[0] > 0   ? 1
                                  : x[0] < 0 ? -1
                                             : 0; }},
    {"square", [](D x) { return x[0] * x[0]; }, [](I x) { return x[0] * x[0]; }},
    {"reciprocal", [](D x) { return 1 / x[0]; },
     [](I x) -> __int128 { return x[0] == 0 ? 0 : 1 / x[0]; }},
    {"max", Greater, [](I x) { return x[0] > x[1] ? x[0] : x[1]; },
     [](B x) { return x[0] || x[1]; }},
    {"min", Lesser, [](I x) { return x[0] < x[1] ? x[0] : x[1]; },
     [](B x) { return x[0] && x[1]; }},
    {"relu",
     [](D x) {
       return std::isnan(x[0]) ? kNan : x[0] < 0 ? 0 : x[0];
     },  // -0 is none of those below 0
     [](I x) -> __int128 { return x[0] > 0 ? x[0] : 0; }},
    {"sqrt", [](D x) { return std::sqrt(x[0]); }},
    {"rsqrt", [](D x) { return 1 / std::sqrt(x[0]); }},
    {"exp", [](D x) { return std::exp(x[0]); }},
    {"expm1", [](D x) { return std::expm1(x[0]); }},
    {"log", [](D x) { return std::log(x[0]); }},
    {"log1p", [](D x) { return std::log1p(x[0]); }},
    {"sin", [](D x) { return std::sin(x[0]); }},
    {"cos", [](D x) { return std::cos(x[0]); }},
    {"tanh", [](D x) { return std::tanh(x[0]); }},
    {"sigmoid",
     [](D x) {
       return x[0] < 0 ? std::exp(x[0]) / (1 + std::exp(x[0])) : 1 / (1 + std::exp(-x[0]));
     }},
    {"softplus",
     [](D x) {
       return x[0] > 0 ? x[0] + std::log1p(std::exp(-x[0])) : std::log1p(std::exp(x[0]));
     }},
    {"erf", [](D x) { return std::erf(x[0]); }},
    {"pow", [](D x) { return std::pow(x[0], x[1]); }},
    {"floor", [](D x) { return std::floor(x[0]); }},
    {"ceil", [](D x) { return std::ceil(x[0]); }},
    {"round", RoundTiesToEven},
    {"less", [](D x) { return x[0] < x[1] ? 1.0 : 0.0; },
     [](I x) -> __int128 { return x[0] < x[1]; }, [](B x) { return !x[0] && x[1]; }},
    {"less_equal", [](D x) { return x[0] <= x[1] ? 1.0 : 0.0; },
     [](I x) -> __int128 { return x[0] <= x[1]; }, [](B x) { return !x[0] || x[1]; }},
    {"greater", [](D x) { return x[0] > x[1] ? 1.0 : 0.0; },
     [](I x) -> __int128 { return x[0] > x[1]; }, [](B x) { return x[0] && !x[1]; }},
    {"greater_equal", [](D x) { return x[0] >= x[1] ? 1.0 : 0.0; },
     [](I x) -> __int128 { return x[0] >= x[1]; }, [](B x) { return x[0] || !x[1]; }},
    {"equal", [](D x) { return x[0] == x[1] ? 1.0 : 0.0; },
     [](I x) -> __int128 { return x[0] == x[1]; }, [](B x) { return x[0] == x[1]; }},
    {"not_equal", [](D x) { return x[0] == x[1] ? 0.0 : 1.0; },
     [](I x) -> __int128 { return x[0] != x[1]; }, [](B x) { return x[0] != x[1]; }},
    {"is_nan", [](D x) { return std::isnan(x[0]) ? 1.0 : 0.0; }},
    {"and", nullptr, nullptr, [](B x) { return x[0] && x[1]; }},
    {"or", nullptr, nullptr, [](B x) { return x[0] || x[1]; }},
    {"xor", nullptr, nullptr, [](B x) { return x[0] != x[1]; }},
    {"not", nullptr, nullptr, [](B x) { return !x[0]; }},
    {"select", [](D x) { return x[0] != 0 ? x[1] : x[2]; },
     [](I x) { return x[0] != 0 ? x[1] : x[2]; }, [](B x) { return x[0] ? x[1] : x[2]; }},
    {"detach", [](D x) { return x[0]; }, [](I x) { return x[0]; }, [](B x) { return x[0]; }},
};

}  // namespace

const Reference* FindReference(std::string_view name) {
  for (const Reference& reference : kReferences) {
    if (reference.name == name) return &reference;
  }
  return nullptr;
}

}  // namespace talweg
