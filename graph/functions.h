#ifndef TALWEG_GRAPH_FUNCTIONS_H_
#define TALWEG_GRAPH_FUNCTIONS_H_

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

// By the enumerators' numbers. Defined where no formula's compiler sees it: a compiler that knows
// that it is pow which is called would make x * x of pow(x, 2), which differs in the last place.
inline constexpr int32_t kFunctionCount = 9;
extern const FunctionInfo kFunctions[kFunctionCount];

inline const FunctionInfo& InfoOf(Function function) {
  return kFunctions[static_cast<int32_t>(function)];
}

}  // namespace talweg

#endif  // TALWEG_GRAPH_FUNCTIONS_H_
