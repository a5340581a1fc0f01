#ifndef TALWEG_GRAPH_VALUE_H_
#define TALWEG_GRAPH_VALUE_H_

#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "graph/graph.h"

namespace talweg {

class TapeState;

// A symbolic tensor: a handle to a node of a tape. Cheap to copy; keeps its tape alive.
//
//   Tape t;
//   Value x = t.Input("x", kFloat32, {kRows, 2}), w = t.Input("w", kFloat32, {2, 3});
//   Value y = Tanh(MatMul(x, w)) * 2;              // float32[rows,3]
//
// Equality is identity: nodes with the same op, operands and attributes are made once.
//
// A failed operation yields a Value with ok() == false; what is built on it fails silently too, and
// the tape keeps the first error, which Compile and Tape::status() report. So a model can be
// written without a check after each line.
class Value {
 public:
  // A value of no tape; using it is an error.
  Value() = default;
  Value(std::shared_ptr<TapeState> tape, NodeId id) : tape_(std::move(tape)), id_(id) {}

  bool ok() const { return tape_ != nullptr && id_ >= 0; }
  // The first error of the tape; an error for a value of no tape.
  absl::Status status() const;

  // float32 and {} where not ok().
  DType dtype() const;
  const Shape& shape() const;
  const Type& type() const;
  int64_t rank() const { return static_cast<int64_t>(shape().size()); }
  // Extent of an axis; negative axes count from the end. 1 for an axis that does not exist.
  Dim dim(int64_t axis) const;

  // Only where ok().
  const Node& node() const;
  NodeId id() const { return id_; }
  const std::shared_ptr<TapeState>& tape() const { return tape_; }

  friend bool operator==(const Value& a, const Value& b) {
    return a.tape_ == b.tape_ && a.id_ == b.id_;
  }

 private:
  std::shared_ptr<TapeState> tape_;
  NodeId id_ = -1;
};

// An argument of a public function: a Value or a C++ number, with the line of the call. It is made
// implicitly, so users never write it:
//
//   Value Exp(Arg x);          y = Exp(x);   y = Max(x, 0);
//
// Numbers take the type of the Value they meet; one that an integer type does not have (a fraction,
// 2^40 for int32) is an error there.
class Arg {
 public:
  Arg(const Value& value,  // NOLINT: implicit on purpose
      std::source_location where = std::source_location::current())
      : value_(value), line_(LineOf(where)) {}
  template <typename T>
    requires(std::integral<T> || std::floating_point<T>) && (!std::same_as<T, bool>)
  Arg(T number,  // NOLINT: implicit on purpose
      std::source_location where = std::source_location::current())
      : is_number_(true),
        number_(static_cast<double>(number)),
        integer_(IntegerOf(number)),
        line_(LineOf(where)) {}
  // a == b of Values asks whether they are one node; their elements are compared by Equal(a, b).
  template <std::same_as<bool> T>
  Arg(T) = delete;

  bool is_number() const { return is_number_; }
  double number() const { return number_; }
  // The number to all of its bits, of which number() holds 53; nothing where it is no int64: a
  // fraction, 1e30, NaN.
  const std::optional<int64_t>& integer() const { return integer_; }
  const Value& value() const { return value_; }
  const SourceLine& line() const { return line_; }

 private:
  template <typename T>
  static std::optional<int64_t> IntegerOf(T number) {
    if constexpr (std::floating_point<T>) {
      // Also false for NaN.
      if (!(number >= -0x1p63 && number < 0x1p63)) return std::nullopt;
    } else if constexpr (std::unsigned_integral<T> && sizeof(T) >= sizeof(int64_t)) {
      if (number > static_cast<T>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    }
    const auto integer = static_cast<int64_t>(number);
    return static_cast<T>(integer) == number ? std::optional(integer) : std::nullopt;
  }

  Value value_;
  bool is_number_ = false;
  double number_ = 0;
  std::optional<int64_t> integer_;
  SourceLine line_;
};

// ---- What follows is for those who write ops; users of ops do not need it. ----

// Says which line of the user's program the nodes come from that are made in this scope. Composites
// open one, so that an error inside of them names the user's line and not theirs. The outermost
// scope of a tape wins; it holds for the tapes around that one and for the bodies inside as well.
class UserLine {
 public:
  UserLine(const Value& value, const SourceLine& line);
  explicit UserLine(const Arg& arg) : UserLine(arg.value(), arg.line()) {}
  ~UserLine();
  UserLine(const UserLine&) = delete;
  UserLine& operator=(const UserLine&) = delete;

 private:
  std::shared_ptr<TapeState> tape_;  // null where an outer scope holds
};

// Appends a node, or finds the equal one: resolves the tape (the innermost of the operands' tapes;
// values of enclosing tapes become captures), infers the types, folds nothing. Errors go to the
// tape and carry the op, the operands' shapes and the line.
Value MakeNode(const Op& op, absl::Span<const Value> operands, Attributes attributes,
               const SourceLine& line);

// The operands as values of one tape, the innermost of theirs: those of enclosing tapes become
// captures. For ops that give one operand a shape of another, since a run-time extent means
// something on one tape only. Unchanged where the tapes do not fit, which MakeNode reports.
std::vector<Value> OnOneTape(absl::Span<const Value> operands);

// The value of an argument where `like` says which tape and element type a number gets.
Value ToValue(const Arg& arg, const Value& like);
// A scalar constant of this element type on the tape of `like`; `number` is no Value.
Value Scalar(const Value& like, DType dtype, const Arg& number);

// Records an error "name: shapes: detail (line)" on the tapes of the operands, and returns the
// value that stands for it. For checks that an op makes before it makes nodes.
Value Fail(std::string_view name, absl::Span<const Value> operands, std::string_view detail,
           const SourceLine& line);

}  // namespace talweg

#endif  // TALWEG_GRAPH_VALUE_H_
