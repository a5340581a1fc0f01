#ifndef TALWEG_TRAIN_PROGRESS_BAR_H_
#define TALWEG_TRAIN_PROGRESS_BAR_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "train/callback.h"

namespace talweg {

// How a training looks while it runs; FitOptions::verbose adds one. As Keras 2.3 draws it:
//
//   verbose = 1        Train on 500 samples, validate on 500 samples
//                      Epoch 1/200
//                      500/500 [==============================] - 0s 50us/step - loss: 1.0989 ...
//   verbose = 2        Epoch 1/200
//                       - 0s - loss: 1.0989 - accuracy: 0.3440 - val_loss: 1.0871 - ...
//
// On a terminal the bar is redrawn as batches pass, at most twenty times a second, for which the
// training must return to the host at each batch. Elsewhere (a file, a pipe, a log) each epoch
// has its bar written once, at its end, with nothing drawn over and no cost in speed. A step is a
// sample.
struct ProgressBarOptions {
  int verbose = 1;
  // Whether the output can be redrawn; asked of standard output where it is not given.
  std::optional<bool> terminal = std::nullopt;
  // Where the text goes; standard output where it is not given.
  std::function<void(std::string_view text)> write = nullptr;
  // The time in seconds; a steady clock where it is not given.
  std::function<double()> clock = nullptr;
};

class ProgressBar final : public Callback {
 public:
  explicit ProgressBar(ProgressBarOptions options = {});

  bool WantsBatches() const override { return options_.verbose == 1 && terminal_; }
  void OnTrainBegin(const Run& run) override;
  void OnEpochBegin(const Run& run) override;
  void OnBatchEnd(const Run& run) override;
  void OnEpochEnd(const Run& run) override;

 private:
  // The line for so many samples; `values` are means over them.
  std::string Line(int64_t seen, int64_t samples, const std::vector<Measured>& values) const;
  // Draws it over the last one, if there is one.
  void Redraw(const std::string& line);

  ProgressBarOptions options_;
  bool terminal_;
  double start_ = 0, last_drawn_ = 0;
  int64_t seen_ = 0;
  std::vector<Measured> sums_;  // over the samples seen in this epoch
  size_t width_ = 0;            // of the line that stands there
};

}  // namespace talweg

#endif  // TALWEG_TRAIN_PROGRESS_BAR_H_
