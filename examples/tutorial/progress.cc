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

void Progress::Finish(const std::string& title) {
  done_++;
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - drawn_ < kPause) return;
  drawn_ = now;
  const int64_t filled = std::clamp<int64_t>(kWidth * done_ / total_, 0, kWidth - 1);
  std::string bar(static_cast<size_t>(filled), '=');
  bar += '>';
  bar.resize(kWidth, '.');
  absl::FPrintF(file_, "%s[%s] %2d/%d %s", kWipe, bar, done_, total_, title);
  std::fflush(file_);
}

void Progress::Say(size_t done, const std::string& line) {
  if (terminal_) return;
  absl::FPrintF(file_, "%d/%d %s\n", done, total_, line);
  std::fflush(file_);
}

void Progress::Clear() {
  if (!terminal_) return;
  std::fputs(kWipe, file_);
  std::fflush(file_);
}

}  // namespace talweg::tutorial
