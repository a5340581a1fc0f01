#ifndef TALWEG_GRAPH_FUNCTIONS_H_
#define TALWEG_GRAPH_FUNCTIONS_H_

#include <cmath>
#include <cstdint>

namespace talweg {

// The functions of the C library that formulas may call. Everything else is built from the scalar
// alphabet (graph/scalar.h), so these are all the symbols that generated code ever needs. Every
// engine of a process calls the same library, so their bits agree; between machines they may differ
// in the last place where the libraries do.
enum class Function : uint8_t {
  kExp,
  kExpm1,
  kLog,
  kLog1p,
  kTanh,
  kSin,
  kCos,
  kErf,
  kPow,
};

// How the C library calls a function, and where it is in this process.
struct FunctionInfo {
  const char* name;         // as it is printed, and the symbol for double: "expm1"
  const char* float_name;   // the symbol for float: "expm1f"
  int32_t arity;            // 1 or 2
  double (*unary)(double);  // one of the pairs is null, by the arity
  float (*float_unary)(float);
  double (*binary)(double, double);
  float (*float_binary)(float, float);
};

// By the enumerators' numbers.
inline constexpr FunctionInfo kFunctions[] = {
    {"exp", "expf", 1, ::exp, ::expf, nullptr, nullptr},
    {"expm1", "expm1f", 1, ::expm1, ::expm1f, nullptr, nullptr},
    {"log", "logf", 1, ::log, ::logf, nullptr, nullptr},
    {"log1p", "log1pf", 1, ::log1p, ::log1pf, nullptr, nullptr},
    {"tanh", "tanhf", 1, ::tanh, ::tanhf, nullptr, nullptr},
    {"sin", "sinf", 1, ::sin, ::sinf, nullptr, nullptr},
    {"cos", "cosf", 1, ::cos, ::cosf, nullptr, nullptr},
    {"erf", "erff", 1, ::erf, ::erff, nullptr, nullptr},
    {"pow", "powf", 2, nullptr, nullptr, ::pow, ::powf},
};

constexpr const FunctionInfo& InfoOf(Function function) {
  return kFunctions[static_cast<int>(function)];
}

}  // namespace talweg

#endif  // TALWEG_GRAPH_FUNCTIONS_H_
