#include "base/shape.h"

#include <limits>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace talweg {

const char* Name(DType dtype) {
  switch (dtype) {
    case kFloat32:
      return "float32";
    case kFloat64:
      return "float64";
    case kInt32:
      return "int32";
    case kInt64:
      return "int64";
    case kBool:
      return "bool";
  }
  return "?";
}

absl::StatusOr<DType> ParseDType(absl::string_view name) {
  for (DType dtype : kAllDTypes) {
    if (name == Name(dtype)) return dtype;
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown element type '", name, "'"));
}

int64_t SizeOf(DType dtype) {
  switch (dtype) {
    case kFloat32:
    case kInt32:
      return 4;
    case kFloat64:
    case kInt64:
      return 8;
    case kBool:
      return 1;
  }
  return 0;
}

std::string Dim::ToString() const {
  switch (symbol_) {
    case Symbol::kRows:
      return "rows";
    case Symbol::kTrips:
      return "trips";
    case Symbol::kNone:
      break;
  }
  return absl::StrCat(value_);
}

std::string ToString(absl::Span<const Dim> shape) {
  return absl::StrCat(
      "[",
      absl::StrJoin(shape, ",",
                    [](std::string* out, Dim dim) { absl::StrAppend(out, dim.ToString()); }),
      "]");
}

std::string ToString(absl::Span<const int64_t> dims) {
  return absl::StrCat("[", absl::StrJoin(dims, ","), "]");
}

bool IsStatic(absl::Span<const Dim> shape) {
  for (Dim dim : shape) {
    if (!dim.is_static()) return false;
  }
  return true;
}

Shape ToShape(absl::Span<const int64_t> dims) { return Shape(dims.begin(), dims.end()); }

Shape WithLeading(Dim leading, Shape shape) {
  shape.insert(shape.begin(), leading);
  return shape;
}

bool Uses(absl::Span<const Dim> shape, Dim symbol) { return absl::c_linear_search(shape, symbol); }

ExtentCount CountOf(absl::Span<const Dim> shape) {
  ExtentCount count;
  for (Dim dim : shape) {
    if (dim.is_static()) {
      count.elements *= dim.value();
    } else {
      (dim == kRows ? count.rows : count.trips)++;
    }
  }
  return count;
}

Dims Resolve(absl::Span<const Dim> shape, const SymbolValues& values) {
  Dims dims;
  for (Dim dim : shape) dims.push_back(values.Of(dim));
  return dims;
}

absl::StatusOr<int64_t> CheckedSize(absl::Span<const int64_t> dims) {
  constexpr int64_t kLimit = (int64_t{1} << 62) / 8;
  int64_t product = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(dims), " has a negative extent"));
    }
    if (dim == 0) {
      empty = true;
      continue;
    }
    if (product > kLimit / dim) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(dims), " has too many elements"));
    }
    product *= dim;
  }
  return empty ? 0 : product;
}

absl::Status CheckShape(absl::Span<const Dim> shape) {
  Dims dims;
  for (Dim dim : shape) dims.push_back(dim.is_static() ? dim.value() : 1);
  return CheckedSize(dims).status();
}

int64_t SizeOf(absl::Span<const int64_t> dims) {
  int64_t product = 1;
  for (int64_t dim : dims) product *= dim;
  return product;
}

Dims RowMajorStrides(absl::Span<const int64_t> dims) {
  Dims strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

}  // namespace talweg
