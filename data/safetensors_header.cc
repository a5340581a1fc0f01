#include "data/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/json.h"
#include "data/safetensors.h"

namespace talweg {
namespace {

constexpr std::string_view kMetadata = "__metadata__";

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr TypeName kTypeNames[] = {
    {"F32", kFloat32}, {"F64", kFloat64}, {"I32", kInt32}, {"I64", kInt64}, {"BOOL", kBool}};

std::string_view TypeNameOf(DType dtype) {
  for (const TypeName& type : kTypeNames) {
    if (type.dtype == dtype) return type.name;
  }
  return "?";
}

bool HasControlCharacter(std::string_view text) {
  for (unsigned char c : text) {
    if (c < 0x20 || c == 0x7F) return true;
  }
  return false;
}

// Takes the parser's events one by one. A tree of the whole would merge names that stand twice, and
// building and freeing one recurses as deep as the text is nested; here depth is at most three.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(SafetensorsHeader& header) : header_(header) {}

  const absl::Status& status() const { return status_; }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override {
    return Unexpected(absl::StrFormat("%s, which is not a whole number below 2^64", Quoted(text)));
  }
  bool binary(binary_t&) override { return Unexpected("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& text) override;
  bool start_object(std::size_t) override;
  bool key(string_t& text) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrFormat("the header is not JSON at its byte %d", position));
  }

 private:
  // Where in the header the reader is: what the next event means.
  enum class Place {
    kStart,     // before the outermost {
    kNames,     // inside it
    kEntry,     // after a tensor's name
    kFields,    // inside a tensor's {
    kValue,     // after a field's name
    kNumbers,   // inside a field's [
    kMetadata,  // after "__metadata__"
    kKeys,      // inside its {
    kText,      // after a key
    kEnd,       // after the outermost }
  };

  bool Fail(const std::string& what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(what);
    return false;
  }
  // Where we are, for messages: "the header", "tensor 'a/b'", "tensor 'a/b', field 'shape'".
  std::string Here() const;
  bool Unexpected(const std::string& what) {
    return Fail(absl::StrFormat("%s: unexpected %s", Here(), what));
  }
  bool FinishTensor();

  SafetensorsHeader& header_;
  absl::Status status_;
  Place place_ = Place::kStart;
  std::set<std::string> names_;
  bool has_metadata_ = false;
  // The tensor being read.
  TensorEntry tensor_;
  std::string field_;
  std::set<std::string> fields_;
  std::vector<uint64_t> numbers_;
  std::string metadata_key_;
};

std::string HeaderReader::Here() const {
  switch (place_) {
    case Place::kEntry:
    case Place::kFields:
      return "tensor " + Quoted(tensor_.name);
    case Place::kValue:
    case Place::kNumbers:
      return "tensor " + Quoted(tensor_.name) + ", field " + Quoted(field_);
    case Place::kMetadata:
    case Place::kKeys:
    case Place::kText:
      return "the metadata";
    default:
      return "the header";
  }
}

bool HeaderReader::start_object(std::size_t) {
  switch (place_) {
    case Place::kStart:
      place_ = Place::kNames;
      return true;
    case Place::kMetadata:
      place_ = Place::kKeys;
      return true;
    case Place::kEntry:
      fields_.clear();
      place_ = Place::kFields;
      return true;
    default:
      return Unexpected("object");
  }
}

bool HeaderReader::key(string_t& text) {
  if (place_ == Place::kNames && text == kMetadata) {
    if (std::exchange(has_metadata_, true)) return Fail("the metadata stands twice");
    place_ = Place::kMetadata;
  } else if (place_ == Place::kNames) {
    if (absl::Status status = CheckTensorName(text); !status.ok()) {
      return Fail(std::string(status.message()));
    }
    if (!names_.insert(text).second) return Fail("two tensors " + Quoted(text));
    tensor_ = TensorEntry();
    tensor_.name = text;
    place_ = Place::kEntry;
  } else if (place_ == Place::kFields) {
    if (text != "dtype" && text != "shape" && text != "data_offsets") {
      return Fail(absl::StrFormat("%s: unknown field %s", Here(), Quoted(text)));
    }
    if (!fields_.insert(text).second) {
      return Fail(absl::StrFormat("%s: field %s stands twice", Here(), Quoted(text)));
    }
    field_ = text;
    place_ = Place::kValue;
  } else {  // kKeys: the parser gives keys inside of objects only
    if (absl::Status status = CheckMetadataKey(text); !status.ok()) {
      return Fail(std::string(status.message()));
    }
    if (header_.metadata.contains(text)) return Fail("metadata " + Quoted(text) + " stands twice");
    metadata_key_ = text;
    place_ = Place::kText;
  }
  return true;
}

bool HeaderReader::string(string_t& text) {
  if (place_ == Place::kText) {
    header_.metadata[metadata_key_] = text;
    place_ = Place::kKeys;
    return true;
  }
  if (place_ != Place::kValue || field_ != "dtype") return Unexpected("text " + Quoted(text));
  for (const TypeName& type : kTypeNames) {
    if (type.name == text) {
      tensor_.dtype = type.dtype;
      place_ = Place::kFields;
      return true;
    }
  }
  return Fail(absl::StrFormat("%s: element type %s is none of F32, F64, I32, I64, BOOL", Here(),
                              Quoted(text)));
}

bool HeaderReader::start_array(std::size_t) {
  if (place_ != Place::kValue || field_ == "dtype") return Unexpected("list");
  numbers_.clear();
  place_ = Place::kNumbers;
  return true;
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (place_ != Place::kNumbers) return Unexpected("number");
  const size_t limit = field_ == "shape" ? kMaxTensorRank : 2;
  if (numbers_.size() == limit) {
    return Fail(absl::StrFormat("%s: more than %d numbers", Here(), limit));
  }
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Fail(absl::StrFormat("%s: %d is too large", Here(), value));
  }
  numbers_.push_back(value);
  return true;
}

bool HeaderReader::end_array() {
  if (field_ == "shape") {
    tensor_.dims.assign(numbers_.begin(), numbers_.end());
    const absl::StatusOr<int64_t> size = CheckedSize(tensor_.dims);
    if (!size.ok()) return Fail(absl::StrFormat("%s: %s", Here(), size.status().message()));
  } else {
    if (numbers_.size() != 2) return Fail(Here() + ": not two numbers");
    tensor_.begin = static_cast<int64_t>(numbers_[0]);
    tensor_.end = static_cast<int64_t>(numbers_[1]);
    if (tensor_.begin > tensor_.end) return Fail(Here() + ": the end comes before the begin");
  }
  place_ = Place::kFields;
  return true;
}

bool HeaderReader::FinishTensor() {
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (!fields_.contains(field)) {
      return Fail(absl::StrFormat("%s: field '%s' is missing", Here(), field));
    }
  }
  header_.tensors.push_back(std::move(tensor_));
  return true;
}

bool HeaderReader::end_object() {
  if (place_ == Place::kFields && !FinishTensor()) return false;
  place_ = place_ == Place::kNames ? Place::kEnd : Place::kNames;
  return true;
}

}  // namespace

absl::Status CheckTensorName(std::string_view name) {
  constexpr size_t kMaxBytes = 1024;
  const auto error = [&](const char* what) {
    return absl::InvalidArgumentError(absl::StrFormat("tensor name %s %s", Quoted(name), what));
  };
  if (name.empty()) return error("is empty");
  if (name.size() > kMaxBytes) return error("is longer than 1024 bytes");
  if (FindInvalidUtf8(name) != name.npos) return error("is not UTF-8");
  if (HasControlCharacter(name)) return error("holds a control character");
  if (name == kMetadata) return error("is taken by the format");
  for (size_t from = 0; from <= name.size();) {
    const size_t to = std::min(name.find('/', from), name.size());
    const std::string_view part = name.substr(from, to - from);
    if (part.empty()) return error("has an empty part");
    if (part == "." || part == "..") return error("has a part '.' or '..'");
    from = to + 1;
  }
  return absl::OkStatus();
}

absl::Status CheckMetadataKey(std::string_view key) {
  if (FindInvalidUtf8(key) == key.npos && !HasControlCharacter(key)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("metadata key %s holds a control character or is not UTF-8", Quoted(key)));
}

absl::StatusOr<SafetensorsHeader> ParseHeader(std::string_view json) {
  // The parser would skip white space and a byte order mark in front; the format has none there.
  if (!json.starts_with('{')) return absl::InvalidArgumentError("the header does not begin with {");
  if (const size_t bad = FindInvalidUtf8(json); bad != json.npos) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the header is not UTF-8 at its byte %d", bad));
  }
  // The parser would take a NUL for the end and never look at what follows.
  if (const size_t nul = json.find('\0'); nul != json.npos) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the header holds a NUL at its byte %d", nul));
  }
  SafetensorsHeader header;
  HeaderReader reader(header);
  bool read = false;
  const bool fits = WithMemoryFor(
      0, [&] { read = nlohmann::json::sax_parse(json.begin(), json.end(), &reader); });
  if (!fits) return absl::ResourceExhaustedError("no memory for what the header holds");
  if (!reader.status().ok()) return reader.status();
  if (!read) return absl::InvalidArgumentError("the header is not JSON");
  return header;
}

std::string FormatHeader(const SafetensorsHeader& header) {
  std::string out = "{";
  const auto separate = [&] {
    if (out.back() != '{') out += ',';
  };
  if (!header.metadata.empty()) {
    AppendJsonText(out, kMetadata);
    out += ":{";
    for (const auto& [key, text] : header.metadata) {
      separate();
      AppendJsonText(out, key);
      out += ':';
      AppendJsonText(out, text);
    }
    out += '}';
  }
  for (const TensorEntry& tensor : header.tensors) {
    separate();
    AppendJsonText(out, tensor.name);
    out +=
        absl::StrFormat(":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
                        TypeNameOf(tensor.dtype), ToString(tensor.dims), tensor.begin, tensor.end);
  }
  return out + '}';
}

}  // namespace talweg
