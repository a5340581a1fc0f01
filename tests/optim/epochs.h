#ifndef TALWEG_TESTS_OPTIM_EPOCHS_H_
#define TALWEG_TESTS_OPTIM_EPOCHS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/array.h"
#include "graph/engine.h"
#include "optim/adjust.h"
#include "optim/hyper.h"
#include "optim/state.h"

namespace talweg {

// The adjustments of one epoch (begin, one batch's end, the epoch's end) as a graph of its own, run
// again and again by the interpreter. The test says what the metrics and the parameter "p" [2] are.
class Epochs {
 public:
  struct Input {
    double batch_loss = 0;
    // Those that are missing are 0: loss, accuracy, val_loss, val_accuracy.
    std::map<std::string, double> metrics = {};
    std::vector<double> p = {0, 0};
  };
  struct Output {
    double begin_rate = 0, rate = 0;  // after the begin, after the end
    bool batch_stop = false, stop = false;
    std::vector<double> p;
  };

  static absl::StatusOr<Epochs> Make(const std::vector<Adjustment>& adjustments);

  // Back to before the first epoch.
  void Start(double rate);
  absl::StatusOr<Output> Run(const Input& input);

  void Bind(const std::string& hyper, double number) {
    bound_.insert_or_assign(hyper, Array(number));
  }
  const std::vector<StateSpec>& specs() const { return specs_; }
  absl::Status Check() const;

 private:
  explicit Epochs(Executable executable) : executable_(std::move(executable)) {}

  Executable executable_;
  std::vector<HyperSpec> hypers_;
  std::vector<StateSpec> specs_;
  NamedArrays bound_;
  std::vector<Array> state_;
  double rate_ = 0;
  int64_t epoch_ = 0;
};

}  // namespace talweg

#endif  // TALWEG_TESTS_OPTIM_EPOCHS_H_
