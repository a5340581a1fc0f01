#ifndef TALWEG_OPTIM_HYPER_H_
#define TALWEG_OPTIM_HYPER_H_

#include <concepts>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/array.h"
#include "graph/tape.h"
#include "graph/value.h"

namespace talweg {

// A hyper-parameter: a number, or a Value that the user's own graph computes. Made implicitly, so
// options read as plain numbers:
//
//   Sgd({.momentum = 0.9})          Sgd({.momentum = learned_momentum})
//
// A Value is for rules that are applied on its own tape (optim/rule.h); a Training makes its graph
// elsewhere, and takes numbers.
//
// A number does not become a constant: it becomes a named float64 input of the graph, so a compiled
// fit runs with other numbers without being compiled again, and a sweep batches over it. What
// decides which nodes a graph has (nesterov, amsgrad, whether gradients are clipped, the length of
// a list) is not a hyper-parameter but a plain option.
class Hyper {
 public:
  template <typename T>
    requires std::integral<T> || std::floating_point<T>
  Hyper(T number) : number_(static_cast<double>(number)) {}  // NOLINT: implicit on purpose
  // A float scalar.
  Hyper(const Value& value) : is_number_(false), value_(value) {}  // NOLINT: implicit on purpose

  bool is_number() const { return is_number_; }
  double number() const { return number_; }
  const Value& value() const { return value_; }

 private:
  bool is_number_ = true;
  double number_ = 0;
  Value value_;
};

// Which numbers a hyper-parameter may have. NaN and infinities are in no range.
class Range {
 public:
  // Any finite number.
  constexpr Range() = default;
  static constexpr Range AtLeast(double low) { return Range(low, false, kInfinity, false); }
  static constexpr Range Above(double low) { return Range(low, true, kInfinity, false); }
  // low <= x <= high
  static constexpr Range Between(double low, double high) { return Range(low, false, high, false); }
  // low <= x < high
  static constexpr Range HalfOpen(double low, double high) { return Range(low, false, high, true); }

  bool Contains(double x) const;
  // "at least 0 and less than 1", "finite".
  std::string ToString() const;
  friend bool operator==(const Range&, const Range&) = default;

 private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr Range(double low, bool above_low, double high, bool below_high)
      : low_(low), high_(high), above_low_(above_low), below_high_(below_high) {}

  double low_ = -kInfinity, high_ = kInfinity;
  bool above_low_ = false, below_high_ = false;
};

// What a rate may be.
inline constexpr Range kRates = Range::AtLeast(0);

// A hyper-parameter that a graph asks for: the input's name, the number that its options held, and
// what it may be. Or a list of them that goes by one name, as float64 [n].
struct HyperSpec {
  std::string name;
  double number = 0;
  Range range;
  std::vector<double> list = {};  // empty for a single number

  // What is bound to the input.
  Array value() const { return list.empty() ? Array(number) : Array::Vector<double>(list); }
};

// "hyper-parameter ReduceLROnPlateau/factor is 1; it must be at least 0 and less than 1" if the
// number is out of range. For the numbers of the options, and for those bound instead later.
absl::Status CheckNumber(const HyperSpec& spec, double number);
// The same for what is bound to the input, an array of the type of value(); of a list it says which
// number: "hyper-parameter schedule/rates[3] is -1; it must be ...".
absl::Status CheckValue(const HyperSpec& spec, const Array& value);

// Where rules, schedules and adjustments ask for their hyper-parameters. Get makes the input on the
// outermost tape, whatever loop body it is used in (there it becomes a capture), or finds it: a
// builder that runs twice, once on a scratch tape, gets the same inputs twice. A handle: copies
// share what they register.
//
//   HyperScope hypers(tape);
//   Value mu = hypers.Within("rule").Get("momentum", 0.9, Range::AtLeast(0));   // "rule/momentum"
//   ...
//   absl::Status ok = hypers.Check();                     // of the numbers in the options
//   executable.Run(hypers.Bindings());                    // {"rule/momentum": 0.9}
class HyperScope {
 public:
  explicit HyperScope(const Tape& tape);

  // The same scope for names that start with "name/".
  HyperScope Within(std::string_view name) const;

  // A float64 scalar: the input of this name, or the Hyper's own Value (cast to float64). An error
  // on the tape: one name with two numbers or ranges, a Value that is no float scalar.
  Value Get(std::string_view name, const Hyper& hyper, const Range& range = {}) const;

  // Several numbers as one float64 input [n], for what reads one of them at a time. Errors: none,
  // or one name with two lists or ranges.
  Value GetList(std::string_view name, const std::vector<double>& numbers,
                const Range& range = {}) const;

  // What was asked for as numbers, in order.
  const std::vector<HyperSpec>& specs() const;
  // The first number out of its range.
  absl::Status Check() const;
  // The inputs' arrays, float64 by name.
  NamedArrays Bindings() const;

  const Tape& tape() const;
  const std::string& prefix() const { return prefix_; }

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::string prefix_;
};

}  // namespace talweg

#endif  // TALWEG_OPTIM_HYPER_H_
