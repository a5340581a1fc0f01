#ifndef TALWEG_BENCHMARKS_COMMON_BANDWIDTH_H_
#define TALWEG_BENCHMARKS_COMMON_BANDWIDTH_H_

#include "absl/status/statusor.h"

namespace talweg::bench {

// Bytes that one thread moves to and from memory in a second, on arrays that no cache holds: the
// most of a copy (a byte read and one written for each byte) and of y += a x (two numbers read, one
// written), the best of several.
absl::StatusOr<double> MeasureBandwidth();

}  // namespace talweg::bench

#endif  // TALWEG_BENCHMARKS_COMMON_BANDWIDTH_H_
