#ifndef TALWEG_OPTIM_MONITOR_H_
#define TALWEG_OPTIM_MONITOR_H_

#include <string_view>

#include "absl/status/statusor.h"

namespace talweg {

// Whether a greater value of a metric is a better one, as Keras decides it: not so for the mode
// "min", so for "max", and for "auto" where the metric's name contains "acc". Error: another mode.
absl::StatusOr<bool> GreaterIsBetter(std::string_view mode, std::string_view metric);

}  // namespace talweg

#endif  // TALWEG_OPTIM_MONITOR_H_
