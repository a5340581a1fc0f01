#include "plot/scale.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace talweg::plot {
namespace {

// Room between the data and the frame, as a fraction of the data's range.
constexpr double kRoom = 0.04;
// gnuplot computes with ranges in double precision; beyond this their products overflow.
constexpr double kHuge = 1e150;
// Data beyond this are clipped, which leaves room for room around them.
constexpr double kHugeData = 1e135;

// The smallest of 1, 2, 5 times a power of ten that is at least `step`.
double RoundStep(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= step * (1 - 1e-9)) return digit * power;
  }
  return 10 * power;
}

// `value`, a multiple of `step`, with the decimals that the step needs; a true minus sign.
std::string TickLabel(double value, double step) {
  const double magnitude = std::max(std::abs(value), step);
  std::string text;
  if (magnitude >= 1e6 || step < 1e-5) {
    // As many digits as tell neighbours apart; more than a double has are of no use.
    const double digits = std::ceil(std::log10(magnitude / step)) + 1;
    text = absl::StrFormat("%.*g", static_cast<int>(std::clamp(digits, 6.0, 17.0)), value);
  } else {
    const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step * 1.001))));
    text = absl::StrFormat("%.*f", decimals, value);
  }
  return text[0] == '-' ? absl::StrCat("−", text.substr(1)) : text;
}

// At least two ticks: where a round step leaves fewer, the next finer one is taken.
void SetLinearTicks(Scale& scale, double last, int count) {
  for (int parts = count; scale.ticks.size() < 2; parts *= 2) {
    scale.ticks.clear();
    const double step = RoundStep((last - scale.low) / parts);
    const double first = std::ceil(scale.low / step - 1e-6);
    for (int i = 0; i <= parts; i++) {
      const double at = (first + i) * step;
      if (at > last + 1e-6 * step) break;
      const double shown = std::abs(at) < 1e-6 * step ? 0 : at;
      scale.ticks.push_back({shown, TickLabel(shown, step)});
    }
  }
}

// Powers of ten whose exponents are round; where they are few, also 2 to 9 times each, without a
// label.
void SetLogTicks(Scale& scale, double last, int count) {
  const int first_power = static_cast<int>(std::floor(std::log10(scale.low) + 1e-9));
  const int last_power = static_cast<int>(std::floor(std::log10(last) + 1e-9));
  const bool minor = last_power - first_power <= 4;
  const auto shown = [&](double at) { return at >= scale.low * 0.999999 && at <= last * 1.000001; };
  // Labels of powers tell little each and may stand closer than those of numbers.
  int stride = 0, labels = 0;
  for (int parts = count + count / 2; labels < 2 && stride != 1; parts *= 2) {
    scale.ticks.clear();
    labels = 0;
    const double decades = static_cast<double>(last_power - first_power) / parts;
    stride = static_cast<int>(RoundStep(std::max(1.0, std::ceil(decades))));
    for (int power = first_power; power <= last_power; power++) {
      const double at = std::pow(10, power);
      if (power % stride == 0 && shown(at)) {
        labels++;
        scale.ticks.push_back(
            {at, absl::StrCat("10^{", power < 0 ? "−" : "", std::abs(power), "}")});
      }
      for (int digit = 2; minor && digit <= 9; digit++) {
        if (shown(digit * at)) scale.ticks.push_back({digit * at, ""});
      }
    }
  }
  if (labels >= 2) return;
  // Less than a decade or two: the numbers themselves tell more than a power.
  scale.ticks.clear();
  SetLinearTicks(scale, last, count);
}

}  // namespace

void Extent::Cover(double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

bool IsDrawable(double low, double high, bool log) {
  if (log) return low >= 1 / kHuge && high <= kHuge && high / low > 1.001;
  const double magnitude = std::max(std::abs(low), std::abs(high));
  return magnitude <= kHuge && high - low > std::max(1e-12 * magnitude, 1 / kHuge);
}

Scale MakeScale(const Axis& axis, Extent data) {
  if (data.empty()) data = axis.log ? Extent{1, 10} : Extent{0, 1};
  const double smallest = axis.log ? 1 / kHugeData : -kHugeData;
  double low = std::clamp(data.low, smallest, kHugeData);
  double high = std::clamp(data.high, smallest, kHugeData);
  // Where all data are one value, the range about it is one that ticks can tell apart.
  const bool wide = IsDrawable(low, high, axis.log);
  if (axis.log) {
    const double room = wide ? std::pow(high / low, kRoom) : 2;
    low /= room;
    high *= room;
  } else {
    const double magnitude = std::max(std::abs(low), std::abs(high));
    const double room = wide ? kRoom * (high - low) : magnitude > 1 / kHuge ? 0.1 * magnitude : 1;
    low -= room;
    high += room;
  }
  low = axis.low.value_or(low);
  high = axis.high.value_or(high);
  if (!IsDrawable(low, high, axis.log)) {
    // All data lie beyond the one end that was given: the other end follows it.
    double& end = axis.low ? high : low;
    const double given = axis.low ? low : high;
    const double reach = std::max(1.0, 0.1 * std::abs(given)) * (axis.low ? 1 : -1);
    end = axis.log ? given * (axis.low ? 10 : 0.1) : given + reach;
  }
  return {low, high, axis.log, {}};
}

void AddHeadroom(Scale& scale, double fraction) {
  // high' = low + (high - low) / fraction, in logarithms where the scale is logarithmic; finite.
  if (scale.log) {
    scale.high = std::min(scale.low * std::pow(scale.high / scale.low, 1 / fraction), 1e300);
  } else {
    scale.high = scale.low + (scale.high - scale.low) / fraction;
  }
}

void EqualizeAspect(Scale& x, Scale& y, double width, double height) {
  const double unit = std::max((x.high - x.low) / width, (y.high - y.low) / height);
  const auto widen = [unit](Scale& scale, double pixels) {
    const double middle = scale.low / 2 + scale.high / 2;
    scale.low = middle - unit * pixels / 2;
    scale.high = middle + unit * pixels / 2;
  };
  widen(x, width);
  widen(y, height);
}

void SetTicks(Scale& scale, double last, int count) {
  scale.ticks.clear();
  if (scale.log) {
    SetLogTicks(scale, last, count);
  } else {
    SetLinearTicks(scale, last, count);
  }
}

}  // namespace talweg::plot
