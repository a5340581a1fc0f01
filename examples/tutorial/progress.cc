#include "examples/tutorial/progress.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace talweg::tutorial {
namespace {

constexpr int64_t kWidth = 30;
// Often enough to look alive, seldom enough to cost nothing.
constexpr std::chrono::milliseconds kPause(50);
// Back to the line's start, and erase to its end.
constexpr char kWipe[] = "\r\x1b[K";

}  // namespace

void Progress::Start(const std::string& title) {
  title_ = title;
  if (terminal_) DrawLine(0, 1);
}

void Progress::Finish() { done_++; }

void Progress::Say(const std::string& line) {
  if (terminal_) return;
  absl::FPrintF(file_, "%d/%d %s\n", done_, total_, line);
  std::fflush(file_);
}

void Progress::Clear() {
  if (!terminal_) return;
  std::fputs(kWipe, file_);
  std::fflush(file_);
}

void Progress::OnEpochEnd(const Run& run) {
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < kPause) return;
  drawn_ = now;
  DrawLine(run.epoch() + 1, run.epochs());
}

void Progress::DrawLine(int64_t epoch, int64_t epochs) {
  const double part = static_cast<double>(done_) + static_cast<double>(epoch) / epochs;
  const int64_t filled = std::clamp<int64_t>(
      static_cast<int64_t>(kWidth * part / static_cast<double>(total_)), 0, kWidth - 1);
  std::string bar(static_cast<size_t>(filled), '=');
  bar += '>';
  bar.resize(kWidth, '.');
  absl::FPrintF(file_, "%s[%s] %2d/%d %s", kWipe, bar, done_ + 1, total_, title_);
  if (epoch > 0) absl::FPrintF(file_, ", epoch %d/%d", epoch, epochs);
  std::fflush(file_);
}

}  // namespace talweg::tutorial
