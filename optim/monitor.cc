#include "optim/monitor.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace talweg {

absl::StatusOr<bool> GreaterIsBetter(std::string_view mode, std::string_view metric) {
  if (mode == "min") return false;
  if (mode == "max") return true;
  if (mode == "auto") return metric.find("acc") != metric.npos;
  return absl::InvalidArgumentError(
      absl::StrCat("the mode is ", Quoted(mode), "; it must be auto, min or max"));
}

}  // namespace talweg
