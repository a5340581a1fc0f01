#ifndef TALWEG_DATA_SAFETENSORS_HEADER_H_
#define TALWEG_DATA_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/shape.h"

namespace talweg {

// The JSON header of a safetensors file, read and written for safetensors.cc; programs include
// data/safetensors.h.

struct TensorEntry {
  std::string name;
  DType dtype = kFloat32;
  Dims dims;
  int64_t begin = 0, end = 0;  // where its bytes stand, from the end of the header
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;
  std::map<std::string, std::string> metadata;
};

inline constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
inline constexpr int64_t kMaxTensorRank = 32;

// A metadata key: UTF-8 without control characters.
absl::Status CheckMetadataKey(std::string_view key);

// Reads the JSON alone: names, types and shapes are sound then, offsets are 0 <= begin <= end. That
// they fit each other and the file is ParseArrays's to check.
absl::StatusOr<SafetensorsHeader> ParseHeader(std::string_view json);

// Compact JSON, metadata first, tensors in the given order: one text for one header.
std::string FormatHeader(const SafetensorsHeader& header);

}  // namespace talweg

#endif  // TALWEG_DATA_SAFETENSORS_HEADER_H_
