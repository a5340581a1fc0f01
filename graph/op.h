#ifndef TALWEG_GRAPH_OP_H_
#define TALWEG_GRAPH_OP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/shape.h"
#include "graph/attributes.h"

namespace talweg {

class Expr;
class Value;
template <typename T>
class Jet;
template <typename T>
class Number;

// The kinds of nodes. Passes, engines and derivatives know kinds and never ops: a new op of a known
// kind is invisible to them.
enum class Kind : uint8_t {
  kInput,       // a named argument of the graph
  kConstant,    // an array known when the graph is built
  kIota,        // 0, 1, 2, ... along the only axis
  kSize,        // the value of a run-time symbol
  kMap,         // elementwise; operands and result have one shape
  kView,        // an affine reindexing: slice, transpose, broadcast, pad, reverse, window
  kReshape,     // the same elements, in row-major order, under another shape
  kConcat,      // operands one after another along an axis
  kReduce,      // combines elements along axes
  kGather,      // elements named by integer indices
  kScatterAdd,  // the transpose of gather, added in the order of the indices
  kContract,    // sums of products: matrix products and their generalisations
  kRandom,      // a pure function of a key
  kLoop,        // a closed body graph, repeated
  kPart,        // one output of a loop
  kCustom,      // its first operand, with a gradient of the user's
};

// Element type and shape of a value.
struct Type {
  DType dtype = kFloat32;
  Shape shape;
  friend bool operator==(const Type&, const Type&) = default;
};
// "float32[rows,2]"
std::string ToString(const Type& type);

// The element types that a map takes, and what comes out.
enum class MapTypes : uint8_t {
  kFloats,   // float32, float64 -> the same
  kNumbers,  // those and the integers -> the same
  kAll,      // those and bool -> the same
  kBools,    // bool -> bool
  kCompare,  // two of one type -> bool
  kTest,     // floats -> bool
  kSelect,   // bool, then two of one type -> that type
  kCast,     // any -> the type in CastAttributes
};

// A one-dimensional strided loop over a map's formula: out[i] = f(in[0][i * strides[0]], ...), i <
// n. Strides are in elements; the output is contiguous and may be one of the inputs.
using MapLoop = void (*)(std::byte* out, const std::byte* const* in, const int64_t* strides,
                         int64_t n);

// Facts of algebra that hold to the bit, from which the simplifier makes its rules. `x + 0` is not
// among them for floats: -0 + 0 is 0. An identity is cast to the element type; it does not hold for
// the bools of an op that takes numbers too.
struct MapFacts {
  std::optional<double> right_identity = std::nullopt;  // f(x, e) = x
  std::optional<double> left_identity = std::nullopt;   // f(e, x) = x
  bool commutative = false;                             // f(x, y) = f(y, x)
  bool involution = false;                              // f(f(x)) = x
  bool idempotent = false;                              // f(f(x)) = f(x), or f(x, x) = x
  bool keeps_zero = false;                              // f(0) = 0: zero padding stays zero padding
};

// Where tests sample an operand, and where the derivative does not exist.
struct MapSamples {
  double low = -2, high = 2;
  std::array<double, 3> kinks = {};
  int32_t kink_count = 0;
};

using SecondJet = Jet<Jet<Number<double>>>;

// What there is to know of an elementwise op; its formula, written once over a generic scalar, in
// each form that somebody needs. Made by the templates of ops/map.h.
struct MapRule {
  int32_t arity;
  MapTypes types;
  // The loop for these operand types; `wide` where the machine has AVX2 and FMA (the bits are the
  // same). Null where the op does not take them.
  MapLoop (*loop)(absl::Span<const DType> operands, DType result, bool wide);
  // The formula as a scalar program, for code generation. `result` matters to a cast.
  Expr (*expr)(const Expr* operands, DType result);
  // The formula over float64 jets: the oracle of derivatives. Null where nothing is differentiable.
  SecondJet (*jet)(const SecondJet* operands);
  // dy times the partial derivative by each operand, as graph: partials[k](x, y, dy). Null for an
  // operand that has no derivative (or whose derivative is zero everywhere).
  using Partial = Value (*)(const Value* x, const Value& y, const Value& dy);
  std::array<Partial, 3> partials;
  MapFacts facts;
  std::array<MapSamples, 3> samples;
};

// A reduction: an associative map of two operands with its identity, or the place of the element
// that this map would pick.
struct ReduceRule {
  const struct Op* combine;         // a map: add, mul, maximum, minimum, and, or
  double (*identity)(DType dtype);  // e.g. 0, 1, -infinity or the least integer
  // argmax, argmin: the result is the int64 row-major place, among the reduced elements, of the one
  // that `combine` picks: the first NaN if there is one, else the first that is best.
  bool place = false;
  // The gradient of the operand, for y and dy spread over the reduced axes to the shape of x. Null
  // where there is none.
  Value (*partial)(const Value& x, const Value& y, const Value& dy,
                   const std::vector<int64_t>& axes) = nullptr;
};

// Random numbers. A random node has two operands, key and stream, int64 scalars; its elements are a
// pure function of both and of their row-major place.
struct RandomRule {
  // Fills out[0 .. n) with elements of the node's type. Each call has the whole node.
  void (*fill)(uint64_t key, uint64_t stream, DType dtype, int64_t n, std::byte* out);
  bool is_permutation = false;  // the elements are 0, ..., n - 1, each once
};

// An operation, described in one place. Records are constants with static storage; a node points to
// its op, and equal pointers are equal ops.
struct Op {
  const char* name;  // as it is printed and parsed: "tanh"
  const char* doc;   // one line
  Kind kind;
  // The types of the outputs, or what is wrong in a short phrase ("inner sizes 2 and 3 differ");
  // the caller adds op, shapes and the user's line.
  absl::StatusOr<std::vector<Type>> (*infer)(const Op& op, absl::Span<const Type> operands,
                                             const Attributes& attributes);
  const MapRule* map = nullptr;
  const ReduceRule* reduce = nullptr;
  const RandomRule* random = nullptr;
};

}  // namespace talweg

#endif  // TALWEG_GRAPH_OP_H_
