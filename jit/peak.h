#ifndef TALWEG_JIT_PEAK_H_
#define TALWEG_JIT_PEAK_H_

#include <string>

#include "absl/status/statusor.h"

namespace talweg {

// The most float32 operations that one core of this machine does in a second, in 1e9: measured in
// some milliseconds by code of the compiler's own that does nothing but fma on vectors, for the
// processor that JitOptions::cpu names.
absl::StatusOr<double> MeasurePeak(const std::string& cpu);

}  // namespace talweg

#endif  // TALWEG_JIT_PEAK_H_
