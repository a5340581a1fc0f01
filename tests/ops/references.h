#ifndef TALWEG_TESTS_OPS_REFERENCES_H_
#define TALWEG_TESTS_OPS_REFERENCES_H_

#include <cstdint>
#include <string_view>

namespace talweg {

// What an elementwise op computes, said a second time: in float64 by the C library, and in integers
// that do not wrap. The sweep over all ops compares with it.
struct Reference {
  std::string_view name;
  double (*floats)(const double* x) = nullptr;        // null where the op takes no floats
  __int128 (*integers)(const __int128* x) = nullptr;  // null where it takes no integers
  bool (*bools)(const bool* x) = nullptr;             // null where it takes no bools
};

// That of an op; null where somebody added an op without one.
const Reference* FindReference(std::string_view name);

}  // namespace talweg

#endif  // TALWEG_TESTS_OPS_REFERENCES_H_
