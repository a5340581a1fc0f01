#include "examples/tutorial/weights.h"

#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace talweg::tutorial {
namespace {

// A safetensors file begins with the length of its header, eight bytes of which the last ones are
// zero; no JSON holds a zero.
bool LooksLikeJson(std::string_view bytes) {
  return bytes.substr(0, 8).find('\0') == std::string_view::npos;
}

absl::StatusOr<Weights> FromTrace(const std::string& path, std::string_view bytes) {
  absl::StatusOr<KerasTrace> trace = ParseKerasTrace(bytes);
  if (!trace.ok()) {
    return absl::Status(trace.status().code(), absl::StrCat(path, ": ", trace.status().message()));
  }
  return Weights{.parameters = std::move(trace->initial_weights), .seed = trace->seed};
}

absl::StatusOr<Weights> FromModel(const std::string& path, std::string_view bytes) {
  absl::StatusOr<SavedArrays> saved = ParseArrays(bytes, path);
  if (!saved.ok()) return saved.status();
  Weights weights{.parameters = std::move(saved->arrays), .seed = std::nullopt};
  const auto seed = saved->metadata.find("seed");
  if (seed == saved->metadata.end()) return weights;
  uint32_t value = 0;
  if (!absl::SimpleAtoi(seed->second, &value)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": its seed is ", Quoted(seed->second),
                                                   ", not a whole number from 0 to ",
                                                   std::numeric_limits<uint32_t>::max()));
  }
  weights.seed = value;
  return weights;
}

}  // namespace

absl::StatusOr<Weights> ReadWeights(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<Weights> weights =
      LooksLikeJson(*bytes) ? FromTrace(path, *bytes) : FromModel(path, *bytes);
  if (weights.ok() && weights->parameters.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": it holds no arrays to start from"));
  }
  return weights;
}

}  // namespace talweg::tutorial
