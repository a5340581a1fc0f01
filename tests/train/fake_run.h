#ifndef TALWEG_TESTS_TRAIN_FAKE_RUN_H_
#define TALWEG_TESTS_TRAIN_FAKE_RUN_H_

#include <string>
#include <utility>
#include <vector>

#include "train/callback.h"

namespace talweg {

// A run whose every number a test sets, for callbacks that must be seen without a training.
class FakeRun final : public Run {
 public:
  explicit FakeRun(std::vector<std::string> columns) : history_(std::move(columns)) {}

  int64_t epoch() const override { return epoch_; }
  int64_t batch() const override { return batch_; }
  int64_t batch_samples() const override { return batch_samples_; }
  int64_t seed() const override { return 3; }
  bool goes_on() const override { return goes_on_; }
  int64_t epochs() const override { return epochs_; }
  int64_t batches() const override { return (samples_ + 31) / 32; }
  int64_t samples() const override { return samples_; }
  int64_t validation_samples() const override { return validation_samples_; }
  double rate() const override { return 0.01; }
  const std::vector<Measured>& logs() const override { return logs_; }
  const History& history() const override { return history_; }
  absl::StatusOr<NamedArrays> Parameters() const override { return parameters_; }
  absl::StatusOr<NamedArrays> State() const override { return state_; }
  void Stop() const override {}
  void Fail(absl::Status status) const override { failure_ = std::move(status); }

  // Ends an epoch with this row.
  void EndEpoch(Callback& callback, const std::vector<double>& row) {
    logs_.clear();
    for (size_t i = 0; i < row.size(); i++) logs_.push_back({history_.columns()[i], row[i]});
    history_.Append(row);
    callback.OnEpochEnd(*this);
    epoch_++;
  }
  void EndBatch(Callback& callback, int64_t samples, std::vector<Measured> logs) {
    batch_samples_ = samples;
    logs_ = std::move(logs);
    callback.OnBatchEnd(*this);
    batch_++;
  }
  std::string failure() const { return std::string(failure_.message()); }

  int64_t epoch_ = 0, batch_ = 0, batch_samples_ = 0, epochs_ = 2;
  int64_t samples_ = 500, validation_samples_ = 0;
  bool goes_on_ = false;
  NamedArrays parameters_, state_;

 private:
  History history_;
  std::vector<Measured> logs_;
  mutable absl::Status failure_;
};

}  // namespace talweg

#endif  // TALWEG_TESTS_TRAIN_FAKE_RUN_H_
