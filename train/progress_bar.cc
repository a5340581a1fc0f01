#include "train/progress_bar.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace talweg {
namespace {

constexpr int kBarWidth = 30;
// A bar that is drawn more often only flickers.
constexpr double kSecondsBetweenDrawings = 0.05;

// "1:02:03", "2:03" or "3s" to go.
std::string Remaining(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  if (seconds > 3600) {
    return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole % 3600 / 60, whole % 60);
  }
  if (seconds > 60) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrCat(whole, "s");
}

std::string PerStep(double seconds) {
  if (seconds >= 1) return absl::StrFormat("%.0fs/step", seconds);
  if (seconds >= 1e-3) return absl::StrFormat("%.0fms/step", seconds * 1e3);
  return absl::StrFormat("%.0fus/step", seconds * 1e6);
}

// " - loss: 1.0989 - accuracy: 0.3440"; small numbers get an exponent.
std::string Values(const std::vector<Measured>& values) {
  std::string text;
  for (const Measured& measured : values) {
    absl::StrAppend(&text, " - ", measured.name, ": ");
    if (std::abs(measured.value) > 1e-3) {
      absl::StrAppendFormat(&text, "%.4f", measured.value);
    } else {
      absl::StrAppendFormat(&text, "%.4e", measured.value);
    }
  }
  return text;
}

// What the epoch measured; the rate is no measurement and Keras does not show it.
std::vector<Measured> WithoutRate(const std::vector<Measured>& logs) {
  std::vector<Measured> measured;
  for (const Measured& log : logs) {
    if (log.name != "lr") measured.push_back(log);
  }
  return measured;
}

}  // namespace

ProgressBar::ProgressBar(ProgressBarOptions options)
    : options_(std::move(options)),
      terminal_(options_.terminal.value_or(isatty(STDOUT_FILENO) == 1)) {
  if (!options_.write) {
    options_.write = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
  }
  if (!options_.clock) {
    options_.clock = [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
    };
  }
}

void ProgressBar::OnTrainBegin(const Run& run) {
  if (options_.verbose == 0 || run.validation_samples() == 0) return;
  options_.write(absl::StrCat("Train on ", run.samples(), " samples, validate on ",
                              run.validation_samples(), " samples\n"));
}

void ProgressBar::OnEpochBegin(const Run& run) {
  if (options_.verbose == 0) return;
  start_ = options_.clock();
  last_drawn_ = start_ - kSecondsBetweenDrawings;
  seen_ = 0;
  sums_.clear();
  width_ = 0;
  options_.write(absl::StrCat("Epoch ", run.epoch() + 1, "/", run.epochs(), "\n"));
}

void ProgressBar::OnBatchEnd(const Run& run) {
  if (!WantsBatches()) return;
  const auto samples = static_cast<double>(run.batch_samples());
  sums_.resize(run.logs().size());
  for (size_t i = 0; i < sums_.size(); i++) {
    sums_[i].name = run.logs()[i].name;
    sums_[i].value += run.logs()[i].value * samples;
  }
  seen_ += run.batch_samples();
  const double now = options_.clock();
  // The full bar waits for the validation, at the epoch's end.
  if (seen_ >= run.samples() || now - last_drawn_ < kSecondsBetweenDrawings) return;
  last_drawn_ = now;
  std::vector<Measured> means = sums_;
  for (Measured& mean : means) mean.value /= static_cast<double>(seen_);
  Redraw(Line(seen_, run.samples(), means));
}

void ProgressBar::OnEpochEnd(const Run& run) {
  if (options_.verbose == 0) return;
  const std::vector<Measured> logs = WithoutRate(run.logs());
  if (options_.verbose == 2) {
    options_.write(absl::StrFormat(" - %.0fs%s\n", options_.clock() - start_, Values(logs)));
    return;
  }
  // An epoch that was stopped in a batch ends with the bar where it stood.
  Redraw(Line(WantsBatches() ? seen_ : run.samples(), run.samples(), logs));
  options_.write("\n");
}

std::string ProgressBar::Line(int64_t seen, int64_t samples,
                              const std::vector<Measured>& values) const {
  const int digits = static_cast<int>(absl::StrCat(samples).size());
  const double done = static_cast<double>(seen) / static_cast<double>(samples);
  const int full = static_cast<int>(kBarWidth * done);
  std::string bar(static_cast<size_t>(full), '=');
  if (full > 0 && seen < samples) bar.back() = '>';
  bar.append(static_cast<size_t>(kBarWidth - full), '.');

  const double passed = options_.clock() - start_;
  const double step = seen > 0 ? passed / static_cast<double>(seen) : 0;
  const std::string time =
      seen < samples ? absl::StrCat("ETA: ", Remaining(step * static_cast<double>(samples - seen)))
                     : absl::StrFormat("%.0fs %s", passed, PerStep(step));
  return absl::StrFormat("%*d/%d [%s] - %s%s", digits, seen, samples, bar, time, Values(values));
}

void ProgressBar::Redraw(const std::string& line) {
  std::string text = width_ > 0 ? "\r" : "";
  text += line;
  // Blanks over what a longer line would leave behind.
  if (line.size() < width_) text.append(width_ - line.size(), ' ');
  width_ = line.size();
  options_.write(text);
}

}  // namespace talweg
