#include "graph/functions.h"

#include <cmath>

namespace talweg {

const FunctionInfo kFunctions[kFunctionCount] = {
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

}  // namespace talweg
