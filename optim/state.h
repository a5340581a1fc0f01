#ifndef TALWEG_OPTIM_STATE_H_
#define TALWEG_OPTIM_STATE_H_

#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/tape.h"
#include "graph/value.h"

namespace talweg {

// A Value with a name: a parameter, a metric.
struct NamedValue {
  std::string name;
  Value value;
};

// A piece of carried state: a velocity, a counter, the best loss so far. Before the first update
// all its elements are `start` (0 and 1 for bools).
struct StateSpec {
  std::string name;
  Type type;
  double start = 0;
  // A start of NaN is the same as another one.
  bool StartsFrom(double number) const {
    return start == number || (start != start && number != number);
  }
  friend bool operator==(const StateSpec& a, const StateSpec& b) {
    return a.name == b.name && a.type == b.type && a.StartsFrom(b.start);
  }
};

// An array of its start value.
absl::StatusOr<Array> StartOf(const StateSpec& spec);

// Named state for builders of graphs that know nothing of loops. A builder asks for the present
// value of a name and sets the next one; who carries it around is the loop's business. For the loop
// to know what to carry, the builder runs twice: once on a scratch tape to declare, once in the
// body to use.
//
//   StateScope declared(scratch);                       // 1. which state is there?
//   Build(declared);
//   absl::StatusOr<std::vector<Value>> ignored = declared.Next();      // reports mistakes
//   ... carry a Value for each of declared.specs() ...
//   StateScope state(body.tape, declared.specs(), body.carried);       // 2. in the loop body
//   Build(state);
//   absl::StatusOr<std::vector<Value>> next = state.Next();
//
// Get gives the value at the start of the phase, before and after a Set alike, so several builders
// that share a name (Nadam's product of momenta, once for each parameter) agree. Commit ends a
// phase. A handle: copies share their state. Errors go to the tape too, as those of ops do.
class StateScope {
 public:
  // To declare: Get makes inputs of `scratch`, which may be a child of the tape on which the
  // hyper-parameters are.
  explicit StateScope(const Tape& scratch);
  // To use: a Value for each spec.
  StateScope(const Tape& tape, absl::Span<const StateSpec> specs, absl::Span<const Value> values);

  // The same scope for names that start with "name/".
  StateScope Within(std::string_view name) const;

  // Errors: a name with another type or start than before; when using, a name that was not
  // declared.
  Value Get(std::string_view name, const Type& type, double start = 0,
            std::source_location where = std::source_location::current()) const;
  // Errors: a name that nobody got, another type, a second Set with another Value in one phase.
  void Set(std::string_view name, const Value& next,
           std::source_location where = std::source_location::current()) const;

  // Makes what was set the present values: for the next builder, another moment of the same trip.
  void Commit() const;

  // In the order in which they were first asked for.
  const std::vector<StateSpec>& specs() const;
  // The first error.
  absl::Status status() const;
  // The next values in the order of specs(); the present one where none was set. When declaring, a
  // name that was never set is an error: it would keep its start value, and nobody means that.
  absl::StatusOr<std::vector<Value>> Next() const;

  const Tape& tape() const;
  const std::string& prefix() const { return prefix_; }

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::string prefix_;
};

}  // namespace talweg

#endif  // TALWEG_OPTIM_STATE_H_
