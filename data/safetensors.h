#ifndef TALWEG_DATA_SAFETENSORS_H_
#define TALWEG_DATA_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/array.h"
#include "base/file.h"

namespace talweg {

// Parameters in files of the safetensors format, which Python, PyTorch and JAX read and write too.
//
//   absl::Status saved = SaveArrays("model.safetensors", parameters, {{"epoch", "200"}});
//   absl::StatusOr<SavedArrays> loaded = LoadArrays("model.safetensors");
//
// The form: the header's length, 8 bytes, little-endian; the header, a JSON object of
// "name": {"dtype": "F32", "shape": [2,50], "data_offsets": [0,400]} for each array and
// "__metadata__": {"key": "text"}; then the elements, little-endian, row-major, without gaps.
// Types are F32, F64, I32, I64 and BOOL. Source: the format's description in
// github.com/huggingface/safetensors.
//
// Names of arrays are paths of parts separated by "/", as scopes make them ("hidden/kernel"). A
// part is not empty, "." or ".."; so a name begins and ends without a slash and never leads out of
// anywhere if somebody takes it for a file's. Control characters are refused, and more than 1,024
// bytes. "__metadata__" is taken.
//
// OK for such a name; else the error says what is wrong with it.
absl::Status CheckTensorName(std::string_view name);

// A file that Talweg wrote carries a CRC-32C of all it holds, as metadata under kChecksumKey; a
// reader that finds one checks it. The format's other tools keep or drop it as any metadata. Who
// changes arrays in one and writes the old metadata again must drop that key.
inline constexpr std::string_view kChecksumKey = "talweg.crc32c";

using Metadata = std::map<std::string, std::string>;

struct SavedArrays {
  NamedArrays arrays;
  Metadata metadata;  // without the checksum
};

// Replaces the file at once, or leaves it as it is: see WriteFile. A file may become larger than
// LoadArrays takes unless it is told to. Errors: a name or key that is not as above, text that is
// not UTF-8.
absl::Status SaveArrays(const std::string& path, const NamedArrays& arrays,
                        const Metadata& metadata = {}, const FileSystem& system = {});

// Errors: a file that can not be read, or has more than `max_bytes`; and everything that is not
// exactly the form above: lengths and offsets that do not fit the file, overlap, leave gaps or
// bytes at the end; shapes of more than 32 axes, that overflow or do not fit their bytes; types
// that Talweg does not have; fields or names that stand twice, are missing or unknown; bools other
// than 0 and 1; a wrong checksum. What a header claims is checked before memory is taken for it.
absl::StatusOr<SavedArrays> LoadArrays(const std::string& path, int64_t max_bytes = kMaxFileBytes);

// The same to and from bytes in memory; `name` stands in errors where a path would.
absl::StatusOr<std::string> FormatArrays(const NamedArrays& arrays, const Metadata& metadata = {});
absl::StatusOr<SavedArrays> ParseArrays(std::string_view bytes,
                                        const std::string& name = "safetensors");

}  // namespace talweg

#endif  // TALWEG_DATA_SAFETENSORS_H_
