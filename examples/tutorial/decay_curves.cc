// Time-based decay, before it is tried: large steps at first, small ones later,
//
//   lrate = initial_lrate * (1 / (1 + decay * iteration))
//
// An iteration is an update, not an epoch. Here an epoch has 16 of them, so the 200 iterations of
// the figure are no more than the first twelve epochs of a training.
//
// Look for: a decay of 0.1 takes four fifths of the rate away within 50 iterations, and after the
// 3,200 of a whole training no more than 0.000031 is left of 0.01. A decay of 0.0001 is hardly seen
// to bend, and ends at 0.0076.

#include <string>
#include <vector>

#include "examples/tutorial/experiments.h"

namespace talweg::tutorial {

double DecayedRate(double initial_lrate, double decay, int64_t iteration) {
  return initial_lrate * (1 / (1 + decay * static_cast<double>(iteration)));
}

absl::Status DecayCurves(Lab& lab) {
  std::vector<DecayCurve> curves;
  for (const double decay : {1e-1, 1e-2, 1e-3, 1e-4}) {
    DecayCurve curve{.title = FormatNumber(decay), .rate = {}};
    for (int64_t i = 0; i < 200; i++) curve.rate.push_back(DecayedRate(0.01, decay, i));
    curves.push_back(std::move(curve));
  }
  lab.Draw("4_decay_curves", [=](const Lab&) { return DecayFigure(curves); });
  return absl::OkStatus();
}

}  // namespace talweg::tutorial
