#ifndef TALWEG_BASE_CLOCK_H_
#define TALWEG_BASE_CLOCK_H_

#include <chrono>
#include <utility>

namespace talweg {

// Wall-clock time from one point of a program to the next.
//
//   Clock clock;
//   Parse();
//   const double parse_ms = clock.Lap();
//   Run();
//   const double run_ms = clock.Lap();
class Clock {
 public:
  // Milliseconds since the last call, or since the clock was made.
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(start_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace talweg

#endif  // TALWEG_BASE_CLOCK_H_
