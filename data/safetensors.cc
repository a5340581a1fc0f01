#include "data/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "data/safetensors_header.h"

namespace talweg {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they are");

constexpr int64_t kLengthBytes = 8;

std::string_view Bytes(const Array& array) {
  return {reinterpret_cast<const char*>(array.raw()), static_cast<size_t>(array.bytes())};
}

// A sum over metadata, names, types, shapes and elements, in the order of the names: the same for
// every file with this content, however it is laid out. `data` follows `header.tensors`.
uint32_t Checksum(const SafetensorsHeader& header, const std::vector<std::string_view>& data) {
  std::map<std::string_view, size_t> order;
  for (size_t i = 0; i < header.tensors.size(); i++) order[header.tensors[i].name] = i;
  SafetensorsHeader sorted = {{}, header.metadata};
  sorted.metadata.erase(std::string(kChecksumKey));
  for (const auto& [name, i] : order) {
    sorted.tensors.push_back(header.tensors[i]);
    sorted.tensors.back().begin = sorted.tensors.back().end = 0;
  }
  uint32_t sum = Crc32c(FormatHeader(sorted));
  for (const auto& [name, i] : order) sum = Crc32c(data[i], sum);
  return sum;
}

std::string Hexadecimal(uint32_t sum) { return absl::StrFormat("%08x", sum); }

// The file in pieces: length and header, then the arrays' own bytes.
struct Pieces {
  std::string head;
  std::vector<std::string_view> data;

  std::vector<std::string_view> All() const {
    std::vector<std::string_view> all = {head};
    all.insert(all.end(), data.begin(), data.end());
    return all;
  }
};

absl::StatusOr<Pieces> MakePieces(const NamedArrays& arrays, const Metadata& metadata) {
  SafetensorsHeader header;
  for (const auto& [key, text] : metadata) {
    if (absl::Status status = CheckMetadataKey(key); !status.ok()) return status;
    if (FindInvalidUtf8(text) != text.npos) {
      return absl::InvalidArgumentError(
          absl::StrFormat("metadata %s: the text is not UTF-8", Quoted(key)));
    }
    if (key == kChecksumKey) {
      return absl::InvalidArgumentError(
          absl::StrFormat("metadata key '%s' is taken by Talweg", key));
    }
  }
  header.metadata = metadata;
  // Wide types first, so that every array stands where its type is aligned.
  std::vector<const NamedArrays::value_type*> order;
  for (const auto& named : arrays) order.push_back(&named);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(-SizeOf(a->second.dtype()), std::string_view(a->first)) <
           std::pair(-SizeOf(b->second.dtype()), std::string_view(b->first));
  });
  Pieces pieces;
  int64_t end = 0;
  for (const auto* named : order) {
    const auto& [name, array] = *named;
    if (absl::Status status = CheckTensorName(name); !status.ok()) return status;
    if (array.raw() == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrFormat("tensor %s is an array without elements", Quoted(name)));
    }
    if (array.rank() > kMaxTensorRank) {
      return absl::InvalidArgumentError(
          absl::StrFormat("tensor %s has %d axes; a file takes at most %d", Quoted(name),
                          array.rank(), kMaxTensorRank));
    }
    const int64_t begin = std::exchange(end, end + array.bytes());
    header.tensors.push_back({name, array.dtype(), array.dims(), begin, end});
    pieces.data.push_back(Bytes(array));
  }
  header.metadata[std::string(kChecksumKey)] = Hexadecimal(Checksum(header, pieces.data));
  std::string json = FormatHeader(header);
  json.resize((json.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
  if (static_cast<int64_t>(json.size()) > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "names and metadata take %d bytes; at most %d", json.size(), kMaxHeaderBytes));
  }
  const uint64_t length = json.size();
  pieces.head.assign(reinterpret_cast<const char*>(&length), kLengthBytes);
  pieces.head += json;
  return pieces;
}

// Every tensor's bytes fit its type and shape, and together they cover the data, each byte once.
absl::Status CheckOffsets(const std::vector<TensorEntry>& tensors, int64_t data_bytes) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& tensor : tensors) {
    const auto error = [&](const std::string& what) {
      return absl::InvalidArgumentError(
          absl::StrFormat("tensor %s: %s", Quoted(tensor.name), what));
    };
    if (tensor.end > data_bytes) {
      return error(absl::StrFormat("its bytes %d to %d are not among the file's %d", tensor.begin,
                                   tensor.end, data_bytes));
    }
    const int64_t bytes = SizeOf(absl::MakeConstSpan(tensor.dims)) * SizeOf(tensor.dtype);
    if (tensor.end - tensor.begin != bytes) {
      return error(absl::StrFormat("%s%s takes %d bytes, its offsets %d to %d give it %d",
                                   Name(tensor.dtype), ToString(tensor.dims), bytes, tensor.begin,
                                   tensor.end, tensor.end - tensor.begin));
    }
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  int64_t covered = 0;
  for (const TensorEntry* tensor : order) {
    if (tensor->begin != covered) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "tensor %s begins at byte %d, %s", Quoted(tensor->name), tensor->begin,
          tensor->begin < covered ? absl::StrFormat("inside another one that ends at %d", covered)
                                  : absl::StrFormat("after a gap from %d on", covered)));
    }
    covered = tensor->end;
  }
  if (covered != data_bytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%d bytes after the last tensor", data_bytes - covered));
  }
  return absl::OkStatus();
}

absl::StatusOr<Array> MakeArray(const TensorEntry& tensor, std::string_view data) {
  absl::StatusOr<Array> array = Array::Zeros(tensor.dtype, tensor.dims);
  if (!array.ok() || array->size() == 0) return array;
  const std::string_view bytes = data.substr(tensor.begin, tensor.end - tensor.begin);
  if (tensor.dtype == kBool) {  // any other byte in a C++ bool is undefined behaviour
    const auto bad =
        std::find_if(bytes.begin(), bytes.end(), [](unsigned char byte) { return byte > 1; });
    if (bad != bytes.end()) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "tensor %s: element %d is the byte %d, neither 0 nor 1", Quoted(tensor.name),
          bad - bytes.begin(), static_cast<unsigned char>(*bad)));
    }
  }
  std::memcpy(array->mutable_bytes(), bytes.data(), bytes.size());
  return array;
}

absl::StatusOr<SavedArrays> Parse(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%d bytes; the header's length alone takes %d", bytes.size(), kLengthBytes));
  }
  uint64_t length;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length > bytes.size() || length > static_cast<uint64_t>(kMaxHeaderBytes)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a header of %d bytes, but %d follow and %d is the limit", length,
                        bytes.size(), kMaxHeaderBytes));
  }
  absl::StatusOr<SafetensorsHeader> header = ParseHeader(bytes.substr(0, length));
  if (!header.ok()) return header.status();
  const std::string_view data = bytes.substr(length);
  absl::Status status = CheckOffsets(header->tensors, static_cast<int64_t>(data.size()));
  if (!status.ok()) return status;
  const auto checksum = header->metadata.find(std::string(kChecksumKey));
  if (checksum != header->metadata.end()) {
    std::vector<std::string_view> pieces;
    for (const TensorEntry& tensor : header->tensors) {
      pieces.push_back(data.substr(tensor.begin, tensor.end - tensor.begin));
    }
    if (checksum->second != Hexadecimal(Checksum(*header, pieces))) {
      return absl::DataLossError(absl::StrFormat(
          "the checksum does not fit: the file is damaged, or was changed by a program that kept "
          "the old '%s' in its metadata",
          kChecksumKey));
    }
    header->metadata.erase(checksum);
  }
  SavedArrays saved;
  for (const TensorEntry& tensor : header->tensors) {
    absl::StatusOr<Array> array = MakeArray(tensor, data);
    if (!array.ok()) return array.status();
    saved.arrays.emplace(tensor.name, *std::move(array));
  }
  saved.metadata = std::move(header->metadata);
  return saved;
}

}  // namespace

absl::Status SaveArrays(const std::string& path, const NamedArrays& arrays,
                        const Metadata& metadata, const FileSystem& system) {
  const absl::StatusOr<Pieces> pieces = MakePieces(arrays, metadata);
  if (!pieces.ok()) {
    return absl::Status(pieces.status().code(),
                        absl::StrCat("can not save ", path, ": ", pieces.status().message()));
  }
  return WriteFile(path, pieces->All(), system);
}

absl::StatusOr<SavedArrays> LoadArrays(const std::string& path, int64_t max_bytes) {
  const absl::StatusOr<std::string> bytes = ReadFile(path, max_bytes);
  if (!bytes.ok()) return bytes.status();
  return ParseArrays(*bytes, path);
}

absl::StatusOr<std::string> FormatArrays(const NamedArrays& arrays, const Metadata& metadata) {
  const absl::StatusOr<Pieces> pieces = MakePieces(arrays, metadata);
  if (!pieces.ok()) return pieces.status();
  std::string bytes;
  for (std::string_view piece : pieces->All()) bytes += piece;
  return bytes;
}

absl::StatusOr<SavedArrays> ParseArrays(std::string_view bytes, const std::string& name) {
  absl::StatusOr<SavedArrays> saved = Parse(bytes);
  if (saved.ok()) return saved;
  return absl::Status(saved.status().code(), absl::StrCat(name, ": ", saved.status().message()));
}

}  // namespace talweg
