#ifndef TALWEG_TESTS_OPTIM_UPDATES_H_
#define TALWEG_TESTS_OPTIM_UPDATES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "graph/engine.h"
#include "optim/hyper.h"
#include "optim/rule.h"
#include "optim/state.h"
#include "tests/graphs/engines.h"

namespace talweg {

// One update by a rule as a graph of its own, run again and again by the interpreter: parameters
// "a" [3] and "b" [2,2], whose seven elements the tests see as one vector.
class Updates {
 public:
  static constexpr int kElements = 7;

  static absl::StatusOr<Updates> Make(const Rule& rule, DType dtype,
                                      const Engine& engine = EveryEngine);

  // Elements before the first update.
  void Start(const std::vector<double>& parameters);
  // One update.
  absl::Status Step(const std::vector<double>& gradients, double rate);
  std::vector<double> parameters() const;

  // Changes a number without making the graph anew.
  void Bind(const std::string& hyper, double number) {
    bound_.insert_or_assign(hyper, Array(number));
  }
  const std::vector<HyperSpec>& hypers() const { return hypers_; }
  const std::vector<StateSpec>& specs() const { return specs_; }

 private:
  Updates(Executable executable, DType dtype) : executable_(std::move(executable)), dtype_(dtype) {}

  Executable executable_;
  DType dtype_;
  std::vector<HyperSpec> hypers_;
  std::vector<StateSpec> specs_;
  NamedArrays bound_;
  std::vector<Array> parameters_, state_;
  int64_t step_ = 0;
};

// Random numbers of the tests: uniform in [low, high), and gradients whose sizes spread over four
// powers of ten, so that epsilon matters in some of them.
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  double Uniform(double low, double high);
  std::vector<double> Uniforms(int n, double low, double high);
  std::vector<double> Gradients(int n);
  int64_t Below(int64_t n) { return static_cast<int64_t>(Uniform(0, static_cast<double>(n))); }

 private:
  uint64_t state_;
};

}  // namespace talweg

#endif  // TALWEG_TESTS_OPTIM_UPDATES_H_
