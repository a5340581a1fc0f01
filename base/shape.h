#ifndef TALWEG_BASE_SHAPE_H_
#define TALWEG_BASE_SHAPE_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace talweg {

// Element types. There is no implicit promotion between them: adding a float32 to a float64 is an
// error whose hint is Cast. Plain C++ numbers are weak: `x * 2` takes the type of x.
enum class DType : uint8_t { kFloat32, kFloat64, kInt32, kInt64, kBool };

inline constexpr DType kFloat32 = DType::kFloat32;
inline constexpr DType kFloat64 = DType::kFloat64;
inline constexpr DType kInt32 = DType::kInt32;
inline constexpr DType kInt64 = DType::kInt64;
inline constexpr DType kBool = DType::kBool;
inline constexpr DType kAllDTypes[] = {kFloat32, kFloat64, kInt32, kInt64, kBool};

// "float32", "float64", "int32", "int64", "bool".
const char* Name(DType dtype);
// The inverse of Name; an unknown name is an error.
absl::StatusOr<DType> ParseDType(absl::string_view name);
// Bytes of one element; a bool takes one byte that is 0 or 1.
int64_t SizeOf(DType dtype);
constexpr bool IsFloat(DType dtype) { return dtype == kFloat32 || dtype == kFloat64; }
constexpr bool IsInteger(DType dtype) { return dtype == kInt32 || dtype == kInt64; }

// One extent of a shape: an integer known when the graph is built, or one of the two symbols whose
// value is bound at run time.
//
//   rows   the number of samples: 32 in a batch, 20 in the last one, any number to predict.
//   trips  the number of trips of a loop, the leading axis of what the loop stacks.
//
// A symbol equals only itself. Each graph (and each loop body) binds its own two symbols.
class Dim {
 public:
  enum class Symbol : uint8_t { kNone, kRows, kTrips };

  constexpr Dim(int64_t value) : value_(value) {}  // NOLINT: a number is a dimension
  static constexpr Dim Of(Symbol symbol) { return Dim(symbol); }

  constexpr bool is_static() const { return symbol_ == Symbol::kNone; }
  constexpr Symbol symbol() const { return symbol_; }
  // The integer of a static dimension; -1 for a symbol. Not for arithmetic in a model: Count
  // (ops/reduce.h) is the number of rows at run time.
  constexpr int64_t value() const { return value_; }
  // "32", "rows" or "trips".
  std::string ToString() const;

  friend constexpr bool operator==(Dim a, Dim b) = default;
  template <typename H>
  friend H AbslHashValue(H h, Dim d) {
    return H::combine(std::move(h), d.value_, static_cast<int>(d.symbol_));
  }

 private:
  explicit constexpr Dim(Symbol symbol) : value_(-1), symbol_(symbol) {}
  int64_t value_;
  Symbol symbol_ = Symbol::kNone;
};

inline constexpr Dim kRows = Dim::Of(Dim::Symbol::kRows);
inline constexpr Dim kTrips = Dim::Of(Dim::Symbol::kTrips);

// The extents of a symbolic tensor, outermost first; {} is a scalar.
using Shape = std::vector<Dim>;
// The extents of a tensor that exists: integers only.
using Dims = std::vector<int64_t>;

// "[rows,2]"; "[]" for a scalar.
std::string ToString(absl::Span<const Dim> shape);
std::string ToString(absl::Span<const int64_t> dims);

bool IsStatic(absl::Span<const Dim> shape);
Shape ToShape(absl::Span<const int64_t> dims);
// [leading, shape...]: of so many of them along a new leading axis.
Shape WithLeading(Dim leading, Shape shape);

// The values of the two symbols at one run; -1 where a symbol is not bound.
struct SymbolValues {
  int64_t rows = -1;
  int64_t trips = -1;
  int64_t Of(Dim dim) const {
    switch (dim.symbol()) {
      case Dim::Symbol::kRows:
        return rows;
      case Dim::Symbol::kTrips:
        return trips;
      case Dim::Symbol::kNone:
        break;
    }
    return dim.value();
  }
};

// Whether one of the extents is this symbol.
bool Uses(absl::Span<const Dim> shape, Dim symbol);

// The extents' product, with the symbols apart.
struct ExtentCount {
  int64_t elements = 1;
  int32_t rows = 0, trips = 0;
  friend bool operator==(const ExtentCount&, const ExtentCount&) = default;
};
ExtentCount CountOf(absl::Span<const Dim> shape);

// The extents with the symbols replaced by their values.
Dims Resolve(absl::Span<const Dim> shape, const SymbolValues& values);

// The product of the extents. An extent that is negative, or a product of the extents times 8 bytes
// beyond 2^62, is an error: no array of this size can exist, and every later size computation on a
// checked shape is free of overflow. Extents of 0 count as 1 in the check, as NumPy does it.
absl::StatusOr<int64_t> CheckedSize(absl::Span<const int64_t> dims);
// The same for the static extents of a symbolic shape; symbols count as 1.
absl::Status CheckShape(absl::Span<const Dim> shape);
// The product of extents that were checked before.
int64_t SizeOf(absl::Span<const int64_t> dims);

// Row-major strides in elements: {12, 4, 1} for [2,3,4].
Dims RowMajorStrides(absl::Span<const int64_t> dims);

}  // namespace talweg

#endif  // TALWEG_BASE_SHAPE_H_
